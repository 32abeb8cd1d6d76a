"""Webhooks and files: everything is answered with 200, nothing unsigned is believed, a broken element hurts no other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Arrival, Hint, Problem, Reception, Record, RecordRefused
from adapters.woocommerce import WooCommerceAdapter
from tests.adapters.woocommerce_kit import NOON, adapter_at, arrival
from tests.need import shared
from tests.peers.woo import WooPeer
from tests.peers.woo_hooks import HookSink

SECRET = 'sec&"<ret'
FIXTURES = Path(__file__).parents[1] / "fixtures" / "woocommerce"
ORDER = (FIXTURES / "order.json").read_bytes()


@pytest.fixture(scope="module")
def adapter():
    with WooPeer(now=NOON) as peer, adapter_at(peer, webhook_secret=SECRET) as made:
        yield made


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def hook(body: bytes, sign: str | None = None, topic: str = "order.updated", **more: str) -> Arrival:
    headers = {"x_wc_webhook_topic": topic, "x_wc_webhook_delivery_id": "d1", "content_type": "application/json"}
    headers["x_wc_webhook_signature"] = signature(body) if sign is None else sign
    return arrival(body, **(headers | more))


def test_what_the_shop_sends_is_recognised_end_to_end() -> None:
    with WooPeer(now=NOON) as shop, HookSink() as sink, adapter_at(shop, webhook_secret=SECRET) as adapter:
        order = shop.add_order()
        shop.add_webhook(sink.url + "/in/shop", SECRET)
        shop.edit_order(order["id"], customer_note="ещё")
        assert shop.deliver() == [200]
        ping, sent = (arrival(got["body"].encode(), **got["headers"]) for got in sink.state["got"])
        assert adapter.receive(ping).label == "ping"
        assert adapter.receive(ping).reply.status == 200
        assert list(adapter.unpack(ping)) == []
        taken = adapter.receive(sent)
        assert (taken.label, len(taken.key)) == ("", 32)
        assert list(adapter.unpack(sent)) == [Hint("order", str(order["id"]))]


def test_a_real_captured_delivery_and_ping_verify(adapter: WooCommerceAdapter) -> None:
    real = json.loads(shared("shop/woocommerce/real_webhook_order_updated.json").read_text())
    sent = arrival(real["body"].encode(), **{k.lower(): v for k, v in real["headers"].items()})
    assert adapter.receive(sent) == Reception(key="f9632f5a5930753f6c3cdb78d7ce216a")
    assert list(adapter.unpack(sent)) == [Hint("order", "62")]
    ping = json.loads(shared("shop/woocommerce/real_webhook_ping.json").read_text())
    assert (
        adapter.receive(arrival(ping["body"].encode(), **{k.lower(): v for k, v in ping["headers"].items()})).label
        == "ping"
    )


@pytest.mark.parametrize("sign", ["", "AAAA", "подпись", "\udcff\udcfe", "é" * 44, signature(b"another body")])
def test_a_wrong_signature_is_kept_shown_and_answered_with_200(adapter: WooCommerceAdapter, sign: str) -> None:
    taken = adapter.receive(hook(b'{"id": 62}', sign))
    assert (taken.label, taken.reply.status, taken.key) == ("unsigned", 200, "")
    assert taken.reason is not None
    assert taken.reason.ru


def test_the_signature_covers_the_raw_bytes(adapter: WooCommerceAdapter) -> None:
    body = b'{"id": 62}'
    assert adapter.receive(hook(body)).label == ""
    assert adapter.receive(hook(body + b"\n", signature(body))).label == "unsigned"


def test_both_secrets_count_after_a_change() -> None:
    body = b'{"id": 62}'
    with WooPeer() as peer, adapter_at(peer, webhook_secret="new", previous_webhook_secret="old") as adapter:
        labels = [adapter.receive(hook(body, signature(body, secret))).label for secret in ("new", "old", "older")]
    assert labels == ["", "", "unsigned"]


def test_without_a_secret_nothing_is_believed_but_the_ping_passes() -> None:
    with WooPeer() as peer, adapter_at(peer) as adapter:
        taken = adapter.receive(hook(b'{"id": 62}'))
        assert taken.label == "unsigned"
        assert taken.reason is not None
        assert "webhook_secret" in taken.reason.ru
        assert adapter.receive(arrival(b"webhook_id=3")).label == "ping"


@pytest.mark.parametrize(
    "body", [b"webhook_id=", b"webhook_id=3&x=1", b"webhook_id=abc", b"", b"\xff\xfe\x00", b"x" * 5000]
)
def test_what_only_resembles_a_ping_is_unsigned(adapter: WooCommerceAdapter, body: bytes) -> None:
    assert adapter.receive(arrival(body)).label == "unsigned"


def test_a_forged_ping_with_webhook_headers_is_no_ping(adapter: WooCommerceAdapter) -> None:
    assert adapter.receive(hook(b"webhook_id=3", "x")).label == "unsigned"


def test_an_endless_body_is_not_even_read(adapter: WooCommerceAdapter) -> None:
    def refuse() -> Any:
        raise AssertionError("was read")

    assert adapter.receive(Arrival("", size=10_000_001, open=refuse)).label == "oversized"


@pytest.mark.parametrize(
    ("topic", "body", "hints"),
    [
        ("order.created", b'{"id": 5, "status": "old state"}', [Hint("order", "5")]),
        ("order.deleted", b'{"id": 5}', [Hint("order", "5")]),
        ("product.updated", b'{"id": 7}', [Hint("product", "7")]),
        ("order.updated", b'{"id": 5', [Hint("order", "")]),
        ("order.updated", b"", [Hint("order", "")]),
        ("order.updated", b'{"id": "5; drop"}', [Hint("order", "")]),
        ("order.updated", b"[1]", [Hint("order", "")]),
        ("customer.created", b'{"id": 9}', []),
        ("action.something", b"{}", []),
    ],
)
def test_a_webhook_gives_hints_and_never_data(
    adapter: WooCommerceAdapter, topic: str, body: bytes, hints: list[Hint]
) -> None:
    assert list(adapter.unpack(hook(body, topic=topic))) == hints


# files --------------------------------------------------------------------------------------------------------------


def unpack(adapter: WooCommerceAdapter, body: bytes, name: str = "orders.json") -> list[Any]:
    return list(adapter.unpack(arrival(body, name)))


def test_a_file_with_one_order_or_product(adapter: WooCommerceAdapter) -> None:
    (order,) = unpack(adapter, ORDER)
    assert (order.kind, order.id, order.version) == ("order", "64", order.data["date_modified_gmt"])
    assert order.data["line_items"][0]["price"] == Decimal("106.11")
    (product,) = unpack(adapter, (FIXTURES / "product.json").read_bytes(), "Товар.JSON")
    assert (product.kind, product.data["sku"]) == ("product", "SKU-037")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_saved_by_windows_editors(adapter: WooCommerceAdapter, encoding: str) -> None:
    (order,) = unpack(adapter, ORDER.decode().encode(encoding))
    assert order.data["billing"]["first_name"] == "Иван"


def test_a_broken_element_is_named_and_its_neighbours_go_on(adapter: WooCommerceAdapter) -> None:
    order = json.loads(ORDER)
    rows = [
        order,
        {"id": "x", "line_items": []},
        5,
        {"code": "error"},
        {**order, "id": 66},
        {**order, "status": "checkout-draft"},
    ]
    found = unpack(adapter, json.dumps(rows).encode())
    assert [type(one) for one in found] == [Record, Problem, Problem, Problem, Record]
    assert [one.id for one in found] == ["64", "[1]", "[2]", "[3]", "66"]
    assert "3" in found[3].error.text.ru


@pytest.mark.parametrize("cut", [b", ", b', {"id": 65, "line_', b"", b", nonsense, "])
def test_a_cut_list_gives_what_lies_before_the_cut(adapter: WooCommerceAdapter, cut: bytes) -> None:
    found = unpack(adapter, b"[" + ORDER + cut)
    assert [type(one) for one in found] == [Record, Problem]
    assert (found[0].id, found[1].id) == ("64", "[1]")
    assert found[1].error.code == "woo.json"


def test_an_empty_list_holds_nothing(adapter: WooCommerceAdapter) -> None:
    assert unpack(adapter, b" [ ]\n") == []


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"\xef\xbb\xbf", b'{"id":', b"<html>", ORDER[:500], "Заказ".encode("cp1251"), b"{" * 50_000]
)
def test_an_unreadable_file_is_refused_with_a_place(adapter: WooCommerceAdapter, body: bytes) -> None:
    with pytest.raises(RecordRefused) as failure:
        unpack(adapter, body)
    assert failure.value.code == "woo.json"
    assert failure.value.text.ru


def test_an_unknown_arrival_says_what_is_understood(adapter: WooCommerceAdapter) -> None:
    with pytest.raises(RecordRefused) as failure:
        unpack(adapter, ORDER, "orders.csv")
    assert ".json" in failure.value.text.ru


def test_the_vendors_samples_are_understood(adapter: WooCommerceAdapter) -> None:
    for name, kind in (("docs_orders_0", "order"), ("real_order_wc11", "order"), ("docs_products_0", "product")):
        found = unpack(adapter, shared(f"shop/woocommerce/{name}.json").read_bytes())
        assert {one.kind for one in found} == {kind}
        assert all(isinstance(one, Record) for one in found)
