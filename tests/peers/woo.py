"""A WooCommerce shop as it was measured (11.0.1): wc/v3 orders, products, refunds and webhooks, with its quirks.

Kept quirks: Basic and query keys only count behind TLS, OAuth 1.0a works on plain http; a date filter is read as the shop's
local time unless it carries a zone, and is compared with the GMT column only under `dates_are_gmt`, so that a zone together
with the flag silently returns nothing; stamps have one second and the filter is strict; no-op writes move the stamp on
HPOS and line or meta edits do not move it on posts storage; POST has no idempotency; DELETE answers the old status.

Switches in `state`: tls_seen, strip_authorization, hpos, ignore_gmt_flag, bom, warning, tz (hours), rights, statuses; `now`
(naive GMT; "" is the real clock plus `offset` seconds) with `tick` seconds per change. The stand-in's clock makes its Date
header too.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from tests.peers import woo_data, woo_hooks
from tests.peers.http import Answer, Call, HttpPeer
from tests.peers.woo_auth import refused
from tests.peers.woo_lists import error, fields, invalid, listing

ROOT = "/wp-json/wc/v3/"
Row = dict[str, Any]


class WooPeer(HttpPeer):
    """`key` and `secret` are the shop's REST keys; every other switch lies in `state`."""

    key = "ck_0123456789abcdef"
    secret = "cs_fedcba9876543210"

    def __init__(self, port: int = 0, **switches: Any) -> None:
        super().__init__(port)
        self.state.update(switches)
        handler: Any = self.server.RequestHandlerClass
        handler.date_time_string = lambda _handler, _stamp=None: format_datetime(self.now(), usegmt=True)

    def fresh(self) -> dict[str, Any]:
        return {
            "orders": {},
            "products": {},
            "webhooks": {},
            "refunds": {},
            "pending": [],
            "nonces": [],
            "next_id": 61,
            "next_item": 1,
            "deliveries": 0,
            "now": "",
            "offset": 0,
            "tick": 1,
            "tz": 3,
            "hpos": True,
            "tls_seen": False,
            "strip_authorization": False,
            "ignore_gmt_flag": False,
            "bom": False,
            "warning": "",
            "rights": "read_write",
            "statuses": list(woo_data.STATUSES),
        }

    # the clock -----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        if self.state["now"]:
            return datetime.fromisoformat(self.state["now"]).replace(tzinfo=UTC)
        return datetime.now(UTC) + timedelta(seconds=self.state["offset"])

    def stamp(self, row: Row, *names: str) -> None:
        """Set `date_<name>` and its GMT twin to the shop's time."""
        moment = self.now().replace(tzinfo=None, microsecond=0)
        for name in names:
            row[f"date_{name}_gmt"] = moment.isoformat()
            row[f"date_{name}"] = (moment + timedelta(hours=self.state["tz"])).isoformat()

    def advance(self, seconds: int) -> None:
        with self.lock:
            if self.state["now"]:
                moment = datetime.fromisoformat(self.state["now"]) + timedelta(seconds=seconds)
                self.state["now"] = moment.isoformat()
            else:
                self.state["offset"] += seconds

    def _changed(self, kind: str, row: Row, what: str, moved: bool = True) -> None:
        if moved:
            self.stamp(row, "modified")
            if self.state["now"]:
                self.advance(self.state["tick"])
        woo_hooks.enqueue(self.state, f"{kind}.{what}", row["id"])

    # what tests and the demo do by hand ----------------------------------------------------------------------------

    def _next_id(self) -> int:
        self.state["next_id"] += 1
        return int(self.state["next_id"])

    def add_order(self, **kw: Any) -> Row:
        """See `woo_data.order` for the keywords; gives a copy of the order."""
        with self.lock:
            id = self._next_id()
            row = woo_data.order(id, self.state["products"], woo_data.ItemIds(self.state), kw)
            self.stamp(row, "created")
            if row["status"] in ("processing", "completed"):
                self.stamp(row, "paid")
            self.state["orders"][str(id)] = row
            self._changed("order", row, "created")
            return copy.deepcopy(row)

    def add_product(self, sku: str, name: str, price: Any, stock: int | None = None, **kw: Any) -> Row:
        with self.lock:
            id = self._next_id()
            row = woo_data.product(id, sku, name, price, stock, kw)
            self.stamp(row, "created")
            self.state["products"][str(id)] = row
            self._changed("product", row, "created")
            return copy.deepcopy(row)

    def edit_order(self, id: int | str, **changes: Any) -> Row:
        """An edit by somebody else: top-level fields, or "billing.phone" spelled billing__phone. The stamp moves."""
        with self.lock:
            row = self.state["orders"][str(id)]
            for name, value in changes.items():
                *path, last = name.split("__")
                target = row
                for step in path:
                    target = target[step]
                target[last] = value
            self._changed("order", row, "updated")
            return copy.deepcopy(row)

    def set_status(self, id: int | str, status: str) -> Row:
        return self.edit_order(id, status=status)

    def edit_product(self, id: int | str, **changes: Any) -> Row:
        with self.lock:
            row = self.state["products"][str(id)]
            row.update(changes)
            self._changed("product", row, "updated")
            return copy.deepcopy(row)

    def refund(self, id: int | str, amount: Any, reason: str = "") -> Row:
        """A part keeps status and total; only the whole sum makes the order `refunded`."""
        with self.lock:
            row = self.state["orders"][str(id)]
            refund = {"id": self._next_id(), "reason": reason, "total": "-" + woo_data.money(amount)}
            row["refunds"].append(refund)
            if sum(Decimal(r["total"]) for r in row["refunds"]) + Decimal(row["total"]) <= 0:
                row["status"] = "refunded"
            self._changed("order", row, "updated")
            return dict(refund)

    def trash(self, id: int | str, force: bool = False) -> None:
        with self.lock:
            rows = self.state["orders"]
            if force:
                del rows[str(id)]
            else:
                rows[str(id)]["status"] = "trash"
            woo_hooks.enqueue(self.state, "order.deleted", int(id))

    def add_webhook(self, url: str, secret: str, topic: str = "order.updated") -> Row:
        with self.lock:
            return woo_hooks.create(self.state, {"delivery_url": url, "secret": secret, "topic": topic})

    def deliver(self, url: str = "") -> list[int]:
        """Send the queued deliveries (to `url` instead of their own one); gives the HTTP answers, 0 for none."""
        with self.lock:
            out = woo_hooks.due(self.state, self.url)
        codes = []
        for hook_id, target, headers, body in out:
            code = woo_hooks.send(url or target, headers, body)
            codes.append(code)
            with self.lock:
                woo_hooks.note(self.state, hook_id, code)
        return codes

    # the protocol --------------------------------------------------------------------------------------------------

    def handle(self, call: Call) -> Answer:
        if call.path.rstrip("/") == "/wp-json":
            hours = self.state["tz"]
            return Answer({"name": "Магазин", "namespaces": ["wp/v2", "wc/v3"], "gmt_offset": hours, "url": self.url})
        if not (call.path + "/").startswith(ROOT):
            return Answer("<!DOCTYPE html><title>Страница не найдена</title>", 404)
        refusal = refused(self, call)
        answer = error(401, *refusal) if refusal else self._route(call)
        if isinstance(answer.body, dict | list) and (self.state["bom"] or self.state["warning"]):
            body = self.state["warning"] + json.dumps(answer.body, ensure_ascii=False)
            raw = b"\xef\xbb\xbf" * bool(self.state["bom"]) + body.encode()
            answer = Answer(raw, answer.status, {"Content-Type": "application/json; charset=UTF-8"} | answer.headers)
        return answer

    def _route(self, call: Call) -> Answer:
        parts = [p for p in call.path.removeprefix(ROOT.rstrip("/")).split("/") if p]
        if not parts:
            return Answer({"namespace": "wc/v3", "routes": {}})
        if call.method not in ("GET", "OPTIONS") and self.state["rights"] == "read":
            return error(
                401, "woocommerce_rest_authentication_error", "The API key provided does not have write permissions."
            )
        match parts:
            case ["orders" | "products" | "webhooks" as kind]:
                return self._collection(kind, call)
            case ["orders" | "products" | "webhooks" as kind, id] if id.isdecimal():
                return self._one(kind, id, call)
            case ["orders", id, "refunds", *rest] if id.isdecimal():
                return self._refunds(id, rest, call)
        return error(404, "rest_no_route", "No route was found matching the URL and request method.")

    def _collection(self, kind: str, call: Call) -> Answer:
        if call.method == "GET":
            return listing(self.state, self.url, kind, call.query)
        if call.method == "OPTIONS":
            return Answer(
                {"methods": ["GET", "POST"], "schema": {"properties": {"status": {"enum": self.state["statuses"]}}}}
            )
        body = call.json()
        if kind == "webhooks":
            return Answer(woo_hooks.public(woo_hooks.create(self.state, body)), 201)
        if kind == "products":
            row = self.add_product(
                body.get("sku", ""), body["name"], body.get("regular_price", "0"), body.get("stock_quantity")
            )
            return Answer(row, 201)
        if bad := self._bad_status(body):
            return bad
        lines = [
            (x.get("sku", ""), x.get("name", ""), x.get("total", "0"), x.get("quantity", 1))
            for x in body.get("line_items", [])
        ]
        kw = {
            k: body[k] for k in ("status", "currency", "customer_note", "transaction_id", "payment_method") if k in body
        }
        return Answer(self.add_order(lines=lines, **body.get("billing", {}), **kw), 201)

    def _one(self, kind: str, id: str, call: Call) -> Answer:
        rows = self.state[kind]
        if id not in rows:
            singular = {"orders": "shop_order", "products": "product", "webhooks": "shop_webhook"}[kind]
            status = 400 if call.method in ("PUT", "POST") and kind == "orders" else 404
            return error(status, f"woocommerce_rest_{singular}_invalid_id", "Invalid ID.")
        row = rows[id]
        if call.method == "GET":
            return Answer(fields(row if kind != "webhooks" else woo_hooks.public(row), call.query))
        if call.method == "DELETE":
            before = copy.deepcopy(row)
            if kind == "orders":
                self.trash(id, force=call.query.get("force") in ("1", "true"))
            else:
                del rows[id]
            return Answer(before)
        body = call.json()
        if kind == "webhooks":
            row.update({k: v for k, v in body.items() if k in ("status", "delivery_url", "secret", "topic")})
            return Answer(woo_hooks.public(row))
        return self._put_order(row, body) if kind == "orders" else self._put_product(row, body)

    def _bad_status(self, body: Row) -> Answer | None:
        allowed = self.state["statuses"]
        if body.get("status", "pending") in allowed:
            return None
        return invalid("status", "status is not one of " + ", ".join(allowed) + ".")

    def _put_order(self, row: Row, body: Row) -> Answer:
        """On posts storage only what lies in the post itself moves the stamp; on HPOS every save does, even of nothing."""
        if bad := self._bad_status(body):
            return bad
        before = copy.deepcopy(row)
        for item in body.get("line_items", []):
            for line in row["line_items"]:
                if line["id"] == item.get("id"):
                    line.update(item)  # nothing is recomputed: quantity × price is not the line's total
        known = ("status", "customer_note", "billing", "shipping", "transaction_id", "payment_method")
        for name in known:
            if name in body:
                row[name] = row[name] | body[name] if isinstance(row[name], dict) else body[name]
        row["meta_data"] += [{"id": self._next_id(), **item} for item in body.get("meta_data", [])]
        self._changed("order", row, "updated", self.state["hpos"] or any(row[n] != before[n] for n in known))
        return Answer(row)

    def _put_product(self, row: Row, body: Row) -> Answer:
        if not isinstance(body.get("regular_price", ""), str):
            return invalid("regular_price", "regular_price is not of type string.")
        if not isinstance(body.get("stock_quantity", 0), int):
            return invalid("stock_quantity", "stock_quantity is not of type integer.")
        row.update({k: v for k, v in body.items() if k in ("name", "sku", "status", "regular_price", "manage_stock")})
        row["price"] = row["regular_price"]
        if row["manage_stock"] and "stock_quantity" in body:
            row["stock_quantity"] = body["stock_quantity"]
        self._changed("product", row, "updated")
        return Answer(row)

    def _refunds(self, id: str, rest: list[str], call: Call) -> Answer:
        row = self.state["orders"].get(id)
        if row is None:
            return error(404, "woocommerce_rest_invalid_order", "Invalid order ID.")
        if call.method == "POST":
            return Answer(self.refund(id, call.json()["amount"], call.json().get("reason", "")), 201)
        if call.method == "DELETE" and rest:
            row["refunds"] = [r for r in row["refunds"] if str(r["id"]) != rest[0]]  # does not move the stamp
            return Answer({"id": int(rest[0])})
        return Answer([{**r, "amount": r["total"].lstrip("-")} for r in row["refunds"]])
