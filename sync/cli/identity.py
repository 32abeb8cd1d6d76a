"""`sverka identity …`: the resolver on files, the same code that the hub runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.output import both, reporting, stderr
from sync.identity import contract

app = typer.Typer(
    help="Whose is it: the resolver on files of your own. / Чьё это: проверка на своих файлах.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_File = Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True)]


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="identity")


@app.command("eval")
def evaluate(
    base: _File,
    events: _File,
    meta: _File,
    out: Annotated[Path, typer.Option(dir_okay=False, help="Where the answers go, one JSON line per event.")],
) -> None:
    """Answer contact events one after another against a base of clients, as the hub would log them."""
    with reporting():
        count = contract.evaluate(base, events, meta, out)
        stderr.print(both(f"Событий: {count}", f"Events: {count}"), markup=False)


@app.command("dedupe")
def dedupe(
    records: Annotated[Path, typer.Option("--in", exists=True, dir_okay=False, readable=True, help="Records, CSV.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Where the groups go: id,cluster.")],
    schema: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="JSON: the kind of every column. Default: those of the hub's export."
        ),
    ] = None,
) -> None:
    """Group the records of several systems that are one client."""
    with reporting():
        count, groups = contract.dedupe(records, schema, out)
        stderr.print(
            both(f"Записей: {count}, клиентов: {groups}", f"Records: {count}, clients: {groups}"), markup=False
        )
