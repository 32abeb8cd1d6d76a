"""`sverka client …`: a client with all cards that are this client, merges and their undoing."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from sync.cli.output import both, console, print_json, reporting, say, table
from sync.cli.people import AsJson
from sync.hub import Hub, merges, views
from sync.hub.service import nudge

app = typer.Typer(
    help="Clients: show one, merge two cards, take a merge back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Card = Annotated[str, typer.Argument(help="uid, phone, e-mail, INN or name.")]


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="client")


@app.command()
def show(context: typer.Context, client: _Card, as_json: AsJson = False) -> None:
    """A client with all cards that are this client, and who merged them."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        with hub.store.read() as tx:
            uid = merges.find(hub, tx, client)
        found = views.client(hub, uid) or {}
    if as_json:
        print_json(found)
        return
    console.print(f"{found['kind']} {found['title'] or ''} · {found['uid']}", style="bold", markup=False)
    table("", ("", ""), [(name, _plain(value)) for name, value in found["data"].items() if value])
    _show_merged(found["merged"])
    table(
        both("События", "Timeline"),
        ("", "", "", ""),
        [
            (
                e["at"],
                e["connection"],
                f"{e['type']} {e['subject'] or ''}".rstrip(),
                say(e["evidence"] or {"en": "", "ru": ""}),
            )
            for e in found["timeline"]
        ],
    )


def _plain(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_merged(rows: list[dict[str, Any]]) -> None:
    for one in rows:
        at = f"{one['at'].astimezone():%Y-%m-%d %H:%M}"
        console.print(
            both(
                f"объединено с карточкой {one['name']} ({one['card']}): {one['who']}, {at}; {one['why']['ru']}",
                f"merged from {one['name']} ({one['card']}) by {one['who']} at {at}; {one['why']['en']}",
            ),
            markup=False,
        )


@app.command()
def merge(
    context: typer.Context,
    kept: Annotated[str, typer.Argument(help="The card that the client stays known by.")],
    gone: Annotated[str, typer.Argument(help="The card that is the same client.")],
    why: Annotated[str, typer.Option(help="Why; people see it beside the merge.")] = "",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="One is a company, the other a person, and this is meant.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Two cards are one client. Nothing is moved, so it can be taken back exactly: sverka client unmerge."""
    with reporting(), Hub.open(context.obj) as hub:
        result = merges.merge(hub, kept, gone, getpass.getuser(), why, mixed=mixed)
        nudge(hub)
    print_json(result) if as_json else console.print(f"{result['gone']} → {result['kept']}", markup=False)


@app.command()
def unmerge(context: typer.Context, card: _Card, as_json: AsJson = False) -> None:
    """Take back the merge by which this card went into another one; a question that it answered is open again."""
    with reporting(), Hub.open(context.obj) as hub:
        result = merges.unmerge(hub, card, getpass.getuser())
        nudge(hub)
    print_json(result) if as_json else console.print(f"{result['gone']} ↮ {result['kept']}", markup=False)


@app.command()
def never(context: typer.Context, card: _Card, other: _Card, as_json: AsJson = False) -> None:
    """Never these two: nobody merges them until sverka client allow."""
    with reporting(), Hub.open(context.obj) as hub:
        result = merges.never(hub, card, other, getpass.getuser())
    print_json(result) if as_json else console.print(f"{result['card']} ≠ {result['other']}", markup=False)


@app.command()
def allow(context: typer.Context, card: _Card, other: _Card, as_json: AsJson = False) -> None:
    """Take «never these two» back."""
    with reporting(), Hub.open(context.obj) as hub:
        result = merges.allow(hub, card, other, getpass.getuser())
    print_json(result) if as_json else console.print(str(result["taken_back"]), markup=False)
