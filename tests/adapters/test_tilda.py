"""Tilda's leads: the documented body, what is kept of it, what is kept out of storage, and everything that goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlencode

import pytest

from adapters.base import Arrival, RecordRefused
from adapters.forms import TildaAdapter
from adapters.testing import AdapterConformance, arrival, kit_context
from sync.lens import load
from sync.model.records import CLIENT_FIELDS, validate
from tests.peers.forms import TildaSender, cookies
from tests.peers.http import Answer, Call, HttpPeer

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
LEAD = {
    "Name": "Анна",
    "Phone": "+7 (999) 000-00-00",
    "Email": "anna@example.ru",
    "Checkbox": "yes",
    "tranid": "467251:8442970",
    "formid": "form000000001",
    "COOKIES": cookies({"source": "vk", "medium": "social", "campaign": "autumn"}),
}


def make(**settings) -> TildaAdapter:
    return TildaAdapter(TildaAdapter.Settings(**settings), kit_context())


def post(fields, **more) -> Arrival:
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    return arrival(body, "application/x-www-form-urlencoded", **more)


def lead(fields, adapter: TildaAdapter | None = None, **more):
    (record,) = (adapter or make()).unpack(post(fields, **more))
    return record


def label(adapter: TildaAdapter, fields, **more) -> str:
    reception = adapter.receive(post(fields, **more))
    assert (reception.reply.status, reception.reply.body) == (200, b"ok")
    return reception.label


class TestTilda(AdapterConformance):
    adapter = TildaAdapter
    secrets = ("s3cret",)

    def make(self):
        return make(secret="s3cret", honeypot="website")

    def arrivals(self):
        bodies = [LEAD, {**LEAD, "tranid": "467251:2"}, {"Имя": "Ёж 🦔", "Телефон": "8 999 000 00 01"}]
        return [post(body, query={"key": "s3cret"}) for body in bodies]

    def broken(self):
        return [make(secret=""), make(min_fill_seconds=3)]


def test_the_documented_lead():
    record = lead(LEAD)
    assert (record.kind, record.id) == ("lead", "467251:8442970")
    assert record.data == {
        "id": "467251:8442970",
        "name": "Анна",
        "phone": "+7 (999) 000-00-00",
        "email": "anna@example.ru",
        "form": {"id": "form000000001"},
        "utm": {"source": "vk", "medium": "social", "campaign": "autumn"},
        "consent": {"Checkbox": "yes"},
        "fields": {"_ym_uid": "160000000000000000"},
        "sent_at": "2026-03-01T09:00:00Z",
    }
    assert make().receive(post(LEAD)).key == "form000000001:467251:8442970"


def test_connecting_and_pings_make_no_lead():
    adapter = make()
    assert label(adapter, b"test=test") == "test"
    assert list(adapter.unpack(post(b"test=test"))) == []
    for method in ("GET", "HEAD"):
        assert label(adapter, b"", method=method) == "ping"
        assert list(adapter.unpack(post(b"", method=method))) == []


def test_a_lead_with_a_field_named_test_is_a_lead():
    assert label(make(), {"test": "test", "Phone": "89990000000"}) == ""


def test_foreign_cookies_are_not_stored_and_the_marks_are():
    stored = make().receive(post(LEAD)).stored
    assert b"not-for-the-hub" not in stored
    assert b"previousUrl" not in stored
    assert parse_qs(stored.decode())["Name"] == ["Анна"]
    assert lead(stored).data == lead(LEAD).data


def test_foreign_cookies_are_not_stored_under_any_label():
    adapter = make(secret="right", honeypot="trap")
    for body in (LEAD, {**LEAD, "trap": "x"}):
        assert b"not-for-the-hub" not in adapter.receive(post(body)).stored
        assert b"not-for-the-hub" not in adapter.receive(post(body, query={"key": "right"})).stored


def test_a_body_without_cookies_is_stored_as_it_came():
    assert make().receive(post({"Name": "Анна", "Phone": "1234567"})).stored is None


@pytest.mark.parametrize("separator", ["|||", "|||amp;"])
def test_both_separators_of_the_marks(separator):
    cookie = "TILDAUTM=" + quote(f"utm_source=vk{separator}utm_term=болт 8|utm_x=1{separator}utm_zone=7")
    assert lead({**LEAD, "COOKIES": cookie}).data["utm"] == {"source": "vk", "term": "болт 8|utm_x=1"}


def test_marks_of_the_page_win_and_the_first_touch_is_kept():
    page = "https://shop.example/a?utm_source=ya%26%2B&UTM_Medium=cpc#utm_source=wrong"
    data = lead({**LEAD, "page": page, "utm_medium": "email"}).data
    assert data["utm"] == {"source": "ya&+", "medium": "email"}
    assert data["first_touch"] == {"source": "vk", "medium": "social", "campaign": "autumn"}
    assert data["form"]["page"] == page


@pytest.mark.parametrize("page", ["http://[x", "?" + "a=1&" * 300, "https://shop.example/?utm_source=%ff", ":"])
def test_a_broken_page_address_harms_nothing(page):
    data = lead({**LEAD, "page": page}).data
    assert data["phone"] == LEAD["Phone"]
    assert data["form"]["page"] == page


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Имя": "Ан", "Телефон": "89990000000"}, {"name": "Ан", "phone": "89990000000"}),
        ({"ВАШЕ ИМЯ:": "Ан", "ваш телефон *": "1-23-45"}, {"name": "Ан", "phone": "1-23-45"}),
        ({"phone": "1234567", "Phone": "7654321"}, {"phone": "7654321", "fields": {"phone": "1234567"}}),
        ({"E-mail": "a@b.ru", "Почта": "c@d.ru"}, {"email": "a@b.ru", "fields": {"Почта": "c@d.ru"}}),
        ({"Phone": "", "tel": "12345"}, {"phone": "12345"}),
        ({"Имя менеджера": "Олег", "Phone": "12345"}, {"phone": "12345", "fields": {"Имя менеджера": "Олег"}}),
        (
            {"Textarea": "Перезвоните", "ИНН": "7707083893", "Email": "a@b.ru"},
            {"comment": "Перезвоните", "inn": "7707083893"},
        ),
    ],
)
def test_usual_names_of_fields(fields, expected):
    data = lead(fields).data
    assert {key: data.get(key) for key in expected} == expected
    assert "contactless" not in data


def test_unknown_fields_and_several_values_are_kept():
    body = "Phone=12345&Цвет=red&Цвет=blue&Размер[]=S&Размер[]=M&Пусто=&=без имени".encode()
    assert lead(body).data["fields"] == {"Цвет": "red, blue", "Размер": "S, M", "": "без имени"}


def test_each_consent_keeps_its_own_purpose_and_raw_value():
    body = {"Phone": "12345", "Checkbox": "yes", "Checkbox_2": "", "Согласие на рассылку": "нет", "policy": "v3"}
    data = lead(body).data
    assert data["consent"] == {"Checkbox": "yes", "Checkbox_2": "", "Согласие на рассылку": "нет"}
    assert "consent" not in lead({"Phone": "12345"}).data  # absent is not "no"


def test_a_cart_comes_as_nested_names():
    body = (
        b"Phone=12345&payment[amount]=100.50&payment[products][0][name]=A&payment[products][1][name]=B"
        b"&payment[a]=1&payment[a][b]=2&payment[c][d]=3&payment[c]=4"
    )
    assert lead(body).data["cart"] == {
        "amount": "100.50",
        "products": {"0": {"name": "A"}, "1": {"name": "B"}},
        "a": {"": "1", "b": "2"},
        "c": {"d": "3", "": "4"},
    }


@pytest.mark.parametrize("phone", ["нет", "-", "", "@"])
def test_a_lead_without_phone_and_mail_is_visible(phone):
    record = lead({"Name": "Анна", "Phone": phone, "tranid": "1:1"})
    assert record.data["contactless"] is True
    assert record.data.get("phone", "") == phone  # kept as it came


def test_windows_1251_and_half_letters():
    body = b"Name=%C8%E2%E0%ED&Phone=12345&" + urlencode({"Комментарий": "да"}).encode() + b"&Text=%D0%94%D0%B0%D0"
    data = lead(body).data
    assert (data["name"], data["comment"]) == ("Иван", "да")
    assert data["fields"] == {"Text": "Да"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "пустое"),
        (b" \r\n", "пустое"),
        (b"test", "имя=значение"),
        (b'{"Name": "a=b"}', "имя=значение"),
        (b"<html>a=b</html>", "имя=значение"),
        (b"Name=%98%98", "кодировку"),
        (b"&".join(b"a%d=1" % n for n in range(201)), "200"),
    ],
)
def test_broken_bodies_are_answered_labelled_and_refused_with_the_reason(body, word):
    adapter = make()
    reception = adapter.receive(post(body))
    assert (reception.label, reception.reply.status) == ("broken", 200)
    assert word in reception.reason.ru
    with pytest.raises(RecordRefused) as refused:
        list(adapter.unpack(post(body)))
    assert refused.value.text == reception.reason


def test_too_large_a_body_is_labelled_before_it_is_read():
    said = Arrival("x", size=(1 << 20) + 1, open=lambda: pytest.fail("it was opened"))
    assert make().receive(said).label == "oversized"
    assert label(make(), b"a=" + b"x" * (1 << 20)) == "oversized"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"query": {"key": "s3cret"}}, ""),
        ({"headers": {"x-api-key": "s3cret"}}, ""),
        ({"headers": {"authorization": "Bearer s3cret"}}, ""),
        ({"name": "site/s3cret"}, ""),
        ({"query": {"key": "old"}}, ""),
        ({"query": {"key": "wrong"}}, "unsigned"),
        ({"query": {"key": ""}}, "unsigned"),
        ({"headers": {"x-api-key": "s3cret\ud800"}}, "unsigned"),
        ({}, "unsigned"),
    ],
)
def test_the_secret_and_the_ways_to_send_it(more, expected):
    adapter = make(secret="s3cret", previous_secret="old")
    assert label(adapter, LEAD, **more) == expected
    assert [record.id for record in adapter.unpack(post(LEAD, **more))] == [
        "467251:8442970"
    ]  # kept, whatever its label


def test_the_secret_as_a_field_is_believed_and_neither_stored_nor_shown():
    adapter, body = make(secret="s3cret"), {**LEAD, "key": "s3cret"}
    assert label(adapter, body) == ""
    assert b"s3cret" not in adapter.receive(post(body)).stored
    assert "s3cret" not in str(lead(body, adapter).data)
    assert "s3cret" not in repr(adapter.settings)
    assert lead({**LEAD, "key": "ключ от дома"}, adapter).data["fields"]["key"] == "ключ от дома"


def test_an_empty_secret_does_not_let_everybody_in_and_check_says_so():
    adapter = make(secret="")
    (finding,) = [found for found in adapter.check() if not found.ok]
    assert finding.setting == "secret"


def test_trap_field_and_haste_are_labels_not_refusals():
    adapter = make(honeypot="Website", started="shown", min_fill_seconds=5)
    assert label(adapter, {**LEAD, "website": "http://spam.example"}) == "spam"
    assert label(adapter, {**LEAD, "website": " "}) == ""
    stamps = {
        (AT - timedelta(seconds=2)).isoformat(): "spam",
        str(int((AT - timedelta(seconds=3)).timestamp())): "spam",
        str(int((AT - timedelta(seconds=60)).timestamp() * 1000)): "",
        (AT + timedelta(hours=1)).isoformat(): "",  # the visitor's clock is wrong, not the visitor
        "2026-03-01T09:00:00": "",
        "9" * 15: "",
        "вчера": "",
    }
    assert {stamp: label(adapter, {**LEAD, "shown": stamp}) for stamp in stamps} == stamps
    assert "shown" not in lead({**LEAD, "shown": "1"}, adapter).data["fields"]


def test_without_a_number_equal_messages_have_equal_keys_and_others_do_not():
    adapter = make()
    base = {"Name": "Анна", "Phone": "8 (999) 000-00-00", "Email": "Anna@example.ru", "formid": "f1"}
    key = adapter.receive(post(base)).key
    assert key.startswith("body:")
    same = [
        {**base, "Phone": "+7 999 000 00 00", "Email": "anna@example.ru", "Name": " АННА "},
        {**base, "Phone": "9990000000", "COOKIES": LEAD["COOKIES"], "smart-token": "once"},
        dict(reversed(base.items())),
    ]
    other = [{**base, "formid": "f2"}, {**base, "Textarea": "и ещё вопрос"}, {**base, "Phone": "+7 999 000 00 01"}]
    assert {adapter.receive(post(body)).key for body in same} == {key}
    assert len({key, *(adapter.receive(post(body)).key for body in other)}) == 4


def test_without_a_number_the_same_words_next_month_are_another_lead():
    body = {"Name": "Анна", "Phone": "89990000000"}
    assert lead(body).id == lead(body).id
    assert lead(body).id != lead(body, at=AT + timedelta(days=30)).id


def test_the_mapping_reads_a_lead_into_the_hubs_fields():
    body = {**LEAD, "formname": "Заявка", "Textarea": "Перезвоните", "Цвет": "red", "ИНН": "7707083893"}
    read = load("tilda").lens("lead").get(lead(body).data)
    assert read.problems == []
    assert validate("lead", read.fields) == {
        "title": "Заявка",
        "status": "new",
        "source": "tilda",
        "utm": {"source": "vk", "medium": "social", "campaign": "autumn"},
        "form": {"id": "form000000001", "name": "Заявка"},
        "consent": {"Checkbox": "yes"},
        "comment": "Перезвоните",
        "extra": {"Цвет": "red", "_ym_uid": "160000000000000000"},
        "created_at": AT,
    }
    assert read.client == {"name": "Анна", "phone": LEAD["Phone"], "email": "anna@example.ru", "inn": "7707083893"}
    assert read.client.keys() <= CLIENT_FIELDS
    event = validate("activity", read.event)
    assert (event["type"], event["at"], event["key"]) == ("form", AT, "467251:8442970")


def test_the_mapping_writes_nothing_back():
    assert load("tilda").lens("lead").two_way == load("form").lens("lead").two_way == frozenset()


class Hub(HttpPeer):
    """Just enough of a hub: it labels with the adapter and answers as it says."""

    adapter = make(secret="s3cret")

    def handle(self, call: Call) -> Answer:
        reception = self.adapter.receive(arrival(call.body, query=call.query, method=call.method))
        self.state.setdefault("labels", []).append(reception.label)
        self.state.setdefault("keys", []).append(reception.key)
        return Answer(reception.reply.body, reception.reply.status)


def test_a_patient_sender_tries_three_times_and_repeats_have_one_key():
    with Hub() as hub, TildaSender(hub.url + "/in/site", "s3cret", pause=waits.append) as sender:
        waits.clear()
        assert sender.connect()
        hub.fault("drop", times=1)
        hub.fault("status", times=1, status=502)
        sent = sender.lead()
        assert (len(sent.tries), sent.tries[1:], sent.delivered) == (3, [502, 200], True)
        assert waits == [60, 60]
        assert hub.state["labels"] == ["test", "", ""]
        assert len(set(hub.state["keys"][1:])) == 1


def test_an_impatient_end_and_a_redirect_lose_the_lead_for_the_sender():
    with Hub() as hub, TildaSender(hub.url + "/in/site?key=s3cret", pause=waits.append) as sender:
        hub.fault("status", times=3, status=302, headers={"Location": hub.url})
        sent = sender.lead(tranid="")
        assert (sent.tries, sent.delivered) == ([302, 302, 302], False)
        assert sender.lead().delivered
        assert len(sender.log) == 2


waits: list[float] = []
