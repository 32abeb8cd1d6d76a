"""A command starts without what only other commands need; and the list of commands says what the commands say themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sync.cli.app import COMMANDS, HIDDEN, app, real
from sync.cli.output import Voice
from sync.cli.russian import told

WORK = ("alembic", "apscheduler", "openpyxl", "procrastinate", "starlette", "structlog", "uvicorn", "zeep")
DATABASE = ("psycopg", "sqlalchemy")
SCRIPT = """
import sys
from sync.cli import main
sys.argv = ["sverka", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print("\\n", end.code or 0, *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["--help"], (*WORK, *DATABASE, "adapters", "httpx", "lxml", "phonenumbers", "pydantic", "rich")),
        (["inspect", "form.txt", "--as", "form"], (*WORK, *DATABASE, "httpx", "lxml", "sync.store")),
        (
            ["status", "--json"],
            (
                *WORK,
                "psycopg",
                "sqlalchemy.dialects.postgresql",
                "adapters.mail",
                "httpx",
                "lxml",
                "phonenumbers",
                "rich",
            ),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(
    tmp_path: Path, sqlite_template: Path, arguments: list[str], without: tuple[str, ...]
) -> None:
    (tmp_path / "config.toml").write_text(
        '[hub]\ndatabase = "sqlite:///sverka.db"\n[connections.site]\nadapter = "form"\n', encoding="utf-8"
    )
    (tmp_path / "form.txt").write_text("name=Anna&phone=89161234567", encoding="utf-8")
    shutil.copyfile(sqlite_template, tmp_path / "sverka.db")
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={"PYTHONPATH": root, "PYTHONUTF8": "1"},
    )
    said, _, last = done.stderr.strip().rpartition("\n")
    code, *modules = last.split()
    assert code == "0", said
    assert "sync.cli.app" in modules
    assert done.stdout
    assert not set(without) & set(modules)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_list_of_commands_is_what_they_say_of_themselves(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Voice, "language", language)
    for name, (_, line) in COMMANDS.items():
        assert real(name).get_short_help_str(1000) == told(line)
        assert not real(name).hidden
    assert all(real(name).hidden for name in HIDDEN)


def test_the_list_is_in_its_order_and_knows_every_command_of_its_modules() -> None:
    listed = CliRunner().invoke(app, ["--help"]).output
    places = [listed.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert "\n  replay " not in listed
    for module in {module for module, _ in COMMANDS.values()}:
        ours = {name for name, (where, _) in COMMANDS.items() if where == module}
        assert names_of(module) == ours | {name for name, of in HIDDEN.items() if COMMANDS[of][0] == module}


def names_of(module: str) -> set[str]:
    group = typer.Typer()
    import_module(f"sync.cli.{module}").register(group)
    return set(typer.main.get_group(group).commands)


def test_a_slip_of_the_keyboard_is_answered_with_the_nearest_command() -> None:
    said = CliRunner().invoke(app, ["trase", "1043"])
    assert said.exit_code == 2
    assert "Did you mean 'trace'?" in said.output


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"sverka {version('sverka')}\n"


def test_completion_knows_the_commands_and_goes_into_the_one_that_is_named() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="sverka")
    assert [one.value for one in group.shell_complete(context, "con")] == ["conflicts"]
    _, found, rest = group.resolve_command(context, ["deal", "1043"])  # type: ignore[attr-defined]
    assert rest == ["1043"]
    assert [one.value for one in found.shell_complete(typer.Context(found), "--st")] == ["--stage"]
