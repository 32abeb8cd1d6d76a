"""Whose an event is, inside the flow: the same resolver as on files, on both databases, with cards, questions and evidence."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from sync.hub.runtime import Hub
from sync.identity import Desk, Index, Own, Source, said
from sync.identity.index import Job, Profile
from sync.store import Store
from sync.store.tables import activity, belongs, identity_key, journal, observation, quarantine, record, review
from tests.spec.hubs import START, Kit, contents, give, one, push, rows, sync

PHONE, MAIL = "+7 916 123-45-67", "anna.testova@mail.ru"
OWN = {"own_domains": ["firma.example"], "own_lines": ["+74951112233"], "own_inns": ["7728168971"]}
SIGNED = "Добрый день! Когда доставка?\n\n--\nС уважением,\nАнна Тестова\nтел. 8 (916) 123-45-67"


@pytest.fixture
def hub(kit: Kit) -> Hub:
    return kit.open(
        {
            "tilda": {"adapter": "tilda"},
            "office": {"adapter": "events", "role": "form"},
            "shop": {"role": "shop", "kinds": ["deal"]},
            "crm": {"kinds": ["contact", "company"]},
        },
        hub=OWN,
    )


def event(hub: Hub, id: str, **fields: Any) -> Any:
    """A contact event; gives its row on the timeline."""
    push(hub, "office", json.dumps({"type": "call", "id": id, **fields}).encode())
    sync(hub)
    (found,) = (r for r in rows(hub, activity, connection="office") if r.key.endswith(f":{id}"))
    return found


def letter(hub: Hub, kit: Kit, id: str, **fields: Any) -> Any:
    """A letter as the mail adapter's mapping gives it; its row in `belongs`."""
    shown = said.of_event(fields, {"type": "email", "direction": "in", **fields})
    source = Source("mail", f"message:{id}", hub.now(), {"mail": 4})
    with hub.store.begin() as tx:
        Desk(hub.store, tx, _own(hub), source).identify(id, "activity", shown, hub.now())
    return one(hub, belongs, thing=id)


def _own(hub: Hub) -> Own:
    settings = hub.config.hub
    return Own.of(settings.own_domains, settings.own_lines, settings.own_inns, settings.country)


def order(hub: Hub, number: str, **client: Any) -> Any:
    data = {"number": number, "stage": "new", "amount": "1.00", "currency": "RUB", "client": client}
    give(hub, "shop", "deal", number, data)
    return one(hub, record, kind="deal", number=number)


def people(hub: Hub) -> list[Any]:
    return rows(hub, record, kind="contact")


def firms(hub: Hub) -> list[Any]:
    return rows(hub, record, kind="company")


# one client ----------------------------------------------------------------------------------------------------------


def test_form_order_letter_and_call_of_one_person(hub: Hub, kit: Kit) -> None:
    """Written in four ways, by four ways in."""
    push(
        hub,
        "tilda",
        "Name=Тестова Анна&Phone=8 (916) 123-45-67&tranid=1:1".encode(),
        content_type="application/x-www-form-urlencoded",
    )
    sync(hub)
    deal = order(hub, "1043", name="Anna Testova", phone="+7 916 123 45 67", email="Anna.Testova@Mail.ru ")
    call = event(hub, "c1", phone="79161234567", direction="in", duration=65)
    mail = letter(hub, kit, "m1", name="Аня Т.", email=MAIL, text=SIGNED)
    (anna,) = people(hub)
    assert firms(hub) == []
    assert (deal.client_uid, deal.person_uid) == (anna.uid, anna.uid)
    assert (call.client_uid, call.person_uid, mail.card) == (anna.uid, anna.uid, anna.uid)
    assert (anna.data["phones"], anna.data["emails"]) == (["+79161234567"], [MAIL])
    assert (call.evidence["rule"], call.evidence["ru"]) == ("phone", "телефон совпал, имени для сравнения нет")
    assert call.evidence["keys"] == [["phone", "+79161234567"]]
    assert rows(hub, review) == rows(hub, quarantine) == []


def test_what_was_seen_is_kept_with_its_source_and_time(hub: Hub, kit: Kit) -> None:
    order(hub, "1", name="Анна Тестова", phone="8 916 123-45-67")
    first = one(hub, observation, kind="phone")
    assert (first.value, first.raw, first.source, first.record) == (
        "+79161234567",
        "8 916 123-45-67",
        "shop",
        "deal:1",
    )
    kit.now.pass_(days=2)
    order(hub, "1", name="Анна Тестова", phone="8 916 123-45-67", email=MAIL)
    again = one(hub, observation, kind="phone")
    assert again.first_seen == first.first_seen
    assert again.last_seen > first.last_seen
    assert one(hub, observation, kind="email").value == MAIL


def test_a_colleague_at_a_known_domain(hub: Hub) -> None:
    """A new person, and no new company."""
    first = order(hub, "1", name="Анна Тестова", email="anna@romashka-test.ru", company="ООО Ромашка", inn="7707083893")
    other = order(hub, "2", name="Пётр Пробный", email="petr@romashka-test.ru")
    assert first.client_uid == other.client_uid == firms(hub)[0].uid
    assert first.person_uid != other.person_uid
    assert {p.title for p in people(hub)} == {"Анна Тестова", "Пётр Пробный"}
    assert firms(hub)[0].title == "ООО Ромашка"


def test_a_family_phone(hub: Hub) -> None:
    """Two full names at one number are two people; a call without a name from there is a question with both."""
    anna = event(hub, "c1", phone=PHONE, name="Анна Тестова")
    boris = event(hub, "c2", phone=PHONE, name="Борис Тестов")
    assert anna.client_uid != boris.client_uid
    bare = event(hub, "c3", phone=PHONE)
    question = one(hub, review)
    assert (bare.client_uid, question.thing) == (question.record_uid, bare.uid)
    assert {c["uid"] for c in question.candidates} == {anna.client_uid, boris.client_uid}
    assert all(c["reason"]["ru"] and c["reason"]["en"] for c in question.candidates)
    assert one(hub, record, uid=question.record_uid).held
    assert event(hub, "c4", phone=PHONE).client_uid == bare.client_uid
    assert len(rows(hub, review)) == 1, "the same question is asked once"


def test_only_the_clients_card_is_a_holding_card(hub: Hub) -> None:
    """Somebody new writes for a company of which only the name is known: who it is, is certain."""
    order(hub, "1", company="ООО Ромашка", inn="7707083893", name="Анна Тестова", phone=PHONE)
    deal = order(hub, "2", company="ООО Ромашка", name="Борис Пробный", phone="+7 903 765-43-21")
    question = one(hub, review)
    assert (deal.client_uid, one(hub, record, uid=deal.client_uid).held) == (question.record_uid, True)
    assert [(p.title, p.held) for p in people(hub)] == [("Анна Тестова", None), ("Борис Пробный", None)]
    assert question.candidates[0]["name"] == "ООО Ромашка"


def test_a_bookkeeper_of_two_companies(hub: Hub, kit: Kit) -> None:
    """With an INN in the letter: that company. Without: a question, and the person is known all the same."""
    signature = "Добрый день! Акт по {}\n\n--\nВера Счётова\nглавный бухгалтер\nтел. 8 916 765-43-21"
    first = letter(
        hub,
        kit,
        "m1",
        name="Вера Счётова",
        email="vera.schet@mail.ru",
        text=signature.format("ООО «Ромашка», ИНН 7707083893"),
    )
    other = letter(
        hub,
        kit,
        "m2",
        name="Вера Счётова",
        email="vera.schet@mail.ru",
        text=signature.format("ООО «Лютик», ИНН 7736050003"),
    )
    assert first.card != other.card
    assert first.person == other.person == people(hub)[0].uid
    bare = letter(hub, kit, "m3", name="Вера Счётова", email="vera.schet@mail.ru", text="Добрый день! Где акт?")
    question = one(hub, review)
    assert (bare.card, bare.person) == (question.record_uid, first.person)
    assert {first.card, other.card} <= {c["uid"] for c in question.candidates}


def test_the_companys_numbers_come_before_all_else(hub: Hub) -> None:
    deal = order(hub, "1", name="Анна Тестова", phone=PHONE, company="Общество «Ромашка»", inn="7707083893")
    company = one(hub, record, uid=deal.client_uid)
    assert (company.kind, company.number, company.data["kind"]) == ("company", "7707083893", "legal")
    later = order(hub, "2", company="Ромашка-Плюс", inn="7707083893/773601001", kpp="773601001")
    assert later.client_uid == company.uid
    mine = order(hub, "3", name="Анна Тестова", phone=PHONE, inn="7728168971")
    assert mine.client_uid == company.uid, "our own INN in an order is nobody's: the person's work decides"


def test_a_wrong_checksum_is_no_key_and_the_raw_value_is_kept(hub: Hub) -> None:
    deal = order(hub, "1", name="Анна Тестова", phone=PHONE, inn="7707083890")
    assert one(hub, record, uid=deal.client_uid).kind == "contact"
    link = one(hub, belongs, thing=deal.uid)
    assert link.said["inn"] == "7707083890"
    assert link.evidence["ru"].endswith("не учтено: inn «7707083890» (не сходится контрольная сумма)")
    (told,) = rows(hub, activity, deal_uid=deal.uid)
    assert told.evidence["en"].endswith("not used: inn «7707083890» (the checksum is wrong)"), "people see why"


def test_control_characters_and_crowded_fields_are_named_with_their_reason(hub: Hub) -> None:
    many = "; ".join(f"8 916 765-{n:02}-{n:02}" for n in range(10, 50))
    deal = order(hub, "1", name="Анна Тестова", phone=many, email="anna\x01@mail")
    said = one(hub, belongs, thing=deal.uid).evidence["en"]
    assert "phone «" in said
    assert "(too many values in one field)" in said
    assert "email «anna@mail» (no mail address)" in said
    assert order(hub, "2", name="", phone="8 916 765-10-10").client_uid != deal.client_uid


# nobody's ------------------------------------------------------------------------------------------------------------


def test_hidden_numbers_and_own_lines_make_no_client_and_no_noise(hub: Hub) -> None:
    found = [
        event(hub, "c1", phone="anonymous"),
        event(hub, "c2", phone="+7 495 111-22-33"),
        event(hub, "c3", phone="104"),
        event(hub, "c4", phone=PHONE, email="boss@firma.example", name="Анна Тестова"),
    ]
    assert [(r.label, r.client_uid is None) for r in found] == [
        ("hidden", True),
        ("own_line", True),
        ("own_line", True),
        (None, False),
    ]
    assert found[0].evidence["ru"] == "номер скрыт"
    assert len(people(hub)) == 1
    assert rows(hub, quarantine) == []


def test_robots_and_colleagues_write_letters_of_nobody(hub: Hub, kit: Kit) -> None:
    robot = letter(hub, kit, "m1", email="noreply@dostavka-test.ru", text="Ваш заказ доставлен")
    staff = letter(hub, kit, "m2", name="Пётр Свой", email="petr@firma.example", text="Коллеги, см. ниже")
    assert [(r.card, r.rule, r.evidence["ru"]) for r in (robot, staff)] == [
        (None, "ignored", "сообщение робота"),
        (None, "ignored", "сообщение сотрудника"),
    ]
    assert rows(hub, record) == []


def test_an_order_of_our_own_is_a_deal_without_a_client(hub: Hub) -> None:
    deal = order(hub, "1", name="Пётр Свой", email="petr@firma.example")
    logged = one(hub, activity, deal_uid=deal.uid)
    assert (deal.client_uid, logged.label) == (None, "own_staff")
    assert rows(hub, quarantine) == []


def test_what_says_nothing_waits_with_words(hub: Hub) -> None:
    deal = order(hub, "1", name="Аноним")
    assert (deal.client_uid, one(hub, quarantine).code) == (None, "client.none")
    later = order(hub, "1", name="Анна Тестова", phone=PHONE)
    assert later.client_uid == people(hub)[0].uid
    assert one(hub, belongs, thing=deal.uid).card == later.client_uid


# again ---------------------------------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing(hub: Hub, kit: Kit) -> None:
    deal = order(hub, "1", name="Анна Тестова", phone=PHONE, email="anna@romashka-test.ru")
    event(hub, "c1", phone=PHONE)
    before = contents(hub.store, ("inbox", "run", "cursor", "session", "due", "lease", "bucket"))
    shown = one(hub, belongs, thing=deal.uid)
    with hub.store.begin() as tx:
        source = Source("shop", "deal:1", hub.now())
        verdict = Desk(hub.store, tx, _own(hub), source).identify(deal.uid, "record", shown.said, hub.now())
    assert (verdict.client, verdict.person, verdict.rule) == (deal.client_uid, deal.person_uid, shown.rule)
    event(hub, "c1", phone=PHONE)
    assert contents(hub.store, ("inbox", "run", "cursor", "session", "due", "lease", "bucket")) == before


def test_a_record_that_says_more_teaches_and_stays_whose_it_is(hub: Hub) -> None:
    deal = order(hub, "1", name="Анна", phone=PHONE)
    order(hub, "1", name="Анна Тестова", phone=PHONE, email=MAIL)
    (anna,) = people(hub)
    assert (anna.title, anna.data["emails"]) == ("Анна Тестова", [MAIL])
    assert order(hub, "2", email=MAIL).client_uid == anna.uid
    changed = order(hub, "1", name="Борис Иной", phone="+7 903 765-43-21")
    assert changed.client_uid == deal.client_uid, "only people move a deal"
    assert len(people(hub)) == 1


def test_a_hub_that_dies_keeps_nothing_by_half(hub: Hub) -> None:
    class Dead(Exception):
        pass

    before = contents(hub.store)
    source = Source("shop", "deal:1", hub.now())
    with pytest.raises(Dead), hub.store.begin() as tx:
        shown = said.of_event({"name": "Анна Тестова", "phone": PHONE}, {"type": "order"})
        Desk(hub.store, tx, _own(hub), source).identify("thing", "record", shown, hub.now())
        raise Dead
    assert contents(hub.store) == before


def test_many_at_one_instant_make_one_client(kit: Kit, hub: Hub) -> None:
    """Different keys in different orders: neither doubles nor deadlocks, and no word of anybody's is lost."""
    shown = [
        {"name": "Анна Тестова", "phone": PHONE, "email": "anna@romashka-test.ru"},
        {"name": "Анна", "email": "anna@romashka-test.ru", "phone": PHONE, "company": "ООО Ромашка"},
    ] * 4
    gate, found, errors = threading.Barrier(len(shown)), [], []

    def work(number: int) -> None:
        try:
            gate.wait(20)
            with hub.store.begin() as tx:
                source = Source("shop", f"deal:{number}", START)
                words = said.of_event(shown[number], {"type": "order"})
                desk = Desk(hub.store, tx, _own(hub), source)
                found.append(desk.identify(f"thing{number}", "record", words, START))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(shown))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({v.person for v in found}) == len({v.client for v in found}) == 1
    assert (len(people(hub)), len(firms(hub))) == (1, 1)
    assert firms(hub)[0].title == "ООО Ромашка"


# cards of other systems ----------------------------------------------------------------------------------------------


def test_a_companys_card_is_known_by_its_numbers_and_leads_here(kit: Kit, hub: Hub) -> None:
    deal = order(hub, "1", name="Анна Тестова", email="anna@romashka-test.ru", inn="7707083893", company="ООО Ромашка")
    kit.world("crm").put("company", {"name": "Ромашка (опт)", "inn": "7707083893", "phones": ["8 495 765-43-21"]})
    sync(hub)
    (company,) = firms(hub)
    assert deal.client_uid == company.uid
    assert event(hub, "c1", phone="+74957654321").client_uid == company.uid, "the office phone stands on its card"


def test_a_contacts_card_that_changes_leads_here_by_its_new_phone(kit: Kit, hub: Hub) -> None:
    card = kit.world("crm").put("contact", {"name": "Анна Тестова", "phones": [PHONE]})
    sync(hub)
    kit.world("crm").put("contact", {"name": "Анна Тестова", "phones": [PHONE, "8 903 765-43-21"]}, card)
    sync(hub)
    assert event(hub, "c1", phone="+79037654321").client_uid == people(hub)[0].uid


# bad input -----------------------------------------------------------------------------------------------------------

HOSTILE: list[dict[str, Any]] = [
    {"name": "\x00\x07\ud800", "phone": "\x00", "email": "a\x00b@c.ru"},
    {"name": "Я" * 5000, "phone": [PHONE] * 40, "email": "x" * 3000},
    {"phone": "; ".join(f"+7916{n:07d}" for n in range(1, 41)), "name": "Список Чужих"},
    {"name": ["list"], "phone": {"a": 1}, "inn": 7707083893, "company": True},
    {"name": "Robert'); DROP TABLE record;--", "email": "bobby@mail.ru", "inn": "0000000000"},
    {"name": "", "phone": "+1 212 555 0100", "company": "-", "kpp": "x" * 999},
]


@pytest.mark.parametrize("client", HOSTILE, ids=range(len(HOSTILE)))
def test_bad_input_stops_nothing(hub: Hub, client: dict[str, Any]) -> None:
    with hub.store.begin() as tx:
        shown = said.of_event(client, {"type": "order"}, "shop")
        verdict = Desk(hub.store, tx, _own(hub), Source("shop", "deal:9", hub.now())).identify(
            "9", "record", shown, START
        )
    assert verdict.text.ru
    assert one(hub, belongs, thing="9").rule == verdict.rule
    assert order(hub, "1", name="Анна Тестова", phone=PHONE).client_uid is not None


# the index in the hub's tables ---------------------------------------------------------------------------------------


def test_the_index_reads_what_it_wrote(store: Store) -> None:
    with store.begin() as tx:
        index = Index.of(tx)
        index.save(Profile("p1", "person", ["Анна Тестова"], ["+79161234567"], ["anna@mail.ru"]))
        index.save(Profile("c1", "company", ["ООО «100 % Ромашка?»"], domains=["romashka-test.ru"], inn="7707083893"))
        index.save(Profile("p1", "person", ["Анна Тестова"], ["+79161234567", "+79037654321"], ["anna@mail.ru"]))
        index.employ(Job("p1", "c1", "2026-03-01", ""))
        index.employ(Job("p1", "c1", "2026-03-01", "2026-03-02"))
        assert index.holders([("phone", "+79037654321"), ("inn", "7707083893"), ("inn", "1")]) == {
            ("phone", "+79037654321"): ["p1"],
            ("inn", "7707083893"): ["c1"],
            ("inn", "1"): [],
        }
        assert index.profiles(["c1", "x"])["c1"].names == ["ООО «100 % Ромашка?»"]
        assert [j.until for j in index.jobs(["p1"])] == ["2026-03-02"]
        assert index.staff("c1") == ["p1"]
        index.put(Profile("p1", "person", ["Анна Тестова"], ["+79161234567"]))
        assert index.holders([("email", "anna@mail.ru")]) == {("email", "anna@mail.ru"): []}
        index.drop("c1")
        assert index.profiles(["c1"]) == {}


def test_a_base_is_loaded_into_the_hubs_own_tables(store: Store) -> None:
    from sync.identity.loading import load

    base = [
        {"id": "c1", "kind": "company", "name": "ООО Ромашка", "inn": "7707083893"},
        {
            "id": "p1",
            "kind": "person",
            "name": "Анна Тестова",
            "companies": ["c1"],
            "emails": ["anna@romashka-test.ru"],
        },
    ]
    with store.begin() as tx:
        assert load(Index.of(tx), base) == 2
        found = Index.of(tx).holders([("domain", "romashka-test.ru")])
        assert found == {("domain", "romashka-test.ru"): ["c1"]}, "her company owns the domain that nobody claims"
        assert tx.execute(sa.select(sa.func.count()).select_from(identity_key)).scalar_one() > 3


def test_the_journal_names_who_taught_what(hub: Hub) -> None:
    order(hub, "1", name="Анна", phone=PHONE)
    event(hub, "c1", phone=PHONE, name="Анна Тестова")
    notes = rows(hub, journal, record_uid=people(hub)[0].uid)
    assert [(n.why, n.who) for n in notes] == [("created", "shop"), ("observed", "office")]
    assert notes[1].changes == {"name": ["Анна", "Анна Тестова"]}
