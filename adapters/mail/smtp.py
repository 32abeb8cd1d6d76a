"""Sending one letter. The stages are told apart: before the last dot nothing is sent (try again), after it a missing answer
means that nobody knows (settle by looking). RFC 5321 replies: 4xx is "later", 5xx is "never".
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any

import aiosmtplib
from aiosmtplib import errors

from adapters.base import BadConfig, Change, OutcomeUnknown, RecordRefused, RetryLater, SverkaError, Text
from adapters.mail.headers import normal_address
from adapters.mail.imap import CONNECT_SECONDS, app_password
from adapters.mail.parse import OWN_ID
from adapters.mail.settings import Settings

MOST_RECIPIENTS = 50
MOST_BYTES = 15_000_000  # of all attached files; servers usually take letters of 20 to 30 MB

_ID = re.compile(r"^[^\s<>@]{1,200}@[^\s<>@]{1,200}$")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")  # not every server takes 8BITMIME


@dataclass(frozen=True, slots=True)
class Outgoing:
    message_id: str
    sender: str
    recipients: list[str]
    raw: bytes


def sender_of(settings: Settings) -> str:
    return normal_address(settings.sender or settings.login)


def message_id_of(settings: Settings, key: str) -> str:
    """The Message-ID by which a sent letter is found again: the intent's key at the sender's domain (as punycode)."""
    return f"{key}@{_ascii_domain(sender_of(settings).partition('@')[2])}"


def compose(change: Change, settings: Settings, now: datetime) -> Outgoing:
    """The letter of a change: data {to, subject, text, cc?, message_id?, in_reply_to?, references?, files?: [{name, type,
    base64}]}. RecordRefused when a value cannot stand in a header (a line break there would let its author add headers of
    his own), or a file cannot be read or is too large."""
    data = change.data
    to, cc = _recipients(data.get("to")), _recipients(data.get("cc") or [])
    if not to or len(to) + len(cc) > MOST_RECIPIENTS:
        raise _refused("to", f"needs 1 to {MOST_RECIPIENTS} addresses", f"нужно от 1 до {MOST_RECIPIENTS} адресов")
    own_id = _valid_id(data.get("message_id") or message_id_of(settings, change.key), "message_id")
    references = [_valid_id(i, "references") for i in data.get("references") or []]
    answered = data.get("in_reply_to")
    if answered:
        references = [i for i in references if i != answered] + [_valid_id(answered, "in_reply_to")]
    subject, text = data.get("subject") or "", data.get("text")
    if not isinstance(subject, str) or re.search(r"[\r\n\x00]", subject):
        raise _refused("subject", "must be one line of text", "должна быть одной строкой текста")
    if not isinstance(text, str) or not text.strip():
        raise _refused("text", "must not be empty", "не должен быть пустым")
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = HeaderAddress(settings.sender_name, addr_spec=_wire(sender_of(settings)))
        message["To"] = ", ".join(map(_wire, to))
        if cc:
            message["Cc"] = ", ".join(map(_wire, cc))
        message["Subject"] = subject
        message["Date"] = now
        message["Message-ID"] = f"<{own_id}>"
        message[OWN_ID] = f"<{own_id}>"
        if answered:
            message["In-Reply-To"] = f"<{answered}>"
        if references:
            message["References"] = " ".join(f"<{i}>" for i in references)
        message.set_content(text.replace("\x00", ""))
        _attach(message, data.get("files") or [])
        raw = message.as_bytes()
    except (ValueError, IndexError, UnicodeError, AttributeError):
        raise _refused("to", "cannot be written into a letter's header", "не может стоять в заголовке письма") from None
    return Outgoing(own_id, _wire(sender_of(settings)), [_wire(a) for a in to + cc], raw)


def _attach(message: EmailMessage, files: Any) -> None:
    size = 0
    for one in files:
        try:
            content = base64.b64decode(one["base64"], validate=True)
            name, (main, _, sub) = str(one["name"]), str(one["type"]).partition("/")
        except (KeyError, TypeError, ValueError):
            raise _refused("files", "must be {name, type, base64}", "должны быть вида {name, type, base64}") from None
        size += len(content)
        if size > MOST_BYTES:
            raise _refused("files", f"are larger than {MOST_BYTES} bytes", f"больше {MOST_BYTES} байт")
        message.add_attachment(content, maintype=main, subtype=sub or "octet-stream", filename=name)


def send(letter: Outgoing, settings: Settings) -> None:
    """Hand the letter over. RetryLater and RecordRefused mean that it was not sent; OutcomeUnknown that nobody knows."""
    asyncio.run(_send(letter, settings))


def probe(settings: Settings) -> None:
    """Connect and log in, nothing more."""
    asyncio.run(_probe(settings))


async def _probe(settings: Settings) -> None:
    client = _client(settings)
    try:
        await _begin(client, settings)
    finally:
        client.close()


async def _send(letter: Outgoing, settings: Settings) -> None:
    client = _client(settings)
    try:
        await _begin(client, settings)
        await _envelope(client, letter, settings)
        await _data(client, letter, settings)
        with suppress(errors.SMTPException, OSError):  # accepted: what happens to the connection now does not matter
            await client.quit()
    finally:
        client.close()


def _client(settings: Settings) -> aiosmtplib.SMTP:
    context = ssl.create_default_context(cafile=settings.ca_file or None) if settings.smtp_tls != "none" else None
    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        tls_context=context,
        timeout=min(CONNECT_SECONDS, settings.timeout),
    )


async def _begin(client: aiosmtplib.SMTP, settings: Settings) -> None:
    """Connect, TLS, login: nothing is sent yet, so any broken connection may simply be tried again."""
    try:
        await client.connect()
        if settings.smtp_login != "-":
            password = settings.smtp_password or settings.password
            await client.login(settings.smtp_login or settings.login, password.get_secret_value())
    except errors.SMTPAuthenticationError as error:
        if 400 <= error.code < 500:
            raise _later(settings, error.code) from None
        raise _bad_login(settings) from None
    except ssl.SSLError:
        raise _bad_tls(settings) from None
    except errors.SMTPException as error:
        if isinstance(error.__cause__, ssl.SSLError) or "STARTTLS" in str(error):
            raise _bad_tls(settings) from None
        if "AUTH" in str(error):
            raise _bad_login(settings) from None
        raise _unreachable(settings) from None
    except (OSError, ValueError, UnicodeError):
        raise _unreachable(settings) from None


async def _envelope(client: aiosmtplib.SMTP, letter: Outgoing, settings: Settings) -> None:
    utf8 = not all(a.isascii() for a in [letter.sender, *letter.recipients])
    if utf8 and not client.supports_extension("smtputf8"):
        raise _refused(
            "to", "has Cyrillic before @, which this server does not take", "кириллица до @ не поддержана сервером"
        )
    try:
        await client.mail(letter.sender, options=["SMTPUTF8"] if utf8 else [], encoding="utf-8" if utf8 else "ascii")
        for recipient in letter.recipients:
            await client.rcpt(recipient, encoding="utf-8" if utf8 else "ascii")
    except errors.SMTPResponseException as error:
        raise _by_code(settings, error) from None
    except (errors.SMTPException, OSError):
        raise _unreachable(settings) from None


async def _data(client: aiosmtplib.SMTP, letter: Outgoing, settings: Settings) -> None:
    try:
        await client.data(letter.raw, timeout=settings.timeout)
    except errors.SMTPDataError as error:
        raise _by_code(settings, error) from None
    except (errors.SMTPException, OSError):
        raise OutcomeUnknown(
            Text("The mail server took the letter but did not answer: it will be looked for among the sent ones.",
                 "Почтовый сервер принял письмо, но не ответил: оно будет найдено среди отправленных."),
            code="mail.lost_answer",
        ) from None  # fmt: skip


def _by_code(settings: Settings, error: errors.SMTPResponseException) -> SverkaError:
    if error.code < 500:
        return _later(settings, error.code)
    stage = "sender" if isinstance(error, errors.SMTPSenderRefused) else "to"
    status = re.match(r"\s*(\d\.\d{1,3}\.\d{1,3})\b", str(error.message))
    code = f"{error.code} {status[1]}" if status else str(error.code)
    return RecordRefused(
        Text(f"The mail server refused the letter ({code}). Nothing was sent. Check the address and the letter.",
             f"Почтовый сервер отказал письму ({code}). Ничего не отправлено. Проверьте адрес и письмо."),
        code="mail.refused_letter",
        field=stage,
    )  # fmt: skip


def _later(settings: Settings, code: int) -> RetryLater:
    return RetryLater(
        Text(f"Mail server {settings.smtp_host} answered {code} (later). Nothing was sent; it will be tried again.",
             f"Почтовый сервер {settings.smtp_host} ответил {code} (позже). Ничего не отправлено, попытка повторится."),
        code="mail.smtp_later",
        after=300,
    )  # fmt: skip


def _unreachable(settings: Settings) -> RetryLater:
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    return RetryLater(
        Text(f"Mail server {where} cannot be reached or closed the connection. Nothing was sent; it will be tried again.",
             f"Почтовый сервер {where} недоступен или закрыл соединение. Ничего не отправлено, попытка повторится."),
        code="mail.smtp_network",
        setting="smtp_port",
    )  # fmt: skip


def _bad_login(settings: Settings) -> BadConfig:
    return BadConfig(
        Text(f"Mail server {settings.smtp_host} does not accept this login and password for sending.",
             f"Почтовый сервер {settings.smtp_host} не принимает этот логин и пароль для отправки."),
        code="mail.smtp_auth",
        setting="smtp_password" if settings.smtp_password else "password",
        remedy=app_password(settings.smtp_host),
    )  # fmt: skip


def _bad_tls(settings: Settings) -> BadConfig:
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    return BadConfig(
        Text(f"No TLS with {where}.", f"С {where} не удалось установить TLS."),
        code="mail.smtp_tls",
        setting="smtp_tls",
        remedy=Text('Usual: port 465 with smtp_tls = "tls", port 587 with "starttls".',
                    'Обычно: порт 465 и smtp_tls = "tls", порт 587 и "starttls".'),
    )  # fmt: skip


def _refused(field: str, en: str, ru: str) -> RecordRefused:
    return RecordRefused(Text(f"{field} {en}.", f"{field}: {ru}."), code=f"mail.bad_{field}", field=field)


def _recipients(value: Any) -> list[str]:
    """Addresses as text, or {name, address} as letters give them when they are read."""
    given = value if isinstance(value, list) else [value]
    found: list[Any] = [one.get("address") if isinstance(one, dict) else one for one in given]
    if not all(isinstance(a, str) for a in found):
        raise _refused("to", "must be a list of addresses", "должно быть списком адресов")
    for address in found:
        if re.search(r"[\s<>,;:\"()\[\]\\]", address.strip()) or not normal_address(address):
            raise _refused("to", "has something that is not an address", "содержит не адрес")
    return list(dict.fromkeys(normal_address(a) for a in found))


def _valid_id(value: Any, field: str) -> str:
    bare = value.strip().strip("<>") if isinstance(value, str) else ""
    if not _ID.match(bare) or not bare.isascii():
        raise _refused(field, "must be a Message-ID like a@b", "должен быть Message-ID вида a@b")
    return bare


def _wire(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{_ascii_domain(domain)}"


def _ascii_domain(domain: str) -> str:
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise _refused("to", "has a domain that cannot exist", "содержит невозможный домен") from None
