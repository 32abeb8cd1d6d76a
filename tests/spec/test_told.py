"""Deletions that a system tells of by itself count in the delete budget: a feed that says "all are gone" archives nobody."""

from __future__ import annotations

import pytest

from adapters.base import Hint
from sync.flow.plug import Cause
from sync.flow.take import take_chunk
from sync.hub import approvals, plans, works
from sync.hub.runtime import Hub
from sync.store.tables import intent, journal, link, plan, record
from tests.spec.hubs import Kit, contents, dying, give, one, rows, sync
from tests.spec.test_absence import DEAL, deals, gone, purge, scan_of, shop

WHO = "Ирина Пробная"


def delete(kit: Kit, ids: list[str], kind: str = "deal") -> None:
    for id in ids:
        kit.world("shop").delete(kind, id)


def archived(hub: Hub) -> int:
    return sum(bool(r.data.get("archived")) for r in rows(hub, record))


def approve(hub: Hub) -> None:
    (asked,) = approvals.waiting(hub)
    assert asked["reason"] == "told:deal"
    approvals.approve(hub, asked["id"], WHO)


def test_a_feed_that_says_ten_thousand_are_deleted_deletes_nobody(kit: Kit) -> None:
    hub = shop(kit, ("product",), page_size=500)
    world = kit.world("shop")
    for n in range(1, 10_001):
        data = {"name": f"Болт {n}", "sku": f"B-{n}"}
        world.rows("product")[str(n)] = {"data": data, "key": "", "version": n, "deleted": False}
    world.state["version"] = 10_000
    sync(hub)
    before = contents(hub.store, ("run", "cursor", "lease", "bucket", "plan", "notice", "inbox", "link"))
    delete(kit, [str(n) for n in range(1, 10_001)], "product")
    for _ in range(2):
        run = scan_of(sync(hub), "product")
        assert (run.outcome, run.counts.changed) == ("waiting", 0)
        assert run.error is not None
        assert "10000" in run.error.text.ru
    assert contents(hub.store, ("run", "cursor", "lease", "bucket", "plan", "notice", "inbox", "link")) == before
    assert gone(hub) == []
    asked = one(hub, plan)
    assert (asked.reason, asked.state) == ("told:product", "waiting")
    assert (asked.content["count"], asked.content["of"], len(asked.content["records"])) == (10_000, 10_000, 1000)
    assert f"sverka approve {asked.id}" in run.error.remedy.en  # type: ignore[union-attr]


def test_they_go_through_when_a_person_says_yes(kit: Kit) -> None:
    hub = shop(kit, page_size=4)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    held = scan_of(sync(hub))
    assert (held.outcome, held.counts.skipped) == ("waiting", 3)
    assert len(gone(hub)) == 8, "pages within the budget have passed, the rest waits"
    approve(hub)
    sync(hub)
    assert (len(gone(hub)), archived(hub)) == (11, 11)
    assert one(hub, plan).state == "applied"
    assert scan_of(sync(hub)).outcome == "idle"
    delete(kit, ids[11:13])
    sync(hub)
    assert len(gone(hub)) == 13, "what was approved does not count against the next ones"


def test_within_the_budget_nobody_is_asked(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:10])
    sync(hub)
    assert (len(gone(hub)), rows(hub, plan)) == (10, [])


def test_webhook_by_webhook_is_not_less(kit: Kit) -> None:
    """Each of them is small. Whether a mark comes or nothing is found makes no difference."""
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    plug = hub.plugs["shop"]
    for n, id in enumerate(ids[:15]):
        kit.world("shop").delete("deal", id, purge=n % 2 == 0)
        take_chunk(hub.world, plug, [Hint("deal", id)], Cause())
    assert (len(gone(hub)), archived(hub)) == (10, 10)
    works.take_pushed(hub, plug)
    assert one(hub, plan).content["count"] == 5
    kit.now.pass_(days=3)
    sync(hub)
    assert len(gone(hub)) == 10, "time alone answers no question"
    approve(hub)
    sync(hub)
    assert len(gone(hub)) == 15


def test_a_run_that_took_them_by_push_says_so(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    from adapters.base import Page
    from sync.flow.pull import store_page

    plug = hub.plugs["shop"]
    page = Page([kit.world("shop").record("deal", id) for id in ids[:11]], {"seen": 0})
    store_page(hub.world, plug, "deal", page, hub.now())
    (run,) = works.take_pushed(hub, plug)
    assert (run.work, run.outcome, gone(hub)) == ("take", "waiting", [])


def test_a_person_who_refuses_is_not_asked_about_the_same_again(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    sync(hub)
    (asked,) = approvals.waiting(hub)
    approvals.drop(hub, asked["id"], WHO)
    kit.now.pass_(days=2)
    assert scan_of(sync(hub)).outcome == "idle"
    assert (gone(hub), len(rows(hub, plan))) == ([], 1)


@pytest.mark.parametrize("edited", [True, False])
def test_those_that_are_back_are_asked_about_no_more(kit: Kit, edited: bool) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    sync(hub)
    for id in ids[:11]:
        kit.world("shop").put("deal", {"title": "снова тут"} if edited else {}, id)
        take_chunk(hub.world, hub.plugs["shop"], [Hint("deal", id)], Cause())
    assert scan_of(sync(hub)).outcome == "idle"
    assert (gone(hub), one(hub, plan).state, archived(hub)) == ([], "stale", 0)
    assert [k.told for k in rows(hub, link)] == [None] * 30


def test_killed_before_the_question_it_is_asked_by_the_next(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    with dying(None) as death:
        works.poll(hub, hub.plugs["shop"])
    number = len(death.seen)
    for after in range(0, number, 3):
        with hub.store.begin() as tx:
            tx.execute(plan.delete())
            tx.execute(link.update().values(told=None))
        delete(kit, ids[:11])
        with dying(after):
            works.poll(hub, hub.plugs["shop"])
        hub = kit.open()
        kit.now.pass_(minutes=5)
        assert scan_of(sync(hub)).outcome == "waiting", after
        assert (gone(hub), one(hub, plan).content["count"]) == ([], 11)


def test_silence_about_those_that_are_told_of_is_no_second_question(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    sync(hub)
    purge(kit, ids[:11])
    kit.now.pass_(days=2)
    sync(hub)
    assert [p.reason for p in rows(hub, plan)] == ["told:deal"]
    assert gone(hub) == []


def test_a_plan_shows_them_and_archives_none(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:11])
    found = plans.plan(hub)
    assert found["deletes"] == [{"connection": "shop", "kind": "deal", "number": 11, "ids": ids[:11]}]
    assert found["changes"] == []


def test_what_the_hub_has_deleted_there_itself_does_not_count(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        deletes={"deal": "propagate"},
    )
    deals(kit, 20)
    sync(hub)
    delete(kit, [str(n) for n in range(1, 11)])
    sync(hub)
    assert len(rows(hub, intent, op="delete", state="done")) == 10
    kit.world("crm").delete(
        "deal", one(hub, link, connection="crm", record_uid=one(hub, record, number="15").uid).external_id
    )
    works.poll(hub, hub.plugs["crm"])
    assert archived(hub) == 11
    assert "deleted" in [n.why for n in rows(hub, journal, record_uid=one(hub, record, number="15").uid)]


def test_a_record_that_is_not_linked_or_gone_already_asks_nothing(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    delete(kit, ids[:10])
    sync(hub)
    for id in ids[:10]:
        give(hub, "shop", "deal", id, {**DEAL, "comment": "в корзине"}, deleted=True)
    for n in range(20):
        give(hub, "shop", "deal", f"nobody-{n}", DEAL, deleted=True)
    assert (rows(hub, plan), len(gone(hub))) == ([], 10)
