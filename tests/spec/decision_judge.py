"""What every decision must hold to, whatever came out: predicates over a plan, for the tables to ask."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

from sync.model.compare import same
from sync.reconcile.policy import Policy

UNKNOWN = object()
TITLE_POLICIES = (
    Policy(),
    Policy("crm"),
    Policy("hub"),
    Policy("mail"),  # an owner that has no link to this record
    Policy("connection:a"),
    Policy("", "prefer:crm"),
    Policy("crm", "prefer:shop"),
)
STAGES = [("new", "open"), ("work", "open"), ("won", "won"), ("lost", "lost")]
SEEN: Counter[str] = Counter()  # how often each rule was really met
ROLES = {"a/deal": "crm", "b/deal": "shop", "c/deal": "accounting"}
SETS = tuple(frozenset(s) for n in range(3) for s in itertools.combinations("xy", n))


class Rules:
    """The decision under test with what it needs: the product's own, or a wrong version of it."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self.module = modules["decide"]
        self.side_of = modules["sides"].Side
        self.inexpressible = modules["sides"].INEXPRESSIBLE
        self.graphs = modules["stages"].Graph
        self.graph = self.graphs.of(STAGES, reason="why")

    def side(
        self,
        name: str,
        field: str,
        seen: Any,
        base: Any,
        writable: bool = True,
        *,
        old: bool = False,
        untold: Any = None,
    ) -> Any:
        """`old`: something else was agreed with it before. `untold`: whether the record moved since; None: not known."""
        return self.side_of(
            name,
            "hub" if name == "hub" else ROLES[name],
            {} if seen is UNKNOWN else {field: seen},
            ({} if base is UNKNOWN else {field: base}) | ({"other": 1} if old else {}),
            frozenset({field}) if writable else frozenset(),
            untold=None if untold is None else frozenset({field} if untold else ()),
        )

    def decide(self, field: str, record: Any, sides: list[Any], policy: Policy, **more: Any) -> Any:
        data = {} if record is UNKNOWN else {field: record}
        return self.module.decide(data, sides, lambda _: policy, more.pop("graph", self.graph), **more)


def shape(plan: Any) -> tuple[Any, ...]:
    """A plan as a comparable value."""
    conflicts = [(c.field, c.cause, dict(c.sides), c.base) for c in plan.conflicts]
    return plan.values, plan.why, plan.writes, plan.agreed, conflicts


def moved(side: Any, field: str, record: Any) -> bool:
    if field in side.base:
        return not same(field, side.seen[field], side.base[field])
    return record is UNKNOWN or not same(field, side.seen[field], record)


def owners_of(sides: list[Any], policy: Policy) -> list[Any]:
    names = {policy.owner}
    return [s for s in sides if s.role in names or f"connection:{s.name.split('/')[0]}" in names]


def judge(rules: Rules, field: str, record: Any, sides: list[Any], policy: Policy, *, sets: bool = False) -> Any:
    """Every predicate that holds for any field; gives the plan."""
    plan = rules.decide(field, record, sides, policy)
    knowing = [s for s in sides if field in s.seen]
    for order in itertools.permutations(sides) if len(sides) > 2 else [sides[::-1]]:
        assert shape(plan) == shape(rules.decide(field, record, list(order), policy)), "the order of sides matters"
    said = [s.seen[field] for s in knowing] + ([] if record is UNKNOWN else [record])
    final = plan.values.get(field, record)
    if not sets:
        assert all(any(same(f, v, s) for s in said) for f, v in plan.values.items() if f == field), (
            "a value was invented"
        )
    assert all(same(field, w[field], final) for w in plan.writes.values()), "another value is written than was decided"
    _unknown_and_unwritable(plan, field, sides)
    if plan.conflicts:
        assert (plan.values, plan.writes, plan.agreed) == ({}, {}, {}), "something was done beside a conflict"
        assert dict(plan.conflicts[0].sides) == {s.name: s.seen[field] for s in knowing}
    if knowing and all(same(field, v, said[0]) for v in said):
        assert (plan.values, plan.writes, plan.conflicts) == ({}, {}, []) or record is UNKNOWN, (
            "agreement was disturbed"
        )
        assert not plan.writes, "an echo"
    live = [s for s in owners_of(knowing, policy) if s.name != "hub"]
    if len(live) == 1:
        assert live[0].name not in plan.writes or same(field, final, record), "the owner was overruled"
        astray = live[0].untold == frozenset() and not same(field, live[0].seen[field], record)
        if (astray or moved(live[0], field, record)) and not plan.conflicts:
            assert same(field, final, live[0].seen[field]), "the owner was not heard"
    for side in knowing:
        agreed = plan.agreed.get(side.name, {})
        assert field not in agreed or agreed[field] == side.seen[field], "a base that nobody showed"
        if not plan.conflicts and side.name not in plan.writes:
            base = {**side.base, **agreed}.get(field, UNKNOWN)
            assert base is not UNKNOWN, "what was agreed was not remembered"
            assert same(field, base, side.seen[field]), "what was agreed was not remembered"
    if policy.owner == "hub" and record is not UNKNOWN and all(s.name != "hub" for s in sides):
        assert not plan.values, "the hub's own field was changed from outside"
    _nothing_lost(plan, field, record, knowing, policy, final, sets)
    if not sets:
        _asked(plan, field, record, sides, policy, final)
    _settled(rules, plan, field, record, sides, policy)
    return plan


def _unknown_and_unwritable(plan: Any, field: str, sides: list[Any]) -> None:
    for side in sides:
        if field not in side.seen:
            assert side.name not in plan.writes, "a side that did not report the field is written"
            assert side.name not in plan.agreed, "something was agreed with a silent side"
            assert all(side.name not in c.sides for c in plan.conflicts)
        if field not in side.writable or side.name == "hub":
            assert side.name not in plan.writes, "a side that takes no writes is written"


def _nothing_lost(
    plan: Any, field: str, record: Any, knowing: list[Any], policy: Policy, final: Any, sets: bool
) -> None:
    """What a side changed is either the result, or in a conflict, or replaced for a reason that names a rule."""
    if plan.conflicts or sets:
        return
    movers = [s for s in knowing if moved(s, field, record)]
    why = plan.why.get(field, ("", ""))[0]
    ruled = bool(owners_of(knowing, policy)) or policy.owner == "hub" or why in ("prefer", "join", "human")
    ruled |= policy.merge.startswith("prefer:")  # also where its word is the record's own already
    for side in movers:
        assert same(field, final, side.seen[field]) or ruled, "a change was overwritten in silence"
        if record is not UNKNOWN and field in side.base and field in side.writable:
            untold = not same(field, side.base[field], record) and not same(field, side.seen[field], record)
            untold &= not any(field in s.base and same(field, s.base[field], record) for s in movers)
            assert not untold or ruled, "the record's own change, not yet written there, was overwritten in silence"
    if not movers and not ruled and record is not UNKNOWN:
        assert same(field, final, record), "the record moved although nobody did"


def _asked(plan: Any, field: str, record: Any, sides: list[Any], policy: Policy, final: Any) -> None:
    """Which rule must have been taken, where that can be told from outside; each is counted."""
    knowing = [s for s in sides if field in s.seen]
    if len(knowing) < len(sides):
        SEEN["0 unknown"] += 1
    if not knowing:
        return
    movers = [s for s in knowing if moved(s, field, record)]
    people = any(s.name == "hub" for s in knowing)
    if all(same(field, s.seen[field], record) for s in knowing):
        SEEN["1 agree"] += 1
        return
    if owners_of(knowing, policy) or policy.owner == "hub":
        SEEN["2 owner"] += 1
        return
    never = [s for s in movers if field not in s.base and s.name != "hub"]
    if record is not UNKNOWN and never and not people:
        SEEN["4 never agreed"] += 1
        with_base = [s for s in movers if s not in never]
        # Either a conflict, or everybody who moved says the same and one of them knew the record's value; or a policy
        agreed = len({s.seen[field] for s in movers}) == 1 and with_base
        assert plan.conflicts or agreed or policy.merge != "manual", "two values that were never agreed: no question"
        if plan.conflicts:
            cause = "diverged" if any(s.base for s in never) else "both_moved"
            assert plan.conflicts[0].cause == cause, "a newcomer and a lost base are not the same"
        return
    astray = [
        s for s in knowing if s.untold == frozenset() and field in s.writable and not same(field, s.seen[field], record)
    ]
    if record is not UNKNOWN and not movers and not people:
        if astray and policy.merge == "manual":
            SEEN["4 diverged"] += 1
            assert [c.cause for c in plan.conflicts] == ["diverged"], "nobody moved, yet they differ"
        elif not astray:
            SEEN["3 told again"] += 1
            assert all(c.cause == "illegal_transition" for c in plan.conflicts)
            assert same(field, final, record)
        return
    values = {s.seen[field] for s in movers}
    if len(values) > 1:
        SEEN["5 " + ("policy" if not plan.conflicts else "conflict")] += 1
        assert plan.conflicts or policy.merge != "manual" or record is UNKNOWN, "both moved and nobody was asked"
    elif movers and not plan.conflicts:
        SEEN["3 moved"] += 1


def _settled(rules: Rules, plan: Any, field: str, record: Any, sides: list[Any], policy: Policy) -> None:
    """When everything planned has been done, nothing is left to do."""
    if plan.conflicts:
        return
    known = plan.values.get(field, record)
    after = []
    for side in sides:
        written = plan.writes.get(side.name)
        agreed = plan.agreed.get(side.name)
        if written:
            side = replace(side, seen=written, base={**side.base, **written})
        elif agreed:
            side = replace(side, base={**side.base, **agreed})
        if side.untold is not None:
            told = field in side.seen and same(field, side.seen[field], known)
            side = replace(side, untold=frozenset() if told else frozenset({field}))
        if side.name != "hub":  # a person's edit is done with
            after.append(side)
    again = rules.decide(field, known, after, policy)
    assert (again.values, again.writes, again.agreed) == ({}, {}, {}), "a second look does something again"
    for side in after:
        if field in side.seen and field in side.writable and known is not UNKNOWN:
            assert same(field, side.seen[field], known) or not plan.values, "a side was left behind"
