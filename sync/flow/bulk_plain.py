"""Which offers of a page can be taken with all the others: everything that is not as plain as that stays apart.

Plain is an offer that can be read without a question, of a product of which its connection alone speaks, about which
nothing is open and nobody else is to be told, and whose word the record takes as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow.bulk_rows import many
from sync.flow.look import spreads
from sync.flow.offers import no_product
from sync.flow.plug import Cause, Plug, Seen, Took, World
from sync.flow.seen import among, few_or_among
from sync.flow.translate import SAID, observed, sale_price_keys
from sync.flow.trouble import kept, refuse
from sync.lens import Translated
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import Graph, Plan, Side, decide, policy_for
from sync.store.tables import record
from sync.store.types import dumps, loads

OF_KIND = "FROM link WHERE connection = ? AND native_kind = ? AND external_id"
_NO_STAGES = Graph.of(())
_KNOWN = (
    "SELECT external_id, id, record_uid, shadow, shadow_hash, base, untold,"
    " state = 'linked' AND deleted_at IS NULL AND number IS NULL AND shadow IS NOT NULL"
)
_LINKS = (
    "SELECT record_uid, link.id, connection = ? AND native_kind = ? AND state = 'linked', untold, shadow IS NULL,"
    " CASE WHEN record.kind = 'product' AND merged_into IS NULL THEN data END"
    " FROM link JOIN record ON uid = record_uid WHERE record_uid"
)
_BUSY = (  # records about which something is open
    "SELECT record_uid FROM edit WHERE state = 'pending' AND record_uid",
    "SELECT record_uid FROM conflict WHERE state = 'open' AND record_uid",
    "SELECT record_uid FROM intent WHERE state NOT IN ('done', 'dropped') AND record_uid",
)
_WAITING = (
    "SELECT external_id, data FROM quarantine WHERE connection = ? AND native_kind = ? AND stage = 'intake'"
    " AND state = 'open' AND state <> 'closed' AND code = 'offer.no_product' AND external_id"
)


# What stands in an offer until it is known
_NOTHING: Mapping[str, Any] = {}
_UNDECIDED = Plan()


@dataclass(frozen=True, slots=True)
class Own:
    """The offer's link, as it is known."""

    id: int
    uid: str
    shadow: str
    base: str | None
    untold: str | None


@dataclass(slots=True)
class Offer:
    seen: Seen
    found: Translated
    own: Own | None
    wanted: str  # the product's id over there
    uid: str = ""  # of the product's record; "" where the offer itself makes it
    data: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)  # of the product's record
    says: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    plan: Plan = field(default_factory=lambda: _UNDECIDED)


@dataclass(frozen=True, slots=True)
class Page:
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


def without_known(world: World, tx: Connection, plug: Plug, page: Sequence[Seen]) -> list[Seen]:
    """The news of a catalogue page of one kind without what a full export says every night and never comes to anything: goods
    that were deleted before they were ever seen, and offers that wait for their product just as they are."""
    if not page:
        return []
    place = (plug.name, page[0].record.kind)
    waiting = dict(among(world, tx, _WAITING, place, [seen.record.id for seen in page if not seen.record.deleted]))
    return [seen for seen in page if (seen.linked if seen.record.deleted else not _waits(seen, waiting))]


def _waits(seen: Seen, waiting: Mapping[str, str]) -> bool:
    held = waiting.get(seen.record.id)
    return held is not None and held == dumps(kept(seen.record))


def plain_offers(it: Page, page: Sequence[Seen]) -> list[Offer]:
    """Those of the page, with what follows from each; the others are put to `took.rest`."""
    return _decided(it, _settled(it, _placed(it, _read(it, page))))


def goods_of(world: World, plug: Plug, kind: str) -> str | None:
    """The native kind of the offers' products, where nothing but the offers speaks of price and stock, and nobody else is
    to be told."""
    kinds = [name for name, lens in plug.mapping.lenses.items() if lens.kind == "product"]
    if len(kinds) != 1 or kind in plug.adapter.capabilities.updates or spreads(world, plug.name, "product"):
        return None
    return kinds[0] if SAID.isdisjoint(plug.mapping.lens(kinds[0]).fields) else None


def _read(it: Page, page: Sequence[Seen]) -> list[Offer]:
    """Those that can be read without a question and whose link is as the last taking left it."""
    lens, hashed = it.plug.mapping.lens(it.kind), it.plug.hasher(it.kind)
    linked = [seen.record.id for seen in page if seen.linked]
    rows = it.among(f"{_KNOWN} {OF_KIND}", (it.plug.name, it.kind), linked) if linked else ()
    known = {row[0]: row for row in rows}
    times = Counter(seen.record.id for seen in page)
    offers: list[Offer] = []
    for seen in page:
        rec, own = seen.record, None
        row = known.get(rec.id)
        if rec.deleted and not seen.linked and times[rec.id] == 1:
            it.took.counts.add("skipped")  # it was deleted before it was ever seen
            continue
        if row is not None and row[7] and hashed(row[3].encode(), False) == row[4]:
            own = Own(row[1], row[2], row[3], row[5], row[6])
        plain = not rec.deleted and times[rec.id] == 1 and (not seen.linked or own is not None)
        found = lens.get(rec.data) if plain else None
        if found is None or found.problems:
            it.took.rest.append(seen)
        else:
            offers.append(Offer(seen, found, own, str(found.fields["product"])))
    return offers


def _placed(it: Page, offers: list[Offer]) -> list[Offer]:
    """Those whose product is known, where it has one offer here; what has no product waits for it."""
    wanted = {id for one in offers if one.own is None for id in (one.wanted, one.wanted.split("#")[0])}
    rows = it.among(f"SELECT external_id, record_uid {OF_KIND}", (it.plug.name, it.goods), sorted(wanted))
    uids = dict(rows) if wanted else {}
    placed: dict[str, list[Offer]] = {}
    homeless: list[Offer] = []
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


def _wait(it: Page, homeless: list[Offer]) -> None:
    """They go into quarantine until their product comes. What waits there already, just as it is, is no news."""
    if not homeless:
        return
    rows = dict(it.among(_WAITING, (it.plug.name, it.kind), [one.seen.record.id for one in homeless]))
    now = it.world.now()
    for one in homeless:
        rec = one.seen.record
        if _waits(one.seen, rows):
            it.took.counts.add("skipped")
            continue
        error = no_product(one.found.fields.get("product"))
        refuse(it.tx, it.plug.name, rec.kind, rec.id, error, now, inbox_id=it.cause.inbox_id, data=kept(rec))
        it.took.counts.add("failed")


def _settled(it: Page, offers: list[Offer]) -> list[Offer]:
    """Those of products of which this connection alone speaks, and about which nothing is open."""
    uids = [one.uid for one in offers if one.uid]
    if not uids:
        return offers
    _lock(it, uids)
    busy = few_or_among(it.world, it.tx, _BUSY, (), uids)
    links: dict[str, list[Any]] = {}
    for row in it.among(_LINKS, (it.plug.name, it.goods), uids):
        links.setdefault(row[0], []).append(row)
    settled = []
    for one in offers:
        if one.uid:
            own = one.own.id if one.own else None
            others = [row for row in links.get(one.uid, ()) if row[1] != own]
            data = others[0][5] if len(others) == 1 else None
            if data is None or one.uid in busy or not _still(others[0]):
                it.took.rest.append(one.seen)
                continue
            one.data = loads(data)
            if one.data.get("archived"):
                it.took.rest.append(one.seen)
                continue
        settled.append(one)
    return settled


def _lock(it: Page, uids: Sequence[str]) -> None:
    """Hold the records until the transaction ends, as `weave` does, before their links are looked at."""
    if not it.world.store.sqlite:
        it.tx.execute(sa.select(record.c.uid).where(record.c.uid.in_(uids)).order_by(record.c.uid).with_for_update())


def _still(row: Any) -> bool:
    """Whether a product's own link has nothing to say: it shows what the record holds, or it has never been seen."""
    _, _, mine, untold, unseen, _ = row
    return bool(mine) and (bool(unseen) if untold is None else SAID.issuperset(loads(untold)))


def _decided(it: Page, offers: list[Offer]) -> list[Offer]:
    """Those by which the record takes what they say, or holds it already."""
    config, plug = it.world.config, it.plug
    keys = sale_price_keys(config, it.tx, plug.name)
    policy = partial(policy_for, "product", owners=config.owners)
    name, stepwise = f"{plug.name}/{it.kind}", it.kind in plug.adapter.capabilities.stepwise
    decided, first_words = [], dict[tuple[str, ...], Plan]()
    for one in offers:
        if not one.uid:
            one.data = _first_values(one)
        held, base = said_of(one.data), said_of(loads(one.own.base) if one.own and one.own.base else {})
        one.says = says = observed(config, plug, one.found, deleted=False, numbered=False, price_keys=keys)
        shape = None if held or one.own else tuple(says)
        if shape is not None and shape in first_words:
            one.plan = _likewise(first_words[shape], name, says)
            decided.append(one)
            continue
        untold = frozenset(loads(one.own.untold)) if one.own and one.own.untold else None
        side = Side(name, plug.role, says, base, untold=untold, stepwise=stepwise)
        one.plan = plan = decide(held, [side], policy, _NO_STAGES)
        if shape is not None and plan.values == says == plan.agreed.get(name) and not (plan.conflicts or plan.writes):
            first_words[shape] = plan
        after = {**held, **plan.values}
        taken = all(word in after and same(word, value, after[word]) for word, value in says.items())
        if plan.conflicts or plan.writes or not taken:
            it.took.rest.append(one.seen)
        else:
            decided.append(one)
    return decided


def _likewise(plan: Plan, name: str, says: Mapping[str, Any]) -> Plan:
    """The decision about the same fields where nobody has said anything of them before: of the values it asks nothing."""
    return Plan(values=dict(says), why=plan.why, agreed={name: dict(says)})


def _first_values(one: Offer) -> dict[str, Any]:
    """The record of a variant of which only the product itself is known."""
    said = {name: one.found.fields[name] for name in ("name", "sku") if name in one.found.fields}
    return said | {"variant_of": one.wanted.split("#")[0], "active": True}


def said_of(data: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: data[name] for name in SAID if name in data}
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
    sql = f"SELECT external_id {OF_KIND}"
    there = {row[0] for kind in kinds for row in among(world, tx, sql, (plug.name, kind), asked)} if asked else set()
    return [id for id, name in wanted.items() if not name or name in there or name.split("#")[0] in there]
