"""One record with all its links: look at every side, decide, write down what follows. One transaction, no calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery import intents
from sync.errors import RecordRefused
from sync.flow import trouble
from sync.flow.plug import Cause, Plug, World
from sync.flow.translate import canonical_kind, columns, observed, sale_price_keys
from sync.lens import Lens, apply_patch
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import INEXPRESSIBLE, Graph, Plan, Side, decide, policy_for
from sync.store.tables import conflict, edit, journal, link, record
from sync.store.types import dumps, loads


@dataclass(slots=True)
class Woven:
    changed: bool  # the canonical record changed
    intents: int  # writes planned


def weave(world: World, tx: Connection, uid: str, cause: Cause) -> Woven:
    """Reconcile one record over all its links, as they were last observed, and the hub's own pending edits."""
    world.store.lock_record(tx, uid)
    row = tx.execute(sa.select(record.c.kind, record.c.data, record.c.merged_into).where(record.c.uid == uid)).one()
    data = typed(row.kind, row.data)
    links = tx.execute(
        sa.select(link).where(link.c.record_uid == uid, link.c.state == "linked").order_by(link.c.id)
    ).all()
    sides, lenses, sent = [], {}, intents.sent(tx, uid) if links else {}
    for one in links:
        found = _side(world, tx, row.kind, one, sent.get((one.connection, one.native_kind), {}))
        if found is not None:
            lenses[one.id] = found[1]
            sides.append(found[0])
    edits = tx.execute(
        sa.select(edit).where(edit.c.record_uid == uid, edit.c.state == "pending").order_by(edit.c.id)
    ).all()
    if edits:
        seen = {e.field: typed_field(row.kind, e.field, e.value) for e in edits}
        sides.append(Side("hub", "hub", seen, {k: data[k] for k in seen if k in data}))
    pipeline = world.config.pipeline(data.get("pipeline"))
    graph = Graph.of([(s.name, s.semantic) for s in pipeline.stages])
    plan = decide(data, sides, lambda f: policy_for(row.kind, f, world.config.owners), graph)
    _record(tx, world, uid, row.kind, data, plan, cause, edits)
    _agree(tx, links, plan)
    _conflicts(tx, world, uid, plan, sides)
    planned = sum(_intend(world, tx, uid, one, lenses.get(one.id), plan, cause) for one in links)
    return Woven(bool(plan.values), planned)


def typed(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Stored JSON as canonical values (Decimal, aware times)."""
    return KINDS[kind].model_validate(data).model_dump(exclude_unset=True)


def typed_field(kind: str, field: str, value: Any) -> Any:
    return typed(kind, {field: value})[field]


def takes_part(world: World, connection: str, kind: str) -> bool:
    """A system is only written where a flow of the kind names it: connecting it alone changes nothing there."""
    return any(f.kind == kind and connection in (f.source, f.target) for f in world.config.flows)


def side_name(row: Any) -> str:
    return f"{row.connection}/{row.native_kind}"


def _side(world: World, tx: Connection, kind: str, row: Any, sent: Mapping[str, Any]) -> tuple[Side, Lens] | None:
    """A link as a side of the decision; None when its connection or mapping is gone: it has no say then. `sent` are the
    values of a write whose outcome is not known yet: to show one of them is nothing that the side did by itself."""
    plug = world.plugs.get(row.connection)
    lens = plug.mapping.lenses.get(row.native_kind) if plug else None
    if plug is None or lens is None or row.shadow is None or canonical_kind(lens.kind) != kind:
        return None
    gone = row.deleted_at is not None
    if gone and not (kind == "product" or plug.role == "accounting"):
        return None
    found = plug.mapping.lens(row.native_kind).get(row.shadow)
    keys = sale_price_keys(world.config, tx, plug.name) if lens.kind == "offer" else None
    seen = observed(world.config, plug, found, deleted=gone, numbered=row.number is not None, price_keys=keys)
    writable = lens.two_way if not gone and _may_write(world, plug, row.native_kind, kind) else frozenset[str]()
    base = typed(kind, row.base or {})
    base |= {f: seen[f] for f, value in typed(kind, sent).items() if f in seen and same(f, seen[f], value)}
    return Side(side_name(row), plug.role, seen, base, writable, _image(lens, row.shadow)), lens


def _may_write(world: World, plug: Plug, native_kind: str, kind: str) -> bool:
    return native_kind in plug.adapter.capabilities.updates and takes_part(world, plug.name, kind)


def _image(lens: Lens, shadow: Mapping[str, Any]) -> Any:
    """How this side would show a value: many of its words may stand for one of ours, and the other way round."""

    def image(field: str, value: Any) -> Any:
        if field not in lens.two_way:
            return value
        try:
            patch = lens.put({field: value}, shadow)
        except RecordRefused:
            return INEXPRESSIBLE
        return lens.get(apply_patch(dict(shadow), patch)).fields.get(field)

    return image


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
        tx.execute(
            record.update().where(record.c.uid == uid).values(data=merged, updated_at=now, **columns(kind, merged))
        )
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for name, value in plan.values.items():
            why, by = plan.why[name]
            groups.setdefault((by, why), {})[name] = [data.get(name), value]
        for (by, why), changes in groups.items():
            place = by.split("/")[0]
            who = next((e.who for e in edits if e.field in changes), by) if by == "hub" else place
            note(tx, uid, kind, place, why, changes, now, cause, who)
    for one in edits:
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
) -> None:
    """One journal row."""
    tx.execute(
        journal.insert().values(
            at=now,
            run_id=cause.run_id,
            inbox_id=cause.inbox_id,
            record_uid=uid,
            kind=kind,
            connection=connection,
            why=why,
            who=who,
            changes=dict(changes),
        )
    )


def _agree(tx: Connection, links: Any, plan: Plan) -> None:
    for one in links:
        agreed = plan.agreed.get(side_name(one))
        if agreed:
            base = {**(one.base or {}), **loads(dumps(agreed))}
            tx.execute(link.update().where(link.c.id == one.id).values(base=base))


def _conflicts(tx: Connection, world: World, uid: str, plan: Plan, sides: list[Side]) -> None:
    """Open what is new, refresh what moved, close what is no question any more."""
    now = world.now()
    open_ones = {
        c.field: c
        for c in tx.execute(sa.select(conflict).where(conflict.c.record_uid == uid, conflict.c.state == "open"))
    }
    asked = {c.field for c in plan.conflicts}
    for one in plan.conflicts:
        values = {"sides": dict(one.sides), "base": one.base, "cause": one.cause}
        old = open_ones.get(one.field)
        if old is None:
            tx.execute(conflict.insert().values(record_uid=uid, field=one.field, state="open", since=now, **values))
        elif dumps(values["sides"]) != dumps(old.sides):
            tx.execute(conflict.update().where(conflict.c.id == old.id).values(**values))
    for name, old in open_ones.items():
        if name not in asked and any(name in s.seen for s in sides):
            tx.execute(conflict.update().where(conflict.c.id == old.id).values(state="gone", closed_at=now))


def _intend(world: World, tx: Connection, uid: str, row: Any, lens: Lens | None, plan: Plan, cause: Cause) -> int:
    """Plan the write to one side, or take back one that is not wanted any more; 1 when something new was planned."""
    wanted = plan.writes.get(side_name(row), {})
    patch = lens.put(wanted, row.shadow) if wanted and lens is not None else {}
    if not patch:
        if intents.drop(tx, uid, row.connection, row.native_kind, world.now()):
            trouble.passed(tx, row.connection, row.native_kind, uid, world.now(), "delivery")
        return 0
    made = intents.plan(
        tx,
        record_uid=uid,
        link_id=row.id,
        connection=row.connection,
        native_kind=row.native_kind,
        op="update",
        data=patch,
        fields=wanted,
        why={f: plan.why[f][0] for f in wanted},
        now=world.now(),
        run_id=cause.run_id,
    )
    return 1 if made else 0
