"""One working process per SQLite file, however the one before it ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import Fatal
from sync.schedule.worklock import WorkLock
from sync.store import Store

_WORK = """
import sys
from sync.schedule.worklock import WorkLock
from sync.store import Store
lock = WorkLock(Store.open(sys.argv[1])).acquire("serve")
print("working", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(f"sqlite:///{tmp_path / 'sverka.db'}")) as store:
        yield store


@contextlib.contextmanager
def worker(store: Store) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", _WORK, store.url]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_worker_is_refused_and_told_of_the_first(sqlite: Store) -> None:
    with worker(sqlite) as first:
        lock = WorkLock(sqlite)
        with pytest.raises(Fatal) as caught:
            lock.acquire("sync")
        assert caught.value.code == "work.locked"
        assert str(first.pid) in caught.value.text.en
        assert str(first.pid) in caught.value.text.ru
        assert lock.holder() == first.pid


def test_kill_9_lifts_the_lock(sqlite: Store) -> None:
    with worker(sqlite) as first:
        first.kill()
        first.wait(5)
        lock = WorkLock(sqlite)
        assert lock.holder() is None, "its pid still stands in the file, but it holds nothing"
        with lock.acquire("serve"):
            assert lock.holder() == os.getpid()


def test_the_file_tells_people_who_works(sqlite: Store) -> None:
    lock = WorkLock(sqlite)
    with lock.acquire("serve"):
        assert lock.path is not None
        text = lock.path.read_text()
    assert f"pid {os.getpid()}\n" in text
    assert "purpose serve\n" in text
    assert "started 2" in text
    assert lock.path.read_text() == ""


def test_it_is_taken_once_within_a_process_too(sqlite: Store) -> None:
    first, second = WorkLock(sqlite), WorkLock(sqlite)
    first.acquire("serve")
    with pytest.raises(Fatal):
        second.acquire("sync")
    assert second.holder() == os.getpid()
    first.release()
    first.release()
    second.acquire("sync").release()
    assert first.holder() is None


def test_looking_at_the_holder_does_not_disturb_a_start(sqlite: Store) -> None:
    lock, looker = WorkLock(sqlite), WorkLock(sqlite)
    for _ in range(50):
        with lock.acquire("serve"):
            assert looker.holder() == os.getpid()
        assert looker.holder() is None


def test_a_folder_without_rights_is_named(sqlite: Store) -> None:
    lock = WorkLock(sqlite)
    assert lock.path is not None
    lock.path.mkdir()
    with pytest.raises(Fatal) as caught:
        lock.acquire("serve")
    assert caught.value.code == "work.lockfile"
    assert lock.path.name in caught.value.text.ru
    assert lock.holder() is None


def test_there_is_nothing_to_lock_elsewhere(postgres_url: str) -> None:
    for url in (postgres_url, "sqlite://", "sqlite:///:memory:"):
        with contextlib.closing(Store.open(url)) as store:
            one, two = WorkLock(store), WorkLock(store)
            with one.acquire("serve"), two.acquire("worker"):
                assert two.holder() is None
