"""The shipped mapping of WooCommerce: what an order and a product become, that sums agree, and the two laws."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.errors import RecordRefused
from sync.lens import Lens, check_laws, load
from sync.model.records import validate
from tests.need import shared
from tests.peers.woo import WooPeer
from tests.peers.woo_data import STATUSES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "woocommerce"
HUB_STAGES = {"new", "in_work", "paid", "shipped", "won", "lost"}


def native(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def fixture(name: str) -> dict[str, Any]:
    return dict(native((FIXTURES / f"{name}.json").read_text()))


def lens(kind: str) -> Lens:
    return load("woocommerce").lens(kind)


def lines_sum(deal: dict[str, Any]) -> Decimal:
    return sum((line["sum"] + (line.get("tax") or 0) for line in deal["lines"]), Decimal(0))


def test_an_order_becomes_a_deal() -> None:
    found = lens("order").get(fixture("order"))
    assert found.problems == []
    deal = validate("deal", found.fields)
    assert (deal["number"], deal["currency"], deal["stage"], deal["amount"]) == (
        "М-1043",
        "RUB",
        "in_work",
        Decimal("782.19"),
    )
    assert deal["tax"] == Decimal("130.36")
    assert deal["created_at"] == datetime(2026, 11, 22, 7, 9, 20, tzinfo=UTC)
    assert deal["delivery_address"] == "420000, Казань, ул. Тестовая, 1"
    assert deal["comment"] == "Домофон не работает\nзвоните 🙂"
    assert deal["source"] == "yandex"
    assert deal["utm"] == {"source": "yandex", "medium": "cpc", "campaign": "осень"}
    assert [line["kind"] for line in deal["lines"]] == ["goods", "goods", "shipping", "fee", "discount"]
    assert [line["sku"] for line in deal["lines"][:2]] == ["SKU-017", "SKU-037"]
    assert [line["product"] for line in deal["lines"][:2]] == ["62", "63"]
    assert {line.get("vat_rate") for line in deal["lines"][:4]} == {Decimal("20.00")}
    assert lines_sum(deal) == deal["amount"]
    (refund,) = deal["documents"]
    assert (refund["kind"], refund["amount"], refund["currency"]) == ("refund", Decimal("10.00"), "RUB")


def test_the_client_and_the_event_of_an_order() -> None:
    found = lens("order").get(fixture("order"))
    assert found.client["name"] == "Иван Тестов"
    assert found.client["company"] == "ООО «Ромашка»"
    assert found.client["phone"] == "8 (912) 345-67-00"
    assert found.client["email"] == "Test@Example.ru"
    assert (found.event["type"], found.event["direction"], found.event["deal"]) == ("order", "in", "М-1043")
    assert found.event["key"] == "64"


def test_two_tax_rates_are_not_guessed_and_a_variation_is_the_product() -> None:
    found = lens("order").get(fixture("order_two_rates"))
    assert found.problems == []
    assert all("vat_rate" not in line for line in found.fields["lines"])
    assert found.fields["lines"][1]["product"] == "77"
    assert found.fields["stage"] == "lost"
    assert found.fields["delivery_address"] == "Тестовск, пр. Пробный, 2"


def test_an_untaxed_line_has_no_rate_and_a_foreign_line_no_product() -> None:
    order = fixture("order")
    order["line_items"][0] |= {"total_tax": "0.00", "taxes": [], "product_id": 0}
    goods = [line for line in lens("order").get(order).fields["lines"] if line["kind"] == "goods"]
    by_key = {line["key"]: line for line in goods}
    assert "vat_rate" not in by_key["1"]
    assert by_key["1"]["product"] is None
    assert by_key["2"]["vat_rate"] == 20


@pytest.mark.parametrize("status", [*(s for s in STATUSES if s != "checkout-draft"), "trash"])
def test_every_status_has_a_stage_and_is_left_alone(status: str) -> None:
    order = fixture("order") | {"status": status}
    found = lens("order").get(order)
    assert found.fields["stage"] in HUB_STAGES
    assert lens("order").put({"stage": found.fields["stage"]}, order) == {}


@pytest.mark.parametrize(("stage", "status"), [("in_work", "processing"), ("won", "completed"), ("lost", "cancelled")])
def test_stages_are_written_back(stage: str, status: str) -> None:
    assert lens("order").put({"stage": stage}, fixture("order") | {"status": "on-hold"}) == {"status": status}


@pytest.mark.parametrize("stage", ["new", "paid", "shipped"])
def test_stages_that_the_shop_cannot_tell_are_not_written(stage: str) -> None:
    with pytest.raises(RecordRefused) as failure:
        lens("order").put({"stage": stage}, fixture("order"))
    assert failure.value.field == "stage"


def test_a_plugins_status_is_a_named_problem_and_the_rest_is_read() -> None:
    found = lens("order").get(fixture("order") | {"status": "sborka"})
    assert [problem.field for problem in found.problems] == ["stage"]
    assert "stage" not in found.fields
    assert found.fields["number"] == "М-1043"


def test_a_product() -> None:
    found = lens("product").get(fixture("product"))
    assert found.problems == []
    assert found.fields["kind"] == "service"
    assert (found.fields["sku"], found.fields["price"], found.fields["stock"]) == (
        "SKU-037",
        Decimal("137.900000"),
        None,
    )
    assert (found.fields["group"], found.fields["active"], found.fields["variant_of"]) == ("Услуги", True, None)


def test_price_and_stock_are_written_as_the_shop_writes_them() -> None:
    product = fixture("product") | {"stock_quantity": 5, "manage_stock": True}
    patch = lens("product").put({"price": Decimal("120.5"), "stock": Decimal(3), "name": "Иначе"}, product)
    assert Decimal(patch["regular_price"]) == Decimal("120.5")
    assert isinstance(patch["regular_price"], str)
    assert patch["stock_quantity"] == 3
    assert set(patch) == {"regular_price", "stock_quantity"}


@pytest.mark.parametrize(("kind", "name"), [("order", "order"), ("order", "order_two_rates"), ("product", "product")])
def test_the_laws_hold(kind: str, name: str) -> None:
    assert check_laws(lens(kind), fixture(name)) == []


def test_random_orders_of_the_stand_in_agree_to_the_kopeck() -> None:
    with WooPeer() as shop:
        for n in range(40):
            lines = [(f"A-{k}", f"Товар {k}", f"{n * 7 + k}.{n % 10}{k}", k + 1) for k in range(1 + n % 4)]
            order = shop.add_order(lines=lines, coupon=n % 3 * 7, shipping=n % 2 * 333, fee=f"{n % 5}.99")
            deal = lens("order").get(native(json.dumps(order))).fields
            assert lines_sum(deal) == deal["amount"]


def test_a_real_order_agrees_to_the_kopeck() -> None:
    found = lens("order").get(native(shared("shop/woocommerce/real_order_wc11.json").read_text()))
    assert found.problems == []
    assert found.fields["amount"] == lines_sum(found.fields) == Decimal("1004.21")
    assert found.fields["utm"] == {"source": "yandex"}
