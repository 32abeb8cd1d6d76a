"""Leases: one holder at a time, and a holder who slept through its expiry can write nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync.errors import RetryLater
from sync.schedule.lease import LeaseBusy, LeaseLost, Leases, current
from sync.schedule.port import utc_now
from sync.store import Store
from sync.store.tables import lease as table
from sync.store.tables import setting


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def two(store: Store, clock: Clock) -> tuple[Leases, Leases]:
    return Leases(store, "first", clock), Leases(store, "second", clock)


def test_one_holder_until_the_expiry(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    held = first.acquire("flow", 30)
    assert held is not None
    assert second.acquire("flow", 30) is None
    assert first.acquire("flow", 30) is None, "not re-entrant: two threads of a process are two holders"
    assert second.acquire("another", 30) is not None
    clock.advance(29.999)
    assert second.acquire("flow", 30) is None
    clock.advance(0.001)
    assert second.acquire("flow", 30) is not None


def test_the_token_grows_over_takeovers_and_releases(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    tokens = []
    for i in range(6):
        lease = (first, second)[i % 2].acquire("flow", 30)
        assert lease is not None
        tokens.append(lease.token)
        if i % 3:
            clock.advance(31)
        else:
            (first, second)[i % 2].release(lease)
    assert tokens == sorted(set(tokens))


def test_renewing_puts_the_expiry_off(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    lease = first.acquire("flow", 30)
    assert lease is not None
    for _ in range(5):
        clock.advance(20)
        first.renew(lease)
    assert second.acquire("flow", 30) is None


def test_an_overtaken_holder_can_do_nothing(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    old = first.acquire("flow", 30)
    assert old is not None
    clock.advance(31)
    new = second.acquire("flow", 30)
    assert new is not None
    with pytest.raises(LeaseLost) as caught:
        first.renew(old)
    assert caught.value.code == "lease.lost"
    assert isinstance(caught.value, RetryLater)
    assert old.lost.is_set()
    first.release(old)  # harmless
    assert first.acquire("flow", 30) is None

    def write() -> None:
        with store.begin() as tx:
            tx.execute(sa.insert(setting).values(key="written", value=1))
            first.check(tx, old)

    with pytest.raises(LeaseLost):
        write()
    with store.begin() as tx:
        second.check(tx, new)
        assert tx.execute(sa.select(sa.func.count()).select_from(setting)).scalar() == 0, "rolled back"


def test_an_expired_lease_nobody_took_is_still_good(store: Store, clock: Clock) -> None:
    first, _ = two(store, clock)
    lease = first.acquire("flow", 30)
    assert lease is not None
    clock.advance(100)
    with store.begin() as tx:
        first.check(tx, lease)
    first.renew(lease)


def test_a_check_holds_the_takeover_off_until_the_commit(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    lease = first.acquire("flow", 30)
    assert lease is not None
    clock.advance(31)
    order: list[str] = []

    def take() -> None:
        assert second.acquire("flow", 30) is not None
        order.append("taken")

    thief = threading.Thread(target=take)
    with store.begin() as tx:
        first.check(tx, lease)
        thief.start()
        thief.join(0.3)
        order.append("written")
    thief.join(10)
    assert order == ["written", "taken"]


def test_held_renews_in_the_background_and_releases(store: Store) -> None:
    first, second = Leases(store, "first", utc_now), Leases(store, "second", utc_now)
    assert current() is None
    with first.held("flow", 0.6) as lease:
        assert current() == lease
        begun = utc_now()
        while utc_now() < begun + timedelta(seconds=1.2):
            assert second.acquire("flow", 1) is None
            threading.Event().wait(0.05)
        with pytest.raises(LeaseBusy), second.held("flow", 1):
            pass
        with store.begin() as tx:
            first.guard(tx)
    assert current() is None
    assert second.acquire("flow", 1) is not None


def test_held_tells_its_holder_of_the_loss(store: Store) -> None:
    first = Leases(store, "first", utc_now)
    with first.held("flow", 0.3) as lease:
        with store.begin() as tx:  # as after a long pause of this process
            tx.execute(sa.update(table).values(owner="second", token=lease.token + 1))
        assert lease.lost.wait(5)
        with pytest.raises(LeaseLost), store.begin() as tx:
            first.guard(tx)
    with store.read() as tx:
        row = tx.execute(sa.select(table.c.owner, table.c.expires_at)).one()
    assert row.owner == "second"
    assert row.expires_at > utc_now() - timedelta(seconds=1)


def test_an_error_in_the_work_releases_the_lease(store: Store, clock: Clock) -> None:
    first, second = two(store, clock)
    with pytest.raises(ZeroDivisionError), first.held("flow", 30):
        raise ZeroDivisionError
    assert second.acquire("flow", 30) is not None


def test_one_of_many_threads_gets_it(store: Store, clock: Clock) -> None:
    leases = Leases(store, "first", clock)
    start = threading.Barrier(8)
    won: list[int] = []

    def run() -> None:
        start.wait()
        if (lease := leases.acquire("flow", 30)) is not None:
            won.append(lease.token)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]


def test_a_lone_process_ends_the_leases_of_the_dead(store: Store, clock: Clock) -> None:
    dead, alive = two(store, clock)
    assert dead.acquire("a", 30)
    assert dead.acquire("b", 30)
    assert alive.acquire("mine", 30)
    assert alive.end_others() == 2
    assert alive.acquire("a", 30) is not None
    assert alive.acquire("mine", 30) is None


_HOLD_FOR_EVER = """
import sys, threading
from sync.schedule.lease import Leases
from sync.schedule.port import utc_now
from sync.store import Store
with Leases(Store.open(sys.argv[1]), "victim", utc_now).held("flow", 0.5):
    print("held", flush=True)
    threading.Event().wait(60)
"""


def test_the_lease_of_a_killed_process_expires(store: Store) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _HOLD_FOR_EVER, store.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"held\n"
        leases = Leases(store, "heir", utc_now)
        assert leases.acquire("flow", 1) is None
        victim.kill()
        victim.wait(5)
    deadline = utc_now() + timedelta(seconds=10)
    while (taken := leases.acquire("flow", 1)) is None:
        assert utc_now() < deadline
        threading.Event().wait(0.02)
    assert taken.token == 2


def test_the_error_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(LeaseLost("flow")))
    assert isinstance(error, LeaseLost)
    assert error.code == "lease.lost"
    assert "flow" in error.text.ru
