"""The decision over all combinations of what sides show and what was agreed, judged by predicates, not by examples.

The same table judges deliberately wrong versions of the decision: each must be found out.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.spec.decision_judge import SEEN, Rules
from tests.spec.decision_tables import TABLES, empty_table, image_table, set_table, title_table

NAMES = ("stages", "rows", "sides", "guards", "decide")  # in the order in which they import one another
MODULES = {name: importlib.import_module(f"sync.reconcile.{name}") for name in NAMES}


def product() -> Rules:
    return Rules(MODULES)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.__name__)
def test_the_decision_keeps_every_promise(table: Any) -> None:
    plans = list(table(product()))
    assert any(p.values or p.writes for p in plans)
    if table not in (set_table, image_table, empty_table):
        assert any(p.conflicts for p in plans)


def test_the_table_is_not_empty() -> None:
    SEEN.clear()
    plans = {table: list(table(product())) for table in TABLES}
    assert len(plans[title_table]) > 8000
    reasons = {p.why["title"][0] for p in plans[title_table] if "title" in p.why}
    assert reasons == {"owner", "observed", "prefer", "human"}
    reasons = {why for found in plans.values() for p in found for why, _ in p.why.values()}
    assert reasons == {"owner", "observed", "prefer", "human", "join", "union"}
    causes = {c.cause for found in plans.values() for p in found for c in p.conflicts}
    assert causes == {"both_moved", "diverged", "illegal_transition", "needs_reason"} - {"needs_reason"}
    wanted = {"0 unknown", "1 agree", "2 owner", "3 moved", "3 told again", "4 never agreed", "4 diverged", "5 policy"}
    wanted |= {"5 conflict", "reason", "illegal", "fact", "steps", "rows", "money"}
    assert {rule: n for rule, n in SEEN.items() if n > 2}.keys() == wanted, SEEN


MUTANTS = {
    "a write that has not arrived is forgotten": (
        "decide",
        "return not (image is INEXPRESSIBLE or same(name, image, base) or same(name, side.seen[name], current))",
        "return False",
    ),
    "the first mover wins in silence": (
        "decide",
        '    return INEXPRESSIBLE, ("diverged" if astray or any(s.base for s in _new(name, moved)) else "both_moved"), ""',
        "    return values[0], 'observed', moved[0].name",
    ),
    "owners are ignored": ("decide", "    if owners and (len(owners) == 1", "    if False and (len(owners) == 1"),
    "an owner that was damaged is not restored": (
        "decide",
        " or not known or _astray(s, name, current)]",
        " or not known]",
    ),
    "the hub's own fields are anybody's": ("decide", "if owner == HUB and hub is None and known:", "if False:"),
    "a newcomer overwrites": ("decide", "        return not empty(current)\n", "        return False\n"),
    "a newcomer is asked about emptiness": ("decide", "        return not empty(current)\n", "        return True\n"),
    "a newcomer empties": ("decide", "not (empty(seen) or same(", "not (same("),
    "a lost base is taken for a newcomer": ("decide", "astray or any(s.base for s in _new(name, moved))", "astray"),
    "what went astray is overwritten": ("decide", "if side.untold is None or name in side.untold", "if True"),
    "what lags behind is asked about": (
        "decide",
        "side.untold is None or name in side.untold or",
        "side.untold is None or",
    ),
    "unknown counts as empty": (
        "decide",
        "    names = _unsettled(record, sides)\n",
        "    sides = [_filled(s, record) for s in sides]\n    names = _unsettled(record, sides)\n",
    ),
    "equal values are written": (
        "sides",
        "return image is not INEXPRESSIBLE and not same(name, image, self.seen.get(name))",
        "return image is not INEXPRESSIBLE",
    ),
    "a closed stage is left by anybody": (
        "stages",
        "name: () if name in closed else listed.get(name,",
        "name: listed.get(name,",
    ),
    "illegal steps are taken": ("guards", "    if start and not graph.reachable(start, value):", "    if False:"),
    "illegal steps are written": ("guards", "s.seen[name] and s.lacks(name, value)", "False"),
    "people are bound by the graph": ("decide", "if not cause and not human and illegal(", "if not cause and illegal("),
    "a person's decision is forgotten on its way": ("decide", "or (name in by_hand and value == current)", ""),
    "lost without a reason": (
        "guards",
        "    if value not in graph.lost:\n        return False\n",
        "    return False\n",
    ),
    "a reason is asked for that is configured": ("decide", 'cause = "" if graph.reason else', "cause ="),
    "facts are only words": ("decide", "if name in s.facts and s not in back]", "if False]"),
    "old facts are heard again": (
        "decide",
        "if value is not INEXPRESSIBLE and _moved(side, name, record.get(name, NEVER)):",
        "if value is not INEXPRESSIBLE:",
    ),
    "facts move a deal back": (
        "guards",
        "    return found\n\n\ndef needs_reason",
        '    return fact, "owner", ""\n\n\ndef needs_reason',
    ),
    "the whole way at once": (
        "guards",
        "written[name] = plan.paths[side.name][0]",
        "written[name] = plan.paths[side.name][-1]",
    ),
    "the earlier stage wins": (
        "stages",
        "all(self.reachable(other, v) for other in values)",
        "all(self.reachable(v, other) for other in values)",
    ),
    "the old value wins over the moved one": (
        "decide",
        'return moved[0].seen[name], ("human" if moved[0] is hub else "observed"), moved[0].name',
        'return (current if known else moved[0].seen[name]), "observed", moved[0].name',
    ),
    "base advances although the side is to be written": (
        "sides",
        "                self.writes.setdefault(side.name, {})[name] = value\n",
        "                self.writes.setdefault(side.name, {})[name] = value\n"
        "                self.agreed.setdefault(side.name, {})[name] = value\n",
    ),
    "lone news reach nobody": (
        "sides",
        "                told = self.writes.setdefault(side.name, {})\n                told[name] = value\n",
        "                pass\n",
    ),
    "lone news are written where nothing is": (
        "sides",
        "name in side.writable and side.name != HUB if side.image is _identity else side.lacks(name, value)",
        "side.name != HUB",
    ),
    "lone news overrule the owner": ("decide", "if not policy.owner or lone.answers_to(policy.owner):", "if True:"),
    "two who moved count as one": ("decide", "if level and len(moved) == 1 and", "if level and moved and"),
    "base never advances": ("sides", "self.agreed.setdefault(side.name, {})[name] = shown", "pass"),
    "conflicts are written anyway": (
        "decide",
        "plan.conflicts.append(_conflict(name, why, record, knowing))\n",
        "plan.conflicts.append(_conflict(name, why, record, knowing))\n"
        '        plan.carry_out(record, name, record.get(name), knowing, ("", ""))\n',
    ),
    "removed tags come back": (
        "rows",
        "if all(_in(name, v, seen) or not _in(name, v, base) for base, seen in sides)",
        "",
    ),
    "a union forgets what the record gained": (
        "decide",
        "alone = len(values) == 1 and same(name, merged, values[0])",
        "alone = len(values) == 1",
    ),
    "two changes of one cell are merged": ("rows", "if not same(cell, others, value) or not (", "if False and not ("),
    "a removed line comes back": ("rows", "            gone.add(at)\n", "            pass\n"),
    "a line that was changed is removed": (
        "rows",
        "    if any(at in gone for at, _ in cells):\n        return None\n",
        "",
    ),
    "an added line is dropped": (
        "rows",
        "                    added.append(dict(seen[j]))\n",
        "                    pass\n",
    ),
    "a line added twice is doubled": ("rows", "for row in added if alike(row, seen[j])", "for row in added if False"),
    "two added lines get one key": ("rows", "    while free in taken:", "    while False:"),
    "a sum in any currency": ("decide", 'if "amount" in plan.why and torn_money(plan, record, sides):', "if False:"),
    "what cannot be expressed is written": ("sides", "return image is not INEXPRESSIBLE and", "return"),
    "sides that take no writes are written": (
        "sides",
        "if name not in self.writable or self.name == HUB:",
        "if self.name == HUB:",
    ),
}


def mutant(place: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> Rules:
    """The modules anew, with one passage of one of them replaced."""
    found = {}
    for name, right in MODULES.items():
        text = Path(str(right.__file__)).read_text(encoding="utf-8")
        if name == place:
            assert text.count(old) == 1, "the passage to break is not there (any more)"
            text = text.replace(old, new)
        module = types.ModuleType(str(right.__name__))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        module.__dict__["_filled"] = lambda side, names: replace(side, seen={**dict.fromkeys(names), **side.seen})
        exec(compile(text, module.__name__, "exec"), module.__dict__)
        found[name] = module
    return Rules(found)


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_broken_decision_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = mutant(*MUTANTS[name], monkeypatch)
    with pytest.raises(AssertionError):
        list(itertools.chain.from_iterable(table(rules) for table in TABLES))
