"""What a run would do: the same code as the run itself, in a transaction that is rolled back. No peer is written, no table."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sync.errors import NeedHuman, RecordRefused, SverkaError
from sync.flow.absorb import absorb
from sync.flow.plug import Cause, Counts, Plug
from sync.flow.pull import read_cursor
from sync.hub.runtime import Hub
from sync.hub.works import every_connection, scanned
from sync.store.tables import intent, journal


class _Undo(Exception):
    """Leaves the transaction without its changes."""


def plan(hub: Hub, only: str | None = None) -> dict[str, Any]:
    """{connection: {kind: counts}}, the changes of records and the writes that would follow, and what could not be read."""
    found: dict[str, Any] = {"counts": {}, "changes": [], "writes": [], "errors": {}}
    for plug in every_connection(hub):
        if only not in (None, plug.name):
            continue
        for kind in scanned(hub, plug):
            try:
                _one(hub, plug, kind, found)
            except SverkaError as error:
                found["errors"][plug.name] = {"code": error.code, "en": error.text.en, "ru": error.text.ru}
    return found


def _one(hub: Hub, plug: Plug, kind: str, found: dict[str, Any]) -> None:
    """Pages are read before the transaction begins, so that a slow peer does not keep the database."""
    records = [r for page in plug.adapter.scan(kind, read_cursor(hub.world, plug.name, kind)) for r in page.records]
    counts = Counts()
    try:
        with hub.store.begin() as tx:
            last_note = tx.execute(sa.select(sa.func.max(journal.c.id))).scalar() or 0
            before = {r.id for r in tx.execute(sa.select(intent.c.id).where(intent.c.state == "planned"))}
            for rec in records:
                save = tx.begin_nested()
                try:
                    counts.add(absorb(hub.world, tx, plug, rec, Cause()).outcome)
                    save.commit()
                except (RecordRefused, NeedHuman) as error:
                    save.rollback()
                    counts.add("failed")
                    found["changes"].append(
                        {
                            "connection": plug.name,
                            "kind": kind,
                            "id": rec.id,
                            "refused": {"en": error.text.en, "ru": error.text.ru},
                        }
                    )
            for note in tx.execute(sa.select(journal).where(journal.c.id > last_note).order_by(journal.c.id)):
                found["changes"].append(
                    {
                        "connection": note.connection,
                        "kind": note.kind,
                        "uid": note.record_uid,
                        "why": note.why,
                        "changes": note.changes,
                    }
                )
            for row in tx.execute(sa.select(intent).where(intent.c.state == "planned").order_by(intent.c.id)):
                if row.id not in before:
                    found["writes"].append(
                        {
                            "connection": row.connection,
                            "kind": row.native_kind,
                            "op": row.op,
                            "data": row.data,
                            "number": row.number,
                        }
                    )
            raise _Undo
    except _Undo:
        pass
    found["counts"].setdefault(plug.name, {})[kind] = counts.as_dict()
