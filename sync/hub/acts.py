"""What people do in the hub: move a deal, retry a quarantined record, decide a conflict.

Each act only leaves a row behind (decision 7 of the design: commands need no work lock); the next piece of work carries it
out (`commands.py`). Each is refused with words when what it speaks of is gone or has moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, SverkaError, Text
from sync.flow import deletes
from sync.flow.look import side_names
from sync.flow.plug import Cause
from sync.flow.restore import kept
from sync.flow.translate import columns
from sync.flow.weave import note, tell_again, typed
from sync.hub.runtime import Hub
from sync.reconcile import policy_for
from sync.store.tables import (
    command,
    conflict,
    edit,
    link,
    quarantine,
    record,
)
from sync.store.types import dumps


def find_deal(hub: Hub, number: str) -> Any:
    """The only deal of this number (or uid); NeedHuman when there is none or several."""
    with hub.store.read() as tx:
        rows = tx.execute(
            sa.select(record)
            .where(record.c.kind == "deal", sa.or_(record.c.number == number, record.c.uid == number))
            .limit(5)
        ).all()
    if len(rows) == 1:
        return rows[0]
    if rows:
        uids = ", ".join(r.uid for r in rows)
        raise NeedHuman(
            Text(
                f"Several deals have the number {number}: name one by uid: {uids}.",
                f"Сделок с номером {number} несколько: укажите uid одной из них: {uids}.",
            ),
            code="deal.several",
        )
    raise NeedHuman(Text(f"There is no deal {number}.", f"Сделки {number} нет."), code="deal.none")


def set_stage(hub: Hub, number: str, stage: str, who: str, reason: str | None = None) -> dict[str, Any]:
    """Ask for a stage by hand: {uid, from, to}. NeedHuman where another system owns the stage, for an unknown stage, and for a
    loss without a reason."""
    deal = find_deal(hub, number)
    _check_stage(hub, deal, stage, reason)
    now = hub.now()
    with hub.store.begin() as tx:
        wishes = {"stage": stage, **({"lost_reason": reason} if reason else {})}
        for field, value in wishes.items():
            tx.execute(
                edit.update()
                .where(edit.c.record_uid == deal.uid, edit.c.field == field, edit.c.state == "pending")
                .values(state="dropped", text={"en": "a newer wish replaced it", "ru": "заменено более новым"})
            )
            tx.execute(
                edit.insert().values(
                    record_uid=deal.uid, field=field, value=value, reason=reason, who=who, at=now, state="pending"
                )
            )
        _ask(tx, hub, "reweave", {"uid": deal.uid})
    hub.wake("")
    return {"uid": deal.uid, "from": deal.stage, "to": stage}


def _check_stage(hub: Hub, deal: Any, stage: str, reason: str | None) -> None:
    pipeline = hub.config.pipeline(deal.data.get("pipeline"))
    known = {s.name: s for s in pipeline.stages}
    if stage not in known:
        raise NeedHuman(
            Text(
                f"There is no stage {stage!r}; valid are: {', '.join(known)}.",
                f"Этапа {stage!r} нет; допустимы: {', '.join(known)}.",
            ),
            code="deal.stage",
            field="stage",
        )
    if known[stage].semantic == "lost" and not reason:
        raise NeedHuman(
            Text(
                "A lost deal needs a reason: add --reason.", "Для проигранной сделки нужна причина: добавьте --reason."
            ),
            code="deal.reason",
            field="lost_reason",
        )
    owner = owner_of_stage(hub, deal.uid)
    if owner:
        raise NeedHuman(
            Text(
                f"The stage of this deal is decided in {owner}: change it there.",
                f"Этап этой сделки ведётся в {owner}: измените его там.",
            ),
            code="deal.owner",
            field="stage",
        )


def owner_of_stage(hub: Hub, uid: str) -> str | None:
    """The connection in which this deal's stage is kept, None when it may be moved here."""
    owner = policy_for("deal", "stage", hub.config.owners).owner
    with hub.store.read() as tx:
        rows = tx.execute(sa.select(link.c.connection).where(link.c.record_uid == uid, link.c.deleted_at.is_(None)))
        names: set[str] = {r.connection for r in rows}
    for name in names:
        plug = hub.plugs.get(name)
        if plug is not None and owner in (plug.role, f"connection:{name}"):
            return name
    return None


def retry(hub: Hub, quarantine_id: int, *, reread: bool = False) -> dict[str, Any]:
    """Try a quarantined record again: with today's mapping, from the input as it was stored, or (`reread`) as its system
    shows it now."""
    with hub.store.begin() as tx:
        row = tx.execute(
            sa.select(quarantine.c.id, quarantine.c.connection).where(
                quarantine.c.id == quarantine_id, quarantine.c.state != "closed"
            )
        ).first()
        if row is None:
            raise _gone("quarantine", quarantine_id)
        tx.execute(quarantine.update().where(quarantine.c.id == quarantine_id).values(state="retry", next_at=hub.now()))
        _ask(tx, hub, "retry", {"id": quarantine_id, "reread": reread})
    hub.wake(row.connection)
    return {"id": quarantine_id, "connection": row.connection}


def put_aside(hub: Hub, quarantine_id: int, who: str, reason: str) -> None:
    """Close a row of the quarantine that nothing is left to be done about; who did it and why is kept. What its system says of
    the record later opens a new one."""
    if not reason.strip():
        raise NeedHuman(
            Text("Say why it is done with: --reason.", "Укажите, почему с этой записью всё решено: --reason."),
            code="quarantine.reason",
        )
    with hub.store.begin() as tx:
        closed = tx.execute(
            quarantine.update()
            .where(quarantine.c.id == quarantine_id, quarantine.c.state != "closed")
            .values(state="closed", last_at=hub.now())
        ).rowcount
        if not closed:
            raise _gone("quarantine", quarantine_id)
        done = {"id": quarantine_id, "who": who, "reason": reason.strip()[:500]}
        tx.execute(command.insert().values(kind="put_aside", args=done, state="done", created_at=hub.now()))


def retry_all(
    hub: Hub, code: str | None = None, connection: str | None = None, *, reread: bool = False
) -> dict[str, Any]:
    """The same for everything of one cause, or of one connection, or of both."""
    where = [quarantine.c.state != "closed"]
    where += [quarantine.c.code == code] if code else []
    where += [quarantine.c.connection == connection] if connection else []
    if len(where) == 1:
        raise NeedHuman(
            Text("Name the cause, the connection, or both.", "Укажите причину, подключение или и то, и другое."),
            code="quarantine.which",
        )
    with hub.store.begin() as tx:
        rows = tx.execute(
            sa.select(quarantine.c.id, quarantine.c.connection).where(*where).order_by(quarantine.c.id)
        ).all()
        if not rows:
            raise NeedHuman(
                Text(
                    f"Nothing waits{f' in {connection}' if connection else ''}{f' for the cause {code}' if code else ''}.",
                    f"Ничего не ждёт{f' в {connection}' if connection else ''}{f' по причине {code}' if code else ''}.",
                ),
                code="quarantine.none",
            )
        tx.execute(quarantine.update().where(*where).values(state="retry", next_at=hub.now()))
        _ask(tx, hub, "retry", {"ids": [r.id for r in rows], "reread": reread})
    for name in {r.connection for r in rows}:
        hub.wake(name)
    return {"ids": [r.id for r in rows]}


def decide_conflict(
    hub: Hub, conflict_id: int, side: str, who: str, seen: dict[str, Any] | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Take one side's value ("hub" keeps the record's own, or takes what a person wished there). `seen` are the values that
    the person looked at: when they have moved since, nothing is decided. A loss wants its `reason`."""
    with hub.store.begin() as tx:
        row = _open(tx, conflict_id)
        if seen is not None and dumps(seen) != dumps(row.sides):
            raise NeedHuman(
                Text(
                    "The values have moved since you looked: nothing was decided. Look again.",
                    "Значения с тех пор изменились: решение не принято. Посмотрите ещё раз.",
                ),
                code="conflict.moved",
            )
        data = tx.execute(sa.select(record.c.data).where(record.c.uid == row.record_uid)).scalar_one()
        values = {"hub": deletes.held(row, data), **row.sides}
        if side not in values:
            raise NeedHuman(
                Text(
                    f"Sides of this conflict: {', '.join(values)}.", f"Стороны этого расхождения: {', '.join(values)}."
                ),
                code="conflict.side",
            )
        value = values[side]
        loss = _reason_of_loss(hub, row, data, value, reason)
        back, stays = kept(hub.world, tx, row) if row.cause == deletes.CAUSE and not value else ([], {})
        tx.execute(
            conflict.update()
            .where(conflict.c.id == conflict_id)
            .values(state="decided", decision={"side": side, "value": value, "who": who}, closed_at=hub.now())
        )
        settle_field(hub, tx, row.record_uid, row.field, value, row.sides, who)
        if loss:
            settle_field(hub, tx, row.record_uid, "lost_reason", loss, {}, who)
        _ask(tx, hub, "reweave", {"uid": row.record_uid, "restore": back})
    hub.wake("")
    more = {"stays_deleted": stays} if stays else {}
    return {"id": conflict_id, "field": row.field, "value": value, **more}


def open_conflict(hub: Hub, conflict_id: int) -> Any:
    """The row of an open conflict; NeedHuman with what became of it otherwise."""
    with hub.store.read() as tx:
        return _open(tx, conflict_id)


def _open(tx: Connection, conflict_id: int) -> Any:
    row = tx.execute(sa.select(conflict).where(conflict.c.id == conflict_id)).first()
    if row is None or row.state != "open":
        raise _closed(conflict_id, row)
    return row


def _reason_of_loss(hub: Hub, row: Any, data: Mapping[str, Any], value: Any, reason: str | None) -> str | None:
    """The reason to set beside a deal's stage; NeedHuman where it is lost and nobody says why."""
    if row.field != "stage":
        return None
    pipeline = hub.config.pipeline(data.get("pipeline"))
    lost = any(s.name == value and s.semantic == "lost" for s in pipeline.stages)
    found = reason or data.get("lost_reason") or pipeline.lost_reason
    if lost and not found:
        raise NeedHuman(
            Text("A lost deal needs a reason: give one.", "Для проигранной сделки нужна причина: укажите её."),
            code="conflict.reason",
            field="lost_reason",
        )
    return found if lost and found != data.get("lost_reason") else None


def _closed(id: int, row: Any) -> SverkaError:
    """What became of the question meanwhile."""
    if row is None:
        return _gone("conflict", id)
    if row.state == "gone":
        return NeedHuman(
            Text(
                f"Conflict {id} is no question any more: the sides have come to agree by themselves.",
                f"Расхождение {id} исчезло само: стороны сошлись без решения.",
            ),
            code="conflict.gone",
        )
    return NeedHuman(
        Text(
            f"Conflict {id} was decided already by {row.decision['who']}: {row.decision['value']!r}.",
            f"Расхождение {id} уже решено, решение принял(а) {row.decision['who']}: {row.decision['value']!r}.",
        ),
        code="conflict.gone",
    )


def settle_field(hub: Hub, tx: Connection, uid: str, field: str, value: Any, sides: dict[str, Any], who: str) -> None:
    """A person's word: it becomes the record's value, and every side's present value counts as seen."""
    row = tx.execute(sa.select(record.c.kind, record.c.data).where(record.c.uid == uid)).one()
    links = tx.execute(sa.select(link).where(link.c.record_uid == uid, link.c.state == "linked")).all()
    names = side_names(links)
    for one in links:
        if names[one.id] in sides:
            base = {**(one.base or {}), field: sides[names[one.id]]}
            tx.execute(link.update().where(link.c.id == one.id).values(base=base))
    tell_again(tx, uid, [field])
    data = typed(row.kind, {**row.data, field: value})
    tx.execute(
        record.update().where(record.c.uid == uid).values(data=data, updated_at=hub.now(), **columns(row.kind, data))
    )
    note(tx, uid, row.kind, "hub", "human", {field: [row.data.get(field), value]}, hub.now(), Cause(), who)
    for wish in tx.execute(
        sa.select(edit).where(edit.c.record_uid == uid, edit.c.field == field, edit.c.state == "pending")
    ).all():
        text = None if wish.value == value else {"en": "decided otherwise", "ru": "решено иначе"}
        state = "applied" if text is None else "dropped"
        tx.execute(edit.update().where(edit.c.id == wish.id).values(state=state, text=text))


def _ask(tx: Connection, hub: Hub, kind: str, args: dict[str, Any]) -> None:
    tx.execute(command.insert().values(kind=kind, args=args, state="new", created_at=hub.now()))


_OPEN = {
    "conflict": ("conflict", "Открытого расхождения с номером", "sverka conflicts"),
    "quarantine": ("record in quarantine with the number", "Открытой записи карантина с номером", "sverka quarantine"),
}


def _gone(what: str, id: int) -> SverkaError:
    en, ru, command = _OPEN[what]
    return NeedHuman(
        Text(f"There is no open {en} {id}.", f"{ru} {id} нет."),
        code=f"{what}.gone",
        remedy=Text(f"`{command}` lists what is open.", f"Что открыто, покажет `{command}`."),
    )
