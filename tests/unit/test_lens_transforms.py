"""Every transform both ways: what it reads, what it writes over an old value, what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.errors import RecordRefused
from sync.lens import apply_patch
from tests.unit.lens_help import deal, mapping

TABLES = """
[tables.stages]
pending = "new"
on-hold = "new"
142 = "won"
"" = "unsorted"
[tables.flags]
"Закрыт" = true
"*" = false
"""
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def field_of(wanted: Any) -> str:
    if isinstance(wanted, bool):
        return "paid"
    if isinstance(wanted, Decimal):
        return "amount"
    return "created_at" if isinstance(wanted, datetime) else "title"


@pytest.mark.parametrize(
    ("steps", "native", "read"),
    [
        ("text", " а ", "а"),
        ("text", 5, "5"),
        ("text", True, "true"),
        ("text", Decimal("1.50"), "1.5"),
        ("text | upper", "ёж", "ЁЖ"),
        ("lower", "ЁЖ", "ёж"),
        ("phone", " +7 (999) 000-00-00 ", "+7 (999) 000-00-00"),
        ("phone", 79990000000, "79990000000"),
        ("email", " A@Example.org ", "A@Example.org"),
        ("digits", "+7 (999) 000-00-00", "79990000000"),
        ("digits", "нет", None),
        ("strip_prefix(ИНН )", "ИНН 7700000000", "7700000000"),
        ("strip_prefix(ИНН)", "7700000000", "7700000000"),
        ("empty(0)", 0, None),
        ("empty(0)", "0", None),
        ("empty(0)", 10, "10"),
        ("empty('не указано')", "не указано", None),
        ("cut(3)", "длинно", "дли"),
        ("cut(3)", "аб в", "аб"),
        ("split(;) | last", "а; б ;", "б"),
        ("split('|') | first", "а|б", "а"),
        ("plain", "122.900", "122.9"),
        ("plain", 100, "100"),
        ("money", "1 234,505", Decimal("1234.51")),
        ("money", -5, Decimal("-5.00")),
        ("price | money", "0.005", Decimal("0.01")),
        ("abs", "-7.5", Decimal("7.50")),
        ("neg", "7.5", Decimal("-7.50")),
        ("int | plain", "12.00", "12"),
        ("decimal", "1e2", Decimal("100.00")),
        ("rate", "20", Decimal("20.00")),
        ("default(0) | money", None, Decimal("0.00")),
        ("bool", "Да", True),
        ("bool", "n", False),
        ("bool", 1, True),
        ("bool", Decimal("0"), False),
        ("not", "Y", False),
        ("lookup(stages)", "on-hold", "new"),
        ("lookup(stages)", 142, "won"),
        ("lookup(stages)", "", "unsorted"),
        ("lookup(flags)", "Закрыт", True),
        ("lookup(flags)", "что угодно", False),
        ("lookup(flags)", "", None),
        ("lower | lookup(stages)", "PENDING", "new"),
        ("utc", "2026-01-31T12:00:00", NOON),
        ("utc", "2026-01-31 15:00:00+03:00", NOON),
        ("utc", "31.01.2026 12:00", NOON),
        ("utc", "0001-01-01T00:00:00", None),
        ("utc", "0000-00-00 00:00:00", None),
        ("zone(Europe/Moscow)", "2026-01-31T15:00:00", NOON),
        ("zone(Europe/Moscow)", "2026-01-31 15:00", NOON),
        ("zone(Asia/Yekaterinburg)", "2026-01-31T12:00:00Z", NOON),
        ("date(UTC)", "2026-01-31", NOON.replace(hour=0)),
        ("date(Europe/Moscow)", "31.01.2026", datetime(2026, 1, 30, 21, 0, tzinfo=UTC)),
        ("epoch", 1769860800, NOON),
        ("epoch", "1769860800", NOON),
        ("epoch", 0, None),
    ],
)
def test_reading(tmp_path: Path, steps: str, native: Any, read: Any) -> None:
    name = field_of(read) if read is not None else "created_at" if "utc" in steps or "epoch" in steps else "title"
    name = "paid" if "flags" in steps else name
    found = deal(tmp_path, f'{name} = "x | {steps}"', TABLES).get({"x": native})
    assert (found.fields, found.problems) == ({name: read}, [])


def test_a_missing_value_stays_unknown_through_every_transform_but_default(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'stage = "x | lookup(stages)"\nsource = "y | text | default(сайт)"', TABLES)
    assert lens.get({}).fields == {"source": "сайт"}


def test_transforms_take_the_items_of_a_list_one_by_one(tmp_path: Path) -> None:
    lens = mapping(tmp_path, '[p]\nkind = "contact"\n[p.fields]\ntags = "x | strip_prefix(#) | upper"').lens("p")
    assert lens.get({"x": ["#а", "", None, "б", "#"]}).fields["tags"] == ["А", "Б"]


@pytest.mark.parametrize(
    ("steps", "native"),
    [
        ("lookup(stages)", "новый"),
        ("lookup(stages)", ["pending", "?"]),
        ("money", "много"),
        ("money", 1.5),
        ("int | money", "1.5"),
        ("bool", "может быть"),
        ("utc", "31 января"),
        ("utc", "32.01.2026 10:00"),
        ("utc", 20260131),
        ("utc", "9999-12-31T23:59:59-14:00"),
        ("date(Europe/Moscow)", "2026-01-31T10:00:00"),
        ("epoch", -5),
        ("epoch", 10**15),
        ("upper", {"x": 1}),
        ("abs", "x"),
    ],
)
def test_what_cannot_be_read_is_a_problem(tmp_path: Path, steps: str, native: Any) -> None:
    kinds = {
        "money": "amount",
        "abs": "amount",
        "bool": "paid",
        "utc": "created_at",
        "date": "created_at",
        "epoch": "created_at",
    }
    name = next((field for word, field in kinds.items() if word in steps), "title")
    found = deal(tmp_path, f'{name} = "x | {steps}"', TABLES).get({"x": native})
    assert found.fields == {}
    assert [(p.field, p.path) for p in found.problems] == [(name, "x")]


@pytest.mark.parametrize(
    ("steps", "old", "value", "written"),
    [
        ("", "было", "стало", "стало"),
        ("", 1043, "1044", 1044),  # the number stays a number
        ("", 1043, "007", "007"),
        ("", "1", None, ""),
        ("", 5, None, None),
        ("text", "a", "b", "b"),
        ("money", "100.00", Decimal("122.9"), "122.90"),
        ("money", 100, Decimal("122.90"), Decimal("122.90")),
        ("money", 100, Decimal("122.00"), 122),
        ("", "1", Decimal("5"), "5.00"),
        ("price", "1", Decimal("122.90"), "122.9"),
        ("qty", "1", Decimal("2.50"), "2.5"),
        ("decimal", "1", Decimal("2.50"), "2.50"),
        ("int", "1", Decimal("12.00"), "12"),
        ("int", 1, Decimal("12.00"), 12),
        ("neg", "-5", Decimal("7.00"), "-7.00"),
        ("abs", "-5", Decimal("7.00"), "-7.00"),
        ("abs", "5", Decimal("7.00"), "7.00"),
        ("bool", "Y", False, "N"),
        ("bool", "y", False, "n"),
        ("bool", "Да", False, "Нет"),
        ("bool", "0", True, "1"),
        ("bool", 0, True, 1),
        ("bool", "ложь", True, "истина"),
        ("bool", None, True, True),
        ("", "TRUE", False, "FALSE"),
        ("not", "Y", True, "N"),
        ("upper", "мало", "МНОГО", "МНОГО"),
        ("lookup(stages)", "142", "new", "pending"),  # the first word of the table
        ("lookup(stages)", 99, "won", 142),
        ("lookup(flags)", "?", True, "Закрыт"),
        ("lower | lookup(stages)", "PENDING", "won", "142"),
        ("strip_prefix(№)", "№5", "6", "№6"),
        ("strip_prefix(№)", "5", "6", "6"),
        ("strip_prefix(№)", "5", "№", "№№"),
        ("empty(0)", 0, "7", 7),
        ("digits", "8-9", "8", "8"),
        ("cut(5)", "длинный текст", "новый", "новый"),
        ("utc", "2026-01-01T00:00:00", NOON, "2026-01-31T12:00:00"),
        ("utc", "2026-01-01T00:00:00Z", NOON, "2026-01-31T12:00:00Z"),
        ("utc", "2026-01-01 00:00:00+03:00", NOON, "2026-01-31 15:00:00+03:00"),
        ("utc", "2026-01-01T00:00:00+0300", NOON, "2026-01-31T15:00:00+0300"),
        ("utc", "2026-01-01T00:00:00.000", NOON, "2026-01-31T12:00:00.000"),
        ("utc", None, NOON, "2026-01-31T12:00:00"),
        ("utc", "2026-01-01T00:00", NOON, "2026-01-31T12:00"),
        ("utc", "2026-01-01T00:00:00", NOON.replace(microsecond=5), "2026-01-31T12:00:00.000005"),
        ("zone(Europe/Moscow)", "2026-01-01 00:00:00", NOON, "2026-01-31 15:00:00"),
        ("zone(Europe/Moscow)", "01.01.2026 00:00", NOON, "31.01.2026 15:00"),
        ("zone(Europe/Moscow)", "01.01.2026", NOON, "31.01.2026 15:00:00"),
        ("date(UTC)", "2026-01-01", NOON.replace(hour=0), "2026-01-31"),
        ("date(UTC)", None, NOON.replace(hour=0), "2026-01-31"),
        ("epoch", 5, NOON, 1769860800),
        ("", "2026-01-01T00:00:00+03:00", NOON, "2026-01-31T15:00:00+03:00"),
        ("", None, NOON, "2026-01-31T12:00:00Z"),
        ("", "2026-01-01 00:00:00", NOON, "2026-01-31 12:00:00Z"),  # what stood there could not be read
        ("default(сайт)", "реклама", "почта", "почта"),
    ],
)
def test_writing_keeps_the_convention_of_the_old_value(
    tmp_path: Path, steps: str, old: Any, value: Any, written: Any
) -> None:
    name = field_of(value)
    source = f"x | {steps}" if steps else "x"
    lens = deal(tmp_path, f'{name} = "{source}"', TABLES)
    native = {"x": old, "y": 1}
    patch = lens.put({name: value}, native)
    assert patch == {"x": written}
    assert type(patch["x"]) is type(written)
    assert lens.get(apply_patch(native, patch)).fields[name] == value


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ("lookup(stages)", "lost"),
        ("lookup(stages)", None),
        ("upper", "мало"),
        ("digits", "8-900"),
        ("cut(3)", "длинно"),
        ("int", Decimal("1.50")),
        ("abs", Decimal("-1.00")),
        ("date(Europe/Moscow)", NOON),
        ("epoch", NOON.replace(microsecond=1)),
        ("zone(Europe/Moscow)", datetime(2010, 10, 30, 23, 30, tzinfo=UTC)),  # an hour that Moscow had twice
        ("default(сайт)", None),
        ("empty(0)", "0"),
        ("lookup(flags)", False),
    ],
)
def test_what_the_other_side_cannot_hold_is_refused_by_name(tmp_path: Path, steps: str, value: Any) -> None:
    name = "paid" if "flags" in steps else field_of(value)
    old = {"lookup(stages)": "142", "lookup(flags)": "Закрыт", "default(сайт)": "x"}.get(steps)
    lens = deal(tmp_path, f'{name} = "x | {steps}"', TABLES)
    with pytest.raises(RecordRefused) as refused:
        lens.put({name: value}, {"x": old})
    assert (refused.value.code, refused.value.field) == ("mapping.inexpressible", name)
    assert name in refused.value.text.ru
    assert refused.value.remedy is not None


@pytest.mark.parametrize(
    ("steps", "old", "value"),
    [
        ("digits", "8-9", "89"),
        ("upper", "ёж", "ЁЖ"),
        ("lookup(stages)", "on-hold", "new"),
        ("lookup(flags)", "что угодно", False),
        ("money", "1 234,505", Decimal("1234.51")),
        ("cut(3)", "длинно", "дли"),
        ("bool", "Истина", True),
        ("zone(Europe/Moscow)", "31.01.2026 15:00", NOON),
        ("utc", "2026-01-31T12:00:00.000000000", NOON),
        ("default(сайт)", "", "сайт"),
        ("empty(0)", 0, None),
        ("text", " край ", "край"),
    ],
)
def test_a_native_value_stays_while_its_image_is_the_wanted_one(
    tmp_path: Path, steps: str, old: Any, value: Any
) -> None:
    name = field_of(value)
    assert deal(tmp_path, f'{name} = "x | {steps}"', TABLES).put({name: value}, {"x": old}) == {}


@pytest.mark.parametrize("steps", ["first", "last", "join(,)"])
def test_transforms_without_a_way_back_make_a_field_read_only(tmp_path: Path, steps: str) -> None:
    lens = deal(tmp_path, f'title = "x | {steps}"')
    assert lens.two_way == frozenset()
    assert lens.put({"title": "новое"}, {"x": "старое"}) == {}
