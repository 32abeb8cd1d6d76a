"""`sverka inspect`: what a file is, is told by its contents; what is odd about a record is named; nothing crashes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync.errors import RecordRefused
from sync.hub.inspecting import inspect
from tests.need import shared

ORDER: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "woocommerce" / "order.json").read_text(encoding="utf-8")
)
HEAD = "From: Иван <ivan@example.test>\r\nTo: sales@firma.test\r\nDate: Mon, 30 Nov 2026 06:00:00 +0300\r\n"
ID = "Message-ID: <x@example.test>\r\n"
FORM = b"name=%D0%98%D0%B2%D0%B0%D0%BD&phone=%2B79161234567"
PART = b'--XX\r\nContent-Disposition: form-data; name="phone"\r\n\r\n+79161234567\r\n--XX--\r\n'
REQUEST = b"POST /in/tilda HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" + FORM + b"&tranid=1:2"
CML = (
    '<КоммерческаяИнформация ВерсияСхемы="2.07"><Каталог><Ид>c</Ид><Наименование>Т</Наименование><Товары><Товар><Ид>g</Ид>\
<Наименование>Чай</Наименование></Товар></Товары></Каталог></КоммерческаяИнформация>'
)
ROW = {"result": [{"ID": "7", "TITLE": "Сделка", "STAGE_ID": "C1:NEW", "CATEGORY_ID": "1"}], "time": {}}


def rows(folder: Path, name: str, body: bytes | str) -> list[dict[str, Any]]:
    file = folder / name
    file.write_bytes(body if isinstance(body, bytes) else body.encode())
    return list(inspect(file))


def order(**changed: Any) -> str:
    return json.dumps({**ORDER, **changed}, ensure_ascii=False)


def problems(found: list[dict[str, Any]]) -> str:
    """All that was named, in one text."""
    return " | ".join(f"{p['field']}: {p['en']}" for row in found for p in row.get("problems", ()))


@pytest.mark.parametrize(
    ("name", "body", "adapter", "kind"),
    [
        ("a", order(), "woocommerce", "deal"),
        ("order.txt", order(), "woocommerce", "deal"),
        ("orders.json", '{"orders": [' + order() + "]}", "woocommerce", "deal"),
        ("utf16.json", order().encode("utf-16"), "woocommerce", "deal"),
        ("letter.txt", HEAD + ID + "\r\nтекст", "mail", "activity"),
        ("INBOX", "From a@b.test Mon Nov 30 06:00:00 2026\n" + (HEAD + ID).replace("\r", "") + "\nтекст\n", "mail", "activity"),
        ("old.eml", "From a@b.test\n" + (HEAD + ID).replace("\r", "") + "\nтекст\n", "mail", "activity"),
        ("body", FORM, "form", "lead"),
        ("post.bin", PART, "form", "lead"),
        ("post.http", REQUEST, "tilda", "lead"),
        ("form.json", '{"Ваше имя": "Иван 😀", "телефон": "8 916 123-45-67"}', "form", "lead"),
        ("call.txt", '[{"type": "call", "phone": "+79161234567"}]', "events", "activity"),
        ("catalogue", ('<?xml version="1.0" encoding="windows-1251"?>' + CML).encode("cp1251"), "onec_folder", "product"),
        ("deals.json", json.dumps(ROW), "bitrix24", "deal"),
    ],
)  # fmt: skip
def test_the_contents_tell_what_a_file_is(
    tmp_path: Path, name: str, body: bytes | str, adapter: str, kind: str
) -> None:
    found = [row for row in rows(tmp_path, name, body) if row.get("kind") == kind]
    assert [row["adapter"] for row in found] == [adapter]


def test_a_recorded_webhook_is_a_hint_and_shows_what_it_carried(tmp_path: Path) -> None:
    kept = {"path": "/hook", "headers": {"X-WC-Webhook-Topic": "order.updated"}, "body": order()}
    hint, shown = rows(tmp_path, "webhook.json", json.dumps(kept))
    assert hint["hint"] == {"kind": "order", "id": str(ORDER["id"])}
    assert (shown["kind"], shown["id"]) == ("deal", str(ORDER["id"]))


@pytest.mark.parametrize("body", [b"webhook_id=3", b"test=test"])
def test_a_ping_makes_nothing(tmp_path: Path, body: bytes) -> None:
    assert rows(tmp_path, "ping.txt", body) == []


def test_an_event_of_the_portal_is_a_hint(tmp_path: Path) -> None:
    (found,) = rows(tmp_path, "event.txt", b"event=ONCRMDEALUPDATE&data[FIELDS][ID]=759&ts=1")
    assert found["hint"] == {"kind": "deal", "id": "759"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"total": "abc"}, "amount:"),
        ({"total": "1.00"}, "they differ by"),
        ({"billing": None}, "no phone, e-mail or INN"),
        ({"status": "wc-packed"}, "stage:"),
        ({"line_items": [None, 5, *ORDER["line_items"]]}, "lines:"),
        ({"date_created_gmt": "yesterday"}, "created_at:"),
        ({"meta_data": "oops", "refunds": {"a": 1}}, "documents:"),
    ],
)
def test_what_is_wrong_with_an_order_is_named_and_the_rest_read(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    found = rows(tmp_path, "order.json", order(**changed))
    assert named in problems(found)
    assert found[0]["fields"]["number"] == ORDER["number"]


def test_numbers_as_text_and_other_encodings_are_read(tmp_path: Path) -> None:
    (text,) = rows(tmp_path, "text.json", order(id="727"))
    assert (text["id"], text["problems"]) == ("727", [])
    (old,) = rows(tmp_path, "old.json", order(customer_note="Позвоните").encode("cp1251", "replace"))
    assert old["fields"]["comment"] == "Позвоните"
    assert "windows-1251" in problems([old])


def test_orders_one_after_the_other_and_a_cut_end(tmp_path: Path) -> None:
    assert [r["id"] for r in rows(tmp_path, "lines.json", f"{order(id=1)}\n{order(id=2)}\n")] == ["1", "2"]
    whole, cut = rows(tmp_path, "cut.json", f"[{order(id=1)},{order(id=2)[:300]}")
    assert whole["id"] == "1"
    assert cut["problem"]["code"] == "woo.json"


def test_an_order_of_another_api_is_said_to_be_one(tmp_path: Path) -> None:
    old = {"order": {"id": 1, "line_items": [], "billing_address": {}, "customer_note": "", "total": "1.00"}}
    (found,) = rows(tmp_path, "old.json", json.dumps(old))
    assert found["problem"]["code"] == "woo.old_api"


def test_a_field_that_came_twice_keeps_both_values(tmp_path: Path) -> None:
    (found,) = rows(tmp_path, "twice.json", '{"phone": "+79161234567", "size": "S", "size": "M"}')
    assert found["fields"]["extra"] == {"size": "S, M"}


NESTED = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(40))
MIXED = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'


@pytest.mark.parametrize(
    ("letter", "named"),
    [
        (HEAD + "\r\nтекст", "no Message-ID"),
        ("Subject: x\r\n" + ID + "Date: вчера\r\n\r\nтекст", "no sender's address | : no readable Date"),
        (HEAD.replace("2026", "2099") + ID + "\r\nтекст", "in the future"),
        (HEAD + ID + "Content-Type: text/plain; charset=x-none\r\n\r\nтекст", "unknown charset 'x-none'"),
        (HEAD + ID + MIXED + "--b\r\n\r\nтекст", "cut off"),
        (HEAD + ID + MIXED + "--b\r\n\r\nтекст\r\n" * 1100, "more than 1000 parts"),
        (HEAD + ID + NESTED + "\r\nбездна", "nested deeper than 30"),
        (HEAD + ID + MIXED + "--b\r\nContent-Type: application/ms-tnef\r\n\r\nx\r\n--b--\r\n", "winmail.dat is kept"),
        (HEAD + ID + "\r\n", "no text"),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_letter_is_named_and_the_rest_read(tmp_path: Path, letter: str, named: str) -> None:
    found = rows(tmp_path, "letter.eml", letter)
    assert named in problems(found)
    assert [row["kind"] for row in found] == ["activity"]


def test_an_ordinary_letter_has_nothing_odd(tmp_path: Path) -> None:
    (found,) = rows(tmp_path, "letter.eml", HEAD + ID + "Subject: Вопрос\r\n\r\nтекст")
    assert found["problems"] == []


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("empty.json", "", "inspect.empty"),
        ("blank.eml", "\r\n\r\n", "inspect.empty"),
        ("page.json", "<!DOCTYPE html><html>502</html>", "inspect.html"),
        ("warning.json", '<br />\n<b>Warning</b>: x\n{"id": 1}', "inspect.html"),
        ("words", "nothing of any system", "inspect.unknown"),
        ("broken.json", "{", "inspect.unreadable"),
    ],
)
def test_what_cannot_be_read_at_all_is_said_in_words(tmp_path: Path, name: str, body: str, code: str) -> None:
    with pytest.raises(RecordRefused) as caught:
        rows(tmp_path, name, body)
    assert caught.value.code == code
    assert name in caught.value.text.ru


def test_the_portals_refusals_and_foreign_rows_are_problems(tmp_path: Path) -> None:
    (refused,) = rows(tmp_path, "error.json", '{"error": "X", "error_description": "Нет прав"}')
    assert "Нет прав" in refused["problem"]["ru"]
    (foreign,) = rows(tmp_path, "rows.json", '{"result": [{"id": 5}], "time": {}}')
    assert foreign["problem"]["code"] == "bitrix.row"


@pytest.mark.parametrize("folder", ["mail", "shop", "crm"])
def test_the_shared_files_are_read_without_a_crash(folder: str) -> None:
    """A sample of them (all take minutes): every one is read, or refused in words."""
    files = sorted(p for p in shared(folder).rglob("*") if p.is_file() and p.stat().st_size < 100_000)
    told = 0
    for file in files[::60]:
        try:
            told += all("adapter" in row for row in inspect(file))
        except RecordRefused as error:
            told += bool(error.text.ru)
    assert told == len(files[::60]) > 0
