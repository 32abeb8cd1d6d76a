"""Stage graphs and what the accounting side's facts make of a deal."""

from __future__ import annotations

import itertools

import pytest

from sync.config import DEFAULT_PIPELINE
from sync.reconcile.stages import Graph, stage_of_facts

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
