"""What a person decides about a record that one system has deleted: kept and made again, or deleted everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.memory import MemoryAdapter
from sync.hub import acts, audit, commands, works
from sync.hub.runtime import Hub
from sync.store.tables import command, conflict, intent, journal, link, record
from tests.spec.hubs import Kit, one, rows, sync
from tests.spec.test_removal import crm_id, in_crm, opened, quiet


def disputed(kit: Kit, **more: Any) -> tuple[Hub, Any]:
    """Deleted in the CRM, edited in the shop: a person is asked."""
    hub = opened(kit, 2, **more)
    kit.world("crm").delete("deal", crm_id(hub))
    kit.world("shop").put("deal", {"comment": "клиент перезвонил"}, "s1")
    sync(hub)
    kit.forget_calls()
    return hub, one(hub, conflict)


@pytest.mark.parametrize("choice", ["shop/deal", "hub"])
@pytest.mark.parametrize("lost", [False, True])
def test_what_is_kept_is_made_again_where_it_was_deleted(kit: Kit, choice: str, lost: bool) -> None:
    """Once, also where the answer to its creation is lost."""
    hub, question = disputed(kit)
    old = one(hub, link, connection="crm", state="gone")
    if lost:
        kit.world("crm").plan.faults = [{"call": "write", "mode": "lost", "times": 1}]
    assert "stays_deleted" not in acts.decide_conflict(hub, question.id, choice, "Анна", question.sides)
    sync(hub)
    live = [row for row in kit.world("crm").rows("deal").values() if not row["deleted"]]
    assert [(row["data"]["number"], row["data"]["comment"]) for row in live] == [
        ("2", "было"),
        ("1", "клиент перезвонил"),
    ]
    assert live[1]["key"] == one(hub, intent, op="create", state="done", id=live[1]["key"]).id, "it carries its key"
    links = rows(hub, link, record_uid=question.record_uid)
    assert [(k.connection, k.state) for k in links] == [("shop", "linked"), ("crm", "gone"), ("crm", "linked")]
    assert links[1].external_id == old.external_id
    kit.world("crm").put("deal", {"comment": "из новой карточки"}, links[2].external_id)
    sync(hub)
    assert kit.world("shop").rows("deal")["s1"]["data"]["comment"] == "из новой карточки"
    assert not audit.audit(hub).mismatches
    quiet(kit, hub)


def test_what_is_made_again_has_the_values_of_the_moment(kit: Kit) -> None:
    """An edit elsewhere before the creation went out is part of it: nothing is written over the new record afterwards."""
    hub, question = disputed(kit)
    acts.decide_conflict(hub, question.id, "shop/deal", "Анна", question.sides)
    commands.run_commands(hub)
    assert len(rows(hub, intent, op="create", state="planned")) == 1
    kit.world("shop").put("deal", {"comment": "ещё раз перезвонил"}, "s1")
    sync(hub)
    assert kit.writes() == [("crm", "deal")]
    assert [r["data"]["comment"] for r in kit.world("crm").rows("deal").values() if not r["deleted"]][-1] == (
        "ещё раз перезвонил"
    )
    quiet(kit, hub)


def meanwhile(kit: Kit, hub: Hub, monkeypatch: pytest.MonkeyPatch, edit: Callable[[], object]) -> None:
    """While the next creation in the CRM is under way `edit` happens, and the shop's news are taken in."""
    plan, once = kit.world("crm").plan, [edit]
    run = plan.run

    def running(call: str, kind: str, id: str, execute: Callable[[], Any]) -> Any:
        try:
            return run(call, kind, id, execute)
        finally:
            if call == "write" and not id and once:
                once.pop()()
                works.poll(hub, hub.plugs["shop"])

    monkeypatch.setattr(plan, "run", running)


@pytest.mark.parametrize("lost", [False, True])
def test_an_owner_is_not_written_after_a_creation_that_was_under_way(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """I7. The owner's record is made again while somebody edits elsewhere what the owner decides: its word is restored
    there, as it would be a moment later; what nobody owns goes on to the new record."""
    hub, question = disputed(kit, owners={"deal.title": "crm", "deal.comment": "manual", "deal.stage": "manual"})
    acts.decide_conflict(hub, question.id, "shop/deal", "Анна", question.sides)
    if lost:
        kit.world("crm").plan.faults = [{"call": "write", "mode": "lost", "times": 1}]
    edit = {"title": "Шкаф со скидкой", "comment": "и ещё раз"}
    meanwhile(kit, hub, monkeypatch, lambda: kit.world("shop").put("deal", edit, "s1"))
    sync(hub)
    sync(hub)
    assert all("title" not in made.fields for made in rows(hub, intent, op="update", connection="crm"))
    (made,) = [
        r["data"] for r in kit.world("crm").rows("deal").values() if not r["deleted"] and r["data"]["number"] == "1"
    ]
    shop = kit.world("shop").rows("deal")["s1"]["data"]
    assert [(d["title"], d["comment"]) for d in (made, shop)] == [("Шкаф", "и ещё раз")] * 2
    assert ["Шкаф со скидкой", "Шкаф"] in [j.changes.get("title") for j in rows(hub, journal, why="owner")]
    quiet(kit, hub)


def test_what_a_person_decided_while_a_creation_was_under_way_reaches_the_owner(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, question = disputed(kit, owners={"deal.title": "crm", "deal.comment": "manual", "deal.stage": "manual"})
    acts.decide_conflict(hub, question.id, "shop/deal", "Анна", question.sides)

    def decide() -> None:
        with hub.store.begin() as tx:
            acts.settle_field(hub, tx, question.record_uid, "title", "Шкаф Анны", {}, "Анна")

    meanwhile(kit, hub, monkeypatch, decide)
    sync(hub)
    sync(hub)
    assert [d["title"] for d in (r["data"] for r in kit.world("crm").rows("deal").values()) if d["number"] == "1"][
        -1
    ] == ("Шкаф Анны")
    assert kit.world("shop").rows("deal")["s1"]["data"]["title"] == "Шкаф Анны"
    quiet(kit, hub)


def test_a_system_in_which_nothing_can_be_created_is_named(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, question = disputed(kit)
    monkeypatch.setattr(
        hub.plugs["crm"].adapter, "capabilities", replace(MemoryAdapter.capabilities, creates=frozenset())
    )
    said = acts.decide_conflict(hub, question.id, "shop/deal", "Анна", question.sides)
    assert list(said["stays_deleted"]) == ["crm"]
    assert "корзин" in said["stays_deleted"]["crm"]["ru"]
    sync(hub)
    assert (in_crm(kit), kit.writes()) == ([True, False], [])
    quiet(kit, hub)


def test_a_command_that_is_carried_out_twice_makes_one_record(kit: Kit) -> None:
    hub, question = disputed(kit)
    acts.decide_conflict(hub, question.id, "shop/deal", "Анна", question.sides)
    sync(hub)
    with hub.store.begin() as tx:
        tx.execute(command.update().values(state="new"))
    sync(hub)
    assert in_crm(kit) == [True, False, False]


def test_what_is_decided_to_be_deleted_is_deleted_everywhere(kit: Kit) -> None:
    hub, question = disputed(kit)
    acts.decide_conflict(hub, question.id, "crm/deal", "Анна", question.sides)
    sync(hub)
    assert kit.writes() == [("shop", "deal")]
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is True
    assert one(hub, record, number="1").data["archived"] is True
    quiet(kit, hub)


def test_it_is_not_deleted_where_it_has_moved_since_the_decision(kit: Kit) -> None:
    """E8 and E2: the person saw other values."""
    hub, question = disputed(kit)
    kit.world("shop").put("deal", {"comment": "передумал"}, "s1")
    acts.decide_conflict(hub, question.id, "crm/deal", "Анна", question.sides)
    commands.run_commands(hub)
    works.deliver(hub, hub.plugs["shop"])
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is False
    assert [c.state for c in rows(hub, conflict)] == ["decided", "open"]
    sync(hub)
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is False
