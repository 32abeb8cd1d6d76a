"""What was paid and shipped of a deal, out of the documents behind it. Pure.

Payments less refunds, shipments less returns, of those that are posted and stand. Two connections that tell of one deal
(one base over two protocols) tell of the same money: the fullest of them counts, they are not added up. Only where it is said
that they show different bases (`base` of a connection) the bases' sums are added, and not even then if both show one and the
same document: that is one base. A side that shows refunds and no payments (a shop) says that money went back, and not how much
is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

ZERO = Decimal(0)
LESS = {"refund": "payment", "return": "shipment"}  # what takes back what


class Paper(Protocol):
    """A stored document; amounts in `currency`, None for the deal's own."""

    @property
    def connection(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def number(self) -> Any: ...
    @property
    def date(self) -> Any: ...
    @property
    def amount(self) -> Any: ...
    @property
    def currency(self) -> Any: ...
    @property
    def posted(self) -> Any: ...
    @property
    def reversed(self) -> Any: ...


def stands(paper: Paper) -> bool:
    return paper.posted is not False and not paper.reversed


def foreign(paper: Paper, currency: str | None) -> bool:
    """Whether its amount is money of another currency than the deal's: it is never added to the deal's sums."""
    return bool(paper.currency and currency and paper.currency != currency)


def uncounted(papers: Iterable[Paper], currency: str | None) -> list[Paper]:
    """Those that stand and of which nobody can tell what they are in the deal's sums: of another currency, or what came back
    of an order without saying how much."""
    return [
        one
        for one in papers
        if stands(one)
        and one.kind in (*LESS, *LESS.values())
        and (foreign(one, currency) or (one.amount is None and one.kind in LESS))
    ]


def paid_and_shipped(
    papers: Sequence[Paper], currency: str | None, bases: Mapping[str, str] | None = None
) -> tuple[Decimal, Decimal]:
    """The two sums, in the deal's currency. `bases`: connection → the word for the base that it shows, as far as that is
    said."""
    by_side: dict[str, list[Paper]] = defaultdict(list)
    for one in papers:
        if stands(one) and not foreign(one, currency):
            by_side[one.connection].append(one)
    groups = _groups(papers, {name: (bases or {}).get(name, "") for name in by_side})
    return _over(groups, by_side, "payment"), _over(groups, by_side, "shipment")


def ordered(papers: Sequence[Paper], bases: Mapping[str, str]) -> list[str]:
    """The connections whose orders together make up the deal: of each base the one that shows the fuller sum of orders. Empty
    unless different bases show some: then each connection tells of the whole."""
    by_side: dict[str, Decimal] = defaultdict(Decimal)
    for one in papers:
        if one.kind == "order" and not one.reversed:
            by_side[one.connection] += one.amount or ZERO
    fullest: dict[str, str] = {}
    for name, base in _groups(papers, {name: bases.get(name, "") for name in by_side}).items():
        if base not in fullest or by_side[name] > by_side[fullest[base]]:
            fullest[base] = name
    return list(fullest.values()) if len(fullest) > 1 else []


def _groups(papers: Iterable[Paper], bases: Mapping[str, str]) -> dict[str, str]:
    """Connection → its base, for those that say one. Bases of which two connections show one document are one base."""
    group = {name: base for name, base in bases.items() if base}
    seen: dict[tuple[Any, ...], str] = {}
    for one in papers:
        if one.connection in group and one.number and one.date:
            mine = group[one.connection]
            other = seen.setdefault((one.key, one.number, one.date), mine)
            if other != mine:
                group = {name: other if base == mine else base for name, base in group.items()}
                seen = {key: other if base == mine else base for key, base in seen.items()}
    return group


def _over(groups: Mapping[str, str], by_side: Mapping[str, Sequence[Paper]], kind: str) -> Decimal:
    """The fullest of each base, added up; a side of which nobody knows the base may show any of them, or all."""
    of_base: dict[str, list[Decimal]] = defaultdict(list)
    alone: list[Decimal] = []
    for name, papers in by_side.items():
        found = _sum(papers, kind)
        if found is not None:
            (of_base[groups[name]] if name in groups else alone).append(found)
    together = sum((max(sums) for sums in of_base.values()), ZERO)
    return max([*([together] if of_base else []), *alone], default=ZERO)


def _sum(papers: Sequence[Paper], kind: str) -> Decimal | None:
    if all(one.kind != kind for one in papers):
        return None
    back = next(less for less, what in LESS.items() if what == kind)
    return sum((_signed(one, back) for one in papers if one.kind in (kind, back)), ZERO)


def _signed(paper: Paper, back: str) -> Decimal:
    amount: Decimal = paper.amount or ZERO
    return -abs(amount) if paper.kind == back else amount
