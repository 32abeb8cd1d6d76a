"""Deletions that a system tells of by itself, by a mark in its change feed or in answer to a webhook: they are believed, but
within the same budget as silence is.

What goes over it is held as a whole: the links are marked (`told`), nothing follows for their records, and a plan that names
them waits for a person. What was let pass unasked counts for as long as lies between two complete looks at the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.config import WHOLE_KINDS
from sync.errors import NeedHuman, Text
from sync.flow import absence, approval
from sync.flow.plug import Plug, World
from sync.flow.translate import canonical_kind
from sync.store.asked import HERE
from sync.store.tables import inbox, intent, link, plan

CAUSE = "told"
_CHUNK = 500
_HELD = (
    sa.select(link.c.native_kind)
    .where(link.c.connection == HERE, link.c.told.is_not(None), link.c.deleted_at.is_(None))
    .distinct()
)
_ASKED = sa.select(plan.c.content).where(
    plan.c.connection == HERE, plan.c.reason.startswith(f"{CAUSE}:"), plan.c.state.in_(approval.OPEN)
)
_GONE_NOW = Text(
    "None of those that were told of is waiting any more.", "Среди названных удалёнными больше никто не ждёт решения."
)


def hold(world: World, plug: Plug, records: Sequence[Record]) -> bool:
    """Whether these deleted records of one kind are too many; then they are marked, and none of them may be taken."""
    with world.store.read() as tx:
        if not exceeding(world, tx, plug, records):
            return False
    with world.store.begin() as tx:
        world.guard(tx)
        found = exceeding(world, tx, plug, records)
        for at in range(0, len(found), _CHUNK):
            mine = (link.c.id.in_(found[at : at + _CHUNK]), link.c.told.is_(None))
            tx.execute(link.update().where(*mine).values(told=world.now()))
    return bool(found)


def exceeding(world: World, tx: Connection, plug: Plug, records: Sequence[Record]) -> list[int]:
    """The links of these deleted records, if they are more than may go unasked; else nothing."""
    kind = records[0].kind
    lens = plug.mapping.lenses.get(kind)
    if lens is None or canonical_kind(lens.kind) not in WHOLE_KINDS:
        return []
    ids, found = [rec.id for rec in records], list[int]()
    for at in range(0, len(ids), _CHUNK):
        query = sa.select(link.c.id).where(*_live(plug, kind), link.c.external_id.in_(ids[at : at + _CHUNK]))
        found += tx.execute(query).scalars()
    if not found:
        return []
    if _count(tx, *_live(plug, kind), link.c.told.is_not(None)):
        return found  # others wait already
    limits, number = world.config.limits, _passed(world, tx, plug, kind) + len(found)
    if number <= limits.deletes or number <= _count(tx, *_live(plug, kind)) * limits.deletes_percent // 100:
        return []
    return found


def _live(plug: Plug, kind: str) -> tuple[sa.ColumnElement[bool], ...]:
    return link.c.connection == plug.name, link.c.native_kind == kind, link.c.deleted_at.is_(None)


def _count(tx: Connection, *where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(link).where(*where)).scalar_one())


def _passed(world: World, tx: Connection, plug: Plug, kind: str) -> int:
    """Those that were let pass unasked lately; what the hub itself has deleted there is none of them."""
    since = world.now() - timedelta(seconds=plug.config.full)
    ours = sa.select(intent.c.id).where(
        intent.c.link_id == link.c.id, intent.c.op == "delete", intent.c.state == "done"
    )
    place = (link.c.connection == plug.name, link.c.native_kind == kind)
    return _count(tx, *place, link.c.deleted_at >= since, link.c.told.is_(None), ~ours.exists())


def questions(world: World, plug: Plug) -> list[NeedHuman]:
    """Ask about those that are held, kind by kind, or do what was decided; what runs have to say meanwhile. Safe to repeat."""
    with world.store.read() as tx:
        kinds = set(tx.execute(_HELD, {"here": plug.name}).scalars())
        kinds |= {row.content["kind"] for row in tx.execute(_ASKED, {"here": plug.name})}
    found = [_question(world, plug, kind) for kind in sorted(kinds)]
    return [one for one in found if one is not None]


def _question(world: World, plug: Plug, kind: str) -> NeedHuman | None:
    under_way = (
        inbox.c.connection == plug.name,
        inbox.c.state == "new",
        inbox.c.key.startswith(f"{absence.KEY}{kind}:"),
    )
    with world.store.begin() as tx:
        world.guard(tx)
        if tx.execute(sa.select(inbox.c.id).where(*under_way).limit(1)).first() is not None:
            return None  # what was decided is about to be taken
        reason = absence.reason(CAUSE, kind)
        last = approval.newest(tx, plug.name, reason)
        missing = absence.Missing(_count(tx, *_live(plug, kind)))
        query = sa.select(link.c.id, link.c.external_id).where(*_live(plug, kind), link.c.told.is_not(None))
        for row in tx.execute(query.order_by(link.c.external_id)):
            missing.add(row.id, row.external_id)
        if not missing.ids:
            if last is not None and last.state in approval.OPEN:
                approval.stale(world, tx, last.id, _GONE_NOW)
            return None
        content = absence.content_of(plug, kind, missing)
        state = approval.ask(world, tx, plug.name, reason, content)
        if state == "approved" and last is not None:
            approval.used(world, tx, last.id)
            absence.arrive(tx, plug, kind, missing.ids, world.now())
        if state != "waiting":
            return None
        asked = approval.newest(tx, plug.name, reason)
    return NeedHuman(
        Text(
            f"{plug.name} says that {len(missing.ids)} of its {missing.total} records of the kind {kind} are deleted: more "
            "than may go unasked. They were not taken as deleted.",
            f"{plug.name} сообщает об удалении {len(missing.ids)} из {missing.total} записей вида {kind}: это больше, чем "
            "принимается без вопроса. Удалёнными они не считаются.",
        ),
        code="scan.deletes",
        remedy=Text(
            f"Look there whether that is meant. If they are really deleted: sverka approve {asked.id}",
            f"Проверьте в этой системе, так ли это. Если записи удалены: sverka approve {asked.id}",
        ),
    )
