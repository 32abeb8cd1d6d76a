"""Calls to one portal: the webhook's key, limits, batches, strict reading of JSON. Every error of httpx ends here.

The key is a part of the webhook's address. It is put into the path below httpx's own logging, so that logs and errors only
ever see `/rest/<method>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

import httpx

from adapters.base import AdapterContext, Native, OutcomeUnknown, RetryLater, SverkaError, Text
from adapters.bitrix24.failures import error_for
from adapters.bitrix24.settings import Bitrix24Settings
from adapters.network import unanswered, whole

COMMANDS = 50  # of one batch
PAUSE = 5  # seconds of calm after QUERY_LIMIT_EXCEEDED: ten calls leak out of the bucket
LONGEST = 600  # seconds: the operating time is counted over ten minutes
BOM = b"\xef\xbb\xbf"
Command = tuple[str, Native]


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, where its list goes on (None: nowhere), and the portal's own clock when it began to answer."""

    result: Any
    next: int | None
    at: datetime | None


@dataclass(slots=True)
class Batch:
    """The commands of a batch by their keys: what they gave, or why they failed. One of both is there for each that ran."""

    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, SverkaError] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)


class _KeyTransport(httpx.BaseTransport):
    """Puts the user's number and the secret into the path, just before the wire."""

    def __init__(self, inner: httpx.BaseTransport, prefix: str) -> None:
        self._inner, self._prefix = inner, prefix

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        method = request.url.path.rpartition("/")[2]
        url = request.url.copy_with(path=f"{self._prefix}{method}")
        return self._inner.handle_request(
            httpx.Request(
                request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
            )
        )

    def close(self) -> None:
        self._inner.close()


class BitrixClient:
    def __init__(self, settings: Bitrix24Settings, context: AdapterContext) -> None:
        self._settings, self._context = settings, context
        url = httpx.URL(settings.webhook.get_secret_value())
        self.base = url.copy_with(path="/")
        self.proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
        self.at: datetime | None = None  # the portal's clock in the last answer
        self._reset: dict[str, int] = {}  # method → when its operating time begins to be given back (unix time)
        self._prefix = url.path

    @cached_property
    def _http(self) -> httpx.Client:
        """Made with the first call: it reads every certificate authority."""
        settings = self._settings
        return httpx.Client(
            transport=_KeyTransport(httpx.HTTPTransport(verify=settings.verify_tls, proxy=self.proxy), self._prefix),
            timeout=httpx.Timeout(settings.timeout, connect=min(10, settings.timeout)),
            follow_redirects=False,  # following would make a GET of a POST and lose its body
            headers={"User-Agent": "Sverka", "Accept": "application/json", "Content-Type": "application/json"},
        )

    @property
    def host(self) -> str:
        return self.base.host

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()

    def call(self, method: str, params: Native, *, write: bool = False) -> Answer:
        """One method. OutcomeUnknown when a write may have been executed without a readable answer."""
        data = self._post(method, params, write)
        follows = data.get("next")
        return Answer(data["result"], follows if isinstance(follows, int) else None, _started(data))

    def listed(self, method: str, params: Native) -> tuple[list[Native], datetime | None]:
        """The rows of a crm.*.list with the portal's clock; anything but a list of records is an error, never an empty list."""
        answer = self.call(method, params)
        return self.rows(answer.result), answer.at

    def rows(self, result: Any) -> list[Native]:
        if not isinstance(result, list) or not all(isinstance(r, dict) and number(r.get("ID")) for r in result):
            raise self.odd("bitrix.shape", "a list of records was wanted", "ожидался список записей")
        return result

    def batch(self, commands: Mapping[str, Command], *, write: bool = False, halt: bool = False) -> Batch:
        """Any number of commands, 50 in one call. Keys must not be numbers: PHP would number them anew."""
        done = Batch()
        for some in _parts(commands):
            cmd = {key: f"{method}?{query(params)}" for key, (method, params) in some.items()}
            found = self._post("batch", {"halt": 1 if halt else 0, "cmd": cmd}, write)["result"]
            if not isinstance(found, dict) or not {"result", "result_error"} <= found.keys():
                raise self.odd("bitrix.shape", "the answers of a batch were wanted", "ожидались ответы пакета", write)
            done.results |= _map(found["result"])
            done.next |= {k: v for k, v in _map(found.get("result_next")).items() if isinstance(v, int)}
            for key, body in _map(found["result_error"]).items():
                method = some[key][0] if key in some else "batch"
                done.errors[key] = self._refused(400, body, method, write)
            for key in some:
                if key not in done.results and key not in done.errors and not halt:
                    raise self.odd("bitrix.shape", "a batch lacks answers", "в ответе пакета не все команды", write)
        return done

    def skew(self) -> int | None:
        """Seconds by which the portal's clock is ahead of the hub's, None before its first answer."""
        return None if self.at is None else round((self.at - self._context.now()).total_seconds())

    # one call ------------------------------------------------------------------------------------------------------

    def _post(self, method: str, params: Native, write: bool) -> Native:
        response = self._send(method, params, write)
        if response.status_code in (301, 302, 307, 308):
            response = self._moved(response, method, params, write)
        if not response.is_success:
            try:
                body: Any = self._json(response, False)
            except SverkaError:
                body = None  # HTML of something before the portal
            raise self._refused(response.status_code, body, method, write)
        data = self._json(response, write)
        if not isinstance(data, dict) or ("result" not in data and "error" not in data):
            raise self.odd("bitrix.shape", "no result in the answer", "в ответе нет result", write)
        if "error" in data:
            raise self._refused(200, data, method, write)
        self._note(method, data)
        return data

    def _send(self, method: str, params: Native, write: bool) -> httpx.Response:
        self._context.limiter.wait()
        content = json.dumps(params, ensure_ascii=False, default=_plain).encode()
        try:
            return whole(self._http, "POST", self.base.join(f"/rest/{method}"), content=content)
        except httpx.HTTPError as error:
            raise unanswered(
                error, self.host, "bitrix", CERTIFICATE_REMEDY, writing=write
            ) from None  # the chain would carry the request

    def _moved(self, response: httpx.Response, method: str, params: Native, write: bool) -> httpx.Response:
        """A renamed portal answers at its old name with a redirect: the same POST goes to its new one."""
        try:
            target = self.base.join(response.headers.get("Location", ""))
        except httpx.InvalidURL:
            return response
        if not target.host or target.host == self.base.host or (self.base.scheme == "https" != target.scheme):
            return response
        self._context.log.warning("the portal has another name now: %s; mend the webhook's address", target.host)
        self.base = target.copy_with(path="/", query=None, fragment=None)
        return self._send(method, params, write)

    def _note(self, method: str, data: Native) -> None:
        self.at = _started(data) or self.at
        about = data.get("time")
        reset = about.get("operating_reset_at") if isinstance(about, dict) else None
        if isinstance(reset, int):
            self._reset[method] = reset
        inner = data["result"].get("result_time") if isinstance(data["result"], dict) else None
        for one in _map(inner).values():
            if isinstance(one, dict) and isinstance(one.get("operating_reset_at"), int):
                self._reset["batch"] = one["operating_reset_at"]

    def _refused(self, status: int, body: Any, method: str, write: bool) -> SverkaError:
        code = str(body.get("error")).upper() if isinstance(body, dict) else ""
        after: int | None = None
        if code == "QUERY_LIMIT_EXCEEDED" or (status == 429 and code != "OPERATION_TIME_LIMIT"):
            after = PAUSE
            self._context.limiter.penalty(PAUSE)
        elif code == "OPERATION_TIME_LIMIT":
            reset = self._reset.get(method) or self._reset.get("batch") or 0
            now = (self.at or self._context.now()).timestamp()
            after = max(1, min(int(reset - now), LONGEST)) if reset > now else 60
        return error_for(status, body, "write" if write else "read", f"{self.host} {method}", after=after)

    def _json(self, response: httpx.Response, write: bool) -> Any:
        raw = response.content.removeprefix(BOM)
        if not raw.strip():
            raise self.odd("bitrix.empty", "the answer is empty", "пустой ответ", write)
        try:
            data = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
            return _clean(data) if b"\\u0000" in raw or b"\\ud" in raw.lower() else data
        except (ValueError, RecursionError):
            if raw.lstrip().startswith(b"<"):
                text = ("a web page came instead of JSON", "вместо JSON пришла страница")
                raise self.odd("bitrix.html", *text, write) from None
            raise self.odd(
                "bitrix.truncated", "the JSON is broken or cut", "JSON испорчен или оборван", write
            ) from None

    def odd(self, code: str, en: str, ru: str, write: bool = False) -> SverkaError:
        """An answer of which nothing is to be believed."""
        error = OutcomeUnknown if write else RetryLater
        return error(
            Text(f"{self.host}: {en}; nothing was taken from it", f"{self.host}: {ru}; из него ничего не взято"),
            code=code,
        )


CERTIFICATE_REMEDY = Text(
    "Renew the portal's certificate, or check this PC's date. Only for a certificate of your own: verify_tls = false.",
    "Обновите сертификат портала или проверьте дату на этом компьютере. Только для своего сертификата: verify_tls = false.",
)


def number(value: Any) -> int:
    """An id, which comes as text or as a number; 0 for none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19 else 0


def query(params: Native) -> str:
    """Parameters as PHP's http_build_query writes them, for the commands of a batch. Nothing (None) is written empty."""
    pairs = [pair for name, value in params.items() for pair in _flat(name, value)]
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _flat(f"{name}[{place}]", item)
    else:
        yield name, "" if value is None else "Y" if value is True else "N" if value is False else str(value)


def _parts(commands: Mapping[str, Command]) -> Iterator[dict[str, Command]]:
    items = list(commands.items())
    for at in range(0, len(items), COMMANDS):
        yield dict(items[at : at + COMMANDS])


def _map(value: Any) -> Native:
    """A PHP map: an empty one arrives as `[]`."""
    return value if isinstance(value, dict) else {}


def _clean(value: Any) -> Any:
    """Texts without what no store takes: NUL, and half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return {_clean(key): _clean(item) for key, item in value.items()} if isinstance(value, dict) else value


def _started(data: Native) -> datetime | None:
    about = data.get("time")
    text = about.get("date_start") if isinstance(about, dict) else None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is no native value")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")
