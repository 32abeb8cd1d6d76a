"""What --help says, in the language of the configuration: nothing of it is left in the other one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from sync.cli.app import COMMANDS, HIDDEN, app, real
from sync.cli.output import Voice
from sync.cli.russian import TEXTS


@pytest.fixture(autouse=True)
def language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Voice, "language", "ru")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SVERKA_CONFIG", raising=False)


def texts(command: Any) -> Iterator[str]:
    yield from (one for one in (command.help, *(getattr(p, "help", None) for p in command.params)) if one)
    for inner in getattr(command, "commands", {}).values():
        yield from texts(inner)


def test_every_text_has_a_translation_and_no_translation_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Voice, "language", "en")
    used = {text for name in (*COMMANDS, *HIDDEN) for text in texts(real(name))}
    used |= {line for _, line in COMMANDS.values()}
    used |= {p.help for p in get_command(app).params if getattr(p, "help", None)}  # type: ignore[attr-defined]
    assert used == TEXTS.keys()
    assert all(any("а" <= letter <= "я" for letter in text.lower()) for text in TEXTS.values())


@pytest.mark.parametrize("name", [*COMMANDS, *HIDDEN])
def test_a_command_says_everything_in_russian(name: str) -> None:
    assert set(texts(real(name))) <= set(TEXTS.values())


def test_the_list_of_commands_follows_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "english.toml").write_text('[hub]\nlanguage = "en"\n', encoding="utf-8")
    run = CliRunner().invoke
    russian, english = "Подключения, что ждёт и последние запуски", "Connections, what waits, and the last runs"
    assert russian in run(app, ["--help"]).output
    for named in (["-c", "english.toml"], ["--config=english.toml"]):
        shown = run(app, [*named, "--help"]).output
        assert english in shown
        assert russian not in shown
    assert english in run(app, ["--help"], env={"SVERKA_CONFIG": "english.toml"}).output
    assert russian in run(app, ["--help"]).output
    assert "Показать версию" in run(app, ["--help"]).output


def test_a_command_below_another_one_too(tmp_path: Path) -> None:
    assert (
        "Карточка, под которой клиент остаётся известен"
        in CliRunner().invoke(app, ["client", "merge", "--help"]).output
    )
