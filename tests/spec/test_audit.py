"""The journal is the proof: replayed over the first values it gives today's records and shadows, and finds what it does not
know of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync.errors import NeedHuman
from sync.hub import acts
from sync.hub.audit import audit
from sync.hub.runtime import Hub
from sync.store.tables import conflict, journal, link, record
from tests.spec.hubs import Kit, dying, give, one, rows, sync
from tests.spec.test_weave import DEAL, data, quiet, two

ROOT = Path(__file__).resolve().parents[2]


def proven(hub: Hub, links: int) -> None:
    found = audit(hub)
    assert found.mismatches == []
    assert (found.ok, found.links, found.waiting, found.unread) == (True, links, 0, 0)


def wrong(hub: Hub) -> list[tuple[str, str]]:
    found = audit(hub)
    assert not found.ok
    assert found.wrong == len(found.mismatches)
    return [(m.where, m.field) for m in found.mismatches]


def notes(hub: Hub, why: str) -> list[Any]:
    return rows(hub, journal, why=why)


def a_life(kit: Kit) -> Hub:
    """A deal that both sides change, a conflict that a person decides, a value that its owner puts right again."""
    hub = two(kit)
    kit.world("crm").put("deal", {"stage": "in_work", "comment": "звонили"}, "1")
    sync(hub)
    kit.world("shop").put("deal", {"title": "переименован"}, "1")
    sync(hub)
    kit.world("shop").put("deal", {"comment": "из shop"}, "1")
    kit.world("crm").put("deal", {"comment": "из crm"}, "1")
    sync(hub)
    question = one(hub, conflict, field="comment", state="open")
    acts.decide_conflict(hub, question.id, "crm/deal", "Ирина", question.sides)
    sync(hub)
    return hub


def test_a_life_replays_to_what_stands(kit: Kit) -> None:
    hub = a_life(kit)
    proven(hub, 2)
    lines = [{"id": "1", "sku": "A1", "name": "Шкаф", "qty": "1", "price": "100.10", "sum": "100.10"}]
    kit.world("shop").put("deal", {"lines": lines}, "1")
    sync(hub)
    proven(hub, 2)
    quiet(kit, hub)


def test_what_a_side_showed_and_the_record_did_not_take_is_in_the_journal(kit: Kit) -> None:
    """The owner put the title right again: what stood there for a moment can still be read."""
    hub = two(kit)
    kit.world("shop").put("deal", {"title": "переименован"}, "1")
    sync(hub)
    shop = one(hub, link, connection="shop")
    (seen,) = notes(hub, "seen")
    assert (seen.link_id, seen.connection, seen.changes) == (shop.id, "shop", {"title": ["Шкаф", "переименован"]})
    written = next(n for n in notes(hub, "wrote:owner") if n.connection == "shop")
    assert written.changes == {"title": ["переименован", "Шкаф"]}, "the replaced value is named"
    assert written.link_id == shop.id
    proven(hub, 2)


def test_a_record_made_elsewhere_begins_with_what_was_written_there(kit: Kit) -> None:
    hub = two(kit)
    crm = one(hub, link, connection="crm")
    assert [n.why for n in rows(hub, journal, link_id=crm.id)] == ["wrote:created"]
    assert [n.why for n in rows(hub, journal, link_id=one(hub, link, connection="shop").id)] == ["created"]
    proven(hub, 2)


def test_a_quiet_pass_and_a_read_without_news_write_no_row(kit: Kit) -> None:
    hub = two(kit)
    before = len(rows(hub, journal))
    quiet(kit, hub)
    kit.world("shop").put("deal", {"title": DEAL["title"], "unmapped": "x"}, "1")
    sync(hub)
    assert len(rows(hub, journal)) == before, "what no mapping reads is no news"
    proven(hub, 2)


def test_a_field_that_is_not_reported_any_more_is_not_an_empty_one(kit: Kit) -> None:
    hub = two(kit)
    del kit.world("shop").rows("deal")["1"]["data"]["comment"]
    kit.world("shop").put("deal", {}, "1")
    sync(hub)
    (seen,) = notes(hub, "seen")
    assert seen.changes == {"comment": ["было"]}
    kit.world("shop").put("deal", {"comment": ""}, "1")
    sync(hub)
    proven(hub, 2)


def test_a_deletion_and_its_end(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").delete("deal", "1")
    sync(hub, trouble=True)
    assert any("deleted" in n.changes for n in notes(hub, "seen"))
    proven(hub, 2)
    kit.world("shop").put("deal", {"comment": "снова"}, "1")
    sync(hub, trouble=True)
    proven(hub, 2)


def test_catalogues_have_one_row_for_a_first_load(kit: Kit) -> None:
    hub = kit.open({"store": {"role": "accounting", "kinds": ["product"]}})
    for n in range(5):
        kit.world("store").put("product", {"name": f"Болт {n}", "sku": f"B{n}", "price": "10.5", "stock": "3"}, str(n))
    sync(hub)
    assert [n.why for n in rows(hub, journal)] == ["created"] * 5
    proven(hub, 5)
    kit.world("store").put("product", {"price": "11.50"}, "1")
    kit.world("store").delete("product", "2")
    sync(hub)
    proven(hub, 5)


def test_a_changed_mapping_is_noted_as_that_and_waits_until_then(kit: Kit, tmp_path: Path) -> None:
    hub = two(kit)
    kit.close(hub)
    own = tmp_path / "own"
    own.mkdir()
    (own / "memory.toml").write_text(
        'system = "memory"\nversion = 1\n[deal]\nkind = "deal"\n[deal.fields]\ncomment = { get = "title" }\n',
        encoding="utf-8",
    )
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        hub={"mappings": str(own)},
    )
    found = audit(hub)
    assert (found.wrong, found.waiting) == (0, 2), found.mismatches
    kit.world("shop").put("deal", {"currency": "RUB"}, "1")
    kit.world("crm").put("deal", {"currency": "RUB"}, "1")
    sync(hub, trouble=True)
    found = audit(hub)
    assert (found.mismatches, found.waiting) == ([], 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: {f: ([v[0], "won"] if f == "stage" else v) for f, v in n.items()},
        lambda n: {f: (["paid", v[1]] if f == "stage" else v) for f, v in n.items()},
        lambda n: {f: v for f, v in n.items() if f != "stage"},
        lambda n: {**n, "stage": "won"},
    ],
    ids=["after", "before", "left out", "no pair"],
)
@pytest.mark.parametrize("why", ["owner", "seen", "wrote:owner"])
def test_a_row_that_was_tampered_with(kit: Kit, why: str, change: Any) -> None:
    hub = two(kit)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    sync(hub)
    proven(hub, 2)
    row = next(n for n in notes(hub, why) if "stage" in n.changes)
    with hub.store.begin() as tx:
        tx.execute(sa.update(journal).where(journal.c.id == row.id).values(changes=change(dict(row.changes))))
    if why == "wrote:owner" and change(row.changes).get("stage", [0])[0] == "paid":
        return  # what stood there before our own write is told by the row before it
    assert "stage" in {f for _, f in wrong(hub)}


@pytest.mark.parametrize("why", ["created", "owner", "seen", "wrote:created", "wrote:owner", "human"])
def test_a_row_that_is_gone(kit: Kit, why: str) -> None:
    hub = a_life(kit)
    row = next(n for n in notes(hub, why) if n.kind == "deal")
    with hub.store.begin() as tx:
        tx.execute(sa.delete(journal).where(journal.c.id == row.id))
    assert wrong(hub)


def test_a_record_a_shadow_or_a_link_changed_behind_the_hub(kit: Kit) -> None:
    hub = two(kit)
    deal = one(hub, record, kind="deal")
    with hub.store.begin() as tx:
        tx.execute(record.update().where(record.c.uid == deal.uid).values(data={**deal.data, "title": "Стол"}))
    assert wrong(hub) == [("record", "title")]
    with hub.store.begin() as tx:
        tx.execute(record.update().where(record.c.uid == deal.uid).values(data=deal.data))
        shop = one_of(tx, "shop")
        forged = hub.plugs["shop"]
        data = {**shop.shadow, "title": "Стол"}
        from adapters.base import Record

        digest = forged.hash(Record("deal", "1", data, shop.version))
        tx.execute(link.update().where(link.c.id == shop.id).values(shadow=data, shadow_hash=digest))
    assert wrong(hub) == [("shop/deal 1", "title")]
    found = audit(hub, "1043")
    assert (found.wrong, found.records) == (1, 1)
    with hub.store.begin() as tx:
        tx.execute(sa.delete(record).where(record.c.uid == deal.uid))
    assert ("record", "uid") in wrong(hub)


def one_of(tx: sa.Connection, connection: str) -> Any:
    return tx.execute(sa.select(link).where(link.c.connection == connection)).one()


def test_an_unknown_deal_and_a_connection_that_is_gone(kit: Kit) -> None:
    hub = two(kit)
    with pytest.raises(NeedHuman):
        audit(hub, "9")
    kit.close(hub)
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}})
    found = audit(hub)
    assert (found.ok, found.links, found.unread) == (True, 1, 1)


def test_killed_anywhere_the_journal_still_proves_it(kit: Kit) -> None:
    hub = two(kit)
    for after in range(0, 40, 3):
        kit.world("crm").put("deal", {"comment": f"v{after}"}, "1")
        with dying(after):
            sync(hub, trouble=True)
        kit.close(hub)
        hub = kit.open()
        assert audit(hub).mismatches == []
    kit.now.pass_(hours=2)
    sync(hub)
    assert data(kit, "shop")["comment"] == "v39"
    proven(hub, 2)


def test_a_whole_catalogue_is_audited_page_by_page(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.hub.audit.PAGE", 3)
    hub = kit.open({"store": {"kinds": ["product", "contact"]}})
    for n in range(7):
        kit.world("store").put("product", {"name": f"Болт {n}", "sku": f"B{n}"}, str(n))
    give(hub, "store", "contact", "1", {"name": "Анна Тестова", "phones": ["+79161234567"]})
    seen: list[int] = []
    sync(hub)
    found = audit(hub, progress=lambda a: seen.append(a.records))
    assert (found.ok, found.links, found.records) == (True, 8, len(rows(hub, record)))
    assert seen[:2] == [3, 6]


def test_nothing_in_the_code_changes_or_deletes_a_journal_row() -> None:
    forbidden = re.compile(
        r"journal\s*\.\s*(update|delete)\b|(update|delete)\(\s*(tables\.)?journal\b|(UPDATE|DELETE FROM|INTO)\s+journal\s+SET",
        re.IGNORECASE,
    )
    for path in sorted((ROOT / "sync").rglob("*.py")):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path
    assert all(forbidden.search(t) for t in ("journal.update()", "sa.delete(journal)", "update journal set x"))
