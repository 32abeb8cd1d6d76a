"""Goods taken in: pages at once, articles of two systems, prices and stock, offers before their products."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.base import Record
from sync.flow.plug import Cause
from sync.flow.take import take_chunk
from sync.hub import acts
from sync.hub.runtime import Hub
from sync.store.tables import (
    conflict,
    intent,
    journal,
    link,
    price,
    quarantine,
    record,
    stock,
)
from tests.spec.hubs import (
    Kit,
    empty,
    give,
    one,
    plain,
    rows,
    sync,
    total,
)
from tests.spec.test_absorb import shop


def goods(number: int) -> list[Record]:
    return [
        Record("product", str(n), {"id": str(n), "name": f"Болт {n}", "sku": f"B-{n}", "price": "1.50", "stock": "3"})
        for n in range(number)
    ]


def test_a_page_at_once_and_one_by_one_give_the_same(kit: Kit, tmp_path: Path) -> None:
    states = []
    for together in (True, False):
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub = shop(life)
            plug = hub.plugs["shop"]
            first = [replace(r, version="1") for r in goods(5)]
            twice = replace(first[0], id="x", data={**first[0].data, "id": "x"})  # the same article twice
            odd = replace(first[1], id="y", data={"id": "y", "name": "", "price": "дорого"})
            page = [*first, twice, odd]
            for part in [page] if together else [[rec] for rec in page]:
                take_chunk(hub.world, plug, part, Cause())
            changed = [replace(r, data={**r.data, "price": "1.60"}) for r in first[:2]]
            for part in [changed] if together else [[rec] for rec in changed]:
                take_chunk(hub.world, plug, part, Cause())
            states.append([plain(hub, t) for t in (record, link, journal, quarantine, intent, conflict)])
            assert len(rows(hub, link)) == 7
    assert states[0] == states[1]


def test_a_product_of_two_systems_is_one_by_its_article(kit: Kit) -> None:
    hub = kit.open(
        {"onec": {"role": "accounting", "kinds": ["product"]}, "shop": {"role": "shop", "kinds": ["product"]}}
    )
    kit.world("onec").put("product", {"name": "Болт", "sku": "B-1", "price": "1.5"})
    kit.world("shop").put("product", {"name": "Болт (магазин)", "sku": "B-1", "price": "2"})
    kit.world("shop").put("product", {"name": "Другой с тем же артикулом", "sku": "B-1"})
    sync(hub)
    products = rows(hub, record, kind="product")
    assert sorted(r.title for r in products) == ["Болт", "Другой с тем же артикулом"], "accounting names it"
    assert len(rows(hub, link, record_uid=one(hub, record, title="Болт").uid)) == 2


def onec(kit: Kit, **hub: Any) -> Hub:
    return kit.open(
        {
            "onec": {"adapter": "onec_exchange", "login": "обмен", "password": "слово"},
            "shop": {"role": "shop", "kinds": ["product"]},
        },
        [("product", "onec", "shop")],
        hub=hub,
    )


PRODUCT = {"name": "Болт", "sku": "B-1", "type": "good"}


def offer(**more: Any) -> dict[str, Any]:
    rows = [{"type": "opt", "value": "1.40", "currency": "руб"}, {"type": "rozn", "value": "1.50", "currency": "RUB"}]
    return {"product": "g1", "prices": rows, "stocks": [{"warehouse": "w1", "qty": "10"}], **more}


def test_prices_and_stock(kit: Kit) -> None:
    hub = onec(kit, price_type="rozn")
    assert hub.broken == {}
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1", "price": "9", "stock": "0"})
    sync(hub)
    give(hub, "onec", "product", "g1", PRODUCT)
    assert give(hub, "onec", "offer", "g1", offer()) == "new"
    sync(hub)
    shown = kit.world("shop").rows("product")["1"]["data"]
    assert (shown["price"], shown["stock"]) == ("1.5", "10"), "price and stock are accounting's"
    assert [(r.price_type, r.value, r.currency) for r in rows(hub, price)] == [
        ("opt", Decimal("1.400000"), "RUB"),
        ("rozn", Decimal("1.500000"), "RUB"),
    ]
    assert one(hub, stock).qty == Decimal("10.000")
    kit.forget_calls()
    assert total(sync(hub), "writes") == 0
    assert give(hub, "onec", "offer", "g1", offer()) == "same"
    assert kit.writes() == []


def test_a_changed_price_is_journalled_and_goes_to_the_shop_once(kit: Kit) -> None:
    hub = onec(kit, price_type="rozn")
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1", "price": "1.5", "stock": "10"})
    sync(hub)
    give(hub, "onec", "product", "g1", PRODUCT)
    give(hub, "onec", "offer", "g1", offer())
    sync(hub)
    kit.forget_calls()
    dearer = offer(
        prices=[
            {"type": "opt", "value": "1.40", "currency": "RUB"},
            {"type": "rozn", "value": "1.65", "currency": "RUB"},
        ]
    )
    assert give(hub, "onec", "offer", "g1", dearer) == "changed"
    uid = one(hub, record, kind="product").uid
    notes = [n.changes for n in rows(hub, journal, record_uid=uid) if n.connection == "onec"]
    assert {"price rozn": ["1.500000", "1.650000"]} in notes
    assert any(n.get("price") == ["1.500000", "1.650000"] for n in notes)
    sync(hub)
    assert kit.world("shop").rows("product")["1"]["data"]["price"] == "1.65"
    assert kit.writes() == [("shop", "product")]
    kit.forget_calls()
    sync(hub)
    assert kit.writes() == []


def test_absent_is_not_zero(kit: Kit) -> None:
    hub = onec(kit)
    give(hub, "onec", "product", "g1", PRODUCT)
    give(hub, "onec", "offer", "g1", offer())
    give(hub, "onec", "offer", "g1", {"product": "g1", "prices": offer()["prices"]})
    assert one(hub, stock).qty == Decimal(10), "no stock was sent: nothing is known of it"
    give(hub, "onec", "offer", "g1", {"product": "g1", "stocks": []})
    assert rows(hub, stock) == [], "an empty list was sent: there is none"
    assert len(rows(hub, price)) == 2
    give(hub, "onec", "offer", "g1", {"product": "g1", "stocks": [{"warehouse": "w1", "qty": "0"}]})
    assert (one(hub, stock).qty, one(hub, record, kind="product").data["stock"]) == (Decimal(0), "0.000")


def test_an_offer_before_its_product_waits_and_is_taken_with_it(kit: Kit) -> None:
    hub = onec(kit)
    assert give(hub, "onec", "offer", "g1", offer()) == "failed"
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.state) == ("offer.no_product", "open")
    assert "g1" in waiting.text["ru"]
    give(hub, "onec", "product", "g1", PRODUCT)
    acts.retry(hub, waiting.id)
    sync(hub)
    assert (one(hub, quarantine).state, one(hub, stock).qty) == ("closed", Decimal(10))
