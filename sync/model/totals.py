"""What the lines of a deal come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sync.errors import Text
from sync.model.compare import line_total

ZERO = Decimal(0)


def of_lines(lines: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """What the lines come to: goods, shipping and fees with VAT, less the discounts. None where a line does not say it."""
    total = ZERO
    for row in lines:
        found = line_total(row)
        if found is None:
            return None
        total += -abs(found) if row.get("kind") == "discount" else found
    return total


def differs(amount: Decimal, total: Decimal) -> Text:
    return Text(
        f"The deal's amount is {amount:.2f}, its lines come to {total:.2f}: they differ by {amount - total:.2f}.",
        f"Сумма сделки {amount:.2f}, по строкам {total:.2f}: расхождение {amount - total:.2f}.",
    )
