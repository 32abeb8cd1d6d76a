"""Where a system and the record drift apart: what a verify pass reports, and the difference of one link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery.intents import IN_FLIGHT
from sync.flow.look import look, side_name
from sync.flow.plug import World
from sync.flow.weave import typed
from sync.model.compare import same
from sync.reconcile import INEXPRESSIBLE
from sync.store.tables import conflict, intent, record

EXAMPLES = 5  # of each kind of difference
OPEN = ("planned", "refused", *IN_FLIGHT)


@dataclass(slots=True)
class Report:
    """What was found in one kind of one connection. `drift` and `kept`: {field: number of records}."""

    connection: str
    kind: str
    read: int = 0
    same: int = 0
    news: int = 0
    waiting: int = 0
    drifted: int = 0
    missing: int = 0
    unknown: int = 0
    opened: int = 0  # conflicts
    complete: bool = False  # everything there was seen, so that what was not seen is missing
    drift: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """Records that are not as they should be."""
        return self.drifted + self.missing + self.unknown

    def tell(self, found: Difference, id: str, one: Any) -> None:
        """Count one field of the record `one`, and keep some of them as examples."""
        what, numbers = ("kept", self.kept) if found.kept else ("diverged", self.drift)
        numbers[found.field] = numbers.get(found.field, 0) + 1
        values = {"field": found.field, "hub": found.hub, "side": found.side, "base": found.base}
        self.example(what, id, number=one.number, uid=one.uid, **values)

    def example(self, what: str, id: str, **more: Any) -> None:
        place = (what, more.get("field"))
        if sum((e["what"], e.get("field")) == place for e in self.examples) < EXAMPLES:
            self.examples.append({"what": what, "id": id, **more})


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which a side that stands still shows another value than its record's."""

    field: str
    hub: Any
    side: Any
    base: Any
    kept: bool  # the side cannot be written: it keeps its own word
    told: bool  # it is not known that the record moved since: neither has


def differing(world: World, tx: Connection, row: Any, one: Any) -> list[Difference]:
    """The fields in which a link's shadow does not show what the record holds, as the decision sees it."""
    data = typed(one.kind, one.data)
    found = look(world, tx, one.kind, data, row, side_name(row), {}, world.config.pipeline(data.get("pipeline")))
    if found is None:
        return []
    side, differences = found.side, []
    for name, value in side.seen.items():
        if name in side.facts or name in side.onward or (name in data and same(name, value, data[name])):
            continue  # what facts or a lagging state stand for moves a stage on, and need not be where it is now
        image = side.image(name, data.get(name))
        if image is not INEXPRESSIBLE and same(name, value, image):
            continue
        kept = image is INEXPRESSIBLE or name not in side.writable
        told = name not in (side.untold or ())
        differences.append(Difference(name, data.get(name), value, side.base.get(name), kept, told))
    return differences


@dataclass(slots=True)
class Facts:
    """What is known of some records beside their links."""

    records: dict[str, Any] = field(default_factory=dict)
    conflicts: dict[str, set[str]] = field(default_factory=dict)  # uid → fields with an open question
    writing: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)  # place → fields on their way there
    written: dict[tuple[str, str], list[datetime]] = field(default_factory=dict)  # when writes to it ended


def facts_of(tx: Connection, uids: Sequence[str]) -> Facts:
    found = Facts()
    found.records = {r.uid: r for r in tx.execute(sa.select(record).where(record.c.uid.in_(uids)))}
    for asked in tx.execute(
        sa.select(conflict.c.record_uid, conflict.c.field).where(
            conflict.c.record_uid.in_(uids), conflict.c.state == "open"
        )
    ):
        found.conflicts.setdefault(asked.record_uid, set()).add(asked.field)
    columns = (intent.c.record_uid, intent.c.connection, intent.c.native_kind, intent.c.fields, intent.c.state)
    for row in tx.execute(
        sa.select(*columns, intent.c.done_at).where(intent.c.record_uid.in_(uids), intent.c.state.in_((*OPEN, "done")))
    ):
        if row.state == "done":
            if row.done_at is not None:
                found.written.setdefault((row.record_uid, row.connection), []).append(row.done_at)
        else:
            place = (row.record_uid, row.connection, row.native_kind)
            found.writing.setdefault(place, set()).update(row.fields)
    return found
