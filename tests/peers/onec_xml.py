"""CommerceML as stock 1C writes it: catalogue, offers and orders of a `OneCBase`, for УТ 11.5 and for УНФ 3.0.

A `Dialect` says in what the two differ; everything else is common. Names are those of the published schemas 2.08 and 2.10.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.peers.onec_base import OneCBase, amount_text

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialect:
    """How one configuration writes. `legacy` is УТ: no statuses, paid and shipped only as dates of settled orders."""

    version: str
    namespace: str
    bom: bool
    legacy: bool
    characteristic_rows: bool  # the catalogue has one Товар per characteristic, "X (характеристика)"
    stock_element: str  # in ИзмененияПакетаПредложений: "Склады" as in the schema, or "Склад"
    subordinate: bool = False  # payments and shipments as ПодчиненныеДокументы


UT = Dialect("2.07", "urn:1C.ru:commerceml_2", True, True, True, "Склады")
UNF = Dialect("2.08", "urn:1C.ru:commerceml_210", False, False, False, "Склад")


def el(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    """A child element; None makes an empty one."""
    child = ET.SubElement(parent, name, attributes)
    child.text = text or None
    return child


class Writer:
    """Writes the files of one exchange session of one catalogue."""

    def __init__(self, base: OneCBase, dialect: Dialect, statuses: Mapping[str, str] | None = None) -> None:
        self.base = base
        self.dialect = dialect
        self.statuses = statuses or {}  # rows of the node's table: the site's id of a status -> 1C's
        self.catalog = base.guid("catalog")

    # Catalogue --------------------------------------------------------------------------------------------------

    def goods(self, products: Sequence[str], portion: int, full: bool) -> bytes:
        """import{i}_{portion}.xml. Only the first portion has the classifier; later ones say "changes only" even in a
        full export."""
        root = self._root()
        if portion == 1:
            self._classifier(root, groups=True)
        only_changes = "false" if full and portion == 1 else "true"
        catalog = el(root, "Каталог", СодержитТолькоИзменения=only_changes)
        el(catalog, "Ид", self.catalog)
        el(catalog, "ИдКлассификатора", self.catalog)
        el(catalog, "Наименование", "Основной каталог товаров")
        self._owner(catalog)
        rows = el(catalog, "Товары")
        for guid in products:
            for key, suffix in self._keys(guid, self.dialect.characteristic_rows):
                self._good(rows, guid, key, suffix)
        return self._bytes(root)

    def _keys(self, guid: str, by_characteristic: bool) -> list[tuple[str, str]]:
        """(Ид, characteristic's name) of the rows that one product makes."""
        characteristics = self.base.state["products"][guid]["characteristics"]
        if characteristics and by_characteristic:
            return [(f"{guid}#{one}", name) for one, name in characteristics.items()]
        return [(guid, "")]

    def _good(self, rows: ET.Element, guid: str, key: str, suffix: str) -> None:
        product = self.base.state["products"][guid]
        row = el(rows, "Товар", **({"Статус": "Удален"} if product["deleted"] else {}))
        self._identity(row, product, key, suffix)
        if product["group"]:
            el(el(row, "Группы"), "Ид", product["group"])
        el(row, "Описание", product["description"])
        for path in product["images"]:
            el(row, "Картинка", path)
        rate = el(el(row, "СтавкиНалогов"), "СтавкаНалога")
        el(rate, "Наименование", "НДС")
        el(rate, "Ставка", product["vat"].removesuffix("%"))
        requisites(
            row,
            {
                "Код": product["code"],
                "ВидНоменклатуры": "Товары для продажи",
                "ТипНоменклатуры": product["kind"],
                "Полное наименование": product["name"],
            },
        )

    def _identity(self, row: ET.Element, product: Mapping[str, Any], key: str, suffix: str) -> None:
        el(row, "Ид", key)
        if 8 <= len(product["barcode"]) <= 14:
            el(row, "Штрихкод", product["barcode"])
        if product["sku"]:
            el(row, "Артикул", product["sku"])
        name = f"{product['name']} ({suffix})" if suffix else product["name"]
        el(row, "Наименование", name[:250])
        code, full, short = product["unit"]
        # A code has a fixed length of 4 in 1C: real files carry "796 ".
        unit = el(row, "БазоваяЕдиница", Код=f"{code:<4}", НаименованиеПолное=full, МеждународноеСокращение=short)
        factor = el(unit, "Пересчет")
        el(factor, "Единица", code)
        el(factor, "Коэффициент", "1")

    # Offers -----------------------------------------------------------------------------------------------------

    def offers(self, products: Sequence[str], portion: int) -> bytes:
        """offers{i}_{portion}.xml of a full export: ПакетПредложений."""
        state, root = self.base.state, self._root()
        if portion == 1:
            self._classifier(root, groups=False)
        package = el(root, "ПакетПредложений", СодержитТолькоИзменения="false" if portion == 1 else "true")
        el(package, "Ид", f"{self.catalog}#")
        el(package, "Наименование", "Пакет предложений (Основной каталог товаров)")
        el(package, "ИдКаталога", self.catalog)
        el(package, "ИдКлассификатора", self.catalog)
        self._owner(package)
        types = el(package, "ТипыЦен")
        for guid, one in state["price_types"].items():
            price_type = el(types, "ТипЦены")
            el(price_type, "Ид", guid)
            el(price_type, "Наименование", one["name"])
            el(price_type, "Валюта", one["currency"])
        warehouses = el(package, "Склады")
        for guid, one in state["warehouses"].items():
            warehouse = el(warehouses, "Склад")
            el(warehouse, "Ид", guid)
            el(warehouse, "Наименование", one["name"])
        rows = el(package, "Предложения")
        for guid in products:
            for key, suffix in self._keys(guid, by_characteristic=True):
                row = el(rows, "Предложение")
                self._identity(row, state["products"][guid], key, suffix)
                if suffix:
                    feature = el(el(row, "ХарактеристикиТовара"), "ХарактеристикаТовара")
                    el(feature, "Наименование", "Характеристика")
                    el(feature, "Значение", suffix)
                self._prices(row, guid, key)
                self._stock(row, key, "Склад")
        return self._bytes(root)

    def changes(self, products: Sequence[str]) -> bytes:
        """offers{i}_{portion}.xml of changes: another root child, the product's bare GUID and ИдХарактеристики apart."""
        root = self._root()
        package = el(root, "ИзмененияПакетаПредложений", СодержитТолькоИзменения="true")
        el(package, "Ид", f"{self.catalog}#")
        el(package, "ИдКаталога", self.catalog)
        rows = el(package, "Предложения")
        for guid in products:
            for key, suffix in self._keys(guid, by_characteristic=True):
                row = el(rows, "Предложение")
                el(row, "Ид", guid)
                if suffix:
                    el(row, "ИдХарактеристики", key.partition("#")[2])
                if self.dialect.stock_element == "Склады":
                    self._stock(row, key, "Склады", quantity=False)
                    self._prices(row, guid, key)
                    self._quantity(row, key)
                else:
                    self._prices(row, guid, key)
                    self._stock(row, key, "Склад")
        return self._bytes(root)

    def _prices(self, row: ET.Element, guid: str, key: str) -> None:
        short = self.base.state["products"][guid]["unit"][2]
        prices = self.base.state["prices"].get(key, {})
        if not prices:
            return
        rows = el(row, "Цены")
        for price_type, value in prices.items():
            currency = self.base.state["price_types"][price_type]["currency"][:3]
            price = el(rows, "Цена")
            el(price, "Представление", f" {value} {currency} за {short}")
            el(price, "ИдТипаЦены", price_type)
            el(price, "ЦенаЗаЕдиницу", value)
            el(price, "Валюта", currency)
            if len(short) == 3:
                el(price, "Единица", short)
            el(price, "Коэффициент", "1")

    def _stock(self, row: ET.Element, key: str, element: str, quantity: bool = True) -> None:
        if quantity:
            self._quantity(row, key)
        for warehouse, value in self.base.state["stock"].get(key, {}).items():
            el(row, element, ИдСклада=warehouse, КоличествоНаСкладе=value)

    def _quantity(self, row: ET.Element, key: str) -> None:
        stock = self.base.state["stock"].get(key)
        if stock:
            el(row, "Количество", amount_text(sum((Decimal(value) for value in stock.values()), Decimal(0))))

    # Orders -----------------------------------------------------------------------------------------------------

    def orders(self, orders: Sequence[Mapping[str, Any]]) -> bytes:
        """orders-{uuid}_{n}.xml: Ид is 1C's GUID, number and date are the site's."""
        root = self._root()
        for order in orders:
            document = el(root, "Документ")
            date, _, time = order["site_date"].partition("T")
            # Only УТ removes cancelled lines: the one sign of a cancellation that its file has.
            lines = [line for line in order["lines"] if not (self.dialect.legacy and line["cancelled"])]
            total = sum((Decimal(line["sum"]) for line in lines), Decimal(0))
            self._head(document, order["guid"], order["site_number"], date, "Заказ товара", order["currency"], total)
            self._counterparty(el(el(document, "Контрагенты"), "Контрагент"), order)
            el(document, "Время", time or "00:00:00")
            if order["comment"]:
                el(document, "Комментарий", order["comment"])
            if lines:
                rows = el(document, "Товары")
                for line in lines:
                    self._line(el(rows, "Товар"), line)
            requisites(document, self._facts(order, total))
            if self.dialect.subordinate and (order["payments"] or order["shipments"]):
                self._subordinates(document, order)
        return self._bytes(root)

    def _head(
        self, document: ET.Element, guid: str, number: str, date: str, operation: str, currency: str, total: Decimal
    ) -> None:
        el(document, "Ид", guid)
        el(document, "Номер", number)
        el(document, "Дата", date)
        el(document, "ХозОперация", operation)
        el(document, "Роль", "Продавец")
        el(document, "Валюта", currency)
        el(document, "Курс", "1")
        el(document, "Сумма", amount_text(total))

    def _counterparty(self, row: ET.Element, order: Mapping[str, Any]) -> None:
        party = self.base.state["counterparties"].get(order["counterparty"], {"name": "", "full_name": "", "kind": ""})
        el(row, "Ид", order["counterparty"])
        el(row, "Наименование", party["name"])
        el(row, "ОфициальноеНаименование" if party["kind"] == "legal" else "ПолноеНаименование", party["full_name"])
        for name, key in (("ИНН", "inn"), ("КПП", "kpp")):
            if party.get(key):
                el(row, name, party[key])
        el(row, "Роль", "Покупатель")

    def _line(self, row: ET.Element, line: Mapping[str, Any]) -> None:
        el(row, "Ид", f"{line['product']}#{line['characteristic']}" if line["characteristic"] else line["product"])
        if line["sku"]:
            el(row, "Артикул", line["sku"])
        el(row, "Наименование", line["name"])
        el(row, "БазоваяЕдиница", Код=f"{line['unit']:<4}", НаименованиеПолное="Штука", МеждународноеСокращение="PCE")
        rate = el(el(row, "СтавкиНалогов"), "СтавкаНалога")
        el(rate, "Наименование", "НДС")
        el(rate, "Ставка", line["vat"] or "Без НДС")
        requisites(row, {"ТипНоменклатуры": line["kind"]})
        el(row, "ЦенаЗаЕдиницу", line["price"])
        el(row, "Количество", line["qty"])
        el(row, "Сумма", line["sum"])
        if line["vat"].isdecimal() and int(line["vat"]):
            tax = el(el(row, "Налоги"), "Налог")
            el(tax, "Наименование", "НДС")
            el(tax, "УчтеноВСумме", "true")
            share = Decimal(line["sum"]) * int(line["vat"]) / (100 + int(line["vat"]))
            el(tax, "Сумма", amount_text(share.quantize(Decimal("0.01"))))
            el(tax, "Ставка", line["vat"])

    def _facts(self, order: Mapping[str, Any], total: Decimal) -> dict[str, str]:
        """The requisites of an order; what is not filled is left out."""
        facts = {
            "Номер по 1С": order["number"],
            "Дата по 1С": order["date"],
            "ПометкаУдаления": _bool(order["deleted"]),
            "Проведен": _bool(order["posted"]),
        }
        for kind, word in (("payments", "оплаты"), ("shipments", "отгрузки")):
            documents = [one for one in order[kind] if one["posted"]]
            done = self.base.settled(order, kind) >= total
            if self.dialect.legacy and not (order["posted"] and done):
                continue
            # УТ counts an order of sum 0 as settled too, with nothing to date it by but itself.
            last = documents[-1] if documents else order
            if documents or self.dialect.legacy:
                facts[f"Номер {word} по 1С"] = last["number"]
                facts[f"Дата {word} по 1С"] = last["date"]
        if not self.dialect.legacy:
            facts["Оплачен"] = _bool(bool(order["payments"]) and self.base.settled(order, "payments") >= total)
            facts["Отгружен"] = _bool(bool(order["shipments"]) and self.base.settled(order, "shipments") >= total)
            facts["Отменен"] = _bool(order["cancelled"])
            # both are the site's own words, of the first row of the node's table with this state; without a row none is said
            row = next((site for site, own in self.statuses.items() if own == order["status"]), "")
            facts["Статус заказа"] = self.base.state.get("site_dictionaries", {}).get("Статусы", {}).get(row, "")
            facts["Статуса заказа ИД"] = row
            facts["Вид заказа"] = "Заказ покупателя"
            for name in ("Метод оплаты", "Метод оплаты ИД"):
                facts[name] = order["requisites"].get(name, "")
        return facts

    def _subordinates(self, document: ET.Element, order: Mapping[str, Any]) -> None:
        rows = el(document, "ПодчиненныеДокументы")
        for one in (*order["payments"], *order["shipments"]):
            row = el(rows, "ПодчиненныйДокумент")
            date, _, time = one["date"].partition("T")
            amount = Decimal(one["amount"])
            self._head(row, one["guid"], one["number"], date, one["operation"], order["currency"], amount)
            el(row, "Время", time)
            requisites(
                row,
                {
                    "Номер по 1С": one["number"],
                    "Дата по 1С": one["date"],
                    "ПометкаУдаления": "false",
                    "Проведен": _bool(one["posted"]),
                },
            )

    # Common parts -----------------------------------------------------------------------------------------------

    def _root(self) -> ET.Element:
        return ET.Element(
            "КоммерческаяИнформация",
            {
                "xmlns": self.dialect.namespace,
                "xmlns:xs": "http://www.w3.org/2001/XMLSchema",
                "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
                "ВерсияСхемы": self.dialect.version,
                "ДатаФормирования": self.base.moment(),
            },
        )

    def _classifier(self, root: ET.Element, groups: bool) -> None:
        row = el(root, "Классификатор")
        el(row, "Ид", self.catalog)
        el(row, "Наименование", "Классификатор (Основной каталог товаров)")
        self._owner(row)
        if groups and self.base.state["groups"]:
            self._groups(row, "")

    def _groups(self, parent: ET.Element, guid: str) -> None:
        children = {key: one for key, one in self.base.state["groups"].items() if one["parent"] == guid}
        if not children:
            return
        rows = el(parent, "Группы")
        for key, one in children.items():
            row = el(rows, "Группа")
            el(row, "Ид", key)
            el(row, "Наименование", one["name"])
            self._groups(row, key)

    def _owner(self, parent: ET.Element) -> None:
        owner = self.base.state["owner"]
        row = el(parent, "Владелец")
        el(row, "Ид", self.base.guid("owner"))
        el(row, "Наименование", owner["name"])
        el(row, "ОфициальноеНаименование", owner["name"])
        el(row, "ИНН", owner["inn"])
        el(row, "КПП", owner["kpp"])

    def _bytes(self, root: ET.Element) -> bytes:
        ET.indent(root, "\t")
        body: bytes = b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "utf-8", xml_declaration=False)
        return BOM + body if self.dialect.bom else body


def requisites(parent: ET.Element, values: Mapping[str, str]) -> None:
    """ЗначенияРеквизитов of the filled values."""
    rows = el(parent, "ЗначенияРеквизитов")
    for name, value in values.items():
        if value:
            row = el(rows, "ЗначениеРеквизита")
            el(row, "Наименование", name)
            el(row, "Значение", value)


def _bool(value: bool) -> str:
    return "true" if value else "false"
