"""Goods and offers by the page: the tables are those that record by record gives, and the journal proves them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Record
from sync.flow import seen, take
from sync.flow.plug import Cause, Counts, Took
from sync.flow.take import take_chunk
from sync.hub.audit import audit
from sync.hub.runtime import Hub
from sync.store.tables import conflict, edit, inbox, intent, journal, link, price, quarantine, record, stock
from tests.spec.hubs import Kit, empty, one, plain, rows, sync

ONEC = {"adapter": "onec_exchange", "login": "обмен", "password": "слово"}
SEEDS = 4
TABLES = (record, link, journal, intent, conflict, edit)


def product(id: str, **more: Any) -> Record:
    data = {"name": f"Болт {id}", "sku": f"B-{id}", "type": "good", "vat": "20", **more}
    return Record("product", id, {k: v for k, v in data.items() if v is not None})


def offer(id: str, prices: dict[str, str] | None = None, stocks: dict[str, str] | None = None, **more: Any) -> Record:
    data: dict[str, Any] = {"product": id, **more}
    if prices is not None:
        data["prices"] = [{"type": key, "value": value, "currency": "RUB"} for key, value in prices.items()]
    if stocks is not None:
        data["stocks"] = [{"warehouse": key, "qty": value} for key, value in stocks.items()]
    return Record("offer", id, data)


class Stream:
    """Pages of one kind each, as an export and the ones after it bring them: new, changed, the same, odd and broken."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def pages(self) -> Iterator[list[Record]]:
        for _ in range(3):
            yield [self._product() for _ in range(12)]
            yield [self._offer() for _ in range(16)]

    def _id(self) -> str:
        return f"g{self.draw.randrange(14)}"

    def _product(self) -> Record:
        made = product(self._id())
        odd: dict[str, Any] = self.draw.choice(
            [{}, {}, {}, {}, {"name": None}, {"vat": "много"}, {"sku": "B-g1"}, {"sku": None}, {"name": "Гайка"}]
        )
        data = {k: v for k, v in {**made.data, **odd}.items() if v is not None}
        return replace(made, data=data, deleted=self.draw.random() < 0.08)

    def _offer(self) -> Record:
        id = self._id() + self.draw.choice(["", "", "", "#белый", "#чёрный"])
        values = ["1.50", "2", "2", "0", "1.005"]
        types = self.draw.choice([None, ["opt"], ["opt", "rozn"], ["opt", "rozn"], []])
        houses = self.draw.choice([None, ["w1"], ["w1", "w2"], ["w1", "w2"], []])
        more: dict[str, Any] = {"name": f"Болт {id}"} if self.draw.random() < 0.7 else {}
        if self.draw.random() < 0.3:
            more["quantity"] = self.draw.choice(["5", "7.5", "много"])
        made = offer(
            id,
            None if types is None else {one: self.draw.choice(values) for one in types},
            None if houses is None else {one: self.draw.choice(values) for one in houses},
            **more,
        )
        if self.draw.random() < 0.05 and made.data.get("prices"):
            made.data["prices"][0]["value"] = "дорого"
        if self.draw.random() < 0.1 and made.data.get("prices"):
            made.data["prices"][0]["currency"] = self.draw.choice(["USD", ""])
        return replace(made, deleted=self.draw.random() < 0.05, version=str(self.draw.randrange(3)))


def hub_of(kit: Kit, **hub: Any) -> Hub:
    return kit.open(
        {"onec": ONEC, "shop": {"role": "shop", "kinds": ["product"]}}, [("product", "onec", "shop")], hub=hub
    )


def goods(hub: Hub) -> list[tuple[Any, ...]]:
    """Prices and stock by the names of their products."""
    names = {one.record_uid: one.external_id for one in rows(hub, link, connection="onec", native_kind="product")}
    prices = [(names[r.product_uid], r.connection, r.price_type, r.value, r.currency) for r in rows(hub, price)]
    return sorted(prices, key=repr) + sorted(
        [(names[r.product_uid], r.connection, r.warehouse, r.qty) for r in rows(hub, stock)], key=repr
    )


def state(hub: Hub) -> list[Any]:
    # how often the same trouble was told is not counted where a whole page is
    gone = sorted((one.native_kind, one.external_id) for one in rows(hub, link) if one.deleted_at is not None)
    tables = (plain(hub, table, "deleted_at", "sent_at") for table in TABLES)
    return [*tables, gone, plain(hub, quarantine, "count", "next_at", "data"), goods(hub)]


def meanwhile(kit: Kit, hub: Hub, step: int) -> None:
    """What people and other systems do between the pages."""
    if step == 1:
        kit.world("shop").put("product", {"name": "Болт в магазине", "sku": "B-g2", "price": "9", "stock": "0"})
        sync(hub)
    if step == 3:
        asked = {"field": "description", "value": "от руки", "who": "Иван Тестов", "at": hub.now(), "state": "pending"}
        for product in rows(hub, record, kind="product", number="B-g3"):
            with hub.store.begin() as tx:
                tx.execute(edit.insert().values(record_uid=product.uid, **asked))


@pytest.mark.parametrize(
    ("seed", "price_type"), [*((seed, "") for seed in range(SEEDS)), *((seed, "rozn") for seed in range(SEEDS // 2))]
)
def test_pages_and_single_records_give_the_same_tables(
    kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, price_type: str
) -> None:
    if seed % 2:  # what is open is looked up, as where there is much of it
        monkeypatch.setattr(seen, "_FEW", 1)
    ends: list[list[Any]] = []
    for together in (True, False):
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub, counts = hub_of(life, price_type=price_type), Counts()
            for step, page in enumerate(Stream(seed).pages()):
                for part in [page] if together else [[rec] for rec in page]:
                    counts.merge(take_chunk(hub.world, hub.plugs["onec"], part, Cause()))
                meanwhile(life, hub, step)
            ends.append([*state(hub), counts.new, counts.changed, counts.read])
            assert audit(hub).ok
    names = [*(table.name for table in TABLES), "gone", "quarantine", "goods", "new", "changed", "read"]
    for name, at_once, one_by_one in zip(names, *ends, strict=True):
        assert at_once == one_by_one, name


def plain_ones(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> tuple[Hub, Callable[..., Counts]]:
    """A hub in which nothing may go the ordinary way, and what takes its pages."""
    hub = hub_of(kit)

    def slow(*_: Any) -> str:
        raise AssertionError("taken one by one")

    monkeypatch.setattr(take, "take_one", slow)
    return hub, lambda *page: take_chunk(hub.world, hub.plugs["onec"], list(page), Cause())


def test_what_is_plain_is_never_taken_one_by_one(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    _, given = plain_ones(kit, monkeypatch)
    counts = given(product("a"), product("b"), replace(product("c"), deleted=True))
    assert (counts.new, counts.skipped) == (2, 1)
    counts = given(offer("a", {"opt": "1"}, {"w1": "5"}), offer("b", {}, {"w1": "0"}), offer("a#x", {"opt": "2"}))
    assert (counts.new, counts.read) == (3, 3)
    counts = given(offer("a", {"opt": "1.5"}, {"w2": "5"}), offer("b", {}, {"w1": "0"}), offer("a#x", {"opt": "2"}))
    assert (counts.changed, counts.same) == (1, 2)


def test_a_night_without_news_begins_no_write(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every full export names goods that were deleted before they were ever seen, and the offers that wait for them."""
    hub, given = plain_ones(kit, monkeypatch)
    names = [f"g{at}" for at in range(25)]
    goods = [*map(product, names), replace(product("gone"), deleted=True)]
    prices = [*(offer(name, {"opt": "1"}, {"w1": "5"}) for name in names), offer("gone", {"opt": "2"})]
    assert (given(*goods).skipped, given(*prices).failed) == (1, 1)
    [waiting] = rows(hub, quarantine)
    assert (waiting.external_id, waiting.code, waiting.field) == ("gone", "offer.no_product", "product")
    assert (waiting.count, waiting.next_at is not None) == (1, True)

    def written(*_: Any) -> Took:
        raise AssertionError("a page was written")

    page = take._at_once
    monkeypatch.setattr(take, "_at_once", written)
    for some in (goods, prices):
        counts = given(*some)
        assert (counts.same, counts.skipped, counts.read) == (25, 1, 26)
    monkeypatch.setattr(take, "_at_once", page)
    assert given(*prices[:-1], offer("gone", {"opt": "3"})).failed == 1, "the same offer, with another price"


def test_a_changed_offer_moves_its_own_rows_and_no_others(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, given = plain_ones(kit, monkeypatch)
    given(product("a"), product("b"))
    first = (offer("a", {"opt": "1", "rozn": "2"}, {"w1": "5"}), offer("b", {"opt": "7"}, {"w1": "1"}))
    given(*first)
    tables = (record, link, price, stock, journal)
    before = [rows(hub, table) for table in tables]
    given(offer("a", {"opt": "1", "rozn": "2.50"}, {"w1": "5"}), first[1])
    moved = {
        table.name: [row for row in rows(hub, table) if row not in old]
        for table, old in zip(tables, before, strict=True)
    }
    assert [(r.price_type, r.value) for r in moved["price"]] == [("rozn", Decimal("2.500000"))]
    assert [(r.native_kind, r.external_id) for r in moved["link"]] == [("offer", "a")]
    assert [n.changes for n in moved["journal"]] == [{"price rozn": ["2.000000", "2.500000"]}]
    assert (moved["record"], moved["stock"]) == ([], []), "no price is chosen, and the stock is the same"


@pytest.mark.parametrize("together", [True, False])
def test_the_same_number_in_another_currency_is_another_price(kit: Kit, together: bool) -> None:
    hub = hub_of(kit)
    page = [product("a"), product("b"), offer("a", {"opt": "1"}), offer("b", {"opt": "1"})]
    for part in [page[:2], page[2:]] if together else [[rec] for rec in page]:
        take_chunk(hub.world, hub.plugs["onec"], part, Cause())
    for currency in ("USD", None):  # what is not said is not touched
        for changed in page[2:]:
            changed.data["prices"][0] |= {"currency": currency, "value": "1" if currency else "2"}
        for part in [page[2:]] if together else [[rec] for rec in page[2:]]:
            take_chunk(hub.world, hub.plugs["onec"], part, Cause())
    assert [(row.value, row.currency) for row in rows(hub, price)] == [(Decimal("2.000000"), "USD")] * 2
    notes = [note.changes for note in rows(hub, journal, why="observed")]
    assert notes[-4:-2] == [{"currency opt": ["RUB", "USD"]}] * 2
    assert notes[-2:] == [{"price opt": ["1.000000", "2.000000"]}] * 2


@pytest.mark.parametrize("together", [True, False])
def test_new_stock_does_not_rewrite_what_the_product_showed(kit: Kit, together: bool) -> None:
    hub = hub_of(kit)

    def given(*page: Record) -> None:
        for part in [page] if together else [[rec] for rec in page]:
            take_chunk(hub.world, hub.plugs["onec"], list(part), Cause())

    given(product("a"), product("b"))
    given(offer("a", None, {"w1": "5"}), offer("b", None, {"w1": "1"}))
    before = rows(hub, link, native_kind="product")
    given(offer("a", None, {"w1": "4"}), offer("b", None, {"w1": "3"}))
    assert [row.data["stock"] for row in rows(hub, record, kind="product")] == ["4.000", "3.000"]
    assert rows(hub, link, native_kind="product") == before


def test_offers_wait_for_their_product_without_being_tried_every_night(kit: Kit) -> None:
    hub = hub_of(kit)
    plug, page = hub.plugs["onec"], [offer("a", {"opt": "1"}), offer("b", {"opt": "2"})]
    assert take_chunk(hub.world, plug, page, Cause()).failed == 2
    assert take_chunk(hub.world, plug, page, Cause()).skipped == 2
    dearer = offer("b", {"opt": "3"})
    assert take_chunk(hub.world, plug, [page[0], dearer], Cause()).as_dict()["failed"] == 1, "this one is news"
    take_chunk(hub.world, plug, [product("b"), product("c")], Cause())
    counts = take_chunk(hub.world, plug, [page[0], dearer], Cause())
    assert (counts.skipped, counts.new) == (1, 1)
    assert {r.external_id: r.state for r in rows(hub, quarantine)} == {"a": "open", "b": "closed"}


def test_the_only_offer_that_waits_writes_nothing_either(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = hub_of(kit)
    plug, lonely = hub.plugs["onec"], offer("a", {"opt": "1"})
    assert take_chunk(hub.world, plug, [lonely], Cause()).failed == 1
    with monkeypatch.context() as patched:
        patched.setattr(hub.store, "begin", lambda **_: pytest.fail("a write was begun"))
        assert take_chunk(hub.world, plug, [lonely], Cause()).skipped == 1
    assert take_chunk(hub.world, plug, [offer("a", {"opt": "2"})], Cause()).failed == 1, "this one is news"
    take_chunk(hub.world, plug, [product("a")], Cause())
    assert take_chunk(hub.world, plug, [lonely], Cause()).new == 1


def test_goods_that_a_flow_makes_elsewhere_are_made_there(kit: Kit) -> None:
    connections = {"onec": ONEC, "shop": {"role": "shop", "kinds": ["product"]}}
    hub = kit.open(connections, [("product", "onec", "shop", "always")])
    take_chunk(hub.world, hub.plugs["onec"], [product("a"), product("b")], Cause())
    sync(hub)
    assert sorted(row["data"]["name"] for row in kit.world("shop").rows("product").values()) == ["Болт a", "Болт b"]


def test_a_record_named_twice_in_a_file_ends_as_it_is_named_last(kit: Kit) -> None:
    hub = hub_of(kit)
    plug, one_price, another = hub.plugs["onec"], offer("a", {"opt": "1"}), offer("a", {"opt": "2"})
    take_chunk(hub.world, plug, [product("a"), product("b")], Cause())
    take_chunk(hub.world, plug, [one_price, offer("b", {"opt": "1"})], Cause())
    take_chunk(hub.world, plug, [another, offer("b", {"opt": "1"}), one_price], Cause())
    assert one(hub, link, native_kind="offer", external_id="a").shadow == one_price.data
    assert {r.value for r in rows(hub, price)} == {Decimal(1)}


def prices_file(folder: Path, value: str, stamp: int) -> None:
    """What 1C writes into its folder: one offer with one price."""
    path = folder / "offers.xml"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация ВерсияСхемы="2.07"><ПакетПредложений><Предложения>'
        "<Предложение><Ид>a</Ид><Цены><Цена><ИдТипаЦены>opt</ИдТипаЦены>"
        f"<ЦенаЗаЕдиницу>{value}</ЦенаЗаЕдиницу></Цена></Цены></Предложение>"
        "</Предложения></ПакетПредложений></КоммерческаяИнформация>",
        encoding="utf-8",
    )
    os.utime(path, (stamp, stamp))


def test_a_file_that_says_again_what_it_once_said_is_taken_again(kit: Kit, tmp_path: Path) -> None:
    folder = tmp_path / "from-1c"
    folder.mkdir()
    hub = kit.open({"goods": {"adapter": "onec_folder", "folder": str(folder), "settle_seconds": 0}})
    take_chunk(hub.world, hub.plugs["goods"], [product("a")], Cause())
    for night, value in enumerate(("1", "2", "1")):
        prices_file(folder, value, 1_000_000 + night)
        sync(hub)
        assert one(hub, price).value == Decimal(value)
    assert [r.state for r in rows(hub, inbox)] == ["done"] * 3


def test_a_file_that_could_not_be_archived_is_not_taken_twice(
    kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "from-1c"
    folder.mkdir()
    hub = kit.open({"goods": {"adapter": "onec_folder", "folder": str(folder), "settle_seconds": 0}})
    take_chunk(hub.world, hub.plugs["goods"], [product("a")], Cause())
    prices_file(folder, "1", 1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(type(hub.plugs["goods"].adapter), "collected", lambda self, arrival: None)
        sync(hub)
    sync(hub)
    assert [r.state for r in rows(hub, inbox)] == ["done", "duplicate"]
    assert not list(folder.glob("*.xml"))
