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


def test_an_edit_of_what_the_hub_wrote_without_hearing_so_is_a_question(tmp_path: Path) -> None:
    """The write arrives, the process dies, and a user there edits the field at once: whether that user had seen the other
    system's word cannot be known."""
    deal = ("deal", "N1")
    with tortured(tmp_path, f"sqlite:///{tmp_path}/hub.db", 1) as torture:
        torture.order()
        torture.look(whole=False)
        for call in range(5, 30):  # the first calls look at what is new
            torture.edit(deal, "comment", "shop")
            torture.kill_in_call(call, "after")
            if torture.peers.held and torture.peers.last == ("crm", "write") and torture.arrived(deal, "comment"):
                break
            torture.look(whole=False)
        torture.edit(deal, "comment", "crm")
        torture.look(whole=True)
    assert (torture.tally.wrong, torture.tally.asked) == ([], 1), str(torture.tally)
