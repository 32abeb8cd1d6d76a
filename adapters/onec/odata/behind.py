"""What was paid and shipped for an order, as sums, where the base publishes it: УНФ's registers, БП's documents.

УНФ 3.0: the register ФактОплатыЗаказов (Сумма, СуммаОплаты, СуммаАванса of each order) and turnovers of Продажи by order, with
VAT, returns taken off, in the currency of accounting. БП 3.0: Реализация (СчетНаОплатуПокупателю) and incoming payments that
name the invoice in РасшифровкаПлатежа. Read in the published metadata, not on a running base. Posted documents alone count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from adapters.base import BadConfig, Native, RecordRefused, SverkaError
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.records import local
from adapters.onec.odata.sums import ZERO, Sums, number

BATCH = 10


@dataclass
class Behind:
    """`of(keys)`: the sums of these orders, in a few calls for all of them."""

    client: ODataClient
    names: Names
    published: frozenset[str]
    zone: ZoneInfo
    refused: dict[str, SverkaError] = field(default_factory=dict)
    _found: dict[str, Sums] = field(default_factory=dict)

    def of(self, keys: list[str]) -> dict[str, Sums]:
        self._found = {key: Sums() for key in keys}
        names = self.names
        for at in range(0, len(keys), BATCH):
            part = keys[at : at + BATCH]
            self._ask(names.paid_register, partial(self._paid_by_register, part))
            self._ask(names.sales_register, partial(self._shipped_by_register, part))
            self._ask(names.shipment, partial(self._shipped_by_documents, part))
            for name in names.payments:
                self._ask(name, partial(self._paid_by_documents, part, name))
        return self._found

    def _ask(self, name: str, read: Callable[[], None]) -> None:
        """A set that this user may not read, or that another release keeps otherwise, is one that says nothing: the orders
        are read all the same."""
        if name not in self.published or name in self.refused:
            return
        try:
            read()
        except (BadConfig, RecordRefused) as error:
            if isinstance(error, BadConfig) and error.code not in ("odata.rights", "odata.published"):
                raise
            self.refused[name] = error

    def _paid_by_register(self, keys: list[str]) -> None:
        text = " or ".join(f"СчетНаОплату eq cast(guid'{k}','{self.names.order}')" for k in keys)
        for row in self.client.rows(self.names.paid_register, filter=text):
            amount = number(row, "СуммаОплаты") + number(row, "СуммаАванса")
            self._add("payments", str(row["СчетНаОплату"]), _by_register("payment", amount))

    def _shipped_by_register(self, keys: list[str]) -> None:
        """An order that was never shipped has no turnover: here that is known to be zero."""
        text = " or ".join(f"ЗаказПокупателя_Key eq guid''{k}''" for k in keys)
        rows = self.client.rows(
            f"{self.names.sales_register}/Turnovers(Condition='{text}',Dimensions='ЗаказПокупателя')"
        )
        for key in keys:
            self._found[key].shipments = []
        for row in rows:
            self._add(
                "shipments", str(row["ЗаказПокупателя_Key"]), _by_register("shipment", number(row, "СуммаTurnover"))
            )

    def _shipped_by_documents(self, keys: list[str]) -> None:
        text = " or ".join(f"СчетНаОплатуПокупателю_Key eq guid'{k}'" for k in keys)
        rows = self.client.rows(self.names.shipment, filter=text)
        for key in keys:
            self._found[key].shipments = []
        for row in rows:
            amount = number(row, "СуммаДокумента")
            self._add("shipments", str(row["СчетНаОплатуПокупателю_Key"]), self._document("shipment", row, amount))

    def _paid_by_documents(self, keys: list[str], name: str) -> None:
        """One payment may be for several invoices: of each it says the part."""
        text = " or ".join(f"d/СчетНаОплату_Key eq guid'{k}'" for k in keys)
        rows = self.client.rows(name, filter=f"РасшифровкаПлатежа/any(d: {text})")
        for key in keys:
            self._found[key].payments = self._found[key].payments or []
        for row in rows:
            for key, amount in _parts(row):
                self._add("payments", key, self._document("payment", row, amount))

    def _document(self, kind: str, row: Native, amount: Decimal) -> Native:
        return {
            "key": f"{kind}:{row['Ref_Key']}",
            "kind": kind,
            "number": str(row.get("Number") or "").strip(),
            "date": local(row.get("Date"), self.zone),
            "amount": amount,
            "posted": bool(row.get("Posted")),
            "reversed": bool(row.get("DeletionMark")),
        }

    def _add(self, side: str, key: str, document: Native | None) -> None:
        sums = self._found.get(key)
        if sums is not None:
            setattr(sums, side, [*(getattr(sums, side) or []), *([document] if document else [])])


def _parts(row: Native) -> Iterator[tuple[str, Decimal]]:
    """(invoice, sum of its lines) of one payment."""
    found: dict[str, Decimal] = {}
    for line in row.get("РасшифровкаПлатежа") or []:
        key = str(line.get("СчетНаОплату_Key"))
        found[key] = found.get(key, ZERO) + number(line, "СуммаПлатежа")
    yield from found.items()


def _by_register(kind: str, amount: Decimal) -> Native | None:
    return {"key": f"{kind}:register", "kind": kind, "amount": amount, "posted": True} if amount else None
