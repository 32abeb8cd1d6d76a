"""One run of one piece of work: lease, handler, outcome. The same for every engine."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable

import sqlalchemy as sa

from sync.errors import RetryLater, SverkaError
from sync.log import Logger
from sync.schedule.lease import LeaseLost, Leases
from sync.schedule.port import Handler, Work

_log = Logger(__name__)

LEASE_PREFIX = "work:"  # before the key, in the lease's name
LONGEST_PAUSE = 600.0  # seconds between two tries at most


class Runner:
    """Runs work under its lease, so that one key is worked on once at a time whatever the queue believes."""

    def __init__(self, leases: Leases, seconds: float, first_pause: float = 1.0) -> None:
        self.leases = leases
        self.seconds = seconds
        self.handlers: dict[str, Handler] = {}
        self._first_pause = first_pause
        self._random = random.Random()

    def run(
        self,
        key: str,
        load: Callable[[], Work | None],
        finish: Callable[[sa.Connection, Exception | None], None],
    ) -> bool:
        """Do what `load` gives under the key's lease (None: nothing to do any more); False when another is at it.

        `finish` writes the outcome down (None or the error), in a transaction that checks the lease: a run that was
        overtaken leaves no outcome. Errors of the handler end here, those of the database do not.
        """
        lease = self.leases.acquire(LEASE_PREFIX + key, self.seconds)
        if lease is None:
            return False
        try:
            with self.leases.kept(lease):
                work = load()
                if work is None:
                    return True
                error = self._attempt(work)
                with self.leases.store.begin() as tx:
                    self.leases.check(tx, lease)
                    finish(tx, error)
        except LeaseLost:
            _log.warning("work was taken over", key=key)
        return True

    def pause(self, error: Exception, failures: int) -> float:
        """Seconds until the next try after so many failures in a row (1 or more): the peer's wish, else twice as long each
        time up to ten minutes, less a random part of up to a half, so that works do not fall in step."""
        if isinstance(error, RetryLater) and error.after is not None:
            return max(0, error.after)
        longest: float = min(LONGEST_PAUSE, self._first_pause * 2 ** min(failures - 1, 20))
        return longest * self._random.uniform(0.5, 1.0)

    def _attempt(self, work: Work) -> Exception | None:
        try:
            handler = self.handlers.get(work.name)
            if handler is None:
                raise LookupError("no handler of this name")
            handler(work.args)
        except Exception as error:
            _report(work, error)
            return error
        return None


def _report(work: Work, error: Exception) -> None:
    """Log what happened: our errors with their text, foreign ones by type and place only (their text may hold data)."""
    if isinstance(error, RetryLater):
        _log.info("work will be tried again", key=work.key, code=error.code, text=str(error))
    elif isinstance(error, SverkaError):
        _log.error("work failed", key=work.key, code=error.code, text=str(error), setting=error.setting)
    else:
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        _log.error("work failed", key=work.key, work=work.name, error=type(error).__name__, at=places)
