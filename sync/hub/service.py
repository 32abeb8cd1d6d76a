"""The hub at work by itself: schedules, woken work, people's commands, on either engine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from sync.errors import SverkaError
from sync.flow.plug import Plug
from sync.flow.verify import readable
from sync.hub import approvals, commands, duplicates, runs, verifying, works
from sync.hub.runtime import Hub
from sync.log import Logger
from sync.schedule.port import Engine
from sync.store import new_uid
from sync.store.tables import command

_log = Logger("sverka.service")
DELIVER_EVERY = 15  # seconds between two looks at due writes; woken work does not wait for it
SETTLE_EVERY = 5
TICK_EVERY = 5
LOOK_EVERY = 600  # seconds between two looks for duplicates in a client base that has changed
WAKE_AGAIN = 1.0  # seconds after which a wake is not trusted any more: another process may have the work


def make_engine(hub: Hub, alone: bool = False) -> Engine:
    """The engine that fits the database; not started."""
    owner = f"{hub.owner}:{new_uid()[-8:]}"
    if hub.store.sqlite:
        from sync.schedule.embedded import EmbeddedEngine

        return EmbeddedEngine(hub.store, owner=owner, now=hub.now, alone=alone)
    from sync.schedule.queued import QueuedEngine

    return QueuedEngine(hub.store, owner=owner, now=hub.now)


def nudge(hub: Hub) -> None:
    """From a command beside a service: look at people's commands now, not at the next tick."""
    make_engine(hub).enqueue("tick", {}, key="tick:now")


class Service:
    """Start it once the work lock is held (SQLite); stop leaves nothing half done."""

    def __init__(self, hub: Hub, alone: bool) -> None:
        self.hub = hub
        self.engine = make_engine(hub, alone)
        for name, function in {"poll": works.poll, "recheck": works.recheck, "settle": works.settle_protocol}.items():
            self.engine.handle(name, self._of_connection(function))
        self.engine.handle("verify", self._of_connection(verifying.connection))
        self.engine.handle("move", self._of_connection(self._move))
        self.engine.handle("tick", lambda _: self._tick())
        self._looked = time.monotonic()  # for duplicates; not before the first scans have had their time
        self._woken: dict[str, float] = {}  # connections whose work was asked for and has not begun here
        hub.wake = self.wake

    def start(self) -> None:
        runs.take_over(self.hub)
        if self.hub.store.sqlite:
            self.hub.spool.sweep(timedelta(days=1))
        for plug in self.hub.plugs.values():
            self._schedule(plug)
        self.engine.schedule("tick", {}, key="tick", every=TICK_EVERY)
        self.engine.start()

    def stop(self) -> None:
        self.hub.stopping.set()
        self.engine.stop()

    def wake(self, connection: str) -> None:
        """There is something to take or to write for this connection; "" for people's commands.

        A burst of forms wakes once: what has been asked for and has not begun yet will see them all.
        """
        if connection in self.hub.plugs:
            now = time.monotonic()
            if now - self._woken.get(connection, -1.0) < WAKE_AGAIN:
                return
            self._woken[connection] = now
            self.engine.enqueue("move", {"connection": connection}, key=f"move:{connection}")
        else:
            self.engine.enqueue("tick", {}, key="tick:now")
        self.engine.wake()

    def _schedule(self, plug: Plug) -> None:
        capabilities, args = plug.adapter.capabilities, {"connection": plug.name}
        if capabilities.scans or capabilities.collects:
            self.engine.schedule("poll", args, key=f"poll:{plug.name}", every=plug.config.every)
        if capabilities.reads and plug.role == "shop":
            self.engine.schedule("recheck", args, key=f"recheck:{plug.name}", every=plug.config.recheck)
        if capabilities.serves:
            self.engine.schedule("settle", args, key=f"settle:{plug.name}", every=SETTLE_EVERY)
        night = verifying.next_night(self.hub)
        if night is not None and readable(plug):
            self.engine.schedule("verify", args, key=f"verify:{plug.name}", every=86400, first=night)
        self.engine.schedule("move", args, key=f"move-due:{plug.name}", every=DELIVER_EVERY)

    def _move(self, hub: Hub, plug: Plug) -> None:
        """What was pushed is taken; what is due is written."""
        self._woken.pop(plug.name, None)
        with contextlib.suppress(SverkaError):  # a run that failed in taking must not keep writes back
            works.take_pushed(hub, plug)
        works.deliver(hub, plug)

    def _of_connection(self, function: Callable[[Hub, Plug], Any]) -> Callable[[dict[str, Any]], None]:
        """A handler: a failed run is recorded already and comes again with its schedule."""

        def handler(args: dict[str, Any]) -> None:
            plug = self.hub.plugs.get(args["connection"])
            if plug is None:
                return
            try:
                function(self.hub, plug)
            except SverkaError as error:
                _log.warning("work failed", connection=plug.name, code=error.code, text=error.text.en)

        return handler

    def _tick(self) -> None:
        works.tick(self.hub)
        commands.run_commands(self.hub)
        for name in approvals.approved(self.hub):
            self.wake(name)
        self._sync_commands()
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._looked = time.monotonic()
            duplicates.look(self.hub)

    def _sync_commands(self) -> None:
        """`sverka sync` beside a running service hands its work over."""
        with self.hub.store.read() as tx:
            rows = tx.execute(
                sa.select(command).where(command.c.state == "new", command.c.kind == "sync").order_by(command.c.id)
            ).all()
        for row in rows:
            said = summary(*works.sync_once(self.hub, row.args.get("only")), approvals.waiting(self.hub))
            with self.hub.store.begin() as tx:
                tx.execute(
                    command.update()
                    .where(command.c.id == row.id)
                    .values(state="done", result=said | {"pid": os.getpid()})
                )


def summary(done: list[runs.Run], trouble: dict[str, SverkaError], waiting: list[dict[str, Any]]) -> dict[str, Any]:
    """Runs, errors and plans that wait for approval as JSON, with the sum of the runs' counts. `writes` is what changed
    anywhere: peers and own records."""
    total: dict[str, int] = {}
    for one in done:
        for name, number in one.counts.as_dict().items():
            total[name] = total.get(name, 0) + number
    total["writes"] = total.get("writes", 0) + total.get("new", 0) + total.get("changed", 0)
    return {
        "runs": [
            {"connection": r.connection, "work": r.work, "outcome": r.outcome, **r.counts.as_dict()} for r in done
        ],
        "errors": {
            name: {
                "code": e.code,
                "en": e.text.en,
                "ru": e.text.ru,
                "setting": e.setting,
                "remedy": {"en": e.remedy.en, "ru": e.remedy.ru} if e.remedy else None,
            }
            for name, e in trouble.items()
        },
        "waiting": [w for w in waiting if w["reason"] not in approvals.BY_HAND],
        "total": total,
    }
