"""CommerceML of any size for benchmarks: import.xml and offers.xml as 1C writes them, streamed to disk in flat memory.

Same arguments, same bytes. About 3.4 KB per product in import.xml: groups in three levels, dictionary properties, pictures,
VAT, requisites, a description of 15-60 words; offers with prices and stock by warehouse, some products with three
characteristics (GUID#GUID). `changed` gives the same goods with that share of the rows altered, as the next night's full
export has it.

    python -m tests.bench.cml FOLDER N [--changed 0.001]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

HEAD = (
    '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<КоммерческаяИнформация xmlns="urn:1C.ru:commerceml_2"'
    ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' ВерсияСхемы="2.07" ДатаФормирования="2024-03-05T03:00:00">\n'
)
FOOT = "</КоммерческаяИнформация>\n"
VOCABULARY = (
    "стол стул шкаф полка лампа ковёр зеркало диван кресло тумба комод вешалка корзина ящик рама штора плед ваза "
    "складной прочный лёгкий матовый дубовый сосновый стальной белый серый синий зелёный детский офисный садовый "
    "кухонный угловой широкий узкий высокий низкий удобный надёжный для дома дачи школы кабинета прихожей гостиной "
    "с ручкой с крышкой на колёсах без запаха из массива из металла под заказ в наборе размер цвет упаковка гарантия"
)
WORDS = VOCABULARY.split()
OWNER = (
    "\t\t<Владелец>\n\t\t\t<Ид>e1c0ffee-0000-4000-8000-000000000001</Ид>\n\t\t\t<Наименование>Пример-Торг ООО</Наименование>\n"
    "\t\t\t<ОфициальноеНаименование>Пример-Торг ООО</ОфициальноеНаименование>\n\t\t\t<ИНН>7700000016</ИНН>\n"
    "\t\t\t<КПП>770001001</КПП>\n\t\t</Владелец>\n"
)
CATALOG = "e1c0ffee-0000-4000-8000-000000000002"
UNIT = (
    '\t\t\t\t<БазоваяЕдиница Код="796 " НаименованиеПолное="Штука" МеждународноеСокращение="PCE">шт</БазоваяЕдиница>\n'
)
COLOURS = ("белый", "чёрный", "серый")
VAT = ("20", "20", "20", "20", "10", "Без НДС")


@dataclass
class Generated:
    """What was written, for a benchmark to compare its counts with."""

    goods: Path
    offers: Path
    products: int = 0
    offer_rows: int = 0
    deleted: int = 0
    with_characteristics: int = 0
    prices: int = 0  # price rows
    stocks: int = 0  # stock rows
    changed: list[str] = field(default_factory=list)  # Ид of the altered products
    price_total: Decimal = Decimal(0)  # the sum of all prices, to the kopeck
    # Of the goods that are marked as deleted: their number, offers, price rows, stock rows, sum of prices
    gone: tuple[int, int, int, int, Decimal] = (0, 0, 0, 0, Decimal(0))


@dataclass(frozen=True)
class _Pools:
    """Ready pieces of XML, so that a product costs one formatting."""

    groups: list[str]
    properties: list[list[str]]  # per property, the XML of each value
    descriptions: list[str]
    price_types: list[str]
    warehouses: list[str]


@dataclass(frozen=True, slots=True)
class _Row:
    """One product as drawn."""

    guid: str
    number: int
    name: str
    price: int  # kopecks
    deleted: bool
    characteristics: tuple[str, ...]
    bits: int  # randomness for everything else


def generate(
    folder: Path | str,
    products: int,
    seed: int = 42,
    characteristics: float = 0.10,
    price_types: int = 3,
    warehouses: int = 5,
    images: int = 3,
    groups: int = 344,
    properties: int = 12,
    deleted: float = 0.005,
    changed: float | None = None,
) -> Generated:
    """Write FOLDER/import.xml and FOLDER/offers.xml. `characteristics`, `deleted` and `changed` are shares of the products;
    `images` is the most that one product has."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = Generated(folder / "import.xml", folder / "offers.xml")
    numbers = random.Random(seed)
    pools, classifier = _pools(numbers, groups, properties, price_types, warehouses)
    rows_seed = numbers.getrandbits(64)
    with (
        made.goods.open("w", encoding="utf-8", newline="", buffering=1 << 20) as goods,
        made.offers.open("w", encoding="utf-8", newline="", buffering=1 << 20) as offers,
    ):
        goods.write(HEAD + classifier)
        goods.write(
            f'\t<Каталог СодержитТолькоИзменения="false">\n{_package("Основной каталог товаров")}\t\t<Товары>\n'
        )
        offers.write(HEAD + _offers_head(pools))
        for row in _rows(rows_seed, products, characteristics, deleted, changed, made):
            goods.write(_good(row, pools, images))
            before = made.offer_rows, made.prices, made.stocks, made.price_total
            offers.write(_offers(row, pools, made))
            if row.deleted:
                count, prices, stocks, total = made.gone[1:]
                made.gone = (
                    made.gone[0] + 1,
                    count + made.offer_rows - before[0],
                    prices + made.prices - before[1],
                    stocks + made.stocks - before[2],
                    total + made.price_total - before[3],
                )
        goods.write("\t\t</Товары>\n\t</Каталог>\n" + FOOT)
        offers.write("\t\t</Предложения>\n\t</ПакетПредложений>\n" + FOOT)
    return made


def _rows(
    seed: int, products: int, characteristics: float, deleted: float, changed: float | None, made: Generated
) -> Iterator[_Row]:
    numbers = random.Random(seed)
    # Drawn apart, so that the unaltered rows come out byte for byte the same.
    wanted = round(products * changed) if changed else 0
    altered = set(random.Random(seed + 1).sample(range(products), wanted))
    for number in range(products):
        bits = numbers.getrandbits(320)
        guid = _guid(bits & (1 << 128) - 1)
        chance = (bits >> 128 & 0xFFFFF) / 0x100000
        variants = _variants(bits >> 128) if chance < characteristics else ()
        words = bits >> 240
        name = f"{_word(words).capitalize()} {_word(words >> 10)} {_word(words >> 20)} {number + 1}"
        price = 5_000 + (bits >> 290) % 5_000_000
        if number in altered:
            name, price = name + " (новая партия)", price + 100
            made.changed.append(guid)
        row = _Row(guid, number, name, price, (bits >> 148 & 0xFFFFF) / 0x100000 < deleted, variants, bits >> 170)
        made.products += 1
        made.deleted += row.deleted
        made.with_characteristics += bool(variants)
        yield row


def _variants(bits: int) -> tuple[str, ...]:
    return tuple(_guid((bits * (2 * index + 3)) & (1 << 128) - 1) for index in range(len(COLOURS)))


def _good(row: _Row, pools: _Pools, images: int) -> str:
    bits = row.bits
    count = bits % (images + 1)
    pictures = "".join(
        f"\t\t\t\t<Картинка>import_files/{row.guid[:2]}/{row.guid.replace('-', '')}_{index}.jpg</Картинка>\n"
        for index in range(count)
    )
    values = "".join(
        values[(bits >> 4 * index) % len(values)]
        for index, values in enumerate(pools.properties)
        if (index + row.number) % len(pools.properties) < 5
    )
    status = ' Статус="Удален"' if row.deleted else ""
    return (
        f"\t\t\t<Товар{status}>\n\t\t\t\t<Ид>{row.guid}</Ид>\n"
        f"\t\t\t\t<Штрихкод>{4_600_000_000_000 + row.number}</Штрихкод>\n"
        f"\t\t\t\t<Артикул>АРТ-{row.number:07d}</Артикул>\n\t\t\t\t<Наименование>{row.name}</Наименование>\n"
        f"{UNIT}\t\t\t\t<Группы>\n\t\t\t\t\t<Ид>{pools.groups[(bits >> 8) % len(pools.groups)]}</Ид>\n\t\t\t\t</Группы>\n"
        f"\t\t\t\t<Описание>{pools.descriptions[(bits >> 16) % len(pools.descriptions)]}</Описание>\n{pictures}"
        f"\t\t\t\t<ЗначенияСвойств>\n{values}\t\t\t\t</ЗначенияСвойств>\n"
        "\t\t\t\t<СтавкиНалогов>\n\t\t\t\t\t<СтавкаНалога>\n\t\t\t\t\t\t<Наименование>НДС</Наименование>\n"
        f"\t\t\t\t\t\t<Ставка>{VAT[(bits >> 28) % len(VAT)]}</Ставка>\n\t\t\t\t\t</СтавкаНалога>\n"
        "\t\t\t\t</СтавкиНалогов>\n\t\t\t\t<ЗначенияРеквизитов>\n"
        f"{_requisite('ВидНоменклатуры', 'Товары для продажи')}{_requisite('ТипНоменклатуры', 'Товар')}"
        f"{_requisite('Код', f'00-{row.number:08d}')}{_requisite('Полное наименование', row.name)}"
        "\t\t\t\t</ЗначенияРеквизитов>\n\t\t\t</Товар>\n"
    )


def _offers(row: _Row, pools: _Pools, made: Generated) -> str:
    pieces = []
    variants = [(f"{row.guid}#{one}", COLOURS[index]) for index, one in enumerate(row.characteristics)]
    for index, (key, colour) in enumerate(variants or [(row.guid, "")]):
        name = f"{row.name} ({colour})" if colour else row.name
        feature = (
            "\t\t\t\t<ХарактеристикиТовара>\n\t\t\t\t\t<ХарактеристикаТовара>\n"
            "\t\t\t\t\t\t<Наименование>Цвет</Наименование>\n"
            f"\t\t\t\t\t\t<Значение>{colour}</Значение>\n\t\t\t\t\t</ХарактеристикаТовара>\n"
            "\t\t\t\t</ХарактеристикиТовара>\n"
            if colour
            else ""
        )
        prices, total = "", 0
        for step, price_type in enumerate(pools.price_types):
            kopecks = row.price * (20 - step) // 20 + 100 * index
            total += kopecks
            prices += _price(price_type, f"{kopecks // 100}.{kopecks % 100:02d}")
        stock = [(row.bits >> 5 * (at + index)) % 90 for at in range(len(pools.warehouses))]
        stocks = "".join(
            f'\t\t\t\t<Склад ИдСклада="{warehouse}" КоличествоНаСкладе="{stock[at]}"/>\n'
            for at, warehouse in enumerate(pools.warehouses)
        )
        pieces.append(
            f"\t\t\t<Предложение>\n\t\t\t\t<Ид>{key}</Ид>\n\t\t\t\t<Артикул>АРТ-{row.number:07d}</Артикул>\n"
            f"\t\t\t\t<Наименование>{name}</Наименование>\n{UNIT}{feature}\t\t\t\t<Цены>\n{prices}\t\t\t\t</Цены>\n"
            f"\t\t\t\t<Количество>{sum(stock)}</Количество>\n{stocks}\t\t\t</Предложение>\n"
        )
        made.price_total += Decimal(total).scaleb(-2)
        made.offer_rows += 1
        made.prices += len(pools.price_types)
        made.stocks += len(pools.warehouses)
    return "".join(pieces)


def _price(price_type: str, value: str) -> str:
    return (
        f"\t\t\t\t\t<Цена>\n\t\t\t\t\t\t<Представление> {value} RUB за PCE</Представление>\n"
        f"\t\t\t\t\t\t<ИдТипаЦены>{price_type}</ИдТипаЦены>\n\t\t\t\t\t\t<ЦенаЗаЕдиницу>{value}</ЦенаЗаЕдиницу>\n"
        "\t\t\t\t\t\t<Валюта>RUB</Валюта>\n\t\t\t\t\t\t<Единица>PCE</Единица>\n"
        "\t\t\t\t\t\t<Коэффициент>1</Коэффициент>\n\t\t\t\t\t</Цена>\n"
    )


def _requisite(name: str, value: str) -> str:
    return (
        f"\t\t\t\t\t<ЗначениеРеквизита>\n\t\t\t\t\t\t<Наименование>{name}</Наименование>\n"
        f"\t\t\t\t\t\t<Значение>{value}</Значение>\n\t\t\t\t\t</ЗначениеРеквизита>\n"
    )


def _pools(
    numbers: random.Random, groups: int, properties: int, price_types: int, warehouses: int
) -> tuple[_Pools, str]:
    """The pieces, and the Классификатор that declares them."""
    ids = [_guid(numbers.getrandbits(128)) for _ in range(max(groups, 1))]
    declared, values = [], []
    for number in range(properties):
        key = _guid(numbers.getrandbits(128))
        options = [_guid(numbers.getrandbits(128)) for _ in range(20)]
        dictionary = "".join(
            f"\t\t\t\t\t<Справочник>\n\t\t\t\t\t\t<ИдЗначения>{one}</ИдЗначения>\n"
            f"\t\t\t\t\t\t<Значение>{_word(number * 20 + at)} {at + 1}</Значение>\n\t\t\t\t\t</Справочник>\n"
            for at, one in enumerate(options)
        )
        declared.append(
            f"\t\t\t<Свойство>\n\t\t\t\t<Ид>{key}</Ид>\n\t\t\t\t<Наименование>Свойство {number + 1}</Наименование>\n"
            "\t\t\t\t<ТипЗначений>Справочник</ТипЗначений>\n"
            f"\t\t\t\t<ВариантыЗначений>\n{dictionary}\t\t\t\t</ВариантыЗначений>\n\t\t\t</Свойство>\n"
        )
        values.append(
            [
                f"\t\t\t\t\t<ЗначенияСвойства>\n\t\t\t\t\t\t<Ид>{key}</Ид>\n\t\t\t\t\t\t<Значение>{one}</Значение>\n"
                "\t\t\t\t\t</ЗначенияСвойства>\n"
                for one in options
            ]
        )
    texts = [" ".join(numbers.choices(WORDS, k=numbers.randint(15, 60))) for _ in range(2000)]
    pools = _Pools(
        ids,
        values,
        texts,
        [_guid(numbers.getrandbits(128)) for _ in range(price_types)],
        [_guid(numbers.getrandbits(128)) for _ in range(warehouses)],
    )
    classifier = (
        f"\t<Классификатор>\n\t\t<Ид>{CATALOG}</Ид>\n\t\t<Наименование>Классификатор</Наименование>\n{OWNER}"
        f"{_groups(ids)}\t\t<Свойства>\n{''.join(declared)}\t\t</Свойства>\n\t</Классификатор>\n"
    )
    return pools, classifier


def _groups(ids: list[str]) -> str:
    """Three levels, at most seven children each: the standard figure of 344 gives 7 + 49 + 288."""
    children: dict[int, list[int]] = {}
    for number in range(len(ids)):
        parent = -1 if number < 7 else (number - 7) // 7 if number < 56 else 7 + (number - 56) % 49
        children.setdefault(parent, []).append(number)

    def level(parent: int) -> str:
        rows = "".join(
            f"<Группа><Ид>{ids[one]}</Ид><Наименование>Группа {one + 1}</Наименование>{level(one)}</Группа>\n"
            for one in children.get(parent, ())
        )
        return f"<Группы>\n{rows}</Группы>" if rows else ""

    return level(-1) + "\n"


def _offers_head(pools: _Pools) -> str:
    types = "".join(
        f"\t\t\t<ТипЦены>\n\t\t\t\t<Ид>{one}</Ид>\n\t\t\t\t<Наименование>Вид цены {number + 1}</Наименование>\n"
        "\t\t\t\t<Валюта>RUB</Валюта>\n\t\t\t</ТипЦены>\n"
        for number, one in enumerate(pools.price_types)
    )
    warehouses = "".join(
        f"\t\t\t<Склад>\n\t\t\t\t<Ид>{one}</Ид>\n\t\t\t\t<Наименование>Склад {number + 1}</Наименование>\n\t\t\t</Склад>\n"
        for number, one in enumerate(pools.warehouses)
    )
    return (
        f'\t<ПакетПредложений СодержитТолькоИзменения="false">\n{_package("Пакет предложений", offers=True)}'
        f"\t\t<ТипыЦен>\n{types}\t\t</ТипыЦен>\n\t\t<Склады>\n{warehouses}\t\t</Склады>\n\t\t<Предложения>\n"
    )


def _package(name: str, offers: bool = False) -> str:
    ids = f"\t\t<ИдКлассификатора>{CATALOG}</ИдКлассификатора>\n"
    named = f"\t\t<Наименование>{name}</Наименование>\n"
    if offers:
        return f"\t\t<Ид>{CATALOG}#</Ид>\n{named}\t\t<ИдКаталога>{CATALOG}</ИдКаталога>\n{ids}{OWNER}"
    return f"\t\t<Ид>{CATALOG}</Ид>\n{ids}{named}{OWNER}"


def _word(bits: int) -> str:
    return WORDS[bits % len(WORDS)]


def _guid(bits: int) -> str:
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cml", description="Generate CommerceML.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("products", type=int)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--changed", type=float, help="share of the rows to alter, for example 0.001")
    given = parser.parse_args()
    start = time.process_time()
    made = generate(given.folder, given.products, given.seed, changed=given.changed)
    spent = time.process_time() - start
    for path in (made.goods, made.offers):
        print(f"{path}: {path.stat().st_size:,} bytes")
    print(
        f"{made.products:,} products ({made.deleted} deleted, {len(made.changed)} changed), {made.offer_rows:,} offers; "
        f"{spent:.1f} CPU s, {made.products / max(spent, 0.001):,.0f} products per CPU s"
    )


if __name__ == "__main__":
    main()
