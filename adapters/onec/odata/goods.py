"""Goods, groups, counterparties, prices and stock of a 1C base over OData.

Goods are listed by ascending key. Where the base has an exchange plan that holds them, only what it names is read again; else
what the DataVersions show to have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from adapters.base import Native, Page, Record
from adapters.onec.odata import records
from adapters.onec.odata.changes import Feed
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.versions import Versions
from adapters.onec.odata.words import CURRENCIES, described

PARTIES = frozenset({"company", "person"})
_TOKEN = ("Ref_Key", "DataVersion")


@dataclass(frozen=True, slots=True)
class _Set:
    """Where a kind of record is listed, and how its rows become records."""

    name: str
    where: str
    expand: str
    made: Callable[[list[Native]], list[Record]]
    complete: bool


class Goods:
    """`plan`: the exchange plan that holds the goods; "" for none."""

    def __init__(self, client: ODataClient, names: Names, plan: str) -> None:
        self._client, self._names, self._plan = client, names, plan

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """The kinds product, group, company, person, offer, price_type and warehouse."""
        if kind == "product" and cursor is not None and self._plan:
            yield from self._changes(cursor)
        elif kind in ("product", "group") or kind in PARTIES:
            yield from self._catalogue(kind, cursor or {})
        elif kind == "offer":
            yield from self._offers(cursor or {})
        else:
            name = {"price_type": self._names.price_types, "warehouse": self._names.warehouses}[kind]
            found = [one for page in self._client.pages(name) for one in _named(kind, page)]
            yield Page(found, {"done": True}, last=True, complete=True)

    def read(self, id: str) -> Record | None:
        """One item; None when 1C removed it for good."""
        rows = self._client.rows(self._names.goods, filter=f"Ref_Key eq guid'{id}'", expand=self._unit)
        return records.product(rows[0]) if rows else None

    @property
    def _unit(self) -> str:
        return "ЕдиницаИзмерения" if self._names.units else ""

    def _catalogue(self, kind: str, cursor: Native) -> Iterator[Page]:
        """All of them, then the place in the change feed from which the next scan goes on. After that only what changed."""
        one = self._set(kind)
        if "versions" in cursor:
            now = Versions()
            for rows in self._client.pages(one.name, one.where, select=",".join(_TOKEN)):
                for row in rows:
                    now.add(str(row["Ref_Key"]), row.get("DataVersion"))
            keys = now.changed(cursor["versions"])
            if self._client.cheaper_by_key(len(keys), now.total):
                for rows in self._client.pages_of(one.name, keys, expand=one.expand):
                    yield Page(one.made(rows), cursor)
                yield Page([], {"message": 0, "versions": now.digests}, last=True)
                return
        now, held = Versions(), None
        for rows in self._client.pages(one.name, one.where, expand=one.expand):
            if held is not None:
                yield Page(held, cursor)
            for row in rows:
                now.add(str(row["Ref_Key"]), row.get("DataVersion"))
            held = one.made(rows)
        yield Page(held or [], {"message": 0, "versions": now.digests}, last=True, complete=one.complete)

    def _set(self, kind: str) -> _Set:
        names = self._names
        if kind in PARTIES:  # not every configuration keeps them in folders, so these are left out here
            made = partial(records.parties, kind)
            return _Set(names.parties, "", "Партнер" if names.partners else "", made, complete=False)
        if kind == "group":
            made = partial(_named, kind)
            return _Set(names.goods, "IsFolder eq true", "", made, complete=True)
        return _Set(names.goods, "IsFolder eq false", self._unit, _products, complete=True)

    def _changes(self, cursor: Native) -> Iterator[Page]:
        """What the exchange plan has registered since; confirmed when the cursor that names it comes back. Only one kind
        may read a plan: a confirmation is for all of it."""
        feed = Feed(self._client, self._plan)
        number = int(cursor.get("message") or 0)
        if number:
            feed.confirm(number)
        keys, gone = feed.changes(number + 1, self._names.goods)
        rows = self._client.by_keys(self._names.goods, keys, expand=self._unit).values()
        found = [records.product(r) for r in rows if not r.get("IsFolder")]
        found += [Record("product", key, {}, deleted=True) for key in gone]
        yield Page(found, {"message": number + 1 if keys or gone else number}, last=True)

    def _offers(self, cursor: Native) -> Iterator[Page]:
        """The registers of prices and stock for one stretch of goods after another, as 1C itself orders their keys: the whole
        of 100,000 goods in one answer would be too much for both sides. The last stretch has no end."""
        names, after = self._names, ""
        currencies = described(self._client, CURRENCIES)
        for rows in self._client.pages(names.goods, select="Ref_Key"):
            upto = str(rows[-1]["Ref_Key"])
            yield Page(self._stretch(after, upto, currencies), cursor)
            after = upto
        yield Page(self._stretch(after, "", currencies), {"done": True}, last=True, complete=True)

    def _stretch(self, after: str, upto: str, currencies: Mapping[str, str]) -> list[Record]:
        """Prices and stock of the goods with keys above `after`, up to and with `upto` ("" for no bound)."""
        names = self._names
        bounds = ((f"Номенклатура_Key {word} guid''{key}''") for word, key in (("gt", after), ("le", upto)) if key)
        text = " and ".join(bounds)
        condition = f"Condition='{text}'" if text else ""
        prices = self._client.rows(f"{names.prices}/SliceLast({condition})")
        stocks = self._client.rows(f"{names.stock}/Balance({condition})")
        return records.offers(prices, stocks, currencies, names)


def _named(kind: str, rows: list[Native]) -> list[Record]:
    return [records.named(kind, row) for row in rows]


def _products(rows: list[Native]) -> list[Record]:
    return [records.product(row) for row in rows]
