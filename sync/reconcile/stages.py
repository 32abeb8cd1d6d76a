"""Stage graphs: which stage may follow which, by which way, and where two moves meet.

Without more the order of a pipeline is its graph: an open stage may go on to any later one and to every closed one. A stage
may list its successors instead (`next`). A closed stage (won or lost) is left only by a person.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sync.errors import Text


@dataclass(frozen=True, slots=True)
class Graph:
    order: tuple[str, ...]
    closed: frozenset[str]
    lost: frozenset[str] = frozenset()
    ahead: Mapping[str, frozenset[str]] = field(default_factory=dict)  # stage → what a system may move it to, at last
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # stage → its listed successors
    reason: str = ""  # why a deal is lost, where the side that closed it gives none

    @classmethod
    def of(
        cls, stages: Sequence[tuple[str, str]], steps: Mapping[str, Iterable[str]] | None = None, reason: str = ""
    ) -> Graph:
        """From (name, semantic) pairs in order; semantic is open, won or lost. `steps`: the successors that stages list."""
        order = tuple(name for name, _ in stages)
        closed = frozenset(name for name, semantic in stages if semantic != "open")
        lost = frozenset(name for name, semantic in stages if semantic == "lost")
        listed = {name: tuple(ends) for name, ends in (steps or {}).items()}
        direct = {name: () if name in closed else listed.get(name, _later(order, closed, name)) for name in order}
        return cls(order, closed, lost, {name: _closure(direct, name) for name in order}, listed, reason)

    def reachable(self, start: str, end: str) -> bool:
        """Whether a system may move a deal from `start` to `end` by itself, in however many steps."""
        return start == end or end in self.ahead.get(start, ())

    def join(self, values: Sequence[str]) -> str | None:
        """The one stage that all the others lead to; None when there is none, or when two lead to each other."""
        ends = {v for v in values if all(self.reachable(other, v) for other in values)}
        return ends.pop() if len(ends) == 1 else None

    def path(self, start: str, end: str) -> list[str] | None:
        """The stages to go through one by one, `end` included; None when there is no way.

        The shortest way over listed successors. A stage that lists none goes to the next open one, or is closed: lost from
        anywhere, won from the last open stage.
        """
        if not self.reachable(start, end):
            return None
        before: dict[str, str] = {start: ""}
        queue = deque([start])
        while queue and end not in before:
            here = queue.popleft()
            for after in self._next(here):
                if after not in before:
                    before[after] = here
                    queue.append(after)
        if end not in before:
            return [end]
        way = [end]
        while before[way[0]]:
            way.insert(0, before[way[0]])
        return way[1:]

    def _next(self, name: str) -> Iterable[str]:
        if name in self.steps or name in self.closed:
            return self.steps.get(name, ())
        later = [s for s in self.order[self.order.index(name) + 1 :] if s not in self.closed]
        return [*later[:1], *(c for c in self.order if c in self.closed and (c in self.lost or not later))]


def _later(order: Sequence[str], closed: frozenset[str], name: str) -> tuple[str, ...]:
    at = order.index(name)
    return tuple(end for i, end in enumerate(order) if end in closed or i > at)


def _closure(direct: Mapping[str, Iterable[str]], start: str) -> frozenset[str]:
    """Everything to be reached from `start`."""
    found: set[str] = set()
    queue = list(direct[start])
    while queue:
        here = queue.pop()
        if here not in found:
            found.add(here)
            queue.extend(direct.get(here, ()))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a pipeline's stages."""

    text: Text
    unknown: str = ""  # a successor that is no stage
    twice: bool = False


def faults(stages: Sequence[tuple[str, str, Sequence[str] | None]]) -> Iterator[tuple[str, Fault]]:
    """What is wrong with stages given as (name, semantic, listed successors), with the stage that it is about."""
    names = [name for name, _, _ in stages]
    if not stages or stages[0][1] != "open":
        yield names[0] if names else "", Fault(Text("the first stage must be open", "первый этап должен быть открытым"))
        return
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield name, Fault(Text("there are two stages of this name", "два этапа с одним именем"), twice=True)
    for name, semantic, listed in stages:
        if listed is not None and semantic != "open":
            text = "a closed stage is left by people only: it has no next"
            yield name, Fault(Text(text, "из закрытого этапа выводит только человек: next у него нет"))
        for end in listed or ():
            if end not in names:
                yield name, Fault(Text("", ""), unknown=end)
    graph = Graph.of([(n, s) for n, s, _ in stages], {n: ends for n, _, ends in stages if ends is not None})
    for name, semantic, _ in stages:
        if not graph.reachable(names[0], name):
            yield name, Fault(Text(f"no way leads there from {names[0]!r}", f"до него нельзя дойти из {names[0]!r}"))
        if semantic == "open" and graph.closed and not graph.closed & graph.ahead[name]:
            yield name, Fault(Text("no way leads from it to a closed stage", "из него нельзя дойти до закрытого этапа"))


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
