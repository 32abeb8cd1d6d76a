"""The units of work: polling, taking what arrived, delivering, settling protocols, the clock. Each may be repeated."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import sqlalchemy as sa

from sync.errors import Incomplete, SverkaError
from sync.flow import absence, retranslate, told
from sync.flow import deliver as delivery
from sync.flow import pull as polling
from sync.flow.exchange import Context
from sync.flow.gate import gate
from sync.flow.plug import Counts, Plug
from sync.flow.retry import retry_due
from sync.flow.take import pending, take
from sync.flow.trouble import due
from sync.hub import daily, notices, runs
from sync.hub.runs import Run, running
from sync.hub.runtime import Hub
from sync.schedule.lease import LeaseBusy
from sync.store.tables import intent

LEASE_SECONDS = 60
LEASES = ("fetch", "take", "deliver", "verify")  # with the connection's name: all work is done under one of them


@contextlib.contextmanager
def alone(hub: Hub, plug: Plug, work: str) -> Iterator[None]:
    """One work of one kind at a time over all processes, one thread at a time on the adapter. Waits its turn; RetryLater
    when it does not come within the lease's length."""
    until = time.monotonic() + LEASE_SECONDS
    with plug.lock, contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(hub.leases.held(f"{work}:{plug.name}", LEASE_SECONDS))
                break
            except LeaseBusy:
                if time.monotonic() > until or hub.stopping.wait(0.2):
                    raise
        yield


def renew(hub: Hub, plug: Plug) -> list[Run]:
    """Read what is stored with a mapping that was changed; before anything else is done with the connection, so that
    nobody's edits are seen where there are none."""
    done: list[Run] = []
    if not retranslate.wanted(hub.world, plug):
        return done
    with alone(hub, plug, "take"):
        for kind in retranslate.wanted(hub.world, plug):
            with running(hub.world, plug.name, f"mapping {kind}") as run:
                run.counts.merge(retranslate.renew(hub.world, plug, kind, run.id))
            _pass_on(hub, run)
            done.append(run)
    return done


def poll(hub: Hub, plug: Plug) -> list[Run]:
    """Fetch what is new on the other side, and take it."""
    done = renew(hub, plug)
    with alone(hub, plug, "fetch"):
        return done + _poll(hub, plug)


def _poll(hub: Hub, plug: Plug) -> list[Run]:
    """Files first, then every kind that the other side can list. A write whose answer was lost is settled before: what it
    did there is no news."""
    done = deliver(hub, plug) if delivery.lost(hub.world, plug.name) else []
    capabilities = plug.adapter.capabilities
    if capabilities.collects:
        with running(hub.world, plug.name, "collect") as run:
            done.append(run)
            polling.collect(hub.world, plug, hub.spool)
            take_all(hub, plug, run)
        _pass_on(hub, run)
    lacking: Incomplete | None = None
    for kind in scanned(plug):
        try:
            with running(hub.world, plug.name, f"scan {kind}") as run:
                done.append(run)
                run.counts.merge(polling.pull(hub.world, plug, kind, lambda run=run: take_all(hub, plug, run)))  # type: ignore[misc]
                _whether_asked(hub, plug, kind, run)
        except Incomplete as error:  # of this kind: the others are read all the same
            lacking = lacking or error
        _pass_on(hub, run)
    if lacking is not None:
        raise lacking
    return done


def _whether_asked(hub: Hub, plug: Plug, kind: str, run: Run) -> None:
    """As long as too many records are missing there, or are said to be deleted, no run is green."""
    for question in (absence.question(hub.world, plug.name, kind), *told.questions(hub.world, plug)):
        if question is not None:
            run.waits(question)


def scanned(plug: Plug) -> list[str]:
    """The kinds that are polled: those that the adapter can list and the mapping knows."""
    return sorted(plug.adapter.capabilities.scans & plug.mapping.lenses.keys())


def recheck(hub: Hub, plug: Plug) -> list[Run]:
    """Read open and recent deals again by id."""
    done = renew(hub, plug)
    with alone(hub, plug, "fetch"):
        return done + _recheck(hub, plug)


def _recheck(hub: Hub, plug: Plug) -> list[Run]:
    done = []
    for kind in sorted(plug.adapter.capabilities.reads & plug.mapping.lenses.keys()):
        if plug.mapping.lenses[kind].kind == "deal":
            with running(hub.world, plug.name, f"recheck {kind}") as run:
                done.append(run)
                run.counts.merge(
                    polling.recheck(hub.world, plug, kind, lambda run=run: take_all(hub, plug, run))  # type: ignore[misc]
                )
                _whether_asked(hub, plug, kind, run)
            _pass_on(hub, run)
    return done


def _pass_on(hub: Hub, run: Run) -> None:
    """What a run brought about was kept back until its end (see `gate`): now it may be written."""
    if run.counts.new or run.counts.changed:
        mine = (intent.c.run_id == run.id, intent.c.state == "planned")
        with hub.store.read() as tx:
            names = tx.execute(sa.select(intent.c.connection).where(*mine).distinct()).scalars().all()
        for name in names:
            hub.wake(name)


def take_all(hub: Hub, plug: Plug, run: Run) -> None:
    """Take everything that waits in the connection's inbox; somebody else at it is as good."""
    with plug.lock, contextlib.suppress(LeaseBusy), hub.leases.held(f"take:{plug.name}", LEASE_SECONDS):
        while ids := pending(hub.world, plug.name):
            for id in ids:
                run.counts.merge(take(hub.world, plug, hub.spool, id, run.id))


def take_pushed(hub: Hub, plug: Plug) -> list[Run]:
    """Take what was pushed since, and try again what may have healed; no run is recorded where nothing waits."""
    done = renew(hub, plug) + _retry_due(hub, plug)
    told.questions(hub.world, plug)  # what a person has approved arrives now
    if pending(hub.world, plug.name, 1):
        with running(hub.world, plug.name, "take") as run:
            take_all(hub, plug, run)
            for question in told.questions(hub.world, plug):
                run.waits(question)
        _pass_on(hub, run)
        done.append(run)
    return done


def _retry_due(hub: Hub, plug: Plug) -> list[Run]:
    with hub.store.read() as tx:
        if not due(tx, plug.name, hub.now(), 1):
            return []
    with plug.lock, contextlib.suppress(LeaseBusy), hub.leases.held(f"take:{plug.name}", LEASE_SECONDS):
        with running(hub.world, plug.name, "retry") as run:
            run.counts.merge(retry_due(hub.world, plug, run.id))
        _pass_on(hub, run)
        return [run]
    return []


def deliver(hub: Hub, plug: Plug) -> list[Run]:
    """Carry out planned writes, one worker at a time: a call that another one is making must not look like a lost one.
    No run is recorded where nothing is due. One that has to ask first ends as "waiting", and says for what."""
    delivery.replan_waiting(hub.world, plug.name)
    found = gate(hub.world, plug.name)
    if not found.fresh and not delivery.anything_due(hub.world, plug.name, found.free):
        return []
    with plug.lock, contextlib.suppress(LeaseBusy), hub.leases.held(f"deliver:{plug.name}", LEASE_SECONDS):
        with running(hub.world, plug.name, "deliver") as run:
            run.counts.merge(delivery.deliver(hub.world, plug, run.id))
            found = gate(hub.world, plug.name)
            if found.waiting:
                run.waits(found.question(plug.name))
        return [run]
    return []


def settle_protocol(hub: Hub, plug: Plug) -> None:
    """Finish what the other side never asked for (an import request that never comes)."""
    server = plug.adapter.server()
    if server is not None:
        server.settle(Context(hub.world, plug, hub.spool))


def tick(hub: Hub) -> Counts:
    """What the clock brings: overdue tasks become notices, and runs of a process that died are closed."""
    runs.close_abandoned(hub.world, LEASES, LEASE_SECONDS)
    notices.waiting_plans(hub.world)
    counts = notices.overdue(hub.world)
    counts.writes += daily.morning(hub)
    return counts


def every_connection(hub: Hub) -> Iterator[Plug]:
    """Connections in the order in which facts travel: goods and documents first, then shops, mail, forms, CRMs."""
    order = {"accounting": 0, "shop": 1, "form": 2, "mail": 3, "crm": 4}
    yield from sorted(hub.plugs.values(), key=lambda p: (order.get(p.role, 9), p.name))


def sync_once(hub: Hub, only: str | None = None) -> tuple[list[Run], dict[str, SverkaError]]:
    """Everything that is due, once, until nothing is left to do; one connection's trouble does not stop the others."""
    done: list[Run] = []
    trouble: dict[str, SverkaError] = dict(hub.broken)
    plugs = [p for p in every_connection(hub) if only in (None, p.name)]
    for plug in plugs:
        with _guarded(plug, trouble):
            settle_protocol(hub, plug)
            done += poll(hub, plug)
    tick(hub)
    for _ in range(5):  # a write here may cause one there; a chain longer than the house is not expected
        moved = []
        for plug in plugs:
            with _guarded(plug, trouble):
                moved += take_pushed(hub, plug)
                moved += deliver(hub, plug)
        if not moved:
            break
        done += moved
    notices.waiting_plans(hub.world)
    return done, trouble


@contextlib.contextmanager
def _guarded(plug: Plug, trouble: dict[str, SverkaError]) -> Iterator[None]:
    try:
        yield
    except SverkaError as error:
        trouble[plug.name] = error
