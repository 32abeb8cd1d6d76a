"""The budget of calls: what a peer sees over any second, from all threads and processes of an account."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapters.base import Limiter
from sync.errors import RetryLater
from sync.schedule.limits import AccountLimiter
from sync.schedule.port import utc_now
from sync.store import Store
from sync.store.tables import bucket


class World:
    """A clock that moves only by sleeping, and the moments at which calls were allowed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.start = self.at = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
        self.calls: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at += timedelta(seconds=seconds)

    def limiter(self, account: str = "shop", per_minute: int = 600) -> AccountLimiter:
        return AccountLimiter(self.store, account, per_minute, self.now, self.sleep)

    def call(self, limiter: Limiter, times: int = 1) -> None:
        for _ in range(times):
            limiter.wait()
            self.calls.append((self.at - self.start).total_seconds())

    def most_within(self, seconds: float) -> int:
        """The greatest number of calls in any stretch of so many seconds."""
        return max(sum(1 for other in self.calls if 0 <= other - call < seconds) for call in self.calls)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_calls_keep_the_rate(world: World) -> None:
    world.call(world.limiter(per_minute=600), 100)
    assert world.calls[-1] >= 9.0, "100 calls at 10 a second, less one burst"
    assert world.most_within(1.0) <= 20
    assert world.most_within(10.0) <= 110


def test_a_slow_account_has_no_burst(world: World) -> None:
    world.call(world.limiter(per_minute=6), 4)
    assert world.calls == [0, 10, 20, 30]


def test_limiters_of_one_account_share_it(world: World) -> None:
    one, two, other = world.limiter(), world.limiter(), world.limiter("mail")
    for _ in range(50):
        world.call(one)
        world.call(two)
    assert world.calls[-1] >= 9.0
    before = world.at
    other.wait()
    assert world.at == before, "another account has its own budget"


def test_an_idle_account_saves_no_more_than_one_burst(world: World) -> None:
    limiter = world.limiter(per_minute=600)
    world.call(limiter)
    world.sleep(3600)
    world.call(limiter, 40)
    assert world.most_within(1.0) <= 21


def test_a_penalty_stops_every_limiter_of_the_account(world: World) -> None:
    one, two = world.limiter(), world.limiter()
    world.call(one, 3)
    at = (world.at - world.start).total_seconds()
    one.penalty(30)
    world.call(one)
    assert world.calls[-1] >= at + 30
    world.call(two)
    assert world.calls[-1] >= at + 30


def test_a_shorter_penalty_does_not_shorten_a_longer_one(world: World) -> None:
    limiter = world.limiter()
    limiter.penalty(60)
    limiter.penalty(1)
    world.call(limiter)
    assert world.calls[-1] >= 60


def test_a_penalty_outlives_the_process(world: World) -> None:
    world.limiter().penalty(60)
    world.call(world.limiter())
    assert world.calls[-1] >= 60


def test_most_calls_need_no_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = 0
    begin = Store.begin

    def counting(store: Store, **how: bool):  # type: ignore[no-untyped-def]
        nonlocal begun
        begun += 1
        return begin(store, **how)

    monkeypatch.setattr(Store, "begin", counting)
    world.call(world.limiter(per_minute=600), 100)
    assert begun == 10


def test_a_waiting_call_is_interrupted_by_the_stop(store: Store) -> None:
    stop = threading.Event()
    limiter = AccountLimiter(store, "shop", 60, utc_now, stop=stop)
    limiter.penalty(3600)
    caught: list[RetryLater] = []

    def call() -> None:
        try:
            limiter.wait()
        except RetryLater as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    stop.set()
    thread.join(10)
    assert [error.code for error in caught] == ["work.stopping"]


def test_a_penalty_reaches_a_thread_that_waits_already(store: Store) -> None:
    stop, waiting = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        stop.wait(seconds)

    limiter = AccountLimiter(store, "shop", 60, utc_now, sleep, stop)
    limiter.wait()  # the next slot is a second away
    allowed: list[datetime] = []

    def call() -> None:
        with contextlib.suppress(RetryLater):
            limiter.wait()
            allowed.append(utc_now())

    thread = threading.Thread(target=call)
    thread.start()
    assert waiting.wait(5)
    limiter.penalty(3600)
    thread.join(1.2)
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert allowed == []


def test_threads_share_the_slots(store: Store) -> None:
    limiter = AccountLimiter(store, "shop", 6000, utc_now)
    begun = utc_now()
    threads = [threading.Thread(target=lambda: [limiter.wait() for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert utc_now() - begun >= timedelta(milliseconds=290), "40 calls at 100 a second, less one burst of 10"
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(bucket)).scalar() == 1


def test_a_limit_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        AccountLimiter(store, "shop", 0, utc_now)
