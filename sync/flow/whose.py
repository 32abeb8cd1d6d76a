"""Whose a record is: what it says, asked of the resolver, within the record's transaction."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.errors import NeedHuman, Text
from sync.flow import trouble
from sync.flow.plug import Cause, Plug, World
from sync.identity import Desk, Own, Source, Verdict, said
from sync.lens import Translated
from sync.store.asked import THIS
from sync.store.tables import link, record

_RANKS = {"crm": 0, "accounting": 1, "shop": 2, "form": 3, "mail": 4}
_AS_BEFORE = Text("it was known before", "было известно раньше")
_CLIENT = sa.select(record.c.client_uid, record.c.person_uid).where(record.c.uid == THIS)
_NOTHING = Text("nothing identifies the sender", "ничто не указывает на отправителя")


def own_of(world: World) -> Own:
    """The firm's own side, as configured."""
    hub = world.config.hub
    return Own.of(hub.own_domains, hub.own_lines, hub.own_inns, hub.country)


def ranks_of(world: World) -> dict[str, int]:
    """Whose word counts first where connections name a client differently."""
    return {p.name: _RANKS.get(p.role, len(_RANKS)) for p in world.plugs.values()}


def desk_of(world: World, tx: Connection, plug: Plug, rec: Record, cause: Cause) -> Desk:
    """Who answers whose something is, in this transaction, for this record."""
    source = Source(plug.name, f"{rec.kind}:{rec.id}", world.now(), ranks_of(world), cause.run_id, cause.inbox_id)
    return Desk(world.store, tx, own_of(world), source)


def known_card(tx: Connection, desk: Desk, plug: Plug, rec: Record, kind: str, found: Translated) -> str | None:
    """A system's card of a client: the one that what it shows leads to without doubt. None: a client of its own, also where
    that system has a card for the same client already: two are one only when a person says so."""
    client = desk.recognise(said.of_card(found.client, kind), kind)
    if client is None:
        return None
    place = (link.c.record_uid == client, link.c.connection == plug.name, link.c.native_kind == rec.kind)
    twin = tx.execute(sa.select(link.c.id).where(*place)).first()
    same_kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == client)).scalar() == kind
    return client if twin is None and same_kind else None


def introduce(world: World, tx: Connection, plug: Plug, rec: Record, uid: str, found: Translated, cause: Cause) -> None:
    """What a card shows leads to its client from now on."""
    if found.kind in ("contact", "company") and found.client and not rec.deleted:
        desk = desk_of(world, tx, plug, rec, cause)
        desk.introduce(uid, found.kind, said.of_card(found.client, found.kind), world.now())


def client_of(
    world: World, tx: Connection, plug: Plug, rec: Record, uid: str, found: Translated, cause: Cause
) -> Verdict:
    """Whose record it is. Once it is somebody's it stays theirs: only people move it."""
    row = tx.execute(_CLIENT, {"this": uid}).one()
    as_before = Verdict(row.client_uid, "none", _AS_BEFORE if row.client_uid else _NOTHING, row.person_uid)
    if found.kind not in ("lead", "deal") or not found.client or (row.client_uid and plug.role == "accounting"):
        return as_before
    event = {**found.event, "type": event_type(found), "comment": found.fields.get("comment")}
    shown = said.of_event(found.client, event, found.fields.get("source") or plug.name)
    verdict = desk_of(world, tx, plug, rec, cause).identify(uid, "record", shown, event.get("at") or world.now())
    if row.client_uid:
        return replace(verdict, client=row.client_uid, person=row.person_uid or verdict.person)
    tx.execute(record.update().where(record.c.uid == uid).values(client_uid=verdict.client, person_uid=verdict.person))
    if verdict.ignored == "nothing":
        error = NeedHuman(
            Text(
                "Neither phone nor e-mail nor INN: the record was taken, but it belongs to no client yet.",
                "Нет ни телефона, ни почты, ни ИНН: запись принята, но пока ни за кем не числится.",
            ),
            code="client.none",
            field="client",
        )
        trouble.refuse(tx, plug.name, rec.kind, rec.id, error, world.now(), record_uid=uid, inbox_id=cause.inbox_id)
    return verdict


def event_type(found: Translated) -> str:
    """What a lead or an order is as a contact event."""
    return found.event.get("type") or ("form" if found.kind == "lead" else "order")
