"""Commands that prove and put right: verify, undo, audit."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sync.cli.output import both, console, print_json, reporting, say, stderr, table
from sync.hub import Hub, audit, undo, verifying
from sync.hub.service import nudge

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Only = Annotated[str | None, typer.Argument(help="One connection only.")]
_SHOWN = 200  # rows of a table; JSON has all of them


def register(app: typer.Typer) -> None:
    app.command("verify")(verify_command)
    app.command("undo")(undo_command)
    app.command("audit")(audit_command)
    app.command("replay", hidden=True)(audit_command)  # what it does, for those who look for that word


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """How far it is, on a terminal only."""
    if not stderr.is_terminal:
        yield lambda _: None
        return
    with stderr.status(both("Сверяю…", "Comparing…")) as status:
        yield status.update


def verify_command(context: typer.Context, connection: Only = None, as_json: AsJson = False) -> None:
    """Compare both sides of every linked record. Changes nothing; what differs becomes a question (sverka conflicts)."""
    with reporting(), Hub.open(context.obj) as hub, _progress() as show:
        reports, errors = verifying.verify(hub, connection, lambda r: show(f"{r.connection}: {r.kind} {r.read}"))
    found = {
        "ok": not errors and not any(r.wrong for r in reports),
        "kinds": [verifying.as_json(r) for r in reports],
        "errors": {name: {"code": e.code, "en": e.text.en, "ru": e.text.ru} for name, e in errors.items()},
    }
    if as_json:
        print_json(found)
    else:
        _show_verify(found)
    if not found["ok"]:
        raise typer.Exit(1)


def _show_verify(found: dict[str, Any]) -> None:
    names = ("read", "same", "news", "waiting", "drifted", "missing", "unknown", "opened")
    heads = both(
        "прочитано,совпало,новое там,ждёт,расходится,нет там,неизвестно,вопросов",
        "read,same,news there,waiting,differ,missing,unknown,conflicts",
    ).split(",")
    table(
        both("Сверка сторон", "Both sides compared"),
        ("", "", *heads),
        [(r["connection"], r["kind"], *(r[n] for n in names)) for r in found["kinds"]],
    )
    shown = [
        (r["connection"], e["what"], e.get("number") or e["id"], *_difference(e))
        for r in found["kinds"]
        for e in r["examples"]
    ]
    if shown:
        columns = ("", "", "", both("поле", "field"), both("в хабе | там | было согласовано", "hub | there | agreed"))
        table(both("Примеры", "Examples"), columns, shown)
    for name, error in found["errors"].items():
        stderr.print(f"✗ {name}: {say(error)}", style="red", markup=False, soft_wrap=True)
    if found["ok"]:
        console.print(both("Расхождений нет.", "Nothing differs."), style="bold")


def _difference(example: dict[str, Any]) -> tuple[str, str]:
    if "field" in example:
        return example["field"], f"{example['hub']} | {example['side']} | {example['base']}"
    return ", ".join(example.get("fields", ())), ""


def undo_command(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run whose changes are taken back (sverka status shows them).")],
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take back what a run changed, here and in the other systems, wherever nothing has moved since."""
    with reporting(), Hub.open(context.obj, frozen=plan) as hub:
        found = undo.plan(hub, run) if plan else undo.apply(hub, run, getpass.getuser())
        if found.done:
            nudge(hub)
    if as_json:
        print_json(asdict(found))
    else:
        _show_undo(found, only_planned=plan)
    if found.refused:
        raise typer.Exit(1)


def _show_undo(found: undo.Undo, *, only_planned: bool) -> None:
    if not found.ready + found.done + found.refused:
        console.print(both("Отменять нечего.", "Nothing is left to undo."), style="bold")
        return
    if only_planned:
        console.print(both("ПРОБНЫЙ ПРОГОН: ничего не изменено.", "DRY RUN: nothing was changed."), style="bold")
    values = [
        (r.kind, r.number or r.title or r.uid, name, f"{now} → {back}", ", ".join(r.written.get(name, ())))
        for r in found.records
        if not r.refused
        for name, (now, back) in r.fields.items()
    ]
    columns = ("", "", both("поле", "field"), both("станет", "becomes"), both("и там", "there too"))
    table(both("Отменяется", "Taken back"), columns, values[:_SHOWN])
    refused = [(r.kind, r.number or r.title or r.uid, say(t)) for r in found.records for t in r.refused]
    table(both("Не отменяется", "Not taken back"), ("", "", both("почему", "why")), refused[:_SHOWN])
    console.print(
        both(
            f"Отменяется записей: {found.ready + found.done}, нельзя отменить: {found.refused}, уже как было: {found.nothing}.",
            f"{found.ready + found.done} records taken back, {found.refused} not, {found.nothing} as before already.",
        ),
        style="bold",
    )


def audit_command(
    context: typer.Context,
    deal: Annotated[str | None, typer.Option(help="One deal only, by its number.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay the journal over the first values: it must give today's records and shadows. Changes nothing."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub, _progress() as show:
        found = audit.audit(hub, deal, lambda a: show(str(a.records)))
    if as_json:
        print_json(asdict(found) | {"ok": found.ok})
    else:
        table(
            both("Журнал этого не объясняет", "Not explained by the journal"),
            (
                "",
                "",
                both("где", "where"),
                both("поле", "field"),
                both("по журналу", "replayed"),
                both("есть", "actual"),
            ),
            [(m.kind, m.number or m.uid, m.where, m.field, m.replayed, m.actual) for m in found.mismatches[:_SHOWN]],
        )
        console.print(
            both(
                f"Записей {found.records}, связей {found.links}, строк журнала {found.rows}: несовпадений {found.wrong}"
                f" (ждут нового чтения: {found.waiting}, не настроены: {found.unread}).",
                f"{found.records} records, {found.links} links, {found.rows} journal rows: {found.wrong} mismatches"
                f" (to be read anew: {found.waiting}, not configured: {found.unread}).",
            ),
            style="bold",
        )
    if not found.ok:
        raise typer.Exit(1)
