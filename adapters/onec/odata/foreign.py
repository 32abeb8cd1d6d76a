"""УНФ 3.0: what was shipped of an order that is not in rubles.

Продажи keeps sums in the currency of accounting (taken for rubles) and names the document. Расходная накладная, Приходная
накладная (a return) and Акт выполненных работ say their own currency (ВалютаДокумента): where it is the order's, their own sum
counts. Of every other document (a cheque, a set that is not published, one in a third currency) only rubles are known: that
is said, and not converted. Read in the published text of УНФ 3.0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from adapters.base import Native
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.records import local
from adapters.onec.odata.sums import ZERO, Sums, number

RUB = "RUB"
_TABLES = ("Запасы", "РаботыИУслуги")


@dataclass
class ForeignShipments:
    """Adds to `found`. `ask(set, read)`: whether the set could be read."""

    client: ODataClient
    names: Names
    zone: ZoneInfo
    found: Mapping[str, Sums]
    ask: Callable[[str, Callable[[], object]], bool]

    def add(self, turnovers: Sequence[Native], orders: Mapping[str, str], lost: Callable[[str], bool]) -> None:
        """`orders`: key → key of its currency. `lost(set)`: whether a set that is not read now was read before: what it told
        stands then, and is not overwritten by less."""
        papers: dict[str, Native] = {}
        mute: set[str] = set()
        for name in self.names.sales_documents:
            keys = [str(row["Документ"]) for row in turnovers if _set_of(row) == name]
            if keys and not self.ask(name, lambda name=name, keys=keys: papers.update(self.client.by_keys(name, keys))):  # type: ignore[misc]
                mute.add(name)
        for row in turnovers:
            order, sold = str(row["ЗаказПокупателя_Key"]), number(row, "СуммаTurnover")
            if order not in orders or not sold or (_set_of(row) in mute and lost(_set_of(row))):
                continue
            self.found[order].add(self._document(row, papers.get(str(row["Документ"])), order, orders[order], sold))

    def _document(self, row: Native, paper: Native | None, order: str, currency: str, sold: Decimal) -> Native:
        kind = "shipment" if sold > 0 else "return"
        document: Native = {"key": f"{kind}:{row['Документ']}", "kind": kind, "posted": True}
        if paper is not None:
            document |= {"number": str(paper.get("Number") or "").strip(), "date": local(paper.get("Date"), self.zone)}
        if paper is None or str(paper.get("ВалютаДокумента_Key")) != currency:
            return {**document, "amount": abs(sold), "currency": RUB}
        return {**document, "amount": _share(paper, order)}


def _share(paper: Native, order: str) -> Decimal:
    """What of the document is this order's: all of it, unless its lines name other orders too."""
    lines = [line for table in _TABLES for line in paper.get(table) or []]
    named = [(_order_of(line), number(line, "Всего")) for line in lines]
    if all(one in ("", EMPTY, order) for one, _ in named):
        return number(paper, "СуммаДокумента")
    return sum((total for one, total in named if one == order), ZERO)


def _order_of(line: Native) -> str:
    return str(line.get("Заказ") or line.get("ЗаказПокупателя_Key") or "")


def _set_of(row: Native) -> str:
    return str(row.get("Документ_Type") or "").removeprefix("StandardODATA.")
