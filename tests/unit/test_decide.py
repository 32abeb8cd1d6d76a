"""The decision by example: the rules of its description, one after the other. All combinations: test_decision_table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync.reconcile import INEXPRESSIBLE, STATE, Graph, Plan, Policy, Side, decide

STAGES = [("new", "open"), ("work", "open"), ("won", "won"), ("lost", "lost")]
GRAPH = Graph.of(STAGES)
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
    assert plan("A", one, two, policy=Policy("accounting")).conflicts[0].cause == "owners_differ"


@pytest.mark.parametrize(
    ("record", "mover", "other", "value"),
    [
        ("A", ("A", "B"), ("A", "A"), "B"),  # the other has not heard of it yet
        (
            "AB",
            ("A", "C"),
            ("B", "B"),
            None,
        ),  # it never said what the mover said: a person has decided, and is asked again
        ("AB", ("A", "B"), ("B", "B"), "B"),  # now they say the same
    ],
)
def test_one_of_two_owners_moves(
    record: str, mover: tuple[str, str], other: tuple[str, str], value: str | None
) -> None:
    one, two = side("onec", mover[1], mover[0]), replace(side("onec", other[1], other[0]), name="other/deal")
    for sides in ((one, two), (two, one)):
        found = plan(record, *sides, side("crm", record, record), policy=Policy("accounting"))
        assert found.values == ({} if value is None else {"title": value})
        assert [c.cause for c in found.conflicts] == (["owners_differ"] if value is None else [])
    found = plan(record, one, two, policy=Policy("connection:onec"))
    assert found.values == {"title": mover[1]}, "a single one is named"


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
    assert (found.conflicts[0].cause, found.conflicts[0].base, found.writes) == ("both_moved", "A", {})
    found = plan("W", side("crm", "W", "W"), side("shop", "U", "A"), policy=Policy("", "prefer:crm"))
    assert (found.values, found.writes, found.why["title"][0]) == ({}, {"shop/deal": {"title": "W"}}, "prefer")


@pytest.mark.parametrize(
    ("record", "was", "now", "conflict"),
    [
        ("work", ("work", "w"), ("work", "n"), False),  # another state of the same stage
        ("won", ("work", "w"), ("work", "w"), False),  # it has not moved
        ("won", ("new", "n"), ("work", "w"), False),  # forward, and behind the record still
        ("work", ("work", ""), ("new", "n"), False),  # in which state it was is not known
        ("work", ("work", "w"), ("new", "n"), True),
        ("won", ("work", "w"), ("new", "n"), True),
        ("new", ("work", "w"), ("new", "n"), False),  # there the record stands already
        ("work", ("gone", "w"), ("new", "n"), False),  # a stage that the pipeline has not any more
    ],
)
def test_a_side_with_states_of_its_own_goes_back_where_its_state_does(
    record: str, was: tuple[str, str], now: tuple[str, str], conflict: bool
) -> None:
    agreed = {"stage": was[0]} | ({STATE: was[1]} if was[1] else {})
    told = Side("onec/order", "accounting", {"stage": now[0]}, agreed, onward=frozenset({"stage"}), state=now[1])
    found = plan(record, told, policy=Policy("", "join"), field="stage")
    assert (found.values, [c.cause for c in found.conflicts]) == ({}, ["illegal_transition"] if conflict else [])
    assert {**agreed, **found.agreed.get("onec/order", {})} == (
        agreed if conflict else {"stage": now[0], STATE: now[1]}
    )
    owned = plan(record, told, side("crm", record, record, "stage"), policy=Policy("crm", "join"), field="stage")
    assert (owned.values, owned.conflicts) == ({}, []), "where another decides it is not asked about"


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
    record = {"stage": "new", "lost_reason": "дорого"}
    assert decide(record, sides, lambda _: Policy("", "join"), GRAPH).values == {"stage": value}


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


def test_a_newcomer_with_another_value_is_a_question() -> None:
    found = plan("A", side("crm", "A", "A"), side("shop", "B"))
    assert (found.values, found.writes, found.agreed) == ({}, {}, {})
    (conflict,) = found.conflicts
    assert (conflict.cause, conflict.moved) == ("both_moved", ("shop/deal",))
    assert conflict.sides == {"crm/deal": "A", "shop/deal": "B"}
    known_before = replace(side("shop", "B"), base={"other": 1})
    assert plan("A", side("crm", "A", "A"), known_before).conflicts[0].cause == "diverged"


@pytest.mark.parametrize(
    ("policy", "value"),
    [(Policy("shop"), "B"), (Policy("crm"), "A"), (Policy("", "prefer:shop"), "B"), (Policy("hub"), "A")],
)
def test_a_policy_decides_about_newcomers(policy: Policy, value: str) -> None:
    found = plan("A", side("crm", "A", "A"), side("shop", "B"), policy=policy)
    assert (found.values.get("title", "A"), found.conflicts) == (value, [])


def test_emptiness_is_filled_without_a_question() -> None:
    assert plan("", side("crm", "", ""), side("shop", "B")).values == {"title": "B"}
    assert plan("A", side("crm", "A", "A"), side("shop", "")).writes == {"shop/deal": {"title": "A"}}


def test_sides_that_differ_though_nobody_moved() -> None:
    """vdirsyncer's blind spot: each is unchanged against what was agreed with it, and still they differ."""
    told = replace(side("shop", "B", "B"), untold=frozenset())
    found = plan("A", side("crm", "A", "A"), told)
    assert (found.conflicts[0].cause, found.conflicts[0].moved, found.writes) == ("diverged", (), {})
    lagging = replace(told, untold=frozenset({"title"}))
    assert plan("A", side("crm", "A", "A"), lagging).writes == {"shop/deal": {"title": "A"}}
    assert plan("A", side("crm", "A", "A"), told, policy=Policy("shop")).values == {"title": "B"}


def test_facts_are_heard_from_their_owner_only() -> None:
    policy = Policy("accounting", only=True)
    assert plan(None, side("shop", True, field="paid"), policy=policy, field="paid").values == {}
    assert plan(False, side("hub", True, False, "paid"), policy=policy, field="paid").values == {}
    sides = (side("shop", False, False, "paid"), side("onec", True, None, "paid"))
    assert plan(False, *sides, policy=policy, field="paid").values == {"paid": True}


def test_what_accounting_knows_moves_a_deal_on() -> None:
    graph = Graph.of([("new", "open"), ("paid", "open"), ("sent", "open"), ("won", "won"), ("lost", "lost")])
    fact = replace(side("onec", "paid", None, "stage"), writable=frozenset(), facts=frozenset({"stage"}))

    def after(record: str) -> Plan:
        crm = side("crm", record, record, "stage")
        return decide({"stage": record}, [crm, fact], lambda _: Policy("crm", "join"), graph)

    found = after("new")
    assert (found.values, found.why["stage"]) == ({"stage": "paid"}, ("owner", "onec/deal"))
    assert found.writes == {"crm/deal": {"stage": "paid"}}
    assert (after("sent").values, after("sent").writes, after("sent").conflicts) == ({}, {}, [])
    assert (after("won").values, after("won").conflicts) == ({}, [])
    assert after("lost").conflicts[0].cause == "illegal_transition", "money for a lost deal"


def test_a_loss_needs_its_reason() -> None:
    crm = side("crm", "lost", "new", "stage")
    assert plan("new", crm, field="stage").conflicts[0].cause == "needs_reason"
    given = replace(crm, seen={"stage": "lost", "lost_reason": "дорого"})
    shop = replace(side("shop", "new", "new", "stage"), writable=frozenset({"stage", "lost_reason"}))
    found = plan("new", given, shop, field="stage")
    assert found.values == {"stage": "lost", "lost_reason": "дорого"}
    assert found.writes == {"shop/deal": {"stage": "lost", "lost_reason": "дорого"}}, "one write carries both"
    usual = decide({"stage": "new"}, [crm, shop], lambda _: Policy(), Graph.of(STAGES, reason="не указана"))
    assert usual.values == {"stage": "lost", "lost_reason": "не указана"}
    assert usual.writes["shop/deal"] == {"stage": "lost", "lost_reason": "не указана"}


def test_a_side_that_refuses_jumps_is_walked() -> None:
    graph = Graph.of(
        [("new", "open"), ("a", "open"), ("b", "open"), ("won", "won")], {"new": ["a"], "a": ["b"], "b": ["won"]}
    )
    shop = replace(side("shop", "new", "new", "stage"), stepwise=True)
    found = decide({"stage": "won"}, [shop], lambda _: Policy(), graph)
    assert (found.paths, found.writes) == ({"shop/deal": ["a", "b", "won"]}, {"shop/deal": {"stage": "a"}})
    coarse = replace(shop, image=lambda _, value: INEXPRESSIBLE if value == "a" else value)
    assert decide({"stage": "won"}, [coarse], lambda _: Policy(), graph).paths == {"shop/deal": ["b", "won"]}


def test_the_graph_of_a_side_binds_what_is_written_there() -> None:
    own = Graph.of([("new", "open"), ("work", "open"), ("won", "won")], {"new": ["won"], "work": ["won"]})
    shop = replace(side("shop", "new", "new", "stage"), graph=own)
    found = plan("new", side("crm", "work", "new", "stage"), shop, field="stage")
    assert (found.conflicts[0].cause, found.values) == ("illegal_transition", {})


def test_money_stops_as_a_whole() -> None:
    base = {"amount": 100, "currency": "RUB"}
    both = frozenset(base)
    crm = Side("crm/deal", "crm", {"amount": 200, "currency": "RUB"}, base, both)
    shop = Side("shop/deal", "shop", {"amount": 100, "currency": "KZT"}, base, both)
    found = decide(base, [crm, shop], lambda _: Policy(), GRAPH)
    assert (found.values, found.writes, found.agreed) == ({}, {}, {})
    assert [c.field for c in found.conflicts] == ["amount", "currency"]


def test_changes_of_different_lines_are_put_together() -> None:
    bolt, nut = {"key": "1", "sku": "B", "qty": 1}, {"key": "2", "sku": "N", "qty": 2}
    sides = (
        side("crm", [{**bolt, "qty": 5}, nut], [bolt, nut], "lines"),
        side("shop", [{**bolt, "key": "s1"}, {**nut, "key": "s2", "qty": 7}], [bolt, nut], "lines"),
    )
    found = plan([bolt, nut], *sides, field="lines")
    assert found.values == {"lines": [{**bolt, "qty": 5}, {**nut, "qty": 7}]}
    assert found.why["lines"][0] == "observed"


def test_what_a_person_decided_is_not_decided_once_more_by_the_graph() -> None:
    """A deal that a person opened again: the older step of one system meets what the other has already."""
    record, late = {"stage": "work"}, side("shop", "new", "won", "stage")
    found = decide(
        record,
        [late, side("crm", "work", "work", "stage")],
        lambda _: Policy("", "join"),
        GRAPH,
        by_hand=frozenset({"stage"}),
    )
    assert found.writes == {"shop/deal": {"stage": "work"}}
    assert (found.why["stage"], found.conflicts) == (("human", "hub"), [])
