"""Adapters are found by entry point; a third party's needs no edit here, and a broken one harms nobody."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, AdapterSettings, Text
from sync.config import build
from sync.errors import BadConfig, Fatal
from sync.hub import Hub, plugins

HERE = "tests.unit.test_plugins"


class Settings(AdapterSettings):
    address: str


class Foreign(Adapter):
    """What another package might bring."""

    title = Text("Foreign", "Чужой")
    role = "crm"
    mapping = "memory"
    Settings = Settings


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "foreign": EntryPoint("foreign", f"{HERE}:Foreign", plugins.GROUP),
        "broken": EntryPoint("broken", "no_such_package:Adapter", plugins.GROUP),
        "nonsense": EntryPoint("nonsense", f"{HERE}:HERE", plugins.GROUP),
    }
    monkeypatch.setattr(plugins, "available", lambda: found)


def hub_of(folder: Path, **connections: dict[str, Any]) -> Hub:
    return Hub(
        build({"hub": {"database": f"sqlite:///{folder}/hub.db"}, "connections": connections}, folder / "config.toml")
    )


def test_a_plug_in_is_configured_by_its_own_model(tmp_path: Path) -> None:
    with hub_of(tmp_path, theirs={"adapter": "foreign", "address": "here", "every": "5m"}) as hub:
        assert hub.plugs["theirs"].adapter.settings.address == "here"
        assert hub.plugs["theirs"].config.every == 300
        assert not hub.broken


def test_a_plug_in_brings_its_own_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "their_package"
    (package / "mappings").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from tests.unit.test_plugins import Foreign\n\n\nclass Theirs(Foreign):\n    mapping = 'theirs'\n"
    )
    (package / "mappings" / "theirs.toml").write_text(
        'system = "theirs"\nversion = 1\n[deal]\nkind = "deal"\n[deal.fields]\nnumber = "no"\n', encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("theirs", "their_package:Theirs", plugins.GROUP)
    monkeypatch.setattr(plugins, "available", lambda: {"theirs": point})
    with hub_of(tmp_path, x={"adapter": "theirs", "address": "here"}) as hub:
        assert not hub.broken
        assert hub.plugs["x"].mapping.system == "theirs"


def test_broken_ones_are_reported_and_the_others_work(tmp_path: Path) -> None:
    with hub_of(
        tmp_path,
        good={"adapter": "foreign", "address": "x"},
        dead={"adapter": "broken"},
        wrong={"adapter": "nonsense"},
        typo={"adapter": "foreing"},
        unset={"adapter": "foreign"},
        extra={"adapter": "foreign", "address": "x", "adress": "y"},
    ) as hub:
        assert set(hub.plugs) == {"good"}
        assert set(hub.broken) == {"dead", "wrong", "typo", "unset", "extra"}
        assert all(isinstance(e, BadConfig) and e.text.ru and e.text.en for e in hub.broken.values())
        assert "did you mean 'foreign'" in hub.broken["typo"].text.en
        assert "address" in hub.broken["unset"].setting
        assert "did you mean 'address'" in hub.broken["extra"].text.en


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RECORD", "their_module.py,,\nadapters/__init__.py,sha256=x,1\n"),
        ("RECORD", "adapters/theirs.py,sha256=x,1\n"),
        ("top_level.txt", "theirs\nadapters\n"),
    ],
)
def test_a_foreign_package_of_our_name_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    plugins.assert_own_packages()
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Fatal, match="'adapters' comes from 'theirs'"):
        plugins.assert_own_packages()


def test_a_package_that_is_only_called_like_ours_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    (folder / "RECORD").write_text("theirs/adapters/__init__.py,,\nadapters_of_theirs/x.py,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.assert_own_packages()
