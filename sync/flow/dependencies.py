"""What must be there first: the client before the deal or lead that refers to them.

A client's record is made in another system only as a dependency, and only where that system's mapping of deals or leads asks
for the client's id (`client.contact_id`, `client.company_id`, `client.id`). The deal is planned at once, so that one look
shows everything that follows; it is called when the client is there, with the id. A person who acts for a company is made
after it, and says whose they are; nothing refers back to what refers to it (a deal to its client and products, a person to
the company, these to nothing that waits), so there is no circle to break.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery import intents
from sync.errors import NeedHuman, SverkaError, Text
from sync.flow import gathering, references, trouble
from sync.flow.plug import Cause, Plug, World
from sync.flow.references import client_ids, ids
from sync.flow.weave import typed, weave
from sync.identity.merging import cards_of, client_of, clients_of
from sync.lens import Lens
from sync.store.tables import intent, link, record, review

DEPENDENCY = {"*": "dependency"}
WAITS = "delivery.parent"  # the cause of a record whose client could not be made there


def client_first(world: World, tx: Connection, row: Any, target: Plug, lens: Lens, cause: Cause) -> str | None:
    """Plan the creation of the record's client where `lens` refers to it and it is not there: its uid, else None.

    NeedHuman when it was tried and could not be made.
    """
    if not row.client_uid or client_ids(tx, row.client_uid, target):
        return None
    client = tx.execute(sa.select(record).where(record.c.uid == client_of(tx, row.client_uid))).one()
    return _planned(world, tx, row, client, target, lens, ids(client.kind, "1"), None, cause)


def both_first(world: World, tx: Connection, row: Any, target: Plug, lens: Lens, cause: Cause) -> str | None:
    """The same for a record that is new there: the client, then the person who acts for it. Gives the one that is made last."""
    needs = client_first(world, tx, row, target, lens, cause)
    if not row.person_uid or row.person_uid == row.client_uid or client_ids(tx, row.person_uid, target):
        return needs
    person = tx.execute(sa.select(record).where(record.c.uid == client_of(tx, row.person_uid))).one()
    known = {k: v for k, v in ids(person.kind, "1").items() if k != "id"}
    company = client_ids(tx, row.client_uid, target) if row.client_uid else {}
    return _planned(world, tx, row, person, target, lens, known, needs, cause, company) or needs


def _planned(
    world: World,
    tx: Connection,
    row: Any,
    client: Any,
    target: Plug,
    lens: Lens,
    known: Mapping[str, str],
    needs: str | None,
    cause: Cause,
    company: Mapping[str, str] | None = None,
) -> str | None:
    """Plan one creation, which may need another one before it; None where the record would not refer to it. `company`: the
    ids over there of the one for which a person acts."""
    native = next((n for n, one in target.mapping.lenses.items() if one.kind == client.kind), None)
    if native is None or native not in target.adapter.capabilities.creates or _in_question(tx, client.uid):
        return None
    if not _added(row, typed(row.kind, row.data), client, lens, known):
        return None
    data = typed(client.kind, client.data)
    there = target.mapping.lens(native)
    intents.plan(
        tx,
        record_uid=client.uid,
        connection=target.name,
        native_kind=native,
        op="create",
        data={**there.create({**data, "uid": client.uid}), **_works_at(there, data, company or {})},
        fields={k: v for k, v in data.items() if k in there.fields},
        why=DEPENDENCY,
        now=world.now(),
        run_id=cause.run_id,
        needs=needs,
    )
    failed = sa.select(intent.c.error).where(
        intent.c.record_uid == client.uid,
        intent.c.connection == target.name,
        intent.c.native_kind == native,
        intent.c.state.in_(("refused", "unknown")),
    )
    found = tx.execute(failed.limit(1)).first()
    if found is not None:
        raise waits(target.name, found.error)
    return str(client.uid)


def _in_question(tx: Connection, client_uid: str) -> bool:
    """Whether the client is only a holding card: whose it is, a person has yet to say."""
    query = sa.select(review.c.id).where(review.c.record_uid == client_uid, review.c.state == "open")
    return tx.execute(query.limit(1)).first() is not None


def _added(row: Any, data: Mapping[str, Any], client: Any, lens: Lens, known: Mapping[str, str]) -> dict[str, Any]:
    """The part of a new native record that says the client's id."""
    return references.added(lens, client.data, known, {**data, "uid": row.uid, "number": data.get("number")})


def _works_at(lens: Lens, data: Mapping[str, Any], company: Mapping[str, str]) -> dict[str, Any]:
    """The part of a person's new native record that says for which company they act."""
    return references.added(lens, {}, {k: v for k, v in company.items() if k != "id"}, data)


def filled(tx: Connection, plug: Plug, one: Any) -> Any:
    """An intent about to be called, with the id of the client that it waited for."""
    if one.needs is None:
        return one
    row = tx.execute(sa.select(record).where(record.c.uid == one.record_uid)).one()
    lens, data = plug.mapping.lens(one.native_kind), typed(row.kind, row.data)
    if row.client_uid is None:  # a person, made after the company
        more = _works_at(lens, data, client_ids(tx, one.needs, plug))
    else:
        client = tx.execute(sa.select(record).where(record.c.uid == row.client_uid)).one()
        more = _added(row, data, client, lens, references.ids_of(tx, row, plug))
    tx.execute(intent.update().where(intent.c.id == one.id).values(data={**one.data, **more}))
    return tx.execute(sa.select(intent).where(intent.c.id == one.id)).one()


def follow(world: World, tx: Connection, plug: Plug, client_uid: str, cause: Cause) -> None:
    """The client is over there now: their records that were there before refer to them."""
    cards = cards_of(tx, client_uid)
    mine = sa.select(record).join(link, link.c.record_uid == record.c.uid)
    there = (link.c.connection == plug.name, link.c.state == "linked", record.c.kind.in_(("deal", "lead")))
    theirs = sa.or_(record.c.client_uid.in_(cards), record.c.person_uid.in_(cards))
    for row in tx.execute(mine.where(theirs, *there).distinct()).all():
        weave(world, tx, row.uid, cause)
    gathering.plan(world, tx, [client_uid], cause)


def regroup(tx: Connection, cards: Iterable[str], now: datetime) -> None:
    """These cards have another client now: what waits for one of them waits for that client, and a card that is no client
    of its own any more is not made anywhere as one."""
    clients = clients_of(tx, cards)
    waiting = tx.execute(
        sa.select(intent.c.id, intent.c.needs, record.c.client_uid, record.c.person_uid)
        .join(record, record.c.uid == intent.c.record_uid)
        .where(intent.c.state == "planned", intent.c.needs.in_({*clients, *clients.values()}))
    ).all()
    today = clients_of(tx, [uid for row in waiting for uid in (row.client_uid, row.person_uid, row.needs) if uid])
    kinds = {r.uid: r.kind for r in tx.execute(sa.select(record.c.uid, record.c.kind).where(record.c.uid.in_(today)))}
    for row in waiting:  # it waits for its client, or for the person who acts for that
        meant = next((u for u in (row.client_uid, row.person_uid) if u and kinds[u] == kinds[row.needs]), row.needs)
        tx.execute(intent.update().where(intent.c.id == row.id).values(needs=today[meant]))
    merged = [card for card, client in clients.items() if card != client]
    planned = (intent.c.record_uid.in_(merged), intent.c.op == "create", intent.c.state == "planned")
    for one in tx.execute(sa.select(intent.c.id, intent.c.why).where(*planned)).all():
        if one.why == DEPENDENCY:
            intents.finish(tx, one.id, "dropped", now)


def hold_back(world: World, tx: Connection, parent: Any, error: SverkaError | None) -> None:
    """The parent could not be made: those that need it, or what was to be made after it, are told so, and planned again when
    it passes."""
    waiting = sa.select(intent).where(
        intent.c.needs == parent.record_uid, intent.c.connection == parent.connection, intent.c.state == "planned"
    )
    for one in tx.execute(waiting).all():
        intents.finish(tx, one.id, "dropped", world.now())
        if one.why == DEPENDENCY:
            hold_back(world, tx, one, error)
            continue
        reason = waits(parent.connection, intents.error_json(error))
        trouble.refuse(
            tx,
            one.connection,
            one.native_kind,
            one.record_uid,
            reason,
            world.now(),
            stage="delivery",
            record_uid=one.record_uid,
        )


def waits(connection: str, error: Mapping[str, Any] | None) -> SverkaError:
    why = error or {"en": "", "ru": ""}
    return NeedHuman(
        Text(
            f"Its client is not in {connection} yet and could not be made there. {why['en']}".strip(),
            f"Клиента ещё нет в {connection}, и создать его там не удалось. {why['ru']}".strip(),
        ),
        code=WAITS,
        field="client",
        remedy=Text(
            "Retry the client's own record; this one follows by itself.",
            "Повторите запись самого клиента; эта последует сама.",
        ),
    )
