"""Whose letter it is: the acceptance cases of "the right client" that a mailbox alone can answer (numbers in the names).

The firm: firma.ru, boss@gmail.com is staff too, sales@ and noreply@ are shared. Clients: Ivan at romashka.ru, Petr at mail.ru.
"""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from adapters.mail.parse import OWN_ID, read
from tests.adapters.mail_kit import FIXTURES, clients, kept, letter, settings, take

IVAN, PETR, OLGA = "ivan@romashka.ru", "petr@mail.ru", "olga@stroy.ru"


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def test_01_a_client_writes_to_us() -> None:
    data = kept(letter())
    assert (data["direction"], clients(data)) == ("in", [IVAN])
    assert data["counterparts"][0]["name"] == "Иван Тестов"


def test_02_we_write_and_the_folder_does_not_decide() -> None:
    raw = letter(From="Анна <anna@firma.ru>", To=IVAN)
    for in_sent in (True, False):
        data = kept(raw, in_sent=in_sent)
        assert (data["direction"], clients(data)) == ("out", [IVAN])
    assert kept(letter(), in_sent=False)["direction"] == "in"


def test_03_the_same_letter_in_two_mailboxes_is_equal() -> None:
    raw = letter(From="anna@firma.ru", To=IVAN, Cc="sales@firma.ru")
    one = take(raw, in_sent=True, login="anna@firma.ru").record
    two = take(b"Return-Path: <anna@firma.ru>\r\nReceived: a; b\r\n" + raw, login="sales@firma.ru").record
    assert one is not None
    assert two is not None
    assert (one.id, one.data) == (two.id, two.data)


def test_04_staff_among_themselves_is_not_stored() -> None:
    found = take(letter(From="anna@firma.ru", To="boss@gmail.com"))
    assert (found.record, found.dropped) == (None, "internal")


def test_05_staff_in_copy_is_no_client() -> None:
    assert clients(kept(letter(From="anna@firma.ru", To=IVAN, Cc="boss@gmail.com"))) == [IVAN]


def test_06_a_public_domain_is_not_ours() -> None:
    data = kept(letter(From=PETR, To="firma@mail.ru"), login="firma@mail.ru", own_domains=[])
    assert clients(data) == [PETR]
    with pytest.raises(ValidationError, match="public mail service"):
        settings(own_domains=["mail.ru"])


def test_10_all_participants_of_a_letter() -> None:
    data = kept(letter(From="anna@firma.ru", To=f"{IVAN}, {PETR}", Cc=OLGA))
    assert clients(data) == [IVAN, PETR, OLGA]
    assert data["participants"] == ["anna@firma.ru", IVAN, PETR, OLGA]
    assert clients(kept(letter(Cc=f"{OLGA}, anna@firma.ru"))) == [IVAN, OLGA]


def test_13_the_thread_oldest_first() -> None:
    data = kept(letter(References="<a@x> <b@x>", In_Reply_To="<c@X>"))
    assert data["thread"] == ["a@x", "b@x", "c@x"]
    endless = kept(letter(References=" ".join(f"<{n}@x>" for n in range(500))))
    assert len(endless["thread"]) == 50
    assert endless["thread"][0] == "0@x"
    assert endless["thread"][-1] == "499@x"


def test_18_a_colleague_forwards_a_clients_letter() -> None:
    data = kept(fixture("forward_inline.eml"))
    assert (data["direction"], clients(data)) == ("in", [IVAN])
    assert data["date"] == "2025-11-05T09:34:00Z"
    assert data["forwarded"]["by"]["address"] == "anna@firma.ru"
    assert "Почём слон?" in data["text"]


def test_18_not_for_a_stranger_who_forwards() -> None:
    data = kept(fixture("forward_inline.eml").replace(b"anna@firma.ru", b"petr@mail.ru"))
    assert clients(data) == [PETR]
    assert "forwarded" not in data


def test_18_without_an_address_it_is_a_question() -> None:
    data = kept(fixture("forward_inline.eml").replace(b"<ivan@romashka.ru>", b""))
    assert clients(data) == []
    assert data["forwarded"]["from"] is None


def test_18_a_colleagues_own_letter_stays_private() -> None:
    found = take(fixture("forward_inline.eml").replace(b"ivan@romashka.ru", b"boss@gmail.com"))
    assert found.dropped == "internal"
    assert take(letter("секрет", From="anna@firma.ru", To="sales@firma.ru", Subject="Fwd: зарплата")).record is None


def test_19_a_letter_forwarded_as_a_file_is_the_original() -> None:
    inner = take(fixture("forward_attached.eml")).record
    original = take(fixture("yandex_koi8.eml")).record
    assert inner is not None
    assert original is not None
    assert inner.id == original.id
    assert inner.data == original.data


def test_20_a_redirected_letter_stays_the_clients() -> None:
    data = kept(letter(Resent_From="anna@firma.ru", X_Forwarded_For="anna@firma.ru sales@firma.ru"))
    assert (data["direction"], clients(data)) == ("in", [IVAN])


def test_21_a_form_writes_for_the_client() -> None:
    for sender in ("noreply@firma.ru", "sales@firma.ru", "noreply@forms.example"):
        data = kept(letter(From=sender, Reply_To=f"Пётр <{PETR}>"))
        assert (data["direction"], clients(data)) == ("in", [PETR])


@pytest.mark.parametrize("reply_to", ["sales@firma.ru", '<"">', "not an address", ""])
def test_22_a_useless_reply_to_is_ignored(reply_to: str) -> None:
    assert clients(kept(letter(Reply_To=reply_to))) == [IVAN]


def test_23_a_form_without_reply_to() -> None:
    data = kept(fixture("site_form.eml"))
    assert (data["type"], data["direction"], clients(data)) == ("form", "in", [PETR])
    assert data["form"] == {"name": "Пётр Тестов", "address": PETR, "phone": "+79210000001"}
    assert data["fields"]["Комментарий"] == "Нужен слон"
    assert take(letter("Бэкап готов", From="noreply@firma.ru")).dropped == "internal"


def test_24_spellings_of_one_address() -> None:
    assert clients(kept(letter(From="IVAN@Romashka.RU"))) == [IVAN]
    assert clients(kept(letter(From="ivan@xn--80a1acny.xn--p1ai"))) == ["ivan@почта.рф"]
    assert take(letter(From="anna+crm@FIRMA.ru", To="boss+x@gmail.com")).dropped == "internal"


def test_26_a_group_address_in_between() -> None:
    raw = letter(
        From="\"'Иван Тестов' via Sales\" <sales@firma.ru>", List_Id="<sales.firma.ru>", X_Original_Sender=IVAN
    )
    data = kept(raw)
    assert (data["direction"], data["counterparts"]) == ("in", [{"name": "Иван Тестов", "address": IVAN}])


@pytest.mark.parametrize("header", ["List_Id", "List_Unsubscribe"])
def test_27_newsletters_are_not_stored(header: str) -> None:
    assert take(letter(From="news@shop.example", **{header: "<x@shop.example>"})).dropped == "bulk"
    assert take(letter(From="news@shop.example", Precedence="bulk")).dropped == "bulk"


def test_28_an_answer_in_a_thread_beats_the_newsletter_mark() -> None:
    data = kept(letter(List_Unsubscribe="<https://gate.example/u>", In_Reply_To="<sent-1@firma.ru>"))
    assert (data["auto"], clients(data)) == ("list", [IVAN])


@pytest.mark.parametrize(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"X_Autorespond": "x"},
        {"Subject": "Автоответ: Счёт"},
        {"Subject": "Out of office: Re: Bill"},
        {"Auto_Submitted": "auto-replied (vacation)", "Precedence": "bulk"},
    ],
)
def test_29_automatic_answers_are_marked(fields: dict[str, str]) -> None:
    assert kept(letter(**fields))["auto"] == "auto-reply"


def test_30_a_bounce_belongs_to_the_client_it_did_not_reach() -> None:
    data = kept(fixture("bounce.eml"))
    assert (data["auto"], data["direction"], clients(data)) == ("bounce", "in", [IVAN])
    wanted = {"address": IVAN, "code": "5.1.1", "action": "failed", "message_id": "sent-1@firma.ru"}
    assert data["bounce"] == wanted
    assert data["thread"] == ["sent-1@firma.ru"]


def test_31_a_bounce_without_from() -> None:
    raw = fixture("bounce.eml").replace(b"From: MAILER-DAEMON@mx.firma.ru (Mail Delivery System)\r\n", b"")
    assert clients(kept(raw)) == [IVAN]


def test_31_a_bounce_of_plain_text() -> None:
    raw = letter(
        "Hi. I was unable to deliver your message.\n\n<ivan@romashka.ru>:\n550 5.1.1 unknown user\n\n--- Below is a copy\n\n"
        "Return-Path: <anna@firma.ru>\nMessage-ID: <sent-2@firma.ru>\n",
        From="MAILER-DAEMON@mx.example",
        To="anna@firma.ru",
        Subject="failure notice",
    )
    data = kept(raw)
    assert data["bounce"]["address"] == IVAN
    assert data["bounce"]["code"] == "5.1.1"
    assert data["thread"] == ["sent-2@firma.ru"]


@pytest.mark.parametrize("place", ["From", "To", "Cc", "Reply_To"])
def test_35_of_a_blocked_address_nothing_is_stored(place: str) -> None:
    found = take(letter(**{place: "Кто-то <x@sub.home.example>"}), ignore=["home.example"])
    assert (found.record, found.dropped) == (None, "blocked")
    assert take(letter(**{place: "x@home.example"}), ignore=["X@home.example"]).dropped == "blocked"
    assert take(letter(**{place: "y@home.example"}), ignore=["x@home.example"]).record is not None


def test_38_without_message_id() -> None:
    one, two = take(letter(Message_ID=None)).record, take(b"Received: x; y\r\n" + letter(Message_ID=None)).record
    assert one is not None
    assert two is not None
    assert one.id == two.id
    other = take(letter("Другое", Message_ID=None)).record
    assert other is not None
    assert other.id != one.id


def test_39_message_ids_written_otherwise() -> None:
    found = {kept(letter(Message_ID=m))["message_id"] for m in ("<a@X.ru>", "a@x.ru", " < a@x.ru > ", "<a@\r\n x.ru>")}
    assert found == {"a@x.ru"}


def test_40_two_letters_with_one_message_id() -> None:
    one, two = take(letter("Первое")).record, take(letter("Второе")).record
    assert one is not None
    assert two is not None
    assert one.id != two.id
    assert one.data["message_id"] == two.data["message_id"]


def test_48_a_rewritten_message_id_is_ours_again() -> None:
    fields = {OWN_ID.replace("-", "_"): "<key@firma.ru>"}
    data = kept(letter(From="anna@firma.ru", To=IVAN, Message_ID="<rewritten@provider.example>", **fields))
    assert data["message_id"] == "key@firma.ru"
    assert data["thread"] == ["rewritten@provider.example"]  # answers will refer to that one
    assert kept(letter(**fields))["message_id"] == "one@romashka.ru"  # nobody else may claim it


def test_an_unknown_alias_in_sent_is_ours_all_the_same() -> None:
    raw = letter(From="Анна <anna.home@example.org>", To=IVAN)
    assert (kept(raw, in_sent=True)["direction"], clients(kept(raw, in_sent=True))) == ("out", [IVAN])
    moved = letter(To="sales@firma.ru")  # a client's letter that somebody dragged into Sent
    assert kept(moved, in_sent=True)["direction"] == "in"


def test_phones_of_a_signature_are_the_writers() -> None:
    text = "Жду.\n\n-- \nОтдел продаж\n+7 (812) 300-00-00"
    assert kept(letter(text))["signature_phones"] == ["+78123000000"]
    assert kept(letter(text, From="anna@firma.ru", To=IVAN))["signature_phones"] == []


def test_a_hidden_addressee_is_the_client() -> None:
    data = kept(letter(From="anna@firma.ru", To="sales@firma.ru", Bcc=IVAN), in_sent=True)
    assert (data["direction"], clients(data)) == ("out", [IVAN])


def test_a_forward_in_a_forward_ends() -> None:
    raw = fixture("forward_attached.eml").replace(b"ivan@romashka.ru", b"anna@firma.ru")
    for _ in range(8):
        head = b"From: anna@firma.ru\r\nTo: sales@firma.ru\r\nSubject: Fwd: x\r\nContent-Type: message/rfc822\r\n\r\n"
        raw = head + raw
    assert take(raw).record is None


def test_reading_needs_no_identity() -> None:
    from adapters.mail.parse import Seen
    from adapters.mail.settings import Own

    assert read(letter(), Seen(Own(None))).record is not None
