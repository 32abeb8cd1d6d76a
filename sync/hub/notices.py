"""Notices to the firm's own people: one per cause, on the page and, where a mail connection is named, by mail."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery import intents
from sync.errors import Text
from sync.flow.plug import Counts, World
from sync.store.tables import notice, plan, record, task

_BY_HAND = ("asked", "duplicates")  # plans that a person has kept just now


def overdue(world: World) -> Counts:
    """One notice for each task whose time has passed and that nobody has done."""
    counts = Counts()
    now = world.now()
    with world.store.read() as tx:
        late = tx.execute(
            sa.select(task).where(task.c.done_at.is_(None), task.c.due_at < now).order_by(task.c.due_at)
        ).all()
        told = {r.key for r in tx.execute(sa.select(notice.c.key).where(notice.c.key.like("overdue:%")))}
    for one in late:
        key = f"overdue:{one.uid}:{one.due_at.isoformat()}"
        if key in told:
            continue
        with world.store.begin() as tx:
            subject = tx.execute(sa.select(record.c.title).where(record.c.uid == one.subject_uid)).scalar()
            text = Text(
                f"Overdue: {one.text['en']}. {subject or ''}".strip(),
                f"Просрочено: {one.text['ru']}. {subject or ''}".strip(),
            )
            counts.writes += int(tell(world, tx, key, text, one.subject_uid))
        world.wake(world.config.notices.via)
    return counts


def waiting_plans(world: World) -> None:
    """One notice for each plan that waits for approval, and for whatever takes its place while it waits."""
    with world.store.read() as tx:
        rows = tx.execute(sa.select(plan).where(plan.c.state == "waiting", plan.c.reason.not_in(_BY_HAND))).all()
        keys = {f"plan:{row.content.get('root', row.id)}": row for row in rows}
        told = {r.key for r in tx.execute(sa.select(notice.c.key).where(notice.c.key.in_(keys)))}
    for key, row in keys.items():
        if key in told:
            continue
        text = Text(
            f"A plan waits for your approval ({row.connection or 'all systems'}): sverka approve {row.id}",
            f"План ждёт подтверждения ({row.connection or 'все системы'}): sverka approve {row.id}",
        )
        with world.store.begin() as tx:
            tell(world, tx, key, text, None)
        world.wake(world.config.notices.via)


def tell(world: World, tx: Connection, key: str, text: Text, record_uid: str | None) -> bool:
    """Make a notice, once per key; False when it was made before."""
    world.store.lock_key(tx, key)
    if tx.execute(sa.select(notice.c.id).where(notice.c.key == key)).first() is not None:
        return False
    id = tx.execute(
        notice.insert()
        .values(key=key, at=world.now(), text={"en": text.en, "ru": text.ru}, record_uid=record_uid)
        .returning(notice.c.id)
    ).scalar_one()
    via, to = world.config.notices.via, world.config.notices.to
    if via and to:
        said = text.say(world.config.hub.language)
        intents.plan(
            tx,
            record_uid=f"notice:{id}",  # each is a letter of its own
            connection=via,
            native_kind="message",
            op="create",
            data={"to": list(to), "subject": said, "text": said},
            fields={},
            why={"*": "notice"},
            now=world.now(),
        )
    return True
