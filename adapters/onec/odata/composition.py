"""What was ordered, written into an order that 1C has: УТ (КА, ERP), УНФ and БП over their tabular parts.

A tabular part is replaced whole: lines that stay as they were go along untouched, with all that 1C keeps in them; so do those
that were not ordered (cancelled, headings, other variants of an offer). Sums are the wanted ones to the kopeck, VAT by the
line's rate; 1C itself adds the document's sum up when it writes (ПередЗаписью in the published texts). Only columns that the
base publishes are written, and only while the order is open: later the goods are on their way or paid for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.base import Native, RecordRefused, Text
from adapters.onec.odata.client import PUBLISH
from adapters.onec.odata.parts import (
    AUTOMATIC,
    AUTOMATIC_PERCENT,
    BY_DISCOUNT,
    DELIVERY,
    EMPTY,
    GOODS,
    RATE,
    Part,
    counts,
    item_of,
    key_of,
    percent_in,
    rate_of,
)
from adapters.onec.odata.pricing import Priced, priced, rounded, shared
from adapters.onec.odata.schema import Schema
from adapters.onec.odata.sums import ZERO, number
from adapters.onec.odata.words import RATES, Words

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_GOODS = re.compile(rf"(?P<goods>{_GUID})(?:#(?P<variant>{_GUID}))?")
_KIND = "ВидСтавкиНДС"
_SAY_RATE = Text("Say the line's VAT rate in the deal, or add the line in 1C.",
                 "Укажите ставку НДС строки в сделке или добавьте строку в 1С.")  # fmt: skip
_UNPAID, _UNSHIPPED = ("", "неоплачен"), ("", "неотгружен")  # what БП says of an invoice that nobody has acted upon
_ITS_OWN = ("Ref_Key", "LineNumber")  # columns that 1C fills


def missing(part: Part, schema: Schema) -> list[str]:
    """What the base does not publish of the columns without which lines are not written, as Document's part.column."""
    table = part.tables[0]
    columns = schema.tables.get(table, {})
    lacking = [name for name in part.needed if name not in columns]
    lacking += [n for n in (GOODS, RATE) if n not in columns and f"{n}_Key" not in columns]
    return [f"{table}.{name}" for name in lacking]


def closed(part: Part, order: Native, shown: Native) -> RecordRefused | None:
    """Why lines of this order are not changed any more; None while they are. `shown`: its record as it was read."""
    column, wanted = part.open
    over = bool(order.get("DeletionMark")) or (bool(column) and str(order.get(column) or "") != wanted)
    if over and wanted:
        return RecordRefused(
            Text("The order is approved in 1C already: its lines are changed there.",
                 "Заказ в 1С уже согласован: состав меняют там."),
            code="odata.approved", field="lines",
            remedy=Text("Correct the order in 1C, or set its status back to «На согласовании» and retry.",
                        "Исправьте заказ в 1С или верните ему статус «На согласовании» и повторите."),
        )  # fmt: skip
    moved = any(one["posted"] and not one.get("reversed") for one in shown.get("documents") or [])
    begun = str(shown.get("state") or "").casefold(), str(shown.get("state_of_goods") or "").casefold()
    if over or (not column and (moved or begun[0] not in _UNPAID or begun[1] not in _UNSHIPPED)):
        return RecordRefused(
            Text("1C's document is finished, cancelled, paid or shipped: its lines are changed there.",
                 "Документ в 1С завершён, отменён, оплачен или отгружен: состав меняют там."),
            code="odata.closed", field="lines",
            remedy=Text("Correct the document in 1C.", "Исправьте документ в 1С."),
        )  # fmt: skip
    if part.discount_of_all and number(order, part.discount_of_all):
        return RecordRefused(
            Text("The invoice has a discount on all of it: its lines are changed in 1C.",
                 "У счёта скидка на весь документ: состав меняют в 1С."),
            code="odata.closed", field="lines",
            remedy=Text("In 1C give the discount by lines, then retry.", "Укажите в 1С скидку по строкам и повторите."),
        )  # fmt: skip
    return None


@dataclass
class Composition:
    """`order`: the row of 1C's document, `part`: how its configuration keeps lines, `goods`: the items of its lines and of new
    ones by key."""

    order: Native
    part: Part
    schema: Schema
    words: Words
    goods: Mapping[str, Native]

    def body(self, shown: Sequence[Native], wanted: Sequence[Native]) -> dict[str, Any]:
        """What the order is to be PATCHed with so that its lines are `wanted`. `shown`: its lines as they were read.
        RecordRefused names the line that cannot be written."""
        read = {str(line.get("key")): line for line in shown}
        delivery = self._delivery(read.get(DELIVERY), wanted)
        self.order = {**self.order, **delivery}
        asked = [line for line in wanted if line.get("key") != DELIVERY]
        there = {key_of(table, row): (table, row) for table, row in self.part.rows(self.order)}
        rows: dict[str, list[Native]] = {table: [] for table in self.part.tables}
        for table, row in self.part.rows(self.order):
            if not counts(row, self.order):
                rows[table].append(row)
        discounts = _Discounts(self.order)
        for line in asked:
            key = str(line.get("key") or "")
            if key in there and key in read:
                table, old = there.pop(key)
                row = old if _same(line, read[key]) else self._row(line, table, old)
                discounts.follow(self.part.links.get(table, ""), old, row)
            else:
                table = self._table(line)
                row = self._row(line, table, self._new(line, table))
            rows[table].append(row)
        for table, row in there.values():
            if counts(row, self.order):
                discounts.drop(self.part.links.get(table, ""), row)
        changed = {table: found for table, found in rows.items() if found != (self.order.get(table) or [])}
        found = {table: _numbered(found) for table, found in changed.items()}
        return found | delivery | self._payments(rows) | discounts.changed

    def _delivery(self, read: Native | None, wanted: Sequence[Native]) -> dict[str, Any]:
        """What the order itself says of delivery: its cost, with VAT in the proportion that it has there. Delivery that 1C does
        not have yet is no more than a name here: which item it is, and how it goes, is said in 1C."""
        part, asked = self.part, [line for line in wanted if line.get("key") == DELIVERY]
        if read is None or len(asked) > 1:
            if asked:
                raise _refused(asked[0], "delivery is entered in 1C first", "доставку сначала вводят в 1С")
            return {}
        if any(_same(line, read) for line in asked):
            return {}
        line = asked[0] if asked else read
        if any(name not in self.schema.head for name in (part.delivery, part.delivery_tax)):
            raise _refused(line, f"1C does not publish {part.delivery}", f"1С не публикует {part.delivery}", PUBLISH)
        total = _decimal(asked[0], "sum") if asked else ZERO
        if total is None or total < 0 or (asked and _decimal(line, "qty") != 1):
            raise _refused(line, "its sum is not clear", "неясна её сумма")
        tax = rounded(total * number(read, "tax") / number(read, "sum"))
        return {part.delivery: total if self.order.get(part.included) else total - tax, part.delivery_tax: tax}

    def _row(self, line: Native, table: str, old: Native) -> Native:
        """The line's quantity, sum, discounts and VAT in a row of 1C; all else of the row stays."""
        part, columns = self.part, self.schema.tables.get(table, {})
        qty, total, discount = (_decimal(line, name) for name in ("qty", "sum", "discount"))
        if not qty or qty < 0 or total is None or total < 0:
            raise _refused(line, "no quantity or sum", "нет количества или суммы")
        column, rate, percent = self._rate(line, table, old)
        tax = rounded(total * Decimal(percent) / (100 + Decimal(percent))) if percent else ZERO
        net = total if self.order.get(part.included) else total - tax
        packed, before = number(old, part.packages) if part.packages else ZERO, number(old, "Количество")
        row = {**old, "Количество": qty}
        if part.packages:
            row[part.packages] = qty * packed / before if before and packed else qty
        old_units = part.units(old)
        held = Priced(
            number(old, "Цена"),
            number(old, part.discount),
            number(old, AUTOMATIC),
            rounded(number(old, "Цена") * old_units),
        )
        points = number(old, part.bonus) if part.bonus else ZERO
        discounted = part.discount in columns  # БП's services of earlier releases have no discount of their own
        made = priced(held, (old_units, part.units(row)), qty, net + points, discount if discounted else ZERO)
        row |= {
            "Цена": made.price,
            "Сумма": net + made.manual if part.before_discount else net,
            column: rate,
            "СуммаНДС": tax,
            **({part.discount: made.manual} if discounted else {}),
            **({part.with_vat: total} if part.with_vat else {}),
        }
        percents = {part.percent: made.percent(made.manual), AUTOMATIC_PERCENT: made.percent(made.automatic)}
        more = {**percents, AUTOMATIC: made.automatic}
        return row | {name: value for name, value in more.items() if name in columns}

    def _table(self, line: Native) -> str:
        """БП keeps services among the goods; releases before that had a part of its own for them."""
        item = self.goods.get(str(line.get("product") or "").partition("#")[0], {})
        return "Услуги" if item.get("Услуга") and "Услуги" in self.schema.tables else self.part.tables[0]

    def _new(self, line: Native, table: str) -> Native:
        """A row for goods that the order did not hold: where and when they go is as with its neighbours."""
        found = _GOODS.fullmatch(str(line.get("product") or ""))
        item = self.goods.get(found["goods"]) if found else None
        if found is None or item is None:
            raise _refused(line, "1C has no such item", "в 1С нет такой номенклатуры")
        columns = self.schema.tables.get(table, {})
        near: Native = next((row for _, row in self.part.lines(self.order)), {})
        row: Native = {
            **_reference(GOODS, found["goods"], f"Catalog_{GOODS}", columns),
            **_reference(
                "ЕдиницаИзмерения",
                str(item.get("ЕдиницаИзмерения_Key") or EMPTY),
                "Catalog_КлассификаторЕдиницИзмерения",
                columns,
            ),
            "Характеристика_Key": found["variant"] or EMPTY,
            **self._rate_of_kind(item),
            "Содержание": item.get("НаименованиеПолное") or item.get("Description"),
            "ТипНоменклатурыЗапас": item.get("ТипНоменклатуры") == "Запас",
            **{name: near[name] for name in self.part.neighbours if name in near},
        }
        if found["variant"] and "Характеристика_Key" not in columns:
            raise _refused(line, "its characteristic cannot be named here", "здесь нельзя указать характеристику")
        return {name: value for name, value in row.items() if name in columns and value is not None}

    def _rate_of_kind(self, item: Native) -> Native:
        """The item's own VAT rate (УТ). УНФ and БП keep a kind of rate with it (ВидСтавкиНДС): that of the order's other lines
        of the same kind, where they have a single one."""
        if f"{RATE}_Key" in item:
            return {f"{RATE}_Key": item[f"{RATE}_Key"] or EMPTY}
        kind = item.get(_KIND)
        rows = [row for _, row in self.part.lines(self.order) if self.goods.get(item_of(row), {}).get(_KIND) == kind]
        for column in (RATE, f"{RATE}_Key"):
            found = {row[column] for row in rows if row.get(column)}
            if kind and len(found) == 1:
                return {column: found.pop()}
        return {}

    def _rate(self, line: Native, table: str, old: Native) -> tuple[str, str, str | None]:
        """(column, value, percent) of the line's VAT; the row's own (of the item, where the row is new) where the line says
        none."""
        columns = self.schema.tables.get(table, {})
        column = RATE if RATE in columns else f"{RATE}_Key"
        if column == RATE:
            held = [r[1][RATE] for r in self.part.rows(self.order) if r[1].get(RATE)]
            known = {word: percent_in(word) for word in (*self.schema.words(table, RATE), *held)}
            spare = {word for word in known if "_" in word}
        else:
            known, spare = dict(self.words.rates), set(self.words.computed)
            if not known:
                raise _refused(line, f"1C does not publish {RATES}", f"1С не публикует {RATES}", PUBLISH)
        said, own = _decimal(line, "vat"), rate_of(old, known)
        if own is not None and (said is None or (own[1] is not None and Decimal(own[1]) == said)):
            return column, own[0], own[1]
        if said is None:
            raise _refused(line, "no VAT rate", "нет ставки НДС", _SAY_RATE)
        found = [
            key
            for key, percent in known.items()
            if key not in spare and percent is not None and Decimal(percent) == said
        ]
        if len(found) != 1:
            raise _refused(line, f"1C has no single VAT rate of {said} %", f"в 1С нет единственной ставки НДС {said} %")
        return column, found[0], known[found[0]]

    def _payments(self, rows: Mapping[str, Sequence[Native]]) -> dict[str, Any]:
        """The steps of payment over the new sum, by their percents; the last one takes the rest."""
        pay = self.part.payments
        steps = self.order.get(pay.table) or [] if pay else []
        if pay is None or not steps:
            return {}
        lines = [row for found in rows.values() for row in found if counts(row, self.order)]
        total = sum((self.part.total(row, self.order) or ZERO for row in lines), ZERO) + self.part.beside(self.order)
        tax = sum((number(row, "СуммаНДС") for row in lines), ZERO)
        if self.part.delivery_tax:
            tax += number(self.order, self.part.delivery_tax)
        made = _by_percent(steps, pay.percent, pay.amount, total)
        made = _by_percent(made, pay.percent, pay.tax, tax) if pay.tax else made
        return {pay.table: _numbered(made)}


class _Discounts:
    """The tabular part that tells which discounts an automatic one is made of: it follows the lines that change."""

    def __init__(self, order: Native) -> None:
        self._rows: list[Native] | None = order.get(BY_DISCOUNT)
        self._moved: dict[Any, Decimal] = {}

    def follow(self, link: str, old: Native, row: Native) -> None:
        if old is not row and number(old, AUTOMATIC):
            self._to(link, old, number(row, AUTOMATIC))

    def drop(self, link: str, row: Native) -> None:
        self._to(link, row, ZERO)

    def _to(self, link: str, row: Native, amount: Decimal) -> None:
        if link and number(row, link):
            self._moved[number(row, link)] = amount

    @property
    def changed(self) -> dict[str, Any]:
        rows = self._rows or []
        mine = [row for row in rows if number(row, "КлючСвязи") in self._moved]
        if not mine:
            return {}
        made = [row for row in rows if number(row, "КлючСвязи") not in self._moved]
        for link, amount in self._moved.items():
            if amount:
                made += shared([row for row in mine if number(row, "КлючСвязи") == link], "Сумма", amount)
        return {BY_DISCOUNT: _numbered(made)}


def new_goods(shown: Sequence[Native], wanted: Sequence[Native]) -> list[str]:
    """The keys of the items in lines that are not there yet."""
    known = {line.get("key") for line in shown}
    found = (_GOODS.fullmatch(str(w.get("product") or "")) for w in wanted if w.get("key") not in known)
    return [one["goods"] for one in found if one]


def _same(line: Native, read: Native) -> bool:
    return {k: str(v) for k, v in line.items()} == {k: str(v) for k, v in read.items()}


def _by_percent(steps: Sequence[Native], percent: str, column: str, total: Decimal) -> list[Native]:
    made, left = [], total
    for at, step in enumerate(steps, 1):
        part = left if at == len(steps) else min(rounded(total * number(step, percent) / 100), left)
        left -= part
        made.append({**step, column: part})
    return made


def _reference(name: str, key: str, target: str, columns: Mapping[str, str]) -> Native:
    """A reference as the base publishes it: a key, or a value beside its type where it may be of several."""
    if f"{name}_Key" in columns or f"{name}_Type" not in columns:
        return {f"{name}_Key": key}
    return {name: key, f"{name}_Type": f"StandardODATA.{target}"} if key != EMPTY else {}


def _numbered(rows: Sequence[Native]) -> list[Native]:
    plain = ({k: v for k, v in row.items() if k not in _ITS_OWN} for row in rows)
    return [{"LineNumber": str(at), **row} for at, row in enumerate(plain, 1)]


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
