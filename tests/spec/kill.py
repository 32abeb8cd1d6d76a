"""kill -9 at every instant of `sync.store.points`, for real: the hub works in a forked child that kills itself.

The other systems (shop, 1C, mail server, folders) live in the parent, outlive the child and act as the world does: who was
answered does not ask again, who was not does. `Rig.enumerate` plays a scenario once undisturbed, then once per instant: from
the same snapshot of database, files and stand-ins, killed there, started again. Both ends must be the same.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sync.hub import runtime
from sync.store import Store
from tests.peers.mail import SmtpPeer
from tests.peers.onec import OneCBase
from tests.peers.onec_base import MOSCOW
from tests.peers.woo import WooPeer
from tests.spec.kill_child import Child, Database, Killed
from tests.spec.kill_hub import START, Inside

LIFE = timedelta(minutes=1)  # between two lives of the hub that nobody interrupts, by its clock: it never goes back
State = dict[str, Any]


Life = Inside | Child


@dataclass
class Scenario:
    """`prepare` brings about what is there before, undisturbed. `act` is what is interrupted. `again` is what the other
    systems do of themselves after the hub came back. `prove` asserts that the undisturbed end is worth comparing."""

    name: str
    connections: Sequence[str]
    act: Callable[[Rig, Life], None]
    prove: Callable[[Rig, State], None]
    prepare: Callable[[Rig], None] = lambda _: None
    again: Callable[[Rig, Life], None] = lambda _rig, _life: None
    later: timedelta = timedelta(0)  # the clock of the interrupted run, after that of the preparation
    hub: dict[str, Any] = field(default_factory=dict)  # more keys of [hub]
    since: str = ""  # the instants before this one are those of another scenario
    # the other end that is right, where nobody can know what happened
    instead: Callable[[State], State] = lambda end: end


@dataclass(frozen=True)
class Share:
    """Every `stride`-th instant, from the `first` on (counted from 0)."""

    first: int = 0
    stride: int = 1


class Rig:
    """The world around one hub. `answered` is what the world was told so far: it will not ask for that again."""

    def __init__(self, folder: Path, database: Database, shop: WooPeer, smtp: SmtpPeer) -> None:
        self.folder, self.database, self.shop, self.smtp = folder, database, shop, smtp
        self.onec = OneCBase("kill", now=lambda: START.astimezone(MOSCOW))
        self.disk, self._kept_disk = folder / "disk", folder / "kept"
        self.answered: list[Any] = []
        self.goods, self.sent = self.disk / "from-1c", self.disk / "sent"
        self.config: dict[str, Any] = {}
        self._elapsed = timedelta(0)
        self._saved: tuple[Any, ...] = ()

    # one world ----------------------------------------------------------------------------------------------------

    def configure(self, connections: Sequence[str], hub: dict[str, Any]) -> None:
        """An empty world whose hub has these connections."""
        for path in (self.goods, self.sent, self.disk / "spool", self.folder / "mappings"):
            path.mkdir(parents=True, exist_ok=True)
        (self.folder / "mappings/letters.toml").write_text('system = "letters"\nversion = 1\n')
        self.smtp.deliver = self._keep_letter
        self.shop.state = {**self.shop.fresh(), "tls_seen": True, "now": "2026-11-22T08:00:00", "tick": 10}
        known = self._connections()
        flows = [("deal", "shop", "onec", "always"), ("product", "onec", "shop", "never")]
        self.config = {
            "hub": {"spool": str(self.disk / "spool"), "mappings": str(self.folder / "mappings"), **hub},
            "limits": {"first_run": "go"},
            "connections": {name: known[name] for name in connections},
            "flow": [
                dict(zip(("kind", "from", "to", "create"), f, strict=True))
                for f in flows
                if {*f[1:3]} <= {*connections}
            ],
        }
        if "mail" in connections:
            self.config["notices"] = {"via": "mail", "to": ["boss@firma.test"]}

    def _connections(self) -> dict[str, dict[str, Any]]:
        shop = {"url": self.shop.url, "key": self.shop.key, "secret": self.shop.secret, "auth": "basic"}
        mail = {"login": "sales@firma.test", "password": "secret", "imap_host": "127.0.0.1"}
        mail |= {"smtp_host": "127.0.0.1", "smtp_port": str(self.smtp.port), "smtp_tls": "none", "smtp_login": "-"}
        return {
            "tilda": {"adapter": "tilda"},
            # the smallest overlap: what a page lost is not read once more by chance
            "shop": {"adapter": "woocommerce", **shop, "overlap": 1, "verify_tls": False, "rate": 60_000},
            "onec": {"adapter": "onec_exchange", "login": "1c", "password": "secret", "file_limit": 3000},
            "goods": {"adapter": "onec_folder", "folder": str(self.goods), "settle_seconds": 0},
            "mail": {"adapter": "mail", "mapping": "letters", "rate": 60_000, **mail},
        }

    def _keep_letter(self, raw: bytes) -> None:
        number = len(list(self.sent.iterdir()))
        (self.sent / f"{number}.eml").write_bytes(raw)

    def _inside(self, later: timedelta) -> Inside:
        config = copy.deepcopy(self.config)
        config["hub"]["database"] = self.database.url
        return Inside(config, self._elapsed + later, self.sent)

    @contextlib.contextmanager
    def calm(self, later: timedelta = timedelta(0)) -> Iterator[Inside]:
        """A hub in this process, for what nobody interrupts; closed when the block ends."""
        with contextlib.closing(self._inside(later)) as inside:
            yield inside
        self._elapsed = inside.clock() - START + LIFE

    @contextlib.contextmanager
    def living(self, kill_at: int | None = None, later: timedelta = timedelta(0), mutant: str = "") -> Iterator[Child]:
        """A child that has ended when the block has."""
        child = Child(lambda: self._inside(later), kill_at, mutant)
        try:
            yield child
            child.end()
        except BaseException:
            child.abandon()
            raise

    def save(self) -> None:
        self.database.save()
        shutil.rmtree(self._kept_disk, ignore_errors=True)
        shutil.copytree(self.disk, self._kept_disk)
        with self.shop.lock:
            self._saved = copy.deepcopy((self.shop.state, self.shop.faults, self.onec.state, self.smtp.state))
        self._faults = copy.deepcopy(self.smtp.faults)

    def restore(self) -> None:
        self.database.restore()
        shutil.rmtree(self.disk)
        shutil.copytree(self._kept_disk, self.disk)
        shop, faults, onec, smtp = copy.deepcopy(self._saved)
        with self.shop.lock:
            self.shop.state, self.shop.faults = shop, faults
            self.shop.log.clear()
        self.onec.restore(onec)
        self.smtp.state, self.smtp.faults = smtp, copy.deepcopy(self._faults)
        self.answered = []

    # one history --------------------------------------------------------------------------------------------------

    def enumerate(self, scenario: Scenario, share: Share, mutant: str = "", only: str = "") -> tuple[int, list[str]]:
        """Kill at this share of a scenario's instants (of those whose name has `only`): (their number, what differed)."""
        self.configure(scenario.connections, scenario.hub)
        scenario.prepare(self)
        self.save()
        with self.calm(scenario.later) as inside:  # once here, so that every child inherits warm caches
            scenario.act(self, inside)
        self.restore()
        with self.living(later=scenario.later, mutant=mutant) as child:
            scenario.act(self, child)
            names = list(child.points())
        end = self.recover(scenario, mutant)
        scenario.prove(self, end)
        first = names.index(scenario.since) + 1 if scenario.since else 1
        chosen = [n for n in range(first, len(names) + 1) if only in names[n - 1]][share.first :: share.stride]
        found = []
        for number in chosen:
            self.restore()
            other = self.interrupted(scenario, number, mutant)
            if other not in (end, scenario.instead(end)):
                found.append(f"killed at {number} of {len(names)}, {names[number - 1]}:\n{difference(end, other)}")
        return len(chosen), found

    def interrupted(self, scenario: Scenario, number: int, mutant: str) -> State:
        """The end of a history whose hub was killed at its n-th instant."""
        with self.living(number, scenario.later, mutant) as child:
            with contextlib.suppress(Killed):
                scenario.act(self, child)
            if not child.killed and not mutant:  # a wrong hub may be quicker or slower than the right one
                raise AssertionError(f"{scenario.name}: instant {number} was not reached: the count is not steady")
        return self.recover(scenario, mutant, at_once=number % 2 == 0)

    def recover(self, scenario: Scenario, mutant: str = "", at_once: bool = False) -> State:
        """A new process, and a world that goes on, until nothing moves any more; the state of everything. `at_once`: the
        others come before the hub has looked at what lies there."""
        with self.living(later=scenario.later + self.database.down, mutant=mutant) as child:
            child.start()
            if not at_once:
                child.work()
            scenario.again(self, child)
            child.finish()
            return {**child.state(), **self.world()}

    def world(self) -> State:
        """What the other systems hold, and which writes they have executed."""
        with self.shop.lock:
            rows = {k: copy.deepcopy(self.shop.state[k]) for k in ("orders", "products")}
            puts = sorted(c["path"] for c in self.shop.log if c["method"] not in ("GET", "OPTIONS"))
        for row in (*rows["orders"].values(), *rows["products"].values()):
            for name in [n for n in row if n.startswith("date_modified")]:
                del row[name]
        letters = sorted((m["to"], m["raw"].partition("Subject:")[2].partition("\n")[0]) for m in self.smtp.messages)
        folder = sorted(p.relative_to(self.goods).as_posix().split(".")[0] for p in self.goods.rglob("*.xml"))
        onec = copy.deepcopy(self.onec.state)
        return {"shop": rows, "writes to the shop": puts, "1C": onec, "letters": letters, "folder": folder}


def play(
    scenario: str, folder: Path, database: Database, share: Share, mutant: str = "", only: str = ""
) -> tuple[int, list[str]]:
    """One share of a scenario in a world of its own; see `Rig.enumerate`."""
    from tests.spec.kill_scenarios import NAMED

    with WooPeer() as shop, SmtpPeer() as smtp, quick_start():
        return Rig(folder, database, shop, smtp).enumerate(NAMED[scenario], share, mutant, only)


def play_all(
    scenario: str, worlds: Sequence[tuple[Path, Database]], stride: int = 1, mutant: str = "", only: str = ""
) -> tuple[int, list[str]]:
    """Every `stride`-th instant, shared out among the worlds, each in a process of its own."""
    shares = [Share(number * stride, len(worlds) * stride) for number in range(len(worlds))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads: they use nothing of the parent's
        with ProcessPoolExecutor(len(worlds), multiprocessing.get_context("fork")) as pool:
            done = [pool.submit(play, scenario, *w, s, mutant, only) for w, s in zip(worlds, shares, strict=True)]
            results = [one.result() for one in done]
    return sum(number for number, _ in results), [line for _, lines in results for line in lines]


def difference(one: State, other: State) -> str:
    """What only one of two states has, by part."""
    lines = []
    for name in one:
        a, b = (x if isinstance(x, list) else [repr(i) for i in _leaves(x)] for x in (one[name], other[name]))
        missing, added = list(map(str, a)), []
        for item in map(str, b):
            if item in missing:
                missing.remove(item)
            else:
                added.append(item)
        lines += [f"  {name}: - {x[:400]}" for x in missing] + [f"  {name}: + {x[:400]}" for x in added]
    return "\n".join(lines)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(one, f"{path}/{key}")
    else:
        yield path, value


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """What every start looks up anew (packages, mappings, the schema's version) is looked up once, before the forks; and
    the engine is made once for a database, so that compiled statements are inherited. No connection is."""

    class Shared:
        open = staticmethod(lru_cache(Store.open))

    kept = {
        n: getattr(runtime, n) for n in ("assert_own_packages", "adapter_class", "load_mapping", "upgrade", "Store")
    }
    runtime.assert_own_packages()
    gc.collect()
    gc.freeze()  # the children's collector need not go through what they inherit
    runtime.Store = Shared
    runtime.adapter_class = lru_cache(runtime.adapter_class)
    runtime.load_mapping = lru_cache(runtime.load_mapping)
    runtime.assert_own_packages = lambda: None
    runtime.upgrade = lambda _: None
    try:
        yield
    finally:
        gc.unfreeze()
        for name, value in kept.items():
            setattr(runtime, name, value)
