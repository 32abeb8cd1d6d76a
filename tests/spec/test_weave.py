"""One record over all its links: status both ways, no echoes, conflicts for people, nothing overwritten in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hub import acts
from sync.hub.runtime import Hub
from sync.store.tables import conflict, edit, intent, journal, link, quarantine, record
from tests.spec.hubs import BOTH, CLIENT, Kit, contents, one, open_kit, rows, sync, total

DEAL = {
    "number": "1043",
    "title": "Шкаф",
    "stage": "new",
    "amount": "100.10",
    "currency": "RUB",
    "comment": "",
    "client": CLIENT,
}
QUIET = ("run", "lease", "bucket", "cursor")  # what a pass may write without writing anything


@pytest.fixture(params=BOTH)
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


def two(kit: Kit, **sections: Any) -> Hub:
    """A shop and a CRM that hold one deal, each written by the other's changes."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        **sections,
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    return hub


def data(kit: Kit, name: str, id: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = kit.world(name).rows("deal")[id]["data"]
    return found


def quiet(kit: Kit, hub: Hub) -> None:
    """A further pass writes nothing and calls no write."""
    kit.forget_calls()
    before = contents(hub.store, QUIET)
    runs = sync(hub)
    assert contents(hub.store, QUIET) == before
    assert kit.writes() == []
    assert (total(runs, "new"), total(runs, "changed"), total(runs, "writes")) == (0, 0, 0)


def test_the_status_goes_both_ways_without_an_echo(kit: Kit) -> None:
    hub = two(kit)
    quiet(kit, hub)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    assert data(kit, "shop")["stage"] == "in_work"
    quiet(kit, hub)
    kit.world("crm").put("deal", {"stage": "won"}, "1")
    sync(hub)
    assert (data(kit, "shop")["stage"], one(hub, record, kind="deal").stage) == ("won", "won")
    quiet(kit, hub)
    written = [n for n in rows(hub, journal) if n.connection == "shop" and n.why.startswith("wrote")]
    assert [n.changes for n in written] == [{"stage": ["new", "in_work"]}, {"stage": ["in_work", "won"]}]
    assert {n.why for n in written} == {"wrote:owner"}


def test_a_field_without_an_owner_goes_where_it_was_not_changed(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").put("deal", {"comment": "из магазина"}, "1")
    sync(hub)
    kit.world("crm").put("deal", {"comment": "из CRM"}, "1")
    sync(hub)
    assert data(kit, "shop")["comment"] == data(kit, "crm")["comment"] == "из CRM"
    assert rows(hub, conflict) == []
    quiet(kit, hub)


def test_the_owner_is_restored_and_never_written(kit: Kit) -> None:
    hub = two(kit)
    kit.forget_calls()
    kit.world("shop").put("deal", {"stage": "won", "title": "переименован"}, "1")
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "shop")["title"]) == ("new", "Шкаф")
    assert ("crm", "deal") not in kit.writes()
    note = next(n for n in rows(hub, journal) if n.connection == "shop" and n.why == "wrote:owner")
    assert note.changes == {"stage": ["new", "new"], "title": ["Шкаф", "Шкаф"]} or note.changes["stage"][1] == "new"
    quiet(kit, hub)


@pytest.mark.parametrize("first", ["shop", "crm"])
def test_both_changed_is_a_conflict_whatever_was_seen_first(kit: Kit, first: str) -> None:
    """One side's change is known and its write still on the way when the other side's change is seen."""
    hub = two(kit)
    other = {"shop": "crm", "crm": "shop"}[first]
    kit.world(other).plan.faults = [{"call": "write", "mode": "error", "times": 9}]
    kit.world(first).put("deal", {"comment": f"из {first}"}, "1")
    sync(hub)
    assert data(kit, other)["comment"] == "было"
    kit.world(other).plan.faults = []
    kit.world(other).put("deal", {"comment": f"из {other}"}, "1")
    kit.now.pass_(minutes=30)
    sync(hub)
    question = one(hub, conflict)
    assert (question.field, question.cause, question.state) == ("comment", "both_moved", "open")
    assert question.sides == {"shop/deal": "из shop", "crm/deal": "из crm"}
    assert (data(kit, "shop")["comment"], data(kit, "crm")["comment"]) == ("из shop", "из crm")
    assert rows(hub, intent, state="planned") == [], "the write that was overtaken is taken back"
    quiet(kit, hub)
    acts.decide_conflict(hub, question.id, "shop/deal", "Тест", question.sides)
    sync(hub)
    assert (data(kit, "shop")["comment"], data(kit, "crm")["comment"]) == ("из shop", "из shop")
    assert one(hub, conflict).state == "decided"
    quiet(kit, hub)


def test_a_conflict_stops_its_own_field_only(kit: Kit) -> None:
    hub = two(kit)
    _both_comments(kit, hub)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    assert data(kit, "shop")["stage"] == "in_work"
    assert one(hub, conflict).state == "open"


def _both_comments(kit: Kit, hub: Hub) -> None:
    """Seen at once: the crm's page is stored while the shop's is too, before anything is written."""
    kit.world("shop").put("deal", {"comment": "из shop"}, "1")
    kit.world("crm").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    assert one(hub, conflict).field == "comment"


def test_a_conflict_that_dissolves_is_closed_by_itself(kit: Kit) -> None:
    hub = two(kit)
    _both_comments(kit, hub)
    kit.world("shop").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    assert (one(hub, conflict).state, one(hub, record, kind="deal").data["comment"]) == ("gone", "из crm")
    quiet(kit, hub)


def test_a_decision_on_values_that_have_moved_is_refused(kit: Kit) -> None:
    hub = two(kit)
    _both_comments(kit, hub)
    seen = one(hub, conflict).sides
    kit.world("crm").put("deal", {"comment": "ещё раз"}, "1")
    sync(hub)
    with pytest.raises(Exception, match="have moved"):
        acts.decide_conflict(hub, one(hub, conflict).id, "crm/deal", "Тест", seen)
    assert one(hub, conflict).sides["crm/deal"] == "ещё раз"


@pytest.mark.parametrize(
    ("owner", "expected"), [("prefer:crm", "из crm"), ("prefer:shop", "из shop"), ("shop", "из shop")]
)
def test_a_configured_policy_decides(kit: Kit, owner: str, expected: str) -> None:
    hub = two(kit, owners={"deal.comment": owner})
    kit.world("shop").put("deal", {"comment": "из shop"}, "1")
    kit.world("crm").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    assert data(kit, "shop")["comment"] == data(kit, "crm")["comment"] == expected
    assert rows(hub, conflict) == []
    quiet(kit, hub)


def test_a_field_of_the_hub_itself_is_changed_by_people_only(kit: Kit) -> None:
    hub = two(kit, owners={"deal.stage": "hub"})
    kit.world("crm").put("deal", {"stage": "won"}, "1")
    sync(hub)
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("new", "new")
    acts.set_stage(hub, "1043", "in_work", "Тест")
    sync(hub)
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("in_work", "in_work")
    assert one(hub, edit).state == "applied"
    quiet(kit, hub)


def test_a_closed_deal_is_reopened_by_nobody_but_people(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").put("deal", {"stage": "won"}, "1")
    sync(hub)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    question = one(hub, conflict)
    assert (question.cause, question.field, question.base) == ("illegal_transition", "stage", "won")
    assert (data(kit, "shop")["stage"], one(hub, record, kind="deal").stage) == ("won", "won")
    acts.decide_conflict(hub, question.id, "crm/deal", "Тест")
    sync(hub)
    assert (data(kit, "shop")["stage"], one(hub, record, kind="deal").stage) == ("in_work", "in_work")
    quiet(kit, hub)


def test_unknown_is_not_empty(kit: Kit) -> None:
    hub = two(kit)
    row = kit.world("crm").rows("deal")["1"]
    del row["data"]["comment"]
    kit.world("crm").put("deal", {"amount": "100.10"}, "1")
    sync(hub)
    assert data(kit, "shop")["comment"] == "было"
    kit.world("crm").put("deal", {"comment": ""}, "1")
    sync(hub)
    assert data(kit, "shop")["comment"] in ("", None)


def test_the_same_amount_written_otherwise_is_no_change(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").put("deal", {"amount": "100.100"}, "1")
    kit.forget_calls()
    sync(hub)
    assert kit.writes() == []
    assert data(kit, "shop")["amount"] == "100.10"


def test_a_system_that_no_flow_names_is_only_listened_to(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["product"]}, "onec": {"role": "accounting", "kinds": ["product"]}}
    )
    kit.world("onec").put("product", {"name": "Болт", "sku": "B-1", "price": "2"})
    kit.world("shop").put("product", {"name": "Болт М6", "sku": "B-1", "price": "1"})
    sync(hub)
    assert kit.writes() == []
    assert len(rows(hub, link)) == 2
    assert rows(hub, quarantine) == []


def test_a_write_that_is_not_wanted_any_more_is_taken_back(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "refuse", "times": 1}]
    kit.world("shop").put("deal", {"comment": "нет"}, "1")
    sync(hub)
    assert one(hub, quarantine, stage="delivery").code == "fault.refused"
    kit.world("crm").put("deal", {"comment": "нет"}, "1")  # somebody did it by hand
    sync(hub)
    assert one(hub, quarantine).state == "closed"
    assert [r.state for r in rows(hub, intent)] == ["done", "dropped"]
    quiet(kit, hub)


def test_phones_of_a_card_are_joined_not_replaced(kit: Kit) -> None:
    hub = kit.open(
        {"a": {"kinds": ["contact"]}, "b": {"role": "shop", "kinds": ["contact"]}}, [("contact", "a", "b", "always")]
    )
    kit.world("a").put("contact", {"name": "Анна", "phones": ["+79160000001"], "tags": ["vip"]})
    sync(hub)
    kit.world("a").put("contact", {"phones": ["+79160000001", "+79160000002"]}, "1")
    kit.world("b").put("contact", {"phones": ["8 916 000-00-01", "+79160000003"], "tags": []}, "1")
    sync(hub)
    for name in ("a", "b"):
        shown = kit.world(name).rows("contact")["1"]["data"]
        assert len(shown["phones"]) == 3
        assert shown["tags"] in ([], None)
    quiet(kit, hub)
