"""Out to the other systems: each planned write is marked, called, and its outcome taken in.

planned → (commit) sending → call → (commit) done, with what the other side shows now. What the call found moved is absorbed
as news first, and decided again; so is whatever else an answer shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.base import Change, Record
from sync.delivery import execute, intents
from sync.delivery.execute import Outcome
from sync.errors import BadConfig, NeedHuman, RecordRefused, SverkaError, Text
from sync.flow import deletes, dependencies, documents, gathering, made, offers, removal, sides, trouble
from sync.flow.absorb import absorb, find_link, name_problems
from sync.flow.gate import RELEASED, gate, moment
from sync.flow.plug import Cause, Counts, Plug, World
from sync.flow.pull import read_cursor
from sync.flow.spread import spread
from sync.flow.translate import observed
from sync.flow.weave import note, weave
from sync.lens import Translated
from sync.store import points
from sync.store.asked import HERE, KIND, RECORD, THIS
from sync.store.tables import intent, link, quarantine, record
from sync.store.types import dumps, loads

WINDOW = timedelta(minutes=10)  # how long what a create made may take to be seen among the new records there

_LOST = sa.select(intent.c.id).where(intent.c.connection == HERE, intent.c.state == "sending").limit(1)
_MAY_GO_ON = sa.select(quarantine.c.record_uid).where(
    quarantine.c.connection == HERE,
    quarantine.c.stage == "delivery",
    quarantine.c.state != "closed",
    quarantine.c.code.in_(("deal.unmatched_line", dependencies.WAITS)),
)
_LINK = sa.select(link).where(link.c.id == THIS)
_OF_LINK = link.update().where(link.c.id == THIS)
_KIND = sa.select(record.c.kind).where(record.c.uid == THIS)
_FOLLOWING = sa.select(intent).where(
    intent.c.record_uid == RECORD,
    intent.c.connection == HERE,
    intent.c.native_kind == KIND,
    intent.c.op == "update",
    intent.c.state == "planned",
)


def deliver(world: World, plug: Plug, run_id: int) -> Counts:
    """Carry out what is due for one connection. BadConfig stops it: everything stays planned."""
    counts = Counts()
    while True:
        free, done = gate(world, plug.name).free, counts.writes
        with world.store.read() as tx:
            rows = intents.due(tx, plug.name, moment(world), RELEASED[free])
        for row in rows:
            counts.writes += _one(world, plug, row, run_id)
        if (
            len(rows) < 50 and counts.writes == done
        ):  # a client that was made may have freed the deal that waited for it
            return counts


def replan_waiting(world: World, connection: str) -> int:
    """Look again at records whose delivery waits for something that may have come (a product that can be mapped now)."""
    with world.store.read() as tx:
        rows = tx.execute(_MAY_GO_ON, {"here": connection}).all()
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
        with world.store.read() as tx:
            change = _change(tx, row)
        points.reach(f"call:{plug.name}.find:before")
        mine = execute.made_by(plug.adapter, change, strange)
        if mine is not None:
            strange = [r for r in strange if r.id != mine.id]
            _taken(world, plug, row, Outcome("done", mine), run_id)


def _one(world: World, plug: Plug, row: Any, run_id: int) -> int:
    """One intent to its end (or to its next try); 1 when the other side was written."""
    if row.op == gathering.OP:
        return gathering.carry_out(world, plug, row, Cause(run_id))
    if row.state == "planned":
        try:
            with world.store.begin() as tx:
                world.guard(tx)
                if not intents.begin(tx, row.id, world.now()):
                    return 0
                change = _change(tx, dependencies.filled(tx, plug, row))
        except (RecordRefused, NeedHuman) as error:  # what it needed cannot be said in its own record
            with world.store.begin() as tx:
                _refused(world, tx, plug, row, error, "refused")
            return 0
        try:
            outcome = execute.call(plug.adapter, change, plug.name, _view(plug, row))
        except BadConfig:
            with world.store.begin() as tx:
                intents.replan(tx, row.id)
            raise
    else:
        with world.store.read() as tx:
            change = _change(tx, row)
        outcome = execute.settle(plug.adapter, change, row.tries, _look(world, plug, row))
    return _taken(world, plug, row, outcome, run_id)


def _view(plug: Plug, row: Any) -> execute.View:
    """How a native record reads in the fields that are written."""
    lens = plug.mapping.lenses.get(row.native_kind)
    if lens is None:
        return lambda _: None

    def view(data: Any) -> Any:
        fields = lens.get(data).fields
        return {f: fields.get(f) for f in row.fields}

    return view


def _look(world: World, plug: Plug, row: Any) -> execute.Look | None:
    """What came up there since the last poll and is not known here; None where the kind is not polled."""
    if row.op != "create" or row.native_kind not in plug.adapter.capabilities.scans & plug.mapping.lenses.keys():
        return None

    def look() -> tuple[list[Record], bool]:
        points.reach(f"call:{plug.name}.look:before")
        cursor = read_cursor(world, plug.name, row.native_kind)
        records = [r for page in plug.adapter.scan(row.native_kind, cursor) for r in page.records]
        with world.store.read() as tx:
            strange = [r for r in records if find_link(tx, plug.name, r.kind, r.id) is None]
        return strange, (row.sent_at or row.created_at) + WINDOW < world.now()

    return look


def _change(tx: Connection, row: Any) -> Change:
    before: Record | None = None
    if row.link_id is not None:
        known = tx.execute(_LINK, {"this": row.link_id}).one()
        deleted = known.deleted_at is not None
        before = Record(row.native_kind, known.external_id, known.shadow or {}, known.version, deleted)
    return Change(row.native_kind, before.id if before else None, row.data, before, row.id, row.op == "delete")


def _taken(world: World, plug: Plug, row: Any, outcome: Outcome, run_id: int | None) -> int:
    """Take the outcome in; what cannot be taken in concerns this record only."""
    try:
        with world.store.begin() as tx:
            if not intents.unsettled(tx, row.id):
                return 0
            if row.op == "delete":
                return _take_deletion(world, tx, plug, row, outcome, Cause(run_id))
            written = _take_outcome(world, tx, plug, row, outcome, Cause(run_id))
            removal.follow(world, tx, row.record_uid, Cause(run_id))
            return written
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
        news = outcome.record if outcome.state == "moved" else None
        if (
            news is not None and news.deleted
        ):  # while the write is open: what was edited elsewhere has not arrived there
            absorb(world, tx, plug, news, cause)
        intents.finish(tx, row.id, "dropped", now, outcome.error)
        if news is not None and not news.deleted:
            absorb(world, tx, plug, news, cause)
        weave(world, tx, row.record_uid, cause)
        intents.keep_reasons(tx, row)
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
            intents.keep_reasons(tx, row)
    return 0


def _take_deletion(world: World, tx: Connection, plug: Plug, row: Any, outcome: Outcome, cause: Cause) -> int:
    """The outcome of a delete. What was edited there since is news, and a question; it is not deleted."""
    uid = row.record_uid
    if outcome.state == "done" and outcome.record is not None:
        wanted = deletes.wanted(tx, uid)
        removal.done(world, tx, plug, row, outcome.record, cause, wanted=wanted)
        if not wanted:  # somebody has changed or restored it while the call was under way
            deletes.ask(world, tx, uid)
        removal.follow(world, tx, uid, cause)
        return 1
    if outcome.state == "moved" and outcome.record is not None:
        if removal.again(tx, plug, row, outcome.record):
            return 0
        if absorb(world, tx, plug, outcome.record, cause).outcome == "same":  # version after version, and nothing in it
            _refused(world, tx, plug, row, outcome.error, "refused")
        else:
            intents.finish(tx, row.id, "dropped", world.now(), outcome.error)
    elif outcome.state == "repeat":
        intents.replan(tx, row.id)
        if outcome.error is not None:
            intents.postpone(tx, row, world.now(), outcome.error, getattr(outcome.error, "after", None))
    elif outcome.state == "retry" and outcome.error is not None:
        intents.postpone(tx, row, world.now(), outcome.error, 0 if row.state == "planned" else None)
    elif outcome.state in ("refused", "unknown"):
        _refused(world, tx, plug, row, outcome.error, outcome.state)
    return 0


def _refused(world: World, tx: Connection, plug: Plug, row: Any, error: SverkaError | None, state: str) -> None:
    intents.finish(tx, row.id, state, world.now(), error)
    dependencies.hold_back(world, tx, row, error)
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
    kind = tx.execute(_KIND, {"this": row.record_uid}).scalar_one()
    found = lens.get(rec.data)
    stage = row.fields.get("stage")
    seen = observed(world.config, plug, found, deleted=False, numbered=row.number is not None, lens=lens, current=stage)
    known = find_link(tx, plug.name, rec.kind, rec.id)
    agreed = dict(known.base or {}) if known is not None else {}
    base = {**agreed, **made.agreed(lens, row, loads(dumps(seen)))}
    before, news = sides.last_shown(tx, plug, lens, known)
    values = {
        "version": rec.version,
        "shadow": rec.data,
        "shadow_hash": plug.hash(rec),
        "base": base,
        "state": "linked",
        "deleted_at": now if rec.deleted else None,
    }
    if known is None:
        place = {"connection": plug.name, "native_kind": rec.kind, "external_id": rec.id}
        late = made.untold(world, tx, plug, row, seen) if row.op == "create" else None
        new = link.insert().values(**place, record_uid=row.record_uid, first_seen=now, untold=late, **values)
        link_id = tx.execute(new.returning(link.c.id)).scalar_one()
    else:
        link_id = known.id
        tx.execute(_OF_LINK, {"this": known.id, **values})
    told = {*row.fields} if row.op == "create" else {*row.fields} & {*lens.two_way, intents.CLIENT}
    changes = {f: [before.get(f), row.fields[f]] for f in row.fields if f in told}
    for why, fields in _by_reason(row, changes):
        note(tx, row.record_uid, kind, plug.name, f"wrote:{why}"[:24], fields, now, cause, "hub", link_id)
    written = {f: sides.canonical(lens.kind, f, v) for f, (_, v) in changes.items() if f in lens.fields}
    more = sides.changes({**before, **written}, sides.shown(plug, found, deleted=rec.deleted))
    if more:
        reason = "mapping" if news == "mapping" else "seen"
        note(tx, row.record_uid, kind, plug.name, reason, more, now, cause, plug.name, link_id)
    if found.problems:
        name_problems(world, tx, plug, rec, found, row.record_uid, cause)
    _went_on(world, tx, plug, row, found, kind, link_id, cause)


def _went_on(
    world: World, tx: Connection, plug: Plug, row: Any, found: Translated, kind: str, link_id: int, cause: Cause
) -> None:
    """What follows from a write around its record: for other sides, its own rows, those who waited for it."""
    woven = weave(world, tx, row.record_uid, cause)
    if found.kind == "offer":
        offers.store_rows(world, tx, plug, row.record_uid, found.fields, cause, link_id)
    if kind == "deal":  # a refund made there since the last look came with this answer and will not be news again
        client = tx.execute(sa.select(record.c.client_uid).where(record.c.uid == row.record_uid)).scalar()
        documents.store(world, tx, plug, row.record_uid, found.fields.get("documents"), client, cause)
    if woven.changed:
        spread(world, tx, row.record_uid, cause)
    if row.op == "create" and kind in ("company", "contact"):
        dependencies.follow(world, tx, plug, row.record_uid, cause)
    _not_kept(world, tx, plug, row)


def _by_reason(row: Any, changes: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A journal row for each reason for which fields were written."""
    if row.op == "create":
        return [("created", changes)]
    groups: dict[str, dict[str, Any]] = {}
    for name, change in changes.items():
        groups.setdefault(str(row.why.get(name, "observed")), {})[name] = change
    return list(groups.items()) or [("observed", {})]


def _not_kept(world: World, tx: Connection, plug: Plug, row: Any) -> None:
    """The other side accepted the write and shows something else. To write the same again would never end: a person
    looks."""
    place = {"record": row.record_uid, "here": plug.name, "kind": row.native_kind}
    following = tx.execute(_FOLLOWING, place).first()
    if following is None or not execute.holds(row.data, following.data):
        return
    if row.link_id is not None and following.link_id != row.link_id:
        return  # the same wish for another record of that kind
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
    with world.store.read() as tx:
        return tx.execute(_LOST, {"here": connection}).first() is not None


def anything_due(world: World, connection: str, free: bool) -> bool:
    """Whether something can be written now; `free` as the gate says."""
    with world.store.read() as tx:
        return bool(intents.due(tx, connection, moment(world), RELEASED[free], 1))
