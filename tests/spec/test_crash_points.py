"""An error, a lost answer or a death at every call and every commit: the same end, nothing lost, nothing doubled.

The suite plays three of five of these histories (the whole check has to stay under its time); `make crash` plays all.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.hub import works
from sync.store import Store
from sync.store.tables import record
from tests.spec.crash import NAMED, enumerate_all, play_once
from tests.spec.crash_real import shake
from tests.spec.hubs import push, rows
from tests.spec.kill_child import SqliteDatabase
from tests.spec.kill_scenarios import NAMED as REAL
from tests.spec.machine_checks import at_rest
from tests.spec.machine_world import CRM, Trio, fast_store

MINIMUM = 75  # histories of each scenario; a smaller number means that some are not seen any more
WHOLE = os.environ.get("SVERKA_WHOLE") == "1"  # make crash: every history
AGAIN = ("webhooks", "an answer lost before")  # "edits" once more, under other weather


def played(name: str) -> tuple[int, Callable[..., bool]]:
    """How many of five histories in a row the suite plays, and which. Five shares no factor with the six faults of a call and
    the three of a commit, so every kind of fault is played, but at each place only some of them; `make crash` plays all."""
    chosen = range(5) if WHOLE else (0, 2) if name in AGAIN else (0, 2, 3)
    turn = itertools.count()
    return len(chosen), lambda *_: next(turn) % 5 in chosen


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Store, Path]]:
    shm = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="sverka-crash-", dir=shm if shm.is_dir() else None) as folder,
        contextlib.closing(fast_store(Path(folder))) as store,
    ):
        yield store, Path(folder)


@pytest.mark.parametrize("name", NAMED)
def test_undisturbed(place: tuple[Store, Path], name: str) -> None:
    play_once(*place, NAMED[name])


@pytest.mark.parametrize("name", NAMED)
def test_every_fault(place: tuple[Store, Path], name: str, tell: Callable[[str, str, int], None]) -> None:
    of_five, only = played(name)
    number, differences = enumerate_all(*place, NAMED[name], only)
    tell("crash points", name, number)
    assert not differences, f"{len(differences)} of {number} ends differ\n" + "\n".join(differences[:5])
    assert number >= MINIMUM * of_five // 5


def test_a_webhook_about_a_create_whose_answer_was_lost(place: tuple[Store, Path]) -> None:
    """It is neither new nor somebody else's: the hub made it, and learns so before it can be taken for news."""
    trio = Trio(*place)
    try:
        trio.new_order()
        trio.plan(CRM).faults = [
            {"call": "write", "mode": "lost", "times": 1},
            {"call": "find", "mode": "error", "times": 1},
        ]
        trio.sync()
        (made,) = trio.world(CRM).rows("deal")
        assert [i.connection for i in trio.intents("sending")] == [CRM]
        push(trio.hub, CRM, json.dumps({"event": "e", "kind": "deal", "id": made}).encode())
        works.take_pushed(trio.hub, trio.hub.plugs[CRM])
        assert len(rows(trio.hub, record, kind="deal")) == 1, "our own creation was taken for something new"
        assert not trio.intents("sending")
        trio.sync(calm=True)
        at_rest(trio)
    finally:
        trio.close()


@pytest.mark.parametrize("name", REAL)
def test_every_fault_of_real_adapters(
    tmp_path: Path, sqlite_template: Path, name: str, tell: Callable[[str, str, int], None]
) -> None:
    number, differences = shake(REAL[name], tmp_path, SqliteDatabase(tmp_path, sqlite_template))
    tell("crash points of real adapters", name, number)
    assert not differences, f"{len(differences)} of {number} ends differ\n" + "\n".join(differences[:5])
    assert number >= 4
