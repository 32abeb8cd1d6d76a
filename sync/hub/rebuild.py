"""Every link made again by today's rules: first what would change, then the change itself, with a row in the journal for each.

The plan writes nothing. What people decided stands. A link that today's rules would only ask about stays where it is and is
named. One transaction: while it works, what comes in waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow.plug import Cause
from sync.flow.weave import note
from sync.flow.whose import own_of, ranks_of
from sync.hub.runtime import Hub
from sync.identity import evidence, golden, observed
from sync.identity.clients import KINDS, REBUILD
from sync.identity.folding import Folded
from sync.identity.index import VERSION
from sync.identity.replay import MADE, Outcome, Replay
from sync.store import new_uid
from sync.store.tables import activity, belongs, link, observation, record, setting, task
from sync.store.types import stamp

_SETTING = "identity.version"
_TABLES = {"activity": activity, "record": record}


def plan(hub: Hub) -> dict[str, Any]:
    """What a rebuild would change: {read, same, moved, new_cards, asked, ignored, changes: [{thing, what, title, before,
    after, rule, reason, outcome}]}. Clients by name; `after` None: nobody's."""
    with hub.store.read() as tx, Replay(tx, own_of(hub.world)) as replay:
        outcomes = list(replay.run())
        return _told(tx, outcomes)


def rebuild(hub: Hub, who: str) -> dict[str, Any]:
    """Do it: the same answer as the plan of the same moment."""
    with hub.store.begin() as tx:
        hub.store.lock_key(tx, REBUILD)
        with Replay(tx, own_of(hub.world)) as replay:
            outcomes = list(replay.run())
            told = _told(tx, outcomes)
            made = _cards(hub, tx, replay)
            replay.copy(made)
            touched: set[str] = set()
            for one in outcomes:
                if not one.asked:
                    touched |= _move(hub, tx, one, made, who)
            _refresh(hub, tx, touched, who)
        tx.execute(setting.delete().where(setting.c.key == _SETTING))
        tx.execute(setting.insert().values(key=_SETTING, value=VERSION))
    hub.wake("")
    return told


def _told(tx: Connection, outcomes: list[Outcome]) -> dict[str, Any]:
    cards = {u for one in outcomes for u in (*one.before, *one.after) if u is not None and not u.startswith(MADE)}
    names = dict(_pairs(tx, sa.select(record.c.uid, record.c.title).where(record.c.uid.in_(cards))))
    titles = _titles(tx, [one.thing for one in outcomes])

    def shown(uid: str | None) -> dict[str, Any] | None:
        return None if uid is None else {"uid": uid, "name": names.get(uid)}

    changes = [
        {
            "thing": one.thing,
            "what": one.what,
            "title": titles.get(one.thing),
            "before": shown(one.before[0]),
            "after": shown(one.after[0]),
            "person_before": shown(one.before[1]),
            "person_after": shown(one.after[1]),
            "rule": one.rule,
            "reason": {"en": one.text.en, "ru": one.text.ru},
            "outcome": "asked" if one.asked else "ignored" if one.ignored else "moved",
        }
        for one in outcomes
    ]
    counts = Counter(c["outcome"] for c in changes)
    read = tx.execute(sa.select(sa.func.count()).select_from(belongs).where(belongs.c.said.is_not(None))).scalar_one()
    version = tx.execute(sa.select(setting.c.value).where(setting.c.key == _SETTING)).scalar()
    return {
        "read": read,
        "same": read - len(changes),
        **{name: counts[name] for name in ("moved", "ignored", "asked")},
        "new_cards": len({u for one in outcomes for u in one.after if u and u.startswith(MADE)}),
        "version": {"before": version, "now": VERSION},
        "changes": changes,
    }


def _titles(tx: Connection, things: list[str]) -> dict[str, str]:
    """What people call an event or record."""
    found: dict[str, str] = {}
    for row in tx.execute(sa.select(record.c.uid, record.c.number, record.c.title).where(record.c.uid.in_(things))):
        found[row.uid] = row.number or row.title or row.uid
    query = sa.select(activity.c.uid, activity.c.type, activity.c.at, activity.c.subject)
    for one in tx.execute(query.where(activity.c.uid.in_(things))):
        found[one.uid] = f"{one.type} {one.at:%Y-%m-%d %H:%M} {one.subject or ''}".strip()
    return found


def _pairs(tx: Connection, query: sa.Select[Any]) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in tx.execute(query)]


def _cards(hub: Hub, tx: Connection, replay: Replay) -> dict[str, str]:
    """Records for the clients that today's rules tell apart: {name in the replay: uid}."""
    made = {}
    now = hub.now()
    for name, kind in replay.made.items():
        made[name] = new_uid()
        values = {"uid": made[name], "kind": KINDS[kind], "data": {}, "created_at": now, "updated_at": now}
        tx.execute(record.insert().values(**values))
    return made


def _move(hub: Hub, tx: Connection, one: Outcome, made: Mapping[str, str], who: str) -> set[str]:
    """Link a thing anew; the cards that lose or win by it."""
    card, person = (made.get(uid, uid) if uid is not None else None for uid in one.after)
    row = tx.execute(sa.select(belongs).where(belongs.c.thing == one.thing)).one()
    shown = {"rule": one.rule, "en": one.text.en, "ru": one.text.ru, "keys": [list(k) for k in one.keys]}
    values = {"card": card, "person": person, "rule": one.rule, "evidence": shown, "at": row.at}
    tx.execute(belongs.update().where(belongs.c.thing == one.thing).values(**values))
    table = _TABLES[one.what]
    whose = {"client_uid": card, "person_uid": person}
    label = {"label": one.ignored or None, "evidence": shown} if one.what == "activity" else {}
    tx.execute(table.update().where(table.c.uid == one.thing).values(**whose, **label))
    if one.what == "record":
        follows = sa.or_(activity.c.deal_uid == one.thing, activity.c.lead_uid == one.thing)
        mine = sa.select(activity.c.uid).join(belongs, belongs.c.thing == activity.c.uid)
        uids = [r.uid for r in tx.execute(mine.where(follows, belongs.c.said.is_(None)))]
        tx.execute(activity.update().where(activity.c.uid.in_(uids)).values(**whose))
        tx.execute(belongs.update().where(belongs.c.thing.in_(uids)).values(card=card, person=person))
        tx.execute(task.update().where(task.c.subject_uid == one.thing).values(client_uid=card))
    _observe_anew(hub, tx, one.thing, row, [u for u in (card, person) if u is not None])
    _journal(hub, tx, one, card, who)
    return {u for u in (*one.before, card, person) if u is not None}


def _observe_anew(hub: Hub, tx: Connection, thing: str, row: Any, cards: list[str]) -> None:
    """What the thing showed stands with its new cards."""
    own = own_of(hub.world)
    found = evidence.read({**row.said, "at": stamp(row.seen_at)}, own)
    index = Folded.of(tx)
    places = tx.execute(
        sa.select(link.c.connection, link.c.native_kind, link.c.external_id).where(link.c.record_uid == thing)
    ).all()
    for place in places:
        source = (place.connection, f"{place.native_kind}:{place.external_id}")
        tx.execute(observation.delete().where(observation.c.source == source[0], observation.c.record == source[1]))
        for card in sorted(set(cards)):
            for profile in index.profiles([card]).values():
                observed.store(tx, card, profile, found, source, row.seen_at, row.said, own.country)


def _journal(hub: Hub, tx: Connection, one: Outcome, card: str | None, who: str) -> None:
    """A deal or lead says that it has another client; of an event the card says it that has it now, or had it."""
    now = hub.now()
    if one.what == "record":
        kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == one.thing)).scalar_one()
        note(tx, one.thing, kind, "hub", "rules", {"client": [one.before[0], card]}, now, Cause(), who)
        return
    uid = card or one.before[0]
    if uid is not None:
        kind = tx.execute(sa.select(record.c.kind).where(record.c.uid == uid)).scalar_one()
        note(tx, uid, kind, "hub", "rules", {f"event {one.thing}": [one.before[0], card]}, now, Cause(), who)


def _refresh(hub: Hub, tx: Connection, cards: set[str], who: str) -> None:
    """The cards show what is observed of them now."""
    now = hub.now()

    def journal(uid: str, kind: str, why: str, changes: dict[str, Any]) -> None:
        note(tx, uid, kind, "hub", "created" if why == "created" else "rules", changes, now, Cause(), who)

    ranks = ranks_of(hub.world)
    for uid in sorted(cards):
        golden.refresh(tx, uid, ranks, now, journal, country=hub.config.hub.country, anew=True)
