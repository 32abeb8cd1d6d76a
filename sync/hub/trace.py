"""«Где заказ 1043?»: every hop of a record with times and outcome and, where it stopped, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow import sides
from sync.hub import merges, telling
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.intake.pictures import PictureFolder
from sync.store.tables import (
    activity,
    conflict,
    document,
    inbox,
    intent,
    journal,
    link,
    merge,
    plan,
    price,
    quarantine,
    record,
    stock,
    task,
)
from sync.store.types import dumps

MOST_PICTURES = 6
CAUSES = {
    "both_moved": {"en": "both sides changed it", "ru": "изменили обе стороны"},
    "illegal_transition": {"en": "the step is not allowed by itself", "ru": "такой переход сам собой не разрешён"},
    "owners_differ": {
        "en": "several systems decide it, and they differ; [owners] can name one of them: connection:NAME",
        "ru": "решают несколько систем, и говорят они разное; назвать одну можно в [owners]: connection:ИМЯ",
    },
    "unknown_stage": {
        "en": "the pipeline has no such stage: [tables] in the mapping of that connection says which one the word means",
        "ru": "в воронке нет такого этапа: какой он, говорит [tables] в файле соответствий этого подключения",
    },
    "diverged": {"en": "both stand still and differ", "ru": "обе стороны не менялись, но различаются"},
    "deleted_edited": {"en": "deleted here, edited there", "ru": "в одной системе удалена, в другой изменена"},
    "needs_reason": {"en": "a lost deal needs a reason", "ru": "для проигранной сделки нужна причина"},
}
_STATES = {"planned": "wait", "sending": "wait", "offered": "wait", "refused": "stop", "unknown": "stop", "done": "ok"}


@dataclass(slots=True)
class Hop:
    """One step. state: ok, wait, stop. `step` names it in code; the texts are for people."""

    at: datetime
    # arrived, created, changed, written, offered, waits, refused, event, document, task, conflict, quarantined, merged, parted
    step: str
    state: str
    place: str  # a connection, or "hub"
    text: dict[str, str]
    reason: dict[str, str] | None = None
    remedy: dict[str, str] | None = None
    ref: int | None = None  # of the quarantine or conflict row, for the button that mends it


@dataclass(slots=True)
class Trace:
    uid: str
    kind: str
    number: str | None
    title: str | None
    stage: str | None
    responsible: str | None
    client: dict[str, Any] | None
    amount: Any
    paid: Any
    shipped: Any
    currency: str | None
    links: list[dict[str, Any]] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    goods: list[dict[str, Any]] = field(default_factory=list)  # prices and stock of a product
    pictures: list[str] = field(default_factory=list)  # of a product: files of `intake.pictures`


def trace(hub: Hub, query: str, limit: int = 10) -> list[Trace]:
    """Records found by order number, our number elsewhere, a number in accounting, phone, e-mail, INN, article or a
    client's name; deals first."""
    with hub.store.read() as tx:
        return [_trace(hub, tx, uid) for uid in _find(hub, tx, query.strip(), limit)]


def _find(hub: Hub, tx: Connection, query: str, limit: int) -> list[str]:
    """uids, best first: what carries the number, then the deals of the client that is meant, then the client."""
    if not query:
        return []
    found: list[str] = []

    def add(statement: sa.Select[Any]) -> None:
        found.extend(r[0] for r in tx.execute(statement.limit(limit)) if r[0] not in found)

    add(sa.select(record.c.uid).where(record.c.uid == query))
    add(sa.select(record.c.uid).where(record.c.number == query, record.c.kind.in_(("deal", "product", "company"))))
    add(sa.select(link.c.record_uid).where(sa.or_(link.c.number == query, link.c.external_id == query)))
    add(sa.select(document.c.deal_uid).where(document.c.number == query))
    today = merging.clients_of(tx, found)
    found[:] = dict.fromkeys(today[uid] for uid in found)  # a card that was merged is shown as its client
    clients = merges.clients_by(hub, tx, query, limit)
    if clients:
        cards = [card for client in clients for card in merging.cards_of(tx, client)]
        add(
            sa.select(record.c.uid)
            .where(record.c.client_uid.in_(cards))
            .order_by(record.c.kind, record.c.created_at.desc())
        )
        found.extend(c for c in clients if c not in found)
    known = {r.uid for r in tx.execute(sa.select(record.c.uid).where(record.c.uid.in_(found)))}
    return [f for f in found if f in known][:limit]


def _trace(hub: Hub, tx: Connection, uid: str) -> Trace:
    row = tx.execute(sa.select(record).where(record.c.uid == uid)).one()
    client = None
    if row.client_uid:
        leading, data = merging.client_of(tx, row.client_uid), merging.golden_of(tx, row.client_uid)
        title = tx.execute(sa.select(record.c.title).where(record.c.uid == leading)).scalar()
        client = {
            "uid": leading,
            "name": title or data.get("name"),
            **{k: data.get(k) for k in ("phones", "emails", "inn")},
        }
    cards = merging.cards_of(tx, uid) if row.kind in merging.KINDS else [uid]
    found = Trace(
        uid,
        row.kind,
        row.number,
        row.title,
        row.stage,
        row.data.get("responsible"),
        client,
        row.amount,
        row.paid,
        row.shipped,
        row.currency,
    )
    found.links = [
        {"connection": r.connection, "kind": r.native_kind, "id": r.external_id, "number": r.number, "state": r.state}
        for r in tx.execute(sa.select(link).where(link.c.record_uid.in_(cards)).order_by(link.c.id))
    ]
    stages = {s.name: s.title for p in hub.config.pipelines for s in p.stages}
    for card in cards:
        for part in (_arrivals, _intents, _events, _conflicts, _quarantine, _tasks):
            found.hops += part(tx, card)
        found.hops += _journal(tx, card, stages)
    if row.kind in merging.KINDS:
        found.hops += _merges(tx, cards)
    found.hops.sort(key=lambda h: h.at)
    if row.kind == "product":
        found.goods = _goods(tx, uid)
        found.pictures = _pictures(hub, found, row.data.get("images") or [])
    return found


def _arrivals(tx: Connection, uid: str) -> list[Hop]:
    """The arrivals that this record came from, repeats included."""
    sources = sa.union(
        sa.select(journal.c.inbox_id).where(journal.c.record_uid == uid, journal.c.inbox_id.is_not(None)),
        sa.select(activity.c.inbox_id).where(sa.or_(activity.c.deal_uid == uid, activity.c.lead_uid == uid)),
    ).subquery()
    ids = sa.select(sources.c.inbox_id)
    rows = tx.execute(sa.select(inbox).where(sa.or_(inbox.c.id.in_(ids), inbox.c.duplicate_of.in_(ids))))
    hops = []
    for r in rows:
        repeat = r.duplicate_of is not None
        text = telling.arrival(r.via, r.name, repeat)
        hops.append(Hop(r.received_at, "repeat" if repeat else "arrived", "ok", r.connection, text))
    return hops


def _journal(tx: Connection, uid: str, stages: dict[str, str]) -> list[Hop]:
    """What changed, and what a system showed that the record did not take: the rest of that is told by the change itself."""
    hops = []
    rows = tx.execute(sa.select(journal).where(journal.c.record_uid == uid).order_by(journal.c.id)).all()
    for r in rows:
        changes = r.changes if sides.of_record(r) or r.why not in sides.OF_SIDES else _untold(r, rows)
        step = "written" if r.why.startswith("wrote") else r.why.partition(":")[0]
        if (changes or sides.of_record(r)) and "merged_into" not in changes:  # merges speak for themselves
            hops.append(Hop(r.at, step, "ok", r.connection, telling.change(r.why, r.who, changes, stages)))
    return hops


def _untold(row: Any, rows: Sequence[Any]) -> dict[str, Any]:
    """Of what a link showed: values that no change of the record by the same arrival says, and that a new record there has
    not merely kept from us or filled in by itself."""
    if any(r.link_id == row.link_id and r.why == "wrote:created" and r.run_id == row.run_id for r in rows):
        return {}
    here = (row.run_id, row.inbox_id, row.connection)
    told = {
        (name, dumps(values[1]))
        for r in rows
        if sides.of_record(r) and (r.run_id, r.inbox_id, r.connection) == here and r.why != "created"
        for name, values in r.changes.items()
        if isinstance(values, list) and len(values) == 2
    }
    return {n: v for n, v in row.changes.items() if len(v) == 2 and (n, dumps(v[1])) not in told}


def _intents(tx: Connection, uid: str) -> list[Hop]:
    """Writes that are not done: what waits (for a person's yes, too), and what was refused and why."""
    hops = []
    query = (
        sa.select(intent, plan.c.id.label("asks"))
        .outerjoin(plan, sa.and_(plan.c.id == intent.c.plan_id, plan.c.state == "waiting"))
        .where(intent.c.record_uid == uid, intent.c.state.not_in(("done", "dropped")))
    )
    for r in tx.execute(query):
        offered, deleted = r.op == "offer", r.op == "delete"
        text = {
            "en": {
                "planned": "waits to be fetched" if offered else f"waits to be {'deleted' if deleted else 'written'}",
                "offered": "fetched, not confirmed yet",
                "sending": "sent, the answer is not known yet",
                "refused": "refused there",
                "unknown": "outcome unknown",
            }[r.state],
            "ru": {
                "planned": "ждёт, когда заберут" if offered else f"ждёт {'удаления' if deleted else 'записи'}",
                "offered": "забрано, ещё не подтверждено",
                "sending": "отправлено, ответ ещё неизвестен",
                "refused": "там отказано",
                "unknown": "исход неизвестен",
            }[r.state],
        }
        error = r.error or {}
        reason = {"en": error["en"], "ru": error["ru"]} if error else None
        remedy = error.get("remedy")
        if r.asks is not None and r.state == "planned":
            reason = {"en": f"waits for approval, plan {r.asks}", "ru": f"ждёт подтверждения, план {r.asks}"}
            remedy = {
                "en": f"Look: sverka plans {r.asks}; let it go: sverka approve {r.asks}",
                "ru": f"Посмотреть: sverka plans {r.asks}; подтвердить: sverka approve {r.asks}",
            }
        hops.append(Hop(r.created_at, "waits", _STATES[r.state], r.connection, text, reason, remedy))
    return hops


def _merges(tx: Connection, cards: Sequence[str]) -> list[Hop]:
    """Which cards became one client here, or went into another one, and what of that was taken back."""
    near = sa.or_(merge.c.kept.in_(cards), merge.c.gone.in_(cards))
    rows = tx.execute(sa.select(merge).where(near).order_by(merge.c.at)).all()
    ends = {end for r in rows for end in (r.kept, r.gone)}
    names = {
        r.uid: r.title or r.uid
        for r in tx.execute(sa.select(record.c.uid, record.c.title).where(record.c.uid.in_(ends)))
    }
    hops = []
    for r in rows:
        here = r.kept in cards
        text = telling.merged(names.get(r.gone if here else r.kept, "?"), r.who, r.why, here=here)
        hops.append(Hop(r.at, "merged", "ok", "hub", text))
        if r.state == "undone":
            text = telling.parted(names.get(r.gone if here else r.kept, "?"), r.undone_by)
            hops.append(Hop(r.undone_at, "parted", "ok", "hub", text))
    return hops


def _events(tx: Connection, uid: str) -> list[Hop]:
    query = sa.select(activity).where(
        sa.or_(activity.c.deal_uid == uid, activity.c.lead_uid == uid, activity.c.client_uid == uid)
    )
    hops = []
    for r in tx.execute(query):
        text = telling.event(r.type, r.direction, r.subject, r.evidence)
        hops.append(Hop(r.at, "event", "ok", r.connection, text))
    return hops


def _conflicts(tx: Connection, uid: str) -> list[Hop]:
    hops = []
    for r in tx.execute(sa.select(conflict).where(conflict.c.record_uid == uid, conflict.c.state == "open")):
        sides = ", ".join(f"{k}: {v}"[:80] for k, v in r.sides.items())
        text = {"en": f"conflict in {r.field}: {sides}", "ru": f"расхождение в поле {r.field}: {sides}"}
        remedy = {"en": "Decide it: sverka conflicts", "ru": "Решите его: sverka conflicts"}
        hops.append(Hop(r.since, "conflict", "stop", "hub", text, CAUSES.get(r.cause), remedy, r.id))
    return hops


def _quarantine(tx: Connection, uid: str) -> list[Hop]:
    hops = []
    query = sa.select(quarantine, quarantine.c.count.label("times")).where(
        quarantine.c.record_uid == uid, quarantine.c.state != "closed"
    )
    for r in tx.execute(query):
        text = {"en": f"quarantined ({r.code}, {r.times}×)", "ru": f"в карантине ({r.code}, {r.times}×)"}
        hops.append(Hop(r.last_at, "quarantined", "stop", r.connection, text, r.text, r.remedy, r.id))
    return hops


def _tasks(tx: Connection, uid: str) -> list[Hop]:
    hops = []
    for r in tx.execute(sa.select(task).where(task.c.subject_uid == uid)):
        done = (
            {"en": f" (done {r.done_at:%Y-%m-%d %H:%M})", "ru": f" (сделано {r.done_at:%Y-%m-%d %H:%M})"}
            if r.done_at
            else None
        )
        text = {k: r.text[k] + (done[k] if done else "") for k in ("en", "ru")}
        hops.append(Hop(r.created_at, "task", "ok" if r.done_at else "wait", "hub", text))
    return hops


def _pictures(hub: Hub, product: Trace, names: Iterable[str]) -> list[str]:
    """The first few of a product's pictures that are kept here, by whichever of its systems brought them."""
    folders = [
        PictureFolder(hub.config.hub.pictures, one) for one in dict.fromkeys(k["connection"] for k in product.links)
    ]
    found = (folder.file(str(name)) for name in islice(names, MOST_PICTURES) for folder in folders)
    return list(dict.fromkeys(file for file in found if file))


def _goods(tx: Connection, uid: str) -> list[dict[str, Any]]:
    names: dict[tuple[str, str], str] = {
        (r.connection, r.external_id): r.title or r.external_id
        for r in tx.execute(
            sa.select(link.c.connection, link.c.external_id, record.c.title)
            .join(record, record.c.uid == link.c.record_uid)
            .where(record.c.kind.in_(("price_type", "warehouse")))
        )
    }
    prices = [
        {
            "what": "price",
            "name": names.get((r.connection, r.price_type), r.price_type),
            "value": r.value,
            "currency": r.currency,
            "connection": r.connection,
            "at": r.updated_at,
        }
        for r in tx.execute(sa.select(price).where(price.c.product_uid == uid))
    ]
    stocks = [
        {
            "what": "stock",
            "name": names.get((r.connection, r.warehouse), r.warehouse),
            "value": r.qty,
            "currency": None,
            "connection": r.connection,
            "at": r.updated_at,
        }
        for r in tx.execute(sa.select(stock).where(stock.c.product_uid == uid))
    ]
    return prices + stocks
