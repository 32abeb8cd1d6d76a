"""The decision over one record and all its sides at once. No database, no clock, no network.

The canonical record is the middle of a star. Each side shows what it holds now (`seen`) and what was last agreed with it
(`base`). A side has *moved* when what it shows differs from what was agreed; the record has moved for a side that was not
told yet (`untold`). Per field, the first rule that fits:

0. a side that does not report the field takes no part in it, not even as owner: unknown is not empty
1. all show what the record holds: agreed, nothing is written
2. the owner's word counts, whatever the others hold; the hub is always live                        (why: owner, human)
3. those who moved agree, and nobody moved against them: their value goes to everybody else       (why: observed, human)
4. nobody moved, yet they differ; or nothing was ever agreed and both hold something: `diverged`, decided by rule 5
5. they differ: the field's merge decides (prefer, join, union; rows cell by cell), else it is a conflict

A stage moves along the graph, in the record and on every side that is written; a closed one is left by people only, a
lost one needs its reason. Facts (paid, shipped) move it on, never back. What a side cannot express is not written there:
it keeps its own word, and that counts as agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from sync.model.compare import empty, same
from sync.reconcile.guards import (
    REASON,
    illegal,
    lags,
    moved_on,
    needs_reason,
    on_the_way,
    torn_money,
    went_back,
)
from sync.reconcile.policy import Policy
from sync.reconcile.rows import merge_rows, merge_sets
from sync.reconcile.sides import HUB, INEXPRESSIBLE, NEVER, STATE, Conflict, Found, Plan, Side
from sync.reconcile.stages import Graph

_NAME = attrgetter("name")


def decide(
    record: Mapping[str, Any],
    sides: Sequence[Side],
    policy: Callable[[str], Policy],
    graph: Graph,
    stage_field: str = "stage",
    by_hand: frozenset[str] = frozenset(),
) -> Plan:
    """What follows from what all sides of a record say. The order of `sides` does not matter.

    `by_hand`: fields whose present value in the record a person decided.
    """
    plan = Plan()
    names = _unsettled(record, sides)
    if not names:
        return plan
    sides = sorted(sides, key=_NAME)
    for name in sorted(names):
        if name != stage_field:
            _decide_field(plan, name, record, sides, policy(name), graph)
    if stage_field in names:
        _decide_stage(plan, stage_field, record, sides, policy(stage_field), graph, by_hand)
    if "amount" in plan.why and torn_money(plan, record, sides):
        for name in [n for n in ("amount", "currency") if n in plan.why]:
            plan.forget(name)
            plan.conflicts.append(_conflict(name, "both_moved", record, [s for s in sides if name in s.seen]))
    return plan


def _unsettled(record: Mapping[str, Any], sides: Sequence[Side]) -> set[str]:
    """The fields that need a look. Where nothing but the very same values is seen, rule 1 ends here."""
    names: set[str] = set()
    for side in sides:
        seen, base = side.seen, side.base
        if seen != base or seen != record:  # compared in C: most calls of this module end here
            for name, value in seen.items():
                if name not in base or name not in record or value != base[name] or value != record[name]:
                    names.add(name)
            if _restated(side):
                names |= side.onward
    return names


def _decide_field(
    plan: Plan, name: str, record: Mapping[str, Any], sides: Sequence[Side], policy: Policy, graph: Graph
) -> None:
    current = record.get(name, NEVER)
    knowing, moved, level = _movers(name, current, sides)
    if policy.only and current is NEVER and not any(s.answers_to(policy.owner) for s in knowing):
        return  # a fact that nobody may claim
    if level and len(moved) == 1 and policy.merge != "union":
        lone = moved[0]  # most news are such: one alone moved, all others show what the record holds
        if not policy.owner or lone.answers_to(policy.owner):
            plan.pass_on(name, lone, knowing, "human" if lone.name == HUB else "owner" if policy.owner else "observed")
            return
    value, why, by = _value(name, policy, graph, current, knowing, moved, level)
    if value is INEXPRESSIBLE:
        why = "owners_differ" if why == "both_moved" and _owners_differ(name, policy, knowing) else why
        plan.conflicts.append(_conflict(name, why, record, knowing))
    else:
        plan.carry_out(record, name, value, knowing, (why, by))


def _movers(name: str, current: Any, sides: Sequence[Side]) -> tuple[list[Side], list[Side], bool]:
    """The sides that know the field; those that say something new; whether all had agreed to just what the record holds."""
    knowing, moved, level = [], [], True
    for side in sides:
        seen = side.seen.get(name, NEVER)
        if seen is NEVER:
            continue
        knowing.append(side)
        base = side.base.get(name, NEVER)
        if base != current or base is NEVER:
            level = False
        if base != seen and (_speaks(side, name, current) if base is NEVER else not same(name, base, seen)):
            moved.append(side)
    return knowing, moved, level


def _decide_stage(
    plan: Plan,
    name: str,
    record: Mapping[str, Any],
    sides: Sequence[Side],
    policy: Policy,
    graph: Graph,
    by_hand: frozenset[str],
) -> None:
    knowing, current = [s for s in sides if name in s.seen], record.get(name)
    back = [s for s in knowing if went_back(s, name, record.get(name), graph)]
    facts = [s for s in knowing if name in s.facts and s not in back]
    others, held = [s for s in knowing if s not in facts or s.fact is not NEVER], record.get(name, NEVER)
    others = [_standing_still(s, name) if s not in back and _no_news(s, name, held, graph) else s for s in others]
    value, why, by = _value(name, policy, graph, held, *_movers(name, held, others))
    for side in facts:
        if value is not INEXPRESSIBLE and _moved(side, name, record.get(name, NEVER)):
            fact = side.seen[name] if side.fact is NEVER else side.fact
            value, why, by = moved_on(side, fact, (value, why, by), graph)
    human = (by == HUB and why != "observed") or (name in by_hand and value == current)
    if human and why == "join":  # what a person decided is not decided once more by the graph
        why, by = "human", HUB
    cause = why if value is INEXPRESSIBLE else ""
    if not cause and not human and illegal(current, value, name, knowing, graph):
        cause = "unknown_stage" if value and value not in graph.order else "illegal_transition"
    if not cause and not human and value != current and needs_reason(record, plan, value, sides, graph):
        cause = "" if graph.reason else "needs_reason"
        if graph.reason:
            plan.carry_out(record, REASON, graph.reason, [s for s in sides if REASON in s.seen], ("owner", HUB))
    if cause:
        plan.conflicts.append(_conflict(name, cause, record, knowing))
        return
    plan.carry_out(record, name, value, knowing, (why, by))
    for side in knowing:
        if _restated(side):
            plan.agreed.setdefault(side.name, {})[STATE] = side.state
    on_the_way(plan, name, sides, graph, plan.values.get(REASON, record.get(REASON)))


def _restated(side: Side) -> bool:
    """Whether the side shows its record in another state of its own than the one that was agreed."""
    return bool(side.state) and side.state != side.base.get(STATE)


def _no_news(side: Side, name: str, held: Any, graph: Graph) -> bool:
    """Whether a side with states of its own is in the one that was agreed, whatever stage that stands for seen from here, or
    in one that the record has left behind."""
    return (name in side.onward and side.base.get(STATE) == side.state != "") or lags(side, name, held, graph)


def _standing_still(side: Side, name: str) -> Side:
    """The side as if what it shows had been agreed."""
    return replace(side, base={**side.base, name: side.seen[name]})


def _value(
    name: str, policy: Policy, graph: Graph, current: Any, knowing: Sequence[Side], moved: list[Side], level: bool
) -> Found:
    """Rules 2 to 5. `current` is NEVER where the record does not know the field; `moved`, `level`: of all sides."""
    owner, known, hub = policy.owner, current is not NEVER, None
    owners = [s for s in knowing if s.answers_to(owner)] if owner else []
    speaking = knowing
    if policy.only:
        speaking, moved = owners, [s for s in moved if s in owners]
    for side in speaking:
        if side.name == HUB:
            hub = side
    if owner == HUB and hub is None and known:  # the hub is always there: only people change the field
        return current, "owner", HUB
    if owners and (len(owners) == 1 or len(_distinct(name, owners)) == 1):
        # An owner that stands still has decided already; what a person decided since stands until it moves again
        news = [s for s in owners if s in moved or not known or _astray(s, name, current)]
        by = (news or owners)[0]
        return (by.seen[name] if news else current), ("human" if by is hub else "owner"), by.name
    if hub is not None and not owners and all(s is hub for s in moved):
        return hub.seen[name], "human", HUB
    if len(moved) == 1 and moved[0] in owners:
        moved = [*moved, *_of_another_mind(name, moved[0], owners)]
    # Rule 3 at its plainest
    if len(moved) == 1 and policy.merge != "union" and not (known and _behind(moved[0], name, current)):
        return moved[0].seen[name], ("human" if moved[0] is hub else "observed"), moved[0].name
    astray = not moved
    if astray:
        moved = [s for s in speaking if not known or (name in s.writable and _astray(s, name, current))]
        if not moved:
            return (current if known else None), "observed", HUB
    return _meet(name, current, speaking, moved, policy.merge, graph, astray, level)


def _meet(
    name: str,
    current: Any,
    speaking: Sequence[Side],
    moved: list[Side],
    merge: str,
    graph: Graph,
    astray: bool,
    level: bool,
) -> Found:
    """Rules 3 to 5 among those who moved, or who went astray."""
    first, known = moved[0], current is not NEVER
    values = [first.seen[name]] if len(moved) == 1 else _distinct(name, moved)
    if merge == "union" and (len(moved) > 1 or first.name != HUB) and all(isinstance(v, list | None) for v in values):
        merged = merge_sets(name, (current if known else None) or [], _changes(name, moved))
        alone = len(values) == 1 and same(name, merged, values[0])
        return (values[0], "observed", first.name) if alone else (merged, "union", first.name)
    behind: Sequence[Side] = ()
    if known and (astray or not level):
        behind = moved if astray else [s for s in moved if _behind(s, name, current)]
    if behind and (len(values) > 1 or len(behind) == len(moved)):
        # The record moved as well, and the write of that had not arrived: whose word came first does not matter
        rivals = [s for s in speaking if s not in moved and same(name, s.seen[name], current)]
        if not rivals and not any(
            name in s.base and s not in behind and same(name, s.base[name], current) for s in moved
        ):
            rivals = [Side(HUB, HUB, {name: current}, {})]  # else whoever said it says something else now
        moved = sorted([*moved, *rivals], key=_NAME)
        values = _distinct(name, moved)
    if len(values) == 1:
        return values[0], ("human" if moved[0].name == HUB else "observed"), moved[0].name
    if isinstance(current, list) and not _new(name, moved):
        changes = _changes(name, moved, current)
        if all(isinstance(row, dict) for rows in (current, *(r for c in changes for r in c)) for row in rows):
            merged_rows = merge_rows(current, changes)
            if merged_rows is not None:
                return merged_rows, "observed", first.name
    if merge[:7] == "prefer:":
        role = merge[7:]
        preferred = [s for s in moved if s.answers_to(role)]
        if len(preferred) == 1 or len(_distinct(name, preferred)) == 1:
            return preferred[0].seen[name], "prefer", preferred[0].name
    if merge == "join" and all(isinstance(v, str) for v in values):
        end = graph.join(values)
        if end is not None:
            return end, "join", next(s.name for s in moved if s.seen[name] == end)
    return INEXPRESSIBLE, ("diverged" if astray or any(s.base for s in _new(name, moved)) else "both_moved"), ""


def _owners_differ(name: str, policy: Policy, knowing: Sequence[Side]) -> bool:
    """Whether several sides decide over the field, and do not say the same."""
    return policy.owner != "" and len(_distinct(name, [s for s in knowing if s.answers_to(policy.owner)])) > 1


def _of_another_mind(name: str, mover: Side, owners: Sequence[Side]) -> list[Side]:
    """Other owners that stand still, and have not said what the mover said before: what it says now is not theirs either. Who
    only has not heard of it yet showed the same before."""
    was = mover.base.get(name, NEVER)
    if was is NEVER:
        return []
    return [s for s in owners if s is not mover and name in s.base and not same(name, s.base[name], was)]


def _new(name: str, sides: Sequence[Side]) -> list[Side]:
    """The sides with which nothing was ever agreed of the field."""
    return [s for s in sides if name not in s.base and s.name != HUB]


def _changes(name: str, sides: Sequence[Side], otherwise: Any = None) -> list[tuple[list[Any], list[Any]]]:
    return [(s.base.get(name, otherwise) or [], s.seen[name] or []) for s in sides]


def _moved(side: Side, name: str, current: Any) -> bool:
    """Whether the side says something new. One without a base speaks where the record is silent, or holds another value
    than the side's own."""
    base = side.base.get(name, NEVER)
    return _speaks(side, name, current) if base is NEVER else not same(name, side.seen[name], base)


def _speaks(side: Side, name: str, current: Any) -> bool:
    """The same of a side without a base."""
    seen = side.seen[name]
    return current is NEVER or not (empty(seen) or same(name, seen, side.image(name, current)))


def _behind(side: Side, name: str, current: Any) -> bool:
    """Whether the record holds something that this side, which speaks against it, was never told or never agreed to."""
    base = side.base.get(name, NEVER)
    if base == current:
        return False
    if base is NEVER:
        return not empty(current)
    if name not in side.writable and name not in side.fetches:
        return False
    image = side.image(name, current)
    return not (image is INEXPRESSIBLE or same(name, image, base) or same(name, side.seen[name], current))


def _astray(side: Side, name: str, current: Any) -> bool:
    """Whether the side shows another value than the record though neither has moved: one of the two is damaged."""
    if side.untold is None or name in side.untold or empty(side.seen[name]):
        return False
    image = side.image(name, current)
    return image is not INEXPRESSIBLE and not same(name, image, side.seen[name])


def _distinct(name: str, sides: Sequence[Side]) -> list[Any]:
    values: list[Any] = []
    for side in sides:
        seen = side.seen[name]
        for value in values:
            if same(name, seen, value):
                break
        else:
            values.append(seen)
    return values


def _conflict(name: str, cause: str, record: Mapping[str, Any], knowing: Sequence[Side]) -> Conflict:
    moved = [s for s in knowing if _moved(s, name, record.get(name, NEVER))]
    agreed = next((s.base[name] for s in [*moved, *knowing] if name in s.base), record.get(name))
    return Conflict(name, cause, {s.name: s.seen[name] for s in knowing}, agreed, tuple(s.name for s in moved))
