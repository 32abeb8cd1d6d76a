"""An in-memory hub for the tests of 1C's exchange: spool, sessions, tickets, offered orders, and a clock to turn."""

from __future__ import annotations

import base64
import copy
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from adapters.base import (
    AdapterContext,
    Arrival,
    Batch,
    ImportState,
    Native,
    Offered,
    Reply,
    Request,
    SverkaError,
)
from adapters.onec import OneCSiteExchange

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "onec"
LOGIN, PASSWORD = "обмен", "тест-слово"
START = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)


class Free:
    def wait(self) -> None:
        """No limit in tests."""

    def penalty(self, seconds: float) -> None:
        raise AssertionError("nobody asks for a pause")


class KeptPictures:
    """What `Pictures` promises, by name."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def has(self, name: str) -> bool:
        return name in self.kept

    def keep(self, name: str, chunks: Iterable[bytes]) -> bool:
        if body := b"".join(chunks):
            self.kept[name] = body
        return bool(body)


@dataclass
class MemoryHub:
    """What `ServerContext` promises. `states` answers progress by ticket; else every import is done."""

    connection: str = "onec"
    clock: datetime = START
    sessions: dict[str, Native] = field(default_factory=dict)
    spool: dict[tuple[str, str], bytes] = field(default_factory=dict)
    tickets: dict[str, tuple[str, str]] = field(default_factory=dict)
    states: dict[str, list[ImportState]] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    queue: list[Offered] = field(default_factory=list)
    open_batch: Batch | None = None
    confirmed: list[str] = field(default_factory=list)
    refused: dict[str, SverkaError] = field(default_factory=dict)
    batches: int = 0
    pictures: KeptPictures = field(default_factory=KeptPictures)

    def now(self) -> datetime:
        return self.clock

    def later(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def load_session(self, sid: str) -> Native | None:
        return copy.deepcopy(self.sessions.get(sid))

    def save_session(self, sid: str, data: Native) -> None:
        self.sessions[sid] = copy.deepcopy(data)

    def append(self, area: str, name: str, chunks: Iterable[bytes], *, truncate: bool = False) -> int:
        old = b"" if truncate else self.spool.get((area, name), b"")
        self.spool[area, name] = old + b"".join(chunks)
        return len(self.spool[area, name])

    def names(self, area: str) -> list[str]:
        return [name for a, name in self.spool if a == area]

    def open(self, area: str, name: str) -> IO[bytes]:
        return io.BytesIO(self.spool[area, name])

    def receive(self, area: str, name: str) -> str:
        ticket = f"{area}/{name}"
        self.tickets.setdefault(ticket, (area, name))
        return ticket

    def progress(self, ticket: str, wait: float) -> ImportState:
        assert ticket in self.tickets
        self.waits.append(wait)
        waiting = self.states.get(self.tickets[ticket][1])
        return waiting.pop(0) if waiting else ImportState("done")

    def offer(self, kind: str, limit: int) -> Batch:
        assert kind == "order"
        if self.open_batch is None and self.queue:
            self.batches += 1
            self.open_batch = Batch(f"batch-{self.batches}", self.queue[:limit])
            self.queue = self.queue[limit:]
        return self.open_batch or Batch("", [])

    def confirm(self, batch_id: str) -> None:
        assert self.open_batch is not None
        assert self.open_batch.id == batch_id
        self.confirmed.append(batch_id)
        self.open_batch = None

    def refuse(self, batch_id: str, key: str, error: SverkaError) -> None:
        assert self.open_batch is not None
        assert self.open_batch.id == batch_id
        self.refused[key] = error
        self.open_batch = Batch(batch_id, [item for item in self.open_batch.items if item.key != key])

    def words(self, kind: str, field: str) -> list[tuple[str, str]]:
        assert (kind, field) == ("order", "status")
        return [("new", "Новый"), ("won", "Завершён")]

    def received(self) -> list[str]:
        """Names of the arrivals in the order in which they were handed over."""
        return [name for _, name in self.tickets.values()]

    def arrivals(self) -> list[Arrival]:
        return [arrival(name, self.spool[area, name]) for area, name in self.tickets.values()]


def arrival(name: str, body: bytes) -> Arrival:
    return Arrival(name, size=len(body), open=lambda: io.BytesIO(body))


def adapter_context(hub: MemoryHub | None = None, language: str = "ru") -> AdapterContext:
    now = hub.now if hub else lambda: START
    pictures = hub.pictures if hub else KeptPictures()
    return AdapterContext("onec", Free(), now, logging.getLogger("tests.onec"), language, pictures=pictures)


def exchange(hub: MemoryHub, **settings: Any) -> OneCSiteExchange:
    values = {"login": LOGIN, "password": PASSWORD, **settings}
    return OneCSiteExchange(OneCSiteExchange.Settings(**values), adapter_context(hub))


def basic(login: str = LOGIN, password: str = PASSWORD, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode(encoding)).decode()


class Client:
    """Single requests to the server protocol, as 1C sends them; keeps the cookie."""

    def __init__(self, hub: MemoryHub, adapter: OneCSiteExchange, *, remote: str = "10.0.0.7") -> None:
        self.hub, self.server, self.remote = hub, adapter.server(), remote
        self.cookie = ""

    def ask(
        self,
        mode: str,
        type: str = "catalog",
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/exchange/onec",
        **query: str,
    ) -> Reply:
        sent = {"cookie": self.cookie, "authorization": basic()} if headers is None else headers
        if body is not None:
            sent = {"content-length": str(len(body)), **sent}
        request = Request(
            "GET" if body is None else "POST",
            path,
            {"type": type, "mode": mode, **query},
            {name: value for name, value in sent.items() if value},
            self.remote,
            [] if body is None else [body[i : i + 1000] for i in range(0, len(body), 1000)],
        )
        return self.server.handle(request, self.hub)

    def text(self, mode: str, type: str = "catalog", **more: Any) -> str:
        reply = self.ask(mode, type, **more)
        assert reply.status == 200
        return reply.body.decode()

    def login(self, type: str = "catalog") -> Client:
        lines = self.text("checkauth", type, headers={"authorization": basic()}).split("\n")
        assert lines[0] == "success"
        self.cookie = f"{lines[1]}={lines[2]}"
        return self

    def begin(self, type: str = "catalog") -> Client:
        self.login(type)
        assert self.text("init", type).startswith("zip=no\nfile_limit=")
        return self

    def upload(self, name: str, body: bytes, limit: int = 10**9, type: str = "catalog") -> None:
        for start in range(0, len(body), limit):
            assert self.text("file", type, filename=name, body=body[start : start + limit]) == "success"

    def run_import(self, name: str, type: str = "catalog") -> str:
        return self.text("import", type, filename=name)
