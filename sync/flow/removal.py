"""A deletion in one system that is repeated in others: planned, waited for, called, taken in. Only where `[deletes]` says so.

A record is deleted elsewhere only as the hub saw it last: what anybody has edited there since is a question for a person
("deleted_edited"), and nothing is called. A delete is an intent like every other one: committed before the call, behind the
gate, counted in the delete budget of its system, settled by reading when its answer is lost. What is gone already is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.delivery import intents
from sync.flow import sides, trouble
from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note
from sync.store.tables import intent, link, record

WHY = "propagate"
TRIES = 5  # of a record there that gets new version after new version and stays the same
_OPEN = ("planned", "sending", "unknown", "refused")


def is_fact(world: World, plug: Plug, kind: str) -> bool:
    """Whether a deletion there is something that the decision over the fields reads, and nothing else."""
    return (kind == "product" and not world.config.deleted_in(kind)) or (kind == "deal" and plug.role == "accounting")


def follow(world: World, tx: Connection, uid: str, cause: Cause) -> int:
    """Plan the deletes that an archived record still waits for; gives the number of new ones. Safe to repeat: where a write
    is under way, this is asked again when its outcome is known."""
    if not any(map(world.config.deleted_in, world.config.deletes)):
        return 0
    row = tx.execute(sa.select(record.c.kind, record.c.data).where(record.c.uid == uid)).first()
    targets = world.config.deleted_in(row.kind) if row is not None else ()  # the hub's own letters are about no record
    if row is None or not targets or not row.data.get("archived"):
        return 0
    links = tx.execute(
        sa.select(link).where(link.c.record_uid == uid, link.c.state.in_(("linked", "gone"))).order_by(link.c.id)
    ).all()
    if not any(k.deleted_at is not None and _counts(world, k, row.kind) for k in links):
        return 0
    _never_made(world, tx, uid, targets)
    planned = 0
    for one in links:
        plug = world.plugs.get(one.connection)
        alive = one.deleted_at is None and one.state == "linked" and one.shadow is not None
        if alive and one.connection in targets and plug and one.native_kind in plug.adapter.capabilities.deletes:
            planned += _plan(tx, world, one, cause)
    return planned


def _never_made(world: World, tx: Connection, uid: str, targets: Sequence[str]) -> None:
    """What has not been created there yet need not be, unless something else waits for it."""
    other = intent.alias()
    waiting = sa.select(other.c.id).where(other.c.needs == uid, other.c.state == "planned")
    mine = (intent.c.record_uid == uid, intent.c.op == "create", intent.c.state.in_(("planned", "refused")))
    rows = tx.execute(sa.select(intent).where(*mine, intent.c.connection.in_(targets), ~waiting.exists())).all()
    for one in rows:
        intents.finish(tx, one.id, "dropped", world.now())
        trouble.passed(tx, one.connection, one.native_kind, uid, world.now(), "delivery")


def _counts(world: World, one: Any, kind: str) -> bool:
    plug = world.plugs.get(one.connection)
    return plug is not None and not is_fact(world, plug, kind)


def _plan(tx: Connection, world: World, one: Any, cause: Cause) -> bool:
    made = intents.plan(
        tx,
        record_uid=one.record_uid,
        link_id=one.id,
        connection=one.connection,
        native_kind=one.native_kind,
        op="delete",
        data={},
        fields={"deleted": True},
        why={"deleted": WHY},
        now=world.now(),
        run_id=cause.run_id,
    )
    return made is not None


def withdraw(world: World, tx: Connection, uid: str) -> None:
    """The record is wanted after all: deletes that have not been called are taken back."""
    mine = (intent.c.record_uid == uid, intent.c.op == "delete", intent.c.state.in_(("planned", "refused")))
    for one in tx.execute(sa.select(intent).where(*mine)).all():
        intents.finish(tx, one.id, "dropped", world.now())
        trouble.passed(tx, one.connection, one.native_kind, uid, world.now(), "delivery")


def planned(tx: Connection, known: Any) -> bool:
    """Whether the link's record there is about to be deleted."""
    mine = (intent.c.link_id == known.id, intent.c.op == "delete", intent.c.state.in_(_OPEN))
    return tx.execute(sa.select(intent.c.id).where(*mine).limit(1)).first() is not None


def done(world: World, tx: Connection, plug: Plug, row: Any, rec: Record, cause: Cause, *, wanted: bool) -> None:
    """It is gone there: intent, link and journal say so in one transaction. `wanted`: nobody has come to doubt meanwhile that
    the record is to be deleted."""
    now = world.now()
    intents.finish(tx, row.id, "done", now)
    trouble.passed(tx, plug.name, row.native_kind, row.record_uid, now, "delivery")
    known = tx.execute(sa.select(link).where(link.c.id == row.link_id)).one()
    lens = plug.mapping.lens(row.native_kind)
    before, _ = sides.last_shown(tx, plug, lens, known)
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.record_uid)).scalar_one()
    values = {
        "version": rec.version,
        "shadow": rec.data,
        "shadow_hash": plug.hash(rec),
        "state": "linked" if wanted else "gone",
        "deleted_at": now,
    }
    tx.execute(link.update().where(link.c.id == known.id).values(**values))
    changes = sides.changes(before, sides.shown(plug, lens.get(rec.data), deleted=True))
    note(tx, row.record_uid, kind, plug.name, f"wrote:{WHY}", changes, now, cause, "hub", known.id)


def again(tx: Connection, plug: Plug, row: Any, news: Record) -> bool:
    """Whether a delete that was refused over a new version may be called once more: the record is just as it was seen, only
    its version has moved."""
    known = tx.execute(sa.select(link).where(link.c.id == row.link_id)).one()
    if news.deleted or plug.hash(news) != known.shadow_hash or row.tries >= TRIES:
        return False
    tx.execute(link.update().where(link.c.id == known.id).values(version=news.version))
    intents.replan(tx, row.id)
    return True
