"""kill -9 at random instants of `sverka sync`, real processes against systems that live on.

Between kills users edit; no field is edited anew on another side before its last word has arrived everywhere, so that the
last word of each field must stand everywhere in the end. Whatever is written is counted by the systems themselves.

A user may edit what the hub has just written there, before it has read what became of its call. Then it cannot know whether
that user had seen the other word, and where the rule is "manual" it asks: a person answers with the last word. More such
questions than calls that were cut off would be wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psycopg

from adapters.memory import MemoryWorld
from tests.spec.machine_world import (
    _CLIENT,
    BOOKS,
    CRM,
    MAPPINGS,
    NATIVE,
    OWNERS,
    ROLES,
    SHOP,
    SIDES,
    VARIANTS,
    name_of,
    view,
)
from tests.torture.remote import NETWORK, Peers, install

ROOT = Path(__file__).resolve().parents[2]
KINDS = {SHOP: ["contact", "deal"], CRM: ["contact", "deal"], BOOKS: ["deal"]}
# who may say what, so that no rule but "the one who moved is heard" decides
SPEAKERS = {
    "title": (CRM,),
    "amount": (BOOKS,),
    "payment_method": (SHOP,),
    "delivery_address": (SHOP, CRM),
    "comment": (SHOP, CRM, BOOKS),
}
CHECK_EVERY = 5  # kills between two looks at whether everything has arrived
FLOWS = (("deal", SHOP, CRM, "always"), ("deal", SHOP, BOOKS, "always"), ("contact", SHOP, CRM, "always"))


@dataclass
class Tally:
    kills: int = 0
    landed: int = 0  # kills that found the process alive
    cut: int = 0  # calls whose answer nobody lived to hear
    fresh: int = 0
    edits: int = 0
    writes: int = 0
    passes: int = 0
    asked: int = 0  # questions about an edit of what the hub had written without hearing the answer
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.landed} found it alive, {self.cut} in a call, {self.fresh} in fresh processes), "
            f"{self.edits} edits, {self.writes} writes, {self.passes} passes to look, {self.asked} questions; "
            f"wrong: {len(self.wrong)}"
        )


class CountingWorld(MemoryWorld):
    """A system that notices what is written twice. Users edit with `put`; the hub writes through `record_write`."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally = tally

    def watch(self) -> None:
        """From here on every call of the adapter's `put` is the hub's."""
        world, inner = self, self.put

        def put(kind: str, data: Any, id: str | None = None, key: str = "") -> str:
            old = dict(world.rows(kind)[id]["data"]) if id in world.rows(kind) else None
            made = inner(kind, data, id, key)
            new = world.rows(kind)[made]["data"]
            world.tally.writes += 1
            if old is not None and old == new:
                world.tally.wrong.append(f"a write was repeated: {kind} {made} {data}")
            names = [name_of(kind, row["data"]) for row in world.rows(kind).values()]
            if old is None and names.count(name_of(kind, new)) > 1:
                world.tally.wrong.append(f"doubled: {name_of(kind, new)}")
            return made

        self.hub_put = put


class Torture:
    """One database, three systems, a configuration file; `run` kills."""

    def __init__(self, folder: Path, database: str, seed: int) -> None:
        self.folder, self.database, self.random = folder, database, random.Random(seed)
        self.tally = Tally()
        self.worlds = {side: CountingWorld(self.tally) for side in SIDES}
        for world in self.worlds.values():
            world.watch()
        self.peers = Peers(folder, KINDS, dict(self.worlds))
        for side, adapter in self.peers._adapters.items():
            adapter.world = _HubSide(self.worlds[side])  # type: ignore[assignment]
        self.site = install(folder)
        self.config = self._configure()
        self.said: dict[tuple[Any, str], Any] = {}
        self.numbers = 0
        self.usual = 0.3  # seconds of a pass

    def close(self) -> None:
        self.peers.close()

    def _configure(self) -> Path:
        mappings = self.folder / "mappings"
        mappings.mkdir()
        for side, text in MAPPINGS.items():
            more = VARIANTS[0] if side == SHOP else ""
            (mappings / f"m_{side}.toml").write_text(f'system = "m_{side}"\nversion = 1\n{text}{more}\n{_CLIENT}')
        lines = ["[hub]", f'database = "{self.database}"', 'spool = "spool"', f'mappings = "{mappings}"']
        lines += ["[limits]", 'first_run = "go"', "writes = 100000", "[owners]"]
        lines += [f'"{key}" = "{value}"' for key, value in OWNERS.items()]
        for side in SIDES:
            lines += [f"[connections.{side}]", 'adapter = "faraway"', f'role = "{ROLES[side]}"', "rate = 600000"]
            lines += [f'mapping = "m_{side}"', f'side = "{side}"', f'socket = "{self.peers.path}"']
            lines += [f"kinds = {KINDS[side]!r}".replace("'", '"')]
        for kind, source, target, create in FLOWS:
            lines += ["[[flow]]", f'kind = "{kind}"', f'from = "{source}"', f'to = "{target}"', f'create = "{create}"']
        path = self.folder / "config.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    # users --------------------------------------------------------------------------------------------------------

    def edit_some(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            if self.numbers < 4 or (self.numbers < 12 and self.random.random() < 0.1):
                self.order()
                continue
            rec = ("deal", f"N{self.random.randint(1, self.numbers)}")
            name = self.random.choice(sorted(SPEAKERS))
            self.edit(rec, name, self.random.choice(SPEAKERS[name]))

    def order(self) -> None:
        self.numbers += 1
        n = self.numbers
        data = {"number": f"N{n}", "title": f"Заказ {n}", "status": "placed", "total": f"{100 + n}.10"}
        data |= {"currency": "RUB", "note": f"прошу {n}", "address": f"дом {n}", "method": f"карта {n}"}
        data |= {"client": f"Покупатель {n}", "phone": f"+7916{n:07}"}
        self.worlds[SHOP].put("deal", data)
        for name, value in view(SHOP, "deal", data).items():
            self.said["deal", f"N{n}"] = self.said.get(("deal", f"N{n}"), {}) | {name: value}
        self.tally.edits += 1

    def edit(self, rec: Any, name: str, side: str) -> None:
        """A user's word, where the last one has arrived everywhere."""
        with self.worlds[side].lock:
            row = self._row(side, rec)
            if row is None or not self.arrived(rec, name):
                return
            self.tally.edits += 1
            value = f"{1000 + self.tally.edits}.50" if name == "amount" else f"{name} {self.tally.edits}"
            self.worlds[side].put("deal", {NATIVE[side][name]: value}, row[0])
        self.said[rec][name] = value

    def _row(self, side: str, rec: Any) -> tuple[str, dict[str, Any]] | None:
        rows = self.worlds[side].rows(rec[0])
        return next(((i, r["data"]) for i, r in list(rows.items()) if name_of(rec[0], r["data"]) == rec), None)

    def arrived(self, rec: Any, name: str) -> bool:
        return all(self._shows(side, rec, name) in (None, self.said[rec][name]) for side in SIDES) and all(
            self._row(side, rec) for side in SIDES
        )

    def _shows(self, side: str, rec: Any, name: str) -> Any:
        row = self._row(side, rec)
        return view(side, "deal", row[1]).get(name) if row else None

    # the hub ------------------------------------------------------------------------------------------------------

    def start(self, *, fresh: bool) -> int:
        """A process at `sverka sync`: forked from this one, which has everything loaded, or a new one."""
        if fresh:
            command, environment = self._command("sync")
            with (self.folder / "out").open("ab") as out:
                pid = os.posix_spawn(
                    command[0],
                    command,
                    environment,
                    file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, out.fileno(), 2)],
                )
            return pid
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the peers' thread: the child uses nothing of it
            pid = os.fork()
        if pid == 0:
            self._be_the_hub()
        return pid

    def _command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of a new process."""
        path = os.pathsep.join([str(self.site), str(ROOT)])
        program = str(Path(sys.executable).with_name("sverka"))
        return [program, "-c", str(self.config), *words], {**os.environ, "PYTHONPATH": path}

    def _be_the_hub(self) -> NoReturn:
        code = 70
        try:
            with (self.folder / "out").open("ab") as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            sys.path.insert(0, str(self.site))
            sys.argv = ["sverka", "-c", str(self.config), "sync"]
            from sync.cli import main
            from sync.hub import plugins

            plugins.available.cache_clear()  # the parent may have asked before the plug-in was there
            main()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        finally:
            os._exit(code)

    def finish(self, *, fresh: bool = False) -> None:
        """A whole pass."""
        began = time.monotonic()
        _, status = os.waitpid(self.start(fresh=fresh), 0)
        self.usual = 0.7 * self.usual + 0.3 * (time.monotonic() - began)
        if status:
            told = (self.folder / "out").read_text(errors="replace")[-1500:]
            self.tally.wrong.append(f"a pass ended with {status}: {told}")

    def kill_one(self, *, fresh: bool) -> None:
        """At a random instant of its whole life, or of a call that it makes: most of its life it only starts and looks."""
        how, number = self.random.random(), self.random.randint(1, 9)
        if how >= 0.6:
            self.kill_in_call(number, self.random.choice(["before", "after"]), fresh=fresh)
            return
        heard = self.peers.calls
        pid = self.start(fresh=fresh)
        if how < 0.3:
            time.sleep(self.random.uniform(0, (4 if fresh else 1) * self.usual))
        else:
            self.peers.wait_for(heard + number, 3 * self.usual)
            time.sleep(self.random.uniform(0, 2 * NETWORK))
        self._kill(pid, fresh=fresh)

    def kill_in_call(self, number: int, when: str, *, fresh: bool = False) -> None:
        """While it makes this call, before or after that is carried out."""
        heard = self.peers.calls
        pid = self.start(fresh=fresh)
        self.peers.wait_until_held(heard + number, when, 3 * self.usual)
        self._kill(pid, fresh=fresh)

    def _kill(self, pid: int, *, fresh: bool) -> None:
        self.tally.kills += 1
        self.tally.fresh += fresh
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self.peers.go_on()
        self.tally.landed += os.WIFSIGNALED(status)
        if self.database.startswith("postgresql"):
            self._a_minute_passes()

    def _a_minute_passes(self) -> None:
        """Where other workers may live, the leases of the dead run out by the clock: here at once."""
        with (
            psycopg.connect(self.database, autocommit=True) as server,
            contextlib.suppress(psycopg.errors.UndefinedTable),
        ):
            server.execute("UPDATE lease SET expires_at = now() - interval '1 second'")

    # the proof ----------------------------------------------------------------------------------------------------

    def run(self, kills: int, fresh: int) -> Tally:
        """So many kills, `fresh` of them of new processes, spread over the run."""
        every = max(kills // fresh, 1) if fresh else kills + 1
        for number in range(1, kills + 1):
            self.edit_some()
            self.kill_one(fresh=number % every == 0 and self.tally.fresh < fresh)
            if number % CHECK_EVERY == 0 or number == kills:
                self.look(whole=number == kills)
        self.tally.cut = self.peers.cut
        return self.tally

    def look(self, *, whole: bool) -> None:
        """Two passes, and every last word stands everywhere; with `whole`, a third one writes nothing."""
        self._two_passes()
        if self._astray() and self._answer():
            self._two_passes()
        self.tally.wrong += self._astray()
        if self.tally.asked > self.peers.cut:
            self.tally.wrong.append("more questions than calls without an answer")
        if whole:
            before = self.tally.writes
            self.finish(fresh=True)
            if self.tally.writes != before:
                self.tally.wrong.append("a third pass wrote something")

    def _two_passes(self) -> None:
        for _ in range(2):
            self.finish()
        self.tally.passes += 2

    def _astray(self) -> list[str]:
        """What does not stand everywhere as it was last said."""
        wrong = []
        for rec, fields in self.said.items():
            for side in SIDES:
                found = [i for i, r in self.worlds[side].rows(rec[0]).items() if name_of(rec[0], r["data"]) == rec]
                if len(found) != 1:
                    wrong.append(f"{side} holds {rec} {len(found)} times")
                for name, value in fields.items():
                    shown = self._shows(side, rec, name)
                    if name in NATIVE[side] and found and shown != value:
                        wrong.append(f"lost: {rec}.{name} is {shown!r} in {side}, the last word was {value!r}")
        return wrong

    def _answer(self) -> int:
        """Answer the open questions that know the last word, with it; gives their number. Only a field about which a person is
        to be asked may have one."""
        command, environment = self._command("conflicts", "--json")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        answered = 0
        for one in json.loads(done.stdout):
            word = self.said.get((one["kind"], one["number"]), {}).get(one["field"])
            side = next((side for side, value in one["sides"].items() if value == word), None)
            if side is not None and OWNERS.get(f"{one['kind']}.{one['field']}") == "manual":
                command, environment = self._command("conflicts", str(one["id"]), "--take", side)
                subprocess.run(command, env=environment, capture_output=True, check=True)
                answered += 1
        self.tally.asked += answered
        return answered


class _HubSide:
    """A world as the hub's adapter sees it: what it puts is watched."""

    def __init__(self, world: CountingWorld) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, "hub_put" if name == "put" else name)


@contextlib.contextmanager
def tortured(folder: Path, database: str, seed: int) -> Iterator[Torture]:
    torture = Torture(folder, database, seed)
    try:
        yield torture
    finally:
        torture.close()
