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

from sync.errors import Text
from sync.store import Store
from sync.store.tables import inbox

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
    key, hashed = item.key, False
    if not key:
        body = item.body if item.body is not None else (item.spool or "").encode()
        key, hashed = "body:" + hashlib.sha256(body).hexdigest(), True
    first = tx.execute(
        sa.select(inbox.c.id, inbox.c.received_at).where(
            inbox.c.connection == item.connection, inbox.c.key == key, inbox.c.duplicate_of.is_(None)
        )
    ).first()
    if first is not None and hashed and item.at - first.received_at > REPEAT_WINDOW:
        # The same words a day later are a new message
        key, first = f"{key}@{item.at.timestamp():.0f}", None
    result = tx.execute(
        inbox.insert()
        .values(
            connection=item.connection,
            via=item.via,
            name=item.name[:500],
            key=key,
            received_at=item.at,
            size=item.size or len(item.body or b""),
            body=item.body,
            spool=item.spool,
            request=item.request,
            label=item.label,
            state="duplicate" if first is not None else "kept" if item.label else "new",
            duplicate_of=first.id if first is not None else None,
            text={"en": item.text.en, "ru": item.text.ru} if item.text else None,
        )
        .returning(inbox.c.id)
    )
    return Stored(int(result.scalar_one()), first.id if first is not None else None)


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
        except IntegrityError as error:
            # Another process stored the same key at the same instant: alone, each row sees what is there now
            if len(batch) == 1:
                self._again(batch[0], error)
                return
            for one in batch:
                self._commit([one])
            return
        except Exception as error:  # every waiting request must get an answer
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), row in zip(batch, stored, strict=True):
            future.set_result(row)

    def _again(self, one: tuple[Incoming, Future[Stored]], cause: Exception) -> None:
        item, future = one
        try:
            with self._store.begin() as tx:
                future.set_result(put(tx, [item])[0])
        except Exception as error:
            error.__cause__ = cause
            future.set_exception(error)
