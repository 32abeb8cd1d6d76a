"""Files in a folder: taken whole and at rest, in order, archived once, never overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Arrival, BadConfig, Record, RecordRefused, RetryLater
from adapters.onec import OneCFolder
from tests.adapters.onec_context import FIXTURES, START, MemoryHub, adapter_context

IMPORT = (FIXTURES / "import0_1.xml").read_bytes()
OFFERS = (FIXTURES / "offers0_1.xml").read_bytes()


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
def make(hub: MemoryHub, tmp_path: Path) -> Callable[..., OneCFolder]:
    def build(**settings: Any) -> OneCFolder:
        values = {"folder": tmp_path / "1c", **settings}
        return OneCFolder(OneCFolder.Settings(**values), adapter_context(hub))

    (tmp_path / "1c").mkdir()
    return build


def put(folder: Path, name: str, body: bytes, age: float = 60) -> Path:
    """A file last changed `age` seconds before the test's clock starts."""
    path = folder / "1c" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    when = (START - timedelta(seconds=age)).timestamp()
    os.utime(path, (when, when))
    return path


def names(adapter: OneCFolder) -> list[str]:
    return [arrival.name for arrival in adapter.collect()]


def archived(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_whole_files_come_in_order(make: Callable[..., OneCFolder], tmp_path: Path) -> None:
    for name, body in (("offers0_1.xml", OFFERS), ("import0_10.xml", IMPORT), ("import0_2.xml", IMPORT)):
        put(tmp_path, name, body)
    put(tmp_path, "readme.txt", b"x")
    put(tmp_path, "sub/orders-1_1.xml", (FIXTURES / "orders_ut.xml").read_bytes())
    adapter = make()
    arrivals = list(adapter.collect())
    assert [a.name for a in arrivals] == ["import0_2.xml", "import0_10.xml", "offers0_1.xml", "sub/orders-1_1.xml"]
    assert arrivals[2].read() == OFFERS
    assert arrivals[2].size == len(OFFERS)
    assert sum(isinstance(item, Record) for item in adapter.unpack(arrivals[2])) == 6


def test_a_file_that_is_still_being_written_is_left(
    make: Callable[..., OneCFolder], hub: MemoryHub, tmp_path: Path
) -> None:
    put(tmp_path, "import0_1.xml", IMPORT, age=1)
    adapter = make(settle_seconds=5)
    assert names(adapter) == []
    hub.later(5)
    assert names(adapter) == ["import0_1.xml"]


def test_a_clock_of_the_share_that_runs_ahead_does_not_hold_files_for_ever(
    make: Callable[..., OneCFolder], hub: MemoryHub, tmp_path: Path
) -> None:
    path = put(tmp_path, "import0_1.xml", IMPORT, age=-7200)
    adapter = make(settle_seconds=5)
    assert names(adapter) == []
    hub.later(4)
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 1))
    assert names(adapter) == [], "it changed meanwhile"
    hub.later(5)
    assert names(adapter) == ["import0_1.xml"]


def test_a_half_file_waits_and_holds_its_own_export_only(
    make: Callable[..., OneCFolder], hub: MemoryHub, tmp_path: Path
) -> None:
    put(tmp_path, "import0_1.xml", IMPORT[:2000])
    put(tmp_path, "offers0_1.xml", OFFERS)
    put(tmp_path, "import1_1.xml", IMPORT)
    adapter = make()
    assert names(adapter) == ["import1_1.xml"]
    put(tmp_path, "import0_1.xml", IMPORT)
    assert names(adapter) == ["import0_1.xml", "offers0_1.xml", "import1_1.xml"]


@pytest.mark.parametrize(
    ("cut", "whole"),
    [("import.xml", "offers.xml"), ("import___7a1c.xml", "offers___90fe.xml"), ("a/goods.xml", "a/rests.xml")],
)
def test_an_export_whose_names_have_no_index_is_one_too(
    make: Callable[..., OneCFolder], tmp_path: Path, cut: str, whole: str
) -> None:
    put(tmp_path, cut, IMPORT[:2000])
    put(tmp_path, whole, OFFERS)
    put(tmp_path, "orders-1.xml", (FIXTURES / "orders_ut.xml").read_bytes())
    adapter = make()
    assert names(adapter) == ["orders-1.xml"], "prices never come before their goods"
    put(tmp_path, cut, IMPORT)
    assert names(adapter) == [*([cut, whole, "orders-1.xml"] if "/" not in cut else ["orders-1.xml", cut, whole])]


def test_a_file_that_stays_broken_is_handed_over_in_the_end(
    make: Callable[..., OneCFolder], hub: MemoryHub, tmp_path: Path
) -> None:
    put(tmp_path, "import0_1.xml", IMPORT[:50])
    put(tmp_path, "offers0_1.xml", OFFERS)
    adapter = make(give_up_seconds=600)
    assert names(adapter) == []
    hub.later(541)
    arrivals = list(adapter.collect())
    assert [a.name for a in arrivals] == ["import0_1.xml", "offers0_1.xml"]
    with pytest.raises(RecordRefused) as caught:
        list(adapter.unpack(arrivals[0]))
    assert caught.value.code == "cml.root"
    for arrival in arrivals:
        adapter.collected(arrival)
    assert names(adapter) == []


def test_collected_files_are_archived_under_a_name_of_their_own(
    make: Callable[..., OneCFolder], hub: MemoryHub, tmp_path: Path
) -> None:
    adapter = make()
    for body in (IMPORT, IMPORT + b"\n", IMPORT + b"\n\n"):
        put(tmp_path, "import0_1.xml", body)
        (arrival,) = adapter.collect()
        adapter.collected(arrival)
        adapter.collected(arrival)
    assert archived(tmp_path / "1c") == [
        "archive/import0_1.20240506T090000Z.1.xml",
        "archive/import0_1.20240506T090000Z.2.xml",
        "archive/import0_1.20240506T090000Z.xml",
    ]
    assert (tmp_path / "1c/archive/import0_1.20240506T090000Z.xml").read_bytes() == IMPORT
    assert names(adapter) == [], "the archive is not read again"


def test_an_archive_elsewhere(make: Callable[..., OneCFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file system: no hard links."""

    def no_link(*_: Any) -> None:
        raise OSError(18, "cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    adapter = make(archive=tmp_path / "old")
    for body in (IMPORT, IMPORT + b"\n"):
        put(tmp_path, "a/import0_1.xml", body)
        (arrival,) = adapter.collect()
        adapter.collected(arrival)
    assert archived(tmp_path / "old") == ["a/import0_1.20240506T090000Z.1.xml", "a/import0_1.20240506T090000Z.xml"]
    assert (tmp_path / "old/a/import0_1.20240506T090000Z.xml").read_bytes() == IMPORT, "nothing is overwritten"
    assert archived(tmp_path / "1c") == []


def test_a_file_that_1c_rewrote_after_it_was_read_is_not_archived(
    make: Callable[..., OneCFolder], tmp_path: Path
) -> None:
    adapter = make()
    put(tmp_path, "offers0_1.xml", OFFERS)
    (arrival,) = adapter.collect()
    put(tmp_path, "offers0_1.xml", OFFERS.replace(b"1000.50", b"1100.50"), age=30)
    adapter.collected(arrival)
    assert names(adapter) == ["offers0_1.xml"]
    assert b"1100.50" in next(iter(adapter.collect())).read()


def test_a_file_that_changes_before_it_is_read_is_left_for_the_next_run(
    make: Callable[..., OneCFolder], tmp_path: Path
) -> None:
    adapter = make()
    path = put(tmp_path, "offers0_1.xml", OFFERS)
    (arrival,) = adapter.collect()
    put(tmp_path, "offers0_1.xml", OFFERS + b"\n")
    with pytest.raises(RetryLater):
        arrival.read()
    path.unlink()
    with pytest.raises(RetryLater):
        arrival.read()
    adapter.collected(arrival)


def test_a_restarted_hub_archives_what_the_old_one_took(make: Callable[..., OneCFolder], tmp_path: Path) -> None:
    put(tmp_path, "import0_1.xml", IMPORT)
    (arrival,) = make().collect()
    make().collected(arrival)
    assert archived(tmp_path / "1c") == ["archive/import0_1.20240506T090000Z.xml"]


def test_links_and_names_of_unfinished_copies_are_not_followed(make: Callable[..., OneCFolder], tmp_path: Path) -> None:
    secret = put(tmp_path, "../secret.xml", IMPORT)
    (tmp_path / "1c" / "import0_1.xml").symlink_to(secret)
    put(tmp_path, ".import0_2.xml", IMPORT)
    put(tmp_path, "~import0_3.xml", IMPORT)
    assert names(make()) == []


def test_a_missing_folder_is_a_setting_to_mend(make: Callable[..., OneCFolder], tmp_path: Path) -> None:
    adapter = make(folder=tmp_path / "absent")
    with pytest.raises(BadConfig) as caught:
        list(adapter.collect())
    assert caught.value.setting == "folder"
    (finding,) = adapter.check()
    assert (finding.ok, finding.setting) == (False, "folder")


def test_an_archive_that_cannot_be_written_is_a_setting_to_mend(
    make: Callable[..., OneCFolder], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    adapter = make(archive=tmp_path / "file")
    path = put(tmp_path, "import0_1.xml", IMPORT)
    (arrival,) = adapter.collect()
    with pytest.raises(BadConfig) as caught:
        adapter.collected(arrival)
    assert caught.value.setting == "archive"
    assert path.exists()
    assert [(f.setting, f.ok) for f in adapter.check()] == [("folder", True), ("archive", False)]


def test_check_of_a_good_folder_counts_what_waits(make: Callable[..., OneCFolder], tmp_path: Path) -> None:
    put(tmp_path, "import0_1.xml", IMPORT)
    findings = list(make().check())
    assert all(f.ok for f in findings)
    assert "1" in findings[-1].text.ru


def test_collected_of_an_unknown_arrival_does_nothing(make: Callable[..., OneCFolder]) -> None:
    adapter = make()
    adapter.collected(Arrival("never.xml"))
    assert names(adapter) == []
