"""/exchange/<connection> and the extra paths of protocols that adapters speak as the server.

The protocol's code is synchronous and may wait up to 15 seconds for an import, so it runs in threads of its own; the body
reaches it piece by piece, never whole. Clients of such protocols log the reason only from an answer with status 200.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator

import sqlalchemy as sa
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.base import Reply, Request, ServerProtocol, SverkaError, Text
from sync.flow.exchange import Context
from sync.flow.plug import Plug
from sync.hub import Hub
from sync.store.tables import session
from sync.web import answers
from sync.web.body import Body
from sync.web.intake import one_each

THREADS = 40
_log = logging.getLogger("sverka.web")


class Exchange:
    """The ASGI endpoint of every server protocol. On a path that names no connection, it is found by the Basic login."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._threads = CapacityLimiter(THREADS)
        self._servers: dict[str, tuple[Plug, ServerProtocol]] = {}
        for name, plug in hub.plugs.items():
            if plug.adapter.capabilities.serves and (server := plug.adapter.server()) is not None:
                self._servers[name] = plug, server

    def paths(self, taken: tuple[str, ...]) -> list[str]:
        """The protocols' extra paths; one that would cover an address of the hub's own is left out."""
        found = {path for _, server in self._servers.values() for path in server.paths}
        good = {p for p in found if p.startswith("/") and p != "/" and not p.startswith(taken) and "{" not in p}
        for path in sorted(found - good):
            _log.error("the path %r of an adapter is not served: it covers one of the hub's own", path[:80])
        return sorted(good)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http, body = HttpRequest(scope), Body(receive)
        request = Request(
            method=http.method,
            path=scope["path"],
            query=dict(http.query_params),
            headers=one_each(http),
            remote=http.client.host if http.client else "",
            body=body.stream(),
        )
        name = http.path_params.get("connection")
        response = await to_thread.run_sync(self._answer, name, request, limiter=self._threads)
        await body.drain()
        await response(scope, receive, send)

    def _answer(self, name: str | None, request: Request) -> Response:
        try:
            chosen = self._servers.get(name) if name is not None else self._by_login(request)
            if chosen is None or (chosen[1].paths and not chosen[1].login()):
                return self._fail(self._absent(name, chosen is not None))
            plug, server = chosen
            reply: Reply = server.handle(request, Context(self._hub.world, plug, self._hub.spool))
            return answers.of_reply(reply)
        except SverkaError as error:
            _log.warning("exchange: %s", error.code)
            return self._fail(error.text)
        except Exception as error:
            answers.unexpected("exchange", error)
            return answers.failure("internal")

    def _fail(self, text: Text) -> Response:
        return answers.failure(text.say(self._hub.config.hub.language))

    def _absent(self, name: str | None, found: bool) -> Text:
        if found:
            return Text(
                "This connection has no login yet: set `login` and `password` in its configuration.",
                "У этого подключения нет имени для входа: задайте login и password в его настройках.",
            )
        if name in self._hub.broken:
            return Text(
                f"The connection {name} is not ready: its reason stands on the hub's page.",
                f"Подключение {name} не готово: причина указана на странице узла.",
            )
        if name is None:
            return Text(
                "Several connections have this login: address one as /exchange/<name of the connection>.",
                "Это имя входа у нескольких подключений: укажите адрес вида /exchange/<имя подключения>.",
            )
        shown = "".join(c for c in name[:64] if c.isprintable())
        return Text(
            f"There is no exchange {shown!r} here: the address is /exchange/<name of the connection>.",
            f"Обмена {shown!r} здесь нет: адрес имеет вид /exchange/<имя подключения>.",
        )

    def _by_login(self, request: Request) -> tuple[Plug, ServerProtocol] | None:
        """The connection of this login, else of this session; else any, for it refuses a stranger in the protocol's own
        words. None when several have the login."""
        there = {
            n: one for n, one in self._servers.items() if request.path.rstrip("/") in one[1].paths and one[1].login()
        }
        logins = set(_logins(request.headers.get("authorization", "")))
        named = [name for name, one in there.items() if one[1].login() in logins]
        if len(named) > 1:
            return None
        if not named and not logins:
            named = self._by_session(request, list(there))
        if named:
            return there[named[0]]
        if not there:
            raise SverkaError(self._absent(request.path, False), code="web.exchange")
        return next(iter(there.values()))

    def _by_session(self, request: Request, names: list[str]) -> list[str]:
        """Whose session a cookie or a parameter of the request is."""
        cookies = (part.partition("=")[2].strip() for part in request.headers.get("cookie", "").split(";"))
        sids = [sid for sid in (*cookies, *request.query.values()) if 16 <= len(sid) <= 80][:20]
        query = sa.select(session.c.connection).where(session.c.sid.in_(sids), session.c.connection.in_(names))
        with self._hub.store.read() as tx:
            return [r.connection for r in tx.execute(query.distinct())]


def _logins(header: str) -> Iterator[str]:
    """The user of a Basic header; Windows programs may write Russian letters in windows-1251."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        user = base64.b64decode(value.strip(), validate=True).partition(b":")[0]
    except (binascii.Error, ValueError):
        return
    for charset in ("utf-8", "cp1251"):
        try:
            yield user.decode(charset)
        except UnicodeDecodeError:
            continue
