"""Sending: stable ids, refusals, lost answers that are settled by looking, the copy in Sent."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest

from adapters.base import BadConfig, Change, OutcomeUnknown, RecordRefused, RetryLater
from adapters.mail import MailAdapter
from tests.adapters.mail_kit import adapter, drain
from tests.peers.mail import PymapServer, SmtpPeer, Tap, deliver_to, free_port

KEY = "3f6c1c1e-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def running() -> Iterator[PymapServer]:
    with PymapServer(login="sales@firma.ru") as server:
        yield server


@pytest.fixture
def server(running: PymapServer) -> PymapServer:
    running.reset()
    return running


@pytest.fixture
def peer() -> Iterator[SmtpPeer]:
    with SmtpPeer("sales@firma.ru", "secret") as peer:
        yield peer


def of(server: PymapServer, peer: SmtpPeer | Tap, **more: Any) -> MailAdapter:
    usual = {
        "imap_port": server.port,
        "imap_tls": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": peer.port,
        "smtp_tls": "none",
    }
    return adapter(**{**usual, "timeout": 20, **more})


def change(**more: Any) -> Change:
    data = {"to": ["ivan@romashka.ru"], "subject": "Счёт № 5", "text": "Добрый день!\nСчёт во вложении.", **more}
    return Change("message", None, data, None, KEY)


def test_a_letter_is_sent_kept_and_read_back_as_the_same_record(server: PymapServer, peer: SmtpPeer) -> None:
    mailbox = of(server, peer)
    record = mailbox.write(change(in_reply_to="one@romashka.ru", references=["root@romashka.ru"]))
    (sent,) = peer.messages
    assert (sent["from"], sent["to"]) == ("sales@firma.ru", ["ivan@romashka.ru"])
    message = message_from_bytes(sent["raw"].encode("latin-1"))
    assert message["Message-ID"] == f"<{KEY}@firma.ru>"
    assert message["In-Reply-To"] == "<one@romashka.ru>"
    assert message["References"].split() == ["<root@romashka.ru>", "<one@romashka.ru>"]
    assert record.data["message_id"] == f"{KEY}@firma.ru"
    assert (record.data["direction"], record.data["body"]) == ("out", "Добрый день!\nСчёт во вложении.")
    assert len(server.letters(server.sent)) == 1
    (seen,), _ = drain(mailbox)
    assert (seen.id, seen.data) == (record.id, record.data)
    assert mailbox.find("message", KEY) == seen
    mailbox.close()


def test_files_go_with_the_letter_and_broken_ones_are_refused_before_sending(
    server: PymapServer, peer: SmtpPeer
) -> None:
    mailbox = of(server, peer)
    table = {"name": "сверка.xlsx", "type": "application/x-table", "base64": "UEsDBA=="}
    mailbox.write(change(files=[table]))
    message = message_from_bytes(peer.messages[0]["raw"].encode("latin-1"))
    (part,) = [p for p in message.walk() if p.get_content_type() == "application/x-table"]
    assert part.get_payload(decode=True) == b"PK\x03\x04"
    for broken in ({"name": "x"}, {**table, "base64": "?"}, {**table, "base64": "A" * 21_000_000}):
        with pytest.raises(RecordRefused) as caught:
            mailbox.write(change(files=[broken]))
        assert caught.value.field == "files"
    assert len(peer.messages) == 1
    mailbox.close()


def test_a_provider_that_keeps_a_copy_gets_no_second_one(server: PymapServer, peer: SmtpPeer) -> None:
    peer.deliver = deliver_to(server, server.sent)
    mailbox = of(server, peer)
    mailbox.write(change())
    assert len(server.letters(server.sent)) == 1
    mailbox.close()


def test_a_lost_answer_is_settled_by_looking(server: PymapServer, peer: SmtpPeer) -> None:
    peer.deliver = deliver_to(server, server.sent)
    peer.fault("drop")
    mailbox = of(server, peer)
    assert mailbox.find("message", KEY) is None
    with pytest.raises(OutcomeUnknown):
        mailbox.write(change())
    found = mailbox.find("message", KEY)
    assert found is not None
    assert found.data["subject"] == "Счёт № 5"
    assert len(peer.messages) == 1
    mailbox.close()


@pytest.mark.parametrize(("fault", "error"), [("later", RetryLater), ("later_to", RetryLater), ("refuse", RetryLater)])
def test_what_was_not_sent_is_tried_again(server: PymapServer, peer: SmtpPeer, fault: str, error: type) -> None:
    peer.fault(fault)
    mailbox = of(server, peer)
    with pytest.raises(error):
        mailbox.write(change())
    assert peer.messages == []
    mailbox.write(change())
    assert len(peer.messages) == 1
    mailbox.close()


@pytest.mark.parametrize("fault", ["reject", "reject_to"])
def test_a_refused_letter_goes_to_quarantine_without_the_address(
    server: PymapServer, peer: SmtpPeer, fault: str
) -> None:
    peer.fault(fault)
    mailbox = of(server, peer)
    with pytest.raises(RecordRefused) as caught:
        mailbox.write(change())
    assert "550" in caught.value.text.ru
    assert "ivan" not in str(caught.value.text) + caught.value.text.ru
    assert peer.messages == []
    assert server.letters(server.sent) == []
    mailbox.close()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"subject": "Счёт\r\nBcc: all@firma.ru"}, "subject"),
        ({"subject": "Счёт\nX: y"}, "subject"),
        ({"to": ["ivan@romashka.ru\r\nBcc: x@y.ru"]}, "to"),
        ({"to": ["Иван <ivan@romashka.ru>"]}, "to"),
        ({"to": ["ivan@romashka.ru, petr@mail.ru"]}, "to"),
        ({"to": []}, "to"),
        ({"to": None}, "to"),
        ({"to": ["nobody"]}, "to"),
        ({"to": [{"name": "Иван"}]}, "to"),
        ({"to": {"address": "ivan@romashka.ru\r\nBcc: x@y.ru"}}, "to"),
        ({"to": [f"u{n}@x.ru" for n in range(51)]}, "to"),
        ({"to": ["ivan@" + "я" * 80 + ".рф"]}, "to"),
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"message_id": "a b"}, "message_id"),
        ({"in_reply_to": "<a@b>\r\nX: y"}, "in_reply_to"),
        ({"references": ["x"]}, "references"),
    ],
)
def test_nothing_is_smuggled_into_a_header(
    server: PymapServer, peer: SmtpPeer, data: dict[str, Any], field: str
) -> None:
    with pytest.raises(RecordRefused) as caught:
        of(server, peer).write(change(**data))
    assert caught.value.field == field
    assert peer.messages == []


def test_a_cyrillic_domain_is_written_as_punycode(server: PymapServer, peer: SmtpPeer) -> None:
    mailbox = of(server, peer)
    record = mailbox.write(change(to=["Ivan@почта.рф"]))
    assert peer.messages[0]["to"] == ["ivan@xn--80a1acny.xn--p1ai"]
    assert record.data["counterparts"][0]["address"] == "ivan@почта.рф"
    mailbox.close()


def test_a_failing_copy_does_not_undo_the_sending(peer: SmtpPeer, server: PymapServer) -> None:
    mailbox = of(server, peer, imap_port=free_port())
    assert mailbox.write(change()).data["message_id"] == f"{KEY}@firma.ru"
    assert len(peer.messages) == 1


def test_a_letter_cannot_be_changed(server: PymapServer, peer: SmtpPeer) -> None:
    with pytest.raises(RecordRefused):
        of(server, peer).write(Change("message", "x", {"text": "y"}, None, KEY))


def test_without_smtp_nothing_can_be_sent(server: PymapServer) -> None:
    mailbox = adapter(imap_port=server.port, imap_tls="none")
    assert mailbox.capabilities.creates == frozenset()
    with pytest.raises(RecordRefused):
        mailbox.write(change())


def test_a_wrong_password_for_sending(server: PymapServer, peer: SmtpPeer) -> None:
    with pytest.raises(BadConfig) as caught:
        of(server, peer, smtp_password="wrong-99").write(change())
    assert caught.value.setting == "smtp_password"
    assert "wrong-99" not in str(caught.value.text)
    with pytest.raises(BadConfig) as caught:
        of(server, peer, password="wrong-99").write(change())
    assert caught.value.setting == "password"


def test_tls_on_a_plain_port(server: PymapServer, peer: SmtpPeer) -> None:
    for tls in ("tls", "starttls"):
        with pytest.raises((BadConfig, RetryLater)) as caught:
            of(server, peer, smtp_tls=tls).write(change())
        assert caught.value.setting in ("smtp_tls", "smtp_port")


def test_check_tries_sending_too(server: PymapServer, peer: SmtpPeer) -> None:
    def smtp(**more: Any) -> tuple[bool, str]:
        found = [f for f in of(server, peer, **more).check() if f.step == "smtp"]
        return found[0].ok, found[0].setting

    assert smtp() == (True, "")
    assert smtp(smtp_password="wrong") == (False, "smtp_password")
    assert smtp(smtp_port=free_port()) == (False, "smtp_port")


def test_a_silent_server_before_the_letter_is_tried_again(server: PymapServer, peer: SmtpPeer) -> None:
    with Tap("127.0.0.1", peer.port) as tap:
        tap.silent = True
        with pytest.raises(RetryLater):
            of(server, tap, timeout=1).write(change())
    assert peer.messages == []


def test_the_peers_state_is_plain_json(peer: SmtpPeer, server: PymapServer) -> None:
    import json

    mailbox = of(server, peer)
    mailbox.write(change())
    mailbox.close()
    assert json.loads(json.dumps(peer.state)) == peer.state
    peer.reset()
    assert peer.messages == []
