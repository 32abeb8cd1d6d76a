"""kill -9 at random instants of `sverka sync`, on both databases; `make torture` does the same a thousand times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import Cluster
from tests.torture.kills import tortured

KILLS, FRESH = 50, 5  # of each item; two items for each database


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_nothing_is_lost_doubled_or_repeated(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    where: str,
    seed: int,
    tell: Callable[[str, str, int], None],
) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    if where == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create())
    with tortured(tmp_path, url, seed) as torture:
        tally = torture.run(KILLS, FRESH)
    tell("random kills", where, tally.kills)
    assert not tally.wrong, f"{tally}\n" + "\n".join(tally.wrong[:5])
    assert (tally.kills, tally.fresh) == (KILLS, FRESH)
    assert tally.landed > KILLS // 2, "hardly any kill found the hub at work"
    assert tally.cut > KILLS // 10, "hardly any kill landed in a call"
    assert tally.writes > KILLS // 2, "the hub had hardly anything to do"
