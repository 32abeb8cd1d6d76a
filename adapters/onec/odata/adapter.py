"""A 1C base over its own OData interface: nomenclature, prices, stock, and orders with their state; the stage goes back.

Goods are listed by ascending key; where the base has an exchange plan that holds them, only what it names is read again.
Orders are listed over a window of days. DELETE is never sent: it would remove for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from adapters.base import (
    Adapter,
    AdapterContext,
    Capabilities,
    Change,
    Finding,
    Native,
    Page,
    Record,
    RecordRefused,
    Text,
)
from adapters.onec.odata import records, writes
from adapters.onec.odata.changes import Feed
from adapters.onec.odata.check import findings
from adapters.onec.odata.client import EMPTY, ODataClient
from adapters.onec.odata.names import BY_CONFIGURATION
from adapters.onec.odata.settings import ODataSettings

_CATALOGUE = frozenset({"product", "group"})
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class OneCOData(Adapter):
    title = Text("1C over OData", "1С по OData")
    role = "accounting"
    mapping = "onec_odata_ut"
    Settings = ODataSettings
    settings: ODataSettings

    def __init__(self, settings: ODataSettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._client = ODataClient(settings, context)
        self._names = BY_CONFIGURATION[settings.configuration]
        scans = {"product", "group", "order"}
        if self._names.price_type:
            scans |= {"price_type", "warehouse", "offer"}
        self.capabilities = Capabilities(
            scans=frozenset(scans),
            reads=frozenset({"product", "order"}),
            updates=frozenset({"order"}),
            conditional=frozenset({"order"}),
        )
        self._order_parts: records.Orders | None = None
        self._currencies: dict[str, str] = {}
        self._rates: dict[str, str | None] = {}
        self._states: dict[str, str] = {}

    def check(self) -> Iterator[Finding]:
        yield from findings(self._client, self._names, self.settings)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        if kind == "product" and cursor is not None and self.settings.exchange_plan:
            yield from self._changes(cursor)
        elif kind in _CATALOGUE:
            yield from self._catalogue(kind)
        elif kind == "order":
            yield from self._orders()
        elif kind == "offer":
            yield self._offers()
        else:
            name = {"price_type": self._names.price_types, "warehouse": self._names.warehouses}[kind]
            found = [records.named(kind, row) for page in self._client.pages(name) for row in page]
            yield Page(found, {"done": True}, last=True, complete=True)

    def read(self, kind: str, id: str) -> Record | None:
        """None when 1C removed it for good (a deletion mark is not that)."""
        if not _GUID.fullmatch(id):
            return None
        name = self._names.goods if kind == "product" else self._names.order
        expand = (
            "ЕдиницаИзмерения" if kind == "product" and self._names.units else "Контрагент" if kind == "order" else ""
        )
        rows = self._client.rows(name, filter=f"Ref_Key eq guid'{id}'", expand=expand)
        if not rows:
            return None
        return records.product(rows[0]) if kind == "product" else self._with_parts(rows)[0]

    def write(self, change: Change) -> Record:
        """Change an order's state, attribute, comment or deal. The DataVersion seen last must still stand there."""
        if change.id is None or change.kind != "order":
            raise RecordRefused(
                Text(
                    "Only orders that 1C has already can be changed.",
                    "Изменять можно только заказы, которые уже есть в 1С.",
                ),
                code="odata.create",
            )
        rows = self._client.rows(self._names.order, filter=f"Ref_Key eq guid'{change.id}'")
        if not rows:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        body = writes.body_of(self._client, self._names, self.settings, change, rows[0])
        if body:
            self._client.patch(self._names.order, change.id, body, change.before.version if change.before else "")
        deal = writes.deal_body(change.data) if "deal" in self.settings.shows else {}
        if deal and (key := writes.deal_key(rows[0])) != EMPTY:
            self._client.patch(self._names.deals, key, deal)
        found = self.read("order", change.id)
        if found is None:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        return found

    def close(self) -> None:
        self._client.close()

    def _catalogue(self, kind: str) -> Iterator[Page]:
        """All of them, then the place in the change feed from which the next scan goes on."""
        where = "IsFolder eq true" if kind == "group" else "IsFolder eq false"
        expand = "ЕдиницаИзмерения" if kind == "product" and self._names.units else ""
        held: list[Record] | None = None
        for rows in self._client.pages(self._names.goods, where, expand=expand):
            if held is not None:
                yield Page(held, {})
            held = [records.named(kind, r) if kind == "group" else records.product(r) for r in rows]
        yield Page(held or [], {"message": 0}, last=True, complete=True)

    def _changes(self, cursor: Native) -> Iterator[Page]:
        """What the exchange plan has registered since; confirmed when the cursor that names it comes back. Only one kind
        may read a plan: a confirmation is for all of it."""
        feed = Feed(self._client, self.settings.exchange_plan)
        number = int(cursor.get("message") or 0)
        if number:
            feed.confirm(number)
        keys, gone = feed.changes(number + 1, self._names.goods)
        expand = "ЕдиницаИзмерения" if self._names.units else ""
        rows = self._client.by_keys(self._names.goods, keys, expand=expand).values()
        found = [records.product(r) for r in rows if not r.get("IsFolder")]
        found += [Record("product", key, {}, deleted=True) for key in gone]
        yield Page(found, {"message": number + 1 if keys or gone else number}, last=True)

    def _orders(self) -> Iterator[Page]:
        since = (self.context.now() - timedelta(days=self.settings.days)).strftime("%Y-%m-%dT00:00:00")
        for rows in self._client.pages(self._names.order, f"Date ge datetime'{since}'", expand="Контрагент"):
            yield Page(self._with_parts(rows), {"since": since})
        yield Page([], {"since": since}, last=True)

    def _offers(self) -> Page:
        names = self._names
        self._look_up()
        prices = self._client.rows(f"{names.prices}/SliceLast()")
        stocks = self._client.rows(f"{names.stock}/Balance()")
        return Page(records.offers(prices, stocks, self._currencies, names), {"done": True}, last=True, complete=True)

    def _with_parts(self, rows: list[Native]) -> list[Record]:
        """Orders with goods, states and deals looked up for all of them at once."""
        self._look_up()
        names, parts = self._names, self._order_parts
        assert parts is not None
        lines = [one for row in rows for table in names.lines for one in row.get(table) or []]
        unit = "ЕдиницаИзмерения" if names.order_in_units else ""
        goods = self._client.by_keys(names.goods, [str(one.get("Номенклатура_Key")) for one in lines], expand=unit)
        states = self._state_rows([str(row["Ref_Key"]) for row in rows])
        deals = self._client.by_keys(names.deals, [writes.deal_key(r) for r in rows]) if self._with_deals else {}
        return [
            parts.record(
                row,
                goods,
                self._currencies,
                self._rates,
                states.get(str(row["Ref_Key"])),
                self._states,
                deals.get(writes.deal_key(row)),
            )
            for row in rows
        ]

    @property
    def _with_deals(self) -> bool:
        return "deal" in self.settings.shows and bool(self._names.deals)

    def _state_rows(self, keys: list[str]) -> dict[str, Native]:
        """Rows of the register of states (УТ) or of statuses (БП), by the order's key."""
        name, field = (
            self._names.state_register or self._names.statuses,
            "Заказ" if self._names.state_register else "Документ",
        )
        found: dict[str, Native] = {}
        for at in range(0, len(keys) if name else 0, 10):
            text = " or ".join(f"{field} eq cast(guid'{k}','{self._names.order}')" for k in keys[at : at + 10])
            found |= {str(r[field]): r for r in self._client.rows(name, filter=text)}
        return found

    def _look_up(self) -> None:
        """The small catalogues, once for each connection of the adapter."""
        if self._order_parts is not None:
            return
        names = self._names
        self._currencies = {
            str(r["Ref_Key"]): str(r.get("Description") or "") for r in self._client.rows("Catalog_Валюты")
        }
        properties = {
            str(r["Ref_Key"]): str(r.get("Description") or "").partition(" (")[0].strip()
            for r in self._client.rows(names.attributes)
        }
        if names.states:
            self._states = {str(r["Ref_Key"]): str(r.get("Description") or "") for r in self._client.rows(names.states)}
        self._rates = self._vat_rates()
        self._order_parts = records.Orders(
            names, self.settings.zone_info, self.settings.attribute, self.settings.number_attribute, properties
        )

    def _vat_rates(self) -> dict[str, str | None]:
        """Key of a VAT rate → percent; None for "Без НДС"."""
        if "Catalog_СтавкиНДС" not in self._client.published():
            return {}
        rows = self._client.rows("Catalog_СтавкиНДС")
        return {
            str(r["Ref_Key"]): None if "без" in str(r.get("Description", "")).lower() else str(r.get("Ставка", ""))
            for r in rows
        }
