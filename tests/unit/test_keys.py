"""Canonical identifiers: what is the same person however it was written, and what identifies nobody."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model.keys import email, inn, kpp, line_kind, name_tokens, ogrn, one_script, phone, phones


@pytest.mark.parametrize(
    "text",
    [
        "+79161234567",
        "8 (916) 123-45-67",
        "8-916-123-45-67",
        "9161234567",
        "+7 916 123 45 67",
        "тел. 8 916 123 45 67",
        "\u202a+7\u00a0916\u00a0123-45-67",
        "7 916 1234567",
        "0079161234567",
    ],
)
def test_one_phone_in_many_writings(text: str) -> None:
    assert phone(text) == "+79161234567"


@pytest.mark.parametrize("text", ["", "12", "не скажу", "+7 000 000-00-00", "8 999 111 11 11", "1234567890123456", "-"])
def test_what_is_no_phone(text: str) -> None:
    assert phone(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8 916 123-45-67, вн. 12", ["+79161234567;ext=12"]),
        ("8 916 123-45-67 доб. 5", ["+79161234567;ext=5"]),
        ("8 916 123 45 67; 8 495 123-45-67", ["+79161234567", "+74951234567"]),
        ("8 916 123 45 67 / 8 916 123-45-67", ["+79161234567"]),
        ("+375 29 123-45-67", ["+375291234567"]),
    ],
)
def test_several_phones_and_extensions(text: str, found: list[str]) -> None:
    assert phones(text) == found


def test_a_number_without_a_country_belongs_to_the_configured_one() -> None:
    assert phone("8 701 123 45 67", "KZ") == "+77011234567"
    assert phone("029 123-45-67", "BY") == "+375291234567"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (" Anna@Example.RU ", "anna@example.ru"),
        ("<anna@example.ru>", "anna@example.ru"),
        ("anna.testova@ya.ru", "anna-testova@yandex.ru"),
        ("anna-testova+shop@yandex.com", "anna-testova@yandex.ru"),
        ("An.Na+x@googlemail.com", "anna@gmail.com"),
        ("anna@xn--e1afmkfd.xn--p1ai", "anna@пример.рф"),
        ("a.b+c@example.ru", "a.b+c@example.ru"),
    ],
)
def test_mailboxes(text: str, form: str) -> None:
    assert email(text) == form
    assert email(form) == form


@pytest.mark.parametrize(
    "text", ["", "anna", "anna@", "@example.ru", "a b@c.ru", "a@b", "a@b.c", "+@gmail.com", "a@xn--\udcff.ru"]
)
def test_what_is_no_mailbox(text: str) -> None:
    assert email(text) is None


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("7707083893", "7707083893"),
        ("ИНН 7707083893/773601001", "7707083893"),
        ("7707083894", None),
        ("500100732259", "500100732259"),
        ("500100732258", None),
        ("0000000000", None),
        ("", None),
        ("770708389", None),
    ],
)
def test_taxpayer_numbers(text: str, form: str | None) -> None:
    assert inn(text) == form


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Щербаков Юрий", "Yuri Shcherbakov"),
        ("Ёлкина Анна", "Елкина Анна"),
        ("Elkina Anna", "Анна Ёлкина"),
        ("АННА", "анна"),
        ("Цой", "Tsoi"),
    ],
)
def test_one_name_in_two_scripts(a: str, b: str) -> None:
    assert name_tokens(a) == name_tokens(b)


def test_different_names_stay_apart() -> None:
    assert not name_tokens("Анна") & name_tokens("Пётр")
    assert name_tokens("123 !?") == frozenset()


@given(st.text(max_size=60))
def test_nothing_is_raised_whatever_comes(text: str) -> None:
    for number in phones(text):
        assert number.startswith("+")
        assert phone(number.split(";")[0]) == number.split(";")[0]
    mailbox = email(text)
    assert mailbox is None or email(mailbox) == mailbox
    inn(text)
    name_tokens(text)


@given(st.from_regex(r"(\+7|8|7)?[ (-]{0,2}[3489][0-9]{2}[ )-]{0,2}[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{2}", fullmatch=True))
def test_russian_numbers_are_judged_as_the_library_judges_them(text: str) -> None:
    number = phonenumbers.parse(text, "RU")
    wanted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number) or len(set(wanted[-7:])) == 1:
        assert phones(text) == []
    else:
        assert phones(text) == [wanted]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+79161234567", "mobile"),
        ("+74951234567", "fixed"),
        ("+78005553500", "service"),
        ("+375291234567", "mobile"),
        ("x", "service"),
    ],
)
def test_what_a_line_tells(number: str, kind: str) -> None:
    assert line_kind(number) == kind


@pytest.mark.parametrize(
    ("text", "form"), [("1027700132195", "1027700132195"), ("1027700132196", None), ("0000000000000", None), ("", None)]
)
def test_registration_numbers(text: str, form: str | None) -> None:
    assert ogrn(text) == form


def test_branch_codes() -> None:
    assert kpp("773601001") == "773601001"
    assert kpp(" 7736ab001 ") == "7736AB001"
    assert kpp("000000000") is None
    assert kpp("77360100") is None


@pytest.mark.parametrize(
    ("text", "one"),
    [("Cветлана", "Светлана"), ("antоnov", "antonov"), ("OОО", "ООО"), ("Anna Анна", "Anna Анна"), ("xл", "хл")],
)
def test_words_of_two_scripts(text: str, one: str) -> None:
    assert one_script(text) == one
