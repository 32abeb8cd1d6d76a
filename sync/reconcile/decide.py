"""The decision over one record and all its sides at once. No database, no clock, no network.

The canonical record is the middle of a star. Each side shows what it holds now (`seen`) and what was last agreed with it
(`base`). A field that a side did not report takes no part there: unknown is not empty. A side has *moved* when what it
shows differs from what was agreed. Per field, the first rule that fits:

1. an owner with a live link and a known value decides, whatever the others hold; the hub is always live (why: owner)
2. nobody moved: the record's value stands; a side that lags behind is written again                  (why: observed)
3. those who moved agree: their value goes to everybody else                                           (why: observed)
   (where a side moved before it was told of the record's own last change, that change is one of the moves)
4. they differ: the field's merge decides (prefer, join, union), else it is a conflict for a person    (why: the merge's name)
   (a union also keeps what the record gained from elsewhere since)

A stage is left out of a closed one only by a person ("hub"). What a side cannot express is not written there: it keeps
its own word, and that counts as agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.model.compare import same
from sync.reconcile.policy import Policy
from sync.reconcile.stages import Graph

INEXPRESSIBLE: Any = type(
    "Inexpressible", (), {"__repr__": lambda self: "INEXPRESSIBLE", "__bool__": lambda self: False}
)()
HUB = "hub"


def _identity(_: str, value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Side:
    """One link of the record, or the hub itself for what people changed there."""

    name: str  # "hub", or connection/native kind
    role: str
    seen: Mapping[str, Any]
    base: Mapping[str, Any]
    writable: frozenset[str] = frozenset()
    image: Callable[[str, Any], Any] = _identity  # how the side would show a value; INEXPRESSIBLE where it cannot

    def answers_to(self, owner: str) -> bool:
        """Whether `owner` (a role, "connection:NAME" or "hub") means this side."""
        return owner in (self.role, f"connection:{self.name.split('/')[0]}")


@dataclass(frozen=True, slots=True)
class Conflict:
    field: str
    cause: str  # both_moved, illegal_transition
    sides: Mapping[str, Any]
    base: Any


@dataclass(slots=True)
class Plan:
    values: dict[str, Any] = field(default_factory=dict)  # what changes in the record
    why: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # field that changes or is written → (reason, whose word)
    writes: dict[str, dict[str, Any]] = field(default_factory=dict)  # side → fields to write there
    agreed: dict[str, dict[str, Any]] = field(default_factory=dict)  # side → fields whose base advances
    conflicts: list[Conflict] = field(default_factory=list)


def decide(
    record: Mapping[str, Any],
    sides: Sequence[Side],
    policy: Callable[[str], Policy],
    graph: Graph,
    stage_field: str = "stage",
) -> Plan:
    """What follows from what all sides of a record say. The order of `sides` does not matter."""
    plan = Plan()
    sides = sorted(sides, key=lambda s: s.name)
    for name in sorted({f for s in sides for f in (*s.seen, *(s.writable & record.keys()))}):
        knowing = [s for s in sides if name in s.seen]
        current = record.get(name)
        value, why, by = _value(name, current, name in record, knowing, policy(name), graph)
        if value is INEXPRESSIBLE:
            plan.conflicts.append(_conflict(name, "both_moved", current, knowing))
            continue
        if name == stage_field and by != HUB and current and not graph.reachable(current, value):
            plan.conflicts.append(_conflict(name, "illegal_transition", current, knowing))
            continue
        if name not in record or not same(name, current, value):
            plan.values[name] = value
        for side in knowing:
            _settle(plan, side, name, value)
        if name in plan.values or any(name in fields for fields in plan.writes.values()):
            plan.why[name] = (why, by)
    return plan


def _value(
    name: str, current: Any, known: bool, knowing: list[Side], policy: Policy, graph: Graph
) -> tuple[Any, str, str]:
    """The value that shall hold, the reason, and whose word it was. INEXPRESSIBLE: a person must decide."""
    hub = next((s for s in knowing if s.name == HUB), None)
    if policy.owner == HUB and hub is None and known:  # the hub is always there: only people change the field
        return current, "owner", HUB
    owners = [s for s in knowing if s.answers_to(policy.owner)]
    if hub is not None and not owners:
        owners = [hub] if not any(_moved(s, name, current, known) for s in knowing if s is not hub) else []
    if owners:
        values = _distinct(name, owners)
        if len(values) == 1:
            # An owner that stands still has decided already; what a person decided since stands until it moves again
            owner = owners[0]
            kept = known and name in owner.base and same(name, owner.seen[name], owner.base[name])
            return (current if kept else owner.seen[name]), ("human" if owner is hub else "owner"), owner.name
    moved = [s for s in knowing if _moved(s, name, current, known)]
    if not moved:
        return (current if known else knowing[0].seen[name] if knowing else None), "observed", HUB
    values = _distinct(name, moved)
    if policy.merge == "union" and moved != [hub] and all(isinstance(v, list) for v in values if v is not None):
        merged = _union(name, current, moved)
        alone = len(values) == 1 and same(name, merged, values[0])
        return (values[0], "observed", moved[0].name) if alone else (merged, "union", moved[0].name)
    if known and any(_behind(s, name, current) for s in moved):
        # The record moved as well, and the write of that had not arrived: whose word came first does not matter
        rivals = [s for s in knowing if s not in moved and same(name, s.seen[name], current)]
        if not rivals and not any(name in s.base and same(name, s.base[name], current) for s in moved):
            rivals = [Side(HUB, HUB, {name: current}, {})]  # else whoever said it says something else now
        moved = sorted([*moved, *rivals], key=lambda s: s.name)
        values = _distinct(name, moved)
    if len(values) == 1:
        return values[0], ("human" if moved[0] is hub else "observed"), moved[0].name
    return _merge(name, current, moved, values, policy, graph)


def _moved(side: Side, name: str, current: Any, known: bool) -> bool:
    """Whether the side says something new. One that was linked just now speaks only where the record is silent or
    another value stands against its own."""
    if name in side.base:
        return not same(name, side.seen[name], side.base[name])
    return not known or not same(name, side.seen[name], side.image(name, current))


def _behind(side: Side, name: str, current: Any) -> bool:
    """Whether the side, which moved, had not yet been told the record's present value."""
    if name not in side.base or name not in side.writable or same(name, side.seen[name], current):
        return False
    image = side.image(name, current)
    return image is not INEXPRESSIBLE and not same(name, image, side.base[name])


def _distinct(name: str, sides: Sequence[Side]) -> list[Any]:
    values: list[Any] = []
    for side in sides:
        if not any(same(name, side.seen[name], v) for v in values):
            values.append(side.seen[name])
    return values


def _merge(
    name: str, current: Any, moved: list[Side], values: list[Any], policy: Policy, graph: Graph
) -> tuple[Any, str, str]:
    if policy.merge.startswith("prefer:"):
        wanted = policy.merge.removeprefix("prefer:")
        preferred = [s for s in moved if s.answers_to(wanted)]
        if len(_distinct(name, preferred)) == 1:
            return preferred[0].seen[name], "prefer", preferred[0].name
    if policy.merge == "join" and all(isinstance(v, str) for v in values):
        end = graph.join(values)
        if end is not None:
            return end, "join", next(s.name for s in moved if s.seen[name] == end)
    return INEXPRESSIBLE, "", ""


def _union(name: str, current: Any, moved: list[Side]) -> list[Any]:
    """Three-way set merge: what anybody removed is out, what anybody added is in; the record's own other values stay."""
    sets = [(s.base.get(name) or [], s.seen[name] or []) for s in moved]
    merged = [v for v in current or [] if all(_in(name, v, seen) or not _in(name, v, base) for base, seen in sets)]
    for base, seen in sets:
        merged += [v for v in seen if not _in(name, v, merged) and not _in(name, v, base)]
    return merged


def _in(name: str, value: Any, values: Sequence[Any]) -> bool:
    return any(same(name, [value], [other]) for other in values)


def _settle(plan: Plan, side: Side, name: str, value: Any) -> None:
    """Either the side shows the value already (or cannot show it): agreed. Or it is written."""
    image = side.image(name, value)
    if side.name == HUB or image is INEXPRESSIBLE or name not in side.writable or same(name, image, side.seen[name]):
        if name not in side.base or not same(name, side.base[name], side.seen[name]):
            plan.agreed.setdefault(side.name, {})[name] = side.seen[name]
    else:
        plan.writes.setdefault(side.name, {})[name] = value


def _conflict(name: str, cause: str, current: Any, knowing: list[Side]) -> Conflict:
    return Conflict(name, cause, {s.name: s.seen[name] for s in knowing}, current)
