"""What an event says of its sender, and what it does not: quotes, robots, own people, stand-ins, broken values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.identity import evidence, letter, mailbox
from sync.identity.evidence import Own, read

OWN = Own.of(["ourfirm.test"], ["8 495 111-22-33"], ["7707083893"])


def _mail(body: str = "Добрый день", **fields: Any) -> dict[str, Any]:
    return {"kind": "email", "from_addr": "anna@kedr.test", "from_name": "Анна Тестова", "body": body} | fields


SIGNED = (
    "Просим счёт.\n--\nС уважением,\nАнна Викторовна Тестова\nООО «Кедр-Лес»\n"
    "тел. 8 (916) 123-45-67, доб. 12\nИНН 7736207543"
)


def test_a_signature_gives_name_company_phone_and_number() -> None:
    found = read(_mail(SIGNED), OWN)
    assert found.name.words == ("ana", "viktorovna", "testova")
    assert [c.key for c in found.companies] == ["kedrles"]
    assert (found.phones, found.inns) == (["+79161234567"], ["7736207543"])


def test_somebody_elses_signature_is_no_evidence() -> None:
    found = read(_mail(SIGNED, from_name="Пётр Юдин"), OWN)
    assert found.name.last == "iudin"
    assert not found.phones
    assert not found.inns


@pytest.mark.parametrize(
    "quote",
    [
        "-------- Пересылаемое сообщение --------\nОт: Пётр Юдин <petr@mail.ru>\nТел: +7 967 118-51-32",
        "05.11.2025, 12:34, «Пётр Юдин» <petr@mail.ru>:\n> тел. +7 967 118-51-32",
        "ср, 5 нояб. 2025 г. в 12:34, Пётр Юдин <petr@mail.ru>:\n\nтел. +7 967 118-51-32",
        "Среда, 5 ноября 2025, 12:34 +03:00 от Пётр Юдин <petr@mail.ru>:\nтел. +7 967 118-51-32",
        "05.11.2025 12:34, Пётр Юдин пишет:\n> +7 967 118-51-32",
        "> 5 нояб. 2025 г., в 12:34, Пётр <petr@mail.ru> написал(а):\n> +7 967 118-51-32",
        "От: Пётр Юдин <petr@mail.ru>\nОтправлено: 5 ноября 2025\nКому: Анна\nТема: Счёт\n\n+7 967 118-51-32",
        "From: Petr <petr@mail.ru>\nSent: Monday\nTo: Anna\nSubject: x\n\n+7 967 118-51-32",
        "-----Исходное сообщение-----\nОт: Пётр\n+7 967 118-51-32",
        "On Wed, Nov 5, 2025 at 12:34 PM Petr <petr@mail.ru> wrote:\n> +7 967 118-51-32",
        "Begin forwarded message:\n\nFrom: Petr <petr@mail.ru>\n+7 967 118-51-32",
        "Le lun. 2 mars 2026 à 10:15, Petr <petr@mail.ru> a écrit :\n+7 967 118-51-32",
    ],
)
def test_quoted_and_forwarded_parts_are_cut(quote: str) -> None:
    found = read(_mail(f"{SIGNED}\n\n{quote}"), OWN)
    assert found.phones == ["+79161234567"]
    assert [m.value for m in found.mailboxes] == ["anna@kedr.test"]
    assert "118-51-32" in letter.read(f"{SIGNED}\n\n{quote}").foreign


def test_the_answer_under_a_quote_is_read() -> None:
    parts = letter.read("Вы писали 5 ноября:\nАТ> Где счёт? тел. 8 967 118-51-32\n\nВысылаю.\n--\nАнна Тестова")
    assert (parts.own, parts.signature) == ("Высылаю.", "Анна Тестова")
    assert "118-51-32" in parts.foreign


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (_mail(from_addr="noreply@shop.test"), "robot"),
        (_mail(from_addr="MAILER-DAEMON@mail.ru"), "robot"),
        (_mail(from_name="Mail Delivery System"), "robot"),
        (_mail(from_name="Почтовый робот"), "robot"),
        (_mail(from_addr="drive-shares-noreply@google.com"), "robot"),
        (_mail(from_addr="bounces+123=anna@kedr.test"), "robot"),
        (_mail(from_addr="srs0=ab=cd=mail.ru=anna@kedr.test"), "robot"),
        (_mail(subject="Автоответ: Re: Счёт"), "robot"),
        (_mail(subject="Недоставленное сообщение"), "robot"),
        (_mail("Это письмо создано автоматически, пожалуйста, не отвечайте на него."), "robot"),
        (_mail(from_addr="petrov@ourfirm.test"), "own_staff"),
        (_mail(from_addr="petrov@spb.ourfirm.test"), "own_staff"),
        ({"kind": "call", "from_number": "anonymous"}, "hidden"),
        ({"kind": "call", "from_number": ""}, "hidden"),
        ({"kind": "call", "from_number": "скрытый номер"}, "hidden"),
        ({"kind": "call", "from_number": "+74951112233"}, "own_line"),
    ],
)
def test_what_is_no_clients_event(event: dict[str, Any], why: str) -> None:
    assert read(event, OWN).ignored == why


@pytest.mark.parametrize(
    "event",
    [
        _mail(subject="Re: автоматическая линия"),
        _mail("Заявка сформирована автоматически из нашей 1С, ждём счёт."),
        _mail(from_addr="notify-anna@mail.ru"),  # everybody may choose such a name at a free provider
    ],
)
def test_what_only_sounds_like_a_machine(event: dict[str, Any]) -> None:
    assert not read(event, OWN).ignored


def test_a_relays_letter_shows_nobody() -> None:
    assert read(_mail(from_addr="x12@messages.avito.ru", from_name="Анна"), OWN).empty()


@pytest.mark.parametrize(
    ("body", "phone"),
    [
        ("Просим счёт. С уважением, Анна Тестова, ООО Кедр, т. 8-916-123-45-67", "+79161234567"),
        ("Спасибо!\n\nАнна Тестова,\nООО Кедр\n89161234567", "+79161234567"),
        ("Жду.\n--\nАнна Тестова\nдиректор ООО «Кедр»\n8 (916) 123-45-67", "+79161234567"),
        ("Жду.\n--\nООО «Кедр»\nТестова Анна", ""),
    ],
)
def test_signatures_in_other_layouts(body: str, phone: str) -> None:
    found = read(_mail(body), OWN)
    assert (found.name.last, found.phones) == ("testova", [phone] if phone else [])
    assert [c.key for c in found.companies] == ["kedr"]


def test_a_last_block_with_another_name_is_no_signature() -> None:
    assert read(_mail("Отгрузите ему:\n\nПётр Юдин\n8 967 118-51-32"), OWN).phones == []


@pytest.mark.parametrize("shown", ["Бухгалтерия ООО «Кедр»", "Анна Тестова, ООО Кедр", "ООО Кедр", "Кедр ООО"])
def test_a_company_in_the_shown_name(shown: str) -> None:
    found = read(_mail(from_name=shown), OWN)
    assert [c.key for c in found.companies] == ["kedr"]
    assert bool(found.name) == ("Анна" in shown)


def test_number_and_branch_code_in_one_field() -> None:
    for fields in ({"inn": "7736207543/773601001"}, {"comment": "ИНН/КПП 7736207543/773601001"}):
        found = read({"kind": "web_form", **fields}, OWN)
        assert (found.inns, found.kpp) == (["7736207543"], "773601001")
    assert read({"kind": "web_form", "comment": "ИНН организации: 7736207543"}, OWN).inns == ["7736207543"]


def test_a_colleague_forwards_a_clients_letter() -> None:
    body = "Посмотри.\n\n-------- Пересылаемое сообщение --------\nОт: Пётр Юдин <petr@mail.ru>\nДобрый день"
    found = read(_mail(body, from_addr="petrov@ourfirm.test"), OWN)
    assert not found.ignored
    assert [m.value for m in found.mailboxes] == ["petr@mail.ru"]
    assert found.name.last == "iudin"


def test_a_sites_form_by_mail_is_the_clients() -> None:
    answered = _mail(
        "Имя: Пётр Юдин\nТелефон: 8 916 123-45-67",
        from_addr="noreply@ourfirm.test",
        from_name="Сайт",
        reply_to="petr@mail.ru",
    )
    found = read(answered, OWN)
    assert ([m.value for m in found.mailboxes], found.phones, found.name.last) == (
        ["petr@mail.ru"],
        ["+79161234567"],
        "iudin",
    )
    own_answer = read(_mail("Отчёт", from_addr="noreply@ourfirm.test", reply_to="boss@ourfirm.test"), OWN)
    assert own_answer.ignored == "own_staff"


def test_an_outgoing_call_is_to_the_client() -> None:
    found = read({"kind": "call", "direction": "out", "from_number": "+74951112233", "to_number": "89161234567"}, OWN)
    assert found.phones == ["+79161234567"]


@pytest.mark.parametrize("note", ["Гена из Кедр-Лес", "Гена, из Кедр-Лес", "Гена компания Кедр-Лес"])
def test_a_note_names_person_and_company(note: str) -> None:
    found = read({"kind": "call", "from_number": "89161234567", "note": note}, OWN)
    assert found.name.first == {"genadi"}
    assert found.companies[0].key == "kedrles"


def test_a_marketplaces_stand_ins_are_nobodys() -> None:
    found = read(
        {"kind": "order", "shop": "yandex_market", "name": "Анна", "email": "d0f75@users.market.example", "phone": ""},
        OWN,
    )
    assert found.third_party
    assert not found.mailboxes


def test_the_recipient_of_a_gift_is_no_evidence() -> None:
    event = {
        "kind": "order",
        "name": "Анна Тестова",
        "phone": "89161234567",
        "recipient_name": "Пётр",
        "recipient_phone": "89031234567",
    }
    assert read(event, OWN).phones == ["+79161234567"]


def test_own_numbers_in_a_text_are_not_the_clients() -> None:
    found = read({"kind": "web_form", "phone": "8 495 111 22 33", "comment": "ваш ИНН 7707083893?"}, OWN)
    assert (found.phones, found.inns) == ([], [])


@pytest.mark.parametrize(
    ("address", "kind", "domain"),
    [
        ("anna@kedr.test", "person", "kedr.test"),
        ("info@kedr.test", "role", "kedr.test"),
        ("zakaz2@kedr.test", "role", "kedr.test"),
        ("anna@mail.ru", "person", ""),
        ("anna@gmial.com", "person", ""),
        ("anna@mai.ru", "person", ""),
        ("anna@gmail.con", "person", ""),
        ("no-reply@kedr.test", "robot", ""),
        ("x1@users.market.example", "relay", ""),
        ("отдел@кедр.рф", "person", "кедр.рф"),
    ],
)
def test_what_an_address_tells(address: str, kind: str, domain: str) -> None:
    box = mailbox.read(address)
    assert box is not None
    assert (box.kind, box.domain) == (kind, domain)


def test_a_mistyped_provider_is_known_for_what_was_meant() -> None:
    box = mailbox.read("ivan.pestov@gmial.com")
    assert box is not None
    assert box.meant == "ivanpestov@gmail.com"
    assert (mailbox.read("a@bk.ru"), mailbox.read("a@bk.ru")) != (mailbox.read("a@mail.ru"), None)


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        ({"kind": "web_form", "inn": "7707083894"}, ("inn", "7707083894", "checksum")),
        ({"kind": "web_form", "inn": "0000000000"}, ("inn", "0000000000", "checksum")),
        ({"kind": "web_form", "phone": "+7 000 000-00-00"}, ("phone", "+7 000 000-00-00", "not_a_phone")),
        ({"kind": "web_form", "email": "anna@"}, ("email", "anna@", "not_an_address")),
        ({"kind": "web_form", "phone": [f"8916{n:07d}" for n in range(1000, 1040)]}, ("phone", "40", "too_many")),
        ({"kind": "web_form", "email": ",".join(f"a{n}@kedr.test" for n in range(40))}, ("email", "40", "too_many")),
    ],
)
def test_what_is_no_key_is_kept_with_the_reason(event: dict[str, Any], refused: tuple[str, str, str]) -> None:
    found = read(event, OWN)
    assert refused in found.refused
    assert found.empty()


def test_numbers_of_other_countries() -> None:
    found = read({"kind": "web_form", "phone": "+375 29 123-45-67, +49 30 901820, +1 212 555 0199"}, OWN)
    assert found.phones[:2] == ["+375291234567", "+4930901820"]


_ANY = st.one_of(
    st.none(), st.text(max_size=80), st.integers(), st.lists(st.text(max_size=20), max_size=3), st.binary(max_size=5)
)
_FIELDS = (
    "from_addr",
    "from_name",
    "body",
    "reply_to",
    "name",
    "phone",
    "email",
    "company",
    "inn",
    "comment",
    "from_number",
    "note",
    "shop",
)


@given(
    st.sampled_from(["email", "web_form", "order", "call", "", "sms"]), st.dictionaries(st.sampled_from(_FIELDS), _ANY)
)
def test_nothing_is_raised_whatever_comes(kind: str, fields: dict[str, Any]) -> None:
    found = evidence.read({"kind": kind, **fields}, OWN)
    assert isinstance(found.empty(), bool)


@given(st.text(max_size=400))
def test_a_letter_is_taken_apart_whatever_stands_in_it(body: str) -> None:
    parts = letter.read(body)
    assert isinstance(parts.own + parts.signature + parts.foreign, str)


@pytest.mark.parametrize(
    ("company", "found"), [("Иван Тестов", 0), ("ТЕСТОВ ИВАН", 0), ("ИП Тестов Иван", 1), ("Тестов и сыновья", 1)]
)
def test_ones_own_name_is_no_company(company: str, found: int) -> None:
    event = {"kind": "web_form", "name": "Иван Тестов", "company": company, "phone": "+79990000001"}
    assert len(read(event, OWN).companies) == found
