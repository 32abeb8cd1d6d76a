"""Orders: what 1C says about them, and the document in which new ones go to 1C."""

from __future__ import annotations

import copy
import io
import random
import uuid
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Offered, Problem, Record
from adapters.onec.cml import records, validate_order, write_orders
from adapters.onec.cml.orders_out import dropped_lines, order_of
from adapters.onec.exchange import _fault
from tests.adapters.onec_context import FIXTURES
from tests.peers.onec_base import OneCBase
from tests.peers.onec_orders import LoadRules, OrderLoader


def incoming(name: str, zone: str = "Europe/Moscow") -> tuple[dict[str, Record], list[Problem]]:
    with (FIXTURES / name).open("rb") as stream:
        items = list(records(stream, ZoneInfo(zone)))
    return {r.id: r for r in items if isinstance(r, Record)}, [p for p in items if isinstance(p, Problem)]


def facts(record: Record) -> tuple[Any, Any, Any]:
    return record.data.get("paid"), record.data.get("shipped"), record.data.get("cancelled")


# From 1C -----------------------------------------------------------------------------------------------------------


def test_ut_says_paid_and_shipped_by_dates_and_silence_is_unknown() -> None:
    orders, _ = incoming("orders_ut.xml")
    assert facts(orders["W1-1001"]) == (True, None, None)
    assert facts(orders["W1-1002"]) == (True, True, None)
    assert facts(orders["W1-1008"]) == (None, None, None)


def test_ut_cancels_by_the_deletion_mark_or_by_an_order_without_lines() -> None:
    orders, _ = incoming("orders_ut.xml")
    assert facts(orders["W1-1003"]) == (None, None, True)
    assert orders["W1-1003"].deleted
    assert orders["W1-1003"].data["posted"] is False
    assert facts(orders["W1-1005"]) == (None, None, True)
    assert not orders["W1-1005"].deleted
    assert {"amount", "lines"} & orders["W1-1005"].data.keys() == set(), "the deal keeps what was agreed"


def test_an_order_of_sum_0_says_nothing_about_payment() -> None:
    orders, _ = incoming("orders_ut.xml")
    assert facts(orders["W1-1004"]) == (None, None, None)


def test_ut_documents_are_inferred_from_numbers_and_dates() -> None:
    orders, _ = incoming("orders_ut.xml")
    assert orders["W1-1001"].data["documents"] == [
        {
            "key": "payment:ТД00-П01",
            "kind": "payment",
            "number": "ТД00-П01",
            "date": "2024-05-07T06:30:00Z",
            "amount": "1500.00",
            "currency": "руб",
            "posted": True,
        }
    ]
    payment, shipment = orders["W1-1002"].data["documents"]
    assert (payment["key"], payment["amount"]) == ("payment:2024-05-07T00:00:00", "800")
    assert (shipment["kind"], shipment["number"]) == ("shipment", "ТД00-О01")
    assert orders["W1-1008"].data["documents"] == []


def test_the_rest_of_an_order() -> None:
    data = incoming("orders_ut.xml")[0]["W1-1001"].data
    assert (data["id_1c"], data["number"], data["date"], data["time"]) == ("o1", "W1-1001", "2024-05-06", "10:11:12")
    assert (data["at"], data["number_1c"], data["date_1c"]) == (
        "2024-05-06T07:11:12Z",
        "ТД00-000001",
        "2024-05-06T09:00:00Z",
    )
    assert data["lines"] == [
        {
            "key": "1",
            "product": "11111111-0000-4000-8000-000000000001",
            "sku": "T-1",
            "name": "Стол",
            "unit_code": "796",
            "price": "1500.00",
            "qty": "1",
            "sum": "1500.00",
            "vat": "20",
            "vat_included": True,
        }
    ]
    assert data["amount"] == data["sum"]
    assert data["counterparty"] == {
        "id": "k1",
        "name": "Иван Тестов",
        "full_name": "Иван Тестов",
        "phones": ["+7 900 000-00-01"],
        "emails": ["test@example.com"],
    }
    assert data["requisites"]["Проведен"] == "true"


def test_times_are_those_of_the_base() -> None:
    orders, _ = incoming("orders_ut.xml", "Asia/Vladivostok")
    assert orders["W1-1001"].data["at"] == "2024-05-06T00:11:12Z"


def test_what_is_no_order_is_a_problem_and_the_others_are_read() -> None:
    orders, problems = incoming("orders_ut.xml")
    assert len(orders) == 6
    assert [(p.kind, p.error.code, p.error.field) for p in problems] == [
        ("order", "cml.no_number", "Номер"),
        ("order", "cml.operation", "ХозОперация"),
    ]


def test_unf_says_yes_and_no_itself() -> None:
    orders, problems = incoming("orders_unf.xml")
    assert problems == []
    assert facts(orders["W1-2001"]) == (False, True, False)
    assert facts(orders["W1-2002"]) == (False, False, True)
    assert (orders["W1-2001"].data["status_1c"], orders["W1-2001"].data["status"]) == ("В работе", "in_work")


def test_unf_subordinate_documents() -> None:
    documents = incoming("orders_unf.xml")[0]["W1-2001"].data["documents"]
    assert [(d["key"], d.get("number"), d.get("amount"), d["date"]) for d in documents] == [
        ("payment:s1", "НФ-11", "400.00", "2024-05-07T12:00:00Z"),
        ("shipment:s2", None, None, "2024-05-07T21:00:00Z"),
        ("refund:s3", None, "50.00", "2024-05-08T21:00:00Z"),
        ("other:s4", None, None, "2024-05-08T21:00:00Z"),
        ("return:s5", None, "30.00", "2024-05-09T21:00:00Z"),
    ]
    assert documents[0]["posted"] is True


def test_a_partial_payment_without_its_document_has_no_amount() -> None:
    """УНФ dates the last payment also when the order is not paid: the order's sum would be a lie."""
    (payment,) = incoming("orders_unf.xml")[0]["W1-2002"].data["documents"]
    assert payment["key"] == "payment:НФ-12"
    assert "amount" not in payment


# To 1C -------------------------------------------------------------------------------------------------------------


def order(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "number": "W1-1043",
        "date": "2024-05-06T07:11:12Z",
        "currency": "RUB",
        "sum": "2500.00",
        "comment": "Позвонить заранее",
        "status": "in_work",
        "status_text": "В работе",
        "paid": False,
        "cancelled": False,
        "payment_method": "Картой",
        "client": {"name": "Иван Тестов", "phone": "+79000000001", "email": "test@example.com", "address": "Москва"},
        "items": [
            {
                "id": "g1#c1",
                "sku": "T-1",
                "name": "Стол",
                "qty": "2",
                "price": "1100.00",
                "sum": "2000.00",
                "discount": "200",
                "vat": "20",
                "unit_code": "796",
            },
            {"name": "Доставка", "qty": 1, "sum": Decimal("500.00"), "vat": "Без НДС", "service": True},
        ],
    }
    return {**data, **changes}


def offered(**changes: Any) -> Offered:
    data = order(**changes)
    return Offered(f"key-{data['number']}", data["number"], data)


def written(*items: Offered, **more: Any) -> ET.Element:
    return ET.fromstring(write_orders(items, **more))


def test_the_document_as_a_loader_reads_it() -> None:
    body = write_orders([offered()], made=datetime(2024, 5, 6, 9, tzinfo=UTC))
    assert body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    root = ET.fromstring(body)
    assert (root.tag, root.get("ВерсияСхемы"), root.get("ДатаФормирования")) == (
        "КоммерческаяИнформация",
        "2.07",
        "2024-05-06T12:00:00",
    )
    (document,) = root
    assert {
        name: document.findtext(name) for name in ("Ид", "Номер", "Дата", "Время", "ХозОперация", "Валюта", "Сумма")
    } == {
        "Ид": "W1-1043",
        "Номер": "W1-1043",
        "Дата": "2024-05-06",
        "Время": "10:11:12",
        "ХозОперация": "Заказ товара",
        "Валюта": "RUB",
        "Сумма": "2500",
    }
    assert document.find("Склады") is None
    assert document.findtext("Налоги/Налог/УчтеноВСумме") == "true"
    values = {r.findtext("Наименование"): r.findtext("Значение") for r in document.findall("ЗначенияРеквизитов/*")}
    assert values == {
        "Статуса заказа ИД": "in_work",
        "Статус заказа": "В работе",
        "Заказ оплачен": "false",
        "Отменен": "false",
        "Метод оплаты": "Картой",
        "Комментарии покупателя": "Позвонить заранее",
    }


def test_lines_of_goods_and_services_each_with_its_vat() -> None:
    goods, service = written(offered()).findall("Документ/Товары/Товар")
    assert {
        name: goods.findtext(name) for name in ("Ид", "Артикул", "Наименование", "ЦенаЗаЕдиницу", "Количество", "Сумма")
    } == {
        "Ид": "g1#c1",
        "Артикул": "T-1",
        "Наименование": "Стол",
        "ЦенаЗаЕдиницу": "1100",
        "Количество": "2",
        "Сумма": "2000",
    }
    assert [row.findtext("СтавкиНалогов/СтавкаНалога/Ставка") for row in (goods, service)] == ["20", "Без НДС"]
    assert [row.findtext("Налоги/Налог/Ставка") for row in (goods, service)] == ["20", "Без НДС"]
    types = [
        {r.findtext("Наименование"): r.findtext("Значение") for r in row.findall("ЗначенияРеквизитов/*")}[
            "ТипНоменклатуры"
        ]
        for row in (goods, service)
    ]
    assert types == ["Товар", "Услуга"]
    assert str(uuid.UUID(service.findtext("Ид"))) == service.findtext("Ид"), "loaders read it without asking"
    assert service.findtext("ЦенаЗаЕдиницу") == "500"
    assert goods.findtext("Скидки/Скидка/Сумма") == "200"
    assert goods.find("Скидки/Скидка/УчтеноВСумме") is None, "it breaks УТ's loader"


@pytest.mark.parametrize(
    ("client", "present", "absent"),
    [
        ({"name": "Иван Тестов", "inn": "000000000000"}, "ПолноеНаименование", "ОфициальноеНаименование"),
        (
            {"name": "Ромашка", "official_name": "ООО «Ромашка»", "inn": "0000000000", "kpp": "000000001"},
            "ОфициальноеНаименование",
            "ПолноеНаименование",
        ),
        ({"official_name": "ООО «Ромашка»"}, "ОфициальноеНаименование", "ПолноеНаименование"),
        ({"name": "Иван Тестов", "kpp": "000000001"}, "ПолноеНаименование", "ОфициальноеНаименование"),
    ],
)
def test_a_counterparty_has_exactly_one_of_the_two_names(client: dict[str, str], present: str, absent: str) -> None:
    row = written(offered(client=client)).find("Документ/Контрагенты/Контрагент")
    assert row is not None
    assert row.findtext("Наименование")
    assert row.findtext(present)
    assert row.find(absent) is None
    assert row.findtext("ИНН") == client.get("inn")
    assert row.findtext("КПП") == (client.get("kpp") if "official_name" in client else None), "a person has none"


def test_the_counterparty_id_is_the_same_for_the_same_client() -> None:
    first, second = (written(offered(number=n)).findtext("Документ/Контрагенты/Контрагент/Ид") for n in ("1", "2"))
    other = written(offered(client={"name": "Пётр Тестов"})).findtext("Документ/Контрагенты/Контрагент/Ид")
    assert first == second != other


def test_sums_without_vat_are_given_with_it() -> None:
    items = [
        {
            "name": "Стол",
            "qty": "2",
            "price": "100",
            "sum": "200.00",
            "tax": "40.00",
            "vat": "20",
            "vat_included": False,
        },
        {"name": "Стул", "qty": "1", "sum": "50", "vat": "10", "vat_included": False},
    ]
    rows = written(offered(items=items, sum="295")).findall("Документ/Товары/Товар")
    assert [(row.findtext("ЦенаЗаЕдиницу"), row.findtext("Сумма")) for row in rows] == [("120", "240"), ("55", "55")]


def test_a_discount_on_the_whole_order() -> None:
    row = written(offered(discounts=[{"name": "Купон", "sum": "-100"}, {"sum": "50"}])).find("Документ/Скидки/Скидка")
    assert row is not None
    assert (row.findtext("Сумма"), row.findtext("УчтеноВСумме")) == ("150", "false")


def test_a_line_of_quantity_0_is_left_out_and_named() -> None:
    data = order()
    data["items"].append({"name": "Полка", "qty": "0", "price": "10", "vat": "20"})
    assert validate_order(data) is None
    assert dropped_lines(data) == ["Полка"]
    document = written(Offered("k", "1", data)).find("Документ")
    assert document is not None
    assert len(document.findall("Товары/Товар")) == 2
    assert "Полка" in (document.findtext("Комментарий") or "")


def test_a_difference_between_total_and_lines_is_named() -> None:
    assert "по строкам 2500" in (written(offered(sum="2499.99")).findtext("Документ/Комментарий") or "")
    assert written(offered()).findtext("Документ/Комментарий") == "Позвонить заранее"


def test_the_hub_s_own_number_wins() -> None:
    item = Offered("k", "W1ZZ9", order(number="a number of the shop that is far too long"))
    assert validate_order(order_of(item)) is None
    assert written(item).findtext("Документ/Номер") == "W1ZZ9"


def test_characters_that_xml_forbids_are_dropped() -> None:
    name = "Иван\x00 \x0bТес\ud800тов & <b>"
    assert written(offered(client={"name": name})).findtext(".//Контрагент/Наименование") == "Иван Тестов & <b>"


def test_a_name_never_holds_what_begins_a_characteristic() -> None:
    items = [{"name": "Батарейка #5", "qty": "1", "price": "10", "sum": "10"}]
    assert written(offered(items=items)).findtext("Документ/Товары/Товар/Наименование") == "Батарейка №5"


def test_nothing_to_offer_is_a_document_all_the_same() -> None:
    body = write_orders([])
    assert body.startswith(b"<?xml")
    assert len(ET.fromstring(body)) == 0


def test_what_is_written_can_be_read_again() -> None:
    (record,) = records(io.BytesIO(write_orders([offered()])))
    assert isinstance(record, Record)
    assert (record.id, record.data["at"], record.data["sum"]) == ("W1-1043", "2024-05-06T07:11:12Z", "2500")
    assert facts(record) == (False, None, False)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": ""}, "currency"),
        ({"currency": None}, "currency"),
        ({"number": ""}, "number"),
        ({"number": "123456789012"}, "number"),
        ({"client": {}}, "client.name"),
        ({"client": {"name": " \x00"}}, "client.name"),
        ({"date": ""}, "date"),
        ({"date": "06.05.2024"}, "date"),
        ({"date": "2024-05-06T07:11:12"}, "date"),
        ({"date": "0001-01-01T00:00:00Z"}, "date"),
        ({"items": []}, "items"),
        ({"items": [{"name": "x", "qty": "0"}]}, "items"),
        ({"items": [{"name": "x", "qty": "много"}]}, "items[0].qty"),
        ({"items": [{"name": "x", "qty": "-1", "price": "1"}]}, "items[0].qty"),
        ({"items": [{"name": "x", "qty": "1", "price": "NaN"}]}, "items[0].price"),
        ({"items": [{"sku": "x", "qty": "1", "price": "1"}]}, "items[0].name"),
        ({"items": [{"id": "a", "qty": "1", "price": "1"}]}, "items[0].name"),
        ({"sum": "1e99"}, "sum"),
        ({"discounts": [{"sum": "?"}]}, "discounts"),
    ],
)
def test_poison_is_named_with_its_field(changes: dict[str, Any], field: str) -> None:
    error = validate_order(order(**changes))
    assert error is not None
    assert error.field == field
    assert error.code.startswith("onec.order_")
    assert error.text.ru != error.text.en


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("legacy", [True, False], ids=["ut", "unf"])
def test_whatever_an_order_holds_it_is_poison_or_1c_loads_it_with_its_neighbours(seed: int, legacy: bool) -> None:
    junk: list[Any] = [
        *("", None, " ", "0", 0, -1, "abc", "1e5", "NaN", "1,50", "1 000.00", True, "\x00", "\ud800", "a" * 300),
        *("<&>]]>", "😀", [], {}, [1], {"a": 1}, "9" * 20, "0.0000001", 1.1, "٣", "1_000", "#", "\n"),
    ]
    chance = random.Random(seed)
    loaded = 0
    for _ in range(150):
        odd: Any = {**copy.deepcopy(order(number="2")), "discounts": [{"name": "d", "sum": "1"}]}
        for _ in range(chance.choice([1, 1, 2, 3])):
            place: Any = odd
            while place and chance.random() < 0.7:
                inner = place.values() if isinstance(place, dict) else place
                place = chance.choice([v for v in inner if isinstance(v, dict | list) and v] or [place])
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            place[key] = chance.choice(junk)
        given = Offered("k2", "2", odd)
        if _fault(given) is not None:
            continue
        made = write_orders([Offered("k1", "1", order(number="1")), given, Offered("k3", "3", order(number="3"))])
        base = OneCBase("test")
        OrderLoader(base, LoadRules(legacy), []).load(made.decode())
        assert [one["site_number"] for one in base.state["orders"]] == ["1", "2", "3"], odd
        loaded += 1
    assert 20 < loaded < 150


def test_a_good_order_is_no_poison() -> None:
    assert validate_order(order()) is None
    assert validate_order(order(number="12345678901", sum=None, comment=None)) is None
