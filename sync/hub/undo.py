"""Taking a run back: what it changed is set to what stood before, by ordinary writes, wherever nothing has moved since.

A run's changes are its rows of the journal: of records (what it changed here) and of links (what it wrote elsewhere). Undo is
a person's act. Per record it happens wholly or not at all: a creation, a value that has moved since, a system that decides
about the field and shows another value, or one that cannot be written are reasons against it, each named with the value that
stands there now and by whom. The undo is a run itself: it can be undone again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.delivery.intents import IN_FLIGHT
from sync.errors import NeedHuman, Text
from sync.flow import removal, sides
from sync.flow.look import look, side_names
from sync.flow.plug import Cause
from sync.flow.sides import MISSING, canonical
from sync.flow.translate import columns
from sync.flow.weave import note, tell_again, typed, weave
from sync.hub import merges
from sync.hub.runs import running
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import Side, policy_for
from sync.store.tables import intent, journal, link, record
from sync.store.tables import merge as merge_rows
from sync.store.tables import run as runs

MOST = 1000  # records that are listed; all of them are counted
MERGED = "merged_into"
NOT_FIELDS = frozenset({"documents", "archived"})


@dataclass(slots=True)
class Item:
    """One record of the run. `fields`: {name: (now, afterwards)}; `written`: {name: connections that will be written}."""

    uid: str
    kind: str = ""
    number: str | None = None
    title: str | None = None
    state: str = "ready"  # ready, done, refused, nothing
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    refused: list[dict[str, str]] = field(default_factory=list)  # {en, ru}

    def refuse(self, en: str, ru: str) -> None:
        self.refused.append({"en": en, "ru": ru})


@dataclass(slots=True)
class Undo:
    run: int
    work: str
    records: list[Item] = field(default_factory=list)  # the first of those of which anything is left to say
    ready: int = 0  # records that would be taken back
    done: int = 0
    refused: int = 0
    nothing: int = 0  # records that stand as before the run already
    undo_run: int | None = None  # the run in which it was done

    def add(self, item: Item) -> None:
        setattr(self, item.state, getattr(self, item.state) + 1)
        if item.state != "nothing" and len(self.records) < MOST:
            self.records.append(item)


def plan(hub: Hub, run_id: int) -> Undo:
    """What `apply` would do now. Changes nothing. NeedHuman for a run that is not known or still at work."""
    found = _begin(hub, run_id)
    for uid in _uids(hub, run_id):
        with hub.store.read() as tx:
            found.add(_look(hub, tx, run_id, uid))
    return found


def apply(hub: Hub, run_id: int, who: str) -> Undo:
    """Take the run back, record by record; each in a transaction of its own, so that a kill leaves whole records. What is
    planned for other systems goes out with the next work. Where nothing can be done no run is made."""
    planned = plan(hub, run_id)
    if not planned.ready:
        return planned
    found, wake = Undo(run_id, planned.work), set[str]()
    with running(hub.world, "hub", f"undo {run_id}") as done:
        found.undo_run = done.id
        for uid in _uids(hub, run_id):
            item = _one(hub, run_id, uid, Cause(done.id), who)
            found.add(item)
            done.counts.add({"done": "changed", "refused": "failed", "nothing": "same"}[item.state])
            if item.state == "done":
                wake |= {name for names in item.written.values() for name in names}
    for connection in sorted(wake):  # its writes go out when it has ended
        hub.wake(connection)
    return found


def _begin(hub: Hub, run_id: int) -> Undo:
    with hub.store.read() as tx:
        row = tx.execute(sa.select(runs).where(runs.c.id == run_id)).first()
        last = tx.execute(sa.select(sa.func.max(runs.c.id))).scalar()
    if row is None:
        raise NeedHuman(
            Text(
                f"There is no run {run_id}; the newest is {last or '-'} (`sverka status` lists them).",
                f"Работы {run_id} нет; последняя — {last or '-'} (список: `sverka status`).",
            ),
            code="undo.unknown",
        )
    if row.outcome == "running":
        raise NeedHuman(
            Text(
                f"Run {run_id} ({row.connection}: {row.work}) is still at work: undo it when it has ended.",
                f"Работа {run_id} ({row.connection}: {row.work}) ещё идёт: отмените её, когда она закончится.",
            ),
            code="undo.running",
        )
    return Undo(run_id, f"{row.connection}: {row.work}")


def _uids(hub: Hub, run_id: int) -> list[str]:
    """The records that the run touched, those changed last first: what was built on another is taken back before it."""
    query = (
        sa.select(journal.c.record_uid)
        .where(journal.c.run_id == run_id)
        .group_by(journal.c.record_uid)
        .order_by(sa.func.max(journal.c.id).desc())
    )
    with hub.store.read() as tx:
        return list(tx.execute(query).scalars())


def _one(hub: Hub, run_id: int, uid: str, cause: Cause, who: str) -> Item:
    """One record: looked at with the record held, set back, and what follows from that is planned."""
    with hub.store.begin() as tx:
        hub.store.lock_record(tx, uid)
        item = _look(hub, tx, run_id, uid)
        if item.state != "ready":
            return item
        row = tx.execute(sa.select(record).where(record.c.uid == uid)).one()
        back = {name: value for name, (_, value) in item.fields.items() if name != MERGED}
        if MERGED in item.fields:
            _merge_back(hub, tx, run_id, uid, who, cause)
        item.state = "done"
        if not back:
            return item
        data = {**row.data, **back}
        now, why = hub.now(), f"undo:{run_id}"
        changed = {name: [row.data.get(name), value] for name, value in back.items()}
        tx.execute(
            record.update().where(record.c.uid == uid).values(data=data, updated_at=now, **columns(row.kind, data))
        )
        note(tx, uid, row.kind, "hub", why, changed, now, cause, who)
        tell_again(tx, uid, list(back))
        weave(hub.world, tx, uid, cause)
        _reason(tx, uid, set(back), why)
    return item


def _merge_back(hub: Hub, tx: Connection, run_id: int, uid: str, who: str, cause: Cause) -> None:
    """What the run did to whose card this is: a merge is parted, one that was parted is made again."""
    row = _merge_of(tx, run_id, uid)
    if row.state == "stands":
        merges.part(hub, tx, row.id, who, cause)
        return
    now, why = hub.now(), Text(row.why["en"], row.why["ru"])
    mixed = True  # it stood before
    made = merging.merge(hub.store, tx, row.kept, uid, rule=row.rule, why=why, who=who, now=now, mixed=mixed)
    merges.follow(hub, tx, made, who, cause, now)


def _merge_of(tx: Connection, run_id: int, uid: str) -> Any:
    """The merge by which this card went into another one in the run, or came out again; None where neither did or where that
    is not so any more."""
    told = sa.select(journal.c.at, journal.c.changes).where(journal.c.run_id == run_id, journal.c.record_uid == uid)
    times = [row.at for row in tx.execute(told) if MERGED in row.changes]
    made = sa.and_(merge_rows.c.state == "stands", merge_rows.c.at.in_(times))
    parted = sa.and_(merge_rows.c.state == "undone", merge_rows.c.undone_at.in_(times))
    row = tx.execute(sa.select(merge_rows).where(merge_rows.c.gone == uid, sa.or_(made, parted))).first()
    if row is not None and row.state == "undone" and merging.merge_of(tx, uid) is not None:
        return None
    return row


def _reason(tx: Connection, uid: str, names: set[str], why: str) -> None:
    """The writes that follow carry the reason into the journal."""
    planned = sa.select(intent).where(intent.c.record_uid == uid, intent.c.state == "planned")
    for row in tx.execute(planned).all():
        told = {**row.why, **{name: why for name in names if name in row.fields}}
        if told != row.why:
            first = {name: told[name] for name in sorted(told, key=lambda n: n not in names)}
            tx.execute(intent.update().where(intent.c.id == row.id).values(why=first))


def _look(hub: Hub, tx: Connection, run_id: int, uid: str) -> Item:
    """One record as it would be taken back now."""
    item = Item(uid)
    row = tx.execute(sa.select(record).where(record.c.uid == uid)).first()
    notes = tx.execute(sa.select(journal).where(journal.c.record_uid == uid).order_by(journal.c.id)).all()
    mine = [n for n in notes if n.run_id == run_id]
    if row is None:
        item.refuse("The record is not there any more.", "Записи больше нет.")
        item.state = "refused"
        return item
    item.kind, item.number, item.title = row.kind, row.number, row.title
    wanted = _wanted(item, row, mine)
    if (merge := _merge_of(tx, run_id, uid)) is not None:
        now = merge.kept if merge.state == "stands" else None
        item.fields[MERGED] = (now, None if now else merge.kept)
    if row.merged_into is not None and wanted:
        item.refuse("It has been merged into another client since.", "С тех пор объединена с другим клиентом.")
    data = typed(row.kind, row.data)
    links = tx.execute(
        sa.select(link).where(link.c.record_uid == uid, link.c.state == "linked").order_by(link.c.id)
    ).all()
    names, pipeline = side_names(links), hub.config.pipeline(data.get("pipeline"))
    looks = [look(hub.world, tx, row.kind, data, one, names[one.id], {}, pipeline) for one in links]
    shown = [found.side for found in looks if found is not None]
    busy = _busy(tx, uid)
    for name, (before, after) in wanted.items():
        now = data.get(name, MISSING)
        if _alike(name, now, before):
            continue
        if not _alike(name, now, after):
            moved = _last_word(notes, mine, name)
            item.refuse(
                f"{name}: moved since, it is {_say(now)} now (by {moved}); the run left {_say(after)}.",
                f"{name}: с тех пор изменилось, теперь {_say(now)} (изменил: {moved}); после той работы было {_say(after)}.",
            )
            continue
        item.fields[name] = (None if now is MISSING else now, before)
        _field(hub, item, row, name, now, before, shown, busy)
    item.state = "refused" if item.refused else "ready" if item.fields else "nothing"
    return item


def _wanted(item: Item, row: Any, mine: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
    """{field: (before the run, after it)} from the run's rows. What is no field of the record, and every creation, is a
    reason against it: what was created is not deleted, what was deleted is not made anew, and a record that came is not sent
    back."""
    wanted: dict[str, tuple[Any, Any]] = {}
    fields = KINDS[row.kind].model_fields
    for one in mine:
        if one.why == "created":
            item.refuse(
                f"It was made by this run from {one.connection}: delete it there, if it must go.",
                f"Создана этой работой по данным {one.connection}: если она лишняя, удалите её там.",
            )
        elif one.why == "wrote:created":
            item.refuse(
                f"It was created in {one.connection} by this run, and nothing can be deleted there from here: delete it "
                "there by hand.",
                f"Этой работой создана в {one.connection}, а удалять там отсюда нельзя: удалите её там вручную.",
            )
        elif one.why == f"wrote:{removal.WHY}":
            item.refuse(
                f"It was deleted in {one.connection} by this run: restore it there from the trash; the hub takes it up again.",
                f"Этой работой удалена в {one.connection}: восстановите её там из корзины, дальше хаб подхватит её сам.",
            )
        elif one.why == "offered":
            item.refuse(
                f"{one.connection} has fetched it: take it back there by hand.",
                f"{one.connection} уже забрала её: отмените там вручную.",
            )
        elif sides.of_record(one) or one.why.startswith("wrote:"):
            for name, values in one.changes.items():
                if name == MERGED:  # a link between cards, no value
                    continue
                if name not in fields or name in NOT_FIELDS:
                    item.refuse(
                        f"{name}: this is what {one.connection} reports; it can only be changed there.",
                        f"{name}: это сообщает {one.connection}; изменить можно только там.",
                    )
                    continue
                before, after = (canonical(row.kind, name, v) for v in values)
                if one.why.startswith("wrote:") and name in wanted:
                    continue  # the run changed the record and wrote that
                wanted[name] = (wanted[name][0] if name in wanted else before, after)
    return {name: pair for name, pair in wanted.items() if not _alike(name, *pair)}


def _alike(name: str, a: Any, b: Any) -> bool:
    """None before a change stands for "not known" as well."""
    return same(name, None if a is MISSING else a, None if b is MISSING else b)


def _busy(tx: Connection, uid: str) -> dict[str, set[str]]:
    """Fields on their way: {connection: names}."""
    rows = tx.execute(
        sa.select(intent.c.connection, intent.c.fields).where(intent.c.record_uid == uid, intent.c.state.in_(IN_FLIGHT))
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.connection, set()).update(row.fields)
    return found


def _field(
    hub: Hub,
    item: Item,
    row: Any,
    name: str,
    now: Any,
    before: Any,
    all_sides: Sequence[Side],
    busy: Mapping[str, set[str]],
) -> None:
    """Whether one field can go back in every system that shows it, and which of them will be written."""
    for connection, names in busy.items():
        if name in names:
            item.refuse(
                f"{name}: a write to {connection} is under way, its outcome is not known yet; try again later.",
                f"{name}: идёт запись в {connection}, её исход ещё неизвестен; повторите позже.",
            )
    owner = policy_for(row.kind, name, hub.config.owners).owner
    for side in all_sides:
        if name not in side.seen or _alike(name, side.seen[name], before):
            continue
        where, shown = side.name.partition("/")[0], _say(side.seen[name])
        if owner and side.answers_to(owner):
            item.refuse(
                f"{name}: {where} decides about it and shows {shown}: change it there.",
                f"{name}: это решает {where}, и там сейчас {shown}: измените там.",
            )
        elif name in side.base and not same(name, side.seen[name], side.base[name]):
            item.refuse(
                f"{name}: moved since in {where}, it shows {shown} now.",
                f"{name}: с тех пор изменилось в {where}, там теперь {shown}.",
            )
        elif not side.lacks(name, before):
            if not _alike(name, side.seen[name], now):
                continue  # it has kept a word of its own all along
            item.refuse(
                f"{name}: {where} shows {shown} and cannot be written from here: change it there.",
                f"{name}: в {where} сейчас {shown}, а записать туда отсюда нельзя: измените там.",
            )
        else:
            item.written.setdefault(name, []).append(where)


def _last_word(notes: Sequence[Any], mine: Sequence[Any], name: str) -> str:
    """Who changed the field after the run."""
    last = max(n.id for n in mine)
    for one in reversed(notes):
        if one.id > last and sides.of_record(one) and name in one.changes:
            return f"{one.who}, {one.at.isoformat(timespec='minutes')}"
    return "?"


def _say(value: Any) -> str:
    if value is MISSING or value in (None, "", [], {}):
        return "«»"
    return f"[{len(value)}]" if isinstance(value, list | dict) else f"«{str(value)[:60]}»"
