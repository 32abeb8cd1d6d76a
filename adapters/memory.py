"""The reference adapter: a CRM-like system that lives in this process. The shortest example to copy, and what tests sync.

A `MemoryWorld` is the other side; worlds are found by name, so that a test and the hub's adapter share one. Its state is
plain JSON (copy it, kill the hub, put it back); `world.plan` logs the calls and makes ordered ones fail
(adapters/faults.py).
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from pydantic import Field

from adapters.base import (
    Adapter,
    AdapterContext,
    AdapterSettings,
    Capabilities,
    Change,
    Finding,
    Move,
    Native,
    Page,
    PreconditionFailed,
    Record,
    RecordRefused,
    Text,
)
from adapters.faults import FaultPlan

KINDS = ("company", "contact", "deal", "lead", "product")
CARDS = frozenset({"company", "contact"})
T = TypeVar("T")


class MemoryWorld:
    """The other side. Every change gets the next number of one counter: that is version and change feed in one."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"version": 0, "kinds": {}}
        self.plan = FaultPlan()
        self.lock = threading.RLock()

    def rows(self, kind: str) -> dict[str, Native]:
        rows: dict[str, Native] = self.state["kinds"].setdefault(kind, {})
        return rows

    def put(self, kind: str, data: Native, id: str | None = None, key: str = "") -> str:
        """Create a record, or set some fields of one, as a user of that system would; gives its id."""
        with self.lock:
            self.state["version"] += 1
            id = id or str(self.state["version"])
            row = self.rows(kind).setdefault(id, {"data": {}, "key": key})
            row["data"].update(_plain(data))
            row.update(version=self.state["version"], deleted=False)
            return id

    def delete(self, kind: str, id: str, *, purge: bool = False) -> None:
        """Delete it with a tombstone, or for good and without a trace (`purge`)."""
        with self.lock:
            self.state["version"] += 1
            if purge:
                del self.rows(kind)[id]
            else:
                self.rows(kind)[id].update(version=self.state["version"], deleted=True)

    def lay(self, kind: str, id: str, *items: str) -> None:
        """Put activities on a card, and on no other one."""
        with self.lock:
            cards = self.state.setdefault("lying", {}).setdefault(kind, {})
            for card, held in cards.items():
                cards[card] = [item for item in held if item not in items]
            cards[id] = sorted({*cards.get(id, ()), *items})

    def lying(self, kind: str, id: str) -> list[str]:
        found: list[str] = self.state.get("lying", {}).get(kind, {}).get(id, [])
        return list(found)

    def notes(self, kind: str) -> dict[str, str]:
        """Card → what is noted on it for people."""
        notes: dict[str, str] = self.state.setdefault("notes", {}).setdefault(kind, {})
        return notes

    def record(self, kind: str, id: str) -> Record:
        row = self.rows(kind)[id]
        return Record(kind, id, {"id": id, **copy.deepcopy(row["data"])}, str(row["version"]), row["deleted"])


WORLDS: dict[str, MemoryWorld] = {}


def world(name: str = "memory") -> MemoryWorld:
    """The world of this name, made when first asked for. `WORLDS.clear()` forgets them all."""
    return WORLDS.setdefault(name, MemoryWorld())


class MemorySettings(AdapterSettings):
    world: str = "memory"
    page_size: int = Field(default=50, ge=1)
    kinds: list[str] = Field(default_factory=lambda: list(KINDS))
    holds_key: bool = True  # whether the other side can hold our correlation key
    conditional: bool = True  # whether it refuses a write over a moved record
    deletes: bool = True  # whether it lets us delete
    gathers: bool = True  # whether activities can be put on another card


class MemoryAdapter(Adapter):
    title = Text("Memory", "Память")
    role = "crm"
    mapping = "memory"
    Settings = MemorySettings
    ALL = frozenset(KINDS)
    capabilities = Capabilities(
        scans=ALL,
        completes=ALL,
        reads=ALL,
        updates=ALL,
        creates=ALL,
        deletes=ALL,
        finds=ALL,
        conditional=ALL,
        gathers=CARDS,
    )
    settings: MemorySettings

    def __init__(self, settings: MemorySettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self.world = world(settings.world)
        kinds, none = frozenset(settings.kinds), frozenset[str]()
        self.capabilities = Capabilities(
            scans=kinds,
            completes=kinds,
            reads=kinds,
            updates=kinds,
            creates=kinds,
            deletes=kinds if settings.deletes else none,
            finds=kinds if settings.holds_key else none,
            conditional=kinds if settings.conditional else none,
            gathers=kinds & CARDS if settings.gathers else none,
        )

    def check(self) -> Iterator[Finding]:
        unknown = ", ".join(sorted(set(self.settings.kinds) - set(KINDS)))
        text = Text(f"unknown kinds: {unknown or 'none'}", f"неизвестные виды: {unknown or 'нет'}")
        remedy = Text(f"valid: {', '.join(KINDS)}", f"допустимы: {', '.join(KINDS)}")
        yield Finding("filter", not unknown, text, "kinds", remedy if unknown else None)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """By change number: what moves during the scan moves to its end and is seen there."""
        seen = cursor["seen"] if cursor else 0
        last = False
        while not last:
            records, last = self._call("scan", kind, "", partial(self._page, kind, seen))
            seen = int(records[-1].version) if records else seen
            yield Page(records, {"seen": seen}, last, complete=last and cursor is None)

    def _page(self, kind: str, seen: int) -> tuple[list[Record], bool]:
        moved = sorted((row["version"], id) for id, row in self.world.rows(kind).items() if row["version"] > seen)
        size = self.settings.page_size
        return [self.world.record(kind, id) for _, id in moved[:size]], len(moved) <= size

    def read(self, kind: str, id: str) -> Record | None:
        return self._call(
            "read", kind, id, lambda: self.world.record(kind, id) if id in self.world.rows(kind) else None
        )

    def write(self, change: Change) -> Record:
        return self._call("write", change.kind, change.id or "", lambda: self._write(change))

    def _write(self, change: Change) -> Record:
        kind, id = change.kind, change.id
        if id is None:
            id = self.world.put(kind, change.data, key=change.key if self.settings.holds_key else "")
            return self.world.record(kind, id)
        row = self.world.rows(kind).get(id)
        if change.delete and (row is None or row["deleted"]):  # gone already
            return replace(self.world.record(kind, id) if row else change.before or Record(kind, id, {}), deleted=True)
        if row is None or (row["deleted"] and change.before is None):
            raise RecordRefused(Text(f"{kind} {id} is gone", f"{kind} {id}: записи больше нет"), code="memory.gone")
        if self.settings.conditional and change.before is not None and change.before.version != str(row["version"]):
            moved = Text(f"{kind} {id} has moved since it was read", f"{kind} {id}: запись изменилась после чтения")
            raise PreconditionFailed(moved, code="memory.moved")
        if change.delete:
            self.world.delete(kind, id)
        else:
            self.world.put(kind, change.data, id)
        return self.world.record(kind, id)

    def find(self, kind: str, key: str) -> Record | None:
        def search() -> Record | None:
            held = (id for id, row in self.world.rows(kind).items() if key and row["key"] == key)
            return next((self.world.record(kind, id) for id in held), None)

        return self._call("find", kind, key, search)

    def lying(self, kind: str, id: str) -> list[str]:
        return self._call("lying", kind, id, lambda: self.world.lying(kind, id))

    def gather(self, move: Move) -> list[str]:
        def execute() -> list[str]:
            there = self.world.lying(move.kind, move.to)
            for item, at in move.items.items():
                if item not in there and any(item in self.world.lying(move.kind, card) for card in at):
                    self.world.lay(move.kind, move.to, item)
            notes = self.world.notes(move.kind)
            notes.pop(move.home, None)
            if move.note is not None:
                notes[move.home] = move.note.say(self.context.language)
            there = self.world.lying(move.kind, move.to)
            return [item for item in move.items if item in there]

        return self._call("gather", move.kind, move.home, execute)

    def _call(self, call: str, kind: str, id: str, execute: Callable[[], T]) -> T:
        """What an HTTP request is to other adapters: the one place where the limiter is asked and faults happen."""
        self.context.limiter.wait()
        with self.world.lock:
            return self.world.plan.run(call, kind, id, execute)


def _plain(data: Native) -> Native:
    """As JSON would carry it: the state can be saved and put back, and nothing is shared with the caller."""
    copied: Native = json.loads(json.dumps(data, default=_decimal_text))
    return copied


def _decimal_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no native value")
