"""A little 1C base: goods, prices, stock, orders and counterparties as one plain JSON dict, to snapshot and restore.

It belongs to no configuration: what УТ and УНФ make of it is said by the clients of `tests.peers.onec`. Money and
quantities are decimal text; moments are the base's local time without a zone, as 1C keeps and writes them.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

MOSCOW = timezone(timedelta(hours=3))
EMPTY = "00000000-0000-0000-0000-000000000000"


def moscow_now() -> datetime:
    """The base's clock unless a test brings its own."""
    return datetime.now(MOSCOW)


def amount_text(value: Decimal) -> str:
    """A number as 1C writes it into XML: a point, no exponent, no trailing zeros of the fraction."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class OneCBase:
    """One infobase. `state` is everything it knows; methods are what an accountant does in its windows.

    `name` seeds the GUIDs, so that two bases never share one and a repeated test sees the same.
    """

    def __init__(
        self, name: str = "base", state: dict[str, Any] | None = None, now: Callable[[], datetime] = moscow_now
    ) -> None:
        self.now = now
        self.state: dict[str, Any] = copy.deepcopy(state) if state else self.fresh(name)

    @staticmethod
    def fresh(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "counter": 0,
            "owner": {"name": "Пример-Торг ООО", "inn": "7700000016", "kpp": "770001001"},
            "groups": {},
            "products": {},
            "price_types": {},
            "prices": {},  # GUID or GUID#GUID -> price type -> value
            "warehouses": {},
            "stock": {},  # GUID or GUID#GUID -> warehouse -> quantity
            "counterparties": {},
            "orders": [],
            "order_numbers": 0,
            # What waits to be sent to the site (1C: регистрация изменений узла плана обмена).
            "registered": {"products": {}, "offers": {}, "orders": {}},
            "site_dictionaries": {},
        }

    def snapshot(self) -> dict[str, Any]:
        return copy.deepcopy(self.state)

    def restore(self, state: Mapping[str, Any]) -> None:
        self.state.clear()
        self.state.update(copy.deepcopy(dict(state)))

    def guid(self, seed: str = "") -> str:
        """The next new GUID, or always the same one for a `seed`."""
        if not seed:
            self.state["counter"] += 1
            seed = f"#{self.state['counter']}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"1c:{self.state['name']}:{seed}"))

    def moment(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S")

    # Goods ------------------------------------------------------------------------------------------------------

    def add_group(self, name: str, parent: str = "") -> str:
        guid = self.guid(f"group:{parent}:{name}")
        self.state["groups"][guid] = {"name": name, "parent": parent}
        return guid

    def add_product(
        self,
        name: str,
        sku: str = "",
        *,
        characteristics: Sequence[str] = (),
        unit: tuple[str, str, str] = ("796", "Штука", "PCE"),
        vat: str = "20",
        group: str = "",
        barcode: str = "",
        kind: str = "Товар",
        description: str = "",
        images: Mapping[str, str] | None = None,
        deleted: bool = False,
        guid: str = "",
    ) -> str:
        """A new item of goods (1C: Номенклатура); gives its GUID. `vat` is "20", "10" or "Без НДС"; `unit` is OKEI code,
        name and international abbreviation; `images` is {path under import_files/: base64}."""
        guid = guid or self.guid()
        self.state["products"][guid] = {
            "name": name,
            "sku": sku,
            "characteristics": {self.guid(f"{guid}:{one}"): one for one in characteristics},
            "unit": list(unit),
            "vat": vat,
            "group": group,
            "barcode": barcode,
            "kind": kind,
            "description": description,
            "images": dict(images or {}),
            "deleted": deleted,
            "code": f"00-{len(self.state['products']) + 1:08d}",
        }
        self.register("products", guid)
        return guid

    def edit_product(self, guid: str, **fields: Any) -> None:
        product = self.state["products"][guid]
        unknown = fields.keys() - product.keys()
        if unknown:
            raise KeyError(f"no such field of a product: {sorted(unknown)}")
        product.update(fields)
        self.register("products", guid)

    def delete_product(self, guid: str) -> None:
        """Set the deletion mark: the row is sent once more, with Статус="Удален"."""
        self.edit_product(guid, deleted=True)

    def characteristic(self, product: str, name: str) -> str:
        """GUID#GUID of a characteristic (1C: Характеристика) by its name."""
        found = [guid for guid, one in self.state["products"][product]["characteristics"].items() if one == name]
        return f"{product}#{found[0]}"

    def set_price(self, key: str, value: str | Decimal, price_type: str = "Розничная", currency: str = "RUB") -> str:
        """The price of GUID or GUID#GUID; gives the price type's GUID (made when new)."""
        guid = self.guid(f"price type:{price_type}")
        self.state["price_types"].setdefault(guid, {"name": price_type, "currency": currency})
        self.state["prices"].setdefault(key, {})[guid] = amount_text(Decimal(value))
        self.register("offers", key.partition("#")[0])
        return guid

    def set_stock(self, key: str, quantity: str | int | Decimal, warehouse: str = "Основной склад") -> str:
        """The stock of GUID or GUID#GUID; gives the warehouse's GUID (made when new)."""
        guid = self.guid(f"warehouse:{warehouse}")
        self.state["warehouses"].setdefault(guid, {"name": warehouse})
        self.state["stock"].setdefault(key, {})[guid] = amount_text(Decimal(quantity))
        self.register("offers", key.partition("#")[0])
        return guid

    # Orders -----------------------------------------------------------------------------------------------------

    def order(self, number: str) -> dict[str, Any]:
        """The order by its site number, else by its 1C number."""
        for field in ("site_number", "number"):
            for order in self.state["orders"]:
                if order[field] == number:
                    return order  # type: ignore[no-any-return]
        raise KeyError(f"no order {number}")

    def new_order(self, **fields: Any) -> dict[str, Any]:
        """A customer's order (1C: Заказ клиента); without a site number it was entered in 1C and is never sent."""
        self.state["order_numbers"] += 1
        order = {
            "guid": self.guid(),
            "number": f"ТД00-{self.state['order_numbers']:06d}",
            "date": self.moment(),
            "site_number": "",
            "site_date": "",
            "currency": "RUB",
            "counterparty": "",
            "lines": [],
            "warehouses": [],
            "comment": "",
            "requisites": {},
            "status": "",
            "posted": True,
            "deleted": False,
            "cancelled": False,
            "cancel_reason": "",
            "payments": [],
            "shipments": [],
            **fields,
        }
        self.state["orders"].append(order)
        self.register("orders", order["guid"])
        return order

    def pay(
        self, number: str, amount: str | Decimal | None = None, operation: str = "Выплата безналичных денег"
    ) -> None:
        """A payment; without `amount`, all that is still owed."""
        order = self.order(number)
        owed = self.total(order) - self.settled(order, "payments")
        self._document(order, "payments", owed if amount is None else Decimal(amount), operation)

    def ship(self, number: str, amount: str | Decimal | None = None) -> None:
        """A shipment; without `amount`, all that is not yet shipped."""
        order = self.order(number)
        owed = self.total(order) - self.settled(order, "shipments")
        self._document(order, "shipments", owed if amount is None else Decimal(amount), "Отпуск товара")

    def _document(self, order: dict[str, Any], kind: str, amount: Decimal, operation: str) -> None:
        total = sum(len(o["payments"]) + len(o["shipments"]) for o in self.state["orders"])
        document = {
            "guid": self.guid(),
            "number": f"ТД00-{total + 1:06d}",
            "date": self.moment(),
            "amount": amount_text(amount),
            "operation": operation,
            "posted": True,
        }
        order[kind].append(document)
        self.register("orders", order["guid"])

    def cancel(self, number: str, reason: str = "Отказ покупателя") -> None:
        """Cancel every line, with a reason."""
        order = self.order(number)
        order.update(cancelled=True, cancel_reason=reason)
        for line in order["lines"]:
            line["cancelled"] = True
        self.register("orders", order["guid"])

    def mark_deleted(self, number: str, deleted: bool = True) -> None:
        """The deletion mark (1C: Пометка удаления); a marked document is no longer posted."""
        order = self.order(number)
        order.update(deleted=deleted, posted=not deleted)
        self.register("orders", order["guid"])

    def set_status(self, number: str, status: str) -> None:
        order = self.order(number)
        order["status"] = status
        self.register("orders", order["guid"])

    def edit_line(self, number: str, index: int, **fields: str) -> None:
        """Change quantity, price, sum … of one line by hand."""
        order = self.order(number)
        order["lines"][index].update(fields)
        self.register("orders", order["guid"])

    def add_line(self, number: str, product: str, qty: str, total: str, vat: str = "20") -> None:
        """Somebody enters one more line by hand; `total` holds VAT."""
        goods = self.state["products"][product]
        line = {
            "product": product,
            "characteristic": "",
            "sku": goods["sku"],
            "name": goods["name"],
            "qty": qty,
            "sum": total,
        }
        line |= {
            "price": amount_text(Decimal(total) / Decimal(qty)),
            "discount": "0",
            "vat": vat,
            "unit": goods["unit"][0],
        }
        order = self.order(number)
        order["lines"].append({**line, "kind": goods["kind"], "cancelled": False})
        self.register("orders", order["guid"])

    @staticmethod
    def total(order: Mapping[str, Any]) -> Decimal:
        """The order's sum: cancelled lines do not count."""
        return sum((Decimal(line["sum"]) for line in order["lines"] if not line["cancelled"]), Decimal(0))

    @staticmethod
    def settled(order: Mapping[str, Any], kind: str) -> Decimal:
        """The sum of posted "payments" or "shipments"."""
        return sum((Decimal(one["amount"]) for one in order[kind] if one["posted"]), Decimal(0))

    # Registration of changes ------------------------------------------------------------------------------------

    def register(self, kind: str, guid: str) -> None:
        """Wait to be sent; a new change starts the count of tries afresh."""
        self.state["registered"][kind][guid] = 0

    def sent(self, kind: str, guids: Sequence[str]) -> None:
        for guid in guids:
            self.state["registered"][kind].pop(guid, None)

    def refused(self, kind: str, guids: Sequence[str], tries: int) -> None:
        """The site refused: keep for resending until the node's КоличествоПовторов is used up."""
        waiting = self.state["registered"][kind]
        for guid in guids:
            if guid in waiting:
                waiting[guid] += 1
                if waiting[guid] >= tries:
                    del waiting[guid]
