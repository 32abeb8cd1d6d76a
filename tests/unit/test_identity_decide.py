"""Whose an event is: the rules in order, the gate of the name, vetoes, and what is asked instead of guessed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.identity.contract import Resolver
from sync.identity.evidence import Own
from sync.identity.index import Index
from sync.identity.loading import load
from sync.identity.remember import Answer

OWN = Own.of(["ourfirm.test"], ["+74951112233"])
BASE: list[dict[str, Any]] = [
    {
        "id": "C1",
        "kind": "company",
        "name": "ООО «Кедр»",
        "inn": "7736207543",
        "emails": ["info@kedr.test"],
        "phones": ["8 495 234-56-78"],
    },
    {
        "id": "C2",
        "kind": "company",
        "name": "Сосна",
        "inn": None,
        "emails": ["sosna77@mail.ru"],
        "phones": [],
        "site": "sosna.test",
    },
    {"id": "C3", "kind": "company", "name": "ИП Юдина Анна Петровна", "inn": None, "emails": [], "phones": []},
    {
        "id": "H1",
        "kind": "company",
        "name": "Верба Торг",
        "emails": ["office@verba.test"],
        "phones": ["8 343 234-56-70"],
        "site": "verba.test",
    },
    {
        "id": "H2",
        "kind": "company",
        "name": "Верба Склад",
        "emails": [],
        "phones": ["83432345670"],
        "site": "https://www.verba.test/",
    },
    {
        "id": "P1",
        "kind": "person",
        "name": "Пестов Иван Ильич",
        "companies": ["C1"],
        "emails": ["pestov@kedr.test"],
        "phones": ["8 916 123-45-01"],
    },
    {
        "id": "P2",
        "kind": "person",
        "name": "Ольга Белова",
        "companies": [],
        "emails": ["o.belova@yandex.ru"],
        "phones": ["8 916 123-45-02"],
    },
    {"id": "P3", "kind": "person", "name": "Белов Пётр", "companies": [], "emails": [], "phones": ["8 916 123-45-02"]},
    {
        "id": "P4",
        "kind": "person",
        "name": "Лариса Сычёва",
        "companies": ["C1", "C2"],
        "emails": ["sycheva@mail.ru"],
        "phones": [],
    },
    {
        "id": "P5",
        "kind": "person",
        "name": "Юдина Анна Петровна",
        "companies": ["C3"],
        "emails": ["yudina@bk.ru"],
        "phones": ["89161234505"],
    },
    {
        "id": "P6",
        "kind": "person",
        "name": "Глеб Орлов",
        "companies": ["H2"],
        "emails": ["orlov@verba.test"],
        "phones": ["89161234506"],
    },
]


@pytest.fixture
def hub() -> Iterator[Resolver]:
    connection = sqlite3.connect(":memory:")
    index = Index.sqlite(connection)
    load(index, BASE)
    yield Resolver(index, OWN)
    connection.close()


def form(**fields: Any) -> dict[str, Any]:
    return {"kind": "web_form", "at": "2026-03-01T10:00:00"} | fields


def mail(sender: str, name: str = "", body: str = "Добрый день", **fields: Any) -> dict[str, Any]:
    return {"kind": "email", "at": "2026-03-01T10:00:00", "from_addr": sender, "from_name": name, "body": body} | fields


def call(number: str, note: str = "") -> dict[str, Any]:
    return {"kind": "call", "at": "2026-03-01T10:00:00", "from_number": number, "note": note}


def told(answer: Answer) -> tuple[str | None, str | None]:
    assert not answer.decision.question
    assert not answer.decision.ignored
    assert answer.decision.text.en
    assert answer.decision.text.ru
    return answer.client, answer.person


def asked(answer: Answer) -> list[str]:
    assert answer.decision.question
    assert all(text.en and text.ru for _, text in answer.decision.candidates)
    return [uid for uid, _ in answer.decision.candidates]


@pytest.mark.parametrize(
    ("event", "client", "person"),
    [
        (form(name="Иван Пестов", phone="+7 (916) 123-45-01"), "C1", "P1"),
        (form(name="Ваня", email=" PESTOV@KEDR.TEST "), "C1", "P1"),
        (form(name="", email="o-belova@ya.ru"), "P2", "P2"),  # one mailbox, written otherwise
        (form(name="", email="о.belova@yandex.ru"), "P2", "P2"),  # the first letter is Cyrillic
        (form(name="Ольга", phone="89161234502"), "P2", "P2"),  # a family's phone, the name decides
        (form(name="Петя Белов", phone="89161234502"), "P3", "P3"),
        (call("84952345678"), "C1", None),  # an office phone says nothing of the person
        (mail("info@kedr.test", "Отдел снабжения"), "C1", None),
        (mail("sosna77@mail.ru", ""), "C2", None),
        (mail("info@kedr.test", "", "Счёт?\n--\nИван Пестов\nтел. 89161234501"), "C1", "P1"),
        (form(name="Кто-то", company="ООО Кедр-Холдинг", comment="ИНН 7736207543"), "C1", None),
        (mail("sycheva@mail.ru", "Лариса Сычёва", "Прошу акт по ООО «Кедр», ИНН 7736207543"), "C1", "P4"),
        (form(name="Лариса", email="sycheva@mail.ru", company="Сосна, ООО"), "C2", "P4"),
        (form(name="Анна Юдина", email="yudina@bk.ru", company="ИП Юдина А.П."), "C3", "P5"),
        (mail("orlov@verba.test", "Глеб Орлов"), "H2", "P6"),  # two firms on one domain: he works for the second
        (form(name="Орлов Глеб", phone="89161234506", email="gleb@mail.ru"), "H2", "P6"),
    ],
)
def test_links_with_a_reason(hub: Resolver, event: dict[str, Any], client: str, person: str | None) -> None:
    assert told(hub.answer(event)) == (client, person)


@pytest.mark.parametrize(
    ("event", "candidates"),
    [
        (call("89161234502"), {"P2", "P3"}),  # a family's phone and no name
        (mail("sycheva@mail.ru", "Лариса Сычёва"), {"C1", "C2", "P4"}),  # two employers and no hint
        (call("83432345670"), {"H1", "H2"}),
        (mail("new@verba.test", "Ирина Лыкова"), {"H1", "H2"}),
        (form(name="Захар Чудов", email="o.belova@yandex.ru"), {"P2"}),  # the address agrees, the name does not
        (form(name="Пестова Елена", email="pestov@kedr.test", phone="89161234502"), set()),
        (form(name="Зоя Чудова", email="zoya@mail.ru", company="ООО Кедр"), {"C1"}),  # nothing but the company's name
        (form(name="Ольга Белова", email="olga@mail.ru", phone="8 916 123-45-12"), {"P2"}),  # one digit off
        (form(name="Иван Пестов", email="pestov@kedr.test", company="ООО Дуб", comment="ИНН 5024052889"), None),
    ],
)
def test_questions(hub: Resolver, event: dict[str, Any], candidates: set[str] | None) -> None:
    answer = hub.answer(event)
    if candidates is None:  # a different INN is a veto: another company, not a question
        assert told(answer) == ("new-company-1", "P1")
    elif candidates:
        assert set(asked(answer)) == candidates
    else:
        assert told(answer) == ("C1", None)  # the company is certain, the person is not


def test_two_strong_keys_to_two_clients_are_a_question_and_never_a_merge(hub: Resolver) -> None:
    hub.answer(form(name="", email="first@mail.ru"))
    hub.answer(form(name="", phone="89161239999"))
    answer = hub.answer(form(name="", email="first@mail.ru", phone="89161239999"))
    assert len(asked(answer)) == 2
    assert told(hub.answer(form(name="", email="first@mail.ru")))[0] != told(hub.answer(call("89161239999")))[0]


def test_a_recycled_number_makes_a_new_person_and_then_identifies_nobody(hub: Resolver) -> None:
    new = told(hub.answer(form(name="Чудов Захар Львович", email="chudov@mail.ru", phone="89161234501")))
    assert new == ("new-person-1", "new-person-1")
    assert set(asked(hub.answer(call("89161234501")))) == {"C1", "P1", "new-person-1"}
    assert told(hub.answer(form(name="Захар", phone="89161234501"))) == new
    assert told(hub.answer(form(name="Иван", phone="89161234501"))) == ("C1", "P1")


def test_a_changed_job_counts_from_the_first_letter_on(hub: Resolver) -> None:
    signed = "Здравствуйте\n--\nИван Пестов\nООО Сосна\nтел. 89161234501"
    assert told(hub.answer(mail("ivan.pestov@sosna.test", "Иван Пестов", signed))) == ("C2", "P1")
    assert told(hub.answer(call("89161234501"))) == ("C2", "P1")
    assert told(hub.answer(form(name="Иван Пестов", phone="89161234501"))) == ("C2", "P1")


def test_an_accountant_of_several_firms_is_asked_when_he_names_none(hub: Resolver) -> None:
    body = "Прошу акт сверки по ООО «Кедр», ИНН 7736207543.\n--\nНина Чудова, бухгалтер"
    assert told(hub.answer(mail("chudova@mail.ru", "Нина Чудова", body)))[0] == "C1"
    assert "C1" in asked(hub.answer(mail("chudova@mail.ru", "Нина Чудова", "Пришлите документы.")))


def test_a_company_named_in_passing_settles_which_of_his_an_accountant_means(hub: Resolver) -> None:
    for firm, number in (("Кедр", "7736207543"), ("Сосна", "5024052889")):
        body = f"Прошу акт по ООО «{firm}», ИНН {number}.\n--\nНина Чудова, бухгалтер"
        hub.answer(mail("chudova@mail.ru", "Нина Чудова", body))
    assert asked(hub.answer(mail("chudova@mail.ru", "Нина Чудова", "Пришлите документы.")))
    assert told(hub.answer(mail("chudova@mail.ru", "Нина Чудова", "Пришлите документы кедр, пожалуйста")))[0] == "C1"


def test_a_domain_called_after_another_firm_is_a_question_until_the_company_is_named(hub: Resolver) -> None:
    load(hub.index, [{"id": "C8", "kind": "company", "name": "Рябина Мед", "emails": [], "site": "berezatorg.test"}])
    assert "C8" in asked(hub.answer(mail("chudov@berezatorg.test", "Ян Чудов")))
    assert told(hub.answer(mail("zoya@berezatorg.test", "Зоя Чудова", "Привет\n--\nЗоя Чудова\nРябина Мед")))[0] == "C8"


def test_another_name_at_somebodys_own_phone_says_nothing_of_his_employer(hub: Resolver) -> None:
    assert "P1" in asked(hub.answer(call("89161234501", "Ольга")))


def test_a_question_is_asked_once_and_what_follows_lies_on_the_holding_card(hub: Resolver) -> None:
    first = hub.answer(form(name="Зоя Чудова", email="zoya@mail.ru", company="ООО Кедр"))
    assert first.decision.question
    again = hub.answer(form(name="Зоя", email="zoya@mail.ru"))
    assert told(again) == (first.client, first.person)
    assert "C1" not in (first.client, again.client)


def test_a_colleague_is_new_at_a_known_company_and_founded_from_a_new_domain(hub: Resolver) -> None:
    assert told(hub.answer(mail("zoya@kedr.test", "Зоя Чудова"))) == ("C1", "new-person-1")
    company, person = told(hub.answer(mail("first@dub.test", "Зоя Дубова")))
    assert told(hub.answer(mail("second@dub.test", "Яков Дубов")))[0] == company
    assert person != told(hub.answer(mail("second@dub.test", "Яков Дубов")))[1]


@pytest.mark.parametrize(
    "event",
    [
        mail("yan@spb.kedr.test", "Ян Чудов"),  # a branch's domain under the company's
        form(name="Иван Пестов", comment="перезвоните 8 916 123 45 01"),
        form(name="Ваня", comment="пишите на pestov@kedr.test"),
        call("sip:79161234501@pbx.test"),
        call("+7 (495) 234-56-78 доб. 12", "Ян"),
    ],
)
def test_other_ways_to_the_same_client(hub: Resolver, event: dict[str, Any]) -> None:
    assert told(hub.answer(event))[0] == "C1"


def test_no_company_is_founded_from_a_domain_when_the_person_is_known(hub: Resolver) -> None:
    assert told(
        hub.answer(mail("belova@dub.test", "Ольга Белова", "Привет\n--\nОльга Белова\nтел. 8 916 123-45-02"))
    ) == ("P2", "P2")


def test_a_marketplaces_phone_does_not_identify(hub: Resolver) -> None:
    order = {"kind": "order", "shop": "avito", "phone": "89161234501"}
    first, second = (told(hub.answer(order | {"name": name}))[0] for name in ("Анна", "Сидор Чудов"))
    assert len({first, second, "C1"}) == 3
    assert told(hub.answer(order | {"name": "Пестов Иван"}))[1] == "P1"  # the known holder by his full name
    assert told(hub.answer(call("89161234501"))) == ("C1", "P1")


def test_lookalikes_stay_apart(hub: Resolver) -> None:
    another, _ = told(hub.answer(form(name="Ян", email="o.belova@mail.ru")))
    assert another not in ("P2", None), "other mail, another person"
    answer = hub.answer(form(name="Ян Чудов", phone="89160000077", company="Кедр-Плюс", comment="ИНН 5024052889"))
    assert str(told(answer)[0]).startswith("new-company")


def test_a_base_that_holds_duplicates_gives_a_question(hub: Resolver) -> None:
    load(
        hub.index,
        [
            {
                "id": "D1",
                "kind": "person",
                "name": "Семён Лосев",
                "companies": ["C1"],
                "emails": ["losev@mail.ru"],
                "phones": [],
            },
            {
                "id": "D2",
                "kind": "person",
                "name": "Семён Лосев",
                "companies": ["C2"],
                "emails": ["losev@mail.ru"],
                "phones": [],
            },
        ],
    )
    assert {"D1", "D2"} <= set(asked(hub.answer(mail("losev@mail.ru", "Семён Лосев"))))


@pytest.mark.parametrize(
    "base",
    [
        [{"id": "X", "kind": "person", "name": None, "emails": None, "phones": None, "companies": None}],
        [
            {
                "id": "X",
                "kind": "company",
                "name": "\x00\u202e",
                "inn": 7736207543,
                "emails": [""],
                "phones": ["нет"] * 40,
                "site": "-",
            }
        ],
        [{"id": "X"}, {"id": "X", "kind": "person", "name": "Тест"}],
        [
            {
                "id": "X",
                "kind": "person",
                "name": "А" * 5000,
                "companies": ["absent"],
                "phones": [f"8916{n:07d}" for n in range(40)],
            }
        ],
    ],
)
def test_an_absurd_base_is_taken(hub: Resolver, base: list[dict[str, Any]]) -> None:
    load(hub.index, base)
    hub.answer(form(name="Тест", phone="89160000039", email="x@y.test"))
    assert told(hub.answer(call("84952345678")))[0] == "C1"


def test_a_merge_and_its_undoing_in_the_index(hub: Resolver) -> None:
    index = hub.index
    before = index.profiles(["P2", "P3"])
    one = index.profiles(["P2"])["P2"]
    one.names += before["P3"].names
    index.drop("P3")
    index.put(one)
    assert told(hub.answer(call("89161234502"))) == ("P2", "P2")
    for profile in before.values():
        index.put(profile)
    assert set(asked(hub.answer(call("89161234502")))) == {"P2", "P3"}


_TEXT = st.text(max_size=30)
_EVENT = st.fixed_dictionaries(
    {"kind": st.sampled_from(["web_form", "email", "order", "call"])},
    optional={
        "name": _TEXT,
        "from_name": _TEXT,
        "body": st.text(max_size=120),
        "company": _TEXT,
        "note": _TEXT,
        "comment": _TEXT,
        "phone": st.sampled_from(["89161234501", "89161234502", "84952345678", "x"]),
        "from_number": st.sampled_from(["89161234501", "83432345670", "", "112"]),
        "email": st.sampled_from(["pestov@kedr.test", "o.belova@ya.ru", "a@verba.test", "@"]),
        "from_addr": st.sampled_from(
            ["pestov@kedr.test", "office@verba.test", "z@ourfirm.test", "no-reply@x.test", ""]
        ),
        "inn": st.sampled_from(["7736207543", "0000000000", "5024052889", "7707083894"]),
    },
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(_EVENT, max_size=6))
def test_any_events_are_answered_alike_when_they_come_again(events: list[dict[str, Any]]) -> None:
    answers = []
    for _ in range(2):
        connection = sqlite3.connect(":memory:")
        index = Index.sqlite(connection)
        load(index, BASE)
        hub = Resolver(index, OWN)
        answers.append([(a.client, a.person, a.decision.rule, a.decision.question) for a in map(hub.answer, events)])
        connection.close()
    assert answers[0] == answers[1]
