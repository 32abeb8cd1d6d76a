"""The queue of several workers: procrastinate's jobs in the hub's PostgreSQL, written in the hub's own transactions.

One task ("sverka.work") carries every work: handler, arguments and key. `lock` and `queueing_lock` of a job are the key, so
that the queue hands out one key at a time and holds at most one waiting job of it.

Whether a job of the key waits is asked before, under a lock on the key, and never learnt from a violated constraint:
procrastinate reads that error's text, which PostgreSQL gives in the server's language.

Three things are added to procrastinate. A failure leaves a row "hold:<key>" in table `due` (not before when, how many in a
row), which every later job of the key obeys. Jobs of dead workers are told by our leases and the workers' heartbeats.
A job that ended without its outcome being stored is put back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from procrastinate import App, SyncPsycopgConnector

from sync.schedule.port import Work
from sync.schedule.rows import insert_missing
from sync.schedule.runner import LEASE_PREFIX
from sync.store import Store
from sync.store.tables import due, lease

QUEUE, TASK = "sverka", "sverka.work"
_HOLD = "hold:"
_FAILED_PAUSE = 5  # seconds before a job whose outcome could not be stored

_waiting = sa.text("SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :key AND status = 'todo'")
_doing = sa.text(
    """
    SELECT job.id, job.lock, job.status::text AS status,
           worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :seconds) AS orphan
      FROM procrastinate_jobs job
      LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
     WHERE job.queue_name = :queue AND job.status IN ('doing', 'failed')
    """
)
_put_back = sa.text("SELECT procrastinate_retry_job_v2(:id, :at, NULL, NULL, NULL)")
_still = sa.text("SELECT 1 FROM procrastinate_jobs WHERE id = :id AND status::text = :status FOR UPDATE SKIP LOCKED")
_delete = sa.text("DELETE FROM procrastinate_jobs WHERE id = :id")
_notify = sa.text('SELECT pg_notify(\'procrastinate_queue_v1#\' || :queue, \'{"type": "job_inserted", "job_id": 0}\')')


class Queue:
    """Jobs and holds, without a worker. `seconds` is the leases' length, beyond which a silent worker is dead."""

    def __init__(self, store: Store, now: Callable[[], datetime], seconds: float) -> None:
        self._store = store
        self._now = now
        self._seconds = seconds
        self._app = App(connector=SyncPsycopgConnector())  # never opened: every job is deferred on our own connection
        self._suspects: dict[int, float] = {}

    def put(self, tx: sa.Connection, work: Work, at: datetime | None = None) -> None:
        """Add a job (not before `at`) unless one of its key waits already."""
        self._store.lock_key(tx, work.key)
        if tx.execute(_waiting, {"key": work.key}).first() is not None:
            return
        job = self._app.configure_task(
            TASK,
            queue=QUEUE,
            lock=work.key,
            queueing_lock=work.key,
            schedule_at=at,
            connection=tx.connection.driver_connection,
        )
        job.defer(name=work.name, args=work.args, key=work.key)

    def held_until(self, tx: sa.Connection, key: str) -> datetime | None:
        """The end of the pause after a failure, None when the key may be worked on now."""
        until: datetime | None = tx.execute(
            sa.select(due.c.next_at).where(due.c.name == _HOLD + key)
        ).scalar_one_or_none()
        return until if until is not None and until > self._now() else None

    def succeed(self, tx: sa.Connection, work: Work) -> None:
        tx.execute(sa.delete(due).where(due.c.name == _HOLD + work.key))

    def fail(self, tx: sa.Connection, work: Work, pause: Callable[[int], float]) -> None:
        """Note the failure and add a job for the next try; `pause` gives the seconds from the failures in a row."""
        name = _HOLD + work.key
        insert_missing(tx, due, name=name, next_at=self._now(), failures=0)
        failures = tx.execute(sa.select(due.c.failures).where(due.c.name == name).with_for_update()).scalar_one() + 1
        until = self._now() + timedelta(seconds=pause(failures))
        tx.execute(sa.update(due).where(due.c.name == name).values(next_at=until, failures=failures))
        self.put(tx, work, until)

    def recover(self) -> int:
        """Put back jobs that nobody works on; gives their number.

        Nobody does when no lease of the key is live and the worker's heartbeat has stopped. With a live worker (it is
        between queue and lease, or lost the database at the wrong moment) only when that lasts for a lease's length.
        """
        with self._store.read() as tx:
            found = tx.execute(_doing, {"queue": QUEUE, "seconds": self._seconds}).all()
            if not found:
                self._suspects.clear()
                return 0
            names = [LEASE_PREFIX + row.lock for row in found]
            query = sa.select(lease.c.name).where(lease.c.name.in_(names), lease.c.expires_at > self._now())
            live = set(tx.execute(query).scalars())
        idle = [row for row in found if LEASE_PREFIX + row.lock not in live]
        self._suspects = {row.id: self._suspects.get(row.id, time.monotonic()) for row in idle}
        old = time.monotonic() - self._seconds
        lost = [row for row in idle if row.status == "failed" or row.orphan or self._suspects[row.id] < old]
        return sum(self._rescue(row.id, row.lock, row.status) for row in lost)

    def notify(self) -> None:
        """Have the workers of all processes look at the queue now."""
        with self._store.begin() as tx:
            tx.execute(_notify, {"queue": QUEUE})

    def _rescue(self, id: int, key: str, status: str) -> bool:
        with self._store.begin() as tx:
            self._store.lock_key(tx, key)
            if tx.execute(_still, {"id": id, "status": status}).first() is None:
                return False  # its worker or another rescuer was quicker
            if tx.execute(_waiting, {"key": key}).first() is not None:
                tx.execute(_delete, {"id": id})  # the waiting job does the same work
                return True
            pause = timedelta(seconds=_FAILED_PAUSE if status == "failed" else 0)
            tx.execute(_put_back, {"id": id, "at": self._now() + pause})
            tx.execute(_notify, {"queue": QUEUE})
        return True
