"""When two values of a field mean the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.model.compare import paired, row_changes, same

LINE = {"key": "1", "name": "Болт", "qty": Decimal("2.000"), "sum": Decimal("10")}


@pytest.mark.parametrize(
    ("field", "a", "b"),
    [
        ("comment", None, ""),
        ("tags", [], None),
        ("utm", {}, None),
        ("title", "a ", "a"),
        ("title", "e\u0301", "é"),
        ("amount", Decimal("10"), Decimal("10.00")),
        ("phones", ["8 916 123-45-67"], ["+79161234567"]),
        ("phones", ["+79161234567", "+74951234567"], ["+74951234567", "+79161234567"]),
        ("emails", ["Anna@Ya.ru"], ["anna@yandex.ru"]),
        ("tags", ["b", "a"], ["a", "b", "a"]),
        ("lines", [LINE, {"key": "2"}], [{"key": "2", "sku": None}, {**LINE, "qty": Decimal(2)}]),
        ("utm", {"source": "vk", "term": ""}, {"source": "vk"}),
        ("active", True, True),
        ("comment", "  ", None),
        ("lines", [{**LINE, "key": "a7", "product": "p"}], [{**LINE, "key": "1"}]),
        ("lines", [LINE, {**LINE, "key": "2", "qty": 3}], [{**LINE, "key": "2", "qty": 3}, LINE]),
        ("lines", [{"key": "1", "sku": "B", "name": "Bolt"}], [{"key": "9", "sku": "B", "name": "Bolt"}]),
    ],
)
def test_the_same(field: str, a: Any, b: Any) -> None:
    assert same(field, a, b)
    assert same(field, b, a)


@pytest.mark.parametrize(
    ("field", "a", "b"),
    [
        ("comment", "a", "b"),
        ("comment", "a", "A"),
        ("amount", Decimal("10.00"), Decimal("10.01")),
        ("amount", Decimal(0), None),
        ("paid", False, None),
        ("phones", ["+79161234567"], ["+79161234567", "+74951234567"]),
        ("lines", [LINE], [LINE, {**LINE, "key": "2"}]),
        ("lines", [LINE], [{**LINE, "sum": Decimal("10.01")}]),
        ("lines", [LINE], []),
        ("lines", [{"key": "1", "sku": "B"}], [{"key": "1", "sku": "N"}]),
        ("lines", [{"key": "1", "sku": "B", "kind": "goods"}], [{"key": "1", "sku": "B", "kind": "fee"}]),
        ("lines", [{"key": "1"}], [{"key": "2"}]),
        ("utm", {"source": "vk"}, {"source": "ya"}),
        ("title", "1", 1),
    ],
)
def test_not_the_same(field: str, a: Any, b: Any) -> None:
    assert not same(field, a, b)
    assert not same(field, b, a)


def test_differences_of_lines_are_told_row_by_row() -> None:
    bolt, nut = {"key": "1", "sku": "B", "qty": 1}, {"key": "2", "sku": "N", "qty": 2}
    washer = {"key": "3", "sku": "W", "qty": 3}
    there = [{**nut, "key": "a"}, {**bolt, "key": "b", "qty": 5}, washer]
    assert list(row_changes([bolt, nut], there)) == [("1", "qty", 1, 5), ("3", "", None, washer)]
    assert list(row_changes([bolt, nut], [bolt])) == [("2", "", nut, None)]


def test_rows_of_the_same_goods_belong_together_by_id_then_by_order() -> None:
    rows = [{"key": k, "sku": "B"} for k in "ab"]
    assert paired(rows, rows[::-1]) == [(0, 1), (1, 0)]
    assert paired(rows, [{"key": k, "sku": "B"} for k in "xy"]) == [(0, 0), (1, 1)]
    assert paired(rows, [{"key": "b", "sku": "N"}]) == [(1, 0), (0, None)]
