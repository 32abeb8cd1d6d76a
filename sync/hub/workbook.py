"""The accountant's workbook: the deals with differences first, only what differs, and the totals of both sides."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sync.errors import Text
from sync.hub.reports import SUMS, by_currency, totals

FIELDS = (
    "number",
    "client",
    "stage",
    "amount",
    "order",
    "order_date",
    "order_amount",
    "gap",
    "paid",
    "shipped",
    "currency",
    "counterparty",
    "order_stage",
    "differences",
)
HEADERS: dict[str, tuple[str, ...]] = {
    "ru": (
        "Сделка",
        "Клиент",
        "Этап",
        "Сумма сделки",
        "Заказ в учёте",
        "Дата заказа",
        "Сумма заказа",
        "Разница",
        "Оплачено",
        "Отгружено",
        "Валюта",
        "Контрагент в учёте",
        "Этап по учёту",
        "Расхождение",
    ),
    "en": (
        "Deal",
        "Client",
        "Stage",
        "Deal sum",
        "Order in accounting",
        "Order date",
        "Order sum",
        "Difference",
        "Paid",
        "Shipped",
        "Currency",
        "Counterparty in accounting",
        "Stage by accounting",
        "What differs",
    ),
}
_WIDTHS = (14, 30, 14, 15, 18, 12, 15, 13, 15, 15, 8, 30, 14, 70)
_NAMES = {
    "ru": {"all": "Сделки", "different": "Расхождения", "total": "Итого"},
    "en": {"all": "Deals", "different": "Differences", "total": "Total"},
}
_OF_DIFFERENCES = Text("Every deal that differs, however old.", "Все сделки с расхождениями, за всё время.")
_MONEY = (*SUMS, "gap")
_MONEY_SHOWN = "#,##0.00;[Red]-#,##0.00"
_WRAPPED = ("client", "counterparty", "differences")
_LINE = 15  # points


def write(rows: list[dict[str, Any]], language: str, target: Path | IO[bytes], scope: Text | None = None) -> None:
    """Rows of `reports.deals` as a workbook: all of them (differences first) and only what differs, each with its totals, and
    under the totals what they are of (`scope`)."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    names = _NAMES[language]
    sheet.title = names["all"]
    _fill(sheet, rows, language, scope)
    _fill(
        book.create_sheet(names["different"]),
        [r for r in rows if r["differences"]],
        language,
        _OF_DIFFERENCES if scope else None,
    )
    book.save(target)


def as_bytes(rows: list[dict[str, Any]], language: str, scope: Text | None = None) -> bytes:
    stream = io.BytesIO()
    write(rows, language, stream, scope)
    return stream.getvalue()


def _fill(sheet: Any, rows: list[dict[str, Any]], language: str, scope: Text | None) -> None:
    from openpyxl.styles import PatternFill
    from openpyxl.utils import get_column_letter

    mark = PatternFill("solid", fgColor="FFF2CC")
    sheet.append(list(HEADERS[language]))
    for row in rows:
        sheet.append([_cell(row[name]) for name in FIELDS])
        if row["differences"]:
            sheet.cell(sheet.max_row, len(FIELDS)).fill = mark
    last = get_column_letter(len(FIELDS))
    sheet.auto_filter.ref = f"A1:{last}{max(1, len(rows) + 1)}"  # the totals stay where they are when rows are filtered
    _add_totals(sheet, rows, language)
    _format(sheet)
    if scope is not None:
        sheet.append([scope.say(language)])
    sheet.freeze_panes = "B2"
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _add_totals(sheet: Any, rows: list[dict[str, Any]], language: str) -> None:
    """A line for each currency: sums of different ones are never added up."""
    from openpyxl.styles import Font

    for currency, some in by_currency(rows).items():
        found = totals(some)
        word = f"{_NAMES[language]['total']} {currency}".strip()
        sheet.append([word, *(found[n] if n in _MONEY else None for n in FIELDS[1:])])
        for cell in sheet[sheet.max_row]:
            cell.font = Font(bold=True)


def _format(sheet: Any) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    for cell in sheet[1]:
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
        cell.fill = PatternFill("solid", fgColor="E7E6E6")
    for row in sheet.iter_rows(2):  # a text of several lines is seen whole: not every program grows its row by itself
        lines = [
            sum(1 + len(part) // width for part in cell.value.split("\n"))
            for cell, name, width in zip(row, FIELDS, _WIDTHS, strict=True)
            if name in _WRAPPED and isinstance(cell.value, str)
        ]
        sheet.row_dimensions[row[0].row].height = _LINE * max([1, *lines])
    for number, (name, width) in enumerate(zip(FIELDS, _WIDTHS, strict=True), 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        for cell in next(sheet.iter_cols(number, number, 2), ()):
            cell.alignment = Alignment(vertical="top", wrap_text=name in _WRAPPED)
            if name in _MONEY:
                cell.number_format = _MONEY_SHOWN
            elif name == "order_date":
                cell.number_format = "DD.MM.YYYY"


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is shown as the text it is; a date has no zone there."""
    if isinstance(value, list):
        value = "\n".join(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
