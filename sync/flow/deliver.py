"""Out to the other systems: each planned write is marked, called, and its outcome taken in.

planned → (commit) sending → call → (commit) done, with what the other side shows now. What the call found moved is absorbed
as news first, and decided again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Change, Record
from sync.delivery import execute, intents
from sync.delivery.execute import Outcome
from sync.errors import BadConfig, NeedHuman, RecordRefused, SverkaError, Text
from sync.flow import documents, trouble
from sync.flow.absorb import absorb, find_link
from sync.flow.plug import Cause, Counts, Plug, World
from sync.flow.spread import spread
from sync.flow.translate import observed
from sync.flow.weave import note, weave
from sync.lens import Lens
from sync.store import points
from sync.store.tables import intent, link, quarantine, record
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
            look = tx.begin_nested()
            found = spread(world, tx, row.record_uid, Cause())
            if found:
                look.commit()
            else:  # it still waits for the same: nothing to write down
                look.rollback()
            planned += found
    return planned


def adopt(world: World, plug: Plug, records: Sequence[Record], run_id: int | None) -> None:
    """What our own creates made while their answers were lost is linked before it could be taken for something new."""
    with world.store.read() as tx:
        lost = intents.creating(tx, plug.name, records[0].kind)
        strange = [r for r in records if lost and find_link(tx, plug.name, r.kind, r.id) is None]
    for row in lost if strange else []:
        change = _change(world, row)
        points.reach(f"call:{plug.name}.find:before")
        mine = execute.made_by(plug.adapter, change, strange)
        if mine is not None:
            strange = [r for r in strange if r.id != mine.id]
            _taken(world, plug, row, Outcome("done", mine), run_id)


def _one(world: World, plug: Plug, row: Any, run_id: int) -> int:
    """One intent to its end (or to its next try); 1 when the other side was written."""
    if row.state == "planned":
        with world.store.begin() as tx:
            world.guard(tx)
            if not intents.begin(tx, row.id):
                return 0
        try:
            outcome = execute.call(plug.adapter, _change(world, row), plug.name)
        except BadConfig:
            with world.store.begin() as tx:
                intents.replan(tx, row.id)
            raise
    else:
        outcome = execute.settle(plug.adapter, _change(world, row), row.tries)
    return _taken(world, plug, row, outcome, run_id)


def _change(world: World, row: Any) -> Change:
    before: Record | None = None
    if row.link_id is not None:
        with world.store.read() as tx:
            known = tx.execute(sa.select(link).where(link.c.id == row.link_id)).one()
        before = Record(row.native_kind, known.external_id, known.shadow or {}, known.version)
    return Change(row.native_kind, before.id if before else None, row.data, before, row.id)


def _taken(world: World, plug: Plug, row: Any, outcome: Outcome, run_id: int | None) -> int:
    """Take the outcome in; what cannot be taken in concerns this record only."""
    try:
        with world.store.begin() as tx:
            if not intents.unsettled(tx, row.id):
                return 0
            return _take_outcome(world, tx, plug, row, outcome, Cause(run_id))
    except (RecordRefused, NeedHuman) as error:
        state = "unknown" if outcome.state == "done" else "refused"
        with world.store.begin() as tx:
            _refused(world, tx, plug, row, error, state)
        return 0


def _take_outcome(world: World, tx: Connection, plug: Plug, row: Any, outcome: Outcome, cause: Cause) -> int:
    now = world.now()
    if outcome.state == "done" and outcome.record is not None:
        _done(world, tx, plug, row, outcome.record, cause)
        return 1
    if outcome.state == "moved" or (outcome.state == "repeat" and outcome.error is None and row.op == "update"):
        # Settled, and not done: what is to be written is decided again on what is known now
        intents.finish(tx, row.id, "dropped", now, outcome.error)
        if outcome.state == "moved" and outcome.record is not None:
            absorb(world, tx, plug, outcome.record, cause)
        weave(world, tx, row.record_uid, cause)
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
        if row.op == "update":  # the record may have moved on meanwhile
            weave(world, tx, row.record_uid, cause)
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
    base = {**before, **_base(lens, row, loads(dumps(seen)))}
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
    woven = weave(world, tx, row.record_uid, cause)
    if kind == "deal":  # a refund made there since the last look came with this answer and will not be news again
        client = tx.execute(sa.select(record.c.client_uid).where(record.c.uid == row.record_uid)).scalar()
        documents.store(world, tx, plug, row.record_uid, found.fields.get("documents"), client, cause)
    if woven.changed:
        spread(world, tx, row.record_uid, cause)
    _not_kept(world, tx, plug, row)


def _base(lens: Lens, row: Any, seen: Mapping[str, Any]) -> dict[str, Any]:
    """What is agreed for the fields that were written: what is observed there. What else moved there is news and is
    decided next. So is another value in a record whose create was only found later: a user may have edited it since."""
    found = {f: seen[f] for f in row.fields if f in seen}
    if row.op == "create" and row.state != "planned":
        found |= {f: row.fields[f] for f in found if f in lens.two_way and found[f] not in (None, "", [], {})}
    return found


def _not_kept(world: World, tx: Connection, plug: Plug, row: Any) -> None:
    """The other side accepted the write and shows something else. To write the same again would never end: a person
    looks."""
    following = tx.execute(
        sa.select(intent).where(
            intent.c.record_uid == row.record_uid,
            intent.c.connection == plug.name,
            intent.c.native_kind == row.native_kind,
            intent.c.op == "update",
            intent.c.state == "planned",
        )
    ).first()
    if following is None or not execute.holds(row.data, following.data):
        return
    names = ", ".join(following.fields)
    error = RecordRefused(
        Text(
            f"{plug.name} accepted the write and shows another value than was written: {names}.",
            f"{plug.name}: запись принята, но показывает не то, что записано: {names}.",
        ),
        code="delivery.not_kept",
        field=next(iter(following.fields), ""),
        remedy=Text(
            "Look there: the field may be read only or changed by a rule of that system. Retry it afterwards.",
            "Посмотрите там: поле может быть только для чтения или меняться правилом этой системы. Затем повторите.",
        ),
    )
    _refused(world, tx, plug, following, error, "refused")


def lost(world: World, connection: str) -> bool:
    """Whether the outcome of a call is not known yet."""
    query = sa.select(intent.c.id).where(intent.c.connection == connection, intent.c.state == "sending")
    with world.store.read() as tx:
        return tx.execute(query.limit(1)).first() is not None


def anything_due(world: World, connection: str) -> bool:
    with world.store.read() as tx:
        return bool(intents.due(tx, connection, world.now(), 1))
