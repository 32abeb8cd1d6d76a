"""Quarantine: a record that cannot go on waits with its reason. The same record and cause is one open row with a counter,
and it closes itself when the record later passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.delivery.intents import error_json
from sync.errors import SverkaError
from sync.store.asked import HERE, MOST, NOW
from sync.store.tables import quarantine
from sync.store.types import dumps

# Causes that may pass by themselves: what the record waits for may come, or a newer version may understand it. All others
# need a person, and are tried again only when one says so
_MAY_HEAL = frozenset({"offer.no_product", "deal.unknown_number", "record.unexpected"})
_BACKOFF = (300, 1800, 7200, 43_200, 86_400)  # seconds
_DUE = (
    sa.select(quarantine.c.id)
    .where(
        quarantine.c.connection == HERE,
        quarantine.c.stage == "intake",
        quarantine.c.state == "open",
        quarantine.c.next_at <= NOW,
    )
    .order_by(quarantine.c.next_at)
    .limit(MOST)
)
_PLACE = (
    quarantine.c.connection == HERE,
    quarantine.c.native_kind == sa.bindparam("of_kind"),
    quarantine.c.external_id == sa.bindparam("id_there"),
    quarantine.c.stage == sa.bindparam("at_stage"),
    quarantine.c.state != "closed",
)
_PASSED = quarantine.update().where(*_PLACE)
_FOUND = sa.select(quarantine.c.id, quarantine.c.code, quarantine.c.text, quarantine.c.count.label("times")).where(
    *_PLACE
)
_NEW = quarantine.insert()


def refuse(
    tx: Connection,
    connection: str,
    native_kind: str,
    external_id: str,
    error: SverkaError,
    now: datetime,
    *,
    stage: str = "intake",
    record_uid: str | None = None,
    inbox_id: int | None = None,
    data: Any = None,
    raw: bytes | None = None,
) -> None:
    """Put the record into quarantine, or count once more that it is still there."""
    known = error_json(error) or {}
    values = {
        "code": error.code[:48],
        "field": error.field,
        "text": {"en": known["en"], "ru": known["ru"]},
        "remedy": known["remedy"],
        "record_uid": record_uid,
        "inbox_id": inbox_id,
        "data": data,
        "raw": raw,
        "state": "open",
        "last_at": now,
        "next_at": _next(error.code, 0, now),
    }
    asked = {"here": connection, "of_kind": native_kind, "id_there": external_id, "at_stage": stage}
    row = tx.execute(_FOUND, asked).first()
    if row is None:
        place = {"connection": connection, "native_kind": native_kind, "external_id": external_id, "stage": stage}
        tx.execute(_NEW, {**place, "first_at": now, **values})
    elif stage == "intake" or row.code != values["code"] or row.text != values["text"]:
        # a delivery that still waits for the same thing is no news
        values["next_at"] = _next(error.code, row.times, now)
        tx.execute(quarantine.update().where(quarantine.c.id == row.id).values(count=row.times + 1, **values))


def _next(code: str, times: int, now: datetime) -> datetime | None:
    """When it is tried again without being asked; None: never."""
    if code not in _MAY_HEAL:
        return None
    return now + timedelta(seconds=_BACKOFF[min(times, len(_BACKOFF) - 1)])


def due(tx: Connection, connection: str, now: datetime, limit: int = 100) -> list[int]:
    """Rows whose next try has come."""
    return list(tx.execute(_DUE, {"here": connection, "now": now, "most": limit}).scalars())


def postpone(tx: Connection, id: int, until: datetime) -> None:
    """Its system could not be asked just now."""
    tx.execute(quarantine.update().where(quarantine.c.id == id).values(state="open", next_at=until))


def waiting_as_they_are(tx: Connection, connection: str, records: Sequence[Record]) -> set[tuple[str, str]]:
    """(kind, id) of those that wait in quarantine just as they are: seen again by a poll, they are no news."""
    found: dict[tuple[str, str], Any] = {}
    for kind in {r.kind for r in records}:
        rows = tx.execute(
            sa.select(quarantine.c.external_id, quarantine.c.data).where(
                quarantine.c.connection == connection,
                quarantine.c.native_kind == kind,
                quarantine.c.stage == "intake",
                quarantine.c.state == "open",
                quarantine.c.data.is_not(None),
            )
        )
        found |= {(kind, row.external_id): row.data for row in rows}
    if not found:
        return set()
    return {(r.kind, r.id) for r in records if (r.kind, r.id) in found and dumps(found[r.kind, r.id]) == dumps(kept(r))}


def stands(tx: Connection, connection: str, rec: Record, data: Any) -> bool:
    """Whether the record waits already, with just this."""
    row = tx.execute(
        sa.select(quarantine.c.data).where(
            *_place(connection, rec.kind, rec.id, "intake"), quarantine.c.state == "open"
        )
    ).first()
    return row is not None and dumps(row.data) == dumps(data)


def kept(rec: Record) -> dict[str, Any]:
    """A record as quarantine keeps it, to be taken again as it was."""
    return {"kind": rec.kind, "id": rec.id, "data": rec.data, "version": rec.version, "deleted": rec.deleted}


def passed(
    tx: Connection, connection: str, native_kind: str, external_id: str, now: datetime, stage: str = "intake"
) -> None:
    """The record went through: its open row is closed."""
    place = {"here": connection, "of_kind": native_kind, "id_there": external_id, "at_stage": stage}
    tx.execute(_PASSED, {**place, "state": "closed", "last_at": now})


def _place(connection: str, native_kind: str, external_id: str, stage: str) -> list[sa.ColumnElement[bool]]:
    return [
        quarantine.c.connection == connection,
        quarantine.c.native_kind == native_kind,
        quarantine.c.external_id == external_id,
        quarantine.c.stage == stage,
        quarantine.c.state != "closed",
    ]
