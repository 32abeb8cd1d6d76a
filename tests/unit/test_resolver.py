"""Whom an event is about: evidence in words, or a question, never a guess."""

from __future__ import annotations

import pytest

from sync.identity.resolver import Keys, Known, keys_of, names_agree, resolve

PHONE = (("+79161234567", "8 916 123-45-67"),)
MAIL = (("anna@example.ru", "Anna@example.ru"),)
ANNA = Known("u1", "contact", "Анна Тестова", ("phone", "+79161234567"))


def test_keys_out_of_a_mapping() -> None:
    found = keys_of(
        {
            "phones": ["8 916 123-45-67 доб. 5", "нет"],
            "email": " Anna@example.ru",
            "inn": "7707083893/1",
            "name": " Анна ",
        }
    )
    assert [k[:2] for k in found.all()] == [
        ("inn", "7707083893"),
        ("email", "anna@example.ru"),
        ("phone", "+79161234567"),
    ]
    assert found.name == "Анна"
    assert keys_of({"first_name": "Анна", "last_name": "Тестова"}).name == "Анна Тестова"
    assert keys_of({"phone": None, "email": 5, "name": ["", " "]}).all() == []


def test_our_own_addresses_are_nobody() -> None:
    assert keys_of({"email": "boss@firma.ru"}, own_domains=("firma.ru",)).emails == ()
    assert keys_of({"phone": "8 495 123-45-67"}, own_lines=("+74951234567",)).phones == ()


def test_nobody_and_new() -> None:
    assert resolve(Keys(), []).rule == "none"
    found = resolve(Keys(phones=PHONE), [])
    assert (found.rule, found.client, found.question) == ("new", None, False)


@pytest.mark.parametrize("name", ["", "Анна", "Тестова А.", "Anna Testova"])
def test_a_name_that_agrees_or_is_missing(name: str) -> None:
    found = resolve(Keys(phones=PHONE, name=name), [ANNA])
    assert (found.client, found.rule, found.question) == ("u1", "phone", False)
    assert ("the name fits" in found.text.en) is bool(name)
    assert "телефон" in found.text.ru


def test_a_name_that_contradicts_is_a_question() -> None:
    found = resolve(Keys(phones=PHONE, name="Пётр"), [ANNA])
    assert (found.client, found.rule, found.question) == (None, "review", True)
    assert [c["uid"] for c in found.candidates] == ["u1"]
    assert found.candidates[0]["reason"]["ru"]


def test_two_keys_that_lead_to_two_clients() -> None:
    other = Known("u2", "contact", "Анна Тестова", ("email", "anna@example.ru"))
    found = resolve(Keys(phones=PHONE, emails=MAIL, name="Анна Тестова"), [ANNA, other])
    assert (found.client, found.question, len(found.candidates)) == (None, True, 2)


def test_the_tax_number_is_stronger_than_all_else() -> None:
    company = Known("c1", "company", "ООО Ромашка", ("inn", "7707083893"))
    keys = Keys(phones=PHONE, inn=(("7707083893", "7707083893"),), name="Пётр")
    assert resolve(keys, [company, ANNA]).client == "c1"
    twin = Known("c2", "company", "ООО Ромашка", ("inn", "7707083893"))
    assert resolve(keys, [company, twin]).question


def test_anybody_writes_in_a_companys_name() -> None:
    company = Known("c1", "company", "ООО Ромашка", ("email", "anna@example.ru"))
    assert resolve(Keys(emails=MAIL, name="Пётр Пробный"), [company]).client == "c1"
    assert resolve(Keys(emails=MAIL, company="Ромашка"), [company]).client == "c1"
    assert resolve(Keys(emails=MAIL, company="Лютик"), [company]).question


@pytest.mark.parametrize(
    ("a", "b", "agree"),
    [
        ("", "Анна", True),
        ("Анна", "", True),
        ("Анна П.", "П. Сидорова", False),
        ("И.", "Анна", True),
        ("Иванова Анна", "Петрова Анна", True),
        ("Анна", "Ольга", False),
    ],
)
def test_names(a: str, b: str, agree: bool) -> None:
    assert names_agree(a, b) is agree
    assert names_agree(b, a) is agree
