"""What the decision is about and what comes out of it: sides of a record, conflicts, the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.model.compare import same
from sync.reconcile.stages import Graph

INEXPRESSIBLE: Any = type(
    "Inexpressible", (), {"__repr__": lambda self: "INEXPRESSIBLE", "__bool__": lambda self: False}
)()
NEVER: Any = object()  # where a field is not known
HUB = "hub"
STATE = "stage_title"  # in what was agreed: the state of its own that the side showed then
# The value that shall hold, the reason, whose word it was. A conflict: INEXPRESSIBLE, its cause, "".
Found = tuple[Any, str, str]


def _identity(_: str, value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, eq=False)  # each is itself: they are looked for in lists
class Side:
    """One link of the record, or the hub itself for what people changed there."""

    name: str  # "hub", or connection/native kind
    role: str
    seen: Mapping[str, Any]
    base: Mapping[str, Any]
    writable: frozenset[str] = frozenset()
    image: Callable[[str, Any], Any] = _identity  # how the side would show a value; INEXPRESSIBLE where it cannot
    untold: frozenset[str] | None = None  # fields in which the record moved since this side showed it; None: not known
    facts: frozenset[str] = frozenset()  # fields that follow from facts which this side alone can know
    fact: Any = NEVER  # the stage that the facts stand for, where the side shows a further one of its own beside it
    onward: frozenset[str] = frozenset()  # fields of which only what is ahead of the record is news: it may lag behind
    state: str = ""  # by what it calls the state of its own in which its record is; agreed together with the stage
    stepwise: bool = False  # its stage is moved one step at a time
    graph: Graph | None = None  # of its own stages; None: the record's
    fetches: frozenset[str] = frozenset()  # fields that it is not written but fetches in an offer

    def answers_to(self, owner: str) -> bool:
        """Whether `owner` (a role, "connection:NAME" or "hub") means this side."""
        return owner == self.role or (":" in owner and owner == f"connection:{self.name.partition('/')[0]}")

    def lacks(self, name: str, value: Any) -> bool:
        """Whether the value is to be written here: the side takes it, can show it, and shows another one."""
        if name not in self.writable or self.name == HUB:
            return False
        image = self.image(name, value)
        return image is not INEXPRESSIBLE and not same(name, image, self.seen.get(name))


@dataclass(frozen=True, slots=True)
class Conflict:
    field: str
    cause: str  # both_moved, owners_differ, diverged, illegal_transition, needs_reason, unknown_stage
    sides: Mapping[str, Any]
    base: Any  # what had been agreed with those who moved; the record may hold another value since
    moved: tuple[str, ...] = ()  # the sides that brought it about


@dataclass(slots=True)
class Plan:
    values: dict[str, Any] = field(default_factory=dict)  # what changes in the record
    why: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # field that changes or is written → reason, whose word
    writes: dict[str, dict[str, Any]] = field(default_factory=dict)  # side → fields to write there
    agreed: dict[str, dict[str, Any]] = field(default_factory=dict)  # side → fields whose base advances
    conflicts: list[Conflict] = field(default_factory=list)
    paths: dict[str, list[str]] = field(default_factory=dict)  # side that takes steps → the stages on its way

    def carry_out(
        self, record: Mapping[str, Any], name: str, value: Any, knowing: Sequence[Side], why: tuple[str, str]
    ) -> None:
        """The record takes the value. Each side shows it already (or cannot show it): agreed; or it is written there."""
        held = record.get(name, NEVER)
        if held is not value and (held is NEVER or not same(name, held, value)):
            self.values[name], self.why[name] = value, why
        for side in knowing:
            shown = side.seen[name]
            if shown is not value and side.lacks(name, value):
                self.writes.setdefault(side.name, {})[name] = value
                self.why[name] = why
            elif side.base.get(name, NEVER) != shown:
                self.agreed.setdefault(side.name, {})[name] = shown

    def pass_on(self, name: str, lone: Side, knowing: Sequence[Side], why: str) -> None:
        """The same where one side alone moved and all others show what the record holds: nothing is compared twice."""
        value = lone.seen[name]
        self.values[name], self.why[name] = value, (why, lone.name)
        self.agreed.setdefault(lone.name, {})[name] = value
        for side in knowing:
            if side is not lone and (
                name in side.writable and side.name != HUB if side.image is _identity else side.lacks(name, value)
            ):
                told = self.writes.setdefault(side.name, {})
                told[name] = value

    def forget(self, name: str) -> None:
        """Nothing happens to this field after all."""
        for fields in (self.values, self.why, *self.writes.values(), *self.agreed.values()):
            fields.pop(name, None)
        self.writes = {side: fields for side, fields in self.writes.items() if fields}
        self.agreed = {side: fields for side, fields in self.agreed.items() if fields}
