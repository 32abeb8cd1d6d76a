"""How commands speak: tables when a person is watching, JSON when asked, errors with the setting to mend and an exit code.

Exit codes: 0 done; 1 something failed (said which); 2 the command or the configuration is wrong; 3 a person must decide;
130 interrupted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import typer

from sync.errors import BadConfig, NeedHuman, SverkaError

if TYPE_CHECKING:
    from rich.console import Console


class _Console:
    """The library's console, imported with the first word that is said: what prints JSON does without it."""

    def __init__(self, **options: Any) -> None:
        self._options = options

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(highlight=False, **self._options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._console, name)


_ONE_LINE = str.maketrans("\t\r\n", "   ")
console = cast("Console", _Console())
stderr = cast("Console", _Console(stderr=True))


class Voice:
    """The language of this run's messages; set from the configuration."""

    language = "ru"


def say(text: Mapping[str, Any] | None) -> str:
    """{"en", "ru"} in the language of this run."""
    return "" if not text else str(text.get(Voice.language) or text.get("en") or "")


def both(ru: str, en: str) -> str:
    return ru if Voice.language == "ru" else en


def print_json(value: Any) -> None:
    from sync.model.json import dumps

    sys.stdout.write(dumps(value) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; where nobody is watching, plain lines with tabs that other programs can read."""
    if not console.is_terminal:
        console.print(title, soft_wrap=True, markup=False)
        for row in rows:  # the console itself would make blanks of the tabs
            console.file.write("\t".join(_text(c).translate(_ONE_LINE) for c in row) + "\n")
        return
    from rich.table import Table

    shown = Table(title=title, title_justify="left", show_edge=False)
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(_text(c).replace("[", "\\[") for c in row))
    console.print(shown)


def shown(value: Any) -> str:
    """A field's value as a cell of a table."""
    text = "—" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%d.%m %H:%M:%S")
    return str(value)


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Errors of ours become words and an exit code; Ctrl-C leaves everything consistent (it all hangs on transactions)."""
    try:
        yield
    except SverkaError as error:
        stderr.print(f"✗ {error.text.say(Voice.language)}", style="red", markup=False, soft_wrap=True)
        if error.setting and error.setting not in error.text.en:
            stderr.print(
                both(f"  настройка: {error.setting}", f"  setting: {error.setting}"), markup=False, soft_wrap=True
            )
        if error.remedy:
            stderr.print(f"  → {error.remedy.say(Voice.language)}", markup=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, BadConfig) else 3 if isinstance(error, NeedHuman) else 1) from error
    except KeyboardInterrupt:
        stderr.print(
            both("Прервано; начатое продолжится при следующем запуске.", "Interrupted; the next run goes on from here.")
        )
        raise typer.Exit(130) from None
