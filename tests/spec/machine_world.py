"""Three systems in memory around one hub, and a ghost that remembers what people said where.

`Trio` is the world of the state machine and of the crash points: a shop, a CRM and an accounting system that users edit, a hub
that can die and be opened again. `Ghost` keeps every word a user entered, what each side showed when, and every write that the
hub made. It never asks the hub what was agreed: a test that trusts the hub's own base inherits its errors.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from adapters.base import Arrival, Capabilities, Hint, Native, Page, Reception
from adapters.faults import FaultPlan, Killed
from adapters.memory import MemoryAdapter, MemoryWorld
from sync.errors import SverkaError
from sync.hub import acts, commands, runs, works
from sync.hub.runtime import Hub
from sync.store import Store
from sync.store.tables import conflict, intent, journal, link, quarantine, record
from tests.databases import make_tables
from tests.spec.hubs import Kit, dying, empty, push, rows

SHOP, CRM, BOOKS = "shop", "crm", "books"
SIDES = (SHOP, CRM, BOOKS)
ROLES = {SHOP: "shop", CRM: "crm", BOOKS: "accounting"}
STAGES = ("new", "in_work", "paid", "shipped", "won", "lost")
OWNERS = {  # one field for each rule; title: CRM, amount: accounting are the shipped defaults
    "deal.stage": "join",
    "deal.delivery_address": "prefer:crm",
    "deal.payment_method": "connection:shop",
    "deal.comment": "manual",
}
WORDS = {"new": "placed", "in_work": "working", "paid": "payed", "shipped": "sent", "won": "done", "lost": "refused"}
MEANS = {**{v: k for k, v in WORDS.items()}, "waiting": "new"}
# canonical field → native path of each side
NATIVE: dict[str, dict[str, str]] = {
    SHOP: {
        "title": "title",
        "stage": "status",
        "amount": "total",
        "comment": "note",
        "delivery_address": "address",
        "payment_method": "method",
    },
    CRM: {
        "title": "title",
        "stage": "stage",
        "amount": "sum",
        "comment": "comment",
        "delivery_address": "address",
        "payment_method": "method",
    },
    BOOKS: {"title": "title", "amount": "sum", "comment": "comment"},
}
FACTS = {"paid": "paid", "shipped": "shipped", "cancelled": "lost"}  # of the accounting side, as the pipeline has them

_CLIENT = """
[deal.client]
name = "client"
phone = "phone"
[deal.create.fields]
client = "client.name"
phone = "client.phone"
[contact]
kind = "contact"
[contact.fields]
name = "name"
tags = "tags"
"""
MAPPINGS = {
    SHOP: """
[tables.stages]
placed = "new"
waiting = "new"
working = "in_work"
payed = "paid"
sent = "shipped"
done = "won"
refused = "lost"
[deal]
kind = "deal"
[deal.fields]
number = "number"
title = "title"
currency = "currency"
amount = "total | money"
stage = "status | lookup(stages)"
delivery_address = "address"
payment_method = "method"
""",
    CRM: """
[deal]
kind = "deal"
[deal.fields]
number = "number"
title = "title"
currency = "currency"
amount = "sum | money"
stage = "stage"
comment = "comment"
delivery_address = "address"
payment_method = "method"
""",
    BOOKS: """
[deal]
kind = "deal"
[deal.fields]
number = "number"
title = "title"
currency = "currency"
amount = "sum | money"
comment = "comment"
paid = { get = "paid" }
shipped = { get = "shipped" }
cancelled = { get = "cancelled" }
""",
}
# what the shop's mapping may be changed to: the note is the comment; the same in other words; nobody reads it
VARIANTS = ('comment = "note"', 'comment = "note | text"', "")


class Write(NamedTuple):
    """One call by which the hub changed a side."""

    tick: int
    side: str
    kind: str
    id: str
    before: Native | None  # None: it was created
    after: Native
    agreed: dict[str, Any]  # what all sides had last agreed on before it, by shared name
    deleted: bool = False


class WatchedPlan(FaultPlan):
    """Faults as ordered; besides, what each write changed, and people who act in the middle of a pass."""

    def __init__(self, side: str, world: MemoryWorld, ghost: Ghost) -> None:
        super().__init__()
        self.side, self.world, self.ghost = side, world, ghost
        self.meanwhile: list[tuple[str, Callable[[], None]]] = []  # (call, what a user does just before it)
        self.poisoned: set[str] = set()  # ids whose writes are refused
        self.made: list[Write] = []

    def run(self, call: str, kind: str, id: str, execute: Callable[[], Any]) -> Any:
        if call == "write" and id in self.poisoned:
            self.faults.insert(0, {"call": "write", "mode": "refuse", "times": 1})
        for entry in [e for e in self.meanwhile if e[0] == call][:1]:
            self.meanwhile.remove(entry)
            entry[1]()
        if call != "write":
            return super().run(call, kind, id, execute)
        return super().run(call, kind, id, lambda: self._write(kind, id, execute))

    def _write(self, kind: str, id: str, execute: Callable[[], Any]) -> Any:
        rows = self.world.rows(kind)
        known = copy.deepcopy(rows[id]["data"]) if id in rows else None
        result = execute()
        if result.id not in rows:
            return result  # a user has deleted it for good
        after = copy.deepcopy(rows[result.id]["data"])
        rec = name_of(kind, after)
        agreed = {n: v for (r, n), v in self.ghost.agreed.items() if r == rec}
        write = Write(self.ghost.tick(), self.side, kind, result.id, known, after, agreed, result.deleted)
        self.made.append(write)
        self.ghost.look(self.side, kind, result.id, self.world, "hub")
        return result


class EventfulAdapter(MemoryAdapter):
    """The memory adapter whose system also sends webhooks: hints to read a record soon."""

    def __init__(self, inner: MemoryAdapter) -> None:
        super().__init__(inner.settings, inner.context)
        old = inner.capabilities
        self.capabilities = replace(old, receives=True) if isinstance(old, Capabilities) else old
        self.untidy = False

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """In a fit of untidiness each page comes backwards and twice."""
        for page in super().scan(kind, cursor):
            records = list(page.records)
            yield replace(page, records=[*records[::-1], *records]) if self.untidy else page

    def receive(self, arrival: Arrival) -> Reception:
        return Reception(key=json.loads(arrival.read())["event"])

    def unpack(self, arrival: Arrival) -> Iterator[Hint]:
        data = json.loads(arrival.read())
        yield Hint(data["kind"], data["id"])


@dataclass
class Shown:
    tick: int
    value: Any
    by: str  # "user" or "hub"
    reason: str = ""


@dataclass
class Ghost:
    """What a test knows by itself. A record is named (kind, number or name)."""

    now: int = 0
    said: dict[tuple[Any, str], set[Any]] = field(default_factory=dict)  # (record, field) → values entered by users
    shown: dict[tuple[Any, str, str], list[Shown]] = field(default_factory=dict)  # (record, side, field) → its history
    agreed: dict[tuple[Any, str], Any] = field(default_factory=dict)  # the value when all sides were last equal
    speakers: dict[tuple[Any, str], set[str]] = field(default_factory=dict)  # who spoke since then
    decided: dict[tuple[Any, str], list[Any]] = field(default_factory=dict)  # values that people chose in the hub
    # (record, field, side, value) that was seen and not chosen
    rejected: set[tuple[Any, str, str, Any]] = field(default_factory=set)
    deleted: dict[Any, set[str]] = field(default_factory=dict)  # record → sides where a user deleted it
    since: dict[Any, int] = field(default_factory=dict)  # record → when a user deleted it first
    removed: set[tuple[Any, Any]] = field(default_factory=set)  # (record, tag) taken away by somebody

    def tick(self) -> int:
        self.now += 1
        return self.now

    def speak(self, rec: Any, side: str, name: str, value: Any) -> None:
        self.said.setdefault((rec, name), set()).add(value)
        self.speakers.setdefault((rec, name), set()).add(side)

    def look(self, side: str, kind: str, id: str, world: MemoryWorld, by: str) -> None:
        """Note what a row shows now, after a user or the hub changed it."""
        tick = self.tick()
        data = world.rows(kind)[id]["data"]
        rec = name_of(kind, data)
        for name, value in view(side, kind, data).items():
            history = self.shown.setdefault((rec, side, name), [])
            if not history or history[-1].value != value:
                history.append(Shown(tick, value, by))


def name_of(kind: str, data: Native) -> tuple[str, str]:
    return kind, str(data["number" if kind == "deal" else "name"])


def view(side: str, kind: str, data: Native) -> dict[str, Any]:
    """A native row in the words that all sides share: translated by hand, not by the hub's lenses."""
    if kind == "contact":
        return {"tags": frozenset(data.get("tags") or ())}
    found = {f: data[n] for f, n in NATIVE[side].items() if n in data}
    if side == SHOP and "stage" in found:
        found["stage"] = MEANS[found["stage"]]
    if "amount" in found:
        found["amount"] = str(Decimal(str(found["amount"])).quantize(Decimal("0.01")))
    return found


def fast_store(folder: Path) -> Store:
    """One SQLite file that does not wait for the disk; these tests kill no machine."""
    store = Store.open(f"sqlite:///{folder / 'machine.db'}")

    @sa.event.listens_for(store.engine, "connect")
    def _fast(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    store.engine.dispose()
    make_tables(store)
    return store


class Trio:
    """The three systems and the hub. Close it when done."""

    def __init__(self, store: Store, folder: Path, variant: int = 0, **sections: Any) -> None:
        empty(store)
        self.kit = Kit(store, folder)
        self.folder = folder / "mappings"
        self.folder.mkdir(exist_ok=True)
        self.ghost = Ghost()
        self.events: list[tuple[str, bytes]] = []
        self.numbers = 0
        self.variant = variant
        self._sections = sections
        self.hub = self._open()
        for side in SIDES:
            self.world(side).plan = WatchedPlan(side, self.world(side), self.ghost)

    def close(self) -> None:
        self.kit.__exit__()

    # the hub ----------------------------------------------------------------------------------------------------

    def _open(self) -> Hub:
        for side, text in MAPPINGS.items():
            more = VARIANTS[self.variant] if side == SHOP else ""
            (self.folder / f"m_{side}.toml").write_text(f'system = "m_{side}"\nversion = 1\n{text}{more}\n{_CLIENT}')
        connections = {
            name: {
                "role": ROLES[name],
                "mapping": f"m_{name}",
                "kinds": ["deal"] if name == BOOKS else ["contact", "deal"],
                "page_size": 3,
            }
            for name in SIDES
        }
        flows = [("deal", SHOP, CRM, "always"), ("deal", SHOP, BOOKS, "always"), ("contact", SHOP, CRM, "always")]
        flows += [("deal", CRM, SHOP, "never"), ("deal", BOOKS, SHOP, "never"), ("contact", CRM, SHOP, "never")]
        sections = {"owners": OWNERS, **copy.deepcopy(self._sections)}
        sections["hub"] = {"mappings": str(self.folder), **sections.get("hub", {})}
        hub = self.kit.open(connections, flows, **sections)
        assert not hub.broken, hub.broken
        for name, plug in list(hub.plugs.items()):
            hub.plugs[name] = replace(plug, adapter=EventfulAdapter(plug.adapter))
        return hub

    def reopen(self, variant: int | None = None, *, died: bool = False) -> None:
        """A new process, perhaps with another mapping."""
        if not died:
            self.kit.close(self.hub)
            self.kit.store.engine.dispose()
        if variant is not None:
            self.variant = variant
        self.hub = self._open()
        runs.take_over(self.hub)

    def sync(self, *, calm: bool = False, hours: float = 2) -> list[Any]:
        """One pass, after what was postponed has become due. `calm`: there must be no trouble."""
        self.kit.now.pass_(hours=hours)
        commands.run_commands(self.hub)
        done, errors = works.sync_once(self.hub)
        assert not (calm and errors), errors
        for run in done:
            c = run.counts
            assert c.read == c.new + c.changed + c.same + c.skipped + c.failed, "counts do not add up"
        self.settle_ghost()
        return done

    def sync_until(self, instant: int) -> bool:
        """A pass that dies at its n-th instant, and a new process; True when it got there."""
        with dying(instant) as death:
            self.sync()
        if death.died:
            self.reopen(died=True)
        return death.died

    def faulty_sync(self, side: str, call: str, mode: str, nth: int = 1) -> bool:
        """A pass in which one call goes wrong; a kill is followed by a new process. True when the fault really came."""
        plan = self.plan(side)
        plan.faults = [{"call": call, "mode": mode, "nth": nth, "times": 1}]
        try:
            self.sync()
        except Killed:
            self.reopen(died=True)
        fired = plan.faults[0].get("times", 1) == 0
        plan.faults = []
        return fired

    # the three systems --------------------------------------------------------------------------------------------

    def world(self, side: str) -> MemoryWorld:
        return self.kit.world(side)

    def plan(self, side: str) -> WatchedPlan:
        plan = self.world(side).plan
        assert isinstance(plan, WatchedPlan)
        return plan

    def writes(self) -> list[Write]:
        return sorted((w for side in SIDES for w in self.plan(side).made), key=lambda w: w.tick)

    def find(self, side: str, rec: tuple[str, str]) -> tuple[str, dict[str, Any]] | None:
        """(id, row) of a record on one side, deleted ones excepted."""
        found = [
            (id, row)
            for id, row in self.world(side).rows(rec[0]).items()
            if not row["deleted"] and name_of(rec[0], row["data"]) == rec
        ]
        assert len(found) <= 1, f"I9: {side} holds {rec} {len(found)} times"
        return found[0] if found else None

    def records(self) -> list[tuple[str, str]]:
        names = {name for name, _, _ in self.ghost.shown}
        return sorted(names)

    def live(self, rec: tuple[str, str]) -> list[str]:
        return [s for s in SIDES if self.find(s, rec) is not None]

    def show(self, side: str, rec: tuple[str, str]) -> dict[str, Any]:
        found = self.find(side, rec)
        return view(side, rec[0], found[1]["data"]) if found else {}

    # what users do ------------------------------------------------------------------------------------------------

    def new_order(self) -> tuple[str, str]:
        """A buyer orders; every field is filled, so that every side reports it."""
        self.numbers += 1
        n = self.numbers
        data = {
            "number": f"N{n}",
            "title": f"Заказ {n}",
            "status": "placed",
            "total": f"{100 + n}.10",
            "currency": "RUB",
            "note": f"прошу {n}",
            "address": f"дом {n}",
            "method": f"карта {n}",
            "client": f"Покупатель {n}",
            "phone": f"+7916{n:07}",
        }
        return self._enter(SHOP, "deal", data)

    def new_contact(self) -> tuple[str, str]:
        self.numbers += 1
        return self._enter(SHOP, "contact", {"name": f"Клиент {self.numbers}", "tags": [f"t{self.numbers}"]})

    def _enter(self, side: str, kind: str, data: Native) -> tuple[str, str]:
        id = self.world(side).put(kind, data)
        rec = name_of(kind, data)
        for name, value in view(side, kind, data).items():
            self.ghost.speak(rec, side, name, value)
        self.ghost.look(side, kind, id, self.world(side), "user")
        return rec

    def edit(self, side: str, rec: tuple[str, str], name: str, value: Any) -> bool:
        """A user sets a field, given in the shared words; False where there is nothing to set."""
        found = self.find(side, rec)
        if found is None or (rec[0] == "deal" and name not in NATIVE[side]):
            return False
        native = "tags" if rec[0] == "contact" else NATIVE[side][name]
        word = WORDS[value] if (side, name) == (SHOP, "stage") else sorted(value) if name == "tags" else value
        before = self.show(side, rec).get(name)
        self.world(side).put(rec[0], {native: word}, found[0])
        if name == "tags":
            self.ghost.removed |= {(rec, t) for t in before - value}
            self.ghost.removed -= {(rec, t) for t in value - before}
        if self.show(side, rec)[name] != before:
            self.ghost.speak(rec, side, name, self.show(side, rec)[name])
        self.ghost.look(side, rec[0], found[0], self.world(side), "user")
        self._tell(side, rec[0], found[0])
        return True

    def fact(self, rec: tuple[str, str], name: str) -> bool:
        """The accountant enters a payment or shipment, or cancels."""
        found = self.find(BOOKS, rec)
        if found is None or found[1]["data"].get(name):
            return False
        self.world(BOOKS).put("deal", {name: True}, found[0])
        data = self.world(BOOKS).rows("deal")[found[0]]["data"]
        stage = "lost" if data.get("cancelled") else "won" if data.get("paid") and data.get("shipped") else FACTS[name]
        self.ghost.speak(rec, BOOKS, "stage", stage)
        self._tell(BOOKS, "deal", found[0])
        return True

    def delete(self, side: str, rec: tuple[str, str], *, purge: bool = False) -> bool:
        found = self.find(side, rec)
        if found is None:
            return False
        self.world(side).delete(rec[0], found[0], purge=purge)
        self.ghost.deleted.setdefault(rec, set()).add(side)
        self.ghost.since.setdefault(rec, self.ghost.tick())
        if side == BOOKS:  # a deleted document is a cancelled one
            self.ghost.speak(rec, BOOKS, "stage", "lost")
        self._tell(side, rec[0], found[0])
        return True

    def _tell(self, side: str, kind: str, id: str) -> None:
        event = {"event": f"e{len(self.events)}", "kind": kind, "id": id}
        self.events.append((side, json.dumps(event).encode()))

    def deliver_events(self, chosen: list[int]) -> int:
        """Webhooks arrive, some late, some twice, in this order."""
        for number in chosen:
            side, body = self.events[number % len(self.events)]
            push(self.hub, side, body)
        return len(chosen)

    def settle_ghost(self) -> None:
        """Where all sides that hold a field show the same, that is agreed."""
        for rec, name in {(r, n) for r, _, n in self.ghost.shown}:
            values = [v[name] for v in (self.show(s, rec) for s in self.live(rec)) if name in v]
            if len(values) > 1 and all(v == values[0] for v in values):
                self.ghost.agreed[rec, name] = values[0]
                if name != "stage" or not self.ghost.speakers.get((rec, name), set()) - {SHOP, CRM}:
                    self.ghost.speakers[rec, name] = set()

    # what the hub says --------------------------------------------------------------------------------------------

    def names(self) -> dict[str, tuple[str, str]]:
        """uid → the ghost's name of a canonical record."""
        return {
            r.uid: ("deal", r.number) if r.kind == "deal" else (r.kind, r.title)
            for r in rows(self.hub, record)
            if r.kind in ("deal", "contact")
        }

    def conflicts(self) -> list[Any]:
        return rows(self.hub, conflict, state="open")

    def links(self) -> list[Any]:
        return rows(self.hub, link)

    def notes(self) -> list[Any]:
        return rows(self.hub, journal)

    def intents(self, state: str) -> list[Any]:
        return rows(self.hub, intent, state=state)

    def waiting(self) -> list[Any]:
        return [q for q in rows(self.hub, quarantine) if q.state != "closed"]

    def stage_by_hand(self, rec: tuple[str, str], stage: str) -> bool:
        """A person asks for a stage in the hub; False when the hub refuses."""
        with suppress(SverkaError):
            acts.set_stage(self.hub, rec[1], stage, "Ирина Пробная", "передумали")
            self.ghost.decided.setdefault((rec, "stage"), []).append(stage)
            self.ghost.speak(rec, "hub", "stage", stage)
            return True
        return False

    def decide(self, row: Any, side: str, seen: dict[str, Any]) -> bool:
        """A person decides; False when the hub refuses because the values have moved."""
        rec = self.names()[row.record_uid]
        with suppress(SverkaError):
            found = acts.decide_conflict(self.hub, row.id, side, "Ирина Пробная", seen)
            self.ghost.decided.setdefault((rec, row.field), []).append(found["value"])
            self.ghost.speakers.setdefault((rec, row.field), set()).add("hub")
            for name, value in row.sides.items():
                word = frozenset(value or ()) if row.field == "tags" else value
                self.ghost.rejected.add((rec, row.field, name.split("/")[0], word))
            return True
        return False
