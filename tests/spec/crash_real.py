"""An error or a lost answer at every call of the real adapters' scenarios (tests/spec/kill_scenarios.py), within this process.

Calls go both ways: the hub asks a shop, a mail server or a folder; 1C and forms ask the hub. Who was not answered asks again.
Deaths at the same places are enumerated by tests/spec/kill.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.base import Adapter, Arrival
from adapters.faults import FaultPlan, FaultyAdapter
from tests.peers.mail import SmtpPeer
from tests.peers.woo import WooPeer
from tests.spec.crash import FAULTS, MOST_TOLD, Striker
from tests.spec.kill import Rig, Scenario, State, difference, quick_start
from tests.spec.kill_child import Database, Killed
from tests.spec.kill_hub import Inside

KINDS = tuple(how for how in FAULTS if not how.startswith("kill"))


class _Plan(FaultPlan):
    """Every call passes the striker."""

    def __init__(self, striker: Striker, name: str) -> None:
        super().__init__()
        self.striker, self.name = striker, name

    def run(self, call: str, kind: str, id: str, execute: Callable[[], Any]) -> Any:
        return self.striker.call(f"{self.name}.{call}", execute, writes=call == "write")


class StruckAdapter(FaultyAdapter):
    def __init__(self, adapter: Adapter, plan: _Plan) -> None:
        super().__init__(adapter, plan)

    def collect(self) -> Iterator[Arrival]:
        yield from self.plan.run("collect", "", "", lambda: list(self.inner.collect()))

    def collected(self, arrival: Arrival) -> None:
        self.plan.run("collected", "", "", lambda: self.inner.collected(arrival))


class Shaken:
    """A hub in this process, one of whose calls goes wrong."""

    def __init__(self, inside: Inside, striker: Striker) -> None:
        self.inside, self.striker, self.killed = inside, striker, False
        for name, plug in list(inside.hub.plugs.items()):
            inside.hub.plugs[name] = replace(plug, adapter=StruckAdapter(plug.adapter, _Plan(striker, name)))

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self.inside, name)
        return self._asked(name, inner) if name in ("submit", "handle") else inner

    def _asked(self, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """A request of the world to the hub; to the world any trouble is a connection that broke."""

        def ask(*args: Any) -> Any:
            try:
                return self.striker.call(f"hub.{name}", lambda: inner(*args), writes=False)
            except Exception as error:
                if not self.striker.fired:
                    raise
                self.killed = True
                raise Killed(name) from error

        return ask


def enumerate_calls(rig: Rig, scenario: Scenario) -> tuple[int, list[str]]:
    """Each call × each fault: (the number of histories, what differed)."""
    rig.configure(scenario.connections, scenario.hub)
    scenario.prepare(rig)
    rig.save()
    whole, end = _history(rig, scenario, None)
    scenario.prove(rig, end)
    found: list[str] = []
    chosen = [(number, how) for number in range(1, len(whole.seen) + 1) for how in KINDS]
    for number, how in chosen:
        striker, other = _history(rig, scenario, (number, how))
        where = f"{how} at {number} of {len(whole.seen)}, {whole.seen[number - 1]}"
        if not striker.fired:
            found.append(f"{where}: was not reached, the count is not steady")
        elif other not in (end, scenario.instead(end)):
            found.append(f"{where}:\n{difference(end, other)}")
        if len(found) >= MOST_TOLD:
            break
    return len(chosen), found


def _history(rig: Rig, scenario: Scenario, order: tuple[int, str] | None) -> tuple[Striker, State]:
    rig.restore()
    striker = Striker()
    striker.order = order
    with contextlib.closing(rig._inside(scenario.later)) as inside:
        try:
            scenario.act(rig, Shaken(inside, striker))  # type: ignore[arg-type]
        except (AssertionError, ValueError, Killed):
            if not striker.fired:
                raise
    with contextlib.closing(rig._inside(scenario.later + rig.database.down)) as inside:
        inside.start()
        inside.work()
        scenario.again(rig, inside)
        inside.finish()
        return striker, {**inside.state(), **rig.world()}


def shake(scenario: Scenario, folder: Path, database: Database) -> tuple[int, list[str]]:
    with WooPeer() as shop, SmtpPeer() as smtp, quick_start():
        return enumerate_calls(Rig(folder, database, shop, smtp), scenario)
