"""Bytes to a native record: charsets, broken MIME, identity, dates, files, invitations; and hostile letters of every kind."""

from __future__ import annotations

import base64
import io
import json
import random
from datetime import UTC, datetime

import pytest

from adapters.base import Arrival, RecordRefused
from adapters.mail import MailAdapter, html, invite
from adapters.mail.charset import decode
from adapters.mail.headers import canonical_id, decode_words, message_ids, normal_address, parse_addresses
from adapters.mail.parse import Seen, read_all
from adapters.mail.settings import Own
from tests.adapters.mail_kit import FIXTURES, NOW, WRITTEN, adapter, context, kept, letter, take
from tests.need import shared

RUSSIAN = "Добрый день! Пришлите, пожалуйста, счёт на оплату за ноябрь."


@pytest.mark.parametrize("actual", ["cp1251", "koi8-r", "utf-8", "iso8859-5", "cp866"])
@pytest.mark.parametrize("declared", ["same", "us-ascii", "iso-8859-1", "x-unknown", "", "utf-8"])
def test_russian_in_any_charset_however_declared(actual: str, declared: str) -> None:
    name = actual if declared == "same" else declared
    assert decode(RUSSIAN.encode(actual, "replace"), name) == RUSSIAN.encode(actual, "replace").decode(actual)


@pytest.mark.parametrize("name", ["hex", "rot13", "idna", "unicode_escape", "utf-8\x00", "💥", "a" * 5000])
def test_names_that_are_no_charset(name: str) -> None:
    assert decode("Привет всем".encode("cp1251"), name) == "Привет всем"


def test_text_is_safe_for_json() -> None:
    assert decode(b"a\x00b\xed\xa0\x80c\r\nd", "utf-8").startswith("ab")
    assert decode("Привет".encode("utf-16"), "") == "Привет"
    assert decode("Привет".encode("iso2022_jp", "ignore") or b"x", "iso-2022-jp")


def test_encoded_words() -> None:
    halves = base64.b64encode("Счёт".encode()).decode()
    cut = base64.b64encode("Счёт".encode()[:3]).decode(), base64.b64encode("Счёт".encode()[3:]).decode()
    assert decode_words(f"=?utf-8?B?{halves}?=") == "Счёт"
    assert decode_words(f"=?UTF-8?B?{cut[0]}?=\r\n =?utf-8?b?{cut[1]}?=") == "Счёт"  # cut inside a letter
    assert decode_words("=?koi8-r?Q?=F3=DE=A3=D4?= No 5") == "Счёт No 5"
    assert decode_words("=?x-none?B?!!!?= =?utf-8?Q?=?=") is not None
    assert decode_words("=?utf-8?B?0KHRh9GR0Y?=").startswith("Счё")  # padding lost


def test_addresses() -> None:
    assert parse_addresses('"Тестов, Иван" <IVAN@Romashka.RU>, petr@mail.ru') == [
        {"name": "Тестов, Иван", "address": "ivan@romashka.ru"},
        {"name": "", "address": "petr@mail.ru"},
    ]
    assert parse_addresses("undisclosed-recipients:;") == []
    assert parse_addresses('<"">') == []
    assert parse_addresses("=?utf-8?B?0JjQstCw0L0=?= <ivan@romashka.ru>")[0]["name"] == "Иван"
    assert normal_address("Ivan@xn--80a1acny.xn--p1ai") == "ivan@почта.рф"
    assert normal_address("no address") == ""


def test_message_ids_are_equal_however_written() -> None:
    spellings = ("<Ab.1@Romashka.RU>", " <Ab.1@romashka.ru> ", "Ab.1@ROMASHKA.RU", "<Ab.1@\r\n romashka.ru>")
    assert {canonical_id(s) for s in spellings} == {"Ab.1@romashka.ru"}
    assert message_ids("<a@b> junk <c@D>\t<a@b>") == ["a@b", "c@d"]
    assert message_ids("") == []


def test_the_same_letter_in_another_encoding_is_the_same_record() -> None:
    seven = letter("Привет").replace(b"charset=utf-8", b"charset=utf-8\r\nContent-Transfer-Encoding: base64")
    head, _, _ = seven.partition(b"\r\n\r\n")
    encoded = head + b"\r\n\r\n" + base64.encodebytes("Привет\r\n".encode())
    koi = letter("Привет").replace(b"utf-8", b"koi8-r").replace("Привет".encode(), "Привет".encode("koi8-r"))
    first, second, third = take(letter("Привет")).record, take(encoded).record, take(koi).record
    assert first is not None and second is not None and third is not None  # noqa: PT018
    assert first.id == second.id == third.id


def test_different_letters_are_different_records() -> None:
    def id_of(raw: bytes) -> str:
        record = take(raw).record
        assert record is not None
        return record.id

    with_file = (FIXTURES / "files.eml").read_bytes()
    ids = [id_of(letter("а")), id_of(letter("б")), id_of(letter("а", Subject="Другое")), id_of(with_file)]
    ids.append(id_of(with_file.replace(b"JVBERi0xLjQK", b"JVBERi0xLjUK")))  # another file, all else equal
    assert len(set(ids)) == 5


def test_dates() -> None:
    arrived = datetime(2025, 11, 6, tzinfo=UTC)
    assert kept(letter(), arrived=arrived)["date"] == "2025-11-05T09:34:00Z"
    for bad in ("", "вчера", "Wed, 5 Nov 2099 10:00 +0300", "Thu, 1 Jan 1970 00:00:00 +0000", "5 Nov 99999999999"):
        data = kept(letter(Date=bad), arrived=arrived)
        assert data["date"] == "2025-11-06T00:00:00Z"
        assert data["date_header"] == bad
    received = letter(Date=None, Received="from a by b; Wed, 5 Nov 2025 10:00:00 +0000")
    assert kept(received)["date"] == "2025-11-05T10:00:00Z"


def test_html_only() -> None:
    data = kept((FIXTURES / "html_only.eml").read_bytes())
    assert data["body"] == "Оплатили счёт 5."
    assert data["quoted"]
    assert "Пришлите реквизиты" in data["text"]
    assert "<script" not in data["html"]
    assert "<img" not in data["html"]
    assert "alert" not in data["html"] + data["text"]


def test_html_to_text() -> None:
    source = "<div>Один<br>два</div><p>три</p><ul><li>а</li></ul><table><tr><td>x</td><td>y</td></tr></table>"
    assert html.to_text(source) == "Один\nдва\nтри\n\n- а\nx y"
    assert html.to_text("<pre>а\nб</pre>") == "а\nб"
    assert html.to_text('<div style="display:none">тайна</div><p>явь</p>') == "явь"
    assert html.to_text("<div>" * 900 + "дно") == "дно"


def test_html_that_would_keep_a_parser_busy() -> None:
    for tag in ("<div>", "<x-y>", "<table><tr><td>", "<b>", "<"):
        deep = tag * 100_000 + "дно"
        assert html.to_text(deep).endswith("дно") or tag == "<"
        assert html.safe(deep) == "" or tag == "<"


def test_files_are_named_and_not_mixed_into_the_text() -> None:
    data = kept((FIXTURES / "files.eml").read_bytes())
    assert data["file_names"] == ["Счёт № 5.pdf", "реквизиты.txt"]
    assert data["files"][0]["type"] == "application/pdf"
    assert data["files"][0]["size"] == 9
    assert data["body"] == "Счёт во вложении."


def test_a_koi8_letter_of_a_real_shape() -> None:
    data = kept((FIXTURES / "yandex_koi8.eml").read_bytes())
    assert data["subject"] == "Re: Счёт на оплату"
    assert data["from"] == {"name": "Иван Тестов", "address": "ivan@romashka.ru"}
    assert data["body"] == "Анна, счёт оплатили сегодня."
    assert data["signature_phones"] == ["+79210000000"]
    assert data["thread"] == ["root@firma.ru", "parent@firma.ru"]
    assert data["in_reply_to"] == "parent@firma.ru"


def test_an_invitation() -> None:
    data = kept((FIXTURES / "invite.eml").read_bytes())
    assert data["type"] == "meeting"
    assert data["calendar"] == {
        "method": "REQUEST",
        "uid": "meet-1@romashka.ru",
        "sequence": 2,
        "start": "2025-11-12T11:00:00Z",
        "end": "2025-11-12T12:00:00Z",
        "summary": "Встреча; склад",
        "location": "",
        "organizer": "ivan@romashka.ru",
    }


def test_an_attached_ics_stays_a_letter() -> None:
    raw = (FIXTURES / "invite.eml").read_bytes()
    raw = raw.replace(b"method=REQUEST", b"x=y\r\nContent-Disposition: attachment; filename=a.ics")
    data = kept(raw)
    assert data["type"] == "email"
    assert "calendar" not in data
    assert data["file_names"] == ["a.ics"]


@pytest.mark.parametrize("text", ["", "BEGIN:VEVENT\nUID:", "BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT", "\x00" * 100])
def test_an_invitation_that_is_none(text: str) -> None:
    assert invite.read(text) is None


def test_times_of_invitations() -> None:
    def start(line: str) -> str:
        found = invite.read(f"BEGIN:VEVENT\nUID:1\n{line}\nEND:VEVENT")
        assert found is not None
        return str(found["start"])

    assert start("DTSTART;VALUE=DATE:20251112") == "2025-11-12"
    assert start('DTSTART;TZID="Russian Standard Time":20251112T140000') == "2025-11-12T11:00:00Z"
    assert start("DTSTART;TZID=../../etc/passwd:20251112T140000") == ""
    assert start("DTSTART:99999999T999999Z") == ""


HOSTILE = {
    "empty": b"",
    "zeros": b"\x00" * 1000,
    "no header": "просто текст".encode("cp1251"),
    "header only": b"From: a@b.ru",
    "endless field": b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "many addresses": b"From: a@b.ru\r\nTo: " + b", ".join(b"u%d@x.ru" % n for n in range(20_000)) + b"\r\n\r\n",
    "open quotes": b'From: "a <<<<(((( \\ \r\n\r\n',
    "group": b"From: Group: a@b, c@d;\r\n\r\n",
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\nx",
    "boundary never closed": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext",
    "wrong base64": b"Content-Transfer-Encoding: base64\r\n\r\n@@@@=====",
    "truncated base64": b"Content-Transfer-Encoding: base64\r\n\r\n0J/RgNC40LLQ",
    "bad charset": b"Content-Type: text/plain; charset*=''%FF%00\r\n\r\nabc",
    "bad parameters": b"Content-Type: text/plain; name*0*=utf-8''%; name*2=x; ;;=\r\n\r\nabc",
    "bad disposition": b"Content-Disposition: \xff\xfe; filename*=x'y\r\n\r\nabc",
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000)),
    "deep letters": b"Content-Type: message/rfc822\r\n\r\n" * 3000,
    "odd version": b"From: a@b.ru\r\nDate: Wed, 32 Foo 0000 99:99:99 +9999\r\nReferences: <<<>>><\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_a_sender_wrote_raises(name: str) -> None:
    found = read_all(HOSTILE[name], Seen(Own(None), None, False, NOW))
    assert found.record is not None
    assert found.record.id
    json.dumps(found.record.data, ensure_ascii=False).encode()


def test_nor_does_a_letter_cut_or_changed_anywhere() -> None:
    chance = random.Random(5)
    for path in sorted(FIXTURES.glob("*.eml")):
        raw = path.read_bytes()
        for _ in range(40):
            broken = bytearray(raw[: chance.randrange(len(raw) + 1)])
            for _ in range(5):
                if broken:
                    broken[chance.randrange(len(broken))] = chance.randrange(256)
            found = read_all(bytes(broken), Seen(Own(None), None, False, NOW))
            assert found.record is not None
            json.dumps(found.record.data, ensure_ascii=False).encode()


def test_every_shared_letter_is_read() -> None:
    count = 0
    for path in sorted(shared("mail").rglob("*")):
        if path.suffix in (".eml", ".raw", ".msg") and path.is_file():
            found = read_all(path.read_bytes(), Seen(Own(None), None, False, NOW))
            assert found.record is not None, path.name
            json.dumps(found.record.data, ensure_ascii=False).encode()
            count += 1
    assert count > 300


def arrival(body: bytes, name: str = "x.eml") -> Arrival:
    return Arrival(name, at=NOW, size=len(body), open=lambda: io.BytesIO(body))


def test_files_of_letters() -> None:
    source = adapter()
    assert [r.data["subject"] for r in source.unpack(arrival(letter()))] == ["Счёт"]
    mbox = b"".join(
        b"From ivan@romashka.ru Wed Nov  5 12:34:00 2025\n"
        + letter(f"Письмо\nFrom начала {n}\n>From x", Message_ID=f"<m{n}@x>").replace(b"\r\n", b"\n")
        + b"\n"
        for n in range(3)
    )
    found = list(source.unpack(arrival(mbox, "a.mbox")))
    assert [r.data["message_id"] for r in found] == ["m0@x", "m1@x", "m2@x"]
    assert "From начала 2\nFrom x" in found[2].data["text"]


def test_a_file_of_unknown_age_keeps_the_letters_date() -> None:
    (record,) = adapter().unpack(Arrival("x.eml", open=lambda: io.BytesIO(letter())))
    assert record.data["date"] == "2025-11-05T09:34:00Z"


def test_a_file_without_settings() -> None:
    for nothing in (None, MailAdapter.Settings.model_construct()):
        (record,) = MailAdapter(nothing, context()).unpack(arrival(letter()))
        assert record.data["direction"] == "in"
        assert record.data["counterparts"][0]["address"] == "ivan@romashka.ru"


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04zip", b"\xd0\xcf\x11\xe0", b"<html></html>", "Привет\n".encode()])
def test_a_file_that_holds_no_letter(body: bytes) -> None:
    with pytest.raises(RecordRefused) as caught:
        list(adapter().unpack(arrival(body)))
    assert ".eml" in caught.value.text.ru


def test_a_letter_over_the_limit_in_a_file() -> None:
    (record,) = adapter(max_size=1000).unpack(arrival(letter("x" * 5000)))
    assert "max_size" in record.data["note"]
    assert record.data["subject"] == "Счёт"


def test_the_hash_of_a_sighting_does_not_depend_on_its_place() -> None:
    raw = letter(From="anna@firma.ru", To="ivan@romashka.ru")
    assert kept(raw, in_sent=True, arrived=WRITTEN) == kept(b"Received: x; y\r\n" + raw, arrived=NOW)
