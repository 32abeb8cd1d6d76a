"""Who may see the pages and use the API, and the headers that every answer carries.

With web.password: HTTP Basic, any user name (it is written into the journal). Without one only this PC is answered: the
client's address and the Host header must both be loopback (a web page can make a browser call a local address under its
own name), and nothing may have come through a proxy. A change must come from our own pages or from a program.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync.errors import Fatal, NeedHuman, SverkaError, Text
from sync.hub import Hub
from sync.web import answers
from sync.web.show import problem

OPEN = ("/in/", "/exchange/", "/healthz", "/readyz")
FREE_TRIES = 5  # wrong passwords from one address before it has to wait
FIRST_PAUSE, LONGEST_PAUSE = 30, 900  # seconds
REMEMBERED = 1000  # addresses
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers would send "Origin: null" from our own pages
}
_OF_PAGES = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"}
_FREE = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_PAGE = [*_FREE, *((name.lower().encode(), value.encode()) for name, value in _OF_PAGES.items())]


class Guard:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, hub: Hub, open_paths: Iterable[str] = ()) -> None:
        self._app = app
        self._hub = hub
        self._open = frozenset(open_paths)
        self._password = hub.config.web.password
        self._tries = Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        started = False
        free = scope["path"].startswith(OPEN[:2]) or scope["path"] in OPEN or scope["path"] in self._open

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name for name, _ in message["headers"]}
                more = [pair for pair in (_FREE if free else _PAGE) if pair[0] not in present]
                message["headers"] = [*message["headers"], *more]
                if not free and not scope["path"].startswith("/static/"):
                    MutableHeaders(raw=message["headers"])["Cache-Control"] = "no-store"
            await send(message)

        try:
            if not free and (refusal := self._refusal(Request(scope))) is not None:
                status, error, extra = refusal
                response = problem(self._hub, Request(scope), error, status)
                response.headers.update(extra)
                return await response(scope, receive, dressed)
            await self._app(scope, receive, dressed)
        except Exception as error:
            answers.unexpected(f"{scope['method']} /{scope['path'].split('/')[1]}", error)
            if not started:
                await problem(self._hub, Request(scope), _INTERNAL, 500)(scope, receive, dressed)

    def _refusal(self, request: Request) -> tuple[int, SverkaError, dict[str, str]] | None:
        """Why this request is not answered: status, words, further headers."""
        if self._password is None:
            if not at_home(request):
                return 403, _NOT_HERE, {}
        elif (refused := self._unknown(request, self._password)) is not None:
            return refused
        if request.method not in _SAFE and not self._own(request.headers):
            return 403, _FOREIGN, {}
        return None

    def _unknown(self, request: Request, password: SecretStr) -> tuple[int, SverkaError, dict[str, str]] | None:
        remote, now = request.client.host if request.client else "", self._hub.now()
        wait = self._tries.wait(remote, now)
        given = _basic(request.headers.get("authorization", ""))
        if wait:
            return 429, _SLOWLY, {"Retry-After": str(wait)}
        if given is not None and _equal(given[1], password.get_secret_value()):
            self._tries.forget(remote)
            request.scope.setdefault("state", {})["who"] = given[0]
            return None
        if given is not None:
            self._tries.failed(remote, now)
        return 401, _PASSWORD, {"WWW-Authenticate": 'Basic realm="Sverka", charset="UTF-8"'}

    def _own(self, headers: Headers) -> bool:
        """Whether a change comes from a page of ours, or from no page at all. A browser always says one of both."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = headers.get("origin")
        if origin is None:
            return True
        public = urlsplit(self._hub.config.web.public_url).netloc
        return urlsplit(origin).netloc.lower() in {n.lower() for n in (headers.get("host", ""), public) if n}


class Tries:
    """Wrong passwords by address. In memory: a restart forgives."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()

    def wait(self, remote: str, now: datetime) -> int:
        """Seconds that this address has to wait."""
        with self._lock:
            until = self._failures.get(remote, (0, now))[1]
        return max(0, int((until - now).total_seconds() + 0.999))

    def failed(self, remote: str, now: datetime) -> None:
        with self._lock:
            count = self._failures.pop(remote, (0, now))[0] + 1
            pause = min(FIRST_PAUSE << (count - FREE_TRIES), LONGEST_PAUSE) if FREE_TRIES <= count < 20 else 0
            pause = LONGEST_PAUSE if count >= 20 else pause
            self._failures[remote] = count, now + timedelta(seconds=pause)
            while len(self._failures) > REMEMBERED:
                self._failures.pop(next(iter(self._failures)))

    def forget(self, remote: str) -> None:
        with self._lock:
            self._failures.pop(remote, None)


def at_home(request: Request) -> bool:
    """Whether this is a browser or program on this PC that speaks to the hub itself, by a loopback name."""
    if request.client is None or not _loopback(request.client.host):
        return False
    if any(name in request.headers for name in _PROXIED) or request.scope.get("http_version") == "1.0":
        return False  # nginx speaks HTTP/1.0 to what is behind it and may add nothing else
    host = request.headers.get("host", "").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name in ("localhost", "localhost.") or _loopback(name)


def _loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _basic(header: str) -> tuple[str, str] | None:
    """(user, password); None without a header, ("", "") for one that cannot be read."""
    if not header:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return "".join(c for c in user if c.isprintable())[:60].strip(), password


def _equal(given: str, wanted: str) -> bool:
    """In constant time, whatever the lengths. An empty password lets nobody in."""
    one, other = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, wanted))
    return hmac.compare_digest(one, other) and bool(wanted)


_NOT_HERE = NeedHuman(
    Text(
        "Pages and API answer only on the PC where the hub runs, because no password is set.",
        "Страницы и API отвечают только на том компьютере, где работает узел: пароль не задан.",
    ),
    code="web.local",
    setting="web.password",
    remedy=Text(
        "Set web.password in the configuration and restart the hub; here, open it as http://127.0.0.1.",
        "Задайте web.password в настройках и перезапустите узел; на самом компьютере откройте http://127.0.0.1.",
    ),
)
_PASSWORD = NeedHuman(
    Text("The password is wanted (any user name).", "Нужен пароль (имя пользователя любое)."),
    code="web.password",
    setting="web.password",
    remedy=Text("It stands in the configuration, web.password.", "Он указан в настройках узла, ключ web.password."),
)
_SLOWLY = NeedHuman(
    Text("Too many wrong passwords from this address.", "Слишком много неверных паролей с этого адреса."),
    code="web.slowly",
    remedy=Text("Wait and try again.", "Подождите и попробуйте снова."),
)
_FOREIGN = NeedHuman(
    Text(
        "This change was asked for by a page of another site; nothing was done.",
        "Изменение запрошено со страницы другого сайта; ничего не сделано.",
    ),
    code="web.origin",
    setting="web.public_url",
    remedy=Text(
        "Do it on the hub's own page. Behind a proxy, set web.public_url to the address that people open.",
        "Сделайте это на странице узла. Если узел за прокси, задайте web.public_url — адрес, который открывают люди.",
    ),
)
_INTERNAL = Fatal(
    Text(
        "Something unexpected happened; it is in the hub's log.", "Произошла непредвиденная ошибка, она в журнале узла."
    ),
    code="web.internal",
)
