"""Which of the hub's clients are one client, each with the sentence that says why. Pure: no database, no clock.

The groups are those of sync/identity/batch.py, which groups files by the same rules. Here people's decisions stand above
them, branches of one firm stay apart, and a name alone joins nobody within one system, whatever else knows the card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sync.errors import Text
from sync.identity import batch, names, words
from sync.identity.cards import Card


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the hub knows him. Of a group the one with the smallest `rank` gives the name that stays."""

    card: Card  # its id is the card's uid
    rank: tuple[object, ...]
    title: str = ""
    kpp: str = ""
    systems: frozenset[str] = frozenset()  # that have a card of him


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clients, and what speaks for or against their being one."""

    a: Client
    b: Client
    text: Text


@dataclass(frozen=True, slots=True)
class Joined:
    """`gone` is the client `kept`; the evidence is what he has in common with `like`, one of the same group."""

    kept: Client
    gone: Client
    like: Client
    rule: str
    text: Text


@dataclass
class Found:
    groups: list[list[Joined]] = field(default_factory=list)
    apart: list[Pair] = field(default_factory=list)  # what was found alike and is left alone, with the reason


def find(clients: Sequence[Client], never: Iterable[tuple[str, str]]) -> Found:
    """Groups of one client each, those with most cards first. `never`: pairs of uids that people keep apart."""
    found = Found()
    grouped = batch.group([c.card for c in clients])
    for pair, why in grouped.refused:
        if why == "too_large":
            found.apart.append(Pair(clients[pair.a], clients[pair.b], words.left_apart(why)))
    near = _Groups(clients, never)
    for link in grouped.links:
        a, b = clients[link.a], clients[link.b]
        if why := near.against(link.a, link.b, link.rule):
            found.apart.append(Pair(a, b, words.left_apart(why)))
        else:
            near.join(link.a, link.b, link.rule)
    found.groups = sorted(near.groups(), key=lambda g: (-len(g), g[0].kept.rank))
    return found


class _Groups:
    """Clients that were joined so far, and by which links."""

    def __init__(self, clients: Sequence[Client], never: Iterable[tuple[str, str]]) -> None:
        self._clients = clients
        self._of = list(range(len(clients)))
        self._members = {i: [i] for i in range(len(clients))}
        self._links: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self._never: dict[str, set[str]] = defaultdict(set)
        for one, other in never:
            self._never[one].add(other)
            self._never[other].add(one)

    def against(self, a: int, b: int, rule: str) -> str:
        """Why these two groups do not become one; "" when nothing speaks against it."""
        ours, theirs = ([self._clients[i] for i in self._members[self._of[at]]] for at in (a, b))
        if any(self._never[one.card.id] & {other.card.id for other in theirs} for one in ours):
            return "never"
        if len({c.kpp for c in (*ours, *theirs) if c.kpp}) > 1:
            return "branch"
        alike = frozenset[str]().union(*(c.systems for c in ours)) & frozenset[str]().union(
            *(c.systems for c in theirs)
        )
        return "one_system" if rule == "name" and alike else ""

    def join(self, a: int, b: int, rule: str) -> None:
        self._links[a].append((b, rule))
        self._links[b].append((a, rule))
        into, gone = self._of[a], self._of[b]
        if into != gone:
            for at in self._members[gone]:
                self._of[at] = into
            self._members[into] += self._members.pop(gone)

    def groups(self) -> Iterator[list[Joined]]:
        """Each from the client who stays outwards: the evidence of a client is the link by which he is reached."""
        for members in self._members.values():
            if len(members) > 1:
                first = min(members, key=lambda at: self._clients[at].rank)
                yield list(self._outwards(first))

    def _outwards(self, first: int) -> Iterator[Joined]:
        kept, met, rest = self._clients[first], {first}, [first]
        while rest:
            at = rest.pop(0)
            for other, rule in sorted(self._links[at], key=lambda link: self._clients[link[0]].rank):
                if other not in met:
                    met.add(other)
                    rest.append(other)
                    like, gone = self._clients[at], self._clients[other]
                    yield Joined(kept, gone, like, rule, _why(like, gone, rule, like is not kept))


def _why(like: Client, gone: Client, rule: str, through: bool) -> Text:
    """One sentence; where the client was not compared with the one who stays, it says with whom."""
    verdict = names.compare(like.card.name, gone.card.name).verdict if gone.card.kind == "person" else ""
    text = words.together(rule, verdict)
    if not through:
        return text
    return Text(f"{text.en} (with {like.title})", f"{text.ru} (с карточкой «{like.title}»)")
