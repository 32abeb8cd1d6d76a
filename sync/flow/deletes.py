"""A record deleted in one of its systems, or back again: what follows for the record and for its other systems.

deleted there, nothing edited elsewhere since    by `[deletes]` of its kind: "archive" (the record says so, the others keep
                                                 it), "detach" (that link is over, the record goes on without it), or
                                                 "propagate" (archived, and deleted in the others: see `removal`)
deleted there, edited elsewhere                  a conflict "deleted_edited" for a person, whichever was heard of first
back again                                       the same link lives on; nothing is made twice

A product's deletion is its `active` = no, and one in accounting is a fact that moves the deal's stage: there the decision
over the fields says all that is to be said, unless products are to be deleted elsewhere too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.config import WHOLE_KINDS
from sync.delivery import intents
from sync.flow import removal, trouble
from sync.flow.look import side_names
from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note
from sync.store.tables import conflict, intent, link, record

FIELD = "archived"
CAUSE = "deleted_edited"
_OPEN_WRITES = ("planned", "sending", "unknown", "refused")


def settle(
    world: World, tx: Connection, plug: Plug, rec: Record, known: Any, uid: str, kind: str, cause: Cause
) -> None:
    """The link `known` has just been brought up to date with `rec`: what its deletion or its return means."""
    if known is None or kind not in WHOLE_KINDS:
        return
    was = known.deleted_at is not None
    if was and rec.deleted:  # told once more
        tx.execute(link.update().where(link.c.id == known.id).values(state=known.state, deleted_at=known.deleted_at))
    elif was:
        _back(world, tx, plug, known, uid, kind, cause)
    elif rec.deleted:
        _deleted(world, tx, plug, known, uid, kind, cause)


def _deleted(world: World, tx: Connection, plug: Plug, known: Any, uid: str, kind: str, cause: Cause) -> None:
    if world.config.deletes.get(kind, "archive") == "detach":
        tx.execute(link.update().where(link.c.id == known.id).values(state="detached"))
        _no_writes(world, tx, known)
        _note(world, tx, plug, uid, kind, "detached", {"link": [_name(known), None]}, cause)
    elif removal.is_fact(world, plug, kind):
        return
    elif _unsent(world, tx, known, kind):
        tx.execute(link.update().where(link.c.id == known.id).values(state="gone"))
        _no_writes(world, tx, known)
        ask(world, tx, uid)
    else:
        _archive(world, tx, plug, uid, kind, True, "deleted", cause)
        removal.follow(world, tx, uid, cause)


def _back(world: World, tx: Connection, plug: Plug, known: Any, uid: str, kind: str, cause: Cause) -> None:
    if known.state == "detached":
        _note(world, tx, plug, uid, kind, "revived", {"link": [None, _name(known)]}, cause)
    if _gone_links(tx, uid):  # it is deleted in yet another system
        if world.config.deleted_in(kind):  # and brought back by somebody, whom the next look must not contradict
            edited(world, tx, plug, uid, kind, cause, again=True)
        return
    closed = {"state": "gone", "closed_at": world.now()}
    tx.execute(conflict.update().where(*_question(uid)).values(**closed))
    _archive(world, tx, plug, uid, kind, False, "revived", cause)
    removal.withdraw(world, tx, uid)


def edited(world: World, tx: Connection, plug: Plug, uid: str, kind: str, cause: Cause, *, again: bool = False) -> None:
    """The record was changed by a system that still has it: where another one has deleted it, a person decides. `again`:
    also if a person has decided before."""
    if cause.why or (kind == "product" and not world.config.deleted_in(kind)):
        return
    archived = tx.execute(sa.select(record.c.data).where(record.c.uid == uid)).scalar_one().get(FIELD)
    ids = [one.id for one in _gone_links(tx, uid) if again or one.state == "linked"] if archived else []
    if not ids:
        return
    tx.execute(link.update().where(link.c.id.in_(ids)).values(state="gone"))
    _archive(world, tx, plug, uid, kind, False, "edited", cause)
    removal.withdraw(world, tx, uid)
    ask(world, tx, uid)


def moved(world: World, tx: Connection, plug: Plug, known: Any, kind: str, cause: Cause, *, changed: bool) -> None:
    """News of a record that is there, `changed` if they changed it here too. Where it is about to be deleted, whatever has
    moved in it counts as an edit."""
    awaited = bool(world.config.deleted_in(kind)) and removal.planned(tx, known)
    if changed or awaited:
        edited(world, tx, plug, known.record_uid, kind, cause, again=awaited)


def _gone_links(tx: Connection, uid: str) -> list[Any]:
    query = sa.select(link).where(
        link.c.record_uid == uid, link.c.deleted_at.is_not(None), link.c.state.in_(("linked", "gone"))
    )
    return list(tx.execute(query.order_by(link.c.id)))


def _unsent(world: World, tx: Connection, known: Any, kind: str) -> bool:
    """Whether something that was changed elsewhere had not arrived there yet. Where the others would be deleted, what people
    are still being asked about counts as well: somebody has just entered it."""
    asked = (conflict.c.record_uid == known.record_uid, conflict.c.state == "open")
    if (
        world.config.deleted_in(kind)
        and tx.execute(sa.select(conflict.c.id).where(*asked).limit(1)).first() is not None
    ):
        return True
    place = [intent.c[name] == getattr(known, name) for name in ("record_uid", "connection", "native_kind")]
    query = sa.select(intent.c.id).where(*place, intent.c.op == "update", intent.c.state.in_(_OPEN_WRITES))
    return tx.execute(query.limit(1)).first() is not None


def _no_writes(world: World, tx: Connection, known: Any) -> None:
    """What was planned for the record that is gone is not written."""
    intents.drop(tx, known.record_uid, known.connection, known.native_kind, world.now())
    trouble.passed(tx, known.connection, known.native_kind, known.record_uid, world.now(), "delivery")


def _archive(
    world: World, tx: Connection, plug: Plug, uid: str, kind: str, archived: bool, why: str, cause: Cause
) -> None:
    data = tx.execute(sa.select(record.c.data).where(record.c.uid == uid)).scalar_one()
    if bool(data.get(FIELD)) == archived:
        return
    tx.execute(
        record.update().where(record.c.uid == uid).values(data={**data, FIELD: archived}, updated_at=world.now())
    )
    _note(world, tx, plug, uid, kind, why, {FIELD: [data.get(FIELD), archived]}, cause)


def _note(
    world: World, tx: Connection, plug: Plug, uid: str, kind: str, why: str, changes: dict[str, Any], cause: Cause
) -> None:
    note(tx, uid, kind, plug.name, why, changes, world.now(), cause, plug.name)


def _name(row: Any) -> str:
    return f"{row.connection}/{row.native_kind}/{row.external_id}"


def _question(uid: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        conflict.c.record_uid == uid,
        conflict.c.field == FIELD,
        conflict.c.cause == CAUSE,
        conflict.c.state == "open",
    )


def held(question: Any, data: Mapping[str, Any]) -> Any:
    """What the record itself says of what is asked about: the choice "hub". Of a deletion: it is kept."""
    return False if question.cause == CAUSE else data.get(question.field)


def wanted(tx: Connection, uid: str) -> bool:
    """Whether the record is to be gone everywhere: it is archived, and nobody is being asked about it."""
    data = tx.execute(sa.select(record.c.data).where(record.c.uid == uid)).scalar_one()
    return (
        bool(data.get(FIELD)) and tx.execute(sa.select(conflict.c.id).where(*_question(uid)).limit(1)).first() is None
    )


def ask(world: World, tx: Connection, uid: str) -> None:
    """One open question, with every system's answer to "is it deleted?"."""
    query = sa.select(link).where(link.c.record_uid == uid, link.c.state.in_(("linked", "gone")))
    places = tx.execute(query.order_by(link.c.id)).all()
    names = side_names(places)
    sides = {names[one.id]: one.deleted_at is not None for one in places}
    said = {"sides": sides, "who": [name for name, gone in sides.items() if gone]}
    if tx.execute(conflict.update().where(*_question(uid)).values(**said)).rowcount:
        return
    values = {"field": FIELD, "cause": CAUSE, "base": False, "state": "open", "since": world.now(), **said}
    tx.execute(conflict.insert().values(record_uid=uid, **values))
