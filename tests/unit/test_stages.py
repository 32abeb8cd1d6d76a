"""Stage graphs and what the accounting side's facts make of a deal."""

from __future__ import annotations

import itertools

import pytest

from sync.config import DEFAULT_PIPELINE
from sync.reconcile.stages import Graph, faults, stage_of_facts

GRAPH = Graph.of([(s.name, s.semantic) for s in DEFAULT_PIPELINE.stages])
TABLE = DEFAULT_PIPELINE.facts


@pytest.mark.parametrize(
    ("start", "end", "allowed"),
    [
        ("new", "new", True),
        ("new", "in_work", True),
        ("new", "won", True),
        ("shipped", "lost", True),
        ("paid", "in_work", False),
        ("won", "lost", False),
        ("lost", "new", False),
        ("won", "won", True),
        ("new", "unknown", False),
        ("unknown", "new", False),
        ("unknown", "unknown", True),
    ],
)
def test_steps(start: str, end: str, allowed: bool) -> None:
    assert GRAPH.reachable(start, end) is allowed


def test_no_step_is_undone_by_another() -> None:
    for a, b in itertools.permutations(GRAPH.order, 2):
        assert not (GRAPH.reachable(a, b) and GRAPH.reachable(b, a))


@pytest.mark.parametrize(
    ("values", "end"),
    [
        (["new", "paid"], "paid"),
        (["paid", "in_work", "shipped"], "shipped"),
        (["paid", "won"], "won"),
        (["won", "lost"], None),
        (["new", "lost", "won"], None),
        (["new"], "new"),
        (["new", "unknown"], None),
    ],
)
def test_where_moves_meet(values: list[str], end: str | None) -> None:
    for order in itertools.permutations(values):
        assert GRAPH.join(order) == end


@pytest.mark.parametrize(
    ("paid", "shipped", "cancelled", "stage"),
    [
        (None, None, None, None),
        (False, False, False, None),
        (True, None, None, "paid"),
        (True, False, None, "paid"),
        (None, True, None, "shipped"),
        (True, True, None, "won"),
        (True, True, True, "lost"),
        (None, None, True, "lost"),
    ],
)
def test_facts(paid: bool | None, shipped: bool | None, cancelled: bool | None, stage: str | None) -> None:
    assert stage_of_facts(TABLE, paid, shipped, cancelled) == stage


def test_facts_of_a_shorter_table() -> None:
    assert stage_of_facts({"paid": "won"}, True, True, True) == "won"
    assert stage_of_facts({"shipped": "sent"}, True, True, False) == "sent"
    assert stage_of_facts({}, True, True, True) is None


LISTED = Graph.of(
    [("new", "open"), ("check", "open"), ("pack", "open"), ("won", "won"), ("lost", "lost")],
    {"new": ["check", "lost"], "check": ["pack", "new"], "pack": ["won", "lost"]},
)


@pytest.mark.parametrize(
    ("start", "end", "path"),
    [
        ("new", "won", ["check", "pack", "won"]),
        ("new", "lost", ["lost"]),
        ("check", "lost", ["pack", "lost"]),
        ("check", "new", ["new"]),
        ("pack", "new", None),
        ("won", "new", None),
        ("new", "new", []),
    ],
)
def test_the_way_over_listed_successors(start: str, end: str, path: list[str] | None) -> None:
    assert LISTED.path(start, end) == path
    assert LISTED.reachable(start, end) is (path is not None)


@pytest.mark.parametrize(
    ("start", "end", "path"),
    [
        ("new", "shipped", ["in_work", "paid", "shipped"]),
        ("paid", "won", ["shipped", "won"]),
        ("new", "lost", ["lost"]),
        ("paid", "new", None),
    ],
)
def test_the_way_along_the_order(start: str, end: str, path: list[str] | None) -> None:
    assert GRAPH.path(start, end) == path


def test_two_stages_that_lead_to_each_other_do_not_join() -> None:
    assert LISTED.join(["new", "check"]) is None
    assert LISTED.join(["check", "pack"]) == "pack"


OPEN = ("new", "open", None)


@pytest.mark.parametrize(
    ("stages", "about", "text"),
    [
        ([], "", "first stage"),
        ([("won", "won", None)], "won", "first stage"),
        ([OPEN, OPEN], "new", "two stages"),
        ([OPEN, ("won", "won", ["new"])], "won", "left by people only"),
        ([("new", "open", ["work"]), ("won", "won", None)], "new", ""),
        ([("new", "open", ["won"]), ("work", "open", None), ("won", "won", None)], "work", "no way leads there"),
        ([OPEN, ("work", "open", []), ("won", "won", None)], "work", "no way leads from it"),
    ],
)
def test_a_graph_that_cannot_be(stages: list[tuple[str, str, list[str] | None]], about: str, text: str) -> None:
    stage, fault = next(faults(stages))
    assert stage == about
    assert text in fault.text.en
    assert fault.text.ru or fault.unknown == "work"


def test_the_shipped_pipeline_is_sound() -> None:
    assert list(faults([(s.name, s.semantic, s.next) for s in DEFAULT_PIPELINE.stages])) == []
