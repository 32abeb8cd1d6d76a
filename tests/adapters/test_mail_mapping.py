"""A letter through mappings/mail.toml: what stands on the timeline and whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime

from sync.lens import check_laws, load
from sync.model.records import CLIENT_FIELDS, validate
from tests.adapters.mail_kit import FIXTURES, kept, letter


def test_a_letter_becomes_an_activity() -> None:
    lens = load("mail").lens("message")
    found = lens.get(kept((FIXTURES / "yandex_koi8.eml").read_bytes()))
    assert found.problems == []
    activity = validate(found.kind, found.fields)
    assert activity["type"] == "email"
    assert activity["direction"] == "in"
    assert activity["at"] == datetime(2025, 11, 5, 9, 34, tzinfo=UTC)
    assert activity["subject"] == "Re: Счёт на оплату"
    assert activity["text"] == "Анна, счёт оплатили сегодня."
    assert activity["author"] == "Иван Тестов"
    assert activity["key"] == "9001762335240@mail.yandex.example"
    assert activity["thread"] == ["root@firma.ru", "parent@firma.ru"]
    assert activity["participants"] == ["ivan@romashka.ru", "sales@firma.ru"]
    assert found.client == {"name": "Иван Тестов", "email": "ivan@romashka.ru", "phones": ["+79210000000"]}
    assert set(found.client) <= CLIENT_FIELDS


def test_the_client_of_an_outgoing_letter_is_its_addressee() -> None:
    data = kept(letter(From="Анна <anna@firma.ru>", To="Пётр Тестов <petr@mail.ru>"))
    found = load("mail").lens("message").get(data)
    assert found.client == {"name": "Пётр Тестов", "email": "petr@mail.ru"}
    assert found.fields["author"] == "Анна"


def test_every_kind_of_letter_is_read_without_a_problem() -> None:
    lens = load("mail").lens("message")
    for path in sorted(FIXTURES.glob("*.eml")):
        data = kept(path.read_bytes())
        found = lens.get(data)
        assert found.problems == [], path.name
        assert validate(found.kind, found.fields)["at"]
        assert check_laws(lens, data) == [], path.name
    assert lens.get(kept((FIXTURES / "files.eml").read_bytes())).fields["files"] == ["Счёт № 5.pdf", "реквизиты.txt"]


def test_a_letter_from_nobody_has_no_client() -> None:
    found = load("mail").lens("message").get(kept(letter(From=None)))
    assert found.problems == []
    assert not found.client


def test_an_answer_to_be_sent() -> None:
    view = {"participants": ["ivan@romashka.ru"], "subject": "Re: Счёт", "text": "Спасибо", "thread": ["a@x", "b@x"]}
    made = load("mail").lens("message").create(view)
    assert made == {
        "to": ["ivan@romashka.ru"],
        "subject": "Re: Счёт",
        "text": "Спасибо",
        "in_reply_to": "b@x",
        "references": ["a@x", "b@x"],
    }
