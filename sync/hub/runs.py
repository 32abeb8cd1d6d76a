"""Runs: what was done, by whom, with counts that add up and an honest outcome.

ok: something moved. idle: everything was as before. partial: some records went to quarantine. waiting: writes wait for a
person's approval, and the text says which plan. failed: the work stopped, with its reason. interrupted: the process died;
the next one noticed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from sync.delivery.intents import error_json
from sync.errors import SverkaError
from sync.flow.plug import Counts, World
from sync.hub.runtime import Hub
from sync.store.asked import THIS
from sync.store.tables import lease
from sync.store.tables import run as runs

_BEGIN = runs.insert().returning(runs.c.id)
_END = runs.update().where(runs.c.id == THIS)


@dataclass(slots=True)
class Run:
    id: int
    connection: str
    work: str
    counts: Counts = field(default_factory=Counts)
    outcome: str = "running"
    error: SverkaError | None = None

    def waits(self, question: SverkaError) -> None:
        """A person must say yes before the rest of it goes on."""
        self.error, self.outcome = question, "waiting"


@contextlib.contextmanager
def running(world: World, connection: str, work: str) -> Iterator[Run]:
    """Record a run around a piece of work. An error of ours is recorded and raised on."""
    with world.store.begin() as tx:
        values = {"connection": connection, "work": work, "started_at": world.now(), "outcome": "running"}
        one = Run(int(tx.execute(_BEGIN, values).scalar_one()), connection, work)
    try:
        yield one
    except SverkaError as error:
        one.error, one.outcome = error, "failed"
        raise
    except Exception:
        one.outcome = "failed"
        raise
    except KeyboardInterrupt:
        one.outcome = "interrupted"
        raise
    else:
        counts = one.counts
        moved = counts.new + counts.changed + counts.writes
        if one.outcome == "running":
            one.outcome = "partial" if counts.failed else "ok" if moved else "idle"
    finally:
        _end(world, one)


def _end(world: World, one: Run) -> None:
    values = {"ended_at": world.now(), "outcome": one.outcome, "error": error_json(one.error)}
    with world.store.begin() as tx:
        tx.execute(_END, {"this": one.id, **values, **one.counts.as_dict()})


def take_over(hub: Hub) -> None:
    """The holder of the work lock is the only one at work: what dead processes left open is closed at once."""
    if hub.store.sqlite:
        close_interrupted(hub.world)
        hub.leases.end_others()


def close_abandoned(world: World, leases: Sequence[str], seconds: int) -> int:
    """Runs whose process died while others live on: nobody holds one of the connection's `leases` (their kinds), under which
    every work is done, and they began longer ago than these last."""
    now = world.now()
    old = (runs.c.outcome == "running", runs.c.started_at < now - timedelta(seconds=seconds))
    with world.store.read() as tx:
        found = tx.execute(sa.select(runs.c.id, runs.c.connection).where(*old)).all()
        held = {r.name for r in tx.execute(sa.select(lease.c.name).where(lease.c.expires_at > now))} if found else set()
    dead = [r.id for r in found if not any(f"{kind}:{r.connection}" in held for kind in leases)]
    if dead:
        with world.store.begin() as tx:
            ended = {"outcome": "interrupted", "ended_at": now}
            tx.execute(runs.update().where(runs.c.id.in_(dead), runs.c.outcome == "running").values(**ended))
    return len(dead)


def close_interrupted(world: World) -> int:
    """Runs that no process is at any more; only for the one who holds the work lock, before its own work. What the dead
    ones held is free at once: waiting for its expiry would be a run that does nothing and looks as if nothing waited."""
    with world.store.begin() as tx:
        tx.execute(lease.update().where(lease.c.expires_at > world.now()).values(expires_at=world.now()))
        done = tx.execute(
            runs.update().where(runs.c.outcome == "running").values(outcome="interrupted", ended_at=world.now())
        )
    return done.rowcount
