"""Intents: what is to be written where, committed before any call.

planned → sending → done. A call whose answer was lost stays `sending` and is settled by reading; `refused` waits for a
person; `dropped` was overtaken by newer facts; `offered` waits until the other side confirms the batch; `unknown` could
not be settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import SverkaError
from sync.store import new_uid
from sync.store.asked import HERE, KIND, MOST, NOW, RECORD, THIS
from sync.store.tables import intent, link
from sync.store.tables import plan as plans
from sync.store.types import dumps, loads

IN_FLIGHT = ("sending", "offered", "unknown")
OWN_NOTICE = "notice:%"  # in place of a record: the hub's own letter to its people, which needs nobody's yes
CLIENT = "client"  # among an intent's fields: whom the record refers to there, which is no field of its own
_BACKOFF = (5, 15, 60, 300, 900, 3600)  # seconds

# Made once: they are asked for every record and link that is looked at
_PLACE = (intent.c.record_uid == RECORD, intent.c.connection == HERE, intent.c.native_kind == KIND)
_OPEN = sa.select(intent).where(*_PLACE, intent.c.state.in_(("planned", "refused", *IN_FLIGHT)))
_DROP = intent.update().where(*_PLACE, intent.c.op == "update", intent.c.state.in_(("planned", "refused")))
_SENT = sa.select(intent.c.connection, intent.c.native_kind, intent.c.fields).where(
    intent.c.record_uid == RECORD, intent.c.op == "update", intent.c.state.in_(("sending", "unknown"))
)
_CREATING = (
    sa.select(intent)
    .where(
        intent.c.connection == HERE,
        intent.c.native_kind == KIND,
        intent.c.op == "create",
        intent.c.state.in_(("sending", "unknown")),
    )
    .order_by(intent.c.id)
)
_STATE = sa.select(intent.c.state).where(intent.c.id == THIS).with_for_update()
_OF = intent.update().where(intent.c.id == THIS)
_BEGIN = _OF.where(intent.c.state == "planned").values(tries=intent.c.tries + 1)


def plan(
    tx: Connection,
    *,
    record_uid: str,
    connection: str,
    native_kind: str,
    op: str,
    data: Mapping[str, Any],
    fields: Mapping[str, Any],
    why: Mapping[str, Any],
    now: datetime,
    link_id: int | None = None,
    number: str | None = None,
    run_id: int | None = None,
    needs: str | None = None,
) -> str | None:
    """Plan one write; gives the intent's id, or None when the same one is planned, refused or under way already.

    A planned intent for the same place is overtaken: only the newest wish is written, and where it is the same wish for a
    field its reason stays. While one is in flight nothing is planned beside it: it is settled first, and then the record is
    looked at again.
    """
    place = {"record": record_uid, "here": connection, "kind": native_kind}
    open_ones = tx.execute(_OPEN, place).all()
    if any(o.state in IN_FLIGHT for o in open_ones):
        return None
    if op == "update" and any(o.op == "delete" for o in open_ones):
        return None  # what is to be deleted there is not written any more
    for old in open_ones:
        if _same(old.data, dict(data)) and old.op == op:
            _told_again(tx, old, fields, why, needs)
            return None
    reasons = dict(why)
    for old in open_ones:
        reasons = _kept_reasons(old, fields, reasons)
        tx.execute(intent.update().where(intent.c.id == old.id).values(state="dropped", done_at=now))
    uid = new_uid()
    tx.execute(
        intent.insert(),
        {
            "id": uid,
            "record_uid": record_uid,
            "link_id": link_id,
            "connection": connection,
            "native_kind": native_kind,
            "op": op,
            "data": dict(data),
            "fields": dict(fields),
            "why": reasons,
            "state": "planned",
            "plan_id": _still_waiting(tx, open_ones),
            "needs": needs,
            "number": number,
            "created_at": now,
            "run_id": run_id,
        },
    )
    return uid


def _kept_reasons(old: Any, fields: Mapping[str, Any], why: Mapping[str, Any]) -> dict[str, Any]:
    """`why`, with the reasons of an older intent for the fields that are to get the same values still: a person's word stays
    the reason, and so does a merge when the value merely comes around again ("observed")."""
    same = [f for f, value in fields.items() if f in old.why and _same(old.fields.get(f), value)]
    return {**why, **{f: old.why[f] for f in same if old.why[f] == "human" or why.get(f, "observed") == "observed"}}


def _told_again(tx: Connection, old: Any, fields: Mapping[str, Any], why: Mapping[str, Any], needs: str | None) -> None:
    """The same write is wished once more, perhaps for another reason, or it waits for another record now: what replaces a
    value is journalled with its reason."""
    reasons = _kept_reasons(old, fields, why)
    if reasons != old.why or needs != old.needs:
        tx.execute(intent.update().where(intent.c.id == old.id).values(why=reasons, fields=dict(fields), needs=needs))


def keep_reasons(tx: Connection, old: Any) -> None:
    """What is planned in the place of a write that was not done is wished for the same reasons as that was."""
    place = [intent.c[n] == getattr(old, n) for n in ("record_uid", "connection", "native_kind", "op")]
    for row in tx.execute(sa.select(intent).where(*place, intent.c.state == "planned")).all():
        why = _kept_reasons(old, row.fields, row.why)
        if why != row.why:
            tx.execute(intent.update().where(intent.c.id == row.id).values(why=why))


def _still_waiting(tx: Connection, overtaken: Sequence[Any]) -> str | None:
    """The plan that waits for approval and held what is overtaken now: it holds the new wish as well."""
    ids = [o.plan_id for o in overtaken if o.plan_id is not None]
    if not ids:
        return None
    return tx.execute(sa.select(plans.c.id).where(plans.c.id.in_(ids), plans.c.state == "waiting").limit(1)).scalar()


def _same(stored: Any, fresh: Any) -> bool:
    return bool(stored == loads(dumps(fresh)))


def drop(tx: Connection, record_uid: str, connection: str, native_kind: str, now: datetime) -> int:
    """Take back updates that are planned or were refused: they are not wanted any more. Gives their number."""
    place = {"record": record_uid, "here": connection, "kind": native_kind}
    return tx.execute(_DROP, {**place, "state": "dropped", "done_at": now}).rowcount


def sent(tx: Connection, record_uid: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The values of updates whose outcome is not known yet, by (connection, native kind)."""
    return {
        (r.connection, r.native_kind): {f: value for f, value in r.fields.items() if f != CLIENT}
        for r in tx.execute(_SENT, {"record": record_uid})
    }


def creating(tx: Connection, connection: str, native_kind: str) -> list[Any]:
    """Creates whose outcome nobody knows yet."""
    return list(tx.execute(_CREATING, {"here": connection, "kind": native_kind}))


def unsettled(tx: Connection, id: str) -> bool:
    """Whether the call's outcome is still to be taken in: somebody else may have learnt of it meanwhile."""
    state = tx.execute(_STATE, {"this": id}).scalar()
    return state in ("sending", "unknown")


def due(
    tx: Connection, connection: str, moment: Mapping[str, datetime], released: sa.ColumnElement[bool], limit: int = 50
) -> list[Any]:
    """Planned writes that are `released` (a condition whose parameters `moment` gives, with the present as `now`) and whose
    time has come, and calls whose answer was lost, oldest first. What needs another record there waits for it."""
    return list(tx.execute(_due(released), {**moment, "here": connection, "most": limit}))


@cache
def _due(released: sa.ColumnElement[bool]) -> sa.Select[Any]:
    there = sa.exists().where(link.c.record_uid == intent.c.needs, link.c.connection == HERE, link.c.state == "linked")
    ready = sa.and_(intent.c.state == "planned", released, sa.or_(intent.c.needs.is_(None), there))
    return (
        sa.select(intent)
        .where(
            intent.c.connection == HERE,
            intent.c.op != "offer",
            sa.or_(intent.c.state == "sending", ready),
            sa.or_(intent.c.next_at.is_(None), intent.c.next_at <= NOW),
        )
        .order_by(intent.c.created_at, intent.c.id)
        .limit(MOST)
    )


def begin(tx: Connection, id: str, now: datetime) -> bool:
    """Mark as sent, before the call; False when somebody else has it."""
    return tx.execute(_BEGIN, {"this": id, "state": "sending", "sent_at": now}).rowcount == 1


def finish(tx: Connection, id: str, state: str, now: datetime, error: SverkaError | None = None) -> None:
    tx.execute(_OF, {"this": id, "state": state, "done_at": now, "next_at": None, "error": error_json(error)})


def postpone(tx: Connection, row: Any, now: datetime, error: SverkaError, after: int | None = None) -> None:
    """Try again later; `sending` stays so while the outcome is unknown, else it is planned again."""
    wait = after if after is not None else _BACKOFF[min(row.tries, len(_BACKOFF) - 1)]
    tx.execute(
        intent.update()
        .where(intent.c.id == row.id)
        .values(next_at=now + timedelta(seconds=wait), error=error_json(error))
    )


def replan(tx: Connection, id: str) -> None:
    """Nothing was written: the same call may be made."""
    tx.execute(intent.update().where(intent.c.id == id).values(state="planned", next_at=None))


def error_json(error: SverkaError | None) -> dict[str, Any] | None:
    """What is kept of an error for people: cause, both texts, remedy, the setting or field to mend."""
    if error is None:
        return None
    return {
        "code": error.code,
        "en": error.text.en,
        "ru": error.text.ru,
        "remedy": {"en": error.remedy.en, "ru": error.remedy.ru} if error.remedy else None,
        "setting": error.setting,
        "field": error.field,
    }
