"""A 1C base over its own OData interface: nomenclature, prices, stock, and orders with their state; the stage goes back.

Goods are listed by ascending key, orders over a window of days. Where the base has an exchange plan that holds the goods,
only what it names is read again; else what the DataVersions, and the states of the orders, show to have changed. DELETE is
never sent: it would remove for good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from adapters.base import (
    Adapter,
    AdapterContext,
    Capabilities,
    Change,
    Finding,
    Native,
    OutcomeUnknown,
    Page,
    PreconditionFailed,
    Record,
    RecordRefused,
    RetryLater,
    Text,
)
from adapters.onec.odata import composition, records, writes
from adapters.onec.odata.behind import Behind
from adapters.onec.odata.changes import Feed
from adapters.onec.odata.check import findings
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import BY_CONFIGURATION
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.stage import Stage
from adapters.onec.odata.sums import UNKNOWN, Sums
from adapters.onec.odata.versions import Versions
from adapters.onec.odata.words import Words

_CATALOGUE = frozenset({"product", "group"})
_PARTIES = frozenset({"company", "person"})
_TOKEN = ("Ref_Key", "DataVersion")
_TOLD = "odata.sums"  # where it is kept which sets have told of payments and shipments so far
_RUBLES = {"rub", "rur", "руб", "руб.", "643", "российский рубль"}
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around some orders: their rows in the register of states, their deals, what was paid and shipped; by the
    order's and deal's key."""

    states: dict[str, Native]
    deals: dict[str, Native]
    sums: dict[str, Sums]

    def token(self, row: Native) -> tuple[object, ...]:
        """What tells that an order is to be read again: a payment moves its state and not the order itself."""
        state, deal = self.states.get(str(row["Ref_Key"]), {}), self.deals.get(writes.deal_key(row), {})
        said = sorted((k, str(v)) for k, v in state.items() if isinstance(v, str | int | bool | Decimal))
        behind = self.sums.get(str(row["Ref_Key"]), UNKNOWN).token
        return row.get("DataVersion"), said, deal.get("Статус"), records.reason_of(deal), *behind


@dataclass(frozen=True, slots=True)
class _Set:
    """Where a kind of record is listed, and how its rows become records."""

    name: str
    where: str
    expand: str
    made: Callable[[list[Native]], list[Record]]
    complete: bool


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
        self._stage = Stage(settings)
        scans = {"product", "group", "order"}
        if self._names.price_type:
            scans |= {"price_type", "warehouse", "offer"}
        scans |= _PARTIES if settings.clients else set()
        self.capabilities = Capabilities(
            scans=frozenset(scans),
            reads=frozenset({"product", "order"}),
            updates=frozenset({"order"}),
            conditional=frozenset({"order"}),
            # a full scan begins the change feed anew: its messages must not be numbered from 1 again
            completes=_CATALOGUE - ({"product"} if settings.exchange_plan else set()),
        )
        self._parts = records.Orders(self._names, settings.zone_info, self._stage, settings.number_attribute)
        self._words: Words | None = None
        self._sets: frozenset[str] | None = None
        self._behind: Behind | None = None

    def check(self) -> Iterator[Finding]:
        yield from findings(self._client, self._names, self.settings, self._told() or frozenset())

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        with _as_promised():
            yield from self._scan(kind, cursor)

    def _scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        if kind == "product" and cursor is not None and self.settings.exchange_plan:
            yield from self._changes(cursor)
        elif kind in _CATALOGUE | _PARTIES:
            yield from self._catalogue(kind, cursor or {})
        elif kind == "order":
            yield from self._orders(cursor or {})
        elif kind == "offer":
            yield from self._offers(cursor or {})
        else:
            name = {"price_type": self._names.price_types, "warehouse": self._names.warehouses}[kind]
            found = [one for page in self._client.pages(name) for one in _named(kind, page)]
            yield Page(found, {"done": True}, last=True, complete=True)

    def read(self, kind: str, id: str) -> Record | None:
        """None when 1C removed it for good (a deletion mark is not that)."""
        if not _GUID.fullmatch(id):
            return None
        name = self._names.goods if kind == "product" else self._names.order
        expand = (
            "ЕдиницаИзмерения"
            if kind == "product" and self._names.units
            else self._names.with_party
            if kind == "order"
            else ""
        )
        rows = self._client.rows(name, filter=f"Ref_Key eq guid'{id}'", expand=expand)
        if not rows:
            return None
        with _as_promised():
            return records.product(rows[0]) if kind == "product" else self._with_parts(rows, self._around(rows))[0]

    def write(self, change: Change) -> Record:
        """Show the stage (or set the lines, the comment, post, undo the posting) of an order. The DataVersion seen last must
        still stand there. The order itself comes last of what shows the stage: a try that ended half-way is seen by it, and
        repeated."""
        if change.id is None or change.kind != "order":
            raise RecordRefused(
                Text(
                    "Only orders that 1C has already can be changed.",
                    "Изменять можно только заказы, которые уже есть в 1С.",
                ),
                code="odata.create",
            )
        client, names, word = self._client, self._names, str(change.data.get("crm_status") or "")
        refused: RecordRefused | None = None
        rows = client.rows(names.order, filter=f"Ref_Key eq guid'{change.id}'")
        if not rows:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        now = str(rows[0].get("DataVersion") or "")
        seen = (change.before.version if change.before else "") or now
        body = writes.body_of(client, names, self.settings, change, rows[0])
        if "lines" in change.data:
            body |= self._composition(rows, change.data["lines"] or [])
        if "deal" in self._stage.shows and (word or "loss_reason" in change.data):
            if seen != now:
                raise PreconditionFailed(
                    Text("The order was changed in 1C meanwhile.", "Заказ изменён в 1С."), code="odata.moved"
                )
            status = self._stage.outcome(
                word or str((change.before.data if change.before else {}).get("crm_status") or "")
            )
            reason, refused = writes.reason_key(client, names, change.data)
            if word or reason:
                body |= writes.shown_in_deal(client, names, rows[0], status, reason)
        if body:
            client.patch(names.order, change.id, body, seen)
        again = bool({"СостояниеЗаказа", "Товары"} & body.keys())
        self._post(change.id, rows[0], change.data.get("posted"), again=again)
        if refused is not None:  # all else of the change stands by now
            raise refused
        found = self.read("order", change.id)
        if found is None:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        return found

    def _composition(self, rows: list[Native], wanted: list[Native]) -> Native:
        """The tabular part of the order with these lines."""
        if not self._names.lines_written:
            raise RecordRefused(
                Text(
                    "Lines are written into orders of УТ, КА and ERP only.",
                    "Состав пишется только в заказы УТ, КА и ERP.",
                ),
                code="odata.lines",
                field="lines",
            )
        shown = self._with_parts(rows, self._around(rows))[0].data.get("lines") or []
        goods = self._client.by_keys(self._names.goods, composition.new_goods(shown, wanted))
        return composition.table_of(rows[0], shown, wanted, self._look_up().rates, goods)

    def _post(self, id: str, row: Native, wanted: object, *, again: bool) -> None:
        """Post or unpost where that is wanted. The registers follow an order's state (УНФ) and its lines only when it is posted
        `again`."""
        posted = bool(row.get("Posted"))
        if isinstance(wanted, bool) and wanted != posted:
            self._client.post(self._names.order, id, undo=not wanted)
        elif again and posted:
            try:
                self._client.post(self._names.order, id)
            except OutcomeUnknown:  # the state stands already, so nobody would ask for this again
                self._client.post(self._names.order, id)

    def close(self) -> None:
        self._client.close()

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
        if kind in _PARTIES:  # not every configuration keeps them in folders, so these are left out here
            made = partial(records.parties, kind)
            return _Set(names.parties, "", "Партнер" if names.partners else "", made, complete=False)
        if kind == "group":
            made = partial(_named, kind)
            return _Set(names.goods, "IsFolder eq true", "", made, complete=True)
        unit = "ЕдиницаИзмерения" if names.units else ""
        return _Set(names.goods, "IsFolder eq false", unit, _products, complete=True)

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

    def _orders(self, cursor: Native) -> Iterator[Page]:
        """Those of the window; then which sets told of payments and shipments is kept for the next time, and named is what
        told of them before and does not now."""
        self._look_anew(first="versions" not in cursor)
        yield from self._of_window(cursor)
        if self._behind is None:
            return
        told = (self._behind.told or frozenset()) | self._behind.read
        if told != self._told():
            self.context.kept.save(_TOLD, {"sets": sorted(told)})
        if (trouble := self._behind.trouble) is not None:
            raise trouble

    def _of_window(self, cursor: Native) -> Iterator[Page]:
        """All of them at first; after that those that changed, or were paid or shipped."""
        since = (self.context.now() - timedelta(days=self.settings.days)).strftime("%Y-%m-%dT00:00:00")
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

    def _offers(self, cursor: Native) -> Iterator[Page]:
        """The registers of prices and stock for one stretch of goods after another, as 1C itself orders their keys: the whole
        of 100,000 goods in one answer would be too much for both sides. The last stretch has no end."""
        names, after = self._names, ""
        for rows in self._client.pages(names.goods, select="Ref_Key"):
            upto = str(rows[-1]["Ref_Key"])
            yield Page(self._stretch(after, upto), cursor)
            after = upto
        yield Page(self._stretch(after, ""), {"done": True}, last=True, complete=True)

    def _stretch(self, after: str, upto: str) -> list[Record]:
        """Prices and stock of the goods with keys above `after`, up to and with `upto` ("" for no bound)."""
        names = self._names
        bounds = ((f"Номенклатура_Key {word} guid''{key}''") for word, key in (("gt", after), ("le", upto)) if key)
        text = " and ".join(bounds)
        condition = f"Condition='{text}'" if text else ""
        prices = self._client.rows(f"{names.prices}/SliceLast({condition})")
        stocks = self._client.rows(f"{names.stock}/Balance({condition})")
        return records.offers(prices, stocks, self._look_up().currencies, names)

    def _around(self, rows: list[Native]) -> _Around:
        deals = self._client.by_keys(self._names.deals, [writes.deal_key(r) for r in rows]) if self._with_deals else {}
        keys = [str(row["Ref_Key"]) for row in rows]
        sums = self._sums().of(keys, self._foreign(rows)) if self._names.for_sums else {}
        return _Around(self._state_rows(keys), deals, sums)

    def _foreign(self, rows: list[Native]) -> dict[str, str]:
        """УНФ keeps sales in rubles: key → key of the currency of the orders that are in another one."""
        if not self._names.sales_register:
            return {}
        known = self._look_up().currencies
        of = {str(row["Ref_Key"]): str(row.get(f"{self._names.currency}_Key")) for row in rows}
        return {key: one for key, one in of.items() if known.get(one, "").casefold() not in _RUBLES}

    def _sums(self) -> Behind:
        if self._behind is None:
            self._behind = Behind(self._client, self._names, self._published(), self.settings.zone_info, self._told())
        return self._behind

    def _told(self) -> frozenset[str] | None:
        """The sets that have told of payments and shipments so far; None where nobody remembers."""
        kept = self.context.kept.load(_TOLD)
        return None if kept is None else frozenset(map(str, kept.get("sets") or []))

    def _look_anew(self, *, first: bool) -> None:
        """What was missing may be there by now, and new words in the small catalogues. A `first` scan has nothing to lose."""
        self._behind, self._sets, self._words = None, None, None
        if first and self._names.for_sums and self._told() is None:
            self._sums().told = frozenset()

    def _published(self) -> frozenset[str]:
        """Names of the entity sets of this base, asked for once."""
        if self._sets is None:
            self._sets = frozenset(self._client.published())
        return self._sets

    def _with_parts(self, rows: list[Native], around: _Around) -> list[Record]:
        """Orders with goods looked up for all of them at once."""
        words, names = self._look_up(rows, [*around.deals.values()]), self._names
        lines = [one for row in rows for table in names.lines for one in row.get(table) or []]
        unit = "ЕдиницаИзмерения" if names.order_in_units else ""
        goods = self._client.by_keys(names.goods, [str(one.get("Номенклатура_Key")) for one in lines], expand=unit)
        return [
            self._parts.record(
                row,
                goods,
                words,
                around.states.get(str(row["Ref_Key"])),
                around.deals.get(writes.deal_key(row)),
                around.sums.get(str(row["Ref_Key"]), UNKNOWN),
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

    def _look_up(self, rows: Sequence[Native] = (), deals: Sequence[Native] = ()) -> Words:
        """The small catalogues, once for each scan of orders, and again where these rows name what was made since."""
        old = self._words
        if old is None or old.strange(rows, deals):
            self._words = Words.read(self._client, self._names, self._published(), with_reasons=self._with_deals)
            if old is not None:
                self._words.note(old, rows, deals)
        assert self._words is not None
        return self._words


@contextmanager
def _as_promised() -> Iterator[None]:
    """What 1C shows has not the shape of its own description: nothing more is taken."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"[:200]
        raise RetryLater(
            Text(
                f"1C's answer is not as its description promises ({what}); nothing was taken from it",
                f"ответ 1С не такой, как обещает её описание ({what}); из него ничего не взято",
            ),
            code="odata.shape",
            remedy=Text(
                "Run sverka check; look whether this object of the configuration was changed.",
                "Запустите sverka check; проверьте, не изменён ли этот объект конфигурации.",
            ),
        ) from error


def _named(kind: str, rows: list[Native]) -> list[Record]:
    return [records.named(kind, row) for row in rows]


def _products(rows: list[Native]) -> list[Record]:
    return [records.product(row) for row in rows]
