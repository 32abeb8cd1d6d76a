"""Who is gone: only a complete scan or a clear word says so, within a budget; what a deletion means; and who comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.base import Page, Record
from adapters.memory import MemoryAdapter
from sync.flow import absence, approval
from sync.flow.plug import Cause
from sync.flow.take import take_chunk
from sync.hub import acts, works
from sync.hub.runs import Run
from sync.hub.runtime import Hub
from sync.store.tables import conflict, cursor, inbox, intent, journal, link, plan, quarantine, record
from sync.store.tables import run as run_table
from tests.spec.hubs import CLIENT, Kit, contents, dying, give, one, rows, sync, total

DEAL = {"title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB", "client": CLIENT}


def shop(kit: Kit, kinds: tuple[str, ...] = ("deal",), **more: Any) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": list(kinds), **more}})


def deals(kit: Kit, number: int) -> list[str]:
    return [kit.world("shop").put("deal", {**DEAL, "number": str(n)}) for n in range(number)]


def purge(kit: Kit, ids: list[str], kind: str = "deal", name: str = "shop") -> None:
    for id in ids:
        kit.world(name).delete(kind, id, purge=True)


def lose(kit: Kit, hub: Hub, ids: list[str]) -> list[Run]:
    """Deals vanish without a trace, and it is time for the next scan from the beginning."""
    purge(kit, ids)
    kit.now.pass_(days=2)
    return sync(hub)


def gone(hub: Hub) -> list[str]:
    return [row.external_id for row in rows(hub, link) if row.deleted_at is not None]


def scan_of(runs: list[Run], kind: str = "deal") -> Run:
    return next(run for run in runs if run.work == f"scan {kind}")


# who is gone -----------------------------------------------------------------------------------------------------------


def test_what_a_complete_scan_does_not_list_is_gone(kit: Kit) -> None:
    hub = shop(kit, page_size=2)
    ids = deals(kit, 5)
    sync(hub)
    purge(kit, ids[1:2])
    assert total(sync(hub), "changed") == 0, "a scan of changes proves nothing about who is not in it"
    assert gone(hub) == []
    kit.now.pass_(days=2)
    runs = sync(hub)
    assert gone(hub) == [ids[1]]
    assert (scan_of(runs).outcome, total(runs, "changed")) == ("ok", 1)
    archived = one(hub, record, uid=one(hub, link, external_id=ids[1]).record_uid)
    assert archived.data["archived"] is True
    notes = [n for n in rows(hub, journal, record_uid=archived.uid) if n.why == "deleted"]
    assert [(n.connection, n.who, n.changes) for n in notes] == [("shop", "shop", {"archived": [None, True]})]
    assert one(hub, inbox, name="deal: −1").state == "done"


def test_a_quiet_scan_from_the_beginning_writes_no_row(kit: Kit) -> None:
    hub = shop(kit, page_size=2)
    deals(kit, 5)
    sync(hub)
    kit.now.pass_(days=2)
    before = contents(hub.store, ("run", "cursor", "lease", "bucket"))
    kit.forget_calls()
    assert total(sync(hub), "same") == 5
    assert contents(hub.store, ("run", "cursor", "lease", "bucket")) == before
    assert len([c for c in kit.world("shop").plan.log if c["call"] == "scan"]) == 3
    kit.forget_calls()
    assert total(sync(hub), "read") == 0, "until the next day only changes are asked for"


def test_a_deleted_record_that_comes_back_is_the_same_one(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 12)
    sync(hub)
    kept = kit.world("shop").rows("deal")[ids[0]]["data"]
    lose(kit, hub, ids[:1])
    assert gone(hub) == [ids[0]]
    before = {r.uid for r in rows(hub, record)}
    kit.world("shop").put("deal", kept, ids[0])
    runs = sync(hub)
    assert total(runs, "changed") == 1
    assert gone(hub) == []
    assert {r.uid for r in rows(hub, record)} == before, "nobody was made twice"
    back = one(hub, link, external_id=ids[0])
    assert (back.state, one(hub, record, uid=back.record_uid).data["archived"]) == ("linked", False)
    whys = [n.why for n in rows(hub, journal, record_uid=back.record_uid) if "archived" in n.changes]
    assert whys == ["deleted", "revived"]


def test_a_source_of_ten_thousand_that_shows_nothing_deletes_nothing(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole catalogue is missing: no link is marked, the run is not green, and a person is asked once."""
    hub = shop(kit, ("product",), page_size=1000)
    world = kit.world("shop")
    for n in range(10_000):
        world.state["version"] += 1
        version = world.state["version"]
        world.rows("product")[str(version)] = {
            "data": {"name": f"Болт {n}", "sku": f"B-{n}"}, "key": "", "version": version, "deleted": False,
        }  # fmt: skip
    assert total(sync(hub), "new") == 10_000
    before = contents(hub.store, ("run", "cursor", "lease", "bucket", "plan", "notice"))
    world.state["kinds"]["product"] = {}
    kit.now.pass_(days=2)
    for _ in range(2):
        runs = sync(hub)
        held = scan_of(runs, "product")
        assert (held.outcome, held.counts.changed) == ("waiting", 0)
        assert held.error is not None
        assert "10000" in held.error.text.ru
    assert contents(hub.store, ("run", "cursor", "lease", "bucket", "plan", "notice")) == before
    asked = one(hub, plan)
    assert (asked.reason, asked.state, asked.connection) == ("deletes:product", "waiting", "shop")
    assert (asked.content["count"], asked.content["of"], len(asked.content["records"])) == (10_000, 10_000, 1000)
    assert {r.outcome for r in rows(hub, run_table)[-2:]} == {"waiting"}


def allow(hub: Hub, state: str = "approved") -> None:
    with hub.store.begin() as tx:
        tx.execute(plan.update().where(plan.c.state == "waiting").values(state=state, decided_at=hub.now()))


def test_more_than_the_budget_waits_and_goes_through_as_approved(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    assert scan_of(lose(kit, hub, ids[:11])).outcome == "waiting"
    assert gone(hub) == []
    allow(hub)
    runs = sync(hub)
    assert (scan_of(runs).outcome, sorted(gone(hub))) == ("ok", sorted(ids[:11]))
    assert one(hub, plan).state == "applied"
    kit.now.pass_(days=2)
    assert scan_of(sync(hub)).outcome == "idle"


def test_within_the_budget_nobody_is_asked(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    lose(kit, hub, ids[:10])
    assert sorted(gone(hub)) == sorted(ids[:10])
    assert rows(hub, plan) == []


def test_a_percentage_of_many_is_the_greater_bound(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}}, limits={"deletes": 1, "deletes_percent": 10})
    ids = deals(kit, 30)
    sync(hub)
    lose(kit, hub, ids[:3])
    assert len(gone(hub)) == 3
    assert scan_of(lose(kit, hub, ids[3:6])).outcome == "waiting", "3 of 27 are more than a tenth"
    assert len(gone(hub)) == 3


def test_an_approval_speaks_of_exactly_those(kit: Kit) -> None:
    """One more is missing by the time it is approved: nothing is marked, and it is asked anew."""
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    lose(kit, hub, ids[:11])
    purge(kit, ids[11:12])
    allow(hub)
    assert scan_of(sync(hub)).outcome == "waiting"
    assert gone(hub) == []
    assert sorted(p.state for p in rows(hub, plan)) == ["stale", "waiting"]
    allow(hub)
    sync(hub)
    assert len(gone(hub)) == 12


def test_a_person_who_refuses_is_not_asked_about_the_same_again(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    lose(kit, hub, ids[:11])
    allow(hub, "dropped")
    kit.now.pass_(days=2)
    assert scan_of(sync(hub)).outcome == "idle"
    assert (gone(hub), len(rows(hub, plan))) == ([], 1)


def test_a_peer_that_recovers_takes_the_question_back(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    kept = {id: kit.world("shop").rows("deal")[id]["data"] for id in ids[:11]}
    lose(kit, hub, ids[:11])
    for id, data in kept.items():
        kit.world("shop").put("deal", data, id)
    kit.now.pass_(hours=2)
    runs = sync(hub)
    assert scan_of(runs).outcome == "idle"
    assert (gone(hub), one(hub, plan).state) == ([], "stale")


def test_few_records_that_are_all_missing_are_asked_about_too(kit: Kit) -> None:
    hub = shop(kit)
    purge_all = deals(kit, 3)
    sync(hub)
    assert scan_of(lose(kit, hub, purge_all)).outcome == "waiting", "an empty answer is what a broken source looks like"
    assert gone(hub) == []


def test_a_held_deletion_keeps_nobody_else_back(kit: Kit) -> None:
    hub = shop(kit, ("deal", "product"))
    deals(kit, 3)
    sync(hub)
    purge(kit, ["1", "2", "3"])
    kit.now.pass_(days=2)
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1"})
    runs = sync(hub)
    assert (scan_of(runs).outcome, scan_of(runs, "product").outcome) == ("waiting", "ok")
    kit.world("shop").put("deal", {**DEAL, "number": "neu"})
    assert total(sync(hub), "new") == 1


# scans that prove nothing ----------------------------------------------------------------------------------------------


def test_a_resumed_scan_is_not_a_complete_one(kit: Kit) -> None:
    """Killed in the middle of a scan from the beginning: the next one reads the rest, and deletes nobody (case 4)."""
    hub = shop(kit, page_size=2)
    ids = deals(kit, 8)
    sync(hub)
    purge(kit, ids[6:7])
    kit.world("shop").put("deal", {"title": "другой"}, ids[1])
    kit.now.pass_(days=2)
    at = None
    with dying(None) as death:
        works.poll(hub, hub.plugs["shop"])
        at = death.seen.index("commit:after")
    assert gone(hub) == [ids[6]], "undisturbed, it is found"
    kit.now.pass_(days=2)
    purge(kit, ids[4:5])
    points = [n for n, name in enumerate(death.seen) if name == "call:shop.scan:after"]
    with dying(points[1] + 1):
        works.poll(hub, hub.plugs["shop"])
    assert at is not None
    hub = kit.open()
    kit.now.pass_(minutes=5)
    works.poll(hub, hub.plugs["shop"])
    assert gone(hub) == [ids[6]], "the earlier pages were not seen in this run"
    kit.now.pass_(hours=2)
    works.poll(hub, hub.plugs["shop"])
    assert sorted(gone(hub)) == sorted([ids[4], ids[6]]), "it is made again from the beginning within two hours"


def test_an_adapter_that_calls_a_resumed_scan_complete_is_not_believed(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = shop(kit)
    ids = deals(kit, 12)
    sync(hub)
    purge(kit, ids[:2])
    honest = MemoryAdapter.scan

    def boastful(self: MemoryAdapter, kind: str, start: Any) -> Iterator[Page]:
        for page in honest(self, kind, start):
            yield Page(page.records, page.cursor, page.last, complete=page.last)

    monkeypatch.setattr(MemoryAdapter, "scan", boastful)
    sync(hub)
    assert gone(hub) == []


def only(monkeypatch: pytest.MonkeyPatch, allowed: Callable[[int, str], bool]) -> None:
    """A filter of the source, which the setting `page_size` stands for: allowed(page_size, id)."""
    whole = MemoryAdapter._page

    def page(self: MemoryAdapter, kind: str, seen: int) -> tuple[list[Record], bool]:
        records, last = whole(self, kind, seen)
        return [r for r in records if allowed(self.settings.page_size, r.id)], last

    monkeypatch.setattr(MemoryAdapter, "_page", page)


def test_another_filter_deletes_nobody_now_or_later(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the new filter leaves out was not deleted by anybody (case 4)."""
    hub = shop(kit, page_size=100)
    ids = deals(kit, 20)
    only(monkeypatch, lambda size, id: size == 100 or id != ids[3])
    sync(hub)
    kit.close(hub)
    hub = shop(kit, page_size=99)
    kit.forget_calls()
    runs = sync(hub)
    assert total(runs, "same") == 19, "everything is listed anew, at once"
    assert gone(hub) == []
    for _ in range(2):
        kit.now.pass_(days=2)
        sync(hub)
        assert gone(hub) == [], "nor is it news in a later complete scan"
    lose(kit, hub, ids[5:6])
    assert gone(hub) == [ids[5]], "of the others absence means what it says"
    kit.close(hub)
    hub = shop(kit, page_size=100)
    sync(hub)
    lose(kit, hub, ids[3:4])
    assert sorted(gone(hub)) == sorted([ids[3], ids[5]]), "once it is listed again, so does its absence"


def test_a_filter_that_leaves_nothing_is_said_aloud(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit, page_size=100)
    deals(kit, 3)
    only(monkeypatch, lambda size, id: size == 100)
    sync(hub)
    kit.close(hub)
    hub = shop(kit, page_size=99)
    sync(hub, trouble=True)
    last = rows(hub, run_table)[-1]
    assert (last.outcome, last.error["code"], gone(hub)) == ("failed", "scan.empty", [])


def test_a_secret_is_no_part_of_the_filter(kit: Kit) -> None:
    hub = kit.open({"tilda": {"adapter": "tilda", "secret": "слово"}})
    first = absence.filter_of(hub.plugs["tilda"], "lead")
    kit.close(hub)
    hub = kit.open({"tilda": {"adapter": "tilda", "secret": "другое"}})
    assert absence.filter_of(hub.plugs["tilda"], "lead") == first
    assert absence.filter_of(hub.plugs["tilda"], "deal") != first


def test_the_cursor_of_another_filter_is_not_used_even_without_complete_scans(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = shop(kit, page_size=100)
    deals(kit, 3)
    sync(hub)
    assert one(hub, cursor, native_kind="deal").cursor == {"seen": 3}
    kit.close(hub)
    hub = shop(kit, page_size=99)
    assert total(sync(hub), "same") == 3
    assert total(sync(hub), "same") == 0


def test_what_was_made_while_the_scan_ran_is_not_gone(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record made by a webhook between the pages of a complete scan was not there when its page was read (case 9)."""
    hub = shop(kit, page_size=2)
    deals(kit, 6)
    sync(hub)
    kit.now.pass_(days=2)
    whole = MemoryAdapter._page

    def page(self: MemoryAdapter, kind: str, seen: int) -> tuple[list[Record], bool]:
        if seen == 2:
            give(hub, "shop", "deal", "new-1", {**DEAL, "number": "new-1"})
        return whole(self, kind, seen)

    monkeypatch.setattr(MemoryAdapter, "_page", page)
    sync(hub)
    assert gone(hub) == []


# a clear word ----------------------------------------------------------------------------------------------------------


def test_a_reread_that_finds_everything_gone_is_not_believed(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 3)
    sync(hub)
    purge(kit, ids)
    (run,) = works.recheck(hub, hub.plugs["shop"])
    assert (run.outcome, gone(hub)) == ("waiting", [])
    allow(hub)
    (run,) = works.recheck(hub, hub.plugs["shop"])
    assert sorted(gone(hub)) == sorted(ids)


def test_a_reread_that_misses_one_marks_it(kit: Kit) -> None:
    hub = shop(kit)
    ids = deals(kit, 3)
    sync(hub)
    purge(kit, ids[:1])
    (run,) = works.recheck(hub, hub.plugs["shop"])
    assert (run.outcome, run.counts.changed, gone(hub)) == ("ok", 1, [ids[0]])


def test_a_hint_about_a_record_that_is_gone(kit: Kit) -> None:
    from adapters.base import Hint

    hub = shop(kit)
    ids = deals(kit, 2)
    sync(hub)
    purge(kit, ids[:1])
    plug = hub.plugs["shop"]
    counts = take_chunk(hub.world, plug, [Hint("deal", ids[0]), Hint("deal", "never-seen")], Cause())
    assert (counts.changed, counts.skipped, gone(hub)) == (1, 1, [ids[0]])


# what follows ----------------------------------------------------------------------------------------------------------


def both(kit: Kit, **sections: Any) -> tuple[Hub, str]:
    """A deal of the shop that lives in a CRM too."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        owners={"deal.title": "manual", "deal.comment": "manual"},
        **sections,
    )
    id = kit.world("shop").put("deal", {**DEAL, "number": "1043", "comment": "было"})
    sync(hub)
    assert len(rows(hub, link)) == 2
    return hub, id


def test_archive_leaves_the_other_systems_alone(kit: Kit) -> None:
    hub, id = both(kit)
    kit.forget_calls()
    kit.world("shop").delete("deal", id)
    sync(hub)
    assert one(hub, record, kind="deal").data["archived"] is True
    assert kit.writes() == []
    assert [row.deleted_at is not None for row in rows(hub, link)] == [True, False]
    assert rows(hub, conflict) == []
    kit.forget_calls()
    assert total(sync(hub), "writes") == 0


def test_detach_ends_one_link_and_keeps_the_history(kit: Kit) -> None:
    hub, id = both(kit, deletes={"deal": "detach"})
    kit.world("shop").delete("deal", id)
    sync(hub)
    deal = one(hub, record, kind="deal")
    assert "archived" not in deal.data
    assert [(r.connection, r.state) for r in rows(hub, link)] == [("shop", "detached"), ("crm", "linked")]
    assert [n.changes for n in rows(hub, journal, why="detached")] == [{"link": [f"shop/deal/{id}", None]}]
    kit.world("crm").put("deal", {"comment": "дальше без магазина"}, "1")
    sync(hub)
    assert one(hub, record, kind="deal").data["comment"] == "дальше без магазина"
    kit.world("shop").put("deal", {"title": "Шкаф"}, id)
    sync(hub)
    assert [r.state for r in rows(hub, link)] == ["linked", "linked"]
    assert len(rows(hub, record, kind="deal")) == 1
    assert [n.changes for n in rows(hub, journal, why="revived")] == [{"link": [None, f"shop/deal/{id}"]}]


def test_a_link_that_a_person_took_off_is_left_alone(kit: Kit) -> None:
    hub, id = both(kit)
    with hub.store.begin() as tx:
        tx.execute(link.update().where(link.c.connection == "shop").values(state="detached"))
    kit.world("shop").put("deal", {"title": "не наше дело"}, id)
    assert total(sync(hub), "skipped") == 1
    assert one(hub, record, kind="deal").data["title"] == "Шкаф"


@pytest.mark.parametrize("deletion_first", [True, False])
def test_deleted_here_and_edited_there_is_a_question(kit: Kit, deletion_first: bool) -> None:
    """Whichever was heard of first, the end is the same (I12)."""
    hub, id = both(kit)
    edit = ("crm", "deal", {"comment": "клиент перезвонит"}, "1")
    polls = [lambda: kit.world("shop").delete("deal", id), lambda: kit.world(edit[0]).put(*edit[1:])]
    order = ["shop", "crm"] if deletion_first else ["crm", "shop"]
    for change in polls:
        change()
    for name in order:
        works.poll(hub, hub.plugs[name])
    sync(hub)
    question = one(hub, conflict)
    assert (question.field, question.cause, question.state) == ("archived", "deleted_edited", "open")
    assert question.sides == {"shop/deal": True, "crm/deal": False}
    deal = one(hub, record, kind="deal")
    assert (bool(deal.data.get("archived")), deal.data["comment"]) == (False, "клиент перезвонит")
    assert [(r.connection, r.state) for r in rows(hub, link)] == [("shop", "gone"), ("crm", "linked")]
    assert rows(hub, intent, state="planned") == []
    assert rows(hub, quarantine) == []
    acts.decide_conflict(hub, question.id, "shop/deal", "Анна")
    sync(hub)
    assert one(hub, record, kind="deal").data["archived"] is True
    assert [c.state for c in rows(hub, conflict)] == ["decided"]


def test_the_question_ends_when_the_record_comes_back(kit: Kit) -> None:
    hub, id = both(kit)
    kit.world("shop").delete("deal", id)
    kit.world("crm").put("deal", {"comment": "ещё нужен"}, "1")
    sync(hub)
    assert one(hub, conflict).state == "open"
    kit.world("shop").put("deal", {"title": "Шкаф"}, id)
    sync(hub)
    sync(hub)
    assert one(hub, conflict).state == "gone"
    assert kit.world("shop").rows("deal")[id]["data"]["comment"] == "ещё нужен", "it is linked as before"
    assert len(rows(hub, record, kind="deal")) == 1


def test_told_twice_that_it_is_deleted(kit: Kit) -> None:
    hub, id = both(kit, deletes={"deal": "detach"})
    kit.world("shop").delete("deal", id)
    sync(hub)
    first = one(hub, link, connection="shop")
    give(hub, "shop", "deal", id, {**DEAL, "number": "1043", "comment": "в корзине"}, deleted=True)
    again = one(hub, link, connection="shop")
    assert (again.state, again.deleted_at) == ("detached", first.deleted_at)


def test_approved_is_looked_up_under_the_name_that_was_asked(kit: Kit) -> None:
    hub = shop(kit)
    deals(kit, 3)
    sync(hub)
    lose(kit, hub, ["1", "2", "3"])
    with hub.store.read() as tx:
        assert approval.newest(tx, "shop", "deletes:deal").state == "waiting"


def test_a_scan_that_did_not_see_everything_says_nothing_of_the_others(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began at the beginning and ended by its mark, but the source itself counts more than it showed."""
    hub = shop(kit)
    ids = deals(kit, 30)
    sync(hub)
    purge(kit, ids[:2])
    kit.now.pass_(days=2)
    honest = MemoryAdapter.scan

    def doubtful(self: MemoryAdapter, kind: str, start: Any) -> Iterator[Page]:
        for page in honest(self, kind, start):
            yield Page(page.records, page.cursor, page.last, complete=False)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryAdapter, "scan", doubtful)
        assert total(sync(hub), "same") == 28
    assert gone(hub) == []
    kit.now.pass_(hours=2)
    sync(hub)
    assert sorted(gone(hub)) == sorted(ids[:2]), "it is tried again soon, not only after a day"
