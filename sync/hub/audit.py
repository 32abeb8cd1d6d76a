"""The journal's proof: replayed over the first values, it gives today's records, shadows and rows of documents, prices, stock.

Whatever stands in the database and not in the journal was changed by nobody the journal knows of: it is named, record by
record and field by field. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow import sides
from sync.flow.plug import Plug
from sync.flow.sides import MISSING, Replayed, canonical
from sync.flow.translate import canonical_kind
from sync.hub.acts import find_deal
from sync.hub.runtime import Hub
from sync.model.compare import same
from sync.model.records import KINDS
from sync.store.tables import document, journal, link, price, record, stock, translated

PAGE = 200  # records of one look
MOST = 1000  # mismatches that are listed; all of them are counted
_TYPES = {
    "payment": "document",
    "shipment": "document",
    "refund": "document",
    "return": "document",
    "invoice": "document",
    "order": "document",
}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One value that the journal does not explain. `where`: "record", or a link as "connection/kind id"."""

    uid: str
    kind: str
    number: str | None
    where: str
    field: str
    replayed: Any
    actual: Any
    journal_id: int | None = None  # of a row that does not begin where the rows before it ended


@dataclass(slots=True)
class Audit:
    records: int = 0
    links: int = 0
    rows: int = 0  # of the journal
    wrong: int = 0  # values that do not agree
    mismatches: list[Mismatch] = field(default_factory=list)  # the first of them
    waiting: int = 0  # links whose mapping has changed since they were read: judged after the next sync
    unread: int = 0  # links of connections that are not configured now

    @property
    def ok(self) -> bool:
        return not self.wrong

    def add(self, found: Mismatch) -> None:
        self.wrong += 1
        if len(self.mismatches) < MOST:
            self.mismatches.append(found)


def audit(hub: Hub, deal: str | None = None, progress: Callable[[Audit], None] = lambda _: None) -> Audit:
    """Replay the journal of every record, or of one deal (NeedHuman when there is none of that number)."""
    found = Audit()
    uid = find_deal(hub, deal).uid if deal is not None else None
    for page in _pages(hub, uid):
        with hub.store.read() as tx:
            _page(hub, tx, page, found)
        progress(found)
    if uid is None:
        with hub.store.read() as tx:
            _orphans(tx, found)
    return found


def _pages(hub: Hub, uid: str | None) -> Iterator[Sequence[str]]:
    last = ""
    while True:
        query = sa.select(record.c.uid).order_by(record.c.uid).limit(PAGE)
        with hub.store.read() as tx:
            uids = tx.execute(query.where(record.c.uid == uid if uid else record.c.uid > last)).scalars().all()
        if uids:
            yield uids
        if len(uids) < PAGE:
            return
        last = uids[-1]


def _page(hub: Hub, tx: Connection, uids: Sequence[str], found: Audit) -> None:
    """Some records in one consistent look."""

    def grouped(table: sa.Table, column: str, *order: str) -> dict[str, list[Any]]:
        groups: dict[str, list[Any]] = {uid: [] for uid in uids}
        query = sa.select(table).where(table.c[column].in_(uids)).order_by(*(table.c[o] for o in order))
        for row in tx.execute(query):
            groups[row._mapping[column]].append(row)
        return groups

    notes, links = grouped(journal, "record_uid", "id"), grouped(link, "record_uid", "id")
    papers = grouped(document, "deal_uid", "connection", "key")
    goods = [(grouped(t, "product_uid", "connection", k), k, v) for t, k, v in _GOODS]
    for row in tx.execute(sa.select(record).where(record.c.uid.in_(uids)).order_by(record.c.uid)):
        mine = notes[row.uid]
        found.records += 1
        found.rows += len(mine)
        _record(row, mine, found)
        for one in links[row.uid]:
            _link(hub, tx, row, one, links[row.uid], mine, found)
        _documents(row, mine, papers[row.uid], found)
        for (groups, key, value), (table, _, _) in zip(goods, _GOODS, strict=True):
            _rows(
                row,
                mine,
                table.name,
                {(g.connection, g._mapping[key]): g._mapping[value] for g in groups[row.uid]},
                found,
            )


_GOODS = ((price, "price_type", "value"), (stock, "warehouse", "qty"))


def replay_record(row: Any, notes: Sequence[Any]) -> Replayed:
    """A record's canonical values from its journal."""
    known = KINDS[row.kind].model_fields
    told = Replayed(row.kind)
    for one in filter(sides.of_record, notes):
        mine = {name: value for name, value in one.changes.items() if name in known and name != "documents"}
        if one.why == "created":
            told.begin(mine)
        else:
            told.apply(one, mine, checked=True)
    return told


def _record(row: Any, notes: Sequence[Any], found: Audit) -> None:
    told = replay_record(row, notes)
    actual = {name: canonical(row.kind, name, value) for name, value in row.data.items()}
    _compare(row, "record", told, actual, found)


def _compare(row: Any, where: str, told: Replayed, actual: Mapping[str, Any], found: Audit) -> None:
    """Broken chains, and values that differ. What nobody reported is not the same as empty."""
    for id, name, stood, before in told.broken:
        found.add(Mismatch(row.uid, row.kind, row.number, where, name, stood, before, id))
    state = told.state or {}
    for name in sorted({*state, *actual}):
        replayed, real = state.get(name, MISSING), actual.get(name, MISSING)
        if (replayed is MISSING) is not (real is MISSING) or not same(name, replayed, real):
            values = [None if v is MISSING else v for v in (replayed, real)]
            found.add(Mismatch(row.uid, row.kind, row.number, where, name, *values))


def _link(
    hub: Hub, tx: Connection, row: Any, one: Any, links: Sequence[Any], notes: Sequence[Any], found: Audit
) -> None:
    """What the journal says that this system shows, against the shadow read through the mapping."""
    plug = hub.plugs.get(one.connection)
    lens = plug.mapping.lenses.get(one.native_kind) if plug else None
    if plug is None or lens is None:
        found.unread += 1
        return
    if one.state != "linked" or one.shadow is None or lens.kind == "activity" or canonical_kind(lens.kind) != row.kind:
        return
    found.links += 1
    told = sides.replay(notes, one, lens, first=_first(plug, one, links, lens.kind))
    counted = Audit()
    _compare(
        row, f"{one.connection}/{one.native_kind} {one.external_id}", told, sides.shown_by(plug, lens, one), counted
    )
    if counted.wrong and not told.broken and not sides.as_read(plug, one) and _stale(tx, plug, one.native_kind):
        found.waiting += 1
        return
    for wrong in counted.mismatches:
        found.add(wrong)


def _stale(tx: Connection, plug: Plug, kind: str) -> bool:
    """Whether the stored records of this kind are still to be read with today's mapping; where that is so, a link is not what
    it was taken over as. Anywhere else somebody has changed it."""
    row = tx.execute(
        sa.select(translated).where(translated.c.connection == plug.name, translated.c.native_kind == kind)
    ).first()
    return row is None or row.wanted is not None or row.fingerprint != plug.mapping.print_of(kind)


def _first(plug: Plug, one: Any, links: Sequence[Any], kind: str) -> bool:
    kinds = {name: lens.kind for name, lens in plug.mapping.lenses.items()}
    return bool(
        one.id == min(k.id for k in links if k.connection == one.connection and kinds.get(k.native_kind) == kind)
    )


def _documents(row: Any, notes: Sequence[Any], actual: Sequence[Any], found: Audit) -> None:
    """A deal's documents: their sums, numbers and states as the journal has them."""
    told: dict[tuple[str, str], dict[str, Any] | None] = {}
    for one in filter(sides.of_record, notes):
        for name, values in one.changes.items():
            kind, _, key = name.partition(" ")
            if kind in _TYPES and key and isinstance(values, list) and len(values) == 2:
                told[one.connection, key] = values[1]
    for paper in actual:
        replayed = told.pop((paper.connection, paper.key), MISSING)
        where = f"{paper.connection}/{paper.kind} {paper.key}"
        if replayed is MISSING:
            found.add(Mismatch(row.uid, row.kind, row.number, where, "document", None, paper.amount))
        elif replayed is None:  # taken back there: it stays, reversed
            if not paper.reversed:
                found.add(Mismatch(row.uid, row.kind, row.number, where, "reversed", True, paper.reversed))
        else:
            for name in ("number", "date", "amount", "currency", "posted", "reversed"):
                value, real = _paper_value(name, replayed.get(name)), getattr(paper, name)
                if not same(name, value, real):
                    found.add(Mismatch(row.uid, row.kind, row.number, where, name, value, real))
    for (connection, key), gone in told.items():
        if gone is not None:
            found.add(
                Mismatch(row.uid, row.kind, row.number, f"{connection} {key}", "document", gone.get("amount"), None)
            )


def _paper_value(name: str, value: Any) -> Any:
    """A value of a document as the journal holds it, typed."""
    rows = canonical("deal", "documents", [{"key": "", "kind": "", name: value}])
    return rows[0].get(name)


def _rows(row: Any, notes: Sequence[Any], what: str, actual: Mapping[tuple[str, str], Any], found: Audit) -> None:
    """Prices by type or stock by warehouse of one product."""
    told: dict[tuple[str, str], Any] = {}
    for one in filter(sides.of_record, notes):
        for name, values in one.changes.items():
            table, _, key = name.partition(" ")
            if table == what and key and isinstance(values, list) and len(values) == 2:
                told[one.connection, key] = canonical("product", what, values[1])
    for place in sorted({*actual, *(p for p, v in told.items() if v is not None)}):
        if not same(what, told.get(place), actual.get(place)):
            where = f"{place[0]} {what} {place[1]}"
            found.add(Mismatch(row.uid, row.kind, row.number, where, what, told.get(place), actual.get(place)))


def _orphans(tx: Connection, found: Audit) -> None:
    """Journal rows of records that are not there: a record never goes."""
    query = (
        sa.select(journal.c.id, journal.c.record_uid, journal.c.kind)
        .outerjoin(record, record.c.uid == journal.c.record_uid)
        .where(record.c.uid.is_(None))
        .order_by(journal.c.id)
        .limit(MOST)
    )
    for row in tx.execute(query):
        found.add(Mismatch(row.record_uid, row.kind, None, "record", "uid", row.record_uid, None, row.id))
