"""Writing back: nothing twice, nothing over somebody's change, a lost answer is never a blind repeat."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.base import BadConfig, Change, OutcomeUnknown, PreconditionFailed, RecordRefused, RetryLater
from adapters.woocommerce import WooCommerceAdapter
from tests.adapters.woocommerce_kit import NOON, adapter_at, ids, pages
from tests.peers.woo import WooPeer

KEY = "0b0c2f0e-0000-4000-8000-000000000001"


@pytest.fixture
def shop():
    with WooPeer(now=NOON) as peer:
        yield peer


def change(adapter: WooCommerceAdapter, kind: str, id: int, **data: Any) -> Change:
    """A change planned on what the shop says now."""
    return Change(kind, str(id), data, adapter.read(kind, str(id)), KEY)


def puts(shop: WooPeer) -> int:
    return len(shop.calls("PUT"))


def test_a_status_is_written_and_read_back(shop: WooPeer) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop) as adapter:
        after = adapter.write(change(adapter, "order", order["id"], status="completed"))
    assert after.data["status"] == "completed"
    assert after.version > order["date_modified_gmt"]
    assert shop.state["orders"][after.id]["status"] == "completed"


def test_an_equal_value_is_not_written_so_no_echo_begins(shop: WooPeer) -> None:
    order = shop.add_order(status="completed")
    with adapter_at(shop) as adapter:
        cursor = pages(adapter)[-1].cursor
        planned = Change("order", str(order["id"]), {"status": "completed"}, None, KEY)
        assert adapter.write(planned).version == order["date_modified_gmt"]
        shop.advance(600)
        assert ids(pages(adapter, pages(adapter, cursor)[-1].cursor)) == []
    assert puts(shop) == 0


def test_a_status_changed_meanwhile_is_not_overwritten(shop: WooPeer) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.set_status(order["id"], "cancelled")
        with pytest.raises(PreconditionFailed) as failure:
            adapter.write(planned)
        assert failure.value.code == "woo.moved"
    assert shop.state["orders"][str(order["id"])]["status"] == "cancelled"


def test_another_field_changed_meanwhile_does_not_hinder(shop: WooPeer) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.edit_order(order["id"], customer_note="позвоните")
        after = adapter.write(planned)
    assert (after.data["status"], after.data["customer_note"]) == ("completed", "позвоните")


@pytest.mark.parametrize("force", [False, True])
def test_a_deleted_order_is_not_revived(shop: WooPeer, force: bool) -> None:
    order = shop.add_order()
    with adapter_at(shop) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.trash(order["id"], force=force)
        with pytest.raises(PreconditionFailed):
            adapter.write(planned)
    assert puts(shop) == 0


def test_a_lost_answer_is_unknown_and_settles_by_reading(shop: WooPeer) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.fault("drop", "/orders", method="PUT")
        with pytest.raises(OutcomeUnknown):
            adapter.write(planned)
        found = adapter.read("order", str(order["id"]))
        assert found is not None
        assert found.data["status"] == "completed"
        assert adapter.write(planned).data["status"] == "completed"
    assert puts(shop) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "delay", "seconds": 1.3},
        {"kind": "refuse"},
        {"kind": "status", "status": 500, "body": "<html>Fatal</html>"},
        {"kind": "status", "status": 504, "body": ""},
        {"kind": "status", "status": 200, "body": "<html>спасибо</html>"},
        {"kind": "status", "status": 200, "body": '{"id": 62, "status"'},
        {"kind": "status", "status": 200, "body": "[]"},
    ],
)
def test_after_sending_every_unreadable_answer_is_unknown(shop: WooPeer, fault: dict[str, Any]) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop, timeout=1) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.fault(match="/orders", method="PUT", **fault)
        with pytest.raises(OutcomeUnknown) as failure:
            adapter.write(planned)
    assert failure.value.text.ru
    assert puts(shop) == 1


def test_a_busy_shop_was_not_written_to(shop: WooPeer) -> None:
    order = shop.add_order(status="processing")
    with adapter_at(shop) as adapter:
        planned = change(adapter, "order", order["id"], status="completed")
        shop.fault("status", "/orders", method="PUT", status=503, body="<html/>", headers={"Retry-After": "7"})
        with pytest.raises(RetryLater) as failure:
            adapter.write(planned)
    assert failure.value.after == 7


def test_an_unknown_status_names_the_allowed_ones(shop: WooPeer) -> None:
    shop.state["statuses"].append("sborka")
    order = shop.add_order()
    with adapter_at(shop) as adapter, pytest.raises(RecordRefused) as failure:
        adapter.write(change(adapter, "order", order["id"], status="shipped"))
    assert failure.value.field == "status"
    for word in ("pending", "on-hold", "sborka"):
        assert word in failure.value.text.ru


def test_a_read_only_key_is_named(shop: WooPeer) -> None:
    order = shop.add_order()
    shop.state["rights"] = "read"
    with adapter_at(shop) as adapter, pytest.raises(BadConfig) as failure:
        adapter.write(change(adapter, "order", order["id"], status="completed"))
    assert (failure.value.code, failure.value.setting) == ("woo.read_only", "key")


def test_price_and_stock_of_a_product(shop: WooPeer) -> None:
    product = shop.add_product("A-1", "Товар", "117.90", 5)
    with adapter_at(shop) as adapter:
        planned = change(
            adapter, "product", product["id"], regular_price=Decimal("120.50"), stock_quantity=Decimal("3.000")
        )
        after = adapter.write(planned)
        assert (after.data["regular_price"], after.data["stock_quantity"]) == ("120.50", 3)
        again = change(adapter, "product", product["id"], regular_price="120.5", stock_quantity="3")
        assert adapter.write(again).version == after.version
    assert puts(shop) == 1


def test_a_price_changed_in_the_shop_is_not_overwritten(shop: WooPeer) -> None:
    product = shop.add_product("A-1", "Товар", "117.90", 5)
    with adapter_at(shop) as adapter:
        planned = change(adapter, "product", product["id"], regular_price="120.50")
        shop.edit_product(product["id"], regular_price="99.00")
        with pytest.raises(PreconditionFailed):
            adapter.write(planned)
    assert puts(shop) == 0


def test_stock_of_a_product_that_counts_none_is_refused_with_the_way_out(shop: WooPeer) -> None:
    product = shop.add_product("A-1", "Товар", "117.90", None)
    with adapter_at(shop) as adapter:
        with pytest.raises(RecordRefused) as failure:
            adapter.write(change(adapter, "product", product["id"], stock_quantity=4))
        assert failure.value.field == "manage_stock"
        after = adapter.write(change(adapter, "product", product["id"], stock_quantity=4, manage_stock=True))
    assert after.data["stock_quantity"] == 4


def test_a_value_that_the_shop_swallows_is_not_called_a_success(shop: WooPeer) -> None:
    product = shop.add_product("A-1", "Товар", "117.90", 5)
    with adapter_at(shop) as adapter:
        planned = change(adapter, "product", product["id"], regular_price="120.50")
        kept = {"id": product["id"], "regular_price": "", "type": "variable"}
        shop.fault("status", "/products", method="PUT", status=200, body=json.dumps(kept))
        with pytest.raises(RecordRefused) as failure:
            adapter.write(planned)
    assert (failure.value.code, failure.value.field) == ("woo.ignored", "regular_price")


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("order", {"total": "5"}, "total"),
        ("order", {"status": ""}, "status"),
        ("order", {"status": None}, "status"),
        ("product", {"name": "Иначе"}, "name"),
        ("product", {"regular_price": "дорого"}, "regular_price"),
        ("product", {"regular_price": "-1"}, "regular_price"),
        ("product", {"regular_price": "NaN"}, "regular_price"),
        ("product", {"stock_quantity": Decimal("1.5")}, "stock_quantity"),
        ("product", {"stock_quantity": True}, "stock_quantity"),
        ("product", {"manage_stock": "yes"}, "manage_stock"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_call(
    shop: WooPeer, kind: str, data: dict[str, Any], field: str
) -> None:
    with adapter_at(shop) as adapter, pytest.raises(RecordRefused) as failure:
        adapter.write(Change(kind, "62", data, None, KEY))
    assert failure.value.field == field
    assert shop.calls() == []


def test_nothing_is_created(shop: WooPeer) -> None:
    with adapter_at(shop) as adapter, pytest.raises(RecordRefused) as failure:
        adapter.write(Change("order", None, {"status": "pending"}, None, KEY))
    assert failure.value.code == "woo.create"
    assert shop.calls() == []


def removal(adapter: WooCommerceAdapter, id: int, kind: str = "order") -> Change:
    return Change(kind, str(id), {}, adapter.read(kind, str(id)), KEY, delete=True)


def test_an_order_goes_to_the_trash_and_not_for_good(shop: WooPeer) -> None:
    order = shop.add_order(status="on-hold")
    with adapter_at(shop) as adapter:
        after = adapter.write(removal(adapter, order["id"]))
        assert (after.deleted, after.data["status"]) == (True, "trash"), "the shop's own answer shows the old status"
        assert adapter.write(removal(adapter, order["id"])).deleted, "in the trash already: done"
    assert shop.state["orders"][after.id]["status"] == "trash"
    (call,) = shop.calls("DELETE")
    assert "force" not in call["query"]


def test_an_order_that_is_gone_for_good_is_deleted_already(shop: WooPeer) -> None:
    order = shop.add_order()
    with adapter_at(shop) as adapter:
        planned = removal(adapter, order["id"])
        shop.trash(order["id"], force=True)
        after = adapter.write(planned)
    assert (after.id, after.deleted, shop.calls("DELETE")) == (str(order["id"]), True, [])


def test_a_product_is_never_deleted(shop: WooPeer) -> None:
    product = shop.add_product("B-8", "Болт", "10.50", 5)
    with adapter_at(shop) as adapter, pytest.raises(RecordRefused) as refused:
        adapter.write(removal(adapter, product["id"], "product"))
    assert (refused.value.code, shop.calls("DELETE")) == ("woo.delete", [])


def test_a_shop_without_a_trash_keeps_the_order(shop: WooPeer) -> None:
    order = shop.add_order()
    body = '{"code": "woocommerce_rest_trash_not_supported", "message": "The order does not support trashing."}'
    shop.fault("status", method="DELETE", status=501, body=body)
    with adapter_at(shop) as adapter, pytest.raises(RecordRefused) as refused:
        adapter.write(removal(adapter, order["id"]))
    assert refused.value.code == "woo.no_trash"
    assert refused.value.remedy is not None
    assert shop.state["orders"][str(order["id"])]["status"] != "trash"


def test_a_delete_that_cannot_be_read_back_is_not_called_done(shop: WooPeer) -> None:
    order = shop.add_order()
    with adapter_at(shop) as adapter:
        planned = removal(adapter, order["id"])
        shop.fault("status", method="DELETE", status=200, body='{"id": 1}')  # something before the shop answers for it
        with pytest.raises(OutcomeUnknown):
            adapter.write(planned)
    assert shop.state["orders"][str(order["id"])]["status"] != "trash"
