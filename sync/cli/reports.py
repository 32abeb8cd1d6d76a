"""Reports: what the accountant gets every morning, on the screen or as a workbook."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.output import both, console, print_json, reporting, table
from sync.hub import Hub, daily, reports, workbook

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def register(app: typer.Typer) -> None:
    report = typer.Typer(help="Reports.", no_args_is_help=True)
    report.command("deals")(deals)
    app.add_typer(report, name="report")


def deals(
    context: typer.Context,
    xlsx: Annotated[Path | None, typer.Option(help="Write a workbook to this file.")] = None,
    as_json: AsJson = False,
    mail: Annotated[bool, typer.Option("--mail", help="Send it now to notices.report_to.")] = False,
) -> None:
    """Deals against the accounting system's orders and documents: every difference named, differences first."""
    with reporting(), Hub.open(context.obj, frozen=not mail) as hub:
        rows = reports.deals(hub)
        language = hub.config.hub.language
        if xlsx is not None:
            workbook.write(rows, language, xlsx)
        if mail:
            daily.send(hub, rows)
    found = reports.totals(rows)
    if as_json:
        print_json({"rows": rows, "totals": found})
        return
    if xlsx is None:
        cells = [tuple(_shown(r[name]) for name in workbook.FIELDS) for r in rows]
        table(both("Сделки и документы учёта", "Deals and accounting documents"), workbook.HEADERS[language], cells)
    said = both(
        f"Сделок {found['deals']}, с расхождениями {found['different']}.",
        f"{found['deals']} deals, {found['different']} with differences.",
    )
    for currency, some in reports.by_currency(rows).items():
        sums = reports.totals(some)
        said += " " + both(
            f"Суммы {currency}: {sums['amount']} в сделках, {sums['order_amount']} в учёте, разница {sums['gap']}.",
            f"Sums {currency}: {sums['amount']} in deals, {sums['order_amount']} in accounting, difference {sums['gap']}.",
        )
    console.print(f"{xlsx}: {said}" if xlsx else said, markup=False, soft_wrap=True)
    if mail:
        console.print(both("Письмо поставлено в очередь отправки.", "The letter was queued."), markup=False)


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%d.%m.%Y")
    return "; ".join(value) if isinstance(value, list) else value
