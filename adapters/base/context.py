"""What the hub lends to every adapter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from adapters.base.records import Native


class Limiter(Protocol):
    """The account's shared budget of calls. `wait` blocks until a call is allowed; `penalty` tells what the peer said."""

    def wait(self) -> None: ...
    def penalty(self, seconds: float) -> None: ...


class Keeper(Protocol):
    """What an adapter must remember from one arrival to the next (a dictionary that only the first file brings). Not for
    cursors of scans. Never called while the hub holds a transaction: between two items of `unpack`."""

    def load(self, name: str) -> Native | None: ...
    def save(self, name: str, data: Native) -> None: ...


class KeptInMemory:
    """A Keeper that forgets with the process."""

    def __init__(self) -> None:
        self._data: dict[str, Native] = {}

    def load(self, name: str) -> Native | None:
        return self._data.get(name)

    def save(self, name: str, data: Native) -> None:
        self._data[name] = data


class Taken(Protocol):
    """What the hub has taken of this connection, for an adapter that tells by the version alone, without reading a record,
    that it is what it was. A version given here is the one that the adapter has given to a `Record` of the very same data.
    Never called while the hub holds a transaction: between two items of `unpack`. What was yielded may not be taken yet: of an
    id that was, ask no more in the same arrival."""

    def any(self, kind: str) -> bool:
        """Whether there is anything of the kind to ask about."""

    def unchanged(self, kind: str, versions: Mapping[str, str]) -> Set[str]:
        """Of {id: version} the ids that need not be read: shown once more, they would change nothing."""


PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"})  # endings of pictures' names


class Pictures(Protocol):
    """Where the pictures of goods stay for good, by the names that this connection gives them."""

    def has(self, name: str) -> bool: ...
    def keep(self, name: str, chunks: Iterable[bytes]) -> bool:
        """False for what is empty, too large or no picture by its name. BadConfig when the disk takes nothing."""


class NoPictures:
    """Pictures that go nowhere: where nothing may be written."""

    def has(self, name: str) -> bool:
        return False

    def keep(self, name: str, chunks: Iterable[bytes]) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What the hub gives to every adapter. Only what it keeps in `kept` reaches the database."""

    connection: str
    limiter: Limiter
    now: Callable[[], datetime]
    log: logging.Logger
    language: str = "ru"
    kept: Keeper = field(default_factory=KeptInMemory)
    pictures: Pictures = field(default_factory=NoPictures)
    address: str = ""  # where others reach the hub, without a slash at the end; "" when it is not known
    taken: Taken | None = None  # None: everything is to be read
