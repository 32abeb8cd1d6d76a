"""CommerceML catalogues and offers: every form, every encoding, and files that are not what they should be."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from adapters.base import KeptInMemory, Problem, Record
from adapters.onec.cml import parts, records
from adapters.onec.cml.reader import split_id
from sync.lens.load import load
from tests.adapters.onec_context import FIXTURES
from tests.need import shared

A, B, C = (f"11111111-0000-4000-8000-00000000000{n}" for n in "123")
RED, BLUE = (f"22222222-0000-4000-8000-00000000000{n}" for n in "12")
RETAIL, WHOLESALE = (f"33333333-0000-4000-8000-00000000000{n}" for n in "12")
MAIN, FAR = (f"44444444-0000-4000-8000-00000000000{n}" for n in "12")


def read(source: Path | bytes | str) -> list[Record | Problem]:
    body = source.read_bytes() if isinstance(source, Path) else source
    return list(records(io.BytesIO(body.encode() if isinstance(body, str) else body)))


def by_id(items: list[Record | Problem], kind: str) -> dict[str, Record]:
    return {item.id: item for item in items if isinstance(item, Record) and item.kind == kind}


def problems(items: list[Record | Problem]) -> list[Problem]:
    return [item for item in items if isinstance(item, Problem)]


def catalogue(*products: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>', root: str = "") -> str:
    goods = "\n".join(products)
    return (
        f'{head}\n<КоммерческаяИнформация ВерсияСхемы="2.05"{root}>\n<Каталог>\n<Товары>\n{goods}\n</Товары></Каталог>'
        "</КоммерческаяИнформация>"
    )


def product(id: str, inner: str = "<Наименование>Стол</Наименование>") -> str:
    return f"<Товар><Ид>{id}</Ид>{inner}</Товар>"


# What a catalogue says ---------------------------------------------------------------------------------------------


def test_a_product_with_everything() -> None:
    found = by_id(read(FIXTURES / "import0_1.xml"), "product")[A]
    assert found.data == {
        "name": "Стол письменный & тумба",
        "sku": "T-1",
        "barcode": "4600000000017",
        "unit": {"code": "796", "full": "Штука", "intl": "PCE", "name": "Штука"},
        "groups": ["55555555-0000-4000-8000-000000000002"],
        "description": "Стол из сосны",
        "images": ["import_files/11/a.jpg", "import_files/11/b.jpg"],
        "properties": {"p1": "v1"},
        "attributes": {"Цвет": "белый"},  # by the file's own dictionary
        "vat": "20",
        "requisites": {
            "Код": "00-00000001",
            "ТипНоменклатуры": "Товар",
            "Полное наименование": "Стол письменный с тумбой",
        },
        "type": "good",
    }
    assert not found.deleted


def test_properties_without_their_dictionary_stay_ids() -> None:
    """Only the first portion of an export brings the dictionary (Свойства)."""
    values = (
        "<ЗначенияСвойств><ЗначенияСвойства><Ид>p9</Ид><Значение>v9</Значение></ЗначенияСвойства></ЗначенияСвойств>"
    )
    found = by_id(read(catalogue(product("a", values))), "product")["a"].data
    assert found == {"properties": {"p9": "v9"}}


@pytest.mark.parametrize("tag", ["Свойство", "СвойствоНоменклатуры"])
def test_values_of_properties_are_words_or_ids_of_the_dictionary(tag: str) -> None:
    row = "<ЗначенияСвойства><Ид>{}</Ид><Значение>{}</Значение><Значение>{}</Значение></ЗначенияСвойства>"
    body = (
        f"<КоммерческаяИнформация><Классификатор><Свойства><{tag}><Ид>p1</Ид><Наименование>Цвет</Наименование>"
        "<ВариантыЗначений><Справочник><ИдЗначения>v1</ИдЗначения><Значение>белый</Значение></Справочник>"
        f"</ВариантыЗначений></{tag}></Свойства></Классификатор><Каталог><Товары><Товар><Ид>a</Ид><ЗначенияСвойств>"
        f"{row.format('p1', 'v1', 'матовый')}{row.format('p2', 'v1', '')}</ЗначенияСвойств></Товар></Товары></Каталог>"
        "</КоммерческаяИнформация>"
    )
    data = by_id(read(body), "product")["a"].data
    assert data["properties"] == {"p1": "v1\nматовый", "p2": "v1"}
    assert data["attributes"] == {"Цвет": "белый\nматовый"}


def test_a_row_without_a_name_gives_its_value_to_nobody() -> None:
    rows = (
        "<ЗначенияРеквизитов><ЗначениеРеквизита><Наименование>Код</Наименование><Значение>7</Значение></ЗначениеРеквизита>"
        "<ЗначениеРеквизита><Значение>чужое</Значение></ЗначениеРеквизита><Своё><Значение>1</Значение>"
        "</Своё><ЗначениеРеквизита><Значение>5</Значение><Наименование>Вес</Наименование></ЗначениеРеквизита>"
        "</ЗначенияРеквизитов>"
    )
    found = by_id(read(catalogue(product("a", rows))), "product")["a"].data["requisites"]
    assert found["Код"] == "7"
    assert "чужое" not in repr(found)


def test_other_units_come_with_their_factor() -> None:
    unit = (
        '<БазоваяЕдиница Код="796 " НаименованиеПолное="Штука" МеждународноеСокращение="PCE">шт<Пересчет><Единица>796</Единица>'
        "<Коэффициент>1</Коэффициент></Пересчет><Пересчет><Единица>778</Единица><Коэффициент>12</Коэффициент></Пересчет>"
        "</БазоваяЕдиница>"
    )
    found = by_id(read(catalogue(product("a", unit), product("b", unit))), "product")
    assert found["a"].data["unit"] == found["b"].data["unit"]
    assert found["a"].data["unit"] == {
        "code": "796",
        "full": "Штука",
        "intl": "PCE",
        "name": "шт",
        "packs": [{"unit": "778", "coefficient": "12"}],
    }


@pytest.mark.parametrize(
    ("id", "apart"),
    [(f"{A}#{RED}", ""), (A, f"<ИдХарактеристики>{RED}</ИдХарактеристики>")],
    ids=["in the id", "apart"],
)
def test_what_a_characteristic_is_made_of(id: str, apart: str) -> None:
    features = (
        "<ХарактеристикиТовара><ХарактеристикаТовара><Наименование>Цвет</Наименование><Значение>белый</Значение>"
        "</ХарактеристикаТовара><ХарактеристикаТовара><Ид>7</Ид><Наименование>Размер</Наименование>"
        "<Значение>42</Значение></ХарактеристикаТовара></ХарактеристикиТовара>"
    )
    good = by_id(read(catalogue(product(id, apart + features))), "product")[f"{A}#{RED}"].data
    assert (good["features"], good["variant_of"]) == ({"Цвет": "белый", "Размер": "42"}, A)
    offers = (
        "<КоммерческаяИнформация><ПакетПредложений><Предложения><Предложение>"
        f"<Ид>{id}</Ид>{apart}{features}</Предложение></Предложения></ПакетПредложений></КоммерческаяИнформация>"
    )
    assert by_id(read(offers), "offer")[f"{A}#{RED}"].data["features"] == good["features"]


def test_groups_come_parents_first() -> None:
    groups = list(by_id(read(FIXTURES / "import0_1.xml"), "group").values())
    assert [(g.data["name"], g.data["parent"]) for g in groups] == [("Мебель", ""), ("Столы", groups[0].id)]


def test_a_characteristic_is_a_product_of_its_own() -> None:
    found = by_id(read(FIXTURES / "import0_1.xml"), "product")[f"{B}#{RED}"]
    assert (found.data["characteristic"], found.data["variant_of"], found.data["vat"]) == (RED, B, None)


def test_offers_with_prices_and_stocks() -> None:
    items = read(FIXTURES / "offers0_1.xml")
    assert {r.data["name"]: r.data["currency"] for r in by_id(items, "price_type").values()} == {
        "Розничная": "руб",
        "Оптовая": "RUB",
    }
    assert {r.id: r.data["name"] for r in by_id(items, "warehouse").values()} == {MAIN: "Основной", FAR: "Дальний"}
    offer = by_id(items, "offer")[A]
    assert offer.data["prices"] == [
        {
            "text": "1 000,50 руб за PCE",
            "type": RETAIL,
            "value": "1000.50",
            "currency": "руб",
            "unit": "PCE",
            "coefficient": "1",
        },
        {"type": WHOLESALE, "value": "900", "currency": "RUB"},
    ]
    assert offer.data["quantity"] == "5"
    assert offer.data["stocks"] == [{"warehouse": MAIN, "qty": "3"}, {"warehouse": FAR, "qty": "2"}]
    assert offer.data["product"] == A


def test_changes_of_offers_are_partial() -> None:
    """ИзмененияПакетаПредложений: the characteristic stands beside the bare product id; what is not said is unknown."""
    offers = by_id(read(FIXTURES / "offers_changes.xml"), "offer")
    assert list(offers) == [f"{B}#{BLUE}", A]
    price, stock = offers[f"{B}#{BLUE}"].data, offers[A].data
    assert (price["variant_of"], price["prices"][0]["value"]) == (B, "750")
    assert "stocks" not in price
    assert "quantity" not in price
    assert stock["stocks"] == [{"warehouse": MAIN, "qty": "7"}, {"warehouse": FAR, "qty": "0"}]
    assert "prices" not in stock


def test_rests_of_the_bitrix_module_in_windows_1251() -> None:
    offers = by_id(read(FIXTURES / "rests_1251.xml"), "offer")
    assert offers[A].data["name"] == "Стол «Ёлка» №1"
    assert offers[A].data["stocks"] == [{"warehouse": MAIN, "qty": "4"}, {"warehouse": FAR, "qty": "0"}]
    assert offers[f"{B}#{RED}"].data["quantity"] == "12"


@pytest.mark.parametrize(
    ("inner", "stocks", "quantity"),
    [
        ('<Склад ИдСклада="w" КоличествоНаСкладе="2"/><Склад ИдСклада="v" КоличествоНаСкладе="0"/>', "w2 v0", None),
        ('<Склады ИдСклада="w" КоличествоНаСкладе="2"/>', "w2", None),
        ('<Склады><Склад ИдСклада="w" КоличествоНаСкладе="2"/></Склады>', "w2", None),
        ("<Склад><ИдСклада>w</ИдСклада><КоличествоНаСкладе>2</КоличествоНаСкладе></Склад>", "w2", None),
        ("<Склады><Склад><Ид>w</Ид><КоличествоНаСкладе>2</КоличествоНаСкладе></Склад></Склады>", "w2", None),
        (
            "<КоличествоНаСкладах><КоличествоНаСкладе><ИдСклада>w</ИдСклада><Количество>2</Количество>"
            "</КоличествоНаСкладе></КоличествоНаСкладах>",
            "w2",
            None,
        ),
        ("<Остатки><Остаток><Склад><Ид>w</Ид><Количество>2</Количество></Склад></Остаток></Остатки>", "w2", None),
        ('<Остатки><Остаток><Склад ИдСклада="w" КоличествоНаСкладе="2"/></Остаток></Остатки>', "w2", None),
        ("<Остатки><Остаток><Количество>7</Количество></Остаток></Остатки>", "", "7"),
        ("<Количество>1 000,5</Количество>", "", "1 000,5"),
        ('<Количество/><Остатки/><Склады/><Склад/><Склад ИдСклада="w"/>', "", None),
    ],
)
def test_every_form_of_stock(inner: str, stocks: str, quantity: str | None) -> None:
    body = f"<КоммерческаяИнформация><ПакетПредложений><Предложения><Предложение><Ид>a</Ид>{inner}</Предложение>"
    (offer,) = read(body + "</Предложения></ПакетПредложений></КоммерческаяИнформация>")
    assert isinstance(offer, Record)
    assert " ".join(f"{s['warehouse']}{s['qty']}" for s in offer.data.get("stocks", [])) == stocks
    assert offer.data.get("quantity") == quantity
    assert load("onec_ut").lens("offer").get(offer.data).problems == []


@pytest.mark.parametrize(
    ("inner", "field"),
    [
        ("<Склад><Количество>5</Количество></Склад>", "stocks"),
        ("<Цены><Цена><ЦенаЗаЕдиницу>10</ЦенаЗаЕдиницу></Цена></Цены>", "prices"),
        ("<Цены><Цена><ИдТипаЦены>t</ИдТипаЦены><ЦенаЗаЕдиницу>по запросу</ЦенаЗаЕдиницу></Цена></Цены>", "prices"),
        ("<Количество>много</Количество>", "quantity"),
    ],
)
def test_what_belongs_to_nothing_or_is_no_number_is_named(inner: str, field: str) -> None:
    """Neither lost in silence nor taken for zero; the record's other fields go on."""
    body = (
        "<КоммерческаяИнформация><ПакетПредложений><Предложения><Предложение><Ид>a</Ид><Наименование>Стол</Наименование>"
        f"{inner}</Предложение></Предложения></ПакетПредложений></КоммерческаяИнформация>"
    )
    (offer,) = read(body)
    assert isinstance(offer, Record)
    found = load("onec_ut").lens("offer").get(offer.data)
    assert [p.field.partition("[")[0] for p in found.problems] == [field]
    assert (found.fields["name"], field in found.fields) == ("Стол", False)


def test_all_bar_codes_of_a_product_are_kept() -> None:
    codes = "<Штрихкод>4600000000017</Штрихкод><Штрихкод/><Штрихкод>4600000000024</Штрихкод>"
    for inner, expected in ((codes, ["4600000000017", "4600000000024"]), (codes[:34], ["4600000000017"])):
        (item,) = read(catalogue(product("a", inner)))
        assert isinstance(item, Record)
        assert load("onec_unf").lens("product").get(item.data).fields["barcodes"] == expected


@pytest.mark.parametrize("word", ["руб", "руб.", "Руб.", "РУБ", "₽", "RUB", "RUR", "643"])
def test_roubles_by_any_name(word: str) -> None:
    for name in ("onec_ut", "onec_unf"):
        found = (
            load(name)
            .lens("offer")
            .get({"product": "a", "prices": [{"type": "t", "value": "1 234,50", "currency": word}]})
        )
        assert [(str(p["value"]), p["currency"]) for p in found.fields["prices"]] == [("1234.500000", "RUB")]


def test_two_prices_of_one_type_for_two_units_are_both_kept() -> None:
    row = "<Цена><ИдТипаЦены>t</ИдТипаЦены><ЦенаЗаЕдиницу>{}</ЦенаЗаЕдиницу><Единица>{}</Единица></Цена>"
    body = (
        "<КоммерческаяИнформация><ПакетПредложений><Предложения><Предложение><Ид>a</Ид><Цены>"
        + row.format("10", "шт.")
        + row.format("100", "упк")
        + "</Цены></Предложение></Предложения></ПакетПредложений></КоммерческаяИнформация>"
    )
    prices = by_id(read(body), "offer")["a"].data["prices"]
    assert [(p.get("key", p["type"]), p["value"]) for p in prices] == [("t", "10"), ("t/упк", "100")]


@pytest.mark.parametrize(
    ("id", "characteristic", "expected"),
    [
        ("a", "", ("a", "a", "")),
        ("a#", "", ("a", "a", "")),
        ("a#b", "", ("a#b", "a", "b")),
        ("a", "b", ("a#b", "a", "b")),
        ("a#b", "b", ("a#b", "a", "b")),
        ("a", "a#b", ("a#b", "a", "b")),
        ("a#00000000-0000-0000-0000-000000000000", "", ("a", "a", "")),
    ],
)
def test_ids_with_characteristics(id: str, characteristic: str, expected: tuple[str, str, str]) -> None:
    assert split_id(id, characteristic) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("20", {"vat": "20"}),
        ("20%", {"vat": "20"}),
        ("НДС10", {"vat": "10"}),
        ("Без НДС", {"vat": None}),
        ("БезНДС", {"vat": None}),
        ("0", {"vat": "0"}),
        ("особая", {"vat_text": "особая"}),
        ("", {}),
    ],
)
def test_vat_rates(rate: str, expected: dict[str, Any]) -> None:
    tax = f"<СтавкиНалогов><СтавкаНалога><Наименование>НДС</Наименование><Ставка>{rate}</Ставка></СтавкаНалога></СтавкиНалогов>"
    data = by_id(read(catalogue(product("a", tax))), "product")["a"].data
    assert {k: v for k, v in data.items() if k.startswith("vat")} == expected


@pytest.mark.parametrize(
    "namespace", ["commerceml_2", "commerceml_205", "commerceml_208", "commerceml_210", "commerceml 2", "", "чужой"]
)
def test_any_namespace_reads_the_same(namespace: str) -> None:
    root = f' xmlns="urn:1C.ru:{namespace}"' if namespace else ""
    assert read(catalogue(product("a"), root=root)) == read(catalogue(product("a")))


def test_a_prefixed_namespace_reads_the_same() -> None:
    body = (
        '<c:КоммерческаяИнформация xmlns:c="urn:1C.ru:commerceml_2"><c:Каталог><c:Товары><c:Товар><c:Ид>a</c:Ид>'
        "</c:Товар></c:Товары></c:Каталог></c:КоммерческаяИнформация>"
    )
    assert [item.id for item in read(body)] == ["a"]


# Real files, against a plain reading ---------------------------------------------------------------------------------


def plainly(path: Path) -> ET.Element:
    root = ET.fromstring(path.read_bytes())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


@pytest.mark.parametrize("name", ["dob_import0_1.xml", "carono_import.xml", "bigp_import.xml"])
def test_real_catalogues_lose_nothing(name: str) -> None:
    path = shared(f"onec/{name}")
    root, items = plainly(path), read(path)
    assert problems(items) == []
    expected = [
        (
            row.findtext("Ид"),
            row.findtext("Наименование"),
            row.findtext("Артикул"),
            row.findtext("Штрихкод"),
            [e.text for e in row.findall("Группы/Ид")],
            [e.text for e in row.findall("Картинка")],
            {
                e.findtext("Наименование"): e.findtext("Значение") or ""
                for e in row.findall("ЗначенияРеквизитов/ЗначениеРеквизита")
            },
            row.get("Статус") == "Удален",
        )
        for row in root.iter("Товар")
    ]
    found = [
        (
            r.id,
            r.data["name"],
            r.data.get("sku"),
            r.data.get("barcode"),
            r.data.get("groups", []),
            r.data.get("images", []),
            r.data.get("requisites", {}),
            r.deleted,
        )
        for r in by_id(items, "product").values()
    ]
    assert expected
    assert found == [tuple(v.strip() if isinstance(v, str) else v for v in row) for row in expected]
    groups = {e.findtext("Ид"): e.findtext("Наименование") for e in root.iter("Группа")}
    assert {r.id: r.data["name"] for r in by_id(items, "group").values()} == groups


@pytest.mark.parametrize("name", ["dob_offers0_1.xml", "carono_offers.xml", "bigp_offers.xml"])
def test_real_offers_lose_nothing(name: str) -> None:
    path = shared(f"onec/{name}")
    root, items = plainly(path), read(path)
    assert problems(items) == []
    expected = [
        (
            row.findtext("Ид"),
            (row.findtext("Наименование") or "").strip(),
            row.findtext("Артикул"),
            [
                (p.findtext("ИдТипаЦены"), p.findtext("ЦенаЗаЕдиницу"), p.findtext("Валюта"))
                for p in row.findall("Цены/Цена")
            ],
            row.findtext("Количество"),
            [(s.get("ИдСклада"), s.get("КоличествоНаСкладе")) for s in row.findall("Склад")],
        )
        for row in root.iter("Предложение")
    ]
    found = [
        (
            r.id,
            r.data["name"],
            r.data.get("sku"),
            [(p["type"], p["value"], p["currency"]) for p in r.data.get("prices", [])],
            r.data.get("quantity"),
            [(s["warehouse"], s["qty"]) for s in r.data.get("stocks", [])],
        )
        for r in by_id(items, "offer").values()
    ]
    assert expected
    assert found == expected


def test_a_real_empty_answer_of_bitrix_in_windows_1251() -> None:
    assert read(shared("onec/dob_bitrix_query_empty.xml")) == []


def test_only_so_many_words_are_remembered_and_the_newest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "REMEMBERED", 3)
    kept = KeptInMemory()
    for number in range(5):
        body = (
            f"<КоммерческаяИнформация><Классификатор><Свойства><Свойство><Ид>p{number}</Ид><Наименование>С{number}"
            "</Наименование></Свойство></Свойства></Классификатор></КоммерческаяИнформация>"
        )
        assert list(records(io.BytesIO(body.encode()), kept=kept)) == []
    found = kept.load("properties")
    assert found is not None
    assert found["names"] == {"p2": "С2", "p3": "С3", "p4": "С4"}
