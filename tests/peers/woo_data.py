"""Orders and products of the shop stand-in: Russian names, roubles, VAT of 20 % on top of prices, sums that agree."""

from __future__ import annotations

import hashlib
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

STATUSES = ["pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft"]
VAT = Decimal(20)
ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country")


def money(value: Any) -> str:
    return str(Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def vat(value: Any) -> str:
    return money(Decimal(money(value)) * VAT / 100)


def _line(id: int, row: tuple[str, str, Any, int], product_id: int, coupon: Decimal) -> dict[str, Any]:
    sku, name, price, quantity = row
    subtotal = money(Decimal(str(price)) * quantity)
    total = money(Decimal(subtotal) * (100 - coupon) / 100)
    return {
        "id": id,
        "name": name,
        "product_id": product_id,
        "variation_id": 0,
        "quantity": quantity,
        "tax_class": "",
        "subtotal": subtotal,
        "subtotal_tax": vat(subtotal),
        "total": total,
        "total_tax": vat(total),
        "taxes": [{"id": 1, "total": vat(total), "subtotal": vat(subtotal)}],
        "meta_data": [],
        "sku": sku,
        "global_unique_id": "",
        "price": float(Decimal(money(Decimal(total) / (quantity or 1)))),  # the only money that Woo sends as a number
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }


def _extra(id: int, total: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        **more,
        "total": money(total),
        "total_tax": vat(total),
        "taxes": [{"id": 1, "total": vat(total), "subtotal": ""}],
        "tax_status": "taxable",
        "meta_data": [],
    }


def _address(kw: dict[str, Any], defaults: dict[str, str]) -> dict[str, str]:
    return {name: str(kw.get(name, defaults.get(name, ""))) for name in ADDRESS}


class ItemIds:
    """Ids of order items are unique over all item types of the whole shop, as in Woo."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __call__(self) -> int:
        self.state["next_item"] += 1
        return int(self.state["next_item"]) - 1


def order(id: int, products: dict[str, Any], item_id: ItemIds, kw: dict[str, Any]) -> dict[str, Any]:
    """An order. `lines` is [(sku, name, price, quantity)]; `coupon` percent off; `shipping` and `fee` are sums."""
    coupon = Decimal(str(kw.get("coupon", 0)))
    by_sku = {p["sku"]: p["id"] for p in products.values()}
    rows = kw.get("lines") or [("SKU-017", "Товар 17", "117.90", 2), ("SKU-037", "Товар 37", "137.90", 1)]
    lines = [_line(item_id(), tuple(row), by_sku.get(row[0], 0), coupon) for row in rows]
    shipping, fees = [], []
    if kw.get("shipping"):
        courier = {"method_title": "Курьер", "method_id": "flat_rate", "instance_id": ""}
        shipping.append(_extra(item_id(), kw["shipping"], **courier))
    if kw.get("fee"):
        fees.append(_extra(item_id(), kw["fee"], name="Упаковка", tax_class="", amount=""))
    body: dict[str, Any] = {
        "id": id,
        "parent_id": 0,
        "status": kw.get("status", "processing"),
        "currency": kw.get("currency", "RUB"),
        "version": "11.0.1",
        "prices_include_tax": False,
        "customer_id": kw.get("customer_id", 0),
        "order_key": "wc_order_" + hashlib.md5(str(id).encode()).hexdigest()[:13],
        "billing": _address(kw, {"first_name": "Иван", "last_name": "Тестов", "city": "Казань", "country": "RU"})
        | {
            "email": kw.get("email", f"u{id}@example.ru"),
            "phone": kw.get("phone", f"8 (912) 345-{id // 100 % 100:02d}-{id % 100:02d}"),
        },
        "shipping": _address(kw.get("ship_to", {}), {}) | {"phone": ""},
        "payment_method": kw.get("payment_method", "cod"),
        "payment_method_title": kw.get("payment_method_title", "Оплата при доставке"),
        "transaction_id": kw.get("transaction_id", ""),
        "created_via": "checkout",
        "customer_note": kw.get("customer_note", ""),
        "date_completed": None,
        "date_completed_gmt": None,
        "date_paid": None,
        "date_paid_gmt": None,
        "cart_hash": "",
        "number": str(kw.get("number", id)),
        "meta_data": [
            {"id": id * 100 + n, "key": key, "value": value}
            for n, (key, value) in enumerate(kw.get("meta", {}).items())
        ],
        "line_items": lines,
        "shipping_lines": shipping,
        "fee_lines": fees,
        "coupon_lines": [],
        "refunds": [],
        "currency_symbol": "₽",
    }
    if coupon:
        off = sum((Decimal(x["subtotal"]) - Decimal(x["total"]) for x in lines), Decimal(0))
        body["coupon_lines"] = [
            {
                "id": item_id(),
                "code": f"скидка{coupon}",
                "discount": money(off),
                "discount_tax": vat(off),
                "meta_data": [],
                "discount_type": "percent",
                "nominal_amount": int(coupon),
                "free_shipping": False,
            }
        ]
    return body | _totals(body, item_id())


def _totals(body: dict[str, Any], tax_id: int) -> dict[str, Any]:
    def add(rows: str, field: str) -> Decimal:
        return sum((Decimal(row[field]) for row in body[rows]), Decimal(0))

    goods_tax = add("line_items", "total_tax") + add("fee_lines", "total_tax")
    shipping, shipping_tax = add("shipping_lines", "total"), add("shipping_lines", "total_tax")
    net = add("line_items", "total") + add("fee_lines", "total") + shipping
    return {
        "discount_total": money(add("coupon_lines", "discount")),
        "discount_tax": money(add("coupon_lines", "discount_tax")),
        "shipping_total": money(shipping),
        "shipping_tax": money(shipping_tax),
        "cart_tax": money(goods_tax),
        "total": money(net + goods_tax + shipping_tax),
        "total_tax": money(goods_tax + shipping_tax),
        "tax_lines": [
            {
                "id": tax_id,
                "rate_code": "RU-НДС 20%-1",
                "rate_id": 1,
                "label": "НДС 20%",
                "compound": False,
                "tax_total": money(goods_tax),
                "shipping_tax_total": money(shipping_tax),
                "rate_percent": int(VAT),
                "meta_data": [],
            }
        ],
    }


def product(id: int, sku: str, name: str, price: Any, stock: int | None, kw: dict[str, Any]) -> dict[str, Any]:
    """A simple product; `stock` None does not count its stock (manage_stock is off)."""
    return {
        "id": id,
        "name": name,
        "slug": f"product-{id}",
        "type": "simple",
        "status": "publish",
        "catalog_visibility": "visible",
        "description": "",
        "short_description": "",
        "sku": sku,
        "price": money(price),
        "regular_price": money(price),
        "sale_price": "",
        "on_sale": False,
        "purchasable": True,
        "total_sales": 0,
        "virtual": False,
        "tax_status": "taxable",
        "tax_class": "",
        "manage_stock": stock is not None,
        "stock_quantity": stock,
        "stock_status": "instock" if stock is None or stock > 0 else "outofstock",
        "backorders": "no",
        "weight": "",
        "parent_id": 0,
        "categories": [],
        "images": [],
        "attributes": [],
        "variations": [],
        "meta_data": [],
        **kw,
    }
