"""What every engine promises (sync/schedule/port.py), the same tests for all, with real processes that are really killed.

Times are never asserted to be short, except where the promise itself is one: takeover within the lease and one second.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync.schedule.port import Engine
from sync.store import Store
from sync.store.tables import due, lease
from tests.spec.engine_child import LEASE, Log, add_handlers, make_engine


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for the condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def woken(engine: Engine, condition: Callable[[], Any]) -> None:
    """Wait for the condition where no poll helps. Waking is repeated: just after its start a worker may not listen yet."""

    def look() -> Any:
        engine.wake()
        return condition()

    until(look)


class House:
    """A database with an engine in this process and any number of them in child processes."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        self.kind = kind
        self.log = Log(folder / "log")
        self.store = Store.open(url)
        self.engines: list[Engine] = []
        self.children: list[subprocess.Popen[bytes]] = []

    def engine(self, **options: Any) -> Engine:
        engine = make_engine(self.kind, self.store, **options)
        add_handlers(engine, self.log)
        self.engines.append(engine)
        return engine

    def child(self, **order: Any) -> subprocess.Popen[bytes]:
        """A working process; returns at once."""
        order = {"engine": self.kind, "url": self.store.url, "log": str(self.log.path), **order}
        command = [sys.executable, "-m", "tests.spec.engine_child", json.dumps(order)]
        root = Path(__file__).parents[2]
        self.children.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root))
        return self.children[-1]

    def ready(self, count: int) -> None:
        """Wait until so many children work; an interpreter's start on a busy machine is not what is tested."""
        until(lambda: len(self.log.lines("ready")) >= count, 40)

    def ended(self, key: str) -> int:
        return len(self.log.lines("end", key))

    def move_tick(self, key: str, seconds: float) -> None:
        """Make the key's next tick due so many seconds from now."""
        with self.store.begin() as tx:
            at = datetime.now(UTC) + timedelta(seconds=seconds)
            assert tx.execute(sa.update(due).where(due.c.name == key).values(next_at=at)).rowcount == 1

    def close(self) -> None:
        for child in self.children:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()  # type: ignore[union-attr]
        for engine in self.engines:
            engine.stop()
        for child in self.children:
            child.wait(15)
        self.store.close()


@pytest.fixture(params=["embedded", "queued"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    queued = request.param == "queued"
    if queued:
        url = request.getfixturevalue("postgres_store").url
    else:
        url = f"sqlite:///{tmp_path / 'sverka.db'}"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "sverka.db")
    with contextlib.closing(House(request.param, url, tmp_path)) as house:
        yield house


def note(key: str, seconds: float = 0) -> tuple[str, dict[str, Any], str]:
    return "note", {"key": key, "seconds": seconds}, key


def put(engine: Engine, work: tuple[str, dict[str, Any], str]) -> None:
    engine.enqueue(work[0], work[1], key=work[2])


def assert_one_at_a_time(log: Log, key: str) -> None:
    """No run of the key begins before the one before it has ended."""
    events = [(at, 1) for _, _, at in log.lines("begin", key)] + [(at, -1) for _, _, at in log.lines("end", key)]
    running = 0
    for _, step in sorted(events):
        running += step
        assert running in (0, 1), f"two runs of {key} at once"


def test_enqueued_work_is_done_and_gone(house: House) -> None:
    engine = house.engine()
    engine.start()
    put(engine, note("a"))
    until(lambda: house.ended("a"))
    engine.stop()
    again = house.engine()
    again.start()
    put(again, note("marker"))
    until(lambda: house.ended("marker"))
    assert house.ended("a") == 1, "done work must not be done again after a restart"


def test_work_waits_for_a_start(house: House) -> None:
    put(house.engine(), note("a"))
    assert house.ended("a") == 0
    house.engine().start()
    until(lambda: house.ended("a"))


def test_a_second_one_of_a_waiting_key_is_not_added(house: House) -> None:
    engine = house.engine()
    for _ in range(5):
        put(engine, note("a"))
    engine.start()
    until(lambda: house.ended("a"))
    put(engine, note("marker"))
    until(lambda: house.ended("marker"))
    assert house.ended("a") == 1


def test_a_request_during_a_run_makes_one_more_run(house: House) -> None:
    engine = house.engine()
    engine.start()
    put(engine, note("a", 0.3))
    until(lambda: house.log.lines("begin", "a"))
    for _ in range(3):
        put(engine, note("a", 0.3))
    until(lambda: house.ended("a") == 2)
    put(engine, note("marker"))
    until(lambda: house.ended("marker"))
    assert len(house.log.lines("begin", "a")) == 2
    assert_one_at_a_time(house.log, "a")


def test_one_of_a_key_at_a_time_over_three_processes(house: House) -> None:
    keys = ["x", "y", "z"]
    engine = house.engine()
    for _ in range(3):
        house.child()
    house.ready(3)
    done = 0
    while done < 4:  # every round asks while the one before is still being worked on
        for key in keys:
            put(engine, note(key, 0.05))
        engine.wake()
        done += 1
        until(lambda: all(house.ended(key) >= done for key in keys))  # noqa: B023
    for key in keys:
        assert_one_at_a_time(house.log, key)


def test_one_firing_per_tick_over_two_processes(house: House) -> None:
    plan = [("note", {"key": key}, key, 3600) for key in "abcde"]
    for _ in range(2):
        house.child(schedule=plan)
    house.ready(2)
    until(lambda: all(house.ended(key) == 1 for key in "abcde"))
    for key in "abcde":  # the next tick of each, seen by both
        house.move_tick(key, 0)
    until(lambda: all(house.ended(key) == 2 for key in "abcde"))
    put(house.engine(), note("marker"))
    until(lambda: house.ended("marker"))
    assert Counter(key for key, _, _ in house.log.lines("begin")) == {**dict.fromkeys("abcde", 2), "marker": 1}


def test_ticks_follow_one_another(house: House) -> None:
    engine = house.engine()
    engine.schedule("note", {"key": "a"}, key="a", every=1)
    engine.start()
    until(lambda: house.ended("a") >= 3)
    times = [at for _, _, at in house.log.lines("begin", "a")]
    assert times[2] - times[0] > 1_500_000_000, "three firings take two intervals"


def test_the_timetable_outlives_a_restart(house: House) -> None:
    engine = house.engine()
    engine.schedule("note", {"key": "a"}, key="a", every=3600)
    engine.start()
    until(lambda: house.ended("a"))
    engine.stop()
    again = house.engine()
    again.schedule("note", {"key": "a"}, key="a", every=3600)
    again.start()
    put(again, note("marker"))
    until(lambda: house.ended("marker"))
    assert house.ended("a") == 1, "the next tick is an hour away, restart or not"
    again.stop()
    house.move_tick("a", -10 * 3600)  # ten ticks missed
    late = house.engine()
    late.schedule("note", {"key": "a"}, key="a", every=3600)
    late.start()
    until(lambda: house.ended("a") == 2)
    put(late, note("marker2"))
    until(lambda: house.ended("marker2"))
    assert house.ended("a") == 2, "missed ticks make one firing"


def test_wake_starts_due_work_at_once(house: House) -> None:
    engine = house.engine(poll=3600)
    engine.schedule("note", {"key": "a"}, key="a", every=3600)
    engine.start()
    woken(engine, lambda: house.ended("a"))
    house.move_tick("a", 0)
    woken(engine, lambda: house.ended("a") == 2)


def test_work_of_a_killed_process_is_taken_over(house: House) -> None:
    victim = house.child(enqueue=[("hang", {"key": "a"}, "a")])
    house.ready(1)
    until(lambda: house.log.lines("begin", "a"))
    house.engine().start()
    victim.send_signal(signal.SIGKILL)
    victim.wait(5)
    killed = time.monotonic_ns()
    until(lambda: house.ended("a"))
    taken = house.log.lines("begin", "a")[1][2]
    assert (taken - killed) / 1e9 <= LEASE + 1


def test_a_live_process_keeps_its_work_beyond_the_lease(house: House) -> None:
    house.child(enqueue=[note("a", 1.7 * LEASE)])
    house.ready(1)
    until(lambda: house.log.lines("begin", "a"))
    house.engine().start()
    until(lambda: house.ended("a"))
    assert len(house.log.lines("begin", "a")) == 1


def test_nothing_is_stranded_by_stop_and_start(house: House) -> None:
    engine = house.engine(threads=2)
    keys = [f"k{i}" for i in range(20)]
    for key in keys:
        put(engine, note(key, 0.02))
    engine.start()
    until(lambda: house.log.lines("begin"))
    engine.stop()
    begun = {key for key, _, _ in house.log.lines("begin")}
    assert begun == {key for key, _, _ in house.log.lines("end")}, "a stop waits for what runs"
    engine.start()
    until(lambda: {key for key, _, _ in house.log.lines("end")} == set(keys))
    assert Counter(key for key, _, _ in house.log.lines("begin")) == dict.fromkeys(keys, 1)


@pytest.mark.parametrize("extra", [{}, {"after": 0}], ids=["unexpected", "retry later"])
def test_failed_work_is_tried_again(house: House, extra: dict[str, Any]) -> None:
    engine = house.engine()
    engine.start()
    engine.enqueue("fail", {"key": "a", "times": 2, **extra}, key="a")
    put(engine, note("neighbour"))
    until(lambda: house.ended("a") == 1)
    assert len(house.log.lines("begin", "a")) == 3
    assert house.ended("neighbour") == 1


def test_the_peers_wish_to_wait_is_respected(house: House) -> None:
    engine = house.engine(poll=3600)
    engine.start()
    engine.enqueue("fail", {"key": "a", "times": 1, "after": 3600}, key="a")
    woken(engine, lambda: house.log.lines("begin", "a"))
    until(lambda: _free(house, "work:a"))
    for _ in range(3):  # neither a request nor a wake shortens it
        engine.enqueue("fail", {"key": "a", "times": 1, "after": 3600}, key="a")
        engine.wake()
    put(engine, note("marker"))
    woken(engine, lambda: house.ended("marker"))
    assert len(house.log.lines("begin", "a")) == 1
    with house.store.begin() as tx:  # the hour is over
        past = datetime.now(UTC) - timedelta(seconds=1)
        assert tx.execute(sa.update(due).where(due.c.failures == 1).values(next_at=past)).rowcount == 1
        if house.kind == "queued":
            tx.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'"))
    woken(engine, lambda: house.ended("a") == 1)


def test_a_request_during_a_failing_run_does_not_shorten_the_pause(house: House) -> None:
    engine = house.engine()
    engine.start()
    args = {"key": "a", "times": 1, "after": 3600, "seconds": 0.3}
    engine.enqueue("fail", args, key="a")
    until(lambda: house.log.lines("begin", "a"))
    engine.enqueue("fail", args, key="a")
    until(lambda: _free(house, "work:a"))
    for marker in "mn":  # the request would be served before these
        put(engine, note(marker))
        until(lambda: house.ended(marker))  # noqa: B023
    assert len(house.log.lines("begin", "a")) == 1


def test_work_without_a_handler_waits_for_one(house: House) -> None:
    engine = house.engine()
    engine.start()
    engine.enqueue("unheard", {"key": "a"}, key="a")
    until(lambda: _failures(house))
    engine.handle("unheard", lambda args: house.log.write("end", args["key"]))
    until(lambda: house.ended("a") == 1)


def _free(house: House, name: str) -> bool:
    with house.store.read() as tx:
        at = tx.execute(sa.select(lease.c.expires_at).where(lease.c.name == name)).scalar_one_or_none()
    return at is not None and at <= datetime.now(UTC)


def _failures(house: House) -> int:
    with house.store.read() as tx:
        return tx.execute(sa.select(sa.func.max(due.c.failures))).scalar_one() or 0
