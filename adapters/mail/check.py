"""`sverka check` of a mailbox, step by step: each line says what was tried and which setting mends it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

from adapters.base import AdapterContext, Finding, SverkaError, Text
from adapters.mail import folders as names
from adapters.mail import headers, mime, scan
from adapters.mail.imap import Header, Mailbox, NoFolder
from adapters.mail.settings import Settings

SKEW = timedelta(minutes=5)


def findings(settings: Settings, context: AdapterContext) -> Iterator[Finding]:
    """dns, connect, tls, auth, rights, sample, clock, smtp."""
    box = Mailbox(settings, context.limiter.wait)
    try:
        yield from _imap(box, settings, context)
    except SverkaError as error:
        yield _failed(_step(error), error)
    finally:
        box.close()
    if settings.smtp_host:
        yield _smtp(settings, context)


def _imap(box: Mailbox, settings: Settings, context: AdapterContext) -> Iterator[Finding]:
    where = f"{settings.imap_host}:{settings.imap_port}"
    try:
        socket.getaddrinfo(settings.imap_host, settings.imap_port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        yield Finding(
            "dns",
            False,
            Text(f"The host name {settings.imap_host} is not found.", f"Имя узла {settings.imap_host} не найдено."),
            "imap_host",
            Text("Check the name and the network's DNS.", "Проверьте имя и DNS сети."),
        )
        return
    yield Finding("dns", True, Text(f"{settings.imap_host} is known.", f"{settings.imap_host} найден."))
    box.connect()
    yield Finding("connect", True, Text(f"{where} answers.", f"{where} отвечает."))
    secure = settings.imap_tls != "none"
    yield Finding(
        "tls",
        True,
        Text("Encrypted, certificate trusted.", "Шифрование есть, сертификату доверяем.")
        if secure
        else Text("Not encrypted: only for the office's own network.", "Без шифрования: только внутри сети офиса."),
        "" if secure else "imap_tls",
    )
    box.login()
    yield Finding("auth", True, Text("Login and password are right.", "Логин и пароль приняты."))
    yield from _folders(box, settings, context)


def _folders(box: Mailbox, settings: Settings, context: AdapterContext) -> Iterator[Finding]:
    existing = box.folders()
    good, missing, newest = [], [], None
    for wanted in settings.folders:
        name = names.resolve(wanted, existing)
        try:
            seen = box.select(name) if name else None
        except NoFolder:
            seen = None
        if name is None or seen is None:
            missing.append(wanted)
            continue
        good.append(name)
        if newest is None and seen.exists:
            newest = _newest(box, seen.uidnext)
    if missing:
        error = scan.no_folders(missing, existing)
        yield Finding("rights", False, error.text, "folders", error.remedy)
    else:
        listed = ", ".join(good)
        yield Finding("rights", True, Text(f"Folders can be read: {listed}.", f"Папки читаются: {listed}."))
    yield _sample(newest)
    yield _clock(newest, context.now())


def _newest(box: Mailbox, uidnext: int | None) -> Header | None:
    """The last letter of the open folder; "n:*" always gives the last one, whatever n."""
    uids = box.uids(1, None) if uidnext is None else box.uids(max(uidnext - 200, 1), None)
    return next(box.headers(uids[-1:]), None)


def _sample(newest: Header | None) -> Finding:
    if newest is None:
        text = Text("No letter to look at yet.", "Писем для проверки пока нет.")
        return Finding("sample", True, text)
    date = headers.field(mime.load_headers(newest.raw), "Date") or "?"
    return Finding("sample", True, Text(f"The newest letter is dated {date}.", f"Самое новое письмо: {date}."))


def _clock(newest: Header | None, now: datetime) -> Finding:
    """IMAP tells no time; only a letter from the future shows that the clocks differ."""
    if newest is None or newest.arrived is None:
        return Finding("clock", True, Text("The clock could not be compared.", "Часы сравнить не с чем."))
    ahead = newest.arrived - now
    if ahead <= SKEW:
        return Finding("clock", True, Text("No letter is from the future.", "Писем из будущего нет."))
    minutes = int(ahead.total_seconds() // 60)
    return Finding(
        "clock",
        False,
        Text(f"The newest letter came {minutes} minutes after this computer's time.",
             f"Самое новое письмо пришло на {minutes} мин. позже времени этого компьютера."),
        "imap_host",
        Text("Set this computer's clock (NTP) and its time zone.", "Настройте часы этого компьютера (NTP) и часовой пояс."),
    )  # fmt: skip


def _smtp(settings: Settings, context: AdapterContext) -> Finding:
    context.limiter.wait()
    try:
        from adapters.mail import smtp

        smtp.probe(settings)
    except SverkaError as error:
        return _failed("smtp", error)
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    return Finding("smtp", True, Text(f"Sending through {where} is possible.", f"Отправка через {where} возможна."))


def _failed(step: str, error: SverkaError) -> Finding:
    return Finding(step, False, error.text, error.setting, error.remedy)


def _step(error: SverkaError) -> str:
    steps = {"mail.auth": "auth", "mail.tls": "tls", "mail.certificate": "tls", "mail.ca": "tls", "mail.dns": "dns"}
    return steps.get(
        error.code, "connect" if error.code in ("mail.connect", "mail.timeout", "mail.network") else "rights"
    )
