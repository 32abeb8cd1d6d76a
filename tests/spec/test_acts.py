"""What people do: each act leaves a row, is carried out by the next work, and is refused with words where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.errors import NeedHuman
from sync.hub import acts, commands, reviewing, works
from sync.hub.runtime import Hub
from sync.store.tables import command, conflict, edit, journal, link, quarantine, record
from tests.spec.hubs import Kit, one, rows, sync
from tests.spec.test_weave import DEAL, data, quiet, two


def shop(kit: Kit) -> Hub:
    """A shop that a flow may write, and nobody who owns the stage."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "site": {"role": "shop", "kinds": ["deal"]}},
        [("deal", "shop", "site")],
    )
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    return hub


def refused(act: Callable[[], Any], code: str) -> NeedHuman:
    with pytest.raises(NeedHuman) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.text.ru
    return caught.value


def test_a_stage_by_hand(kit: Kit) -> None:
    hub = shop(kit)
    found = acts.set_stage(hub, "1043", "in_work", "Ирина")
    assert (found["from"], found["to"]) == ("new", "in_work")
    assert one(hub, record, kind="deal").stage == "new", "an act only leaves a row"
    assert [c.state for c in rows(hub, command)] == ["new"]
    sync(hub)
    assert (one(hub, record, kind="deal").stage, data(kit, "shop")["stage"]) == ("in_work", "in_work")
    assert [c.state for c in rows(hub, command)] == ["done"]
    note = next(n for n in rows(hub, journal) if n.why == "human")
    assert (note.who, note.changes, note.connection) == ("Ирина", {"stage": ["new", "in_work"]}, "hub")
    quiet(kit, hub)


def test_people_may_leave_a_closed_stage(kit: Kit) -> None:
    hub = shop(kit)
    acts.set_stage(hub, "1043", "lost", "Ирина", "передумал")
    sync(hub)
    deal = one(hub, record, kind="deal")
    assert (deal.stage, deal.data["lost_reason"]) == ("lost", "передумал")
    acts.set_stage(hub, deal.uid, "new", "Ирина")
    sync(hub)
    assert (one(hub, record, kind="deal").stage, data(kit, "shop")["stage"]) == ("new", "new")


def test_only_the_newest_wish_counts(kit: Kit) -> None:
    hub = shop(kit)
    for stage in ("in_work", "paid", "shipped"):
        acts.set_stage(hub, "1043", stage, "Ирина")
    sync(hub)
    assert one(hub, record, kind="deal").stage == "shipped"
    assert [e.state for e in rows(hub, edit)] == ["dropped", "dropped", "applied"]


def test_what_cannot_be(kit: Kit) -> None:
    hub = shop(kit)
    assert "in_work" in str(refused(lambda: acts.set_stage(hub, "1043", "sold", "x"), "deal.stage"))
    refused(lambda: acts.set_stage(hub, "1043", "lost", "x"), "deal.reason")
    refused(lambda: acts.set_stage(hub, "9", "new", "x"), "deal.none")
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert len(refused(lambda: acts.set_stage(hub, "1043", "new", "x"), "deal.several").text.en) > 70
    assert rows(hub, edit) == []
    refused(lambda: acts.retry(hub, 99), "quarantine.gone")
    refused(lambda: acts.decide_conflict(hub, 99, "hub", "x"), "conflict.gone")
    refused(lambda: reviewing.decide(hub, 99, "new", "x"), "review.gone")


def test_a_stage_that_is_kept_elsewhere(kit: Kit) -> None:
    hub = two(kit)
    assert "crm" in str(refused(lambda: acts.set_stage(hub, "1043", "won", "Ирина"), "deal.owner"))
    kit.world("crm").delete("deal", "1")
    sync(hub)
    acts.set_stage(hub, "1043", "won", "Ирина")
    sync(hub)
    assert data(kit, "shop")["stage"] == "won", "an owner without a live link has no say"


def test_a_wish_that_another_system_overtook_is_dropped_with_words(kit: Kit) -> None:
    hub = shop(kit)
    acts.set_stage(hub, "1043", "in_work", "Ирина")
    kit.world("shop").put("deal", {"stage": "won"}, "1")
    works.poll(hub, hub.plugs["shop"])
    found = one(hub, edit)
    assert one(hub, record, kind="deal").stage == "won"
    assert found.state == "dropped"
    assert found.text["ru"]


@pytest.mark.parametrize(("side", "value"), [("shop/deal", "из shop"), ("crm/deal", "из crm"), ("hub", "из shop")])
def test_a_conflict_decided(kit: Kit, side: str, value: str) -> None:
    hub = two(kit)
    kit.world("shop").put("deal", {"comment": "из shop"}, "1")
    kit.world("crm").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    question = one(hub, conflict)
    refused(lambda: acts.decide_conflict(hub, question.id, "mail/deal", "Ирина"), "conflict.side")
    acts.decide_conflict(hub, question.id, side, "Ирина", question.sides)
    sync(hub)
    assert {data(kit, n)["comment"] for n in ("shop", "crm")} == {value}
    assert one(hub, conflict).decision == {"side": side, "value": value, "who": "Ирина"}
    quiet(kit, hub)


def test_keeping_a_closed_deal_closed(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").put("deal", {"stage": "won"}, "1")
    sync(hub)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    acts.decide_conflict(hub, one(hub, conflict).id, "hub", "Ирина")
    sync(hub)
    assert [c.state for c in rows(hub, conflict)] == ["decided"]
    assert data(kit, "crm")["stage"] == "won"


def test_a_retry_of_what_is_closed_or_of_a_connection_that_is_gone(kit: Kit) -> None:
    hub = shop(kit)
    with hub.store.begin() as tx:
        for connection in ("gone", "shop"):
            tx.execute(
                quarantine.insert().values(
                    connection=connection,
                    native_kind="deal",
                    external_id="1",
                    stage="intake",
                    code="x",
                    text={"en": "x", "ru": "x"},
                    state="open",
                    first_at=hub.now(),
                    last_at=hub.now(),
                )
            )
    for row in rows(hub, quarantine):
        acts.retry(hub, row.id)
    assert commands.run_commands(hub) == 2
    assert commands.run_commands(hub) == 0
    assert {c.state for c in rows(hub, command)} == {"done"}


def test_acts_survive_a_restart(kit: Kit) -> None:
    hub = shop(kit)
    acts.set_stage(hub, "1043", "in_work", "Ирина")
    kit.close(hub)
    hub = kit.open()
    sync(hub)
    assert one(hub, record, kind="deal").stage == "in_work"
    assert one(hub, link).shadow["stage"] == "in_work"


def test_a_wish_in_dispute_waits_for_the_decision(kit: Kit) -> None:
    """A person lost the deal, the shop won it: two ends. Neither counts until somebody decides, and the wish is kept."""
    hub = shop(kit)
    acts.set_stage(hub, "1043", "lost", "Ирина", "дорого")
    kit.world("shop").put("deal", {"stage": "won"}, "1")
    works.poll(hub, hub.plugs["shop"])
    for _ in range(2):
        sync(hub)
        question = one(hub, conflict)
        assert (question.cause, question.sides) == ("both_moved", {"hub": "lost", "shop/deal": "won"})
        assert question.who == ["Ирина", "shop/deal"]
        assert {e.field: e.state for e in rows(hub, edit)}["stage"] == "pending"
    acts.decide_conflict(hub, question.id, "hub", "Пётр", question.sides)
    sync(hub)
    assert (one(hub, record, kind="deal").stage, data(kit, "shop")["stage"]) == ("lost", "lost")
    assert {e.field: e.state for e in rows(hub, edit)}["stage"] == "applied"
    assert "Пётр" in str(refused(lambda: acts.decide_conflict(hub, question.id, "hub", "x"), "conflict.gone"))
    quiet(kit, hub)
