"""How each configuration keeps the lines of an order: its tabular parts, their columns, and what a line comes to.

Read in the published texts of УТ 11.5.18, УНФ 3.0.5 and БП 3.0.83. What a base really has of it its own $metadata says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from adapters.base import Native
from adapters.onec.odata.sums import ZERO, number

EMPTY = "00000000-0000-0000-0000-000000000000"  # a reference to nothing
GOODS = "Номенклатура"
RATE = "СтавкаНДС"
AUTOMATIC, AUTOMATIC_PERCENT = "СуммаАвтоматическойСкидки", "ПроцентАвтоматическойСкидки"
DELIVERY = "delivery"  # the key of the line that stands for what the order itself says of delivery
BY_DISCOUNT = "СкидкиНаценки"  # of which discounts the automatic one of a line is made, by the line's link key


@dataclass(frozen=True, slots=True)
class Payments:
    """The tabular part with the steps of payment; `tax` is "" where it holds none."""

    table: str
    percent: str
    amount: str
    tax: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one configuration's order. `with_vat`: the column with the line's sum with VAT; "" where Сумма and the
    order's tick `included` say it together. `before_discount`: the discount is not yet taken off Сумма."""

    tables: tuple[str, ...]  # a new line goes into the first of them
    with_vat: str
    included: str
    discount: str
    percent: str
    before_discount: bool = False
    bonus: str = ""  # what was paid for the line with bonus points: taken off its sum too, and left as it is
    packages: str = ""  # УТ: Цена is the price of a package
    factors: tuple[str, ...] = ()  # УНФ, Работы: what Количество is multiplied by
    links: Mapping[str, str] = field(default_factory=dict)  # tabular part → its link key into СкидкиНаценки
    payments: Payments | None = None
    open: tuple[str, str] = ("", "")  # the order's column and what it must say for lines to be changed
    neighbours: tuple[str, ...] = ()  # what a new line has as the others have it
    delivery: str = ""  # УНФ: what delivery costs stands in the order itself, its VAT beside it
    delivery_tax: str = ""
    discount_of_all: str = ""  # БП: a discount on the invoice as a whole

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which no line can be written."""
        return tuple(
            n for n in ("Количество", "Цена", "Сумма", "СуммаНДС", self.with_vat, self.discount, self.packages) if n
        )

    def rows(self, order: Native) -> Iterator[tuple[str, Native]]:
        """(tabular part, row) of everything that stands there."""
        for table in self.tables:
            for row in order.get(table) or []:
                yield table, row

    def lines(self, order: Native) -> Iterator[tuple[str, Native]]:
        """(the line's key, row) of what was ordered."""
        for table, row in self.rows(order):
            if counts(row, order):
                yield key_of(table, row), row

    def total(self, row: Native, order: Native) -> Decimal | None:
        """What the line comes to, with VAT and after its discount; None where the base does not say it."""
        if self.with_vat and (whole := row.get(self.with_vat)):
            return Decimal(str(whole))
        tick = order.get(self.included)
        if not isinstance(tick, bool) or row.get("Сумма") is None:
            return None
        less = number(row, self.discount) if self.before_discount else ZERO
        return number(row, "Сумма") - less + (ZERO if tick else number(row, "СуммаНДС"))

    def units(self, row: Native) -> Decimal:
        """How often Цена goes into the line."""
        count = number(row, "Количество")
        if self.packages and number(row, self.packages):
            return number(row, self.packages)
        for name in self.factors:
            count *= number(row, name) or 1
        return count

    def beside(self, order: Native) -> Decimal:
        """What the order comes to beside its lines: delivery."""
        extra = number(order, self.delivery) if self.delivery else ZERO
        if self.delivery_tax and not order.get(self.included):
            extra += number(order, self.delivery_tax)
        return extra


def key_of(table: str, row: Native) -> str:
    return f"{table[0]}{row.get('LineNumber')}"


def counts(row: Native, order: Native) -> bool:
    """Whether it was ordered: not cancelled (УТ), no heading and not of another variant of the offer (УНФ)."""
    other = number(row, "НомерВариантаКП") != number(order, "ОсновнойВариантКП")
    return not (row.get("Отменено") or row.get("ЭтоРазделитель") or other)


def item_of(row: Native) -> str:
    """The key of the line's goods; the empty one where it has none. УНФ lets a text stand there too."""
    if f"{GOODS}_Key" in row:
        return str(row[f"{GOODS}_Key"] or EMPTY)
    return str(row.get(GOODS)) if str(row.get(f"{GOODS}_Type")).endswith(f"Catalog_{GOODS}") else EMPTY


def text_of(row: Native) -> str:
    """What a line without goods says in words: БП lets Содержание stand alone, УНФ a text in the place of the goods."""
    if f"{GOODS}_Key" not in row and item_of(row) == EMPTY and str(row.get(f"{GOODS}_Type")) == "Edm.String":
        return str(row.get(GOODS) or "")
    return str(row.get("Содержание") or "")


def rate_of(row: Native, rates: Mapping[str, str | None]) -> tuple[str, str | None] | None:
    """(what stands in the column, percent: None for "Без НДС"); None where it is not known. A key of the catalogue, or a word
    of the enumeration (НДС20, НДС20_120, БезНДС)."""
    for name in (f"{RATE}_Key", RATE):
        value = str(row.get(name) or "")
        if value in rates:
            return value, rates[value]
        if name == RATE and (value == "БезНДС" or percent_in(value)):
            return value, percent_in(value)
    return None


def percent_in(word: str) -> str | None:
    """НДС20 and НДС20_120 → 20."""
    digits = word.removeprefix("НДС").partition("_")[0]
    return digits if word.startswith("НДС") and digits.isdigit() and digits.isascii() else None


UT = Part(
    tables=("Товары",),
    with_vat="СуммаСНДС",
    included="ЦенаВключаетНДС",
    discount="СуммаРучнойСкидки",
    percent="ПроцентРучнойСкидки",
    bonus="СуммаБонусныхБалловКСписаниюВВалюте",
    packages="КоличествоУпаковок",
    links={"Товары": "КлючСвязи"},
    payments=Payments("ЭтапыГрафикаОплаты", "ПроцентПлатежа", "СуммаПлатежа"),
    open=("Статус", "НеСогласован"),
    neighbours=("ДатаОтгрузки", "Склад_Key", "ВариантОбеспечения", "Подразделение_Key"),
)
UNF = Part(
    tables=("Запасы", "Работы"),
    with_vat="Всего",
    included="СуммаВключаетНДС",
    discount="СуммаСкидкиНаценки",
    percent="ПроцентСкидкиНаценки",
    bonus="СуммаСкидкиОплатыБонусом",
    factors=("Кратность", "Коэффициент"),
    links={"Запасы": "КлючСвязи", "Работы": "КлючСвязиДляСкидокНаценок"},
    payments=Payments("ПлатежныйКалендарь", "ПроцентОплаты", "СуммаОплаты", "СуммаНДСОплаты"),
    open=("ВариантЗавершения", ""),
    neighbours=("ДатаОтгрузки", "СтруктурнаяЕдиницаРезерв_Key", "НомерВариантаКП"),
    delivery="СтоимостьДоставки",
    delivery_tax="СуммаНДСДоставки",
)
BP = Part(
    tables=("Товары", "Услуги"),
    with_vat="",
    included="СуммаВключаетНДС",
    discount="СуммаСкидки",
    percent="ПроцентСкидки",
    before_discount=True,
    discount_of_all="СуммаСкидки",
)
