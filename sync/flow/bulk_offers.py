"""Offers by the page: prices and stock of goods that no other system speaks of, in a few statements for all of them.

What comes out is what `absorb` makes of each: the rows of prices and stock, the product's price and stock by the same
decision, the journal. Whatever is not as plain as that (a second system, an open question, an edit by a person, a write
under way, a deletion, another mapping) is left for the ordinary way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from sync.flow import sides
from sync.flow.bulk_rows import PRICES, STOCKS, Rows, many
from sync.flow.look import spreads
from sync.flow.plug import Cause, Plug, Seen, Took, World
from sync.flow.seen import among
from sync.flow.translate import columns, observed, sale_price_keys
from sync.flow.trouble import kept
from sync.lens import Translated
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import Graph, Plan, Side, decide, policy_for
from sync.store.ids import new_uids
from sync.store.tables import journal, link, record
from sync.store.types import dumps, loads, stamp

_SAID = frozenset({"price", "stock"})  # what an offer says of its product
_NO_STAGES = Graph.of(())
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
_OF_KIND = "FROM link WHERE connection = ? AND native_kind = ? AND external_id"
_KNOWN = (
    "SELECT external_id, id, record_uid, shadow, shadow_hash, base, untold,"
    " state = 'linked' AND deleted_at IS NULL AND number IS NULL AND shadow IS NOT NULL"
)
_LINKS = (
    "SELECT record_uid, id, connection = ? AND native_kind = ? AND state = 'linked', untold, shadow IS NULL"
    " FROM link WHERE record_uid"
)
_BUSY = (  # records about which something is open
    "SELECT record_uid FROM edit WHERE state = 'pending' AND record_uid",
    "SELECT record_uid FROM conflict WHERE state = 'open' AND record_uid",
    "SELECT record_uid FROM intent WHERE state NOT IN ('done', 'dropped') AND record_uid",
)
_WAITING = (
    "SELECT external_id, data FROM quarantine WHERE connection = ? AND native_kind = ? AND stage = 'intake'"
    " AND state = 'open' AND code = 'offer.no_product' AND external_id"
)


@dataclass(frozen=True, slots=True)
class _Own:
    """The offer's link, as it is known."""

    id: int
    uid: str
    shadow: str
    base: str | None
    untold: str | None


@dataclass(slots=True)
class _Offer:
    seen: Seen
    found: Translated
    own: _Own | None
    wanted: str  # the product's id over there
    uid: str = ""  # of the product's record; "" where the offer itself makes it
    data: dict[str, Any] = field(default_factory=dict)  # of the product's record
    goods: tuple[int, list[str] | None] | None = None  # the product's own link and what it was not told
    says: dict[str, Any] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True, slots=True)
class _Page:
    """What one page is taken with."""

    world: World
    tx: Connection
    plug: Plug
    kind: str  # the offers' native kind
    goods: str  # the products'
    cause: Cause
    now: str
    took: Took

    def among(self, sql: str, values: tuple[Any, ...], wanted: Iterable[str]) -> Sequence[Any]:
        return among(self.world, self.tx, sql, values, wanted)

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        many(self.world, self.tx, sql, rows)


def absorb_offers(
    world: World, tx: Connection, plug: Plug, page: Sequence[Seen], cause: Cause
) -> tuple[Took, list[str]]:
    """Take the plain ones; their ids."""
    kind, took = page[0].record.kind, Took()
    goods = _goods(world, plug, kind)
    if goods is None:
        took.rest += page
        return took, []
    it = _Page(world, tx, plug, kind, goods, cause, stamp(world.now()), took)
    offers = _decided(it, _settled(it, _placed(it, _read(it, page))))
    if offers:
        _write(it, offers)
    return took, [one.seen.record.id for one in offers]


def _goods(world: World, plug: Plug, kind: str) -> str | None:
    """The native kind of the offers' products, where nothing but the offers speaks of price and stock, and nobody else is
    to be told."""
    kinds = [name for name, lens in plug.mapping.lenses.items() if lens.kind == "product"]
    if len(kinds) != 1 or kind in plug.adapter.capabilities.updates or spreads(world, plug.name, "product"):
        return None
    return kinds[0] if _SAID.isdisjoint(plug.mapping.lens(kinds[0]).fields) else None


def _read(it: _Page, page: Sequence[Seen]) -> list[_Offer]:
    """Those that can be read without a question and whose link is as the last taking left it."""
    lens, hashed = it.plug.mapping.lens(it.kind), it.plug.hasher(it.kind)
    known = {
        row[0]: row for row in it.among(f"{_KNOWN} {_OF_KIND}", (it.plug.name, it.kind), [s.record.id for s in page])
    }
    times = Counter(seen.record.id for seen in page)
    offers: list[_Offer] = []
    for seen in page:
        rec, own = seen.record, None
        row = known.get(rec.id)
        if rec.deleted and row is None and times[rec.id] == 1:
            it.took.counts.add("skipped")  # it was deleted before it was ever seen
            continue
        if row is not None and row[7] and hashed(row[3].encode(), False) == row[4]:
            own = _Own(row[1], row[2], row[3], row[5], row[6])
        plain = not rec.deleted and times[rec.id] == 1 and (row is None or own is not None)
        found = lens.get(rec.data) if plain else None
        if found is None or found.problems:
            it.took.rest.append(seen)
        else:
            offers.append(_Offer(seen, found, own, str(found.fields["product"])))
    return offers


def _placed(it: _Page, offers: list[_Offer]) -> list[_Offer]:
    """Those whose product is known, where it has one offer here; what has no product waits for it."""
    wanted = {id for one in offers if one.own is None for id in (one.wanted, one.wanted.split("#")[0])}
    rows = it.among(f"SELECT external_id, record_uid {_OF_KIND}", (it.plug.name, it.goods), sorted(wanted))
    uids = dict(rows) if wanted else {}
    placed: dict[str, list[_Offer]] = {}
    homeless: list[_Offer] = []
    for one in offers:
        if one.own is not None:
            one.uid = one.own.uid
        elif one.wanted in uids:
            one.uid = uids[one.wanted]
        elif one.wanted.split("#")[0] not in uids:
            homeless.append(one)
            continue
        placed.setdefault(one.uid or one.wanted, []).append(one)
    _wait(it, homeless)
    it.took.rest += [one.seen for some in placed.values() if len(some) > 1 for one in some]
    return [some[0] for some in placed.values() if len(some) == 1]


def _wait(it: _Page, homeless: list[_Offer]) -> None:
    """What waits for its product already, just as it is, is no news."""
    if not homeless:
        return
    rows = dict(it.among(_WAITING, (it.plug.name, it.kind), [one.seen.record.id for one in homeless]))
    for one in homeless:
        if rows.get(one.seen.record.id) == dumps(kept(one.seen.record)):
            it.took.counts.add("skipped")
        else:
            it.took.rest.append(one.seen)


def _settled(it: _Page, offers: list[_Offer]) -> list[_Offer]:
    """Those of products of which this connection alone speaks, and about which nothing is open."""
    uids = [one.uid for one in offers if one.uid]
    if not uids:
        return offers
    busy = {row[0] for sql in _BUSY for row in it.among(sql, (), uids)}
    links: dict[str, list[Any]] = {}
    for row in it.among(_LINKS, (it.plug.name, it.goods), uids):
        links.setdefault(row[0], []).append(row)
    sql = "SELECT uid, data FROM record WHERE kind = ? AND merged_into IS NULL AND uid"
    records = dict(it.among(sql, ("product",), uids))
    settled = []
    for one in offers:
        if one.uid:
            own = one.own.id if one.own else None
            others = [row for row in links.get(one.uid, ()) if row[1] != own]
            if one.uid in busy or one.uid not in records or len(others) != 1 or not _still(others[0]):
                it.took.rest.append(one.seen)
                continue
            one.data = loads(records[one.uid])
            one.goods = (others[0][1], loads(others[0][3]) if others[0][3] else None)
            if one.data.get("archived"):
                it.took.rest.append(one.seen)
                continue
        settled.append(one)
    return settled


def _still(row: Any) -> bool:
    """Whether a product's own link has nothing to say: it shows what the record holds, or it has never been seen."""
    _, _, mine, untold, unseen = row
    return bool(mine) and (bool(unseen) if untold is None else _SAID.issuperset(loads(untold)))


def _decided(it: _Page, offers: list[_Offer]) -> list[_Offer]:
    """Those by which the record takes what they say, or holds it already."""
    config, plug = it.world.config, it.plug
    keys = sale_price_keys(config, it.tx, plug.name)
    policy = partial(policy_for, "product", owners=config.owners)
    name, stepwise = f"{plug.name}/{it.kind}", it.kind in plug.adapter.capabilities.stepwise
    decided = []
    for one in offers:
        if not one.uid:
            one.data = _first_values(one)
        held, base = _typed(one.data), _typed(loads(one.own.base) if one.own and one.own.base else {})
        one.says = observed(config, plug, one.found, deleted=False, numbered=False, price_keys=keys)
        untold = frozenset(loads(one.own.untold)) if one.own and one.own.untold else None
        side = Side(name, plug.role, one.says, base, untold=untold, stepwise=stepwise)
        one.plan = plan = decide(held, [side], policy, _NO_STAGES)
        after = {**held, **plan.values}
        taken = all(field in after and same(field, value, after[field]) for field, value in one.says.items())
        if plan.conflicts or plan.writes or not taken:
            it.took.rest.append(one.seen)
        else:
            decided.append(one)
    return decided


def _first_values(one: _Offer) -> dict[str, Any]:
    """The record of a variant of which only the product itself is known."""
    said = {name: one.found.fields[name] for name in ("name", "sku") if name in one.found.fields}
    return said | {"variant_of": one.wanted.split("#")[0], "active": True}


def _typed(data: dict[str, Any]) -> dict[str, Any]:
    said = {name: data[name] for name in _SAID if name in data}
    return KINDS["product"].model_validate(said).model_dump(exclude_unset=True) if said else said


def known_by_now(world: World, tx: Connection, plug: Plug, waiting: Sequence[Any]) -> list[int]:
    """Ids of those quarantine rows of offers without a product whose product has come since."""
    wanted: dict[int, str] = {}
    for row in waiting:
        lens = plug.mapping.lenses.get(row.native_kind)
        found = lens.get(row.data["data"]) if lens is not None and row.data else None
        wanted[row.id] = str(found.fields.get("product", "")) if found is not None else ""
    kinds = [name for name, lens in plug.mapping.lenses.items() if lens.kind == "product"]
    asked = sorted({id for name in wanted.values() for id in (name, name.split("#")[0])})
    sql = f"SELECT external_id {_OF_KIND}"
    there = {row[0] for kind in kinds for row in among(world, tx, sql, (plug.name, kind), asked)} if asked else set()
    return [id for id, name in wanted.items() if not name or name in there or name.split("#")[0] in there]


def _write(it: _Page, offers: list[_Offer]) -> None:
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


def _reasons(one: _Offer) -> list[tuple[str, dict[str, Any]]]:
    """What changes in the record, by the reason for it."""
    groups: dict[str, dict[str, Any]] = {}
    held = _typed(one.data)
    for name, value in one.plan.values.items():
        groups.setdefault(one.plan.why[name][0], {})[name] = [held.get(name), value]
    return list(groups.items())


def _records(it: _Page, offers: list[_Offer]) -> None:
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


def _links(it: _Page, offers: list[_Offer]) -> dict[str, int]:
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
    it.world.store.insert_many(it.tx, link, _LINK, new)
    it.many("UPDATE link SET version = ?, shadow = ?, shadow_hash = ?, base = ?, untold = ? WHERE id = ?", known)
    found = (
        it.among(f"SELECT external_id, id {_OF_KIND}", (it.plug.name, it.kind), [row[2] for row in new]) if new else ()
    )
    return dict(found) | {one.seen.record.id: one.own.id for one in offers if one.own is not None}


def _untold(one: _Offer) -> str:
    """All that the offer says is what the record holds; what it says no longer stays as it was."""
    assert one.own is not None
    before = loads(one.own.untold) if one.own.untold else ()
    return dumps(sorted({*before, *one.plan.values} - one.says.keys()))
