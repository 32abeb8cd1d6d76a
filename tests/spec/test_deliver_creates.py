"""Creates whose answer nobody saw: found by the key, by what came up there, or a question; never called twice."""

from __future__ import annotations

import pytest

from sync.hub import acts, works
from sync.hub.runtime import Hub
from sync.store.tables import conflict, intent, link, quarantine, record
from tests.spec.hubs import Kit, one, rows, sync
from tests.spec.test_deliver import LATER, calls, faults, linked, one_way
from tests.spec.test_weave import DEAL, data, quiet


def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(kit: Kit) -> None:
    hub = one_way(kit)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "lost"})
    sync(hub)
    assert (len(kit.world("crm").rows("deal")), calls(kit, "write"), calls(kit, "find")) == (1, 1, 1)
    assert one(hub, intent).state == "done"
    assert len(rows(hub, record, kind="deal")) == 1
    quiet(kit, hub)


def test_a_create_that_did_not_happen_is_made(kit: Kit) -> None:
    hub = one_way(kit)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "kill-before"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    assert one(hub, intent).state == "sending"
    kit.now.pass_(**LATER)
    sync(hub)
    assert (len(kit.world("crm").rows("deal")), one(hub, intent).state) == (1, "done")
    quiet(kit, hub)


def test_what_our_own_create_made_is_not_taken_for_something_new(kit: Kit) -> None:
    """The process died after the call: the next poll meets the new record before anything is settled."""
    hub = one_way(kit)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "kill-after"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.now.pass_(**LATER)
    works.poll(hub, hub.plugs["crm"])
    assert len(rows(hub, record, kind="deal")) == 1
    sync(hub)
    assert {r.record_uid for r in rows(hub, link)} == {one(hub, record, kind="deal").uid}
    assert (len(kit.world("crm").rows("deal")), len(rows(hub, link))) == (1, 2)
    quiet(kit, hub)


def test_an_edit_made_there_before_the_create_was_settled_is_kept(kit: Kit) -> None:
    """Base is what we wrote, not what stands there by now: else the hub would undo the user's edit."""
    hub = one_way(kit)
    kit.world("shop").put("deal", {**DEAL, "comment": "из магазина"})
    faults(kit, {"call": "write", "mode": "kill-after"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.world("crm").put("deal", {"comment": "менеджер дописал"}, "1")
    kit.now.pass_(**LATER)
    sync(hub)
    assert data(kit, "crm")["comment"] == data(kit, "shop")["comment"] == "менеджер дописал"
    assert (len(rows(hub, record, kind="deal")), rows(hub, conflict)) == (1, [])
    quiet(kit, hub)


def test_without_a_key_there_a_lost_create_is_looked_for_and_never_called_again(kit: Kit) -> None:
    """Among what came up there since, by all that was written; a system that cannot be asked is asked later."""
    hub = one_way(kit, holds_key=False)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "lost"}, {"call": "scan", "times": 99})
    sync(hub, trouble=True)
    for _ in range(3):
        kit.now.pass_(**LATER)
        works.deliver(hub, hub.plugs["crm"])
    assert (one(hub, intent).state, calls(kit, "write"), rows(hub, quarantine)) == ("sending", 1, [])
    kit.world("crm").plan.faults = []
    kit.now.pass_(**LATER)
    works.deliver(hub, hub.plugs["crm"])
    assert (one(hub, intent).state, calls(kit, "write")) == ("done", 1)
    assert (len(rows(hub, record, kind="deal")), len(rows(hub, link))) == (1, 2)
    sync(hub)
    quiet(kit, hub)


def test_without_a_key_a_create_that_does_not_show_up_within_the_window_is_a_question(kit: Kit) -> None:
    hub = one_way(kit, holds_key=False)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "kill-before"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    for _ in range(3):
        kit.now.pass_(minutes=2)
        sync(hub)
    assert one(hub, intent).state == "sending", "it may still come up"
    kit.now.pass_(minutes=10)
    sync(hub)
    assert (one(hub, intent).state, calls(kit, "write")) == ("unknown", 1)
    waiting = one(hub, quarantine)
    assert (waiting.stage, waiting.code, waiting.state) == ("delivery", "delivery.unknown", "open")
    assert waiting.remedy["ru"]
    kit.now.pass_(**LATER)
    sync(hub)
    assert calls(kit, "write") == 1
    kit.world("crm").put("deal", {k: v for k, v in DEAL.items() if k != "comment"})
    _seen_at_last(kit, hub)


def test_two_that_look_alike_are_a_question(kit: Kit) -> None:
    hub = one_way(kit, holds_key=False)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "kill-after"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.world("crm").put("deal", DEAL)  # a manager typed the same order in
    kit.now.pass_(**LATER)
    works.deliver(hub, hub.plugs["crm"])
    assert (one(hub, intent).state, one(hub, quarantine).code) == ("unknown", "delivery.unknown")
    assert calls(kit, "write") == 1


def _seen_at_last(kit: Kit, hub: Hub) -> None:
    """The next page shows a record with everything that was written: that is it."""
    kit.world("crm").plan.faults = []
    sync(hub)
    assert (one(hub, intent).state, one(hub, quarantine).state) == ("done", "closed")
    assert (len(rows(hub, record, kind="deal")), len(rows(hub, link))) == (1, 2)
    quiet(kit, hub)


def test_a_person_looked_and_it_was_not_done(kit: Kit) -> None:
    hub = one_way(kit, holds_key=False)
    kit.world("shop").put("deal", DEAL)
    faults(kit, {"call": "write", "mode": "kill-before"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.now.pass_(**LATER)
    sync(hub)
    assert (one(hub, intent).state, len(kit.world("crm").rows("deal"))) == ("unknown", 0)
    acts.retry(hub, one(hub, quarantine).id)
    sync(hub)
    assert (one(hub, intent).state, len(kit.world("crm").rows("deal")), one(hub, quarantine).state) == (
        "done",
        1,
        "closed",
    )
    quiet(kit, hub)


def test_a_stranger_that_looks_alike_but_was_known_before_is_not_ours(kit: Kit) -> None:
    hub = linked(kit, holds_key=False)
    kit.world("shop").put("deal", {**DEAL, "comment": "было"}, "2")  # the same order once more, under another id
    faults(kit, {"call": "write", "mode": "kill-before"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.world("crm").put("deal", {"comment": "старая"}, "1")
    kit.now.pass_(**LATER)
    sync(hub)
    assert [r.state for r in rows(hub, intent, op="create")] == ["done", "unknown"]
    assert len(rows(hub, link)) == 3
