"""When to look for due work: APScheduler's triggers around one function.

The triggers only say *when to look*; what is due, the database says. So a trigger that comes late, early or twice does no
harm, and a look that a newer one makes superfluous is left out.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from sync.errors import SverkaError
from sync.log import Logger

_log = Logger(__name__)


class Triggers:
    """Calls `look` at every tick told by `every`, every `poll` seconds, and soon after `now`; never twice at once.

    An error of `look` is logged: the next look tries again.
    """

    def __init__(self, look: Callable[[], object], poll: float) -> None:
        self._look = look
        self._poll = poll
        self._guard = threading.Lock()
        self._looking = threading.Lock()
        self._wanted = False
        self._ticks: dict[str, tuple[int, datetime]] = {}
        self._scheduler: BackgroundScheduler | None = None
        # A wake is no job of APScheduler's: one that it runs once and then removes may be gone when it is being stopped,
        # and that error would end its thread
        self._wakes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._waker: threading.Thread | None = None

    def start(self) -> None:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},  # one looks, one waits to look again
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        with self._guard:
            self._scheduler = scheduler
            for key, (every, start) in self._ticks.items():
                self._add(key, every, start)
        scheduler.add_job(self._call, IntervalTrigger(seconds=self._poll, timezone=UTC))
        scheduler.start()
        self._waker = threading.Thread(target=self._look_when_woken, name="wake", daemon=True)
        self._waker.start()
        self.now()

    def stop(self) -> None:
        """After this no look begins; one that runs is waited for."""
        with self._guard:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=True)
        if self._waker is not None:
            self._wakes.put(False)
            self._waker.join()
            self._waker = None

    def every(self, key: str, seconds: int, start: datetime) -> None:
        """Look every so many seconds from `start` on. A key told again is replaced."""
        with self._guard:
            self._ticks[key] = (seconds, start)
            if self._scheduler is not None:
                self._add(key, seconds, start)

    def now(self) -> None:
        """Look as soon as possible; nothing when stopped."""
        with self._guard:
            if self._scheduler is None or self._wanted:
                return  # the look that was wanted has not begun yet: it will see everything
            self._wanted = True
        self._wakes.put(True)

    def _look_when_woken(self) -> None:
        while self._wakes.get():
            self._call()

    def _add(self, key: str, seconds: int, start: datetime) -> None:
        trigger = IntervalTrigger(seconds=seconds, start_date=start, timezone=UTC)
        assert self._scheduler is not None
        self._scheduler.add_job(self._call, trigger, id=f"tick {key}", replace_existing=True)

    def _call(self) -> None:
        with self._guard:
            self._wanted = True
        with self._looking:
            with self._guard:
                if not self._wanted or self._scheduler is None:
                    return  # another look has begun since
                self._wanted = False
            try:
                self._look()
            except SverkaError as error:
                _log.warning("looking for due work failed", code=error.code, text=str(error))
            except Exception as error:
                _log.error("looking for due work failed", error=type(error).__name__)
