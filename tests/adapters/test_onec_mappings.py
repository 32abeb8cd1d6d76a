"""The shipped mappings of 1C: what reaches the canonical records, and what an order looks like on its way back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Offered, Record
from adapters.onec.cml import records, validate_order, write_orders
from sync.lens.laws import check_laws
from sync.lens.load import load
from tests.adapters.onec_context import FIXTURES

NAMES = ["onec_ut", "onec_unf"]
A, B = (f"11111111-0000-4000-8000-00000000000{n}" for n in "12")
RED = "22222222-0000-4000-8000-000000000001"
RETAIL, WHOLESALE = (f"33333333-0000-4000-8000-00000000000{n}" for n in "12")


def native(name: str) -> dict[str, Record]:
    with (FIXTURES / name).open("rb") as stream:
        return {item.id: item for item in records(stream, ZoneInfo("Europe/Moscow")) if isinstance(item, Record)}


def canonical(name: str, record: Record) -> dict[str, Any]:
    found = load(name).lens(record.kind).get(record.data)
    assert found.problems == []
    return found.fields


@pytest.mark.parametrize("name", NAMES)
def test_every_record_of_the_fixtures_is_mapped_without_a_problem(name: str) -> None:
    mapping = load(name)
    for file in sorted(FIXTURES.glob("*.xml")):
        for record in native(file.name).values():
            lens = mapping.lens(record.kind)
            assert lens.get(record.data).problems == [], (file.name, record.id)
            assert check_laws(lens, record.data) == []
            assert lens.two_way == frozenset(), "1C takes nothing but orders this way"


@pytest.mark.parametrize("name", NAMES)
def test_a_product(name: str) -> None:
    items = native("import0_1.xml")
    assert canonical(name, items[A]) == {
        "kind": "good",
        "name": "Стол письменный & тумба",
        "full_name": "Стол письменный с тумбой",
        "sku": "T-1",
        "barcodes": ["4600000000017"],
        "images": ["import_files/11/a.jpg", "import_files/11/b.jpg"],
        "unit": "Штука",
        "unit_code": "796",
        "vat_rate": Decimal("20.00"),
        "group": "55555555-0000-4000-8000-000000000002",
        "description": "Стол из сосны",
    }
    shirt = canonical(name, items[f"{B}#{RED}"])
    assert (shirt["variant_of"], shirt["vat_rate"]) == (B, None)


@pytest.mark.parametrize("name", NAMES)
def test_offers_bind_prices_by_type_id_and_say_only_what_the_file_says(name: str) -> None:
    full = canonical(name, native("offers0_1.xml")[A])
    assert [(p["key"], p["value"], p["currency"]) for p in full["prices"]] == [
        (RETAIL, Decimal("1000.50"), "RUB"),
        (WHOLESALE, Decimal("900"), "RUB"),
    ]
    assert full["quantity"] == Decimal(5)
    assert [s["qty"] for s in full["stocks"]] == [Decimal(3), Decimal(2)]
    changes = native("offers_changes.xml")
    assert set(canonical(name, changes[A])) == {"product", "stocks"}
    assert set(canonical(name, changes[f"{B}#22222222-0000-4000-8000-000000000002"])) == {"product", "prices"}


@pytest.mark.parametrize(("name", "file"), [("onec_ut", "orders_ut.xml"), ("onec_unf", "orders_unf.xml")])
def test_facts_of_orders_are_true_false_or_unknown(name: str, file: str) -> None:
    orders = {id: canonical(name, record) for id, record in native(file).items()}
    told = {id: {k: v for k, v in o.items() if k in ("paid", "shipped", "cancelled")} for id, o in orders.items()}
    assert (
        told
        == {
            "onec_ut": {
                "W1-1001": {"paid": True},
                "W1-1002": {"paid": True, "shipped": True},
                "W1-1003": {"cancelled": True},
                "W1-1004": {},
                "W1-1005": {"cancelled": True},
                "W1-1008": {},
            },
            "onec_unf": {
                "W1-2001": {"paid": False, "shipped": True, "cancelled": False},
                "W1-2002": {"paid": False, "shipped": False, "cancelled": True},
            },
        }[name]
    )


def test_documents_of_an_order() -> None:
    documents = canonical("onec_unf", native("orders_unf.xml")["W1-2001"])["documents"]
    assert [(d["key"], d["kind"], d.get("number"), d.get("amount")) for d in documents] == [
        ("order:n1", "order", "НФ-000001", Decimal("1000.00")),
        ("payment:s1", "payment", "НФ-11", Decimal("400.00")),
        ("shipment:s2", "shipment", None, None),
        ("refund:s3", "refund", None, Decimal("50.00")),
        ("return:s5", "return", None, Decimal("30.00")),
    ]
    assert documents[1]["date"] == datetime(2024, 5, 7, 12, tzinfo=UTC)
    assert documents[1]["posted"] is True


def view(**changes: Any) -> dict[str, Any]:
    lines = [
        {"key": "1", "kind": "goods", "product": f"{B}#{RED}", "sku": "R-1", "name": "Рубашка", "qty": Decimal("2.000"),
         "price": Decimal("750.000000"), "sum": Decimal("1500.00"), "vat_rate": Decimal("20.00"), "unit_code": "796"},
        {"key": "2", "kind": "goods", "name": "Нет такого", "qty": Decimal("1.500"), "price": Decimal("10.333333"),
         "sum": Decimal("15.50")},
        {"key": "3", "kind": "shipping", "sum": Decimal("300.00"), "vat_rate": None},
        {"key": "4", "kind": "discount", "name": "Купон", "sum": Decimal("-100.00")},
    ]  # fmt: skip
    return {
        "number": "W1-1043",
        "created_at": datetime(2024, 5, 6, 7, 11, 12, tzinfo=UTC),
        "currency": "RUB",
        "amount": Decimal("1715.50"),
        "stage": "in_work",
        "comment": None,
        "client": {"name": "Иван Тестов", "phone": "+79000000001", "email": "test@example.com", "address": "Москва"},
        "lines": lines,
        **changes,
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_order_on_its_way_to_1c(name: str) -> None:
    data = load(name).lens("order").create(view())
    assert validate_order(data) is None
    assert (data["number"], data["sum"], data["status"]) == ("W1-1043", "1715.5", "in_work")
    assert "comment" not in data
    assert [(i.get("id"), i["name"], i["qty"], i["sum"], i["vat"], i.get("service")) for i in data["items"]] == [
        (f"{B}#{RED}", "Рубашка", "2", "1500", "20", None),
        (None, "Нет такого", "1.5", "15.5", "Без НДС", None),
        (None, "Доставка", "1", "300", "Без НДС", True),
    ]
    assert data["discounts"] == [{"name": "Купон", "sum": "100"}]
    assert data["client"] == {
        "name": "Иван Тестов",
        "phone": "+79000000001",
        "email": "test@example.com",
        "address": "Москва",
    }
    text = write_orders([Offered("k", "W1-1043", data)]).decode()
    assert "<Дата>2024-05-06</Дата>" in text
    assert "<Время>10:11:12</Время>" in text
    assert "<Сумма>1715.5</Сумма>" in text
    assert "по строкам" not in text, "1500 + 15.50 + 300 - 100"


@pytest.mark.parametrize("name", NAMES)
def test_a_company_is_named_as_one(name: str) -> None:
    client = {"name": "Иван Тестов", "company": "ООО «Ромашка»", "inn": "0000000000", "kpp": "000000001"}
    data = load(name).lens("order").create(view(client=client, delivery_address="Тверь, Новая 1"))
    assert data["client"] == {
        "name": "ООО «Ромашка»",
        "official_name": "ООО «Ромашка»",
        "inn": "0000000000",
        "kpp": "000000001",
        "address": "Тверь, Новая 1",
    }


def test_an_order_without_a_client_is_poison_and_not_a_crash() -> None:
    error = validate_order(load("onec_ut").lens("order").create(view(client={})))
    assert error is not None
    assert error.field == "client.name"


def test_an_unknown_currency_is_a_named_problem_of_its_row() -> None:
    offer = {"product": "a", "prices": [{"type": "t", "value": "1", "currency": "XTS"}]}
    problems = load("onec_ut").lens("offer").get(offer).problems
    assert len(problems) == 1
