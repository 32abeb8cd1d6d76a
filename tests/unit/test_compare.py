"""When two values of a field mean the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.model.compare import same

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
        ("utm", {"source": "vk"}, {"source": "ya"}),
        ("title", "1", 1),
    ],
)
def test_not_the_same(field: str, a: Any, b: Any) -> None:
    assert not same(field, a, b)
    assert not same(field, b, a)
