"""Payments and shipments of an order as rows of documents, and what follows from their sums."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from adapters.base import Native

ZERO = Decimal(0)


@dataclass(slots=True)
class Sums:
    """Of one order. None: the base does not say, which is not zero."""

    payments: list[Native] | None = None
    shipments: list[Native] | None = None

    @property
    def documents(self) -> list[Native]:
        return [*(self.payments or []), *(self.shipments or [])]

    @property
    def token(self) -> tuple[object, ...]:
        """What tells that one of them has moved."""
        return tuple((d["key"], str(d["amount"]), d["posted"], d.get("reversed")) for d in self.documents)


UNKNOWN = Sums()


def covered(rows: list[Native] | None, amount: Decimal) -> bool | None:
    """Whether what counts of them (posted, not marked for deletion) comes to the order's amount; None where it is unknown."""
    if rows is None or amount <= 0:
        return None
    return sum((r["amount"] for r in rows if r["posted"] and not r.get("reversed")), ZERO) >= amount


def number(row: Native, name: str) -> Decimal:
    value = row.get(name)
    return Decimal(str(value)) if value is not None else ZERO
