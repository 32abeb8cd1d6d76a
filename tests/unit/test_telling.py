"""What happened, in words that an accountant reads: sums, quantities, documents, letters, tasks, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from sync.flow.events import _call_within
from sync.hub import telling
from sync.web.words import Words


@pytest.mark.parametrize(
    ("changes", "ru", "en"),
    [
        ({"amount": ["0.00", "1046.40"]}, "сумма: 0,00 → 1\u00a0046,40", "sum: 0.00 → 1046.40"),
        ({"price": ["90.000000", "120.505000"]}, "цена: 90,00 → 120,505", "price: 90.00 → 120.505"),
        ({"stock": ["5.000", "2.500"]}, "остаток: 5 → 2,5", "stock: 5 → 2.5"),
        ({"vat_rate": [None, "20.00"]}, "ставка НДС: 20", "VAT rate: 20"),
        ({"amount": ["1.00", "чепуха"]}, "сумма: 1,00 → чепуха", "sum: 1.00 → чепуха"),
        ({"stage": ["new", "paid"]}, "этап: Новый → paid", "stage: Новый → paid"),
        (
            {
                "lines": [
                    [
                        {"sku": "A", "qty": "2.000", "sum": "1000.00", "tax": "16.00", "vat_included": False},
                        {"name": "Доставка", "qty": "1", "sum": "5"},
                    ],
                    [{"sku": "A", "qty": "5.000", "sum": "2500.00"}, {"name": "Доставка", "qty": "1", "sum": "5"}],
                ]
            },
            "состав: A: 2 на 1\u00a0016,00 → 5 на 2\u00a0500,00",
            "lines: A: 2 for 1016.00 → 5 for 2500.00",
        ),
        (
            {"lines": [[{"sku": "A", "qty": "1", "sum": "1"}], []]},
            "состав: A: 1 на 1,00 → —",
            "lines: A: 1 for 1.00 → —",
        ),
        (
            {"lines": [[{"name": "Скидка", "sum": "5"}], [{"name": "Скидка"}]]},
            "состав: Скидка: 5,00 → ?",
            "lines: Скидка: 5.00 → ?",
        ),
        ({"lines": [[{"sku": "A", "unit": "шт"}], [{"sku": "A"}]]}, "состав: [1] → [1]", "lines: [1] → [1]"),
        (
            {"payment 7": [None, {"number": "7", "amount": "10.00"}]},
            "оплата № 7 10,00",
            "payment № 7 10.00",
        ),
        (
            {"refund 7": [{"number": "7", "amount": "10.00"}, {"number": "7", "amount": "1200.00"}]},
            "возврат № 7 10,00 → 1\u00a0200,00",
            "refund № 7 10.00 → 1200.00",
        ),
    ],
)
def test_values_are_written_as_people_write_them(changes: dict[str, Any], ru: str, en: str) -> None:
    told = telling.change("observed", "", changes, {"new": "Новый"})
    assert told["ru"] == f"{ru} · изменилось там"
    assert told["en"] == f"{en} · changed there"


def test_an_event_says_what_it_is_once_and_leaves_no_gap() -> None:
    because = {"ru": "телефон совпал", "en": "the phone agrees"}
    assert telling.event("call", "out", None, because)["ru"] == "звонок → · телефон совпал"
    assert (
        telling.event("payment", "out", "Возврат № 65 10.00", because)["ru"] == "→ Возврат № 65 10.00 · телефон совпал"
    )
    assert telling.event("email", "in", "Привет", None)["en"] == "letter ← Привет"


@pytest.mark.parametrize(("minutes", "ru"), [(1, "1 минуты"), (11, "11 минут"), (15, "15 минут"), (21, "21 минуты")])
def test_a_task_speaks_russian(minutes: int, ru: str) -> None:
    assert _call_within(minutes)["ru"] == f"Позвонить в течение {ru}"


def test_work_is_named_in_words() -> None:
    assert Words("ru").work("scan order") == "опрос: order"
    assert Words("en").work("take") == "what arrived"
    assert Words("ru").work("plug-in's own") == "plug-in's own"
