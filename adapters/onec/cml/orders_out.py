"""Orders → the CommerceML document that answers `sale&mode=query`.

The document is written without a namespace: 1C then reads it untyped, as it reads the answers of every stock shop module.
What is in it, and what is left out, follows what the loaders of УТ 11.5 and УНФ 3.0 do with each element:

* one transaction per answer: a wrong ХозОперация or an empty Валюта drops the rest of the batch, so `validate_order` takes
  such orders out before;
* an empty element is read as an object where 1C expects a string: elements without a value are not written;
* a line without VAT inherits the rate of the line before it: every line states its own;
* a discount row with УчтеноВСумме breaks УТ's loader, one without it is only information: the line's Сумма is the final one;
* a "#" in a line's name begins a characteristic's name, so it goes as "№";
* Склады is left out: half of it rolls the whole batch back.

The native shape of an order: number, date (ISO, UTC), currency, sum, comment, status (the id), status_text, paid,
cancelled, payment_method, client {name, official_name, inn, kpp, phone, email, address}, items [{id, sku, name, qty,
price, sum, discount, vat (percent or "Без НДС"), unit_code, service, tax, vat_included}], discounts [{name, sum}]. Sums
go to 1C with VAT in them: where a line says vat_included = false, its tax is added.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.base import Native, Offered, RecordRefused, SverkaError, Text
from adapters.onec.cml.orders_in import DEFAULT_ZONE
from adapters.onec.cml.prologue import ROOT

NUMBER_LENGTH = 11  # УТ looks an order up in a table of 11 characters
NAME_LENGTH = 250
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CLIENTS = uuid.UUID("6d2c3c52-58a1-4c0b-9b7c-3a51a2a3d0f4")  # the namespace of ids that the hub makes up
_UNITS = {"796": ("Штука", "PCE"), "166": ("Килограмм", "KGM"), "006": ("Метр", "MTR"), "112": ("Литр", "LTR")}


def write_orders(
    items: Sequence[Offered],
    version: str = "2.07",
    *,
    made: datetime | None = None,
    zone: ZoneInfo = DEFAULT_ZONE,
) -> bytes:
    """The document with these orders (all of them valid), or an empty document: never an empty body.

    UTF-8 with a declaration and without a byte order mark: 1C wants the answer to begin with `<?xml`.
    """
    root = etree.Element(ROOT, {"ВерсияСхемы": version})
    if made is not None:
        root.set("ДатаФормирования", made.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"))
    for item in items:
        _document(root, order_of(item), zone)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def order_of(item: Offered) -> Native:
    """The offered order with the number that the hub keeps for systems that allow 11 characters."""
    return {**item.data, "number": item.number or item.data.get("number")}


def validate_order(data: Native) -> SverkaError | None:
    """Why this order would break the batch in 1C; None when it is fine."""
    number = _text(data.get("number"))
    if not number or len(number) > NUMBER_LENGTH:
        return _refused(
            "number",
            f'the number "{number}" has {len(number)} characters; 1C takes 1 to {NUMBER_LENGTH}',
            f'номер "{number}": {len(number)} знаков, 1С принимает от 1 до {NUMBER_LENGTH}',
        )
    if not _text(data.get("currency")):
        return _refused(
            "currency",
            f"order {number} has no currency; 1C would drop it with every order behind it",
            f"у заказа {number} нет валюты: 1С отбросит его и все следующие заказы пачки",
        )
    if _moment(data.get("date")) is None:
        return _refused(
            "date",
            f"order {number} has no valid date: expected ISO text with a zone, 2024-05-06T07:00:00Z",
            f"у заказа {number} нет верной даты: ожидается время с зоной, 2024-05-06T07:00:00Z",
        )
    client = data.get("client") or {}
    if not isinstance(client, dict) or not (_text(client.get("name")) or _text(client.get("official_name"))):
        return _refused(
            "client.name",
            f"order {number} names no client; 1C cannot make a counterparty (Контрагент) without a name",
            f"в заказе {number} не назван клиент: без имени 1С не создаст контрагента",
        )
    return _validate_lines(number, data)


def _validate_lines(number: str, data: Native) -> SverkaError | None:
    lines = data.get("items") or []
    for position, line in enumerate(lines, 1):
        for field in ("qty", "price", "sum"):
            value = _number(line.get(field))
            if (value is None and (field == "qty" or line.get(field) is not None)) or (value or 0) < 0:
                return _refused(
                    f"items[{position - 1}].{field}",
                    f"order {number}, line {position}: {field} is not a number of 0 or more",
                    f"заказ {number}, строка {position}: {field} не является числом от 0",
                )
        if _number(line.get("qty")) and not _name_of(line):
            return _refused(
                f"items[{position - 1}].name",
                f"order {number}, line {position}: the goods have no name; where 1C does not know them it would undo the "
                "whole batch",
                f"заказ {number}, строка {position}: у товара нет названия; не найдя его у себя, 1С отменила бы всю пачку",
            )
    if not any(_number(line.get("qty")) for line in lines):
        return _refused(
            "items",
            f"order {number} has no lines with a quantity",
            f"в заказе {number} нет строк с количеством",
        )
    for name in ("sum", "discounts"):
        values = [data.get("sum")] if name == "sum" else [d.get("sum") for d in data.get("discounts") or []]
        if any(value is not None and _number(value) is None for value in values):
            return _refused(
                name,
                f"order {number}: {name} is not a number",
                f"заказ {number}: {name} не является числом",
            )
    return None


def dropped_lines(data: Native) -> list[str]:
    """Names of lines with quantity 0: 1C drops them in silence, so they are not sent and are named in the comment."""
    return [
        _text(line.get("name")) or _text(line.get("sku")) or "?"
        for line in data.get("items") or []
        if not _number(line.get("qty"))
    ]


def _document(root: etree._Element, data: Native, zone: ZoneInfo) -> None:
    moment = _moment(data["date"])
    assert moment is not None  # validated
    local = moment.astimezone(zone)
    document = etree.SubElement(root, "Документ")
    _put(document, "Ид", data["number"])
    _put(document, "Номер", data["number"])
    _put(document, "Дата", local.strftime("%Y-%m-%d"))
    _put(document, "ХозОперация", "Заказ товара")
    _put(document, "Роль", "Продавец")
    _put(document, "Валюта", data["currency"])
    _put(document, "Курс", "1")
    _put(document, "Сумма", _digits(_number(data.get("sum")) or _total(data)))
    _client(etree.SubElement(document, "Контрагенты"), data["client"])
    _put(document, "Время", local.strftime("%H:%M:%S"))
    _put(document, "Комментарий", _comment(data))
    tax = etree.SubElement(etree.SubElement(document, "Налоги"), "Налог")
    _put(tax, "Наименование", "НДС")
    _put(tax, "УчтеноВСумме", "true")
    if discount := _sum_of(data.get("discounts") or []):
        row = etree.SubElement(etree.SubElement(document, "Скидки"), "Скидка")
        _put(row, "Наименование", "Скидка на заказ")
        _put(row, "Сумма", _digits(discount))
        _put(row, "УчтеноВСумме", "false")  # 1C spreads it over the lines
    goods = etree.SubElement(document, "Товары")
    for line in data["items"]:
        if _number(line.get("qty")):
            _line(goods, line)
    _requisites(document, _order_requisites(data))


def _order_requisites(data: Native) -> dict[str, Any]:
    flags = {True: "true", False: "false"}
    return {
        "Статуса заказа ИД": data.get("status"),  # (sic) УНФ reads this name first
        "Статус заказа": data.get("status_text") or data.get("status"),
        "Заказ оплачен": flags.get(data.get("paid")),  # type: ignore[arg-type]
        "Отменен": flags.get(data.get("cancelled")),  # type: ignore[arg-type]
        "Метод оплаты": data.get("payment_method"),
        "Комментарии покупателя": data.get("comment"),
    }


def _client(parent: etree._Element, client: Native) -> None:
    """Exactly one of ОфициальноеНаименование (a company) and ПолноеНаименование (a person): УТ mixes them up otherwise."""
    element = etree.SubElement(parent, "Контрагент")
    name = _text(client.get("name")) or _text(client.get("official_name"))
    official = _text(client.get("official_name"))
    inn, kpp = _text(client.get("inn")), _text(client.get("kpp"))
    who = f"{inn}/{kpp}" if inn else "/".join(_text(client.get(k)) for k in ("name", "official_name", "phone", "email"))
    _put(element, "Ид", str(uuid.uuid5(_CLIENTS, who)))
    _put(element, "Наименование", name[:NAME_LENGTH])
    _put(element, "ОфициальноеНаименование" if official else "ПолноеНаименование", official or name)
    _put(element, "ИНН", inn)
    _put(element, "КПП", kpp if official else "")
    if address := _text(client.get("address")):
        _put(etree.SubElement(element, "Адрес"), "Представление", address)
    contacts = [("Телефон рабочий", _text(client.get("phone"))), ("Почта", _text(client.get("email")))]
    if any(value for _, value in contacts):
        box = etree.SubElement(element, "Контакты")
        for kind, value in contacts:
            if value:
                contact = etree.SubElement(box, "Контакт")
                _put(contact, "Тип", kind)
                _put(contact, "Значение", value)
    _put(element, "Роль", "Покупатель")


def _line(goods: etree._Element, line: Native) -> None:
    element = etree.SubElement(goods, "Товар")
    qty = _number(line["qty"]) or Decimal(0)
    total = _line_sum(line)
    price = _number(line.get("price"))
    if line.get("vat_included") is False:
        price = None  # the stated one is without VAT
    # An <Ид> that 1C does not know makes it look by the article, then by the name and kind; what it has to create then gets
    # just this id (read in УТ 11.5). So one made of the goods' own words, the same each time, never makes an item twice,
    # whatever 1C's people call it later. Without any the item would be looked for by its words alone.
    words = "/".join(("line", _text(line.get("sku")), _text(line.get("name"))))
    _put(element, "Ид", _text(line.get("id")) or str(uuid.uuid5(_CLIENTS, words)))
    _put(element, "Артикул", line.get("sku"))
    # what follows a "#" is the name of a characteristic to УТ: it would look for one, and create it
    _put(element, "Наименование", _name_of(line).replace("#", "№")[:NAME_LENGTH])
    code = _text(line.get("unit_code")) or "796"
    full, short = _UNITS.get(code, ("", ""))
    unit = etree.SubElement(element, "БазоваяЕдиница", {"Код": code})
    if full:
        unit.set("НаименованиеПолное", full)
        unit.set("МеждународноеСокращение", short)
        unit.text = "шт" if code == "796" else full
    rate = _rate(line.get("vat"))
    tax = etree.SubElement(etree.SubElement(element, "СтавкиНалогов"), "СтавкаНалога")
    _put(tax, "Наименование", "НДС")
    _put(tax, "Ставка", rate)
    _requisites(element, {"ВидНоменклатуры": _kind(line), "ТипНоменклатуры": _kind(line)})
    _put(element, "ЦенаЗаЕдиницу", _digits(price if price is not None else total / qty))
    _put(element, "Количество", _digits(qty))
    _put(element, "Сумма", _digits(total))
    tax = etree.SubElement(etree.SubElement(element, "Налоги"), "Налог")
    _put(tax, "Наименование", "НДС")
    _put(tax, "УчтеноВСумме", "true")
    _put(tax, "Ставка", rate)
    if discount := _number(line.get("discount")):
        row = etree.SubElement(etree.SubElement(element, "Скидки"), "Скидка")
        _put(row, "Наименование", "Скидка на товар")
        _put(row, "Сумма", _digits(discount))


def _name_of(line: Native) -> str:
    """What 1C calls goods that it has to make: it makes none without a name. Those that are matched have their article."""
    return _text(line.get("name")) or (_text(line.get("sku")) if _text(line.get("id")) else "")


def _kind(line: Native) -> str:
    return "Услуга" if line.get("service") else "Товар"


def _rate(value: Any) -> str:
    """The rate as УТ's table of rates has it: `20` or `Без НДС`."""
    number = _number(_text(value).rstrip("% "))
    return "Без НДС" if number is None else _digits(number)


def _requisites(parent: etree._Element, values: dict[str, Any]) -> None:
    filled = {name: text for name, value in values.items() if (text := _text(value))}
    if not filled:
        return
    box = etree.SubElement(parent, "ЗначенияРеквизитов")
    for name, value in filled.items():
        row = etree.SubElement(box, "ЗначениеРеквизита")
        _put(row, "Наименование", name)
        _put(row, "Значение", value)


def _comment(data: Native) -> str:
    """The client's words, and what 1C's user should know about the numbers."""
    notes = [_text(data.get("comment"))]
    if dropped := dropped_lines(data):
        notes.append("Не переданы строки с нулевым количеством: " + "; ".join(dropped))
    stated = _number(data.get("sum"))
    if stated is not None and stated != _total(data):
        notes.append(f"Сумма заказа {_digits(stated)}, по строкам {_digits(_total(data))}")
    return "\n".join(note for note in notes if note)[:3000]


def _line_sum(line: Native) -> Decimal:
    """The line's final sum with VAT in it."""
    total = _number(line.get("sum"))
    if total is None:
        total = (_number(line.get("price")) or Decimal(0)) * (_number(line.get("qty")) or Decimal(0))
        total -= _number(line.get("discount")) or Decimal(0)
    if line.get("vat_included") is False:
        tax = _number(line.get("tax"))
        rate = _number(_text(line.get("vat")).rstrip("% ")) or Decimal(0)
        total += total * rate / 100 if tax is None else tax
    return total.quantize(Decimal("0.01"))


def _total(data: Native) -> Decimal:
    return sum((_line_sum(line) for line in data["items"]), Decimal(0)) - _sum_of(data.get("discounts") or [])


def _sum_of(rows: Sequence[Native]) -> Decimal:
    return sum((abs(_number(row.get("sum")) or Decimal(0)) for row in rows), Decimal(0))


def _put(parent: etree._Element, tag: str, value: Any) -> None:
    """A child with this text; nothing at all when it is empty."""
    if filled := _text(value):
        etree.SubElement(parent, tag).text = filled


def _text(value: Any) -> str:
    """Trimmed text without the characters that XML 1.0 forbids."""
    return "" if value is None else _NOT_XML.sub("", str(value)).strip()


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 13 else None


def _digits(value: Decimal) -> str:
    """Up to six decimals, no exponent, no superfluous zeros."""
    text = format(value.quantize(Decimal("0.000001")), "f")
    return text.rstrip("0").rstrip(".")


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and moment.year > 1900 else None


def _refused(field: str, en: str, ru: str) -> RecordRefused:
    return RecordRefused(
        Text(en, ru),
        code=f"onec.order_{field.split('[')[0].split('.')[0]}",
        field=field,
        remedy=Text(
            "mend the field in the order or its mapping and release it from quarantine",
            "исправьте поле в заказе или в сопоставлении и выпустите запись из карантина",
        ),
    )
