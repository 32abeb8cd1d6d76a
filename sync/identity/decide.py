"""One event, one decision: whose it is, by which rule, or what a person is to be asked. Pure given the index."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.errors import Text
from sync.identity import firms, people, words
from sync.identity.evidence import Evidence
from sync.identity.firms import Client
from sync.identity.index import Index
from sync.identity.people import NEW, Person, Seen


@dataclass(slots=True)
class Decision:
    """`client` and `person`: a uid, NEW ("") for one to be made, or None. With `question` nothing is linked automatically."""

    client: str | None = None
    person: str | None = None
    client_kind: str = "company"
    rule: str = ""
    text: Text = field(default_factory=lambda: Text("", ""))
    question: bool = False
    candidates: list[tuple[str, Text]] = field(default_factory=list)
    ignored: str = ""
    moved: bool = False
    seen: Seen = field(default_factory=Seen)


def decide(found: Evidence, index: Index) -> Decision:
    """The client and the person of one event."""
    if found.ignored:
        return Decision(ignored=found.ignored, rule="ignored", text=words.ignored(found.ignored))
    if found.empty() and not found.third_party:
        return Decision(ignored="nothing", rule="ignored", text=words.ignored("nothing"))
    seen = people.look(found, index)
    person = people.decide(found, seen)
    client = firms.decide(found, seen, person, index)
    if person.uid is None and not person.question and client.uid and not found.third_party:
        person = people.of_staff(found, client.uid, index)
    elif person.uid == NEW and client.uid and not client.question and not found.third_party:
        colleague = people.of_staff(found, client.uid, index)
        person = colleague if colleague.uid else person
    if person.question and not client.question:
        person, client = _without_person(person, client)
    elif person.question and (common := _common_client(person, seen)):
        client = Client(common, "job")
        person = Person()
    if person.uid == NEW and not client.question and client.uid in (None, NEW):
        near = people.nearly(found, index)
        if near:
            listed = [(u, words.asked("nearly")) for p in near[:3] for u in (_client_of(p.uid, seen, index), p.uid)]
            listed = list(dict.fromkeys(listed))
            text = words.asked("nearly")
            return Decision(NEW, NEW, "person", "review", text, question=True, candidates=listed, seen=seen)
    return _joined(person, client, seen)


def _without_person(person: Person, client: Client) -> tuple[Person, Client]:
    """The company is certain, which of its people writes is not: the event is the company's and nobody's in person."""
    if client.uid:
        return Person(), client
    return person, Client(question=person.question, candidates=[])


def _common_client(person: Person, seen: Seen) -> str | None:
    """All candidates work for one company and nowhere else; not when another name is given at somebody's own phone."""
    if person.question == "name_differs" and all(
        seen.persons[uid].agreement.verdict == "other" and "email" not in seen.persons[uid].kinds
        for uid, _ in person.candidates
    ):
        return None
    found = {tuple(seen.current(uid)) for uid, _ in person.candidates}
    only = next(iter(found)) if len(found) == 1 else ()
    return only[0] if len(only) == 1 else None


def _client_of(person: str, seen: Seen, index: Index) -> str:
    jobs = [j.company for j in index.jobs([person]) if not j.until] if person not in seen.jobs else seen.current(person)
    return jobs[0] if len(jobs) == 1 else person


def _joined(person: Person, client: Client, seen: Seen) -> Decision:
    if client.question or person.question:
        listed = list(client.candidates)
        for candidate, why in person.candidates:
            listed += [(c, why) for c in (*seen.current(candidate), candidate) if c not in {u for u, _ in listed}]
        text = client.text if client.question else words.asked(person.question)
        if person.uid and person.uid not in {u for u, _ in listed}:
            listed.append((person.uid, words.linked(person.rule, person.verdict)))
        if person.question == "two_clients" and not client.candidates:
            # Address of one card, phone of another: the sender's own holding card, so that he is asked about once
            return Decision(NEW, NEW, "person", "review", text, True, listed[:8], seen=seen)
        # Somebody unknown, or a company in doubt: a holding card, which takes the further events of the same sender
        held = (
            NEW
            if client.question in ("only_name", "company_differs", "two_companies", "other_domain")
            and not person.question
            else None
        )
        return Decision(held, person.uid, "company", "review", text, True, listed[:8], seen=seen)
    if client.uid is None and person.uid is None:
        return Decision(ignored="nothing", rule="ignored", text=words.ignored("nothing"), seen=seen)
    uid = client.uid if client.uid is not None else person.uid
    kind = "person" if client.uid is None else "company"
    rule = person.rule if client.uid is None else client.rule
    text = words.both(person.text, client.text) if client.rule != "self" or not person.text else person.text
    return Decision(uid, person.uid, kind, rule, text, moved=client.moved, seen=seen)
