"""Offers by the page: prices and stock of goods that no other system speaks of, in a few statements for all of them.

What comes out is what `absorb` makes of each: the rows of prices and stock, the product's price and stock by the same
decision, the journal. Whatever is not plain (see bulk_plain) is left for the ordinary way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow import sides
from sync.flow.bulk_plain import Offer, Page, goods_of, plain_offers, said_of
from sync.flow.bulk_rows import PRICES, STOCKS, Rows
from sync.flow.plug import Cause, Plug, Seen, Took, World
from sync.flow.translate import columns
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import dumps, loads, stamp

_JOURNAL = ("at", "run_id", "inbox_id", "record_uid", "kind", "connection", "why", "who", "changes", "link_id")
_RECORD = ("uid", "kind", "number", "title", "data", "created_at", "updated_at")
_GOODS_LINK = ("connection", "native_kind", "external_id", "record_uid", "base", "state", "first_seen")
_LINK = (
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
        records.append((one.uid, "product", cells.get("number"), cells.get("title"), dumps(data), now, now))
        goods.append((name, it.goods, one.wanted, one.uid, "{}", "linked", now))
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
            notes.append((*about, *said, it.cause.why or "created", name, dumps(first[one.uid]), None))
        before = sides.shown(it.plug, lens.get(loads(one.own.shadow)), deleted=False) if one.own else {}
        if news := sides.changes(before, sides.shown(it.plug, one.found, deleted=False)):
            notes.append((*about, *said, "seen" if one.own else "linked", name, dumps(news), ids[rec.id]))
        changes = rows.bring(PRICES, one.uid, one.found.fields.get("prices"))
        if changes := changes | rows.bring(STOCKS, one.uid, one.found.fields.get("stocks")):
            notes.append((*about, *said, "observed", name, dumps(changes), ids[rec.id]))
        for why, moved in _reasons(one):
            notes.append((*about, *said, it.cause.why or why, name, dumps(moved), None))
        it.took.counts.add("changed" if one.own else "new")
    rows.write()
    store.insert_many(it.tx, journal, _JOURNAL, notes)


def _reasons(one: Offer) -> list[tuple[str, dict[str, Any]]]:
    """What changes in the record, by the reason for it."""
    groups: dict[str, dict[str, Any]] = {}
    held = said_of(one.data)
    for name, value in one.plan.values.items():
        groups.setdefault(one.plan.why[name][0], {})[name] = [held.get(name), value]
    return list(groups.items())


def _records(it: Page, offers: list[Offer]) -> None:
    """Records that were there before, and what their product's own link has not been told."""
    moved = [one for one in offers if one.plan.values]
    it.many(
        "UPDATE record SET data = ?, updated_at = ? WHERE uid = ?",
        [(dumps({**one.data, **one.plan.values}), it.now, one.uid) for one in moved],
    )
    untold = []
    for one in moved:
        assert one.goods is not None
        id, before = one.goods
        if before is not None and (after := sorted({*before, *one.plan.values})) != before:
            untold.append((dumps(after), id))
    it.many("UPDATE link SET untold = ? WHERE id = ?", untold)


def _links(it: Page, offers: list[Offer]) -> dict[str, int]:
    """The offers' links with what they show now; external id → link id."""
    side, new, known = f"{it.plug.name}/{it.kind}", [], []
    for one in offers:
        rec, shadow = one.seen.record, one.seen.shadow.decode()
        agreed = one.plan.agreed.get(side, {})
        if one.own is None:
            shown = (rec.version, shadow, one.seen.hash, dumps(agreed))
            new.append((it.plug.name, it.kind, rec.id, one.uid, *shown, "linked", it.now, "[]"))
        else:
            base = dumps({**loads(one.own.base or "{}"), **agreed}) if agreed else one.own.base
            known.append((rec.version, shadow, one.seen.hash, base, _untold(one), one.own.id))
    it.many("UPDATE link SET version = ?, shadow = ?, shadow_hash = ?, base = ?, untold = ? WHERE id = ?", known)
    ids = {one.seen.record.id: one.own.id for one in offers if one.own is not None}
    if new:
        # Ids only grow: those of the new links are beyond all that there are, and stand together
        last = it.tx.exec_driver_sql("SELECT coalesce(max(id), 0) FROM link").scalar_one()
        it.world.store.insert_many(it.tx, link, _LINK, new)
        beyond = sa.select(link.c.external_id, link.c.id).where(
            link.c.id > last, link.c.connection == it.plug.name, link.c.native_kind == it.kind
        )
        ids.update({row[0]: row[1] for row in it.tx.execute(beyond)})
    return ids


def _untold(one: Offer) -> str:
    """All that the offer says is what the record holds; what it says no longer stays as it was."""
    assert one.own is not None
    before = loads(one.own.untold) if one.own.untold else ()
    return dumps(sorted({*before, *one.plan.values} - one.says.keys()))
