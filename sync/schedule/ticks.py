"""The timetable: which work is due when, kept in table `due` so that restarts and several processes make no second firing.

A tick fires by moving its row on and putting its work into the engine's queue in *one* transaction; whoever comes second
finds the row moved. Ticks stand on a grid (the first firing plus multiples of the interval); those missed while nobody ran
make one firing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from sync.schedule.port import Work
from sync.schedule.rows import insert_missing
from sync.store import Store
from sync.store.tables import due


class Ticks:
    """The scheduled work that this process knows. Thread-safe."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Work, timedelta]] = {}

    def add(self, work: Work, every: int, first: datetime | None = None) -> datetime:
        """Fire `work` every so many seconds; gives the next tick. A shortened interval counts from now. With `first` (a time
        to come) the ticks stand on that: the next one is then, unless one was missed."""
        if every < 1:
            raise ValueError("an interval is at least one second")
        now, step = self._now(), timedelta(seconds=every)
        mine = due.c.name == work.key
        with self._store.begin() as tx:
            insert_missing(tx, due, name=work.key, next_at=first or now, failures=0)
            if first is not None:
                tx.execute(sa.update(due).where(mine, due.c.next_at > now).values(next_at=first))
            tx.execute(sa.update(due).where(mine, due.c.next_at > now + step).values(next_at=now + step))
            next_at: datetime = tx.execute(sa.select(due.c.next_at).where(mine)).scalar_one()
        with self._lock:
            self._known[work.key] = (work, step)
        return next_at

    def fire(self, put: Callable[[sa.Connection, Work], None]) -> int:
        """Give every due work to `put` within the transaction that moves its tick on; gives their number."""
        with self._lock:
            known = dict(self._known)
        wanted = sa.select(due.c.name, due.c.next_at).where(due.c.name.in_(known), due.c.next_at <= self._now())
        with self._store.read() as tx:  # most looks find nothing: they must not take SQLite's write lock
            if not known or tx.execute(wanted.limit(1)).first() is None:
                return 0
        with self._store.begin() as tx:
            rows = tx.execute(wanted.with_for_update(skip_locked=True)).all()
            now = self._now()
            for name, next_at in rows:
                work, step = known[name]
                moved = next_at + ((now - next_at) // step + 1) * step
                tx.execute(sa.update(due).where(due.c.name == name).values(next_at=moved))
                put(tx, work)
        return len(rows)
