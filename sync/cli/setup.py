"""Commands that set up: init, demo."""

from __future__ import annotations

import difflib
import importlib.util
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import typer
from pydantic import SecretStr, ValidationError

from adapters.base import Adapter
from sync.cli.output import Voice, both, console, reporting
from sync.errors import BadConfig, Fatal, Text
from sync.hub.plugins import adapter_class, available


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(demo)


def init(context: typer.Context) -> None:
    """Ask for the connections and write the configuration file. Secrets go into a file of their own beside it.

    Answers that do not fit are asked for again; nothing is written before the last one."""
    path: Path = context.obj
    with reporting():
        if path.exists():
            raise BadConfig(
                Text(
                    f"{path} exists already: edit it, or move it away.", f"{path} уже есть: измените его или уберите."
                ),
                code="init.exists",
            )
        try:
            lines, kept = _questions()
        except typer.Abort:
            console.print(both("\nПрервано, ничего не записано.", "\nInterrupted, nothing was written."))
            raise typer.Exit(130) from None
        _write(path, lines, kept)
        console.print(
            both(f"Записано: {path}. Дальше: sverka check", f"Written: {path}. Next: sverka check"), markup=False
        )


def _questions() -> tuple[list[str], dict[str, str]]:
    """The lines of the file, and the secrets by the names of their files."""
    Voice.language = _answer(
        "Language / Язык (ru, en)", "ru", lambda text: text.lower() if text.lower() in ("ru", "en") else ""
    )
    lines = ["[hub]", f'language = "{Voice.language}"', 'database = "sqlite:///var/sverka.db"', ""]
    kept: dict[str, str] = {}
    names, used = sorted(available()), set[str]()
    known = ", ".join(names)
    while True:
        kind = typer.prompt(
            both(f"Адаптер (пусто — конец): {known}", f"Adapter (empty: done): {known}"), default=""
        ).strip()
        if not kind:
            return lines, kept
        if kind not in names:
            near = difflib.get_close_matches(kind, names, 1)
            console.print(
                both(f"Такого нет. Может быть, {near[0]}?", f"There is none. Perhaps {near[0]}?")
                if near
                else both(f"Есть: {known}", f"Known: {known}"),
                markup=False,
            )
            continue
        try:
            adapter = adapter_class(kind, kind)
        except BadConfig as error:  # a plug-in that does not load
            console.print(error.text.say(Voice.language), markup=False)
            continue
        name = _name(kind, used)
        used.add(name)
        lines += [f"[connections.{name}]", f'adapter = "{kind}"', *_settings(name, adapter, kept), ""]


def _name(kind: str, used: set[str]) -> str:
    base = kind.split("_")[0]
    free = next(name for n in itertools.count(1) if (name := base if n == 1 else f"{base}{n}") not in used)
    return _answer(
        both("Имя подключения (a-z 0-9 _ -, ещё не занятое)", "Name of the connection (a-z 0-9 _ -, not yet used)"),
        free,
        lambda text: text if re.fullmatch(r"[a-z0-9_-]{1,64}", text) and text not in used else "",
    )


def _answer(question: str, default: str, good: Callable[[str], str]) -> str:
    """The first answer that fits: `good` gives it as it is to be kept, "" asks again."""
    while True:
        if found := good(str(typer.prompt(question, default=default)).strip()):
            return found


def _settings(name: str, adapter: type[Adapter], kept: dict[str, str]) -> list[str]:
    """What this adapter needs, one line each: required settings are asked for, secrets without an echo. What its own model
    refuses is asked for once more."""
    wanted = {}
    for key, field in adapter.Settings.model_fields.items():
        secret = field.annotation is SecretStr or SecretStr in getattr(field.annotation, "__args__", ())
        if field.is_required() or key in adapter.asked or (secret and not key.startswith("previous")):
            wanted[key] = secret
    given: dict[str, str] = {}
    ask = list(wanted)
    while ask:
        for key in ask:
            field = adapter.Settings.model_fields[key]
            usual = None if field.is_required() else field.default if key in adapter.asked else ""
            choice = ", ".join(get_args(field.annotation)) if get_origin(field.annotation) is Literal else ""
            question = f"{name}.{key} ({choice})" if choice else f"{name}.{key}"
            value = str(typer.prompt(question, default=usual, hide_input=wanted[key] and sys.stdin.isatty())).strip()
            given.pop(key, None)
            if value:
                given[key] = value
        ask = _refused(name, adapter, given, wanted)
    for key in [k for k in given if wanted[k]]:
        kept[f"{name}.{key}"], given[key] = given[key], f"file:secrets/{name}.{key}"
    return [f'{key} = "{_escaped(given[key])}"' for key in wanted if key in given]


def _refused(name: str, adapter: type[Adapter], given: dict[str, str], wanted: dict[str, bool]) -> list[str]:
    """The settings that the adapter's model refuses, each told with its reason (never with the value of a secret)."""
    try:
        adapter.Settings.model_validate(given)
    except ValidationError as error:
        wrong = {str(e["loc"][0]) if e["loc"] else "": e["msg"].removeprefix("Value error, ") for e in error.errors()}
        for key, why in wrong.items():
            console.print(f"✗ {name}.{key}: {why}".replace(".:", ":"), markup=False)
        return [key for key in wanted if key in wrong] or list(wanted)
    return []


def _write(path: Path, lines: list[str], kept: dict[str, str]) -> None:
    """The secrets first: a configuration that names a file which is not there would be refused."""
    folder = path.parent / "secrets"
    for name, value in kept.items():
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / name
        target.touch(mode=0o600)
        target.write_text(value + "\n", encoding="utf-8")
        target.chmod(0o600)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Do not stay: run the story and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary.")] = False,
    port: Annotated[int, typer.Option(help="Of the page.")] = 8080,
    language: Annotated[str | None, typer.Option(help="ru or en; this PC's otherwise.")] = None,
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
    spoken = ["--language", language] if language else []
    args = [*spoken, *(["--once"] if once else []), *(["--json"] if as_json else []), "--port", str(port)]
    raise typer.Exit(subprocess.call([sys.executable, "-m", "tests.peers", "demo", *args]))
