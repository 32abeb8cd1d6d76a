"""All combinations of what sides show and what was agreed, table by table; each plan is judged where it is made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sync.reconcile.policy import Policy
from tests.spec.decision_judge import ROLES, SEEN, SETS, STAGES, TITLE_POLICIES, UNKNOWN, Rules, judge, shape


def title_table(rules: Rules) -> Iterator[Any]:
    """Two and three sides, three values, unknown and never agreed, every policy."""
    states = [(s, b) for s in (UNKNOWN, "A", "B", "C") for b in (UNKNOWN, "A", "B")]
    for policy, record in itertools.product(TITLE_POLICIES, (UNKNOWN, "A", "B")):
        for two in itertools.product(states, repeat=2):
            yield judge(rules, "title", record, _sides(rules, "title", two), policy)
    some = [(UNKNOWN, "A"), ("A", "A"), ("B", "A"), ("C", "A"), ("B", UNKNOWN)]
    for policy, three in itertools.product(TITLE_POLICIES, itertools.product(some, repeat=3)):
        yield judge(rules, "title", "A", _sides(rules, "title", three), policy)
    for policy, (one, other) in itertools.product(TITLE_POLICIES, itertools.product(some, repeat=2)):
        sides = [rules.side("a/deal", "title", *one), rules.side("b/deal", "title", *other, writable=False)]
        yield judge(rules, "title", "A", sides, policy)
    for policy, two in itertools.product(TITLE_POLICIES, itertools.product(some, repeat=2)):
        sides = [*_sides(rules, "title", two), rules.side("hub", "title", "C", "A", False)]
        yield judge(rules, "title", "A", sides, policy)
    yield from _astray_table(rules)


def _astray_table(rules: Rules) -> Iterator[Any]:
    """Two sides of which it is known (or not) whether the record moved since they showed it; links new and old."""
    states = [("A", "A"), ("B", "B"), ("C", "C"), ("C", "A"), ("B", UNKNOWN), (UNKNOWN, "B")]
    kinds = itertools.product(states, (None, False, True), (False, True))
    for policy, two in itertools.product(TITLE_POLICIES, itertools.product(kinds, repeat=2)):
        sides = [
            rules.side(name, "title", *state, old=old, untold=untold)
            for name, (state, untold, old) in zip(ROLES, two, strict=False)
        ]
        yield judge(rules, "title", "A", sides, policy)


def empty_table(rules: Rules) -> Iterator[Any]:
    """Nothing is lost by filling what is empty: no question is asked about it, whoever came first."""
    for record, seen in itertools.product((None, "", "A"), repeat=2):
        plan = rules.decide("title", record, [rules.side("a/deal", "title", seen, UNKNOWN)], Policy())
        final = plan.values.get("title", record)
        assert not plan.conflicts, "emptiness is no value to ask about"
        assert final == "A" if "A" in (record, seen) else final in (None, ""), "a value was lost to emptiness"
        yield plan


def _sides(rules: Rules, field: str, states: Any) -> list[Any]:
    return [rules.side(name, field, seen, base) for name, (seen, base) in zip(ROLES, states, strict=False)]


def stage_table(rules: Rules) -> Iterator[Any]:
    """Every stage against every stage: only legal steps, in the record and at every side; people alone leave the end."""
    names = [name for name, _ in STAGES]
    policies = (
        Policy("crm", "join"),
        Policy("", "join"),
        Policy(),
        Policy("accounting", "join"),
        Policy("hub", "join"),
    )
    for policy, record, a, b in itertools.product(policies, names, [*names, UNKNOWN], names):
        sides = _sides(rules, "stage", [(a, record), (b, record)])
        plan = _judge_stage(rules, record, sides, policy)
        if policy.merge == "join" and not policy.owner and record == "new":
            if {a, b} == {"work", "won"}:
                assert plan.values == {"stage": "won"}, "the further stage did not win"
            if {a, b} == {"won", "lost"}:
                assert plan.conflicts, "two ends were joined"
        yield plan
    for record, base, seen in itertools.product(names, names, names):  # one that lags behind, by hand or not
        side = rules.side("a/deal", "stage", seen, base)
        yield _judge_stage(rules, record, [side], Policy())
        plan = rules.decide("stage", record, [side], Policy(), by_hand=frozenset({"stage"}))
        if seen == base != record:
            assert plan.writes == {"a/deal": {"stage": record}}, "a person's decision stopped on its way"
    for record, wanted in itertools.product(names, names):
        edit = rules.side("hub", "stage", wanted, record, False)
        plan = judge(
            rules, "stage", record, [*_sides(rules, "stage", [(UNKNOWN, record), (record, record)]), edit], Policy()
        )
        assert plan.values.get("stage", record) == wanted, "a person was not heard"
        yield plan


def _judge_stage(rules: Rules, record: str, sides: list[Any], policy: Policy) -> Any:
    """Legal steps only; and the same where no reason is configured: then nothing is lost without one."""
    plan = judge(rules, "stage", record, sides, policy)
    by_people = policy.owner == "hub"
    for side in sides:
        if "stage" in side.seen and side.name in plan.writes and not by_people:
            assert _step(side.seen["stage"], plan.writes[side.name]["stage"]), "an illegal step was written"
    after = plan.values.get("stage", record)
    assert by_people or _step(record, after), "an illegal step in the record"
    if after == "lost" != record and not by_people:
        assert plan.values.get("lost_reason") == "why", "lost without a reason"
        strict = rules.decide("stage", record, sides, policy, graph=rules.graphs.of(STAGES))
        assert [c.cause for c in strict.conflicts] == ["needs_reason"], "lost without a reason"
        assert (strict.values, strict.writes) == ({}, {}), "lost without a reason"
        SEEN["reason"] += 1
    if plan.conflicts and plan.conflicts[0].cause == "illegal_transition":
        SEEN["illegal"] += 1
    return plan


def _step(start: str, end: str) -> bool:
    order, closed = [name for name, _ in STAGES], {name for name, meaning in STAGES if meaning != "open"}
    return start == end or (start not in closed and (end in closed or order.index(end) > order.index(start)))


def fact_table(rules: Rules) -> Iterator[Any]:
    """What accounting knows moves a deal on, whoever owns its stage, and never back."""
    names = [name for name, _ in STAGES]
    fields = frozenset({"stage"})
    for policy, record, a, fact, known in itertools.product(
        (Policy("crm", "join"), Policy("", "join")), names, [*names, UNKNOWN], ("work", "won", "lost"), (False, True)
    ):
        crm = rules.side("a/deal", "stage", a, record)
        base = {"stage": fact} if known else {}
        onec = replace(rules.side("c/deal", "stage", fact, UNKNOWN, False), facts=fields, base=base)
        plan = rules.decide("stage", record, [crm, onec], policy)
        assert shape(plan) == shape(rules.decide("stage", record, [onec, crm], policy)), "the order of sides matters"
        alone = rules.decide("stage", record, [crm], policy)
        after, without = plan.values.get("stage", record), alone.values.get("stage", record)
        assert plan.conflicts or _step(record, after), "a fact moved a deal back"
        if known or fact == record:
            assert (after, bool(plan.conflicts)) == (without, bool(alone.conflicts)), "an old fact was heard again"
        elif alone.conflicts:  # the others are in dispute, or one stepped back: the fact may still move the deal on
            assert plan.conflicts or after == fact, "a dispute ended by itself"
        elif _step(without, fact):
            assert plan.conflicts or after == fact, "a fact was not heard"
            SEEN["fact"] += without != fact
        elif without == "lost" or not _step(fact, without):
            assert plan.conflicts, "accounting contradicts and nobody is asked"
        else:
            assert after == without, "a fact moved a deal back"
        yield plan


def path_table(rules: Rules) -> Iterator[Any]:
    """A side that refuses jumps is walked along listed successors; every step is legal, and it arrives."""
    stages = [("new", "open"), ("check", "open"), ("pack", "open"), ("sent", "open"), ("won", "won"), ("lost", "lost")]
    steps = {"new": ("check", "lost"), "check": ("pack", "new", "lost"), "pack": ("sent",), "sent": ("won", "lost")}
    for listed in (steps, {}):
        graph = rules.graphs.of(stages, listed, "why")
        for start, goal in itertools.product([n for n, _ in stages], repeat=2):
            side = replace(rules.side("a/deal", "stage", start, start), stepwise=True)
            plan = rules.decide("stage", goal, [side], Policy(), graph=graph)
            yield plan
            if plan.conflicts or start == goal:
                assert start == goal or not graph.reachable(start, goal)
                continue
            path = plan.paths["a/deal"]
            assert plan.writes["a/deal"]["stage"] == path[0], "another step than the first"
            assert path[-1] == goal
            for here, after in itertools.pairwise([start, *path]):
                assert not listed or after in listed[here], "a step that the graph does not have"
            SEEN["steps"] += len(path) > 1
            for _ in path:
                written = plan.writes["a/deal"]["stage"]
                side = replace(side, seen={"stage": written}, base={"stage": written})
                plan = rules.decide("stage", goal, [side], Policy(), graph=graph)
            assert (plan.writes, plan.conflicts) == ({}, []), "it did not arrive"
            assert side.seen == {"stage": goal}, "it did not arrive"


def rows_table(rules: Rules) -> Iterator[Any]:
    """Lines: what each side did to which line since it was agreed, line by line; two changes of one cell are a question."""
    bolt, nut = {"key": "1", "sku": "B", "qty": 1, "price": 5}, {"key": "2", "sku": "N", "qty": 2, "price": 7}
    changes: dict[str, Any] = {
        "nothing": [bolt, nut],
        "qty of bolt": [{**bolt, "qty": 9}, nut],
        "other qty of bolt": [{**bolt, "qty": 8}, nut],
        "price of bolt": [{**bolt, "price": 4}, nut],
        "price of nut": [bolt, {**nut, "price": 6}],
        "no nut": [bolt],
        "a washer": [bolt, nut, {"key": "3", "sku": "W", "qty": 1, "price": 1}],
        "two washers": [bolt, nut, {"key": "3", "sku": "W", "qty": 2, "price": 1}],
        "a washer and qty": [{**bolt, "qty": 9}, nut, {"key": "3", "sku": "W", "qty": 1, "price": 1}],
        "a screw": [bolt, nut, {"key": "3", "sku": "S", "qty": 1, "price": 1}],
    }
    apart = [
        {"qty of bolt", "other qty of bolt"},
        {"price of nut", "no nut"},
        {"two washers", "a washer"},
        {"two washers", "a washer and qty"},
        {"other qty of bolt", "a washer and qty"},
    ]
    for one, other in itertools.product(changes, repeat=2):
        # the other system numbers its lines itself; new ones may get the same number in both
        there = {
            name: [{**row, "key": str(row["key"]).replace("1", "x"), "product": "p"} for row in found]
            for name, found in changes.items()
        }
        sides = _sides(rules, "lines", [(changes[one], changes["nothing"]), (there[other], there["nothing"])])
        plan = rules.decide("lines", changes["nothing"], sides, Policy())
        if {one, other} in apart:
            assert [c.cause for c in plan.conflicts] == ["both_moved"], f"{one}, {other}: nobody was asked"
        else:
            lines = plan.values.get("lines", changes["nothing"])
            final = {row["sku"]: (row["qty"], row["price"]) for row in lines}
            assert len({row["key"] for row in lines}) == len(lines) == len(final), "a line was doubled"
            wanted = _edited(changes[one], changes[other], changes["nothing"])
            assert final == wanted, f"{one}, {other}: the lines were not merged"
            assert not plan.conflicts
            SEEN["rows"] += one != other != "nothing" != one
        yield plan


def _edited(one: Any, other: Any, base: Any) -> dict[str, Any]:
    """The three lists by article, cell by cell: whoever differs from the base is right."""
    tables = [{row["sku"]: row for row in found} for found in (one, other, base)]
    found = {}
    for sku in dict.fromkeys(k for t in tables for k in t):
        rows = [t.get(sku) for t in tables]
        if rows[2] is not None and None in rows[:2]:
            continue
        new = [r for r in rows if r is not None]
        cells = []
        for cell in ("qty", "price"):
            values = [r[cell] for r in new]
            cells.append(next((v for v in values if rows[2] is None or v != rows[2][cell]), values[0]))
        found[sku] = tuple(cells)
    return found


def money_table(rules: Rules) -> Iterator[Any]:
    """A sum and its currency are one: they are never taken from two sides that mean different money."""
    for a, b in itertools.product(itertools.product((100, 200), ("RUB", "KZT")), repeat=2):
        base = {"amount": 100, "currency": "RUB"}
        both = frozenset(base)
        sides = [
            rules.side_of(name, ROLES[name], dict(zip(base, seen, strict=True)), base, both)
            for name, seen in (("a/deal", a), ("b/deal", b))
        ]
        plan = rules.module.decide(base, sides, lambda _: Policy(), rules.graph)
        final = tuple({**base, **plan.values}.values())
        assert final in (a, b, (100, "RUB")), "money that nobody named"
        for side in sides:
            shown = tuple({**side.seen, **plan.writes.get(side.name, {})}.values())
            assert shown in (a, b, (100, "RUB")), "money that nobody named"
        SEEN["money"] += bool(plan.conflicts)
        yield plan


def set_table(rules: Rules) -> Iterator[Any]:
    """Tags: what somebody added is in, what somebody took away is out, the rest stays."""
    policy = Policy("", "union")
    for record, base, a, b in itertools.product(SETS, repeat=4):
        sides = _sides(rules, "tags", [(sorted(a), sorted(base)), (sorted(b), sorted(record))])
        plan = judge(rules, "tags", sorted(record), sides, policy, sets=True)
        final = set(plan.values.get("tags", record) or ())
        added, removed = (a - base) | (b - record), (base - a) | (record - b)
        assert final == (record - removed) | added, "the sets were not merged"
        yield plan
    for record, a in itertools.product(SETS, repeat=2):
        plan = rules.decide("tags", sorted(record), _sides(rules, "tags", [(sorted(a), UNKNOWN)]), policy)
        assert set(plan.values.get("tags", record) or ()) == record | a, "a side linked just now took something away"


def image_table(rules: Rules) -> Iterator[Any]:
    """Sides whose words are fewer than ours: what they cannot say is not written, what reads the same is left alone."""

    def coarse(_: str, value: Any) -> Any:
        return {"new": "new", "work": "new", "won": "won"}.get(value, rules.inexpressible)

    names = [name for name, _ in STAGES]
    for record, a, b in itertools.product(names, names, ("new", "won")):
        first, second = _sides(rules, "stage", [(a, record), (b, b)])
        second = replace(second, image=coarse)
        plan = rules.decide("stage", record, [first, second], Policy("crm", "join"))
        final = plan.values.get("stage", record)
        written = "b/deal" in plan.writes
        if not plan.conflicts:
            wanted = coarse("", final) is not rules.inexpressible and coarse("", final) != b
            assert written == wanted, "a side was written what it shows already, or cannot show"
        yield plan


def mirror(rules: Rules) -> Iterator[Any]:
    """Swapping two sides with their roles swaps the result and changes nothing else."""
    states = [(s, b) for s in (UNKNOWN, "A", "B", "C") for b in (UNKNOWN, "A", "B")]
    swapped = {"crm": "shop", "shop": "crm", "": ""}
    names = {"a/deal": "b/deal", "b/deal": "a/deal"}
    for owner, record, (one, two) in itertools.product(swapped, (UNKNOWN, "A"), itertools.product(states, repeat=2)):
        plan = rules.decide("title", record, _sides(rules, "title", (one, two)), Policy(owner))
        other = rules.decide("title", record, _sides(rules, "title", (two, one)), Policy(swapped[owner]))
        if record is UNKNOWN and not plan.conflicts and one[0] is not UNKNOWN and two[0] is not UNKNOWN:
            continue  # a first value where nothing was known and nobody moved may be either's
        assert plan.values == other.values
        assert {names[k]: v for k, v in plan.writes.items()} == other.writes, "direction swapped"
        yield plan


TABLES = (
    stage_table,
    fact_table,
    path_table,
    rows_table,
    money_table,
    empty_table,
    image_table,
    set_table,
    mirror,
    title_table,
)
