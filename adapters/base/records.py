"""What is read from a vendor and what is written there, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.errors import SverkaError, Text

# JSON-like: str, int, Decimal, bool, None, list, dict. Never float (money!), never datetime (the vendor's own text is kept).
Native = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the vendor as it stands there now (or as it was sent)."""

    kind: str  # the vendor's own kind: "order", "product", "message"
    id: str  # stable external id, unique within (connection, kind)
    data: Native
    version: str = ""  # modified stamp, ETag, DataVersion; "" where the system has none
    deleted: bool = False  # an explicit deletion or deletion mark, never a guess
    raw: bytes = b""  # the raw source where `data` is not all of it (a letter)
    # Oddities of the source that were got over, for whoever looks closely (`sverka inspect`)
    notes: Sequence[Text] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a scan. `cursor` is stored in the same transaction as the page: it must never pass unread data."""

    records: Sequence[Record]
    cursor: Native
    last: bool = False  # the scan's explicit end mark
    # With `last`: this scan started at the beginning and saw everything, so absence may be believed
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of an arrival or file that could not be read. It is quarantined under `id`; its neighbours go on.

    `cut`: nobody knows what else stood there (a file that breaks in the middle). What came before is taken, the arrival as a
    whole has failed, and its sender is told to send it again.
    """

    kind: str
    id: str
    error: SverkaError
    raw: bytes = b""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """ "Read this record soon" (a webhook): never data by itself. An empty id asks for a scan of the kind."""

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """So many records of an arrival that `AdapterContext.taken` knows already: they were not read, and count as the same."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Change:
    """One write. `id` None creates. `data` holds only the native fields to set (all of them on a create).

    `before` is what the hub saw last: the precondition. `key` is the intent's own id (36 characters, the same on every
    try): an adapter that can hold it on the other side stores it there, so that `find` can settle a lost answer.
    """

    kind: str
    id: str | None
    data: Native
    before: Record | None
    key: str
    delete: bool = False  # the record is to go, to the trash where the vendor has one; `data` is empty then


@dataclass(frozen=True, slots=True)
class Move:
    """Activities of one card that are to lie on another card of its kind, which is the same client; or back at home."""

    kind: str
    home: str  # the card that they belong to
    to: str  # the card on which they are to lie; `home` takes them back
    items: Mapping[str, Sequence[str]]  # their ids → the cards on one of which each was seen last
    note: Text | None = None  # for people, on the home card, while its activities lie elsewhere; None takes it off
