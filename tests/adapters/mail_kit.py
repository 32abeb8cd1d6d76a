"""What the mail tests share: letters from a few words, an adapter over given settings, the firm of the acceptance cases."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from adapters.base import AdapterContext, Record
from adapters.mail import MailAdapter
from adapters.mail.parse import Letter, Seen, read
from adapters.mail.settings import Own, Settings

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "mail"
NOW = datetime(2025, 11, 10, 9, 0, tzinfo=UTC)
WRITTEN = datetime(2025, 11, 5, 9, 34, tzinfo=UTC)

# The firm: firma.ru with anna and boss (who writes from gmail), and the shared boxes sales@ and info@.
FIRM: dict[str, Any] = {
    "imap_host": "127.0.0.1",
    "login": "sales@firma.ru",
    "password": "secret",
    "own_domains": ["firma.ru"],
    "own_addresses": ["boss@gmail.com"],
}


class NoLimit:
    def wait(self) -> None:
        """Every call is allowed."""

    def penalty(self, seconds: float) -> None:
        """Nobody counts."""


def context(now: datetime = NOW, language: str = "ru") -> AdapterContext:
    return AdapterContext("mail", NoLimit(), lambda: now, logging.getLogger("test.mail"), language)


def settings(**more: Any) -> Settings:
    return Settings(**{**FIRM, **more})


def adapter(now: datetime = NOW, **more: Any) -> MailAdapter:
    return MailAdapter(settings(**more), context(now))


def letter(text: str = "Добрый день!", **fields: str | None) -> bytes:
    """A letter in UTF-8; fields as `From=`, `Message_ID=`; None leaves a usual one out."""
    usual: dict[str, str | None] = {
        "From": "Иван Тестов <ivan@romashka.ru>",
        "To": "sales@firma.ru",
        "Subject": "Счёт",
        "Date": format_datetime(WRITTEN),
        "Message-ID": "<one@romashka.ru>",
    }
    named = usual | {name.replace("_", "-"): value for name, value in fields.items()}
    named.setdefault("MIME-Version", "1.0")
    named.setdefault("Content-Type", "text/plain; charset=utf-8")
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value is not None)
    return (head + "\r\n" + text.replace("\n", "\r\n") + "\r\n").encode()


def take(raw: bytes, in_sent: bool = False, arrived: datetime | None = None, **more: Any) -> Letter:
    return read(raw, Seen(Own(settings(**more)), arrived, in_sent, NOW))


def kept(raw: bytes, in_sent: bool = False, arrived: datetime | None = None, **more: Any) -> dict[str, Any]:
    """The data of a letter that is stored."""
    found = take(raw, in_sent, arrived, **more)
    assert found.record is not None, found.dropped
    return found.record.data


def clients(data: dict[str, Any]) -> list[str]:
    return [person["address"] for person in data["counterparts"]]


def drain(source: MailAdapter, cursor: Any = None) -> tuple[list[Record], Any]:
    """All records of a scan and its last cursor."""
    records: list[Record] = []
    last = False
    for page in source.scan("message", cursor):
        assert len(page.records) <= 50
        records += page.records
        cursor, last = page.cursor, page.last
    assert last
    return records, cursor
