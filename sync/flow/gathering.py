"""Cards that are one client, in systems that let activities be put on another card: they lie on the leading card, and come
home when the cards part.

The two cards themselves are never fused there: no system gives an absorbed card back, and a merge is to be taken back
exactly. The emptied card carries a note that names the other one instead.

One intent (op "gather") per home card: `data` says where its activities are to lie (`to`), and, from the first call on, which
they are (`items`: id → the cards on one of which it lies). The newest one that is done says where they lie now. The call is
safe to repeat, so a lost answer is settled by making it again; what a failed one may have moved is handed on to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Move
from sync.delivery import intents
from sync.errors import BadConfig, OutcomeUnknown, RetryLater, SverkaError, Text
from sync.flow import trouble
from sync.flow.look import takes_part
from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note
from sync.identity.merging import cards_of, client_of
from sync.store import points
from sync.store.tables import intent, link, merge, record

OP = "gather"
_KIND = "{} activities"  # beside the writes of the card itself, which they do not wait for
_FIELD = "activities"
_OF_CLIENTS = ("deal", "lead", "contact", "company")  # a system that no flow of these names is only read
_OPEN = ("planned", "refused", *intents.IN_FLIGHT)


def plan(world: World, tx: Connection, cards: Iterable[str], cause: Cause) -> set[str]:
    """Plan what follows from whose these cards are now; gives the connections that got work. Safe to repeat."""
    touched = set()
    for client in sorted({client_of(tx, card) for card in cards}):
        mine = cards_of(tx, client)
        query = sa.select(link).where(
            link.c.record_uid.in_(mine), link.c.state == "linked", link.c.deleted_at.is_(None)
        )
        links = sorted(tx.execute(query), key=lambda one: (mine.index(one.record_uid), one.id))
        leading: dict[tuple[str, str], Any] = {}
        for one in links:
            plug = world.plugs.get(one.connection)
            written = any(takes_part(world, one.connection, kind) for kind in _OF_CLIENTS)
            if plug is not None and written and one.native_kind in plug.adapter.capabilities.gathers:
                first = leading.setdefault((one.connection, one.native_kind), one)
                if _one(world, tx, one, first.external_id, client, cause):
                    touched.add(one.connection)
    return touched


def _one(world: World, tx: Connection, home: Any, to: str, client: str, cause: Cause) -> bool:
    kind = _KIND.format(home.native_kind)
    before = tx.execute(sa.select(intent).where(*_of(home), intent.c.state.in_(_OPEN))).first()
    if before is not None and (before.state in intents.IN_FLIGHT or before.data["to"] == to):
        return False
    begun = _maybe_moved(home, before.data) if before is not None else {}
    if _lies(tx, home)[0] == to and not begun:
        if before is not None:
            intents.finish(tx, before.id, "dropped", world.now())
            trouble.passed(tx, home.connection, kind, home.record_uid, world.now(), "delivery")
        return False
    title = tx.execute(sa.select(record.c.title).where(record.c.uid == client)).scalar()
    made = intents.plan(
        tx,
        record_uid=home.record_uid,
        link_id=home.id,
        connection=home.connection,
        native_kind=kind,
        op=OP,
        data={"to": to, "title": title or to, "items": begun},
        fields={_FIELD: title or to},
        why={_FIELD: "merge"},
        now=world.now(),
        run_id=cause.run_id,
    )
    return made is not None


def _of(home: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return intent.c.record_uid == home.record_uid, intent.c.link_id == home.id, intent.c.op == OP


def _maybe_moved(home: Any, data: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a call that did not end well may have moved: it lies on one of these cards."""
    return {item: sorted({*at, home.external_id, data["to"]}) for item, at in data["items"].items()}


def _lies(tx: Connection, home: Any) -> tuple[str, dict[str, list[str]]]:
    """The card on which the home card's activities lie by the hub's doing, and those, with that card."""
    query = sa.select(intent.c.data).where(*_of(home), intent.c.state == "done")
    data = tx.execute(query.order_by(intent.c.done_at.desc(), intent.c.created_at.desc()).limit(1)).scalar()
    if data is None or data["to"] == home.external_id:
        return str(home.external_id), {}
    return str(data["to"]), {item: [str(data["to"])] for item in data["items"]}


def carry_out(world: World, plug: Plug, row: Any, cause: Cause) -> int:
    """One planned gather, or one whose answer was lost, to its end or its next try; 1 when it is done."""
    with world.store.read() as tx:
        home = tx.execute(sa.select(link).where(link.c.id == row.link_id)).one()
        guests = _guests(tx, home)
        items = {**_lies(tx, home)[1], **_maybe_moved(home, row.data)}
    try:
        if row.state == "planned":
            if row.data["to"] != home.external_id:
                points.reach(f"call:{plug.name}.lying:before")
                here = plug.adapter.lying(home.native_kind, home.external_id)
                items = {**{item: [home.external_id] for item in here if item not in guests}, **items}
            with world.store.begin() as tx:
                world.guard(tx)
                if not intents.begin(tx, row.id, world.now()):
                    return 0
                data = {**row.data, "items": items}
                tx.execute(intent.update().where(intent.c.id == row.id).values(data=data))
        points.reach(f"call:{plug.name}.gather:before")
        moved = plug.adapter.gather(_move(row, home, items))
        points.reach(f"call:{plug.name}.gather:after")
    except SverkaError as error:
        _failed(world, plug, row, error)
        if isinstance(error, BadConfig):
            raise
        return 0
    with world.store.begin() as tx:
        if not intents.unsettled(tx, row.id):
            return 0
        _done(world, tx, plug, row, {item: items[item] for item in moved}, cause)
    return 1


def _move(row: Any, home: Any, items: Mapping[str, list[str]]) -> Move:
    told = Text(
        f"Sverka: this card and «{row.data['title']}» are one client; activities and deals lie on that card.",
        f"Сверка: эта карточка и «{row.data['title']}» — один клиент; дела и сделки лежат на той карточке.",
    )
    away = row.data["to"] != home.external_id
    return Move(home.native_kind, home.external_id, row.data["to"], items, told if away else None)


def _guests(tx: Connection, home: Any) -> set[str]:
    """What lies on the home card as a guest: activities of other cards, with which it is or once was one client."""
    query = sa.select(link).where(
        link.c.connection == home.connection, link.c.native_kind == home.native_kind, link.c.id != home.id
    )
    guests: set[str] = set()
    for other in tx.execute(query.where(link.c.record_uid.in_(_ever_merged(tx, home.record_uid)))).all():
        to, items = _lies(tx, other)
        guests |= set(items) if to == home.external_id else set()
    return guests


def _ever_merged(tx: Connection, card: str) -> set[str]:
    """All cards that a chain of merges, standing or taken back, leads to."""
    seen, rest = set[str](), {card}
    while rest:
        seen |= rest
        near = sa.select(merge.c.kept, merge.c.gone).where(sa.or_(merge.c.kept.in_(rest), merge.c.gone.in_(rest)))
        rest = {uid for row in tx.execute(near) for uid in (row.kept, row.gone)} - seen
    return seen


def _done(world: World, tx: Connection, plug: Plug, row: Any, moved: Mapping[str, list[str]], cause: Cause) -> None:
    now = world.now()
    tx.execute(intent.update().where(intent.c.id == row.id).values(data={**row.data, "items": dict(moved)}))
    intents.finish(tx, row.id, "done", now)
    trouble.passed(tx, plug.name, row.native_kind, row.record_uid, now, "delivery")
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.record_uid)).scalar_one()
    changes = {_FIELD: [None, row.data["title"]]}
    note(tx, row.record_uid, kind, plug.name, "wrote:merge", changes, now, cause, "hub", row.link_id)
    plan(world, tx, [row.record_uid], cause)  # the cards may have parted while the call was under way


def _failed(world: World, plug: Plug, row: Any, error: SverkaError) -> None:
    now = world.now()
    with world.store.begin() as tx:
        if isinstance(error, OutcomeUnknown):  # made again with the same activities
            intents.postpone(tx, row, now, error, 0 if row.state == "planned" else None)
        elif isinstance(error, RetryLater | BadConfig):
            if row.state == "planned":
                intents.replan(tx, row.id)
            intents.postpone(tx, row, now, error, getattr(error, "after", None))
        else:
            intents.finish(tx, row.id, "refused", now, error)
            uid = row.record_uid
            trouble.refuse(tx, plug.name, row.native_kind, uid, error, now, stage="delivery", record_uid=uid)
