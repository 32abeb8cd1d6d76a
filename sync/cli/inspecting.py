"""`sverka inspect`: the hub's eyes on a file of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync import config as configuration
from sync.cli.output import both, print_json, reporting, say, stderr
from sync.hub import inspecting


def register(app: typer.Typer) -> None:
    app.command()(inspect)


def inspect(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="An exchange file (XML, zip), .eml, .mbox, order or webhook JSON, a form's body.")
    ],
    as_: Annotated[str | None, typer.Option("--as", help="The adapter to read it with; guessed otherwise.")] = None,
) -> None:
    """Print as JSON lines the canonical records that the hub would make of a file, with problems named per record."""
    with reporting():
        folder = configuration.load(context.obj).hub.mappings if context.obj.exists() else None
        records = problems = 0
        adapter, cut = "", False
        for row in inspecting.inspect(file, as_, folder):
            print_json(row)
            adapter = row["adapter"]
            records += "problem" not in row
            problems += len(row.get("problems", ())) + ("problem" in row)
            if row.get("cut"):  # among ten thousand lines nobody would see it
                cut = True
                stderr.print(f"✗ {row['id']}: {say(row['problem'])}", style="red", markup=False, soft_wrap=True)
        stderr.print(
            both(f"записей: {records}, проблем: {problems}", f"{records} records, {problems} problems")
            + (both(f", прочитано как {adapter}", f", read as {adapter}") if adapter else ""),
            markup=False,
        )
    if cut:
        raise typer.Exit(1)
