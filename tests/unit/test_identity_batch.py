"""De-duplicating whole bases: what is one client, what stays apart, and the caps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.errors import BadConfig
from sync.identity import batch, cards

SCHEMA = cards.DEFAULT_SCHEMA


def _row(source: str, kind: str, name: str, **more: str) -> dict[str, str]:
    return {"source": source, "kind": kind, "name": name} | more


def groups(*rows: dict[str, str], schema: dict[str, str] | None = None) -> list[int]:
    return batch.group([cards.read(row, schema or SCHEMA, n) for n, row in enumerate(rows)]).of


ONE = [
    [
        _row("1c", "person", "Пестов Иван Ильич", phone="8 916 123-45-67"),
        _row("shop", "person", "ваня пестов", phone="+79161234567"),
    ],
    [_row("1c", "person", "Пестов И.И.", email="a.b@ya.ru"), _row("shop", "person", "Иван", email="A-B@yandex.ru ")],
    [
        _row("1c", "person", "Пестов Иван", email="pestov@mail.ru"),
        _row("shop", "person", "Иван Пестов", email="pesov@mail.ru"),
    ],
    [
        _row("1c", "company", "ООО «Кедр»", inn="7736207543"),
        _row("shop", "company", "Сосна", inn="7736207543"),
    ],  # renamed
    [_row("1c", "company", "ООО «Кедр»", phone="84952345678"), _row("shop", "company", "LLC Kedr", phone="4952345678")],
    [
        _row("1c", "company", "ИП Юдина Анна Петровна", city="Пермь"),
        _row("shop", "company", "Юдина А. П. ИП", city="Пермь"),
    ],
]
TWO = [
    [
        _row("1c", "person", "Пестов Иван", phone="89161234567"),
        _row("shop", "person", "Пестова Анна", phone="89161234567"),
    ],  # a family
    [_row("1c", "person", "Пестов Иван Ильич"), _row("shop", "person", "Пестов Иван Ильич")],  # namesakes, nothing else
    [
        _row("1c", "person", "Пестов Иван", phone="89161234567", email="a@mail.ru"),
        _row("shop", "person", "Пестов Иван", phone="89031112244", email="b@mail.ru"),
    ],
    [_row("1c", "person", "Иван", email="same@mail.ru"), _row("shop", "person", "Иван", email="same@bk.ru")],
    [
        _row("1c", "company", "ООО Кедр", inn="7736207543", phone="84952345678"),
        _row("shop", "company", "ООО Кедр", inn="5024052889", phone="84952345678"),
    ],
    [
        _row("1c", "company", "ООО Кедр", phone="84952345678"),
        _row("shop", "company", "ООО Верба", phone="84952345678"),
    ],  # a holding
    [_row("1c", "company", "ООО Кедр"), _row("shop", "company", "АО Кедр")],
    [_row("1c", "company", "Кедр", city="Пермь"), _row("shop", "company", "Кедр", city="Тула")],
    [
        _row("1c", "company", "Кедр", city="Пермь"),
        _row("1c", "company", "Кедр", city="Пермь"),
    ],  # one source, two cards of one name
    [_row("1c", "company", "Кедр"), _row("shop", "company", "Кедр-Монтаж")],
    [_row("1c", "person", "", phone="нет"), _row("shop", "person", "", phone="нет")],
]


@pytest.mark.parametrize("rows", ONE)
def test_one_client(rows: list[dict[str, str]]) -> None:
    assert len(set(groups(*rows))) == 1
    assert len(set(groups(*reversed(rows)))) == 1


@pytest.mark.parametrize("rows", TWO)
def test_two_clients(rows: list[dict[str, str]]) -> None:
    assert len(set(groups(*rows))) == 2


def test_a_chain_does_not_join_what_contradicts() -> None:
    rows = [
        _row("1c", "person", "Пестов Иван", phone="89161234567"),
        _row("shop", "person", "", phone="89161234567", email="home@mail.ru"),
        _row("crm", "person", "Юдина Анна", email="home@mail.ru"),
    ]
    found = batch.group([cards.read(row, SCHEMA, n) for n, row in enumerate(rows)])
    assert found.of[0] != found.of[2]
    assert {why for _, why in found.refused} == {"ambiguous"}


def test_a_key_of_two_clients_says_nothing_of_a_card_without_a_name() -> None:
    rows = [_row("1c", "person", name, email="home@mail.ru") for name in ("Пестов Иван", "Юдина Анна", "")]
    assert len(set(groups(*rows))) == 3
    assert len(set(groups(rows[0], rows[2]))) == 1


PEOPLE = {"fn": "first_name", "ln": "last_name", "born": "date", "mail": "email"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("John", "Smith", "1980-01-02", ""), ("John", "Smith", "02.01.1980", ""), True),
        (("John", "Smith", "12/31/1980", ""), ("John", "Smith", "19801231", ""), True),
        (("John", "Smith", "1980-01-02", "js@x.test"), ("Jon", "Smith", "1980-01-02", "js@x.test"), True),
        (("John", "Smith", "1980-01-02", "js@x.test"), ("Jane", "Smith", "1980-01-02", "js@x.test"), False),
        (("John", "Smith", "1980-01-02", ""), ("John", "Smith", "1980-01-12", ""), False),
        (("John", "Smith", "1980-01-02", ""), ("John", "Smith", "1971-12-30", ""), False),
        (("John", "", "1980-01-02", ""), ("John", "Smith", "1980-01-02", ""), True),
        (("", "", "1980-01-02", ""), ("John", "Smith", "1980-01-02", ""), True),
        (("Rob", "Smith", "1980-01-02", "rs@x.test"), ("Robert", "Smith", "1971-12-30", "rs@x.test"), True),
        (("Мария", "Пестова", "", "rs@x.test"), ("Марина", "Пестова", "", "rs@x.test"), False),
    ],
)
def test_birthdays(one: tuple[str, ...], other: tuple[str, ...], same: bool) -> None:
    found = [cards.read(dict(zip(PEOPLE, row, strict=True)), PEOPLE, n) for n, row in enumerate((one, other))]
    assert (len(set(batch.group(found).of)) == 1) is same


def test_the_column_of_ids() -> None:
    rows = [{"Id": "7", "code": "a", "mail": "x"}, {"Id": "8", "code": "b", "mail": "x"}]
    assert cards.id_column({"code": "id"}, ["Id", "code"], rows) == "code"
    assert cards.id_column({"mail": "email"}, ["mail", "Id"], rows) == "Id"
    assert cards.id_column({"mail": "email"}, ["mail", "code"], rows) == "code"
    assert cards.id_column({"code": "text"}, ["code", "mail"], rows) == ""


def test_a_public_number_links_nobody() -> None:
    rows = [_row(f"s{n}", "person", "Иван", phone="8 916 123-45-67") for n in range(batch.MOST_BEHIND_KEY + 1)]
    assert len(set(groups(*rows))) == len(rows)


def test_a_mass_merge_stops_at_the_cap() -> None:
    rows = []
    for n in range(60):  # a chain of keys, each shared by two
        rows.append(_row("s", "person", "Иван Пестов", phone=f"8916{n:07d}", email=f"p{n // 2}@mail.ru"))
        rows.append(_row("s", "person", "Иван Пестов", phone=f"8916{n:07d}", email=f"p{(n + 1) // 2}@mail.ru"))
    found = batch.group([cards.read(row, SCHEMA, n) for n, row in enumerate(rows)])
    assert max(found.of.count(g) for g in set(found.of)) <= batch.LARGEST
    assert "too_large" in {why for _, why in found.refused}


def test_a_name_without_a_place_is_ambiguous_between_two_companies() -> None:
    rows = [
        _row("1c", "company", "Кедр", inn="7736207543", city="Москва"),
        _row("shop", "company", "Кедр", inn="5024052889", city="Тула"),
        _row("crm", "company", "ООО Кедр"),
    ]
    assert len(set(groups(*rows))) == 3


def test_other_columns_by_a_schema() -> None:
    schema = {"given": "first_name", "sur": "last_name", "born": "date", "zip": "postcode", "no": "exact_id"}
    rows = [
        {"given": "john", "sur": "walker", "born": "19700101", "zip": "2000", "no": "123"},
        {"given": "jon", "sur": "walker", "born": "19700101", "zip": "2000", "no": ""},
        {"given": "jane", "sur": "walker", "born": "19700101", "zip": "2000", "no": "999"},
        {"given": "jon", "sur": "wolker", "born": "", "zip": "", "no": "123"},
    ]
    found = groups(*rows, schema=schema)
    assert found[0] == found[3]
    assert found[2] not in (found[0], found[1])


@pytest.mark.parametrize("schema", [{"name": "nonsense"}, {"absent": "phone"}])
def test_a_wrong_schema_says_what_is_valid(schema: dict[str, str]) -> None:
    with pytest.raises(BadConfig, match=r"known kinds|the file has"):
        cards.check_schema(schema, ["id", "name"])


_ROW = st.fixed_dictionaries({}, optional={n: st.text(max_size=20) for n in SCHEMA})


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text waits for tables of characters
@given(st.lists(_ROW, max_size=8))
def test_any_records_are_grouped_alike_in_any_order(rows: list[dict[str, Any]]) -> None:
    def partition(listed: list[int]) -> set[frozenset[int]]:
        return {frozenset(i for i, g in enumerate(listed) if g == x) for x in listed}

    backwards = groups(*reversed(rows))
    assert partition(groups(*rows)) == partition(list(reversed(backwards)))
