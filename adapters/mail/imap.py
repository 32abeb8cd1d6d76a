"""One IMAP connection: the only module that touches imapclient. Plain RFC 3501 is all it needs of the server.

Known of imapclient 4.1: it makes imaplib format every literal for a log that nobody reads (a tenth of the speed) unless
`_imap.debug` is 0; it takes no range strings in fetch; it decodes modified UTF-7 folder names. Servers refuse very long
commands ("Too long argument"), so uids go in chunks.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from imapclient import IMAPClient, SocketTimeout  # type: ignore[import-untyped]
from imapclient.exceptions import CapabilityError, LoginError  # type: ignore[import-untyped]

from adapters.base import BadConfig, RetryLater, SverkaError, Text
from adapters.mail.settings import Settings

CONNECT_SECONDS = 15
CHUNK = 200  # uids of one FETCH

_TEMPORARY = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA|CONTACTADMIN)\]|temporar|too many|try again|backend error|rate",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"\bfailed: |\bcommand error: ")  # how imaplib and imapclient word a NO and a BAD
_MISSING = re.compile(
    r"\[(?:NONEXISTENT|TRYCREATE|NOPERM)\]|does(?: not|n't) exist|no such|not found|unknown mailbox|invalid mailbox",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Folder:
    name: str
    flags: frozenset[str]  # lower case: "\\sent", "\\noselect"
    delimiter: str

    @property
    def selectable(self) -> bool:
        return not self.flags & {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Selected:
    uidvalidity: int
    uidnext: int | None  # some servers do not say
    exists: int


@dataclass(frozen=True, slots=True)
class Header:
    uid: int
    size: int
    arrived: datetime | None  # INTERNALDATE, aware
    raw: bytes


class NoFolder(Exception):
    """The folder does not exist or may not be opened."""


class Mailbox:
    """A logged-in connection. Every method may raise RetryLater or BadConfig; after a RetryLater it is closed."""

    def __init__(self, settings: Settings, wait: Callable[[], None]) -> None:
        self._settings = settings
        self._wait = wait
        self._client: Any = None

    def open(self) -> None:
        """Connect and log in; a connection that could not log in is closed at once."""
        try:
            self.connect()
            self.login()
        except SverkaError:
            self.close()
            raise

    def connect(self) -> None:
        settings = self._settings
        with self._translated("connect"):
            context = ssl.create_default_context(cafile=settings.ca_file or None)
            client = IMAPClient(
                settings.imap_host,
                settings.imap_port,
                ssl=settings.imap_tls == "tls",
                ssl_context=context if settings.imap_tls == "tls" else None,
                timeout=SocketTimeout(min(CONNECT_SECONDS, settings.timeout), settings.timeout),
            )
            client._imap.debug = 0
            client.normalise_times = False
            self._client = client
            if settings.imap_tls == "starttls":
                client.starttls(context)

    def login(self) -> None:
        with self._translated("login"):
            try:
                self._client.login(self._settings.login, self._settings.password.get_secret_value())
            except UnicodeError:
                raise self._bad_login() from None
            except LoginError as error:
                if isinstance(error.__context__, imaplib.IMAP4.abort):
                    raise error.__context__ from None
                if _TEMPORARY.search(str(error)):
                    raise
                if "PRIVACYREQUIRED" in str(error):
                    raise self._bad_tls("it takes no password without TLS", "без TLS он не принимает пароль") from None
                raise self._bad_login() from None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _hang_up(client)

    def is_alive(self) -> bool:
        """Whether the connection of an earlier call still answers."""
        if self._client is None:
            return False
        try:
            with self._translated("noop"):
                self._client.noop()
        except SverkaError:
            return False
        return True

    def folders(self) -> list[Folder]:
        with self._translated("list"):
            found = self._client.list_folders()
        return [
            Folder(str(name), frozenset(_text(flag).lower() for flag in flags), _text(delimiter or b""))
            for flags, delimiter, name in found
        ]

    def has_capability(self, name: str) -> bool:
        with self._translated("capability"):
            return bool(self._client.has_capability(name))

    def select(self, folder: str) -> Selected:
        """Open read-only (EXAMINE): nothing is marked as read. NoFolder when it is not there."""
        with self._translated("select"):
            try:
                answer = self._client.select_folder(folder, readonly=True)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                if _MISSING.search(str(error)):
                    raise NoFolder(folder) from None
                raise
        uidnext = answer.get(b"UIDNEXT")
        return Selected(int(answer.get(b"UIDVALIDITY", 0)), int(uidnext) if uidnext else None, int(answer[b"EXISTS"]))

    def uids(self, first: int, last: int | None, since: date | None = None) -> list[int]:
        """The uids from `first` to `last` (None: the end), ascending. "n:*" gives the newest letter even below n."""
        criteria: list[Any] = ["UID", f"{first}:{last or '*'}"]
        if since is not None:
            criteria += ["SINCE", since]
        with self._translated("search"):
            found = self._client.search(criteria)
        return sorted(uid for uid in found if uid >= first and (last is None or uid <= last))

    def with_header(self, name: str, value: str) -> list[int]:
        """The uids of the open folder whose header field contains this text."""
        with self._translated("search"):
            return sorted(self._client.search(["HEADER", name, value]))

    def without_header(self, name: str) -> list[int]:
        with self._translated("search"):
            return sorted(self._client.search(["NOT", "HEADER", name, ""]))

    def headers(self, uids: Sequence[int]) -> Iterator[Header]:
        """Size, arrival and header of letters; one that vanished meanwhile is left out."""
        for start in range(0, len(uids), CHUNK):
            chunk = list(uids[start : start + CHUNK])
            for uid, item in self._fetch(chunk, ["RFC822.SIZE", "INTERNALDATE", "BODY.PEEK[HEADER]"]):
                raw, arrived = item.get(b"BODY[HEADER]"), item.get(b"INTERNALDATE")
                aware = arrived if isinstance(arrived, datetime) and arrived.tzinfo else None
                yield Header(uid, int(item.get(b"RFC822.SIZE") or 0), aware, raw if isinstance(raw, bytes) else b"")

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The whole letters by uid; one that vanished meanwhile, or that the server cannot give, is left out."""
        fetched = self._fetch(list(uids), ["BODY.PEEK[]"])
        return {uid: item[b"BODY[]"] for uid, item in fetched if isinstance(item.get(b"BODY[]"), bytes)}

    def append(self, folder: str, raw: bytes, when: datetime, flags: Sequence[str] = ("\\Seen",)) -> None:
        with self._translated("append"):
            self._client.append(folder, raw, flags=flags, msg_time=when)

    def _fetch(self, uids: list[int], items: list[str]) -> list[tuple[int, dict[bytes, Any]]]:
        """In the order of uids. One letter that the server chokes on must not stop its neighbours: then one by one."""
        if not uids:
            return []
        label = "fetch bodies" if "BODY.PEEK[]" in items else "fetch headers"
        try:
            with self._translated(label):
                found = self._client.fetch(uids, items)
        except RetryLater as error:
            if error.code != "mail.refused" or len(uids) == 1:
                if error.code == "mail.refused":
                    return []
                raise
            return [pair for uid in uids for pair in self._fetch([uid], items)]
        return [(uid, found[uid]) for uid in uids if uid in found]

    @contextmanager
    def _translated(self, command: str) -> Iterator[None]:
        """Errors of sockets, TLS and imaplib as the hub's. A refused command leaves the connection open, others close it."""
        self._wait()
        if self._client is None and command != "connect":
            raise self._network("the connection is closed", "соединение закрыто")
        try:
            yield
        except (NoFolder, SverkaError):
            raise
        except CapabilityError:
            self._drop()
            raise self._bad_tls("the server offers no STARTTLS", "сервер не предлагает STARTTLS") from None
        except imaplib.IMAP4.abort:
            self._drop()
            raise self._network("the server closed the connection", "сервер закрыл соединение") from None
        except imaplib.IMAP4.error as error:
            if not isinstance(error, LoginError) and not _TAGGED.search(str(error)):
                self._drop()  # not a NO or BAD answer: an endless line or the like, nobody knows where its end is
                raise self._network(
                    "the server's answer is not IMAP", "ответ сервера — не IMAP", "mail.answer"
                ) from None
            raise self._refused(command, error) from None
        except ssl.SSLCertVerificationError as error:
            self._drop()
            raise self._bad_certificate(error) from None
        except ssl.SSLError:
            self._drop()
            raise self._bad_tls("no TLS answer on this port", "на этом порту нет ответа TLS") from None
        except TimeoutError:
            self._drop()
            raise self._network("no answer in time", "нет ответа вовремя", code="mail.timeout") from None
        except OSError as error:
            self._drop()
            raise self._unreachable(error) from None
        except (ValueError, TypeError, KeyError, AssertionError):  # an answer that imapclient cannot read
            self._drop()
            raise self._network(
                "the server's answer is not IMAP", "ответ сервера — не IMAP", code="mail.answer"
            ) from None

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _hang_up(client, politely=False)

    def _where(self) -> str:
        return f"{self._settings.imap_host}:{self._settings.imap_port}"

    def _network(self, en: str, ru: str, code: str = "mail.network") -> RetryLater:
        return RetryLater(
            Text(f"Mail server {self._where()}: {en}. It will be tried again.",
                 f"Почтовый сервер {self._where()}: {ru}. Попытка повторится."),
            code=code,
        )  # fmt: skip

    def _unreachable(self, error: OSError) -> SverkaError:
        if isinstance(error, FileNotFoundError | PermissionError):
            text = Text("The file of ca_file cannot be read.", "Файл из ca_file не читается.")
            return BadConfig(text, code="mail.ca", setting="ca_file")
        if isinstance(error, socket.gaierror):
            problem = self._network("the host name is not found", "имя узла не найдено", code="mail.dns")
            problem.setting = "imap_host"
            return problem
        problem = self._network("cannot be reached", "недоступен", code="mail.connect")
        problem.setting = "imap_port"
        return problem

    def _refused(self, command: str, error: Exception) -> RetryLater:
        busy = bool(_TEMPORARY.search(str(error)))
        return RetryLater(
            Text(f"Mail server {self._where()} refused {command.upper()}. It will be tried again.",
                 f"Почтовый сервер {self._where()} отказал в команде {command.upper()}. Попытка повторится."),
            code="mail.busy" if busy else "mail.refused",
            after=60 if busy else None,
        )  # fmt: skip

    def _bad_login(self) -> BadConfig:
        return BadConfig(
            Text(f"Mail server {self._where()} does not accept this login and password.",
                 f"Почтовый сервер {self._where()} не принимает этот логин и пароль."),
            code="mail.auth",
            setting="password",
            remedy=app_password(self._settings.imap_host),
        )  # fmt: skip

    def _bad_tls(self, en: str, ru: str) -> BadConfig:
        return BadConfig(
            Text(f"Mail server {self._where()}: {en}.", f"Почтовый сервер {self._where()}: {ru}."),
            code="mail.tls",
            setting="imap_tls",
            remedy=Text('Usual: port 993 with imap_tls = "tls", port 143 with "starttls" (or "none" inside the office).',
                        'Обычно: порт 993 и imap_tls = "tls", порт 143 и "starttls" (или "none" внутри офиса).'),
        )  # fmt: skip

    def _bad_certificate(self, error: ssl.SSLCertVerificationError) -> BadConfig:
        return BadConfig(
            Text(f"The certificate of {self._where()} is not trusted: {error.verify_message}.",
                 f"Сертификату сервера {self._where()} нет доверия: {error.verify_message}."),
            code="mail.certificate",
            setting="imap_host",
            remedy=Text("Write the host name as it stands in the certificate; a server's own certificate goes into ca_file.",
                        "Укажите имя узла как в сертификате; собственный сертификат сервера укажите в ca_file."),
        )  # fmt: skip


def app_password(host: str) -> Text:
    """Where a provider wants a password made for programs, how to get one."""
    if "yandex" in host or host.endswith("ya.ru"):
        return Text(
            "Yandex: switch IMAP on in the mailbox's settings and make an app password (ID → Security → App passwords → Mail).",
            "Яндекс: включите IMAP в настройках ящика и создайте пароль приложения "
            "(Яндекс ID → Безопасность → Пароли приложений → Почта).",
        )
    if host.endswith("mail.ru"):
        return Text(
            "Mail.ru: make a password for external applications (account → Security → Passwords for external applications).",
            "Mail.ru: создайте пароль для внешних приложений "
            "(учётная запись → Безопасность → Пароли для внешних приложений).",
        )
    if "gmail" in host or "google" in host:
        return Text("Gmail: make an app password (account → Security → 2-Step Verification → App passwords).",
                    "Gmail: создайте пароль приложения (аккаунт → Безопасность → Двухэтапная аутентификация).")  # fmt: skip
    return Text(
        "Check login and password; many providers want an app password and IMAP switched on in the mailbox's settings.",
        "Проверьте логин и пароль; многим почтовым службам нужен пароль приложения и включённый в настройках ящика IMAP.",
    )


def _hang_up(client: Any, politely: bool = True) -> None:
    """Leave; whatever goes wrong now is of no interest, but the socket is closed."""
    gone = (OSError, imaplib.IMAP4.error, ValueError)
    with suppress(*gone):
        if politely:
            client.logout()
    with suppress(*gone):
        client.shutdown()


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
