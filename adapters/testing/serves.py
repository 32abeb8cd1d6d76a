"""A protocol that the adapter speaks as the server: it has its parts, it answers whatever comes, it lets no stranger in."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import IO

from adapters.base import Batch, ImportState, Native, Reply, Request, ServerProtocol, SverkaError
from adapters.testing.hooks import Hooks, needs
from adapters.testing.tools import NASTIES

AREA = "/exchange/kit"
METHODS = ("GET", "POST", "HEAD", "PUT", "OPTIONS", "BREW")
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"mode": "", "type": ""},
    {"mode": "init", "type": "catalog"},
    {"mode": "file", "type": "catalog", "filename": "../../etc/passwd"},
    {"mode": "import", "type": "catalog", "filename": "\x00"},
    {"mode": "query", "type": "sale", "cmlVersion": "9" * 5000},
    {"mode": "\ud800", "type": "x" * 5000},
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"authorization": "Basic"},
    {"authorization": "Basic " + "/" * 4001},
    {"authorization": "Basic Og=="},  # an empty name and an empty password
    {"authorization": "Bearer é\ud800", "cookie": "=;=;;a", "content-length": "-1"},
    {"cookie": "x" * 5000, "content-length": "99999999999999999999"},
)


class KitHub:
    """What `ServerContext` promises, in memory. Everything received counts as imported."""

    connection = "kit"

    def __init__(self, now: datetime = datetime(2026, 3, 1, 9, tzinfo=UTC)) -> None:
        self._now = now
        self._sessions: dict[str, Native] = {}
        self._spool: dict[tuple[str, str], bytes] = {}
        self.received: list[tuple[str, str]] = []
        self.confirmed: list[str] = []

    def now(self) -> datetime:
        return self._now

    def load_session(self, sid: str) -> Native | None:
        return copy.deepcopy(self._sessions.get(sid))

    def save_session(self, sid: str, data: Native) -> None:
        self._sessions[sid] = copy.deepcopy(data)

    def append(self, area: str, name: str, chunks: Iterable[bytes], *, truncate: bool = False) -> int:
        old = b"" if truncate else self._spool.get((area, name), b"")
        self._spool[area, name] = old + b"".join(chunks)
        return len(self._spool[area, name])

    def names(self, area: str) -> list[str]:
        return [name for held, name in self._spool if held == area]

    def open(self, area: str, name: str) -> IO[bytes]:
        return BytesIO(self._spool[area, name])

    def receive(self, area: str, name: str) -> str:
        if (area, name) not in self.received:
            self.received.append((area, name))
        return f"{area}/{name}"

    def progress(self, ticket: str, wait: float) -> ImportState:
        return ImportState("done")

    def offer(self, kind: str, limit: int) -> Batch:
        return Batch("", [])

    def confirm(self, batch_id: str) -> None:
        self.confirmed.append(batch_id)

    def refuse(self, batch_id: str, key: str, error: SverkaError) -> None:
        """Nothing is ever offered."""

    def words(self, kind: str, field: str) -> list[tuple[str, str]]:
        return [("new", "New")]

    def is_untouched(self) -> bool:
        return not (self._spool or self.received or self.confirmed)


class ServerTests(Hooks):
    @needs("serves")
    def test_server_has_its_parts(self) -> None:
        with self.opened() as adapter:
            server = adapter.server()
            assert server is not None, "`serves` is declared, but server() gives None"
            for name in ("handle", "settle", "login"):
                assert callable(getattr(server, name, None)), f"the protocol has no {name}()"
            assert isinstance(server.login(), str), "login() is not text"
            assert server.login(), "login() is empty: on a shared path the connection could not be recognised"
            assert not isinstance(server.paths, str), "`paths` is one text, not a list of paths"
            for path in server.paths:
                assert path.startswith("/"), f"the path {path!r} does not begin with /"
                taken = path.startswith(("/exchange/", "/in/"))
                assert not taken, f"the path {path} belongs to other connections"

    @needs("serves")
    def test_server_survives_anything_and_lets_nobody_in(self) -> None:
        with self.opened() as adapter:
            server, hub = adapter.server(), KitHub()
            assert server is not None
            for path in (AREA, *server.paths, "/somewhere/else", "/exchange/../.."):
                for method in METHODS:
                    for query in QUERIES:
                        for headers in HEADERS:
                            self.answered(server, hub, Request(method, path, query, headers, "192.0.2.1", [b"x"]))
            for body in NASTIES:
                request = Request(
                    "POST", AREA, QUERIES[3], {"content-length": str(len(body))}, "192.0.2.1", [body, b""]
                )
                self.answered(server, hub, request)
            server.settle(hub)
            assert hub.is_untouched(), "somebody without the password left something behind"

    @needs("serves")
    def test_settle_of_nothing_changes_nothing(self) -> None:
        with self.opened() as adapter:
            server, hub = adapter.server(), KitHub()
            assert server is not None
            for _ in range(2):
                server.settle(hub)
            assert hub.is_untouched(), "settle() makes something of nothing"

    def answered(self, server: ServerProtocol, hub: KitHub, request: Request) -> None:
        about = f"{request.method} {request.path} {dict(request.query)!r:.80}"
        reply = server.handle(request, hub)
        assert isinstance(reply, Reply), f"handle() gives {reply!r} for {about}"
        assert 200 <= reply.status < 600, f"status {reply.status} for {about}"
        shown = reply.body.decode("utf-8", "replace")
        assert not any(secret in shown for secret in self.secrets), f"a secret stands in the answer to {about}"
