"""kill -9 at any point of any step and start again: the same end, nothing lost, nothing doubled.

The points are those that the hub passes (`sync.store.points`): around every commit and every call. Nobody lists them; their
number may not shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import Cluster
from tests.spec.kill import play_all
from tests.spec.kill_child import Database, PostgresDatabase, SqliteDatabase
from tests.spec.kill_mutants import MUTANTS
from tests.spec.kill_scenarios import NAMED

Worlds = list[tuple[Path, Database]]

# instants of each scenario at which the hub is killed; a smaller number means that some are not seen any more
MINIMUM = {
    "form": 26,
    "poll": 58,
    "files": 34,
    "late goods": 25,
    "catalogue": 68,
    "orders to 1C": 42,
    "orders from 1C": 88,
    "stage": 52,
    "lost answer": 20,
    "price": 76,
    "letter": 26,
    "lost letter": 20,
    "retry": 38,
}
STRIDE = 13  # on PostgreSQL; odd, so that befores and afters take turns
FOUND_AT = {
    "done before the call": ("stage", "call:shop.write"),
    "a blind second call": ("letter", "call:mail.write:after"),
    "acknowledged before the commit": ("form", "commit:before"),
    "cursor ahead of its page": ("poll", "mutant"),
    "arrival done before its records": ("form", "mutant"),
}


@pytest.fixture
def worlds(tmp_path: Path, sqlite_template: Path) -> Worlds:
    """Two, to be played at the same time."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    return [(folder, SqliteDatabase(folder, sqlite_template)) for folder in folders]


def test_every_scenario_has_its_minimum() -> None:
    assert MINIMUM.keys() == NAMED.keys()
    assert sum(MINIMUM.values()) >= 570


@pytest.mark.parametrize("name", NAMED)
def test_every_point(worlds: Worlds, tell: Callable[[str, str, int], None], name: str) -> None:
    number, differences = play_all(name, worlds)
    tell("kill points", name, number)
    assert not differences, f"{len(differences)} of {number} ends differ\n" + "\n".join(differences[:5])
    assert number >= MINIMUM[name]


@pytest.mark.parametrize("name", NAMED)
def test_some_points_on_postgresql(tmp_path: Path, postgres_cluster: Cluster, name: str) -> None:
    number, differences = play_all(name, [(tmp_path, PostgresDatabase(postgres_cluster))], STRIDE)
    assert not differences, f"{len(differences)} of {number} ends differ\n" + "\n".join(differences[:5])
    assert number >= MINIMUM[name] // STRIDE


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_hub_is_found(worlds: Worlds, mutant: str) -> None:
    scenario, only = FOUND_AT[mutant]
    number, differences = play_all(scenario, worlds, mutant=mutant, only=only)
    assert number
    assert differences
