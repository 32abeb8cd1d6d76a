"""Stage graphs: which stage may follow which, and where two moves meet.

The order of a pipeline is its graph: an open stage may go on to any later one and to every closed one; a closed stage
(won or lost) is left only by a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Graph:
    order: tuple[str, ...]
    closed: frozenset[str]

    @classmethod
    def of(cls, stages: Sequence[tuple[str, str]]) -> Graph:
        """From (name, semantic) pairs in order; semantic is open, won or lost."""
        return cls(tuple(n for n, _ in stages), frozenset(n for n, s in stages if s != "open"))

    def reachable(self, start: str, end: str) -> bool:
        """Whether a system may move a deal from `start` to `end` by itself."""
        if start == end:
            return True
        if start in self.closed or start not in self.order or end not in self.order:
            return False
        return end in self.closed or self.order.index(start) < self.order.index(end)

    def join(self, values: Sequence[str]) -> str | None:
        """The one stage that all the others lead to; None when there is none."""
        ends = {v for v in values if all(self.reachable(other, v) for other in values)}
        return ends.pop() if len(ends) == 1 else None


def stage_of_facts(
    table: Mapping[str, str], paid: bool | None, shipped: bool | None, cancelled: bool | None
) -> str | None:
    """The stage that the accounting side's facts stand for, by the pipeline's table; None while no fact is known.

    >>> stage_of_facts({"paid": "paid", "cancelled": "lost"}, True, None, None)
    'paid'
    """
    if cancelled and "cancelled" in table:
        return table["cancelled"]
    if paid and shipped and "paid_and_shipped" in table:
        return table["paid_and_shipped"]
    if shipped and "shipped" in table:
        return table["shipped"]
    return table.get("paid") if paid else None
