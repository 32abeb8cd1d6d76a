"""What a stage and a sum need beyond the rules of a field: legal steps, a reason for a loss, one currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.model.compare import empty, same
from sync.reconcile.sides import INEXPRESSIBLE, STATE, Found, Plan, Side
from sync.reconcile.stages import Graph

REASON = "lost_reason"


def illegal(start: Any, value: Any, name: str, knowing: Sequence[Side], graph: Graph) -> bool:
    """Whether a system may not do it: no way leads there in the graph of the record, or of a side that is to be written."""
    if start and not graph.reachable(start, value):
        return True
    return any(
        s.seen[name] and s.lacks(name, value) and not (s.graph or graph).reachable(s.seen[name], value) for s in knowing
    )


def lags(side: Side, name: str, held: Any, graph: Graph) -> bool:
    """Whether a side that is only heard ahead of the record shows a stage that the record has left behind, or stands in."""
    seen = side.seen[name]
    if name not in side.onward or not isinstance(held, str) or held == "" or not graph.reachable(seen, held):
        return False
    # where the graph leads both ways the pipeline's order says which of two stages is the further one
    return not graph.reachable(held, seen) or graph.order.index(seen) <= graph.order.index(held)


def went_back(side: Side, name: str, held: Any, graph: Graph) -> bool:
    """Whether such a side was put into an earlier state than it was in when it was last agreed, and behind the record: somebody
    did that there, and it is no lag."""
    was, now = side.base.get(name), side.seen[name]
    if name not in side.onward or not side.state or side.base.get(STATE) in (None, side.state):
        return False
    if not {was, now, held} <= {*graph.order} or now == held:
        return False
    return graph.order.index(now) < graph.order.index(was) and graph.reachable(now, held)


def moved_on(side: Side, fact: str, found: Found, graph: Graph) -> Found:
    """News of what happened (paid, shipped, cancelled) moves a deal on from wherever the others put it, never back."""
    value = found[0]
    if not value or graph.reachable(value, fact):
        return fact, "owner", side.name
    if value in graph.lost or not graph.reachable(fact, value):
        return INEXPRESSIBLE, "illegal_transition", ""
    return found


def needs_reason(record: Mapping[str, Any], plan: Plan, value: Any, sides: Sequence[Side], graph: Graph) -> bool:
    """Whether a deal is being lost and nobody says why."""
    if value not in graph.lost:
        return False
    held = (record.get(REASON), plan.values.get(REASON), *(s.seen.get(REASON) for s in sides))
    return all(empty(v) for v in held)


def on_the_way(plan: Plan, name: str, sides: Sequence[Side], graph: Graph, reason: Any) -> None:
    """A side that refuses jumps gets the next stage on the way; a lost deal's reason travels in the same write."""
    for side in sides:
        written = plan.writes.get(side.name, {})
        if name not in written:
            continue
        if side.stepwise:
            way = (side.graph or graph).path(side.seen[name], written[name]) or [written[name]]
            plan.paths[side.name] = [stage for stage in way if side.lacks(name, stage)]
            written[name] = plan.paths[side.name][0]
        if written[name] in graph.lost and not empty(reason) and side.lacks(REASON, reason):
            written[REASON] = reason
            plan.why.setdefault(REASON, plan.why[name])


def torn_money(plan: Plan, record: Mapping[str, Any], sides: Sequence[Side]) -> bool:
    """Whether a sum would be taken from a side that means another currency: a sum is money only with its currency."""
    if any(c.field == "currency" for c in plan.conflicts):
        return True
    currency = plan.values.get("currency", record.get("currency"))
    theirs = next((s.seen.get("currency") for s in sides if s.name == plan.why["amount"][1]), None)
    return not empty(currency) and not empty(theirs) and not same("currency", theirs, currency)
