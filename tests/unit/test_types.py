"""Canonical values: money from text, aware times, clean text; and records that keep unknown apart from empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sync.model.records import KINDS, validate
from sync.model.types import decimal_of, iso, plain, text_of, utc


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("1 234,5", 2, "1234.50"),
        ("1\u00a0234.567", 2, "1234.57"),
        ("0.005", 2, "0.01"),
        ("-0.005", 2, "-0.01"),
        ("10", None, "10"),
        (7, 3, "7.000"),
        (Decimal("1.1"), 6, "1.100000"),
        ("9999999999999.99", 2, "9999999999999.99"),
    ],
)
def test_decimals(value: Any, places: int | None, expected: str) -> None:
    assert str(decimal_of(value, places)) == expected


@pytest.mark.parametrize("value", [1.5, True, "NaN", "inf", "1e13", "", "abc", None, [], "1.2.3", "12 руб"])
def test_what_is_no_decimal(value: Any) -> None:
    with pytest.raises(ValueError):
        decimal_of(value, 2)


@pytest.mark.parametrize(
    ("value", "text"), [("10.00", "10"), ("10.50", "10.5"), ("100", "100"), ("1E+2", "100"), ("0.000", "0")]
)
def test_plain(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(st.decimals(-(10**9), 10**9, places=2))
def test_money_survives_its_text(value: Decimal) -> None:
    assert decimal_of(str(decimal_of(value, 2)), 2) == value
    assert Decimal(plain(value)) == value


def test_times_are_aware_and_utc() -> None:
    moscow = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=3)))
    assert utc(moscow) == utc("2026-03-01T12:00:00+03:00") == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert iso(moscow) == "2026-03-01T09:00:00Z"
    for naive in ("2026-03-01T12:00:00", datetime(2026, 3, 1), None, 5):  # noqa: DTZ001
        with pytest.raises(ValueError):
            utc(naive)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  a  ", "a"),
        ("a\x00b\x07", "ab"),
        ("a\nb\tc", "a\nb\tc"),
        ("e\u0301", "é"),
        ("\ud800x", "x"),
        (5, "5"),
        (" \u200bx", "\u200bx"),
    ],
)
def test_texts(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_unknown_is_not_empty() -> None:
    assert validate("deal", {"number": " 1043 ", "comment": None}) == {"number": "1043", "comment": None}
    assert validate("product", {"price": "1.5"}) == {"price": Decimal("1.500000")}
    assert validate("lead", {}) == {}


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("deal", {"amount": 1.5}, "amount"),
        ("deal", {"colour": "red"}, "colour"),
        ("deal", {"lines": [{"name": "x"}]}, "key"),
        ("product", {"stock": "много"}, "stock"),
        ("deal", {"created_at": "2026-03-01"}, "created_at"),
        ("contact", {"phones": "text"}, "phones"),
    ],
)
def test_a_wrong_field_is_named(kind: str, fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate(kind, fields)
    assert wrong in caught.value.errors()[0]["loc"]


def test_every_kind_takes_nothing_or_says_what_it_needs() -> None:
    for kind in KINDS:
        if kind == "offer":
            continue
        assert validate(kind, {}) == {}
