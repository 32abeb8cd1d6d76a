"""An order as 1C sends it back (orders-*.xml): what is paid, shipped and cancelled, and by which documents.

The record's id is the site's number (Номер): 1C's own GUID (Ид) is remembered as `id_1c`. 1C leaves unfilled requisites
out, so an absent key means unknown, never false. УНФ says "Оплачен", "Отгружен", "Отменен"; УТ says none of them: there
paid and shipped follow from "Дата оплаты по 1С" and "Дата отгрузки по 1С", and a cancellation from the deletion mark or
from an order without lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.base import Native, Record, RecordRefused, Text
from adapters.onec.cml.tree import NAMES, child, children, text

DEFAULT_ZONE = ZoneInfo("Europe/Moscow")
_NO_VAT = {"безндс", "необлагается", "ндснеоблагается"}
_PERCENT = re.compile(r"(?:НДС)?\s*(\d{1,2}(?:[.,]\d+)?)\s*%?", re.I)
_OPERATIONS = {  # ХозОперация without spaces → kind of document
    "выплатаналичныхденег": "payment",
    "выплатабезналичныхденег": "payment",
    "эквайринговаяоперация": "payment",
    "отпусктовара": "shipment",
    "возвратналичныхденег": "refund",
    "возвратбезналичныхденег": "refund",
    "возвраттовара": "return",
}
_LINE = {
    "Наименование": "name",
    "Артикул": "sku",
    "ЦенаЗаЕдиницу": "price",
    "Количество": "qty",
    "Сумма": "sum",
}
_HEAD = {
    "Ид": "id_1c",
    "Номер": "number",
    "Дата": "date",
    "Время": "time",
    "ХозОперация": "operation",
    "Валюта": "currency",
    "Сумма": "sum",
    "Комментарий": "comment",
}


def vat_of(data: Native, rate: str) -> None:
    """Put "vat": the percent as text, or None for "Без НДС". Another word is kept in "vat_text" and concluded nothing from.

    >>> row = {}; vat_of(row, "20%"); row
    {'vat': '20'}
    """
    if rate.replace(" ", "").lower() in _NO_VAT:
        data["vat"] = None
    elif match := _PERCENT.fullmatch(rate):
        data["vat"] = match.group(1).replace(",", ".")
    elif rate:
        data["vat_text"] = rate


def order_record(element: etree._Element, zone: ZoneInfo) -> Record:
    """One Документ. RecordRefused when it is no order or has no number."""
    data: Native = {}
    for part in element:
        if (key := _HEAD.get(NAMES[part.tag])) and (value := (part.text or "").strip()):
            data[key] = value
    operation = data.pop("operation", "Заказ товара")
    if _plain(operation) != "заказтовара":
        raise RecordRefused(
            Text(
                f'document {data.get("number", "")} is "{operation}", only "Заказ товара" is an order',
                f'документ {data.get("number", "")}: операция "{operation}", заказом считается только "Заказ товара"',
            ),
            code="cml.operation",
            field="ХозОперация",
        )
    if not data.get("number"):
        raise RecordRefused(
            Text(
                f"the order in line {element.sourceline} has no <Номер>, the number by which the hub knows it",
                f"у заказа в строке {element.sourceline} нет <Номер>: по нему узел узнаёт заказ",
            ),
            code="cml.no_number",
            field="Номер",
        )
    requisites = requisites_of(element)
    data["requisites"] = requisites
    if moment := to_utc(f"{data.get('date', '')}T{data.get('time', '00:00:00')}", zone):
        data["at"] = moment
    if (goods := child(element, "Товары")) is not None:
        data["lines"] = [_line(number, e) for number, e in enumerate(children(goods, "Товар"), 1)]
    elif _amount(data.get("sum")) == 0:
        data["lines"] = []  # the list itself is left out when no line is left
    if (client := child(element, "Контрагенты", "Контрагент")) is not None:
        data["counterparty"] = _counterparty(client)
    if "sum" in data and data.get("lines") != []:  # УТ leaves cancelled lines out: 0 is then no sum that was agreed
        data["amount"] = data["sum"]
    _facts(data, requisites, zone)
    if data.get("lines") == []:
        del data["lines"]
    data["documents"] = _documents(data, element, zone)
    return Record("order", data["number"], data, deleted=bool(data.get("deletion_mark")))


def requisites_of(element: etree._Element) -> dict[str, str]:
    """Named values as text; empty ones are left out, as 1C itself does."""
    found: dict[str, str] = {}
    for row in children(element, "ЗначенияРеквизитов", "ЗначениеРеквизита"):
        name, value = text(child(row, "Наименование")), text(child(row, "Значение"))
        if name and value:
            found[name] = value
    return found


def truth(value: str | None) -> bool | None:
    """1C's true/false as it stands in requisites; None for absent or unknown words."""
    return {"true": True, "да": True, "1": True, "false": False, "нет": False, "0": False}.get((value or "").lower())


def to_utc(value: str, zone: ZoneInfo) -> str:
    """1C's local time as ISO text in UTC; "" when it is not a time."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # 1C's empty date is year 1
        return ""


def _facts(data: Native, requisites: dict[str, str], zone: ZoneInfo) -> None:
    """paid, shipped, cancelled, posted, deletion_mark, number_1c, date_1c, status_1c and status (title and word of the
    order's state, from the node's table): each only when known."""
    known: Native = {
        "number_1c": requisites.get("Номер по 1С"),
        "date_1c": to_utc(requisites.get("Дата по 1С", ""), zone) or None,
        "status_1c": requisites.get("Статус заказа"),
        "status": requisites.get("Статуса заказа ИД") or requisites.get("Статус заказа ИД"),
        "posted": truth(requisites.get("Проведен")),
        "deletion_mark": truth(requisites.get("ПометкаУдаления")),
        "paid": truth(requisites.get("Оплачен") or requisites.get("Заказ оплачен")),
        "shipped": truth(requisites.get("Отгружен")),
        "cancelled": truth(requisites.get("Отменен")),
    }
    # In УТ an order of sum 0 counts as paid and shipped at once: that says nothing, so nothing is concluded from it.
    tells = _amount(data.get("sum")) != 0
    if known["paid"] is None and tells and requisites.get("Дата оплаты по 1С"):
        known["paid"] = True
    if known["shipped"] is None and tells and requisites.get("Дата отгрузки по 1С"):
        known["shipped"] = True
    if known["deletion_mark"] or (known["cancelled"] is None and data.get("lines") == []):
        known["cancelled"] = True
    data.update((key, value) for key, value in known.items() if value is not None)


def _documents(data: Native, element: etree._Element, zone: ZoneInfo) -> list[Native]:
    """Payments, shipments and what came back: as subordinate documents (schema 2.10), else from the requisites."""
    found = [_subordinate(e, data, zone) for e in children(element, "ПодчиненныеДокументы", "ПодчиненныйДокумент")]
    kinds = {row["kind"] for row in found}
    if "payment" not in kinds:
        found.extend(_inferred("payment", "оплаты", "paid", data, zone))
    if "shipment" not in kinds:
        found.extend(_inferred("shipment", "отгрузки", "shipped", data, zone))
    return found


def _inferred(kind: str, word: str, fact: str, data: Native, zone: ZoneInfo) -> Iterator[Native]:
    """The one document that "Номер/Дата … по 1С" stand for; its amount is known only when the whole order is done."""
    requisites = data["requisites"]
    number, date = requisites.get(f"Номер {word} по 1С", ""), requisites.get(f"Дата {word} по 1С", "")
    if not number and not date:
        return
    row: Native = {"key": f"{kind}:{number or date}", "kind": kind}
    if number:
        row["number"] = number
    if moment := to_utc(date, zone):
        row["date"] = moment
    if data.get(fact) and "sum" in data:
        row["amount"] = data["sum"]
        if "currency" in data:
            row["currency"] = data["currency"]
    if "posted" in data:
        row["posted"] = data["posted"]
    yield row


def _subordinate(element: etree._Element, order: Native, zone: ZoneInfo) -> Native:
    """A payment entered in 1C has no site number: it is known by its Ид."""
    requisites = requisites_of(element)
    operation = text(child(element, "ХозОперация"))
    kind = _OPERATIONS.get(_plain(operation), "other")
    word = "отгрузки" if kind == "shipment" else "оплаты"
    number = requisites.get(f"Номер {word} по 1С") or requisites.get("Номер по 1С") or text(child(element, "Номер"))
    date, time = text(child(element, "Дата")), text(child(element, "Время")) or "00:00:00"
    stated = requisites.get(f"Дата {word} по 1С") or requisites.get("Дата по 1С", "")
    moment = to_utc(stated, zone) or to_utc(f"{date}T{time}", zone)
    row: Native = {"key": f"{kind}:{text(child(element, 'Ид')) or number}", "kind": kind, "operation": operation}
    amount = text(child(element, "Сумма"))
    known = {
        "number": number,
        "date": moment,
        "amount": amount,
        "currency": (text(child(element, "Валюта")) or order.get("currency", "")) if amount else "",
    }
    row.update((key, value) for key, value in known.items() if value)
    for key, name in (("posted", "Проведен"), ("reversed", "ПометкаУдаления")):
        if (value := truth(requisites.get(name))) is not None:
            row[key] = value
    return row


def _line(number: int, element: etree._Element) -> Native:
    row: Native = {"key": str(number)}
    for part in element:
        name = NAMES[part.tag]
        if (key := _LINE.get(name)) and (value := (part.text or "").strip()):
            row[key] = value
        elif name == "Ид" and (value := text(part)):
            row["product"] = value
        elif name == "БазоваяЕдиница" and (code := part.get("Код", "").strip()):
            row["unit_code"] = code
        elif name in ("Налоги", "СтавкиНалогов"):
            for tax in part:
                _tax(row, tax)
        elif name == "Скидки":
            amounts = [_amount(text(child(e, "Сумма"))) for e in part]
            row["discount"] = str(sum((a for a in amounts if a is not None), Decimal(0)))
    if requisites_of(element).get("ТипНоменклатуры", "").lower() == "услуга":
        row["service"] = True
    return row


def _tax(row: Native, tax: etree._Element) -> None:
    """The line's rate, and (under Налоги) its VAT and whether Сумма holds it."""
    vat_of(row, text(child(tax, "Ставка")))
    if (included := truth(text(child(tax, "УчтеноВСумме")))) is not None:
        row["vat_included"] = included
    if amount := text(child(tax, "Сумма")):
        row["tax"] = amount


def _counterparty(element: etree._Element) -> Native:
    known = {
        "Ид": "id",
        "Наименование": "name",
        "ОфициальноеНаименование": "official_name",
        "ПолноеНаименование": "full_name",
        "ИНН": "inn",
        "КПП": "kpp",
    }
    row: Native = {
        key: value for e in element if (key := known.get(NAMES[e.tag])) and (value := (e.text or "").strip())
    }
    if address := text(child(element, "Адрес", "Представление")):
        row["address"] = address
    for contact in children(element, "Контакты", "Контакт"):
        kind, value = text(child(contact, "Тип")).lower(), text(child(contact, "Значение"))
        if value and ("телефон" in kind or "phone" in kind):
            row.setdefault("phones", []).append(value)
        elif value and "@" in value:
            row.setdefault("emails", []).append(value)
    return row


def _amount(value: str | None) -> Decimal | None:
    try:
        return Decimal((value or "").replace("\u00a0", "").replace(" ", "").replace(",", "."))
    except InvalidOperation:
        return None


def _plain(words: str) -> str:
    return "".join(words.lower().split())
