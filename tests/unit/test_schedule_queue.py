"""The queue on procrastinate: jobs that nobody works on are put back, whatever made them so, and its schema keeps up."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from procrastinate.schema import SchemaManager

from sync.errors import BadConfig
from sync.schedule import queue_schema
from sync.schedule.lease import Leases
from sync.schedule.port import Work, utc_now
from sync.schedule.queue import Queue
from sync.schedule.queued import QueuedEngine
from sync.store import Store
from sync.store.tables import due, setting

WORK = Work("note", {"key": "a"}, "a")


@pytest.fixture
def bare(postgres_store: Store) -> Store:
    """The hub's tables without the queue's."""
    return postgres_store


@pytest.fixture
def hub(bare: Store) -> Store:
    queue_schema.prepare(bare)
    return bare


def run(store: Store, sql: str, **values: Any) -> Any:
    with store.begin() as tx:
        result = tx.execute(sa.text(sql), values)
        return result.all() if result.returns_rows else None


def put(store: Store, queue: Queue, work: Work = WORK) -> None:
    with store.begin() as tx:
        queue.put(tx, work)


def fetch(store: Store, worker: int | None) -> None:
    """Have a worker take the next job, as procrastinate does."""
    assert run(store, "SELECT id FROM procrastinate_fetch_job_v2(NULL, :worker)", worker=worker)[0].id


def new_worker(store: Store, silent: int = 0) -> int:
    """A registered worker whose heartbeat is so many seconds old."""
    sql = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :s)) RETURNING id"
    number: int = run(store, sql, s=silent)[0].id
    return number


def states(store: Store) -> list[str]:
    return [row.status for row in run(store, "SELECT status::text AS status FROM procrastinate_jobs ORDER BY id")]


def test_one_job_of_a_key_waits(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    threads = [threading.Thread(target=put, args=(hub, queue)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(hub) == ["todo"]
    fetch(hub, new_worker(hub))
    put(hub, queue)
    put(hub, queue)
    assert states(hub) == ["doing", "todo"]


def test_a_job_is_part_of_the_callers_transaction(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)

    def fail_after_putting() -> None:
        with hub.begin() as tx:
            queue.put(tx, WORK)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_putting()
    assert states(hub) == []


def test_the_job_of_a_silent_worker_is_put_back(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    fetch(hub, new_worker(hub, silent=21))
    assert queue.recover() == 1
    assert states(hub) == ["todo"]
    assert queue.recover() == 0


def test_the_job_of_a_forgotten_worker_is_put_back(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    worker = new_worker(hub)
    fetch(hub, worker)
    run(hub, "DELETE FROM procrastinate_workers WHERE id = :id", id=worker)
    assert queue.recover() == 1
    assert states(hub) == ["todo"]


def test_a_live_lease_protects_the_job(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    fetch(hub, new_worker(hub, silent=3600))
    leases = Leases(hub, "slow", utc_now)
    lease = leases.acquire("work:a", 60)
    assert lease is not None
    assert queue.recover() == 0
    leases.release(lease)
    assert queue.recover() == 1


def test_a_live_worker_without_a_lease_is_given_time(hub: Store) -> None:
    queue = Queue(hub, utc_now, 0.3)
    put(hub, queue)
    worker = new_worker(hub)
    fetch(hub, worker)
    assert queue.recover() == 0, "it is about to take its lease"
    time.sleep(0.4)
    run(hub, "UPDATE procrastinate_workers SET last_heartbeat = now()")
    assert queue.recover() == 1, "it lost the job and does not know"
    assert states(hub) == ["todo"]


def test_a_lost_job_gives_way_to_a_waiting_one(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    fetch(hub, new_worker(hub, silent=21))
    put(hub, queue)
    assert states(hub) == ["doing", "todo"]
    assert queue.recover() == 1
    assert states(hub) == ["todo"]


def test_a_job_whose_outcome_was_not_stored_is_put_back(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    fetch(hub, new_worker(hub))
    run(hub, "SELECT procrastinate_finish_job_v1((SELECT id FROM procrastinate_jobs), 'failed', false)")
    assert states(hub) == ["failed"]
    assert queue.recover() == 1
    assert states(hub) == ["todo"]


def test_jobs_of_others_are_left_alone(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    put(hub, queue)
    run(hub, "UPDATE procrastinate_jobs SET queue_name = 'other'")
    fetch(hub, new_worker(hub, silent=21))
    assert queue.recover() == 0
    assert states(hub) == ["doing"]


def test_a_failure_holds_the_key(hub: Store) -> None:
    queue = Queue(hub, utc_now, 20)
    seen: list[int] = []

    def pause(failures: int) -> float:
        seen.append(failures)
        return 60

    for _ in range(3):
        with hub.begin() as tx:
            queue.fail(tx, WORK, pause)
    assert seen == [1, 2, 3]
    assert states(hub) == ["todo"]
    with hub.begin() as tx:
        until = queue.held_until(tx, "a")
        assert until is not None
        assert timedelta(seconds=50) < until - datetime.now(UTC) <= timedelta(seconds=60)
        queue.succeed(tx, WORK)
        assert queue.held_until(tx, "a") is None
        assert tx.execute(sa.select(sa.func.count()).select_from(due)).scalar() == 0


def test_our_lease_holds_where_the_queues_lock_does_not(hub: Store) -> None:
    guard = threading.Lock()
    running: list[str] = []
    seen: list[list[str]] = []

    def handler(args: dict[str, Any]) -> None:
        with guard:
            running.append("a")
            seen.append(list(running))
        time.sleep(0.2)
        with guard:
            running.remove("a")

    engine = QueuedEngine(hub, owner="me", poll=0.1)
    engine.handle("note", handler)
    put(hub, Queue(hub, utc_now, 20))
    run(
        hub,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) "
        "SELECT queue_name, task_name, 'stray', args FROM procrastinate_jobs",
    )
    engine.start()
    deadline = time.monotonic() + 10
    while len(seen) < 2 or states(hub):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    engine.stop()
    assert seen == [["a"], ["a"]]


def test_the_schema_is_made_once_by_many(bare: Store) -> None:
    errors: list[Exception] = []

    def prepare() -> None:
        try:
            queue_schema.prepare(bare)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert states(bare) == []


def test_work_waits_through_an_upgrade_of_the_queue(bare: Store) -> None:
    older = [f for f in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql")) if f.name < "03.03"]
    for file in older:
        with bare.begin() as tx:
            driver: Any = tx.connection.driver_connection
            driver.execute(file.read_text())
    with bare.begin() as tx:
        tx.execute(sa.insert(setting).values(key="procrastinate.schema", value=older[-1].name))
    put(bare, Queue(bare, utc_now, 20))  # by a worker of the older version
    done = threading.Event()
    engine = QueuedEngine(bare, owner="new", poll=0.1)
    engine.handle("note", lambda args: done.set())
    engine.start()
    try:
        assert done.wait(10)
    finally:
        engine.stop()
    with bare.read() as tx:
        value = tx.execute(sa.select(setting.c.value).where(setting.c.key == "procrastinate.schema")).scalar_one()
    assert value > older[-1].name


def test_the_worker_comes_back_after_the_database_did(hub: Store) -> None:
    done = threading.Event()
    engine = QueuedEngine(hub, owner="me", poll=0.1)
    engine.handle("note", lambda args: done.set())
    engine.start()
    try:
        run(
            hub,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()",
        )
        deadline = time.monotonic() + 10
        while not done.is_set():
            assert time.monotonic() < deadline
            with contextlib.suppress(Exception):
                engine.enqueue("note", {}, key="a")
            done.wait(0.1)
    finally:
        engine.stop()


def test_sqlite_is_refused_with_the_setting(tmp_path: Path) -> None:
    with contextlib.closing(Store.open(f"sqlite:///{tmp_path / 'x.db'}")) as store, pytest.raises(BadConfig) as caught:
        QueuedEngine(store, owner="me")
    assert caught.value.setting == "hub.database"
