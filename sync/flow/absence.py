"""Who is gone: links that a complete scan did not list, or whose system answers "gone for good".

Absence is believed only from a scan that began at the beginning, read every page in this very run, ended by its end mark as
complete, and was made with the same filter as the complete scan before it. More of it than the limits allow is refused as
a whole: nothing is marked, and a plan that names them waits for a person. What is believed goes through the inbox like any
other news, in the transaction that decides it; so a process that dies loses none of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, Text
from sync.flow import approval
from sync.flow.plug import Plug, World
from sync.intake import inbox as inbox_rows
from sync.intake.inbox import Incoming
from sync.store.asked import HERE, KIND
from sync.store.tables import cursor, link, plan
from sync.store.types import dump_bytes, dumps

AGAIN = timedelta(hours=1)  # a scan from the beginning that was broken off, or not believed, is made again after that
_NAMED = 1000  # ids that a plan shows; its digest speaks of all of them
_CHUNK = 1000
_CURSOR = sa.select(cursor).where(cursor.c.connection == HERE, cursor.c.native_kind == KIND)
_ASKED = (
    sa.select(plan)
    .where(
        plan.c.connection == HERE,
        plan.c.reason.in_(sa.bindparam("reasons", expanding=True)),
        plan.c.state == "waiting",
    )
    .order_by(plan.c.created_at.desc())
    .limit(1)
)
KEY = "gone:"  # begins the keys of arrivals that say who is gone


@dataclass(slots=True)
class Walk:
    """One scan of one kind: where it starts, with which filter, and, when it starts at the beginning, whom it listed."""

    kind: str
    start: dict[str, Any] | None
    filter: str
    asked: datetime
    renewed: bool  # the filter is another than that of the last complete scan: absence says nothing
    listed: bytearray | None = None  # a mark for each link id: flat, whatever the ids look like
    empty: bool = True  # no record so far but deleted ones
    full_at: datetime | None = None  # to be stored with the first page
    saved: bool = True  # the cursor's row says all of this already


def begin(world: World, plug: Plug, kind: str) -> Walk:
    """From the cursor on; from the beginning when that is due, when the filter has changed, or when a person has approved
    that those who are missing are gone."""
    now, own = world.now(), filter_of(plug, kind)
    with world.store.read() as tx:
        row = tx.execute(_CURSOR, {"here": plug.name, "kind": kind}).first()
        start = (row.cursor or None) if row is not None else None
        if row is not None and row.fingerprint not in (None, own):
            start = None
        if kind in plug.adapter.capabilities.completes and row is not None:
            start = None if row.full_at is None or row.full_at <= now or _approved(tx, plug, kind) else start
        walk = Walk(kind, start, own, now, renewed=row is None or row.whole != own)
        if start is None:
            walk.listed = bytearray((tx.execute(sa.select(sa.func.max(link.c.id))).scalar() or 0) + 1)
            walk.saved = row is not None and row.fingerprint == own
            if kind in plug.adapter.capabilities.completes:
                walk.full_at, walk.saved = now + AGAIN, False
    return walk


def filter_of(plug: Plug, kind: str) -> str:
    """A hash of everything that may change what a scan lists: the adapter's settings without its secrets."""
    settings = plug.adapter.settings
    said = settings.model_dump(mode="json") if hasattr(settings, "model_dump") else {}
    text = dumps([type(plug.adapter).__name__, kind, said])
    return hashlib.sha256(text.encode()).hexdigest()


def _place(connection: str, kind: str) -> tuple[sa.ColumnElement[bool], ...]:
    return cursor.c.connection == connection, cursor.c.native_kind == kind


@dataclass(slots=True)
class Missing:
    """Links that were not listed. Their external ids are hashed in their order; only the first of them are kept."""

    total: int = 0
    ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, id: int, name: str) -> None:
        self.ids.append(id)
        self.digest.update(name.encode() + b"\n")
        if len(self.names) < _NAMED:
            self.names.append(name)


def end(world: World, plug: Plug, walk: Walk) -> int:
    """The scan has seen everything. Takes in who is gone, or asks a person; gives the number of those who are gone."""
    listed = walk.listed
    if listed is None:
        return 0
    with world.store.read() as tx:
        missing = _missing(tx, plug, walk, listed)
        there = tx.execute(sa.select(cursor.c.whole).where(*_place(plug.name, walk.kind))).scalar()
        asked = approval.newest(tx, plug.name, reason("deletes", walk.kind))
        outside = tx.execute(sa.select(link.c.id).where(*_of(plug, walk.kind), link.c.outside.is_not(None))).all()
    back = [r.id for r in outside if r.id < len(listed) and listed[r.id]]
    full = walk.kind in plug.adapter.capabilities.completes
    open_one = asked is not None and asked.state in approval.OPEN
    if not (missing.ids or back or full or open_one or there != walk.filter):
        return 0
    with world.store.begin() as tx:
        world.guard(tx)
        next_at: datetime | None = world.now() + timedelta(seconds=plug.config.full)
        believed: Sequence[int] = ()
        if walk.renewed:
            _mark(tx, missing.ids, outside=True)
        else:
            verdict = allowed(world, tx, plug, walk.kind, "deletes", missing, emptied=walk.empty)
            if verdict == "yes":
                believed = missing.ids
            elif verdict == "ask":
                next_at = world.now() + AGAIN
        _mark(tx, back, outside=None)
        arrive(tx, plug, walk.kind, believed, walk.asked)
        values = {"whole": walk.filter, "full_at": next_at if full else None}
        tx.execute(cursor.update().where(*_place(plug.name, walk.kind)).values(**values))
    if walk.renewed and there is not None and missing.ids and walk.empty:
        raise _empty(plug, walk.kind, len(missing.ids))
    return len(believed)


def gone(world: World, plug: Plug, kind: str, ids: Sequence[int], asked: datetime, total: int) -> int:
    """Links whose system answered "gone for good" when they were read one by one, out of `total`."""
    if not ids:
        return 0
    missing = Missing(total)
    with world.store.begin() as tx:
        world.guard(tx)
        query = sa.select(link.c.id, link.c.external_id).where(link.c.id.in_(ids)).order_by(link.c.external_id)
        for row in tx.execute(query):
            missing.add(row.id, row.external_id)
        emptied = total > 1 and len(missing.ids) == total
        if allowed(world, tx, plug, kind, "gone", missing, emptied=emptied) != "yes":
            return 0
        arrive(tx, plug, kind, missing.ids, asked)
    return len(missing.ids)


def _missing(tx: Connection, plug: Plug, walk: Walk, listed: bytearray) -> Missing:
    """One look at the kind's links; none at all where every one of them was listed."""
    missing = Missing()
    known = tx.execute(sa.select(sa.func.count()).select_from(link).where(*_of(plug, walk.kind))).scalar_one()
    if known == listed.count(1):
        return missing
    query = (
        sa.select(link.c.id, link.c.external_id)
        .where(
            *_of(plug, walk.kind),
            link.c.state == "linked",
            link.c.deleted_at.is_(None),
            link.c.outside.is_not(True),
            link.c.told.is_(None),  # else a person is being asked already
            link.c.shadow_hash.is_not(None),  # else nobody has ever seen it there
            link.c.first_seen < walk.asked,
            link.c.id < len(listed),
        )
        .order_by(link.c.external_id)
        .execution_options(yield_per=_CHUNK)
    )
    for row in tx.execute(query):
        missing.total += 1
        if not listed[row.id]:
            missing.add(row.id, row.external_id)
    return missing


def expected(world: World, plug: Plug, walk: Walk) -> tuple[int, list[str]]:
    """Whom `end` would find missing, before it happens: how many, and the first ids of them."""
    if walk.listed is None or walk.renewed:
        return 0, []
    with world.store.read() as tx:
        found = _missing(tx, plug, walk, walk.listed)
    return len(found.ids), found.names


def _of(plug: Plug, kind: str) -> tuple[sa.ColumnElement[bool], ...]:
    return link.c.connection == plug.name, link.c.native_kind == kind


def allowed(world: World, tx: Connection, plug: Plug, kind: str, cause: str, missing: Missing, *, emptied: bool) -> str:
    """ "Says "yes", "ask" or "no" (a person has refused exactly this) to so many deletions at once."""
    why, limits = reason(cause, kind), world.config.limits
    number = len(missing.ids)
    open_one = approval.newest(tx, plug.name, why)
    bound = max(limits.deletes, missing.total * limits.deletes_percent // 100)
    if not number or (number <= bound and not emptied):
        if open_one is not None and open_one.state in approval.OPEN:
            approval.stale(world, tx, open_one.id, _CAME_BACK)
        return "yes"
    state = approval.ask(world, tx, plug.name, why, content_of(plug, kind, missing))
    if state == "approved" and open_one is not None:
        approval.used(world, tx, open_one.id)
    return {"approved": "yes", "dropped": "no"}.get(state, "ask")


def content_of(plug: Plug, kind: str, missing: Missing) -> dict[str, Any]:
    """What a plan about so many deletions says; its hash is that of all of them."""
    return {
        "kind": kind,
        "count": len(missing.ids),
        "of": missing.total,
        "records": missing.names,
        "digest": missing.digest.hexdigest(),
        "items": [
            {"connection": plug.name, "kind": kind, "op": "delete", "id": name, "title": name, "changes": {}}
            for name in missing.names
        ],
        "counts": {f"delete {plug.name}/{kind}": len(missing.ids)},
    }


_CAME_BACK = Text(
    "Most of those who were missing are back, or were taken in as deleted.",
    "Большая часть пропавших записей вернулась или уже принята как удалённая.",
)


def reason(cause: str, kind: str) -> str:
    return f"{cause}:{kind}"[:24]  # as long as the column


def _approved(tx: Connection, plug: Plug, kind: str) -> bool:
    last = approval.newest(tx, plug.name, reason("deletes", kind))
    return last is not None and last.state == "approved"


def question(world: World, connection: str, kind: str) -> NeedHuman | None:
    """What a run of this kind has to say as long as a person has not decided about those who are missing."""
    reasons = [reason(cause, kind) for cause in ("deletes", "gone")]
    with world.store.read() as tx:
        row = tx.execute(_ASKED, {"here": connection, "reasons": reasons}).first()
    if row is None:
        return None
    count, of = row.content["count"], row.content["of"]
    return NeedHuman(
        Text(
            f"{connection} shows {count} of its {of} records of the kind {kind} no more. None of them was marked as deleted.",
            f"{connection} больше не показывает {count} из {of} записей вида {kind}. Ни одна не отмечена удалённой.",
        ),
        code="scan.deletes",
        remedy=Text(
            f"Look whether the system, its filter or the rights have changed. If they are really gone: sverka approve {row.id}",
            f"Проверьте, не изменились ли система, её отбор или права. Если записи удалены: sverka approve {row.id}",
        ),
    )


def _empty(plug: Plug, kind: str, number: int) -> NeedHuman:
    return NeedHuman(
        Text(
            f"With its new settings {plug.name} lists no {kind}; {number} are known. Nothing was deleted.",
            f"С новыми настройками {plug.name} не показывает ни одного {kind}; известно: {number}. Ничего не удалено.",
        ),
        code="scan.empty",
        setting=f"connections.{plug.name}",
    )


def _mark(tx: Connection, ids: Sequence[int], *, outside: bool | None) -> None:
    for at in range(0, len(ids), _CHUNK):
        tx.execute(link.update().where(link.c.id.in_(ids[at : at + _CHUNK])).values(outside=outside))


def arrive(tx: Connection, plug: Plug, kind: str, ids: Iterable[int], asked: datetime) -> None:
    """Put the records into the inbox as they were shown last, marked as deleted."""
    wanted = list(ids)
    for at in range(0, len(wanted), _CHUNK):
        rows = tx.execute(
            sa.select(link.c.external_id, link.c.shadow, link.c.version)
            .where(link.c.id.in_(wanted[at : at + _CHUNK]))
            .order_by(link.c.id)
        ).all()
        body = dump_bytes([[kind, r.external_id, r.shadow, r.version, True] for r in rows])
        key = f"{KEY}{kind}:{hashlib.sha256(body).hexdigest()}:{asked.timestamp()}"
        name = f"{kind}: −{len(rows)}"
        inbox_rows.put(tx, [Incoming(plug.name, "poll", name, asked, body=body, key=key)])
