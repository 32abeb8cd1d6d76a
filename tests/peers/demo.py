"""The demo: the story told on the screen, then the page to look around in."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.peers import story_words
from tests.peers.stage import Stage
from tests.peers.story import Story


def tell(stage: Stage, say: Any) -> list[dict[str, Any]]:
    """Run every step; a step that raises has failed with what it raised, and the next ones are still tried."""
    story, told = Story(stage), []
    for title, step in story.steps():
        checks: list[dict[str, Any]] = []
        begun = time.monotonic()
        try:
            for text, outcome in step():
                checks.append({"check": text, "ok": bool(outcome)})
        except Exception as error:  # the summary must come out whatever happens
            checks.append({"check": f"{type(error).__name__}: {error}", "ok": False})
        row = {
            "step": title,
            "ok": all(c["ok"] for c in checks),
            "seconds": round(time.monotonic() - begun, 1),
            "checks": checks,
        }
        told.append(row)
        say(row)
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sverka demo")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--language", choices=("ru", "en"))
    chosen = parser.parse_args(arguments)
    console = Console(stderr=chosen.json, highlight=False)
    language = chosen.language or story_words.language()
    for number in (signal.SIGINT, signal.SIGTERM):  # also when started in the background: the stand-ins end with it
        signal.signal(number, signal.default_int_handler)
    try:
        with Stage(language=chosen.language or "ru") as stage:
            stage.serve(0 if chosen.once else chosen.port)
            console.print(f"Sverka: {stage.address}/", markup=False)
            told = tell(stage, lambda row: _line(console, row, language))
            summary = {"ok": all(r["ok"] for r in told), "steps": told, "address": stage.address}
            if chosen.json:
                sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                _table(console, told, language)
            if not chosen.once:
                console.print(f"\n{stage.address}/trace?q=1043 (Ctrl-C)", markup=False)
                while True:
                    time.sleep(1)
    except KeyboardInterrupt:
        return 0
    return 0 if summary["ok"] else 1


def _line(console: Console, row: dict[str, Any], language: str) -> None:
    seconds = {"ru": "с", "en": "s"}[language]
    title = story_words.told(row["step"], language)
    console.print(f"{'✓' if row['ok'] else '✗'} {title} ({row['seconds']} {seconds})", markup=False)
    for check in row["checks"]:
        if not check["ok"]:
            console.print(f"    ✗ {story_words.told(check['check'], language)}", markup=False)


def _table(console: Console, told: list[dict[str, Any]], language: str) -> None:
    table = Table(title="Сверка" if language == "ru" else "Sverka", title_justify="left", show_edge=False)
    table.add_column("")
    table.add_column("шаг" if language == "ru" else "step")
    table.add_column("что видно" if language == "ru" else "what was seen", overflow="fold")
    for row in told:
        table.add_row(
            "✓" if row["ok"] else "✗",
            story_words.told(row["step"], language),
            "\n".join(f"{'✓' if c['ok'] else '✗'} {story_words.told(c['check'], language)}" for c in row["checks"]),
        )
    console.print(table)
