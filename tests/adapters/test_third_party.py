"""An adapter of somebody else: a distribution of its own, found by its entry point, with its own settings and mapping, and the
conformance suite run over it as its author would. Nothing of Sverka knows its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ADAPTER = '''
"""Visiting cards that a scanner posts: {"no": 7, "who": "…", "tel": "…"}."""
import json

from adapters.base import Adapter, AdapterSettings, Capabilities, Finding, Problem, Reception, Record, RecordRefused, Text


class Settings(AdapterSettings):
    desk: str


class Cards(Adapter):
    title = Text("Visiting cards", "Визитки")
    role = "form"
    mapping = "cards"
    suffixes = (".card",)
    Settings = Settings
    capabilities = Capabilities(receives=True, files=True)

    def check(self):
        good = bool(self.settings.desk.strip())
        yield Finding("settings", good, Text("the desk has a name", "у стойки есть имя"), "desk")

    def receive(self, arrival):
        try:
            return Reception(key=f"card-{self._cards(arrival)[0]['no']}")
        except (RecordRefused, KeyError, TypeError, IndexError):
            return Reception(label="broken", reason=Text("no card", "нет визитки"))

    def unpack(self, arrival):
        for place, card in enumerate(self._cards(arrival)):
            if isinstance(card, dict) and isinstance(card.get("no"), int):
                yield Record("card", str(card["no"]), {k: v if isinstance(v, str) else str(v) for k, v in card.items()})
            else:
                yield Problem("card", f"[{place}]", self._refused())

    def _cards(self, arrival):
        try:
            found = json.loads(arrival.read())
        except (ValueError, RecursionError):
            raise self._refused() from None
        return found if isinstance(found, list) else [found]

    def _refused(self):
        return RecordRefused(Text("no card with `no`", "нет визитки с `no`"), code="cards.shape")
'''
MAPPING = """
system = "cards"
version = 1
[card]
kind = "lead"
[card.fields]
title = { get = "who" }
[card.client]
name  = "who"
phone = "tel | phone"
"""
SUITE = """
import json

from adapters.testing import AdapterConformance, arrival, kit_context
from their_cards import Cards, Settings


class TestCards(AdapterConformance):
    adapter = Cards

    def make(self):
        return Cards(Settings(desk="1"), kit_context())

    def arrivals(self):
        return [arrival(json.dumps({"no": n, "who": "Анна", "tel": "+79161234567"}).encode()) for n in (1, 2)]

    files = arrivals

    def damaged(self):
        return arrival(json.dumps([{"no": 1}, {"who": "nobody"}, {"no": 2}]).encode()), 2

    def broken(self):
        return [Cards(Settings(desk=" "), kit_context())]
"""
INFO = "Metadata-Version: 2.1\nName: sverka-their-cards\nVersion: 1.0\n"
POINT = "[sverka.adapters]\ncards = their_cards:Cards\n"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which that distribution is installed, as pip would lay it down."""
    site = tmp_path / "site"
    files = {
        "their_cards/__init__.py": ADAPTER,
        "their_cards/mappings/cards.toml": MAPPING,
        "sverka_their_cards-1.0.dist-info/METADATA": INFO,
        "sverka_their_cards-1.0.dist-info/entry_points.txt": POINT,
        "test_cards.py": SUITE,
    }
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}


def run(folder: Path, env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_it_is_configured_checked_and_read_like_our_own(tmp_path: Path, installed: dict[str, str]) -> None:
    (tmp_path / "config.toml").write_text('[connections.desk]\nadapter = "cards"\ndesk = "1"\n', encoding="utf-8")
    checked = run(tmp_path, installed, "-m", "sync", "check", "desk", "--json")
    assert checked.returncode == 0, checked.stderr
    assert "the desk has a name" in checked.stdout
    (tmp_path / "a.card").write_text('{"no": 7, "who": "Анна", "tel": "8 916 123-45-67"}', encoding="utf-8")
    shown = run(tmp_path, installed, "-m", "sync", "inspect", "a.card")
    assert shown.returncode == 0, shown.stderr
    row = json.loads(shown.stdout)
    assert (row["adapter"], row["kind"], row["client"]["phone"]) == ("cards", "lead", "8 916 123-45-67")


def test_its_author_inherits_the_conformance_suite(tmp_path: Path, installed: dict[str, str]) -> None:
    told = run(
        tmp_path / "site", installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_cards.py"
    )
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-1000:]
    assert int(told.stdout.rsplit(" passed", 1)[0].split()[-1]) >= 8  # those that its capabilities call for
