"""What an answered event teaches: keys, names and employments; not what belongs to others or stands for somebody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync.identity import companies, names
from sync.identity.decide import Decision
from sync.identity.evidence import Evidence
from sync.identity.index import Index, Job, Profile
from sync.identity.people import NEW
from sync.model import keys

MOST_NAMES = 6  # spellings kept of one profile


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision with uids: those found, or those made now."""

    client: str | None
    person: str | None
    decision: Decision


def remember(decision: Decision, found: Evidence, index: Index, make: Callable[[str], str]) -> Answer:
    """Write down what the event teaches; `make(kind)` gives the uid of a new company or person."""
    if decision.ignored:
        return Answer(None, None, decision)
    person, client = decision.person, decision.client
    if decision.question and client != NEW:
        return Answer(client, person or None, decision)
    worker = _person(decision, found, index, make) if person is not None else None
    if decision.client_kind == "person":
        uid = worker.uid if worker else client
        return Answer(uid, worker.uid if worker else None, decision)
    company = _company(decision, found, index, make)
    if worker is not None:
        _work(worker.uid, company, decision, found, index)
    return Answer(company.uid, worker.uid if worker else None, decision)


def _person(decision: Decision, found: Evidence, index: Index, make: Callable[[str], str]) -> Profile:
    known = decision.seen.persons.get(decision.person or "")
    if decision.person == NEW:
        profile = Profile(make("person"), "person", held=decision.question)
    elif known is not None:
        profile = known.profile
    else:
        profile = index.profiles([str(decision.person)])[str(decision.person)]
        for job in index.jobs([profile.uid]):
            decision.seen.jobs.setdefault(job.person, []).append(job)
    fresh = profile.copy()
    fresh.agent = profile.agent or found.outsider
    common = {v for h in decision.seen.companies.values() for v in (*h.profile.emails, *h.profile.phones)}
    if not found.third_party:
        for box in found.mailboxes:
            if box.kind == "person" and box.value not in common:
                _add(fresh.emails, box.value)
        for phone in found.phones:
            private = keys.line_kind(phone) == "mobile" or decision.client_kind == "person"
            if private and phone not in common and not _somebody_elses(phone, profile, decision, found):
                _add(fresh.phones, phone)
    if found.name and len(fresh.names) < MOST_NAMES and _tells_more(found.name, profile):
        _add(fresh.names, found.name.raw)
    return _saved(fresh, profile, decision.person == NEW, index)


def _saved(fresh: Profile, before: Profile, new: bool, index: Index) -> Profile:
    """The profile as it is now, written down with the keys that it did not have, if anything is different."""
    if new:
        index.save(fresh)
    elif fresh != before:
        known = set(before.leads())
        index.save(fresh, [k for k in fresh.leads() if k not in known])
    return fresh


def _somebody_elses(phone: str, profile: Profile, decision: Decision, found: Evidence) -> bool:
    """One of two numbers given, which is another person's: the sender is known by the other one and does not need it."""
    others = [h for uid, h in decision.seen.persons.items() if uid != profile.uid and phone in h.profile.phones]
    return any(h.agreement.verdict == "other" for h in others) and any(
        p in profile.phones for p in found.phones if p != phone
    )


def _tells_more(name: names.Name, profile: Profile) -> bool:
    """A part that no known spelling has."""
    for own in profile.as_person:
        if set(name.words) <= set(own.words):
            return False
        if names.compare(name, own).verdict == "full" and len(own.words) >= len(name.words):
            return False
    return True


def _company(decision: Decision, found: Evidence, index: Index, make: Callable[[str], str]) -> Profile:
    if decision.client == NEW:
        profile = Profile(make("company"), "company", held=decision.question)
    else:
        known = decision.seen.companies.get(str(decision.client))
        profile = known.profile if known is not None else index.profiles([str(decision.client)])[str(decision.client)]
    fresh = profile.copy()
    if found.inns and not profile.inn:
        fresh.inn = found.inns[0]
    if found.ogrns and not profile.ogrn:
        fresh.ogrn = found.ogrns[0]
    if found.kpp and not profile.kpp and found.inns:
        fresh.kpp = found.kpp
    for company in found.companies[:1]:
        named = any(companies.compare(company, own) == "same" for own in profile.as_company)
        if not named and decision.rule != "job" and len(fresh.names) < MOST_NAMES:
            _add(fresh.names, company.raw)
    if not found.outsider and not decision.question:
        _learn_signs(fresh, found, decision)
    return _saved(fresh, profile, decision.client == NEW, index)


def _learn_signs(profile: Profile, found: Evidence, decision: Decision) -> None:
    """Domain, common mailboxes and office phones of a company; not what belongs to another one already."""
    taken = {uid for uid, h in decision.seen.companies.items() if h.kinds & {"domain", "email", "phone"}} - {
        profile.uid
    }
    for box in found.mailboxes:
        # Two firms named by writers of one domain share it: from then on the domain alone says nothing
        shared = (
            taken
            and decision.rule in ("inn", "ogrn", "new_company", "named")
            and box.kind == "person"
            and found.kind == "email"
        )
        if box.domain and (shared or not taken) and (decision.client == NEW or decision.moved or not profile.domains):
            _add(profile.domains, box.domain)
        if box.kind == "role" and not taken:
            _add(profile.emails, box.value)
    for phone in found.phones:
        if keys.line_kind(phone) != "mobile" and not taken:
            _add(profile.phones, phone)


def _work(person: str, company: Profile, decision: Decision, found: Evidence, index: Index) -> None:
    jobs = {j.company: j for j in decision.seen.jobs.get(person, ())}
    for job in jobs.values():
        if (
            job.company != company.uid
            and not job.until
            and (decision.moved or _answered(job.company, company, decision))
        ):
            index.employ(Job(person, job.company, job.since, found.at or "1"))
    if company.uid not in jobs or jobs[company.uid].until:
        index.employ(Job(person, company.uid, found.at, ""))


def _answered(held: str, company: Profile, decision: Decision) -> bool:
    """A question about the employer that stands open, and a company of that very name that the person now shows."""
    card = decision.seen.companies.get(held)
    return (
        card is not None
        and card.profile.held
        and not company.held
        and any(company.named(name) == "same" for name in card.profile.as_company)
    )


def _add(values: list[str], value: str) -> None:
    if value not in values:
        values.append(value)
