"""A deletion that is repeated in other systems: never over an edit, never twice, never more than the budget, never unasked."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.base import Change, PreconditionFailed, Record, Text
from adapters.memory import MemoryAdapter
from sync.config import build
from sync.errors import BadConfig
from sync.hub import acts, approvals, audit, commands, trace, undo, works
from sync.hub.runtime import Hub
from sync.store.tables import conflict, intent, journal, link, plan, quarantine, record, run
from tests.spec.hubs import CLIENT, Kit, contents, dying, every_death, one, rows, sync, total

DEAL = {"title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB", "client": CLIENT}
PROPAGATE = {"deletes": {"deal": "propagate"}}


def opened(kit: Kit, number: int = 1, *, crm: dict[str, Any] | None = None, **sections: Any) -> Hub:
    """Deals of a shop that live in a CRM too."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"], **(crm or {})}},
        [("deal", "shop", "crm", "always")],
        **{"owners": dict.fromkeys(("deal.title", "deal.comment", "deal.stage"), "manual"), **PROPAGATE, **sections},
    )
    for n in range(1, number + 1):
        kit.world("shop").put("deal", {**DEAL, "number": f"{n}", "comment": "было"}, f"s{n}")
    sync(hub)
    assert len(rows(hub, link)) == 2 * number
    kit.forget_calls()
    return hub


def crm_id(hub: Hub, n: int = 1) -> str:
    """The id of the n-th deal in the CRM."""
    uid = one(hub, record, kind="deal", number=f"{n}").uid
    return str(one(hub, link, connection="crm", record_uid=uid).external_id)


def in_crm(kit: Kit) -> list[bool]:
    """Of each deal in the CRM whether it is deleted."""
    return [row["deleted"] for row in kit.world("crm").rows("deal").values()]


def quiet(kit: Kit, hub: Hub) -> None:
    before = contents(hub.store, ("run", "lease", "bucket", "cursor"))
    kit.forget_calls()
    assert total(sync(hub), "writes") == 0
    assert kit.writes() == []
    assert contents(hub.store, ("run", "lease", "bucket", "cursor")) == before


# what it means ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conditional", [True, False])
def test_what_one_system_has_deleted_is_deleted_in_the_other(kit: Kit, conditional: bool) -> None:
    hub = opened(kit, 2, crm={"conditional": conditional})
    kit.world("shop").delete("deal", "s1")
    sync(hub)
    assert kit.writes() == [("crm", "deal")]
    assert in_crm(kit) == [True, False]
    deal = one(hub, record, number="1")
    assert deal.data["archived"] is True
    assert [(k.connection, k.state, k.deleted_at is not None) for k in rows(hub, link, record_uid=deal.uid)] == [
        ("shop", "linked", True),
        ("crm", "linked", True),
    ]
    note = one(hub, journal, why="wrote:propagate")
    assert (note.connection, note.changes, note.who) == ("crm", {"deleted": [None, True]}, "hub")
    assert one(hub, intent, op="delete").state == "done"
    assert not audit.audit(hub).mismatches, "the journal gives what the systems show (I13)"
    quiet(kit, hub)


def test_the_same_the_other_way_round(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("crm").delete("deal", crm_id(hub), purge=True)
    kit.now.pass_(days=2)
    kit.world("crm").put("deal", {**DEAL, "number": "77"})  # an empty answer would be asked about
    sync(hub)
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is True
    quiet(kit, hub)


def test_only_those_that_are_named_delete(kit: Kit) -> None:
    hub = opened(kit, 2, deletes={"deal": "propagate:shop"})
    kit.world("shop").delete("deal", "s1")
    kit.world("crm").delete("deal", crm_id(hub, 2))
    sync(hub)
    assert kit.writes() == [("shop", "deal")]
    assert in_crm(kit) == [False, True]
    assert [r.data.get("archived") for r in rows(hub, record, kind="deal")] == [True, True]


def test_what_accounting_deletes_is_a_fact_and_nothing_is_deleted_elsewhere(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "books": {"role": "accounting", "kinds": ["deal"]}},
        [("deal", "shop", "books", "always")],
        deletes={"deal": "propagate:shop"},
    )
    kit.world("shop").put("deal", {**DEAL, "number": "1"}, "s1")
    sync(hub)
    kit.world("books").delete("deal", "1")
    sync(hub)
    assert one(hub, record, kind="deal").stage == "lost"
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is False
    assert rows(hub, intent, op="delete") == []


def test_a_product_goes_with_its_twin(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["product"]}, "crm": {"kinds": ["product"]}},
        [("product", "shop", "crm", "always")],
        deletes={"product": "propagate"},
    )
    for n, name in enumerate(("Болт", "Винт"), 1):
        kit.world("shop").put("product", {"name": name, "sku": f"B-{n}", "price": "1.50"}, f"p{n}")
        sync(hub)
    kit.world("shop").delete("product", "p1")
    sync(hub)
    assert [row["deleted"] for row in kit.world("crm").rows("product").values()] == [True, False]
    assert [r.data["active"] for r in rows(hub, record, number="B-1")] == [False]
    quiet(kit, hub)


def test_what_is_to_be_deleted_is_not_written_any_more(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    acts.set_stage(hub, "1", "in_work", "Анна")
    commands.run_commands(hub)
    assert [(i.op, i.state) for i in rows(hub, intent) if i.state != "done"] == [("delete", "planned")]
    sync(hub)
    assert (in_crm(kit), kit.writes()) == ([True], [("crm", "deal")])
    quiet(kit, hub)


def test_what_was_not_created_there_yet_never_is(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "error", "times": 1}]
    kit.world("shop").put("deal", {**DEAL, "number": "2"}, "s2")
    sync(hub)
    assert [i.state for i in rows(hub, intent, op="create")] == ["done", "planned"]
    kit.world("shop").delete("deal", "s2")
    kit.now.pass_(hours=2)
    sync(hub)
    assert [i.state for i in rows(hub, intent, op="create")] == ["done", "dropped"]
    assert len(in_crm(kit)) == 1


def test_a_write_under_way_is_settled_before_the_delete(kit: Kit) -> None:
    """The answer to an update is lost, then the record is deleted elsewhere: first the update is settled (E4), then it goes."""
    hub = opened(kit)
    kit.world("crm").plan.faults = [
        {"call": "write", "mode": "lost", "times": 1},
        {"call": "read", "mode": "error", "times": 1},
    ]
    kit.world("shop").put("deal", {"comment": "новое"}, "s1")
    sync(hub)
    assert one(hub, intent, op="update").state == "sending"
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    assert rows(hub, intent, op="delete") == [], "nothing is planned beside a write whose outcome is not known"
    kit.now.pass_(hours=2)
    sync(hub)
    assert in_crm(kit) == [True]
    quiet(kit, hub)


# never over an edit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("field", ["comment", "unmapped"])
def test_what_was_edited_there_just_before_is_a_question_and_stays(kit: Kit, conditional: bool, field: str) -> None:
    """Also where the edit is in something that no mapping reads: what is thrown away is the whole record."""
    hub = opened(kit, crm={"conditional": conditional})
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    assert one(hub, intent, op="delete").state == "planned"
    kit.world("crm").put("deal", {field: "клиент перезвонит"}, crm_id(hub))
    works.deliver(hub, hub.plugs["crm"])
    assert in_crm(kit) == [False]
    question = one(hub, conflict)
    assert (question.field, question.cause, question.state) == ("archived", "deleted_edited", "open")
    assert question.sides == {"shop/deal": True, "crm/deal": False}
    assert one(hub, intent, op="delete").state == "dropped"
    assert bool(one(hub, record, kind="deal").data.get("archived")) is False
    sync(hub)
    assert (in_crm(kit), kit.world("shop").rows("deal")["s1"]["deleted"]) == ([False], True)
    quiet(kit, hub)


@pytest.mark.parametrize("field", ["comment", "unmapped"])
def test_an_edit_that_was_heard_of_first_takes_the_delete_back(kit: Kit, field: str) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {field: "клиент перезвонит"}, crm_id(hub))
    works.poll(hub, hub.plugs["crm"])
    assert one(hub, intent, op="delete").state == "dropped"
    assert [c.state for c in rows(hub, conflict)] == ["open"]
    works.deliver(hub, hub.plugs["crm"])
    assert (in_crm(kit), kit.writes()) == ([False], [])


def test_what_people_are_asked_about_is_an_edit_too(kit: Kit) -> None:
    """Two have just entered different words, so nothing is on its way to the CRM, and there it is deleted: a question."""
    hub = opened(kit)
    kit.world("shop").put("deal", {"comment": "от магазина"}, "s1")
    kit.world("crm").put("deal", {"comment": "от менеджера"}, crm_id(hub))
    for name in ("shop", "crm"):
        works.poll(hub, hub.plugs[name])
    assert [c.field for c in rows(hub, conflict, state="open")] == ["comment"]
    kit.world("crm").delete("deal", crm_id(hub))
    sync(hub)
    assert "deleted_edited" in [c.cause for c in rows(hub, conflict, state="open")]
    assert kit.world("shop").rows("deal")["s1"]["deleted"] is False


def test_another_version_of_the_same_is_no_edit(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {}, crm_id(hub))
    works.deliver(hub, hub.plugs["crm"])
    assert (in_crm(kit), one(hub, intent, op="delete").state) == ([False], "planned")
    works.deliver(hub, hub.plugs["crm"])
    assert (in_crm(kit), rows(hub, conflict)) == ([True], [])


def test_a_record_that_never_stands_still_waits_for_a_person(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = opened(kit)

    def moving(self: MemoryAdapter, change: Change) -> Record:
        self.world.put(change.kind, {}, change.id)
        raise PreconditionFailed(Text("moved", "изменилась"), code="memory.moved")

    monkeypatch.setattr(MemoryAdapter, "_write", moving)
    kit.world("shop").delete("deal", "s1")
    for _ in range(8):
        kit.now.pass_(hours=2)
        sync(hub)
    assert (in_crm(kit), one(hub, intent, op="delete").state) == ([False], "refused")
    waits = one(hub, quarantine)
    assert (waits.stage, waits.state) == ("delivery", "open")
    monkeypatch.undo()
    acts.retry(hub, waits.id)
    sync(hub)
    assert (in_crm(kit), one(hub, quarantine).state) == ([True], "closed")


def test_what_somebody_brings_back_is_not_deleted_again(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    sync(hub)
    kit.world("crm").put("deal", {"comment": "из корзины"}, crm_id(hub))
    sync(hub)
    assert in_crm(kit) == [False]
    question = one(hub, conflict)
    assert (question.cause, question.sides) == ("deleted_edited", {"shop/deal": True, "crm/deal": False})
    quiet(kit, hub)


def test_it_came_back_before_the_delete_went_out(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("shop").put("deal", {}, "s1")
    works.poll(hub, hub.plugs["shop"])
    sync(hub)
    assert (in_crm(kit), kit.writes(), rows(hub, conflict)) == ([False], [], [])
    assert one(hub, intent, op="delete").state == "dropped"
    quiet(kit, hub)


# execution -----------------------------------------------------------------------------------------------------------------


def test_the_delete_is_committed_before_the_call(kit: Kit) -> None:
    """E1: whoever looks while the call is made finds the intent and the journal's row."""
    hub = opened(kit)
    seen: list[tuple[str, int]] = []
    whole = MemoryAdapter._write

    def write(self: MemoryAdapter, change: Change) -> Record:
        seen.append((one(hub, intent, op="delete").state, len(rows(hub, journal, why="deleted"))))
        return whole(self, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryAdapter, "_write", write)
        kit.world("shop").delete("deal", "s1")
        sync(hub)
    assert seen == [("sending", 1)]


@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_delete_is_settled_by_reading(kit: Kit, executed: bool) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    if executed:
        kit.world("crm").plan.faults = [{"call": "write", "mode": "lost", "times": 1}]
        sync(hub)
    else:
        works.poll(hub, hub.plugs["shop"])
        with hub.store.begin() as tx:  # as a process leaves it that died before its call
            tx.execute(intent.update().where(intent.c.op == "delete").values(state="sending", sent_at=hub.now()))
        sync(hub)
    assert in_crm(kit) == [True]
    assert len(kit.writes()) == 1, "one call did it"
    assert [n.changes for n in rows(hub, journal, why="wrote:propagate")] == [{"deleted": [None, True]}]
    quiet(kit, hub)


def test_a_lost_delete_and_an_edit_behind_it(kit: Kit) -> None:
    """Somebody took it out of the trash and edited it before the hub could look: it is news, and not deleted again (E4)."""
    hub = opened(kit)
    kit.world("crm").plan.faults = [
        {"call": "write", "mode": "lost", "times": 1},
        {"call": "read", "mode": "error", "times": 1},
    ]
    kit.world("shop").delete("deal", "s1")
    sync(hub)
    assert one(hub, intent, op="delete").state == "sending"
    kit.world("crm").put("deal", {"comment": "нужен"}, crm_id(hub))
    kit.now.pass_(hours=2)
    sync(hub)
    assert (in_crm(kit), len(kit.writes())) == ([False], 1)
    assert one(hub, conflict).cause == "deleted_edited"


def test_gone_already_is_done(kit: Kit) -> None:
    hub = opened(kit, 3)
    for n, purge in ((1, False), (2, True)):
        kit.world("shop").delete("deal", f"s{n}")
        kit.world("crm").delete("deal", crm_id(hub, n), purge=purge)
    works.poll(hub, hub.plugs["shop"])
    works.deliver(hub, hub.plugs["crm"])
    assert [i.state for i in rows(hub, intent, op="delete")] == ["done", "done"]
    sync(hub)
    assert (rows(hub, conflict), rows(hub, quarantine)) == ([], [])
    quiet(kit, hub)


def test_a_refused_delete_waits_and_its_neighbours_go(kit: Kit) -> None:
    hub = opened(kit, 3)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "refuse", "times": 1}]
    for n in (1, 2):
        kit.world("shop").delete("deal", f"s{n}")
    kit.world("shop").put("deal", {"comment": "новое"}, "s3")
    sync(hub)
    assert in_crm(kit) == [False, True, False]
    waits = one(hub, quarantine)
    assert (waits.stage, waits.code) == ("delivery", "fault.refused")
    acts.retry(hub, waits.id)
    sync(hub)
    assert (in_crm(kit), one(hub, quarantine).state) == ([True, True, False], "closed")


def test_killed_at_any_instant_it_is_deleted_once(kit: Kit) -> None:
    def scenario(after: int | None) -> tuple[Any, Any]:
        from tests.spec.hubs import empty

        empty(kit.store)
        for name in ("shop", "crm"):
            kit.world(name).state = {"version": 0, "kinds": {}}
        hub = opened(kit)
        kit.world("shop").delete("deal", "s1")
        with dying(after) as death:
            sync(hub)
        calls = len(kit.writes())
        hub = kit.open()
        for _ in range(2):
            kit.now.pass_(hours=2)
            sync(hub)
        assert calls <= 1
        state = [(k.connection, k.state, k.deleted_at is not None) for k in rows(hub, link)]
        return death, (in_crm(kit), state, len(rows(hub, journal, why="wrote:propagate")), rows(hub, conflict))

    _, end = every_death(scenario, step=4 if kit.store.sqlite else 16)
    assert end[0] == [True]


# the budget ----------------------------------------------------------------------------------------------------------------


def test_more_than_the_budget_waits_as_a_whole(kit: Kit) -> None:
    """Those missing were approved; that they are to be deleted elsewhere too is a question of its own."""
    hub = opened(kit, 12)
    kit.world("shop").put("deal", {"comment": "новое"}, "s12")
    for n in range(1, 12):
        kit.world("shop").delete("deal", f"s{n}", purge=True)
    kit.now.pass_(days=2)
    sync(hub)
    (asked,) = approvals.waiting(hub)
    assert asked["reason"] == "deletes:deal"
    approvals.approve(hub, asked["id"], "Анна")
    done = sync(hub)
    assert not any(in_crm(kit))
    (asked,) = approvals.waiting(hub)
    assert (asked["connection"], asked["reason"]) == ("crm", "divergence")
    assert asked["counts"]["delete crm/deal"] == 11
    assert [r.outcome for r in done if r.work == "deliver"] == ["waiting"]
    (waits,) = [h for h in trace.trace(hub, "1")[0].hops if h.step == "waits"]
    assert f"sverka approve {asked['id']}" in waits.remedy["ru"]
    approvals.approve(hub, asked["id"], "Анна")
    sync(hub)
    assert in_crm(kit) == [True] * 11 + [False]
    assert {p.state for p in rows(hub, plan)} == {"applied"}
    quiet(kit, hub)


def test_drop_by_drop_is_not_less(kit: Kit) -> None:
    """The budget is of a day, not of a run."""
    hub = opened(kit, 14)
    for n in range(1, 14):
        kit.world("shop").delete("deal", f"s{n}")
        with hub.store.begin() as tx:  # what the shop deletes was let pass; here it is about the CRM
            tx.execute(link.update().where(link.c.connection == "shop").values(deleted_at=None, told=None))
        sync(hub)
    assert sum(in_crm(kit)) <= 10


def test_undo_says_where_to_restore_it(kit: Kit) -> None:
    hub = opened(kit)
    kit.world("shop").delete("deal", "s1")
    sync(hub)
    found = undo.plan(hub, [r.id for r in rows(hub, run, work="deliver")][-1])
    (item,) = found.records
    assert item.state == "refused"
    assert "корзин" in item.refused[0]["ru"]


# configuration -------------------------------------------------------------------------------------------------------------


def test_a_system_that_cannot_delete_is_named_when_the_configuration_is_loaded(kit: Kit) -> None:
    places = {"shop": {"role": "shop"}, "crm": {"deletes": False}}
    with pytest.raises(BadConfig) as refused:
        kit.open(places, [("deal", "shop", "crm", "always")], deletes={"deal": "propagate"})
    assert refused.value.setting == "deletes.deal"
    assert "crm" in refused.value.text.ru
    assert '"propagate:shop"' in refused.value.text.ru
    kit.open(places, [("deal", "shop", "crm", "always")], deletes={"deal": "propagate:shop"})


@pytest.mark.parametrize(
    ("deletes", "setting", "said"),
    [
        ({"deals": "archive"}, "deletes.deals", "deal"),
        ({"deal": "drop"}, "deletes.deal", "propagate"),
        ({"lead": "propagate"}, "deletes.lead", "flow"),
        ({"deal": "propagate:cmr"}, "deletes.deal", "crm"),
        ({"deal": "propagate:mail"}, "deletes.deal", "shop, crm"),
    ],
)
def test_what_cannot_be_meant(deletes: dict[str, str], setting: str, said: str) -> None:
    connections = {name: {"adapter": "memory"} for name in ("shop", "crm", "mail")}
    flow = [{"kind": "deal", "from": "shop", "to": "crm", "create": "always"}]
    with pytest.raises(BadConfig) as refused:
        build({"connections": connections, "flow": flow, "deletes": deletes})
    assert refused.value.setting == setting
    assert said in refused.value.text.en
