"""The verify pass: both sides of everything are compared, nothing is changed, and what nobody can explain is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Capabilities, Page
from sync.errors import BadConfig
from sync.flow.drift import Report
from sync.hub import acts, verifying
from sync.hub.runtime import Hub
from sync.hub.service import Service
from sync.store.tables import conflict, due, journal, link, quarantine, record
from sync.store.tables import run as runs
from tests.spec.hubs import START, Kit, contents, dying, one, rows, sync
from tests.spec.test_weave import DEAL, data, quiet, two

WRITTEN = ("run", "lease", "bucket")  # what a pass may write beside conflicts


def verified(kit: Kit, hub: Hub, *, conflicts: bool = False) -> dict[str, Report]:
    """A pass that changes nothing: no write call at a peer, no row but its runs (and, where told so, conflicts)."""
    kit.forget_calls()
    without = (*WRITTEN, "conflict") if conflicts else WRITTEN
    before = contents(hub.store, without)
    found, trouble = verifying.verify(hub)
    assert trouble == {}
    assert contents(hub.store, without) == before
    assert kit.writes() == []
    for report in found:
        summed = report.same + report.news + report.waiting + report.drifted + report.missing + report.unknown
        assert report.read == summed
    for row in rows(hub, runs):
        assert row.read == row.new + row.changed + row.same + row.skipped + row.failed
    return {f"{r.connection}/{r.kind}": r for r in found}


def last_run(hub: Hub, connection: str) -> Any:
    return [r for r in rows(hub, runs, connection=connection) if r.work.startswith("verify")][-1]


def forge(hub: Hub, connection: str, **values: Any) -> None:
    """The record's own value is changed behind everybody's back."""
    deal = one(hub, record, kind="deal")
    with hub.store.begin() as tx:
        tx.execute(record.update().where(record.c.uid == deal.uid).values(data={**deal.data, **values}))


def test_where_everything_agrees_nothing_is_said(kit: Kit) -> None:
    hub = two(kit)
    for report in verified(kit, hub).values():
        assert (report.read, report.same, report.wrong, report.examples) == (1, 1, 0, [])
    assert last_run(hub, "shop").outcome == "idle"
    assert last_run(hub, "shop").error is None
    quiet(kit, hub)


def test_news_is_not_yet_pulled_and_no_drift(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    kit.world("shop").put("deal", {**DEAL, "number": "1044"})
    kit.world("crm").put("deal", {"unmapped": "x"}, "1")
    found = verified(kit, hub)
    shop = found["shop/deal"]
    assert (shop.read, shop.news, shop.wrong) == (2, 2, 0)
    assert [e["fields"] for e in shop.examples] == [["comment"], ["created"]]
    assert found["crm/deal"].same == 1, "what no mapping reads is no news"
    assert last_run(hub, "shop").outcome == "idle"
    sync(hub)
    assert data(kit, "crm")["comment"] == "новое", "the next sync takes it as always"


def test_both_stand_still_and_differ(kit: Kit) -> None:
    hub = two(kit)
    forge(hub, "crm", comment="испорчено")
    found = verified(kit, hub, conflicts=True)
    shop = found["shop/deal"]
    assert (shop.drifted, shop.drift, shop.opened) == (1, {"comment": 1}, 1)
    example = shop.examples[0]
    assert (example["what"], example["number"], example["field"]) == ("diverged", "1043", "comment")
    assert (example["hub"], example["side"], example["base"]) == ("испорчено", "было", "было")
    question = one(hub, conflict)
    assert (question.cause, question.field, question.base, question.state) == (
        "diverged",
        "comment",
        "было",
        "open",
    )
    assert question.sides == {"shop/deal": "было", "crm/deal": "было"}
    own = last_run(hub, "shop")
    assert (own.outcome, own.failed) == ("partial", 1)
    assert "comment: 1" in own.error["ru"]
    again = verified(kit, hub, conflicts=True)
    assert len(rows(hub, conflict)) == 1, "asked once"
    assert again["shop/deal"].waiting == 1


def test_a_damaged_base_asks_and_goes_on_asking(kit: Kit) -> None:
    """A side stands still, and what was agreed with it is wrong: no sync may take either value for news."""
    hub = two(kit)
    with hub.store.begin() as tx:
        crm = one(hub, link, connection="crm")
        damaged = {**crm.shadow, "comment": "там"}
        from adapters.base import Record

        kit.world("crm").rows("deal")["1"]["data"]["comment"] = "там"
        digest = hub.plugs["crm"].hash(Record("deal", "1", damaged))
        tx.execute(link.update().where(link.c.id == crm.id).values(shadow=damaged, shadow_hash=digest))
    found = verified(kit, hub, conflicts=True)
    assert found["crm/deal"].drift == {"comment": 1}
    assert one(hub, conflict).cause == "diverged"
    kit.world("shop").put("deal", {"title": "Шкаф"}, "1")
    sync(hub)
    kit.world("crm").put("deal", {"title": "Шкаф новый"}, "1")
    sync(hub)
    question = one(hub, conflict)
    assert (question.state, question.cause) == ("open", "diverged")
    assert (data(kit, "shop")["comment"], data(kit, "crm")["comment"]) == ("было", "там")
    assert data(kit, "shop")["title"] == "Шкаф новый", "the other fields go on"
    acts.decide_conflict(hub, question.id, "crm/deal", "Ирина", question.sides)
    sync(hub)
    assert data(kit, "shop")["comment"] == data(kit, "crm")["comment"] == "там"
    assert verified(kit, hub)["crm/deal"].same == 1
    quiet(kit, hub)


def test_an_owners_word_needs_no_person(kit: Kit) -> None:
    """Drift all the same: the next look at the record puts it right."""
    hub = two(kit)
    forge(hub, "crm", title="испорчено")
    found = verified(kit, hub)
    assert found["shop/deal"].drift == {"title": 1}
    assert found["crm/deal"].drift == {"title": 1}
    assert found["crm/deal"].opened == 0
    assert last_run(hub, "crm").outcome == "partial"


def test_a_catalogue_that_was_loaded_at_once_is_judged_as_well(kit: Kit) -> None:
    hub = kit.open(
        {"store": {"role": "crm", "kinds": ["product"]}, "shop": {"role": "shop", "kinds": ["product"]}},
        [("product", "shop", "store")],
    )
    for n in range(3):
        kit.world("store").put("product", {"name": f"Болт {n}", "sku": f"B{n}"}, str(n))
    sync(hub)
    with hub.store.begin() as tx:
        bolt = one(hub, record, number="B1")
        tx.execute(record.update().where(record.c.uid == bolt.uid).values(data={**bolt.data, "name": "Гайка"}))
    found = verified(kit, hub, conflicts=True)["store/product"]
    assert (found.drift, found.opened, found.same) == ({"name": 1}, 1, 2)


def test_what_is_on_its_way_or_asked_already_is_no_drift(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "error", "times": 9}]
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    kit.world("crm").plan.faults = []
    found = verified(kit, hub)
    assert (found["crm/deal"].waiting, found["crm/deal"].wrong) == (1, 0)
    kit.world("shop").put("deal", {"comment": "из shop"}, "1")
    kit.world("crm").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    found = verified(kit, hub)
    assert len(rows(hub, conflict, state="open")) == 1
    assert (found["crm/deal"].waiting, found["shop/deal"].wrong + found["crm/deal"].wrong) == (1, 0)


def test_a_system_that_is_not_written_keeps_its_word(kit: Kit) -> None:
    """Told with its field, and not counted as drift: it is so by the configuration."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    kit.close(hub)
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}})
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    assert data(kit, "shop")["stage"] == "new"
    found = verified(kit, hub)
    shop = found["shop/deal"]
    assert (shop.kept, shop.drift, shop.same, shop.wrong) == ({"stage": 1}, {}, 1, 0)
    assert shop.examples[0]["what"] == "kept"


def test_missing_there_and_unknown_here(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").put("deal", {**DEAL, "number": "1044"})
    sync(hub)
    kit.world("shop").delete("deal", "1", purge=True)
    kit.world("crm").rows("deal")["99"] = {"data": {"title": "?"}, "key": "", "version": 1, "deleted": False}
    found = verified(kit, hub)
    assert (found["shop/deal"].missing, found["shop/deal"].same) == (1, 1)
    assert (found["crm/deal"].unknown, found["crm/deal"].same) == (1, 2), "older than the cursor: no poll will bring it"
    assert {e["what"] for r in found.values() for e in r.examples} == {"missing", "unknown"}
    assert "1" in last_run(hub, "shop").error["en"]
    assert {last_run(hub, n).outcome for n in ("shop", "crm")} == {"partial"}
    assert one(hub, link, connection="shop", external_id="1").deleted_at is None, "nothing is believed gone by this"


def test_what_waits_in_quarantine_is_not_unknown(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").rows("deal")["99"] = {"data": {}, "key": "", "version": 1, "deleted": False}
    with hub.store.begin() as tx:
        tx.execute(
            quarantine.insert().values(
                connection="crm",
                native_kind="deal",
                external_id="99",
                stage="intake",
                code="x",
                text={"en": "x", "ru": "х"},
                state="open",
                first_at=hub.now(),
                last_at=hub.now(),
            )
        )
    found = verified(kit, hub)
    assert (found["crm/deal"].waiting, found["crm/deal"].unknown) == (1, 0)


def test_a_deleted_record_stays_deleted(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").delete("deal", "1")
    assert verified(kit, hub)["shop/deal"].news == 1
    sync(hub, trouble=True)
    assert verified(kit, hub)["shop/deal"].wrong == 0


def test_an_incomplete_list_says_nothing_of_what_is_missing(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = two(kit)
    adapter = hub.plugs["shop"].adapter
    scan = adapter.scan
    monkeypatch.setattr(adapter, "scan", lambda *a: (replace(p, records=[], complete=False) for p in scan(*a)))
    found = verified(kit, hub)["shop/deal"]
    assert (found.complete, found.missing, found.read) == (False, 0, 0)
    monkeypatch.setattr(adapter, "scan", lambda *a: (replace(p, records=[]) for p in scan(*a)))
    found = verified(kit, hub)["shop/deal"]
    assert (found.missing, found.same) == (0, 1), "a list that leaves it out: asked for by its id it is there"


def test_a_system_that_lists_nothing_is_read_one_by_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.flow.verify.PAGE", 2)
    hub = two(kit)
    for n in range(4):
        kit.world("shop").put("deal", {**DEAL, "number": f"105{n}"})
    sync(hub)
    adapter = hub.plugs["shop"].adapter
    monkeypatch.setattr(adapter, "capabilities", Capabilities(reads=frozenset({"deal"})))
    kit.world("shop").delete("deal", "2", purge=True)
    found = verified(kit, hub)["shop/deal"]
    assert (found.read, found.same, found.missing) == (5, 4, 1)
    kit.world("shop").plan.faults = [{"call": "read", "mode": "refuse", "times": 1}]
    found = verified(kit, hub)["shop/deal"]
    assert (found.waiting, found.same, found.missing) == (1, 3, 1), "one that cannot be read is not gone"


def test_many_pages_are_looked_at_one_by_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.flow.verify.PAGE", 3)
    monkeypatch.setattr("sync.flow.verify.CONFIRMED", 2)
    hub = kit.open({"store": {"role": "accounting", "kinds": ["product"], "page_size": 4}})
    for n in range(20):
        kit.world("store").put("product", {"name": f"Болт {n}", "sku": f"B{n}", "price": "1.50"}, str(n))
    sync(hub)
    told: list[int] = []
    found, _ = verifying.verify(hub, "store", lambda r: told.append(r.read))
    assert (found[0].read, found[0].same) == (20, 20)
    assert told[0] == 4
    for n in range(20):
        kit.world("store").delete("product", str(n), purge=True)
    found, _ = verifying.verify(hub, "store")
    assert (found[0].read, found[0].missing, len(found[0].examples)) == (20, 20, 5)
    assert len([c for c in kit.world("store").plan.log if c["call"] == "read"]) == 2
    assert all(k.deleted_at is None for k in rows(hub, link))


def test_a_write_during_the_pass_is_not_taken_for_drift(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page was read, then our own write ended, then the page is compared: it is older than what we know."""
    hub = two(kit)
    adapter = hub.plugs["crm"].adapter
    scan = adapter.scan

    def slow(kind: str, cursor: Any) -> Iterator[Page]:
        pages = list(scan(kind, cursor))
        if cursor is None:
            monkeypatch.setattr(adapter, "scan", scan)
            kit.world("shop").put("deal", {"comment": "новое"}, "1")
            sync(hub)
        yield from pages

    monkeypatch.setattr(adapter, "scan", slow)
    found, _ = verifying.verify(hub, "crm")
    assert (found[0].waiting, found[0].news, found[0].wrong) == (1, 0, 0)


def test_one_systems_trouble_does_not_stop_the_others(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").plan.faults = [{"call": "scan", "mode": "error", "times": 9}]
    found, trouble = verifying.verify(hub)
    assert set(trouble) == {"shop"}
    assert [r.connection for r in found] == ["crm"]
    assert last_run(hub, "shop").outcome == "failed"
    with pytest.raises(BadConfig) as caught:
        verifying.verify(hub, "sohp")
    assert "shop" in caught.value.text.ru


def test_interrupted_by_a_person_the_run_says_so(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = two(kit)

    def stop(_: Report) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verifying.verify(hub, "shop", stop)
    assert last_run(hub, "shop").outcome == "interrupted"
    assert last_run(hub, "shop").ended_at is not None
    hub.stopping.set()
    assert verifying.verify(hub, "shop")[0][0].read == 0
    assert last_run(hub, "shop").outcome == "interrupted"


def test_killed_anywhere_it_leaves_nothing_but_questions(kit: Kit) -> None:
    hub = two(kit)
    forge(hub, "crm", comment="испорчено")
    before = contents(hub.store, (*WRITTEN, "conflict"))
    for after in range(12):
        with dying(after):
            verifying.verify(hub)
        kit.close(hub)
        hub = kit.open()
        kit.now.pass_(minutes=5)
    verifying.verify(hub)
    assert contents(hub.store, (*WRITTEN, "conflict")) == before
    assert len(rows(hub, conflict)) == 1
    assert rows(hub, journal, why="human") == []


def test_it_runs_every_night_by_itself(kit: Kit) -> None:
    """By the firm's clock at hub.verify; once, however often the service starts; never where it is switched off."""
    hub = two(kit, hub={"timezone": "Europe/Moscow"})
    assert START.hour == 9
    night = verifying.next_night(hub)
    assert night is not None
    assert night.isoformat() == "2026-03-02T03:00:00+03:00"
    for _ in range(2):
        service = Service(hub, alone=False)
        for plug in hub.plugs.values():
            service._schedule(plug)
        planned = {d.name: d.next_at for d in rows(hub, due) if d.name.startswith("verify:")}
        assert planned == {"verify:shop": night, "verify:crm": night}
    kit.close(hub)
    hub = two_again(kit, {"verify": ""})
    assert verifying.next_night(hub) is None


def two_again(kit: Kit, hub: dict[str, Any]) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": ["deal"]}}, [], hub=hub)


def test_the_service_carries_it_out(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = two(kit)
    monkeypatch.setattr(verifying, "next_night", lambda _: hub.now())
    service = Service(hub, alone=hub.store.sqlite)
    service.start()
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if {r.connection for r in rows(hub, runs) if r.work == "verify deal" and r.ended_at} == {"shop", "crm"}:
                break
            time.sleep(0.05)
        else:
            raise AssertionError(rows(hub, runs))
    finally:
        service.stop()


def test_a_time_that_is_none_is_refused(kit: Kit) -> None:
    with pytest.raises(BadConfig) as caught:
        kit.open({"shop": {}}, [], hub={"verify": "25:00"})
    assert "hub.verify" in (caught.value.setting or "") + caught.value.text.en
