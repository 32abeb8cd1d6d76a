"""The canonical records. Every field may be missing (UNKNOWN: nobody has reported it) or None (reported as empty).

A record knows no vendor and no database. What a field means on the other side is said by a mapping file.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from sync.model.types import Moment, Money, Quantity, Rate, Str, UnitPrice


class Canonical(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Whole(Canonical):
    """A record that stands by itself."""

    archived: bool | None = None  # it was deleted in one of its systems; the others keep it


class Company(Whole):
    """A company or sole trader (1C: Контрагент, Партнёр)."""

    kind: Str | None = None  # legal, sole_trader
    name: Str | None = None
    legal_name: Str | None = None
    inn: Str | None = None  # taxpayer number (ИНН), 10 or 12 digits
    kpp: Str | None = None  # branch code (КПП)
    ogrn: Str | None = None
    phones: list[Str] | None = None
    emails: list[Str] | None = None
    addresses: list[Str] | None = None
    tags: list[Str] | None = None


class Contact(Whole):
    """A private person: a client of their own or somebody at a company (1C: Контактное лицо)."""

    name: Str | None = None
    first_name: Str | None = None
    middle_name: Str | None = None
    last_name: Str | None = None
    phones: list[Str] | None = None
    emails: list[Str] | None = None
    addresses: list[Str] | None = None
    tags: list[Str] | None = None


class Lead(Whole):
    title: Str | None = None
    status: Str | None = None  # new, in_work, qualified, junk, converted
    responsible: Str | None = None  # who works on it: a user's id, or a name where the mapping has a table of users
    source: Str | None = None
    utm: dict[str, Str] | None = None  # source, medium, campaign, content, term
    form: dict[str, Str] | None = None  # id, name, page, referer
    consent: dict[str, Str] | None = None  # purpose → the raw value; absent is unknown, not refused
    comment: Str | None = None
    extra: dict[str, Str] | None = None  # fields of the form that no mapping names
    amount: Money | None = None
    currency: Str | None = None
    created_at: Moment | None = None


class DealLine(Canonical):
    key: Str  # the line's id on its side; else product and position
    kind: Str = "goods"  # goods, shipping, fee, discount
    product: Str | None = None  # the product's external id on that side; in the hub, the product's uid
    sku: Str | None = None  # article (Артикул)
    name: Str | None = None
    qty: Quantity | None = None
    unit_code: Str | None = None  # OKEI: 796 = piece
    price: UnitPrice | None = None
    discount: Money | None = None
    tax: Money | None = None
    vat_rate: Rate | None = None  # percent; None = without VAT (Без НДС) or unknown
    vat_included: bool | None = None
    sum: Money | None = None  # the line's total as its own side states it


class DealDocument(Canonical):
    """A document behind a deal; paid and shipped sums are sums of these."""

    key: Str
    kind: Str  # order, invoice, payment, shipment, refund (of money), return (of goods)
    number: Str | None = None
    date: Moment | None = None
    amount: Money | None = None
    currency: Str | None = None
    posted: bool | None = None  # Проведен
    reversed: bool | None = None
    unknown: bool | None = None  # no document: this side cannot tell now which of this kind there are


class Deal(Whole):
    """One order is one deal (1C: Заказ клиента / Заказ покупателя)."""

    number: Str | None = None
    title: Str | None = None
    pipeline: Str | None = None
    stage: Str | None = None
    stage_title: Str | None = None  # what people call it; only a way of saying `stage`, kept nowhere
    responsible: Str | None = None  # as of a lead
    lost_reason: Str | None = None
    amount: Money | None = None
    currency: Str | None = None
    tax: Money | None = None
    lines: list[DealLine] | None = None
    documents: list[DealDocument] | None = None
    comment: Str | None = None
    source: Str | None = None
    utm: dict[str, Str] | None = None
    payment_method: Str | None = None
    delivery_address: Str | None = None
    paid: bool | None = None  # facts of the accounting side, which drive the stage by the pipeline's table
    shipped: bool | None = None
    cancelled: bool | None = None
    created_at: Moment | None = None


class Product(Whole):
    """An item of goods or a service (1C: Номенклатура; a characteristic, Характеристика, is a variant)."""

    kind: Str | None = None  # good, service
    name: Str | None = None
    full_name: Str | None = None
    sku: Str | None = None
    barcodes: list[Str] | None = None
    images: list[Str] | None = None  # names of pictures, as their own side calls them
    unit: Str | None = None
    unit_code: Str | None = None
    vat_rate: Rate | None = None
    group: Str | None = None
    description: Str | None = None
    active: bool | None = None
    variant_of: Str | None = None
    price: UnitPrice | None = None  # of the price type that the hub sells by
    stock: Quantity | None = None  # over all warehouses


class PriceRow(Canonical):
    key: Str  # the price type's external id
    name: Str | None = None
    value: UnitPrice
    currency: Str | None = None
    unit: Str | None = None


class StockRow(Canonical):
    key: Str  # the warehouse's external id
    name: Str | None = None
    qty: Quantity


class Offer(Canonical):
    """Prices and stock of one product (1C: Предложение); it has no life of its own and belongs to `product`."""

    product: Str  # the product's external id on the same side
    name: Str | None = None
    sku: Str | None = None
    prices: list[PriceRow] | None = None
    stocks: list[StockRow] | None = None
    quantity: Quantity | None = None  # over all warehouses, where the side states only that


class Named(Canonical):
    """A price type (ВидЦены), warehouse (Склад) or group of goods: an id with a name."""

    name: Str | None = None
    currency: Str | None = None
    parent: Str | None = None


class Activity(Canonical):
    """A contact event on a client's timeline."""

    type: Str | None = None  # form, order, email, call, meeting, payment, shipment, note, message
    direction: Str | None = None  # in, out, ""
    at: Moment | None = None
    duration: int | None = None  # seconds
    subject: Str | None = None
    text: Str | None = None
    author: Str | None = None
    key: Str | None = None  # one event, however often seen: Message-ID, call id
    thread: list[Str] | None = None  # keys of earlier events of the same thread, oldest first
    participants: list[Str] | None = None
    files: list[Str] | None = None
    deal: Str | None = None  # the order's number, where the event names one


KINDS: dict[str, type[Canonical]] = {
    "company": Company,
    "contact": Contact,
    "lead": Lead,
    "deal": Deal,
    "product": Product,
    "offer": Offer,
    "price_type": Named,
    "warehouse": Named,
    "group": Named,
    "activity": Activity,
}

# What no side decides over: rows of their own, and a stage's name, which is only another way of saying the stage
UNDECIDED = frozenset({"documents", "stage_title"})

# The identifiers by which a mapping's `client` section describes whom a record is about.
CLIENT_FIELDS = frozenset(
    {
        "name",
        "first_name",
        "last_name",
        "phone",
        "phones",
        "email",
        "emails",
        "company",
        "inn",
        "kpp",
        "address",
        "kind",
    }
)


def validate(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Only the fields that were given, with canonical types; pydantic.ValidationError names the field otherwise."""
    return KINDS[kind].model_validate(fields).model_dump(exclude_unset=True)
