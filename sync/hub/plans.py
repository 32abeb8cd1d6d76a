"""What a run would do: the same code as the run itself, on a copy or in a transaction that is rolled back. No peer is
written, no table."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.errors import NeedHuman, RecordRefused, SverkaError
from sync.flow import absence, gate, retranslate, sides, told
from sync.flow.absorb import absorb, find_link
from sync.flow.bulk import BULK_KINDS, CHUNK, absorb_page
from sync.flow.one import UNEXPECTED
from sync.flow.plug import Cause, Counts, Plug, Seen, Took, World
from sync.flow.seen import changed
from sync.flow.take import arrival_of, pending
from sync.hub.runtime import Hub
from sync.hub.works import every_connection, scanned
from sync.store import Store
from sync.store.tables import conflict, inbox, intent, journal, quarantine, record
from sync.store.types import dump_bytes


class _Undo(Exception):
    """Leaves the transaction without its changes."""


@dataclass
class _Read:
    """What one connection shows that differs from what is known, and how much is the same."""

    plug: Plug
    kind: str
    news: list[Seen] = field(default_factory=list)
    same: int = 0
    missing: tuple[int, Sequence[str]] = (0, ())  # known there, and not listed by a complete scan


def plan(hub: Hub, only: str | None = None) -> dict[str, Any]:
    """What would change, as plain data:

    counts: {connection: {kind: counts}}; changes: of the hub's own records, and what would be refused; writes: one by one,
    with before and after; conflicts, quarantine: what people would be asked; deletes: who is missing; mapping: what reading
    anew with a changed mapping would find; summary: numbers by kind, system and field; approval: which systems' writes
    would wait for a yes; errors: connections that could not be read.
    """
    found: dict[str, Any] = {
        "counts": {},
        "changes": [],
        "writes": [],
        "conflicts": [],
        "quarantine": [],
        "deletes": [],
        "mapping": {},
        "summary": [],
        "approval": [],
        "errors": {},
    }
    reads: list[_Read] = []
    for plug in every_connection(hub):  # read before the transaction begins: a slow peer must not keep the database
        if only not in (None, plug.name):
            continue
        try:
            reads.extend(_reads(hub, plug))
        except SverkaError as error:
            found["errors"][plug.name] = {"code": error.code, "en": error.text.en, "ru": error.text.ru}
    with _aside(hub) as world, contextlib.suppress(_Undo), world.store.begin() as tx:
        marks = _marks(tx)
        for plug in world.plugs.values():
            if only in (None, plug.name) and (anew := retranslate.preview(world, tx, plug)):
                found["mapping"][plug.name] = anew
        for one in reads:
            if one.missing[0]:
                number, names = one.missing
                place = {"connection": one.plug.name, "kind": one.kind}
                found["deletes"].append({**place, "number": number, "ids": list(names[:100])})
            counts = _take(world, tx, one, found)
            kinds = found["counts"].setdefault(one.plug.name, {})
            kinds[one.kind] = {n: v + kinds.get(one.kind, {}).get(n, 0) for n, v in counts.as_dict().items()}
        _tell(world, tx, marks, found)
        raise _Undo
    found["summary"] = _summary(found)
    return found


@contextlib.contextmanager
def _aside(hub: Hub) -> Iterator[World]:
    """The world over a private copy of an SQLite file, so that nobody has to wait for the plan; PostgreSQL needs none."""
    if not hub.store.sqlite:
        yield hub.world
        return
    with tempfile.TemporaryDirectory(prefix="sverka-plan-") as folder:
        copy = Path(folder) / "plan.db"
        with hub.store.engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
        store = Store.open(f"sqlite:///{copy}")
        try:
            yield replace(hub.world, store=store)
        finally:
            store.close()


def _reads(hub: Hub, plug: Plug) -> Iterator[_Read]:
    """What lies in the inbox, then files, then every kind that the other side lists: as a run takes them."""
    for id in pending(hub.world, plug.name, 1000):
        with hub.store.read() as tx:
            row = tx.execute(sa.select(inbox).where(inbox.c.id == id)).one()
        if row.via != "poll":
            with contextlib.suppress(RecordRefused, NeedHuman):
                yield from _of_arrival(hub, plug, plug.adapter.unpack(arrival_of(hub.spool, row)))
    if plug.adapter.capabilities.collects:
        for arrival in plug.adapter.collect():
            with contextlib.suppress(RecordRefused, NeedHuman):
                yield from _of_arrival(hub, plug, plug.adapter.unpack(arrival))
    for kind in scanned(plug):
        one = _Read(plug, kind)
        walk, page = absence.begin(hub.world, plug, kind), None
        for page in plug.adapter.scan(kind, walk.start):
            _compare(hub, one, page.records, walk.listed)
        if page is not None and page.last and page.complete:
            one.missing = absence.expected(hub.world, plug, walk)
        yield one


def _of_arrival(hub: Hub, plug: Plug, items: Iterator[Any]) -> Iterator[_Read]:
    kinds: dict[str, _Read] = {}
    for item in items:
        if isinstance(item, Record):
            one = kinds.setdefault(item.kind, _Read(plug, item.kind))
            _compare(hub, one, [item])
    yield from kinds.values()


def _compare(hub: Hub, one: _Read, records: Sequence[Record], listed: bytearray | None = None) -> None:
    """Keep only what differs from its shadow."""
    if records:
        with hub.store.read() as tx:
            news = changed(hub.world, tx, one.plug, records, listed)
        one.news += news
        one.same += len(records) - len(news)


def _take(world: World, tx: Connection, one: _Read, found: dict[str, Any]) -> Counts:
    counts = Counts()
    counts.add("same", one.same)
    rest = one.news
    if one.kind in found["mapping"].get(one.plug.name, {}):  # read anew from what is stored: no news of anybody there
        rest = [seen for seen in one.news if not _stands(tx, one.plug, seen)]
        counts.add("same", len(one.news) - len(rest))
    lens = one.plug.mapping.lenses.get(one.kind)
    if lens is not None and lens.kind in BULK_KINDS:
        news, rest = rest, []
        for at in range(0, len(news), CHUNK):
            page = news[at : at + CHUNK]
            save = tx.begin_nested()
            try:
                took = absorb_page(world, tx, one.plug, page, Cause())
                save.commit()
            except UNEXPECTED:
                save.rollback()
                took = Took(rest=page)
            counts.merge(took.counts)
            rest += took.rest
    gone = [seen.record for seen in rest if seen.record.deleted]
    if gone and told.exceeding(world, tx, one.plug, gone):
        place = {"connection": one.plug.name, "kind": one.kind}
        found["deletes"].append({**place, "number": len(gone), "ids": [rec.id for rec in gone[:100]]})
        counts.add("skipped", len(gone))
        rest = [seen for seen in rest if not seen.record.deleted]
    for seen in rest:
        rec, save = seen.record, tx.begin_nested()
        try:
            counts.add(absorb(world, tx, one.plug, rec, Cause()).outcome)
            save.commit()
        except (RecordRefused, NeedHuman) as error:
            save.rollback()
            counts.add("failed")
            refused = {"en": error.text.en, "ru": error.text.ru}
            place = {"connection": one.plug.name, "kind": rec.kind, "id": rec.id}
            found["changes"].append({**place, "refused": refused})
            found["quarantine"].append({**place, "code": error.code, "text": refused})
    return counts


def _stands(tx: Connection, plug: Plug, seen: Seen) -> bool:
    """Whether the record is just as it was seen last, whatever the mapping makes of it."""
    known = find_link(tx, plug.name, seen.record.kind, seen.record.id)
    return known is not None and known.shadow is not None and dump_bytes(known.shadow) == seen.shadow


def _marks(tx: Connection) -> dict[str, int]:
    tables = (journal, conflict, quarantine)
    return {t.name: tx.execute(sa.select(sa.func.max(t.c.id))).scalar() or 0 for t in tables}


def _tell(world: World, tx: Connection, marks: dict[str, int], found: dict[str, Any]) -> None:
    """What stands in the tables now, inside the transaction, that did not before; and every write that would go out."""
    notes = sa.select(journal, record.c.number, record.c.title).outerjoin(record, record.c.uid == journal.c.record_uid)
    for row in tx.execute(notes.where(journal.c.id > marks["journal"]).order_by(journal.c.id)):
        if not sides.of_record(row):  # what a system shows is no change of a record
            continue
        place = {"connection": row.connection, "kind": row.kind, "uid": row.record_uid, "why": row.why}
        found["changes"].append({**place, "title": row.number or row.title, "changes": row.changes})
    asked = sa.select(conflict, record.c.kind, record.c.number, record.c.title).join(
        record, record.c.uid == conflict.c.record_uid
    )
    for row in tx.execute(asked.where(conflict.c.id > marks["conflict"], conflict.c.state == "open")):
        found["conflicts"].append(
            {
                "kind": row.kind,
                "title": row.number or row.title,
                "field": row.field,
                "cause": row.cause,
                "base": row.base,
                "sides": row.sides,
            }
        )
    for row in tx.execute(
        sa.select(quarantine).where(quarantine.c.id > marks["quarantine"], quarantine.c.state == "open")
    ):
        place = {"connection": row.connection, "kind": row.native_kind, "id": row.external_id}
        found["quarantine"].append({**place, "code": row.code, "text": row.text})
    for name in sorted(world.plugs):
        rows = tx.execute(sa.select(intent).where(*gate.planned(name)).order_by(intent.c.id)).all()
        for row, item in zip(rows, gate.items(tx, rows), strict=True):
            found["writes"].append({**item, "data": row.data, "number": row.number, "why": row.why})
        asks = gate.would_ask(world, tx, name)
        if asks:
            found["approval"].append({"connection": name, "reason": asks[0], "writes": asks[1]})


def _summary(found: dict[str, Any]) -> list[dict[str, Any]]:
    """[{what, connection, kind, number, fields: {field: number}}], writes first, questions last."""
    numbers: Counter[tuple[str, str, str]] = Counter()
    fields: dict[tuple[str, str, str], Counter[str]] = {}
    for write in found["writes"]:
        place = (write["op"], write["connection"], write["kind"])
        numbers[place] += 1
        if write["op"] == "update":
            fields.setdefault(place, Counter()).update(write["changes"].keys())
    for one in found["conflicts"]:
        place = ("conflict", "", one["kind"])
        numbers[place] += 1
        fields.setdefault(place, Counter())[one["field"]] += 1
    for one in found["quarantine"]:
        place = ("quarantine", one["connection"], one["kind"])
        numbers[place] += 1
        fields.setdefault(place, Counter())[one["code"]] += 1
    for one in found["deletes"]:
        numbers[("delete", one["connection"], one["kind"])] += one["number"]
    order = ("create", "update", "offer", "delete", "conflict", "quarantine")
    return [
        {"what": p[0], "connection": p[1], "kind": p[2], "number": numbers[p], "fields": dict(fields.get(p, {}))}
        for p in sorted(numbers, key=lambda p: (order.index(p[0]), p))
    ]
