"""One record over all its links: status both ways, no echoes, conflicts for people, nothing overwritten in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.errors import NeedHuman
from sync.flow.plug import Cause
from sync.flow.weave import doubt, weave
from sync.hub import acts, views
from sync.hub.runtime import Hub
from sync.store.tables import conflict, edit, intent, journal, link, quarantine, record
from tests.spec.hubs import CLIENT, Kit, contents, one, rows, sync, total

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
    kit.world("shop").put("deal", {"title": "переименован"}, "1")
    sync(hub)
    assert data(kit, "shop")["title"] == "Шкаф"
    assert ("crm", "deal") not in kit.writes()
    note = next(n for n in rows(hub, journal) if n.connection == "shop" and n.why == "wrote:owner")
    assert set(note.changes) == {"title"}
    assert note.changes["title"][1] == "Шкаф"
    quiet(kit, hub)


def test_a_stage_is_not_taken_back_even_for_its_owner(kit: Kit) -> None:
    """The shop closed the deal, the CRM that owns the stage did not: to reopen it there is for a person."""
    hub = two(kit)
    kit.world("shop").put("deal", {"stage": "won"}, "1")
    sync(hub)
    question = one(hub, conflict)
    assert (question.cause, question.sides) == ("illegal_transition", {"shop/deal": "won", "crm/deal": "new"})
    assert (question.who, question.base) == (["shop/deal"], "new")
    quiet(kit, hub)
    acts.decide_conflict(hub, question.id, "crm/deal", "Ирина", question.sides)
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "crm")["stage"]) == ("new", "new")
    assert one(hub, conflict).state == "decided"
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
    assert (question.base, question.who) == ("было", [f"{first}/deal", f"{other}/deal"])
    assert views.conflicts(hub)[0]["held"] == f"из {first}", "what the record itself holds is shown beside it"
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


def test_one_record_with_two_cards_in_one_system(kit: Kit) -> None:
    """Two cards of one kind are two sides, told apart by their ids; both are kept in step."""
    hub = two(kit)
    kit.world("crm").put("deal", {**DEAL, "comment": "было"}, "77")
    sync(hub)
    deal = one(hub, link, connection="crm", external_id="1")
    with hub.store.begin() as tx:
        tx.execute(
            link.update()
            .where(link.c.connection == "crm", link.c.external_id == "77")
            .values(record_uid=deal.record_uid, base=deal.base)
        )
    kit.world("shop").put("deal", {"comment": "новый"}, "1")
    for _ in range(2):
        sync(hub)
    assert [data(kit, "crm", id)["comment"] for id in ("1", "77")] == ["новый", "новый"]
    quiet(kit, hub)
    kit.world("crm").put("deal", {"comment": "первая"}, "1")
    kit.world("crm").put("deal", {"comment": "вторая"}, "77")
    sync(hub)
    question = one(hub, conflict)
    assert question.sides == {"shop/deal": "новый", "crm/deal#1": "первая", "crm/deal#77": "вторая"}
    acts.decide_conflict(hub, question.id, "crm/deal#77", "Ирина", question.sides)
    for _ in range(2):
        sync(hub)
    assert data(kit, "shop")["comment"] == "вторая"
    assert [data(kit, "crm", id)["comment"] for id in ("1", "77")] == ["вторая", "вторая"]
    quiet(kit, hub)


def test_a_system_that_refuses_jumps_is_walked_step_by_step(kit: Kit) -> None:
    stages = [
        {"name": "new", "title": "Новый", "next": ["in_work", "lost"]},
        {"name": "in_work", "title": "В работе", "next": ["paid", "lost"]},
        {"name": "paid", "title": "Оплачен", "next": ["won", "lost"]},
        {"name": "won", "title": "Завершён", "semantic": "won"},
        {"name": "lost", "title": "Отменён", "semantic": "lost"},
    ]
    hub = two(kit, pipeline=[{"name": "main", "stages": stages}])
    adapter = hub.plugs["shop"].adapter
    adapter.capabilities = replace(adapter.capabilities, stepwise=frozenset({"deal"}))
    kit.world("crm").put("deal", {"stage": "won"}, "1")
    for _ in range(4):
        sync(hub)
    assert data(kit, "shop")["stage"] == "won"
    written = [n.changes["stage"][1] for n in rows(hub, journal) if n.connection == "shop" and n.why == "wrote:owner"]
    assert written == ["in_work", "paid", "won"]
    assert one(hub, record, kind="deal").stage == "won"
    quiet(kit, hub)


def test_a_loss_without_a_reason_is_a_question(kit: Kit) -> None:
    stages = [{"name": "new", "title": "Новый"}, {"name": "lost", "title": "Отменён", "semantic": "lost"}]
    hub = two(kit, pipeline=[{"name": "main", "stages": stages}])
    kit.world("crm").put("deal", {"stage": "lost"}, "1")
    sync(hub)
    question = one(hub, conflict)
    assert (question.cause, question.who, data(kit, "shop")["stage"]) == ("needs_reason", ["crm/deal"], "new")
    quiet(kit, hub)
    with pytest.raises(NeedHuman) as caught:
        acts.decide_conflict(hub, question.id, "crm/deal", "Ирина", question.sides)
    assert caught.value.code == "conflict.reason"
    acts.decide_conflict(hub, question.id, "crm/deal", "Ирина", question.sides, "дорого")
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "shop")["lost_reason"]) == ("lost", "дорого")
    assert one(hub, conflict).state == "decided"
    quiet(kit, hub)


def test_a_loss_with_its_reason_is_no_question(kit: Kit) -> None:
    stages = [{"name": "new", "title": "Новый"}, {"name": "lost", "title": "Отменён", "semantic": "lost"}]
    hub = two(kit, pipeline=[{"name": "main", "stages": stages}])
    kit.forget_calls()
    kit.world("crm").put("deal", {"stage": "lost", "lost_reason": "дорого"}, "1")
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "shop")["lost_reason"]) == ("lost", "дорого")
    assert kit.writes() == [("shop", "deal")], "one write carries both"


def test_sides_that_differ_though_nobody_moved_are_a_question(kit: Kit) -> None:
    """What was agreed is damaged (a restored backup): neither side is overwritten, a person is asked."""
    hub = two(kit)
    row = one(hub, link, connection="crm")
    with hub.store.begin() as tx:
        shadow = {**row.shadow, "comment": "совсем другое"}
        tx.execute(
            link.update()
            .where(link.c.id == row.id)
            .values(shadow=shadow, base={**row.base, "comment": "совсем другое"})
        )
        weave(hub.world, tx, row.record_uid, Cause())
    question = one(hub, conflict)
    assert (question.cause, question.who) == ("diverged", [])
    assert question.sides == {"shop/deal": "было", "crm/deal": "совсем другое"}
    assert rows(hub, intent, state="planned") == []


def test_what_was_agreed_can_be_doubted(kit: Kit) -> None:
    hub = two(kit)
    row = one(hub, link, connection="crm")
    with hub.store.begin() as tx:
        tx.execute(link.update().where(link.c.id == row.id).values(shadow={**row.shadow, "comment": "другое"}))
        doubt(tx, row.id, ["comment"])
        weave(hub.world, tx, row.record_uid, Cause())
    assert one(hub, conflict).cause == "diverged"


def test_a_decision_that_was_overtaken_says_so(kit: Kit) -> None:
    """E8: the values moved after the decision and before it had reached every side."""
    hub = two(kit)
    _both_comments(kit, hub)
    first = one(hub, conflict)
    acts.decide_conflict(hub, first.id, "crm/deal", "Ирина", first.sides)
    kit.world("shop").put("deal", {"comment": "в последний миг"}, "1")
    sync(hub)
    again = one(hub, conflict, state="open")
    assert again.sides == {"shop/deal": "в последний миг", "crm/deal": "из crm"}
    assert "dropped" in one(hub, conflict, id=first.id).decision
    assert data(kit, "shop")["comment"] == "в последний миг"
    acts.decide_conflict(hub, again.id, "shop/deal", "Ирина", again.sides)
    sync(hub)
    assert data(kit, "crm")["comment"] == "в последний миг"
    assert "dropped" not in one(hub, conflict, id=again.id).decision
    quiet(kit, hub)


def test_a_status_that_no_table_knows_is_named_before_anything_is_written(kit: Kit, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "memory.toml").write_text(
        'system = "memory"\nversion = 1\n[tables.stages]\nNEW = "new"\nPREP = "new"\nWORK = "in_work"\n'
        '[deal]\nkind = "deal"\n[deal.fields]\nstage = "stage | lookup(stages)"\n',
        encoding="utf-8",
    )
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        hub={"mappings": str(folder)},
    )
    kit.world("shop").put("deal", {**DEAL, "stage": "PREP", "comment": "было"})
    sync(hub)
    assert data(kit, "crm")["stage"] == "NEW"
    kit.forget_calls()
    kit.world("shop").put("deal", {"stage": "НЕТ ТАКОГО"}, "1")
    sync(hub)
    problem = one(hub, quarantine)
    assert (problem.field, problem.code) == ("stage", "mapping.value")
    assert "НЕТ ТАКОГО" in problem.text["ru"]
    assert kit.writes() == []
    kit.world("shop").put("deal", {"stage": "PREP"}, "1")
    sync(hub)
    assert kit.writes() == [], "a status of the same meaning moves no card"
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("NEW", "PREP")
    assert one(hub, quarantine).state == "closed"


def test_what_accounting_knows_moves_the_deal_in_the_crm(kit: Kit, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "memory.toml").write_text(
        'system = "memory"\nversion = 1\n[deal.fields]\npaid = { get = "paid | bool" }\n'
        'shipped = { get = "shipped | bool" }\ncancelled = { get = "cancelled | bool" }\n',
        encoding="utf-8",
    )
    hub = kit.open(
        {
            "shop": {"role": "shop", "kinds": ["deal"]},
            "crm": {"kinds": ["deal"]},
            "onec": {"role": "accounting", "kinds": ["deal"]},
        },
        [("deal", "shop", "crm", "always"), ("deal", "shop", "onec", "always")],
        hub={"mappings": str(folder)},
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    kit.world("shop").put("deal", {"paid": True}, "1")
    sync(hub)
    assert data(kit, "crm")["stage"] == "new", "a shop cannot state a payment"
    kit.world("onec").put("deal", {"paid": True}, "1")
    sync(hub)
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("paid", "paid")
    quiet(kit, hub)
    kit.world("crm").put("deal", {"stage": "shipped"}, "1")  # ahead of the facts: nothing contradicts it
    sync(hub)
    kit.world("onec").put("deal", {"shipped": True}, "1")
    sync(hub)
    assert {data(kit, n)["stage"] for n in ("crm", "shop")} == {"won"}
    kit.world("onec").put("deal", {"cancelled": True}, "1")
    sync(hub)
    assert one(hub, conflict).cause == "illegal_transition", "a closed deal is left by people only"


def test_what_was_offered_counts_as_agreed_when_it_comes_back(kit: Kit) -> None:
    """A system that fetched an order and shows another value in it has changed it: that is no dispute of unknown age."""
    hub = two(kit)
    row = one(hub, link, connection="crm")
    with hub.store.begin() as tx:
        tx.execute(link.update().where(link.c.id == row.id).values(base={}, number="W-1043"))
        tx.execute(intent.update().where(intent.c.connection == "crm").values(op="offer"))
    kit.world("crm").put("deal", {"comment": "уточнено"}, "1")
    sync(hub)
    assert rows(hub, conflict) == []
    assert data(kit, "shop")["comment"] == "уточнено"
