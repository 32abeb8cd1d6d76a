"""The gate before every delivery: the first writes to a system, and more of them than the limits allow, wait together for
a person's yes. Nothing of them is called and nothing is offered before.

What one run brings about is looked at as a whole: as long as it goes on, nothing of it is counted and nothing goes out, so
that a large change that comes page by page is held before its first write. A run that takes long is not waited for: from then
on what has come so far is judged.

An intent that waits names its plan (`plan_id`). A plan lists what it would write, by the hash of each; only what is still
exactly that is released. What came behind an open gate's plan names it too and is judged anew when the plan is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery.intents import OWN_NOTICE
from sync.errors import NeedHuman, Text
from sync.flow import approval
from sync.flow.plug import World
from sync.store.asked import HERE, NOW
from sync.store.tables import intent, lease, link, plan, record, run
from sync.store.types import dumps

REASONS = ("first_run", "divergence")
_CHUNK = 500
WHOLE = timedelta(seconds=30)  # for so long a run that goes on keeps its writes back
ASKED_LASTS = timedelta(hours=1)  # what was approved from a saved plan and has not come up by then is forgotten

_DECIDED = sa.select(plan.c.id).where(plan.c.state.in_(("approved", "applied")))
# Asked before every delivery, so they are made once
_WAITING = (
    sa.select(plan)
    .where(plan.c.state == "waiting", plan.c.connection == HERE, plan.c.reason.in_(REASONS))
    .order_by(plan.c.created_at)
    .limit(1)
)
_PLANNED = (
    intent.c.connection == HERE,
    intent.c.state == "planned",
    intent.c.record_uid.not_like(OWN_NOTICE),
)
_APPROVED = (
    sa.select(plan)
    .where(
        plan.c.state == "approved",
        sa.or_(
            sa.and_(plan.c.reason.in_(REASONS), plan.c.connection == HERE),
            sa.and_(plan.c.reason == "asked", plan.c.connection.in_(("", HERE))),
        ),
    )
    .order_by(plan.c.created_at)
)
_ANYTHING = sa.select(
    sa.or_(
        sa.exists().where(*_PLANNED),
        sa.exists().where(plan.c.state.in_(approval.OPEN), plan.c.connection.in_(("", HERE))),
    )
)
# The run of a process that has died goes on in its row only, so a live lease must stand behind it
_AT_WORK = sa.exists().where(
    lease.c.name.in_([sa.literal("fetch:") + run.c.connection, sa.literal("take:") + run.c.connection]),
    lease.c.expires_at > NOW,
)
_GOING_ON = sa.select(run.c.id).where(
    run.c.outcome == "running", run.c.work != "deliver", run.c.started_at > sa.bindparam("begun"), _AT_WORK
)
# What no plan holds, and no run that is still finding out how much there is. A delivery makes its own intents go
_FREE = (intent.c.plan_id.is_(None), sa.or_(intent.c.run_id.is_(None), intent.c.run_id.not_in(_GOING_ON)))
_COUNTED = sa.select(intent.c.run_id, intent.c.op, intent.c.native_kind).where(*_PLANNED, *_FREE)
_FREE_ONES = sa.select(intent).where(*_PLANNED, *_FREE).order_by(intent.c.created_at, intent.c.id)
_ALWAYS = sa.or_(intent.c.plan_id.in_(_DECIDED), intent.c.record_uid.like(OWN_NOTICE))
RELEASED = {False: _ALWAYS, True: sa.or_(_ALWAYS, sa.and_(*_FREE))}
"""Which planned intents may be carried out, by whether the gate is free: those of an approved plan, and then those of none.
To be asked with the parameters of `moment`."""
_HELD = (
    sa.select(intent)
    .where(*_PLANNED, intent.c.plan_id == sa.bindparam("of_plan"))
    .order_by(intent.c.created_at, intent.c.id)
)


@dataclass(frozen=True, slots=True)
class Gate:
    """`free`: whether what no plan holds may go. `waiting`: the plan that holds something back, and since when `fresh`."""

    free: bool = True
    waiting: str | None = None
    number: int = 0  # writes that wait
    fresh: bool = False  # the plan was made just now

    def question(self, connection: str) -> NeedHuman:
        """What a run says that stopped here."""
        return NeedHuman(
            Text(
                f"{self.number} writes to {connection} wait for approval: sverka approve {self.waiting}",
                f"Записей в {connection} ждут подтверждения: {self.number}. Команда: sverka approve {self.waiting}",
            ),
            code="delivery.approval",
            remedy=Text(f"Look first: sverka plans {self.waiting}", f"Сначала посмотрите: sverka plans {self.waiting}"),
        )


def gate(world: World, connection: str) -> Gate:
    """Look at everything that is planned for a connection; hold back or release what has to be."""
    with world.store.read() as tx:
        if not tx.execute(_ANYTHING, {"here": connection}).scalar_one():
            return Gate(free=not _asks(world, tx, connection))
        if not _work(world, tx, connection):
            return _verdict(world, tx, connection)
    with world.store.begin() as tx:
        world.store.lock_key(tx, f"gate:{connection}")
        before = _waiting(tx, connection)
        _release(world, tx, connection)
        _hold(world, tx, connection)
        after = _verdict(world, tx, connection)
        fresh = after.waiting is not None and (before is None or before.id != after.waiting)
        return Gate(after.free, after.waiting, after.number, fresh)


def moment(world: World) -> dict[str, datetime]:
    """What `RELEASED` has to be told: the present, and since when a run is waited for."""
    now = world.now()
    return {"now": now, "begun": now - WHOLE}


def items(tx: Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Writes as a plan lists them: what each is about, what changes, and the hash by which it is recognised."""
    return [one for at in range(0, len(rows), _CHUNK) for one in _items(tx, rows[at : at + _CHUNK])]


def _items(tx: Connection, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    uids = {row.record_uid for row in rows}
    links: dict[str, list[Any]] = {}
    columns = (link.c.id, link.c.record_uid, link.c.connection, link.c.native_kind, link.c.external_id, link.c.base)
    for one in tx.execute(sa.select(*columns).where(link.c.record_uid.in_(uids)).order_by(link.c.id)):
        links.setdefault(one.record_uid, []).append(one)
    query = sa.select(record.c.uid, record.c.number, record.c.title).where(record.c.uid.in_(uids))
    names = {r.uid: r.number or r.title for r in tx.execute(query)}
    for row in rows:
        mine = links.get(row.record_uid, [])
        there = next((k for k in mine if k.id == row.link_id), None)
        origin = next((k for k in mine if k.connection != row.connection), None)
        about = f"{origin.connection}/{origin.native_kind}/{origin.external_id}" if origin else ""
        base = (there.base if there is not None else None) or {}
        said = {
            "connection": row.connection,
            "kind": row.native_kind,
            "op": row.op,
            "id": there.external_id if there is not None else row.number or "",
        }
        # ids that the hub makes are others in every look at a record that is not stored yet
        data = dumps(row.data).replace(row.record_uid, "")
        yield {
            **said,
            "hash": approval.digest({**said, "about": about, "data": data})[:32],
            "title": names.get(row.record_uid) or about,
            "changes": {f: [base.get(f), v] for f, v in row.fields.items() if base.get(f) != v},
        }


def content_of(listed: list[dict[str, Any]]) -> dict[str, Any]:
    counts = Counter(f"{i['op']} {i['connection']}/{i['kind']}" for i in listed)
    return {"items": listed, "counts": dict(counts)}


def mark_of(listed: Iterable[dict[str, Any]]) -> str:
    """The hash of all of them; their order does not matter."""
    return approval.digest(sorted(i["hash"] for i in listed))


def planned(connection: str) -> list[sa.ColumnElement[bool]]:
    return [
        intent.c.connection == connection,
        intent.c.state == "planned",
        intent.c.record_uid.not_like(OWN_NOTICE),
    ]


def _waiting(tx: Connection, connection: str) -> Any:
    return tx.execute(_WAITING, {"here": connection}).first()


def _approved(tx: Connection, connection: str) -> list[Any]:
    """Approved plans that may still hold something of this connection."""
    return list(tx.execute(_APPROVED, {"here": connection}))


def _asks(world: World, tx: Connection, connection: str) -> bool:
    return world.config.limits.first_run == "ask" and not approval.trusted(tx, connection)


def _verdict(world: World, tx: Connection, connection: str) -> Gate:
    row = _waiting(tx, connection)
    if row is None:
        return Gate(free=not _asks(world, tx, connection))
    query = sa.select(sa.func.count()).select_from(intent).where(*planned(connection), intent.c.plan_id == row.id)
    return Gate(row.reason != "first_run", row.id, int(tx.execute(query).scalar_one()))


def _work(world: World, tx: Connection, connection: str) -> bool:
    """Whether anything has to be held back, released or marked; most times nothing is."""
    free = tx.execute(_COUNTED, {"here": connection, **moment(world)}).all()
    if free and (_asks(world, tx, connection) or _waiting(tx, connection) or _too_many(world, tx, connection, free)):
        return True
    row = _waiting(tx, connection)
    if row is not None and not _held(tx, connection, row.id):
        return True
    return bool(_approved(tx, connection))


def _held(tx: Connection, connection: str, plan_id: str) -> list[Any]:
    return list(tx.execute(_HELD, {"here": connection, "of_plan": plan_id}))


def _too_many(world: World, tx: Connection, connection: str, free: Sequence[Any]) -> bool:
    """Whether these are more than the limits allow, by themselves or with what their runs have written already."""
    if any(_too_many_deletes(world, tx, connection, kind, free) for kind in {f.native_kind for f in free}):
        return True
    limits = world.config.limits
    runs = {r.run_id for r in free if r.run_id is not None}
    number = len(free)
    if runs:
        by_run = tx.execute(
            sa.select(sa.func.count())
            .where(
                intent.c.run_id.in_(runs),
                intent.c.connection == connection,
                intent.c.plan_id.is_(None),
                intent.c.state != "dropped",
                intent.c.record_uid.not_like(OWN_NOTICE),
            )
            .group_by(intent.c.run_id)
        )
        number = max([number, *(r[0] for r in by_run)])
    if number <= limits.writes:
        return False
    linked = tx.execute(
        sa.select(sa.func.count()).select_from(link).where(link.c.connection == connection, link.c.state == "linked")
    ).scalar_one()
    return number * 100 > linked * limits.writes_percent


def _too_many_deletes(world: World, tx: Connection, connection: str, kind: str, free: Sequence[Any]) -> bool:
    """Whether so many deletes of one kind, with those that went out unasked in the last while, are over the budget."""
    number = sum(f.op == "delete" and f.native_kind == kind for f in free)
    if not number:
        return False
    since = world.now() - timedelta(seconds=world.plugs[connection].config.full)
    gone = (intent.c.op == "delete", intent.c.plan_id.is_(None), intent.c.state.in_(("sending", "unknown", "done")))
    place = (intent.c.connection == connection, intent.c.native_kind == kind)
    went = sa.select(sa.func.count()).select_from(intent).where(*place, *gone, intent.c.sent_at >= since)
    there = (link.c.connection == connection, link.c.native_kind == kind, link.c.deleted_at.is_(None))
    known = int(tx.execute(sa.select(sa.func.count()).select_from(link).where(*there)).scalar_one())
    limits = world.config.limits
    return bool(
        number + int(tx.execute(went).scalar_one()) > max(limits.deletes, known * limits.deletes_percent // 100)
    )


def _release(world: World, tx: Connection, connection: str) -> None:
    for row in _approved(tx, connection):
        if row.reason == "asked":
            _release_asked(world, tx, connection, row)
            continue
        listed = Counter(i["hash"] for i in row.content["items"])
        moved = 0
        held = _held(tx, connection, row.id)
        for one, told in zip(held, items(tx, held), strict=True):
            mark = told["hash"]
            if listed[mark] > 0:
                listed[mark] -= 1
            else:
                moved += 1
                tx.execute(intent.update().where(intent.c.id == one.id).values(plan_id=None))
        approval.used(world, tx, row.id, _moved(moved, sum(listed.values())))


def _moved(fresh: int, gone: int) -> Text | None:
    """What of an approved plan was not carried out as it stood."""
    if not fresh and not gone:
        return None
    return Text(
        f"Moved since it was approved: {gone} of its writes are not wanted any more or were planned again; "
        f"{fresh} new ones were planned.",
        f"После подтверждения изменилось: {gone} записей больше не нужны или запланированы заново; новых: {fresh}.",
    )


def _release_asked(world: World, tx: Connection, connection: str, row: Any) -> None:
    """A saved plan was made before its intents were: they are recognised by their hashes."""
    listed = Counter(i["hash"] for i in row.content["items"] if i["connection"] == connection)
    taken = sa.select(intent).where(intent.c.connection == connection, intent.c.plan_id == row.id)
    for told in items(tx, tx.execute(taken).all()):
        listed[told["hash"]] -= 1
    undecided = sa.or_(intent.c.plan_id.is_(None), intent.c.plan_id.not_in(_DECIDED))
    open_ones = sa.select(intent).where(*planned(connection), undecided)
    found = tx.execute(open_ones.order_by(intent.c.created_at, intent.c.id)).all()
    for one, told in zip(found, items(tx, found), strict=True):
        mark = told["hash"]
        if listed[mark] > 0:
            listed[mark] -= 1
            tx.execute(intent.update().where(intent.c.id == one.id).values(plan_id=row.id))
    number = tx.execute(sa.select(sa.func.count()).where(intent.c.plan_id == row.id)).scalar_one()
    missing = len(row.content["items"]) - number
    if missing <= 0:
        approval.used(world, tx, row.id)
    elif row.decided_at + ASKED_LASTS < world.now():
        approval.used(world, tx, row.id, _moved(0, missing))


def _hold(world: World, tx: Connection, connection: str) -> None:
    """Hold back what must not go: under a plan that waits already, else under a new one."""
    free = list(tx.execute(_FREE_ONES, {"here": connection, **moment(world)}))
    row = _waiting(tx, connection)
    held = _held(tx, connection, row.id) if row is not None else []
    if row is not None and not held:
        text = Text("Nothing of it is left to write.", "Из этого плана записывать больше нечего.")
        approval.stale(world, tx, row.id, text)
        row = None
    first = _asks(world, tx, connection)
    if row is not None and row.reason == "divergence":
        runs = {h.run_id for h in held if h.run_id is not None}
        behind = [f for f in free if f.run_id in runs]
    else:
        behind = free if row is not None else []
    if not free or (row is None and not first and not _too_many(world, tx, connection, free)):
        return
    grown = [*_behind(row, held), *behind]  # what waits without being listed
    if row is None or _too_many(world, tx, connection, grown) or _too_many(world, tx, connection, free):
        behind = [*held, *free]
        listed = [{**told, "intent": one.id} for one, told in zip(behind, items(tx, behind), strict=True)]
        reason = "first_run" if first else "divergence"
        id = approval.save(world, tx, connection, reason, content_of(listed), mark_of(listed), instead_of=row)
    else:
        id = row.id
    for at in range(0, len(behind), _CHUNK):
        ids = [one.id for one in behind[at : at + _CHUNK]]
        tx.execute(intent.update().where(intent.c.id.in_(ids)).values(plan_id=id))


def _behind(row: Any, held: list[Any]) -> list[Any]:
    """What came behind a waiting plan: it holds them, but does not list them."""
    listed = {i["intent"] for i in row.content["items"]} if row is not None else set()
    return [h for h in held if h.id not in listed]


def would_ask(world: World, tx: Connection, connection: str) -> tuple[str, int] | None:
    """Why the writes that are planned now would wait for approval, and how many; None when they would go."""
    columns = (intent.c.run_id, intent.c.plan_id, intent.c.op, intent.c.native_kind)
    rows = tx.execute(sa.select(*columns).where(*planned(connection))).all()
    free = [r for r in rows if r.plan_id is None]
    waiting = _waiting(tx, connection)
    if waiting is not None:
        return waiting.reason, len(rows)
    if free and _asks(world, tx, connection):
        return "first_run", len(free)
    return ("divergence", len(free)) if _too_many(world, tx, connection, free) else None
