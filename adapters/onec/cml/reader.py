"""CommerceML → native records, streamed. Files are recognised by what they contain, never by their names.

What each record holds (absent key = the file says nothing; absent is never zero or false):

group       name, parent                                           Классификатор/Группы
price_type  name, currency                                         ТипыЦен
warehouse   name                                                   Склады
product     name, sku, barcode, unit {code, full, intl, name}, vat, type, groups, description, images, requisites,
            properties, characteristic, variant_of                 Каталог/Товары; the id may be GUID#GUID
offer       product, characteristic, name, sku, barcode, prices [{type, value, currency, unit, coefficient, text}],
            quantity, stocks [{warehouse, qty}]                    ПакетПредложений and ИзмененияПакетаПредложений
order       see orders_in

Every file may be a part: `СодержитТолькоИзменения` is true from the second portion on even in a full export, so nothing
is ever concluded from what a file lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.base import Native, Problem, Record, RecordRefused, Text
from adapters.onec.cml.orders_in import DEFAULT_ZONE, order_record, vat_of
from adapters.onec.cml.xmlsafe import NAMES, attributes, child, children, elements, forget_before, parent_name, text

NO_CHARACTERISTIC = "00000000-0000-0000-0000-000000000000"
_TAGS = frozenset({"Товар", "Предложение", "Группа", "ТипыЦен", "Склады", "Документ", "Свойство", "Справочник"})
_SERVICES = {"услуга": "service", "работа": "service"}
_GOODS = {"товар": "good", "запас": "good", "набор": "good"}
_FIELDS = {"Артикул": "sku", "Наименование": "name", "Описание": "description", "Штрихкод": "barcode"}


def records(stream: IO[bytes], zone: ZoneInfo = DEFAULT_ZONE) -> Iterator[Record | Problem]:
    """Everything that one CommerceML file holds. `zone` is the time zone of the 1C base (its documents carry none).

    A record that cannot be read becomes a Problem and its neighbours go on. A file that breaks in the middle ends with
    a Problem naming the line; RecordRefused when nothing at all could be read.
    """
    count = 0
    try:
        for element in elements(stream, _TAGS):
            for item in _convert(element, zone):
                count += 1
                yield item
    except RecordRefused as error:
        if not count:
            raise
        yield Problem("file", "", error)


def _convert(element: etree._Element, zone: ZoneInfo) -> Iterator[Record | Problem]:
    name = NAMES[element.tag]
    if name == "Товар":
        if not _inside(element, "Документ") and not _inside(element, "ПодчиненныйДокумент"):
            yield _guarded("product", element, _product)
            forget_before(element)
    elif name == "Предложение":
        yield _guarded("offer", element, _offer)
        forget_before(element)
    elif name == "Группа":
        if not _inside(element, "Группа"):
            yield from _groups(element)
            forget_before(element)
    elif name == "ТипыЦен":
        yield from (_guarded("price_type", e, _named) for e in children(element, "ТипЦены"))
    elif name == "Склады":
        if parent_name(element) not in ("Предложение", "Документ", "ПодчиненныйДокумент", "Товар"):
            yield from (_guarded("warehouse", e, _named) for e in children(element, "Склад"))
    elif name == "Документ":
        yield _guarded("order", element, lambda e: order_record(e, zone))
        forget_before(element)
    else:  # the dictionaries of properties: only freed
        forget_before(element)


def _inside(element: etree._Element, name: str) -> bool:
    """Is the list that holds `element` a child of `name` (Каталог/Товары/Товар)?"""
    parent = element.getparent()
    return parent is not None and parent_name(parent) == name


def _guarded(kind: str, element: etree._Element, convert: Callable[[etree._Element], Record]) -> Record | Problem:
    try:
        return convert(element)
    except RecordRefused as error:
        return Problem(
            kind,
            f"{kind}@{element.sourceline}",
            error,
            etree.tostring(element, encoding="utf-8", with_tail=False)[:65536],
        )


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


def split_id(id: str, characteristic: str = "") -> tuple[str, str, str]:
    """(full id, product, characteristic): the characteristic (Характеристика) comes within the id or beside it.

    >>> split_id("a", "b")
    ('a#b', 'a', 'b')
    """
    product, _, inner = id.partition("#")
    inner = inner or characteristic.rpartition("#")[2]
    if inner == NO_CHARACTERISTIC:
        inner = ""
    return (f"{product}#{inner}", product, inner) if inner else (product, product, "")


def _product(element: etree._Element) -> Record:
    data: Native = {}
    id = characteristic = ""
    deleted = element.get("Статус") == "Удален"
    for part in element:
        name = NAMES[part.tag]
        if name in _FIELDS:
            data[_FIELDS[name]] = (part.text or "").strip()
        elif name == "Ид":
            id = (part.text or "").strip()
        elif name == "ИдХарактеристики":
            characteristic = text(part)
        elif name == "БазоваяЕдиница":
            data["unit"] = _unit(part)
        elif name == "Группы":
            data["groups"] = [value for e in part if (value := (e.text or "").strip())]
        elif name == "ЗначенияРеквизитов":
            data["requisites"] = requisites = _pairs(part, "Наименование")
            _type(data, requisites)
        elif name == "ЗначенияСвойств":
            data["properties"] = _pairs(part, "Ид")
        elif name == "СтавкиНалогов":
            _vat(data, part)
        elif name == "Картинка":
            if picture := (part.text or "").strip():
                data.setdefault("images", []).append(picture)
        elif name == "ПометкаУдаления":
            deleted = deleted or text(part).lower() == "true"
    if not id:
        raise _no_id(element)
    id, product, characteristic = split_id(id, characteristic)
    if characteristic:
        data["characteristic"], data["variant_of"] = characteristic, product
    return Record("product", id, data, deleted=deleted)


def _unit(element: etree._Element) -> Native:
    """{"code" (ОКЕИ), "full", "intl", "name"}; "name" is what people call the unit: its short name, else the full one."""
    known = {"Код": "code", "НаименованиеПолное": "full", "МеждународноеСокращение": "intl"}
    given = attributes(element)
    unit = {key: given[name] for name, key in known.items() if given.get(name)}
    short = given.get("НаименованиеКраткое") or text(element) or unit.get("full")
    if short:
        unit["name"] = short
    return dict(unit)


def _pairs(element: etree._Element, key_tag: str) -> dict[str, str]:
    """Requisites by name, properties by id; several values of one key are joined by line breaks."""
    pairs: dict[str, str] = {}
    for row in element:
        key = value = ""
        for part in row:
            name = NAMES[part.tag]
            if name == key_tag:
                key = (part.text or "").strip()
            elif name == "Значение" and part.text:
                value = f"{value}\n{part.text.strip()}" if value else part.text.strip()
        if key:
            pairs[key] = f"{pairs[key]}\n{value}" if pairs.get(key) else value
    return pairs


def _type(data: Native, requisites: dict[str, str]) -> None:
    word = requisites.get("ТипНоменклатуры", "").lower()
    kind = _SERVICES.get(word) or _GOODS.get(word)
    if kind:
        data["type"] = kind


def _vat(data: Native, element: etree._Element) -> None:
    """The rate of НДС: "vat" is the percent as text, None for "Без НДС"; another word is kept in "vat_text"."""
    for rate in element:
        if text(child(rate, "Наименование")).upper() in ("НДС", ""):
            vat_of(data, text(child(rate, "Ставка")))


def _offer(element: etree._Element) -> Record:
    data: Native = {}
    id = characteristic = ""
    deleted = element.get("Статус") == "Удален"
    stocks: list[Native] = []
    for part in element:
        name = NAMES[part.tag]
        if name == "Цены":
            data["prices"] = _prices(part)
        elif name == "Склад":
            _stock_row(part, stocks)
        elif name == "Количество":
            if quantity := (part.text or "").strip():
                data["quantity"] = quantity
        elif name in _FIELDS:
            data[_FIELDS[name]] = (part.text or "").strip()
        elif name == "Ид":
            id = (part.text or "").strip()
        elif name == "ИдХарактеристики":
            characteristic = text(part)
        elif name in ("Склады", "Остатки"):
            _stocks(part, data, stocks)
        elif name == "ПометкаУдаления":
            deleted = deleted or text(part).lower() == "true"
    if not id:
        raise _no_id(element)
    id, product, characteristic = split_id(id, characteristic)
    data["product"] = id
    if characteristic:
        data["characteristic"], data["variant_of"] = characteristic, product
    if stocks:
        data["stocks"] = stocks
    return Record("offer", id, data, deleted=deleted)


_PRICE = {
    "ИдТипаЦены": "type",
    "ЦенаЗаЕдиницу": "value",
    "Валюта": "currency",
    "Единица": "unit",
    "Коэффициент": "coefficient",
    "Представление": "text",
}


def _prices(element: etree._Element) -> list[Native]:
    """The price rows. A second price of one type (another unit) gets a "key" of its own: type/unit."""
    rows: list[Native] = []
    seen: set[Any] = set()
    for price in element:
        row = {key: value for e in price if (key := _PRICE.get(NAMES[e.tag])) and (value := (e.text or "").strip())}
        type = row.get("type")
        if type in seen:
            row["key"] = f"{type}/{row.get('unit', len(rows))}"
        seen.add(type)
        rows.append(row)
    return rows


def _stock_row(element: etree._Element, stocks: list[Native]) -> None:
    """<Склад ИдСклада= КоличествоНаСкладе=/>, or with <Ид> and <Количество> inside (the Bitrix module's rests)."""
    warehouse, quantity = element.get("ИдСклада"), element.get("КоличествоНаСкладе")
    if warehouse is None:
        warehouse, quantity = text(child(element, "Ид")), text(child(element, "Количество"))
    if warehouse and quantity:
        stocks.append({"warehouse": warehouse.strip(), "qty": quantity.strip()})


def _stocks(element: etree._Element, data: Native, stocks: list[Native]) -> None:
    """The other forms of stock: <Склады ИдСклада= …/>, <Склады><Склад …/>, <Остатки><Остаток>(<Склад>|<Количество>)."""
    if element.get("ИдСклада") is not None:
        _stock_row(element, stocks)
    for row in element:
        if NAMES[row.tag] == "Склад":
            _stock_row(row, stocks)
        for part in row:
            if NAMES[part.tag] == "Склад":
                _stock_row(part, stocks)
            elif NAMES[part.tag] == "Количество" and NAMES[row.tag] == "Остаток" and (quantity := text(part)):
                data.setdefault("quantity", quantity)
