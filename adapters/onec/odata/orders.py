"""Orders of a 1C base over OData, with what stands around them: their state, their Сделка, what was paid and shipped.

Those of a window of days: all of them at first; after that what the DataVersions, and what stands around, show to have changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from adapters.base import AdapterContext, Native, Page, Record
from adapters.onec.odata import records
from adapters.onec.odata.behind import Behind
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import item_of
from adapters.onec.odata.schema import Schema, schema_of
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.stage import LOST, Stage
from adapters.onec.odata.sums import UNKNOWN, Sums
from adapters.onec.odata.unsaid import Unsaid
from adapters.onec.odata.versions import Versions
from adapters.onec.odata.words import Words
from adapters.onec.odata.writes import deal_key

_TOKEN = ("Ref_Key", "DataVersion")
_TOLD = "odata.sums"  # where it is kept which sets have told of payments and shipments so far
_RUBLES = {"rub", "rur", "руб", "руб.", "643", "российский рубль"}


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around some orders: their rows in the register of states, their deals, what was paid and shipped; by the
    order's and deal's key."""

    states: dict[str, Native]
    deals: dict[str, Native]
    sums: dict[str, Sums]

    def token(self, row: Native) -> tuple[object, ...]:
        """What tells that an order is to be read again: a payment moves its state and not the order itself."""
        state, deal = self.states.get(str(row["Ref_Key"]), {}), self.deals.get(deal_key(row), {})
        said = sorted((k, str(v)) for k, v in state.items() if isinstance(v, str | int | bool | Decimal))
        behind = self.sums.get(str(row["Ref_Key"]), UNKNOWN).token
        return row.get("DataVersion"), said, deal.get("Статус"), records.reason_of(deal), *behind


class Orders:
    """Reads them, and remembers between two looks which sets have told of payments and shipments."""

    def __init__(self, client: ODataClient, names: Names, settings: ODataSettings, context: AdapterContext) -> None:
        self._client, self._names, self._settings, self._context = client, names, settings, context
        self._parts = records.Orders(names, settings.zone_info, Stage(settings), settings.number_attribute)
        self.unsaid = Unsaid(context)
        self._words: Words | None = None
        self._sets: frozenset[str] | None = None
        self._behind: Behind | None = None
        self._schema: Schema | None = None

    def scan(self, cursor: Native) -> Iterator[Page]:
        """Those of the window; then which sets told of payments and shipments is kept for the next time, and named is what
        told of them before and does not now."""
        self._look_anew(first="versions" not in cursor)
        yield from self._of_window(cursor)
        if self._behind is None:
            return
        told = (self._behind.told or frozenset()) | self._behind.read
        if told != self.told():
            self._context.kept.save(_TOLD, {"sets": sorted(told)})
        if (trouble := self._behind.trouble) is not None:
            raise trouble

    def read(self, id: str) -> Record | None:
        """One order; None when 1C removed it for good (a deletion mark is not that)."""
        names = self._names
        rows = self._client.rows(names.order, filter=f"Ref_Key eq guid'{id}'", expand=names.with_party)
        return self.shown(rows[0]) if rows else None

    def shown(self, row: Native) -> Record:
        """The record of a row that was read already."""
        return self._with_parts([row], self._around([row]))[0]

    def told(self) -> frozenset[str] | None:
        """The sets that have told of payments and shipments so far; None where nobody remembers."""
        kept = self._context.kept.load(_TOLD)
        return None if kept is None else frozenset(map(str, kept.get("sets") or []))

    def words(self, rows: Sequence[Native] = (), deals: Sequence[Native] = ()) -> Words:
        """The small catalogues, once for each scan of orders, and again where these rows name what was made since."""
        old = self._words
        if old is None or old.strange(rows, deals):
            self._words = Words.read(self._client, self._names, self._published(), with_reasons=self._with_deals)
            if old is not None:
                self._words.note(old, rows, deals)
        assert self._words is not None
        return self._words

    def schema(self) -> Schema:
        """What the base publishes of the document, asked for where lines are to be written: it is large."""
        if self._schema is None:
            self._schema = schema_of(self._client.metadata(), self._names.order)
        return self._schema

    def _of_window(self, cursor: Native) -> Iterator[Page]:
        """All of them at first; after that those that changed, or were paid or shipped."""
        since = (self._context.now() - timedelta(days=self._settings.days)).strftime("%Y-%m-%dT00:00:00")
        where, name = f"Date ge datetime'{since}'", self._names.order
        if "versions" in cursor:
            now = Versions()
            more = ["Сделка_Key"] if self._with_deals else []
            more += [f"{self._names.currency}_Key"] if self._names.sales_register else []
            select = ",".join((*_TOKEN, *more))
            for rows in self._client.pages(name, where, select=select):
                self._note(now, rows, self._around(rows))
            keys = now.changed(cursor["versions"])
            if self._client.cheaper_by_key(len(keys), now.total):
                for rows in self._client.pages_of(name, keys, expand=self._names.with_party):
                    yield Page(self._with_parts(rows, self._around(rows)), cursor)
                yield Page([], {"since": since, "versions": now.digests}, last=True)
                return
        now = Versions()
        for rows in self._client.pages(name, where, expand=self._names.with_party):
            around = self._around(rows)
            self._note(now, rows, around)
            yield Page(self._with_parts(rows, around), cursor)
        yield Page([], {"since": since, "versions": now.digests}, last=True)

    @staticmethod
    def _note(now: Versions, rows: list[Native], around: _Around) -> None:
        for row in rows:
            now.add(str(row["Ref_Key"]), *around.token(row))

    def _around(self, rows: list[Native]) -> _Around:
        deals = self._client.by_keys(self._names.deals, [deal_key(r) for r in rows]) if self._with_deals else {}
        keys = [str(row["Ref_Key"]) for row in rows]
        sums = self._sums().of(keys, self._foreign(rows)) if self._names.for_sums else {}
        return _Around(self._state_rows(keys), deals, sums)

    def _foreign(self, rows: list[Native]) -> dict[str, str]:
        """УНФ keeps sales in rubles: key → key of the currency of the orders that are in another one."""
        if not self._names.sales_register:
            return {}
        known = self.words().currencies
        of = {str(row["Ref_Key"]): str(row.get(f"{self._names.currency}_Key")) for row in rows}
        return {key: one for key, one in of.items() if known.get(one, "").casefold() not in _RUBLES}

    def _sums(self) -> Behind:
        if self._behind is None:
            self._behind = Behind(
                self._client,
                self._names,
                self._published(),
                self._settings.zone_info,
                self.told(),
                frozenset(self._settings.not_used),
            )
        return self._behind

    def _look_anew(self, *, first: bool) -> None:
        """What was missing may be there by now, and new words in the small catalogues. A `first` scan has nothing to lose."""
        self._behind, self._sets, self._words, self._schema = None, None, None, None
        self.unsaid.look_anew()
        if first and self._names.for_sums and self.told() is None:
            self._sums().told = frozenset()

    def _published(self) -> frozenset[str]:
        """Names of the entity sets of this base, asked for once."""
        if self._sets is None:
            self._sets = frozenset(self._client.published())
        return self._sets

    def _with_parts(self, rows: list[Native], around: _Around) -> list[Record]:
        """Orders with goods looked up for all of them at once."""
        words, names = self.words(rows, [*around.deals.values()]), self._names
        items = [item_of(one) for row in rows for _, one in names.part.lines(row)]
        unit = "ЕдиницаИзмерения" if names.order_in_units else ""
        goods = self._client.by_keys(names.goods, items, expand=unit)
        return [
            self._parts.record(
                row,
                goods,
                words,
                around.states.get(str(row["Ref_Key"])),
                around.deals.get(deal_key(row)),
                around.sums.get(str(row["Ref_Key"]), UNKNOWN),
                unsaid=self._is_unsaid(row, around),
            )
            for row in rows
        ]

    def _is_unsaid(self, row: Native, around: _Around) -> bool:
        lost = around.deals.get(deal_key(row), {}).get("Статус") == LOST
        return lost and str(row["Ref_Key"]) in self.unsaid

    @property
    def _with_deals(self) -> bool:
        return "deal" in self._settings.shows and bool(self._names.deals)

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
