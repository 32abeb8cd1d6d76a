"""What waits in quarantine, tried again: by a person, or when it may have healed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from adapters.base import Record
from sync.errors import NeedHuman, RecordRefused, RetryLater
from sync.flow import trouble
from sync.flow.absorb import find_link
from sync.flow.one import gone_record, refused, take_one
from sync.flow.plug import Cause, Counts, Plug, World
from sync.store.tables import link, quarantine


def retry(world: World, plug: Plug, quarantine_id: int, run_id: int | None = None, *, reread: bool = False) -> str:
    """Today's mapping and rules on the record as it was kept, or as its system shows it now (`reread`, and where nothing
    whole was kept). "same" when the row is closed or there is nothing to take, "later" when the system does not answer."""
    with world.store.read() as tx:
        row = tx.execute(
            sa.select(quarantine).where(quarantine.c.id == quarantine_id, quarantine.c.state != "closed")
        ).first()
    if row is None:
        return "same"
    kept = row.data if row.data and row.data.get("data") else None
    if (reread or kept is None) and row.native_kind in plug.adapter.capabilities.reads:
        outcome = _retry_read(world, plug, row, run_id)
    elif kept is not None:
        outcome = _retry_kept(world, plug, row, Cause(run_id, row.inbox_id))
    else:
        with world.store.begin() as tx:  # the next scan shows it, or it does not
            tx.execute(quarantine.update().where(quarantine.c.id == quarantine_id).values(state="open"))
        return "same"
    with world.store.begin() as tx:
        times = tx.execute(sa.select(quarantine.c.count).where(quarantine.c.id == quarantine_id)).scalar()
        if outcome not in ("failed", "later") and times == row._mapping["count"]:
            trouble.passed(tx, plug.name, row.native_kind, row.external_id, world.now())
    return outcome


def _retry_kept(world: World, plug: Plug, row: Any, cause: Cause) -> str:
    rec = Record(row.data["kind"], row.data["id"], row.data["data"], row.data["version"], row.data["deleted"])
    with world.store.read() as tx:
        known = find_link(tx, plug.name, rec.kind, rec.id)
    if known is not None and row.record_uid is not None:  # most of it was taken: what was seen last is looked at anew
        rec = replace(rec, data=known.shadow, version=known.version, deleted=known.deleted_at is not None)
        _forget_hash(world, known.id)
    return take_one(world, plug, rec, cause)


def _retry_read(world: World, plug: Plug, row: Any, run_id: int | None) -> str:
    """From the source. What it cannot tell us now is asked again later."""
    cause = Cause(run_id, row.inbox_id)
    try:
        rec = plug.adapter.read(row.native_kind, row.external_id)
    except (RecordRefused, NeedHuman) as error:
        return refused(world, plug, Record(row.native_kind, row.external_id, {}), error, cause)
    except RetryLater as error:
        with world.store.begin(durable=False) as tx:
            trouble.postpone(tx, row.id, world.now() + timedelta(seconds=error.after or 300))
        return "later"
    if rec is None:
        rec = gone_record(world, plug, row.native_kind, row.external_id)
        return "skipped" if rec is None else take_one(world, plug, rec, cause)
    with world.store.read() as tx:
        known = find_link(tx, plug.name, rec.kind, rec.id)
    if known is not None:
        _forget_hash(world, known.id)
    return take_one(world, plug, rec, cause)


def _forget_hash(world: World, link_id: int) -> None:
    """So that the same record counts as news."""
    with world.store.begin() as tx:
        tx.execute(link.update().where(link.c.id == link_id).values(shadow_hash=None))


def retry_due(world: World, plug: Plug, run_id: int | None = None) -> Counts:
    """Try again what may have healed meanwhile."""
    counts = Counts()
    with world.store.read() as tx:
        ids = trouble.due(tx, plug.name, world.now())
    for id in ids:
        outcome = retry(world, plug, id, run_id)
        counts.add("skipped" if outcome == "later" else outcome)
    return counts
