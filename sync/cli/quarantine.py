"""Commands for records that wait: `sverka quarantine` lists them, `retry` tries them again, `close` puts them aside."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from sync.cli.output import both, console, print_json, reporting, say, table
from sync.hub import Hub, acts, views
from sync.hub.service import nudge

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Code = Annotated[str | None, typer.Option("--code", help="Only this cause.")]
Connection = Annotated[str | None, typer.Option("--connection", help="Only this connection.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="List records that wait, try them again, or put them aside.", invoke_without_command=True)
    group.callback()(listing)
    group.command()(retry)
    group.command()(close)
    app.add_typer(group, name="quarantine")


def listing(
    context: typer.Context,
    code: Code = None,
    connection: Connection = None,
    stage: Annotated[
        str | None, typer.Option(help="intake: could not be taken; delivery: could not be written.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List records that wait, grouped by cause."""
    if context.invoked_subcommand is not None:
        return
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        rows = views.quarantined(hub, code=code, connection=connection, stage=stage)
    if as_json:
        print_json(rows)
        return
    rows.sort(key=lambda row: row["code"])
    table(
        both("Карантин", "Quarantine"),
        ("id", both("причина", "cause"), "", "", both("что делать", "remedy"), both("повтор", "next try")),
        [
            (
                row["id"],
                row["code"],
                f"{row['connection']}/{row['native_kind']}/{row['external_id']} ×{row['count']}",
                say(row["text"]),
                say(row["remedy"]),
                row["next_at"] or "",
            )
            for row in rows
        ],
    )


def retry(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="Records by the number in the list.")] = None,
    code: Code = None,
    connection: Connection = None,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read them from their system again, instead of taking what was kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try records again with today's mapping: some by number, or all of a cause, of a connection, or of both."""
    with reporting(), Hub.open(context.obj) as hub:
        for id in ids or []:
            acts.retry(hub, id, reread=reread)
        found = ids or acts.retry_all(hub, code, connection, reread=reread)["ids"]
        nudge(hub)
    if as_json:
        print_json({"retried": found})
    else:
        console.print(both("Будут повторены: ", "Tried again: ") + str(found), markup=False, soft_wrap=True)


def close(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(help="Records by the number in the list.")],
    reason: Annotated[str, typer.Option("--reason", help="Why nothing is left to be done.")] = "",
) -> None:
    """Put aside what nothing is left to be done about: a test order, a broken file that came whole later."""
    with reporting(), Hub.open(context.obj) as hub:
        for id in ids:
            acts.put_aside(hub, id, getpass.getuser(), reason)
    console.print(both("Закрыто: ", "Closed: ") + str(ids), markup=False, soft_wrap=True)
