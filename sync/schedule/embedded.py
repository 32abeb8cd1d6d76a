"""The engine of the embedded default: APScheduler's triggers and a thread pool in the working process itself.

The queue lies in the hub's own database (`pending`), the timetable too (`ticks`): a killed process leaves its work where
it was, and the next one does it. Work that another process enqueued is found by the poll, or at once after `wake`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync.errors import SverkaError
from sync.log import Logger
from sync.schedule.lease import Leases
from sync.schedule.pending import Pending
from sync.schedule.port import Handler, Work, utc_now
from sync.schedule.runner import Runner
from sync.schedule.ticks import Ticks
from sync.schedule.triggers import Triggers
from sync.store import Store

_log = Logger(__name__)


class EmbeddedEngine:
    """Implements `port.Engine`; can be started again after a stop.

    `owner` names this process and start (nobody else's: a restarted process is another owner). `lease` and `poll` are in
    seconds, `threads` is how many works run at once. `alone` says that the caller holds the work lock of SQLite: what other
    owners had begun is then taken over at the start, without waiting for their leases to expire.
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: str,
        now: Callable[[], datetime] = utc_now,
        lease: float = 20.0,
        poll: float = 0.5,
        threads: int = 4,
        alone: bool = False,
        first_pause: float = 1.0,
    ) -> None:
        self.leases = Leases(store, owner, now)
        self._store = store
        self._runner = Runner(self.leases, lease, first_pause)
        self._pending = Pending(store, now)
        self._ticks = Ticks(store, now)
        self._triggers = Triggers(self._look, poll)
        self._threads = threads
        self._alone = alone
        self._guard = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None
        self._busy: dict[str, bool] = {}  # keys given to the pool; True: asked for again meanwhile
        self._running: set[str] = set()

    def handle(self, name: str, function: Handler) -> None:
        self._runner.handlers[name] = function

    def enqueue(self, name: str, args: dict[str, Any], *, key: str) -> None:
        with self._store.begin() as tx:
            self._pending.put(tx, Work(name, args, key))
        self._submit(key)

    def schedule(self, name: str, args: dict[str, Any], *, key: str, every: int, first: datetime | None = None) -> None:
        next_at = self._ticks.add(Work(name, args, key), every, first)
        self._triggers.every(key, every, next_at)
        self._triggers.now()

    def recover(self) -> int:
        if self._alone:
            self.leases.end_others()
        waiting = self._pending.due()
        for key in waiting:
            self._submit(key)
        return len(waiting)

    def start(self) -> None:
        with self._guard:
            if self._pool is not None:
                return
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="work")
        self.recover()
        self._triggers.start()

    def stop(self, timeout: float = 10) -> None:
        self._triggers.stop()
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + timeout
        with self._guard:
            while self._running and (left := deadline - time.monotonic()) > 0:
                self._guard.wait(left)
            if self._running:
                _log.warning("work still runs after the stop", keys=sorted(self._running))
            self._busy = dict.fromkeys(self._running, False)

    def wake(self) -> None:
        self._triggers.now()

    def _look(self) -> None:
        self._ticks.fire(self._pending.put)
        for key in self._pending.due():
            self._submit(key)

    def _submit(self, key: str) -> None:
        """Have a thread do the key's work, or do it once more when one is at it."""
        with self._guard:
            if self._pool is None:
                return
            if key in self._busy:
                self._busy[key] = True
                return
            self._busy[key] = False
            self._pool.submit(self._work, key)

    def _work(self, key: str) -> None:
        with self._guard:
            self._running.add(key)
        try:
            self._run(key)
        except SverkaError as error:
            _log.error("the outcome of work could not be stored", key=key, code=error.code, text=str(error))
        except Exception as error:
            _log.error("the outcome of work could not be stored", key=key, error=type(error).__name__)
        finally:
            with self._guard:
                self._running.discard(key)
                again = self._busy.pop(key, False)
                self._guard.notify_all()
        if again:
            self._triggers.now()

    def _run(self, key: str) -> None:
        requests = 0

        def load() -> Work | None:
            nonlocal requests
            found = self._pending.load(key)
            if found is None:
                return None
            work, requests = found
            return work

        def finish(tx: sa.Connection, error: Exception | None) -> None:
            if error is None:
                self._pending.succeed(tx, key, requests)
            else:
                self._pending.fail(tx, key, lambda failures: self._runner.pause(error, failures))

        self._runner.run(key, load, finish)
