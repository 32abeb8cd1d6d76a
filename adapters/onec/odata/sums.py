"""Payments and shipments of an order as rows of documents, and what follows from their sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from adapters.base import Native

ZERO = Decimal(0)
_SAYS = {"refund": "payment", "return": "shipment"}  # what comes back belongs to the sum of what went


@dataclass(slots=True)
class Sums:
    """Of one order. None: the base does not say, which is not zero. `silent`: kinds of documents that cannot be told now,
    though they may have been before: what was known of them stands."""

    payments: list[Native] | None = None
    shipments: list[Native] | None = None
    silent: frozenset[str] = field(default=frozenset())

    @property
    def documents(self) -> list[Native]:
        return [*(self.payments or []), *(self.shipments or [])]

    @property
    def unknown(self) -> list[Native]:
        """A row for each kind that cannot be told."""
        return [{"kind": kind} for kind in sorted(self.silent)]

    @property
    def token(self) -> tuple[object, ...]:
        """What tells that one of them has moved: 1C promises no order among them."""
        rows = [(d["key"], str(d["amount"]), d["posted"], d.get("reversed")) for d in self.documents]
        return (*sorted(rows, key=str), *sorted(self.silent))

    def add(self, document: Native) -> None:
        if _SAYS.get(document["kind"], document["kind"]) == "payment":
            self.payments = [*(self.payments or []), document]
        else:
            self.shipments = [*(self.shipments or []), document]


ALL = frozenset({"payment", "refund", "return", "shipment"})
UNKNOWN = Sums()
UNTOLD = Sums(silent=ALL)


def covered(rows: list[Native] | None, amount: Decimal, currency: str) -> bool | None:
    """Whether what counts of them (posted, not marked for deletion) comes to the order's amount; None where it is unknown."""
    if rows is None or amount <= 0:
        return None
    counted = [r for r in rows if r["posted"] and not r.get("reversed")]
    if any(r["amount"] is None or r.get("currency", currency) != currency for r in counted):
        return None
    return sum((-r["amount"] if r["kind"] in _SAYS else r["amount"] for r in counted), ZERO) >= amount


def registered(kind: str, amount: Decimal) -> list[Native]:
    """The one row of a register that tells only how much it is in all."""
    return [{"key": f"{kind}:register", "kind": kind, "amount": amount, "posted": True}] if amount else []


def number(row: Native, name: str) -> Decimal:
    value = row.get(name)
    return Decimal(str(value)) if value is not None else ZERO
