"""Product rows of a deal on their way to the portal. `price` there is for one unit, with discounts and with taxes."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from adapters.base import Native, RecordRefused, Text
from adapters.bitrix24.records import decimal

PLACES = Decimal("0.01")
DISCOUNT = ("discountTypeId", "discountRate", "discountSum")
SENT = ("productId", "productName", "quantity", "taxRate", "taxIncluded", "measureCode", "sort")
NUMBERS = frozenset({"productId", "price", "priceExclusive", "quantity", "taxRate", "measureCode", "discountSum"})


def wire_rows(rows: Any) -> list[Native]:
    """Rows for crm.item.productrow.set, which replaces them all. A row with `priceExclusive` alone gets its tax here."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _bad(0, "a list of rows was wanted", "ожидался список позиций")
    return [_wire(place, row) for place, row in enumerate(rows, 1)]


def _wire(place: int, row: Native) -> Native:
    if not row.get("productId") and not str(row.get("productName") or "").strip():
        raise _bad(place, "neither a product nor a name", "нет ни товара, ни названия")
    quantity = decimal(row.get("quantity", 1))
    if quantity is None or quantity <= 0:
        raise _bad(place, "the quantity is not a number above zero", "количество — не число больше нуля")
    price = _price(row)
    if price is None:
        raise _bad(place, "the price is not a number", "цена — не число")
    wire = {name: row[name] for name in SENT if row.get(name) is not None} | {"price": format(price, "f")}
    if decimal(row.get("discountSum") or 0):  # a manager's discount stays seen; the price has it off already
        wire |= {name: row[name] for name in DISCOUNT if row.get(name) is not None}
    return {"sort": place * 10, **wire}


def _price(row: Native) -> Decimal | None:
    if row.get("price") is not None:
        return decimal(row["price"])
    net, rate = decimal(row.get("priceExclusive")), decimal(row.get("taxRate") or 0)
    if net is None or rate is None:
        return None
    return (net * (1 + rate / 100)).quantize(PLACES, ROUND_HALF_UP)


def same_rows(one: Any, other: Any) -> bool:
    """Whether the rows are those, by the fields that the second list gives; their ids and order numbers are the portal's."""
    rows, wanted = one if isinstance(one, list) else [], other if isinstance(other, list) else []
    return len(rows) == len(wanted) and all(map(_same_row, rows, wanted))


def _same_row(row: Native, wanted: Native) -> bool:
    for name, value in wanted.items():
        if name in ("id", "sort", "total"):
            continue
        have = row.get(name)
        same = decimal(have or 0) == decimal(value or 0) if name in NUMBERS else (have or "") == (value or "")
        if not same:
            return False
    return True


def _bad(place: int, en: str, ru: str) -> RecordRefused:
    text = Text(f"PRODUCT_ROWS[{place}]: {en}", f"PRODUCT_ROWS[{place}]: {ru}")
    return RecordRefused(text, code="bitrix.rows", field="PRODUCT_ROWS")
