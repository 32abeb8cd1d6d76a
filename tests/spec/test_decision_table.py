"""The decision over all combinations of what sides show and what was agreed, judged by predicates, not by examples.

The same table judges deliberately wrong versions of the decision: each must be found out.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.model.compare import same
from sync.reconcile.policy import Policy

MODULES = {name: importlib.import_module(f"sync.reconcile.{name}") for name in ("decide", "stages")}
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
ROLES = {"a/deal": "crm", "b/deal": "shop", "c/deal": "accounting"}
SETS = tuple(frozenset(s) for n in range(3) for s in itertools.combinations("xy", n))


class Rules:
    """The decision under test with what it needs: the product's own, or a wrong version of it."""

    def __init__(self, decide: Any, stages: Any) -> None:
        self.module = decide
        self.graph = stages.Graph.of(STAGES)

    def side(self, name: str, field: str, seen: Any, base: Any, writable: bool = True) -> Any:
        return self.module.Side(
            name,
            "hub" if name == "hub" else ROLES[name],
            {} if seen is UNKNOWN else {field: seen},
            {} if base is UNKNOWN else {field: base},
            frozenset({field}) if writable else frozenset(),
        )

    def decide(self, field: str, record: Any, sides: list[Any], policy: Policy) -> Any:
        return self.module.decide({} if record is UNKNOWN else {field: record}, sides, lambda _: policy, self.graph)


def product() -> Rules:
    return Rules(MODULES["decide"], MODULES["stages"])


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
    assert shape(plan) == shape(rules.decide(field, record, sides[::-1], policy)), "the order of sides matters"
    said = [s.seen[field] for s in knowing] + ([] if record is UNKNOWN else [record])
    final = plan.values.get(field, record)
    if not sets:
        assert all(any(same(field, v, s) for s in said) for v in plan.values.values()), "a value was invented"
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
        if moved(live[0], field, record) and not plan.conflicts:
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
    for side in movers:
        assert same(field, final, side.seen[field]) or ruled, "a change was overwritten in silence"
        if record is not UNKNOWN and field in side.base and field in side.writable:
            untold = not same(field, side.base[field], record) and not same(field, side.seen[field], record)
            untold &= not any(field in s.base and same(field, s.base[field], record) for s in movers)
            assert not untold or ruled, "the record's own change, not yet written there, was overwritten in silence"
    if not movers and not ruled and record is not UNKNOWN:
        assert same(field, final, record), "the record moved although nobody did"


def _settled(rules: Rules, plan: Any, field: str, record: Any, sides: list[Any], policy: Policy) -> None:
    """When everything planned has been done, nothing is left to do."""
    if plan.conflicts:
        return
    after = []
    for side in sides:
        written = plan.writes.get(side.name)
        agreed = plan.agreed.get(side.name)
        if written:
            side = replace(side, seen=written, base=written)
        elif agreed:
            side = replace(side, base={**side.base, **agreed})
        if side.name != "hub":  # a person's edit is done with
            after.append(side)
    known = plan.values.get(field, record)
    again = rules.decide(field, known, after, policy)
    assert (again.values, again.writes, again.agreed) == ({}, {}, {}), "a second look does something again"
    for side in after:
        if field in side.seen and field in side.writable and known is not UNKNOWN:
            assert same(field, side.seen[field], known) or not plan.values, "a side was left behind"


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


def _sides(rules: Rules, field: str, states: Any) -> list[Any]:
    return [rules.side(name, field, seen, base) for name, (seen, base) in zip(ROLES, states, strict=False)]


def stage_table(rules: Rules) -> Iterator[Any]:
    """Every stage against every stage: only legal steps, and a closed stage is left by people alone."""
    names = [name for name, _ in STAGES]
    policies = (Policy("crm", "join"), Policy("", "join"), Policy(), Policy("accounting", "join"))
    for policy, record, a, b in itertools.product(policies, names, [*names, UNKNOWN], names):
        sides = _sides(rules, "stage", [(a, record), (b, record)])
        plan = judge(rules, "stage", record, sides, policy)
        _legal(rules, plan, record)
        if policy.merge == "join" and not owners_of(sides, policy) and record == "new":
            if {a, b} == {"work", "won"}:
                assert plan.values == {"stage": "won"}, "the further stage did not win"
            if {a, b} == {"won", "lost"}:
                assert plan.conflicts, "two ends were joined"
        yield plan
    for record, wanted in itertools.product(names, names):
        edit = rules.side("hub", "stage", wanted, record, False)
        plan = judge(
            rules, "stage", record, [*_sides(rules, "stage", [(UNKNOWN, record), (record, record)]), edit], Policy()
        )
        assert plan.values.get("stage", record) == wanted, "a person was not heard"
        yield plan


def _legal(rules: Rules, plan: Any, record: str) -> None:
    closed = {name for name, meaning in STAGES if meaning != "open"}
    order = [name for name, _ in STAGES]
    after = plan.values.get("stage", record)
    if after != record:
        assert record not in closed, "a closed stage was left"
        assert after in closed or order.index(after) > order.index(record), "a step back"


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
        return {"new": "new", "work": "new", "won": "won"}.get(value, rules.module.INEXPRESSIBLE)

    names = [name for name, _ in STAGES]
    for record, a, b in itertools.product(names, names, ("new", "won")):
        first, second = _sides(rules, "stage", [(a, record), (b, b)])
        second = replace(second, image=coarse)
        plan = rules.decide("stage", record, [first, second], Policy("crm", "join"))
        final = plan.values.get("stage", record)
        written = "b/deal" in plan.writes
        if not plan.conflicts:
            wanted = coarse("", final) is not rules.module.INEXPRESSIBLE and coarse("", final) != b
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


TABLES = (stage_table, image_table, set_table, mirror, title_table)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.__name__)
def test_the_decision_keeps_every_promise(table: Any) -> None:
    plans = list(table(product()))
    assert any(p.values for p in plans)
    assert any(p.writes for p in plans)
    if table is not set_table:
        assert any(p.conflicts for p in plans) or table is image_table


def test_the_table_is_not_empty() -> None:
    plans = list(title_table(product()))
    assert len(plans) > 4000
    reasons = {p.why["title"][0] for p in plans if "title" in p.why}
    assert reasons == {"owner", "observed", "prefer", "human"}
    causes = {c.cause for table in TABLES for p in table(product()) for c in p.conflicts}
    assert causes == {"both_moved", "illegal_transition"}


MUTANTS = {
    "a write that has not arrived is forgotten": (
        "decide",
        "if known and any(_behind(s, name, current) for s in moved):",
        "if False:",
    ),
    "the first mover wins in silence": (
        "decide",
        "    return _merge(name, current, moved, values, policy, graph)",
        "    return values[0], 'observed', moved[0].name",
    ),
    "owners are ignored": ("decide", "    if owners:\n", "    if False:\n"),
    "the hub's own fields are anybody's": ("decide", "if policy.owner == HUB and hub is None and known:", "if False:"),
    "unknown counts as empty": (
        "decide",
        "knowing = [s for s in sides if name in s.seen]",
        "knowing = [_filled(s, name) for s in sides]",
    ),
    "equal values are written": ("decide", " or same(name, image, side.seen[name])", ""),
    "a closed stage is left by anybody": ("stages", "if start in self.closed or start not in", "if start not in"),
    "illegal steps are taken": ("decide", "current and not graph.reachable(current, value)", "False"),
    "the earlier stage wins": (
        "stages",
        "all(self.reachable(other, v) for other in values)",
        "all(self.reachable(v, other) for other in values)",
    ),
    "the old value wins over the moved one": (
        "decide",
        'return values[0], ("human" if moved[0] is hub else "observed")',
        'return (current if known else values[0]), ("human" if moved[0] is hub else "observed")',
    ),
    "base advances although the side is to be written": (
        "decide",
        "        plan.writes.setdefault(side.name, {})[name] = value\n",
        "        plan.writes.setdefault(side.name, {})[name] = value\n"
        "        plan.agreed.setdefault(side.name, {})[name] = value\n",
    ),
    "base never advances": ("decide", "plan.agreed.setdefault(side.name, {})[name] = side.seen[name]", "pass"),
    "conflicts are written anyway": (
        "decide",
        'plan.conflicts.append(_conflict(name, "both_moved", current, knowing))\n            continue',
        'plan.conflicts.append(_conflict(name, "both_moved", current, knowing))\n            value = current',
    ),
    "removed tags come back": (
        "decide",
        "if all(_in(name, v, seen) or not _in(name, v, base) for base, seen in sets)",
        "",
    ),
    "a union forgets what the record gained": (
        "decide",
        "alone = len(values) == 1 and same(name, merged, values[0])",
        "alone = len(values) == 1",
    ),
    "what cannot be expressed is written": ("decide", "image is INEXPRESSIBLE or ", ""),
    "sides that take no writes are written": (
        "decide",
        "INEXPRESSIBLE or name not in side.writable or",
        "INEXPRESSIBLE or",
    ),
}


def mutant(place: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> Rules:
    """The module with one passage replaced."""
    text = Path(str(MODULES[place].__file__)).read_text(encoding="utf-8")
    assert text.count(old) == 1, "the passage to break is not there (any more)"
    module = types.ModuleType(f"mutant_{place}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.__dict__["_filled"] = lambda side, name: replace(side, seen={name: None, **side.seen})
    exec(compile(text.replace(old, new), module.__name__, "exec"), module.__dict__)
    found = {**MODULES, place: module}
    return Rules(found["decide"], found["stages"])


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_broken_decision_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = mutant(*MUTANTS[name], monkeypatch)
    with pytest.raises(AssertionError):
        list(itertools.chain.from_iterable(table(rules) for table in TABLES))
