"""The shop stand-in is judged by the vendor's own Python client and by the measured tables."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
import urllib.request
from typing import Any

import pytest
from woocommerce import API

from tests.peers.woo import WooPeer
from tests.peers.woo_hooks import HookSink

CUT = "2026-11-22T07:09:20"


@pytest.fixture
def shop():
    with WooPeer() as peer:
        yield peer


def client(peer: WooPeer, secret: str = "") -> API:
    return API(url=peer.url, consumer_key=peer.key, consumer_secret=secret or peer.secret, version="wc/v3", timeout=10)


def fetch(peer: WooPeer, path: str, headers: dict[str, str] | None = None, **params: Any) -> tuple[int, Any]:
    """A request behind TLS without any client library: (status, JSON)."""
    url = peer.url + "/wp-json/wc/v3/" + path + "?" + urllib.parse.urlencode(params)
    request = urllib.request.Request(url, headers={"X-Forwarded-Proto": "https", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def keys(peer: WooPeer) -> dict[str, str]:
    return {"consumer_key": peer.key, "consumer_secret": peer.secret}


def basic(peer: WooPeer) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{peer.key}:{peer.secret}".encode()).decode()}


def test_the_vendors_client_lists_creates_and_updates_over_plain_http(shop: WooPeer) -> None:
    shop.state["now"] = ""
    first = shop.add_order(status="on-hold", first_name="Анна")
    wc = client(shop)
    assert [o["id"] for o in wc.get("orders").json()] == [first["id"]]
    made = wc.post("orders", {"status": "pending", "line_items": [{"name": "Товар", "quantity": 1, "total": "10.00"}]})
    assert made.status_code == 201
    assert made.json()["total"] == "12.00"
    done = wc.put(f"orders/{first['id']}", {"status": "completed"})
    assert done.status_code == 200
    assert done.json()["status"] == "completed"
    listed = wc.get("orders", params={"status": "completed", "per_page": 5, "orderby": "modified", "order": "asc"})
    assert [o["billing"]["first_name"] for o in listed.json()] == ["Анна"]
    assert listed.headers["X-WP-Total"] == "1"
    kept = wc.get("orders", params={"modified_after": "2000-01-01T00:00:00", "dates_are_gmt": "true"})
    assert len(kept.json()) == 2


def test_the_vendors_client_meets_the_error_objects(shop: WooPeer) -> None:
    order = shop.add_order()
    wc = client(shop)
    assert wc.get("orders/999").json()["code"] == "woocommerce_rest_shop_order_invalid_id"
    assert wc.get("orders/999").status_code == 404
    many = wc.get("orders", params={"per_page": 101})
    assert (many.status_code, many.json()["code"]) == (400, "rest_invalid_param")
    unknown = wc.put(f"orders/{order['id']}", {"status": "shipped"})
    assert unknown.status_code == 400
    assert "pending, processing, on-hold" in unknown.json()["data"]["params"]["status"]
    past = wc.get("orders", params={"page": 9})
    assert (past.status_code, past.json()) == (200, [])
    wrong = client(shop, secret="cs_wrong").get("orders")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "woocommerce_rest_authentication_error")


def test_keys_count_only_behind_tls(shop: WooPeer) -> None:
    bare = urllib.request.Request(shop.url + "/wp-json/wc/v3/orders", headers=basic(shop))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(bare, timeout=10)
    with refused.value as answer:
        assert json.loads(answer.read())["code"] == "woocommerce_rest_cannot_view"
    assert fetch(shop, "orders", basic(shop)) == (200, [])
    assert fetch(shop, "orders", **keys(shop)) == (200, [])
    shop.state["strip_authorization"] = True
    assert fetch(shop, "orders", basic(shop))[0] == 401
    assert fetch(shop, "orders", **keys(shop))[0] == 200


def test_a_nonce_counts_once_and_an_old_stamp_not_at_all(shop: WooPeer) -> None:
    wc = client(shop)
    assert wc.get("orders").status_code == 200
    shop.state["offset"] = 3600
    assert wc.get("orders").json()["message"] == "Invalid timestamp."


@pytest.fixture
def dated():
    """Five orders, one a second from 07:09:18 GMT on; the cut is the third's stamp, so two are newer."""
    with WooPeer(now="2026-11-22T07:09:18") as peer:
        for _ in range(5):
            peer.add_order()
        yield peer


@pytest.mark.parametrize(
    ("zone", "sent", "flag", "count"),
    [
        (3, "2026-11-22T10:09:20", "", 2),
        (3, CUT, "true", 2),
        (3, CUT + "Z", "", 2),
        (3, "2026-11-22T10:09:20+03:00", "", 2),
        (3, CUT, "", 5),  # three hours too many
        (3, CUT + "Z", "true", 0),  # silent loss
        (3, "2026-11-22T10:09:20+03:00", "true", 0),  # silent loss
        (-5, CUT, "", 0),  # silent loss west of Greenwich
        (-5, CUT, "true", 2),
    ],
)
def test_the_measured_date_matrix(zone: int, sent: str, flag: str, count: int) -> None:
    with WooPeer(now="2026-11-22T07:09:18", tz=zone) as peer:
        for _ in range(5):
            peer.add_order()
        params = {"modified_after": sent, **({"dates_are_gmt": flag} if flag else {}), **keys(peer)}
        status, rows = fetch(peer, "orders", **params)
        assert (status, len(rows)) == (200, count)


def test_trash_leaves_the_list_and_force_removes_for_ever(dated: WooPeer) -> None:
    id = next(iter(dated.state["orders"]))
    wc = keys(dated)
    dated.trash(id)
    assert len(fetch(dated, "orders", **wc)[1]) == 4
    assert [o["status"] for o in fetch(dated, "orders", status="trash", **wc)[1]] == ["trash"]
    assert fetch(dated, f"orders/{id}", **wc)[1]["status"] == "trash"
    dated.trash(id, force=True)
    assert fetch(dated, f"orders/{id}", **wc)[0] == 404


@pytest.mark.parametrize(
    ("body", "posts", "hpos"),
    [
        ({"line_items": [{"id": 1, "quantity": 9}]}, False, True),
        ({"meta_data": [{"key": "track", "value": "RB1"}]}, False, True),
        ({"customer_note": "позвонить"}, True, True),
        ({"status": "processing"}, False, True),  # a no-op
        ({"status": "completed"}, True, True),
    ],
)
def test_what_moves_the_stamp(body: dict[str, Any], posts: bool, hpos: bool) -> None:
    for storage, moves in ((False, posts), (True, hpos)):
        with WooPeer(hpos=storage) as peer:
            order = peer.add_order()
            peer.advance(5)
            after = client(peer).put(f"orders/{order['id']}", body).json()
            assert (after["date_modified_gmt"] != order["date_modified_gmt"]) is moves
            assert after["total"] == order["total"]


def test_sums_of_an_order_agree_and_refunds_are_own_records(shop: WooPeer) -> None:
    order = shop.add_order(coupon=10, shipping=300, fee="15.50")
    parts = [
        float(x["total"]) + float(x["total_tax"])
        for k in ("line_items", "shipping_lines", "fee_lines")
        for x in order[k]
    ]
    assert f"{sum(parts):.2f}" == order["total"]
    shop.refund(order["id"], 10)
    part = shop.state["orders"][str(order["id"])]
    assert (part["status"], part["total"], part["refunds"][0]["total"]) == ("processing", order["total"], "-10.00")
    shop.refund(order["id"], float(order["total"]) - 10)
    assert shop.state["orders"][str(order["id"])]["status"] == "refunded"


def test_webhooks_ping_sign_and_coalesce(shop: WooPeer) -> None:
    order = shop.add_order()
    with HookSink() as sink:
        shop.add_webhook(sink.url + "/hook", 'sec&"<ret')
        ping = sink.state["got"][0]
        assert ping["body"] == "webhook_id=1"
        assert not any(name.startswith("x-wc") for name in ping["headers"])
        for n in range(8):
            shop.edit_order(order["id"], customer_note=str(n))
        assert shop.deliver() == [200]
        sent = sink.state["got"][1]
        digest = hmac.new(b'sec&"<ret', sent["body"].encode(), hashlib.sha256).digest()
        assert sent["headers"]["x-wc-webhook-signature"] == base64.b64encode(digest).decode()
        assert json.loads(sent["body"])["customer_note"] == "7"
        sink.state["status"] = 500
        codes = []
        for n in range(8):
            shop.edit_order(order["id"], customer_note=f"again {n}")
            codes += shop.deliver()
        assert codes == [500] * 7
        assert shop.state["webhooks"]["1"]["status"] == "disabled"
