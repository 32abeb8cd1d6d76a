"""Reading: paths, expressions, rows, client and event; unknown, empty and hostile values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.lens import FieldProblem, Lens
from sync.lens.paths import Pick, parse_path
from tests.unit.lens_help import deal, mapping


def one(folder: Path, expression: str, native: dict[str, Any], field: str = "title") -> Any:
    """What the expression reads; "unknown" when the field takes no part."""
    found = deal(folder, f"{field} = {expression}").get(native)
    assert not found.problems, found.problems
    return found.fields.get(field, "unknown")


def problem(lens: Lens, native: dict[str, Any]) -> FieldProblem:
    found = lens.get(native)
    (only,) = found.problems
    return only


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("a", ("a",)),
        ("billing.phone", ("billing", "phone")),
        ("phones[0].value", ("phones", 0, "value")),
        ("a[0][1]", ("a", 0, 1)),
        ("meta[key=_inn].value", ("meta", Pick("key", "_inn"), "value")),
        ("requisites.Номер по 1С", ("requisites", "Номер по 1С")),
        (r"form.Кол\.во", ("form", "Кол.во")),
        ("utm[source]", ("utm[source]",)),
        (".", ()),
    ],
)
def test_paths(path: str, segments: tuple[Any, ...]) -> None:
    assert parse_path(path).segments == segments


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "a[0]b", "$."])
def test_no_paths(path: str) -> None:
    with pytest.raises(ValueError):
        parse_path(path)


@pytest.mark.parametrize(
    ("native", "read"),
    [
        ({}, "unknown"),
        ({"billing": None}, "unknown"),
        ({"billing": False}, "unknown"),
        ({"billing": {}}, "unknown"),
        ({"billing": {"city": None}}, None),
        ({"billing": {"city": ""}}, None),
        ({"billing": {"city": " \t"}}, None),
        ({"billing": {"city": []}}, None),  # PHP writes [] for an empty record
        ({"billing": {"city": " Тверь "}}, "Тверь"),
        ({"billing": {"city": 7}}, "7"),
        ({"billing": {"city": Decimal("7.50")}}, "7.5"),
    ],
)
def test_a_path_that_leads_nowhere_is_unknown_and_an_empty_value_is_empty(
    tmp_path: Path, native: dict[str, Any], read: Any
) -> None:
    assert one(tmp_path, '"billing.city"', native) == read


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("{ const = 'Заказ' }", "Заказ"),
        ("{ first = ['none', 'blank', 'b', 'a'] }", "Б"),
        ("{ first = ['none'] }", "unknown"),
        ("{ first = ['none', 'blank'] }", None),
        ("{ first = ['b | lower', 'a'], then = 'upper' }", "Б"),
        ("{ join = ['a', 'blank', 'none', 'b'] }", "А Б"),
        ("{ join = ['a', 'b'], sep = ', ' }", "А, Б"),
        ("{ join = ['none', 'none2'] }", "unknown"),
        ("{ join = ['none', 'blank'] }", None),
        ("{ join = [{ const = 'Заказ' }, 'n'] }", "Заказ 1043"),
        ("{ first = [{ join = ['blank', 'none'] }, { join = ['b', 'a'], sep = '' }] }", "БА"),
        ("'list | join(; )'", "x;y"),
        ("'list | first'", "x"),
        ("'list | last | upper'", "Y"),
        ("'list[1]'", "y"),
        ("'list[5]'", "unknown"),
        ("'meta[key=inn].value'", "7700000000"),
        ("'meta[key=12].value'", "двенадцать"),
        ("'meta[key=kpp].value'", "unknown"),
        ("'none | default(сайт)'", "сайт"),
        ("'blank | default(сайт)'", "сайт"),
        ("'a | default(сайт)'", "А"),
        (r"'Кол\.во'", "3"),
        (r"'x\|y | lower'", "бар"),
    ],
)
def test_expressions(tmp_path: Path, expression: str, read: Any) -> None:
    native = {
        "a": "А",
        "b": "Б",
        "blank": " ",
        "n": 1043,
        "list": ["x", "", None, "y"] if "[" not in expression else ["x", "y"],
        "meta": [{"key": "inn", "value": "7700000000"}, {"key": 12, "value": "двенадцать"}, "stray"],
        "Кол.во": 3,
        "x|y": "БАР",
    }
    assert one(tmp_path, expression, native) == read


def test_join_of_a_date_and_a_time_is_a_moment(tmp_path: Path) -> None:
    native = {"date": "2026-01-31", "time": "10:20:30"}
    read = one(tmp_path, '{ join = ["date", "time"], sep = "T", then = "zone(Europe/Moscow)" }', native, "created_at")
    assert read.isoformat() == "2026-01-31T07:20:30+00:00"


def contact(folder: Path, fields: str) -> Lens:
    return mapping(folder, f'[person]\nkind = "contact"\n[person.fields]\n{fields}').lens("person")


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("'phones'", ["+7 999", "8 800"]),
        ("'contacts.value'", ["a", "b", "c"]),
        ("'contacts.value | upper'", ["A", "B", "C"]),
        ("'one'", ["+7 999"]),
        ("'one | list'", ["+7 999"]),
        ("{ list = ['one', 'phones', 'none', 'other'] }", ["+7 999", "8 800", "112"]),
        ("{ list = ['blank'] }", []),
        ("'text | split(,)'", ["a", "b"]),
        ("'nobody'", []),
    ],
)
def test_lists(tmp_path: Path, expression: str, read: list[str]) -> None:
    native = {
        "phones": ["+7 999", "", "8 800", None],
        "contacts": [{"value": "a"}, {"x": 1}, None, {"value": ["b", "c"]}],
        "one": "+7 999",
        "other": 112,
        "blank": "",
        "text": "a, b,",
        "nobody": [],
    }
    found = contact(tmp_path, f"phones = {expression}").get(native)
    assert (found.fields.get("phones"), found.problems) == (read, [])


def test_a_list_of_records_none_of_which_has_the_value_is_unknown(tmp_path: Path) -> None:
    assert "phones" not in contact(tmp_path, 'phones = "contacts.value"').get({"contacts": [{"x": 1}]}).fields


def test_records_of_texts(tmp_path: Path) -> None:
    text = (
        '[lead]\nkind = "lead"\n[lead.fields]\nextra = "answers"\nutm.source = "s"\nutm.term = "t"\n'
        '"form.id" = "f"\nconsent = { dict = { ads = "agree" } }'
    )
    lens = mapping(tmp_path, text).lens("lead")
    found = lens.get({"answers": {"Цвет": ["белый", "синий"], "да": True, "пусто": "", "n": 3}, "s": "ya", "f": 5})
    assert found.fields == {
        "extra": {"Цвет": "белый, синий", "да": "true", "n": "3"},
        "utm": {"source": "ya"},
        "form": {"id": "5"},
    }


LINES = """
[[order.rows.lines]]
each = "items"
when = { field = "qty", op = "ne", value = 0 }
fields = { key = "id", sku = "sku", qty = "qty | qty", sum = "total | money", vat_included = "$.gross" }
[[order.rows.lines]]
each = "shipping"
fields = { key = { join = [{ const = "ship" }, "$position"], sep = "-" }, kind = { const = "shipping" }, sum = "total | money" }
"""


def test_rows_of_several_places_follow_each_other(tmp_path: Path) -> None:
    native = {
        "gross": "Y",
        "items": [
            {"id": 1, "sku": "К-1", "qty": "2", "total": "61.45"},
            {"id": 2, "qty": "0.00", "total": "5"},
            {"id": 3, "qty": 1},
        ],
        "shipping": [{"total": "300"}],
    }
    found = deal(tmp_path, "", LINES).get(native)
    assert found.problems == []
    assert found.fields["lines"] == [
        {"key": "1", "sku": "К-1", "qty": Decimal(2), "sum": Decimal("61.45"), "vat_included": True},
        {"key": "3", "qty": Decimal(1), "vat_included": True},
        {"key": "ship-1", "kind": "shipping", "sum": Decimal("300.00")},
    ]


def test_rows_without_a_place_contribute_nothing_and_none_at_all_is_unknown(tmp_path: Path) -> None:
    lens = deal(tmp_path, "", LINES)
    assert [row["key"] for row in lens.get({"shipping": [{"total": 1}]}).fields["lines"]] == ["ship-1"]
    assert "lines" not in lens.get({}).fields
    assert lens.get({"items": []}).fields["lines"] == []
    assert lens.get({"items": None}).fields["lines"] == []


@pytest.mark.parametrize(
    ("row", "field", "path", "value"),
    [
        ({"id": 2, "qty": "две"}, "lines[1].qty", "items[1].qty", "две"),
        ({"qty": 1}, "lines[1].key", "items[1]", "_Unknown"),
        ({"id": None, "qty": 1}, "lines[1].key", "items[1]", "null"),
        ({"id": 2, "total": 1.5}, "lines[1].sum", "items[1].total", "1.5"),
        ({"id": [1, 2], "qty": 1}, "lines[1].key", "items[1].id", "[…] (2)"),
    ],
)
def test_a_bad_row_is_named_and_the_whole_list_left_out(
    tmp_path: Path, row: dict[str, Any], field: str, path: str, value: str
) -> None:
    native = {"n": "5", "items": [{"id": 1, "qty": 1}, row, {"id": 3, "qty": 1}]}
    lens = deal(tmp_path, 'number = "n"', LINES)
    found = lens.get(native)
    assert found.fields == {"number": "5"}  # neighbours are unharmed
    assert [(p.field, p.path, p.value) for p in found.problems] == [(field, path, value)]


def test_a_hundred_thousand_bad_rows_are_not_a_hundred_thousand_problems(tmp_path: Path) -> None:
    found = deal(tmp_path, "", LINES).get({"items": ["row"] * 100_000})
    assert "lines" not in found.fields
    assert 1 <= len(found.problems) < 50


def test_lines_of_the_same_product_are_told_apart(tmp_path: Path) -> None:
    found = deal(tmp_path, "", LINES).get({"items": [{"id": "a"}, {"id": "b"}, {"id": "a"}]})
    assert [row["key"] for row in found.fields["lines"]] == ["a", "b", "a#2"]


def test_documents_with_one_key_would_be_counted_twice_and_are_a_problem(tmp_path: Path) -> None:
    rest = '[[order.rows.documents]]\neach = "pays"\nfields = { key = "id", kind = { const = "payment" } }'
    lens = deal(tmp_path, "", rest)
    found = problem(lens, {"pays": [{"id": 7}, {"id": 7}]})
    assert (found.field, found.value) == ("documents[1].key", "7")


def test_one_row_made_from_the_record_itself(tmp_path: Path) -> None:
    rest = """[[order.rows.documents]]
    each = ""
    when = { field = "date_paid", op = "filled" }
    fields = { key = "id", kind = { const = "payment" }, amount = "total | money", posted = { const = true } }"""
    lens = deal(tmp_path, "", rest)
    paid = lens.get({"id": 5, "date_paid": "2026-01-01", "total": "10"}).fields["documents"]
    assert paid == [{"key": "5", "kind": "payment", "amount": Decimal("10.00"), "posted": True}]
    assert lens.get({"id": 5, "date_paid": None}).fields["documents"] == []


def test_rows_of_plain_values(tmp_path: Path) -> None:
    rest = '[[order.rows.documents]]\neach = "ids"\nfields = { key = ".", kind = { const = "order" } }'
    found = deal(tmp_path, "", rest).get({"ids": ["a", 5]})
    assert [row["key"] for row in found.fields["documents"]] == ["a", "5"]


@pytest.mark.parametrize(
    ("when", "kept"),
    [
        ('{ field = "n", op = "eq", value = 1 }', "a"),
        ('{ field = "n", op = "ne", value = 1 }', "bcd"),
        ('{ field = "n", op = "gt", value = 1 }', "b"),
        ('{ field = "n", op = "lt", value = 2 }', "a"),
        ('{ field = "n", op = "in", value = [1, 2] }', "ab"),
        ('{ field = "n", op = "empty" }', "cd"),
        ('{ field = "n", op = "filled" }', "ab"),
        ('{ field = "s", op = "eq", value = "новый" }', "a"),
        ('{ field = "s | upper", op = "eq", value = "НОВЫЙ" }', "a"),
        ('{ field = "f", op = "eq", value = true }', "ab"),
        ('{ field = "f", op = "eq", value = "false" }', "c"),
        ('{ field = "f", op = "eq", value = false }', "c"),
        ('{ all = [{ field = "n", op = "filled" }, { field = "s", op = "empty" }] }', "b"),
        ('{ any = [{ field = "n", op = "eq", value = 2 }, { field = "s", op = "filled" }] }', "abd"),
        ('{ field = "$.kind", op = "eq", value = "retail" }', "abcd"),
    ],
)
def test_when(tmp_path: Path, when: str, kept: str) -> None:
    rest = f'[[order.rows.lines]]\neach = "items"\nwhen = {when}\nfields = {{ key = "id" }}'
    items = [
        {"id": "a", "n": "1.00", "s": " новый ", "f": "Y"},
        {"id": "b", "n": 2, "f": True},
        {"id": "c", "n": "", "f": False},
        {"id": "d", "s": ["z"]},
    ]
    found = deal(tmp_path, "", rest).get({"items": items, "kind": "retail"})
    assert "".join(row["key"] for row in found.fields["lines"]) == kept


def test_client_and_event(tmp_path: Path) -> None:
    text = """[order]
    kind = "deal"
    [order.client]
    name = { join = ["first", "last"] }
    phones = "phone"
    email = "mail | email"
    emails = "mails"
    inn = "inn"
    [order.event]
    type = { const = "order" }
    at = "at | utc"
    duration = "sec"
    """
    native = {
        "first": "Иван",
        "last": "Тестов",
        "phone": " +7 999 ",
        "mail": "",
        "inn": 7700000000,
        "at": "вчера",
        "sec": "60",
    }
    found = mapping(tmp_path, text).lens("order").get(native)
    assert found.client == {"name": "Иван Тестов", "phones": ["+7 999"], "inn": "7700000000"}
    assert found.event == {"type": "order", "duration": 60}
    assert [(p.field, p.path, p.value) for p in found.problems] == [("event.at", "at", "вчера")]


def deep(levels: int) -> Any:
    value: Any = "дно"
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


HOSTILE = [
    None,
    True,
    1.5,
    float("nan"),
    10**5000,
    Decimal("NaN"),
    Decimal("1e999999"),
    "1e999999999",
    "NaN",
    "\x00\ud800",
    "я" * 100_000,
    [],
    [[]],
    [None],
    [1, [2]],
    {},
    {"a": {"a": 1}},
    {1: 2},
    b"bytes",
    object(),
    deep(5000),
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_hostile_values_anywhere_become_problems_never_exceptions(tmp_path: Path, value: Any) -> None:
    expressions = {
        "number": '"a | text"',
        "title": '"a.b[0].c | upper"',
        "amount": '"a | money"',
        "tax": '"a | decimal | abs"',
        "currency": '"a[0] | plain"',
        "paid": '"a | bool"',
        "shipped": '"a | not"',
        "stage": '"a | lookup(words)"',
        "comment": '{ join = ["a", "a.a", "a[0]"] }',
        "source": '{ first = ["a | phone", "a[x=y].z"] }',
        "utm": '"a"',
        "created_at": '"a | zone(Europe/Moscow)"',
        "delivery_address": '"a | split(,) | join(;) | cut(3) | digits"',
        "payment_method": '"a | epoch"',
        "lost_reason": '{ list = ["a", "a"], then = "last | strip_prefix(x) | empty(0)" }',
    }
    fields = "\n".join(f"{name} = {{ get = {source} }}" for name, source in expressions.items())
    lens = deal(tmp_path, fields, LINES.replace("items", "a").replace("shipping", "a.a") + '[tables.words]\nx = "new"')
    for native in ({"a": value}, {"a": {"a": value, "b": value}}, {"a": [value, {"c": value}]}, value):
        found = lens.get(native)
        assert set(found.fields) <= set(lens.fields)
        for one_problem in found.problems:
            assert len(one_problem.value) <= 80


def test_a_problem_names_field_path_and_value_and_its_text_repeats_no_value(tmp_path: Path) -> None:
    found = problem(deal(tmp_path, 'amount = "billing.total | money"'), {"billing": {"total": "тысяча"}})
    assert (found.field, found.path, found.value) == ("amount", "billing.total", "тысяча")
    assert "тысяча" not in found.text.en + found.text.ru
    assert "digits" in found.text.en
    assert "цифрами" in found.text.ru


@pytest.mark.parametrize(
    "value", [1.5, float("inf"), "12,34,56", "1_000", True, "10000000000000", ["1", "2"], {"rub": 1}]
)
def test_money_is_never_guessed(tmp_path: Path, value: Any) -> None:
    assert problem(deal(tmp_path, 'amount = "x"'), {"x": value}).field == "amount"


@pytest.mark.parametrize("value", ["1 234,50", "1234.5", Decimal("1234.50"), "1\u00a0234,499"])
def test_money_as_people_and_systems_write_it(tmp_path: Path, value: Any) -> None:
    assert deal(tmp_path, 'amount = "x"').get({"x": value}).fields["amount"] == Decimal("1234.50")


@pytest.mark.parametrize("native", [{}, {"id": None}, {"id": ""}, {"id": {"x": 1}}])
def test_a_record_without_what_its_kind_must_have_is_a_problem(tmp_path: Path, native: dict[str, Any]) -> None:
    lens = mapping(tmp_path, '[o]\nkind = "offer"\n[o.fields]\nproduct = "id"\nname = "name"').lens("o")
    found = problem(lens, native | {"name": "Кружка"})
    assert (found.field, found.path) == ("product", "id")
    assert lens.get(native | {"name": "Кружка"}).fields == {"name": "Кружка"}
    assert lens.get({"id": "12"}).problems == []


def test_a_list_where_one_value_is_wanted_says_how_to_choose(tmp_path: Path) -> None:
    found = problem(deal(tmp_path, 'title = "x"'), {"x": ["a", "b"]})
    assert "| first" in found.text.ru


def test_a_time_without_zone_says_how_to_give_one(tmp_path: Path) -> None:
    found = problem(deal(tmp_path, 'created_at = "x"'), {"x": "2026-01-31T10:20:30"})
    assert "zone(Europe/Moscow)" in found.text.ru
