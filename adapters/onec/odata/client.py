"""Calls to one 1C base over OData v3 (8.3.27 documentation, chapter 17.4 "Стандартный интерфейс OData").

One connection at a time: each session takes a client licence. Money comes as Decimal. Never DELETE: it removes for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from adapters.base import (
    AdapterContext,
    BadConfig,
    Native,
    OutcomeUnknown,
    PreconditionFailed,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)
from adapters.network import NOT_SENT
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.settings import ODataSettings

ROOT = "/odata/standard.odata/"
_SAFE = "$()',=/"
BATCH = 20  # keys in one filter: there is no `in`, and addresses have a limit
PUBLISH = Text(
    "In 1C: Administration → Data synchronization → set up the automatic REST service, tick the object, save.",
    "В 1С: Администрирование → Синхронизация данных → Настроить автоматический REST-сервис: отметьте объект и сохраните.",
)
ADDRESS = Text(
    "url is the address of the base's publication. In 1C: Configurator → Administration → Publish on a web server, tick "
    "“Publish the standard OData interface”.",
    "url — адрес публикации базы. В 1С: Конфигуратор → Администрирование → Публикация на веб-сервере, отметьте "
    "«Публиковать стандартный интерфейс OData».",
)
RIGHTS = Text(
    "Give the user of this connection a profile with reading of these objects without restrictions by records.",
    "Дайте пользователю подключения профиль с чтением этих объектов без ограничений на уровне записей.",
)


class ODataClient:
    def __init__(self, settings: ODataSettings, context: AdapterContext) -> None:
        self._settings, self._context = settings, context
        self.host = httpx.URL(settings.url).host

    @cached_property
    def _http(self) -> httpx.Client:
        """Made with the first call: it reads every certificate authority."""
        settings = self._settings
        return httpx.Client(
            auth=(settings.login.encode(), settings.password.get_secret_value().encode()),
            verify=settings.verify_tls,
            timeout=httpx.Timeout(settings.timeout, connect=min(10, settings.timeout)),
            limits=httpx.Limits(max_connections=1),
            headers={"User-Agent": "Sverka", "Accept": "application/json;odata=nometadata"},
        )

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()

    def rows(self, name: str, **query: str) -> list[Native]:
        """The rows of a set or virtual table. `query` without the dollar: filter, orderby, top, select, expand."""
        params = {f"${key}": value for key, value in query.items() if value}
        body = self._json(self._call("GET", name, {"$format": "json", **params}), RetryLater)
        rows = body.get("value") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
            raise self._odd("a list of records was wanted", "ожидался список записей", RetryLater)
        return rows

    def pages(
        self, name: str, where: str = "", key: str = "Ref_Key", after: str = "", **query: str
    ) -> Iterator[list[Native]]:
        """All rows by ascending key, a page at a time: without an order of its own 1C promises none."""
        size = self._settings.page
        while True:
            beyond = f"{key} gt guid'{after}'" if after else ""
            text = " and ".join(f"({part})" for part in (where, beyond) if part)
            rows = self.rows(name, filter=text, orderby=key, top=str(size), **query)
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = str(rows[-1][key])

    def by_keys(self, name: str, keys: list[str], **query: str) -> dict[str, Native]:
        """Rows of a set by their Ref_Key."""
        wanted = sorted({k for k in keys if k and k != EMPTY})
        found: dict[str, Native] = {}
        for at in range(0, len(wanted), BATCH):
            text = " or ".join(f"Ref_Key eq guid'{k}'" for k in wanted[at : at + BATCH])
            found |= {str(r["Ref_Key"]): r for r in self.rows(name, filter=text, **query)}
        return found

    def pages_of(self, name: str, keys: list[str], **query: str) -> Iterator[list[Native]]:
        """Rows of a set by their Ref_Key, a page at a time."""
        for at in range(0, len(keys), self._settings.page):
            yield list(self.by_keys(name, keys[at : at + self._settings.page], **query).values())

    def cheaper_by_key(self, wanted: int, total: int) -> bool:
        """Whether so many of all rows are read in fewer calls by their keys than all of them page by page."""
        return wanted == 0 or wanted / BATCH < max(1.0, total / self._settings.page)

    def published(self) -> set[str]:
        """Names of the entity sets that this base publishes."""
        body = self._json(self._call("GET", "", {"$format": "json"}), RetryLater)
        rows = body.get("value") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise self._odd("a list of entity sets was wanted", "ожидался список наборов", RetryLater)
        return {str(r.get("name")) for r in rows if isinstance(r, dict)}

    def metadata(self) -> bytes:
        """The description of all that is published (EDMX)."""
        return self._call("GET", "$metadata", {}).content

    def patch(self, name: str, key: str, body: Mapping[str, Any], version: str = "") -> None:
        """Change fields of one object. PreconditionFailed when its DataVersion has moved."""
        headers = {"If-Match": version} if version else {}
        self._call("PATCH", f"{name}(guid'{key}')", {"$format": "json"}, body, headers)

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        """A new object. With a Ref_Key of the caller's a repetition is refused instead of making a second one."""
        self._call("POST", name, {"$format": "json"}, body)

    def post(self, name: str, key: str, *, undo: bool = False) -> None:
        """Post a document (Провести), or undo that. A repetition comes to the same."""
        if undo:
            self._call("POST", f"{name}(guid'{key}')/Unpost", {"$format": "json"}, {})
        else:
            query = {"$format": "json", "PostingModeOperational": "false"}
            self._call("POST", f"{name}(guid'{key}')/Post", query, {})

    def feed(self, action: str, plan: str, number: int) -> bytes:
        """SelectChanges (an atom feed of what has changed) or NotifyChangesReceived (its confirmation)."""
        point = f"'{self._settings.url}{ROOT}{plan}'"
        return self._call("POST", action, {"DataExchangePoint": point, "MessageNo": str(number)}).content

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        self._context.limiter.wait()
        url = f"{self._settings.url}{ROOT}{quote(path, safe=_SAFE)}"
        sent = None if body is None else orjson.dumps(body, default=_literal)
        more = {"Content-Type": "application/json; charset=utf-8"} if sent is not None else {}
        try:
            response = self._http.request(method, url, params=params, content=sent, headers={**(headers or {}), **more})
        except httpx.HTTPError as error:
            raise self._broken(error, writing=body is not None) from None
        self._judge(response, path.partition("(")[0])
        return response

    def _broken(self, error: httpx.HTTPError, *, writing: bool) -> SverkaError:
        kind = type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return BadConfig(
                Text(
                    f"{self.host}: its TLS certificate is not valid here",
                    f"{self.host}: сертификат TLS не проходит проверку",
                ),
                code="odata.certificate",
                setting="verify_tls",
            )
        if writing and not isinstance(error, NOT_SENT):
            return OutcomeUnknown(
                Text(f"1C ({self.host}) did not answer a write ({kind}); it is read back",
                     f"1С ({self.host}) не ответила на запись ({kind}); объект будет перечитан"),
                code="odata.unknown",
            )  # fmt: skip
        return RetryLater(
            Text(
                f"1C ({self.host}) cannot be reached or did not answer ({kind})",
                f"1С ({self.host}) недоступна или не ответила ({kind})",
            ),
            code="odata.connect",
            setting="url",
        )

    def _judge(self, response: httpx.Response, name: str) -> None:
        """Nothing for a good answer; else the error that says what the caller does next."""
        status = response.status_code
        if response.is_success and not (response.content and "html" in response.headers.get("Content-Type", "")):
            return
        if response.is_success or (status in (401, 403) and b"odata.error" not in response.content):
            raise self._login(response.is_success)
        code, said = _error(response)
        if status == 412:
            raise PreconditionFailed(
                Text(f"{name} was changed in 1C meanwhile", f"{name}: объект изменён в 1С"), code="odata.moved"
            )
        if code == "20" or status == 403:
            raise BadConfig(
                Text(f"1C does not let this user read {name}: {said}", f"1С не даёт этому пользователю читать {name}: {said}"),
                code="odata.rights", setting="login", remedy=RIGHTS,
            )  # fmt: skip
        if status == 404 and not name:
            raise BadConfig(
                Text(f"there is no OData at {self._settings.url}{ROOT} (HTTP 404)",
                     f"по адресу {self._settings.url}{ROOT} нет OData (HTTP 404)"),
                code="odata.address", setting="url", remedy=ADDRESS,
            )  # fmt: skip
        if code == "8" or (status == 404 and code != "9"):
            raise BadConfig(
                Text(f"1C does not publish {name}", f"1С не публикует {name}"),
                code="odata.published",
                setting="url",
                remedy=PUBLISH,
            )
        if status in (406, 429) or (status >= 500 and code != "-1"):
            self._context.limiter.penalty(30)
            raise RetryLater(
                Text(
                    f"1C has no free session or is busy (HTTP {status})",
                    f"в 1С нет свободного сеанса или она занята (HTTP {status})",
                ),
                code="odata.busy",
            )
        raise RecordRefused(
            Text(f"1C refused {name}: {said or status}", f"1С отказала, {name}: {said or status}"),
            code="odata.refused",
            field=name,
        )

    def _login(self, page: bool) -> SverkaError:
        if page:
            return BadConfig(
                Text(f"{self.host} answers with a web page instead of data: the address or the publication is wrong",
                     f"{self.host} отвечает страницей вместо данных: неверен адрес или публикация"),
                code="odata.page", setting="url",
            )  # fmt: skip
        return BadConfig(
            Text("1C does not accept this login and password", "1С не принимает логин и пароль"),
            code="odata.auth",
            setting="password",
        )

    def _json(self, response: httpx.Response, error: type[SverkaError]) -> Any:
        try:
            return json.loads(response.content.decode("utf-8-sig"), parse_float=Decimal)
        except (ValueError, RecursionError):
            raise self._odd("the answer is no JSON, or cut", "ответ не JSON или оборван", error) from None

    def _odd(self, en: str, ru: str, error: type[SverkaError]) -> SverkaError:
        return error(
            Text(f"1C ({self.host}): {en}; nothing was taken from it", f"1С ({self.host}): {ru}; ничего не взято"),
            code="odata.shape",
        )


def _literal(value: object) -> object:
    """A sum as the number that it is, with every digit: 1C's Edm.Double."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(type(value).__name__)


def _error(response: httpx.Response) -> tuple[str, str]:
    """1C's own error code and words (JSON {"odata.error": {code, message: {value}}}), shortened."""
    try:
        found = json.loads(response.content.decode("utf-8-sig"))["odata.error"]
        return str(found["code"]), str(found["message"]["value"])[:300]
    except (ValueError, KeyError, TypeError):
        return "", ""
