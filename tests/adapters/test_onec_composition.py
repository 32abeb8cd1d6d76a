"""What was ordered, written into an order of УТ over OData: to the kopeck, untouched lines untouched, or refused by name."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from adapters.base import PreconditionFailed, Record, RecordRefused, RetryLater
from adapters.onec.odata import OneCOData
from sync.lens import load
from tests.adapters.test_onec_odata import GOODS, ORDERS, adapter, base, drain, furnish, opened, write
from tests.peers.odata import ODataPeer

__all__ = ["base", "opened"]  # fixtures
ORDER = ORDERS["ut"]
LENS = load("onec_odata_ut").lens("order")


class Firm:
    """An order of two lines and a cancelled one, that nobody has approved."""

    def __init__(self, base: ODataPeer, opened: list[OneCOData], **more: Any) -> None:
        self.base, made = base, furnish(base)
        self.key, self.bolt, self.nut = made["order"], made["bolt"], made["nut"]
        self.vat, self.none = (
            base.put("Catalog_СтавкиНДС", Description=d, Ставка=s)["Ref_Key"]
            for d, s in (("20%", "20"), ("Без НДС", "0"))
        )
        self.washer = base.put(GOODS, Description="Шайба", Артикул="Ш-1", СтавкаНДС_Key=self.vat)["Ref_Key"]
        store = base.put("Catalog_Склады", Description="Основной")["Ref_Key"]
        with_vat = {"СтавкаНДС_Key": self.vat, "Склад_Key": store}
        rows = [
            {"Номенклатура_Key": self.bolt, "Количество": "2", "КоличествоУпаковок": "1", "Цена": "100.10", "Сумма": "100.10",
             "СуммаНДС": "16.68", "СуммаСНДС": "100.10", "КодСтроки": "1", **with_vat},
            {"Номенклатура_Key": self.nut, "Количество": "4", "КоличествоУпаковок": "4", "Цена": "5", "Сумма": "20",
             "СуммаСНДС": "20", "КодСтроки": "2", **with_vat, "СтавкаНДС_Key": self.none},
            {"Номенклатура_Key": self.nut, "Количество": "9", "Сумма": "45", "СуммаСНДС": "45", "Отменено": True},
        ]  # fmt: skip
        stages = [{"ПроцентПлатежа": "30", "СуммаПлатежа": "36.03"}, {"ПроцентПлатежа": "70", "СуммаПлатежа": "84.07"}]
        values = {"Статус": "НеСогласован", "Товары": rows, "СуммаДокумента": "120.10", "ЦенаВключаетНДС": True}
        base.put(ORDER, Ref_Key=self.key, **{**values, "ЭтапыГрафикаОплаты": stages, **more})
        self.one = adapter(base, opened)
        (self.record,), _ = drain(self.one, "order")

    def lines(self) -> list[dict[str, Any]]:
        return [dict(line) for line in LENS.get(self.record.data).fields["lines"]]

    def say(self, lines: list[dict[str, Any]]) -> Record:
        return write(self.one, self.record, **LENS.put({"lines": lines}, self.record.data))

    def rows(self, table: str = "Товары") -> list[dict[str, Any]]:
        return list(self.base.row(ORDER, self.key)[table])


def new(firm: Firm, **more: Any) -> dict[str, Any]:
    return {"key": "n", "kind": "goods", "product": firm.washer, "name": "Шайба", "sku": "Ш-1", "qty": Decimal(10),
            "sum": Decimal("9.99"), "vat_included": True, **more}  # fmt: skip


def test_a_changed_line_a_new_one_and_one_taken_out(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened)
    assert LENS.put({"lines": firm.lines()}, firm.record.data) == {}, "as it stands"
    bolts, _ = firm.lines()
    was = firm.rows()
    after = firm.say([{**bolts, "qty": Decimal(6), "sum": Decimal("300.30")}, new(firm)])
    cancelled, bolt, washer = firm.rows()
    assert {k: cancelled[k] for k in ("Количество", "Отменено")} == {"Количество": "9", "Отменено": True}
    told = ("Количество", "КоличествоУпаковок", "Цена", "Сумма", "СуммаНДС", "СуммаСНДС")
    assert [Decimal(bolt[k]) for k in told] == [6, 3, *map(Decimal, ("100.10", "300.30", "50.05", "300.30"))], (
        "the price of a package"
    )
    assert bolt["КодСтроки"] == was[0]["КодСтроки"], "what else 1C keeps of a line stays"
    assert [Decimal(washer[k]) for k in told] == [10, 10, *map(Decimal, ("1.00", "9.99", "1.67", "9.99"))]
    assert (washer["СтавкаНДС_Key"], washer["Склад_Key"]) == (firm.vat, was[0]["Склад_Key"])
    assert base.row(ORDER, firm.key)["СуммаДокумента"] == "310.29"
    stages = [Decimal(s["СуммаПлатежа"]) for s in firm.rows("ЭтапыГрафикаОплаты")]
    assert stages == [Decimal("93.09"), Decimal("217.20")]
    found = LENS.get(after.data).fields
    assert (found["amount"], [(r["sku"], r["qty"], r["sum"]) for r in found["lines"]]) == (
        Decimal("310.29"),
        [("Б-8", Decimal(6), Decimal("300.30")), ("Ш-1", Decimal(10), Decimal("9.99"))],
    )
    assert LENS.put({"lines": found["lines"]}, after.data) == {}, "nothing is left to write"


def test_untouched_lines_go_along_as_they_are(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened)
    was = firm.rows()
    firm.say([*firm.lines(), new(firm)])
    kept = {r["КодСтроки"]: r for r in firm.rows() if r["КодСтроки"] in ("1", "2")}
    for old in was[:2]:
        now = kept[old["КодСтроки"]]
        assert {k: v for k, v in now.items() if k != "LineNumber"} == {
            k: v for k, v in old.items() if k != "LineNumber"
        }


def test_prices_without_vat_and_a_discount(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, ЦенаВключаетНДС=False)
    bolts, nuts = firm.lines()
    firm.say([{**bolts, "qty": Decimal(3), "sum": Decimal("120.00"), "discount": Decimal("5.00")}, nuts])
    (bolt,) = [r for r in firm.rows() if r["КодСтроки"] == "1"]
    told = ("Цена", "Сумма", "СуммаНДС", "СуммаСНДС", "СуммаРучнойСкидки")
    assert [Decimal(bolt[k]) for k in told] == [Decimal(v) for v in ("70", "100", "20", "120", "5")]


@pytest.mark.parametrize(
    ("wanted", "line", "discounts"),
    [
        ({"qty": 6, "sum": "243.24"}, ("100.10", "57.06", "19.00"), ["38.04", "19.02"]),  # only the quantity
        ({"qty": 2, "sum": "65"}, ("80.25", "15.25", "19.00"), ["10.17", "5.08"]),  # another price
        ({"qty": 6, "sum": "243.27"}, ("100.10", "57.03", "18.99"), ["38.02", "19.01"]),  # off by a CRM's rounded price
        ({"qty": 2, "sum": "120"}, ("148.15", "28.15", "19.00"), ["18.77", "9.38"]),
        ({"qty": 2, "sum": "0"}, ("0.00", "0", "0"), []),
        ({"qty": 2, "sum": "75.00", "discount": "6.08"}, ("100.10", "19.02", "19.00"), ["12.68", "6.34"]),
    ],
)
def test_an_automatic_discount_stays_as_it_is_and_the_sum_is_met_to_the_kopeck(
    base: ODataPeer, opened: list[OneCOData], wanted: dict[str, Any], line: tuple[str, ...], discounts: list[str]
) -> None:
    firm = Firm(base, opened)
    bolts, nuts = firm.rows()[:2]
    changed = {"СуммаАвтоматическойСкидки": "19.02", "ПроцентАвтоматическойСкидки": "19", "КлючСвязи": "1", "Сумма": "81.08",
               "СуммаСНДС": "81.08"}  # fmt: skip
    parts = [("1", "12.68"), ("2", "3"), ("1", "6.34")]
    base.put(ORDER, Ref_Key=firm.key, Товары=[bolts | changed, nuts | {"КлючСвязи": "2"}],
             СкидкиНаценки=[{"КлючСвязи": k, "Сумма": s} for k, s in parts])  # fmt: skip
    (firm.record,), _ = drain(firm.one, "order")
    first, second = firm.lines()
    firm.say([{**first, **{k: Decimal(v) for k, v in wanted.items()}}, second])
    row = firm.rows()[0]
    assert tuple(row[k] for k in ("Цена", "СуммаАвтоматическойСкидки", "ПроцентАвтоматическойСкидки")) == line
    assert Decimal(row["СуммаСНДС"]) == Decimal(wanted["sum"])
    less = Decimal(row["СуммаРучнойСкидки"]) + Decimal(row["СуммаАвтоматическойСкидки"])
    assert Decimal(row["Цена"]) * Decimal(row["КоличествоУпаковок"]) - less == Decimal(row["Сумма"])
    told = firm.rows("СкидкиНаценки")
    assert [r["Сумма"] for r in told if r["КлючСвязи"] == "1"] == discounts
    assert [r["Сумма"] for r in told if r["КлючСвязи"] == "2"] == ["3"], "of another line"


def test_what_was_paid_with_points_stays_paid(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened)
    bolts, nuts = firm.rows()[:2]
    points = {"СуммаБонусныхБалловКСписаниюВВалюте": "10", "Сумма": "71.08", "СуммаСНДС": "71.08"}
    base.put(ORDER, Ref_Key=firm.key, Товары=[bolts | points | {"СуммаАвтоматическойСкидки": "19.02"}, nuts])
    (firm.record,), _ = drain(firm.one, "order")
    first, second = firm.lines()
    firm.say([{**first, "qty": Decimal(4), "sum": Decimal("152.16")}, second])
    told = ("Цена", "СуммаАвтоматическойСкидки", "СуммаБонусныхБалловКСписаниюВВалюте", "Сумма")
    assert [Decimal(firm.rows()[0][k]) for k in told] == [Decimal(v) for v in ("100.10", "38.04", "10", "152.16")]


def test_what_made_up_the_discount_of_a_line_goes_with_it(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened)
    bolts, nuts = firm.rows()[:2]
    base.put(ORDER, Ref_Key=firm.key, Товары=[bolts | {"КлючСвязи": "1"}, nuts | {"КлючСвязи": "2"}],
             СкидкиНаценки=[{"КлючСвязи": k, "Сумма": "3"} for k in ("1", "2")])  # fmt: skip
    (firm.record,), _ = drain(firm.one, "order")
    firm.say(firm.lines()[1:])
    assert [r["КлючСвязи"] for r in firm.rows("СкидкиНаценки")] == ["2"]


def test_a_posted_order_is_posted_again_and_a_moved_one_left_alone(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, Posted=True)
    firm.say([*firm.lines(), new(firm)])
    assert [c for c in base.calls("POST") if c["path"].endswith("/Post")], "registers follow the lines"
    with pytest.raises(PreconditionFailed):
        firm.say(firm.lines()[:1])


@pytest.mark.parametrize(
    ("order", "line", "code"),
    [
        ({"Статус": "КОбеспечению"}, {}, "odata.approved"),
        ({"DeletionMark": True}, {}, "odata.approved"),
        ({}, {"product": None}, "odata.line"),
        ({}, {"product": "55555555-0000-4000-8000-000000000001"}, "odata.line"),
        ({}, {"product": "' or 1 eq 1"}, "odata.line"),
        ({}, {"qty": Decimal(0)}, "odata.line"),
        ({}, {"sum": Decimal(-1)}, "odata.line"),
        ({}, {"vat_rate": Decimal(7)}, "odata.line"),
    ],
)
def test_what_cannot_be_written_is_named_and_nothing_is(
    base: ODataPeer, opened: list[OneCOData], order: dict[str, Any], line: dict[str, Any], code: str
) -> None:
    firm = Firm(base, opened, **order)
    was = base.row(ORDER, firm.key)["DataVersion"]
    with pytest.raises(RecordRefused) as caught:
        firm.say([*firm.lines(), new(firm, **line)])
    assert (caught.value.code, caught.value.field) == (code, "lines")
    assert code == "odata.approved" or "«Ш-1»" in caught.value.text.ru
    assert base.row(ORDER, firm.key)["DataVersion"] == was


def test_without_the_catalogue_of_rates_it_is_said_what_to_publish(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened)
    base.state["published"].remove("Catalog_СтавкиНДС")
    firm.one = adapter(base, opened)
    with pytest.raises(RecordRefused) as caught:
        firm.say([*firm.lines(), new(firm)])
    assert "Catalog_СтавкиНДС" in caught.value.text.ru
    assert "REST-сервис" in (caught.value.remedy or caught.value.text).ru


@pytest.mark.parametrize(
    "cell", [{"Сумма": "много"}, {"КоличествоУпаковок": []}, {"LineNumber": {}}, {"Цена": "NaN-1"}]
)
def test_a_row_of_another_shape_is_asked_for_again_and_nothing_is_written(
    base: ODataPeer, opened: list[OneCOData], cell: dict[str, Any]
) -> None:
    firm = Firm(base, opened)
    lines = firm.lines()
    was = dict(base.row(ORDER, firm.key))
    row = {**was, "Товары": [{**was["Товары"][0], **cell}]}
    said = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"value": [row]})}
    base.fault("status", quote(ORDER), method="GET", times=9, **said)
    with contextlib.suppress(RetryLater, RecordRefused):
        firm.say([{**lines[0], "sum": Decimal(7)}])
        pytest.fail("nothing can be made of such a row")
    assert base.row(ORDER, firm.key)["DataVersion"] == was["DataVersion"]
