"""Writing an order's status or a product's price and stock, and an order into the trash: looked at first, and left alone
where it is already so.

The look is not politeness: on HPOS a write of the same status moves the modified stamp and would come back as a change,
and so on for ever; WooCommerce has no conditional write, so it also is the precondition.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from adapters.base import Change, OutcomeUnknown, PreconditionFailed, Record, RecordRefused, SverkaError, Text
from adapters.woocommerce.client import WooClient
from adapters.woocommerce.records import PATHS, record

TRASHED = frozenset({"order"})
WRITABLE = {"order": ("status",), "product": ("regular_price", "stock_quantity", "manage_stock")}


def write(client: WooClient, change: Change) -> Record:
    """The record as it stands after the write, or after the look when there was nothing to write."""
    if change.id is None:
        raise _refuse(
            change.kind, "", "records are not created in the shop", "в магазине записи не создаются", "woo.create"
        )
    path = f"{PATHS[change.kind]}/{change.id}"
    if change.delete:
        return _to_trash(client, change, path)
    wanted = {name: _wire(change.kind, name, value) for name, value in change.data.items()}
    now = client.get_one(path)
    if now.get("status") == "trash":
        raise _moved(change, "it lies in the trash", "запись в корзине")
    todo = {name: value for name, value in wanted.items() if not _same(now.get(name), value)}
    if not todo:
        return record(change.kind, now)
    if change.before is not None:
        for name in todo:
            if not _same(now.get(name), change.before.data.get(name)):
                raise _moved(change, f"its {name} was changed in the shop", f"поле {name} изменили в магазине")
    if "stock_quantity" in todo and wanted.get("manage_stock", now.get("manage_stock")) is not True:
        raise _refuse(
            change.kind,
            "manage_stock",
            "the product does not count its stock; switch on its 'Track stock quantity' in the shop",
            "товар не ведёт остаток; включите у него в магазине «Управление запасами»",
            "woo.no_stock",
        )
    after = client.put(path, todo)
    ignored = [name for name, value in todo.items() if change.kind == "product" and not _same(after.get(name), value)]
    if ignored:
        raise _refuse(
            change.kind,
            ignored[0],
            "the shop took the call but kept its own value (a variable product, or a plug-in)",
            "магазин принял запрос, но оставил своё значение (вариативный товар или плагин)",
            "woo.ignored",
        )
    return record(change.kind, after)


def _to_trash(client: WooClient, change: Change, path: str) -> Record:
    """Never with `force`: what lies in the trash can be taken out of it by people."""
    if change.kind not in TRASHED:
        raise _refuse(change.kind, "", "only orders are deleted", "удаляются только заказы", "woo.delete")
    before = change.before or Record(change.kind, change.id or "", {})
    now = _shown(client, before, path)
    if now.deleted:
        return now
    client.delete(path)
    try:
        now = _shown(client, before, path)
    except SverkaError:
        raise _unknown(change, "it cannot be read back", "не перечитывается") from None
    if not now.deleted:
        raise _unknown(change, "the shop took the call and shows it still", "магазин принял запрос, но запись на месте")
    return now


def _shown(client: WooClient, before: Record, path: str) -> Record:
    """The record as it stands there; one that is gone for good as it was last seen, and deleted."""
    try:
        return record(before.kind, client.get_one(path))
    except PreconditionFailed:  # "woo.gone" of the table of failures
        return replace(before, deleted=True)


def _unknown(change: Change, en: str, ru: str) -> SverkaError:
    return OutcomeUnknown(
        Text(f"{change.kind} {change.id}: deleted, but {en}", f"{change.kind} {change.id}: удаление: {ru}"),
        code="woo.undeleted",
    )


def _wire(kind: str, name: str, value: Any) -> Any:
    """The value as WooCommerce's JSON wants it: prices are strings, stock a whole number."""
    if name not in WRITABLE[kind]:
        allowed = ", ".join(WRITABLE[kind])
        raise _refuse(kind, name, f"not written; only {allowed}", f"не записывается; только {allowed}", "woo.field")
    if name == "manage_stock" and isinstance(value, bool):
        return value
    if name == "status" and isinstance(value, str) and value:
        return value
    number = _number(value)
    if name == "regular_price" and number is not None and number >= 0:
        return format(number, "f")
    if name == "stock_quantity" and number is not None and number == number.to_integral_value():
        return int(number)
    raise _refuse(
        kind, name, "not a value that the shop can hold", "такое значение магазин хранить не может", "woo.value"
    )


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _same(one: Any, other: Any) -> bool:
    """Equal as the shop means it: "100" is "100.00", and 5 is "5"."""
    a, b = _number(one), _number(other)
    if a is not None and b is not None:
        return a == b
    return bool(one == other) or (one in ("", None) and other in ("", None))


def _moved(change: Change, en: str, ru: str) -> SverkaError:
    return PreconditionFailed(
        Text(
            f"{change.kind} {change.id}: {en}; it is read and planned again",
            f"{change.kind} {change.id}: {ru}; план обновится",
        ),
        code="woo.moved",
    )


def _refuse(kind: str, field: str, en: str, ru: str, code: str) -> SverkaError:
    name = f"{kind}.{field}" if field else kind
    return RecordRefused(Text(f"{name}: {en}", f"{name}: {ru}"), code=code, field=field)
