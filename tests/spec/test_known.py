"""A night's export of what was taken before is not read again, and nothing that would have happened is left out by that."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.errors import RecordRefused, Text
from sync.flow import take, trouble
from sync.flow.known import TakenFromStore
from sync.flow.plug import Took
from sync.hub.runtime import Hub
from sync.store.tables import inbox, journal, link, price, quarantine, record, stock
from tests.adapters.test_onec_unchanged import Night, dictionary, file, good, value
from tests.spec.hubs import Kit, contents, empty, one, plain, rows, sync, total

TABLES = (record, journal, quarantine)
RUNS = ("run", "inbox", "spool", "lease", "cursor", "bucket", "due")  # what a night leaves behind that brings nothing


class Share:
    """The folder into which 1C writes, and a hub that looks at it each night."""

    def __init__(self, kit: Kit, folder: Path, **more: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.nights = 0
        self.hub: Hub = kit.open(
            {"goods": {"adapter": "onec_folder", "folder": str(folder), "settle_seconds": 0, **more}}
        )

    def night(self, body: str) -> dict[str, int]:
        """How many records were new, changed, same."""
        self.nights += 1
        path = self.folder / "import.xml"
        path.write_text(body, encoding="utf-8")
        os.utime(path, (1_000_000 + self.nights,) * 2)
        runs = sync(self.hub, trouble=True)
        return {
            name: number for name in ("new", "changed", "same", "skipped", "failed") if (number := total(runs, name))
        }


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the records that were read."""
    found: list[str] = []
    taken = take._take_records

    def noted(world: Any, plug: Any, records: Any, *more: Any) -> Any:
        found.extend(rec.id for rec in records)
        return taken(world, plug, records, *more)

    monkeypatch.setattr(take, "_take_records", noted)
    return found


def test_what_was_taken_is_counted_as_the_same_without_being_read(kit: Kit, tmp_path: Path, read: list[str]) -> None:
    share = Share(kit, tmp_path / "1c")
    assert share.night(file(good("a"), good("b"))) == {"new": 2}
    assert read == ["a", "b"]
    before = contents(kit.store, RUNS)
    assert share.night(file(good("a"), good("b"))) == {"same": 2}
    assert contents(kit.store, RUNS) == before
    assert share.night(file(good("a"), good("b", name="Стул"), good("c"))) == {"new": 1, "changed": 1, "same": 1}
    assert read == ["a", "b", "b", "c"]
    assert share.night(file(good("a"), good("b", name="Стул"), good("c"))) == {"same": 3}
    assert [row.done for row in rows(share.hub, inbox)] == [2, 2, 3, 3]


def test_a_word_renamed_in_the_dictionary_changes_its_goods(kit: Kit, tmp_path: Path, read: list[str]) -> None:
    share = Share(kit, tmp_path / "1c")
    for word, outcome in (("белый", {"new": 2}), ("белый", {"same": 2}), ("синий", {"changed": 1, "same": 1})):
        assert share.night(file(good("a", value("v")), good("b"), before=dictionary({"v": word}))) == outcome
    assert one(share.hub, link, external_id="a").shadow["attributes"] == {"Цвет": "синий"}
    assert read == ["a", "b", "a"]


def test_a_change_of_blanks_is_read_once_and_writes_only_the_version(kit: Kit, tmp_path: Path, read: list[str]) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a"), good("b")))
    before = [plain(share.hub, table) for table in TABLES]
    assert share.night(file(good("a", "\n\n"), good("b", "\n\n"))) == {"same": 2}
    assert share.night(file(good("a", "\n\n"), good("b", "\n\n"))) == {"same": 2}
    assert read == ["a", "b", "a", "b"]
    assert before == [plain(share.hub, table) for table in TABLES]


def test_what_has_changed_gets_its_version_with_its_data_only(
    kit: Kit, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a"), good("b")))
    with monkeypatch.context() as patch:
        patch.setattr(take, "_at_once", lambda *_: Took())
        share.night(file(good("a", name="Стул"), good("b", "\n")))
    assert share.night(file(good("a", name="Стул"), good("b", "\n"))) == {"changed": 1, "same": 1}
    assert read == ["a", "b", "a", "b", "a"]


LINK: dict[str, dict[str, Any]] = {
    "taken off by a person": {"state": "detached"},
    "offered": {"state": "offered"},
    "to be taken as news": {"shadow_hash": None},
    "under another version": {"version": "x"},
}


@pytest.mark.parametrize("state", LINK)
def test_what_stands_otherwise_is_read(kit: Kit, tmp_path: Path, read: list[str], state: str) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a"), good("b")))
    with share.hub.store.begin() as tx:
        tx.execute(link.update().where(link.c.external_id == "a").values(**LINK[state]))
    share.night(file(good("a"), good("b")))
    assert read == ["a", "b", "a"]


@pytest.mark.parametrize("column", ["deleted_at", "told"])
def test_what_is_said_to_be_deleted_is_read_when_it_is_there(
    kit: Kit, tmp_path: Path, read: list[str], column: str
) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a"), good("b")))
    with share.hub.store.begin() as tx:
        tx.execute(link.update().where(link.c.external_id == "a").values({column: share.hub.now()}))
    share.night(file(good("a"), good("b")))
    assert read == ["a", "b", "a"]


def test_what_waits_in_quarantine_is_read(kit: Kit, tmp_path: Path, read: list[str]) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a"), good("b")))
    error = RecordRefused(Text("no", "нет"), code="test")
    with share.hub.store.begin() as tx:
        trouble.refuse(tx, "goods", "product", "a", error, share.hub.now())
    share.night(file(good("a"), good("b")))
    assert read == ["a", "b", "a"]
    with share.hub.store.begin() as tx:
        trouble.passed(tx, "goods", "product", "a", share.hub.now())
    share.night(file(good("a"), good("b")))
    assert read == ["a", "b", "a"]


def test_a_changed_mapping_and_a_hub_that_has_not_looked_read_everything(kit: Kit, tmp_path: Path) -> None:
    share = Share(kit, tmp_path / "1c")
    share.night(file(good("a")))
    taken = share.hub.plugs["goods"].adapter.context.taken
    assert isinstance(taken, TakenFromStore)
    version = one(share.hub, link).version
    assert taken.any("product")
    assert not taken.any("offer")
    assert taken.unchanged("product", {"a": version, "b": version}) == {"a"}
    assert taken.unchanged("offer", {"a": version}) == set()
    share.hub.world.renewed.clear()
    assert not taken.any("product")


def test_any_nights_end_in_the_same_tables_as_if_everything_had_been_read(kit: Kit, tmp_path: Path) -> None:
    ends: list[list[Any]] = []
    for asks in (True, False):
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            share = Share(life, tmp_path / f"1c-{asks}")
            if not asks:
                adapter = share.hub.plugs["goods"].adapter
                adapter.context = replace(adapter.context, taken=None)
            nights, found = Night(5), []
            for _ in range(4):
                found.append(share.night(nights.body()))
                nights.passes()
            ids = {row.record_uid: row.external_id for row in rows(share.hub, link)}
            goods = sorted((ids[row.product_uid], row.price_type, row.value) for row in rows(share.hub, price))
            goods += sorted((ids[row.product_uid], row.warehouse, row.qty) for row in rows(share.hub, stock))
            ends.append(
                [found, goods, *(plain(share.hub, table, "version", "data", "next_at") for table in (*TABLES, link))]
            )
    assert ends[0] == ends[1]
    assert sum(one.get("same", 0) for one in ends[0][0]) > 5
