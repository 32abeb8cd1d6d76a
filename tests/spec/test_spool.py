"""The spool: a name is only a label, and what counts is what a committed row says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.faults import Killed
from sync.errors import BadConfig, RecordRefused, RetryLater
from sync.flow.exchange import Context
from sync.intake.spool import Spool, label
from sync.store import Store, points
from sync.store.tables import inbox
from sync.store.tables import spool as table
from tests.spec.hubs import Kit, rows


@pytest.fixture
def spool(store: Store, tmp_path: Path) -> Iterator[Spool]:
    yield Spool(store, tmp_path / "spool")
    points.hook = None


def read(spool: Spool, name: str, area: str = "s1") -> bytes:
    with spool.open("onec", area, name) as stream:
        return stream.read()


def add(spool: Spool, name: str, *chunks: bytes, truncate: bool = False, area: str = "s1") -> int:
    return spool.append("onec", area, name, chunks, truncate)


def test_portions_are_appended_and_truncated(spool: Spool) -> None:
    assert add(spool, "import.xml", b"one", b"two") == 6
    assert add(spool, "import.xml", b"three") == 11
    assert read(spool, "import.xml") == b"onetwothree"
    assert add(spool, "import.xml", b"new", truncate=True) == 3
    assert read(spool, "import.xml") == b"new"
    assert add(spool, "empty.xml") == 0
    assert read(spool, "empty.xml") == b""


def test_areas_and_connections_do_not_mix(spool: Spool) -> None:
    add(spool, "a.xml", b"1")
    add(spool, "a.xml", b"2", area="s2")
    spool.append("other", "s1", "a.xml", [b"3"], False)
    assert [read(spool, "a.xml"), read(spool, "a.xml", "s2")] == [b"1", b"2"]
    assert spool.names("onec", "s1") == ["a.xml"]
    assert spool.names("onec", "s3") == []


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "a/b",
        "/etc/passwd",
        "..",
        ".",
        "",
        "\0",
        "a\0b",
        "x" * 5000,
        "ф" * 300,
        "C:\\windows\\x",
        "\ud800",
        "NUL",
        "a\nb",
    ],
    ids=lambda n: ascii(n)[:20],
)
def test_a_name_never_becomes_a_path(spool: Spool, tmp_path: Path, name: str) -> None:
    before = {p for p in tmp_path.rglob("*") if not p.name.startswith("sverka.db")}
    add(spool, name, b"one")
    add(spool, name, b"two")
    assert read(spool, name) == b"onetwo"
    made = {p for p in tmp_path.rglob("*") if not p.name.startswith("sverka.db")} - before
    files = [p for p in made if p.is_file()]
    assert [p.parent for p in files] == [tmp_path / "spool"]
    assert len(files[0].name) == 36
    assert read(spool, spool.names("onec", "s1")[0]) == b"onetwo", "the listed name does not open the file"


def test_long_names_that_begin_alike_stay_apart(spool: Spool) -> None:
    add(spool, "x" * 400 + "1", b"one")
    add(spool, "x" * 400 + "2", b"two")
    assert [read(spool, "x" * 400 + "1"), read(spool, "x" * 400 + "2")] == [b"one", b"two"]
    assert label(label("x" * 400)) == label("x" * 400)
    assert len(label("ф" * 300)) == 255


def test_written_but_not_committed_is_cut_off(spool: Spool) -> None:
    add(spool, "import.xml", b"good")

    def die(point: str) -> None:
        raise Killed(point)

    points.hook = die
    with pytest.raises(Killed):
        add(spool, "import.xml", b"-lost")
    points.hook = None
    file, size, _ = spool.entry("onec", "s1", "import.xml") or ("", 0, None)
    assert (size, spool.path(file).read_bytes()) == (4, b"good")
    assert add(spool, "import.xml", b"-again") == 10
    assert read(spool, "import.xml") == b"good-again"


def test_a_portion_whose_sender_went_away_leaves_no_trace(spool: Spool) -> None:
    add(spool, "import.xml", b"good")

    def broken() -> Iterator[bytes]:
        yield b"-half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        spool.append("onec", "s1", "import.xml", broken(), False)
    assert add(spool, "import.xml", b"-whole") == 10
    assert read(spool, "import.xml") == b"good-whole"


def test_a_first_portion_that_died_is_an_orphan_and_is_swept(spool: Spool, tmp_path: Path) -> None:
    def die(point: str) -> None:
        raise Killed(point)

    points.hook = die
    with pytest.raises(Killed):
        add(spool, "a.xml", b"lost")
    points.hook = None
    (orphan,) = (tmp_path / "spool").iterdir()
    assert spool.entry("onec", "s1", "a.xml") is None
    add(spool, "b.xml", b"kept")
    assert spool.sweep(timedelta(hours=1)) == 0, "young files may be at work"
    os.utime(orphan, (1, 1))
    assert spool.sweep(timedelta(hours=1)) == 1
    assert read(spool, "b.xml") == b"kept"


def test_a_full_disk_is_a_matter_of_the_configuration(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    spool = Spool(store, tmp_path / "file" / "spool")
    with pytest.raises(BadConfig) as caught:
        add(spool, "a.xml", b"x")
    assert (caught.value.code, caught.value.setting) == ("spool.disk", "hub.spool")
    assert spool.entry("onec", "s1", "a.xml") is None


def test_unknown_and_vanished_files(spool: Spool) -> None:
    with pytest.raises(RecordRefused):
        read(spool, "nothing.xml")
    add(spool, "a.xml", b"x")
    file, _, _ = spool.entry("onec", "s1", "a.xml") or ("", 0, None)
    spool.path(file).unlink()
    with pytest.raises(RetryLater):
        read(spool, "a.xml")
    assert spool.entry("onec", "s1", "a.xml") is not None


def test_a_file_in_work_takes_no_more_and_gives_the_same_ticket(store: Store, tmp_path: Path) -> None:
    with Kit(store, tmp_path) as kit:
        hub = kit.open({"onec": {"adapter": "memory", "role": "accounting"}})
        context = Context(hub.world, hub.plugs["onec"], hub.spool)
        long = "x" * 400
        for name in ("../a.xml", long):
            context.append("s1", name, [b"body"])
            ticket = context.receive("s1", name)
            assert context.receive("s1", name) == ticket
            with pytest.raises(RecordRefused, match="already"):
                context.append("s1", name, [b"more"])
            context.append("s1", name, [b"other"], truncate=True)
            assert context.receive("s1", name) != ticket
        with pytest.raises(RecordRefused):
            context.receive("s1", "never.xml")
        assert [r.size for r in rows(hub, inbox)] == [4, 5, 4, 5]
        assert [r.size for r in rows(hub, table)] == [5, 5]
