"""From the portal's rows to records: what is kept, what is left out, and what is told once more in a form that can be written.

Beside the portal's own fields a record has (reference: crm-systems.md, 3.2):

STAGE          a deal's stage without its pipeline: "WON" of "C3:WON". Written, it goes to the deal's own pipeline.
PHONES, EMAILS the values of the multifields PHONE and EMAIL. Written, only what differs is changed, by the values' ids.
PRODUCT_ROWS   a deal's product rows (crm.item.productrow), each with `total` = price × quantity. Written as a whole.
CLIENT         the linked contact and company, as far as they tell whose record it is. Never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from adapters.base import Native, Record

KINDS = frozenset({"lead", "deal", "contact", "company"})
PHONED = frozenset({"lead", "contact", "company"})
LISTS = {"PHONES": "PHONE", "EMAILS": "EMAIL"}
SELECT = ["*", "UF_*"]
# These move by themselves (a view, a call, somebody's read mark) or say only that something else moved
VOLATILE = frozenset(
    {"DATE_MODIFY", "MODIFY_BY_ID", "LAST_ACTIVITY_TIME", "LAST_ACTIVITY_BY", "LAST_COMMUNICATION_TIME", "IS_NEW"}
)
ROW_FIELDS = (
    "id", "productId", "productName", "price", "priceExclusive", "quantity", "discountTypeId", "discountRate",
    "discountSum", "taxRate", "taxIncluded", "measureCode", "measureName", "sort", "type",
)  # fmt: skip
CENT = Decimal("0.01")


def select(kind: str) -> list[str]:
    """What a list is asked for: multifields come only by their names."""
    return [*SELECT, *LISTS.values()] if kind in PHONED else SELECT


def record(kind: str, row: Native, more: Mapping[str, Any]) -> Record:
    """`more` is what was read besides the row. The version is the portal's own modified stamp."""
    data = {name: value for name, value in row.items() if name not in VOLATILE}
    if kind in PHONED:
        data |= {name: values(row.get(field)) for name, field in LISTS.items()}
    if kind == "deal":
        data["STAGE"] = bare(row.get("STAGE_ID"))
    stamp = row.get("DATE_MODIFY")
    return Record(kind, str(row["ID"]), data | dict(more), stamp if isinstance(stamp, str) else "")


def values(multifield: Any) -> list[str]:
    """The values of a multifield in their order, empty ones left out."""
    items = multifield if isinstance(multifield, list) else []
    found = [item.get("VALUE") for item in items if isinstance(item, dict)]
    return [value for value in found if isinstance(value, str) and value.strip()]


def bare(stage: Any) -> Any:
    """A stage without its pipeline: "C3:WON" is "WON"."""
    if not isinstance(stage, str):
        return stage
    head, colon, code = stage.partition(":")
    return code if colon and head[:1] == "C" and head[1:].isdecimal() else stage


def full(stage: str, category: Any) -> str:
    """A stage's id in a pipeline; the pipeline 0 has no prefix."""
    number = str(category or "0")
    return bare(stage) if number == "0" else f"C{number}:{bare(stage)}"


def product_row(row: Native) -> Native:
    """A product row as it is kept: without what repeats the deal or the portal's report currency."""
    kept = {name: row.get(name) for name in ROW_FIELDS}
    price, quantity = decimal(row.get("price")), decimal(row.get("quantity"))
    if price is not None and quantity is not None:
        kept["total"] = str((price * quantity).quantize(CENT, ROUND_HALF_UP))
    return kept


def client_part(row: Native) -> Native:
    """What a linked contact or company says of who it is."""
    names = ("ID", "NAME", "SECOND_NAME", "LAST_NAME", "TITLE")
    part = {name: row[name] for name in names if name in row}
    return part | {name: values(row.get(field)) for name, field in LISTS.items()}


def decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() and number.adjusted() < 15 else None
