"""The accountant's workbook: what differs, everything, and the totals of both sides."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from sync.hub.reports import SUMS, totals

FIELDS = (
    "number",
    "client",
    "stage",
    "amount",
    "order",
    "order_amount",
    "paid",
    "shipped",
    "currency",
    "counterparty",
    "differences",
)
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
        "Контрагент в учёте",
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
        "Counterparty in accounting",
        "Difference",
    ),
}
_WIDTHS = (14, 30, 14, 14, 20, 14, 14, 14, 8, 30, 70)
_NAMES = {
    "ru": {"all": "Сделки", "different": "Расхождения", "total": "Итого", "gap": "Разница (учёт − сделки)"},
    "en": {"all": "Deals", "different": "Differences", "total": "Total", "gap": "Difference (accounting − deals)"},
}


def write(rows: list[dict[str, Any]], language: str, target: Path | IO[bytes]) -> None:
    """Rows of `reports.deals` as a workbook: all deals (differences first) with totals; then only what differs."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    names = _NAMES[language]
    sheet.title = names["all"]
    _fill(sheet, rows, language)
    _fill(book.create_sheet(names["different"]), [r for r in rows if r["differences"]], language)
    book.save(target)


def as_bytes(rows: list[dict[str, Any]], language: str) -> bytes:
    stream = io.BytesIO()
    write(rows, language, stream)
    return stream.getvalue()


def _fill(sheet: Any, rows: list[dict[str, Any]], language: str) -> None:
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    mark, bold = PatternFill("solid", fgColor="FFF2CC"), Font(bold=True)
    sheet.append(list(HEADERS[language]))
    for row in rows:
        sheet.append([_cell(row[name]) for name in FIELDS])
        if row["differences"]:
            sheet.cell(sheet.max_row, len(FIELDS)).fill = mark
    found, names = totals(rows), _NAMES[language]
    sheet.append([names["total"], *(found[n] if n in SUMS else None for n in FIELDS[1:])])
    for line in (sheet[1], sheet[sheet.max_row]):
        for cell in line:
            cell.font = bold
    sheet.cell(sheet.max_row, len(FIELDS)).value = f"{names['gap']}: {found['gap']}"
    for number, width in enumerate(_WIDTHS, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    for number, name in enumerate(FIELDS, 1):
        if name in SUMS:
            for cell in next(sheet.iter_cols(number, number, 2)):
                cell.number_format = "#,##0.00"
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(FIELDS))}{max(1, len(rows) + 1)}"


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is shown as the text it is."""
    if isinstance(value, list):
        value = "; ".join(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
