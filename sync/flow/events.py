"""The timeline: every contact event against its client, the task that a new lead gets, and which deal a lead became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow.plug import Cause, Plug, World
from sync.flow.weave import note, tell_again, weave
from sync.identity import Verdict, follow
from sync.identity.merging import cards_of, clients_of
from sync.store import new_uid
from sync.store.tables import activity, record, review, task
from sync.store.types import stamp

_ANSWERS = frozenset({"call", "email", "meeting", "message"})


def log(
    world: World,
    tx: Connection,
    plug: Plug,
    key: str,
    event: Mapping[str, Any],
    verdict: Verdict,
    cause: Cause,
    *,
    uid: str | None = None,
    deal: str | None = None,
    lead: str | None = None,
) -> tuple[str, bool]:
    """Put one event on the timeline: (its uid, True), or (uid, False) when it stands there already.

    `uid`: of an event whose own sender was asked about; one of a deal or lead belongs to the client of that.
    """
    known = find(world, tx, key)
    if known is not None:
        return known, False
    client, follows = verdict.client, uid is None
    uid = uid or new_uid()
    at: datetime = event.get("at") or world.now()
    thread = _thread(tx, event, key)
    deal = deal or _deal_of(world, tx, event, thread, client)
    place = {"connection": plug.name, "thread": thread, "inbox_id": cause.inbox_id, "created_at": world.now()}
    whose = {**_whose(verdict), "deal_uid": deal, "lead_uid": lead}
    tx.execute(activity.insert().values(uid=uid, key=key, at=at, **_said(event), **whose, **place))
    if client and follows:
        follow(tx, uid, verdict, plug.name, world.now(), at)
    if client and event.get("direction") == "out" and event.get("type") in _ANSWERS:
        tx.execute(
            task.update()
            .where(task.c.client_uid.in_(cards_of(tx, client)), task.c.done_at.is_(None), task.c.created_at <= at)
            .values(done_at=at)
        )
    return uid, True


def _said(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": event.get("type") or "note",
        "direction": event.get("direction") or "in",
        **{name: event.get(name) for name in ("duration", "subject", "text", "author")},
        "data": {k: event[k] for k in ("participants", "files") if event.get(k)} or None,
    }


def _whose(verdict: Verdict) -> dict[str, Any]:
    return {
        "client_uid": verdict.client,
        "person_uid": verdict.person,
        "label": verdict.ignored or None,
        "evidence": verdict.evidence(),
    }


def find(world: World, tx: Connection, key: str) -> str | None:
    """The uid of an event that stands on the timeline; its name is held until the transaction ends."""
    world.store.lock_key(tx, key)
    known = tx.execute(sa.select(activity.c.uid).where(activity.c.key == key)).scalar()
    return None if known is None else str(known)


def renew(tx: Connection, uid: str, event: Mapping[str, Any], verdict: Verdict) -> bool:
    """The same event with newer contents: a call has ended, its caller is known now. True when anything differs."""
    row = tx.execute(sa.select(activity).where(activity.c.uid == uid)).one()
    names = ("direction", "at", "duration", "subject", "text", "author")
    values = {n: event[n] for n in names if event.get(n) not in (None, "") and event[n] != getattr(row, n)}
    if verdict.client and row.client_uid is None:
        values |= {"client_uid": verdict.client, "person_uid": verdict.person, "label": None}
        values["evidence"] = verdict.evidence()
    if values:
        tx.execute(activity.update().where(activity.c.uid == uid).values(**values))
    return bool(values)


def event_key(plug: Plug, native_kind: str, external_id: str, event: Mapping[str, Any]) -> str:
    """The name of an event wherever it is seen: a letter's Message-ID is the same in every mailbox."""
    if event.get("type") == "email" and event.get("key"):
        return f"email:{event['key']}"
    return f"{plug.name}:{native_kind}:{event.get('key') or external_id}"


def _thread(tx: Connection, event: Mapping[str, Any], key: str) -> str:
    """The thread's name: that of the first known earlier event, else the oldest one referred to, else the event's own."""
    earlier = [f"email:{k}" for k in event.get("thread") or []]
    if earlier:
        rows = tx.execute(sa.select(activity.c.key, activity.c.thread).where(activity.c.key.in_(earlier)))
        known = {r.key: r.thread for r in rows}
        found = next((known[k] for k in earlier if known.get(k)), None)
        return found or earlier[0]
    return key


def _deal_of(world: World, tx: Connection, event: Mapping[str, Any], thread: str, client: str | None) -> str | None:
    """The deal that the event names, else that of its thread, else the only open one: of its own card, and only where that
    has none of another card of the client. See `part`."""
    cards = cards_of(tx, client) if client else []
    crossed = sa.and_(
        record.c.client_uid.in_(cards), activity.c.client_uid.in_(cards), record.c.client_uid != activity.c.client_uid
    )
    same = (
        sa.select(activity.c.deal_uid)
        .outerjoin(record, record.c.uid == activity.c.deal_uid)
        .where(activity.c.thread == thread, activity.c.deal_uid.is_not(None))
        .order_by(activity.c.created_at, activity.c.uid)
        .limit(1)
    )
    found = (
        _named(tx, event, [client] if client else [])
        or tx.execute(same.where(sa.not_(sa.func.coalesce(crossed, sa.false())))).scalar()
        or _only_open(world, tx, [client] if client else [])
    )
    if found is not None or len(cards) < 2 or _open(world, tx, [str(client)]):
        return found
    return _named(tx, event, cards) or tx.execute(same).scalar() or _only_open(world, tx, cards)


def _named(tx: Connection, event: Mapping[str, Any], cards: list[str]) -> str | None:
    """The deal with the number that the event says, of these cards (of anybody, where the sender is not known)."""
    if not event.get("deal"):
        return None
    query = sa.select(record.c.uid).where(record.c.kind == "deal", record.c.number == str(event["deal"]))
    found = tx.execute((query.where(record.c.client_uid.in_(cards)) if cards else query).limit(2)).scalars().all()
    return str(found[0]) if len(found) == 1 else None


def _open(world: World, tx: Connection, cards: list[str]) -> list[str]:
    """Two of the cards' open deals at most."""
    closed = [s.name for p in world.config.pipelines for s in p.stages if s.semantic != "open"]
    query = sa.select(record.c.uid).where(record.c.kind == "deal", record.c.stage.not_in(closed))
    return list(tx.execute(query.where(record.c.client_uid.in_(cards)).limit(2)).scalars())


def _only_open(world: World, tx: Connection, cards: list[str]) -> str | None:
    found = _open(world, tx, cards) if cards else []
    return found[0] if len(found) == 1 else None


def part(tx: Connection, cards: Sequence[str], since: datetime) -> None:
    """These cards are several clients again, having been one `since`. What rested on that is taken back: events lie on no deal
    of another client, and a task that only an answer to another client ended is open again."""
    clients = clients_of(tx, cards)
    mine = sa.select(activity.c.uid, activity.c.client_uid, record.c.client_uid.label("of")).join(
        record, record.c.uid == activity.c.deal_uid
    )
    crossed = (activity.c.client_uid.in_(cards), record.c.client_uid.in_(cards), activity.c.created_at >= since)
    for row in tx.execute(mine.where(*crossed)).all():
        if clients[row.client_uid] != clients[row.of]:
            tx.execute(activity.update().where(activity.c.uid == row.uid).values(deal_uid=None))
    answer = (activity.c.direction == "out", activity.c.type.in_(_ANSWERS), activity.c.client_uid.in_(cards))
    answers = tx.execute(sa.select(activity.c.at, activity.c.client_uid).where(*answer).order_by(activity.c.at)).all()
    for row in tx.execute(sa.select(task).where(task.c.client_uid.in_(cards), task.c.done_at.is_not(None))).all():
        own = [a.at for a in answers if clients[a.client_uid] == clients[row.client_uid] and a.at >= row.created_at]
        if row.done_at not in own and row.done_at in [a.at for a in answers]:
            tx.execute(task.update().where(task.c.uid == row.uid).values(done_at=own[0] if own else None))


def call_task(world: World, tx: Connection, lead_uid: str, client: str | None, since: datetime) -> None:
    """A new lead wants a call within the configured time; one task per lead, whatever is repeated."""
    minutes = max(1, world.config.hub.call_within // 60)
    known = sa.select(task.c.uid).where(task.c.subject_uid == lead_uid, task.c.type == "call")
    if tx.execute(known).first() is None:
        tx.execute(
            task.insert().values(
                uid=new_uid(),
                type="call",
                text=_call_within(minutes),
                subject_uid=lead_uid,
                client_uid=client,
                due_at=since + timedelta(seconds=world.config.hub.call_within),
                created_at=since,
            )
        )


def _call_within(minutes: int) -> dict[str, str]:
    one = minutes % 10 == 1 and minutes % 100 != 11
    return {
        "en": f"Call within {minutes} minute{'' if minutes == 1 else 's'}",
        "ru": f"Позвонить в течение {minutes} минут{'ы' if one else ''}",
    }


def convert_lead(world: World, tx: Connection, deal_uid: str, client: str, cause: Cause) -> None:
    """The client's only open lead of the last days became this deal; several make a question for a person."""
    since = stamp(world.now() - timedelta(seconds=world.config.hub.lead_window))
    leads = [
        r
        for r in tx.execute(
            sa.select(record.c.uid, record.c.title, record.c.data, record.c.created_at)
            .where(
                record.c.kind == "lead",
                record.c.client_uid == client,  # its own card's: other systems are told, and that is not taken back
                record.c.converted_deal.is_(None),
                record.c.stage.in_(("new", "in_work", "qualified")),
            )
            .order_by(record.c.created_at, record.c.uid)
        )
        if stamp(r.created_at) >= since
    ]
    if len(leads) == 1:
        convert(world, tx, leads[0].uid, deal_uid, cause, "hub")
    elif leads:
        tx.execute(
            review.insert().values(
                record_uid=deal_uid,
                reason={
                    "en": "Several open leads: which became this deal?",
                    "ru": "Несколько открытых лидов: какой стал сделкой?",
                },
                candidates=[{"uid": r.uid, "name": r.title} for r in leads],
                state="open",
                created_at=world.now(),
            )
        )


def convert(world: World, tx: Connection, lead_uid: str, deal_uid: str, cause: Cause, who: str) -> None:
    """The lead became this deal; the systems that hold the lead are told."""
    row = tx.execute(sa.select(record.c.data).where(record.c.uid == lead_uid)).one()
    now = world.now()
    changes = {"status": [row.data.get("status"), "converted"]}
    note(tx, lead_uid, "lead", "hub", "converted", changes, now, cause, who)
    tx.execute(
        record.update()
        .where(record.c.uid == lead_uid)
        .values(converted_deal=deal_uid, stage="converted", data={**row.data, "status": "converted"}, updated_at=now)
    )
    tell_again(tx, lead_uid, ["status"])
    weave(world, tx, lead_uid, cause)
