"""1C's objects as native records, in the words that the CommerceML readers use too, so that the mappings look alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.base import Native, Record
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import DELIVERY, EMPTY, item_of, rate_of, text_of
from adapters.onec.odata.stage import Stage, unmarked
from adapters.onec.odata.sums import UNTOLD, ZERO, Sums, covered, number, registered
from adapters.onec.odata.words import Words

NO_DATE = "0001-01-01T00:00:00"
_CLOSED = {"Закрыт"}
_PAID = {"оплачен": True, "оплаченчастично": False, "неоплачен": False}
_SHIPPED = {"отгружен": True, "отгруженчастично": False, "неотгружен": False}


def product(row: Native) -> Record:
    """Номенклатура. Its full description stays unread: it may be a megabyte."""
    data: Native = {
        "name": row.get("Description"),
        "full_name": row.get("НаименованиеПолное"),
        "sku": row.get("Артикул"),
        "code": row.get("Code"),
        "unit": _unit(row.get("ЕдиницаИзмерения")),
        "groups": [row["Parent_Key"]] if row.get("Parent_Key", EMPTY) != EMPTY else [],
    }
    return Record("product", str(row["Ref_Key"]), _filled(data), _version(row), bool(row.get("DeletionMark")))


def named(kind: str, row: Native) -> Record:
    """Вид цены, Склад, group of goods."""
    data: Native = {"name": row.get("Description"), "code": row.get("Code")}
    if row.get("Parent_Key", EMPTY) != EMPTY:
        data["parent"] = row["Parent_Key"]
    return Record(kind, str(row["Ref_Key"]), _filled(data), _version(row), bool(row.get("DeletionMark")))


def offers(prices: list[Native], stocks: list[Native], currencies: Mapping[str, str], names: Names) -> list[Record]:
    """Prices (the last of each type) and stock by warehouse, a record for each product or characteristic (GUID#GUID)."""
    found: dict[str, Native] = {}
    for row in prices:
        if row.get("Актуальность") is False:  # УНФ: a price that has been taken back
            continue
        one = found.setdefault(goods_id(row), {"prices": {}, "stocks": {}})
        kind = str(row.get(f"{names.price_type}_Key"))
        one["prices"][kind] = {
            "type": kind,
            "value": row.get("Цена"),
            "currency": currencies.get(str(row.get(f"{names.price_currency}_Key")), ""),
        }
    for row in stocks:
        one = found.setdefault(goods_id(row), {"prices": {}, "stocks": {}})
        place = str(row.get(f"{names.stock_place}_Key"))
        before = one["stocks"].get(place, {"qty": Decimal(0)})["qty"]
        one["stocks"][place] = {"warehouse": place, "qty": before + (row.get(f"{names.stock_amount}Balance") or 0)}
    return [
        Record(
            "offer",
            id,
            {
                "product": id,
                "prices": [one["prices"][k] for k in sorted(one["prices"])],
                "stocks": [one["stocks"][k] for k in sorted(one["stocks"])],
            },
        )
        for id, one in sorted(found.items())
    ]


def goods_id(row: Native) -> str:
    """The id under which CommerceML knows the goods too: GUID, or GUID#GUID with a characteristic."""
    goods, variant = item_of(row), str(row.get("Характеристика_Key") or EMPTY)
    return goods if variant == EMPTY else f"{goods}#{variant}"


class Orders:
    """Orders with what stands around them: client, currency, goods by name, attributes, computed state."""

    def __init__(self, names: Names, zone: ZoneInfo, stage: Stage, site_number: str) -> None:
        """Two additional attributes are known: the one of the stage, and `site_number`."""
        self._names, self._zone, self._stage, self._site_number = names, zone, stage, site_number

    def record(
        self,
        row: Native,
        goods: Mapping[str, Native],
        words: Words,
        state: Native | None,
        deal: Native | None,
        sums: Sums,
        *,
        unsaid: bool,
    ) -> Record:
        """One document; `state` is its row in the register of states, `deal` its Сделка, `sums` what was paid and shipped,
        `unsaid`: that it was lost without a reason is known, and no reason there says nothing."""
        extra = {
            words.properties[key]: attribute.get("Значение") or attribute.get("ТекстоваяСтрока")
            for attribute in row.get("ДополнительныеРеквизиты") or []
            if (key := str(attribute.get("Свойство_Key"))) in words.properties
        }
        state_word = words.states.get(str(row.get("СостояниеЗаказа")), "")
        moment = local(row.get("Date"), self._zone)
        lines = self._lines(row, goods, words.rates)
        currency = words.currencies.get(str(row.get(f"{self._names.currency}_Key")), "")
        data: Native = {
            "number": extra.get(self._site_number) or row.get(self._names.site_number) or "",
            "id_1c": row["Ref_Key"],
            "number_1c": str(row.get("Number", "")).strip(),
            "date_1c": moment,
            "sum": row.get("СуммаДокумента"),
            "currency": currency,
            "posted": row.get("Posted"),
            "deletion_mark": row.get("DeletionMark"),
            "comment": unmarked(row.get("Комментарий")),
            "counterparty": party(row.get("Контрагент") or {}, row.get("Партнер") or {}),
            "lines": lines or None,  # all of them cancelled: nothing is said of what was ordered
            "amount": row.get("СуммаДокумента") if lines else None,
            **self._facts(row, state, state_word, sums, currency),
        }
        if deal is not None:
            data["deal_status"] = deal.get("Статус")
        shown = {"crm_status": self._stage.shown(row, extra, state_word)}  # empty is said, too
        reason = (words.reasons or {}).get(reason_of(deal), "")
        if words.reasons is not None and (reason or not unsaid):
            shown["loss_reason"] = reason
        return Record("order", str(row["Ref_Key"]), _filled(data) | shown, _version(row), bool(row.get("DeletionMark")))

    def _lines(self, row: Native, goods: Mapping[str, Native], rates: Mapping[str, Any]) -> list[Native]:
        part = self._names.part
        found = [self._line(key, row, one, goods.get(item_of(one), {}), rates) for key, one in part.lines(row)]
        delivery = number(row, part.delivery) if part.delivery else ZERO
        if delivery:
            tax = number(row, part.delivery_tax)
            whole = delivery if row.get(part.included) else delivery + tax
            said = {"key": DELIVERY, "name": "Доставка", "qty": Decimal(1), "price": delivery}
            found.append({**said, "sum": whole, "tax": tax, "vat_included": True})
        return found

    def _line(self, key: str, row: Native, one: Native, known: Native, rates: Mapping[str, Any]) -> Native:
        """`sum` is with VAT where the base says how much that is, else Сумма as it stands."""
        part = self._names.part
        whole = part.total(one, row)
        included = True if whole is not None else row.get(part.included)
        unit, units, qty = known.get("ЕдиницаИзмерения"), part.units(one), number(one, "Количество")
        price = number(one, "Цена") * units / qty if qty and units != qty else one.get("Цена")
        line = _filled(
            {
                "key": key,
                "product": goods_id(one) if item_of(one) != EMPTY else None,
                "name": known.get("Description") or text_of(one),
                "sku": known.get("Артикул"),
                "qty": one.get("Количество"),
                "unit_code": str(unit.get("Code") or "").strip() if isinstance(unit, dict) else None,
                "price": price,
                "sum": one.get("Сумма") if whole is None else whole,
                "tax": one.get("СуммаНДС"),
                "vat_included": included if isinstance(included, bool) else None,
                "discount": one.get(part.discount),
            }
        )
        rate = rate_of(one, rates)
        return line if rate is None else {**line, "vat": rate[1]}

    def _facts(self, row: Native, state: Native | None, state_word: str, sums: Sums, currency: str) -> Native:
        """paid, shipped, cancelled, the order's state, and payments and shipments as sums; each only where it is known."""
        facts: Native = {"documents": sums.documents, "unknown": sums.unknown or None}
        if self._names.state_register:
            facts |= _by_register(state)
        if self._names.states:
            facts["state"] = state_word
            facts["cancelled"] = row.get("ВариантЗавершения") == "Отменен"
            if row.get("Posted"):
                amount = number(row, "СуммаДокумента")
                facts["paid"] = covered(sums.payments, amount, currency)
                facts["shipped"] = covered(sums.shipments, amount, currency)
        if self._names.statuses and state is not None:
            facts["state"], facts["state_of_goods"] = state.get("Статус"), state.get("ДополнительныйСтатус")
            facts["paid"] = _PAID.get(str(state.get("Статус")).casefold())
            facts["cancelled"] = state.get("Статус") == "Отменен"
            facts["shipped"] = _SHIPPED.get(str(state.get("ДополнительныйСтатус")).casefold())
        if row.get("DeletionMark"):
            facts["cancelled"] = True
        return facts


def _by_register(state: Native | None) -> Native:
    """УТ: sums and percents of the register СостоянияЗаказовКлиентов, refunds and returns taken off. An order that it does not
    know says nothing."""
    if state is None:
        return {"unknown": UNTOLD.unknown}
    documents = registered("payment", number(state, "СуммаОплаты"))
    documents += registered("shipment", number(state, "СуммаОтгрузки"))
    return {
        "state": state.get("Состояние"),
        "paid": (state.get("ПроцентОплаты") or 0) >= 100,
        "shipped": (state.get("ПроцентОтгрузки") or 0) >= 100,
        "closed": state.get("Состояние") in _CLOSED,
        "documents": documents,
    }


def party(row: Native, partner: Native | None = None) -> Native:
    """Контрагент: a company has an official name, a person a full name. Phones and addresses stand with it or, in УТ, with its
    Партнер."""
    if not row:
        return {}
    contacts = [one for source in (row, partner or {}) for one in source.get("КонтактнаяИнформация") or []]
    phones, emails = [], []
    for one in contacts:
        said = str(one.get("Представление") or "").strip()
        if one.get("Тип") == "Телефон":
            phones.append(str(one.get("НомерТелефона") or "").strip() or said)
        elif "@" in (address := str(one.get("АдресЭП") or "").strip() or said):
            emails.append(address)
    return _filled(
        {
            "id": row.get("Ref_Key"),
            "name": row.get("Description"),
            "official_name" if is_legal(row) else "full_name": row.get("НаименованиеПолное") or row.get("Description"),
            "inn": row.get("ИНН"),
            "kpp": row.get("КПП"),
            "phones": [p for p in dict.fromkeys(phones) if p] or None,
            "emails": list(dict.fromkeys(emails)) or None,
        }
    )


def parties(kind: str, rows: list[Native]) -> list[Record]:
    """The "company" or "person" records among Контрагенты."""
    return [
        Record(
            kind,
            str(row["Ref_Key"]),
            party(row, row.get("Партнер") or {}),
            _version(row),
            bool(row.get("DeletionMark")),
        )
        for row in rows
        if not row.get("IsFolder") and is_legal(row) is (kind == "company")
    ]


def reason_of(deal: Native | None) -> str:
    """The key of the reason for which a Сделка was lost; the empty one where there is none."""
    return str((deal or {}).get("ПричинаПроигрышаСделки_Key") or EMPTY)


def is_legal(row: Native) -> bool:
    """Whether Контрагент is a company; a sole trader is a person with an ИНН of 12 digits."""
    return row.get("ЮрФизЛицо") in ("ЮрЛицо", "ЮридическоеЛицо", "") and len(str(row.get("ИНН") or "")) == 10


def local(value: Any, zone: ZoneInfo) -> str | None:
    """1C's local time as ISO text in UTC; None for its empty date."""
    if not isinstance(value, str) or value == NO_DATE:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None


def _unit(row: Any) -> Native | None:
    return _filled({"name": row.get("Description"), "code": row.get("Code")}) if isinstance(row, dict) else None


def _version(row: Native) -> str:
    return str(row.get("DataVersion") or "")


def _filled(data: Native) -> Native:
    """Without what is not said; false and zero are said."""
    return {k: v for k, v in data.items() if v is not None and v != ""}
