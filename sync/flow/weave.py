"""One record with all its links: look at every side, decide, write down what follows. One transaction, no calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery import intents
from sync.errors import Text
from sync.flow import goods, references, totals, trouble
from sync.flow.look import MISSING, Look, look, side_names
from sync.flow.plug import Cause, World
from sync.flow.stages import graph_of
from sync.flow.translate import SAID, columns
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import INEXPRESSIBLE, Conflict, Plan, Side, decide, policy_for
from sync.store.asked import THIS
from sync.store.tables import conflict, edit, journal, link, record
from sync.store.types import dumps, loads

_RECORD = sa.select(record.c.uid, record.c.kind, record.c.data, record.c.client_uid, record.c.person_uid).where(
    record.c.uid == THIS
)
_OF_RECORD = record.update().where(record.c.uid == THIS)
_LINKS = sa.select(link).where(link.c.record_uid == THIS, link.c.state == "linked").order_by(link.c.id)
_LINK = link.update().where(link.c.id == THIS)
_EDITS = sa.select(edit).where(edit.c.record_uid == THIS, edit.c.state == "pending").order_by(edit.c.id)
_OPEN = sa.select(conflict).where(conflict.c.record_uid == THIS, conflict.c.state == "open")
_DIVERGED = sa.select(conflict.c.field).where(
    conflict.c.record_uid == THIS, conflict.c.state == "open", conflict.c.cause == "diverged"
)


@dataclass(slots=True)
class Woven:
    changed: bool  # the canonical record changed
    intents: int  # writes planned


def weave(world: World, tx: Connection, uid: str, cause: Cause) -> Woven:
    """Reconcile one record over all its links, as they were last observed, and the hub's own pending edits."""
    world.store.lock_record(tx, uid)
    this = {"this": uid}
    row = tx.execute(_RECORD, this).one()
    data = typed(row.kind, row.data)
    links = tx.execute(_LINKS, this).all()
    pipeline = world.config.pipeline(data.get("pipeline"))
    sent, names = intents.sent(tx, uid) if links else {}, side_names(links)
    looks: dict[int, Look] = {}
    for one in links:
        on_its_way = sent.get((one.connection, one.native_kind), {})
        found = look(world, tx, row.kind, data, one, names[one.id], on_its_way, pipeline)
        if found is not None:
            looks[one.id] = found
    looks = _doubted(tx, uid, looks)
    sides = [found.side for found in looks.values()]
    edits = tx.execute(_EDITS, this).all()
    if edits:
        seen = {e.field: typed_field(row.kind, e.field, e.value) for e in edits}
        sides.append(Side("hub", "hub", seen, {k: data[k] for k in seen if k in data}))
    by_hand = _by_hand(tx, uid, data, sides) if row.kind == "deal" else frozenset[str]()
    policy = partial(policy_for, row.kind, owners=world.config.owners)
    plan = decide(data, sides, policy, graph_of(pipeline), by_hand=by_hand)
    _show_stage(plan, {**data, **plan.values}.get("stage"), looks.values())
    _record(tx, world, uid, row.kind, data, plan, cause, edits)
    _conflicts(tx, world, uid, data, plan, sides, edits)
    _agree(world, tx, links, looks, {**data, **plan.values}, plan)
    if row.kind == "deal":
        totals.check(world, tx, uid, {**data, **plan.values}, plan.values, links)
    planned = 0
    for _, group in groupby(sorted(links, key=_place), key=_place):
        planned += _intend(world, tx, row, list(group), looks, plan, cause)
    return Woven(bool(plan.values), planned)


def _show_stage(plan: Plan, stage: Any, looks: Iterable[Look]) -> None:
    """Facts of accounting speak for its side in the decision; the stage that people read there is written all the same."""
    if not stage or any(one.field == "stage" for one in plan.conflicts):
        return
    for found in looks:
        side = found.side
        if found.own is MISSING or "stage" not in side.writable:
            continue
        image = side.image("stage", stage)
        if image is not INEXPRESSIBLE and not same("stage", image, found.own):
            plan.writes.setdefault(side.name, {}).setdefault("stage", stage)
            plan.why.setdefault("stage", ("observed", side.name))


def _place(row: Any) -> tuple[str, str]:
    return row.connection, row.native_kind


def _doubted(tx: Connection, uid: str, looks: dict[int, Look]) -> dict[int, Look]:
    """While it is open why sides differ that both stand still, what was agreed of that field counts for nothing: else the
    next look at the record would take one side's value for news and answer the question by itself."""
    fields = set(tx.execute(_DIVERGED, {"this": uid}).scalars())
    if not fields:
        return looks
    return {
        id: replace(one, side=replace(one.side, base={f: v for f, v in one.side.base.items() if f not in fields}))
        for id, one in looks.items()
    }


def _by_hand(tx: Connection, uid: str, data: Mapping[str, Any], sides: Sequence[Side]) -> frozenset[str]:
    """{"stage"} when some side shows another stage than the record, and a person gave the record its own."""
    if all(s.seen.get("stage", data.get("stage")) == data.get("stage") for s in sides):
        return frozenset()
    return frozenset({"stage"}) if by_hand(tx, uid, "stage") else frozenset()


def by_hand(tx: Connection, uid: str, field: str) -> bool:
    """Whether it was a person who gave the record the value that it holds."""
    notes = tx.execute(
        sa.select(journal.c.why, journal.c.changes)
        .where(journal.c.record_uid == uid, journal.c.link_id.is_(None))
        .order_by(journal.c.id.desc())
    )
    last = next((n.why for n in notes if field in n.changes and n.why != "offered" and n.why[:6] != "wrote:"), "")
    return last == "human" or last.startswith("undo:")


def typed(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Stored JSON as canonical values (Decimal, aware times)."""
    return KINDS[kind].model_validate(data).model_dump(exclude_unset=True)


def typed_field(kind: str, field: str, value: Any) -> Any:
    return typed(kind, {field: value})[field]


def _record(
    tx: Connection,
    world: World,
    uid: str,
    kind: str,
    data: dict[str, Any],
    plan: Plan,
    cause: Cause,
    edits: list[Any] | Any,
) -> None:
    """The canonical record, one journal row for each side whose word was taken, and what became of people's edits."""
    now = world.now()
    if plan.values:
        merged = {**data, **plan.values}
        tx.execute(_OF_RECORD, {"this": uid, "data": merged, "updated_at": now, **columns(kind, merged)})
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for name, value in plan.values.items():
            why, by = plan.why[name]
            groups.setdefault((by, why), {})[name] = [data.get(name), value]
        for (by, why), changes in groups.items():
            place = by.split("/")[0]
            who = next((e.who for e in edits if e.field in changes), by) if by == "hub" else place
            note(tx, uid, kind, place, why, changes, now, cause, who)
    asked = {c.field for c in plan.conflicts}
    for one in edits:
        if one.field in asked:
            continue  # it waits with the question
        wanted = typed_field(kind, one.field, one.value)
        refused = not same(one.field, {**data, **plan.values}.get(one.field), wanted)
        text = {
            "en": f"{one.field}: another system's word counts here, or the step is not allowed; nothing was changed.",
            "ru": f"{one.field}: здесь решает другая система либо такой переход не разрешён; ничего не изменено.",
        }
        tx.execute(
            edit.update()
            .where(edit.c.id == one.id)
            .values(state="dropped" if refused else "applied", text=text if refused else None)
        )


def note(
    tx: Connection,
    uid: str,
    kind: str,
    connection: str,
    why: str,
    changes: Mapping[str, Any],
    now: Any,
    cause: Cause,
    who: str,
    link_id: int | None = None,
) -> None:
    """One journal row. `link_id`: of what one link showed or was written."""
    tx.execute(
        journal.insert(),
        {
            "at": now,
            "run_id": cause.run_id,
            "inbox_id": cause.inbox_id,
            "record_uid": uid,
            "kind": kind,
            "connection": connection,
            "why": cause.why if cause.why and link_id is None and connection != "hub" else why,
            "who": who,
            "changes": dict(changes),
            "link_id": link_id,
        },
    )


def _agree(
    world: World, tx: Connection, links: Any, looks: Mapping[int, Look], after: Mapping[str, Any], plan: Plan
) -> None:
    """Bases advance; and of each link it is kept in which fields the record has moved since that side showed it."""
    for one in links:
        values: dict[str, Any] = {}
        found = looks.get(one.id)
        agreed = plan.agreed.get(found.side.name) if found else None
        if agreed:
            values["base"] = {**(_base(tx, one) or {}), **loads(dumps(agreed))}
        moved = plan.values.keys() - _unsayable(world, one)
        untold = _untold(one, found.side if found else None, after, moved, plan)
        if untold != one.untold:
            values["untold"] = untold
        if values:
            tx.execute(_LINK, {"this": one.id, **values})


def _base(tx: Connection, row: Any) -> Any:
    """What was agreed with a link; where it has just come back from an offer, that with which it was offered."""
    if row.base or row.number is None:
        return row.base
    return tx.execute(sa.select(link.c.base).where(link.c.id == row.id)).scalar()


def _unsayable(world: World, row: Any) -> Set[str]:
    """Fields that a product's own link never shows, since offers speak of them. It is not kept that they moved: each new
    price would rewrite all that the product showed."""
    plug = world.plugs.get(row.connection)
    lens = plug.mapping.lenses.get(row.native_kind) if plug is not None else None
    return SAID if lens is not None and lens.kind == "product" and SAID.isdisjoint(lens.fields) else frozenset()


def _untold(row: Any, side: Side | None, after: Mapping[str, Any], moved: Set[str], plan: Plan) -> list[str] | None:
    if side is None:
        return row.untold if row.untold is None else sorted({*row.untold, *moved})
    known = side.seen.keys() & after.keys() if row.untold is None else {*row.untold, *moved}
    told = {f for f in known if f in side.seen and shows(side, f, after.get(f))}
    return sorted({*(known - told), *plan.writes.get(side.name, ())})


def shows(side: Side, field: str, value: Any) -> bool:
    return same(field, side.seen[field], value) or same(field, side.seen[field], side.image(field, value))


def tell_again(tx: Connection, uid: str, fields: Sequence[str]) -> None:
    """The record was changed outside of `weave`: its sides are to be told."""
    for one in tx.execute(
        sa.select(link.c.id, link.c.untold).where(link.c.record_uid == uid, link.c.untold.is_not(None))
    ):
        untold = sorted({*one.untold, *fields})
        tx.execute(link.update().where(link.c.id == one.id).values(untold=untold))


def doubt(tx: Connection, link_id: int, fields: Sequence[str]) -> None:
    """What was agreed of these fields cannot be true: forget it. Where the sides differ a person is asked (`diverged`)."""
    base = tx.execute(sa.select(link.c.base).where(link.c.id == link_id)).scalar() or {}
    kept = {f: v for f, v in base.items() if f not in fields}
    tx.execute(link.update().where(link.c.id == link_id).values(base=kept))


def _conflicts(
    tx: Connection,
    world: World,
    uid: str,
    data: Mapping[str, Any],
    plan: Plan,
    sides: list[Side],
    edits: Sequence[Any],
) -> None:
    """Open what is new, refresh what moved, close what is no question any more."""
    now = world.now()
    open_ones = {c.field: c for c in tx.execute(_OPEN, {"this": uid})}
    asked = {c.field for c in plan.conflicts}
    for one in plan.conflicts:
        old = open_ones.get(one.field)
        values = {"sides": dict(one.sides), "base": one.base, "cause": one.cause}
        if old is None or dumps(values["sides"]) != dumps(old.sides):
            values["who"] = _who(tx, uid, data, one, edits)
        if old is None:
            _overtaken(tx, uid, one, sides)
            tx.execute(conflict.insert().values(record_uid=uid, field=one.field, state="open", since=now, **values))
        elif dumps(values["sides"]) != dumps(old.sides):
            tx.execute(conflict.update().where(conflict.c.id == old.id).values(**values))
    for name, old in open_ones.items():
        if name not in asked and any(name in s.seen for s in sides):
            tx.execute(conflict.update().where(conflict.c.id == old.id).values(state="gone", closed_at=now))


def _who(tx: Connection, uid: str, data: Mapping[str, Any], one: Conflict, edits: Sequence[Any]) -> list[str]:
    """The sides that brought it about, in the order of their words. Where the record holds another value than was agreed,
    whoever gave it that one was the first."""
    persons = {"hub": next((e.who for e in edits if e.field == one.field), "hub")}
    who = [persons.get(name, name) for name in one.moved]
    if same(one.field, one.base, data.get(one.field)):
        return who
    notes = tx.execute(
        sa.select(journal.c.connection, journal.c.who, journal.c.changes)
        .where(journal.c.record_uid == uid, journal.c.link_id.is_(None))
        .order_by(journal.c.id.desc())
    )
    last = next((n for n in notes if one.field in n.changes), None)
    if last is None:
        return who
    first = next((name for name in one.sides if name.partition("/")[0] == last.connection), last.who)
    return who if first in who else [first, *who]


OVERTAKEN = Text(
    "The values moved before the decision had reached every side: it was dropped, and the question is open again.",
    "Значения изменились раньше, чем решение дошло до всех сторон: оно отменено, вопрос снова открыт.",
)


def _overtaken(tx: Connection, uid: str, one: Conflict, sides: Sequence[Side]) -> None:
    """A decision that had not reached every side when one of them moved counts no more, and says so."""
    behind = [s for s in sides if s.untold and one.field in s.untold]
    if not behind:
        return
    last = tx.execute(
        sa.select(conflict)
        .where(conflict.c.record_uid == uid, conflict.c.field == one.field)
        .order_by(conflict.c.id.desc())
        .limit(1)
    ).first()
    if last is None or last.state != "decided" or "dropped" in last.decision:
        return
    if any(dumps(s.base.get(one.field)) != dumps(last.decision["value"]) for s in behind):
        decision = {**last.decision, "dropped": {"en": OVERTAKEN.en, "ru": OVERTAKEN.ru}}
        tx.execute(conflict.update().where(conflict.c.id == last.id).values(decision=decision))


def _intend(
    world: World, tx: Connection, whole: Any, links: Sequence[Any], looks: Mapping[int, Look], plan: Plan, cause: Cause
) -> int:
    """Plan the write to one place, or take back one that is not wanted any more; 1 when something new was planned.

    Where a record has several links of one kind they are written one after the other.
    """
    for row in links:
        found = looks.get(row.id)
        wanted = plan.writes.get(found.side.name, {}) if found else {}
        patch = found.lens.put(_there(world, tx, wanted, row), row.shadow) if wanted and found else {}
        client = references.wanted(world, tx, whole, row) if found else None
        if not patch and not client:
            continue
        made = intents.plan(
            tx,
            record_uid=whole.uid,
            link_id=row.id,
            connection=row.connection,
            native_kind=row.native_kind,
            op="update",
            data={**patch, **(client or {})},
            fields={**wanted, **({intents.CLIENT: references.name(tx, whole)} if client else {})},
            why={f: plan.why[f][0] for f in wanted} | ({intents.CLIENT: "merge"} if client else {}),
            now=world.now(),
            run_id=cause.run_id,
        )
        return 1 if made else 0
    place = links[0]
    if intents.drop(tx, whole.uid, place.connection, place.native_kind, world.now()):
        trouble.passed(tx, place.connection, place.native_kind, whole.uid, world.now(), "delivery")
    return 0


def _there(world: World, tx: Connection, wanted: Mapping[str, Any], row: Any) -> Mapping[str, Any]:
    """The wanted values with the goods of lines as that side knows them."""
    if not wanted.get("lines"):
        return wanted
    others = tx.execute(sa.select(link).where(link.c.record_uid == row.record_uid)).all()
    return {**wanted, "lines": goods.lines_for(world, tx, wanted["lines"], others, world.plugs[row.connection])}
