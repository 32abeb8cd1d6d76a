"""Scans: what a page may do to the inbox and the cursor, records that contradict themselves, and the named cases of polling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Hint, Page, Record, RetryLater, Text
from adapters.memory import MemoryAdapter
from sync.flow import pull
from sync.flow.plug import Cause
from sync.flow.take import take_chunk
from sync.hub import works
from sync.hub.runtime import Hub
from sync.store.tables import activity, cursor, inbox, intent, journal, link, quarantine, record
from tests.spec.hubs import CLIENT, Kit, contents, dying, empty, give, one, rows, sync, total

DEAL = {"title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB", "client": CLIENT}


def shop(kit: Kit, *kinds: str, **more: Any) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": list(kinds or ("deal",)), **more}})


def listing(monkeypatch: pytest.MonkeyPatch, pages: list[list[Record]], **flags: Any) -> None:
    """A source that lists these pages each time it is asked, and keeps no cursor."""

    def scan(self: MemoryAdapter, kind: str, start: Any) -> Iterator[Page]:
        for page in pages:
            yield Page([r for r in page if r.kind == kind], {}, page is pages[-1], flags.get("complete", False))

    monkeypatch.setattr(MemoryAdapter, "scan", scan)


def deal(id: str, **more: Any) -> Record:
    return Record("deal", id, {"id": id, **DEAL, "number": id, **more}, "1")


# records that contradict themselves ------------------------------------------------------------------------------------


def test_one_id_twice_in_a_page_stops_that_record_only(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 7: the message names it; its neighbours are taken; it is taken when it is shown once."""
    hub = shop(kit)
    twins = [deal("7", title="Шкаф"), deal("7", title="Стол")]
    listing(monkeypatch, [[deal("6"), *twins, deal("8")]], complete=True)
    runs = sync(hub)
    assert (total(runs, "read"), total(runs, "new"), total(runs, "failed"), total(runs, "skipped")) == (4, 2, 1, 1)
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.external_id, waiting.native_kind) == ("scan.duplicate_id", "7", "deal")
    assert "deal 7" in waiting.text["en"]
    assert "deal 7" in waiting.text["ru"]
    assert sorted(r.number for r in rows(hub, record, kind="deal")) == ["6", "8"]
    before = contents(hub.store, ("run", "lease", "bucket", "cursor"))
    assert total(sync(hub), "failed") == 1, "no run is green as long as it is so"
    assert contents(hub.store, ("run", "lease", "bucket", "cursor")) == before, "seen again it is no news"
    listing(monkeypatch, [[deal("6"), twins[1], deal("8")]], complete=True)
    assert total(sync(hub), "new") == 1
    assert (one(hub, quarantine).state, one(hub, record, number="7").title) == ("closed", "Стол")


def test_twins_of_a_known_record_leave_it_as_it_is_and_it_is_not_gone(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = shop(kit)
    listing(monkeypatch, [[deal("6"), deal("7")]], complete=True)
    sync(hub)
    listing(monkeypatch, [[deal("6"), deal("7", title="Стол"), deal("7", title="Стул")]], complete=True)
    sync(hub)
    assert one(hub, record, number="7").title == "Шкаф"
    assert [r.deleted_at for r in rows(hub, link)] == [None, None]


def test_the_very_same_record_twice_is_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit)
    listing(monkeypatch, [[deal("6"), deal("7"), deal("6")]])
    runs = sync(hub)
    assert (total(runs, "read"), total(runs, "new"), total(runs, "same")) == (3, 2, 1)
    assert rows(hub, quarantine) == []


def test_a_record_that_moved_between_two_pages_is_taken_as_it_was_last(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small pages of a catalogue are joined; a record edited during the scan is in two of them and no contradiction."""
    hub = shop(kit, "product")
    goods = [Record("product", "1", {"id": "1", "name": "Болт", "sku": "B-1"}, "1")]
    later = [replace(goods[0], data={**goods[0].data, "name": "Гайка"}, version="2")]
    listing(monkeypatch, [goods, later])
    sync(hub)
    assert (one(hub, record, kind="product").title, rows(hub, quarantine)) == ("Гайка", [])


def test_a_poisoned_record_delays_only_its_dependants(kit: Kit) -> None:
    """I10: the order of a poisoned client's neighbour goes on; what belongs to the poisoned one waits with it."""
    hub = shop(kit, "deal", "product")
    for number in range(5):
        kit.world("shop").put("deal", {**DEAL, "number": str(number), **({"amount": "viel"} if number == 2 else {})})
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1", "price": "teuer"})
    kit.world("shop").put("product", {"name": "Гайка", "sku": "B-2", "price": "1"})
    sync(hub)
    assert len(rows(hub, record, kind="deal")) == 5
    assert sorted((r.native_kind, r.field) for r in rows(hub, quarantine)) == [("deal", "amount"), ("product", "price")]


# inbox and cursor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["deal", "product"])
def test_a_page_that_was_stored_and_not_taken_is_stored_once(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Killed between the two; the source lists everything again, because it keeps no cursor."""
    hub = shop(kit, kind)
    goods = [Record(kind, n, {"id": n, "name": n, "sku": n, "number": n, "title": n}, "1") for n in "123"]
    listing(monkeypatch, [goods])
    for after in range(60):
        empty(kit.store)
        hub = shop(kit, kind)
        with dying(after):
            works.poll(hub, hub.plugs["shop"])
        if [r.state for r in rows(hub, inbox)] == ["new"]:
            break
    assert [r.state for r in rows(hub, inbox)] == ["new"], "it was killed between storing and taking"
    kit.now.pass_(minutes=5)
    hub = kit.open()
    sync(hub)
    assert [r.state for r in rows(hub, inbox)] == ["done"]
    assert len(rows(hub, link)) == 3


def test_a_page_that_another_process_is_to_take_is_not_stored_again(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:

    hub = shop(kit)
    listing(monkeypatch, [[deal("1"), deal("2")]])
    for _ in range(2):
        pull.pull(hub.world, hub.plugs["shop"], "deal", lambda: None)
    assert [r.state for r in rows(hub, inbox)] == ["new"]
    sync(hub)
    listing(monkeypatch, [[deal("1", title="B"), deal("2")]])
    sync(hub)
    listing(monkeypatch, [[deal("1"), deal("2")]])
    sync(hub)
    assert one(hub, record, number="1").title == "Шкаф", "what comes back to what it was is news again"
    assert [r.state for r in rows(hub, inbox)] == ["done"] * 3


def test_what_a_dead_process_had_stored_is_taken_before_more_is_fetched(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source lists one record more by then: only that one is stored."""

    hub = shop(kit)
    page = [deal("1"), deal("2")]
    listing(monkeypatch, [page])
    pull.pull(hub.world, hub.plugs["shop"], "deal", lambda: None)
    page.append(deal("3"))
    sync(hub)
    assert [r.name for r in rows(hub, inbox)] == ["deal: 2", "deal/3"]
    assert len(rows(hub, link)) == 3


def test_the_cursor_never_passes_what_is_not_stored(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source fails after its first page: the cursor is that page's, and the rest comes next time."""
    hub = shop(kit, page_size=2)
    for number in range(5):
        kit.world("shop").put("deal", {**DEAL, "number": str(number)})
    whole = MemoryAdapter._page

    def page(self: MemoryAdapter, kind: str, seen: int) -> tuple[list[Record], bool]:
        if seen >= 2:
            raise RetryLater(Text("busy", "занято"), code="x.busy")
        return whole(self, kind, seen)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryAdapter, "_page", page)
        sync(hub, trouble=True)
    assert one(hub, cursor).cursor == {"seen": 2}
    assert len(rows(hub, record, kind="deal")) == 2
    assert one(hub, cursor).whole is None, "nothing is said about a scan that did not end"
    sync(hub)
    assert len(rows(hub, record, kind="deal")) == 5


# named cases -----------------------------------------------------------------------------------------------------------


def test_the_same_order_imported_twice_has_its_lines_once(kit: Kit) -> None:
    """Case 6: by another arrival, by another version, and with one line changed."""
    hub = shop(kit)
    lines = [
        {"id": "1", "sku": "A", "name": "Болт", "qty": "2", "price": "1.5"},
        {"id": "2", "sku": "B", "name": "Гайка"},
    ]
    order = {**DEAL, "number": "1043", "lines": lines}
    give(hub, "shop", "deal", "1", order, version="1")
    give(hub, "shop", "deal", "1", order, version="2")
    give(hub, "shop", "deal", "1", {**order, "lines": [{**lines[0], "qty": "3"}, lines[1]]}, version="3")
    (made,) = rows(hub, record, kind="deal")
    assert [(line["key"], line.get("qty")) for line in made.data["lines"]] == [("1", "3.000"), ("2", None)]
    assert len(rows(hub, activity)) == 1


def test_a_changed_version_without_other_contents_is_no_write(kit: Kit) -> None:
    """Case 8: nothing is journalled, nothing is written; but the next write names the version that stands there now."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}}, [("deal", "shop", "crm", "always")]
    )
    kit.world("shop").put("deal", {**DEAL, "number": "1", "comment": "a"})
    sync(hub)
    kit.forget_calls()
    notes = len(rows(hub, journal))
    for name in ("shop", "crm"):
        kit.world(name).put("deal", {}, "1")
    sync(hub)
    assert (kit.writes(), len(rows(hub, journal)), rows(hub, intent, state="planned")) == ([], notes, [])
    kit.world("crm").put("deal", {"comment": "b"}, "1")
    kit.world("shop").put("deal", {}, "1")
    sync(hub)
    assert kit.world("shop").rows("deal")["1"]["data"]["comment"] == "b"


def test_a_record_made_while_the_export_begins_is_made_once(kit: Kit) -> None:
    """Case 9: it is edited at its source between our planning the creation elsewhere and the call."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}}, [("deal", "shop", "crm", "always")]
    )
    id = kit.world("shop").put("deal", {**DEAL, "number": "1", "comment": "a"})
    works.poll(hub, hub.plugs["shop"])
    kit.world("shop").put("deal", {"comment": "b"}, id)
    give(hub, "shop", "deal", "later", {**DEAL, "number": "2"})
    sync(hub)
    sync(hub)
    crm = kit.world("crm").rows("deal")
    assert sorted(row["data"]["number"] for row in crm.values()) == ["1", "2"]
    assert next(row["data"]["comment"] for row in crm.values() if row["data"]["number"] == "1") == "b"


def test_a_webhook_about_our_own_write_is_one_read_and_no_write(kit: Kit) -> None:
    """Case 10."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}}, [("deal", "shop", "crm", "always")]
    )
    kit.world("shop").put("deal", {**DEAL, "number": "1"})
    sync(hub)
    kit.forget_calls()
    counts = take_chunk(hub.world, hub.plugs["crm"], [Hint("deal", "1")], Cause())
    assert [c["call"] for c in kit.world("crm").plan.log] == ["read"]
    assert (counts.same, counts.changed) == (1, 0)
    assert rows(hub, intent, state="planned") == []


def test_a_change_to_an_order_that_is_known_is_applied(kit: Kit) -> None:
    """Case 11."""
    hub = shop(kit)
    id = kit.world("shop").put("deal", {**DEAL, "number": "1043"})
    sync(hub)
    kit.world("shop").put("deal", {"amount": "250.00", "title": "Шкаф и стол"}, id)
    assert total(sync(hub), "changed") == 1
    (made,) = rows(hub, record, kind="deal")
    assert (str(made.amount), made.title) == ("250.00", "Шкаф и стол")
