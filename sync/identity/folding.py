"""The resolver's index with clients instead of cards: cards that were merged answer as one, under the client's name.

Nothing is written differently by a merge: profiles, keys and employments stay those of the cards. An event is asked about by
the cards first; only what is a question to them, or somebody new, is looked at so. What such an event teaches goes to its
*home*, the card that its strongest key led to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sync.identity.index import Index, Job, Profile, Run

_VALUES = ("names", "phones", "emails", "domains")
_FACTS = ("inn", "ogrn", "kpp", "agent", "held")


class Folded(Index):
    """One event's view; make a new one for each (`Folded.of(tx)`)."""

    def __init__(self, run: Run, mark: str = "?") -> None:
        super().__init__(run, mark)
        self._client: dict[str, str] = {}  # of each card met
        self._cards: dict[str, list[str]] = {}  # of each client met, the leading one first
        self._led: dict[str, dict[str, None]] = {}  # the cards of a client that something led to, the strongest first
        self._shown: dict[str, Profile] = {}

    def home(self, client: str) -> str:
        """The card of this client that the event belongs to."""
        return next(iter(self._led.get(client, ())), client)

    def merged(self, cards: Iterable[str]) -> bool:
        """Whether any of these cards is one client with another card."""
        wanted = list(cards)
        self._meet(wanted)
        return any(len(self._cards[client]) > 1 for client in self._clients(wanted))

    # -- reading ------------------------------------------------------------------------------------------------------------

    def holders(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        found = super().holders(wanted)
        self._meet(uid for uids in found.values() for uid in uids)
        for uids in found.values():
            self._lead(uids)
        return {key: self._clients(uids) for key, uids in found.items()}

    def profiles(self, uids: Iterable[str], holding: Sequence[str] = ()) -> dict[str, Profile]:
        wanted = list(uids)
        self._meet(wanted)
        clients = self._clients(wanted)
        raw = super().profiles(card for client in clients for card in self._cards[client])
        found = {}
        for client in clients:
            mine = [raw[card] for card in self._cards[client] if card in raw]
            if mine:
                found[client] = mine[0] if mine[0].uid == client and len(mine) == 1 else _together(client, mine)
                self._shown[client] = found[client].copy()
        return found

    def jobs(self, persons: Sequence[str]) -> list[Job]:
        self._meet(persons)
        raw = super().jobs([card for client in self._clients(persons) for card in self._cards[client]])
        self._meet(job.company for job in raw)
        found: dict[tuple[str, str], Job] = {}
        for job in raw:
            self._lead([job.company])
            one = Job(self._client[job.person], self._client[job.company], job.since, job.until)
            other = found.get((one.person, one.company))
            if other is not None:
                until = max(one.until, other.until) if one.until and other.until else ""
                one = replace(one, since=min(one.since, other.since), until=until)
            found[one.person, one.company] = one
        return list(found.values())

    def staff(self, company: str, limit: int = 60) -> list[str]:
        self._meet([company])
        raw = [
            person for card in self._cards[self._client[company]] for person in super(Folded, self).staff(card, limit)
        ]
        self._meet(raw)
        return self._clients(raw)

    # -- writing ------------------------------------------------------------------------------------------------------------

    def save(self, profile: Profile, added: Iterable[tuple[str, str]] | None = None) -> None:
        """Of a client with several cards only what is new in the profile is kept, on the event's home."""
        if len(self._cards.get(profile.uid, ())) < 2:
            super().save(profile, added)
            return
        home, shown = self.home(profile.uid), self._shown[profile.uid]
        card = super().profiles([home]).get(home) or Profile(home, profile.kind)
        before = set(card.leads())
        fresh = card.copy()
        for name in _VALUES:
            known, values = getattr(shown, name), getattr(fresh, name)
            values += [v for v in getattr(profile, name) if v not in known and v not in values]
        for name in _FACTS:
            if getattr(profile, name) != getattr(shown, name):
                setattr(fresh, name, getattr(profile, name))
        super().save(fresh, [key for key in fresh.leads() if key not in before])
        self._shown[profile.uid] = profile.copy()

    def employ(self, job: Job) -> None:
        """An end closes whichever of the cards' employments is open; a beginning is written on the homes."""
        self._meet([job.person, job.company])
        person, company = self._client[job.person], self._client[job.company]
        if job.until:
            held = [j for j in super().jobs(self._cards[person]) if j.company in self._cards[company] and not j.until]
            for one in held:
                super().employ(replace(one, until=job.until))
            if held:
                return
        super().employ(replace(job, person=self.home(person), company=self.home(company)))

    # -- cards and clients --------------------------------------------------------------------------------------------------

    def _meet(self, uids: Iterable[str]) -> None:
        """Learn whose cards these are, and what other cards those clients have."""
        new = [uid for uid in dict.fromkeys(uids) if uid not in self._client]
        if not new:
            return
        sql = self._sql("SELECT uid, merged_into FROM record WHERE uid IN (#) AND merged_into IS NOT NULL", len(new))
        moved = {row[0]: row[1] for row in self._run(sql, new)}
        clients = list(dict.fromkeys(moved.get(uid, uid) for uid in new))
        sql = self._sql("SELECT uid, merged_into FROM record WHERE merged_into IN (#) ORDER BY uid", len(clients))
        for client in clients:
            self._client[client] = client
            self._cards[client] = [client]
        for uid, client in self._run(sql, clients):
            self._client[uid] = client
            self._cards[client].append(uid)

    def _clients(self, uids: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._client[uid] for uid in uids))

    def _lead(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self._led.setdefault(self._client[uid], {}).setdefault(uid)


def _together(client: str, cards: Sequence[Profile]) -> Profile:
    """The cards' profiles as one; of a company and a person only what the leading card is."""
    mine = [p for p in cards if p.kind == cards[0].kind]
    found = cards[0].copy()
    found.uid = client
    for other in mine[1:]:
        for name in _VALUES:
            values = getattr(found, name)
            values += [v for v in getattr(other, name) if v not in values]
        found.inn, found.ogrn, found.kpp = found.inn or other.inn, found.ogrn or other.ogrn, found.kpp or other.kpp
        found.agent = found.agent or other.agent
    return found
