"""What was paid and shipped of a deal, out of the documents behind it. Pure.

Payments less refunds, shipments less returns, of those that are posted and stand. Two connections that tell of one deal
(one base over two protocols) tell of the same money: the fullest of them counts, they are not added up. A
side that shows refunds and no payments (a shop) says that money went back, and not how much is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol

ZERO = Decimal(0)
LESS = {"refund": "payment", "return": "shipment"}  # what takes back what


class Paper(Protocol):
    """A stored document; amounts in `currency`, None for the deal's own."""

    @property
    def connection(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def number(self) -> Any: ...
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


def paid_and_shipped(papers: Iterable[Paper], currency: str | None) -> tuple[Decimal, Decimal]:
    """The two sums, in the deal's currency."""
    by_side: dict[str, list[Paper]] = defaultdict(list)
    for one in papers:
        if stands(one) and not foreign(one, currency):
            by_side[one.connection].append(one)
    sums = [(_sum(some, "payment"), _sum(some, "shipment")) for some in by_side.values()]
    paid, shipped = ([s[n] for s in sums if s[n] is not None] for n in (0, 1))
    return _fullest(paid), _fullest(shipped)


def _sum(papers: Sequence[Paper], kind: str) -> Decimal | None:
    if all(one.kind != kind for one in papers):
        return None
    back = next(less for less, what in LESS.items() if what == kind)
    return sum((_signed(one, back) for one in papers if one.kind in (kind, back)), ZERO)


def _signed(paper: Paper, back: str) -> Decimal:
    amount: Decimal = paper.amount or ZERO
    return -abs(amount) if paper.kind == back else amount


def _fullest(sums: Sequence[Decimal | None]) -> Decimal:
    return max((s for s in sums if s is not None), default=ZERO)
