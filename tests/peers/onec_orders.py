"""How 1C loads the site's orders: one transaction over the whole answer, with its ways to lose them.

Two failures must be told apart. A wrong ХозОперация or an empty Валюта ends the loader with False and the transaction is
committed: what came before stays, what comes after is lost. An exception rolls the whole answer back.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.peers.onec_base import OneCBase, amount_text

NUMBER_LENGTH = 11  # УТ declares the property "Номер заказа на сайте" as a string of 11 characters


class LoadFailed(Exception):
    """The load ended without `success`. `rolled_back` says whether the orders before the poison one were kept."""

    def __init__(self, reason: str, rolled_back: bool) -> None:
        super().__init__(reason)
        self.rolled_back = rolled_back


class _Return(Exception):
    """The loader returns False: not an error of the transaction."""


class _Throw(Exception):
    """1C's code throws: the transaction is rolled back."""


@dataclass
class LoadRules:
    """The node's settings and what the configuration makes of statuses."""

    legacy: bool  # УТ
    match: str = "name"  # counterparties by "name" (exact Наименование) or "inn" (ИНН + КПП)
    statuses: Mapping[str, str] = field(default_factory=dict)  # the site's status (or its id) -> 1C's
    default_status: str = "НеСогласован"
    cut_number: bool = True


class OrderLoader:
    """Loads one answer to `mode=query`. `load` gives the GUIDs of the orders made or changed."""

    def __init__(self, base: OneCBase, rules: LoadRules, log: list[str]) -> None:
        self.base = base
        self.rules = rules
        self.log = log

    def load(self, text: str) -> list[str]:
        """LoadFailed as the module docstring says; the base is then as 1C leaves it."""
        try:
            root = ET.fromstring(text.encode(), parser=ET.XMLParser(encoding="utf-8"))
        except ET.ParseError as error:
            raise LoadFailed(f"Не удалось прочитать данные, загруженные с сервера: {error}", True) from error
        if _name(root) != "КоммерческаяИнформация":
            raise LoadFailed(f"Неверный формат загружаемых данных: корень {_name(root)}", True)
        before = copy.deepcopy(self.base.state)
        loaded: list[str] = []
        try:
            for document in _all(root, "Документ"):
                guid = self._document(document)
                if guid:
                    loaded.append(guid)
        except _Return as stop:
            self.log.append(f"Загрузка прервана, загружено заказов: {len(loaded)}")
            raise LoadFailed(str(stop), False) from stop
        except _Throw as error:
            self.base.restore(before)
            raise LoadFailed(str(error), True) from error
        return loaded

    def _document(self, document: ET.Element) -> str:
        number = _text(document, "Номер").strip()
        operation = _text(document, "ХозОперация")
        if operation != "Заказ товара":
            raise _Return(f"Заказ {number}: неизвестная хозяйственная операция '{operation}'")
        currency = _text(document, "Валюта").strip()
        if not currency:
            raise _Return(f"Заказ {number}: не указана валюта")
        if not number:
            raise _Throw("Поле объекта не обнаружено (Номер)")
        existing = self._find(number)
        if existing and self._closed(existing):
            self.log.append(f"Заказ {number} не обновлен: Статус заказа - Закрыт")
            return ""
        fields: dict[str, Any] = {
            "site_number": number[:NUMBER_LENGTH] if self.rules.cut_number else number,
            "site_date": _site_date(document),
            "currency": currency,
            "counterparty": self._counterparty(document),
            "lines": self._lines(document),
            "warehouses": _warehouses(document),
            "comment": _text(document, "Комментарий"),
            "requisites": _requisites(document),
        }
        order = existing or self.base.new_order()
        order.update(fields)
        self._status(order)
        self.base.register("orders", order["guid"])
        self.log.append(f"Заказ {number}: {'обновлен' if existing else 'создан'}, номер по 1С {order['number']}")
        return str(order["guid"])

    def _find(self, number: str) -> dict[str, Any] | None:
        """By number only: the date takes no part. A number over 11 characters is stored cut, so it never finds itself."""
        for order in self.base.state["orders"]:
            if order["site_number"] == number:
                return order  # type: ignore[no-any-return]
        return None

    def _closed(self, order: Mapping[str, Any]) -> bool:
        if self.rules.legacy:
            return bool(order["status"] != "НеСогласован")
        return bool(order["status"] == "Завершен")

    def _status(self, order: dict[str, Any]) -> None:
        values = order["requisites"]
        word = values.get("Статус заказа", "")
        if not self.rules.legacy:
            word = values.get("Статуса заказа ИД") or word
        if word in self.rules.statuses:
            order["status"] = self.rules.statuses[word]
        elif self.rules.legacy or not order["status"]:
            order["status"] = self.rules.default_status
        if values.get("Отменен", "").strip().lower() == "true":
            order.update(cancelled=True, cancel_reason="Отменен на сайте")
            for line in order["lines"]:
                line["cancelled"] = True
        else:
            order.update(cancelled=False, cancel_reason="")

    # Counterparties ---------------------------------------------------------------------------------------------

    def _counterparty(self, document: ET.Element) -> str:
        rows = _child(document, "Контрагенты")
        row = _child(rows, "Контрагент") if rows is not None else None
        if row is None:
            raise _Throw("Поле объекта не обнаружено (Контрагент)")
        name = _text(row, "Наименование").strip()
        if not name:
            raise _Throw("Контрагент: не заполнено Наименование")
        inn, kpp = _text(row, "ИНН").strip(), _text(row, "КПП").strip()
        for guid, one in self.base.state["counterparties"].items():
            by_inn = self.rules.match == "inn" and inn
            if (one["inn"], one["kpp"]) == (inn, kpp) if by_inn else one["name"] == name:
                return str(guid)
        legal = _child(row, "ОфициальноеНаименование") is not None
        person = _child(row, "ПолноеНаименование") is not None
        guid = self.base.guid()
        self.base.state["counterparties"][guid] = {
            "name": name,
            "kind": "legal" if legal else "person",
            "full_name": _text(row, "ОфициальноеНаименование" if legal else "ПолноеНаименование"),
            # The contact code asks in another order: with both names it files the contacts as a person's.
            "contacts_of": "person" if person or not legal else "legal",
            "inn": inn,
            "kpp": kpp,
            "address": _address(row),
            "contacts": [[_text(one, "Тип"), _text(one, "Значение")] for one in _list(row, "Контакты", "Контакт")],
            "representatives": [
                _text(one, "Наименование")
                for representative in _list(row, "Представители", "Представитель")
                for one in representative
            ],
        }
        return guid

    # Lines ------------------------------------------------------------------------------------------------------

    def _lines(self, document: ET.Element) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        vat = ""
        for row in _list(document, "Товары", "Товар"):
            vat = _vat(row) or vat  # a line without its own rate takes the previous line's
            quantity = _number(row, "Количество")
            if quantity == 0:
                continue
            product, characteristic = self._product(row)
            unit = _child(row, "БазоваяЕдиница")
            lines.append(
                {
                    "product": product,
                    "characteristic": characteristic,
                    "sku": _text(row, "Артикул"),
                    "name": _text(row, "Наименование"),
                    "qty": amount_text(quantity),
                    "price": amount_text(_number(row, "ЦенаЗаЕдиницу")),
                    "sum": amount_text(_number(row, "Сумма")),
                    "discount": amount_text(
                        sum((_number(one, "Сумма") for one in _list(row, "Скидки", "Скидка")), Decimal(0))
                    ),
                    "vat": vat,
                    "unit": (unit.get("Код", "796") if unit is not None else "796").strip(),
                    "kind": _requisites(row).get("ТипНоменклатуры", "Товар"),
                    "cancelled": False,
                }
            )
        return lines

    def _product(self, row: ET.Element) -> tuple[str, str]:
        """By GUID, else by article, else by name, else a new item: the hub is judged by never causing the last."""
        guid, _, characteristic = _text(row, "Ид").strip().partition("#")
        products = self.base.state["products"]
        if guid in products:
            return guid, characteristic if characteristic in products[guid]["characteristics"] else ""
        for field_, key in (("Артикул", "sku"), ("Наименование", "name")):
            value = _text(row, field_).strip()
            found = [one for one, product in products.items() if value and product[key] == value]
            if found:
                return str(found[0]), ""
        name = _text(row, "Наименование").strip()
        if not name:
            raise _Throw("Номенклатура: не заполнено Наименование")
        kind = _requisites(row).get("ТипНоменклатуры", "Товар")
        self.log.append(f"Создана номенклатура {name}")
        own = guid if _is_guid(guid) else ""  # a new item takes the id that it was asked for by
        return self.base.add_product(name, _text(row, "Артикул"), kind=kind, vat=_vat(row) or "20", guid=own), ""


def _is_guid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def _name(node: ET.Element) -> str:
    """The local name: the site's answer may carry any namespace or none."""
    return node.tag.rpartition("}")[2]


def _all(node: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in node if _name(child) == name]


def _child(node: ET.Element, name: str) -> ET.Element | None:
    return next(iter(_all(node, name)), None)


def _list(node: ET.Element, group: str, item: str) -> list[ET.Element]:
    rows = _child(node, group)
    return [] if rows is None else _all(rows, item)


def _text(node: ET.Element, name: str) -> str:
    child = _child(node, name)
    return "" if child is None else child.text or ""


def _number(node: ET.Element, name: str) -> Decimal:
    text = _text(node, name).strip()
    if not text:
        return Decimal(0)
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise _Throw(f"Преобразование значения к типу Число не может быть выполнено ({name} = {text})") from error
    if not value.is_finite():
        raise _Throw(f"Преобразование значения к типу Число не может быть выполнено ({name} = {text})")
    return value


def _vat(row: ET.Element) -> str:
    for group, item in (("СтавкиНалогов", "СтавкаНалога"), ("Налоги", "Налог")):
        for one in _list(row, group, item):
            if _text(one, "Ставка").strip():
                return _text(one, "Ставка").strip().removesuffix("%")
    return ""


def _requisites(node: ET.Element) -> dict[str, str]:
    rows = _list(node, "ЗначенияРеквизитов", "ЗначениеРеквизита")
    return {_text(one, "Наименование"): _text(one, "Значение") for one in rows}


def _site_date(document: ET.Element) -> str:
    """ "" where the site gave no date: such an order loads but is never sent back."""
    date, time = _text(document, "Дата").strip(), _text(document, "Время").strip()
    if not date:
        return ""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date) or not re.fullmatch(r"(\d\d:\d\d:\d\d)?", time):
        raise _Throw(f"Преобразование значения к типу Дата не может быть выполнено ({date} {time})")
    return f"{date}T{time or '00:00:00'}"


def _address(row: ET.Element) -> str:
    for name in ("Адрес", "ЮридическийАдрес", "АдресРегистрации"):
        address = _child(row, name)
        if address is not None:
            return _text(address, "Представление")
    return ""


def _warehouses(document: ET.Element) -> list[str]:
    """Read without checks in 1C: a Склад that is not whole throws."""
    found = []
    for row in _list(document, "Склады", "Склад"):
        for missing, whole in (
            ("Ид", _text(row, "Ид")),
            ("АдресноеПоле", _list(row, "Адрес", "АдресноеПоле")),
            ("Контакт", _list(row, "Контакты", "Контакт")),
        ):
            if not whole:
                raise _Throw(f"Поле объекта не обнаружено ({missing})")
        found.append(_text(row, "Ид"))
    return found
