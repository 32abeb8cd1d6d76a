"""Sums of payments and shipments over the documents of all sides of a deal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal as D

import pytest

from sync.model.settled import paid_and_shipped, uncounted


@dataclass(frozen=True)
class P:
    kind: str
    amount: D | None
    connection: str = "books"
    currency: str | None = "RUB"
    posted: bool | None = True
    reversed: bool | None = None
    number: str = "1"


@pytest.mark.parametrize(
    ("papers", "paid", "shipped"),
    [
        ([], 0, 0),
        ([P("payment", D("60.05")), P("payment", D("40.05"))], "100.10", 0),
        ([P("payment", D(100)), P("refund", D(30)), P("refund", D(-5))], 65, 0),
        ([P("shipment", D(100)), P("return", D("0.01")), P("refund", D(9))], 0, "99.99"),
        ([P("payment", D(100), reversed=True), P("payment", D(7), posted=None)], 7, 0),
        ([P("payment", D(100), posted=False), P("refund", D(7))], 0, 0),
        ([P("payment", D(100)), P("payment", D(60), "exchange"), P("shipment", D(9), "exchange")], 100, 9),
        ([P("payment", D(100)), P("refund", D(30), "shop")], 100, 0),
        ([P("payment", D(100)), P("payment", D(50), currency="USD"), P("payment", D(1), currency=None)], 101, 0),
        ([P("payment", D(10)), P("refund", D(30))], -20, 0),
        ([P("payment", None), P("order", D(5)), P("invoice", D(5))], 0, 0),
    ],
)
def test_the_sums(papers: list[P], paid: object, shipped: object) -> None:
    assert paid_and_shipped(papers, "RUB") == (D(str(paid)), D(str(shipped)))


def test_what_nobody_can_count_is_named_and_nothing_else() -> None:
    named = [P("shipment", D(5), currency="USD"), P("refund", None), P("return", None)]
    fine = [P("payment", D(1)), P("payment", None), P("refund", D(1), currency=None), P("order", D(1), currency="USD")]
    gone = [P("payment", D(1), currency="USD", posted=False), P("refund", None, reversed=True)]
    assert uncounted([*fine, *named, *gone], "RUB") == named
    assert uncounted(named[:1], None) == [], "the deal says no currency"
