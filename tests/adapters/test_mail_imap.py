"""Reading a mailbox, on a poor server (pymap) and a rich one (Dovecot)."""

from __future__ import annotations

import imaplib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from adapters.base import BadConfig, RetryLater
from adapters.mail import folders
from adapters.mail.imap import Folder, Mailbox
from tests.adapters.mail_kit import NOW, WRITTEN, NoLimit, adapter, clients, drain, letter, settings
from tests.need import absent, need
from tests.peers.mail import DovecotServer, ImapServer, PymapServer, Tap, free_port


@pytest.fixture(scope="module", params=["pymap", "dovecot"])
def running(request: pytest.FixtureRequest) -> Iterator[ImapServer]:
    if request.param == "pymap":
        server: ImapServer = PymapServer(login="sales@firma.ru")
    else:
        program = need("dovecot")
        if os.geteuid() != 0:
            absent("root (Dovecot changes its user)")
        server = DovecotServer(program, login="sales@firma.ru")
    with server:
        yield server


@pytest.fixture
def server(running: ImapServer) -> ImapServer:
    running.reset()
    return running


def of(server: ImapServer | Tap, **more: object):
    return adapter(**{"imap_port": server.port, "imap_tls": "none", "timeout": 20, **more})


def mail(number: int, **fields: str | None) -> bytes:
    return letter(f"Письмо {number}", **{"Message_ID": f"<n{number}@romashka.ru>", **fields})


def test_a_second_run_reads_nothing(server: ImapServer) -> None:
    server.append_all("INBOX", [mail(n) for n in range(7)], WRITTEN)
    server.append(server.sent, mail(8, From="anna@firma.ru", To="ivan@romashka.ru"), WRITTEN)
    with Tap(server.host, server.port) as tap:
        mailbox = of(tap)
        records, cursor = drain(mailbox)
        assert [r.data["message_id"] for r in records] == [f"n{n}@romashka.ru" for n in (0, 1, 2, 3, 4, 5, 6, 8)]
        assert records[0].raw.startswith(b"From:")
        assert tap.count(b"BODY.PEEK[]") > 0
        tap.said.clear()
        again, same = drain(mailbox, cursor)
        assert again == []
        assert same == cursor
        assert tap.count(b"FETCH") == 0
        mailbox.close()


def test_only_new_letters_are_read(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    mailbox = of(server)
    _, cursor = drain(mailbox)
    server.append("INBOX", mail(2), WRITTEN - timedelta(days=400))  # an old one, moved out of Spam
    records, _ = drain(mailbox, cursor)
    assert [r.data["message_id"] for r in records] == ["n2@romashka.ru"]
    mailbox.close()


def test_nothing_is_marked_as_read(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    mailbox = of(server)
    drain(mailbox)
    mailbox.close()
    assert all(b"\\Seen" not in flags for flags in server.flags("INBOX"))


def test_pages_are_small_and_their_cursor_covers_only_what_they_hold(server: ImapServer) -> None:
    server.append_all("INBOX", [mail(n) for n in range(60)], WRITTEN)
    mailbox = of(server)
    scan = mailbox.scan("message", None)
    first = next(scan)
    scan.close()  # the hub was killed after the first page
    assert len(first.records) == 50
    assert not first.last
    rest, _ = drain(mailbox, first.cursor)
    names = [r.data["message_id"] for r in [*first.records, *rest]]
    assert names == [f"n{n}@romashka.ru" for n in range(60)]
    mailbox.close()


def test_the_first_run_looks_only_some_days_back(server: ImapServer) -> None:
    server.append("INBOX", mail(1), NOW - timedelta(days=90))
    server.append("INBOX", mail(2), NOW - timedelta(days=3))
    mailbox = of(server, days=30)
    records, cursor = drain(mailbox)
    assert [r.data["message_id"] for r in records] == ["n2@romashka.ru"]
    assert drain(mailbox, cursor) == ([], cursor)
    mailbox.close()


def test_another_uidvalidity_reads_the_folder_again_with_the_same_ids(server: ImapServer) -> None:
    server.append_all("Клиенты/Новые" if isinstance(server, DovecotServer) else "Клиенты", [mail(1), mail(2)], WRITTEN)
    name = "Клиенты/Новые" if isinstance(server, DovecotServer) else "Клиенты"
    mailbox = of(server, folders=[name])
    before, cursor = drain(mailbox)
    assert len(before) == 2
    mailbox.close()
    server.delete(name)
    server.append_all(name, [mail(2), mail(1), mail(3)], WRITTEN)
    after, moved = drain(mailbox, cursor)
    assert moved["folders"][name]["uidvalidity"] != cursor["folders"][name]["uidvalidity"]
    assert {r.id for r in before} < {r.id for r in after}
    assert {r.id: r.data for r in after}[before[0].id] == before[0].data
    mailbox.close()


def test_one_letter_in_two_folders_is_one_record(server: ImapServer) -> None:
    sent = mail(5, From="anna@firma.ru", To="ivan@romashka.ru", Cc="sales@firma.ru")
    server.append(server.sent, sent, WRITTEN)
    server.append(
        "INBOX", b"Received: from mx by mx; Wed, 5 Nov 2025 12:35:00 +0300\r\n" + sent, WRITTEN + timedelta(hours=1)
    )
    mailbox = of(server)
    records, _ = drain(mailbox)
    assert len(records) == 2
    assert records[0].id == records[1].id
    assert records[0].data == records[1].data
    assert records[0].data["direction"] == "out"
    mailbox.close()


def test_two_letters_with_one_message_id_are_both_kept(server: ImapServer) -> None:
    server.append_all("INBOX", [letter("Первое"), letter("Второе")], WRITTEN)
    mailbox = of(server)
    records, _ = drain(mailbox)
    assert len({r.id for r in records}) == 2
    assert {r.data["message_id"] for r in records} == {"one@romashka.ru"}
    assert [mailbox.read("message", r.id) for r in records] == records
    mailbox.close()


def test_private_and_bulk_letters_never_leave_the_server(server: ImapServer) -> None:
    secret = letter("Премия за ноябрь", From="anna@firma.ru", To="boss@gmail.com", Message_ID="<a@firma.ru>")
    blocked = letter("Личное", Cc="wife@home.example", Message_ID="<b@romashka.ru>")
    news = letter(
        "Скидки", From="news@shop.example", List_Unsubscribe="<https://shop.example/u>", Message_ID="<c@shop>"
    )
    server.append_all("INBOX", [secret, blocked, news, mail(4)], WRITTEN)
    with Tap(server.host, server.port) as tap:
        mailbox = of(tap, ignore=["home.example"])
        records, cursor = drain(mailbox)
        assert [r.data["message_id"] for r in records] == ["n4@romashka.ru"]
        assert cursor["filtered"] == {"internal": 1, "blocked": 1, "bulk": 1}
        fetched = [line for line in bytes(tap.said).split(b"\r\n") if b"BODY.PEEK[]" in line]
        assert len(fetched) == 1
        assert b"," not in fetched[0].split(b"FETCH")[1].split(b"(")[0]  # one uid: the one that is kept
        mailbox.close()


def test_a_letter_over_the_limit_keeps_its_header_and_says_so(server: ImapServer) -> None:
    server.append("INBOX", mail(1) + b"x" * 5000, WRITTEN)
    with Tap(server.host, server.port) as tap:
        mailbox = of(tap, max_size=2000)
        (record,), _ = drain(mailbox)
        assert tap.count(b"BODY.PEEK[]") == 0
        mailbox.close()
    assert record.data["subject"] == "Счёт"
    assert "max_size" in record.data["note"]
    assert record.data["text"] == ""
    assert clients(record.data) == ["ivan@romashka.ru"]


def test_a_bad_date_gives_the_servers_time(server: ImapServer) -> None:
    server.append_all("INBOX", [mail(1, Date="завтра"), mail(2, Date="Wed, 5 Nov 2099 10:00:00 +0300")], WRITTEN)
    server.append("INBOX", mail(3, Date=None), WRITTEN)
    mailbox = of(server)
    records, _ = drain(mailbox)
    assert [r.data["date"] for r in records] == ["2025-11-05T09:34:00Z"] * 3
    assert [r.data["date_header"] for r in records] == ["завтра", "Wed, 5 Nov 2099 10:00:00 +0300", ""]
    mailbox.close()


def test_a_letter_without_message_id_is_read_once_and_found_again(server: ImapServer) -> None:
    server.append("INBOX", mail(1, Message_ID=None), WRITTEN)
    server.append("Архив", mail(1, Message_ID=None), WRITTEN)
    mailbox = of(server, folders=["INBOX", "Архив"])
    records, _ = drain(mailbox)
    assert len(records) == 2
    assert len({r.id for r in records}) == 1
    assert records[0].id.startswith("sha256-")
    assert mailbox.read("message", records[0].id) == records[0]
    mailbox.close()


def test_reading_one_letter_finds_it_in_any_folder(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    mailbox = of(server)
    (record,), _ = drain(mailbox)
    with server.client() as client:
        client.create_folder("Договоры")
        client.select_folder("INBOX")
        client.move(client.search("ALL"), "Договоры")
    assert mailbox.read("message", record.id) == record
    assert mailbox.read("message", "nobody@romashka.ru#000000000000") is None
    mailbox.close()


def test_hostile_letters_do_not_stop_their_neighbours(server: ImapServer) -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300))
    broken = [
        b"Message-ID: <h1@x>\r\n" + nested,
        b"Message-ID: <h2@x>\r\nContent-Type: text/plain; charset=X-UNKNOWN\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n",
        b"Message-ID: <h3@x>\r\nFrom: \xff\xfe <>\r\nSubject: =?utf-8?B?!!!?=\r\n\r\n",
        b"\r\nno header at all\r\n",
    ]
    server.append_all("INBOX", [*broken, mail(9)], WRITTEN)
    mailbox = of(server)
    records, cursor = drain(mailbox)
    assert len(records) == 5
    assert records[-1].data["message_id"] == "n9@romashka.ru"
    assert records[1].data["text"].strip() == "Привет"
    assert drain(mailbox, cursor) == ([], cursor)
    mailbox.close()


def test_a_missing_folder_is_named_after_the_others_were_read(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    mailbox = of(server, folders=["INBOX", "Заявки"])
    pages = []
    with pytest.raises(BadConfig) as caught:
        pages.extend(mailbox.scan("message", None))  # a generator that raises keeps what it gave
    assert caught.value.setting == "folders"
    assert "Заявки" in caught.value.text.ru
    mailbox.close()


def test_the_pages_before_a_missing_folder_are_given(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    mailbox = of(server, folders=["Заявки", "INBOX"])
    scan = mailbox.scan("message", None)
    assert [r.data["message_id"] for r in next(scan).records] == ["n1@romashka.ru"]
    with pytest.raises(BadConfig):
        next(scan)
    mailbox.close()


def test_the_sent_folder_is_found_by_its_russian_name(server: ImapServer) -> None:
    server.append(server.sent, mail(1, From="anna@firma.ru", To="ivan@romashka.ru"), WRITTEN)
    mailbox = of(server, folders=["\\Sent"])
    records, cursor = drain(mailbox)
    assert [r.data["direction"] for r in records] == ["out"]
    assert list(cursor["folders"]) == ["Отправленные"]
    mailbox.close()


def test_a_connection_cut_in_the_middle_loses_nothing(server: ImapServer) -> None:
    server.append_all("INBOX", [mail(n) for n in range(3)], WRITTEN)
    with Tap(server.host, server.port) as tap:
        mailbox = of(tap)
        tap.cut_at = b"BODY.PEEK[]"
        with pytest.raises(RetryLater):
            drain(mailbox)
        records, _ = drain(mailbox)  # the next try connects anew
        assert len(records) == 3
        mailbox.close()


def test_a_silent_server_is_given_up(server: ImapServer) -> None:
    with Tap(server.host, server.port) as tap:
        mailbox = of(tap, timeout=1)
        drain(mailbox)
        tap.silent = True
        with pytest.raises(RetryLater) as caught:
            drain(mailbox)
        assert caught.value.code == "mail.timeout"
        mailbox.close()


def test_a_wrong_password_is_a_setting_to_mend(server: ImapServer) -> None:
    mailbox = of(server, password="wrong-1234")
    with pytest.raises(BadConfig) as caught:
        drain(mailbox)
    assert (caught.value.setting, caught.value.code) == ("password", "mail.auth")
    assert "wrong-1234" not in str(caught.value.text)


def test_a_closed_port_is_tried_again() -> None:
    with pytest.raises(RetryLater) as caught:
        drain(adapter(imap_port=free_port(), imap_tls="none"))
    assert caught.value.setting == "imap_port"


def test_check_says_all_is_well(server: ImapServer) -> None:
    server.append("INBOX", mail(1), WRITTEN)
    found = list(of(server).check())
    assert [f.step for f in found] == ["dns", "connect", "tls", "auth", "rights", "sample", "clock"]
    assert all(f.ok for f in found)


def test_check_names_the_setting_to_mend(server: ImapServer) -> None:
    def last(**more: object) -> tuple[str, str]:
        failed = [f for f in of(server, **more).check() if not f.ok][-1]
        return failed.step, failed.setting

    assert last(password="wrong") == ("auth", "password")
    assert last(folders=["INBOX", "Заявки"]) == ("rights", "folders")
    assert last(imap_port=free_port()) == ("connect", "imap_port")
    assert last(imap_host="mail.nowhere.invalid") == ("dns", "imap_host")
    assert last(imap_tls="tls") == ("tls", "imap_tls")


def test_check_sees_a_clock_that_is_behind(server: ImapServer) -> None:
    server.append("INBOX", mail(1), NOW + timedelta(hours=3))
    clock = next(f for f in of(server).check() if f.step == "clock")
    assert not clock.ok
    assert "180" in clock.text.ru


def test_the_log_of_every_literal_is_off(server: ImapServer) -> None:
    box = Mailbox(settings(imap_port=server.port, imap_tls="none"), NoLimit().wait)
    box.open()
    assert isinstance(box._client._imap, imaplib.IMAP4)
    assert box._client._imap.debug == 0
    box.close()


@pytest.mark.parametrize("running", ["dovecot"], indirect=True)  # pymap speaks no TLS here
def test_tls_and_the_servers_own_certificate(server: ImapServer) -> None:
    assert isinstance(server, DovecotServer)
    if not server.tls_port:
        absent("openssl")
    server.append("INBOX", mail(1), WRITTEN)
    for port, tls in ((server.tls_port, "tls"), (server.port, "starttls")):
        mailbox = adapter(imap_host="localhost", imap_port=port, imap_tls=tls, ca_file=server.ca_file)
        records, _ = drain(mailbox)
        assert len(records) == 1
        mailbox.close()
        with pytest.raises(BadConfig) as caught:
            drain(adapter(imap_host="localhost", imap_port=port, imap_tls=tls))
        assert caught.value.code == "mail.certificate"


@pytest.mark.parametrize("running", ["pymap"], indirect=True)  # Dovecot offers it
def test_starttls_that_is_not_offered(server: ImapServer) -> None:
    with pytest.raises(BadConfig) as caught:
        drain(of(server, imap_tls="starttls"))
    assert caught.value.setting == "imap_tls"


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("Отправленные", ()),
        ("INBOX/Отправленные письма", ()),
        ("Sent Items", ()),
        ("[Gmail]/Sent Mail", ()),
        ("Вышедшее", ("\\sent",)),
    ],
)
def test_names_of_the_sent_folder(name: str, flags: tuple[str, ...]) -> None:
    existing = [
        Folder("INBOX", frozenset(), "/"),
        Folder("Спам", frozenset(), "/"),
        Folder(name, frozenset(flags), "/"),
    ]
    assert folders.resolve("\\Sent", existing) == name
    assert folders.resolve("inbox", existing) == "INBOX"
    assert folders.resolve("\\Junk", existing) == "Спам"
    assert folders.resolve("Нет такой", existing) is None


def test_a_folder_that_cannot_be_opened_is_not_chosen() -> None:
    existing = [Folder("Sent", frozenset({"\\noselect"}), "/"), Folder("Sent/Sent", frozenset(), "/")]
    assert folders.resolve("\\Sent", existing) == "Sent/Sent"


class Babbler:
    """A server that says what it is told to, whatever it is asked."""

    def __init__(self, greeting: bytes, *answers: bytes) -> None:
        self._lines = [greeting, *answers]
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self) -> Babbler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _talk(self) -> None:
        client, _ = self._server.accept()
        with client, suppress(OSError):
            for line in self._lines:
                client.sendall(line)
                if not client.recv(4096):
                    return


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n<html>",),
        (b"\xff\xfe\x00\r\n",),
        (b"* BYE too many connections\r\n",),
        (b"* OK hello\r\n", b"* CAPABILITY IMAP4rev1\r\nx" + b"y" * 1_100_000 + b"\r\n"),
        (b"",),
    ],
)
def test_an_answer_that_is_no_imap_is_tried_again_later(answers: tuple[bytes, ...]) -> None:
    with Babbler(*answers) as babbler:
        mailbox = adapter(imap_port=babbler.port, imap_tls="none", timeout=1)
        with pytest.raises(RetryLater):
            drain(mailbox)
        mailbox.close()
