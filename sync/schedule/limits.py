"""The budget of calls that an account of a peer allows, shared by every flow, thread and process that uses the account.

A generic cell rate algorithm: table `bucket` holds for each account the moment from which the next call is allowed, and a
call moves it on by one interval (60 s / calls per minute). An idle account saves up a small burst, at most one second's
worth and at most 10 calls.

A transaction per call would cost more than many calls do. So a limiter reserves one second's worth of slots at once (1 to
10), and keeps the unused ones in memory, where they expire after the burst's length. The price: a process that stops after
one call has taken up to a second of the account's budget from the others, and slots that *another* process had reserved
before a penalty (at most 10) are still used.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from sync.errors import RetryLater, Text
from sync.schedule.rows import insert_missing
from sync.store import Store
from sync.store.tables import bucket

_AHEAD = 10  # slots reserved at once, and the largest burst
_NEXT = sa.select(bucket.c.next_at).where(bucket.c.account == sa.bindparam("account")).with_for_update()
_MOVE = sa.update(bucket).where(bucket.c.account == sa.bindparam("of"))


class AccountLimiter:
    """Implements `adapters.base.Limiter`. One per account and process; thread-safe.

    `sleep` takes seconds; by default it waits for `stop`. When `stop` is set, `wait` raises RetryLater ("work.stopping")
    instead of allowing a call.
    """

    def __init__(
        self,
        store: Store,
        account: str,
        per_minute: int,
        now: Callable[[], datetime],
        sleep: Callable[[float], object] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        if per_minute < 1:
            raise ValueError("a limit is at least one call per minute")
        self.account = account
        self._store = store
        self._now = now
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._stop.wait
        self._interval = timedelta(minutes=1) / per_minute
        self._ahead = min(_AHEAD, max(1, per_minute // 60))
        self._burst = self._interval * (self._ahead - 1)
        self._lock = threading.Lock()
        self._slots: deque[datetime] = deque()
        self._epoch = 0  # grows with every penalty: slots taken before it are void

    def wait(self) -> None:
        """Block until one call is allowed."""
        while True:
            slot, epoch = self._take()
            while (left := (slot - self._now()).total_seconds()) > 0:
                self._go_on()
                self._sleep(left)
            self._go_on()
            with self._lock:
                if epoch == self._epoch:
                    return

    def penalty(self, seconds: float) -> None:
        """No call of the account for so many seconds from now: what the peer said (Retry-After)."""
        until = self._now() + timedelta(seconds=seconds)
        with self._lock:
            self._epoch += 1
            self._slots.clear()
            with self._store.begin() as tx:
                self._move(tx, max(self._locked(tx), until))

    def _take(self) -> tuple[datetime, int]:
        with self._lock:
            oldest = self._now() - self._burst
            while self._slots and self._slots[0] < oldest:
                self._slots.popleft()
            if not self._slots:
                self._slots.extend(self._reserve())
            return self._slots.popleft(), self._epoch

    def _reserve(self) -> list[datetime]:
        with self._store.begin(durable=False) as tx:
            first = max(self._locked(tx), self._now() - self._burst)
            slots = [first + self._interval * i for i in range(self._ahead)]
            self._move(tx, slots[-1] + self._interval)
        return slots

    def _locked(self, tx: sa.Connection) -> datetime:
        """The account's `next_at`, held until the transaction ends."""
        insert_missing(tx, bucket, account=self.account, next_at=self._now())
        found: datetime = tx.execute(_NEXT, {"account": self.account}).scalar_one()
        return found

    def _move(self, tx: sa.Connection, next_at: datetime) -> None:
        tx.execute(_MOVE, {"of": self.account, "next_at": next_at})

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise RetryLater(
                Text(
                    "The hub is being stopped; the work goes on after its start.",
                    "Программа останавливается; работа продолжится после запуска.",
                ),
                code="work.stopping",
            )
