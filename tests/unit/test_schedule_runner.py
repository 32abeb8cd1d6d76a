"""A run's edges: pauses, what the log may say, overtaken runs, the durable queue of the embedded engine."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from sync.errors import BadConfig, RetryLater, Text
from sync.schedule.embedded import EmbeddedEngine
from sync.schedule.lease import Leases
from sync.schedule.pending import Pending
from sync.schedule.port import KEY_LENGTH, Work, utc_now
from sync.schedule.runner import Runner
from sync.schedule.ticks import Ticks
from sync.schedule.triggers import Triggers
from sync.store import Store
from sync.store.tables import due, lease, setting

WORK = Work("note", {"n": 1}, "a")


def later(after: int | None = None) -> RetryLater:
    return RetryLater(Text("later", "позже"), code="test.later", after=after)


def runner_of(store: Store) -> Runner:
    return Runner(Leases(store, "me", utc_now), 20)


def test_pauses_grow_to_ten_minutes(store: Store) -> None:
    runner = runner_of(store)
    for failures in (1, 2, 3, 5, 10, 1000):
        longest = min(600, 2 ** (failures - 1)) if failures < 20 else 600
        for _ in range(20):
            assert longest / 2 <= runner.pause(ValueError(), failures) <= longest


def test_the_peers_wish_wins_over_the_usual_pause(store: Store) -> None:
    runner = runner_of(store)
    assert runner.pause(later(3600), 1) == 3600
    assert runner.pause(later(0), 9) == 0
    assert runner.pause(later(-5), 9) == 0
    assert runner.pause(later(None), 1) <= 1


def outcome_of(store: Store, error: Exception) -> list[Any]:
    runner = runner_of(store)

    def handler(args: dict[str, Any]) -> None:
        raise error

    runner.handlers["note"] = handler
    seen: list[Any] = []
    assert runner.run("a", lambda: WORK, lambda tx, outcome: seen.append(outcome))
    return seen


def test_foreign_errors_are_logged_without_their_text(store: Store) -> None:
    with capture_logs() as logs:
        assert isinstance(outcome_of(store, ValueError("+7 900 000-00-00"))[0], ValueError)
    entry = next(log for log in logs if log["event"] == "work failed")
    assert entry["error"] == "ValueError"
    assert "handler" in entry["at"][-1]
    assert "900" not in str(logs)


def test_our_errors_are_logged_with_code_and_setting(store: Store) -> None:
    error = BadConfig(Text("wrong key", "неверный ключ"), code="shop.auth", setting="connections.shop.key")
    with capture_logs() as logs:
        outcome_of(store, error)
    assert {"code": "shop.auth", "setting": "connections.shop.key", "log_level": "error"}.items() <= logs[0].items()


def test_an_overtaken_run_leaves_no_outcome(store: Store) -> None:
    runner = runner_of(store)

    def handler(args: dict[str, Any]) -> None:
        with store.begin() as tx:
            tx.execute(sa.update(lease).values(token=lease.c.token + 1, owner="other"))

    runner.handlers["note"] = handler
    seen: list[Any] = []
    assert runner.run("a", lambda: WORK, lambda tx, outcome: seen.append(outcome))
    assert seen == []
    assert not runner.run("a", lambda: WORK, lambda tx, outcome: seen.append(outcome)), "the other one is at it"


def test_work_that_is_gone_is_not_done(store: Store) -> None:
    runner = runner_of(store)
    assert runner.run("a", lambda: None, lambda tx, outcome: pytest.fail("nothing was done"))
    assert runner.leases.acquire("work:a", 1) is not None, "the lease was released"


def put(store: Store, pending: Pending, work: Work = WORK) -> None:
    with store.begin() as tx:
        pending.put(tx, work)


def test_success_removes_every_trace(store: Store) -> None:
    pending = Pending(store, utc_now)
    put(store, pending)
    assert pending.due() == ["a"]
    found = pending.load("a")
    assert found == (WORK, 1)
    with store.begin() as tx:
        pending.succeed(tx, "a", 1)
    assert pending.due() == []
    assert pending.load("a") is None
    with store.read() as tx:
        for table in (due, setting):
            assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_a_request_during_the_run_keeps_the_row(store: Store) -> None:
    pending = Pending(store, utc_now)
    put(store, pending)
    put(store, pending)
    assert pending.load("a") == (WORK, 2)
    put(store, pending)
    with store.begin() as tx:
        pending.succeed(tx, "a", 2)
    assert pending.due() == ["a"]
    with store.begin() as tx:
        pending.succeed(tx, "a", 3)
    assert pending.due() == []


def test_a_failure_waits_and_counts(store: Store) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    pending = Pending(store, lambda: now)
    put(store, pending)
    seen: list[int] = []
    for _ in range(2):
        with store.begin() as tx:
            pending.fail(tx, "a", lambda failures: seen.append(failures) or 60)  # type: ignore[func-returns-value]
        put(store, pending)
        assert pending.due() == [], "a new request does not shorten the pause"
        assert pending.load("a") is None
        now += timedelta(seconds=60)
        assert pending.due() == ["a"]
    assert seen == [1, 2]


def test_ticks_keep_their_grid(store: Store) -> None:
    now = start = datetime(2026, 3, 1, tzinfo=UTC)
    ticks = Ticks(store, lambda: now)
    fired: list[Work] = []
    assert ticks.add(WORK, 60) == start
    assert ticks.fire(lambda tx, work: fired.append(work)) == 1
    now = start + timedelta(seconds=200)
    assert ticks.fire(lambda tx, work: fired.append(work)) == 1
    assert fired == [WORK, WORK]
    assert ticks.add(WORK, 60) == start + timedelta(seconds=240), "the grid is kept, the missed ones are one"
    assert ticks.add(WORK, 10) == now + timedelta(seconds=10), "a shorter interval counts from now"


def test_one_of_many_threads_fires_a_tick(store: Store) -> None:
    tables = [Ticks(store, utc_now) for _ in range(4)]
    for ticks in tables:
        ticks.add(WORK, 3600)
    start = threading.Barrier(4)
    fired: list[Work] = []

    def put(tx: sa.Connection, work: Work) -> None:
        fired.append(work)
        threading.Event().wait(0.1)  # the others look meanwhile

    def fire(ticks: Ticks) -> None:
        start.wait()
        ticks.fire(put)

    threads = [threading.Thread(target=fire, args=(ticks,)) for ticks in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fired == [WORK]


def test_a_tick_whose_work_was_not_put_does_not_pass(store: Store) -> None:
    ticks = Ticks(store, utc_now)
    ticks.add(WORK, 60)

    def broken(tx: sa.Connection, work: Work) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ticks.fire(broken)
    assert ticks.fire(lambda tx, work: None) == 1


def test_the_timetable_of_others_is_not_fired(store: Store) -> None:
    Ticks(store, utc_now).add(WORK, 60)
    other = Ticks(store, utc_now)
    assert other.fire(lambda tx, work: pytest.fail("not mine")) == 0
    other.add(Work("note", {}, "b"), 60)
    assert other.fire(lambda tx, work: None) == 1


@pytest.mark.parametrize("key", ["", "x" * (KEY_LENGTH + 1)])
def test_keys_fit_their_columns(key: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        Work("note", {}, key)


def test_the_longest_key_is_worked_on(store: Store) -> None:
    engine = EmbeddedEngine(store, owner="me")
    done = threading.Event()
    engine.handle("note", lambda args: done.set())
    engine.start()
    engine.enqueue("note", {}, key="ш" * KEY_LENGTH)
    assert done.wait(10)
    engine.stop()


def test_an_interval_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one second"):
        EmbeddedEngine(store, owner="me").schedule("note", {}, key="a", every=0)


def test_a_lone_process_does_not_wait_for_the_leases_of_the_dead(store: Store) -> None:
    assert Leases(store, "dead", utc_now).acquire("work:a", 3600)
    engine = EmbeddedEngine(store, owner="me", alone=True)
    done = threading.Event()
    engine.handle("note", lambda args: done.set())
    engine.enqueue("note", {}, key="a")
    engine.start()
    assert done.wait(10)
    engine.stop()


def test_a_request_during_a_run_does_not_wait_for_the_poll(store: Store) -> None:
    engine = EmbeddedEngine(store, owner="me", poll=3600)
    begun, go, twice = threading.Event(), threading.Event(), threading.Event()

    def handler(args: dict[str, Any]) -> None:
        if begun.is_set():
            twice.set()
        begun.set()
        go.wait(10)

    engine.handle("note", handler)
    engine.start()
    engine.enqueue("note", {}, key="a")
    assert begun.wait(10)
    engine.enqueue("note", {}, key="a")
    go.set()
    assert twice.wait(10)
    engine.stop()


def test_stop_gives_up_waiting_and_the_work_still_ends(store: Store) -> None:
    engine = EmbeddedEngine(store, owner="me")
    begun, go, runs = threading.Event(), threading.Event(), []

    def handler(args: dict[str, Any]) -> None:
        runs.append(1)
        begun.set()
        go.wait(10)

    engine.handle("note", handler)
    engine.start()
    engine.enqueue("note", {}, key="a")
    assert begun.wait(10)
    with capture_logs() as logs:
        engine.stop(0.05)
    assert logs[0]["keys"] == ["a"]
    engine.start()  # while the work of before still runs
    engine.wake()
    go.set()
    marker = threading.Event()
    engine.handle("marker", lambda args: marker.set())
    engine.enqueue("marker", {}, key="b")
    assert marker.wait(10)
    engine.stop()
    assert runs == [1]
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(due)).scalar() == 0


def test_a_look_that_fails_is_followed_by_the_next() -> None:
    looks: list[int] = []
    enough = threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) >= 3:
            enough.set()
        raise later()

    triggers = Triggers(look, poll=0.05)
    with capture_logs() as logs:
        triggers.start()
        assert enough.wait(10)
        triggers.stop()
    count = len(looks)
    triggers.now()
    assert len(looks) == count, "nothing is looked at after the stop"
    assert {log["code"] for log in logs} == {"test.later"}


def test_a_wish_to_look_during_a_look_is_not_lost() -> None:
    inside, go, again = threading.Event(), threading.Event(), threading.Event()

    def look() -> None:
        if inside.is_set():
            again.set()
        inside.set()
        go.wait(10)

    triggers = Triggers(look, poll=3600)
    triggers.start()
    assert inside.wait(10)
    for _ in range(5):
        triggers.now()
    go.set()
    assert again.wait(10)
    triggers.stop()
