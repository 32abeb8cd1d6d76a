"""Identifiers: valid, sortable by the time of their making, never the same twice."""

from __future__ import annotations

import threading
import time
import uuid

from sync.store import new_uid


def test_they_are_version_7_and_sort_by_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_uid() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000
    found = uuid.UUID(made[0])
    assert (found.version, found.variant, str(found)) == (7, uuid.RFC_4122, made[0])
    assert abs((found.int >> 80) - before) < 60_000


def test_many_threads_never_make_the_same() -> None:
    found: list[list[str]] = []

    def work() -> None:
        found.append([new_uid() for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [uid for part in found for uid in part]
    assert len(set(everything)) == 16_000
    assert all(part == sorted(part) for part in found)
