"""Reports: what the accountant gets every morning, on the screen or as a workbook."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.output import both, console, print_json, reporting, table
from sync.errors import Fatal, Text
from sync.hub import Hub, daily, reports, workbook

# What fits on a screen; the workbook has every column, and what is piped on too
_ON_SCREEN = ("number", "client", "amount", "order_amount", "paid", "shipped", "currency", "differences")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def register(app: typer.Typer) -> None:
    report = typer.Typer(help="Reports.", no_args_is_help=True)
    report.command("deals")(deals)
    app.add_typer(report, name="report")


def deals(
    context: typer.Context,
    xlsx: Annotated[Path | None, typer.Option(help="Write a workbook to this file.")] = None,
    as_json: AsJson = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Closed deals that have rested for longer than notices.report_days, too.")
    ] = False,
    mail: Annotated[bool, typer.Option("--mail", help="Send it now to notices.report_to.")] = False,
) -> None:
    """Deals against the accounting system's orders and documents: every difference named, differences first."""
    with reporting(), Hub.open(context.obj, frozen=not mail) as hub:
        days = None if everything else hub.config.notices.report_days
        rows = reports.deals(hub, days)
        language = hub.config.hub.language
        if xlsx is not None:
            _save(xlsx, workbook.as_bytes(rows, language, reports.of_what(days)))
        if mail:
            daily.send(hub, rows, days)
    found = reports.totals(rows)
    if as_json:
        print_json({"rows": rows, "totals": found, "of": reports.of_what(days).say(language)})
        return
    if xlsx is None:
        _table(rows, language)
    said = both(
        f"Сделок {found['deals']}, с расхождениями {found['different']}.",
        f"{found['deals']} deals, {found['different']} with differences.",
    )
    said = " ".join([said, *(both(one.ru, one.en) for one in (*reports.said(rows), reports.of_what(days)))])
    console.print(f"{xlsx}: {said}" if xlsx else said, markup=False, soft_wrap=True)
    if mail:
        console.print(both("Письмо поставлено в очередь отправки.", "The letter was queued."), markup=False)


def _table(rows: list[dict[str, Any]], language: str) -> None:
    names: tuple[str, ...] = workbook.FIELDS
    if console.is_terminal:
        names = _ON_SCREEN
        rows = [{**r, "number": r["number"] or r["order"]} for r in rows]  # only accounting knows it
    heads = dict(zip(workbook.FIELDS, workbook.HEADERS[language], strict=True))
    cells = [tuple(_shown(r[name]) for name in names) for r in rows]
    table(both("Сделки и документы учёта", "Deals and accounting documents"), [heads[n] for n in names], cells)


def _save(path: Path, content: bytes) -> None:
    """Fatal names the file that cannot be written: most often it is open in a spreadsheet."""
    try:
        path.write_bytes(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Fatal(
            Text(
                f"{path} cannot be written ({reason}): close it in other programs, or name another file.",
                f"{path} не записать ({reason}): закройте его в других программах или укажите другой файл.",
            ),
            code="report.file",
        ) from error


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%d.%m.%Y")
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return "; ".join(value) if isinstance(value, list) else value
