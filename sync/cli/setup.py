"""Commands that set up: init, demo."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from sync.cli.output import both, console, reporting
from sync.errors import BadConfig, Fatal, Text
from sync.hub.plugins import adapter_class, available


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(demo)


def init(context: typer.Context) -> None:
    """Ask for the connections and write the configuration file. Secrets go into a file of their own beside it."""
    path: Path = context.obj
    with reporting():
        if path.exists():
            raise BadConfig(
                Text(
                    f"{path} exists already: edit it, or move it away.", f"{path} уже есть: измените его или уберите."
                ),
                code="init.exists",
            )
        language = typer.prompt("Language / Язык (ru, en)", default="ru")
        lines = [
            "[hub]",
            f'language = "{"en" if language == "en" else "ru"}"',
            'database = "sqlite:///var/sverka.db"',
            "",
        ]
        names = sorted(available())
        while True:
            kind = typer.prompt(
                f"{both('Адаптер (пусто — конец)', 'Adapter (empty: done)')}: {', '.join(names)}", default=""
            )
            if not kind:
                break
            if kind not in names:
                console.print(both(f"Есть: {', '.join(names)}", f"Known: {', '.join(names)}"), markup=False)
                continue
            lines += _ask(path, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        console.print(
            both(f"Записано: {path}. Дальше: sverka check", f"Written: {path}. Next: sverka check"), markup=False
        )


def _ask(path: Path, kind: str) -> list[str]:
    """The lines of one connection: required settings are asked for, secrets without an echo."""
    name = typer.prompt(both("Имя подключения", "Name of the connection"), default=kind.split("_")[0])
    lines = [f"[connections.{name}]", f'adapter = "{kind}"']
    for key, field in adapter_class(kind, name).Settings.model_fields.items():
        secret = field.annotation is SecretStr or SecretStr in getattr(field.annotation, "__args__", ())
        if not field.is_required() and (not secret or key.startswith("previous")):
            continue
        value = typer.prompt(
            f"{name}.{key}", default="" if not field.is_required() else None, hide_input=secret and sys.stdin.isatty()
        )
        if not value:
            continue
        if secret:
            folder = path.parent / "secrets"
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / f"{name}.{key}"
            target.write_text(value + "\n", encoding="utf-8")
            target.chmod(0o600)
            value = f"file:secrets/{name}.{key}"
        lines.append(f'{key} = "{_escaped(str(value))}"')
    return [*lines, ""]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Do not stay: run the story and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary.")] = False,
    port: Annotated[int, typer.Option(help="Of the page.")] = 8080,
) -> None:
    """Show the whole hub at work with stand-ins of a shop, accounting, a form and a mailbox: no accounts are needed."""
    with reporting():
        if importlib.util.find_spec("tests") is None or importlib.util.find_spec("tests.peers") is None:
            raise Fatal(
                Text(
                    "The demo lives with the stand-ins in a checkout: run `make demo` there.",
                    "Демонстрация живёт в исходниках рядом с двойниками систем: запустите там `make demo`.",
                ),
                code="demo.checkout",
            )
    args = [*(["--once"] if once else []), *(["--json"] if as_json else []), "--port", str(port)]
    raise typer.Exit(subprocess.call([sys.executable, "-m", "tests.peers", "demo", *args]))
