"""What was paid and shipped for an order, as sums, where the base publishes it: УНФ's registers, БП's documents.

УНФ 3.0: the register ФактОплатыЗаказов (СуммаОплаты, СуммаАванса of each order, in the order's currency, refunds taken off)
and turnovers of Продажи by order (with VAT, returns taken off, in the currency of accounting). БП 3.0: see `invoices`. Read in
the published texts, not on a running base. Posted documents alone count.

A set that is not published, or may not be read, says nothing, which is not zero. Where it did speak before (`told`), what it
told stands, and `trouble` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from zoneinfo import ZoneInfo

from adapters.base import BadConfig, Incomplete, RecordRefused, SverkaError, Text
from adapters.onec.odata.client import PUBLISH, RIGHTS, ODataClient
from adapters.onec.odata.foreign import ForeignShipments
from adapters.onec.odata.invoices import Invoices
from adapters.onec.odata.names import Names
from adapters.onec.odata.sums import Sums, number, registered

BATCH = 10
_ON_ITS_OWN = ("odata.rights", "odata.published")  # of one set; any other wrong setting concerns all of the base


def withdrawn_on_purpose(names: Sequence[str]) -> Text:
    """What to do about sets that are not published any more."""
    said = ", ".join(f'"{name}"' for name in names)
    return Text(
        f"{PUBLISH.en} If it is no longer used, say so in the connection: not_used = [{said}].",
        f"{PUBLISH.ru} Если он больше не нужен, укажите в настройках подключения: not_used = [{said}].",
    )


@dataclass
class Behind:
    """`of(keys)`: the sums of these orders, in a few calls for all of them. `told`: the sets that were read in former runs;
    None where nobody remembers. `unused`: sets that are left alone on purpose; what they told stands."""

    client: ODataClient
    names: Names
    published: frozenset[str]
    zone: ZoneInfo
    told: frozenset[str] | None = None
    unused: frozenset[str] = frozenset()
    refused: dict[str, SverkaError] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    _found: dict[str, Sums] = field(default_factory=dict)

    def of(self, keys: list[str], foreign: Mapping[str, str] | None = None) -> dict[str, Sums]:
        """By the order's key. `foreign`: key → key of the currency of those orders that are not in rubles."""
        self._found = {key: Sums() for key in keys}
        foreign = foreign or {}
        for at in range(0, len(keys), BATCH):
            part = keys[at : at + BATCH]
            self._ask(self.names.paid_register, partial(self._paid_by_register, part))
            self._ask(self.names.sales_register, partial(self._shipped_by_register, part, foreign))
            if self.names.shipment:
                Invoices(self.client, self.names, self.zone, self._found, self._ask).look(part)
        silent = self.silent
        for sums in self._found.values():
            sums.silent = silent
        return self._found

    def try_all(self) -> None:
        """One short look at each set that was not asked yet, by the fields that are needed of it."""
        for name, fields in self.names.probes.items():
            if name not in self.read:
                self._ask(name, partial(self.client.rows, name, select=fields, top="1"))

    @property
    def withdrawn(self) -> list[str]:
        """Sets that spoke in former runs and do not now, though they should."""
        missed = (name for name in self.names.tells if name in (self.told or ()) and name not in self.unused)
        return [name for name in missed if self._mute(name)]

    @property
    def silent(self) -> frozenset[str]:
        """Kinds of documents of which not everything is told that was told before, or nothing at all."""
        tells = self.names.tells
        lost = [n for n in tells if self._mute(n) and (self.told is None or n in self.told)]
        never = {kind for kinds in tells.values() for kind in kinds}
        never -= {kind for name, kinds in tells.items() if not self._mute(name) for kind in kinds}
        return frozenset(never | {kind for name in lost for kind in tells[name]})

    @property
    def trouble(self) -> Incomplete | None:
        """What names the sets that fell silent, and where to mend that."""
        names = self.withdrawn
        if not names:
            return None
        hidden = [name for name in names if self._unpublished(name)]
        refused = [self.refused[name] for name in names if name not in hidden]
        en = [f"1C does not publish {', '.join(hidden)} any more"] if hidden else []
        ru = [f"1С больше не публикует {', '.join(hidden)}"] if hidden else []
        return Incomplete(
            Text(
                "; ".join([*en, *(e.text.en for e in refused)])
                + ": the payments and shipments told there stay as they were",
                "; ".join([*ru, *(e.text.ru for e in refused)])
                + ": известные оттуда оплаты и отгрузки оставлены как были",
            ),
            code="odata.withdrawn",
            setting="not_used" if hidden else refused[0].setting,
            remedy=withdrawn_on_purpose(hidden) if hidden else refused[0].remedy or RIGHTS,
        )

    def _mute(self, name: str) -> bool:
        return name not in self.published or name in self.refused or name in self.unused

    def _unpublished(self, name: str) -> bool:
        return name not in self.published or self.refused[name].code == "odata.published"

    def _ask(self, name: str, read: Callable[[], object]) -> bool:
        """A set that this user may not read, or that another release keeps otherwise, is one that says nothing: the orders
        are read all the same."""
        if not name or self._mute(name):
            return False
        try:
            read()
        except (BadConfig, RecordRefused) as error:
            if isinstance(error, BadConfig) and error.code not in _ON_ITS_OWN:
                raise
            self.refused[name] = error
            return False
        self.read.add(name)
        return True

    def _paid_by_register(self, keys: list[str]) -> None:
        text = " or ".join(f"СчетНаОплату eq cast(guid'{k}','{self.names.order}')" for k in keys)
        for row in self.client.rows(self.names.paid_register, filter=text):
            sums = self._found.get(str(row["СчетНаОплату"]))
            if sums is not None:
                sums.payments = registered("payment", number(row, "СуммаОплаты") + number(row, "СуммаАванса"))

    def _shipped_by_register(self, keys: list[str], foreign: Mapping[str, str]) -> None:
        """An order that was never shipped has no turnover: here that is known to be zero."""
        for key in keys:
            self._found[key].shipments = []
        for row in self._turnovers((k for k in keys if k not in foreign), "ЗаказПокупателя"):
            found = self._found.get(str(row["ЗаказПокупателя_Key"]))
            if found is not None:
                found.shipments = registered("shipment", number(row, "СуммаTurnover"))
        others = {key: foreign[key] for key in keys if key in foreign}
        if others:
            rows = self._turnovers(others, "ЗаказПокупателя,Документ")
            ForeignShipments(self.client, self.names, self.zone, self._found, self._ask).add(rows, others, self._lost)

    def _lost(self, name: str) -> bool:
        """Whether this set, which is not read now, was read before."""
        return self.told is None or name in self.told

    def _turnovers(self, keys: Iterable[str], dimensions: str) -> list[dict[str, object]]:
        text = " or ".join(f"ЗаказПокупателя_Key eq guid''{k}''" for k in keys)
        if not text:
            return []
        return self.client.rows(f"{self.names.sales_register}/Turnovers(Condition='{text}',Dimensions='{dimensions}')")
