"""CommerceML → native records, streamed. Files are recognised by what they contain, never by their names.

What each record holds (absent key = the file says nothing; absent is never zero or false):

group       name, parent                                           Классификатор/Группы
price_type  name, currency                                         ТипыЦен
warehouse   name                                                   Склады
product     name, sku, barcode, unit {code, full, intl, name, packs}, vat, type, groups, description, images, requisites,
            properties {id: value or its id}, attributes {name: words, by this file's dictionary or an earlier one's}, features,
            characteristic, variant_of                             Каталог/Товары; the id may be GUID#GUID
offer       product, characteristic, name, sku, barcode, features {name: value}, quantity, stocks [{warehouse, qty}],
            prices [{type, value, currency, unit, coefficient, text}] ПакетПредложений and ИзмененияПакетаПредложений
order       see orders_in

Every file may be a part: `СодержитТолькоИзменения` is true from the second portion on even in a full export, so nothing
is ever concluded from what a file lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, overload
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.base import Keeper, Native, Problem, Record, RecordRefused, Text, Unchanged
from adapters.onec.cml.orders_in import DEFAULT_ZONE, order_record
from adapters.onec.cml.parts import GOODS, ID, MARK, OF, OFFERS, STOCK, Dictionary, split_id
from adapters.onec.cml.tree import NAMES, child, children, forget_before, parent_name, text
from adapters.onec.cml.unchanged import Sieve, Sifted
from adapters.onec.cml.xmlsafe import Portions, elements

_TOGETHER = 8  # records whose elements are freed at once
_PROPERTIES = frozenset({"Свойство", "СвойствоНоменклатуры"})
_TAGS = _PROPERTIES | {"Товар", "Предложение", "Группа", "ТипыЦен", "Склады", "Документ", "Справочник"}


@overload
def records(
    stream: IO[bytes], zone: ZoneInfo = DEFAULT_ZONE, kept: Keeper | None = None
) -> Iterator[Record | Problem]: ...
@overload
def records(
    stream: IO[bytes], zone: ZoneInfo, kept: Keeper | None, sieve: Sieve | None
) -> Iterator[Record | Problem | Unchanged]: ...
def records(
    stream: IO[bytes], zone: ZoneInfo = DEFAULT_ZONE, kept: Keeper | None = None, sieve: Sieve | None = None
) -> Iterator[Record | Problem | Unchanged]:
    """Everything that one CommerceML file holds. `zone` is the time zone of the 1C base (its documents carry none); `kept`
    remembers the dictionary of properties for the files that come without it. With a `sieve` goods and offers have versions,
    and those that the hub holds already are only counted, at the end (see unchanged).

    A record that cannot be read becomes a Problem and its neighbours go on. A file that breaks in the middle ends with
    a Problem naming the line; RecordRefused when nothing at all could be read.
    """
    count, words = 0, Dictionary(kept)
    goods: etree._Element | None = None  # the list that the last Товар stood in, and whether it is a catalogue's
    wanted = True
    sifted = Sifted(sieve, words) if sieve is not None else None
    mark = sifted.attribute if sifted is not None else ""
    try:
        for element in elements(stream, _TAGS, _PROPERTIES, sifted.begin if sifted is not None else Portions):
            name = NAMES[element.tag]
            # `or` is quicker than `in`, and all other elements together are a thousandth of these
            if name == "Товар" or name == "Предложение":
                kind = "product" if name == "Товар" else "offer"
                if kind == "product" and (parent := element.getparent()) is not goods:
                    goods, wanted = parent, _holder(element) not in ("Документ", "ПодчиненныйДокумент")
                if kind == "product" and not wanted:
                    continue
                version = element.get(mark, "") if mark else ""
                try:
                    found: Record | Problem = (
                        _product(element, version, words) if kind == "product" else _offer(element, version)
                    )
                except RecordRefused as error:
                    if version:
                        del element.attrib[mark]
                    found = _problem(kind, element, error)
                count += 1
                if not count % _TOGETHER:
                    forget_before(element)
                yield found
                continue
            for item in _convert(name, element, zone, words):
                count += 1
                yield item
    except RecordRefused as error:
        if not count and not (sifted is not None and sifted.same):
            raise
        yield Problem("file", "", error, cut=True)
    words.remember()
    if sifted is not None:
        yield from (Unchanged(kind, number) for kind, number in sifted.same.items())


def _convert(name: str, element: etree._Element, zone: ZoneInfo, words: Dictionary) -> Iterator[Record | Problem]:
    if name == "Группа":
        if _holder(element) != "Группа":
            yield from _groups(element)
            forget_before(element)
    elif name == "ТипыЦен":
        yield from (_guarded("price_type", e, _named) for e in children(element, "ТипЦены"))
    elif name == "Склады":
        if parent_name(element) not in ("Предложение", "Документ", "ПодчиненныйДокумент", "Товар"):
            yield from (_guarded("warehouse", e, _named) for e in children(element, "Склад"))
    elif name == "Документ":
        yield _guarded("order", element, order_record, zone)
        forget_before(element)
    else:  # the dictionaries of properties
        words.learn(element)
        forget_before(element)


def _holder(element: etree._Element) -> str:
    """What the list that holds `element` belongs to: "Каталог" of Каталог/Товары/Товар."""
    parent = element.getparent()
    return parent_name(parent) if parent is not None else ""


def _guarded(kind: str, element: etree._Element, convert: Callable[..., Record], *more: Any) -> Record | Problem:
    try:
        return convert(element, *more)
    except RecordRefused as error:
        return _problem(kind, element, error)


def _problem(kind: str, element: etree._Element, error: RecordRefused) -> Problem:
    raw = etree.tostring(element, encoding="utf-8", with_tail=False)[:65536]
    return Problem(kind, f"{kind}@{element.sourceline}", error, raw)


def _no_id(element: etree._Element) -> RecordRefused:
    tag = NAMES[element.tag]
    return RecordRefused(
        Text(
            f"<{tag}> in line {element.sourceline} has no <Ид>; without it the hub cannot tell which record it is",
            f"у <{tag}> в строке {element.sourceline} нет <Ид>; без него нельзя понять, какая это запись",
        ),
        code="cml.no_id",
        field="Ид",
    )


def _groups(top: etree._Element) -> Iterator[Record | Problem]:
    """A group and everything below it, parents first."""
    waiting: list[tuple[etree._Element, str]] = [(top, "")]
    while waiting:
        element, parent = waiting.pop()
        id = text(child(element, "Ид"))
        if id:
            data = {"name": text(child(element, "Наименование")), "parent": parent}
            yield Record("group", id, data, deleted=_deleted(element))
        else:
            yield _guarded("group", element, _named)
        waiting.extend((e, id) for e in reversed(list(children(element, "Группы", "Группа"))))


def _named(element: etree._Element) -> Record:
    """A price type (ТипЦены) or a warehouse (Склад)."""
    id = text(child(element, "Ид"))
    if not id:
        raise _no_id(element)
    data: Native = {"name": text(child(element, "Наименование"))}
    kind = "price_type" if NAMES[element.tag] == "ТипЦены" else "warehouse"
    if kind == "price_type" and (currency := text(child(element, "Валюта"))):
        data["currency"] = currency
    return Record(kind, id, data, deleted=_deleted(element))


def _deleted(element: etree._Element) -> bool:
    mark = child(element, "ПометкаУдаления")
    return element.get("Статус") == "Удален" or text(mark).lower() == "true"


def _product(element: etree._Element, version: str, words: Dictionary) -> Record:
    data: Native = {}
    for part in element:
        action = GOODS[part.tag]
        if action.__class__ is str:
            data[action] = (part.text or "").strip()
        elif action is not None:
            action(data, part)
    if (properties := data.get("properties")) and (found := words.resolved(properties)):
        data["attributes"] = found
    return _record("product", element, version, data)


def _offer(element: etree._Element, version: str) -> Record:
    data: Native = {}
    stocks: list[Native] = []
    for part in element:
        action = OFFERS[part.tag]
        if action.__class__ is str:
            data[action] = (part.text or "").strip()
        elif action is STOCK:
            _stock_row(part, stocks)
        elif action.__class__ is int:
            _stocks(part, data, stocks)
        elif action is not None:
            action(data, part)
    if not data.get("quantity", True):
        del data["quantity"]  # said to be nothing, which is not zero
    if stocks:
        data["stocks"] = stocks
    return _record("offer", element, version, data)


def _record(kind: str, element: etree._Element, version: str, data: Native) -> Record:
    """The record of what was read; its id, and whether it is deleted, are taken out of it."""
    deleted = element.get("Статус") == "Удален" or data.pop(MARK, "").lower() == "true"
    data.pop(MARK, None)
    if not (id := data.pop(ID, "")):
        raise _no_id(element)
    characteristic = data.pop(OF, "")
    if characteristic or "#" in id:
        id, product, characteristic = split_id(id, characteristic)
        if characteristic:
            data["characteristic"], data["variant_of"] = characteristic, product
    if kind == "offer":
        data["product"] = id
    return Record(kind, id, data, version, deleted)


def _stock_row(element: etree._Element, stocks: list[Native]) -> None:
    """<Склад ИдСклада= КоличествоНаСкладе=/>, or with elements inside: <Ид> and <Количество> (the Bitrix module's rests), or
    the two names of the attributes. A quantity without a warehouse stays a row, so that its lack is named."""
    warehouse, quantity = element.get("ИдСклада", ""), element.get("КоличествоНаСкладе", "")
    if len(element):
        for part in element:
            name = NAMES[part.tag]
            if name in ("Ид", "ИдСклада"):
                warehouse = warehouse or text(part)
            elif name in ("Количество", "КоличествоНаСкладе"):
                quantity = quantity or text(part)
    if quantity := quantity.strip():
        stocks.append({"warehouse": warehouse.strip(), "qty": quantity})


def _stocks(element: etree._Element, data: Native, stocks: list[Native]) -> None:
    """The other forms of stock: <Склады ИдСклада= …/>, <Склады><Склад …/>, <Остатки><Остаток>(<Склад>|<Количество>),
    <КоличествоНаСкладах><КоличествоНаСкладе>(<ИдСклада>, <Количество>)."""
    if element.get("ИдСклада") is not None:
        _stock_row(element, stocks)
    for row in element:
        if NAMES[row.tag] in ("Склад", "КоличествоНаСкладе"):
            _stock_row(row, stocks)
            continue
        for part in row:
            if NAMES[part.tag] == "Склад":
                _stock_row(part, stocks)
            elif NAMES[part.tag] == "Количество" and NAMES[row.tag] == "Остаток" and (quantity := text(part)):
                data.setdefault("quantity", quantity)
