"""Protocols that an adapter speaks as the server, and what the hub lends to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from adapters.base.arrivals import Reply
from adapters.base.records import Native
from sync.errors import SverkaError, Text


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to a server protocol. The body is streamed, once."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    remote: str
    body: Iterable[bytes]


class ServerProtocol(Protocol):
    # Extra paths besides /exchange/<connection>; there the connection is chosen by the Basic login
    paths: Sequence[str]

    def login(self) -> str:
        """The user name by which this connection is recognised on a shared path."""

    def handle(self, request: Request, context: ServerContext) -> Reply: ...
    def settle(self, context: ServerContext) -> None:
        """Called every few seconds: finish what the other side never asked for (an import request that never comes)."""


class ServerContext(Protocol):
    """What the hub lends to a protocol that an adapter speaks as the server. All of it survives kill -9."""

    connection: str

    def now(self) -> datetime: ...
    def load_session(self, sid: str) -> Native | None: ...
    def save_session(self, sid: str, data: Native) -> None: ...
    def append(self, area: str, name: str, chunks: Iterable[bytes], *, truncate: bool = False) -> int:
        """Append to a spool file and flush it to disk; gives its new size. `area` is the session's own folder; `name` is
        only a label (never a path: the spool stores under its own names). BadConfig when the disk is full."""

    def names(self, area: str) -> list[str]: ...
    def open(self, area: str, name: str) -> IO[bytes]: ...
    def receive(self, area: str, name: str) -> str:
        """Make a complete spool file an arrival and wake the worker; gives its ticket. The same file gives the same one."""

    def progress(self, ticket: str, wait: float) -> ImportState:
        """How far the ticket is; returns early when done or failed, else after `wait` seconds."""

    def offer(self, kind: str, limit: int) -> Batch:
        """The batch still unconfirmed, unchanged, or a new one of at most `limit` records."""

    def confirm(self, batch_id: str) -> None: ...
    def refuse(self, batch_id: str, key: str, error: SverkaError) -> None:
        """Take one poison record out of the batch into quarantine."""

    def words(self, kind: str, field: str) -> list[tuple[str, str]]:
        """What records of `kind` hold in `field` for each stage of a deal, by the mapping, with what people call the stage:
        for a protocol that tells the other side the words it is going to use."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One outgoing record of a batch that the other side fetches. `number` fits systems that allow 11 characters."""

    key: str
    number: str
    data: Native


@dataclass(frozen=True, slots=True)
class Batch:
    id: str  # "" when there is nothing to offer
    items: Sequence[Offered]


@dataclass(frozen=True, slots=True)
class ImportState:
    """How far a received file is: state is "waiting", "working", "done" or "failed"."""

    state: str
    done: int = 0  # records processed so far
    text: Text | None = None  # why it failed; of one that is done, what was not taken of it
