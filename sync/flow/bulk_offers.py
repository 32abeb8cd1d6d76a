"""Offers by the page: prices and stock of goods that no other system speaks of, in a few statements for all of them.

What comes out is what `absorb` makes of each: the rows of prices and stock, the product's price and stock by the same
decision, the journal. Whatever is not plain (see bulk_plain) is left for the ordinary way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from sync.flow import sides
from sync.flow.bulk_plain import Offer, Page, goods_of, plain_offers, said_of
from sync.flow.bulk_rows import PRICES, STOCKS, Rows
from sync.flow.plug import Cause, Plug, Seen, Took, World
from sync.flow.translate import columns
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import dump_buffer, dumps, loads, stamp

_JOURNAL = ("at", "run_id", "inbox_id", "record_uid", "kind", "connection", "why", "who", "changes", "link_id")
_RECORD = ("uid", "kind", "number", "title", "data", "created_at", "updated_at")
_GOODS_LINK = ("connection", "native_kind", "external_id", "record_uid", "base", "state", "first_seen")
_LINK = (
    "id",
    "connection",
    "native_kind",
    "external_id",
    "record_uid",
    "version",
    "shadow",
    "shadow_hash",
    "base",
    "state",
    "first_seen",
    "untold",
)


def absorb_offers(
    world: World, tx: Connection, plug: Plug, page: Sequence[Seen], cause: Cause
) -> tuple[Took, list[str]]:
    """Take the plain ones; their ids."""
    kind, took = page[0].record.kind, Took()
    goods = goods_of(world, plug, kind)
    if goods is None:
        took.rest += page
        return took, []
    it = Page(world, tx, plug, kind, goods, cause, stamp(world.now()), took)
    offers = plain_offers(it, page)
    if offers:
        _write(it, offers)
    return took, [one.seen.record.id for one in offers]


def _write(it: Page, offers: list[Offer]) -> None:
    begun = [one for one in offers if not one.uid]
    for uid, one in zip(new_uids(len(begun)), begun, strict=True):
        one.uid = uid
    store, name, now = it.world.store, it.plug.name, it.now
    first = {one.uid: one.data for one in begun}
    records, goods = [], []
    for one in begun:
        data = {**one.data, **one.plan.values}
        cells = columns("product", data)
        records.append((one.uid, "product", cells.get("number"), cells.get("title"), dump_buffer(data), now, now))
        goods.append((name, it.goods, one.wanted, one.uid, dump_buffer({}), "linked", now))
    store.insert_many(it.tx, record, _RECORD, records)
    store.insert_many(it.tx, link, _GOODS_LINK, goods)
    _records(it, [one for one in offers if one.uid not in first])
    ids = _links(it, offers)
    rows = Rows(it.world, it.tx, name, now, [one.uid for one in offers if one.uid not in first])
    lens, notes = it.plug.mapping.lens(it.kind), list[tuple[Any, ...]]()
    about = (now, it.cause.run_id, it.cause.inbox_id)
    for one in offers:
        rec, said = one.seen.record, (one.uid, "product", name)
        if one.uid in first:
            notes.append((*about, *said, it.cause.why or "created", name, dump_buffer(first[one.uid]), None))
        before = sides.shown(it.plug, lens.get(loads(one.own.shadow)), deleted=False) if one.own else {}
        if news := sides.changes(before, sides.shown(it.plug, one.found, deleted=False)):
            notes.append((*about, *said, "seen" if one.own else "linked", name, dump_buffer(news), ids[rec.id]))
        changes = rows.bring(PRICES, one.uid, one.found.fields.get("prices"))
        if changes := changes | rows.bring(STOCKS, one.uid, one.found.fields.get("stocks")):
            notes.append((*about, *said, "observed", name, dump_buffer(changes), ids[rec.id]))
        for why, moved in _reasons(one):
            notes.append((*about, *said, it.cause.why or why, name, dump_buffer(moved), None))
    known = sum(one.own is not None for one in offers)
    it.took.counts.add("changed", known)
    it.took.counts.add("new", len(offers) - known)
    rows.write()
    store.insert_many(it.tx, journal, _JOURNAL, notes)


def _reasons(one: Offer) -> list[tuple[str, dict[str, Any]]]:
    """What changes in the record, by the reason for it."""
    if not one.plan.values:
        return []
    groups: dict[str, dict[str, Any]] = {}
    held = said_of(one.data)
    for name, value in one.plan.values.items():
        groups.setdefault(one.plan.why[name][0], {})[name] = [held.get(name), value]
    return list(groups.items())


def _records(it: Page, offers: list[Offer]) -> None:
    """Records that were there before."""
    it.many(
        f"UPDATE record SET data = {it.world.store.json_mark}, updated_at = ? WHERE uid = ?",
        [(dump_buffer({**one.data, **one.plan.values}), it.now, one.uid) for one in offers if one.plan.values],
    )


def _links(it: Page, offers: list[Offer]) -> dict[str, int]:
    """The offers' links with what they show now; external id → link id."""
    side, new, known = f"{it.plug.name}/{it.kind}", list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    begun = [one for one in offers if one.own is None]
    ids = {one.seen.record.id: one.own.id for one in offers if one.own is not None}
    ids.update(zip((one.seen.record.id for one in begun), _next_ids(it, len(begun)), strict=True))
    for one in offers:
        rec, seen = one.seen.record, one.seen
        agreed = one.plan.agreed.get(side, {})
        if one.own is None:
            shown = (rec.version, bytearray(seen.shadow), bytearray(seen.hash), dump_buffer(agreed))
            new.append((ids[rec.id], it.plug.name, it.kind, rec.id, one.uid, *shown, "linked", it.now, dump_buffer([])))
        else:
            base = dumps({**loads(one.own.base or "{}"), **agreed}) if agreed else one.own.base
            known.append((rec.version, bytearray(seen.shadow), bytearray(seen.hash), base, _untold(one), one.own.id))
    shadow = it.world.store.json_mark
    it.many(
        f"UPDATE link SET version = ?, shadow = {shadow}, shadow_hash = ?, base = ?, untold = ? WHERE id = ?", known
    )
    it.world.store.insert_many(it.tx, link, _LINK, new)
    return ids


def _next_ids(it: Page, number: int) -> list[int]:
    """Ids for so many new links, known before they are stored: the journal names them."""
    if not number:
        return []
    if it.world.store.sqlite:  # the only writer: nobody else takes one meanwhile
        last = it.tx.exec_driver_sql("SELECT coalesce(max(id), 0) FROM link").scalar_one()
        return list(range(last + 1, last + 1 + number))
    sql = "SELECT nextval(pg_get_serial_sequence('link', 'id')) FROM generate_series(1, %s)"
    return list(it.tx.exec_driver_sql(sql, (number,)).scalars())


def _untold(one: Offer) -> str:
    """All that the offer says is what the record holds; what it says no longer stays as it was."""
    assert one.own is not None
    before = loads(one.own.untold) if one.own.untold else ()
    return dumps(sorted({*before, *one.plan.values} - one.says.keys()))
