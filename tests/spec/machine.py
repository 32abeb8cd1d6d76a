"""The state machine: people, faults, deaths, events, mappings and decisions in any order, three systems, one hub.

Rules return plainly where there is nothing to do (`assume` would throw the whole run away), runs start already linked, and
each fault is followed by a pass. `SEEN` counts what really happened: a machine that does nothing is worse than none.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync.hub import acts
from sync.store import Store
from tests.spec.machine_checks import at_any_time, at_rest, quiet
from tests.spec.machine_world import BOOKS, CRM, NATIVE, SHOP, SIDES, STAGES, Trio, fast_store

FIELDS = ("title", "amount", "comment", "delivery_address", "payment_method", "stage", "tags")
MODES = ("error", "refuse", "lost", "kill-before", "kill-after")
# what must be edited where, so that a side is written
CAUSES = {
    SHOP: (
        (CRM, "title"),
        (BOOKS, "amount"),
        (CRM, "comment"),
        (CRM, "stage"),
        (CRM, "tags"),
        (CRM, "delivery_address"),
    ),
    CRM: ((SHOP, "payment_method"), (BOOKS, "amount"), (SHOP, "comment"), (SHOP, "stage"), (SHOP, "tags")),
    BOOKS: ((CRM, "title"), (SHOP, "comment"), (CRM, "comment")),
}
NOUN = st.integers(0, 9)
SIDE = st.sampled_from(SIDES)
FIELD = st.sampled_from(FIELDS)
WORD = st.integers(0, 11)  # see `Machine._value`
MOST = 5  # records of one run
# each must be seen at least so often in any profile that claims to test anything
NEEDED = {
    "syncs that moved something": 30,
    "edits": 5,
    "races": 6,
    "conflicts": 6,
    "decisions": 5,
    "decisions over moved values": 2,
    "stages by hand": 5,
    "deletes": 5,
    "facts": 5,
    "faults": 6,
    "answers lost": 1,
    "crashes in a call": 2,
    "crashes at an instant": 5,
    "edits in the middle of a pass": 5,
    "edits under our own write": 1,
    "events": 20,
    "mapping changes": 5,
    "poisoned records": 3,
    "quiet ends": 30,
}


@lru_cache(maxsize=1)
def _store(process: int) -> tuple[Store, Path]:
    """One database for all runs of this process, in memory where the system has such a folder."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="sverka-machine-", dir=shm if shm.is_dir() else None))
    return fast_store(folder), folder


class Machine(RuleBasedStateMachine):
    SEEN: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.trio = Trio(*_store(os.getpid()))
        self.words = 0

    def teardown(self) -> None:
        try:
            self._come_to_rest()
        finally:
            self.trio.close()

    @initialize()
    def begin_linked(self) -> None:
        for make in (self.trio.new_order, self.trio.new_order, self.trio.new_contact):
            make()
        self.trio.sync(calm=True)
        self.trio.sync(calm=True)
        at_rest(self.trio)

    @invariant()
    def nothing_is_broken(self) -> None:
        at_any_time(self.trio)

    # users ------------------------------------------------------------------------------------------------------

    @rule(contact=st.booleans())
    def create(self, contact: bool) -> None:
        if len(self.trio.records()) < MOST:
            _ = self.trio.new_contact() if contact else self.trio.new_order()

    @rule(side=SIDE, which=NOUN, name=FIELD, word=WORD)
    def edit(self, side: str, which: int, name: str, word: int) -> None:
        self.SEEN["edits"] += self._edit(side, which, name, word)

    @rule(which=NOUN, name=FIELD, first=WORD, second=WORD, three=st.booleans(), then=st.booleans())
    def race(self, which: int, name: str, first: int, second: int, three: bool, then: bool) -> None:
        """Two (or three) sides say something of one field before the hub looks."""
        sides = [s for s in SIDES if name == "tags" or name in NATIVE[s]]
        done = [self._edit(s, which, name, w) for s, w in zip(sides, (first, second, first + second), strict=False)]
        if not three and len(done) > 2 and then:
            return
        self.SEEN["races"] += sum(done) > 1
        if then:
            self._sync()
            self.SEEN["conflicts"] += len(self.trio.conflicts())

    @rule(which=NOUN, name=st.sampled_from(["paid", "shipped", "cancelled"]))
    def fact(self, which: int, name: str) -> None:
        rec = self._record(which, "deal")
        self.SEEN["facts"] += self.trio.fact(rec, name)

    @rule(side=SIDE, which=NOUN, purge=st.booleans())
    def delete(self, side: str, which: int, purge: bool) -> None:
        if sum(map(len, self.trio.ghost.deleted.values())) < 2:
            self.SEEN["deletes"] += self.trio.delete(side, self._record(which), purge=purge)

    # the hub ------------------------------------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        self._sync()

    @rule(side=SIDE, cause=NOUN, which=NOUN, word=WORD)
    def lost_answer(self, side: str, cause: int, which: int, word: int) -> None:
        """The rarest and worst of them, more often than chance would have it."""
        self.fault(side, "write", "lost", 1, cause, which, word)

    @rule(side=SIDE, call=st.sampled_from(["write", "write", "write", "scan", "read"]), mode=st.sampled_from(MODES),
          nth=st.sampled_from([1, 1, 1, 2]), cause=NOUN, which=NOUN, word=WORD)  # fmt: skip
    def fault(self, side: str, call: str, mode: str, nth: int, cause: int, which: int, word: int) -> None:
        """A call goes wrong; the next pass goes right."""
        self._cause(side, cause, which, word)
        fired = self.trio.faulty_sync(side, call, mode, nth)
        self.SEEN["faults"] += fired
        self.SEEN["answers lost"] += fired and mode == "lost" and call == "write"
        self.SEEN["crashes in a call"] += fired and mode.startswith("kill")
        at_any_time(self.trio)
        self._sync()

    @rule(instant=st.integers(0, 150), side=SIDE, cause=NOUN, which=NOUN, word=WORD)
    def death(self, instant: int, side: str, cause: int, which: int, word: int) -> None:
        """The hub dies at one of its instants and comes back."""
        self._cause(side, cause, which, word)
        self.SEEN["crashes at an instant"] += self.trio.sync_until(instant)
        at_any_time(self.trio)
        self._sync()

    @rule(at=SIDE, call=st.sampled_from(["write", "write", "scan"]), side=SIDE, cause=NOUN, same=st.booleans(),
          name=FIELD, which=NOUN, word=WORD)  # fmt: skip
    def meanwhile(
        self, at: str, call: str, side: str, cause: int, same: bool, name: str, which: int, word: int
    ) -> None:
        """A user edits while the hub is between two calls of a pass, perhaps the very field that is being written."""
        wrote = self._cause(at, cause, which, word)
        side, name = (at, wrote) if same else (side, name)
        done = []
        self.trio.plan(at).meanwhile = [(call, lambda: done.append(self._edit(side, which, name, word + 1)))]
        self._sync()
        self.trio.plan(at).meanwhile = []
        self.SEEN["edits in the middle of a pass"] += any(done)
        self.SEEN["edits under our own write"] += any(done) and same and call == "write"

    @rule(chosen=st.lists(st.integers(0, 30), min_size=1, max_size=6), untidy=st.booleans())
    def events(self, chosen: list[int], untidy: bool) -> None:
        """Webhooks come late, twice and in any order; scans list a page backwards and twice."""
        for plug in self.trio.hub.plugs.values():
            plug.adapter.untidy = untidy  # type: ignore[attr-defined]
        if self.trio.events:
            self.SEEN["events"] += self.trio.deliver_events(chosen)

    @rule(variant=st.integers(0, 2))
    def remap(self, variant: int) -> None:
        """Another mapping for the shop, in a new process."""
        self.SEEN["mapping changes"] += variant != self.trio.variant
        self.trio.reopen(variant)

    # people in the hub --------------------------------------------------------------------------------------------

    @rule(which=NOUN, choice=NOUN, moved=st.booleans(), word=WORD)
    def decide(self, which: int, choice: int, moved: bool, word: int) -> None:
        """A person decides a conflict on the values that are shown; perhaps a user moves one of them just before."""
        if not self.trio.conflicts():
            rec = self._record(which, "deal")
            for side in (SHOP, CRM):
                self.trio.edit(side, rec, "comment", self._value(rec, "comment", 9))
            self._sync()
        asked = self.trio.conflicts()
        if not asked:
            return
        row = asked[which % len(asked)]
        sides = [*sorted(row.sides), "hub"]
        if moved:
            rec = self.trio.names()[row.record_uid]
            side = sides[word % len(sides)].split("/")[0]
            self.trio.edit(side if side in SIDES else CRM, rec, row.field, self._value(rec, row.field, word))
            if word % 2:
                self._sync()
        seen = row.sides
        done = self.trio.decide(row, sides[choice % len(sides)], seen)
        self.SEEN["decisions"] += done
        self.SEEN["decisions over moved values"] += moved and (not done or word % 2 == 0)

    @rule(which=NOUN, stage=st.sampled_from(STAGES))
    def stage_by_hand(self, which: int, stage: str) -> None:
        rec = self._record(which, "deal")
        if rec not in self.trio.names().values():
            return
        self.SEEN["stages by hand"] += self.trio.stage_by_hand(rec, stage)

    @rule(side=SIDE, which=NOUN, cause=NOUN, word=WORD)
    def poison(self, side: str, which: int, cause: int, word: int) -> None:
        """One record cannot be written on one side: its neighbours go on (I10)."""
        rec = self._record(which, "deal")
        found = self.trio.find(side, rec)
        if found is None or self.trio.plan(side).poisoned:
            return
        self.trio.plan(side).poisoned = {found[0]}
        others = [r for r in self.trio.records() if r[0] == "deal" and r != rec and not self.trio.ghost.deleted.get(r)]
        by, name = CAUSES[side][0]
        for other in others:
            self.trio.edit(by, other, name, self._value(other, name, 9))
        self._cause(side, cause, which, word, "deal")
        self._sync()
        for other in others:
            if self.trio.variant == 0 or side != SHOP:
                assert self.trio.show(side, other)[name] == self.trio.show(by, other)[name], (
                    f"I10: {other} waits for {rec}"
                )
        self.SEEN["poisoned records"] += any(q.stage == "delivery" for q in self.trio.waiting())

    @rule()
    def rest(self) -> None:
        self._come_to_rest()

    # helpers --------------------------------------------------------------------------------------------------------

    def _record(self, which: int, kind: str = "") -> Any:
        known = [r for r in self.trio.records() if kind in ("", r[0])]
        return known[which % len(known)]

    def _cause(self, side: str, cause: int, which: int, word: int, kind: str = "") -> str:
        """Edit somewhere else what will be written to this side; the field's name."""
        able = [(by, name) for by, name in CAUSES[side] if kind == "" or name != "tags"]
        by, name = able[cause % len(able)]
        self._edit(by, which, name, word)
        return name

    def _edit(self, side: str, which: int, name: str, word: int) -> bool:
        rec = self._record(which, "contact" if name == "tags" else "deal")
        return self.trio.edit(side, rec, name, self._value(rec, name, word))

    def _value(self, rec: Any, name: str, word: int) -> Any:
        """Mostly a word that nobody has said before; now and then one that stood there already."""
        self.words += 1
        said = sorted(self.trio.ghost.said.get((rec, name), ()), key=repr)
        if name == "stage":
            return STAGES[word % len(STAGES)]
        if name == "tags":
            now = self.trio.show(SHOP, rec).get("tags") or self.trio.show(CRM, rec).get("tags") or frozenset()
            gone = set(sorted(now)[: word % 3])
            return frozenset(now - gone) | ({f"t{self.words}x"} if word % 2 else set())
        if word < 3 and said:
            return said[word % len(said)]
        return f"{1000 + self.words}.50" if name == "amount" else f"{name} {self.words}"

    def _sync(self) -> None:
        done = self.trio.sync()
        self.SEEN["syncs that moved something"] += any(r.counts.new + r.counts.changed + r.counts.writes for r in done)

    def _come_to_rest(self) -> None:
        """Users stop, faults stop, people retry what waits. Two passes; then everything stands and nothing moves."""
        for side in SIDES:
            plan = self.trio.plan(side)
            plan.faults, plan.meanwhile, plan.poisoned = [], [], set()
        for row in self.trio.waiting():
            acts.retry(self.trio.hub, row.id)
        if self.trio.variant == 2:
            self.trio.reopen(0)
        if self.trio.events:  # the last webhooks arrive
            self.trio.deliver_events(list(range(len(self.trio.events))))
        for _ in range(2):
            self.trio.sync(calm=True)
        at_rest(self.trio)
        self.SEEN["conflicts"] += len(self.trio.conflicts())
        quiet(self.trio, lambda: self.trio.sync(calm=True), "I2: another pass")
        if self.trio.events:
            order = list(range(len(self.trio.events)))[::-1]
            quiet(self.trio, lambda: self._replay(order), "I8: all events again, backwards")
        self.SEEN["quiet ends"] += 1

    def _replay(self, order: list[int]) -> None:
        self.trio.deliver_events(order)
        self.trio.sync(calm=True)


def play(number: int, examples: int, steps: int = 25, shrink: bool | None = None) -> Counter[str]:
    """Run the machine with the seed `number`; what was seen. `SVERKA_SHRINK=1` makes a failure short, and slow to find."""
    if shrink is None:
        shrink = os.environ.get("SVERKA_SHRINK") == "1"

    class Seeded(Machine):
        SEEN: ClassVar[Counter[str]] = Counter()

    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=False,
        verbosity=Verbosity.normal,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    # Else what is drawn depends on the constants of whatever modules this process has imported, and a seed means nothing
    providers.CONSTANTS_CACHE.cache.clear()
    with mock.patch.object(providers, "_get_local_constants", return_value=providers.Constants()):
        run_state_machine_as_test(seed(number)(Seeded), settings=profile)
    return Seeded.SEEN
