"""A connection made ready: its configuration, adapter, mapping and limits in one hand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from adapters.base import Adapter, Record
from sync import config as configuration
from sync.config import Config
from sync.lens import Mapping as Lenses
from sync.store import Store
from sync.store.types import dump_bytes


@dataclass(frozen=True)
class Plug:
    name: str
    role: str
    config: configuration.Connection
    adapter: Adapter
    mapping: Lenses
    # An adapter works in one thread at a time (its server's answers excepted): whoever polls, takes or delivers holds this
    lock: threading.RLock = field(default_factory=threading.RLock, compare=False, repr=False)

    def hash(self, rec: Record, shadow: bytes | None = None) -> bytes:
        """16 bytes of the native record together with its kind's mapping's fingerprint. A version stamp alone is no change.

        `shadow` is the record's data as stored JSON, where the caller has it already.
        """
        return self.hasher(rec.kind)(dump_bytes(rec.data) if shadow is None else shadow, rec.deleted)

    def salt(self, native_kind: str) -> bytes:
        """What makes the hashes of one kind those of its mapping."""
        return self.mapping.print_of(native_kind)[:32].encode()

    def hasher(self, native_kind: str) -> Callable[[bytes, bool], bytes]:
        """The hash of a stored form and whether it is deleted, for one native kind."""
        salt = self.salt(native_kind)

        def of(shadow: bytes, deleted: bool) -> bytes:
            if deleted:
                shadow += b"\x00deleted"
            return hashlib.blake2b(shadow, digest_size=16, key=salt).digest()

        return of


class Seen(NamedTuple):
    """A record with its stored form and hash, so that neither is made twice."""

    record: Record
    shadow: bytes
    hash: bytes
    exact: bool  # the stored form reads back as the very same data
    linked: bool  # there was a link of that id when it was looked at


@dataclass(frozen=True)
class World:
    """Everything that a piece of work needs."""

    store: Store
    config: Config
    plugs: Mapping[str, Plug]
    now: Callable[[], datetime]
    wake: Callable[[str], None] = lambda _: None  # "there is work for this connection"
    guard: Callable[[Connection], None] = lambda _: None  # raises when somebody else has taken this work over
    # Of each connection the catalogue page stored last, with its inbox row: whoever takes it at once need not read it again
    held: dict[str, tuple[int, list[Seen]]] = field(default_factory=dict)
    # Connections whose stored records are known to have been read with today's mapping
    renewed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Counts:
    """What became of the records of one run: read = new + changed + same + skipped + failed."""

    read: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    skipped: int = 0
    failed: int = 0
    writes: int = 0

    def add(self, outcome: str, number: int = 1) -> None:
        self.read += number
        setattr(self, outcome, getattr(self, outcome) + number)

    def merge(self, other: Counts) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Took:
    """What was made of a page at once: the outcomes, and the records that are left to be taken one by one."""

    counts: Counts = field(default_factory=Counts)
    rest: list[Seen] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """Where a change comes from: the run and the arrival."""

    run_id: int | None = None
    inbox_id: int | None = None
    read_at: datetime | None = None  # of a polled record: when its system was asked for it
    sure: bool = False  # what is deleted in it was weighed already, or a person has said yes
    why: str = ""  # "mapping": what its side says has changed because it is read otherwise, not by anybody there


def storable(value: Any) -> Any:
    """A native value as JSON can hold it: half characters become "?", giant numbers their digits."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        return str(value)
    if isinstance(value, dict):
        return {storable(str(k)): storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [storable(v) for v in value]
    return value
