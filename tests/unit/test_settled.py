"""Sums of payments and shipments over the documents of all sides of a deal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal as D

import pytest

from sync.model.settled import ordered, paid_and_shipped, uncounted


@dataclass(frozen=True)
class P:
    kind: str
    amount: D | None
    connection: str = "books"
    currency: str | None = "RUB"
    posted: bool | None = True
    reversed: bool | None = None
    number: str | None = "1"
    key: str = "k"
    date: str | None = None


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


TWO = [P("payment", D(100), "trade"), P("payment", D(40))]
BASES = {"trade": "ut", "exchange": "ut", "books": "bp", "other": "bp2"}


@pytest.mark.parametrize(
    ("papers", "paid"),
    [
        (TWO, 140),
        ([P("payment", D(100), "trade"), P("payment", D(60), "exchange"), P("payment", D(40))], 140),
        ([P("payment", D(100), "trade"), P("payment", D(90), "unnamed"), P("payment", D(40))], 140),
        ([P("payment", D(100), "trade"), P("payment", D(150), "unnamed"), P("payment", D(40))], 150),
        ([P("payment", D(70), "unnamed"), P("payment", D(90), "unnamed too")], 90),
        ([P("payment", D(100), "trade"), P("refund", D(5)), P("shipment", D(9))], 100),
        ([P("payment", D(100), "trade", posted=False), P("payment", D(40))], 40),
        # one and the same order is shown by both: that is one base, whatever is said
        ([*TWO, P("order", D(9), "trade", date="d"), P("order", D(9), date="d")], 100),
        (
            [*TWO, P("payment", D(7), "other")]
            + [P("order", D(9), name, date="d") for name in ("trade", "books", "other")],
            100,
        ),
        # one number or one id alone proves nothing: the second base begins at 1, too
        ([*TWO, P("order", D(9), "trade", date="a"), P("order", D(9), date="b")], 140),
        ([*TWO, P("order", D(9), "trade", key="a", date="d"), P("order", D(9), key="b", date="d")], 140),
        ([P("payment", D(100), "trade", number=None), P("payment", D(40), number=None)], 140),
    ],
)  # fmt: skip
def test_different_bases_are_added_and_one_base_is_never_counted_twice(papers: list[P], paid: int) -> None:
    assert paid_and_shipped(papers, "RUB", BASES)[0] == paid
    assert paid_and_shipped(papers[::-1], "RUB", BASES)[0] == paid, "in whatever order they come"
    most = max((abs(one.amount or D(0)) for one in papers if one.kind == "payment" and one.posted), default=D(0))
    assert paid_and_shipped(papers, "RUB")[0] == most, "nobody says which base they are"


def test_what_nobody_can_count_is_named_and_nothing_else() -> None:
    named = [P("shipment", D(5), currency="USD"), P("refund", None), P("return", None)]
    fine = [P("payment", D(1)), P("payment", None), P("refund", D(1), currency=None), P("order", D(1), currency="USD")]
    gone = [P("payment", D(1), currency="USD", posted=False), P("refund", None, reversed=True)]
    assert uncounted([*fine, *named, *gone], "RUB") == named
    assert uncounted(named[:1], None) == [], "the deal says no currency"


def test_orders_of_different_bases_make_up_a_deal_the_fuller_of_each() -> None:
    split = [P("order", D(60), "trade", key="a"), P("order", D(40), "books", key="b")]
    less = P("order", D(30), "exchange", key="b")
    bases = {"trade": "t", "books": "b", "exchange": "b"}
    assert set(ordered([*split, less], bases)) == set(ordered([less, *split], bases)) == {"trade", "books"}
    assert ordered(split, {"trade": "t"}) == ordered(split, {}) == [], "nobody says that they differ"
    assert ordered([split[0], P("order", D(40), "books", key="b", reversed=True)], bases) == []
    one = [P("order", D(60), name, key="a", date="d") for name in ("trade", "books")]
    assert ordered(one, bases) == [], "both show one document: that is one base, whatever is said"
