"""Any web form: three encodings, browsers and machines, form services, and what must never become a lead or be lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.base import RecordRefused
from adapters.forms import HtmlFormAdapter
from adapters.testing import AdapterConformance, arrival, assert_json_like, kit_context
from sync.lens import load
from sync.model.records import validate

SITE = "https://shop.example"
CONTENT_TYPES = ("", "application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded")
TYPEFORM = {
    "event_id": "ev1",
    "event_type": "form_response",
    "form_response": {
        "form_id": "AbCdEf",
        "token": "tok1",
        "submitted_at": "2026-01-10T05: 18: 14Z",
        "hidden": {"utm_source": "vk"},
        "definition": {
            "id": "AbCdEf",
            "title": "Заявка",
            "fields": [
                {"id": "f1", "title": "Your name?"},
                {"id": "f2", "title": "Что нужно?"},
                {"ref": "r3", "title": "Опт"},
            ],
        },
        "answers": [
            {"type": "text", "text": "Анна", "field": {"id": "f1", "ref": "r1"}},
            {"type": "phone_number", "phone_number": "+79990000000", "field": {"id": "f7"}},
            {"type": "email", "email": "anna@example.ru", "field": {"id": "f8"}},
            {"type": "choices", "choices": {"labels": ["Болты", "Гайки"], "other": "Шайбы"}, "field": {"id": "f2"}},
            {"type": "boolean", "boolean": False, "field": {"id": "f3", "ref": "r3"}},
            {"type": "text", "text": "потерянное поле", "field": {"id": "f9", "ref": "r9"}},
        ],
    },
}


def make(**settings) -> HtmlFormAdapter:
    return HtmlFormAdapter(HtmlFormAdapter.Settings(**settings), kit_context())


def encoded(fields, **more):
    return arrival(urlencode(fields).encode(), "application/x-www-form-urlencoded", **more)


def as_json(document, **more):
    return arrival(json.dumps(document, ensure_ascii=False).encode(), "application/json", **more)


def multipart(fields, files=None, **more):
    files = {**{name: (None, value) for name, value in fields.items()}, **(files or {})}
    request = httpx.Request("POST", SITE, files=files)
    return arrival(request.read(), request.headers["content-type"], **more)


def lead(came, **settings):
    (record,) = make(**settings).unpack(came)
    return record


class TestHtmlForm(AdapterConformance):
    adapter = HtmlFormAdapter
    secrets = ("s3cret",)

    def make(self):
        return make(secret="s3cret", origins=[SITE], honeypot="website")

    def arrivals(self):
        fields = {"name": "Ёж 🦔", "phone": "89990000000"}
        signed = {"query": {"key": "s3cret"}, "remote": "203.0.113.7"}
        file = {"file": ("план.pdf", b"%PDF", "application/pdf")}
        return [
            encoded(fields, **signed),
            encoded({**fields, "COOKIES": "sid=1; _ga=2", "submission_id": "77"}, **signed),
            multipart({**fields, "comment": "с файлом"}, file, **signed),
            as_json({**fields, "phone": 89990000001}, **signed),
            as_json(TYPEFORM, **signed),
        ]

    def broken(self):
        return [make(secret=""), make(min_fill_seconds=3)]


def test_the_mapping_reads_every_kind_of_post():
    lens = load("form").lens("lead")
    for came in TestHtmlForm().arrivals():
        read = lens.get(lead(came).data)
        assert read.problems == []
        assert validate("lead", read.fields)["source"] == "form"
        assert read.client["phone"]
        assert validate("activity", read.event)["type"] == "form"


def test_three_encodings_give_one_lead():
    fields = {"name": "Анна", "phone": "89990000000", "Цвет": "red"}
    posts = [encoded(fields), multipart(fields), as_json(fields), as_json({"form": None, "fields": fields})]
    assert len({json.dumps(lead(came).data) for came in posts}) == 1
    assert lead(posts[0]).data["fields"] == {"Цвет": "red"}
    assert len({make().receive(came).key for came in posts}) == 1


def test_json_under_a_wrong_content_type_is_read():
    body = json.dumps({"phone": "12345"}).encode()
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded"):
        assert lead(arrival(body, content_type)).data["phone"] == "12345"


def test_json_values_of_all_types():
    document = {
        "phone": 79990000000,
        "agree": True,
        "budget": 1234567890123456.75,
        "empty": None,
        "colours": ["red", "blue"],
        "nested": {"a": {"b": [1, 2]}},
        "client": {"name": "Анна"},
    }
    data = lead(arrival(json.dumps(document).replace("1234567890123456.8", "1234567890123456.75").encode())).data
    assert (data["phone"], data["name"], data["consent"]) == ("79990000000", "Анна", {"agree": "true"})
    assert data["fields"] == {"budget": "1234567890123456.75", "colours": "red, blue", "nested.a.b": "1, 2"}


def test_json_fields_as_a_list_of_named_values():
    fields = [
        {"name": "phone", "value": "12345"},
        {"title": "Цвет", "value": "red"},
        {"title": "Цвет", "value": "blue"},
        7,
    ]
    data = lead(as_json({"form_id": 5, "fields": fields})).data
    assert (data["phone"], data["form"]) == ("12345", {"id": "5"})
    assert data["fields"] == {"Цвет": "red", "Цвет 2": "blue", "3": "7"}


def test_json_in_windows_1251():
    assert lead(arrival('{"Имя": "Иван", "Телефон": "12345"}'.encode("cp1251"))).data["name"] == "Иван"


def test_files_are_counted_and_not_kept():
    content = b"%PDF" + b"x" * 2_000_000
    files = {"plan": ("C:\\docs\\план.pdf", content, "application/pdf"), "none": ("", b"", "application/octet-stream")}
    came = multipart({"phone": "12345"}, files)
    assert make().receive(came).label == ""
    assert lead(came).data["files"] == [
        {"field": "plan", "name": "план.pdf", "type": "application/pdf", "size": len(content)}
    ]
    assert make(max_upload_mib=1).receive(came).label == "oversized"


def test_a_long_field_of_a_multipart_body_is_oversized():
    assert make().receive(multipart({"comment": "x" * (1 << 20) + "y"})).label == "oversized"


def test_every_cut_of_a_multipart_body_is_noticed():
    whole = multipart({"name": "Анна", "phone": "12345"}, {"f": ("a.txt", b"text", "text/plain")})
    body = whole.read()
    for length in range(len(body) - 4):  # without the last dashes it is not ended
        cut = arrival(body[:length], whole.headers["content-type"])
        assert make().receive(cut).label == "broken", length
        with pytest.raises(RecordRefused):
            list(make().unpack(cut))


def test_contact_form_7():
    body = (
        b"_wpcf7=6&_wpcf7_unit_tag=wpcf7-f6-p0-o1&_wpcf7_container_post=0&your-name=Ivan&your-email=ivan%40example.ru"
        b"&your-subject=test&your-message=hello&your-method[]=phone&your-method[]=mail"
    )
    data = lead(arrival(body, "application/x-www-form-urlencoded")).data
    assert data["form"] == {"id": "6"}
    assert [data[name] for name in ("name", "email", "subject", "comment")] == [
        "Ivan",
        "ivan@example.ru",
        "test",
        "hello",
    ]
    assert data["fields"] == {"your-method": "phone, mail"}


def test_typeform():
    record = lead(as_json(TYPEFORM))
    assert record.id == "tok1"
    assert make().receive(as_json(TYPEFORM)).key == "AbCdEf:tok1"
    data = record.data
    assert (data["name"], data["phone"], data["email"]) == ("Анна", "+79990000000", "anna@example.ru")
    assert data["form"] == {"id": "AbCdEf", "name": "Заявка"}
    assert data["utm"] == {"source": "vk"}
    assert data["fields"] == {
        "submitted_at": "2026-01-10T05: 18: 14Z",
        "Что нужно?": "Болты, Гайки, Шайбы",
        "Опт": "false",
        "r9": "потерянное поле",
    }


@pytest.mark.parametrize(
    "response",
    [{}, {"answers": 5}, {"answers": [None, {}, {"type": "text"}, {"type": []}]}, {"definition": [], "hidden": "x"}],
)
def test_a_typeform_with_holes_is_a_lead_without_contacts(response):
    came = as_json({"event_id": "ev2", "form_response": response})
    assert make().receive(came).label == ""
    assert (lead(came).id, lead(came).data["contactless"]) == ("ev2", True)


def test_vendors_signatures_stand_for_the_secret():
    raw = json.dumps(TYPEFORM).encode()
    typeform = "sha256=" + base64.b64encode(hmac.digest(b"s3cret", raw, hashlib.sha256)).decode()
    taplink = hmac.digest(b"s3cret", raw, hashlib.sha1).hex()
    adapter = make(secret="s3cret")
    for header, value in (("typeform-signature", typeform), ("taplink-signature", taplink)):
        assert adapter.receive(arrival(raw, headers={header: value})).label == ""
        assert adapter.receive(arrival(raw + b" ", headers={header: value})).label == "unsigned"
        assert adapter.receive(arrival(raw, headers={header: "sha256=é"})).label == "unsigned"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (SITE, ""),
        ("HTTPS://Shop.Example", ""),
        ("", ""),
        ("https://evil.example", "unsigned"),
        ("null", "unsigned"),
        ("https://shop.example.evil.example", "unsigned"),
    ],
)
def test_pages_of_other_sites_are_labelled(origin, expected):
    headers = {"origin": origin} if origin else {}
    reception = make(origins=[SITE + "/"]).receive(encoded({"phone": "12345"}, headers=headers))
    assert (reception.label, reception.reply.status) == (expected, 200)
    allowed = reception.reply.headers.get("Access-Control-Allow-Origin", "")
    assert allowed == (origin if not expected else "")


def test_preflight():
    asked = {"origin": SITE, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    reception = make(origins=[SITE]).receive(arrival(b"", method="OPTIONS", headers=asked))
    assert (reception.label, reception.reply.status) == ("ping", 200)
    assert reception.reply.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in reception.reply.headers["Access-Control-Allow-Methods"]
    foreign = make(origins=[SITE]).receive(arrival(b"", method="OPTIONS", headers={"origin": "https://evil.example"}))
    assert foreign.reply.headers == {"Vary": "Origin"}
    split = make().receive(arrival(b"", method="OPTIONS", headers={"origin": "a\r\nSet-Cookie: b"}))
    assert split.reply.headers == {"Vary": "Origin"}


def test_only_a_navigating_browser_is_redirected():
    adapter = make(redirect=SITE + "/spasibo", honeypot="trap")
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    gone = adapter.receive(encoded({"phone": "12345"}, headers=browser)).reply
    assert (gone.status, gone.headers["Location"]) == (303, SITE + "/spasibo")
    for headers in ({}, {"accept": "*/*"}, {"accept": "application/json"}):
        assert adapter.receive(encoded({"phone": "12345"}, headers=headers)).reply.status == 200
    robot = adapter.receive(encoded({"phone": "12345", "trap": "x"}, headers=browser))
    assert (robot.label, robot.reply.status) == ("spam", 303)  # a robot learns nothing from the answer
    assert make().receive(encoded({"phone": "12345"}, headers=browser)).reply.status == 200


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/spasibo", "https://a.example/\r\nX: y"])
def test_a_wrong_redirect_is_a_configuration_error(address):
    with pytest.raises(ValidationError, match="redirect"):
        make(redirect=address)


@pytest.mark.parametrize("site", ["shop.example", "https://", "https://shop.example/form", "*"])
def test_a_wrong_origin_is_a_configuration_error(site):
    with pytest.raises(ValidationError, match="write it like"):
        make(origins=[SITE, site])


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200), content_type=st.sampled_from(CONTENT_TYPES), at=st.integers(0, 200))
def test_random_bytes_are_labelled_or_read_and_never_crash(body, content_type, at):
    whole = urlencode({"name": "Анна", "phone": "89990000000", "payment[a][0]": "1"}).encode()
    for came in (arrival(body, content_type), arrival(whole[:at] + body + whole[at:], content_type)):
        reception = make().receive(came)
        if reception.label == "broken":
            with pytest.raises(RecordRefused) as refused:
                list(make().unpack(came))
            assert refused.value.text == reception.reason
        else:
            assert reception.label in ("", "test")
            assert_json_like([record.data for record in make().unpack(came)])


def test_ids_that_name_the_submission_are_the_key():
    for name in ("submission_id", "tranid", "lead_no"):
        one, two = encoded({"phone": "12345", name: "7"}), encoded({"phone": "12345", "comment": "retry 2", name: "7"})
        adapter = make(id_field="lead_no")
        assert adapter.receive(one).key == adapter.receive(two).key == ":7"
        assert lead(one, id_field="lead_no").id == "7"
        assert "fields" not in lead(one, id_field="lead_no").data


def test_an_id_shared_by_different_messages_loses_none_of_them():
    """A concert's number, a session's token: everybody who books it sends the same one."""
    for name in ("event_id", "_id", "token"):
        posts = [encoded({"phone": phone, name: "7"}) for phone in ("12345", "54321", "12345")]
        keys = [make().receive(came).key for came in posts]
        assert keys[0] == keys[2] != keys[1]
        assert lead(posts[0]).id != lead(posts[1]).id


def test_the_page_and_the_visitor():
    came = encoded({"phone": "12345"}, headers={"referer": SITE + "/a?utm_source=vk"}, remote="203.0.113.7")
    data = lead(came).data
    assert (data["form"], data["utm"], data["ip"]) == (
        {"page": SITE + "/a?utm_source=vk"},
        {"source": "vk"},
        "203.0.113.7",
    )


def test_marks_in_the_address_of_the_form_count_least():
    query = {"utm_source": "called", "utm_medium": "called", "utm_id": "x"}
    came = encoded({"phone": "12345", "utm_source": "field"}, query=query)
    assert lead(came).data["utm"] == {"source": "field", "medium": "called"}


def test_pings_and_tests_make_no_lead():
    adapter = make()
    for came, expected in (
        (arrival(b"", method="GET"), "ping"),
        (arrival(b"", method="HEAD"), "ping"),
        (encoded({"test": "test"}), "test"),
        (as_json({"test": "test"}), "test"),
    ):
        assert adapter.receive(came).label == expected
        assert list(adapter.unpack(came)) == []


@pytest.mark.parametrize(
    ("body", "content_type", "word"),
    [
        (b"", "", "пустое"),
        (b"", "multipart/form-data; boundary=x", "пустое"),
        (b"--x", "multipart/form-data", "boundary"),
        (b"garbage", "multipart/form-data; boundary=x", "multipart"),
        (b"{", "application/json", "строка 1"),
        (b'{"a":\n\n1,}', "application/json", "строка 3"),
        (b"[1]", "application/json", "объект"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "application/json", "вложенность"),
        (b"<html>502</html>", "text/html", "имя=значение"),
    ],
)
def test_broken_bodies_say_what_is_wrong(body, content_type, word):
    reception = make().receive(arrival(body, content_type))
    assert (reception.label, reception.reply.status) == ("broken", 200)
    assert word in reception.reason.ru


def test_an_object_of_very_many_fields_is_broken():
    assert make().receive(as_json({f"f{n}": n for n in range(201)})).label == "broken"
    assert make().receive(multipart({f"f{n}": "1" for n in range(201)})).label == "broken"
    assert make().receive(as_json({"a": [1] * 201})).label == "broken"
