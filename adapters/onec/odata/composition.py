"""What was ordered, written into a Заказ клиента of УТ (КА, ERP) that is not approved yet.

A tabular part is replaced whole: lines that stay as they were go along untouched, with all that 1C keeps in them; cancelled
ones too. Sums are the wanted ones to the kopeck, VAT by the line's rate; 1C itself adds the document's sum up when it writes
(ПередЗаписью, read in the published text of УТ 11.5.18). Only while Статус is НеСогласован: later the goods are reserved, on
their way or paid for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from adapters.base import Native, RecordRefused, Text
from adapters.onec.odata.client import EMPTY, PUBLISH
from adapters.onec.odata.sums import ZERO, number
from adapters.onec.odata.words import RATES

OPEN = "НеСогласован"
_CENT = Decimal("0.01")
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_GOODS = re.compile(rf"(?P<goods>{_GUID})(?:#(?P<variant>{_GUID}))?")
_LIKE_ITS_NEIGHBOURS = ("ДатаОтгрузки", "Склад_Key", "ВариантОбеспечения", "Подразделение_Key")
_NO_DISCOUNT = ("ПроцентРучнойСкидки", "ПроцентАвтоматическойСкидки", "СуммаАвтоматическойСкидки")


def table_of(
    order: Native,
    shown: Sequence[Native],
    wanted: Sequence[Native],
    rates: Mapping[str, str | None],
    goods: Mapping[str, Native],
) -> dict[str, Any]:
    """What the order is to be PATCHed with so that its lines are `wanted`. `shown`: its lines as they were read, `rates`: key
    of a VAT rate → percent, `goods`: the items of new lines. RecordRefused names the line that cannot be written."""
    if order.get("Статус") != OPEN or order.get("DeletionMark"):
        raise RecordRefused(
            Text("The order is approved in 1C already: its lines are changed there.",
                 "Заказ в 1С уже согласован: состав меняют там."),
            code="odata.approved", field="lines",
            remedy=Text("Correct the order in 1C, or set its status back to «На согласовании» and retry.",
                        "Исправьте заказ в 1С или верните ему статус «На согласовании» и повторите."),
        )  # fmt: skip
    there = {str(row.get("LineNumber")): row for row in order.get("Товары") or []}
    read = {str(line.get("key")): line for line in shown}
    model: Native = next(iter(there.values()), {})
    rows = [row for row in there.values() if row.get("Отменено")]
    for line in wanted:
        key = str(line.get("key") or "")
        old = there.get(key[1:]) if key in read else None
        if old is not None and _same(line, read[key]):
            rows.append(old)
        else:
            rows.append(_row(line, old or _new(line, model, goods), order, rates))
    rows = [{k: v for k, v in row.items() if k not in ("Ref_Key", "LineNumber")} for row in rows]
    total = sum((number(row, "СуммаСНДС") for row in rows if not row.get("Отменено")), ZERO)
    stages = _stages(order.get("ЭтапыГрафикаОплаты") or [], total)
    return {"Товары": _numbered(rows), **({"ЭтапыГрафикаОплаты": _numbered(stages)} if stages else {})}


def _same(line: Native, read: Native) -> bool:
    return {k: str(v) for k, v in line.items()} == {k: str(v) for k, v in read.items()}


def _row(line: Native, old: Native, order: Native, rates: Mapping[str, str | None]) -> Native:
    """The line's quantity, sum and VAT in a row of 1C; all else of the row stays."""
    qty, total, discount = (_decimal(line, name) for name in ("qty", "sum", "discount"))
    if not qty or qty < 0 or total is None or total < 0:
        raise _refused(line, "no quantity or sum", "нет количества или суммы")
    rate = _rate(line, str(old.get("СтавкаНДС_Key") or EMPTY), rates)
    percent = rates.get(rate)
    tax = (total * Decimal(percent) / (100 + Decimal(percent))).quantize(_CENT, ROUND_HALF_UP) if percent else ZERO
    net = total if order.get("ЦенаВключаетНДС") else total - tax
    less = discount or ZERO
    before, packed = number(old, "Количество"), number(old, "КоличествоУпаковок")
    return {
        **old,
        "Количество": qty,
        "КоличествоУпаковок": qty * packed / before if before and packed else qty,
        "Цена": ((net + less) / qty).quantize(_CENT, ROUND_HALF_UP),
        "Сумма": net,
        "СтавкаНДС_Key": rate,
        "СуммаНДС": tax,
        "СуммаСНДС": total,
        "СуммаРучнойСкидки": less,
        **dict.fromkeys(_NO_DISCOUNT, ZERO),
    }


def _new(line: Native, model: Native, goods: Mapping[str, Native]) -> Native:
    """A row for goods that the order did not hold: where and when they go is as with its neighbours."""
    found = _GOODS.fullmatch(str(line.get("product") or ""))
    item = goods.get(found["goods"]) if found else None
    if found is None or item is None:
        raise _refused(line, "1C has no such item", "в 1С нет такой номенклатуры")
    return {
        "Номенклатура_Key": found["goods"],
        "Характеристика_Key": found["variant"] or EMPTY,
        "СтавкаНДС_Key": item.get("СтавкаНДС_Key") or EMPTY,
        **{name: model[name] for name in _LIKE_ITS_NEIGHBOURS if name in model},
    }


def _rate(line: Native, own: str, rates: Mapping[str, str | None]) -> str:
    """The key of the line's VAT rate; the row's own (of the item, where the row is new) where the line says none."""
    if not rates:
        raise _refused(line, f"1C does not publish {RATES}", f"1С не публикует {RATES}", PUBLISH)
    said = _decimal(line, "vat")
    known = rates.get(own)
    if said is None or (known is not None and Decimal(known) == said):
        if own not in rates:
            raise _refused(line, "no VAT rate", "нет ставки НДС")
        return own
    found = [key for key, percent in rates.items() if percent is not None and Decimal(percent) == said]
    if len(found) != 1:
        raise _refused(line, f"1C has no single VAT rate of {said} %", f"в 1С нет единственной ставки НДС {said} %")
    return found[0]


def _stages(stages: Sequence[Native], total: Decimal) -> list[Native]:
    """The steps of payment over the new sum, by their percents; the last one takes the rest."""
    made, left = [], total
    for at, stage in enumerate(stages, 1):
        part = (total * number(stage, "ПроцентПлатежа") / 100).quantize(_CENT, ROUND_HALF_UP)
        amount = left if at == len(stages) else min(part, left)
        left -= amount
        made.append({**{k: v for k, v in stage.items() if k not in ("Ref_Key", "LineNumber")}, "СуммаПлатежа": amount})
    return made


def new_goods(shown: Sequence[Native], wanted: Sequence[Native]) -> list[str]:
    """The keys of the items in lines that are not there yet."""
    known = {line.get("key") for line in shown}
    found = (_GOODS.fullmatch(str(w.get("product") or "")) for w in wanted if w.get("key") not in known)
    return [one["goods"] for one in found if one]


def _numbered(rows: Sequence[Native]) -> list[Native]:
    return [{"LineNumber": str(at), **row} for at, row in enumerate(rows, 1)]


def _decimal(line: Native, name: str) -> Decimal | None:
    value = line.get(name)
    if value is None or value == "":
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise _refused(line, f"{name} is no number", f"{name} — не число") from None


def _refused(line: Native, en: str, ru: str, remedy: Text | None = None) -> RecordRefused:
    what = str(line.get("sku") or line.get("name") or line.get("product") or "?")
    return RecordRefused(
        Text(
            f"The line “{what}” cannot be written into 1C's order: {en}.",
            f"Строку «{what}» нельзя записать в заказ 1С: {ru}.",
        ),
        code="odata.line",
        field="lines",
        remedy=remedy,
    )
