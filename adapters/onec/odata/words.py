"""The small catalogues of a base, by key: currencies, additional attributes, VAT rates, states of orders, reasons of a loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapters.base import Native
from adapters.onec.odata.client import EMPTY, ODataClient
from adapters.onec.odata.names import Names

CURRENCIES, RATES = "Catalog_Валюты", "Catalog_СтавкиНДС"


@dataclass
class Words:
    """Key → what people call it. `rates`: percent, None for "Без НДС". `reasons`: None where the base does not tell them."""

    currencies: Mapping[str, str]
    properties: Mapping[str, str]
    states: Mapping[str, str]
    rates: Mapping[str, str | None]
    reasons: Mapping[str, str] | None
    _strange: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, client: ODataClient, names: Names, published: frozenset[str], *, with_reasons: bool) -> Words:
        # БСП appends the owner of an attribute in brackets
        properties = {key: name.partition(" (")[0].strip() for key, name in described(client, names.attributes).items()}
        return cls(
            described(client, CURRENCIES),
            properties,
            described(client, names.states) if names.states else {},
            _rates(client) if RATES in published else {},
            described(client, names.reasons) if with_reasons and names.reasons in published else None,
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
    return {str(r["Ref_Key"]): str(r.get("Description") or "").strip() for r in client.rows(name)}


def _rates(client: ODataClient) -> dict[str, str | None]:
    return {
        str(r["Ref_Key"]): None if "без" in str(r.get("Description", "")).lower() else str(r.get("Ставка", ""))
        for r in client.rows(RATES)
    }
