"""Which cards are one client: merges as links between cards, taken back exactly. Pure: no database, no clock.

A card keeps everything that was ever linked to it; a merge only says that two cards are one client. Who the client is, and
what belongs to him, is computed from the links that stand. So taking a merge back leaves what was there before, whatever
happened in between, and in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sync.errors import NeedHuman, Text


@dataclass(frozen=True, slots=True)
class Merge:
    """`gone` and `kept` are one client; `kept` gives the name under which he is known."""

    id: str
    kept: str
    gone: str
    by: str = ""
    at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Belongs:
    """A record or an event, the card that it was linked to, and on what evidence."""

    thing: str
    card: str
    rule: str = ""
    evidence: tuple[str, ...] = ()
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """Everything that was decided. Every change gives a new state; the old one stays as it was."""

    things: Mapping[str, Belongs] = field(default_factory=dict)
    merges: Mapping[str, Merge] = field(default_factory=dict)
    never: frozenset[tuple[str, str]] = frozenset()  # pairs of cards, each in order, that people keep apart

    # -- what stands --------------------------------------------------------------------------------------------------------

    def cards_of(self, card: str) -> frozenset[str]:
        """All cards that are one client with this one."""
        found, rest = {card}, [card]
        near: dict[str, list[str]] = {}
        for merge in self.merges.values():
            near.setdefault(merge.kept, []).append(merge.gone)
            near.setdefault(merge.gone, []).append(merge.kept)
        while rest:
            for other in near.get(rest.pop(), ()):
                if other not in found:
                    found.add(other)
                    rest.append(other)
        return frozenset(found)

    def client_of(self, card: str) -> str:
        """The card by whose uid the client is known: the one that was kept, never one that went into another."""
        cards = self.cards_of(card)
        gone = {m.gone for m in self.merges.values() if m.gone in cards}
        return min(cards - gone or cards)

    def clients(self) -> dict[str, str]:
        """{thing: client}, computed anew."""
        return {thing: self.client_of(b.card) for thing, b in sorted(self.things.items())}

    def apart(self, a: str, b: str) -> tuple[str, str] | None:
        """The decision that keeps two clients apart, if there is one."""
        left, right = self.cards_of(a), self.cards_of(b)
        return next(
            (p for p in sorted(self.never) if (p[0] in left and p[1] in right) or (p[1] in left and p[0] in right)),
            None,
        )

    # -- changes ------------------------------------------------------------------------------------------------------------

    def link(self, belongs: Belongs) -> Links:
        """A record or event belongs to a card now; an earlier link of it is replaced."""
        return replace(self, things={**self.things, belongs.thing: belongs})

    def merge(self, merge: Merge) -> Links:
        """Two cards become one client. NeedHuman when people keep them apart, or they are one already."""
        if merge.id in self.merges:
            return self
        if merge.gone in self.cards_of(merge.kept):
            raise _refused(
                "identity.same",
                Text("The two cards are one client already.", "Эти две карточки уже один клиент."),
            )
        if self.apart(merge.kept, merge.gone):
            raise _refused(
                "identity.never",
                Text(
                    "People decided that these are different clients; take that decision back first.",
                    "Люди решили, что это разные клиенты; сначала отмените то решение.",
                ),
            )
        return replace(self, merges={**self.merges, merge.id: merge})

    def unmerge(self, merge_id: str) -> Links:
        """Exactly the state that would be there without this merge. An unknown or taken back merge changes nothing."""
        return replace(self, merges={k: m for k, m in self.merges.items() if k != merge_id})

    def keep_apart(self, a: str, b: str) -> Links:
        """«Never these two». NeedHuman when they are one client now: that merge has to be taken back first."""
        if b in self.cards_of(a):
            raise _refused(
                "identity.merged",
                Text(
                    "The two cards are one client now; take the merge back first.",
                    "Эти две карточки сейчас один клиент; сначала отмените объединение.",
                ),
            )
        return replace(self, never=self.never | {(min(a, b), max(a, b))})

    def allow(self, a: str, b: str) -> Links:
        """Take «never these two» back."""
        return replace(self, never=self.never - {(min(a, b), max(a, b))})

    def dump(self) -> bytes:
        """The state as bytes, equal for equal states however they came about."""
        data: dict[str, Any] = {
            "things": [[b.thing, b.card, b.rule, list(b.evidence), b.by, b.at] for _, b in sorted(self.things.items())],
            "merges": [[m.id, m.kept, m.gone, m.by, m.at, m.why] for _, m in sorted(self.merges.items())],
            "never": sorted(self.never),
            "clients": self.clients(),
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Value:
    """One source's value of a field."""

    source: str
    value: Any
    at: str = ""  # when it was last seen, sortable
    valid: bool = True


def golden(fields: Mapping[str, Iterable[Value]], order: Mapping[str, int]) -> dict[str, Any]:
    """The record to show: per field the valid values first, then the configured order of sources, then the newest.

    Nothing is written over the sources: the result is computed from them whenever it is asked for.
    """
    shown = {}
    for name, values in fields.items():
        kept = [v for v in values if v.value not in (None, "", [], {})]
        if kept:
            best = sorted(kept, key=lambda v: (not v.valid, order.get(v.source, len(order)), _later(v.at), v.source))
            shown[name] = best[0].value
    return shown


def _later(at: str) -> tuple[int, ...]:
    """Sorts newer first."""
    return tuple(-ord(c) for c in at)


def _refused(code: str, text: Text) -> NeedHuman:
    return NeedHuman(text, code=code)
