"""Everything that was ever said, read again by today's rules into a fresh index beside the hub's: what would be linked
otherwise. People's decisions stand: merges, answers to questions, «never these two».

Cards of other systems come from their observations (the raw values), events and records from what they said, each at the
time when it came. The fresh index is a private file; nothing of the hub is written here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import Text
from sync.identity import evidence, observed
from sync.identity.clients import KINDS, REBUILD, agreed_keys, by_cards_or_clients, home
from sync.identity.decide import Decision
from sync.identity.evidence import Evidence, Own
from sync.identity.folding import Folded
from sync.identity.index import Index, Profile
from sync.identity.people import NEW
from sync.identity.remember import remember
from sync.store import Store
from sync.store.tables import belongs, identity_profile, link, observation, record, review
from sync.store.types import stamp

MADE = "new:"  # before the number of a card that is to be made


@dataclass(frozen=True, slots=True)
class Outcome:
    """A thing, whose it was and whose it would be. `asked`: today's rules would ask; it stays where it is."""

    thing: str
    what: str
    before: tuple[str | None, str | None]  # card and person
    after: tuple[str | None, str | None]
    rule: str
    text: Text
    keys: tuple[tuple[str, str], ...] = ()
    ignored: str = ""
    asked: bool = False


class Replay:
    """The fresh index, filled by `run`; closed with `with`."""

    def __init__(self, tx: Connection, own: Own) -> None:
        self.tx = tx
        self.own = own
        self.private = sqlite3.connect("")
        self.private.execute("PRAGMA cache_size=-65536")
        Index.sqlite(self.private)
        self.private.execute("CREATE TABLE record (uid TEXT PRIMARY KEY, merged_into TEXT)")
        self.private.execute("CREATE INDEX ix_record_merged ON record (merged_into)")
        cards = tx.execute(
            sa.select(record.c.uid, record.c.kind, record.c.merged_into, record.c.data).where(
                record.c.kind.in_(tuple(KINDS.values()))
            )
        ).all()
        self._kinds = {r.uid: r.kind for r in cards}
        self._names = {r.uid: r.data.get("name") for r in cards}
        moved = [(r.uid, r.merged_into) for r in cards if r.merged_into is not None]
        self.private.executemany("INSERT INTO record VALUES (?, ?)", moved)
        self._clients = dict(moved)
        self._used: set[str] = set()
        self.made: dict[str, str] = {}  # cards that are to be made, and their kinds
        rows = tx.execute(sa.select(review.c.record_uid, review.c.state).where(review.c.thing.is_not(None)))
        self._questions: dict[str, str] = {r.record_uid: r.state for r in rows}

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.private.close()

    def client(self, card: str | None) -> str | None:
        return self._clients.get(card, card) if card is not None else None

    def run(self) -> Iterator[Outcome]:
        """Read everything again, in the order in which it came; the outcomes that differ."""
        cards = self._cards()
        for row in self.tx.execute(
            sa.select(belongs).where(belongs.c.said.is_not(None)).order_by(belongs.c.at, belongs.c.thing)
        ):
            while cards and cards[0][0] <= row.at:
                self._introduce(*cards.pop(0)[1:])
            outcome = self._thing(row)
            if outcome is not None and (outcome.asked or self._differs(outcome)):
                yield outcome
        for _, uid, said in cards:
            self._introduce(uid, said)

    def _differs(self, one: Outcome) -> bool:
        return [self.client(u) for u in one.before] != [self.client(u) for u in one.after]

    # -- cards of other systems ----------------------------------------------------------------------------------------

    def _cards(self) -> list[tuple[Any, str, dict[str, Any]]]:
        """(when, card, what it says), in order. Observations of before there was an index count as a card's as well."""
        own = sa.select(link.c.id).where(
            link.c.record_uid == observation.c.client_uid,
            link.c.connection == observation.c.source,
            observation.c.record == link.c.native_kind + ":" + link.c.external_id,
        )
        rows = self.tx.execute(
            sa.select(observation)
            .where(sa.or_(observation.c.record == "", own.exists()))
            .order_by(observation.c.first_seen, observation.c.id)
        )
        found: dict[tuple[str, str, str], list[Any]] = {}
        for row in rows:
            found.setdefault((row.client_uid, row.source, row.record), []).append(row)
        cards = [(seen[0].first_seen, uid, self._said(uid, seen)) for (uid, *_), seen in found.items()]
        return sorted((c for c in cards if c[1] in self._kinds), key=lambda c: c[0])

    def _said(self, uid: str, seen: list[Any]) -> dict[str, Any]:
        said: dict[str, Any] = {"kind": "web_form", "phone": [], "email": []}
        for row in seen:
            if row.kind in ("phone", "email"):
                said[row.kind].append(row.raw)
            elif row.kind in ("name", "company", "inn", "ogrn", "kpp"):
                said[row.kind] = row.raw
        field = "company" if self._kinds.get(uid) == "company" else "name"
        said.setdefault(field, self._names.get(uid) or "")
        return {k: v for k, v in said.items() if v}

    def _introduce(self, uid: str, said: Mapping[str, Any]) -> None:
        self._teach(uid, evidence.read(said, self.own))

    def _teach(self, uid: str, found: Evidence) -> None:
        index = Index(self.private.execute)
        profile = index.profiles([uid]).get(uid) or Profile(
            uid, "company" if self._kinds[uid] == "company" else "person"
        )
        index.put(observed.with_card(profile, found))
        self._used.add(uid)

    # -- events and records --------------------------------------------------------------------------------------------

    def _thing(self, row: Any) -> Outcome | None:
        found = evidence.read({**row.said, "at": stamp(row.seen_at)}, self.own)
        before = (row.card, row.person)
        if row.who != "hub" or self._questions.get(row.card) == "decided":
            if row.card in self._kinds and not found.ignored:
                self._teach(row.card, found)
            return None
        run = self.private.execute
        decision, index = by_cards_or_clients(found, Index(run), Folded(run))
        if decision.ignored:
            return Outcome(
                row.thing, row.what, before, (None, None), "ignored", decision.text, ignored=decision.ignored
            )
        if decision.question:
            return self._question(row, found, decision, index)
        answer = remember(decision, found, index, lambda kind: self._uid(kind, before, decision))
        after = tuple(home(index, uid) for uid in (answer.client, answer.person))
        keys = agreed_keys(found, decision, index, after[0], after[1])
        return Outcome(row.thing, row.what, before, (after[0], after[1]), decision.rule, decision.text, keys)

    def _question(self, row: Any, found: Evidence, decision: Decision, index: Index) -> Outcome | None:
        before = (row.card, row.person)
        if decision.client == NEW and self._questions.get(row.card) == "open":
            remember(decision, found, index, lambda kind: self._uid(kind, before, decision))
            return None
        if row.card in self._questions:
            return None
        return Outcome(row.thing, row.what, before, before, "review", decision.text, asked=True)

    def _uid(self, kind: str, before: tuple[str | None, str | None], decision: Decision) -> str:
        """The card that the thing had, when it is of that kind and nobody's yet; else one to be made."""
        for uid in before if kind == "company" or decision.client_kind == "person" else before[::-1]:
            if uid is not None and uid not in self._used and self._kinds.get(uid) == KINDS[kind]:
                self._used.add(uid)
                return uid
        uid = f"{MADE}{len(self.made) + 1}"
        self.made[uid] = kind
        return uid

    # -- into the hub --------------------------------------------------------------------------------------------------

    def copy(self, uids: Mapping[str, str]) -> None:
        """Put the fresh index in the place of the hub's; `uids` names the cards that were made meanwhile."""

        def name(uid: str) -> str:
            return uids.get(uid, uid)

        fresh = Index.of(self.tx)
        for table in ("identity_profile", "identity_key", "identity_job"):
            self.tx.exec_driver_sql(f"DELETE FROM {table}")
        with contextlib.closing(self.private.cursor()) as read:
            fresh.add_profiles(
                (name(u), k, d) for u, k, d in read.execute("SELECT uid, kind, data FROM identity_profile")
            )
            fresh.add_keys((k, v, name(u)) for k, v, u in read.execute("SELECT kind, value, uid FROM identity_key"))
            jobs = read.execute("SELECT person, company, since, until FROM identity_job")
            fresh.employ_rows((name(p), name(c), s, u) for p, c, s, u in jobs)


def prepare(store: Store, own: Own) -> None:
    """A database from before there was an index gets one, of its cards' observations; nothing to do is cheap."""
    with store.read() as tx:
        if tx.execute(sa.select(observation.c.id).limit(1)).first() is None or _filled(tx):
            return
    with store.begin() as tx:
        store.lock_key(tx, REBUILD)
        if not _filled(tx):
            with Replay(tx, own) as replay:
                for _ in replay.run():
                    pass  # no link is questioned here: only what leads to the cards is wanted
                replay.copy({})


def _filled(tx: Connection) -> bool:
    return tx.execute(sa.select(identity_profile.c.uid).limit(1)).first() is not None
