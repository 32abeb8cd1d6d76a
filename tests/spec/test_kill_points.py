"""kill -9 at any point of any step and start again: the same end, nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Cluster
from tests.peers.mail import SmtpPeer
from tests.peers.woo import WooPeer
from tests.spec.kill import PostgresDatabase, Rig, SqliteDatabase, quick_start
from tests.spec.kill_scenarios import ALL, NAMED

MINIMUM: dict[str, int] = {}
_counts: dict[str, int] = {}


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[WooPeer, SmtpPeer]]:
    with WooPeer() as shop, SmtpPeer() as smtp, quick_start():
        yield shop, smtp


@pytest.fixture
def rig(tmp_path: Path, sqlite_template: Path, peers: tuple[WooPeer, SmtpPeer]) -> Rig:
    peers[1].reset()
    return Rig(tmp_path, SqliteDatabase(tmp_path, sqlite_template), *peers)


@pytest.mark.parametrize("name", NAMED)
def test_every_point(rig: Rig, name: str) -> None:
    points, differences = rig.enumerate(NAMED[name])
    print(name, points)
    assert not differences, f"{len(differences)} ends differ\n" + "\n".join(differences[:5])
