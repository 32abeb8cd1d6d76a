"""The decision by example: the rules of its description, one after the other. All combinations: test_decision_table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync.reconcile import INEXPRESSIBLE, Graph, Plan, Policy, Side, decide

GRAPH = Graph.of([("new", "open"), ("work", "open"), ("won", "won"), ("lost", "lost")])
ROLES = {"crm": "crm", "shop": "shop", "onec": "accounting", "hub": "hub"}


def side(name: str, seen: Any, base: Any = None, field: str = "title") -> Side:
    agreed = {} if base is None else {field: base}
    full = name if name == "hub" else f"{name}/deal"
    return Side(full, ROLES[name], {field: seen}, agreed, frozenset({field}))


def plan(record: Any, *sides: Side, policy: Policy = Policy(), field: str = "title") -> Plan:  # noqa: B008
    return decide({} if record is None else {field: record}, sides, lambda _: policy, GRAPH)


def test_the_owner_decides() -> None:
    found = plan("A", side("crm", "B", "A"), side("shop", "C", "A"), policy=Policy("crm"))
    assert (found.values, found.writes) == ({"title": "B"}, {"shop/deal": {"title": "B"}})
    assert found.why == {"title": ("owner", "crm/deal")}
    assert found.agreed == {"crm/deal": {"title": "B"}}


def test_an_owner_that_says_nothing_has_no_say() -> None:
    silent = replace(side("crm", "x"), seen={})
    found = plan("A", silent, side("shop", "C", "A"), policy=Policy("crm"))
    assert (found.values, found.why["title"]) == ({"title": "C"}, ("observed", "shop/deal"))


def test_two_owners_that_disagree_are_no_owner() -> None:
    one, two = side("onec", "B", "A"), replace(side("onec", "C", "A"), name="other/deal")
    assert plan("A", one, two, policy=Policy("accounting")).conflicts[0].cause == "both_moved"


def test_who_moved_is_followed() -> None:
    found = plan("A", side("crm", "A", "A"), side("shop", "C", "A"))
    assert (found.values, found.writes) == ({"title": "C"}, {"crm/deal": {"title": "C"}})


def test_a_side_that_lags_is_written_again() -> None:
    found = plan("B", side("crm", "B", "B"), side("shop", "A", "A"))
    assert (found.values, found.writes) == ({}, {"shop/deal": {"title": "B"}})
    assert found.why == {"title": ("observed", "hub")}


def test_those_who_moved_to_the_same_agree() -> None:
    found = plan("A", side("crm", "C", "A"), side("shop", "C", "A"), side("onec", "A", "A"))
    assert (found.values, found.writes) == ({"title": "C"}, {"onec/deal": {"title": "C"}})
    assert set(found.agreed) == {"crm/deal", "shop/deal"}


def test_a_change_whose_write_has_not_arrived_is_one_of_the_moves() -> None:
    found = plan("W", side("crm", "W", "W"), side("shop", "U", "A"))
    assert (found.conflicts[0].cause, found.conflicts[0].base, found.writes) == ("both_moved", "W", {})
    found = plan("W", side("crm", "W", "W"), side("shop", "U", "A"), policy=Policy("", "prefer:crm"))
    assert (found.values, found.writes, found.why["title"][0]) == ({}, {"shop/deal": {"title": "W"}}, "prefer")


def test_people_decide_where_nobody_owns() -> None:
    found = plan("A", side("hub", "H", "A"), side("crm", "A", "A"))
    assert (found.values, found.why["title"]) == ({"title": "H"}, ("human", "hub"))
    assert found.writes == {"crm/deal": {"title": "H"}}
    assert plan("A", side("hub", "H", "A"), side("crm", "A", "A"), policy=Policy("crm")).values == {}
    assert plan("A", side("hub", "H", "A"), side("crm", "C", "A")).conflicts


def test_a_field_of_the_hub() -> None:
    found = plan("A", side("crm", "C", "A"), policy=Policy("hub"))
    assert (found.values, found.writes) == ({}, {"crm/deal": {"title": "A"}})
    assert plan(None, side("crm", "C"), policy=Policy("hub")).values == {"title": "C"}
    assert plan("A", side("hub", "H", "A"), side("crm", "C", "A"), policy=Policy("hub")).values == {"title": "H"}


@pytest.mark.parametrize(
    ("crm", "shop", "value"), [("work", "won", "won"), ("won", "work", "won"), ("lost", "new", "lost")]
)
def test_stages_meet_at_the_further_one(crm: str, shop: str, value: str) -> None:
    sides = (side("crm", crm, "new", "stage"), side("shop", shop, "new", "stage"))
    assert plan("new", *sides, policy=Policy("", "join"), field="stage").values == {"stage": value}


def test_a_closed_stage_is_left_by_people_only() -> None:
    found = plan("won", side("crm", "work", "won", "stage"), policy=Policy("crm"), field="stage")
    assert found.conflicts[0].cause == "illegal_transition"
    found = plan("won", side("hub", "work", "won", "stage"), side("crm", "won", "won", "stage"), field="stage")
    assert (found.values, found.writes) == ({"stage": "work"}, {"crm/deal": {"stage": "work"}})


def test_what_a_side_cannot_say_is_not_written() -> None:
    mute = replace(side("shop", "A", "A"), image=lambda _, value: INEXPRESSIBLE if value == "B" else value)
    found = plan("A", side("crm", "B", "A"), mute)
    assert (found.values, found.writes) == ({"title": "B"}, {})
    assert plan("B", side("crm", "B", "B"), mute).writes == {}
    assert plan("B", side("crm", "C", "B"), mute).writes == {"shop/deal": {"title": "C"}}


def test_many_words_of_a_side_for_one_of_ours() -> None:
    """A status that means the same is no news, and is not overwritten by its brother."""
    coarse = replace(
        side("shop", "work", "work", "stage"), image=lambda _, value: "work" if value in ("new", "work") else value
    )
    assert plan("new", coarse, field="stage").writes == {}
    assert plan("new", coarse, side("crm", "work", "new", "stage"), field="stage").writes == {}


def test_tags_are_merged_three_ways() -> None:
    policy = Policy("", "union")
    sides = (side("crm", ["a", "c"], ["a", "b"], "tags"), side("shop", ["a", "b", "d"], ["a", "b"], "tags"))
    assert plan(["a", "b"], *sides, policy=policy, field="tags").values == {"tags": ["a", "c", "d"]}
    found = plan(["a", "x"], side("crm", ["a", "c"], ["a"], "tags"), policy=policy, field="tags")
    assert found.values == {"tags": ["a", "x", "c"]}, "what the record gained meanwhile stays"
    linked = plan(["a"], side("crm", ["b"], None, "tags"), policy=policy, field="tags")
    assert linked.values == {"tags": ["a", "b"]}, "a side linked now takes nothing away"


def test_a_union_of_what_is_no_list_is_a_conflict() -> None:
    found = plan("ab", side("crm", "ac", "ab"), side("shop", "bc", "ab"), policy=Policy("", "union"))
    assert found.conflicts
    assert found.values == {}


def test_the_markers_are_falsy_and_named() -> None:
    assert not INEXPRESSIBLE
    assert repr(INEXPRESSIBLE) == "INEXPRESSIBLE"
