"""Who the person is: the holders of an event's e-mail and phones, through the gate of the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Hamming

from sync.errors import Text
from sync.identity import mailbox, names, words
from sync.identity.evidence import Evidence
from sync.identity.index import Index, Job, Profile
from sync.model import keys

CROWD = 6  # people behind one key: from there on it is a public number or address and says nothing
NEW = ""  # a person or client that is to be made


@dataclass(slots=True)
class Hit:
    """A profile that a key of the event leads to."""

    profile: Profile
    kinds: set[str] = field(default_factory=set)
    agreement: names.Agreement = names.ABSENT

    @property
    def fits(self) -> bool:
        return self.agreement.verdict in ("full", "part", "absent")


@dataclass(slots=True)
class Seen:
    """Everything that the event's keys lead to, fetched once."""

    persons: dict[str, Hit] = field(default_factory=dict)
    companies: dict[str, Hit] = field(default_factory=dict)
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    crowded: set[tuple[str, str]] = field(default_factory=set)

    def current(self, person: str) -> list[str]:
        return [j.company for j in self.jobs.get(person, ()) if not j.until]


@dataclass(slots=True)
class Person:
    """The answer: a uid, NEW, or None when no person is named. `question`: a person must decide between `candidates`."""

    uid: str | None = None
    rule: str = ""
    verdict: str = ""
    question: str = ""
    candidates: list[tuple[str, Text]] = field(default_factory=list)

    @property
    def text(self) -> Text | None:
        return words.linked(self.rule, self.verdict) if self.rule else None


def look(found: Evidence, index: Index) -> Seen:
    """One look-up per key; profiles and employments of whatever they lead to."""
    holders = index.holders(shown_keys(found))
    seen = Seen()
    kinds: dict[str, set[str]] = {}
    for key, uids in holders.items():
        if len(uids) > CROWD and key[0] in ("email", "phone"):
            seen.crowded.add(key)
            continue
        for uid in uids:
            kinds.setdefault(uid, set()).add(key[0])
    profiles = index.profiles(kinds)
    persons = [uid for uid, p in profiles.items() if p.kind == "person"]
    for job in index.jobs(persons):
        seen.jobs.setdefault(job.person, []).append(job)
    _kin(profiles, kinds, index)
    employers = index.profiles({j.company for jobs in seen.jobs.values() for j in jobs if j.company not in profiles})
    firms = {uid for uid, p in (*profiles.items(), *employers.items()) if p.kind == "company"}
    for person, jobs in seen.jobs.items():  # a base may name employers whom it does not hold, or who are people
        if any(job.company not in firms for job in jobs):
            seen.jobs[person] = [job for job in jobs if job.company in firms]
    for uid, profile in profiles.items():
        hit = Hit(profile, kinds[uid])
        if profile.kind == "person":
            hit.agreement = profile.agreement(found.name)
            seen.persons[uid] = hit
        else:
            seen.companies[uid] = hit
    for uid, profile in employers.items():
        seen.companies.setdefault(uid, Hit(profile))
    return seen


def _kin(profiles: dict[str, Profile], kinds: dict[str, set[str]], index: Index) -> None:
    """Firms that share the office phone of a domain's owner and have no domain of their own: a holding under one domain."""
    owners = [profiles[uid] for uid, of in kinds.items() if "domain" in of and uid in profiles]
    if not owners:
        return
    shared = index.holders([("phone", p) for o in owners for p in o.phones[:2]])
    uids = {uid for found in shared.values() for uid in found if len(found) <= CROWD} - {o.uid for o in owners}
    for uid, profile in index.profiles(uids).items():
        if profile.kind == "company" and not profile.domains and not profile.held:
            profiles.setdefault(uid, profile)
            kinds.setdefault(uid, set()).add("domain")


def shown_keys(found: Evidence) -> list[tuple[str, str]]:
    """(kind, canonical value) of everything that may lead to somebody."""
    wanted = [("inn", v) for v in found.inns[:3]] + [("ogrn", v) for v in found.ogrns[:2]]
    for box in found.mailboxes[:4]:
        wanted.append(("email", box.value))
        if box.meant:
            wanted.append(("email", box.meant))
        if box.domain:
            wanted.append(("domain", box.domain))
            if above := mailbox.parent_domain(box.domain):
                wanted.append(("domain", above))
    return wanted + [("phone", v) for v in found.phones[:4]]


def decide(found: Evidence, seen: Seen) -> Person:
    """Through the name gate: one fitting holder is the person, several or a doubtful one are a question."""
    hits = [h for h in seen.persons.values() if h.kinds & {"email", "phone"}]
    if found.third_party:
        # A relay's stand-ins lead anywhere: only a known holder of the full name is taken at his word
        hits = [h for h in hits if h.agreement.verdict == "full" and "phone" in h.kinds]
    hits = [h for h in hits if not _office_only(h, found, seen)]
    fitting = [h for h in hits if h.fits]
    if len(fitting) > 1:
        fitting = _narrow(fitting, found)
    if len(fitting) == 1:
        return _one(fitting[0], found)
    if fitting and _all_one(fitting, found, seen):
        return _one(_fullest(fitting, seen), found)
    if fitting:
        kind = (
            "two_clients"
            if {"email"} in (h.kinds for h in fitting) and {"phone"} in (h.kinds for h in fitting)
            else "two_persons"
        )
        return Person(question=kind, candidates=[(h.profile.uid, words.asked(kind)) for h in _ranked(fitting)])
    doubtful = [h for h in hits if h.agreement.verdict == "doubt"]
    if doubtful or any("email" in h.kinds for h in hits):
        return Person(question="name_differs", candidates=_differing(doubtful or hits, found))
    if hits and not (found.name.full or (found.name and found.kind != "call")):
        return Person(question="name_differs", candidates=_differing(hits, found))
    return Person(NEW, "new_person" if hits else "new") if worth(found, seen) else Person()


def worth(found: Evidence, seen: Seen) -> bool:
    """Whether the event shows a person at all: a personal mailbox or mobile phone that is not a company's common one."""
    common = {v for h in seen.companies.values() for v in (*h.profile.emails, *h.profile.phones)}
    boxes = [m for m in found.mailboxes if m.kind == "person" and m.value not in common]
    phones = [p for p in found.phones if keys.line_kind(p) == "mobile" and p not in common]
    if found.third_party:
        return bool(found.name)
    return bool(boxes or phones)


def _office_only(hit: Hit, found: Evidence, seen: Seen) -> bool:
    """A land line or a common mailbox that a company has too says nothing of the person, unless the name does."""
    if hit.agreement.verdict in ("full", "part"):
        return False
    shared = [h for h in seen.companies.values() if h.kinds & {"phone", "email"}]
    if not shared:
        return "email" not in hit.kinds and all(keys.line_kind(p) == "service" for p in found.phones)
    theirs = {v for h in shared for v in (*h.profile.phones, *h.profile.emails)}
    own = set(hit.profile.phones) | set(hit.profile.emails)
    return not ((own & {*found.phones, *(m.value for m in found.mailboxes)}) - theirs)


def _narrow(hits: list[Hit], found: Evidence) -> list[Hit]:
    """Of several fitting holders the one whom the name, or both keys together, single out."""
    waiting = [h for h in hits if h.profile.held]
    if waiting and len(waiting) < len(hits):
        # The holding card takes what raised its question (both keys at once); one key alone leads where it led before
        both = [h for h in waiting if {"email", "phone"} <= h.kinds]
        hits = both[:1] or [h for h in hits if not h.profile.held]
        if len(hits) == 1:
            return hits
    named = [h for h in hits if h.profile.names or h.profile.emails]
    if len(named) == 1 and all(h.kinds == {"phone"} for h in hits if h is not named[0]):
        # The others are nothing but this number: calls from before its holder was known
        sure = named[0].kinds == {"phone"} or named[0].agreement.verdict in ("full", "part")
        hits = named if sure else hits
    for test in (
        lambda h: h.agreement.verdict == "full",
        lambda h: h.agreement.verdict in ("full", "part"),
    ):
        if found.name and len(kept := [h for h in hits if test(h)]) == 1:
            # … unless the others bear no name and the address is theirs
            others = [h for h in hits if h is not kept[0]]
            if not any("email" in h.kinds and "email" not in kept[0].kinds for h in others):
                return kept
        elif found.name and kept:
            hits = kept
            break
    if len(kept := [h for h in hits if {"email", "phone"} <= h.kinds]) == 1:
        return kept
    if found.name and len(kept := [h for h in hits if _exact(h, found)]) == 1:
        return kept
    return hits


def _all_one(hits: list[Hit], found: Evidence, seen: Seen) -> bool:
    """Cards of one person: the same name on all, employers that do not differ, and keys that complete each other.

    The link goes to one of them; that the cards are one person stays a question of its own, and nothing is merged.
    """
    employers = {tuple(seen.current(h.profile.uid)) for h in hits} - {()}
    if len(employers) > 1 or any(not h.profile.as_person for h in hits):
        return False
    wanted = ("full", "part") if found.name and employers and any("email" in h.kinds for h in hits) else ("full",)
    for at, one in enumerate(hits):
        for other in hits[at + 1 :]:
            if not employers and any(_apart(a, b) for a, b in _pairs(one, other)):
                return False
            same = (
                names.compare(a, b).verdict in wanted for a in one.profile.as_person for b in other.profile.as_person
            )
            if not all(same):
                return False
    return True


def _pairs(one: Hit, other: Hit) -> tuple[tuple[list[str], list[str]], ...]:
    return (one.profile.phones, other.profile.phones), (one.profile.emails, other.profile.emails)


def _apart(a: list[str], b: list[str]) -> bool:
    if not a or not b or set(a) & set(b):
        return False
    return not any(_phone_slip(x, y) if x.startswith("+") else mailbox.one_slip(x, y) for x in a for y in b)


def _fullest(hits: list[Hit], seen: Seen) -> Hit:
    """The card to go on with: the one with the address, then with work, then with more keys, then the older."""
    return min(
        hits,
        key=lambda h: (
            "email" not in h.kinds,
            not seen.current(h.profile.uid),
            -len(h.profile.emails) - len(h.profile.phones),
            h.profile.uid,
        ),
    )


def _exact(hit: Hit, found: Evidence) -> bool:
    """The first name stands on the card as it is written in the event."""
    return bool(found.name.given) and any(n.given == found.name.given for n in hit.profile.as_person)


def _one(hit: Hit, found: Evidence) -> Person:
    kind = "both" if {"email", "phone"} <= hit.kinds else "email" if "email" in hit.kinds else "phone"
    if kind == "phone" and found.kind == "email":
        kind = "signature"
    return Person(hit.profile.uid, kind, hit.agreement.verdict)


def _ranked(hits: Sequence[Hit]) -> list[Hit]:
    order = {"full": 0, "part": 1, "absent": 2, "doubt": 3, "other": 4}
    return sorted(hits, key=lambda h: (order[h.agreement.verdict], -len(h.kinds), h.profile.uid))


def _differing(hits: Sequence[Hit], found: Evidence) -> list[tuple[str, Text]]:
    return [
        (h.profile.uid, words.asked("name_differs", found.name.raw, (h.profile.names or [""])[0]))
        for h in _ranked(hits)[:5]
    ]


def of_staff(found: Evidence, company: str, index: Index) -> Person:
    """A person named at a known company without a key of his own: the only one of that full name there, else a new one."""
    if not found.name.full:
        return Person()
    staff = index.profiles(index.staff(company))
    same = [p for p in staff.values() if p.agreement(found.name).verdict == "full" and not _other_address(p, found)]
    if len(same) == 1:
        return Person(same[0].uid, "staff", "full")
    return Person(NEW, "new") if not same else Person()


def _other_address(profile: Profile, found: Evidence) -> bool:
    """Namesakes in one firm have different addresses in its domain."""
    theirs = {e.rpartition("@")[2]: e for e in profile.emails}
    return any(m.domain in theirs and theirs[m.domain] != m.value for m in found.mailboxes if m.kind == "person")


def nearly(found: Evidence, index: Index) -> list[Profile]:
    """Known people of the same full name whose phone or address is one slip from the event's: for the review queue only."""
    if not found.name.key or found.third_party:
        return []
    uids = index.holders([("name", found.name.key)])[("name", found.name.key)]
    kept = []
    # A slip leaves one half of a number or address as it was: most namesakes need not be read
    halves = [half for p in found.phones for half in (p[: len(p) // 2], p[len(p) // 2 + 1 :])]
    for box in found.mailboxes:
        middle = len(box.local) // 2
        halves += [box.value[:middle], box.value[middle + 1 : len(box.local) + 1]]
    for profile in index.profiles(uids, halves).values():
        phones = any(_phone_slip(p, q) for p in found.phones for q in profile.phones)
        emails = any(mailbox.one_slip(m.value, e) for m in found.mailboxes for e in profile.emails)
        if (phones or emails) and profile.agreement(found.name).verdict == "full":
            kept.append(profile)
    return kept


def _phone_slip(a: str, b: str) -> bool:
    if len(a) != len(b) or a == b or Hamming.distance(a, b, score_cutoff=2) > 2:
        return False
    wrong = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and a[wrong[0]] == b[wrong[1]] and a[wrong[1]] == b[wrong[0]]
    return len(wrong) == 1 or swapped
