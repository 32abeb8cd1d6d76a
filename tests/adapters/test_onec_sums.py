"""Payments and shipments of 1C over OData as sums: what came back is taken off, what is not told is unknown, never zero."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import pytest

from adapters.base import Incomplete, Record, RetryLater
from adapters.onec.odata import OneCOData
from adapters.onec.odata.settings import ODataSettings
from sync.lens import load
from tests.adapters.test_onec_odata import ORDERS, adapter, base, drain, furnish, opened
from tests.peers.odata import ODataPeer

__all__ = ["base", "opened"]  # fixtures

PAID, SALES = "InformationRegister_ФактОплатыЗаказов", "AccumulationRegister_Продажи"


def sums(record: Record, mapping: str) -> dict[str, Any]:
    """What the deal gets of one order: its sums by kind, and whether it is paid and shipped."""
    found = load(mapping).lens("order").get(record.data)
    assert found.problems == []
    counted: dict[str, Any] = {"paid": found.fields.get("paid"), "shipped": found.fields.get("shipped")}
    for one in found.fields["documents"]:
        if one["kind"] != "order" and not one.get("unknown") and one["posted"] and not one.get("reversed"):
            counted[one["kind"]] = counted.get(one["kind"], Decimal(0)) + one["amount"]
    return counted


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_tells_partial_payments_and_shipments_as_sums(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    order, kind = made["order"], f"StandardODATA.{ORDERS['unf']}"
    base.put(ORDERS["unf"], Ref_Key=order, Posted=True)
    one = adapter(base, opened, configuration="unf")
    (record,), cursor = drain(one, "order")
    assert sums(record, "onec_odata_unf") == {"paid": None, "shipped": False}, "no row of payments: nothing is assumed"
    row = {"СчетНаОплату": order, "СчетНаОплату_Type": kind, "Сумма": "100.10"}
    base.put(PAID, **row, СуммаАванса="40.05", СуммаОплаты="20")
    base.put(PAID, СчетНаОплату=made["party"], СчетНаОплату_Type="StandardODATA.Document_СчетНаОплату", СуммаОплаты="7")
    for n, (of, amount) in enumerate(((order, "50.10"), (order, "30"), (order, "-10"), (made["party"], "99"))):
        base.put(SALES, Recorder=f"r{n}", Period="2026-03-06T00:00:00", ЗаказПокупателя_Key=of, Сумма=amount)
    (record,), cursor = drain(one, "order", cursor)
    assert sums(record, "onec_odata_unf") == {
        "paid": False, "shipped": False, "payment": Decimal("60.05"), "shipment": Decimal("70.10")
    }  # fmt: skip
    base.put(PAID, **row, СуммаАванса="0", СуммаОплаты="100.10")
    base.put(SALES, Recorder="r4", Period="2026-03-07T00:00:00", ЗаказПокупателя_Key=order, Сумма="30")
    (record,), cursor = drain(one, "order", cursor)
    assert sums(record, "onec_odata_unf") == {
        "paid": True, "shipped": True, "payment": Decimal("100.10"), "shipment": Decimal("100.10")
    }  # fmt: skip
    assert drain(one, "order", cursor)[0] == []


INVOICE_SHIPPED, BANK, CASH = (
    "Document_РеализацияТоваровУслуг",
    "Document_ПоступлениеНаРасчетныйСчет",
    "Document_ПриходныйКассовыйОрдер",
)


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_bp_adds_up_the_documents_behind_an_invoice(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "bp")
    invoice = made["order"]

    def part(amount: str, of: str = invoice) -> dict[str, str]:
        return {"СчетНаОплату_Key": of, "СуммаПлатежа": amount}

    one = adapter(base, opened, configuration="bp")
    (record,), cursor = drain(one, "order")
    assert sums(record, "onec_odata_bp") == {"paid": None, "shipped": None}
    lines = [part("30.05"), part("10"), part("500", made["party"])]
    bank = base.put(BANK, Number="БН-1", Date="2026-03-06T10:00:00", Posted=True, РасшифровкаПлатежа=lines)["Ref_Key"]
    base.put(BANK, Number="БН-2", Date="2026-03-06T10:00:00", Posted=False, РасшифровкаПлатежа=[part("1000")])
    base.put(CASH, Number="КО-1", Date="2026-03-06T10:00:00", Posted=True, РасшифровкаПлатежа=[part("5")])
    shipped = {"СчетНаОплатуПокупателю_Key": invoice, "Date": "2026-03-07T10:00:00"}
    first = base.put(INVOICE_SHIPPED, **shipped, Number="Р-1", Posted=True, СуммаДокумента="60")["Ref_Key"]
    base.put(INVOICE_SHIPPED, **shipped, Number="Р-2", Posted=True, СуммаДокумента="20.10")
    base.put(INVOICE_SHIPPED, **shipped, Number="Р-3", Posted=True, DeletionMark=True, СуммаДокумента="999")
    (record,), cursor = drain(one, "order", cursor)
    assert sums(record, "onec_odata_bp") == {
        "paid": None, "shipped": None, "payment": Decimal("45.05"), "shipment": Decimal("80.10")
    }  # fmt: skip
    found = load("onec_odata_bp").lens("order").get(record.data).fields["documents"]
    (told,) = [d for d in found if d["key"] == f"payment:{bank}"]
    assert (told["number"], told["date"], told["amount"]) == (
        "БН-1",
        datetime(2026, 3, 6, 7, tzinfo=UTC),
        Decimal("40.05"),
    )
    base.put(INVOICE_SHIPPED, Ref_Key=first, Posted=False)  # the shipment is taken back
    base.put("InformationRegister_СтатусыДокументов", Документ=invoice, Документ_Type=f"StandardODATA.{ORDERS['bp']}",
             Статус="ОплаченЧастично", ДополнительныйСтатус="ОтгруженЧастично")  # fmt: skip
    (record,), _ = drain(one, "order", cursor)
    assert sums(record, "onec_odata_bp") == {
        "paid": False, "shipped": False, "payment": Decimal("45.05"), "shipment": Decimal("20.10")
    }  # fmt: skip


@pytest.mark.parametrize("base", ["unf", "bp"], indirect=True)
def test_sums_that_are_not_published_are_unknown_and_check_says_so(
    base: ODataPeer, opened: list[OneCOData], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["base"]
    made = furnish(base, name)
    base.put(ORDERS[name], Ref_Key=made["order"], Posted=True)
    said = [f for f in adapter(base, opened, configuration=name).check() if f.step == "sums"]
    assert [f.text.en for f in said] == ["Payments and shipments come as sums."]
    missing = {PAID, SALES} if name == "unf" else {INVOICE_SHIPPED, BANK, CASH, "Document_ОплатаПлатежнойКартой"}
    base.state["published"] = [s for s in base.state["published"] if s not in missing]
    one = adapter(base, opened, configuration=name)
    said = [f for f in one.check() if f.step == "sums"]
    assert len(said) == len(missing)
    assert all(f.ok and f.remedy for f in said)
    assert all(any(name in f.text.ru for f in said) for name in missing)
    (record,), _ = drain(one, "order")
    assert sums(record, f"onec_odata_{name}") == {"paid": None, "shipped": None}


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize(("status", "code"), [(403, "20"), (400, "10")])
def test_sums_that_1c_refuses_to_tell_stop_no_order(
    base: ODataPeer, opened: list[OneCOData], status: int, code: str
) -> None:
    made = furnish(base, "bp")
    base.put(INVOICE_SHIPPED, СчетНаОплатуПокупателю_Key=made["order"], Number="Р-1", Posted=True, СуммаДокумента="60")
    body = json.dumps({"odata.error": {"code": code, "message": {"lang": "ru", "value": "отказ"}}})
    said = {"status": status, "body": body, "headers": {"Content-Type": "application/json"}}
    base.fault("status", quote(BANK), times=2, **said)
    base.fault("status", quote(CASH), times=2, **said)
    one = adapter(base, opened, configuration="bp")
    assert [f.ok for f in one.check() if f.step == "sums"] == [False, False]
    (record,), cursor = drain(one, "order")
    assert sums(record, "onec_odata_bp") == {"paid": None, "shipped": None, "shipment": Decimal(60)}
    base.fault("status", quote(INVOICE_SHIPPED), status=503, body="занято")
    with pytest.raises(RetryLater):
        drain(adapter(base, opened, configuration="bp"), "order", cursor)


RETURNED, PAID_OUT, CASH_OUT, CARD = (
    "Document_ВозвратТоваровОтПокупателя",
    "Document_СписаниеСРасчетногоСчета",
    "Document_РасходныйКассовыйОрдер",
    "Document_ОплатаПлатежнойКартой",
)


def put(base: ODataPeer, name: str, amount: str = "0", lines: list[dict[str, Any]] | None = None, **more: Any) -> str:
    """A posted document; `lines` of РасшифровкаПлатежа."""
    values = {"Date": "2026-03-06T10:00:00", "Posted": True, "СуммаДокумента": amount, **more}
    table = {"РасшифровкаПлатежа": lines} if lines is not None else {}
    return str(base.put(name, **values, **table)["Ref_Key"])


def of(name: str, key: str, field: str = "Сделка") -> dict[str, str]:
    return {field: key, f"{field}_Type": f"StandardODATA.{name}"}


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_what_comes_back_of_an_invoice_is_taken_off(base: ODataPeer, opened: list[OneCOData]) -> None:
    invoice = furnish(base, "bp")["order"]
    one = adapter(base, opened, configuration="bp")
    paid = put(base, BANK, lines=[{"СчетНаОплату_Key": invoice, "СуммаПлатежа": "100.10"}])
    shipped = put(base, INVOICE_SHIPPED, "100.10", СчетНаОплатуПокупателю_Key=invoice)
    back = put(base, RETURNED, "30.10", Number="В-1", **of(INVOICE_SHIPPED, shipped))
    put(base, RETURNED, "7", **of(INVOICE_SHIPPED, "11111111-0000-4000-8000-000000000001"))  # of somebody else's
    put(base, RETURNED, "8", Posted=False, **of(INVOICE_SHIPPED, shipped))
    kind = {"ВидОперации": "ВозвратПокупателю"}
    put(base, PAID_OUT, lines=[{"СуммаПлатежа": "10.05", **of(BANK, paid)}], **kind)
    put(base, CASH_OUT, lines=[{"СуммаПлатежа": "5"}], **kind, **of(RETURNED, back, "ДокументОснование"))
    put(base, CARD, lines=[{"СуммаПлатежа": "1", "СчетНаОплату_Key": invoice}], **kind)
    put(base, PAID_OUT, lines=[{"СуммаПлатежа": "50", **of(BANK, paid)}], ВидОперации="ПрочиеРасчетыСКонтрагентами")
    (record,), cursor = drain(one, "order")
    assert sums(record, "onec_odata_bp") == {
        "paid": None, "shipped": None, "payment": Decimal("100.10"), "refund": Decimal("16.05"),
        "shipment": Decimal("100.10"), "return": Decimal("30.10"),
    }  # fmt: skip
    assert "unknown" not in record.data
    assert drain(one, "order", cursor)[0] == []
    put(base, PAID_OUT, lines=[{"СуммаПлатежа": "2", **of(INVOICE_SHIPPED, shipped)}], **kind)
    (record,), _ = drain(one, "order", cursor)
    assert sums(record, "onec_odata_bp")["refund"] == Decimal("18.05"), "a refund alone makes the invoice be read again"


CORRECTED = "Document_КорректировкаРеализации"


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_a_corrected_shipment_counts_as_it_was_corrected(base: ODataPeer, opened: list[OneCOData]) -> None:
    invoice = furnish(base, "bp")["order"]
    one = adapter(base, opened, configuration="bp")
    shipped = put(base, INVOICE_SHIPPED, "100.10", СчетНаОплатуПокупателю_Key=invoice)
    put(base, INVOICE_SHIPPED, "999", СчетНаОплатуПокупателю_Key=invoice, Posted=False)

    def corrected(change: dict[str, Any], **more: Any) -> None:
        first = of(INVOICE_SHIPPED, more.pop("of", shipped), "ИсходныйДокументРеализации")
        table = more.pop("table", "Товары")
        base.put(CORRECTED, **{"Date": "2026-03-07T10:00:00", "Posted": True, "КорректироватьБУиНУ": True,
                               "СуммаВключаетНДС": True, **first, table: [change], **more})  # fmt: skip

    less = {"Сумма": "70", "СуммаДоИзменения": "100.10", "СуммаНДС": "11.67", "СуммаНДСДоИзменения": "16.68"}
    corrected(less, Number="К-1")
    corrected({"Сумма": "75", "СуммаДоИзменения": "70"}, Number="К-2")  # the correction corrected
    corrected({"Сумма": "10", "СуммаНДС": "2"}, Number="К-3", СуммаВключаетНДС=False, table="Услуги")
    corrected({"Сумма": "1", "СуммаДоИзменения": "9"}, КорректироватьБУиНУ=False)  # papers only
    corrected({"Сумма": "1", "СуммаДоИзменения": "9"}, Posted=False)
    corrected({"Сумма": "1", "СуммаДоИзменения": "9"}, of="11111111-0000-4000-8000-000000000001")
    corrected({"Сумма": "9", "СуммаДоИзменения": "9", "СуммаНДС": "1"})
    (record,), cursor = drain(one, "order")
    assert sums(record, "onec_odata_bp") == {
        "paid": None, "shipped": None, "shipment": Decimal("117.10"), "return": Decimal("30.10"),
    }  # fmt: skip
    told = load("onec_odata_bp").lens("order").get(record.data).fields["documents"]
    assert {d["number"] for d in told if d["kind"] == "return" and d["posted"]} == {"К-1"}
    assert drain(one, "order", cursor)[0] == []
    corrected({"Сумма": "76", "СуммаДоИзменения": "75"}, Number="К-4")
    (record,), cursor = drain(one, "order", cursor)
    assert sums(record, "onec_odata_bp")["shipment"] == Decimal("118.10"), "it alone makes the invoice be read again"
    base.state["published"].remove(CORRECTED)
    with pytest.raises(Incomplete, match=CORRECTED):
        drain(one, "order", cursor)
    assert unknown(one.read("order", invoice) or record, "bp") == {"return", "shipment"}, "unknown now, not zero"


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_a_refund_of_what_two_invoices_share_is_not_guessed(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "bp")
    other = base.put(ORDERS["bp"], Number="СЧ-2", Date="2026-03-05T12:00:00", Контрагент_Key=made["party"])["Ref_Key"]
    parts = [{"СчетНаОплату_Key": k, "СуммаПлатежа": s} for k, s in ((made["order"], "60"), (other, "40"))]
    paid = put(base, BANK, lines=parts)
    put(base, PAID_OUT, lines=[{"СуммаПлатежа": "15", **of(BANK, paid)}], ВидОперации="ВозвратПокупателю")
    found, _ = drain(adapter(base, opened, configuration="bp"), "order")
    for record in found:
        fields = load("onec_odata_bp").lens("order").get(record.data).fields
        (refund,) = [d for d in fields["documents"] if d["kind"] == "refund"]
        assert refund.get("amount") is None


SOLD, TAKEN_BACK = "Document_РасходнаяНакладная", "Document_ПриходнаяНакладная"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
@pytest.mark.parametrize("published", [True, False])
def test_what_was_shipped_of_an_order_in_another_currency(
    base: ODataPeer, opened: list[OneCOData], published: bool
) -> None:
    made = furnish(base, "unf")
    usd = base.put("Catalog_Валюты", Description="USD")["Ref_Key"]
    order, other = made["order"], "22222222-0000-4000-8000-000000000001"
    base.put(ORDERS["unf"], Ref_Key=order, ВалютаДокумента_Key=usd, Posted=True)
    money = {"ВалютаДокумента_Key": usd}
    of_order = of(ORDERS["unf"], order, "Заказ")
    lines = [{"Всего": "40.10", **of_order}, {"Всего": "9", **of(ORDERS["unf"], other, "Заказ")}]
    whole = put(base, SOLD, "60", Number="РН-1", **money, **of_order)
    shared = put(base, SOLD, "49.10", Number="РН-2", **money, Запасы=lines)
    back = put(base, TAKEN_BACK, "5", Number="ПН-1", **money, **of_order)
    rubles = put(base, SOLD, "900", Number="РН-3", ВалютаДокумента_Key=made["rub"], **of_order)
    sold = [(SOLD, whole, "5400"), (SOLD, shared, "3609"), (TAKEN_BACK, back, "-450"), (SOLD, rubles, "900"),
            ("Document_ЧекККМ", "33333333-0000-4000-8000-000000000001", "90")]  # fmt: skip
    for n, (name, key, amount) in enumerate(sold):
        base.put(SALES, Recorder=f"r{n}", Period="2026-03-06T00:00:00", ЗаказПокупателя_Key=order, Сумма=amount,
                 **of(name, key, "Документ"))  # fmt: skip
    if not published:
        base.state["published"] = [s for s in base.state["published"] if s not in (SOLD, TAKEN_BACK)]
    (record,), _ = drain(adapter(base, opened, configuration="unf"), "order")
    found = load("onec_odata_unf").lens("order").get(record.data)
    assert found.problems == []
    told = {(d["kind"], d["amount"], d["currency"]) for d in found.fields["documents"] if d["kind"] != "order"}
    in_rubles = {("shipment", Decimal(900), "RUB"), ("shipment", Decimal(90), "RUB")}
    assert told == in_rubles | (
        {("shipment", Decimal(60), "USD"), ("shipment", Decimal("40.10"), "USD"), ("return", Decimal(5), "USD")}
        if published
        else {("shipment", Decimal(5400), "RUB"), ("shipment", Decimal(3609), "RUB"), ("return", Decimal(450), "RUB")}
    )
    assert found.fields.get("shipped") is None, "some of it is known in rubles only"


def unknown(record: Record, name: str) -> set[str]:
    found = load(f"onec_odata_{name}").lens("order").get(record.data)
    assert found.problems == []
    return {d["kind"] for d in found.fields["documents"] if d.get("unknown")}


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize("why", ["unpublished", "forbidden"])
def test_a_set_that_falls_silent_is_named_and_its_documents_are_unknown(
    base: ODataPeer, opened: list[OneCOData], why: str
) -> None:
    invoice = furnish(base, "bp")["order"]
    put(base, CASH, lines=[{"СчетНаОплату_Key": invoice, "СуммаПлатежа": "40"}])
    put(base, BANK, lines=[{"СчетНаОплату_Key": invoice, "СуммаПлатежа": "60.10"}])
    base.state["published"].remove(CARD)  # never was: nobody misses it
    one = adapter(base, opened, configuration="bp")
    (record,), cursor = drain(one, "order")
    assert unknown(record, "bp") == set()
    if why == "unpublished":
        base.state["published"].remove(CASH)
    else:
        body = json.dumps({"odata.error": {"code": "20", "message": {"lang": "ru", "value": "нет прав"}}})
        said = {"status": 403, "body": body, "headers": {"Content-Type": "application/json"}}
        base.fault("status", quote(CASH), times=9, **said)
    pages = one.scan("order", cursor)
    page = next(p for p in pages if p.records)
    assert unknown(page.records[0], "bp") == {"payment"}
    last = next(pages)
    assert last.last, "what could be read is not held back"
    with pytest.raises(Incomplete) as caught:
        next(pages)
    assert CASH in caught.value.text.ru
    assert (caught.value.setting, caught.value.code) == (
        "not_used" if why == "unpublished" else "login",
        "odata.withdrawn",
    )
    assert ("REST-сервис" if why == "unpublished" else "профиль") in (caught.value.remedy or caught.value.text).ru
    (line,) = [f for f in one.check() if not f.ok]
    assert line.step == "sums"
    assert CASH in line.text.ru
    assert line.setting == caught.value.setting
    assert (f'not_used = ["{CASH}"]' in (line.remedy or line.text).ru) is (why == "unpublished")
    base.faults.clear()
    base.state["published"].append(CASH)
    found, _ = drain(one, "order", last.cursor)
    assert [unknown(r, "bp") for r in found] == [set()], "published again: it speaks again, and nothing is wrong"


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_a_set_that_was_withdrawn_on_purpose_is_not_missed(base: ODataPeer, opened: list[OneCOData]) -> None:
    invoice = furnish(base, "bp")["order"]
    put(base, CASH, lines=[{"СчетНаОплату_Key": invoice, "СуммаПлатежа": "40"}])
    one = adapter(base, opened, configuration="bp")
    _, cursor = drain(one, "order")
    base.state["published"].remove(CASH)
    two = adapter(base, opened, configuration="bp", not_used=[CASH, CARD])
    two.context.kept.save("odata.sums", one.context.kept.load("odata.sums") or {})
    (record,), cursor = drain(two, "order", cursor)
    assert unknown(record, "bp") == {"payment", "refund"}, "what it told stands: a card may be a payment or a refund"
    (line,) = [f for f in two.check() if f.step == "sums"]
    assert (line.ok, CASH in line.text.ru) == (True, True)
    asked = len(base.calls())
    drain(two, "order", cursor)
    assert not [c for c in base.calls()[asked:] if CARD in unquote(c["path"])], "published, and left alone"


@pytest.mark.parametrize(("configuration", "name"), [("bp", "Document_Нет"), ("ut", CASH), ("unf", CASH)])
def test_a_set_that_there_is_not_cannot_be_left_out(configuration: str, name: str) -> None:
    given = {"url": "http://1c/base", "login": "a", "password": "b", "configuration": configuration}
    with pytest.raises(ValueError, match=f"not_used: {name}; with configuration"):
        ODataSettings.model_validate({**given, "not_used": [name]})


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_a_register_that_falls_silent_says_neither_paid_nor_unpaid(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    base.put(ORDERS["unf"], Ref_Key=made["order"], Posted=True)
    base.put(PAID, СчетНаОплату=made["order"], СчетНаОплату_Type=f"StandardODATA.{ORDERS['unf']}", СуммаОплаты="100.10")
    one = adapter(base, opened, configuration="unf")
    (record,), cursor = drain(one, "order")
    assert (record.data["paid"], unknown(record, "unf")) == (True, set())
    base.state["published"].remove(PAID)
    page = next(one.scan("order", cursor))
    assert ("paid" in page.records[0].data, unknown(page.records[0], "unf")) == (False, {"payment"})


def test_an_order_that_the_register_of_states_does_not_know_says_nothing(
    base: ODataPeer, opened: list[OneCOData]
) -> None:
    furnish(base)
    (record,), _ = drain(adapter(base, opened), "order")
    assert unknown(record, "ut") == {"payment", "refund", "return", "shipment"}
