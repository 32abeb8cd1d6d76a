"""Quarantine: a record that cannot go on waits with its reason. The same record and cause is one open row with a counter,
and it closes itself when the record later passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Record
from sync.delivery.intents import error_json
from sync.errors import SverkaError
from sync.store.tables import quarantine
from sync.store.types import dumps


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
    }
    row = tx.execute(
        sa.select(quarantine.c.id, quarantine.c.code, quarantine.c.text, quarantine.c.count.label("times")).where(
            *_place(connection, native_kind, external_id, stage)
        )
    ).first()
    if row is None:
        tx.execute(
            quarantine.insert().values(
                connection=connection,
                native_kind=native_kind,
                external_id=external_id,
                stage=stage,
                first_at=now,
                **values,
            )
        )
    elif stage == "intake" or row.code != values["code"] or row.text != values["text"]:
        # a delivery that still waits for the same thing is no news
        tx.execute(quarantine.update().where(quarantine.c.id == row.id).values(count=row.times + 1, **values))


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


def kept(rec: Record) -> dict[str, Any]:
    """A record as quarantine keeps it, to be taken again as it was."""
    return {"kind": rec.kind, "id": rec.id, "data": rec.data, "version": rec.version, "deleted": rec.deleted}


def passed(
    tx: Connection, connection: str, native_kind: str, external_id: str, now: datetime, stage: str = "intake"
) -> None:
    """The record went through: its open row is closed."""
    tx.execute(
        quarantine.update()
        .where(*_place(connection, native_kind, external_id, stage))
        .values(state="closed", last_at=now)
    )


def _place(connection: str, native_kind: str, external_id: str, stage: str) -> list[sa.ColumnElement[bool]]:
    return [
        quarantine.c.connection == connection,
        quarantine.c.native_kind == native_kind,
        quarantine.c.external_id == external_id,
        quarantine.c.stage == stage,
        quarantine.c.state != "closed",
    ]
