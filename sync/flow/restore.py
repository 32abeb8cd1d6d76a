"""A record that people decided to keep is made again where it was deleted: an ordinary create, found by its key if its answer
is lost, under a link of its own. The old link stays as it is, in case somebody takes its record out of the trash."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import SverkaError, Text
from sync.flow import dependencies, trouble
from sync.flow.look import takes_part
from sync.flow.plug import Cause, World
from sync.flow.spread import give, outgoing
from sync.flow.weave import typed
from sync.store.tables import link, record


def kept(world: World, tx: Connection, question: Any) -> tuple[list[int], dict[str, dict[str, str]]]:
    """Of the systems in which a record was deleted that is to be kept: the links that can be made again, and why it stays
    deleted in the others, {connection: {en, ru}}."""
    kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == question.record_uid)).scalar_one()
    back: list[int] = []
    stays: dict[str, dict[str, str]] = {}
    for one in _deleted(tx, question.record_uid):
        reason = _cannot(world, kind, one)
        if reason is None:
            back.append(one.id)
        else:
            stays[one.connection] = {"en": reason.en, "ru": reason.ru}
    return back, stays


def _deleted(tx: Connection, uid: str) -> list[Any]:
    mine = (link.c.record_uid == uid, link.c.state == "gone", link.c.deleted_at.is_not(None))
    return list(tx.execute(sa.select(link).where(*mine).order_by(link.c.id)))


def _cannot(world: World, kind: str, one: Any) -> Text | None:
    name, plug = one.connection, world.plugs.get(one.connection)
    if plug is None:
        return Text(
            f"{name} is not connected now: it stays deleted there.",
            f"Подключение {name} сейчас не работает: там запись останется удалённой.",
        )
    if not takes_part(world, name, kind):
        return Text(
            f"No [[flow]] of the kind {kind} names {name}: it stays deleted there.",
            f"Ни один [[flow]] вида {kind} не называет {name}: там запись останется удалённой.",
        )
    if one.native_kind not in plug.adapter.capabilities.creates:
        return Text(
            f"Records cannot be created in {name}: it stays deleted there, unless it is restored from its trash by hand.",
            f"Создавать записи в {name} нельзя: там она останется удалённой, пока её не восстановят из корзины вручную.",
        )
    return None


def make_again(world: World, tx: Connection, link_id: int, cause: Cause) -> int:
    """Plan the creation; 1 when it is a new one. Nothing where the record is there (again), or is to be deleted after all."""
    old = tx.execute(sa.select(link).where(link.c.id == link_id)).first()
    if old is None or old.deleted_at is None or old.connection not in world.plugs:
        return 0
    row = tx.execute(sa.select(record).where(record.c.uid == old.record_uid)).one()
    alive = (link.c.record_uid == old.record_uid, link.c.deleted_at.is_(None))
    links = list(tx.execute(sa.select(link).where(*alive).order_by(link.c.id)))
    place = (old.connection, old.native_kind)
    if row.data.get("archived") or any((one.connection, one.native_kind) == place for one in links):
        return 0
    target, data = world.plugs[old.connection], typed(row.kind, row.data)
    lens = target.mapping.lens(old.native_kind)
    try:
        native = outgoing(world, tx, row, data, target, lens, None, links)
        needs = dependencies.both_first(world, tx, row, target, lens, cause)
    except SverkaError as error:
        trouble.refuse(
            tx, *place, row.uid, error, world.now(), stage="delivery", record_uid=row.uid, inbox_id=cause.inbox_id
        )
        return 0
    return 1 if give(world, tx, row, target, old.native_kind, lens, native, data, None, False, needs, cause) else 0
