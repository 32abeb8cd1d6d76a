"""/in/<connection>: whatever comes is committed to the inbox before it is answered, and answered as its adapter says.

A sender is never turned away for what it sent. The only refusal is 503, when nothing could be stored: every sender repeats
after it. A connection that cannot be made ready (a wrong setting, a missing plug-in) still takes what comes; it is
processed when the connection works again.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.base import Arrival, Reception, Reply, RetryLater, Text
from sync.flow.plug import Plug
from sync.hub import Hub
from sync.intake.inbox import Incoming
from sync.web import answers
from sync.web.body import Body
from sync.web.masking import Secrets

FILES = 32 << 20  # bytes of a multipart body (a form with files): it goes to the spool
SMALL = 16_384  # bytes of a body that is looked at without a thread of its own
THREADS = 16
REST = 0.01  # seconds between two rounds of waking, while forms keep coming
QUIET = ("GET", "HEAD", "OPTIONS")


@dataclass(slots=True)
class Taken:
    """A body as far as it came."""

    body: bytes = b""
    spool: str | None = None
    kept: int = 0
    size: int = 0  # what was sent, where it is more than what is kept
    over: bool = False  # it was longer than what is kept
    cut: bool = False  # the sender broke off


@dataclass(slots=True)
class _Counter:
    """Passes pieces on, at most `limit` bytes."""

    limit: int
    taken: Taken = field(default_factory=Taken)

    def count(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in pieces:
                room = self.limit - self.taken.kept
                self.taken.over = len(piece) > room
                self.taken.kept += min(len(piece), room)
                yield piece[:room]
                if self.taken.over:
                    return
        except RetryLater:
            self.taken.cut = True


class Intake:
    """The ASGI endpoint of every address under /in/."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._threads = CapacityLimiter(THREADS)
        self._uploads = CapacityLimiter(THREADS)  # of their own: a slow upload must not keep a form waiting
        self._writer = hub.writer  # made here, once, before requests come from several threads
        self._secrets = {
            name: Secrets.of(hub.plugs[name].adapter.settings if name in hub.plugs else None, connection.settings)
            for name, connection in hub.config.connections.items()
        }
        self._to_wake: set[str] = set()
        self._waking = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, wake = Body(receive), False
        name = scope["path_params"]["connection"]
        refusal = self._refusal(name)
        if refusal is not None:
            response = answers.words(refusal.say(self._hub.config.hub.language), 404)
        else:
            response, wake = await self._take(name, scope, body)
        await body.drain()
        await response(scope, receive, send)
        if wake:
            await self._wake(name)

    def _refusal(self, name: str) -> Text | None:
        """Why this address takes nothing."""
        shown = "".join(c for c in name[:64] if c.isprintable())
        if name not in self._hub.config.connections:
            return Text(
                f"There is no connection {shown!r} here: check the address, it is /in/<name of the connection>.",
                f"Подключения {shown!r} здесь нет: проверьте адрес, он имеет вид /in/<имя подключения>.",
            )
        plug = self._hub.plugs.get(name)
        if plug is not None and not plug.adapter.capabilities.receives:
            return Text(
                f"The connection {shown!r} takes nothing at this address: its adapter fetches by itself.",
                f"Подключение {shown!r} ничего не принимает по этому адресу: оно само забирает данные.",
            )
        return None

    async def _take(self, name: str, scope: Scope, body: Body) -> tuple[Response, bool]:
        """The answer, and whether there is work for the connection."""
        try:
            headers = headers_of(scope)
            taken = await self._read(headers, body)
            arrival = self._arrival(scope, headers, taken)
            plug = self._hub.plugs.get(name)
            if taken.kept <= SMALL:  # a look at a form takes a tenth of a millisecond, a visit to a thread several
                look, incoming = self._seen(name, plug, arrival, taken)
            else:
                look, incoming = await to_thread.run_sync(self._seen, name, plug, arrival, taken, limiter=self._threads)
            await self._writer.keep(incoming)
        except Exception as error:
            answers.unexpected("intake", error)
            return self._again(), False
        if taken.cut:
            return self._again(), False
        return answers.of_reply(look.reply), not incoming.label

    async def _read(self, headers: dict[str, str], body: Body) -> Taken:
        limit = self._hub.config.hub.max_body
        held, cut = await body.read(limit)
        taken = Taken(held[:limit], None, min(len(held), limit), over=len(held) > limit, cut=cut)
        if taken.over and headers.get("content-type", "").lower().startswith("multipart/form-data"):
            taken = await to_thread.run_sync(self._spool, held, body, limiter=self._uploads)
        stated = headers.get("content-length", "")
        taken.size = taken.kept
        if taken.over:
            taken.size = max(taken.kept + 1, int(stated) if stated.isdecimal() and len(stated) < 15 else 0)
        return taken

    def _spool(self, held: bytes, body: Body) -> Taken:
        """A form with files goes to the disk while it comes."""

        def pieces() -> Iterator[bytes]:
            yield held
            yield from body.stream()

        counter = _Counter(max(FILES, self._hub.config.hub.max_body))
        file, _ = self._hub.spool.save(counter.count(pieces()))
        counter.taken.spool = file
        return counter.taken

    def _arrival(self, scope: Scope, headers: dict[str, str], taken: Taken) -> Arrival:
        """What the adapter looks at: everything, secrets included, for it has to check them."""

        def opened() -> IO[bytes]:
            return self._hub.spool.open_file(taken.spool) if taken.spool else io.BytesIO(taken.body)

        return Arrival(
            name=_clean(scope["path_params"].get("tail", "")),
            method=scope["method"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers=headers,
            remote=scope["client"][0] if scope.get("client") else "",
            at=self._hub.now(),
            size=taken.size,
            open=opened,
        )

    def _seen(self, name: str, plug: Plug | None, arrival: Arrival, taken: Taken) -> tuple[Reception, Incoming]:
        """What the adapter says of it, and the row to store: one visit to a thread."""
        look = self._look(plug, arrival, taken)
        return look, self._incoming(name, arrival, taken, look)

    def _look(self, plug: Plug | None, arrival: Arrival, taken: Taken) -> Reception:
        """The adapter's quick look. Without an adapter, or where it fails, the arrival is kept to be processed later."""
        look = Reception(label="ping" if arrival.method in QUIET and not taken.kept else "")
        if plug is not None:
            try:
                look = plug.adapter.receive(arrival)
            except Exception as error:
                answers.unexpected(f"receive of {plug.name}", error)
        if taken.cut:
            reason = Text(
                f"The sender broke off after {taken.kept} bytes.",
                f"Отправитель оборвал передачу: получено {taken.kept} байт.",
            )
            return Reception(look.reply, label="broken", reason=reason)
        return self._oversized(look, taken) if taken.over else look

    def _oversized(self, look: Reception, taken: Taken) -> Reception:
        reason = Text(
            f"The body is too large: its first {taken.kept} bytes are kept (setting hub.max_body).",
            f"Тело слишком велико: сохранены первые {taken.kept} байт (настройка hub.max_body).",
        )
        said = reason.say(self._hub.config.hub.language).encode()
        return Reception(Reply(said, look.reply.status, headers=look.reply.headers), label="oversized", reason=reason)

    def _incoming(self, name: str, arrival: Arrival, taken: Taken, look: Reception) -> Incoming:
        """The row to store: without secrets, whatever the adapter saw."""
        secrets, hub = self._secrets[name], self._hub
        body, spool = taken.body if look.stored is None else look.stored, taken.spool
        if spool is not None:
            with hub.spool.open_file(spool) as stream:
                raw = stream.read()
            clean = secrets.body(raw) if look.stored is None else look.stored
            if clean != raw:
                hub.spool.path(spool).unlink(missing_ok=True)
                spool, _ = hub.spool.save([clean])
        return Incoming(
            connection=name,
            via="push",
            name=secrets.path(arrival.name),
            at=arrival.at,
            body=None if spool else secrets.body(body),
            spool=spool,
            size=taken.size,
            key=_clean(look.key)[:500],
            label=look.label[:20],
            text=look.reason,
            request={
                "method": arrival.method,
                "query": secrets.query(arrival.query),
                "headers": secrets.headers(arrival.headers),
                "remote": arrival.remote,
            },
        )

    def _again(self) -> Response:
        text = Text("Nothing was stored: please send it again.", "Ничего не сохранено: пожалуйста, отправьте ещё раз.")
        return answers.words(text.say(self._hub.config.hub.language), 503, {"Retry-After": "30"})

    async def _wake(self, name: str) -> None:
        """Tell the engine, in a thread, because it writes that down. What comes meanwhile is told in the next round, by
        whoever is at it. The engine's next look at the inbox would find it too."""
        self._to_wake.add(name)
        if self._waking:
            return
        self._waking = True
        try:
            while self._to_wake:
                names, self._to_wake = self._to_wake, set()
                await to_thread.run_sync(self._woken, names)
                if self._to_wake:
                    await asyncio.sleep(REST)
        finally:
            self._waking = False

    def _woken(self, names: set[str]) -> None:
        for name in names:
            with contextlib.suppress(Exception):
                self._hub.wake(name)


def one_each(request: Request) -> dict[str, str]:
    """Headers by lower-case name; what came several times is joined as HTTP says."""
    return headers_of(request.scope)


def headers_of(scope: Scope) -> dict[str, str]:
    """The same of a bare ASGI scope."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in found else value
    return found


def _clean(text: str) -> str:
    """Without what no database text can hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
