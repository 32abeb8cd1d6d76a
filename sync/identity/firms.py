"""Which client an event belongs to: a company by its numbers, name, mailbox, office phone, domain or by the person's work;
otherwise the private person himself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.errors import Text
from sync.identity import companies, words
from sync.identity.evidence import Evidence
from sync.identity.index import Index, Profile
from sync.identity.people import NEW, Hit, Person, Seen
from sync.model import keys


@dataclass(slots=True)
class Client:
    """`uid` None with no question: the client is the person. `kind` of a NEW one: company or person."""

    uid: str | None = None
    rule: str = ""
    question: str = ""
    candidates: list[tuple[str, Text]] = field(default_factory=list)
    kind: str = "company"
    moved: bool = False  # the person works there now and nowhere else any more

    @property
    def text(self) -> Text:
        return words.linked(self.rule) if self.rule else words.asked(self.question or "two_companies")


def decide(found: Evidence, seen: Seen, person: Person, index: Index) -> Client:
    """The rules in order: numbers of the company, then its name, then mailbox, office phone, domain and work."""
    case = _Case(found, seen, person, index)
    if found.third_party:
        return case.private()
    if found.inns or found.ogrns:
        client = case.by_number()
    elif found.companies:
        client = case.by_name()
    else:
        client = case.by_signs()
    client.moved = case.moved_to(client)
    return client


@dataclass(slots=True)
class _Case:
    found: Evidence
    seen: Seen
    person: Person
    index: Index
    direct: list[str] = field(default_factory=list)  # the mailbox or office phone stands on the company's own card
    domain: list[str] = field(default_factory=list)
    work: list[str] = field(default_factory=list)
    former: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = self.seen.companies
        self.direct = [u for u, h in known.items() if h.kinds & {"email", "phone"}]
        self.domain = [u for u, h in known.items() if "domain" in h.kinds]
        if self.person.uid:
            self.work = self.seen.current(self.person.uid)
            self.former = [j.company for j in self.seen.jobs.get(self.person.uid, ()) if j.until]

    # -- numbers ------------------------------------------------------------------------------------------------------------

    def by_number(self) -> Client:
        hits = [u for u, h in self.seen.companies.items() if h.kinds & {"inn", "ogrn"}]
        rule = "inn" if self.found.inns else "ogrn"
        if len(hits) > 1:
            hits = self._narrow(hits)
        if len(hits) == 1:
            return Client(hits[0], rule)
        if hits:
            return self._question("two_companies", hits)
        return self._unknown_number()

    def _narrow(self, hits: list[str]) -> list[str]:
        """One INN on several cards (branches, duplicates): KPP, name, then what else points to one of them."""
        for kept in (
            [u for u in hits if self.found.kpp and self._profile(u).kpp == self.found.kpp],
            [u for u in hits if self._verdict(u) == "same"],
            [u for u in hits if u in self.direct],
            [u for u in hits if u in self.work],
            [u for u in hits if u in self.domain],
        ):
            if len(kept) == 1:
                return kept
            hits = kept or hits
        return hits

    def _unknown_number(self) -> Client:
        """The number is new: a company whose number was not known yet, or one that was not known at all."""
        near = [u for u in self._around() if self._number_free(u)]
        if not self.found.companies:
            if len(near) > 1:
                near = [u for u in near if u in self.work] or near
            if len(near) == 1:
                return Client(near[0], self._rule_of(near[0]))
            return self._question("two_companies", near) if near else self._new()
        same = [u for u in near if self._verdict(u) == "same"]
        if len(same) == 1:
            return Client(same[0], "named")
        if len(same) > 1:
            return self._question("two_companies", same)
        if unnamed := self._unnamed(near):
            return Client(unnamed, self._rule_of(unnamed))
        if near:  # renamed, or another firm of the same people
            return self._question("company_differs", [u for u in near if self._verdict(u) == "like"] or near)
        if elsewhere := [u for u in self._elsewhere(near) if self._number_free(u)]:
            return self._question("only_name", elsewhere)
        return self._new()

    def _unnamed(self, uids: list[str]) -> str:
        """The only one that the mailbox, office phone or domain points to, when its name was not known so far."""
        signs = [u for u in uids if u in self.direct or u in self.domain]
        return signs[0] if len(signs) == 1 and self._verdict(signs[0]) == "absent" else ""

    def _number_free(self, uid: str) -> bool:
        """A different INN is a veto."""
        own = self._profile(uid)
        return not (self.found.inns and own.inn) and not (
            self.found.ogrns and own.ogrn and own.ogrn not in self.found.ogrns
        )

    # -- names --------------------------------------------------------------------------------------------------------------

    def by_name(self) -> Client:
        pool = self._around() + [u for u in self.former if u not in self._around()]
        same = [u for u in pool if self._verdict(u) == "same"]
        if len(same) > 1:
            same = self._best(same)
        if len(same) == 1:
            return Client(same[0], "named")
        if same:
            return self._question("two_companies", same)
        if unnamed := self._unnamed(pool):
            return Client(unnamed, self._rule_of(unnamed))
        like = [u for u in pool if self._verdict(u) == "like"]
        if len(like) == 1 and self._like_enough(like[0]):
            return Client(like[0], self._rule_of(like[0]))
        elsewhere = self._elsewhere(pool)
        if len(elsewhere) == 1 and self._is_trader(elsewhere[0]):
            return Client(elsewhere[0], "trader")
        if pool or elsewhere:
            signs = [u for u in pool if u in self.direct or u in self.domain]
            if not signs and not elsewhere and not like:
                return self._changed_work()
            return self._question("company_differs" if pool else "only_name", [*like, *signs, *elsewhere, *pool])
        return self._new()

    def _changed_work(self) -> Client:
        """A known person names a company that nobody knew. From a domain of its own: a new employer; otherwise a question."""
        if self.found.domain and self.found.kind == "email" and self.person.uid:
            return self._new()
        return self._question("company_differs", self.work or self.former)

    def _like_enough(self, uid: str) -> bool:
        """One contains the other or is one letter off: enough in what people say on the phone, or for a slip."""
        own = self._profile(uid)
        if self.found.kind == "call" or any(c.owner for c in own.as_company):
            return True
        keys_ = [c.key for c in own.as_company]
        return all(abs(len(k) - len(g.key)) <= 1 for k in keys_ for g in self.found.companies[:1])

    def _elsewhere(self, pool: list[str]) -> list[str]:
        """Companies that agree by nothing but the name."""
        wanted = [("company", c.owner.last if c.owner.last else c.key) for c in self.found.companies[:2]]
        uids = [u for found in self.index.holders(wanted).values() for u in found if u not in pool]
        for uid, profile in self.index.profiles(uids).items():
            self.seen.companies.setdefault(uid, Hit(profile))
        return [u for u in uids if self._verdict(u) == "same" and not self._profile(u).held]

    def _is_trader(self, uid: str) -> bool:
        """The sole trader named is the person who writes, patronymic included: nobody else is meant."""
        name = self.found.name
        return bool(name.full and name.patronymic) and any(
            c.owner.patronymic and companies.owned_by(c, name) for c in self._profile(uid).as_company
        )

    # -- signs --------------------------------------------------------------------------------------------------------------

    def by_signs(self) -> Client:
        if self.direct:
            return self._by_card()
        if self.domain:
            return self._by_domain()
        if self.work:
            held = [u for u in self.work if self._profile(u).held]
            if len(self.work) > 1 and len(held) == 1 and not self._agent():
                return Client(held[0], "held")  # a question about his employer is open: what follows waits with it
            if (len(self.work) > 1 or self._agent()) and (said := self._said(self.work)):
                return Client(said, "named")
            if len(self.work) > 1 or self._agent():
                return self._question("two_jobs", self.work)
            if self._strange_domain():
                return self._question("company_differs", self.work)
            return Client(self.work[0], "job")
        if self.person.question:
            return Client(question=self.person.question)
        if not self.person.uid and self.person.uid is not None and self.found.domain:
            return self._new()
        return self.private()

    def _by_card(self) -> Client:
        kept = self.direct
        for narrower in (self.work, self.domain):
            if len(kept) > 1:
                kept = [u for u in kept if u in narrower] or kept
        if len(kept) > 1 and (said := self._said(kept)):
            kept = [said]
        if len(kept) == 1:
            return Client(kept[0], "mailbox" if "email" in self.seen.companies[kept[0]].kinds else "office")
        return self._question("two_companies", kept)

    def _by_domain(self) -> Client:
        both = [u for u in self.domain if u in self.work]
        if len(both) == 1:
            return Client(both[0], "domain")
        if not both and len(self.work) == 1 and self._long_known():
            return Client(self.work[0], "job")  # he had this address while he worked there: two firms on one domain
        if not both and len(self.domain) == 1:
            if self._borrowed(self.domain[0]):
                return self._question("other_domain", self.domain)
            return Client(self.domain[0], "moved" if self.work else "domain")
        if not both and len(self.work) == 1 and self._profile(self.work[0]).held:
            return Client(self.work[0], "job")
        if said := self._said(both or self.domain):
            return Client(said, "named")
        return self._question("two_jobs" if both else "two_companies", both or self.domain)

    def _borrowed(self, uid: str) -> bool:
        """The card names the domain as its site only and the domain is called otherwise: a holding's, perhaps, whose other
        firms write from it too."""
        own, domain = self._profile(uid), self.found.domain
        if domain not in own.domains or any(e.endswith("@" + domain) for e in own.emails):
            return False
        return bool(own.as_company) and not any(companies.resembles(c, domain) for c in own.as_company)

    def _said(self, uids: Iterable[str]) -> str:
        """The only one of these companies whose name stands in the text; of «Ромашка» and «Ромашка Снаб» the longer."""
        text = companies.words(self.found.text)
        found: dict[str, int] = {}
        for uid in uids:
            for company in self._profile(uid).as_company:
                if len(company.key) >= 4 and f" {' '.join(company.words)} " in text:
                    found[uid] = max(found.get(uid, 0), len(company.key))
        best = [uid for uid, length in found.items() if length == max(found.values())]
        return best[0] if len(best) == 1 else ""

    def _agent(self) -> bool:
        hit = self.seen.persons.get(self.person.uid or "")
        return hit is not None and hit.profile.agent and self.found.kind == "email"

    def _long_known(self) -> bool:
        """The personal mailbox of this event was the person's before."""
        hit = self.seen.persons.get(self.person.uid or "")
        return hit is not None and any(m.domain and m.value in hit.profile.emails for m in self.found.mailboxes)

    def _strange_domain(self) -> bool:
        """A domain that the employer is not known by, although it has one: another employer, perhaps."""
        domain = self.found.domain
        if not domain or self.found.kind != "email":
            return False
        own = {d for u in self.work for d in self._profile(u).domains}
        return bool(own) and domain not in own and not self._long_known()

    def private(self) -> Client:
        if self.person.question:
            return Client(question=self.person.question)
        if self.person.uid is None:
            office = (
                any(keys.line_kind(p) != "mobile" for p in self.found.phones)
                or self.found.mailboxes
                or self.found.phones
            )
            return Client(NEW, "new_company") if office else Client()
        return Client(None, "self" if self.person.uid else "new", kind="person")

    def moved_to(self, client: Client) -> bool:
        """Whether the person works there now and no longer where he did: he has a personal mailbox at that company."""
        if client.question or client.uid is None or not self.work or client.uid in self.work or self.found.outsider:
            return False
        personal = any(m.domain and m.kind == "person" for m in self.found.mailboxes) and not self._long_known()
        return personal and (client.uid in self.domain or (client.uid == NEW and not self.domain))

    # -- shared -------------------------------------------------------------------------------------------------------------

    def _new(self) -> Client:
        return Client(NEW, "new_company")

    def _around(self) -> list[str]:
        """Companies that anything but the number and name points to."""
        return list(dict.fromkeys([*self.direct, *self.domain, *self.work]))

    def _best(self, uids: list[str]) -> list[str]:
        points = {u: (u in self.direct) + (u in self.domain) + (u in self.work) for u in uids}
        return [u for u in uids if points[u] == max(points.values())]

    def _verdict(self, uid: str) -> str:
        order = ("other", "absent", "like", "same")
        verdicts = [self._profile(uid).named(c) for c in self.found.companies]
        return max(verdicts, key=order.index, default="absent")

    def _profile(self, uid: str) -> Profile:
        return self.seen.companies[uid].profile

    def _rule_of(self, uid: str) -> str:
        for rule, uids in (("mailbox", self.direct), ("domain", self.domain), ("job", self.work)):
            if uid in uids:
                return rule
        return "named"

    def _question(self, kind: str, uids: Iterable[str]) -> Client:
        named = self.found.companies[0].raw if self.found.companies else ""
        listed = []
        for uid in list(dict.fromkeys(uids))[:5]:
            theirs = (self._profile(uid).names or [""])[0]
            listed.append((uid, words.asked(kind, named, theirs) if kind == "company_differs" else words.asked(kind)))
        return Client(question=kind, candidates=listed)
