"""Carrying out what people asked for (`acts.py` left a row behind): a record is decided again, or tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sync.flow import removal
from sync.flow.plug import Cause
from sync.flow.restore import make_again
from sync.flow.retry import retry as take_again
from sync.flow.spread import spread
from sync.flow.weave import weave
from sync.hub.runtime import Hub
from sync.store.tables import command, inbox, intent, link, quarantine


def run_commands(hub: Hub) -> int:
    """Carry out what people asked for; called by whoever works. Gives the number of commands."""
    with hub.store.read() as tx:
        rows = tx.execute(
            sa.select(command)
            .where(command.c.state == "new", command.c.kind.in_(("reweave", "retry")))
            .order_by(command.c.id)
        ).all()
    for row in rows:
        result = (
            _reweave(hub, row.args["uid"], row.args.get("restore"))
            if row.kind == "reweave"
            else _retry_asked(hub, row.args)
        )
        with hub.store.begin() as tx:
            tx.execute(command.update().where(command.c.id == row.id).values(state="done", result=result))
    return len(rows)


def _retry_asked(hub: Hub, args: dict[str, Any]) -> dict[str, Any]:
    """One row, or many: then how many ended how."""
    reread = bool(args.get("reread"))
    if "id" in args:
        return _retry(hub, args["id"], reread)
    return dict(Counter(_retry(hub, id, reread)["outcome"] for id in args["ids"]))


def _retry(hub: Hub, id: int, reread: bool = False) -> dict[str, Any]:
    """What came in is taken again; what could not go out is planned again."""
    with hub.store.read() as tx:
        row = tx.execute(sa.select(quarantine).where(quarantine.c.id == id, quarantine.c.state != "closed")).first()
    if row is None or row.connection not in hub.plugs:
        return {"outcome": "gone"}
    plug = hub.plugs[row.connection]
    if row.stage == "intake" and (row.data or row.inbox_id is None or reread):
        with plug.lock:
            return {"outcome": take_again(hub.world, plug, id, reread=reread)}
    if row.stage == "intake":
        return _take_arrival_again(hub, row)
    place = (intent.c.record_uid == row.external_id, intent.c.connection == row.connection)
    with hub.store.begin() as tx:
        again = tx.execute(
            intent.update()
            .where(*place, intent.c.native_kind == row.native_kind, intent.c.state.in_(("refused", "unknown")))
            .values(state="planned", next_at=None, batch=None)
        ).rowcount
    if not again and row.record_uid:
        _reweave(hub, row.record_uid)
    hub.wake(row.connection)
    return {"outcome": "planned"}


def _take_arrival_again(hub: Hub, row: Any) -> dict[str, Any]:
    """The whole arrival that the row came from; what is broken in it still will be there again."""
    now = hub.now()
    with hub.store.begin() as tx:
        tx.execute(quarantine.update().where(quarantine.c.id == row.id).values(state="closed", last_at=now))
        if row.inbox_id is not None:
            tx.execute(inbox.update().where(inbox.c.id == row.inbox_id).values(state="new", processed_at=None))
    hub.wake(row.connection)
    return {"outcome": "planned"}


def _reweave(hub: Hub, uid: str, restore: Sequence[int] | None = None) -> dict[str, Any]:
    """`restore`: the links whose records are to be made again where they were deleted."""
    with hub.store.begin() as tx:
        woven = weave(hub.world, tx, uid, Cause())
        planned = woven.intents + spread(hub.world, tx, uid, Cause()) + removal.follow(hub.world, tx, uid, Cause())
        planned += sum(make_again(hub.world, tx, id, Cause()) for id in restore or ())
        names = [
            r.connection for r in tx.execute(sa.select(link.c.connection).where(link.c.record_uid == uid).distinct())
        ]
    for name in names if planned else []:
        hub.wake(name)
    return {"changed": woven.changed, "planned": planned}
