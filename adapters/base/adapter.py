"""What an adapter is: what it says of itself, and the methods that its capabilities promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from adapters.base.arrivals import Arrival, Reception
from adapters.base.context import AdapterContext
from adapters.base.records import Change, Hint, Move, Native, Page, Problem, Record, Unchanged
from adapters.base.serving import ServerProtocol
from sync.errors import Text


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this adapter can do, by native kind. An empty set means "cannot"."""

    scans: frozenset[str] = frozenset()  # scan(kind)
    reads: frozenset[str] = frozenset()  # read(kind, id)
    updates: frozenset[str] = frozenset()  # write(Change with id)
    creates: frozenset[str] = frozenset()  # write(Change without id)
    deletes: frozenset[str] = frozenset()  # write(Change with `delete`)
    finds: frozenset[str] = frozenset()  # find(kind, key): holds our correlation key
    vague: frozenset[str] = frozenset()  # …but find may miss what was created: a miss is a question, never a repeat
    conditional: frozenset[str] = frozenset()  # the vendor itself refuses a write over a moved record
    collects: bool = False  # collect(): fetches whole arrivals (files of a folder)
    receives: bool = False  # receive()/unpack(): takes arrivals at /in/<connection>
    serves: bool = False  # server(): speaks a protocol at /exchange/<connection>
    offers: frozenset[str] = frozenset()  # kinds that the other side fetches from us through server()
    completes: frozenset[str] = frozenset()  # a scan from the beginning can prove that it saw everything
    files: bool = False  # unpack() understands files of the vendor's format (`sverka inspect`, collect, exchange)
    # lying(), gather(): activities can be put on another card of the kind, and back
    gathers: frozenset[str] = frozenset()
    stepwise: frozenset[str] = frozenset()  # kinds whose stage the vendor moves one step at a time: jumps are refused


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `sverka check`: what was tried, how it went, which setting mends it."""

    step: str  # "dns", "connect", "tls", "auth", "rights", "sample", "clock", "filter", …
    ok: bool
    text: Text
    setting: str = ""  # the key under [connections.<name>] to mend
    remedy: Text | None = None


class AdapterSettings(BaseModel):
    """Base of every adapter's own settings: strict, unknown keys are errors. Secrets are pydantic SecretStr."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    """Base class: an adapter overrides what its capabilities promise. One instance serves one connection, in one thread
    at a time; `receive` and `server().handle` may be called from other threads at once."""

    title: ClassVar[Text]  # the display name on pages
    role: ClassVar[str]  # the usual role: form | shop | mail | crm | accounting
    mapping: ClassVar[str]  # the default mapping file's name
    rate: ClassVar[int] = 600  # calls per minute where the connection names no other
    suffixes: ClassVar[tuple[str, ...]] = ()  # endings of files that unpack() reads, for `sverka inspect`
    Settings: ClassVar[type[AdapterSettings]] = AdapterSettings
    asked: ClassVar[tuple[str, ...]] = ()  # settings with a default that `sverka init` asks for all the same
    capabilities: Capabilities = Capabilities()

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        self.settings = settings
        self.context = context

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        """How much a file looks like this vendor's, by its name and first bytes: 0 not at all, 1 by an ending that many use,
        2 like what several systems send, 3 like nobody else's. For `sverka inspect`; must not raise."""
        mine = bool(cls.suffixes) and name.lower().endswith(cls.suffixes)
        return 0 if not mine else 1 if name.lower().endswith((".json", ".txt", ".form", ".xml", ".zip", ".csv")) else 3

    def check(self) -> Iterator[Finding]:
        """Try the connection step by step; stops at the first step that makes the later ones pointless. Never raises."""
        return iter(())

    def words(self) -> Iterator[tuple[str, Native]]:
        """(kind, the part of a record that says it) of each stage or status that the other side has: `check` looks whether
        the mapping knows them all."""
        return iter(())

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """Pages from `cursor` on (None: from the beginning). The last page of a finished scan has `last`; after it Incomplete
        may be raised, which names what could not be seen of the records, and where to mend that."""
        raise NotImplementedError(f"{type(self).__name__} cannot scan {kind}")

    def read(self, kind: str, id: str) -> Record | None:
        """The record now; None when it is gone for good."""
        raise NotImplementedError(f"{type(self).__name__} cannot read {kind}")

    def write(self, change: Change) -> Record:
        """Do one write and give the record as it stands after it. PreconditionFailed when it moved since `before`.

        A delete gives the record marked as `deleted`, also when it is gone already.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot write {change.kind}")

    def find(self, kind: str, key: str) -> Record | None:
        """The record that carries this correlation key."""
        raise NotImplementedError(f"{type(self).__name__} cannot find {kind}")

    def lying(self, kind: str, id: str) -> Sequence[str]:
        """The ids of all activities (calls, letters, tasks) that lie on a card."""
        raise NotImplementedError(f"{type(self).__name__} cannot list what lies on {kind}")

    def gather(self, move: Move) -> Sequence[str]:
        """Put the activities onto the card `move.to`, and the note onto `move.home`; gives the ids of those that lie there
        now and not where they were seen. Safe to repeat. What people have taken elsewhere, or lies on both, stays there."""
        raise NotImplementedError(f"{type(self).__name__} cannot move activities of {move.kind}")

    def collect(self) -> Iterator[Arrival]:
        """Whole arrivals waiting on the other side, complete ones only. Nothing is removed yet."""
        return iter(())

    def collected(self, arrival: Arrival) -> None:
        """The arrival is stored: archive it on the other side. Safe to repeat."""

    def receive(self, arrival: Arrival) -> Reception:
        """Verify and label what came to /in/<connection>; the answer is sent after the arrival is committed."""
        return Reception()

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem | Hint | Unchanged]:
        """What an arrival or file holds, streamed. RecordRefused when it cannot be read at all. What `context.taken` knows may
        come as a number of Unchanged."""
        return iter(())

    def server(self) -> ServerProtocol | None:
        return None

    def close(self) -> None:
        """Release connections."""
