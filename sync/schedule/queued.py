"""The engine of several processes and hosts: procrastinate on PostgreSQL.

A worker (LISTEN/NOTIFY, heartbeats) runs in a thread with an event loop of its own; handlers run in its thread pool. The
timetable and the rescue of dead workers' jobs are looked at by every process, each firing or rescue happens once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import procrastinate
import sqlalchemy as sa

from sync.errors import BadConfig, Text
from sync.log import Logger
from sync.schedule import queue_schema
from sync.schedule.lease import Leases
from sync.schedule.port import Handler, Work, utc_now
from sync.schedule.queue import QUEUE, TASK, Queue
from sync.schedule.runner import Runner
from sync.schedule.ticks import Ticks
from sync.schedule.triggers import Triggers
from sync.store import Store

_log = Logger(__name__)


class QueuedEngine:
    """Implements `port.Engine`; can be started again after a stop. BadConfig on SQLite.

    `owner` names this process and start (nobody else's: a restarted process is another owner). `lease` and `poll` are in
    seconds, `threads` is how many works run at once in this process.
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: str,
        now: Callable[[], datetime] = utc_now,
        lease: float = 20.0,
        poll: float = 0.4,
        threads: int = 4,
        first_pause: float = 1.0,
    ) -> None:
        if store.sqlite:
            raise _needs_postgres()
        self.leases = Leases(store, owner, now)
        self._store = store
        self._now = now
        self._runner = Runner(self.leases, lease, first_pause)
        self._queue = Queue(store, now, lease)
        self._ticks = Ticks(store, now)
        self._triggers = Triggers(self._look, poll)
        self._poll = poll
        self._threads = threads
        self._worker: _Worker | None = None
        queue_schema.prepare(store)

    def handle(self, name: str, function: Handler) -> None:
        self._runner.handlers[name] = function

    def enqueue(self, name: str, args: dict[str, Any], *, key: str) -> None:
        with self._store.begin() as tx:
            self._queue.put(tx, Work(name, args, key))

    def schedule(self, name: str, args: dict[str, Any], *, key: str, every: int, first: datetime | None = None) -> None:
        next_at = self._ticks.add(Work(name, args, key), every, first)
        self._triggers.every(key, every, next_at)
        self._triggers.now()

    def recover(self) -> int:
        return self._queue.recover()

    def start(self) -> None:
        if self._worker is None:
            self._worker = _Worker(self._store, self._work, self._runner.seconds, self._poll, self._threads)
            self._triggers.start()

    def stop(self, timeout: float = 10) -> None:
        self._triggers.stop()
        worker, self._worker = self._worker, None
        if worker is not None and not worker.stop(timeout):
            _log.warning("work still runs after the stop")

    def wake(self) -> None:
        self._triggers.now()
        self._queue.notify()

    def _look(self) -> None:
        self._ticks.fire(self._queue.put)
        self._queue.recover()

    def _work(self, work: Work) -> None:
        """One job. An exception from here (the outcome was not stored) leaves it to `recover`."""

        def load() -> Work | None:
            with self._store.begin() as tx:
                until = self._queue.held_until(tx, work.key)
                if until is None:
                    return work
                self._queue.put(tx, work, until)
                return None

        def finish(tx: sa.Connection, error: Exception | None) -> None:
            if error is None:
                self._queue.succeed(tx, work)
            else:
                self._queue.fail(tx, work, lambda failures: self._runner.pause(error, failures))

        if not self._runner.run(work.key, load, finish):
            with self._store.begin() as tx:  # somebody is still at it: ask again shortly
                self._queue.put(tx, work, self._now() + timedelta(seconds=self._poll))


class _Worker:
    """procrastinate's worker in a thread; begun again when it ends by an error (the database was restarted)."""

    def __init__(self, store: Store, work: Callable[[Work], None], lease: float, poll: float, threads: int) -> None:
        # libpq reads the same URL, without SQLAlchemy's name of the driver
        self._conninfo = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._work = work
        self._lease = lease
        self._poll = poll
        self._threads = threads
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # It logs every job's arguments, which may hold personal data
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        self._thread = threading.Thread(target=self._serve, name="queue worker", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Fetch nothing more and wait for what runs; False when it still does."""
        self._stopping.set()
        with self._guard:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                # psycopg cannot work on the loop that is Windows' default
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(self._main())
            except Exception as error:
                _log.error("the queue's worker ended and is started again", error=type(error).__name__)
            self._stopping.wait(1)

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._threads + 1, thread_name_prefix="work"))
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=self._threads + 2)
        )
        app.task(name=TASK, queue=QUEUE)(self._job)
        async with app.open_async():
            task = loop.create_task(self._run(app))
            with self._guard:
                self._loop, self._task = loop, task
                if self._stopping.is_set():
                    task.cancel()
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            finally:
                with self._guard:
                    self._loop = self._task = None

    async def _run(self, app: procrastinate.App) -> None:
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=self._threads,
            fetch_job_polling_interval=self._poll,
            delete_jobs="successful",
            install_signal_handlers=False,
            update_heartbeat_interval=self._lease / 3,
            stalled_worker_timeout=self._lease,
        )

    def _job(self, name: str, args: dict[str, Any], key: str) -> None:
        self._work(Work(name, args, key))


def _needs_postgres() -> BadConfig:
    return BadConfig(
        Text(
            "Several workers need PostgreSQL, and hub.database names SQLite. Set hub.database to postgresql://…, "
            "or run one `sverka serve`.",
            "Для нескольких рабочих процессов нужен PostgreSQL, а в hub.database указана SQLite. Укажите в hub.database "
            "адрес postgresql://… или запускайте один `sverka serve`.",
        ),
        code="config.database",
        setting="hub.database",
    )
