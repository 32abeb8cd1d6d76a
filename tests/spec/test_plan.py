"""A plan says what a run would do and changes nothing anywhere; the run then does exactly that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hub.plans import plan
from sync.store.tables import intent, journal, record
from tests.spec.hubs import BOTH, Kit, contents, open_kit, rows, sync
from tests.spec.test_weave import DEAL


@pytest.fixture(params=BOTH)
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


CONNECTIONS = {"shop": {"role": "shop", "kinds": ["deal", "product"]}, "crm": {"kinds": ["deal"]}}
FLOWS = [("deal", "shop", "crm", "always")]


def planned(kit: Kit) -> dict[str, Any]:
    """A plan, with proof that it left no trace."""
    hub = kit.open(frozen=True)
    before = contents(hub.store)
    states = _states(kit)
    kit.forget_calls()
    found = plan(hub)
    assert contents(hub.store) == before, "the plan wrote a table"
    assert _states(kit) == states
    assert kit.writes() == []
    assert _said(plan(hub)) == _said(found), "a second plan says something else"
    kit.close(hub)
    return found


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Without the ids of records that would be made."""
    return {**found, "changes": [{k: v for k, v in c.items() if k != "uid"} for c in found["changes"]]}


def _states(kit: Kit) -> dict[str, str]:
    return {n: str({k: rows for k, rows in kit.world(n).state["kinds"].items() if rows}) for n in CONNECTIONS}


def shown(found: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    return sorted(
        ((w["connection"], w["kind"], w["op"], w["data"]) for w in found["writes"]), key=lambda w: (w[0], str(w[3]))
    )


def made(kit: Kit, since: int) -> list[tuple[str, str, str, Any]]:
    """What a run really planned and wrote."""
    hub = kit.open()
    sync(hub)
    found = [(r.connection, r.native_kind, r.op, r.data) for r in rows(hub, intent)[since:]]
    assert all(r.state == "done" for r in rows(hub, intent)[since:])
    kit.close(hub)
    return sorted(found, key=lambda w: (w[0], str(w[3])))


def test_a_first_run_and_a_change(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    for number in ("1", "2"):
        kit.world("shop").put("deal", {**DEAL, "number": number, "comment": "было"})
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1", "price": "1"})
    found = planned(kit)
    assert found["counts"]["shop"]["deal"]["new"] == 2
    assert found["counts"]["shop"]["product"]["new"] == 1
    assert [w[:3] for w in shown(found)] == [("crm", "deal", "create")] * 2
    assert made(kit, 0) == shown(found)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    kit.world("shop").put("deal", {"comment": "стало"}, "2")
    found = planned(kit)
    assert shown(found) == [
        ("crm", "deal", "update", {"comment": "стало"}),
        ("shop", "deal", "update", {"stage": "in_work"}),
    ]
    assert {"stage": ["new", "in_work"]} in [c.get("changes") for c in found["changes"]]
    assert made(kit, 2) == shown(found)
    found = planned(kit)
    assert (found["writes"], found["changes"]) == ([], [])


def test_what_cannot_be_read_is_named_and_the_rest_is_planned(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    kit.world("shop").put("deal", {**DEAL, "number": "good"})
    kit.world("shop").plan.faults = [{"call": "scan", "kind": "product", "times": 99}]
    found = planned(kit)
    assert found["errors"]["shop"]["code"] == "fault.busy"
    assert len(found["writes"]) == 1


def test_a_plan_of_nothing(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    found = planned(kit)
    assert (found["writes"], found["changes"], found["errors"]) == ([], [], {})
    hub = kit.open()
    assert (rows(hub, record), rows(hub, journal)) == ([], [])
