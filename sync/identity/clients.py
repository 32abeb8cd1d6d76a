"""Whose an event or record is, in the hub's database: the resolver's answer, its evidence, and the cards that it makes.

One transaction, that of the event. A thing (an event, a lead, a deal) is linked once; the link keeps what was said, by which
rule it was made and when. What is said anew later teaches, it moves nothing: only people move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import Text
from sync.identity import evidence, firms, golden, observed, people, words
from sync.identity.decide import Decision, decide
from sync.identity.evidence import Evidence, Own
from sync.identity.folding import Folded
from sync.identity.index import Index, Profile
from sync.identity.people import NEW
from sync.identity.remember import remember
from sync.store import Store, new_uid
from sync.store.tables import belongs, journal, record, review
from sync.store.types import stamp

Said = Mapping[str, Any]  # see sync/identity/said.py
REBUILD = "identity:rebuild"  # held alone while the whole index is made again
KINDS = {"person": "contact", "company": "company"}  # of a profile, and of its record


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `client` None: nobody's, for the reason in `ignored` (robot, own_staff, own_line, hidden, nothing)."""

    client: str | None
    rule: str
    text: Text
    person: str | None = None
    keys: tuple[tuple[str, str], ...] = ()  # those that agreed: (kind, canonical value)
    question: bool = False
    ignored: str = ""

    def evidence(self) -> dict[str, Any]:
        """As it stands beside an event."""
        return {"rule": self.rule, "en": self.text.en, "ru": self.text.ru, "keys": [list(k) for k in self.keys]}


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was said, and for whom the journal speaks of it."""

    name: str  # connection
    record: str  # its record there: native kind and id
    now: datetime
    order: Mapping[str, int] = field(default_factory=dict)  # the rank of each source, the most trusted first
    run_id: int | None = None
    inbox_id: int | None = None


class Desk:
    """Answers within one transaction."""

    def __init__(self, store: Store, tx: Connection, own: Own, source: Source) -> None:
        self.store = store
        self.tx = tx
        self.own = own
        self.source = source
        self.index = Index.of(tx)
        self._held = ""  # the kind of holding card that a question makes now

    # -- events and records --------------------------------------------------------------------------------------------

    def identify(self, thing: str, what: str, said: Said, at: datetime) -> Verdict:
        """Whose `thing` is, by what it says. Asked again with the same words it answers the same and changes nothing."""
        before = self.tx.execute(sa.select(belongs).where(belongs.c.thing == thing)).first()
        if (
            before is not None
            and before.card is not None
            and (before.said == said or before.source != self.source.name)
        ):
            return self._as_before(before)
        found = evidence.read({**said, "at": stamp(at)}, self.own)
        decision = self._decide(found)
        if before is not None and before.card is not None:
            self._learn(before, said, found, decision, at)
            return self._as_before(before)
        verdict = (
            self._ask(thing, found, decision, said, at)
            if decision.question
            else self._answer(found, decision, said, at)
        )
        verdict = replace(verdict, text=words.unused(verdict.text, found.refused))
        values = {
            "what": what,
            "card": verdict.client,
            "person": verdict.person,
            "rule": verdict.rule,
            "evidence": verdict.evidence(),
            "source": self.source.name,
            "said": dict(said),
            "who": "hub",
            "at": self.source.now,
            "seen_at": at,
        }
        if before is None:
            self.tx.execute(belongs.insert().values(thing=thing, **values))
        else:
            self.tx.execute(belongs.update().where(belongs.c.thing == thing).values(**values))
        return verdict

    def _as_before(self, row: Any) -> Verdict:
        text = Text(row.evidence.get("en", ""), row.evidence.get("ru", ""))
        agreed = tuple((k, v) for k, v in row.evidence.get("keys", ()))
        return Verdict(row.card, row.rule, text, row.person, agreed)

    def _decide(self, found: Evidence) -> Decision:
        """Two events of one unknown person must not make two cards, nor two writers of one card lose a word: its keys are
        held first, then the cards that they lead to, each in order."""
        if self.store.sqlite or found.ignored:
            return self._look(found)
        self.store.lock_key(self.tx, REBUILD, shared=True)
        for key in sorted(_names(found)):
            self.store.lock_key(self.tx, f"identity:{key}")
        held: set[str] = set()
        while True:
            decision = self._look(found)
            cards = {*decision.seen.persons, *decision.seen.companies, decision.client, decision.person} - {None, NEW}
            if cards <= held:
                return decision
            for card in sorted(str(c) for c in cards - held):
                self.store.lock_key(self.tx, f"card:{card}")
            held |= {str(c) for c in cards}

    def _look(self, found: Evidence) -> Decision:
        decision, self.index = by_cards_or_clients(found, Index.of(self.tx), Folded.of(self.tx))
        return decision

    def _answer(self, found: Evidence, decision: Decision, said: Said, at: datetime) -> Verdict:
        if decision.ignored:
            return Verdict(None, "ignored", decision.text, ignored=decision.ignored)
        client, person = self._remember(found, decision, said, at)
        agreed = agreed_keys(found, decision, self.index, client, person)
        return Verdict(client, decision.rule, decision.text, person, agreed)

    def _remember(self, found: Evidence, decision: Decision, said: Said, at: datetime) -> tuple[str | None, str | None]:
        self._held = decision.client_kind if decision.question else ""
        answer = remember(decision, found, self.index, self._make)
        client, person = self._home(answer.client), self._home(answer.person)
        self._observe({client, person}, found, said, at)
        return client, person

    def _home(self, uid: str | None) -> str | None:
        """The card of a client that this event is kept on: merges of cards move nothing."""
        return home(self.index, uid)

    def _learn(self, before: Any, said: Said, found: Evidence, decision: Decision, at: datetime) -> None:
        """The thing says something else now. Where that leads to the same client it teaches; it never makes another one."""
        known = before.person is None or self._home(decision.person) == before.person
        if not (decision.question or decision.ignored) and self._home(decision.client) == before.card and known:
            _, person = self._remember(found, decision, said, at)
            values = {"said": dict(said), "person": before.person or person}
            self.tx.execute(belongs.update().where(belongs.c.thing == before.thing).values(**values))

    # -- questions -----------------------------------------------------------------------------------------------------

    def _ask(self, thing: str, found: Evidence, decision: Decision, said: Said, at: datetime) -> Verdict:
        """A holding card and a row for people; the same question is asked once and its answer used for all."""
        mark = signature(found)
        earlier = self.tx.execute(
            sa.select(review).where(review.c.signature == mark).order_by(review.c.id.desc()).limit(1)
        ).first()
        person = self._home(decision.person)
        if earlier is not None:
            rule = "held" if earlier.state == "open" else "decided"
            return Verdict(earlier.record_uid, rule, words.linked(rule), person, question=earlier.state == "open")
        if decision.client == NEW:
            client, person = self._remember(found, decision, said, at)
            card = str(client)
        else:
            self._held = "company" if found.companies and not found.name else "person"
            card = self._make(self._held)
            title = self._title(found)
            data = {"name": title} if title else {}
            self.tx.execute(record.update().where(record.c.uid == card).values(title=title, data=data))
            self._note(card, KINDS[self._held], "created", data)
        listed = self._candidates(decision, card)
        self.tx.execute(
            review.insert().values(
                record_uid=card,
                reason={"en": decision.text.en, "ru": decision.text.ru},
                candidates=listed,
                state="open",
                created_at=self.source.now,
                signature=mark,
                thing=thing,
            )
        )
        agreed = tuple(dict.fromkeys(people.shown_keys(found)))
        return Verdict(card, "review", decision.text, person, agreed, question=True)

    def _title(self, found: Evidence) -> str:
        raws = [found.name.raw, *(c.raw for c in found.companies), *found.phones, *(m.value for m in found.mailboxes)]
        return next((r for r in raws if r), "")

    def _candidates(self, decision: Decision, card: str) -> list[dict[str, Any]]:
        uids = [uid for uid, _ in decision.candidates if uid != card]
        rows = self.tx.execute(sa.select(record.c.uid, record.c.title, record.c.kind).where(record.c.uid.in_(uids)))
        known = {r.uid: r for r in rows}
        return [
            {"uid": uid, "name": known[uid].title, "kind": known[uid].kind, "reason": {"en": why.en, "ru": why.ru}}
            for uid, why in decision.candidates
            if uid in known
        ]

    # -- cards of other systems ----------------------------------------------------------------------------------------

    def recognise(self, said: Said, kind: str) -> str | None:
        """The card that a system's own card goes to, where nothing speaks against it; nobody is made or asked about."""
        found = evidence.read(said, self.own)
        if found.ignored or found.empty():
            return None
        self._decide(found)  # holds what it leads to
        for index in (Index.of(self.tx), Folded.of(self.tx)):
            seen = people.look(found, index)
            if kind == "contact":
                person = people.decide(found, seen)
                uid, doubt = person.uid, person.question
            else:
                firm = firms.decide(found, seen, people.Person(), index)
                uid, doubt = firm.uid, firm.question
            if uid and not doubt:
                return home(index, uid)
        return None

    def whose(self, said: Said, at: datetime) -> str | None:
        """The card that this leads to without doubt; nothing is written and nobody is asked."""
        found = evidence.read({**said, "at": stamp(at)}, self.own)
        decision = self._decide(found)
        if decision.ignored or decision.question or decision.client == NEW:
            return None
        return self._home(decision.client)

    def introduce(self, uid: str, kind: str, said: Said, at: datetime) -> None:
        """What a system's own card says leads to its client from now on; a card that says nothing leads nowhere."""
        found = evidence.read(said, self.own)
        if found.ignored or (found.empty() and not found.name):
            return
        if not self.store.sqlite:
            self.store.lock_key(self.tx, f"card:{uid}")
        index = Index.of(self.tx)  # of this card alone, whatever it is merged with
        profile = index.profiles([uid]).get(uid) or Profile(uid, "company" if kind == "company" else "person")
        before = profile.dump(), set(profile.leads())
        fresh = observed.with_card(profile, found)
        if fresh.dump() != before[0] or not before[1]:
            index.save(fresh, [k for k in fresh.leads() if k not in before[1]])
        observed.store(self.tx, uid, fresh, found, said_by(self.source), at, said, self.own.country)

    # -- shared --------------------------------------------------------------------------------------------------------

    def _make(self, kind: str) -> str:
        uid, now = new_uid(), self.source.now
        self.tx.execute(
            record.insert().values(
                uid=uid,
                kind=KINDS[kind],
                data={},
                held=True if self._held == kind else None,
                created_at=now,
                updated_at=now,
            )
        )
        return uid

    def _observe(self, uids: Iterable[str | None], found: Evidence, said: Said, at: datetime) -> None:
        for uid in sorted(u for u in uids if u):
            profile = next(iter(self.index.profiles([uid]).values()))
            observed.store(self.tx, uid, profile, found, said_by(self.source), at, said, self.own.country)
            order, country = self.source.order, self.own.country
            golden.refresh(self.tx, uid, order, self.source.now, self._note, country=country)

    def _note(self, uid: str, kind: str, why: str, changes: Mapping[str, Any]) -> None:
        self.tx.execute(
            journal.insert().values(
                at=self.source.now,
                run_id=self.source.run_id,
                inbox_id=self.source.inbox_id,
                record_uid=uid,
                kind=kind,
                connection=self.source.name,
                why=why,
                who=self.source.name,
                changes=dict(changes),
            )
        )


def follow(tx: Connection, thing: str, verdict: Verdict, source: str, now: datetime, at: datetime) -> None:
    """An event of a deal or lead belongs to whom that belongs; it says nothing of its own."""
    tx.execute(
        belongs.insert().values(
            thing=thing,
            what="activity",
            card=verdict.client,
            person=verdict.person,
            rule=verdict.rule,
            evidence=verdict.evidence(),
            source=source,
            who="hub",
            at=now,
            seen_at=at,
        )
    )


def by_cards_or_clients(found: Evidence, cards: Index, clients: Folded) -> tuple[Decision, Index]:
    """The decision, and the view that it was made with: the cards as they are by themselves, so that a merge that is taken
    back leaves no trace; where that is a question, or somebody new, the clients that the cards are together."""
    decision = decide(found, cards)
    if not (decision.question or NEW in (decision.client, decision.person)):
        return decision, cards
    if not clients.merged([*decision.seen.persons, *decision.seen.companies, *(u for u, _ in decision.candidates)]):
        return decision, cards
    together = decide(found, clients)
    if together.question or NEW in (together.client, together.person):
        return decision, cards
    return together, clients


def home(index: Index, uid: str | None) -> str | None:
    """The card of a client that an event was led to."""
    return index.home(uid) if uid and isinstance(index, Folded) else uid


def agreed_keys(
    found: Evidence, decision: Decision, index: Index, client: str | None, person: str | None
) -> tuple[tuple[str, str], ...]:
    """The keys that led to the answer; of somebody new those by which he is known from now on."""
    seen = {home(index, uid): h.profile for uid, h in {**decision.seen.persons, **decision.seen.companies}.items()}
    theirs = {key for uid in (client, person) if uid in seen for key in seen[uid].leads()}
    shown = list(dict.fromkeys(people.shown_keys(found)))
    made = NEW in (decision.client, decision.person)
    return tuple(k for k in shown if k in theirs) or (tuple(shown) if made else ())


def said_by(source: Source) -> tuple[str, str]:
    return source.name, source.record


def signature(found: Evidence) -> str:
    """Of a question: the keys and names that were shown."""
    shown = sorted(
        {*(f"{k}={v}" for k, v in people.shown_keys(found)), *found.name.words, *(c.key for c in found.companies)}
    )
    return hashlib.blake2b("\n".join(shown).encode(), digest_size=16).hexdigest()


def _names(found: Evidence) -> set[str]:
    """What an event is known by, as names to hold."""
    named = [f"company={c.key}" for c in found.companies[:2]] + ([f"name={found.name.key}"] if found.name.key else [])
    return {*(f"{kind}={value}" for kind, value in people.shown_keys(found)), *named}
