"""The inbox: whatever arrives is stored raw and committed before it is acknowledged.

A repeat (the same sender's id, or the same body within five minutes) is stored too, and points to the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import itertools
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from sync.errors import SverkaError, Text
from sync.store import Store
from sync.store.tables import inbox
from sync.store.types import dumps, stamp

REPEAT_WINDOW = timedelta(seconds=300)
_GROUP = 256  # arrivals of one transaction
_PATIENCE = 25.0  # seconds until a request is told that nothing was stored
_GATHER = 0.01  # seconds that the first one of a burst waits for others, at the most


@dataclass(slots=True)
class Incoming:
    """One arrival as it is to be stored."""

    connection: str
    via: str  # push, poll, file, exchange
    name: str
    at: datetime
    body: bytes | None = None
    spool: str | None = None
    size: int = 0
    key: str = ""
    label: str = ""
    text: Text | None = None
    request: dict[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Stored:
    id: int
    duplicate_of: int | None


def put(tx: Connection, items: list[Incoming]) -> list[Stored]:
    """Store arrivals; gives their ids, in order. What nobody sent before goes in as many rows of one statement."""
    keys = [_key(item) for item in items]
    known = _known(tx, {(item.connection, key) for item, (key, _) in zip(items, keys, strict=True)})
    stored: list[Stored] = []
    fresh: list[tuple[Any, ...]] = []
    for item, (key, hashed) in zip(items, keys, strict=True):
        if (item.connection, key) not in known:
            known.add((item.connection, key))
            fresh.append(_row(item, key, None))
            continue
        stored += _insert(tx, fresh)
        fresh = []
        stored.append(_again(tx, item, key, hashed))
    return stored + _insert(tx, fresh)


def _key(item: Incoming) -> tuple[str, bool]:
    """What tells this message from others, and whether that is only the hash of its body."""
    if key := _plain(item.key):
        return key, False
    body = item.body if item.body is not None else (item.spool or "").encode()
    return "body:" + hashlib.sha256(body).hexdigest(), True


def _again(tx: Connection, item: Incoming, key: str, hashed: bool) -> Stored:
    """Store one whose key is known: a repeat, or the same words as a message of their own."""
    first = _first(tx, item.connection, inbox.c.key == key)
    if first is not None and hashed and item.at - first.received_at > REPEAT_WINDOW:
        # The same words a day later are a new message, and may be repeated in their turn
        first = _first(tx, item.connection, inbox.c.key.like(f"{key}@%"))
        if first is None or item.at - first.received_at > REPEAT_WINDOW:
            key, first = f"{key}@{item.at.timestamp():.6f}", None
    id = _insert(tx, [_row(item, key, first.id if first is not None else None)])[0].id
    return Stored(id, first.id if first is not None else None)


def _row(item: Incoming, key: str, duplicate_of: int | None) -> tuple[Any, ...]:
    """The values of _COLUMNS, as the drivers take them."""
    return (
        item.connection,
        item.via,
        _plain(item.name)[:500],
        key,
        stamp(item.at),
        item.size or len(item.body or b""),
        item.body,
        item.spool,
        None if item.request is None else dumps(item.request),
        item.label,
        "duplicate" if duplicate_of is not None else "kept" if item.label else "new",
        duplicate_of,
        dumps({"en": item.text.en, "ru": item.text.ru}) if item.text else None,
    )


# Driver-level statements: a burst of forms is bound by what one costs here, not by the disk
_COLUMNS = (
    "connection",
    "via",
    "name",
    "key",
    "received_at",
    "size",
    "body",
    "spool",
    "request",
    "label",
    "state",
    "duplicate_of",
    "text",
)
_KNOWN = {
    "sqlite": "SELECT key FROM inbox WHERE connection = ? AND duplicate_of IS NULL"
    " AND key IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT key FROM inbox WHERE connection = %s AND duplicate_of IS NULL AND key = ANY(%s)",
}
_MARKS = {"sqlite": "?", "postgresql": "%s"}
_ROWS = 64  # of one statement


def _known(tx: Connection, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those (connection, key) of which the inbox has a first message already."""
    keys: dict[str, list[str]] = {}
    for connection, key in wanted:
        keys.setdefault(connection, []).append(key)
    found: set[tuple[str, str]] = set()
    for connection, asked in keys.items():
        given = dumps(asked) if tx.dialect.name == "sqlite" else asked
        rows = tx.exec_driver_sql(_KNOWN[tx.dialect.name], (connection, given))
        found.update((connection, row[0]) for row in rows.fetchall())
    return found


@functools.cache
def _statement(dialect: str, rows: int) -> str:
    row = f"({', '.join([_MARKS[dialect]] * len(_COLUMNS))})"
    return f"INSERT INTO inbox ({', '.join(_COLUMNS)}) VALUES {', '.join([row] * rows)} RETURNING id, connection, key"


def _insert(tx: Connection, rows: list[tuple[Any, ...]]) -> list[Stored]:
    """Insert rows, of which no two have the same connection and key; gives their ids, in order."""
    stored: list[Stored] = []
    begin = 0
    while begin < len(rows):
        # Powers of two: a handful of statements, which the drivers keep prepared
        part = rows[begin : begin + min(_ROWS, 1 << (len(rows) - begin).bit_length() - 1)]
        values = tuple(itertools.chain.from_iterable(part))
        found = tx.exec_driver_sql(_statement(tx.dialect.name, len(part)), values).fetchall()
        ids = {(connection, key): id for id, connection, key in found}  # a database may return them in any order
        stored += [Stored(ids[row[0], row[3]], None) for row in part]
        begin += len(part)
    return stored


def _first(tx: Connection, connection: str, key: sa.ColumnElement[bool]) -> Any:
    """The newest arrival with such a key that is no repeat itself."""
    query = sa.select(inbox.c.id, inbox.c.received_at).where(
        inbox.c.connection == connection, key, inbox.c.duplicate_of.is_(None)
    )
    return tx.execute(query.order_by(inbox.c.id.desc()).limit(1)).first()


def _plain(text: str) -> str:
    """Without what no database text can hold: a sender's odd name must not cost the arrival."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


class InboxWriter:
    """Group commit: arrivals of many requests share one transaction, and each is told only after the commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._gathering: dict[asyncio.AbstractEventLoop, _Gathering] = {}
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def submit(self, item: Incoming) -> Future[Stored]:
        """The future is done when the arrival is on disk; it carries the database's error otherwise."""
        future: Future[Stored] = Future()
        self._queue.put([(item, future)])
        return future

    async def keep(self, item: Incoming) -> Stored:
        """Wait until the arrival is on disk; TimeoutError when the database takes too long. Whoever is cancelled or told
        so may find it stored all the same.

        A transaction costs as much as looking at several forms, and so does waking the thread: forms are gathered as long
        as the event loop has more of them at hand.
        """
        loop = asyncio.get_running_loop()
        gathering = self._gathering.get(loop)
        if gathering is None:
            gathering = self._gathering[loop] = _Gathering(loop)
            loop.call_soon(self._hand_over, gathering)
        return await gathering.add(item)

    def _hand_over(self, gathering: _Gathering) -> None:
        """Give the thread what was gathered, or look again in the loop's next round."""
        if gathering.goes_on():
            gathering.loop.call_soon(self._hand_over, gathering)
            return
        del self._gathering[gathering.loop]
        self._queue.put([(item, asked) for item, asked in gathering.batch])
        gathering.batch.clear()

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            while len(batch) < _GROUP and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._queue.put(None)
                    break
                batch += more
            self._commit(batch)

    def _commit(self, batch: _Batch) -> None:
        try:
            with self._store.begin() as tx:
                stored = put(tx, [item for item, _ in batch])
        except Exception as error:  # every waiting request must get an answer
            self._failed(batch, error)
            return
        _tell([(waiting, row) for (_, waiting), row in zip(batch, stored, strict=True)])

    def _failed(self, batch: _Batch, error: Exception) -> None:
        if isinstance(error, SverkaError):  # the database does not work, for all of them
            _tell([(waiting, error) for _, waiting in batch])
        elif len(batch) > 1:  # one of them cannot be stored: its neighbours can
            for one in batch:
                self._commit([one])
        elif isinstance(error, IntegrityError):
            # Another process stored the same key at the same instant: now it is seen
            self._once_more(batch[0], error)
        else:
            _tell([(batch[0][1], error)])

    def _once_more(self, one: tuple[Incoming, _Waiting], cause: Exception) -> None:
        item, waiting = one
        try:
            with self._store.begin() as tx:
                stored = put(tx, [item])[0]
        except Exception as error:
            error.__cause__ = cause
            _tell([(waiting, error)])
        else:
            _tell([(waiting, stored)])


class _Gathering:
    """The forms of an event loop that go to the disk together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.batch: list[tuple[Incoming, _Asked]] = []
        self._open: set[asyncio.Future[Stored]] = set()
        self._until = loop.time() + _GATHER
        self._timer = loop.call_later(_PATIENCE, self._too_late)
        self._idle = self._seen = 0

    def add(self, item: Incoming) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = self.loop.create_future()
        self._open.add(future)
        self.batch.append((item, _Asked(self, future)))
        return future

    def goes_on(self) -> bool:
        """Whether to wait for one round more: a request needs two of them from its socket to here."""
        self._idle = self._idle + 1 if len(self.batch) == self._seen else 0
        self._seen = len(self.batch)
        return self._idle < 2 and self._seen < _GROUP and self.loop.time() < self._until

    def told(self, future: asyncio.Future[Stored], answer: Stored | Exception) -> None:
        """In the loop's own thread."""
        _settle(future, answer)
        self._open.discard(future)
        if not self._open:
            self._timer.cancel()

    def _too_late(self) -> None:
        for future in self._open:
            _settle(future, TimeoutError())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of an event loop that waits."""

    gathering: _Gathering
    future: asyncio.Future[Stored]


_Waiting = Future[Stored] | _Asked
_Batch = list[tuple[Incoming, _Waiting]]


def _tell(answers: list[tuple[_Waiting, Stored | Exception]]) -> None:
    """Give everybody his answer. Whoever asked may have gone; what is stored stays."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Asked, Stored | Exception]]] = {}
    for waiting, answer in answers:
        if isinstance(waiting, _Asked):
            of_loop.setdefault(waiting.gathering.loop, []).append((waiting, answer))
        elif waiting.set_running_or_notify_cancel():
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
    for loop, told in of_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_told, told)


def _told(answers: list[tuple[_Asked, Stored | Exception]]) -> None:
    for asked, answer in answers:
        asked.gathering.told(asked.future, answer)


def _settle(future: asyncio.Future[Stored], answer: Stored | Exception) -> None:
    if future.done():  # given up
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
