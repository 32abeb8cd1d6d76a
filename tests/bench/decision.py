"""B-I the pure decision: records of 20 fields, two sides, where nothing differs and where three fields do.

The limit program is the plain loop that one would write by hand for exactly this: quick equality, then as texts; an owner,
one mover, `prefer`, what is to be written and what is agreed. It knows no third side, no stages, no images, and leaves out
nothing that the records here need: both must give the same plans.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from sync.reconcile import Graph, Policy, Side, decide
from tests.bench.measure import Gate, Report, Series

FIELDS = 20
TEXTS = tuple(f"text{at}" for at in range(FIELDS - 7))  # one object for each name, as a record's type gives them
RECORDS = 2_000
SHARE = 0.44  # of the limit program: 80,000 of 180,000 a second, 40,000 of 91,000
TAUGHT = {"name": Policy("shop"), "price": Policy("accounting"), "comment": Policy("", "prefer:shop")}
GRAPH = Graph.of([("new", "open"), ("won", "won")])
Case = tuple[Mapping[str, Any], list[Side]]
MANUAL = Policy()


def policy(name: str) -> Policy:
    return TAUGHT.get(name, MANUAL)


def record(number: int) -> dict[str, Any]:
    """Twenty fields as they come out of a database: texts, sums, a list, a flag, one empty."""
    return {
        "name": f"Гайка М{number % 40}",
        "sku": f"A-{number:06}",
        "price": Decimal(number % 900 + 100) / 10,
        "stock": Decimal(number % 70),
        "tags": ["metal", "small"],
        "active": True,
        "comment": "",
        **{name: f"value of {name} in {number}" for name in TEXTS},
    }


def cases(differing: bool) -> list[Case]:
    """Records with their sides. Where fields differ: one that its owner changed, one that the shop alone changed, one that
    both changed and the shop is preferred in."""
    found: list[Case] = []
    for number in range(RECORDS):
        held, shop, crm = record(number), record(number), record(number)
        if differing:
            shop["name"] = f"Гайка {number}"
            shop["text3"] = f"другое {number}"
            shop["comment"], crm["comment"] = f"из магазина {number}", f"из CRM {number}"
        every = frozenset(held)
        # A base is read from its own stored text: equal to what is seen, never the same object
        sides = [
            Side("shop/deal", "shop", shop, record(number), every),
            Side("crm/deal", "crm", crm, record(number), every),
        ]
        found.append((held, sides))
    return found


Plain = tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, dict[str, Any]], list[str]]


def equal(one: Any, other: Any) -> bool:
    """Quick, then as texts are compared: trimmed, in one normal form."""
    if one == other:
        return True
    both = isinstance(one, str) and isinstance(other, str)
    return both and normalize("NFC", one).strip() == normalize("NFC", other).strip()


def by_hand(held: Mapping[str, Any], sides: list[Side]) -> Plain:
    """The limit program."""
    values: dict[str, Any] = {}
    writes: dict[str, dict[str, Any]] = {}
    agreed: dict[str, dict[str, Any]] = {}
    conflicts: list[str] = []
    one, other = sides
    seen_one, seen_other, base_one, base_other = one.seen, other.seen, one.base, other.base
    for name, old in held.items():
        a, b = seen_one[name], seen_other[name]
        if a == b == old == base_one[name] == base_other[name]:
            continue
        rule = policy(name)
        if one.role == rule.owner:
            value = a
        elif other.role == rule.owner:
            value = b
        elif equal(b, base_other[name]):
            value = a
        elif equal(a, base_one[name]) or equal(a, b):
            value = b
        elif rule.merge == f"prefer:{one.role}":
            value = a
        elif rule.merge == f"prefer:{other.role}":
            value = b
        else:
            conflicts.append(name)
            continue
        if not equal(value, old):
            values[name] = value
        for side, seen, base in ((one, a, base_one), (other, b, base_other)):
            if not equal(seen, value):
                writes.setdefault(side.name, {})[name] = value
            elif seen != base[name]:
                agreed.setdefault(side.name, {})[name] = seen
    return values, writes, agreed, conflicts


def ours(held: Mapping[str, Any], sides: list[Side]) -> Any:
    return decide(held, sides, policy, GRAPH)


def check(all_cases: list[Case]) -> None:
    """Both give the same plans."""
    for held, sides in all_cases:
        plan = ours(held, sides)
        found = (plan.values, plan.writes, plan.agreed, [c.field for c in plan.conflicts])
        if found != by_hand(held, sides):
            raise AssertionError(f"the limit program decides otherwise: {found}")


def timed(program: Callable[[Mapping[str, Any], list[Side]], Any], all_cases: list[Case]) -> float:
    """Decisions per second of CPU."""
    start = time.process_time()
    for held, sides in all_cases:
        program(held, sides)
    return len(all_cases) / (time.process_time() - start)


def run(rounds: int) -> list[Report]:
    """B-I: decisions per CPU-second where nothing differs and where three fields do, beside the limit program's."""
    found = []
    for differing, name in ((False, "nothing differs"), (True, "three fields differ")):
        all_cases = cases(differing)
        check(all_cases)
        subject, limit = Series("records/CPU-s"), Series("records/CPU-s")
        programs = ((subject, ours), (limit, by_hand))
        for turn in range(4 * rounds):  # a measurement takes hundredths of a second: many short turns, in either order
            for series, program in programs if turn % 2 == 0 else programs[::-1]:
                series.values.append(timed(program, all_cases))
        share = subject.median / limit.median
        report = Report(
            f"B-I the pure decision, records of {FIELDS} fields, two sides: {name}",
            head=("", "records/CPU-s: median (min … max)", "of limit"),
        )
        report.rows = [("Sverka", subject.text(), f"{share:.2f}"), ("plain loop", limit.text(), "1.00")]
        report.figures = {"Sverka": subject.as_dict(), "plain loop": limit.as_dict(), "of_limit": share}
        report.gates = [Gate(f"B-I of plain loop, {name}", share, SHARE)]
        found.append(report)
    return found
