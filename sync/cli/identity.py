"""`sverka identity …`: the resolver on files, the same code that the hub runs; and every link of the hub made again by it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.output import Voice, both, console, print_json, reporting, say, stderr, table
from sync.errors import Text
from sync.hub import Hub, views
from sync.hub import duplicates as finding
from sync.hub import rebuild as rebuilding
from sync.identity import contract

app = typer.Typer(
    help="Whose is it: on files of your own, or all again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SHOWN = 200  # changes on the screen; --json has all of them
_File = Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True)]


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="identity")


def _aside(text: Text) -> None:
    """Beside the result: what could not be used."""
    stderr.print(f"! {text.say(Voice.language)}", style="yellow", markup=False, soft_wrap=True)


@app.command("eval")
def evaluate(
    base: _File,
    events: _File,
    meta: _File,
    out: Annotated[Path, typer.Option(dir_okay=False, help="Where the answers go, one JSON line per event.")],
) -> None:
    """Answer contact events one after another against a base of clients, as the hub would log them."""
    with reporting():
        count = contract.evaluate(base, events, meta, out, _aside)
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
        count, groups = contract.dedupe(records, schema, out, _aside)
        stderr.print(
            both(f"Записей: {count}, клиентов: {groups}", f"Records: {count}, clients: {groups}"), markup=False
        )


@app.command("duplicates")
def duplicates(
    context: typer.Context,
    save: Annotated[bool, typer.Option("--save", help="Keep the plan, to be approved by its id.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Show which cards of the connected systems are one client, and why. Merges nothing: sverka approve does."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        told = finding.find(hub)
        if save and not told["over"]:
            told["id"] = finding.save(hub)
    if as_json:
        print_json(told)
    else:
        _show_duplicates(told, save)
    if told["over"]:
        raise typer.Exit(3)


def _show_duplicates(told: dict[str, Any], save: bool) -> None:
    console.print(both("ПРОБНЫЙ ПРОГОН: ничего не изменено.", "DRY RUN: nothing was changed."), style="bold")
    rows = [
        (_named(group["kept"]) if not number else "", "←", _named(card), say(card["why"]))
        for group in told["groups"]
        for number, card in enumerate(group["cards"])
    ]
    table(both("Вероятные дубли", "Probable duplicates"), ("", "", "", ""), rows[:SHOWN])
    if len(rows) > SHOWN:
        console.print(both(f"… и ещё {len(rows) - SHOWN}: --json", f"… and {len(rows) - SHOWN} more: --json"))
    apart = [(one["names"][0], "≠", one["names"][1], say(one["why"])) for one in told["apart"][:SHOWN]]
    table(both("Похожи, но оставлены порознь", "Alike, and left apart"), ("", "", "", ""), apart)
    console.print(
        both(
            f"Клиентов: {told['clients']}, групп: {len(told['groups'])}, карточек к объединению: {told['merges']}",
            f"Clients: {told['clients']}, groups: {len(told['groups'])}, cards to be merged: {told['merges']}",
        )
    )
    if told["over"]:
        stderr.print(f"✗ {say(told['over'])}", style="red", markup=False, soft_wrap=True)
    elif told.get("id"):
        text = both(f"План {told['id']} сохранён. Выполнить его:", f"The plan {told['id']} is kept. To carry it out:")
        console.print(f"{text} sverka approve {told['id']}", markup=False, soft_wrap=True)
    elif save:
        console.print(both("Объединять нечего.", "There is nothing to merge."))


def _named(card: dict[str, Any]) -> str:
    return f"{card['name']} ({', '.join(card['systems'])})" if card["systems"] else card["name"]


@app.command("rebuild")
def rebuild(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Read everything that was ever said again by today's rules and link it anew; people's decisions stand."""
    with reporting(), Hub.open(context.obj, frozen=plan) as hub:
        told = rebuilding.plan(hub) if plan else rebuilding.rebuild(hub, getpass.getuser())
    if as_json:
        print_json(told)
        return
    if plan:
        console.print(both("ПРОБНЫЙ ПРОГОН: ничего не изменено.", "DRY RUN: nothing was changed."), style="bold")
    rows = [_row(change) for change in told["changes"][:SHOWN]]
    table(both("Связи", "Links"), ("", "", "", "", ""), rows)
    if len(told["changes"]) > SHOWN:
        more = len(told["changes"]) - SHOWN
        console.print(both(f"… и ещё {more}: --json", f"… and {more} more: --json"))
    console.print(
        both(
            f"Прочитано: {told['read']}, без изменений: {told['same']}, к другому клиенту: {told['moved']}, "
            f"ничьих: {told['ignored']}, правила спросили бы: {told['asked']}, новых карточек: {told['new_cards']}",
            f"Read: {told['read']}, as before: {told['same']}, to another client: {told['moved']}, "
            f"nobody's: {told['ignored']}, would be asked: {told['asked']}, new cards: {told['new_cards']}",
        )
    )


@app.command("ignored")
def ignored(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Events that are no client's, with the reason: robots, colleagues, hidden numbers. They are kept and make no client."""
    with reporting(), Hub.open(context.obj) as hub:
        rows = views.nobodys(hub, limit)
    if as_json:
        print_json(rows)
        return
    shown = [
        (f"{r['at']:%Y-%m-%d %H:%M}", r["connection"], r["type"], r["subject"] or "", say(r["evidence"])) for r in rows
    ]
    table(both("Ничьи события", "Events of nobody"), ("", "", "", "", ""), shown)


def _row(change: dict[str, Any]) -> tuple[str, ...]:
    def name(card: dict[str, Any] | None) -> str:
        return "—" if card is None else card["name"] or both("новая карточка", "a new card")

    words = {"moved": "→", "ignored": "✗", "asked": "?"}
    after = name(change["after"]) if change["outcome"] != "asked" else both("спросить", "to be asked")
    return (
        change["title"] or change["thing"],
        name(change["before"]),
        words[change["outcome"]],
        after,
        say(change["reason"]),
    )
