"""Where a deal and its order in accounting disagree: every difference is named, and only what was said can differ."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from sync.hub.agreement import Books, Side, differences
from sync.identity.names import may_agree

D = Decimal
SALES = Side("1043", "Анна Тестова", None, D("100.10"), "RUB", stage="paid")
ORDER = Side("УТ-17", "Тестова Анна", None, D("100.10"), "RUB")


def found(sales: Side, books: Books) -> list[str]:
    return [d.kind for d in differences(sales, books, may_agree)]


def changed(side: Side, **values: Any) -> Side:
    from dataclasses import replace

    return replace(side, **values)


def test_what_agrees_is_no_difference() -> None:
    assert found(SALES, Books(ORDER, D("100.10"), D("100.10"), stage="paid")) == []


def test_unknown_is_no_difference() -> None:
    assert found(Side("1"), Books(Side())) == []
    assert found(changed(SALES, paid=None, shipped=None), Books(ORDER)) == []


@pytest.mark.parametrize(
    ("books", "kinds"),
    [
        (Books(None), ["missing"]),
        (Books(None, waiting=True), ["missing"]),
        (Books(None, wanted=False), []),
    ],
)
def test_an_order_that_is_not_there(books: Books, kinds: list[str]) -> None:
    assert found(SALES, books) == kinds


def test_the_sums_differ_by_a_kopeck() -> None:
    (one,) = differences(SALES, Books(changed(ORDER, amount=D("100.11"))), may_agree)
    assert one.kind == "sum"
    assert one.amount == D("0.01")
    assert "0.01" in one.text.ru
    assert "100.11" in one.text.en


def test_the_lines_behind_a_gap_are_named() -> None:
    ours = [{"sku": "БЛТ-8", "qty": D(2), "sum": D("50.00")}, {"sku": "ГК-8", "qty": D(1), "sum": D("50.10")}]
    theirs = [{"sku": "БЛТ-8", "qty": D(1), "sum": D("25.00")}, {"sku": "ГК-8", "qty": D(1), "sum": D("50.10")}]
    order = changed(ORDER, amount=D("75.10"), lines=theirs)
    (one,) = differences(changed(SALES, lines=ours), Books(order), may_agree)
    assert "БЛТ-8: 1 на 25.00 / 2 на 50.00" in one.text.ru
    assert "ГК-8" not in one.text.ru


def test_lines_of_one_article_count_together_whatever_their_order() -> None:
    ours = [
        {"sku": "A", "qty": D(1), "sum": D(5)},
        {"sku": "B", "qty": D(1), "sum": D(1)},
        {"sku": "A", "qty": D(1), "sum": D(5)},
    ]
    theirs = [{"sku": "B", "qty": D(1), "sum": D(1)}, {"sku": "A", "qty": D(2), "sum": D(10)}]
    (one,) = differences(changed(SALES, lines=ours), Books(changed(ORDER, amount=D(1), lines=theirs)), may_agree)
    assert "строки" not in one.text.ru


def test_another_composition_of_the_same_sum_is_named() -> None:
    ours = [{"key": "1", "sku": "A", "qty": D(2), "sum": D("100.10")}]
    theirs = [{"key": "1", "sku": "B", "qty": D(1), "sum": D("100.10")}]
    (one,) = differences(changed(SALES, lines=ours), Books(changed(ORDER, lines=theirs), D("100.10")), may_agree)
    assert one.kind == "lines"
    assert "A: — / 2 на 100.10; B: 1 на 100.10 / —" in one.text.ru


def test_the_same_composition_in_other_words_is_no_difference() -> None:
    ours = [
        {"key": "1", "kind": "goods", "sku": "A", "name": "Чай", "qty": D(2), "sum": D("50.00"), "tax": D("10.00"),
         "vat_included": False},
        {"key": "s", "kind": "shipping", "name": "Курьер", "qty": D(1), "sum": D("40.10")},
        {"key": "c", "kind": "discount", "name": "КУПОН", "sum": D("0.00")},
    ]  # fmt: skip
    theirs = [
        {"key": "1", "kind": "goods", "sku": "с", "name": "КУРЬЕР", "qty": D(1), "sum": D("40.10")},
        {
            "key": "2",
            "kind": "goods",
            "sku": "a",
            "name": "Чай 1С",
            "qty": D(2),
            "sum": D("60.00"),
            "vat_included": True,
        },
    ]
    assert found(changed(SALES, lines=ours), Books(changed(ORDER, lines=theirs), D("100.10"), stage="paid")) == []


def test_other_currencies_are_not_subtracted() -> None:
    (one,) = differences(SALES, Books(changed(ORDER, amount=D(1), currency="USD")), may_agree)
    assert one.amount is None
    assert "USD" in one.text.ru


@pytest.mark.parametrize(
    ("sales", "order", "differs"),
    [
        ({"inn": "7707083893"}, {"inn": "7707083893", "client": "Совсем другое имя"}, False),
        ({"inn": "7707083893"}, {"inn": "7736050003"}, True),
        ({}, {"client": "Борис Пробный"}, True),
        ({}, {"client": None}, False),
        ({"client": None}, {"client": "Борис Пробный"}, False),
    ],
)
def test_the_counterparty(sales: dict[str, Any], order: dict[str, Any], differs: bool) -> None:
    kinds = found(changed(SALES, **sales), Books(changed(ORDER, **order)))
    assert kinds == (["counterparty"] if differs else [])


def test_a_payment_that_accounting_has_not_posted() -> None:
    (one,) = differences(changed(SALES, paid=True), Books(ORDER, paid=D("60.05")), may_agree)
    assert (one.kind, one.amount) == ("payment", D("40.05"))


def test_an_overpayment_and_a_payment_that_the_deal_does_not_show() -> None:
    assert found(SALES, Books(ORDER, paid=D("100.11"))) == ["payment"]
    assert found(changed(SALES, paid=False), Books(ORDER, paid=D("100.10"))) == ["payment"]
    assert found(changed(SALES, paid=False), Books(ORDER, paid=D("50"))) == []


def test_shipped_before_it_was_paid_and_shipped_only_there() -> None:
    (one,) = differences(SALES, Books(ORDER, paid=D(1), shipped=D(3)), may_agree)
    assert (one.kind, one.amount) == ("shipment", D(2))
    assert found(changed(SALES, shipped=True), Books(ORDER, D(1), D(1))) == ["shipment"]


def test_payments_that_accounting_does_not_tell_are_not_called_missing() -> None:
    silent = Books(ORDER, paid=D("60.05"), shipped=D("100.10"), silent=frozenset({"payment"}))
    assert found(SALES, silent) == [], "nor is it shipped before it was paid"
    (one,) = differences(changed(SALES, paid=True), silent, may_agree)
    assert one.kind == "payment"
    assert ("60.05" in one.text.ru, "sverka check" in one.text.ru, "проведите" in one.text.ru) == (True, True, False)
    (one,) = differences(changed(SALES, shipped=True), Books(ORDER, silent=frozenset({"shipment"})), may_agree)
    assert one.kind == "shipment"
    over = Books(ORDER, paid=D("100.11"), silent=frozenset({"payment"}))
    assert found(SALES, over) == ["payment"], "what is known already is too much"


def test_the_stage_against_the_facts() -> None:
    (one,) = differences(SALES, Books(ORDER, stage="won", titles={"won": "Завершён", "paid": "Оплачен"}), may_agree)
    assert one.kind == "status"
    assert "Завершён" in one.text.ru
    assert "Оплачен" in one.text.ru


WON = changed(SALES, stage="won", claims=frozenset({"payment", "shipment"}))
TITLES = {"won": "Завершён", "lost": "Отменён", "paid": "Оплачен"}


def test_a_stage_that_means_paid_and_shipped_needs_the_documents() -> None:
    one, two = differences(WON, Books(ORDER, paid=D("60.05"), titles=TITLES), may_agree)
    assert (one.kind, one.amount, two.kind, two.amount) == ("payment", D("40.05"), "shipment", D("100.10"))
    assert one.text.ru == "этап сделки «Завершён», а оплаты в учёте 60.05 из 100.10"
    assert found(changed(SALES, stage="paid", claims=frozenset({"payment"})), Books(ORDER)) == ["payment"]
    assert found(WON, Books(ORDER, D("100.10"), D("100.10"), stage="won")) == []
    assert found(changed(WON, paid=True, shipped=True), Books(ORDER, D("100.10"))) == ["shipment"], "once each"


def test_a_stage_is_not_held_against_documents_that_nobody_can_count_or_see() -> None:
    paper = SimpleNamespace(kind="payment", number="7", amount=D(1), currency="USD")
    (one,) = differences(changed(WON, claims=frozenset({"payment"})), Books(ORDER, uncounted=[paper]), may_agree)
    assert "USD" in one.text.ru
    silent = Books(ORDER, silent=frozenset({"payment", "shipment"}))
    assert [d.text.ru.partition(" (")[0] for d in differences(WON, silent, may_agree)] == [
        "учёт сейчас не сообщает оплаты",
        "учёт сейчас не сообщает отгрузки",
    ]


@pytest.mark.parametrize(
    ("books", "kinds"),
    [
        (Books(ORDER, titles=TITLES), ["status"]),
        (Books(ORDER, cancelled=False), ["status"]),
        (Books(ORDER, cancelled=True, stage="lost"), []),
        (Books(ORDER, paid=D("100.10"), stage="paid", titles=TITLES), ["status"]),
        (Books(None), []),
        (Books(None, waiting=True), ["missing"]),
    ],
)
def test_a_lost_deal_whose_order_stands_in_accounting(books: Books, kinds: list[str]) -> None:
    assert found(changed(SALES, stage="lost", claims=frozenset({"lost"})), books) == kinds
