"""The contract between the hub and every adapter, on one screen.

An adapter knows one vendor's wire and nothing of the hub: no canonical model, no database, no other adapter. It yields and
takes *native* records and declares what it can do; the engine asks capabilities, never names. Adapters raise only the
errors of `sync.errors` (re-exported here) and import nothing else of the hub.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from sync.errors import (
    BadConfig,
    Fatal,
    Incomplete,
    NeedHuman,
    OutcomeUnknown,
    PreconditionFailed,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)

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
    notes: Sequence[
        Text
    ] = ()  # oddities of the source that were got over, for whoever looks closely (`sverka inspect`)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a scan. `cursor` is stored in the same transaction as the page: it must never pass unread data."""

    records: Sequence[Record]
    cursor: Native
    last: bool = False  # the scan's explicit end mark
    complete: bool = (
        False  # with `last`: this scan started at the beginning and saw everything, so absence may be believed
    )


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
    gathers: frozenset[str] = (
        frozenset()
    )  # lying(), gather(): activities can be put on another card of the kind, and back
    stepwise: frozenset[str] = frozenset()  # …whose stage the vendor moves one step at a time only: jumps are refused


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came by push or was collected: bytes as they came. Large bodies lie in the spool and are only streamed."""

    name: str  # file name, or the path after /in/<connection>
    method: str = "POST"  # "" for a file that nobody posted
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    remote: str = ""  # the sender's address
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # when it was received, by the hub's clock
    size: int = 0
    open: Callable[[], IO[bytes]] = field(
        default=lambda: _empty(), repr=False
    )  # a new stream from the start at each call

    def read(self) -> bytes:
        with self.open() as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of an adapter."""

    body: bytes = b"ok"
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reception:
    """The quick look at an arrival, before it is stored and answered. Must not raise on any bytes and must not be slow."""

    reply: Reply = field(default_factory=Reply)
    key: str = ""  # the sender's own id of this message (tranid, delivery id); "" lets the hub use the body's hash
    label: str = (
        ""  # "": process. "ping", "test": nothing to make. "spam", "unsigned", "broken", "oversized": keep and show
    )
    reason: Text | None = None  # why it was labelled
    stored: bytes | None = None  # the body to store instead of the raw one, where the raw one carries others' secrets


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `sverka check`: what was tried, how it went, which setting mends it."""

    step: str  # "dns", "connect", "tls", "auth", "rights", "sample", "clock", "filter", …
    ok: bool
    text: Text
    setting: str = ""  # the key under [connections.<name>] to mend
    remedy: Text | None = None


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
class Request:
    """An HTTP request to a server protocol. The body is streamed, once."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    remote: str
    body: Iterable[bytes]


class ServerProtocol(Protocol):
    paths: Sequence[
        str
    ]  # extra paths besides /exchange/<connection>; there the connection is chosen by the Basic login

    def login(self) -> str:
        """The user name by which this connection is recognised on a shared path."""

    def handle(self, request: Request, context: ServerContext) -> Reply: ...
    def settle(self, context: ServerContext) -> None:
        """Called every few seconds: finish what the other side never asked for (an import request that never comes)."""


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


def _empty() -> IO[bytes]:
    import io

    return io.BytesIO()


__all__ = [
    "Adapter",
    "AdapterContext",
    "AdapterSettings",
    "Arrival",
    "BadConfig",
    "Batch",
    "Capabilities",
    "Change",
    "Fatal",
    "Finding",
    "Hint",
    "ImportState",
    "Incomplete",
    "Keeper",
    "KeptInMemory",
    "Limiter",
    "Move",
    "Native",
    "NeedHuman",
    "Offered",
    "OutcomeUnknown",
    "Page",
    "PreconditionFailed",
    "Problem",
    "Reception",
    "Record",
    "RecordRefused",
    "Reply",
    "Request",
    "RetryLater",
    "ServerContext",
    "ServerProtocol",
    "SverkaError",
    "Taken",
    "Text",
    "Unchanged",
]
