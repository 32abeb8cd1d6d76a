"""What people look at: connections and their health, last runs, queues, clients. Plain data for pages, API and commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.config import Connection as Connected
from sync.flow import deletes
from sync.flow.exchange import waiting
from sync.hub import approvals, merges, reviewing
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.store.tables import activity, conflict, cursor, inbox, link, notice, quarantine, record, review, task
from sync.store.tables import run as runs


def connections(hub: Hub) -> list[dict[str, Any]]:
    """Every connection: adapter's title, role, state (green, yellow, red, grey), reason, last success, what waits.

    Red: its last work failed. Yellow: something of it waits for a person (a record, or a plan). Grey: it has not worked yet.
    """
    waits = {p["connection"]: p for p in reversed(approvals.waiting(hub))}
    return [_health(hub, connection, waits.get(name)) for name, connection in hub.config.connections.items()]


def _health(hub: Hub, connection: Connected, asks: dict[str, Any] | None) -> dict[str, Any]:
    """`asks`: the plan that waits for approval there."""
    name, plug = connection.name, hub.plugs.get(connection.name)
    with hub.store.read() as tx:
        failed = _failed(tx, name)
        success = tx.execute(
            sa.select(sa.func.max(runs.c.ended_at)).where(
                runs.c.connection == name, runs.c.outcome.in_(("ok", "idle", "partial", "waiting"))
            )
        ).scalar()
        arrived = tx.execute(sa.select(sa.func.max(inbox.c.received_at)).where(inbox.c.connection == name)).scalar()
        stuck = tx.execute(
            sa.select(sa.func.count())
            .select_from(quarantine)
            .where(quarantine.c.connection == name, quarantine.c.state != "closed")
        ).scalar_one()
    error = hub.broken.get(name)
    reason = {"en": error.text.en, "ru": error.text.ru} if error else failed[0].error if failed else None
    state = "red" if reason else "yellow" if stuck or asks else "green" if success or arrived else "grey"
    return {
        "name": name,
        "adapter": connection.adapter,
        "title": _title(plug),
        "role": plug.role if plug else connection.role,
        "state": state if connection.enabled else "off",
        "reason": reason,
        "last_success": success,
        "last_arrival": arrived,
        "every": connection.every,
        "quarantined": stuck,
        "plan": asks and asks["id"],
        "plan_counts": asks["counts"] if asks else {},
        "waiting": waiting(hub.world, name),
    }


def _failed(tx: Connection, connection: str) -> Sequence[Any]:
    """Of each kind of work the last run that has ended, where that one failed."""
    last = (
        sa.select(sa.func.max(runs.c.id))
        .where(runs.c.connection == connection, runs.c.outcome != "running")
        .group_by(runs.c.work)
    )
    return tx.execute(sa.select(runs).where(runs.c.id.in_(last), runs.c.outcome == "failed")).all()


def plain(row: Any) -> dict[str, Any]:
    """A row with ordinary texts as keys (the database library's own kind cannot be written as JSON)."""
    return {str.__str__(name): value for name, value in row._mapping.items()}


def _title(plug: Any) -> dict[str, str] | None:
    return {"en": plug.adapter.title.en, "ru": plug.adapter.title.ru} if plug else None


def last_runs(hub: Hub, connection: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """The newest runs with their counts; idle ones of one work in a row are shown as the newest of them."""
    query = sa.select(runs).order_by(runs.c.id.desc()).limit(limit * 20)
    if connection:
        query = query.where(runs.c.connection == connection)
    with hub.store.read() as tx:
        rows = [plain(r) for r in tx.execute(query)]
    shown: list[dict[str, Any]] = []
    idle: set[tuple[str, str]] = set()
    for row in rows:
        place = (row["connection"], row["work"])
        if row["outcome"] == "idle" and place in idle:
            continue
        if row["outcome"] == "idle":
            idle.add(place)
        shown.append(row)
    return shown[:limit]


def quarantined(
    hub: Hub, *, code: str | None = None, connection: str | None = None, stage: str | None = None
) -> list[dict[str, Any]]:
    """What waits for a person, newest first: cause, text, remedy, how often, since when; all of it or some."""
    only = {"code": code, "connection": connection, "stage": stage}
    query = (
        sa.select(quarantine, record.c.number, record.c.title)
        .outerjoin(record, record.c.uid == quarantine.c.record_uid)
        .where(quarantine.c.state != "closed", *(quarantine.c[n] == wanted for n, wanted in only.items() if wanted))
        .order_by(quarantine.c.last_at.desc())
    )
    with hub.store.read() as tx:
        return [_without(plain(r), "data", "raw") for r in tx.execute(query.limit(500))]


def conflicts(hub: Hub) -> list[dict[str, Any]]:
    """Open conflicts with every side's value, the record's own (`held`), what had been agreed (`base`), since when, who
    brought it about, and the record's number and title.
    `overtaken`: the decision before it, {who, value, at, text}, where that was dropped because the values had moved."""
    query = (
        sa.select(conflict, record.c.number, record.c.title, record.c.kind, record.c.data)
        .join(record, record.c.uid == conflict.c.record_uid)
        .where(conflict.c.state == "open")
        .order_by(conflict.c.id)
    )
    with hub.store.read() as tx:
        found = [_without(plain(r), "data") | {"held": deletes.held(r, r.data)} for r in tx.execute(query)]
        before = _overtaken(tx, {row["record_uid"] for row in found})
    return [{**row, "overtaken": before.get((row["record_uid"], row["field"]))} for row in found]


def _overtaken(tx: Connection, uids: set[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Of each record and field the newest decision, where it says of itself that it was dropped."""
    decided = sa.select(conflict).where(conflict.c.record_uid.in_(uids), conflict.c.state == "decided")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in tx.execute(decided.order_by(conflict.c.id)):
        found.pop((row.record_uid, row.field), None)
        if dropped := row.decision.get("dropped"):
            said = {"who": row.decision.get("who"), "value": row.decision.get("value")}
            found[row.record_uid, row.field] = {**said, "at": row.closed_at, "text": dropped}
    return found


def reviews(hub: Hub) -> list[dict[str, Any]]:
    """Open questions about clients, with their candidates and the latest events that wait on the holding card."""
    return reviewing.questions(hub)


def notices(hub: Hub, limit: int = 20) -> list[dict[str, Any]]:
    with hub.store.read() as tx:
        return [plain(r) for r in tx.execute(sa.select(notice).order_by(notice.c.id.desc()).limit(limit))]


def tasks(hub: Hub) -> list[dict[str, Any]]:
    """Open tasks with whose they are and whether they are overdue now."""
    client = record.alias("client")
    query = (
        sa.select(task, record.c.title, client.c.title.label("client"))
        .join(record, record.c.uid == task.c.subject_uid)
        .outerjoin(client, client.c.uid == task.c.client_uid)
        .where(task.c.done_at.is_(None))
        .order_by(task.c.due_at)
    )
    now = hub.now()
    with hub.store.read() as tx:
        return [{**plain(r), "overdue": r.due_at < now} for r in tx.execute(query)]


def client(hub: Hub, uid: str) -> dict[str, Any] | None:
    """A client with their data, deals, leads, open tasks and the whole timeline, oldest first; None when unknown.

    Cards that were merged are one client, under the leading card: `cards` are all of them, `merged` says which came when and
    by whom, `asked` is the uid that was asked for. `question`: the open one, of a holding card. `person` of an event: who of
    a company it was.
    """
    with hub.store.read() as tx:
        cards = merging.cards_of(tx, uid)
        rows = {r.uid: r for r in tx.execute(sa.select(record).where(record.c.uid.in_(cards)))}
        if uid not in rows or rows[uid].kind not in merging.KINDS:
            return None
        own = tx.execute(sa.select(record).where(record.c.client_uid.in_(cards)).order_by(record.c.created_at)).all()
        person = record.alias("person")
        events = tx.execute(
            sa.select(activity, record.c.number.label("deal_number"), person.c.title.label("person"))
            .outerjoin(record, record.c.uid == activity.c.deal_uid)
            .outerjoin(person, person.c.uid == activity.c.person_uid)
            .where(sa.or_(activity.c.client_uid.in_(cards), activity.c.person_uid.in_(cards)))
            .order_by(activity.c.at, activity.c.uid)
        ).all()
        todo = tx.execute(sa.select(task).where(task.c.client_uid.in_(cards)).order_by(task.c.due_at)).all()
        asked = sa.select(review.c.id).where(review.c.record_uid == cards[0], review.c.state == "open")
        question = tx.execute(asked.limit(1)).scalar()
        merged = merges.merged(tx, uid)
    leading = rows[cards[0]]
    data = merging.golden_card([rows[card] for card in cards if card in rows])
    return {
        **plain(leading),
        "title": leading.title or data.get("name"),
        "data": data,
        "asked": uid,
        "cards": cards,
        "merged": merged,
        "question": question,
        "deals": [plain(r) for r in own if r.kind == "deal"],
        "leads": [plain(r) for r in own if r.kind == "lead"],
        "timeline": [plain(r) for r in events],
        "tasks": [plain(r) for r in todo],
    }


def nobodys(hub: Hub, limit: int = 50) -> list[dict[str, Any]]:
    """The newest events that are no client's (robots, colleagues, hidden numbers, nothing to go by), each with its reason."""
    query = sa.select(activity).where(activity.c.label.is_not(None)).order_by(activity.c.at.desc(), activity.c.uid)
    with hub.store.read() as tx:
        return [plain(r) for r in tx.execute(query.limit(limit))]


def totals(hub: Hub) -> dict[str, int]:
    """How many of each thing there are: records by kind, events, arrivals, open questions."""
    with hub.store.read() as tx:
        kinds: dict[str, int] = {
            k: n for k, n in tx.execute(sa.select(record.c.kind, sa.func.count()).group_by(record.c.kind))
        }
        for name, query in {
            "activities": sa.select(sa.func.count()).select_from(activity),
            "arrivals": sa.select(sa.func.count()).select_from(inbox),
            "links": sa.select(sa.func.count()).select_from(link),
            "cursors": sa.select(sa.func.count()).select_from(cursor),
            "conflicts": sa.select(sa.func.count()).select_from(conflict).where(conflict.c.state == "open"),
            "quarantined": sa.select(sa.func.count()).select_from(quarantine).where(quarantine.c.state != "closed"),
            "reviews": sa.select(sa.func.count()).select_from(review).where(review.c.state == "open"),
        }.items():
            kinds[name] = tx.execute(query).scalar_one()
    return kinds


def arrivals(hub: Hub, connection: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The newest arrivals with label and state (bodies left out)."""
    query = sa.select(inbox).order_by(inbox.c.id.desc()).limit(limit)
    if connection:
        query = query.where(inbox.c.connection == connection)
    with hub.store.read() as tx:
        return [_without(plain(r), "body", "spool", "request") for r in tx.execute(query)]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in names}
