"""First runs and unusually large changes wait for a person's yes; what was approved is done exactly, or planned again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.base import Batch
from sync import config as configuration
from sync.errors import BadConfig, NeedHuman
from sync.flow import approval
from sync.flow.gate import gate
from sync.hub import approvals, notices, plans, views, works
from sync.hub.runtime import Hub
from sync.store.tables import intent, notice, run
from sync.store.tables import plan as plan_table
from tests.spec.hubs import Kit, contents, dying, empty, every_death, give, one, rows, sync
from tests.spec.test_offers import BOLT, ONEC, ORDER, offer
from tests.spec.test_weave import DEAL, data, quiet
from tests.unit.web_kit import Browser

ASK = {"first_run": "ask"}
WHO = "Ирина Пробная"


def opened(kit: Kit, **limits: Any) -> Hub:
    """A shop whose deals a flow creates in the CRM."""
    return kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        limits=limits,
    )


def shop_deals(kit: Kit, number: int, start: int = 1) -> None:
    for n in range(start, start + number):
        kit.world("shop").put("deal", {**DEAL, "number": str(n), "comment": "было"}, str(n))


def comment(kit: Kit, text: str, *ids: int) -> None:
    for id in ids:
        kit.world("shop").put("deal", {"comment": text}, str(id))


def in_crm(kit: Kit) -> list[str]:
    return sorted(r["data"]["comment"] for r in kit.world("crm").rows("deal").values())


def linked(kit: Kit, number: int, **limits: Any) -> Hub:
    """So many deals on both sides, written with a person's yes."""
    hub = opened(kit, **limits)
    shop_deals(kit, number)
    sync(hub)
    approve_all(hub)
    sync(hub)
    assert len(in_crm(kit)) == number
    kit.forget_calls()
    return hub


def approve_all(hub: Hub) -> list[dict[str, Any]]:
    return [approvals.approve(hub, w["id"], WHO) for w in approvals.waiting(hub)]


def the_waiting(hub: Hub) -> dict[str, Any]:
    (found,) = approvals.waiting(hub)
    return found


def refusal(hub: Hub, id: str) -> NeedHuman:
    with pytest.raises(NeedHuman) as caught:
        approvals.approve(hub, id, WHO)
    assert caught.value.text.ru
    assert caught.value.text.ru != caught.value.text.en
    return caught.value


# the first run -----------------------------------------------------------------------------------------------------------


def test_the_first_writes_to_a_system_wait_and_nothing_is_called(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 3)
    done = sync(hub)
    assert kit.writes() == []
    waits = the_waiting(hub)
    assert (waits["connection"], waits["reason"], waits["counts"]) == ("crm", "first_run", {"create crm/deal": 3})
    (delivery,) = [r for r in done if r.work == "deliver"]
    assert delivery.outcome == "waiting"
    error = one(hub, run, work="deliver").error
    assert (error["code"], f"sverka approve {waits['id']}" in error["en"]) == ("delivery.approval", True)
    assert f"sverka approve {waits['id']}" in error["ru"]
    (state,) = [c for c in views.connections(hub) if c["name"] == "crm"]
    assert (state["state"], state["plan"]) == ("yellow", waits["id"])
    for _ in range(3):
        kit.now.pass_(hours=1)
        sync(hub)
    assert (kit.writes(), the_waiting(hub)["id"]) == ([], waits["id"]), "it stays the same question"
    assert (len(rows(hub, notice)), len(rows(hub, run, work="deliver"))) == (1, 1)
    assert approvals.approve(hub, waits["id"], WHO) == {
        "id": waits["id"],
        "connection": "crm",
        "reason": "first_run",
        "writes": 3,
        "moved": 0,
    }
    sync(hub)
    assert len(in_crm(kit)) == 3
    row = one(hub, plan_table)
    assert (row.state, row.who, row.text) == ("applied", WHO, None)
    quiet(kit, hub)


def test_after_the_first_yes_small_work_flows(kit: Kit) -> None:
    hub = linked(kit, 2, **ASK)
    comment(kit, "стало", 1, 2)
    shop_deals(kit, 1, start=3)
    assert {r.outcome for r in sync(hub) if r.work == "deliver"} == {"ok"}
    assert (in_crm(kit), approvals.waiting(hub)) == (["было", "стало", "стало"], [])
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    assert the_waiting(hub)["connection"] == "shop", "the other way it is the first time"
    approve_all(hub)
    sync(hub)
    assert data(kit, "shop")["stage"] == "in_work"


def test_with_go_nobody_is_asked(kit: Kit) -> None:
    hub = opened(kit, first_run="go")
    shop_deals(kit, 3)
    sync(hub)
    assert (len(in_crm(kit)), rows(hub, plan_table)) == (3, [])


def test_what_comes_while_the_question_stands_waits_behind_it(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 3)
    sync(hub)
    id = the_waiting(hub)["id"]
    shop_deals(kit, 1, start=4)
    sync(hub)
    waits = the_waiting(hub)
    assert (waits["id"], waits["counts"], waits["behind"]) == (id, {"create crm/deal": 3}, 1)
    assert kit.writes() == []
    approvals.approve(hub, id, WHO)
    sync(hub)
    assert len(in_crm(kit)) == 4, "the fourth is small work by now"
    quiet(kit, hub)


def test_the_hubs_own_letters_need_no_yes(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    with hub.store.begin() as tx:
        works.notices.intents.plan(
            tx, record_uid="notice:1", connection="crm", native_kind="message", op="create",
            data={"text": "письмо"}, fields={}, why={"*": "notice"}, now=hub.now(),
        )  # fmt: skip
    shop_deals(kit, 1)
    sync(hub)
    assert kit.writes() == [("crm", "message")]
    assert the_waiting(hub)["counts"] == {"create crm/deal": 1}


@pytest.mark.parametrize("wrong", [{"writes": -1}, {"writes_percent": 101}, {"first_run": "never"}, {"wrtes": 1}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadConfig) as caught:
        configuration.build({"limits": wrong}, environ={})
    assert caught.value.setting == f"limits.{next(iter(wrong))}"


# what was approved and what moved -------------------------------------------------------------------------------------------


def test_what_moved_before_the_yes_is_not_done_by_it(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 3)
    sync(hub)
    id = the_waiting(hub)["id"]
    comment(kit, "стало", 2)
    sync(hub)
    assert approvals.approve(hub, id, WHO)["moved"] == 1
    held = {r.data["comment"]: r.state for r in rows(hub, intent) if r.state != "dropped"}
    assert held == {"было": "planned", "стало": "planned"}
    sync(hub)
    assert in_crm(kit) == ["было", "было", "стало"]
    text = one(hub, plan_table).text
    assert ("1 of its writes" in text["en"], "1 записей" in text["ru"]) == (True, True)
    quiet(kit, hub)


def test_what_moved_after_the_yes_is_planned_again(kit: Kit) -> None:
    """The yes spoke of other values: they never go out."""
    hub = opened(kit, **ASK)
    shop_deals(kit, 2)
    sync(hub)
    approve_all(hub)
    comment(kit, "стало", 2)
    works.poll(hub, hub.plugs["shop"])
    sync(hub)
    assert in_crm(kit) == ["было", "стало"]
    assert len(kit.writes()) == 2
    assert one(hub, plan_table).text is not None
    quiet(kit, hub)


def test_what_moved_and_is_too_much_again_asks_again(kit: Kit) -> None:
    hub = linked(kit, 6, **ASK, writes=3)
    comment(kit, "стало", *range(1, 7))
    sync(hub)
    approve_all(hub)
    comment(kit, "опять", *range(1, 6))
    works.poll(hub, hub.plugs["shop"])
    sync(hub)
    assert in_crm(kit) == ["было"] * 5 + ["стало"], "one was as approved, five are another change"
    assert the_waiting(hub)["counts"] == {"update crm/deal": 5}
    approve_all(hub)
    sync(hub)
    assert in_crm(kit) == ["опять"] * 5 + ["стало"]


def test_a_plan_of_which_nothing_is_left_goes_by_itself(kit: Kit) -> None:
    hub = linked(kit, 6, **ASK, writes=3)
    comment(kit, "стало", *range(1, 7))
    sync(hub)
    id = the_waiting(hub)["id"]
    comment(kit, "было", *range(1, 7))
    works.poll(hub, hub.plugs["shop"])
    error = refusal(hub, id)
    assert error.code == "plan.moved"
    assert refusal(hub, id).code == "plan.stale"
    sync(hub)
    assert (approvals.waiting(hub), kit.writes()) == ([], [])


# the limits ------------------------------------------------------------------------------------------------------------


def test_a_large_change_waits_and_a_small_one_does_not(kit: Kit) -> None:
    hub = linked(kit, 6, writes=3)
    comment(kit, "мало", 1, 2, 3)
    sync(hub)
    assert in_crm(kit).count("мало") == 3
    kit.forget_calls()
    comment(kit, "много", 1, 2, 3, 4)
    done = sync(hub)
    assert kit.writes() == []
    waits = the_waiting(hub)
    assert (waits["reason"], waits["counts"]) == ("divergence", {"update crm/deal": 4})
    assert [r.outcome for r in done if r.work == "deliver"] == ["waiting"]
    comment(kit, "между тем", 5)
    sync(hub)
    assert in_crm(kit).count("между тем") == 1, "other small work goes on beside it"
    approve_all(hub)
    sync(hub)
    assert in_crm(kit).count("много") == 4
    quiet(kit, hub)


def test_the_share_of_the_linked_records_counts_where_it_is_more(kit: Kit) -> None:
    hub = linked(kit, 6, writes=1, writes_percent=50)
    comment(kit, "половина", 1, 2, 3)
    sync(hub)
    assert in_crm(kit).count("половина") == 3
    comment(kit, "больше", 1, 2, 3, 4)
    sync(hub)
    assert in_crm(kit).count("больше") == 0


def test_a_run_cannot_pass_in_portions(kit: Kit) -> None:
    """The first of a large change may be written while the rest is still being read: the rest waits all the same."""
    hub = linked(kit, 6, writes=3)
    adapter = hub.plugs["shop"].adapter
    adapter.settings.__dict__["page_size"] = 2  # type: ignore[attr-defined]
    comment(kit, "много", *range(1, 7))
    hub.wake = lambda name: works.deliver(hub, hub.plugs[name]) and None if name else None
    sync(hub)
    assert in_crm(kit).count("много") <= 3
    assert sum(the_waiting(hub)["counts"].values()) >= 1


def test_an_overtaken_wish_waits_as_well(kit: Kit) -> None:
    hub = linked(kit, 6, writes=3)
    comment(kit, "много", 1, 2, 3, 4)
    sync(hub)
    comment(kit, "другое", 1)
    sync(hub)
    assert kit.writes() == [], "a newer value of what is held back is held back"
    approve_all(hub)
    sync(hub)
    assert sorted(in_crm(kit)) == ["было"] * 2 + ["другое"] + ["много"] * 3


def test_a_question_that_grew_by_a_large_change_is_asked_anew(kit: Kit) -> None:
    hub = linked(kit, 12, writes=3)
    comment(kit, "много", 1, 2, 3, 4)
    sync(hub)
    old = the_waiting(hub)["id"]
    comment(kit, "много", 5, 6, 7, 8)
    sync(hub)
    waits = the_waiting(hub)
    assert (waits["id"] != old, waits["counts"]) == (True, {"update crm/deal": 8})
    error = refusal(hub, old)
    assert (error.code, waits["id"] in error.text.en) == ("plan.stale", True)
    notices.waiting_plans(hub.world)
    assert len(rows(hub, notice)) == 2, "of the first run and of this: once each"
    approve_all(hub)
    sync(hub)
    assert in_crm(kit).count("много") == 8


# offers ------------------------------------------------------------------------------------------------------------------


def test_nothing_is_offered_before_the_yes(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "onec": ONEC}, [("deal", "shop", "onec", "always")], limits=ASK
    )
    give(hub, "onec", "product", "g1", BOLT)
    kit.world("shop").put("deal", ORDER)
    works.poll(hub, hub.plugs["shop"])
    assert offer(hub) == Batch("", []), "whoever asks first, the fetching side or the schedule"
    sync(hub)
    assert offer(hub) == Batch("", [])
    assert the_waiting(hub)["counts"] == {"offer onec/order": 1}
    approve_all(hub)
    assert len(offer(hub).items) == 1


# decisions ------------------------------------------------------------------------------------------------------------------


def test_a_dropped_plan_writes_nothing_and_later_changes_do(kit: Kit) -> None:
    hub = linked(kit, 6, writes=3)
    comment(kit, "ошибка", *range(1, 6))
    sync(hub)
    id = the_waiting(hub)["id"]
    assert approvals.drop(hub, id, WHO)["dropped"] == 5
    sync(hub)
    assert (kit.writes(), approvals.waiting(hub)) == ([], [])
    assert refusal(hub, id).code == "plan.dropped"
    comment(kit, "верно", 1)
    sync(hub)
    assert in_crm(kit).count("верно") == 1


def test_unknown_and_decided_plans_are_refused_with_words(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 1)
    sync(hub)
    id = the_waiting(hub)["id"]
    assert refusal(hub, "no such").code == "plan.gone"
    approvals.approve(hub, id.upper(), WHO)
    assert refusal(hub, id).code == "plan.approved"
    sync(hub)
    assert refusal(hub, id).code == "plan.applied"
    with pytest.raises(NeedHuman):
        approvals.drop(hub, id, WHO)
    assert approvals.show(hub, id)["items"][0]["changes"]["comment"] == [None, "было"]
    assert approvals.waiting(hub, everything=True)[0]["state"] == "applied"


def test_a_yes_to_other_questions_counts_for_exactly_those(kit: Kit) -> None:
    """What the hub asks besides writes: deletions, another mapping."""
    hub = opened(kit)

    def ask(content: dict[str, Any]) -> str:
        with hub.store.begin() as tx:
            return approval.ask(hub.world, tx, "shop", "deletes", content)

    assert [ask({"gone": ["1"]}), ask({"gone": ["1"]})] == ["waiting", "waiting"]
    assert len(rows(hub, plan_table)) == 1
    first = the_waiting(hub)["id"]
    approvals.approve(hub, first, WHO)
    assert [ask({"gone": ["1"]}), ask({"gone": ["1", "2"]}), ask({"gone": ["1"]})] == ["approved", "waiting", "waiting"]
    assert refusal(hub, first).code == "plan.stale"
    approvals.drop(hub, the_waiting(hub)["id"], WHO)
    assert ask({"gone": ["1"]}) == "dropped"
    assert ask({"gone": ["3"]}) == "waiting"
    approve_all(hub)
    with hub.store.begin() as tx:
        approval.used(hub.world, tx, approval.newest(tx, "shop", "deletes").id)
    assert ask({"gone": ["3"]}) == "waiting", "a yes is used up"


# saved plans ----------------------------------------------------------------------------------------------------------------


def saved(kit: Kit, hub: Hub) -> str:
    before = contents(hub.store, ("plan", "bucket"))
    id = approvals.save(hub, plans.plan(hub))
    assert id is not None
    assert contents(hub.store, ("plan", "bucket")) == before
    assert kit.writes() == []
    return id


def test_a_saved_plan_is_applied_exactly(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 3)
    id = saved(kit, hub)
    row = one(hub, plan_table)
    assert (row.state, row.reason, len(row.content["items"])) == ("waiting", "asked", 3)
    assert saved(kit, hub) != id
    assert len({r.hash for r in rows(hub, plan_table)}) == 1, "the ids of new records do not count"
    approvals.approve(hub, id, WHO)
    sync(hub)
    assert len(in_crm(kit)) == 3
    assert one(hub, plan_table, id=id).state == "applied"
    assert refusal(hub, id).code == "plan.applied"
    quiet(kit, hub)


def test_a_saved_plan_that_moved_is_made_again(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 2)
    id = saved(kit, hub)
    comment(kit, "стало", 2)
    error = refusal(hub, id)
    fresh = the_waiting(hub)["id"]
    assert (error.code, fresh in error.text.ru, "2" in error.text.en) == ("plan.moved", True, True)
    assert refusal(hub, id).code == "plan.stale"
    approvals.approve(hub, fresh, WHO)
    sync(hub)
    assert in_crm(kit) == ["было", "стало"]


def test_a_saved_plan_lets_only_its_own_writes_pass(kit: Kit) -> None:
    hub = linked(kit, 6, **ASK, writes=2)
    comment(kit, "много", 1, 2, 3)
    id = saved(kit, hub)
    approvals.approve(hub, id, WHO)
    comment(kit, "ещё", 4, 5, 6)
    sync(hub)
    assert in_crm(kit) == ["было"] * 3 + ["много"] * 3
    assert the_waiting(hub)["counts"] == {"update crm/deal": 3}


def test_a_saved_plan_that_never_came_true_ends(kit: Kit) -> None:
    hub = linked(kit, 3, **ASK)
    comment(kit, "стало", 1)
    id = saved(kit, hub)
    approvals.approve(hub, id, WHO)
    comment(kit, "другое", 1)
    sync(hub)
    assert data(kit, "crm")["comment"] == "другое"
    kit.now.pass_(hours=2)
    sync(hub)
    row = one(hub, plan_table, id=id)
    assert (row.state, bool(row.text["ru"])) == ("applied", True)


def test_a_saved_plan_releases_what_waits(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 2)
    sync(hub)
    id = saved(kit, hub)
    approvals.approve(hub, id, WHO)
    sync(hub)
    assert (len(in_crm(kit)), approvals.waiting(hub)) == (2, [])


def test_nothing_to_write_is_nothing_to_approve(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    assert approvals.save(hub, plans.plan(hub)) is None
    assert rows(hub, plan_table) == []


def test_the_page_shows_what_waits_and_takes_the_yes(kit: Kit) -> None:
    hub = opened(kit, **ASK)
    shop_deals(kit, 2)
    sync(hub)
    id = the_waiting(hub)["id"]
    with Browser(hub) as browser:
        assert f"/act/plans/{id}/approve" in browser.get("/").text
        done = browser.post(f"/act/plans/{id}/approve", data={"back": "/"})
        assert (done.status_code, done.headers["location"]) == (303, "/?done=plan&n=2")
        assert browser.post(f"/act/plans/{id}/approve", data={"back": "/"}).status_code == 409
        assert browser.post("/act/plans/nothing/approve", data={"back": "/"}).status_code == 404
        assert f"/act/plans/{id}/approve" not in browser.get("/").text
    sync(hub)
    assert len(in_crm(kit)) == 2


# everywhere -----------------------------------------------------------------------------------------------------------------


def test_killed_anywhere_nothing_goes_without_the_yes_and_everything_with_it(kit: Kit, tmp_path: Path) -> None:
    def scenario(after: int | None) -> Any:
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub = opened(life, **ASK)
            shop_deals(life, 2)
            with dying(after) as death:
                works.poll(hub, hub.plugs["shop"])
                works.deliver(hub, hub.plugs["crm"])
                approve_all(hub)
                works.deliver(hub, hub.plugs["crm"])
            for _ in range(3):
                life.now.pass_(hours=2)
                sync(hub)
                approve_all(hub)
            states = sorted((r.state, r.reason) for r in rows(hub, plan_table))
            assert gate(hub.world, "crm").free
            return death, (in_crm(life), states, [r.state for r in rows(hub, intent)])

    number, (found, states, intents) = every_death(scenario, step=4, first=2 * kit.store.sqlite)
    assert number > 20
    assert (found, states, intents) == (["было"] * 2, [("applied", "first_run")], ["done"] * 2)
