"""Pictures of goods stay for good: each content once, under safe names, of one size at most, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import BadConfig
from sync.hub.runtime import Hub
from sync.intake import pictures
from sync.intake.pictures import PictureFolder


def files(folder: Path) -> list[bytes]:
    return sorted(p.read_bytes() for p in (folder / "files").rglob("*") if p.is_file())


def meant(folder: Path, connection: str, name: str) -> bytes:
    """The content that a name of this connection means now."""
    rows = [json.loads(p.read_text("utf-8")) for p in (folder / "names").rglob("*") if p.is_file()]
    (row,) = [r for r in rows if (r["connection"], r["name"]) == (connection, name)]
    return (folder / "files" / row["file"]).read_bytes()


def test_a_content_is_kept_once_and_a_name_means_the_newest(tmp_path: Path) -> None:
    ut, unf = PictureFolder(tmp_path, "ut"), PictureFolder(tmp_path, "unf")
    assert not ut.has("import_files/a.JPG")
    assert ut.keep("import_files/a.JPG", [b"on", b"e"])
    assert ut.keep("import_files/b.jpg", [b"one"])
    assert unf.keep("import_files/b.jpg", [b"two"])
    assert files(tmp_path) == [b"one", b"two"]
    assert ut.has("import_files\\a.JPG"), "Windows writes names with backslashes"
    assert ut.keep("import_files/a.JPG", [b"three"])
    assert meant(tmp_path, "ut", "import_files/a.JPG") == b"three"
    assert meant(tmp_path, "unf", "import_files/b.jpg") == b"two"
    assert (tmp_path / "files" / (d := hashlib.sha256(b"one").hexdigest())[:2] / f"{d}.jpg").is_file()


@pytest.mark.parametrize(
    "name", ["../../out.jpg", "/etc/out.jpg", "C:\\out.jpg", "a\0b.jpg", "\ud800.jpg", "я" * 999 + ".jpg"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "var" / "pictures"
    assert PictureFolder(folder, "ut").keep(name, [b"x"])
    assert PictureFolder(folder, "ut").has(name)
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents]
    assert outside == []


def test_what_is_none_too_large_or_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = PictureFolder(tmp_path, "ut")
    monkeypatch.setattr(pictures, "MAX_PICTURE", 4)

    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise ValueError("cut")

    assert not one.keep("a.php", [b"x"])
    assert not one.keep("a.jpg", [])
    assert not one.keep("a.jpg", [b"abc", b"de"])
    with pytest.raises(ValueError, match="cut"):
        one.keep("a.jpg", broken())
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert not one.has("a.jpg")


def test_a_disk_that_takes_nothing_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_bytes(b"a file stands where the folder should")
    with pytest.raises(BadConfig) as caught:
        PictureFolder(tmp_path / "pictures", "ut").keep("a.jpg", [b"x"])
    assert caught.value.setting == "hub.pictures"


@pytest.mark.parametrize("frozen", [False, True])
def test_the_hub_keeps_them_beside_its_configuration(tmp_path: Path, frozen: bool) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[connections.onec]\nadapter = "onec_exchange"\nlogin = "a"\npassword = "b"\n', encoding="utf-8")
    (tmp_path / "var").mkdir()
    with Hub.open(config, frozen=frozen) as hub:
        assert hub.broken == {}
        assert hub.plugs["onec"].adapter.context.pictures.keep("a.jpg", [b"x"]) is not frozen
    assert (tmp_path / "var" / "pictures" / "files").exists() is not frozen, "a plan writes nothing"
