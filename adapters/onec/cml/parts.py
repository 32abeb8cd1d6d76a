"""The parts of goods and offers that have rows of their own: requisites, properties, units, VAT, prices.

Each is one walk over everything below the part. An iterator per row, or one for each field, would take as long again as
libxml2 needs for the file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from lxml import etree

from adapters.base import Keeper, Native
from adapters.onec.cml.orders_in import vat_of
from adapters.onec.cml.tree import NAMES, ByTag, children, text

DICTIONARY = 200_000  # values of properties remembered from one file; the ids of those beyond stay ids
REMEMBERED = 50_000  # of them from one file to the next
NO_CHARACTERISTIC = "00000000-0000-0000-0000-000000000000"
_KEPT = "properties"
_ROWS = frozenset({"ЗначениеРеквизита", "ЗначенияСвойства", "ЗначениеСвойства", "ХарактеристикаТовара"})
_SERVICES = {"услуга": "service", "работа": "service"}
_GOODS = {"товар": "good", "запас": "good", "набор": "good"}
_PRICE = ByTag(
    {
        "ИдТипаЦены": "type",
        "ЦенаЗаЕдиницу": "value",
        "Валюта": "currency",
        "Единица": "unit",
        "Коэффициент": "coefficient",
        "Представление": "text",
    }
)
_UNIT = {"Код": "code", "НаименованиеПолное": "full", "МеждународноеСокращение": "intl"}


class Dictionary:
    """What the properties (Свойства) are called, and their values: products name both by id.

    Only the first portion of a catalogue brings it (the later ones have no Классификатор), so what a file declares is
    remembered, and what it does not is looked up among what the earlier ones have declared.
    """

    def __init__(self, kept: Keeper | None = None) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self._kept = kept
        self._known = False  # the remembered part is in

    def learn(self, element: etree._Element) -> None:
        """A Свойство, or one Справочник (id and value) of it."""
        known = {NAMES[part.tag]: (part.text or "").strip() for part in element}
        if "ИдЗначения" in known and len(self.values) < DICTIONARY:
            self.values[known["ИдЗначения"]] = known.get("Значение", "")
        elif "Наименование" in known and len(self.names) < DICTIONARY:
            self.names[known.get("Ид", "")] = known["Наименование"]

    def resolved(self, properties: dict[str, str]) -> dict[str, str]:
        """{name: words} of a product's properties; only of those that have been declared."""
        if not self._known:
            self.remember()
        names, values = self.names, self.values
        if not names:
            return {}
        return {
            names[id]: "\n".join([values.get(one, one) for one in value.split("\n")])
            if "\n" in value
            else values.get(value, value)
            for id, value in properties.items()
            if id in names
        }

    def remember(self) -> None:
        """Goods follow the dictionary: at the first of them, or at the end, this file's is complete."""
        if self._known:
            return
        self._known = True
        if self._kept is None:
            return
        before = self._kept.load(_KEPT) or {}
        names, values = ({**known} for known in (before.get("names", {}), before.get("values", {})))
        if self.names or self.values:
            names = _newest(names, self.names)
            values = _newest(values, self.values)
            self._kept.save(_KEPT, {"names": names, "values": values})
        self.names, self.values = {**names, **self.names}, {**values, **self.values}


def _newest(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Both, the latest declared last; where they are too many, the oldest go."""
    both = {id: word for id, word in old.items() if id not in new} | new
    return dict(list(both.items())[-REMEMBERED:])


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


def pairs(element: etree._Element, key_tag: str) -> dict[str, str]:
    """Requisites by name, properties by id; several values of one key are joined by line breaks."""
    found: dict[str, str] = {}
    walk = element.iter()
    next(walk)  # the element itself
    for row in walk:
        if len(row) != 2:
            return _any_pairs(element, key_tag)
        first, second = next(walk), next(walk)
        value = second.text
        if first.tag != key_tag or second.tag != "Значение" or (value is None and len(second)):
            return _any_pairs(element, key_tag)
        if key := (first.text or "").strip():
            value = value.strip() if value else ""
            found[key] = f"{found[key]}\n{value}" if found.get(key) else value
    return found


def _any_pairs(element: etree._Element, key_tag: str) -> dict[str, str]:
    """The same of rows that are not just a key and a value: several values, none, more besides."""
    found: dict[str, str] = {}
    key = value = ""
    names = NAMES
    for part in element.iter():
        name = names[part.tag]
        if name == "Значение":
            if words := part.text:
                value = f"{value}\n{words.strip()}" if value else words.strip()
        elif name == key_tag or name in _ROWS:
            if key:  # the row before is complete (it may have a name that we do not know)
                found[key] = f"{found[key]}\n{value}" if found.get(key) else value
            key, value = ((part.text or "").strip() if name == key_tag else ""), ""
    if key:
        found[key] = f"{found[key]}\n{value}" if found.get(key) else value
    return found


def put_prices(data: Native, element: etree._Element) -> None:
    """The price rows. A second price of one type (another unit) gets a "key" of its own: type/unit."""
    rows: list[Native] = []
    seen: set[str | None] = set()
    keys = _PRICE
    for price in element:
        if NAMES[price.tag] != "Цена":
            continue
        row: Native = {}
        for part in price:
            if (key := keys[part.tag]) and (value := part.text) and (value := value.strip()):
                row[key] = value
        if (type := row.get("type")) in seen:
            row["key"] = f"{type}/{row.get('unit', len(rows))}"
        seen.add(type)
        rows.append(row)
    data["prices"] = rows


def _put_unit(data: Native, element: etree._Element) -> None:
    """{"code" (ОКЕИ), "full", "intl", "name", "packs"}; "name" is what people call the unit: its short name, else the full
    one; "packs" are the other units (Пересчет) with the number of basic units in each."""
    data["unit"] = unit = _unit(tuple(element.items()), (element.text or "").strip()).copy()
    if len(element):
        packs = [_pack(row) for row in children(element, "Пересчет")]
        if packs := [row for row in packs if row.get("unit") and row["unit"] != unit.get("code")]:
            unit["packs"] = packs


@lru_cache(maxsize=256)  # a catalogue has a handful of units
def _unit(attributes: tuple[tuple[str, str], ...], words: str) -> Native:
    given = {NAMES[name]: value.strip() for name, value in attributes}
    unit: Native = {key: given[name] for name, key in _UNIT.items() if given.get(name)}
    if short := given.get("НаименованиеКраткое") or words or unit.get("full"):
        unit["name"] = short
    return unit


def _pack(element: etree._Element) -> Native:
    known = {"Единица": "unit", "Коэффициент": "coefficient"}
    return {key: value for e in element if (key := known.get(NAMES[e.tag])) and (value := text(e))}


def _put_groups(data: Native, element: etree._Element) -> None:
    data["groups"] = [value for e in element if (value := (e.text or "").strip())]


def _put_requisites(data: Native, element: etree._Element) -> None:
    data["requisites"] = requisites = pairs(element, "Наименование")
    word = requisites.get("ТипНоменклатуры", "").lower()
    if kind := _SERVICES.get(word) or _GOODS.get(word):
        data["type"] = kind


def put_features(data: Native, element: etree._Element) -> None:
    """ХарактеристикиТовара: what a characteristic is made of, {"Цвет": "белый"}."""
    if features := pairs(element, "Наименование"):
        data["features"] = features


def _put_vat(data: Native, element: etree._Element) -> None:
    """The rate of НДС: "vat" is the percent as text, None for "Без НДС"; another word is kept in "vat_text"."""
    tax = rate = ""
    for part in element.iter():
        name = NAMES[part.tag]
        if name == "Наименование":
            tax = (part.text or "").strip()
        elif name == "Ставка":
            rate = (part.text or "").strip()
        elif name == "СтавкаНалога":
            if rate:
                data.update(_vat(tax, rate))
            tax = rate = ""
    if rate:
        data.update(_vat(tax, rate))


@lru_cache(maxsize=256)  # there are a handful of rates
def _vat(tax: str, rate: str) -> Native:
    found: Native = {}
    if tax.upper() in ("НДС", ""):
        vat_of(found, rate)
    return found


def _put_image(data: Native, element: etree._Element) -> None:
    if picture := (element.text or "").strip():
        data.setdefault("images", []).append(picture)


def _put_barcode(data: Native, element: etree._Element) -> None:
    """Штрихкод: a text; several of them a list."""
    if code := (element.text or "").strip():
        known = data.get("barcode")
        data["barcode"] = code if known is None else [*([known] if isinstance(known, str) else known), code]


def _put_properties(data: Native, element: etree._Element) -> None:
    data["properties"] = pairs(element, "Ид")


# What becomes of a part: a text under this name, or whatever the function does. ID, MARK and OF are taken out again
ID, MARK, OF = "id", "deleted", "id of the characteristic"
STOCK, STOCKS = 1, 2  # what is in stock, in its two forms (see reader)
_SHARED: dict[str, str | Callable[[Native, etree._Element], None]] = {
    "Ид": ID,
    "ПометкаУдаления": MARK,
    "ИдХарактеристики": OF,
    "Артикул": "sku",
    "Наименование": "name",
    "Описание": "description",
    "Штрихкод": "barcode",
    "ХарактеристикиТовара": put_features,
}
GOODS = ByTag(
    {
        **_SHARED,
        "Штрихкод": _put_barcode,
        "Картинка": _put_image,
        "БазоваяЕдиница": _put_unit,
        "Группы": _put_groups,
        "ЗначенияРеквизитов": _put_requisites,
        "ЗначенияСвойств": _put_properties,
        "СтавкиНалогов": _put_vat,
    }
)
OFFERS = ByTag(
    {
        **_SHARED,
        "Цены": put_prices,
        "Количество": "quantity",
        "Склад": STOCK,
        "Склады": STOCKS,
        "Остатки": STOCKS,
        "КоличествоНаСкладах": STOCKS,
    }
)
