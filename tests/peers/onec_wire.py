"""The wire of the stock site exchange: one request at a time, no cookie jar, no redirects; the body decides, not the status."""

from __future__ import annotations

import base64
import http.client
import io
import re
import ssl
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

EMPTY_ANSWER = "Получен пустой ответ сервера. Не удалось прочитать данные"
NO_PARAMETERS = "Параметры обмена не получены"
UNKNOWN_STATUS = "Получен неизвестный статус импорта"
DEFAULT_PATH = "/bitrix/admin/1c_exchange.php"


class ExchangeAborted(Exception):
    """1C stopped the exchange; `reason` is what its log shows to the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class NodeOptions:
    """What the user sets in the exchange node's form, and what a test needs to bend."""

    portion_size: int = 1000  # products per complete cycle
    repeats: int = 3  # КоличествоПовторов: sends of a refused product before it is forgotten
    catalog_index: int = 0
    no_import_wait: bool = False  # ВыгружатьФайлыБезОжиданияПодтвержденияИмпортаСервером: import is never asked
    use_sessid: bool = False  # ИспользоватьИдентификаторСессии
    match: str = "name"  # counterparties by "name" or by "inn"
    statuses: Mapping[str, str] = field(default_factory=dict)  # the site's status -> 1C's
    basic: str = "every"  # Basic sent with "every" request, with "checkauth" only, or upon a 401 "challenge"
    version: str = ""  # ВерсияСхемы as written; "" is the configuration's own
    bitrix: bool = False  # УНФ: the protocol "1С-Битрикс"
    subordinate: bool = False  # УНФ with bitrix: payments and shipments as subordinate documents (2.10)
    timeout: float = 0  # seconds; 0 is the configuration's own
    sleep: Callable[[float], None] = time.sleep
    max_progress: int = 100_000  # the stand-in's own guard: real 1C asks for ever


class Wire:
    """Requests to one site. `log` shows every request and the start of every answer, never the password."""

    decode_again = False  # УНФ: try other encodings when the text has U+FFFD
    retry_partial = False  # УНФ: once more after "Transferred a partial file"

    def __init__(self, url: str, login: str, password: str, options: NodeOptions, timeout: float) -> None:
        address = urlsplit(url.replace(" ", "").replace("\\", "/"))
        self.secure = address.scheme == "https"
        self.host = address.hostname or ""
        self.port = address.port or (443 if self.secure else 80)
        # A query of the user's own is not understood: 1C appends "?type=" to whatever stands there.
        self.path = quote(address.path.rstrip("/") or DEFAULT_PATH, safe="/%-._~") + (
            f"?{address.query}" if address.query else ""
        )
        self.options = options
        self.timeout = options.timeout or timeout
        self.log: list[str] = []
        self.cookie = ""
        self.sessid = ""
        self._basic = "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()

    def call(self, kind: str, mode: str, arguments: str = "", body: bytes | None = None) -> str:
        """The answer's text. An empty body is a failure whatever the status."""
        target = f"{self.path}?type={kind}&mode={mode}{arguments}"
        if kind == "sale":
            target += self.version_arguments()
        if mode != "checkauth":
            target += self.sessid
        self.log.append(f"{'GET' if body is None else 'POST'} {target}")
        status, content_type, content = self._exchange(target, mode, body)
        text = self.decode(content, content_type)
        self.log.append(f"  {status}: {text[:120]!r}")
        if status != 200:
            self.log.append(f"Код состояния HTTP {status}")
        if not content:
            raise ExchangeAborted(EMPTY_ANSWER)
        return text

    def _exchange(self, target: str, mode: str, body: bytes | None) -> tuple[int, str, bytes]:
        with_basic = self.options.basic == "every" or (self.options.basic == "checkauth" and mode == "checkauth")
        status, headers, content = self._transfer(target, body, with_basic)
        asked = headers.get("WWW-Authenticate", "").lower().startswith("basic")
        if status == 401 and asked and self.options.basic == "challenge":
            status, headers, content = self._transfer(target, body, True)
        return status, headers.get("Content-Type", ""), content

    def _transfer(
        self, target: str, body: bytes | None, with_basic: bool
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        for attempt in (1, 2):
            try:
                return self._once(target, body, with_basic)
            except http.client.IncompleteRead as error:
                if attempt == 1 and self.retry_partial:
                    self.log.append("Transferred a partial file: повтор")
                    continue
                raise ExchangeAborted(f"Не удалось получить данные с сервера: {error}") from error
            except (OSError, http.client.HTTPException) as error:
                raise ExchangeAborted(f"Ошибка соединения с сервером {self.host}: {error!r}") from error
        raise AssertionError("unreachable")

    def _once(self, target: str, body: bytes | None, with_basic: bool) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = {"User-Agent": "1C+Enterprise/8.3", "Connection": "close"}
        if with_basic:
            headers["Authorization"] = self._basic
        if self.cookie:
            headers["Cookie"] = self.cookie
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        connection: http.client.HTTPConnection
        if self.secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request("GET" if body is None else "POST", target, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def version_arguments(self) -> str:
        """Arguments added to every request about orders (УНФ with subordinate documents)."""
        return ""

    def decode(self, content: bytes, content_type: str) -> str:
        found = re.search(r"charset=[\"']?([\w-]+)", content_type, re.IGNORECASE)
        charset = found.group(1) if found else ""
        text = _decode(content, charset or "utf-8", "replace") or ""
        if self.decode_again and "�" in text:
            for one in (charset, "windows-1251", "utf-8"):
                again = _decode(content, one, "strict") if one else None
                if again is not None:
                    return again
        return text


class Session(Wire):
    """The modes of the exchange, in the order of one complete cycle."""

    first_success_flips = False  # one imported file hides the failure of a later one

    def cycle(self, kind: str, files: Mapping[str, bytes]) -> None:
        """checkauth, init, every file, then every import. Public: a test may send files of its own making."""
        self.checkauth(kind)
        zipped, limit = self.init(kind)
        if zipped:
            self.upload(kind, f"v8_{uuid.uuid4().hex[:4].upper()}_{len(files):02d}.zip", _archive(files), limit)
        else:
            for name, body in files.items():
                self.upload(kind, name, body, limit)
        if self.options.no_import_wait:
            return
        done = False
        for name in files:
            if not name.endswith(".xml"):
                continue
            try:
                self.import_file(kind, name)
                done = True
            except ExchangeAborted as error:
                if not (done and self.first_success_flips):
                    raise
                self.log.append(f"{name}: {error.reason}")

    def checkauth(self, kind: str) -> None:
        self.cookie = self.sessid = ""
        text = self.call(kind, "checkauth")
        if first_line(text) != "success":
            raise ExchangeAborted(f"Не удалось выполнить авторизацию на сервере: {rest(text)}")
        lines = [line.strip() for line in text.split("\n")]
        if len(lines) < 3 or not lines[1] or not lines[2]:
            raise ExchangeAborted("Не удалось выполнить авторизацию на сервере: не получены параметры cookie")
        self.cookie = f"{lines[1]}={lines[2]}"
        self.take_sessid(lines[3] if len(lines) > 3 else "")

    def take_sessid(self, line: str) -> None:
        if self.options.use_sessid and line.startswith("sessid="):
            self.sessid = f"&{line}"

    def init(self, kind: str) -> tuple[bool, int]:
        """Whether to zip, and how many bytes one POST may have (0: any number)."""
        text = self.call(kind, "init")
        lines = [line.strip() for line in text.split("\n")]
        self.check_init(len(lines))
        _, named, zipped = lines[0].partition("=")
        limit = lines[1].partition("=")[2].strip() if len(lines) > 1 else "0"
        if not named or not re.fullmatch(r"[0-9]+", limit):
            raise ExchangeAborted(NO_PARAMETERS)
        return zipped.strip().lower() == "yes", int(limit)

    def upload(self, kind: str, name: str, body: bytes, limit: int) -> None:
        """POST a file, cut by `limit`, every piece under the same name."""
        size = limit or max(len(body), 1)
        for start in range(0, max(len(body), 1), size):
            text = self.call(kind, "file", f"&filename={quote(name, safe='/._-')}", body[start : start + size])
            if first_line(text) != "success":
                raise ExchangeAborted(f"Не удалось выгрузить файл {name} на сервер: {rest(text)}")
            more = text.split("\n")[1:]
            if any(line.strip() for line in more):
                self.log.append(f"Расширенный статус: {' '.join(more).strip()}")

    def import_file(self, kind: str, name: str) -> None:
        for _ in range(self.options.max_progress):
            self.before_import()
            text = self.call(kind, "import", f"&filename={quote(name, safe='/._-')}")
            status = first_line(text)
            if status == "success":
                return
            if status == "failure":
                raise ExchangeAborted(f"Сервер не принял файл {name}: {rest(text)}")
            if status != "progress":
                raise ExchangeAborted(f"{UNKNOWN_STATUS}: {text[:200]}")
        raise AssertionError(f"{name}: more than {self.options.max_progress} times progress")

    # Where the configurations differ ----------------------------------------------------------------------------

    def check_init(self, lines: int) -> None:
        raise NotImplementedError

    def before_query(self) -> None:
        """УНФ with Bitrix asks `init` first."""

    def before_import(self) -> None:
        """УНФ pauses before every import request."""


def _decode(content: bytes, charset: str, errors: str) -> str | None:
    try:
        return content.decode(charset, errors)
    except UnicodeDecodeError:
        return None
    except LookupError:  # a charset that nobody knows
        return content.decode("utf-8", "replace")


def first_line(text: str) -> str:
    """As 1C compares it: trimmed and in lower case. A BOM or a word before it is not trimmed away."""
    return text.split("\n")[0].strip(" \t\r").lower()


def rest(text: str) -> str:
    return " ".join(text.split("\n")[1:]).strip() or text[:200].strip()


def _archive(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return stream.getvalue()
