"""БП 3.0: the documents behind an invoice (Счет на оплату покупателю), there and back.

Реализация names the invoice (СчетНаОплатуПокупателю), and so do incoming payments in РасшифровкаПлатежа (СчетНаОплату); a
card operation may be a refund (ВидОперации). Возврат товаров от покупателя names the shipment (Сделка). Корректировка
реализации names the first shipment (ИсходныйДокументРеализации), however often it was corrected, and says of each line what it
came to before (СуммаДоИзменения) and after (Сумма); one that corrects nothing but papers or VAT says so (КорректироватьБУиНУ).
Money that goes back names what it is for in РасшифровкаПлатежа (Сделка) or as its basis (ДокументОснование): the payment, the
shipment or the return. It never names the invoice: СчетНаОплату is the supplier's there. Read in the published text of БП
3.0.83.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from adapters.base import Native
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.records import local
from adapters.onec.odata.sums import ZERO, Sums, number

_BACK = "ВозвратПокупателю"  # ВидОперации of money that goes back to a buyer
_LINES = "РасшифровкаПлатежа"
_CORRECTED = ("Товары", "Услуги", "АгентскиеУслуги")
_BATCH = 10


@dataclass
class Invoices:
    """Adds to `found` what the base tells of some invoices. `ask(set, read)`: whether the set could be read."""

    client: ODataClient
    names: Names
    zone: ZoneInfo
    found: Mapping[str, Sums]
    ask: Callable[[str, Callable[[], object]], bool]
    # a payment's, shipment's or return's key → its set, and the invoices that it is for
    owners: dict[str, tuple[str, set[str]]] = field(default_factory=dict)

    def look(self, keys: list[str]) -> None:
        self.ask(self.names.shipment, partial(self._shipped, keys))
        for name in self.names.payments:
            self.ask(name, partial(self._paid, keys, name))
        if any(name == self.names.shipment for name, _ in self.owners.values()):
            self.ask(self.names.returns, self._returned)
            self.ask(self.names.corrections, self._corrected)
        for name in self.names.refunds if self.owners else ():
            self.ask(name, partial(self._refunded, name))

    def _shipped(self, keys: list[str]) -> None:
        text = " or ".join(f"СчетНаОплатуПокупателю_Key eq guid'{k}'" for k in keys)
        rows = self.client.rows(self.names.shipment, filter=text)
        for key in keys:
            self.found[key].shipments = []
        for row in rows:
            self._add("shipment", self.names.shipment, row, {str(row["СчетНаОплатуПокупателю_Key"]): _whole(row)})

    def _paid(self, keys: list[str], name: str) -> None:
        """One payment may be for several invoices: of each it says the part."""
        text = " or ".join(f"d/СчетНаОплату_Key eq guid'{k}'" for k in keys)
        rows = self.client.rows(name, filter=f"{_LINES}/any(d: {text})")
        for key in keys:
            self.found[key].payments = self.found[key].payments or []
        for row in rows:
            parts: dict[str, Decimal | None] = {}
            for key, amount in _lines(row, "СчетНаОплату_Key"):
                parts[key] = (parts.get(key) or ZERO) + amount
            self._add("refund" if row.get("ВидОперации") == _BACK else "payment", name, row, parts)

    def _returned(self) -> None:
        for refs in self._named(self.names.shipment):
            text = " or ".join(f"Сделка eq {_cast(ref, name)}" for ref, name in refs)
            for row in self.client.rows(self.names.returns, filter=text):
                _, orders = self.owners.get(str(row["Сделка"]), ("", set[str]()))
                self._add("return", self.names.returns, row, dict.fromkeys(orders, _whole(row)))

    def _corrected(self) -> None:
        """By how much a shipment grew or shrank: a shipment or a return of its own."""
        for refs in self._named(self.names.shipment):
            text = " or ".join(f"ИсходныйДокументРеализации eq {_cast(ref, name)}" for ref, name in refs)
            for row in self.client.rows(self.names.corrections, filter=text):
                _, orders = self.owners.get(str(row["ИсходныйДокументРеализации"]), ("", set[str]()))
                more = _change(row)
                if more and row.get("КорректироватьБУиНУ") is not False:
                    kind = "shipment" if more > 0 else "return"
                    self._add(kind, self.names.corrections, row, dict.fromkeys(orders, abs(more)))

    def _refunded(self, name: str) -> None:
        for refs in self._named():
            lines = " or ".join(f"d/Сделка eq {_cast(ref, of)}" for ref, of in refs)
            bases = " or ".join(f"ДокументОснование eq {_cast(ref, of)}" for ref, of in refs)
            for row in self.client.rows(name, filter=f"{_LINES}/any(d: {lines}) or {bases}"):
                if row.get("ВидОперации") == _BACK and str(row["Ref_Key"]) not in self.owners:
                    self._add("refund", name, row, self._shares(row))

    def _shares(self, row: Native) -> dict[str, Decimal | None]:
        """Of each invoice, how much of the refund is its own; None where it is for something that several invoices share."""
        shares: dict[str, Decimal | None] = {}
        basis = str(row.get("ДокументОснование") or "")
        for what, amount in _lines(row, "Сделка"):
            _, orders = self.owners.get(what) or self.owners.get(basis) or ("", set[str]())
            for key in orders:
                known = shares.get(key, ZERO)
                shares[key] = None if len(orders) > 1 or known is None else known + amount
        return shares

    def _named(self, only: str = "") -> Iterator[list[tuple[str, str]]]:
        """(key, set) of what is known so far, a few at a time: addresses have a limit."""
        refs = sorted((key, name) for key, (name, _) in self.owners.items() if only in ("", name))
        for at in range(0, len(refs), _BATCH):
            yield refs[at : at + _BATCH]

    def _add(self, kind: str, name: str, row: Native, shares: Mapping[str, Decimal | None]) -> None:
        key = str(row["Ref_Key"])
        self.owners.setdefault(key, (name, set()))[1].update(shares)
        for order in shares.keys() & self.found.keys():
            document = {
                "key": f"{kind}:{key}",
                "kind": kind,
                "number": str(row.get("Number") or "").strip(),
                "date": local(row.get("Date"), self.zone),
                "amount": shares[order],
                "posted": bool(row.get("Posted")),
                "reversed": bool(row.get("DeletionMark")),
            }
            if all(one["key"] != document["key"] for one in self.found[order].documents):
                self.found[order].add(document)


def _lines(row: Native, name: str) -> Iterable[tuple[str, Decimal]]:
    """(what a line names, its sum)."""
    for line in row.get(_LINES) or []:
        yield str(line.get(name) or EMPTY), number(line, "СуммаПлатежа")


def _change(row: Native) -> Decimal:
    """What a correction changed, with VAT."""
    columns = ("Сумма",) if row.get("СуммаВключаетНДС") else ("Сумма", "СуммаНДС")
    lines = [line for table in _CORRECTED for line in row.get(table) or []]
    return sum((number(one, name) - number(one, f"{name}ДоИзменения") for one in lines for name in columns), ZERO)


def _whole(row: Native) -> Decimal:
    return number(row, "СуммаДокумента")


def _cast(key: str, name: str) -> str:
    return f"cast(guid'{key}','{name}')"
