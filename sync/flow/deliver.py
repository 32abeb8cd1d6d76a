"""Out to the other systems: each planned write is marked, called, and its outcome taken in.

planned → (commit) sending → call → (commit) done, with what the other side shows now. What the call found moved is absorbed
as news first, and decided again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Change, Record
from sync.delivery import execute, intents
from sync.delivery.execute import Outcome
from sync.errors import BadConfig, SverkaError
from sync.flow import trouble
from sync.flow.absorb import absorb, find_link
from sync.flow.plug import Cause, Counts, Plug, World
from sync.flow.spread import spread
from sync.flow.translate import observed
from sync.flow.weave import note, weave
from sync.store.tables import link, quarantine, record
from sync.store.types import dumps, loads


def deliver(world: World, plug: Plug, run_id: int) -> Counts:
    """Carry out what is due for one connection. BadConfig stops it: everything stays planned."""
    counts = Counts()
    while True:
        with world.store.read() as tx:
            rows = intents.due(tx, plug.name, world.now())
        for row in rows:
            counts.writes += _one(world, plug, row, run_id)
        if len(rows) < 50:
            return counts


def replan_waiting(world: World, connection: str) -> int:
    """Look again at records whose delivery waits for something that may have come (a product that can be mapped now)."""
    with world.store.read() as tx:
        rows = tx.execute(
            sa.select(quarantine.c.record_uid).where(
                quarantine.c.connection == connection,
                quarantine.c.stage == "delivery",
                quarantine.c.state != "closed",
                quarantine.c.code == "deal.unmatched_line",
            )
        ).all()
    planned = 0
    for row in rows:
        with world.store.begin() as tx:
            world.store.lock_record(tx, row.record_uid)
            planned += spread(world, tx, row.record_uid, Cause())
    return planned


def _one(world: World, plug: Plug, row: Any, run_id: int) -> int:
    """One intent to its end (or to its next try); 1 when the other side was written."""
    change = _change(world, plug, row)
    if row.state == "planned":
        with world.store.begin() as tx:
            world.guard(tx)
            if not intents.begin(tx, row.id):
                return 0
        try:
            outcome = execute.call(plug.adapter, change, plug.name)
        except BadConfig:
            with world.store.begin() as tx:
                intents.replan(tx, row.id)
            raise
    else:
        outcome = execute.settle(plug.adapter, change, row.tries)
    return _take_outcome(world, plug, row, change, outcome, run_id)


def _change(world: World, plug: Plug, row: Any) -> Change:
    before: Record | None = None
    if row.link_id is not None:
        with world.store.read() as tx:
            known = tx.execute(sa.select(link).where(link.c.id == row.link_id)).one()
        before = Record(row.native_kind, known.external_id, known.shadow or {}, known.version)
    return Change(row.native_kind, before.id if before else None, row.data, before, row.id)


def _take_outcome(world: World, plug: Plug, row: Any, change: Change, outcome: Outcome, run_id: int) -> int:
    now = world.now()
    with world.store.begin() as tx:
        if outcome.state == "done" and outcome.record is not None:
            _done(world, tx, plug, row, outcome.record, Cause(run_id))
            return 1
        if outcome.state == "moved":
            intents.finish(tx, row.id, "dropped", now, outcome.error)
            if outcome.record is not None:
                absorb(world, tx, plug, outcome.record, Cause(run_id))
            else:
                weave(world, tx, row.record_uid, Cause(run_id))
        elif outcome.state == "repeat":
            intents.replan(tx, row.id)
            if outcome.error is not None:
                intents.postpone(tx, row, now, outcome.error, getattr(outcome.error, "after", None))
        elif outcome.state == "retry" and outcome.error is not None:
            # a lost answer is asked about at once, a peer that cannot be asked later
            after = 0 if row.state == "planned" else None
            intents.postpone(tx, row, now, outcome.error, after)
        else:
            _refused(world, tx, plug, row, outcome.error, outcome.state)
    return 0


def _refused(world: World, tx: Connection, plug: Plug, row: Any, error: SverkaError | None, state: str) -> None:
    intents.finish(tx, row.id, state, world.now(), error)
    if error is not None:
        trouble.refuse(
            tx,
            plug.name,
            row.native_kind,
            row.record_uid,
            error,
            world.now(),
            stage="delivery",
            record_uid=row.record_uid,
        )


def _done(world: World, tx: Connection, plug: Plug, row: Any, rec: Record, cause: Cause) -> None:
    """The other side shows what was wanted: link, base and journal say so, in one transaction with the intent."""
    now = world.now()
    intents.finish(tx, row.id, "done", now)
    trouble.passed(tx, plug.name, row.native_kind, row.record_uid, now, "delivery")
    lens = plug.mapping.lenses.get(row.native_kind)
    if lens is None or lens.kind == "activity":
        return
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == row.record_uid)).scalar_one()
    found = lens.get(rec.data)
    seen = observed(world.config, plug, found, deleted=False, numbered=row.number is not None)
    known = find_link(tx, plug.name, rec.kind, rec.id)
    before = dict(known.base or {}) if known is not None else {}
    # base is what was observed there for the fields that were written; what else moved there is news and is decided next
    base = {**before, **loads(dumps({f: seen[f] for f in row.fields if f in seen}))}
    values = {
        "version": rec.version,
        "shadow": rec.data,
        "shadow_hash": plug.hash(rec),
        "base": base,
        "state": "linked",
    }
    if known is None:
        tx.execute(
            link.insert().values(
                connection=plug.name,
                native_kind=rec.kind,
                external_id=rec.id,
                record_uid=row.record_uid,
                first_seen=now,
                **values,
            )
        )
    else:
        tx.execute(link.update().where(link.c.id == known.id).values(**values))
    changes = {f: [before.get(f), row.fields[f]] for f in row.fields if row.op == "create" or f in lens.two_way}
    why = "created" if row.op == "create" else next(iter(row.why.values()), "observed")
    note(tx, row.record_uid, kind, plug.name, f"wrote:{why}"[:24], changes, now, cause, "hub")
    weave(world, tx, row.record_uid, cause)


def anything_due(world: World, connection: str) -> bool:
    with world.store.read() as tx:
        return bool(intents.due(tx, connection, world.now(), 1))
