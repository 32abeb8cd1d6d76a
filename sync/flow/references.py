"""Who a deal or lead refers to in another system: the client's id over there, kept right when cards are merged and parted.

A reference is only written where the system's mapping gives one when it creates (`client.contact_id`, `client.company_id`,
`client.id`), and only over what is known to stand for the same client or was written by the hub itself: what people chose
over there by hand is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery.execute import holds
from sync.delivery.intents import CLIENT
from sync.flow.look import takes_part
from sync.flow.plug import Plug, World
from sync.identity.merging import cards_of, client_of
from sync.lens import Lens
from sync.store.tables import intent, link, record


def client_ids(tx: Connection, card: str, target: Plug) -> dict[str, str]:
    """The client's external id over there, as creates know it: of the leading card, else of another card of the same client;
    nothing where they are not there."""
    return next(iter(_known(tx, cards_of(tx, card), target)), {})


def ids_of(tx: Connection, row: Any, target: Plug) -> dict[str, str]:
    """The ids over there of a deal's or lead's client and, where that is a company, of the person who acts for it."""
    person: dict[str, str] = {}
    if row.person_uid and row.person_uid != row.client_uid:
        person = {k: v for k, v in client_ids(tx, row.person_uid, target).items() if k != "id"}
    return {**person, **(client_ids(tx, row.client_uid, target) if row.client_uid else {})}


def ids(kind: str, external_id: str) -> dict[str, str]:
    return {"id": external_id, f"{kind}_id": external_id}


def _known(tx: Connection, cards: list[str], target: Plug) -> list[dict[str, str]]:
    """The same for each card that is there, in the order of the cards."""
    rows = tx.execute(
        sa.select(link.c.record_uid, link.c.native_kind, link.c.external_id)
        .where(
            link.c.record_uid.in_(cards),
            link.c.connection == target.name,
            link.c.state == "linked",
            link.c.deleted_at.is_(None),
        )
        .order_by(link.c.id)
    ).all()
    found = []
    for card in cards:
        for row in rows:
            lens = target.mapping.lenses.get(row.native_kind)
            if row.record_uid == card and lens is not None and lens.kind in ("contact", "company"):
                found.append(ids(lens.kind, row.external_id))
    return found


def added(
    lens: Lens, client: Mapping[str, Any], known: Mapping[str, str], view: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The part of a new native record that says the client's id. `view`: what else the new record says."""
    without = lens.create({**(view or {}), "client": dict(client)})
    with_ids = lens.create({**(view or {}), "client": {**client, **known}})
    return {name: value for name, value in with_ids.items() if without.get(name) != value}


class _Same:
    """A lens by its identity: mappings live as long as the hub."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens

    def __hash__(self) -> int:
        return id(self.lens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.lens is self.lens


@lru_cache(maxsize=256)
def _refers(lens: _Same) -> bool:
    """Whether a mapping's new records of this kind name their client by id at all."""
    return bool(added(lens.lens, {}, {"id": "1", "contact_id": "1", "company_id": "1"}))


def wanted(world: World, tx: Connection, row: Any, one: Any) -> dict[str, Any] | None:
    """What to write over there so that a linked record refers to its client's card; {} when it does, or somebody there chose
    otherwise. None when the client is not there, and the record would be told as soon as they are."""
    target = world.plugs.get(one.connection)
    lens = target.mapping.lenses.get(one.native_kind) if target else None
    if row.kind not in ("deal", "lead") or not row.client_uid or target is None or lens is None:
        return {}
    able = one.native_kind in target.adapter.capabilities.updates and takes_part(world, target.name, row.kind)
    if not able or one.shadow is None or one.deleted_at is not None or not _refers(_Same(lens)):
        return {}
    found = _wanted(tx, row.uid, row.client_uid, target, lens, one)
    if found is not None and row.person_uid and row.person_uid != row.client_uid:
        found |= _wanted(tx, row.uid, row.person_uid, target, lens, one, person=True) or {}
    return found


def _wanted(
    tx: Connection, uid: str, card: str, target: Plug, lens: Lens, one: Any, *, person: bool = False
) -> dict[str, Any] | None:
    """The same for the client alone, or for the person who acts for a company."""
    cards = cards_of(tx, card)
    client = tx.execute(sa.select(record.c.data, record.c.kind).where(record.c.uid == cards[0])).one()
    known = _known(tx, cards, target)
    there = bool(known)
    known = known or [ids(client.kind, "1")]
    if person:
        known = [{k: v for k, v in each.items() if k != "id"} for each in known]
    forms = [added(lens, client.data, each) for each in known]
    if not forms[0] or (there and holds(one.shadow, forms[0])):
        return {}
    sure = any(form and holds(one.shadow, form) for form in forms[1:])
    if not (sure or _ours(tx, uid, one, forms[0])):
        return {}
    return forms[0] if there else None


def name(tx: Connection, row: Any) -> str:
    """What people call the record's client."""
    client = client_of(tx, row.client_uid)
    return str(tx.execute(sa.select(record.c.title).where(record.c.uid == client)).scalar() or client)


def _ours(tx: Connection, uid: str, one: Any, form: Mapping[str, Any]) -> bool:
    """Whether what stands there was written by the hub: the last of its writes that spoke of the client."""
    rows = tx.execute(
        sa.select(intent.c.op, intent.c.data, intent.c.why)
        .where(
            intent.c.record_uid == uid,
            intent.c.connection == one.connection,
            intent.c.native_kind == one.native_kind,
            intent.c.op.in_(("create", "update")),
            intent.c.state == "done",
        )
        .order_by(intent.c.done_at.desc(), intent.c.id)
    )
    last = next((r.data for r in rows if r.op == "create" or CLIENT in r.why), None)
    if last is None:
        return False
    return all(_alike(one.shadow.get(name), last.get(name)) for name in form)


def _alike(shown: Any, written: Any) -> bool:
    if written in (None, "", [], {}):
        return shown in (None, "", "0", 0, [], {})
    return holds(shown, written)
