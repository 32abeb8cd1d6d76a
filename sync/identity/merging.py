"""Merges of clients' cards in the database: rows that say that two cards are one client, taken back exactly.

A card keeps what was linked to it: `record.client_uid`, `activity.client_uid`, `belongs.card`, `observation.client_uid` and
the resolver's index name the card, its *home*. Whose client a card is now follows from the merges that stand;
`record.merged_into` holds the answer for each card that is not known by its own name, computed from them. So nothing is
moved by a merge, and when it is taken back nothing has to be moved either.

Everything is decided by `links.Links`; here its rows are read and written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import NeedHuman, Text
from sync.identity.links import Links, Merge, Value, golden
from sync.model import keys
from sync.store import Store, new_uid
from sync.store.tables import merge as merges
from sync.store.tables import never_pair, record

KINDS = ("company", "contact")
_LISTS = ("phones", "emails", "addresses", "tags")


# -- reading ----------------------------------------------------------------------------------------------------------------


def client_of(tx: Connection, card: str) -> str:
    """The card by which this card's client is known now; an unknown card is its own."""
    found = tx.execute(sa.select(record.c.merged_into).where(record.c.uid == card)).scalar()
    return str(found or card)


def clients_of(tx: Connection, cards: Iterable[str]) -> dict[str, str]:
    """{card: client} of many."""
    wanted = list(dict.fromkeys(cards))
    rows = tx.execute(
        sa.select(record.c.uid, record.c.merged_into).where(record.c.uid.in_(wanted), record.c.merged_into.is_not(None))
    )
    moved = {r.uid: r.merged_into for r in rows}
    return {card: moved.get(card, card) for card in wanted}


def cards_of(tx: Connection, card: str) -> list[str]:
    """All cards of this card's client, the one that he is known by first."""
    client = client_of(tx, card)
    others = tx.execute(sa.select(record.c.uid).where(record.c.merged_into == client).order_by(record.c.uid))
    return [client, *others.scalars()]


def standing(tx: Connection, cards: Iterable[str]) -> Links:
    """The merges and the «never these two» that these cards and everything merged with them take part in."""
    known: dict[str, Merge] = {}
    seen, rest = set[str](), set(cards)
    while rest:
        seen |= rest
        near = sa.or_(merges.c.kept.in_(rest), merges.c.gone.in_(rest))
        for row in tx.execute(sa.select(merges).where(near, merges.c.state == "stands")):
            known[row.id] = Merge(row.id, row.kept, row.gone, row.who, row.at.isoformat(), row.why["en"])
        rest = {end for one in known.values() for end in (one.kept, one.gone)} - seen
    pairs = sa.and_(never_pair.c.card.in_(seen), never_pair.c.other.in_(seen), never_pair.c.state == "stands")
    never = tx.execute(sa.select(never_pair.c.card, never_pair.c.other).where(pairs)).all()
    return Links(merges=known, never=frozenset((min(r.card, r.other), max(r.card, r.other)) for r in never))


def golden_of(tx: Connection, card: str) -> dict[str, Any]:
    """What all cards of this card's client say together."""
    uids = cards_of(tx, card)
    rows = {row.uid: row for row in tx.execute(sa.select(record).where(record.c.uid.in_(uids)))}
    return golden_card([rows[uid] for uid in uids if uid in rows])


def golden_card(cards: Sequence[Any]) -> dict[str, Any]:
    """What a client's cards (rows of `record`, the leading one first) say together: per field the valid values first, then
    the leading card's, then the newest. Lists are put together. Computed, never stored."""
    fields: dict[str, list[Value]] = {}
    order = {row.uid: at for at, row in enumerate(cards[:1])}
    for row in cards:
        for name, value in row.data.items():
            at = row.updated_at.isoformat()
            fields.setdefault(name, []).append(Value(row.uid, value, at, _valid(name, value)))
    shown = golden(fields, order)
    for name in _LISTS:
        values = [v for row in cards for v in row.data.get(name) or []]
        if values:
            shown[name] = list(dict.fromkeys(values))
    return shown


def _valid(name: str, value: Any) -> bool:
    check = {"inn": keys.inn, "kpp": keys.kpp, "ogrn": keys.ogrn}.get(name)
    return check is None or check(str(value)) is not None


# -- changing ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A merge made or taken back: {card: (its client before, its client now)} of the cards whose client is another one."""

    id: str
    kept: str
    gone: str
    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def merge(
    store: Store,
    tx: Connection,
    kept: str,
    gone: str,
    *,
    rule: str,
    why: Text,
    who: str,
    now: datetime,
    mixed: bool = False,
) -> Change:
    """From now on the client of `gone` is that of `kept`. NeedHuman for one and the same client, for two that people keep
    apart, and for a company and a person unless `mixed` says that this is meant."""
    store.lock_key(tx, "identity:merge")
    found = cards(tx, [kept, gone])
    if kept == gone:
        raise _refused(
            "identity.itself",
            Text("A card cannot be merged into itself.", "Карточку нельзя объединить с самой собой."),
        )
    if found[kept].kind != found[gone].kind and not mixed:
        raise _refused(
            "identity.kinds",
            Text(
                "One of the cards is a company, the other a person: they are not merged without being told so.",
                "Одна карточка — компания, другая — человек: без прямого указания они не объединяются.",
            ),
        )
    links = standing(tx, [kept, gone])
    ends = links.client_of(kept), links.client_of(gone)
    if ends[0] != ends[1] and links.apart(*ends) is not None:
        raise kept_apart(tx, links.apart(*ends))
    made = Merge(new_uid(), *ends)
    after = links.merge(made)
    row = {"id": made.id, "kept": made.kept, "gone": made.gone, "rule": rule, "who": who, "at": now, "state": "stands"}
    tx.execute(merges.insert().values(why={"en": why.en, "ru": why.ru}, **row))
    return Change(made.id, made.kept, made.gone, _settle(tx, links, after))


def unmerge(store: Store, tx: Connection, merge_id: str, *, who: str, now: datetime) -> Change:
    """Take a merge back: the cards are again what they are without it. NeedHuman when it does not stand (any more)."""
    store.lock_key(tx, "identity:merge")
    row = tx.execute(sa.select(merges).where(merges.c.id == merge_id)).first()
    if row is None or row.state != "stands":
        raise _gone(row)
    links = standing(tx, [row.kept, row.gone])
    undone = {"state": "undone", "undone_at": now, "undone_by": who}
    tx.execute(merges.update().where(merges.c.id == merge_id).values(**undone))
    return Change(row.id, row.kept, row.gone, _settle(tx, links, links.unmerge(merge_id)))


def merge_of(tx: Connection, card: str) -> Any:
    """The standing merge by which this card went into another one; None when it is known by its own name."""
    return tx.execute(sa.select(merges).where(merges.c.gone == card, merges.c.state == "stands")).first()


def keep_apart(
    store: Store, tx: Connection, card: str, other: str, *, who: str, now: datetime, signature: str | None = None
) -> str | None:
    """«Never these two»: the id of the decision, None when it stands already. NeedHuman when they are one client now."""
    store.lock_key(tx, "identity:merge")
    cards(tx, [card, other])
    links = standing(tx, [card, other])
    if links.keep_apart(card, other) == links:
        return None
    uid = new_uid()
    row = {"id": uid, "card": card, "other": other, "signature": signature, "who": who, "at": now, "state": "stands"}
    tx.execute(never_pair.insert().values(**row))
    return uid


def allow(tx: Connection, ids: Iterable[str], *, who: str, now: datetime) -> int:
    """Take «never these two» back; how many stood."""
    done = tx.execute(
        never_pair.update()
        .where(never_pair.c.id.in_(list(ids)), never_pair.c.state == "stands")
        .values(state="undone", undone_at=now, undone_by=who)
    )
    return done.rowcount


def cards(tx: Connection, uids: Sequence[str]) -> dict[str, Any]:
    """The cards' rows, held until the transaction ends; NeedHuman for one that is no client's."""
    rows = tx.execute(
        sa.select(record)
        .where(record.c.uid.in_(uids), record.c.kind.in_(KINDS))
        .order_by(record.c.uid)
        .with_for_update()
    )
    found = {row.uid: row for row in rows}
    for uid in uids:
        if uid not in found:
            raise _refused("client.none", Text(f"There is no client's card {uid}.", f"Карточки клиента {uid} нет."))
    return found


def kept_apart(tx: Connection, pair: tuple[str, str] | None) -> NeedHuman:
    """Why two clients cannot become one: who decided it, and when."""
    assert pair is not None
    both = sa.or_(
        sa.and_(never_pair.c.card == pair[0], never_pair.c.other == pair[1]),
        sa.and_(never_pair.c.card == pair[1], never_pair.c.other == pair[0]),
    )
    row = tx.execute(sa.select(never_pair).where(both, never_pair.c.state == "stands")).first()
    who, at = (row.who, f"{row.at:%Y-%m-%d %H:%M} UTC") if row is not None else ("?", "?")
    return _refused(
        "identity.never",
        Text(
            f"{who} decided at {at} that these are never one client; take that decision back first.",
            f"{who} решил(а) {at}, что это никогда не один клиент; сначала отмените то решение.",
        ),
    )


def _settle(tx: Connection, before: Links, after: Links) -> dict[str, tuple[str, str]]:
    """Write for each card concerned whose client it is now."""
    known = {end for one in (*before.merges.values(), *after.merges.values()) for end in (one.kept, one.gone)}
    moved = {}
    for card in sorted(known):
        was, now = before.client_of(card), after.client_of(card)
        if was != now:
            moved[card] = (was, now)
            tx.execute(record.update().where(record.c.uid == card).values(merged_into=None if now == card else now))
    return moved


def _gone(row: Any) -> NeedHuman:
    if row is None:
        return _refused("merge.gone", Text("There is no such merge.", "Такого объединения нет."))
    who, at = row.undone_by, f"{row.undone_at:%Y-%m-%d %H:%M} UTC"
    return _refused(
        "merge.gone",
        Text(f"This merge was taken back already by {who} at {at}.", f"Это объединение уже отменено: {who}, {at}."),
    )


def _refused(code: str, text: Text) -> NeedHuman:
    return NeedHuman(text, code=code)
