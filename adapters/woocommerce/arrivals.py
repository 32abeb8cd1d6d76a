"""What comes by itself: webhooks, which are only hints to look, and files with orders or products in JSON.

A webhook is signed with base64(HMAC-SHA256(raw body, its secret)). On saving a webhook the shop sends an unsigned form
`webhook_id=N` that must be answered with exactly 200. Deliveries are never repeated, are coalesced and may be late.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from adapters.base import Arrival, Hint, Native, Problem, Reception, Record, RecordRefused, Text
from adapters.woocommerce.records import PATHS, is_draft, record

PING = re.compile(rb"\s*webhook_id=\d{1,20}\s*")
PREFIX = "x-wc-webhook-"
LARGEST = 10_000_000  # bytes: an order has 3 KB, the largest of plug-ins some hundred
BLANK = re.compile(r"[\s,]*")
JSON_START = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\x00]*[\[{]")
# What the REST API calls things, by which a file of it is known
ORDERS = re.compile(rb'"(?:order_key|date_created_gmt|billing|shipping_lines|coupon_lines|customer_note)"')
PRODUCTS = re.compile(rb'"(?:stock_quantity|stock_status|date_created_gmt|catalog_visibility|permalink)"')
WRAPPERS = ("order", "orders", "product", "products")  # of the API before wc/v1, and of programs that keep answers
UNSET = Text(
    "webhook_secret is not set, so nobody can say who sent this; enter the secret of the shop's webhook",
    "не задан webhook_secret, и неизвестно, кто это прислал; впишите секрет вебхука из магазина",
)
MISSING = Text(
    "no signature: this did not come from the shop's webhook",
    "нет подписи: это прислал не вебхук магазина",
)
WRONG = Text(
    "the signature does not fit webhook_secret; compare it with the secret of the webhook in the shop",
    "подпись не сходится с webhook_secret; сверьте его с секретом вебхука в магазине",
)
OVERSIZED = Text("larger than any webhook of the shop (10 MB)", "больше любого вебхука магазина (10 МБ)")


def receive(arrival: Arrival, secrets: list[SecretStr]) -> Reception:
    """Who sent it. Everything is answered with 200: other answers make the shop switch its webhook off."""
    if arrival.size > LARGEST:
        return Reception(label="oversized", reason=OVERSIZED)
    body = arrival.read()
    given = arrival.headers.get(PREFIX + "signature", "").strip()
    if not any(name.startswith(PREFIX) for name in arrival.headers) and PING.fullmatch(body):
        return Reception(label="ping")
    if not secrets:
        return Reception(label="unsigned", reason=UNSET)
    if not given:
        return Reception(label="unsigned", reason=MISSING)
    sent = given.encode("utf-8", "replace")  # compare_digest refuses non-ASCII text, and a header may hold any
    # Every secret is tried, each in constant time: a list, since any() would stop at the first that fits
    if not any([hmac.compare_digest(_signature(body, secret), sent) for secret in secrets]):
        return Reception(label="unsigned", reason=WRONG)
    # only a signed message may claim an id: a forged one could hide the real delivery as its duplicate
    return Reception(key=arrival.headers.get(PREFIX + "delivery-id", "")[:100])


def _signature(body: bytes, secret: SecretStr) -> bytes:
    return base64.b64encode(hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).digest())


def unpack(arrival: Arrival) -> Iterator[Record | Problem | Hint]:
    """Hints of a webhook, nothing of a ping, records of a file."""
    if any(name.startswith(PREFIX) for name in arrival.headers):
        yield from _hints(arrival)
    elif arrival.name.lower().endswith(".json") or (not arrival.method and JSON_START.match(arrival.read())):
        yield from records_of(arrival.read())
    elif not PING.fullmatch(arrival.read()):
        raise RecordRefused(
            Text(
                f"{arrival.name}: neither a WooCommerce webhook nor a .json file with orders or products",
                f"{arrival.name}: это не вебхук WooCommerce и не файл .json с заказами или товарами",
            ),
            code="woo.arrival",
        )


def likeness(head: bytes) -> int:
    """3 for an order or a product as REST gives it, and for the ping."""
    text = head.replace(b"\0", b"")  # UTF-16 too
    if PING.fullmatch(text):
        return 3
    if not JSON_START.match(head):
        return 0
    order = b'"line_items"' in text and ORDERS.search(text)
    return 3 if order or (b'"regular_price"' in text and PRODUCTS.search(text)) else 0


def _hints(arrival: Arrival) -> Iterator[Hint]:
    """The payload's state is not taken: it may be old by now, or of another version of the API. Unreadable asks for a scan."""
    kind = arrival.headers.get(PREFIX + "topic", "").partition(".")[0] or arrival.headers.get(PREFIX + "resource", "")
    if kind not in PATHS:
        return
    try:
        body = json.loads(arrival.read())
    except (ValueError, RecursionError):
        body = None
    id = body.get("id") if isinstance(body, dict) else None
    yield Hint(kind, str(id) if isinstance(id, int) and not isinstance(id, bool) else "")


# files -------------------------------------------------------------------------------------------------------------


def records_of(raw: bytes) -> Iterator[Record | Problem]:
    """The orders and products of a JSON file: one object, several one after the other, or a list; also inside {"orders": …}.
    Broken elements are told one by one."""
    text, notes = _text(raw)
    number = 0
    for value in _values(text):
        for element in _unwrapped(value):
            found = element if isinstance(element, Problem) else _element(number, element)
            number += 1
            if isinstance(found, Problem):
                yield found
            elif not is_draft(found.data):
                yield replace(found, notes=notes)


def _values(text: str) -> Iterator[Any]:
    """Value by value, so that a file cut in the middle still gives what lies before the cut."""
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
    number, at = 0, _skip(text, 0)
    listed = text.startswith("[", at)
    if listed:
        at = _skip(text, at + 1)
    while at < len(text) and not (listed and text[at] == "]"):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            if not listed and not number:
                raise _unreadable(_place(error)) from None
            yield Problem("order", f"[{number}]", _unreadable(_place(error)), text[at : at + 4000].encode())
            return
        yield value
        number, at = number + 1, _skip(text, at)
    if listed and at >= len(text):
        yield Problem("order", f"[{number}]", _unreadable(Text("the end is missing", "нет конца файла")))


def _unwrapped(value: Any) -> Iterator[Any]:
    """What lies in {"orders": [...]} or {"order": {...}}; everything else as it is."""
    name = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
    if name not in WRAPPERS:
        yield value
    elif isinstance(value[name], list):
        yield from value[name]
    else:
        yield value[name]


def _skip(text: str, at: int) -> int:
    match = BLANK.match(text, at)
    return match.end() if match else at


def _element(number: int, value: Any) -> Record | Problem:
    kind = _kind(value)
    foreign = kind == "order" and "billing_address" in value and "billing" not in value
    if kind and not foreign and (id := _id(value["id"])):
        return record(kind, {**value, "id": id})
    error = RecordRefused(
        Text(
            f"element {number}: neither an order (id, line_items) nor a product (id, regular_price) of wc/v1 to wc/v3",
            f"элемент {number}: не заказ (id, line_items) и не товар (id, regular_price) из wc/v1–wc/v3",
        ),
        code="woo.element",
    )
    if foreign:
        error = RecordRefused(
            Text(
                f"element {number}: an order of another API (billing_address instead of billing); read it by wc/v3",
                f"элемент {number}: заказ другого API (billing_address вместо billing); прочитайте его по wc/v3",
            ),
            code="woo.old_api",
        )
    raw = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Problem(kind or "order", f"[{number}]", error, raw[:100_000])


def _id(value: Any) -> int | None:
    """The number of a record; programs between the shop and the file write it as text."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value.strip()[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _kind(value: Any) -> str:
    if not isinstance(value, dict) or "id" not in value:
        return ""
    native: Native = value
    if isinstance(native.get("line_items"), list):
        return "order"
    return "product" if "regular_price" in native and "sku" in native else ""


def _text(raw: bytes) -> tuple[str, tuple[Text, ...]]:
    """UTF-8 with or without its mark, UTF-16 with one, or windows-1251 (all are what a Windows editor saves)."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    notes: tuple[Text, ...] = ()
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        text = raw.decode("cp1251", "replace")
        notes = (
            Text(
                f"byte {error.start} is not UTF-8: the file was read as windows-1251",
                f"байт {error.start} не UTF-8: файл прочитан как windows-1251",
            ),
        )
    if not text.strip():
        raise _unreadable(Text("the file is empty", "файл пуст"))
    return text, notes


def _place(error: Exception) -> Text:
    if isinstance(error, json.JSONDecodeError):
        return Text(f"line {error.lineno}, column {error.colno}", f"строка {error.lineno}, позиция {error.colno}")
    return Text("not a JSON value", "не значение JSON")


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _unreadable(why: Text) -> RecordRefused:
    return RecordRefused(
        Text(f"the JSON cannot be read: {why.en}", f"JSON не читается: {why.ru}"),
        code="woo.json",
    )
