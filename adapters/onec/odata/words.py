"""The small catalogues of a base, by key: currencies, additional attributes, VAT rates, states of orders, reasons of a loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapters.base import Native
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import EMPTY

CURRENCIES, RATES = "Catalog_Валюты", "Catalog_СтавкиНДС"


@dataclass
class Words:
    """Key → what people call it. `rates`: percent, None for "Без НДС"; `computed`: those of them that
    are for advances (20/120) and not for goods. `reasons`: None where the base does not tell them."""

    currencies: Mapping[str, str]
    properties: Mapping[str, str]
    states: Mapping[str, str]
    rates: Mapping[str, str | None]
    reasons: Mapping[str, str] | None
    computed: frozenset[str] = frozenset()
    _strange: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, client: ODataClient, names: Names, published: frozenset[str], *, with_reasons: bool) -> Words:
        # БСП appends the owner of an attribute in brackets
        properties = {key: name.partition(" (")[0].strip() for key, name in described(client, names.attributes).items()}
        rates = client.rows(RATES) if RATES in published else []
        return cls(
            described(client, CURRENCIES),
            properties,
            described(client, names.states) if names.states else {},
            {str(r["Ref_Key"]): None if "без" in _word(r).lower() else str(r.get("Ставка", "")) for r in rates},
            described(client, names.reasons) if with_reasons and names.reasons in published else None,
            frozenset(str(r["Ref_Key"]) for r in rates if r.get("Расчетная") or "/" in _word(r)),
        )

    def strange(self, rows: Iterable[Native], deals: Iterable[Native]) -> bool:
        """Whether these name something that was made since: each key is new only once."""
        known = {EMPTY, *self.properties, *self.states, *(self.reasons or ()), *self._strange}
        return not self._keys(rows, deals) <= known

    def note(self, before: Words, rows: Iterable[Native], deals: Iterable[Native]) -> None:
        """What is strange still after a new look stays so, and is not looked for again."""
        self._strange |= before._strange | self._keys(rows, deals)

    def _keys(self, rows: Iterable[Native], deals: Iterable[Native]) -> set[str]:
        keys = set()
        for row in rows:
            keys.add(str(row.get("СостояниеЗаказа") or EMPTY))
            keys |= {str(one.get("Свойство_Key")) for one in row.get("ДополнительныеРеквизиты") or []}
        if self.reasons is not None:
            keys |= {str(deal.get("ПричинаПроигрышаСделки_Key") or EMPTY) for deal in deals}
        return keys


def described(client: ODataClient, name: str) -> dict[str, str]:
    """Key → Description of a catalogue."""
    return {str(r["Ref_Key"]): _word(r) for r in client.rows(name)}


def _word(row: Native) -> str:
    return str(row.get("Description") or "").strip()
