"""A whole hub for tests: memory systems, a temporary database, a clock to turn, and a process that can be killed anywhere.

`Kit` opens hubs over one database, one after the other or at once; the worlds of its memory connections live on while hubs
come and go. The fixture `kit` makes one with `open_kit`: one SQLite file and one PostgreSQL database serve the whole
session, emptied for each test (statements are compiled once, not once per test). `Death` stops the hub at the n-th instant
of `sync.store.points`: from there on nothing is committed and nothing is called, as after kill -9.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from adapters.base import Arrival, Record
from adapters.faults import Killed
from adapters.memory import WORLDS, MemoryWorld, world
from sync import config as configuration
from sync.flow.one import take_one
from sync.flow.plug import Cause, Plug
from sync.hub import commands, runtime, works
from sync.hub.runs import Run
from sync.hub.runtime import Hub
from sync.intake.inbox import Incoming, Stored
from sync.store import Store, points
from sync.store.tables import metadata
from sync.store.types import dumps

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
_kits = itertools.count(1)
PHONE = "+79161234567"
CLIENT = {"name": "Анна Тестова", "phone": PHONE, "email": "anna@mail.ru"}


class Clock:
    """A clock that moves a millisecond at every look, so that no two instants are the same."""

    def __init__(self) -> None:
        self._at = START
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._at += timedelta(milliseconds=1)
            return self._at

    def pass_(self, **time: float) -> None:
        with self._lock:
            self._at += timedelta(**time)


BOTH = ["sqlite", "postgresql"]
_STORES: dict[str, Store] = {}


def shared_store(request: pytest.FixtureRequest) -> Store:
    """The session's database of the kind `request.param`, emptied."""
    store = _STORES.get(request.param)
    if store is None:
        store = _STORES[request.param] = Store.open(_database(request))
    empty(store)
    return store


def empty(store: Store) -> None:
    with store.begin() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())


def _database(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = template.with_name("shared.db")
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"
    cluster = request.getfixturevalue("postgres_cluster")
    return str(cluster.url(cluster.create(cluster.template())))


@contextmanager
def open_kit(request: pytest.FixtureRequest, folder: Path) -> Iterator[Kit]:
    store = shared_store(request)
    try:
        with Kit(store, folder) as kit:
            yield kit
    finally:
        store.close()


class Kit:
    """Hubs over one database whose memory systems are `kit.world(name)`."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.now = Clock()
        self._prefix = f"kit{next(_kits)}"
        self._hubs: list[Hub] = []
        self._config: dict[str, Any] = {}
        self._names: set[str] = set()

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        points.hook = None
        for hub in self._hubs:
            hub.close()
        for name in self._names:
            WORLDS.pop(f"{self._prefix}:{name}", None)

    def world(self, name: str) -> MemoryWorld:
        self._names.add(name)
        return world(f"{self._prefix}:{name}")

    def open(
        self,
        connections: dict[str, dict[str, Any]] | None = None,
        flows: list[tuple[Any, ...]] | None = None,
        *,
        frozen: bool = False,
        **sections: Any,
    ) -> Hub:
        """A hub. `connections`: name → keys (`adapter` is "memory" unless named). `flows`: (kind, from, to[, create]).
        Without arguments: the same configuration again."""
        if connections is not None:
            self._config = self._sections(connections, flows or [], sections)
        config = configuration.build(json.loads(json.dumps(self._config)), environ={})
        with (
            mock.patch.object(runtime, "assert_own_packages"),  # reads every installed package; tested elsewhere
            mock.patch.object(Store, "open", return_value=self.store),
        ):
            hub = Hub(config, self.now, frozen=frozen)
        self._hubs.append(hub)
        return hub

    def _sections(
        self, connections: dict[str, dict[str, Any]], flows: list[tuple[Any, ...]], sections: dict[str, Any]
    ) -> dict[str, Any]:
        ready = {}
        for name, keys in connections.items():
            ready[name] = {"adapter": "memory", "rate": 600_000, **keys}
            if ready[name]["adapter"] == "memory":
                self.world(name)
                ready[name]["world"] = f"{self._prefix}:{name}"
        hub = {"database": self.store.url, "spool": str(self.folder / "spool"), **sections.pop("hub", {})}
        named = [dict(zip(("kind", "from", "to", "create"), f, strict=False)) for f in flows]
        return {
            "hub": hub,
            "connections": ready,
            "flow": named,
            "limits": {"first_run": "go", "writes": 10_000},
            **sections,
        }

    def close(self, hub: Hub) -> None:
        self._hubs.remove(hub)
        hub.close()

    def writes(self) -> list[tuple[str, str]]:
        """Every write call that reached a memory system so far: (connection, kind)."""
        return [(n, c["kind"]) for n in sorted(self._names) for c in self.world(n).plan.log if c["call"] == "write"]

    def forget_calls(self) -> None:
        for name in self._names:
            self.world(name).plan.log.clear()


def sync(hub: Hub, *, trouble: bool = False) -> list[Run]:
    """What people asked for, then everything that is due."""
    commands.run_commands(hub)
    done, errors = works.sync_once(hub)
    assert trouble or not errors, errors
    for run in done:
        counts = run.counts
        assert counts.read == counts.new + counts.changed + counts.same + counts.skipped + counts.failed
    return done


def total(runs: list[Run], name: str) -> int:
    return sum(int(getattr(run.counts, name)) for run in runs)


def give(hub: Hub, connection: str, kind: str, id: str, data: dict[str, Any], **more: Any) -> str:
    """One native record straight into the hub; its outcome."""
    return take_one(hub.world, hub.plugs[connection], Record(kind, id, {"id": id, **data}, **more), Cause())


def push(hub: Hub, connection: str, body: bytes, *, content_type: str = "application/json", **query: str) -> Stored:
    """What the endpoint does with a post: the adapter's quick look, then on disk before it is answered."""
    plug: Plug = hub.plugs[connection]
    headers = {"content-type": content_type}
    arrival = Arrival("post", query=query, headers=headers, at=hub.now(), size=len(body), open=lambda: BytesIO(body))
    seen = plug.adapter.receive(arrival)
    stored = body if seen.stored is None else seen.stored
    return hub.writer.submit(
        Incoming(
            connection,
            "push",
            arrival.name,
            arrival.at,
            stored,
            key=seen.key,
            label=seen.label,
            text=seen.reason,
            request={"method": "POST", "query": query, "headers": headers},
        )
    ).result(30)


def rows(hub: Hub, table: sa.Table, **where: Any) -> list[Any]:
    query = sa.select(table).where(*(table.c[name] == value for name, value in where.items()))
    with hub.store.read() as tx:
        return list(tx.execute(query.order_by(*table.primary_key.columns)))


def one(hub: Hub, table: sa.Table, **where: Any) -> Any:
    (found,) = rows(hub, table, **where)
    return found


def contents(store: Store, without: tuple[str, ...] = ()) -> dict[str, str]:
    """A hash of every table's rows."""
    found = {}
    with store.read() as tx:
        for table in metadata.sorted_tables:
            if table.name not in without:
                lines = sorted(repr(tuple(row)) for row in tx.execute(sa.select(table)))
                found[table.name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return found


_MADE = frozenset({
    "id", "uid", "at", "run_id", "inbox_id", "record_uid", "client_uid", "deal_uid", "lead_uid", "product_uid", "link_id",
    "shadow_hash", "batch", "first_seen", "last_seen", "created_at", "updated_at", "first_at", "last_at", "since",
    "closed_at", "done_at", "processed_at", "received_at", "person_uid", "thing", "card", "person", "seen_at",
})  # fmt: skip


def plain(hub: Hub, table: sa.Table, *without: str) -> list[str]:
    """The table's rows without what differs from run to run: made ids, times and hashes."""
    return sorted(
        dumps({str(k): v for k, v in row._mapping.items() if k not in _MADE and k not in without})
        for row in rows(hub, table)
    )


class Death:
    """Passes `after` instants, then the process is dead: every further instant raises. `seen` are the instants' names."""

    def __init__(self, after: int | None = None) -> None:
        self.after = after
        self.seen: list[str] = []
        self.died = False
        self._thread = threading.get_ident()

    def __call__(self, point: str) -> None:
        if threading.get_ident() != self._thread:
            return
        if self.died:
            raise Killed(point)
        self.seen.append(point)
        if self.after is not None and len(self.seen) > self.after:
            self.died = True
            raise Killed(point)


@contextmanager
def dying(after: int | None) -> Iterator[Death]:
    """Run a block until its n-th instant; None only counts them."""
    death = Death(after)
    points.hook = death
    try:
        yield death
    except Killed:
        assert death.died
    finally:
        points.hook = None


def every_death(scenario: Callable[[int | None], tuple[Death, Any]], step: int = 1, first: int = 0) -> tuple[int, Any]:
    """Play `scenario` to its end, then once for every `step`-th instant that it passed, dying there; each must end the
    same.

    Gives the number of instants and the common end.
    """
    whole, end = scenario(None)
    for after in range(first, len(whole.seen), step):
        death, other = scenario(after)
        assert death.died, after
        assert other == end, f"killed at {after}: {death.seen[-1]}"
    return len(whole.seen), end
