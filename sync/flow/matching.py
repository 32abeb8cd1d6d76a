"""Which deal an order belongs to that a system has of its own: by our number, by a document that is known already, or by the
number of the order elsewhere, which its mapping gives as `event.deal`.

A number alone proves nothing: shops count alike, a new year begins at 1 again, and an order copied in accounting keeps the
number. It joins two records only where the client or the sum says the same, and only one deal fits. What fits half is a
question, what does not fit is a deal of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.errors import NeedHuman, Text
from sync.flow.plug import Plug, World
from sync.flow.weave import typed
from sync.identity import Desk, merging, said
from sync.lens import Translated
from sync.model.compare import same, spelled
from sync.store.tables import document, link, record

APART = timedelta(days=180)  # two orders of one number so far apart are two orders


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deal of that number, and what speaks for it: True, False, or None where nothing is said."""

    uid: str
    client: bool | None
    amount: bool | None
    taken: bool  # it has an order of this system already

    @property
    def fits(self) -> bool:
        return self.client is True or (self.client is None and self.amount is True)

    @property
    def differs(self) -> bool:
        return self.client is False and self.amount is not True


def deal_of(world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, desk: Desk) -> str | None:
    """The deal that this new order belongs to; None: it is one of its own. NeedHuman where that cannot be told.

    `desk` tells whose the order is.
    """
    if rec.kind in plug.adapter.capabilities.offers:
        return _by_our_number(world, tx, plug, rec, found, desk)
    number = found.event.get("deal") if plug.role == "accounting" else found.fields.get("number")
    if number:
        world.store.lock_key(tx, f"order:{number}")
    if plug.role != "accounting":
        return _waiting_for(world, tx, plug, rec, found, str(number), desk) if number else None
    uid = _by_document(tx, plug, rec, found)
    if uid is not None or not number:
        return uid
    candidates = _candidates(world, tx, plug, rec, found, _numbered(tx, str(number)), desk)
    return _chosen(plug, str(number), candidates)


def _by_our_number(world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, desk: Desk) -> str:
    """An order that a fetching system sends back carries our number; one without it is not ours to invent."""
    rows = tx.execute(sa.select(record).where(record.c.kind == "deal", record.c.number == rec.id).limit(20)).all()
    if len(rows) == 1:
        return str(rows[0].uid)
    uid = _chosen(plug, rec.id, _candidates(world, tx, plug, rec, found, rows, desk)) if rows else None
    if uid is not None:
        return uid
    raise NeedHuman(
        Text(
            f"{plug.name} sent the order {rec.id}, but no deal has that number.",
            f"Из {plug.name} пришёл заказ {rec.id}, но сделки с таким номером нет.",
        ),
        code="deal.unknown_number",
        field="number",
    )


def _by_document(tx: Connection, plug: Plug, rec: Record, found: Translated) -> str | None:
    """The deal whose order another connection to the same books has told of, by the document's own id."""
    orders = [d for d in found.fields.get("documents") or [] if d.get("kind") == "order" and d.get("number")]
    query = sa.select(document.c.deal_uid).where(
        document.c.number.in_([d["number"] for d in orders]),
        document.c.key.in_([d["key"] for d in orders]),
        document.c.kind == "order",
        document.c.connection != plug.name,
    )
    uids = tx.execute(query.distinct().limit(2)).scalars().all() if orders else []
    return str(uids[0]) if len(uids) == 1 and not _taken(tx, plug, rec, str(uids[0])) else None


def _numbered(tx: Connection, number: str) -> Sequence[Any]:
    """Deals that people know by this number, or that a system was given under it."""
    given = sa.select(link.c.record_uid).where(link.c.number == number)
    return tx.execute(
        sa.select(record)
        .where(record.c.kind == "deal", record.c.merged_into.is_(None))
        .where(sa.or_(record.c.number == number, record.c.uid.in_(given)))
        .order_by(record.c.uid)
        .limit(20)
    ).all()


def _waiting_for(
    world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, number: str, desk: Desk
) -> str | None:
    """The deal that accounting's order of this number has made before the order itself came: only where that is sure."""
    rows = [row for row in _numbered(tx, number) if _only_in_books(world, tx, row.uid, number)]
    fitting = [one for one in _candidates(world, tx, plug, rec, found, rows, desk) if one.fits and not one.taken]
    return fitting[0].uid if len(fitting) == 1 else None


def _only_in_books(world: World, tx: Connection, uid: str, number: str) -> bool:
    """Whether nobody but accounting has the deal, and names an order of this number that is elsewhere."""
    links = tx.execute(sa.select(link).where(link.c.record_uid == uid)).all()
    named = False
    for one in links:
        plug = world.plugs.get(one.connection)
        lens = plug.mapping.lenses.get(one.native_kind) if plug else None
        if plug is None or plug.role != "accounting" or lens is None or one.shadow is None:
            return False
        named = named or lens.get(one.shadow).event.get("deal") == number
    return named


def _candidates(
    world: World, tx: Connection, plug: Plug, rec: Record, found: Translated, rows: Sequence[Any], desk: Desk
) -> list[Candidate]:
    at, client = _moment(found), None
    if rows and found.client:
        shown = said.of_event(found.client, {**found.event, "type": "order"}, plug.name)
        client = desk.whose(shown, at or world.now())
    made = []
    for row in rows:
        data = typed("deal", row.data)
        when = data.get("created_at")
        if at is not None and when is not None and abs(at - when) > APART:
            continue
        sure = _same_client(tx, client, row.client_uid, found)
        made.append(Candidate(row.uid, sure, _same_sum(data, found), _taken(tx, plug, rec, row.uid)))
    return made


def _moment(found: Translated) -> datetime | None:
    dates = [d.get("date") for d in found.fields.get("documents") or [] if d.get("kind") == "order"]
    return next((d for d in dates if d is not None), found.fields.get("created_at"))


def _same_client(tx: Connection, client: str | None, other: str | None, found: Translated) -> bool | None:
    if other is None:
        return None
    if client is not None:
        return merging.client_of(tx, client) == merging.client_of(tx, other)
    known = tx.execute(sa.select(record.c.data, record.c.title).where(record.c.uid == other)).one()
    inn = found.client.get("inn")
    if inn and known.data.get("inn"):
        return bool(inn == known.data["inn"])
    names = {frozenset(spelled(n).split()) for n in (found.client.get("name"), found.client.get("company")) if n}
    words = frozenset(spelled(known.title or "").split())
    return True if len(words) > 1 and words in names else None


def _same_sum(data: dict[str, Any], found: Translated) -> bool | None:
    here, there = data.get("amount"), found.fields.get("amount")
    if here is None or there is None:
        return None
    currencies = (data.get("currency"), found.fields.get("currency"))
    return same("amount", here, there) and (None in currencies or currencies[0] == currencies[1])


def _taken(tx: Connection, plug: Plug, rec: Record, uid: str) -> bool:
    place = (link.c.record_uid == uid, link.c.connection == plug.name, link.c.native_kind == rec.kind)
    return tx.execute(sa.select(link.c.id).where(*place, link.c.deleted_at.is_(None))).first() is not None


def _chosen(plug: Plug, number: str, candidates: Sequence[Candidate]) -> str | None:
    fitting = [one for one in candidates if one.fits]
    if len(fitting) > 1:
        fitting = [one for one in fitting if one.client and one.amount] or fitting
    if len(fitting) == 1 and not fitting[0].taken:
        return fitting[0].uid
    if all(one.differs for one in candidates):
        return None
    raise NeedHuman(
        Text(
            f"{plug.name} has an order that names the order {number}, and it cannot be told which deal that is "
            f"(deals of that number: {len(candidates)}).",
            f"В {plug.name} есть заказ с номером {number}, но непонятно, какая это сделка (сделок с таким номером: "
            f"{len(candidates)}).",
        ),
        code="deal.same_number",
        field="number",
        remedy=Text(
            "Correct the number of the order there, its client or its sum (a copy of an order keeps the number), then retry.",
            "Исправьте там номер, контрагента или сумму заказа (у копии заказа остаётся номер) и повторите.",
        ),
    )
