"""The embedded engine's queue: one row of table `due` per waiting key, which outlives the process.

The row "once:<key>" says when the work may begin and how often it has failed. What the work is (name, arguments) and the
count of requests lie beside it in table `setting`. A request that comes during a run raises the count, so that the row
stays for one more run; otherwise the row goes with the success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sync.schedule.port import Work
from sync.schedule.rows import insert_missing
from sync.store import Store
from sync.store.tables import due, setting

_PREFIX = "once:"


class Pending:
    """Waiting work of the embedded engine."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def put(self, tx: sa.Connection, work: Work) -> None:
        """Add the work, or note one more request for it. A pause after a failure stays as it is."""
        self._store.lock_key(tx, _PREFIX + work.key)
        insert_missing(tx, due, name=_PREFIX + work.key, next_at=self._now(), failures=0)
        said = self._said(tx, work.key)
        value = {"name": work.name, "args": work.args, "requests": 1 + (said["requests"] if said else 0)}
        where = setting.c.key == _setting(work.key)
        if said is None:
            tx.execute(sa.insert(setting).values(key=_setting(work.key), value=value))
        else:
            tx.execute(sa.update(setting).where(where).values(value=value))

    def due(self) -> list[str]:
        """The keys whose work may begin now, the longest waiting first."""
        query = (
            sa.select(due.c.name)
            .where(due.c.name.startswith(_PREFIX, autoescape=True), due.c.next_at <= self._now())
            .order_by(due.c.next_at)
        )
        with self._store.read() as tx:
            return [name.removeprefix(_PREFIX) for name in tx.execute(query).scalars()]

    def load(self, key: str) -> tuple[Work, int] | None:
        """The work and the count of its requests; None when it is done or must still wait."""
        with self._store.read() as tx:
            next_at = tx.execute(sa.select(due.c.next_at).where(due.c.name == _PREFIX + key)).scalar_one_or_none()
            said = self._said(tx, key)
        if next_at is None or said is None or next_at > self._now():
            return None
        return Work(said["name"], said["args"], key), said["requests"]

    def succeed(self, tx: sa.Connection, key: str, requests: int) -> None:
        """Remove the work, unless more requests have come than the run knew of."""
        self._store.lock_key(tx, _PREFIX + key)
        said = self._said(tx, key)
        mine = due.c.name == _PREFIX + key
        if said is not None and said["requests"] != requests:
            tx.execute(sa.update(due).where(mine).values(next_at=self._now(), failures=0))
            return
        tx.execute(sa.delete(due).where(mine))
        tx.execute(sa.delete(setting).where(setting.c.key == _setting(key)))

    def fail(self, tx: sa.Connection, key: str, pause: Callable[[int], float]) -> None:
        """Keep the work for a later try; `pause` gives the seconds from the number of failures in a row."""
        mine = due.c.name == _PREFIX + key
        failures = tx.execute(sa.select(due.c.failures).where(mine).with_for_update()).scalar_one_or_none()
        if failures is not None:
            later = self._now() + timedelta(seconds=pause(failures + 1))
            tx.execute(sa.update(due).where(mine).values(next_at=later, failures=failures + 1))

    def _said(self, tx: sa.Connection, key: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = tx.execute(
            sa.select(setting.c.value).where(setting.c.key == _setting(key))
        ).scalar_one_or_none()
        return found


def _setting(key: str) -> str:
    return "pending:" + hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
