"""A change of mapping: what is stored is read anew, without a call, as nobody's edit; previewed, resumable, isolated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.flow import retranslate
from sync.hub import works
from sync.hub.runtime import Hub
from sync.store.tables import activity, conflict, document, intent, journal, link, plan, quarantine, record, translated
from sync.store.types import dumps
from tests.spec.hubs import (
    CLIENT,
    Kit,
    contents,
    dying,
    empty,
    every_death,
    one,
    plain,
    rows,
    sync,
    total,
)

MEMORY = Path(__file__).parents[2] / "mappings" / "memory.toml"
STAGES = {"neu": "new", "arbeit": "in_work", "bezahlt": "paid"}
QUIET = ("run", "cursor", "lease", "bucket", "translated")


def mapping(kit: Kit, stages: dict[str, str] | None = None, *, name: str = "own", more: str = "") -> None:
    """The shop's mapping: the reference one with words of its own for stages."""
    text = MEMORY.read_text(encoding="utf-8").replace('system = "memory"', 'system = "own"')
    text = text.replace('stage    = "stage"', 'stage    = "stage | lookup(stages)"')
    words = "\n".join(f'{word} = "{stage}"' for word, stage in (stages or STAGES).items())
    folder = kit.folder / "mappings"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(f"{text}\n{more}\n[tables.stages]\n{words}\n", encoding="utf-8")


def start(kit: Kit, flows: bool = True, **sections: Any) -> Hub:
    mapping(kit)
    hub = {"mappings": str(kit.folder / "mappings"), **sections.pop("hub", {})}
    return kit.open(
        {"shop": {"role": "shop", "kinds": ["deal", "product"], "mapping": "own"}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")] if flows else [],
        hub=hub,
        **{"owners": {"deal.stage": "manual", "deal.comment": "manual", "deal.title": "manual"}, **sections},
    )


def put(kit: Kit, number: str, stage: str = "neu", **more: Any) -> str:
    data = {"number": number, "title": "Шкаф", "stage": stage, "amount": "1.00", "currency": "RUB", "client": CLIENT}
    return kit.world("shop").put("deal", {**data, "comment": "было", **more})


def again(kit: Kit, hub: Hub) -> Hub:
    kit.close(hub)
    return kit.open()


def mapped(runs: list[Any]) -> list[str]:
    return [run.work for run in runs if run.work.startswith("mapping")]


def test_a_word_that_means_something_else_now(kit: Kit) -> None:
    """The record moves with the reading, journalled as "mapping"; the CRM is told in the ordinary way; nobody was asked."""
    hub = start(kit)
    put(kit, "1", "arbeit")
    put(kit, "2", "neu")
    sync(hub)
    kit.forget_calls()
    mapping(kit, {**STAGES, "arbeit": "paid"})
    hub = again(kit, hub)
    works.renew(hub, hub.plugs["shop"])
    assert [c for name in ("shop", "crm") for c in kit.world(name).plan.log] == [], "no peer is called for it"
    deals = {r.number: r for r in rows(hub, record, kind="deal")}
    assert (deals["1"].stage, deals["2"].stage) == ("paid", "new")
    notes = [n for n in rows(hub, journal, why="mapping") if n.link_id is None]
    assert [(n.record_uid, n.changes, n.who) for n in notes] == [
        (deals["1"].uid, {"stage": ["in_work", "paid"]}, "shop")
    ]
    assert rows(hub, conflict) == []
    runs = sync(hub)
    assert mapped(runs) == []
    assert kit.writes() == [("crm", "deal")]
    crm = kit.world("crm").rows("deal")[one(hub, link, connection="crm", record_uid=deals["1"].uid).external_id]
    assert crm["data"]["stage"] == "paid"
    shown = kit.world("shop").rows("deal")["1"]["data"]["stage"]
    assert shown == "arbeit", "the side that is only read otherwise is not written"
    kit.forget_calls()
    before = contents(hub.store, QUIET)
    assert total(sync(hub), "writes") == 0
    assert contents(hub.store, QUIET) == before


def test_only_the_kinds_whose_section_changed(kit: Kit) -> None:
    hub = start(kit)
    put(kit, "1")
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1"})
    sync(hub)
    assert {r.native_kind for r in rows(hub, translated, connection="shop")} == set(hub.plugs["shop"].mapping.lenses)
    own = kit.folder / "mappings" / "own.toml"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('price = "price | price"\nstock', 'price = "cost | price"\nstock'), encoding="utf-8")
    assert own.read_text(encoding="utf-8") != text
    hub = again(kit, hub)
    assert mapped(sync(hub)) == ["mapping product"]
    assert mapped(sync(hub)) == []


def test_where_the_record_holds_another_word_only_the_agreement_moves(kit: Kit) -> None:
    """A write of the CRM's value to the shop is under way: what the shop shows reads otherwise, and no conflict comes."""
    hub = start(kit)
    put(kit, "1", "neu")
    sync(hub)
    kit.world("crm").put("deal", {"stage": "paid"}, "1")
    works.poll(hub, hub.plugs["crm"])
    assert len(rows(hub, intent, state="planned", connection="shop")) == 1
    mapping(kit, {**STAGES, "neu": "in_work", "anfang": "new"})
    hub = again(kit, hub)
    works.renew(hub, hub.plugs["shop"])
    assert rows(hub, conflict) == []
    assert one(hub, record, kind="deal").stage == "paid"
    assert one(hub, link, connection="shop").base["stage"] == "in_work"
    sync(hub)
    assert kit.world("shop").rows("deal")["1"]["data"]["stage"] == "bezahlt"


def test_what_people_wrote_while_a_field_was_not_read_is_a_question(kit: Kit) -> None:
    """Nobody knows which of the two is newer: neither may be overwritten in silence."""
    hub = start(kit)
    id = put(kit, "1043")
    sync(hub)
    (there,) = kit.world("crm").rows("deal")
    whole = (kit.folder / "mappings" / "own.toml").read_text(encoding="utf-8")
    without = "\n".join(line for line in whole.splitlines() if not line.startswith("comment "))
    (kit.folder / "mappings" / "own.toml").write_text(without, encoding="utf-8")
    hub = again(kit, hub)
    kit.world("shop").put("deal", {"comment": "в магазине"}, id)
    kit.world("crm").put("deal", {"comment": "в CRM"}, there)
    sync(hub)
    (kit.folder / "mappings" / "own.toml").write_text(whole, encoding="utf-8")
    hub = again(kit, hub)
    for _ in range(2):
        sync(hub)
    asked = one(hub, conflict, state="open")
    assert asked.field == "comment"
    assert set(asked.sides.values()) == {"в магазине", "в CRM"}
    assert kit.world("shop").record("deal", id).data["comment"] == "в магазине"
    assert kit.world("crm").record("deal", there).data["comment"] == "в CRM"


def test_an_open_conflict_stays_and_shows_the_new_reading(kit: Kit) -> None:
    hub = start(kit, owners={"deal.stage": "manual", "deal.comment": "manual"})
    put(kit, "1")
    sync(hub)
    kit.world("shop").put("deal", {"comment": "shop"}, "1")
    kit.world("crm").put("deal", {"comment": "crm"}, "1")
    for name in ("shop", "crm"):
        works.poll(hub, hub.plugs[name])
    asked = one(hub, conflict)
    assert (asked.state, asked.sides) == ("open", {"shop/deal": "shop", "crm/deal": "crm"})
    mapping(kit)
    own = kit.folder / "mappings" / "own.toml"
    own.write_text(
        own.read_text(encoding="utf-8").replace('comment  = "comment"\n', 'comment  = "note"\n', 1), encoding="utf-8"
    )
    kit.world("shop").state["kinds"]["deal"]["1"]["data"]["note"] = "x"
    with hub.store.begin() as tx:  # the field under which it is found now stood in the shadow all the time
        row = one_of(tx, "shop")
        tx.execute(link.update().where(link.c.id == row.id).values(shadow={**row.shadow, "note": "заметка"}))
    hub = again(kit, hub)
    works.renew(hub, hub.plugs["shop"])
    asked = one(hub, conflict)
    assert (asked.state, asked.sides) == ("open", {"shop/deal": "заметка", "crm/deal": "crm"})


def one_of(tx: Any, connection: str) -> Any:
    return tx.execute(link.select().where(link.c.connection == connection)).one()


def test_values_that_can_be_read_now_leave_quarantine(kit: Kit) -> None:
    hub = start(kit, flows=False)
    put(kit, "1", "unbekannt")
    sync(hub)
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.field, one(hub, record, kind="deal").stage) == ("mapping.value", "stage", "new")
    mapping(kit, {**STAGES, "unbekannt": "in_work"})
    hub = again(kit, hub)
    sync(hub)
    assert one(hub, quarantine).state == "closed"
    assert one(hub, record, kind="deal").stage == "in_work"


def test_a_record_that_could_not_be_taken_at_all(kit: Kit) -> None:
    hub = start(kit)
    kit.world("shop").put("company", {"name": "ООО «Тест»", "inn": "7707083893"})
    kit.close(hub)
    kit.folder.joinpath("mappings/own.toml").write_text('system = "own"\nversion = 1\n', encoding="utf-8")
    hub = kit.open()
    from tests.spec.hubs import give

    assert give(hub, "shop", "company", "1", {"name": "ООО «Тест»", "inn": "7707083893"}) == "failed"
    assert one(hub, quarantine).code == "mapping.kind"
    mapping(kit)
    hub = again(kit, hub)
    with hub.store.begin() as tx:  # a kind that the old mapping did not have has nothing to be read anew: it is new
        tx.execute(translated.insert().values(connection="shop", native_kind="company", fingerprint="old", done=0))
    sync(hub)
    assert one(hub, quarantine).state == "closed"
    assert one(hub, record, kind="company").title == "ООО «Тест»"


def test_the_preview_says_what_will_happen_and_changes_nothing(kit: Kit) -> None:
    hub = start(kit, flows=False)
    for number, stage in (("1", "arbeit"), ("2", "arbeit"), ("3", "neu"), ("4", "unbekannt")):
        put(kit, number, stage)
    sync(hub)
    with hub.store.read() as tx:
        assert retranslate.preview(hub.world, tx, hub.plugs["shop"]) == {}
    mapping(kit, {"neu": "new", "arbeit": "paid", "unbekannt": "in_work"})
    hub = again(kit, hub)
    before = contents(hub.store)
    kit.forget_calls()
    with hub.store.read() as tx:
        found = retranslate.preview(hub.world, tx, hub.plugs["shop"])["deal"]
    assert contents(hub.store) == before
    assert kit.world("shop").plan.log == []
    assert (found["records"], found["changed"], found["unreadable"], found["heals"]) == (4, 3, 0, 1)
    assert found["fields"] == {"stage": 3}
    assert {"id": "1", "field": "stage", "before": "in_work", "after": "paid"} in found["examples"]
    (run,) = works.renew(hub, hub.plugs["shop"])
    assert (run.counts.changed, run.counts.failed) == (4, 0), "deals have clients and events: each was looked at"
    assert sorted(r.stage for r in rows(hub, record, kind="deal")) == ["in_work", "new", "paid", "paid"]


def test_plain_records_are_not_looked_at_one_by_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = start(kit)
    for n in range(5):
        kit.world("shop").put("product", {"name": f"Болт {n}", "sku": f"B-{n}", "price": "1.5", "cost": "1.50"})
    sync(hub)
    own = kit.folder / "mappings" / "own.toml"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('price = "price | price"\nstock', 'price = "cost | price"\nstock'), encoding="utf-8")
    hub = again(kit, hub)
    monkeypatch.setattr(retranslate, "absorb", None)
    (run,) = works.renew(hub, hub.plugs["shop"])
    assert (run.counts.same, run.counts.failed) == (5, 0)
    assert total(sync(hub), "changed") == 0, "their hashes are those of the new reading"


def test_timeline_and_client_are_not_doubled(kit: Kit) -> None:
    hub = start(kit)
    put(kit, "1")
    sync(hub)
    before = [plain(hub, t) for t in (activity, document)]
    mapping(kit, {**STAGES, "mehr": "won"})
    hub = again(kit, hub)
    assert mapped(sync(hub)) == ["mapping deal"]
    assert [plain(hub, t) for t in (activity, document)] == before
    assert len(rows(hub, record)) == 2


def test_a_poisoned_record_stops_only_itself(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = start(kit)
    for n in ("1", "2", "3"):
        put(kit, n, "arbeit")
    sync(hub)
    mapping(kit, {**STAGES, "arbeit": "paid"})
    hub = again(kit, hub)
    whole = retranslate.absorb

    def absorb(world: Any, tx: Any, plug: Any, rec: Any, cause: Any) -> Any:
        if rec.id == "2":
            raise KeyError("a fault")
        return whole(world, tx, plug, rec, cause)

    monkeypatch.setattr(retranslate, "absorb", absorb)
    (run,) = works.renew(hub, hub.plugs["shop"])
    assert (run.counts.changed, run.counts.failed, run.outcome) == (2, 1, "partial")
    assert (one(hub, quarantine).external_id, one(hub, quarantine).code) == ("2", "record.unexpected")
    assert sorted(r.stage for r in rows(hub, record, kind="deal")) == ["in_work", "paid", "paid"]


def test_killed_anywhere_it_goes_on(kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retranslate, "BATCH", 1)

    def scenario(after: int | None) -> Any:
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub = start(life, flows=False)
            for n in ("1", "2", "3"):
                put(life, n, "arbeit")
            sync(hub)
            mapping(life, {**STAGES, "arbeit": "paid"})
            hub = again(life, hub)
            with dying(after) as death:
                works.renew(hub, hub.plugs["shop"])
            life.now.pass_(minutes=5)
            hub = again(life, hub)
            sync(hub)
            state = [plain(hub, t) for t in (record, journal, conflict, intent, translated)]
            assert dumps([r.base["stage"] for r in rows(hub, link, connection="shop")]) == '["paid","paid","paid"]'
            return death, state

    number, end = every_death(scenario, step=3)
    assert number >= 10, number
    assert sum('"why":"mapping"' in line for line in end[1]) == 6, "one note of each record, one of each link"


def test_changed_once_more_on_the_way(kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retranslate, "BATCH", 1)
    hub = start(kit, flows=False)
    for n in ("1", "2", "3"):
        put(kit, n, "arbeit")
    sync(hub)
    mapping(kit, {**STAGES, "arbeit": "paid"})
    hub = again(kit, hub)
    with dying(7):
        works.renew(hub, hub.plugs["shop"])
    stages = sorted(r.stage for r in rows(hub, record, kind="deal"))
    assert stages not in (["paid"] * 3, ["in_work"] * 3), "it was killed half way"
    mapping(kit, {**STAGES, "arbeit": "won"})
    kit.now.pass_(minutes=5)
    hub = again(kit, hub)
    sync(hub)
    assert [r.stage for r in rows(hub, record, kind="deal")] == ["won"] * 3
    assert rows(hub, conflict) == []
    assert [r.base["stage"] for r in rows(hub, link, connection="shop")] == ["won"] * 3
    assert one(hub, translated, connection="shop", native_kind="deal").wanted is None


def test_many_writes_that_follow_wait_for_approval(kit: Kit) -> None:
    hub = start(kit, limits={"first_run": "go", "writes": 2, "writes_percent": 10})
    for n in range(2):
        put(kit, str(n), "arbeit")
    sync(hub)
    put(kit, "2", "arbeit")
    put(kit, "3", "arbeit")
    sync(hub)
    assert len(rows(hub, link, connection="crm")) == 4
    mapping(kit, {**STAGES, "arbeit": "paid"})
    hub = again(kit, hub)
    kit.forget_calls()
    sync(hub, trouble=True)
    assert kit.writes() == []
    assert [(p.reason, p.state, p.connection) for p in rows(hub, plan)] == [("divergence", "waiting", "crm")]


def test_records_of_a_version_that_kept_no_fingerprint(kit: Kit) -> None:
    """Nothing is known of the mapping that they were read with: their own hashes tell."""
    hub = start(kit)
    put(kit, "1", "arbeit")
    sync(hub)
    with hub.store.begin() as tx:
        tx.execute(translated.delete())
    hub = again(kit, hub)
    assert mapped(sync(hub)) == []
    with hub.store.begin() as tx:
        tx.execute(translated.delete())
    mapping(kit, {**STAGES, "arbeit": "paid"})
    hub = again(kit, hub)
    assert mapped(sync(hub)) == ["mapping deal"]
    assert one(hub, record, kind="deal").stage == "paid"
