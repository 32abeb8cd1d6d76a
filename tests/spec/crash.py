"""One fault at every call and every commit of a scenario: an error, a lost answer or a death, before it or after it.

A scenario is played once undisturbed; then once for each (call, fault) and (commit, fault) that it passed, from the same
snapshot, with that one fault. Each history must come to the same end: nothing lost, one record per side, nothing moves any
more. Faults and deaths happen within this process; tests/spec/kill.py kills real ones.
"""

from __future__ import annotations

import copy
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from adapters.base import OutcomeUnknown, RetryLater, Text
from adapters.faults import Killed
from sync.errors import Fatal
from sync.store import Store, points
from sync.store.tables import conflict, intent, link, quarantine, record
from tests.spec.hubs import rows
from tests.spec.machine_checks import at_any_time, at_rest, conflicted, quiet
from tests.spec.machine_world import BOOKS, CRM, NATIVE, SHOP, SIDES, MemoryWorld, Trio, WatchedPlan, name_of

T = TypeVar("T")
FAULTS = ("error-before", "error-after", "lost-before", "lost-after", "kill-before", "kill-after")
# a commit fails, or succeeds and nobody hears of it, or the process dies before it; to die after it is to die before the next
COMMIT_FAULTS = ("error-before", "kill-before", "lost-after")
# Commits of nothing else go wrong in one of the ways, in turn
BOOKKEEPING = frozenset({"run", "lease", "bucket", "due"})
MOST_TOLD = int(os.environ.get("SVERKA_MOST_TOLD", "5"))  # differences after which the rest need not be played
_CHANGES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")


class Striker:
    """Counts calls and commits; the one that was ordered goes wrong, once."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.order: tuple[int, str] | None = None
        self.fired = False
        self.dead = False
        self.changed: set[str] = set()  # tables of the transaction under way

    def statement(self, text: str) -> None:
        """What the hub's transaction changes."""
        if text.startswith("BEGIN"):
            self.changed.clear()
        elif match := _CHANGES.match(text):
            self.changed.add(match[1])

    def call(self, name: str, execute: Callable[[], T], *, writes: bool) -> T:
        """Run a call to another system, or what goes wrong instead."""
        how = self._now(name)
        if how == "kill-before":
            self._die(name)
        if how == "error-before":
            raise RetryLater(Text("the system is busy", "система занята"), code="strike.busy")
        if how == "lost-before":
            raise self._lost(writes)
        result = execute()
        if how == "error-after":
            raise ValueError("the answer could not be understood")  # nobody foresaw it
        if how == "lost-after":
            raise self._lost(writes)
        if how == "kill-after":
            self._die(name)
        return result

    def point(self, name: str) -> None:
        """An instant of the hub; commits may fail, the others are only passed."""
        if self.dead:
            raise Killed(name)  # nothing is committed and nothing is called any more
        if not name.startswith("commit:"):
            return
        how = self._now(f"{name} {' '.join(sorted(self.changed))}")
        if how.startswith("kill"):
            self._die(name)
        if how:
            raise Fatal(Text("the database does not answer", "база не отвечает"), code="strike.database")

    def _now(self, name: str) -> str:
        if self.dead:
            raise Killed(name)
        self.seen.append(name)
        if self.order is None or self.order[0] != len(self.seen):
            return ""
        self.fired = True
        return self.order[1]

    def _die(self, name: str) -> None:
        self.dead = True
        raise Killed(name)

    @staticmethod
    def _lost(writes: bool) -> Exception:
        kind = OutcomeUnknown if writes else RetryLater
        return kind(Text("the answer was lost", "ответ потерян"), code="strike.lost")


def orders(seen: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Everything that can go wrong once: (number of the call or instant, fault)."""
    turn = 0
    for number, name in enumerate(seen, 1):
        if not name.startswith("commit:"):
            yield from ((number, how) for how in FAULTS)
            continue
        where, *tables = name.removeprefix("commit:").split(" ")
        faults = [how for how in COMMIT_FAULTS if how.endswith(where)]
        if BOOKKEEPING.issuperset(tables) and where == "before":
            turn += 1
            faults = faults[turn % 3 : turn % 3 + 1]
        elif BOOKKEEPING.issuperset(tables):
            faults = faults if turn % 3 == 2 else []
        yield from ((number, how) for how in faults)


class StruckPlan(WatchedPlan):
    """The watched plan whose calls pass the striker."""

    striker: Striker

    def run(self, call: str, kind: str, id: str, execute: Callable[[], Any]) -> Any:
        inner = super().run
        return self.striker.call(f"{self.side}.{call}", lambda: inner(call, kind, id, execute), writes=call == "write")


@dataclass
class Scenario:
    """`prepare` brings about what is there before. `act` is what people do; passes follow, and are disturbed. `prove`
    asserts that the undisturbed end is worth comparing."""

    name: str
    act: Callable[[Trio], None]
    prove: Callable[[Trio], None]
    prepare: Callable[[Trio], None] = lambda _: None
    passes: int = 1
    sections: dict[str, Any] = field(default_factory=dict)


class Stage:
    """A trio that can be put back to where it stood."""

    def __init__(self, store: Store, folder: Path, scenario: Scenario) -> None:
        self.trio = Trio(store, folder, **copy.deepcopy(scenario.sections))
        self.scenario = scenario
        for side in SIDES:
            world = self.trio.world(side)
            world.plan = StruckPlan(side, world, self.trio.ghost)
            world.plan.striker = Striker()
        scenario.prepare(self.trio)
        for _ in range(3):
            self.trio.sync(calm=True)
        at_rest(self.trio)
        self._kept = sqlite3.connect(":memory:")
        self._striker = Striker()
        sa.event.listen(store.engine, "before_cursor_execute", self._statement)
        with self._raw() as raw:
            raw.backup(self._kept)
        worlds = {side: copy.deepcopy(self.trio.world(side).state) for side in SIDES}
        trio = self.trio
        self._state = worlds, copy.deepcopy(trio.ghost), list(trio.events), trio.numbers, trio.variant, trio.kit.now._at

    def _statement(self, _c: Any, _u: Any, text: str, *_more: Any) -> None:
        self._striker.statement(text)

    @contextmanager
    def _raw(self) -> Iterator[Any]:
        with self.trio.kit.store.engine.connect() as connection:
            yield connection.connection.driver_connection

    def restore(self, striker: Striker) -> None:
        trio = self.trio
        points.hook = None
        with self._raw() as raw:
            self._kept.backup(raw)
        worlds, ghost, events, trio.numbers, trio.variant, trio.kit.now._at = self._state
        trio.ghost, trio.events = copy.deepcopy(ghost), list(events)
        for side in SIDES:
            world: MemoryWorld = trio.world(side)
            world.state = copy.deepcopy(worlds[side])
            plan = StruckPlan(side, world, trio.ghost)
            plan.striker = striker
            world.plan = plan
        trio.reopen()

    def play(self, order: tuple[int, str] | None) -> tuple[Striker, Any]:
        """One history to its end, with at most one fault."""
        calm, striker = Striker(), Striker()
        striker.order = order
        self.restore(calm)
        self.scenario.act(self.trio)
        self._use(striker)
        self._striker = striker
        points.hook = striker.point
        try:
            for _ in range(self.scenario.passes):
                self.trio.sync()
        except (Killed, ValueError, Fatal):
            assert striker.fired
        finally:
            points.hook = None
            self._use(calm)
        if striker.dead:
            self.trio.reopen(died=True)
        return striker, self.end(whole=order is None)

    def _use(self, striker: Striker) -> None:
        for side in SIDES:
            self.trio.plan(side).striker = striker  # type: ignore[attr-defined]

    def end(self, whole: bool) -> Any:
        """Undisturbed (`whole`): two passes, then nothing moves any more. Otherwise one pass, or a second one where the first
        did not come to the same end: the caller asks again."""
        self.trio.sync(calm=True)
        if whole:
            self.trio.sync(calm=True)
            quiet(self.trio, lambda: self.trio.sync(calm=True), "I2")
        at_any_time(self.trio)
        return self.state()

    def end_again(self) -> Any:
        self.trio.sync(calm=True)
        at_rest(self.trio)
        return self.state()

    def state(self) -> dict[str, list[str]]:
        """Everything that counts. Of a field that people are asked about, which value the hub and the third system hold
        meanwhile depends on who was heard first: it is left out, what the two said is not."""
        trio, hub, names = self.trio, self.trio.hub, self.trio.names()
        asked = conflicted(trio)
        worlds = [
            (side, kind, name_of(kind, row["data"]), row["deleted"], self._row(side, kind, row["data"], asked))
            for side in SIDES
            for kind, found in trio.world(side).state["kinds"].items()
            for row in found.values()
        ]
        own = lambda rec, data: {f: v for f, v in (data or {}).items() if (rec, f) not in asked}  # noqa: E731
        questions = [
            (names[c.record_uid], c.field, c.cause, {s: v for s, v in c.sides.items() if not s.startswith(BOOKS)})
            for c in rows(hub, conflict, state="open")
        ]
        return {
            "worlds": _texts(worlds),
            "records": _texts((names[r.uid], own(names[r.uid], r.data)) for r in rows(hub, record) if r.uid in names),
            "links": _texts(
                (k.connection, rec, own(rec, k.base), k.state, bool(k.deleted_at))
                for k in rows(hub, link)
                for rec in [names.get(k.record_uid)]
            ),
            "asked": _texts(questions),
            "waits": _texts((q.connection, q.code) for q in rows(hub, quarantine) if q.state != "closed"),
            "made": _texts((w.side, w.kind) for w in trio.writes() if w.before is None),
            "under way": _texts(i.state for i in rows(hub, intent) if i.state not in ("done", "dropped")),
        }

    @staticmethod
    def _row(side: str, kind: str, data: dict[str, Any], asked: set[Any]) -> dict[str, Any]:
        hidden = {n for f, n in NATIVE[side].items() if side == BOOKS and (name_of(kind, data), f) in asked}
        return {k: v for k, v in data.items() if k not in hidden}

    def close(self) -> None:
        points.hook = None
        sa.event.remove(self.trio.kit.store.engine, "before_cursor_execute", self._statement)
        self.trio.close()
        self._kept.close()


def _texts(values: Iterable[Any]) -> list[str]:
    return sorted(json.dumps(_as_sets(v), sort_keys=True, default=str, ensure_ascii=False) for v in values)


def _as_sets(value: Any) -> Any:
    """Tags are a set: which of two new ones stands first depends on who was heard first."""
    if isinstance(value, dict):
        return {k: sorted(v) if k == "tags" and v else _as_sets(v) for k, v in value.items()}
    return [_as_sets(v) for v in value] if isinstance(value, list | tuple) else value


def enumerate_all(
    store: Store, folder: Path, scenario: Scenario, only: Callable[[str, str], bool] = lambda *_: True
) -> tuple[int, list[str]]:
    """Play every history; (their number, what differed)."""
    stage = Stage(store, folder, scenario)
    found: list[str] = []
    try:
        striker, end = stage.play(None)
        scenario.prove(stage.trio)
        chosen = [(n, how) for n, how in orders(striker.seen) if only(striker.seen[n - 1], how)]
        for number, how in chosen:
            if len(found) >= MOST_TOLD:
                break
            where = f"{scenario.name}: {how} at {number} of {len(striker.seen)}, {striker.seen[number - 1]}"
            try:
                one, other = stage.play((number, how))
                if not one.fired:
                    found.append(f"{where}: was not reached, the count is not steady")
                    continue
                if other != end:
                    other = stage.end_again()
                if other != end:
                    found.append(f"{where}: {_difference(end, other)}")
            except AssertionError as error:
                found.append(f"{where}: {str(error)[:1500]}")
    finally:
        stage.close()
    return len(chosen), found


def play_once(store: Store, folder: Path, scenario: Scenario) -> None:
    """The undisturbed history alone, with every invariant."""
    stage = Stage(store, folder, scenario)
    try:
        stage.play(None)
        scenario.prove(stage.trio)
        at_rest(stage.trio)
    finally:
        stage.close()


def _difference(one: dict[str, list[str]], other: dict[str, list[str]]) -> str:
    lost = [f"{k} - {line}" for k in one for line in one[k] if line not in other[k]]
    return "; ".join([*lost, *(f"{k} + {line}" for k in other for line in other[k] if line not in one[k])])[:2000]


# scenarios -----------------------------------------------------------------------------------------------------------

A, B, C = ("deal", "N1"), ("deal", "N2"), ("contact", "Клиент 3")


def linked(trio: Trio) -> None:
    trio.new_order()
    trio.new_order()
    trio.new_contact()


def created(trio: Trio) -> None:
    assert all(set(trio.live(rec)) == set(SIDES) for rec in (A, B))
    assert set(trio.live(C)) == {SHOP, CRM}


def edits(trio: Trio) -> None:
    trio.edit(SHOP, A, "comment", "перезвоните")
    trio.edit(CRM, A, "title", "Шкаф")
    trio.edit(BOOKS, B, "amount", "77.50")
    trio.edit(SHOP, B, "title", "чужое")  # the CRM owns it
    trio.edit(SHOP, C, "tags", frozenset({"t3", "новый"}))
    trio.edit(CRM, C, "tags", frozenset({"свой"}))


def edited(trio: Trio) -> None:
    assert [trio.show(s, A)["comment"] for s in SIDES] == ["перезвоните"] * 3
    assert [trio.show(s, B)["title"] for s in SIDES] == ["Заказ 2"] * 3
    assert [trio.show(s, B)["amount"] for s in SIDES] == ["77.50"] * 3
    assert trio.show(CRM, C)["tags"] == trio.show(SHOP, C)["tags"] == {"новый", "свой"}


def races(trio: Trio) -> None:
    trio.edit(SHOP, A, "stage", "in_work")
    trio.edit(CRM, A, "stage", "paid")
    trio.edit(SHOP, A, "delivery_address", "склад")
    trio.edit(CRM, A, "delivery_address", "офис")
    trio.edit(SHOP, B, "comment", "одно")
    trio.edit(CRM, B, "comment", "другое")


def raced(trio: Trio) -> None:
    assert [trio.show(s, A)["stage"] for s in (SHOP, CRM)] == ["paid"] * 2
    assert [trio.show(s, A)["delivery_address"] for s in (SHOP, CRM)] == ["офис"] * 2
    assert [c.field for c in trio.conflicts()] == ["comment"]


def asked_before(trio: Trio) -> None:
    linked(trio)
    trio.sync()
    trio.sync()
    races(trio)


def decide(trio: Trio) -> None:
    (row,) = trio.conflicts()
    assert trio.decide(row, "crm/deal", row.sides)


def decided(trio: Trio) -> None:
    assert not trio.conflicts()
    assert [trio.show(s, B)["comment"] for s in SIDES] == ["другое"] * 3


def decide_moved(trio: Trio) -> None:
    """Somebody edits what is being decided about, before the hub has seen it."""
    (row,) = trio.conflicts()
    trio.edit(SHOP, B, "comment", "третье")
    assert trio.decide(row, "crm/deal", row.sides)


def asked_again(trio: Trio) -> None:
    assert trio.show(SHOP, B)["comment"] == "третье", "an edit that the person had not seen was overwritten"
    assert [c.field for c in trio.conflicts()] == ["comment"]


def delete(trio: Trio) -> None:
    trio.delete(CRM, A)
    trio.edit(SHOP, A, "comment", "ещё жив")
    trio.delete(SHOP, B)


def deleted(trio: Trio) -> None:
    assert CRM not in trio.live(A)
    assert SHOP not in trio.live(B)
    assert trio.show(SHOP, A)["comment"] == "ещё жив"
    assert [c.field for c in trio.conflicts()] == ["archived"], "deleted here and edited there was not asked about"
    assert [r.data.get("archived") for r in rows(trio.hub, record, number="N2")] == [True]


def deleted_everywhere(trio: Trio) -> None:
    assert set(trio.live(B)) == {BOOKS}, "deleted in the shop, so in the CRM; nobody deletes in accounting"
    assert SHOP in trio.live(A), "what was edited there was deleted"
    assert trio.show(SHOP, A)["comment"] == "ещё жив"
    assert [c.field for c in trio.conflicts()] == ["archived"]
    assert [(w.side, name_of(w.kind, w.after)) for w in trio.writes() if w.deleted] == [(CRM, B)]


def keep(trio: Trio) -> None:
    (row,) = trio.conflicts()
    assert trio.decide(row, "shop/deal", row.sides)


def asked_about_deletion(trio: Trio) -> None:
    linked(trio)
    trio.sync()
    trio.sync()
    delete(trio)


def made_again(trio: Trio) -> None:
    assert not trio.conflicts()
    assert set(trio.live(A)) == set(SIDES)
    assert trio.show(CRM, A)["comment"] == trio.show(SHOP, A)["comment"] == "ещё жив"


def owner_gone(trio: Trio) -> None:
    """The CRM owns titles; of what it has deleted it says nothing any more."""
    trio.delete(CRM, A)
    trio.sync()
    trio.edit(SHOP, A, "title", "Другой заказ")


def others_go_on(trio: Trio) -> None:
    assert [trio.show(s, A)["title"] for s in (SHOP, BOOKS)] == ["Другой заказ"] * 2


def facts(trio: Trio) -> None:
    trio.fact(A, "paid")
    trio.fact(A, "shipped")
    trio.fact(B, "cancelled")


def closed(trio: Trio) -> None:
    assert [trio.show(s, A)["stage"] for s in (SHOP, CRM)] == ["won"] * 2
    assert [trio.show(s, B)["stage"] for s in (SHOP, CRM)] == ["lost"] * 2


def by_hand(trio: Trio) -> None:
    assert trio.stage_by_hand(A, "shipped")


def moved_by_hand(trio: Trio) -> None:
    assert [trio.show(s, A)["stage"] for s in (SHOP, CRM)] == ["shipped"] * 2


def events(trio: Trio) -> None:
    edits(trio)
    trio.deliver_events([5, 0, 3, 1, 1, 2, 4, 0])


def first_answer_lost(trio: Trio) -> None:
    """Two faults: the answer to the first write is lost, and then another thing goes wrong."""
    edits(trio)
    for side in SIDES:
        trio.plan(side).faults = [{"call": "write", "mode": "lost", "times": 1}]


EVERYWHERE = {"deletes": {"deal": "propagate:shop,crm"}}
SCENARIOS = [
    Scenario("create", linked, created),
    Scenario("edits", edits, edited, linked),
    Scenario("races", races, raced, linked),
    Scenario("decision", decide, decided, asked_before),
    Scenario("decision over moved values", decide_moved, asked_again, asked_before),
    Scenario("deletes", delete, deleted, linked),
    Scenario("deletes everywhere", delete, deleted_everywhere, linked, sections=EVERYWHERE),
    Scenario("kept after all", keep, made_again, asked_about_deletion),
    Scenario("owner gone", owner_gone, others_go_on, linked),
    Scenario("facts", facts, closed, linked),
    Scenario("stage by hand", by_hand, moved_by_hand, linked),
    Scenario("webhooks", events, edited, linked),
    Scenario("an answer lost before", first_answer_lost, edited, linked),
]
NAMED = {scenario.name: scenario for scenario in SCENARIOS}
