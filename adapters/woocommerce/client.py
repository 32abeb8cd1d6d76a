"""Calls to one shop: signing, limits, strict reading of JSON. Every error of httpx ends here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from adapters.base import AdapterContext, BadConfig, Native, OutcomeUnknown, RetryLater, SverkaError, Text
from adapters.network import unanswered, whole
from adapters.woocommerce.auth import Keys, SigningTransport
from adapters.woocommerce.failures import KEY_REMEDY, error_for
from adapters.woocommerce.settings import WooCommerceSettings

API = "/wp-json/wc/v3/"
OAUTH_WINDOW = 15 * 60  # seconds: WooCommerce refuses OAuth stamps further from its own clock
PAUSE = 30.0  # seconds of calm after a 429 that names none
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Answer:
    """A read answer: its JSON, the X-WP-Total of a list, and the shop's own clock (the Date header)."""

    data: Any
    total: int | None
    shop_time: datetime | None


class WooClient:
    def __init__(self, settings: WooCommerceSettings, context: AdapterContext) -> None:
        self._settings, self._context = settings, context
        self.base = httpx.URL(settings.url)
        self.keys = Keys(settings, context.now)
        self.shop_time: datetime | None = None
        self.proxy = proxy_for(self.base)

    @cached_property
    def _http(self) -> httpx.Client:
        """Made with the first call: it reads every certificate authority."""
        settings = self._settings
        inner = httpx.HTTPTransport(verify=settings.verify_tls, proxy=self.proxy)
        return httpx.Client(
            transport=SigningTransport(inner, self.keys),
            timeout=httpx.Timeout(settings.timeout, connect=min(10, settings.timeout)),
            follow_redirects=False,  # keys go to no other address
            headers={"User-Agent": "Sverka", "Accept": "application/json", "Cache-Control": "no-cache"},
        )

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()

    def get_list(self, path: str, params: dict[str, str]) -> Answer:
        """A list; anything else with status 200 is RetryLater, never an empty list."""
        answer = self._call("GET", path, params)
        if not isinstance(answer.data, list) or not all(_has_id(row) for row in answer.data):
            raise self._odd("woo.shape", "a list of records was wanted", "ожидался список записей")
        return answer

    def get_one(self, path: str) -> Native:
        return self._object(self._call("GET", path, {}).data, RetryLater)

    def put(self, path: str, body: Native) -> Native:
        """OutcomeUnknown when the call may have been executed without a readable answer."""
        return self._object(self._call("PUT", path, {}, body).data, OutcomeUnknown)

    def delete(self, path: str) -> None:
        """To the trash. The answer is not believed: it shows the record as it was before (shops.md, 2.3)."""
        self._call("DELETE", path, {})

    def skew(self) -> int | None:
        """Seconds by which the shop's clock is ahead of the hub's, None before the first answer with a Date."""
        return None if self.shop_time is None else round((self.shop_time - self._context.now()).total_seconds())

    def _object(self, data: Any, error: type[SverkaError]) -> Native:
        if not _has_id(data):
            raise self._odd("woo.shape", "one record was wanted", "ожидалась одна запись", error)
        return dict(data)

    def _call(self, method: str, path: str, params: dict[str, str], body: Native | None = None) -> Answer:
        while True:
            response = self._send(method, path, params, body)
            if response.status_code != 401 or not self.keys.try_next():
                break
        if response.is_success:
            self.keys.proven = True
        data = self._read(response, method)
        total = response.headers.get("X-WP-Total", "")
        return Answer(data, int(total) if total.isascii() and total.isdecimal() else None, self.shop_time)

    def _send(self, method: str, path: str, params: dict[str, str], body: Native | None) -> httpx.Response:
        self._context.limiter.wait()
        url = str(self.base).rstrip("/") + API + path
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {} if body is None else {"Content-Type": "application/json; charset=utf-8"}
        try:
            response = whole(self._http, method, url, params=params, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise unanswered(
                error, self.base.host, "woo", CERTIFICATE_REMEDY, writing=method != "GET"
            ) from None  # the chain would carry the request
        stamp = _http_date(response.headers.get("Date", ""))
        self.shop_time = stamp or self.shop_time
        return response

    def _read(self, response: httpx.Response, method: str) -> Any:
        writing = method != "GET"
        if response.is_success:
            return self._json(response, OutcomeUnknown if writing else RetryLater)
        after = _retry_after(response, self._context.now)
        if after is not None or response.status_code in (420, 429):
            self._context.limiter.penalty(PAUSE if after is None else after)
        try:
            body = self._json(response, RetryLater)
        except RetryLater:
            body = None  # HTML of a host in front of the shop
        if response.status_code == 401 and body and self.keys.way == "oauth1" and abs(self.skew() or 0) > OAUTH_WINDOW:
            raise self._clock()
        target = _host_of(response.headers.get("Location", "")) if response.has_redirect_location else ""
        where = f"{self.base.host} {API}{response.request.url.path.rpartition(API)[2]}"
        raise error_for(response.status_code, body, "write" if writing else "read", where, after=after, target=target)

    def _json(self, response: httpx.Response, error: type[SverkaError]) -> Any:
        """The JSON of an answer. A byte order mark (of a badly saved plug-in file) is tolerated, anything else is not."""
        raw = response.content
        while raw.startswith(BOM):
            raw = raw[len(BOM) :]
        if not raw.strip():
            raise self._odd("woo.empty", "the answer is empty", "пустой ответ", error)
        try:
            return json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            if raw.lstrip().startswith(b"<"):
                raise self._odd(
                    "woo.html", "a web page came instead of JSON", "вместо JSON пришла страница", error
                ) from None
            raise self._odd("woo.truncated", "the JSON is broken or cut", "JSON испорчен или оборван", error) from None

    def _odd(self, code: str, en: str, ru: str, error: type[SverkaError] = RetryLater) -> SverkaError:
        return error(
            Text(
                f"{self.base.host}: {en}; nothing was taken from it", f"{self.base.host}: {ru}; из него ничего не взято"
            ),
            code=code,
            remedy=PAGE_REMEDY,
        )

    def _clock(self) -> SverkaError:
        seconds = self.skew() or 0
        return BadConfig(
            Text(
                f"the clocks of {self.base.host} and of this PC differ by {abs(seconds)} s; OAuth allows {OAUTH_WINDOW}",
                f"часы {self.base.host} и этого компьютера расходятся на {abs(seconds)} с; OAuth допускает {OAUTH_WINDOW}",
            ),
            code="woo.clock",
            setting="url",
            remedy=CLOCK_REMEDY,
        )


CERTIFICATE_REMEDY = Text(
    "Renew the shop's certificate, or check this PC's date. Only for a certificate of your own: verify_tls = false.",
    "Обновите сертификат магазина или проверьте дату на этом компьютере. Только для своего сертификата: verify_tls = false.",
)
PAGE_REMEDY = Text(
    "The hub tries again by itself. If it stays so, look at the shop's PHP log: warnings printed before JSON, a maintenance"
    " page or a host's check page are the usual causes.",
    "Хаб повторит сам. Если не проходит, смотрите журнал PHP магазина: обычно это предупреждения перед JSON, страница"
    " обслуживания или проверка хостинга.",
)
CLOCK_REMEDY = Text(
    "Set the clock of this PC by a time server; if it is right, ask the shop's host to do so.",
    "Включите на этом компьютере сверку часов по интернету; если они верны, обратитесь в хостинг магазина.",
)


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for this address."""
    return None if proxy_bypass(url.host) else getproxies().get(url.scheme)


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), int) and not isinstance(row["id"], bool)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _retry_after(response: httpx.Response, now: Callable[[], datetime]) -> int | None:
    """Retry-After in seconds (it may be a date), at most a day."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text), 86_400)
    moment = _http_date(text)
    if moment is None:
        return None
    start = _http_date(response.headers.get("Date", "")) or now()
    return max(0, min(round((moment - start).total_seconds()), 86_400))


def _host_of(location: str) -> str:
    """Scheme and host of a redirect only: the rest may repeat keys."""
    try:
        url = httpx.URL(location)
    except httpx.InvalidURL:
        return "?"
    return f"{url.scheme}://{url.host}" if url.host else "?"


__all__ = ["CERTIFICATE_REMEDY", "CLOCK_REMEDY", "KEY_REMEDY", "Answer", "WooClient", "proxy_for"]
