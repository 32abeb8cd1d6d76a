"""Orders through the 1C stand-ins: what 1C loads, loses, refuses and sends back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from tests.adapters.onec_site import (
    HTML,
    Site,
    answer,
    document,
    facts,
    line,
    requisite,
    small_base,
    texts,
    unf,
    ut,
)
from tests.need import shared
from tests.peers.onec import ExchangeAborted, OneCBase
from tests.peers.onec_wire import EMPTY_ANSWER


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as peer:
        yield peer


@pytest.fixture
def base() -> OneCBase:
    return small_base()


QUERY_FAULTS: dict[str, tuple[Any, str]] = {
    "empty": ("", EMPTY_ANSWER),
    "a page": (HTML, "Не удалось прочитать"),
    "no declaration": (
        answer(document()).removeprefix('<?xml version="1.0" encoding="UTF-8"?>'),
        "Не удалось прочитать",
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + answer(document()).encode(), "Не удалось прочитать"),
    "a blank line first": ("\n" + answer(document()), "Не удалось прочитать"),
    "failure": ("failure\nНет прав", "Нет прав|Не удалось прочитать"),
    "broken XML": (answer(document())[:-30], "Не удалось прочитать"),
    "a zip": (b"PK\x03\x04\x00\x00", "Не удалось прочитать"),
    "another root": ('<?xml version="1.0"?><orders/>', "Неверный формат"),
    "no name of the counterparty": (
        answer(document("1"), document("2", Контрагенты="<Контрагенты><Контрагент/></Контрагенты>")),
        "Наименование",
    ),
    "no counterparty": (answer(document("1"), document("2", Контрагенты="")), "Контрагент"),
    "no number": (answer(document("1"), document("2", Номер="")), "Номер"),
    "a date in words": (answer(document("1"), document("2", Дата="<Дата>05.03.2024</Дата>")), "Дата"),
    "a sum with a comma": (answer(document("1"), document().replace("100.50", "100,50")), "Число"),
    "a half warehouse": (
        answer(document("1"), document("2", Склады="<Склады><Склад><Ид>w</Ид></Склад></Склады>")),
        "АдресноеПоле",
    ),
}


@pytest.mark.parametrize("fault", QUERY_FAULTS)
def test_ut_rolls_the_whole_answer_back(site: Site, base: OneCBase, fault: str) -> None:
    planted, reason = QUERY_FAULTS[fault]
    site.planted["query"] = planted
    before = base.snapshot()
    with pytest.raises(ExchangeAborted, match=reason):
        ut(site, base).exchange_orders()
    assert base.state == before
    assert site.confirmed == 0


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ({"ХозОперация": "<ХозОперация>Счет на оплату</ХозОперация>"}, "неизвестная хозяйственная операция"),
        ({"ХозОперация": ""}, "неизвестная хозяйственная операция"),
        ({"Валюта": "<Валюта></Валюта>"}, "не указана валюта"),
        ({"Валюта": ""}, "не указана валюта"),
    ],
)
def test_a_poison_order_keeps_the_earlier_ones_and_loses_the_later(
    site: Site, base: OneCBase, poison: dict[str, str], reason: str
) -> None:
    site.orders = [document("1"), document("2", **poison), document("3")]
    with pytest.raises(ExchangeAborted, match=reason):
        ut(site, base).exchange_orders()
    assert [order["site_number"] for order in base.state["orders"]] == ["1"]
    assert site.confirmed == 0
    site.orders = [document("1"), document("3")]
    assert ut(site, base).exchange_orders().loaded == ["1", "3"]
    assert [order["site_number"] for order in base.state["orders"]] == ["1", "3"], "order 1 was not made twice"


@pytest.mark.parametrize("planted", ["", HTML, "failure\nнет", "заказы приняты: success"])
def test_success_that_is_not_confirmed_fails_the_exchange_but_not_the_orders(
    site: Site, base: OneCBase, planted: str
) -> None:
    site.orders = [document("1043")]
    site.planted["success"] = planted
    with pytest.raises(ExchangeAborted):
        ut(site, base).exchange_orders()
    assert base.order("1043")["number"]
    site.planted.clear()
    ut(site, base).exchange_orders()
    assert len(base.state["orders"]) == 1


# What 1C makes of an order -----------------------------------------------------------------------------------------


def test_a_number_over_11_characters_never_finds_its_order_again(site: Site, base: OneCBase) -> None:
    site.orders = [document("SHOP-1000043")]
    ut(site, base).exchange_orders()
    ut(site, base).exchange_orders()
    assert [order["site_number"] for order in base.state["orders"]] == ["SHOP-100004", "SHOP-100004"]
    site.orders = [document("SHOP-100043")]
    ut(site, base).exchange_orders()
    ut(site, base).exchange_orders()
    assert len(base.state["orders"]) == 3, "11 characters are kept whole and found again"


def test_vat_is_inherited_and_a_line_of_quantity_0_is_dropped(site: Site, base: OneCBase) -> None:
    rows = line(vat="10") + line(vat="") + line(qty="0", vat="20") + line(vat="")
    site.orders = [document("7", Товары=f"<Товары>{rows}</Товары>")]
    ut(site, base).exchange_orders()
    assert [one["vat"] for one in base.order("7")["lines"]] == ["10", "10", "20"]


def test_a_line_is_found_by_guid_article_name_or_becomes_a_new_item(site: Site, base: OneCBase) -> None:
    shirt = next(guid for guid, one in base.state["products"].items() if one["sku"] == "R-1")
    table = next(guid for guid, one in base.state["products"].items() if one["sku"] == "T-1")
    key = base.characteristic(shirt, "44")
    rows = line(key) + line("unknown") + line("unknown", sku="") + line("unknown", name="Новое", sku="N-1")
    site.orders = [document("7", Товары=f"<Товары>{rows}</Товары>")]
    client = ut(site, base)
    client.exchange_orders()
    found = [one["product"] for one in base.order("7")["lines"]]
    assert found[:3] == [shirt, table, table]
    assert base.order("7")["lines"][0]["characteristic"] == key.partition("#")[2]
    assert base.state["products"][found[3]]["sku"] == "N-1"
    assert "Создана номенклатура Новое" in client.log


def test_counterparties_by_name_or_by_inn(site: Site, base: OneCBase) -> None:
    def party(name: str, inn: str, full: str) -> str:
        return (
            f"<Контрагенты><Контрагент><Наименование>{name}</Наименование>{full}<ИНН>{inn}</ИНН>"
            "<КПП>770001001</КПП></Контрагент></Контрагенты>"
        )

    legal = "<ОфициальноеНаименование>ООО Пример</ОфициальноеНаименование>"
    both = legal + "<ПолноеНаименование>Иван Тестов</ПолноеНаименование>"
    site.orders = [
        document("1", Контрагенты=party("Пример", "7700000016", legal)),
        document("2", Контрагенты=party("Пример плюс", "7700000016", both)),
    ]
    other = OneCBase("other")
    ut(site, other, match="inn").exchange_orders()
    assert [one["name"] for one in other.state["counterparties"].values()] == ["Пример"]
    ut(site, base, match="name").exchange_orders()
    parties = list(base.state["counterparties"].values())
    assert [(one["name"], one["kind"], one["contacts_of"]) for one in parties] == [
        ("Пример", "legal", "legal"),
        ("Пример плюс", "legal", "person"),
    ]


def test_ut_takes_updates_only_until_the_order_is_approved(site: Site, base: OneCBase) -> None:
    statuses = {"Подтвержден": "КОбеспечению"}
    site.orders = [document("1", ЗначенияРеквизитов=requisite("Статус заказа", "Что-то"))]
    ut(site, base, statuses=statuses).exchange_orders()
    assert base.order("1")["status"] == "НеСогласован", "an unmapped status"
    site.orders = [document("1", ЗначенияРеквизитов=requisite("Статус заказа", "Подтвержден"))]
    ut(site, base, statuses=statuses).exchange_orders()
    assert base.order("1")["status"] == "КОбеспечению"
    site.orders = [document("1", ЗначенияРеквизитов=requisite("Отменен", "true"))]
    client = ut(site, base, statuses=statuses)
    assert client.exchange_orders().loaded == []
    assert "Заказ 1 не обновлен: Статус заказа - Закрыт" in client.log
    assert site.confirmed == 3, "a refused update is no failure"
    assert not base.order("1")["cancelled"]


def test_unf_reads_the_status_id_first_and_refuses_only_when_finished(site: Site, base: OneCBase) -> None:
    statuses = {"N": "Новый", "W": "В работе", "F": "Завершен"}
    site.orders = [
        document("1", ЗначенияРеквизитов=requisite("Статус заказа", "F") + requisite("Статуса заказа ИД", "W"))
    ]
    site.orders = [site.orders[0].replace("</ЗначенияРеквизитов><ЗначенияРеквизитов>", "")]
    unf(site, base, statuses=statuses).exchange_orders()
    assert base.order("1")["status"] == "В работе"
    site.orders = [document("1", ЗначенияРеквизитов=requisite("Отменен", "true"))]
    unf(site, base, statuses=statuses).exchange_orders()
    assert base.order("1")["cancelled"]
    base.set_status("1", "Завершен")
    assert unf(site, base, statuses=statuses).exchange_orders().loaded == []


# What 1C sends back ------------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(site: Site, base: OneCBase) -> OneCBase:
    """A base with order 1043 of 100.50, loaded and settled in the exchange."""
    site.orders = [document("1043", Комментарий="<Комментарий>позвонить</Комментарий>")]
    ut(site, base).exchange_orders()
    site.orders = []
    site.areas.clear()
    site.requests.clear()
    return base


def sent(site: Site, client: Any) -> etree._Element:
    site.areas.clear()
    assert client.exchange_orders().sent == ["1043"]
    ((name, root),) = site.files().items()
    assert re.fullmatch(r"orders-[0-9a-f-]{36}_1\.xml", name)
    return root


def test_only_orders_with_a_site_number_and_date_are_sent(site: Site, loaded: OneCBase) -> None:
    loaded.new_order()
    loaded.new_order(site_number="77")
    root = sent(site, ut(site, loaded))
    assert texts(root, "Документ/Номер") == ["1043"]
    assert texts(root, "Документ/Ид") == [loaded.order("1043")["guid"]]
    assert (texts(root, "Документ/Дата"), texts(root, "Документ/Время")) == (["2024-03-05"], ["14:05:06"])
    assert ut(site, loaded).exchange_orders().sent == [], "sent once"
    modes = [one.removeprefix("sale:") for one in site.modes()]
    assert modes[:7] == ["checkauth", "query", "success", "checkauth", "init", "file", "import"]


def test_ut_reports_only_whole_payments_and_shipments_as_dates(site: Site, loaded: OneCBase) -> None:
    loaded.pay("1043", "40.25")
    part = facts(sent(site, ut(site, loaded)))
    assert set(part) == {"Номер по 1С", "Дата по 1С", "ПометкаУдаления", "Проведен"}
    loaded.pay("1043")
    loaded.ship("1043")
    whole = facts(sent(site, ut(site, loaded)))
    assert {"Номер оплаты по 1С", "Дата оплаты по 1С", "Номер отгрузки по 1С", "Дата отгрузки по 1С"} <= set(whole)
    assert not {"Оплачен", "Отгружен", "Отменен", "Статус заказа", "Статуса заказа ИД"} & set(whole)
    assert loaded.settled(loaded.order("1043"), "payments") == Decimal("100.50")


def test_an_order_cancelled_in_ut_comes_without_lines_and_counts_as_paid(site: Site, loaded: OneCBase) -> None:
    loaded.cancel("1043")
    root = sent(site, ut(site, loaded))
    assert texts(root, "Документ/Товары/Товар/Ид") == []
    assert texts(root, "Документ/Сумма") == ["0"]
    assert "Дата оплаты по 1С" in facts(root), "an order of sum 0 counts as settled"
    assert "Отменен" not in facts(root)


def test_a_deletion_mark(site: Site, loaded: OneCBase) -> None:
    loaded.mark_deleted("1043")
    assert facts(sent(site, ut(site, loaded)))["ПометкаУдаления"] == "true"


def test_unf_names_no_state_that_its_table_does_not_have(site: Site, loaded: OneCBase) -> None:
    loaded.set_status("1043", "Ждёт склада")
    said = facts(sent(site, unf(site, loaded, bitrix=True, statuses={"W": "В работе"})))
    assert not {"Статус заказа", "Статуса заказа ИД"} & set(said)


def test_unf_says_it_in_words_and_with_subordinate_documents(site: Site, loaded: OneCBase) -> None:
    loaded.set_status("1043", "В работе")
    loaded.pay("1043", "40.25", "Эквайринговая операция")
    loaded.ship("1043")
    loaded.state["site_dictionaries"] = {"Статусы": {"W": "Собираем", "P": "Оплачен"}}
    client = unf(
        site, loaded, bitrix=True, subordinate=True, statuses={"N": "Открыт", "W": "В работе", "P": "В работе"}
    )
    root = sent(site, client)
    assert (root.tag.partition("}")[0], root.get("ВерсияСхемы")) == ("{urn:1C.ru:commerceml_210", "2.10")
    said = facts(root)
    assert (said["Оплачен"], said["Отгружен"], said["Отменен"]) == ("false", "true", "false")
    assert (said["Статус заказа"], said["Статуса заказа ИД"]) == ("Собираем", "W"), "of the first row"
    assert "Дата оплаты по 1С" in said, "a part payment is reported"
    assert texts(root, "ПодчиненныйДокумент/ХозОперация") == ["Эквайринговая операция", "Отпуск товара"]
    assert texts(root, "ПодчиненныйДокумент/Сумма") == ["40.25", "100.5"]
    query = next(call for call in site.requests if call.query["mode"] == "query")
    assert query.raw_query == "type=sale&mode=query&version=2.09&cmlVersion=2.10"
    assert site.modes()[:3] == ["sale:checkauth", "sale:init", "sale:query"]


def test_unf_without_bitrix_writes_208_or_a_literal_210(site: Site, loaded: OneCBase) -> None:
    loaded.pay("1043")
    root = sent(site, unf(site, loaded))
    assert (root.get("ВерсияСхемы"), texts(root, "ПодчиненныйДокумент/Ид")) == ("2.08", [])
    loaded.ship("1043")
    assert sent(site, unf(site, loaded, version="210")).get("ВерсияСхемы") == "210"


@pytest.mark.parametrize("schema", ["cml208", "cml210"])
def test_what_is_written_is_valid_by_the_published_schemas(site: Site, loaded: OneCBase, schema: str) -> None:
    judge = etree.XMLSchema(etree.parse(str(shared(f"onec/{schema}.xsd"))))
    client = ut(site, loaded)
    shirt = next(guid for guid, one in loaded.state["products"].items() if one["sku"] == "R-1")
    loaded.set_price(loaded.characteristic(shirt, "42"), "900", "Оптовая")  # the schema wants a price in every offer
    client.exchange_catalog()
    loaded.pay("1043")
    client.exchange_orders()
    loaded.set_stock(next(iter(loaded.state["products"])), 3)
    client.exchange_catalog(full=False)
    bodies = [body for area in site.areas for body in area.values()]
    assert len(bodies) == 4
    for body in bodies:
        judge.assertValid(etree.fromstring(body))


def test_subordinate_documents_are_valid_by_the_published_schema(site: Site, loaded: OneCBase) -> None:
    judge = etree.XMLSchema(etree.parse(str(shared("onec/cml210.xsd"))))
    loaded.pay("1043")
    loaded.ship("1043")
    unf(site, loaded, bitrix=True, subordinate=True).exchange_orders()
    (body,) = site.areas[-1].values()
    judge.assertValid(etree.fromstring(body.replace(b"commerceml_210", b"commerceml_2")))
