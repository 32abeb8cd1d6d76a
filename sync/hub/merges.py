"""Two cards that are one client: merged by a person's word, shown as one, and taken back exactly.

What a merge means stands in sync/identity/merging.py. Here people's names for cards are understood, the journal is told, and
what other systems were told of the cards' deals and leads is looked at again by the next piece of work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, Text
from sync.flow import dependencies, events, gathering
from sync.flow.plug import Cause
from sync.flow.weave import note
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.model import keys
from sync.store.tables import command, link, never_pair, observation, record, review
from sync.store.tables import merge as merges

_SHOWN = 5  # cards named in a refusal
_BY_HAND = Cause()


def merge(hub: Hub, kept: str, gone: str, who: str, why: str = "", *, mixed: bool = False) -> dict[str, Any]:
    """From now on `gone` is the client `kept`: {id, kept, gone}, as uids. Each is named by uid, phone, e-mail, INN or name.

    NeedHuman, and nothing is written: one and the same client, two that people keep apart, a holding card (its question is
    to be answered instead), a company and a person unless `mixed`.
    """
    with hub.store.begin() as tx:
        into, card = find(hub, tx, kept), find(hub, tx, gone)
        for one in (into, card):
            _not_held(tx, one)
        text = Text(why, why) if why else Text("decided by a person", "решение человека")
        change = merging.merge(hub.store, tx, into, card, rule="human", why=text, who=who, now=hub.now(), mixed=mixed)
        follow(hub, tx, change, who)
    hub.wake("")
    return {"id": change.id, "kept": change.kept, "gone": change.gone}


def unmerge(hub: Hub, card: str, who: str) -> dict[str, Any]:
    """Take back the merge by which this card (or the merge with this id) went into another one: {id, kept, gone}."""
    with hub.store.begin() as tx:
        row = tx.execute(sa.select(merges).where(merges.c.id == card)).first() or merging.merge_of(tx, card)
        if row is None:
            raise _not_merged(tx, find(hub, tx, card))
        change = part(hub, tx, row.id, who)
    hub.wake("")
    return {"id": change.id, "kept": change.kept, "gone": change.gone}


def part(hub: Hub, tx: Connection, merge_id: str, who: str, cause: Cause = _BY_HAND) -> merging.Change:
    """The same within a transaction; a question that was answered by this merge is open again."""
    now = hub.now()
    change = merging.unmerge(hub.store, tx, merge_id, who=who, now=now)
    follow(hub, tx, change, who, cause, now)
    since = tx.execute(sa.select(merges.c.at).where(merges.c.id == merge_id)).scalar_one()
    events.part(tx, [card for end in (change.kept, change.gone) for card in merging.cards_of(tx, end)], since)
    for row in tx.execute(sa.select(review).where(review.c.record_uid == change.gone, review.c.state == "decided")):
        if (row.decision or {}).get("merge") == merge_id:
            again = {"state": "open", "decision": None, "closed_at": None}
            tx.execute(review.update().where(review.c.id == row.id).values(**again))
    return change


def never(hub: Hub, card: str, other: str, who: str) -> dict[str, Any]:
    """«Never these two»: they are not merged by anybody until that is taken back. {id}; None when it stands already."""
    with hub.store.begin() as tx:
        pair = find(hub, tx, card), find(hub, tx, other)
        if pair[0] == pair[1]:
            raise _refused("identity.itself", Text("These are one card.", "Это одна и та же карточка."))
        uid = merging.keep_apart(hub.store, tx, *pair, who=who, now=hub.now())
    return {"id": uid, "card": pair[0], "other": pair[1]}


def allow(hub: Hub, card: str, other: str, who: str) -> dict[str, Any]:
    """Take «never these two» back, for all cards of both clients."""
    with hub.store.begin() as tx:
        left, right = (merging.cards_of(tx, find(hub, tx, one)) for one in (card, other))
        apart = sa.or_(
            sa.and_(never_pair.c.card.in_(left), never_pair.c.other.in_(right)),
            sa.and_(never_pair.c.card.in_(right), never_pair.c.other.in_(left)),
        )
        ids = tx.execute(sa.select(never_pair.c.id).where(apart, never_pair.c.state == "stands")).scalars().all()
        if not ids:
            raise _refused(
                "identity.allowed",
                Text("Nobody keeps these two apart.", "Эти двое никем не разведены: отменять нечего."),
            )
        merging.allow(tx, ids, who=who, now=hub.now())
    return {"taken_back": len(ids)}


def merged(tx: Connection, client: str) -> list[dict[str, Any]]:
    """The cards that are this client beside the leading one, oldest merge first: {id, card, name, kind, into, who, at, why}."""
    cards = merging.cards_of(tx, client)
    into = record.alias("into")
    rows = tx.execute(
        sa.select(merges, record.c.title, record.c.kind, into.c.title.label("into_title"))
        .join(record, record.c.uid == merges.c.gone)
        .join(into, into.c.uid == merges.c.kept)
        .where(merges.c.gone.in_(cards), merges.c.state == "stands")
        .order_by(merges.c.at, merges.c.id)
    )
    return [
        {
            "id": r.id,
            "card": r.gone,
            "name": r.title or r.gone,
            "kind": r.kind,
            "into": r.kept,
            "into_name": r.into_title or r.kept,
            "who": r.who,
            "at": r.at,
            "rule": r.rule,
            "why": r.why,
        }
        for r in rows
    ]


def follow(
    hub: Hub, tx: Connection, change: merging.Change, who: str, cause: Cause = _BY_HAND, now: datetime | None = None
) -> None:
    """The journal says whose each card is now; what waits to be written for it waits for the right client; and the deals and
    leads of these cards are looked at again. `now`: the instant of the merge, of which the journal then speaks."""
    now = now or hub.now()
    kinds = {
        r.uid: r.kind for r in tx.execute(sa.select(record.c.uid, record.c.kind).where(record.c.uid.in_(change.moved)))
    }
    for card, pair in change.moved.items():
        told = [None if client == card else client for client in pair]
        note(tx, card, kinds[card], "hub", "human", {"merged_into": told}, now, cause, who)
    concerned = {card for one, pair in change.moved.items() for card in (one, *pair)}
    dependencies.regroup(tx, concerned, now)
    gathering.plan(hub.world, tx, concerned, cause)
    look_again(hub, tx, change.moved)


def look_again(hub: Hub, tx: Connection, cards: Iterable[str]) -> None:
    """Ask for a new look at the deals and leads of these cards that some system holds."""
    theirs = list(cards)
    of_them = sa.or_(record.c.client_uid.in_(theirs), record.c.person_uid.in_(theirs))
    mine = sa.select(record.c.uid).where(of_them, record.c.kind.in_(("deal", "lead")))
    held = sa.select(link.c.id).where(link.c.record_uid == record.c.uid).exists()
    rows = [
        {"kind": "reweave", "args": {"uid": uid}, "state": "new", "created_at": hub.now()}
        for uid in tx.execute(mine.where(held).order_by(record.c.created_at, record.c.uid)).scalars()
    ]
    if rows:
        tx.execute(command.insert(), rows)


# -- what people call a card ------------------------------------------------------------------------------------------------


def find(hub: Hub, tx: Connection, said: str) -> str:
    """The card that is meant: by uid, or the only client with this phone, e-mail, INN, OGRN or name. NeedHuman otherwise."""
    said = said.strip()
    exact = tx.execute(sa.select(record.c.uid).where(record.c.uid == said, record.c.kind.in_(merging.KINDS))).scalar()
    if exact is not None:
        return str(exact)
    found = clients_by(hub, tx, said)
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(found[:_SHOWN])
        raise _refused(
            "client.several",
            Text(
                f"Several clients answer to {said!r}: name one by uid: {named}.",
                f"На «{said}» отзываются несколько клиентов: укажите uid одного из них: {named}.",
            ),
        )
    raise _refused("client.none", Text(f"There is no client {said!r}.", f"Клиента «{said}» нет."))


def clients_by(hub: Hub, tx: Connection, query: str, limit: int = 10) -> list[str]:
    """Clients (by their leading cards) whom a phone, an e-mail, a number or a name leads to."""
    values = [*keys.phones(query, hub.config.hub.country), keys.email(query), keys.inn(query), keys.ogrn(query)]
    wanted = [v.split(";")[0] for v in values if v]
    if wanted:
        rows = tx.execute(sa.select(observation.c.client_uid).where(observation.c.value.in_(wanted)).distinct())
        return _clients(tx, rows.scalars().all())[:limit]
    if len(query) < 3 or not any(c.isalpha() for c in query):
        return []
    # Names are few and SQLite's LIKE does not fold Cyrillic: compare in one skeleton here
    tokens = keys.name_tokens(query)
    cards = tx.execute(
        sa.select(record.c.uid, record.c.title).where(record.c.kind.in_(merging.KINDS), record.c.title.is_not(None))
    )
    return _clients(tx, [r.uid for r in cards if tokens and tokens <= keys.name_tokens(r.title)])[:limit]


def _clients(tx: Connection, cards: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(merging.clients_of(tx, cards).values()))


def _not_held(tx: Connection, card: str) -> None:
    row = tx.execute(
        sa.select(review.c.id).where(review.c.record_uid.in_(merging.cards_of(tx, card)), review.c.state == "open")
    ).first()
    if row is not None:
        raise _refused(
            "client.held",
            Text(
                f"{card} is a holding card: whose it is, is asked in question {row.id}. Answer that: sverka review {row.id}",
                f"{card} — карточка ожидания: чья она, спрашивает вопрос {row.id}. Ответьте на него: sverka review {row.id}",
            ),
        )


def _not_merged(tx: Connection, card: str) -> NeedHuman:
    listed = ", ".join(f"{one['card']} ({one['name']})" for one in merged(tx, card)[:_SHOWN])
    if listed:
        return _refused(
            "merge.which",
            Text(
                f"This client is known by this card; merged into it are: {listed}. Name one of them.",
                f"Клиент известен под этой карточкой; в неё вошли: {listed}. Назовите одну из них.",
            ),
        )
    return _refused(
        "merge.gone", Text("This card is merged with no other one.", "Эта карточка ни с кем не объединена.")
    )


def _refused(code: str, text: Text) -> NeedHuman:
    return NeedHuman(text, code=code)
