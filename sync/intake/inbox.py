"""The inbox: whatever arrives is stored raw and committed before it is acknowledged.

A repeat (the same sender's id, or the same body within five minutes) is stored too, and points to the first one.
"""

from __future__ import annotations

import hashlib
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
_GROUP = 256


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
    """Store arrivals; gives their ids, in order."""
    return [_put(tx, item) for item in items]


def _put(tx: Connection, item: Incoming) -> Stored:
    key, hashed = _plain(item.key), False
    if not key:
        body = item.body if item.body is not None else (item.spool or "").encode()
        key, hashed = "body:" + hashlib.sha256(body).hexdigest(), True
    first = _first(tx, item.connection, inbox.c.key == key) if _known(tx, item.connection, key) else None
    if first is not None and hashed and item.at - first.received_at > REPEAT_WINDOW:
        # The same words a day later are a new message, and may be repeated in their turn
        first = _first(tx, item.connection, inbox.c.key.like(f"{key}@%"))
        if first is None or item.at - first.received_at > REPEAT_WINDOW:
            key, first = f"{key}@{item.at.timestamp():.6f}", None
    id = _insert(
        tx,
        (
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
            "duplicate" if first is not None else "kept" if item.label else "new",
            first.id if first is not None else None,
            dumps({"en": item.text.en, "ru": item.text.ru}) if item.text else None,
        ),
    )
    return Stored(id, first.id if first is not None else None)


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
_MARKS = {"sqlite": "?", "postgresql": "%s"}
_INSERT = {
    dialect: f"INSERT INTO inbox ({', '.join(_COLUMNS)}) VALUES ({', '.join([mark] * len(_COLUMNS))}) RETURNING id"
    for dialect, mark in _MARKS.items()
}
_KNOWN = {
    dialect: f"SELECT 1 FROM inbox WHERE connection = {mark} AND key = {mark} AND duplicate_of IS NULL"
    for dialect, mark in _MARKS.items()
}


def _known(tx: Connection, connection: str, key: str) -> bool:
    return tx.exec_driver_sql(_KNOWN[tx.dialect.name], (connection, key)).first() is not None


def _insert(tx: Connection, values: tuple[Any, ...]) -> int:
    return int(tx.exec_driver_sql(_INSERT[tx.dialect.name], values).scalar_one())


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
        self._queue: queue.SimpleQueue[tuple[Incoming, Future[Stored]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def submit(self, item: Incoming) -> Future[Stored]:
        """The future is done when the arrival is on disk; it carries the database's error otherwise."""
        future: Future[Stored] = Future()
        self._queue.put((item, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < _GROUP and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._queue.put(None)
                    break
                batch.append(more)
            self._commit(batch)

    def _commit(self, batch: list[tuple[Incoming, Future[Stored]]]) -> None:
        try:
            with self._store.begin() as tx:
                stored = put(tx, [item for item, _ in batch])
        except Exception as error:  # every waiting request must get an answer
            self._failed(batch, error)
            return
        for (_, future), row in zip(batch, stored, strict=True):
            if future.set_running_or_notify_cancel():  # whoever asked may have gone; what is stored stays
                future.set_result(row)

    def _failed(self, batch: list[tuple[Incoming, Future[Stored]]], error: Exception) -> None:
        if isinstance(error, SverkaError):  # the database does not work, for all of them
            for _, future in batch:
                future.set_exception(error)
        elif len(batch) > 1:  # one of them cannot be stored: its neighbours can
            for one in batch:
                self._commit([one])
        elif isinstance(error, IntegrityError):
            # Another process stored the same key at the same instant: now it is seen
            self._again(batch[0], error)
        else:
            batch[0][1].set_exception(error)

    def _again(self, one: tuple[Incoming, Future[Stored]], cause: Exception) -> None:
        item, future = one
        try:
            with self._store.begin() as tx:
                future.set_result(put(tx, [item])[0])
        except Exception as error:
            error.__cause__ = cause
            future.set_exception(error)
