"""What long work shows: to a person at a terminal what is under way, to a program nothing beside the lines it prints."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sync.cli import progress
from sync.config import build
from sync.hub import Hub
from sync.hub.runs import running


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_person_is_shown_what_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    screen = StringIO()
    monkeypatch.setattr(progress, "stderr", Console(file=screen, force_terminal=terminal, highlight=False))
    monkeypatch.setattr(progress, "_EVERY", 0.01)
    settings = build({"hub": {"database": f"sqlite:///{tmp_path}/hub.db"}}, tmp_path / "config.toml")
    with Hub(settings) as hub, running(hub.world, "goods", "collect"), progress.watching(hub):
        until = time.monotonic() + 10
        while terminal and "goods: collect" not in screen.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
    assert ("goods: collect" in screen.getvalue()) is terminal
    assert terminal or screen.getvalue() == ""
