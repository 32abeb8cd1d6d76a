"""De-duplicating whole client bases: cards that are one client, under vetoes and caps, each link with its reason.

Links are made pair by pair on evidence, best evidence first; two groups join only when no member of one contradicts a member
of the other. There is no closure over scores: what only resembles stays apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from rapidfuzz.distance import OSA

from sync.identity import companies, mailbox, names
from sync.identity.cards import Card
from sync.identity.people import _phone_slip
from sync.model import keys

MOST_BEHIND_KEY = 12  # cards that share one key: past that it is a public number, and links nobody
NAMELESS = 42  # strength of a link for which no name speaks
LARGEST = 25  # cards in one group: a larger one is a mass merge and waits for a person


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cards that are one client, and why. `strength` orders the work: surer pairs first."""

    a: int
    b: int
    strength: int
    rule: str


@dataclass
class Groups:
    """The outcome: group number per card, the links made, and those refused with the reason."""

    of: list[int]
    links: list[Pair] = field(default_factory=list)
    refused: list[tuple[Pair, str]] = field(default_factory=list)


def group(cards: Sequence[Card]) -> Groups:
    """Cards in groups of one client each."""
    found = Groups(list(range(len(cards))))
    members: dict[int, list[int]] = {i: [i] for i in range(len(cards))}
    pairs = sorted(_pairs(cards), key=lambda p: (-p.strength, p.a, p.b))
    _apply(cards, [p for p in pairs if p.strength > NAMELESS], members, found)
    _apply(cards, _unambiguous(cards, [p for p in pairs if p.strength <= NAMELESS], found), members, found)
    # Cards with a name and hardly anything else join a group only when they fit a single one
    places = _Places(cards, members.values())
    for _ in range(2):
        extra = _by_name(cards, members, found, places)
        if not extra:
            break
        _apply(cards, extra, members, found)
    return found


def _unambiguous(cards: Sequence[Card], pairs: Sequence[Pair], found: Groups) -> list[Pair]:
    """Links of cards that a key alone speaks for: not where the key belongs to several clients."""
    named: dict[int, set[int]] = defaultdict(set)  # groups of named cards that a nameless card may belong to
    for pair in pairs:
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            if cards[other].name or cards[other].company:
                named[one].add(found.of[other])

    def nameless(at: int) -> set[int]:
        return set() if cards[at].name or cards[at].company else named[at]

    kept = [p for p in pairs if len(nameless(p.a) | nameless(p.b)) <= 1]
    found.refused += [(p, "ambiguous") for p in set(pairs) - set(kept)]
    return kept


def _apply(cards: Sequence[Card], pairs: Iterable[Pair], members: dict[int, list[int]], found: Groups) -> None:
    for pair in pairs:
        left, right = found.of[pair.a], found.of[pair.b]
        if left == right:
            continue
        if len(members[left]) + len(members[right]) > LARGEST:
            found.refused.append((pair, "too_large"))
            continue
        if why := _contradiction(cards, members[left], members[right]):
            found.refused.append((pair, why))
            continue
        found.links.append(pair)
        for card in members[right]:
            found.of[card] = left
        members[left] += members.pop(right)


# -- pairs by keys ----------------------------------------------------------------------------------------------------------


def _pairs(cards: Sequence[Card]) -> list[Pair]:
    blocks: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for at, card in enumerate(cards):
        for key in _keys(card):
            blocks[card.kind, *key].append(at)
    seen: set[tuple[int, int]] = set()
    pairs = []
    for (kind, *_), holders in blocks.items():
        if len(holders) > MOST_BEHIND_KEY and _[0] not in ("name", "company"):
            continue
        if len(holders) > 200:
            continue
        judge = _companies if kind == "company" else _persons
        for a, b in combinations(holders, 2):
            if (a, b) not in seen:
                seen.add((a, b))
                if (pair := judge(cards[a], cards[b])) is not None:
                    pairs.append(Pair(a, b, *pair))
    return pairs


def _keys(card: Card) -> list[tuple[str, str]]:
    found = [("phone", p) for p in card.phones] + [("email", e) for e in card.emails]
    found += [("inn", card.inn)] if card.inn else []
    found += [("ogrn", card.ogrn)] if card.ogrn else []
    found += [(fact, card.facts[fact]) for fact in ("exact_id", "date", "address", "phone") if fact in card.facts]
    if card.kind == "person":
        found += [("name", card.name.key)] if card.name.key else []
        found += [("name", card.name.last)] if card.name.last and not card.name.given else []
    elif card.company:
        found.append(("company", card.company.owner.last or card.company.key))
    return found


def _persons(a: Card, b: Card) -> tuple[int, str] | None:
    """A shared address or mobile phone through the gate of the name; a slip in one of them only under the full name."""
    found = names.compare(a.name, b.name)
    verdict = _verdict(a, b)
    agreeing = sum(_same(a, b, fact) for fact in ("date", "postcode", "address"))
    if _same(a, b, "exact_id") and (verdict != "other" or found.kin or agreeing):
        return 85, "number"
    if verdict in ("other", "doubt"):
        return None
    email, phone = bool(a.emails & b.emails), bool(a.phones & b.phones)
    named = {"full": 3, "part": 2, "absent": 0}[verdict]
    if email and phone:
        return 90 + named, "both"
    if email and verdict != "absent":
        return 80 + named, "email"
    if phone and verdict != "absent":
        return 70 + named, "phone"
    if email or phone:
        return 40, "email" if email else "phone"
    if verdict == "absent" and _same(a, b, "date"):
        return 38, "facts"
    if verdict == "full" and _slips(a, b) and not _apart(a, b):
        return 60, "slip"
    if verdict == "full" and (
        _same(a, b, "date") or (_same(a, b, "address") and not _born_apart(a, b)) or _same(a, b, "phone")
    ):
        return 55, "facts"
    if verdict == "part" and (agreeing >= 2 or (_same(a, b, "date") and not _numbered_apart(a, b))):
        return 52, "facts"
    near = agreeing or _same(a, b, "text")
    if verdict == "full" and near and "date" in a.facts and "date" in b.facts and not _born_apart(a, b):
        return 51, "facts"
    if verdict == "full" and a.company and companies.compare(a.company, b.company) == "same" and not _apart(a, b):
        return 50, "employer"
    return None


def _verdict(a: Card, b: Card) -> str:
    """The names' verdict; beside the same birthday or address, names that are nearly alike are one («Jon», «John»)."""
    verdict = names.compare(a.name, b.name).verdict
    if verdict in ("other", "doubt") and (_same(a, b, "date") or a.emails & b.emails) and names.alike(a.name, b.name):
        return "part"
    return verdict


def _born_apart(a: Card, b: Card) -> bool:
    """Two birthdays that are no slip of one another."""
    one, other = a.facts.get("date", ""), b.facts.get("date", "")
    return bool(one and other) and sum(x != y for x, y in zip(one, other, strict=False)) > 2


def _numbered_apart(a: Card, b: Card) -> bool:
    """Two numbers of one register that are no slip of one another."""
    one, other = a.facts.get("exact_id", ""), b.facts.get("exact_id", "")
    return bool(one and other) and OSA.distance(one, other) > 2


def _slips(a: Card, b: Card) -> bool:
    return any(_phone_slip(x, y) for x in a.phones for y in b.phones) or any(
        mailbox.one_slip(x, y) for x in a.emails for y in b.emails
    )


def _apart(a: Card, b: Card) -> bool:
    """Both kinds of key are there on both sides, and none is shared or nearly so."""
    phones = (
        a.phones
        and b.phones
        and not a.phones & b.phones
        and not any(_phone_slip(x, y) for x in a.phones for y in b.phones)
    )
    emails = (
        a.emails
        and b.emails
        and not a.emails & b.emails
        and not any(mailbox.one_slip(x, y) for x in a.emails for y in b.emails)
    )
    return bool(phones and emails)


def _companies(a: Card, b: Card) -> tuple[int, str] | None:
    """A shared number of the register, or a shared mailbox or phone under a name that does not contradict."""
    if (a.inn and b.inn and a.inn != b.inn) or (a.ogrn and b.ogrn and a.ogrn != b.ogrn):
        return None
    if (a.inn and a.inn == b.inn) or (a.ogrn and a.ogrn == b.ogrn):
        return 95, "inn"
    verdict = companies.compare(a.company, b.company)
    shared = bool(a.emails & b.emails) + bool(a.phones & b.phones)
    if verdict == "same" and shared:
        return 80 + shared, "both" if shared == 2 else "mailbox" if a.emails & b.emails else "office"
    if shared and verdict == "absent":
        return 40 + shared, "mailbox" if a.emails & b.emails else "office"
    if shared == 2 and verdict == "like":
        return 45, "both"
    facts = sum(_same(a, b, fact) for fact in ("phone", "address", "exact_id"))
    if verdict == "same" and facts:
        return 60 + facts, "facts"
    if verdict == "like" and shared + facts > 1:
        return 42, "facts"
    return None


def _same(a: Card, b: Card, fact: str) -> bool:
    return fact in a.facts and a.facts[fact] == b.facts.get(fact)


# -- groups by name ---------------------------------------------------------------------------------------------------------


class _Places:
    """Where a group's cards are: the cities that they name, and those that their tax office or area code stands for.

    Which code stands for which city is read from the cards themselves: from those that show both.
    """

    def __init__(self, cards: Sequence[Card], groups: Iterable[list[int]]) -> None:
        self._cards = cards
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        for members in groups:
            cities = {cards[i].city for i in members if cards[i].city}
            if len(cities) == 1:
                for code in {c for i in members for c in self._codes(cards[i])}:
                    seen[code].update(cities)
        self._city = {
            code: city
            for code, found in seen.items()
            for city, n in found.most_common(1)
            if n >= 2 and n >= 0.8 * found.total()
        }

    @staticmethod
    def _codes(card: Card) -> list[str]:
        fixed = [f"tel{p[2:5]}" for p in card.phones if p.startswith("+7") and keys.line_kind(p) == "fixed"]
        return fixed + ([f"inn{card.inn[:2]}"] if card.inn else [])

    def of(self, members: Sequence[int]) -> set[str]:
        cards = [self._cards[i] for i in members]
        return {c.city for c in cards if c.city} | {
            self._city[k] for c in cards for k in self._codes(c) if k in self._city
        }


def _by_name(cards: Sequence[Card], members: dict[int, list[int]], found: Groups, places: _Places) -> list[Pair]:
    """Companies' groups of one name and one place, when there is only one way to put them together."""
    named: dict[str, set[int]] = defaultdict(set)
    for at, card in enumerate(cards):
        if card.kind == "company" and card.company:
            named[card.company.owner.last or card.company.key].add(found.of[at])
    shared = [groups for groups in named.values() if len(groups) > 1]
    against = {g: _verdicts(cards, members, sorted(g2), places) for g, g2 in enumerate(shared)}
    # In a base where names often repeat in other places, a card that shows no place is nobody's
    clashes = sum(any(v is False for v in verdicts.values()) for verdicts in against.values())
    sure = clashes * 50 > len(named)
    pairs = []
    for number, groups in enumerate(shared):
        if len(groups) <= 8:
            pairs += _only_way(sorted(groups), against[number], members, sure)
    return pairs


def _verdicts(
    cards: Sequence[Card], members: dict[int, list[int]], groups: list[int], places: _Places
) -> dict[tuple[int, int], bool | None]:
    """For each two groups of one name: True (one place), None (nothing against it), False (two companies)."""
    found: dict[tuple[int, int], bool | None] = {}
    for g, h in combinations(groups[:8], 2):
        left, right = [cards[i] for i in members[g]], [cards[i] for i in members[h]]
        ours, theirs = places.of(members[g]), places.of(members[h])
        if not _one_company(left, right) or (ours and theirs and not ours & theirs):
            found[g, h] = False
        else:
            found[g, h] = True if ours & theirs else None
    return found


def _only_way(
    groups: list[int], verdicts: dict[tuple[int, int], bool | None], members: dict[int, list[int]], sure: bool
) -> list[Pair]:
    def fits(g: int, h: int) -> bool:
        verdict = verdicts[min(g, h), max(g, h)]
        return bool(verdict) or (verdict is None and not sure)

    close = {g: {h for h in groups if h != g and fits(g, h)} for g in groups}
    # Every group that g fits must fit each of the others that g fits: else it is open whose g is
    settled = [g for g in groups if close[g] and all(close[h] | {h} == close[g] | {g} for h in close[g])]
    return [Pair(members[g][0], members[h][0], 20, "name") for g in settled for h in sorted(close[g]) if h > g]


def _one_company(left: list[Card], right: list[Card]) -> bool:
    """The same name and form, different sources, and no kind of key that both sides show differently."""
    if {c.source for c in left if c.source} & {c.source for c in right if c.source}:
        return False
    if any(companies.compare(a.company, b.company) != "same" for a in left for b in right):
        return False
    if (
        {c.inn for c in left if c.inn}
        and {c.inn for c in right if c.inn}
        and {c.inn for c in left} != {c.inn for c in right}
    ):
        return False
    return not (_differ(left, right, "phones") or _differ(left, right, "emails"))


def _differ(left: list[Card], right: list[Card], what: str) -> bool:
    ours = {v for c in left for v in getattr(c, what)}
    theirs = {v for c in right for v in getattr(c, what)}
    return bool(ours and theirs and not ours & theirs)


# -- vetoes -----------------------------------------------------------------------------------------------------------------


def _contradiction(cards: Sequence[Card], left: Sequence[int], right: Sequence[int]) -> str:
    for a in left:
        for b in right:
            one, other = cards[a], cards[b]
            if one.inn and other.inn and one.inn != other.inn:
                return "inn"
            if _same(one, other, "exact_id"):
                continue
            if one.kind == "person":
                if _verdict(one, other) in ("other", "doubt"):
                    return "name"
            elif companies.compare(one.company, other.company) == "other" and not (one.inn and one.inn == other.inn):
                return "name"
    return ""
