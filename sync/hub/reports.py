"""The accountant's report: deals against the documents of the accounting system, differences first."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sync.hub.runtime import Hub
from sync.store.tables import document, link, record

HEADERS: dict[str, tuple[str, ...]] = {
    "ru": (
        "Сделка",
        "Клиент",
        "Этап",
        "Сумма сделки",
        "Заказ в учёте",
        "Сумма заказа",
        "Оплачено",
        "Отгружено",
        "Валюта",
        "Расхождение",
    ),
    "en": (
        "Deal",
        "Client",
        "Stage",
        "Deal sum",
        "Order in accounting",
        "Order sum",
        "Paid",
        "Shipped",
        "Currency",
        "Difference",
    ),
}


def deals(hub: Hub) -> list[dict[str, Any]]:
    """One row per deal: number, client, sums as Decimal, and every difference in words; rows with differences first."""
    accounting = [p.name for p in hub.plugs.values() if p.role == "accounting"]
    client = record.alias("client")
    with hub.store.read() as tx:
        rows = tx.execute(
            sa.select(record, client.c.title.label("client_name"))
            .outerjoin(client, client.c.uid == record.c.client_uid)
            .where(record.c.kind == "deal")
            .order_by(record.c.created_at)
        ).all()
        documents: dict[str, list[Any]] = {}
        for d in tx.execute(sa.select(document).where(document.c.connection.in_(accounting))):
            documents.setdefault(d.deal_uid, []).append(d)
        there = {
            r.record_uid: r
            for r in tx.execute(sa.select(link).where(link.c.connection.in_(accounting), link.c.number.is_not(None)))
        }
    found = [_row(hub, r, documents.get(r.uid, []), there.get(r.uid)) for r in rows]
    return sorted(found, key=lambda r: not r["differences"])


def _row(hub: Hub, deal: Any, documents: list[Any], there: Any) -> dict[str, Any]:
    orders = [d for d in documents if d.kind == "order" and not d.reversed]
    order_sum = sum((d.amount or Decimal(0) for d in orders), Decimal(0)) if orders else None
    titles = {s.name: s.title for p in hub.config.pipelines for s in p.stages}
    return {
        "number": deal.number,
        "client": deal.client_name,
        "stage": titles.get(deal.stage or "", deal.stage),
        "amount": deal.amount,
        "order": ", ".join(d.number for d in orders if d.number) or (there.number if there is not None else None),
        "order_amount": order_sum,
        "paid": deal.paid or Decimal(0),
        "shipped": deal.shipped or Decimal(0),
        "currency": deal.currency,
        "differences": _differences(deal, there, order_sum, hub.config.hub.language),
    }


def _differences(deal: Any, there: Any, order_sum: Decimal | None, language: str) -> list[str]:
    said = []

    def say(ru: str, en: str) -> None:
        said.append(ru if language == "ru" else en)

    if there is None:
        say("заказа нет в учёте", "no order in accounting")
    elif there.state == "offered":
        say("заказ ещё не забран учётной системой", "accounting has not fetched the order yet")
    if order_sum is not None and deal.amount is not None and order_sum != deal.amount:
        say(f"суммы расходятся на {order_sum - deal.amount}", f"the sums differ by {order_sum - deal.amount}")
    paid, shipped = deal.paid or Decimal(0), deal.shipped or Decimal(0)
    if shipped > paid:
        say(f"отгружено больше, чем оплачено, на {shipped - paid}", f"shipped exceeds paid by {shipped - paid}")
    if deal.amount is not None and paid > deal.amount:
        say(f"переплата {paid - deal.amount}", f"overpaid by {paid - deal.amount}")
    return said


def write_xlsx(hub: Hub, path: Path) -> int:
    """Write the report as a workbook with totals; gives the number of deals."""
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    rows = deals(hub)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    language = hub.config.hub.language
    sheet.title = "Сделки" if language == "ru" else "Deals"
    sheet.append(list(HEADERS[language]))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in rows:
        sheet.append(
            [
                *(_safe(row[k]) for k in ("number", "client", "stage")),
                row["amount"],
                _safe(row["order"]),
                row["order_amount"],
                row["paid"],
                row["shipped"],
                _safe(row["currency"]),
                _safe("; ".join(row["differences"])),
            ]
        )
        if row["differences"]:
            sheet.cell(sheet.max_row, 10).fill = PatternFill("solid", fgColor="FFF2CC")
    totals = [
        sum((r[k] or Decimal(0) for r in rows), Decimal(0)) for k in ("amount", "order_amount", "paid", "shipped")
    ]
    name = "Итого" if language == "ru" else "Total"
    sheet.append([name, None, None, totals[0], None, totals[1], totals[2], totals[3], None, None])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True)
    for number, width in enumerate((14, 30, 14, 14, 20, 14, 14, 14, 8, 50), 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2"
    book.save(path)
    return len(rows)


def _safe(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is shown as the text it is."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
