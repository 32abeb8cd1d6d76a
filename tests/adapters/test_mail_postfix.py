"""A letter's whole way through real servers: the adapter → Postfix → LMTP → Dovecot → the other side's mailbox → back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Change, Record, RecordRefused
from adapters.mail import MailAdapter
from tests.adapters.mail_kit import adapter, drain
from tests.need import absent, need
from tests.peers.mail import DovecotServer
from tests.peers.postfix import PostfixServer

KEY = "3f6c1c1e-0000-4000-8000-{:012}"
SECONDS = 30  # that a letter may be on its way


@pytest.fixture(scope="module")
def dovecot() -> Iterator[DovecotServer]:
    program = need("dovecot")
    if not any(Path(folder, "lmtp").exists() for folder in ("/usr/lib/dovecot", "/usr/libexec/dovecot")):
        absent("dovecot-lmtpd")
    if os.geteuid() != 0:
        pytest.skip("dovecot and postfix need root")
    with DovecotServer(program, login="sales@firma.test", lmtp=True) as server:
        yield server


@pytest.fixture(scope="module")
def postfix(dovecot: DovecotServer) -> Iterator[PostfixServer]:
    with PostfixServer(need("postfix"), dovecot.lmtp_port, ["firma.test", "romashka.test"]) as server:
        yield server


@pytest.fixture
def sales(dovecot: DovecotServer, postfix: PostfixServer) -> Iterator[MailAdapter]:
    yield from mailbox("sales@firma.test", dovecot, postfix)


@pytest.fixture
def client(dovecot: DovecotServer, postfix: PostfixServer) -> Iterator[MailAdapter]:
    yield from mailbox("ivan@romashka.test", dovecot, postfix)


def mailbox(address: str, dovecot: DovecotServer, postfix: PostfixServer) -> Iterator[MailAdapter]:
    imap = {"imap_port": dovecot.port, "imap_tls": "none", "login": address, "password": dovecot.password}
    smtp = {"smtp_host": postfix.host, "smtp_port": postfix.port, "smtp_tls": "none", "smtp_login": "-"}
    whose = {"own_domains": [address.partition("@")[2]], "own_addresses": [], "days": 3650}
    made = adapter(**imap, **smtp, **whose, timeout=20)
    yield made
    made.close()


def change(number: int, **more: Any) -> Change:
    data = {"to": ["ivan@romashka.test"], "subject": "Счёт № 5", "text": "Добрый день!\n.\nСчёт во вложении.", **more}
    return Change("message", None, data, None, KEY.format(number))


def arrived(source: MailAdapter, message_id: str, postfix: PostfixServer) -> Record:
    """The letter in a mailbox, once it is there."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for record in drain(source)[0]:
            if record.data["message_id"] == message_id:
                return record
        time.sleep(0.1)
    raise AssertionError(f"{message_id} did not arrive in {SECONDS} s; Postfix says: {postfix.log()[-2000:]}")


def test_a_letter_and_its_answer_through_real_servers(
    sales: MailAdapter, client: MailAdapter, postfix: PostfixServer
) -> None:
    sent = sales.write(change(1))
    there = arrived(client, f"{KEY.format(1)}@firma.test", postfix)
    assert b"by mx.firma.test (Postfix)" in there.raw
    assert there.id == sent.id, "the letter on the other side is the same letter"
    assert (there.data["subject"], there.data["body"]) == ("Счёт № 5", "Добрый день!\n.\nСчёт во вложении.")
    assert (sent.data["direction"], there.data["direction"]) == ("out", "in")
    assert [person["address"] for person in there.data["counterparts"]] == ["sales@firma.test"]
    assert sales.find("message", KEY.format(1)) == sent, "the copy in Sent"

    thread = {"in_reply_to": there.data["message_id"], "references": [there.data["message_id"]]}
    client.write(change(2, to=["sales@firma.test"], subject="Re: Счёт № 5", text="Спасибо, оплачу.", **thread))
    answer = arrived(sales, f"{KEY.format(2)}@romashka.test", postfix)
    assert (answer.data["direction"], answer.data["in_reply_to"]) == ("in", sent.data["message_id"])
    assert answer.data["body"] == "Спасибо, оплачу."
    assert postfix.queued() == 0


def test_what_is_not_read_yet_comes_with_the_next_scan(
    sales: MailAdapter, client: MailAdapter, postfix: PostfixServer
) -> None:
    sales.write(change(3, subject="Первое"))
    arrived(client, f"{KEY.format(3)}@firma.test", postfix)
    _, cursor = drain(client)
    sales.write(change(4, subject="Второе"))
    arrived(client, f"{KEY.format(4)}@firma.test", postfix)
    assert [record.data["subject"] for record in drain(client, cursor)[0]] == ["Второе"]


def test_one_letter_to_two_domains_reaches_both(
    sales: MailAdapter, client: MailAdapter, postfix: PostfixServer
) -> None:
    sales.write(change(5, to=["ivan@romashka.test"], cc=["petr@romashka.test"]))
    record = arrived(client, f"{KEY.format(5)}@firma.test", postfix)
    assert [person["address"] for person in record.data["cc"]] == ["petr@romashka.test"]


@pytest.mark.parametrize("to", [["olga@outside.test"], ["ivan@romashka.test", "olga@outside.test"]])
def test_a_refused_domain_is_told_in_words_and_nothing_goes_out(
    sales: MailAdapter, client: MailAdapter, postfix: PostfixServer, to: list[str]
) -> None:
    with pytest.raises(RecordRefused) as caught:
        sales.write(change(6, to=to))
    error = caught.value
    assert (error.code, error.field) == ("mail.refused_letter", "to")
    assert "554 5.7.1" in error.text.en
    assert "Ничего не отправлено" in error.text.ru
    assert "olga" not in error.text.en + error.text.ru
    assert sales.find("message", KEY.format(6)) is None
    assert client.find("message", KEY.format(6)) is None
    assert postfix.queued() == 0


def test_check_reports_that_sending_is_possible(sales: MailAdapter) -> None:
    found = {finding.step: finding.ok for finding in sales.check()}
    assert found["smtp"]
    assert found["auth"]


def test_nothing_is_left_of_a_stopped_server(dovecot: DovecotServer) -> None:
    with PostfixServer(need("postfix"), dovecot.lmtp_port, ["firma.test"]) as server:
        base = str(server.base)
        assert server.base.exists()
    assert not Path(base).exists()
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(base.encode() in line for line in running)
