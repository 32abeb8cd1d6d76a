"""Canaries through every shape in which something may be logged: none may come out."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import structlog
from pydantic import SecretStr

from sync import log
from sync.errors import RecordRefused, Text

SECRET = "canary-7Q-secret"
PHONES = ["+7 (916) 123-45-67", "+79161234567", "8 916 123 45 67", "89161234567", "79161234567", "7 916 123-45-67"]
MAILS = ["anna.testova@example.ru", "Анна@пример.рф", "a+b@mail.example.com"]
CANARIES = [SECRET, "1234567", "123-45-67", "123 45 67", *MAILS]


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


@pytest.mark.parametrize("phone", PHONES)
def test_phones_in_any_writing(phone: str) -> None:
    for text in (phone, f"call {phone}, now", f"({phone})", f'{{"phone": "{phone}"}}', f"tel:{phone};"):
        assert clean(log.redact(text)), text


@pytest.mark.parametrize("mail", MAILS)
def test_mail_addresses(mail: str) -> None:
    for text in (mail, f"<{mail}>", f"from={mail}&x=1", f"mailto:{mail}"):
        assert clean(log.redact(text)), text


@pytest.mark.parametrize(
    "text",
    [
        f"https://shop.example/wp-json?consumer_key={SECRET}&consumer_secret={SECRET}&page=2",
        f"GET /in/form?key={SECRET}",
        f"oauth_signature={SECRET} oauth_nonce={SECRET}",
        f"https://user:{SECRET}@example.ru/path",
        f"postgresql://hub:{SECRET}@db/hub",
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}=",
        f'{{"password": "{SECRET}", "page": 1}}',
        f"{{'api_key': '{SECRET}'}}",
        f"X-Api-Key: {SECRET}",
        f"Cookie: {SECRET}; a=b",
    ],
)
def test_secrets_in_texts(text: str) -> None:
    assert SECRET not in log.redact(text)


def test_secrets_by_their_names() -> None:
    for name in ("password", "api_key", "Authorization", "consumer_secret", "access_token", "Set-Cookie", "signature"):
        assert log.redact(SECRET, name) == "***"
        assert log.redact({name: SECRET, "page": 2}) == {name: "***", "page": 2}
        assert log.redact({"headers": [{name: [SECRET]}]}) == {"headers": [{name: "***"}]}


def test_containers_and_objects() -> None:
    held = {PHONES[1]: [MAILS[0], (PHONES[0],)], "more": {MAILS[1]}, "raw": MAILS[0].encode()}
    assert clean(repr(log.redact(held)))
    error = RecordRefused(Text(f"{MAILS[0]} is refused", "нет"), code="x")
    assert clean(str(log.redact({"error": error})))
    assert SECRET not in str(log.redact({"settings": SecretStr(SECRET)}))


def test_ordinary_values_stay_readable() -> None:
    for value in (
        "order 1043 of 2026-03-01T10:00:00+00:00 came, 12 lines, sum 1234567.89",
        "01a205d0-00b0-7733-8db8-21bf513e4f95",
        "467251:8442970",
        "read 80 of 120 in 2026",
        "key is missing",
        3,
        None,
        True,
        Decimal("1.50"),
        datetime(2026, 3, 1, tzinfo=UTC),
    ):
        assert log.redact(value) == value
    assert log.redact("woo", "connection") == "woo"
    assert log.redact("shop.auth", "code") == "shop.auth"


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure()
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def test_both_loggers_and_their_tracebacks(stderr: io.StringIO) -> None:
    library, ours = logging.getLogger("sverka.library"), log.Logger("sverka")
    try:
        raise ValueError(f"{MAILS[0]} has {PHONES[0]}, password={SECRET}")
    except ValueError as error:
        library.exception("broken %s", MAILS[1])
        library.warning("in args: %s %r", PHONES[2], {"token": SECRET})
        library.warning("with the stack of %s", MAILS[0], stack_info=True)
        ours.exception("broken", mail=MAILS[1])
        ours.warning("an object", error=error, password=SECRET, headers={"Authorization": f"Bearer {SECRET}"})
        ours.warning(json.dumps({"phone": PHONES[1], "secret": SECRET}))
    text = stderr.getvalue()
    assert text.count("\n") > 10
    assert text.count("ValueError") >= 2
    assert clean(text), text
