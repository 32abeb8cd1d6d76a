"""What was ordered, written into УНФ's orders and БП's invoices over OData: by what the base publishes, to the kopeck."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.base import RecordRefused, RetryLater
from adapters.onec.odata import OneCOData
from adapters.onec.odata.pricing import Priced, priced
from adapters.onec.odata.schema import schema_of
from sync.lens import load
from tests.adapters.test_onec_odata import GOODS, ORDERS, adapter, base, drain, furnish, item, opened, write
from tests.peers.odata import ODataPeer
from tests.peers.odata_schema import metadata

__all__ = ["base", "opened"]  # fixtures
RATES = "Catalog_СтавкиНДС"
UNITS = "Catalog_КлассификаторЕдиницИзмерения"


class Firm:
    """An order or invoice that nobody has paid, and what the hub reads of it."""

    def __init__(self, base: ODataPeer, opened: list[OneCOData], name: str, **more: Any) -> None:
        self.base, self.name, self.set, self.opened = base, name, ORDERS[name], opened
        made = furnish(base, name)
        self.key, self.bolt, self.nut = made["order"], made["bolt"], made["nut"]
        self.lens = load(f"onec_odata_{name}").lens("order")
        unit = base.put(UNITS, Description="шт", Code="796")["Ref_Key"] if name == "unf" else ""
        kind = {"ТипНоменклатуры": "Запас", "ЕдиницаИзмерения_Key": unit} if name == "unf" else {}
        self.washer = base.put(GOODS, Description="Шайба", Артикул="Ш-1", **kind)["Ref_Key"]
        if name == "unf":
            self.vat = base.put(RATES, Description="20%", Ставка="20")["Ref_Key"]
            base.put(RATES, Description="20/120", Ставка="20", Расчетная=True)
            self.unf()
        else:
            self.bp()
        base.put(self.set, Ref_Key=self.key, СуммаВключаетНДС=True, Posted=True)
        base.put(self.set, Ref_Key=self.key, **more)
        self.look()

    def unf(self) -> None:
        vat = {"СтавкаНДС_Key": self.vat}
        goods = [
            {"Номенклатура": "Крепёж", "Номенклатура_Type": "Edm.String", "ЭтоРазделитель": True},
            {**item("unf", self.bolt), "Количество": "2", "Цена": "50", "Сумма": "81", "СуммаСкидкиНаценки": "10",
             "ПроцентСкидкиНаценки": "10", "СуммаАвтоматическойСкидки": "9", "ПроцентАвтоматическойСкидки": "9",
             "КлючСвязи": "1", "СуммаНДС": "13.5", "Всего": "81", "Резерв": "2", **vat,
             "СтруктурнаяЕдиницаРезерв_Key": self.nut},
            {**item("unf", self.nut), "Количество": "5", "Цена": "9", "Сумма": "45", "Всего": "45", "НомерВариантаКП": "2",
             **vat},
        ]  # fmt: skip
        works = [{"Номенклатура_Key": self.nut, "Количество": "2", "Кратность": "1", "Коэффициент": "3", "Цена": "10",
                  "Сумма": "60", "СуммаНДС": "10", "Всего": "60", **vat}]  # fmt: skip
        calendar = [{"ПроцентОплаты": p, "СуммаОплаты": s} for p, s in (("50", "83"), ("50", "83"))]
        self.base.put(self.set, Ref_Key=self.key, Запасы=goods, Работы=works, ПлатежныйКалендарь=calendar,
                      СтоимостьДоставки="25", СуммаДокумента="166",
                      СкидкиНаценки=[{"КлючСвязи": "1", "Сумма": "9"}])  # fmt: skip

    def bp(self) -> None:
        rows = [
            {"Номенклатура_Key": self.bolt, "Количество": "2", "Цена": "50.05", "Сумма": "100.10", "СуммаСкидки": "10.10",
             "СуммаНДС": "15", "СтавкаНДС": "НДС20", "Содержание": "Болт оцинкованный"},
            {"Номенклатура_Key": self.nut, "Количество": "1", "Цена": "50", "Сумма": "50", "СтавкаНДС": "БезНДС"},
        ]  # fmt: skip
        self.base.put(self.set, Ref_Key=self.key, Товары=rows, СуммаДокумента="140")

    def look(self, **more: Any) -> None:
        self.one = adapter(self.base, self.opened, configuration=self.name, **more)
        (self.record,), _ = drain(self.one, "order")

    def lines(self) -> list[dict[str, Any]]:
        return [dict(line) for line in self.lens.get(self.record.data).fields["lines"]]

    def say(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        after = write(self.one, self.record, **self.lens.put({"lines": lines}, self.record.data))
        found = self.lens.get(after.data)
        assert found.problems == []
        assert self.lens.put({"lines": found.fields["lines"]}, after.data) == {}, "nothing is left to write"
        return found.fields

    def rows(self, table: str) -> list[dict[str, Any]]:
        return list(self.base.row(self.set, self.key)[table])


def new(firm: Firm, **more: Any) -> dict[str, Any]:
    return {"key": "n", "kind": "goods", "product": firm.washer, "name": "Шайба", "sku": "Ш-1", "qty": Decimal(10),
            "sum": Decimal("9.99"), "vat_rate": Decimal(20), "vat_included": True, **more}  # fmt: skip


def numbers(row: dict[str, Any], *names: str) -> list[Decimal]:
    return [Decimal(str(row[name])) for name in names]


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_is_read_as_it_adds_its_order_up(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, "unf")
    fields = firm.lens.get(firm.record.data).fields
    assert [(r["name"], r["qty"], r["sum"]) for r in fields["lines"]] == [
        ("Болт", Decimal(2), Decimal(81)), ("Гайка", Decimal(2), Decimal(60)), ("Доставка", Decimal(1), Decimal(25)),
    ]  # fmt: skip
    assert sum(r["sum"] for r in fields["lines"]) == fields["amount"], "no heading, no other variant of the offer"
    assert fields["lines"][1]["price"] == Decimal(30), "of one, not of a third of it"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_takes_a_changed_line_a_new_one_and_one_taken_out(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, "unf")
    bolts, works, delivery = firm.lines()
    del bolts["discount"]  # a CRM that tells sums only
    fields = firm.say([{**bolts, "qty": Decimal(4), "sum": Decimal("162")}, works, new(firm), delivery])
    other, heading, bolt, washer = sorted(
        firm.rows("Запасы"), key=lambda r: (not r["ЭтоРазделитель"], r["LineNumber"])
    )[:4]
    heading, other = other, heading
    assert (heading["Номенклатура"], other["НомерВариантаКП"], other["Всего"]) == ("Крепёж", "2", "45")
    told = (
        "Количество",
        "Цена",
        "СуммаСкидкиНаценки",
        "СуммаАвтоматическойСкидки",
        "Сумма",
        "СуммаНДС",
        "Всего",
        "Резерв",
    )
    assert numbers(bolt, *told) == [Decimal(v) for v in ("4", "50", "20", "18", "162", "27", "162", "2")]
    assert numbers(washer, "Количество", "Цена", "Сумма", "СуммаНДС", "Всего") == [
        Decimal(v) for v in ("10", "1.00", "9.99", "1.67", "9.99")
    ]
    assert (washer["Номенклатура"], washer["Номенклатура_Type"]) == (firm.washer, f"StandardODATA.{GOODS}")
    assert (washer["СтавкаНДС_Key"], washer["ТипНоменклатурыЗапас"]) == (firm.vat, True), "not the rate of advances"
    assert washer["ЕдиницаИзмерения_Type"] == f"StandardODATA.{UNITS}"
    assert washer["СтруктурнаяЕдиницаРезерв_Key"] == bolt["СтруктурнаяЕдиницаРезерв_Key"]
    assert [r["Сумма"] for r in firm.rows("СкидкиНаценки")] == ["18.00"]
    assert fields["amount"] == Decimal("256.99")
    steps = [numbers(r, "СуммаОплаты", "СуммаНДСОплаты") for r in firm.rows("ПлатежныйКалендарь")]
    assert [sum(cells) for cells in zip(*steps, strict=True)] == [Decimal("256.99"), Decimal("38.67")]
    assert [c for c in base.calls("POST") if c["path"].endswith("/Post")], "registers follow the lines"
    assert not [c for c in base.calls("PATCH") if "Работы" in str(c)], "an untouched tabular part is not sent"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_works_keep_how_often_their_price_goes_in(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, "unf")
    bolts, works, delivery = firm.lines()
    firm.say([bolts, {**works, "qty": Decimal(3), "sum": Decimal(99)}, delivery])
    (row,) = firm.rows("Работы")
    assert numbers(row, "Количество", "Цена", "Сумма", "Всего") == [3, 11, 99, 99]


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_without_vat_in_its_prices(base: ODataPeer, opened: list[OneCOData]) -> None:
    firm = Firm(base, opened, "unf", СуммаВключаетНДС=False, СуммаНДСДоставки="5")
    bolts, works, delivery = firm.lines()
    assert delivery["sum"] == Decimal(30), "its VAT comes on top"
    fields = firm.say([{**bolts, "sum": Decimal(120)}, works, delivery])
    (bolt,) = [r for r in firm.rows("Запасы") if r["Всего"] == "120"]
    assert numbers(bolt, "Сумма", "СуммаНДС") == [100, 20]
    assert fields["amount"] == Decimal(210)
    steps = [numbers(r, "СуммаОплаты", "СуммаНДСОплаты") for r in firm.rows("ПлатежныйКалендарь")]
    assert [sum(cells) for cells in zip(*steps, strict=True)] == [210, 35]


@pytest.mark.parametrize("base", ["unf"], indirect=True)
@pytest.mark.parametrize("included", [True, False])
def test_what_delivery_costs_in_unf_is_written_with_its_vat(
    base: ODataPeer, opened: list[OneCOData], included: bool
) -> None:
    """Of a new sum, and of none: its VAT by the rate that it has there."""
    firm = Firm(base, opened, "unf", СуммаВключаетНДС=included, СтоимостьДоставки="60", СуммаНДСДоставки="12")
    bolts, works, delivery = firm.lines()
    whole = delivery["sum"]
    fields = firm.say([bolts, works, {**delivery, "sum": whole * 2}])
    assert numbers(base.row(firm.set, firm.key), "СтоимостьДоставки", "СуммаНДСДоставки") == [120, 24]
    assert fields["amount"] == sum(line["sum"] for line in fields["lines"])
    assert fields["amount"] == bolts["sum"] + works["sum"] + whole * 2
    paid = sum(numbers(row, "СуммаОплаты")[0] for row in firm.rows("ПлатежныйКалендарь"))
    assert paid == fields["amount"], "the steps of payment follow"
    assert not [c for c in base.calls("PATCH") if "Запасы" in str(c)], "the goods are not sent"
    firm.look()
    fields = firm.say(firm.lines()[:2])
    assert numbers(base.row(firm.set, firm.key), "СтоимостьДоставки", "СуммаНДСДоставки") == [0, 0]
    assert fields["amount"] == bolts["sum"] + works["sum"]


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_what_is_not_clear_of_delivery_is_left_to_unf(
    base: ODataPeer, opened: list[OneCOData], monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = Firm(base, opened, "unf")
    bolts, works, delivery = firm.lines()
    for more in (
        [{**delivery, "qty": Decimal(2)}],
        [{**delivery, "sum": Decimal(-1)}],
        [delivery, {**delivery, "sum": 1}],
    ):
        with pytest.raises(RecordRefused, match="Доставка"):
            firm.say([bolts, works, *more])
    monkeypatch.delitem(base.entities[firm.set].props, "СуммаНДСДоставки")
    firm.look()
    with pytest.raises(RecordRefused, match="СтоимостьДоставки"):
        firm.say([bolts, works])
    base.put(firm.set, Ref_Key=firm.key, СтоимостьДоставки="0", СуммаДокумента="141")
    firm.look()
    with pytest.raises(RecordRefused, match="Доставка"):
        firm.say([bolts, works, delivery])


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_a_release_that_keeps_goods_as_plain_keys_is_served_too(
    base: ODataPeer, opened: list[OneCOData], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = base.entities[ORDERS["unf"]].tables["Запасы"]
    monkeypatch.setitem(columns, "Номенклатура_Key", columns["Характеристика_Key"])
    for name in ("Номенклатура", "Номенклатура_Type", "ЭтоРазделитель", "НомерВариантаКП"):
        monkeypatch.delitem(columns, name)
    monkeypatch.setattr(Firm, "unf", lambda self: self.base.put(self.set, Ref_Key=self.key, Запасы=[], Работы=[]))
    monkeypatch.setattr("tests.adapters.test_onec_odata.item", lambda _, key: {"Номенклатура_Key": key})
    firm = Firm(base, opened, "unf")
    base.put(firm.set, Ref_Key=firm.key, Запасы=[{"Номенклатура_Key": firm.nut, "Количество": "1", "Всего": "5",
                                                "СтавкаНДС_Key": firm.vat}])  # fmt: skip
    firm.look()
    firm.say([*firm.lines(), new(firm)])
    assert [r["Номенклатура_Key"] for r in firm.rows("Запасы")] == [firm.nut, firm.washer]


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize("included", [True, False])
def test_bp_takes_lines_with_the_discount_not_yet_taken_off(
    base: ODataPeer, opened: list[OneCOData], included: bool
) -> None:
    firm = Firm(base, opened, "bp", СуммаВключаетНДС=included)
    bolts, nuts = firm.lines()
    assert (bolts["sum"], bolts["vat_rate"]) == (Decimal(90) if included else Decimal(105), Decimal(20))
    assert sum(r["sum"] for r in (bolts, nuts)) == (140 if included else 155)
    fields = firm.say(
        [
            {**bolts, "qty": Decimal(3), "sum": Decimal(120), "discount": Decimal(6)},
            nuts,
            new(firm, vat_rate=Decimal(10)),
        ]
    )
    bolt, _, washer = firm.rows("Товары")
    told = ("Количество", "Цена", "Сумма", "СуммаСкидки", "ПроцентСкидки", "СуммаНДС")
    wanted = ("3", "42", "126", "6", "4.76", "20") if included else ("3", "35.33", "106", "6", "5.66", "20")
    assert numbers(bolt, *told) == [Decimal(v) for v in wanted]
    assert (bolt["Содержание"], bolt["СтавкаНДС"]) == ("Болт оцинкованный", "НДС20")
    assert (washer["СтавкаНДС"], washer["СуммаНДС"]) == ("НДС10", "0.91"), "a word that the base itself publishes"
    assert fields["amount"] == Decimal("179.99")


def serviced(firm: Firm) -> str:
    """A service in БП's catalogue."""
    return str(firm.base.put(GOODS, Description="Доставка по городу", Услуга=True)["Ref_Key"])


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_bp_keeps_services_among_the_goods(base: ODataPeer, opened: list[OneCOData]) -> None:
    """Also one that is only told in words, or without a quantity; what is lent (ВозвратнаяТара) was not ordered."""
    firm = Firm(base, opened, "bp")
    words = {"Номенклатура_Key": "00000000-0000-0000-0000-000000000000", "Содержание": "Монтаж", "Сумма": "60",
             "СуммаНДС": "10", "СтавкаНДС": "НДС20"}  # fmt: skip
    tare = [{"Номенклатура_Key": firm.nut, "Количество": "1", "Сумма": "7"}]
    base.put(
        firm.set, Ref_Key=firm.key, Товары=[*firm.rows("Товары"), words], ВозвратнаяТара=tare, СуммаДокумента="200"
    )
    firm.look()
    bolts, nuts, work = firm.lines()
    assert (work["name"], work.get("product"), work["sum"]) == ("Монтаж", None, Decimal(60))
    delivery = new(firm, product=serviced(firm), name="Доставка по городу", sku=None, sum=Decimal(12), qty=Decimal(1))
    fields = firm.say([{**bolts, "qty": Decimal(3), "sum": Decimal(135)}, nuts, work, delivery])
    assert [row["Содержание"] for row in firm.rows("Товары")][2:] == ["Монтаж", "Доставка по городу"]
    assert firm.rows("Товары")[2]["Сумма"] == "60", "untouched"
    assert firm.rows("ВозвратнаяТара")[0]["Сумма"] == "7"
    assert fields["amount"] == sum(line["sum"] for line in fields["lines"]) == Decimal(257)
    with pytest.raises(RecordRefused, match="Монтаж"):
        firm.look()
        firm.say([*firm.lines()[:2], {**firm.lines()[2], "sum": Decimal(61)}, firm.lines()[3]])


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_bp_of_a_release_that_keeps_services_apart(
    base: ODataPeer, opened: list[OneCOData], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a service has no discount: what the deal takes off it is in its price."""
    tables = base.entities[ORDERS["bp"]].tables
    monkeypatch.setitem(tables, "Услуги", tables["УдалитьУслуги"])
    firm = Firm(base, opened, "bp")
    service = serviced(firm)
    fields = firm.say(
        [*firm.lines(), new(firm, product=service, name="Доставка по городу", sku=None, discount=Decimal(3))]
    )
    (row,) = firm.rows("Услуги")
    assert numbers(row, "Количество", "Цена", "Сумма", "СуммаНДС") == [10, 1, Decimal("9.99"), Decimal("1.67")]
    assert (len(firm.rows("Товары")), fields["amount"]) == (2, Decimal("149.99"))
    firm.look()
    fields = firm.say([*firm.lines()[:2], {**firm.lines()[2], "qty": Decimal(5), "sum": Decimal(20)}])
    assert numbers(firm.rows("Услуги")[0], "Количество", "Цена", "Сумма") == [5, 4, 20]
    firm.look()
    assert firm.say(firm.lines()[:2])["amount"] == Decimal(140)
    assert firm.rows("Услуги") == []


@pytest.mark.parametrize("base", ["unf", "bp"], indirect=True)
@pytest.mark.parametrize(("kind", "rates"), [("Общая", 1), ("Пониженная", 0), ("", 0), ("Общая", 2)])
def test_a_rate_that_the_deal_does_not_say_is_that_of_the_same_kind_of_goods(
    base: ODataPeer, opened: list[OneCOData], request: pytest.FixtureRequest, kind: str, rates: int
) -> None:
    firm = Firm(base, opened, name := request.node.callspec.params["base"])
    base.put(GOODS, Ref_Key=firm.bolt, ВидСтавкиНДС="Общая")
    base.put(GOODS, Ref_Key=firm.nut, ВидСтавкиНДС="Общая" if rates == 2 else "БезНДС")
    base.put(GOODS, Ref_Key=firm.washer, ВидСтавкиНДС=kind)
    if rates == 2 and name == "unf":
        (works,) = firm.rows("Работы")
        base.put(firm.set, Ref_Key=firm.key, Работы=[works | {"СтавкаНДС_Key": firm.nut}])
        firm.look()
    line = {k: v for k, v in new(firm).items() if k != "vat_rate"}
    if rates != 1:
        with pytest.raises(RecordRefused, match=r"нет ставки НДС|no VAT rate") as caught:
            firm.say([*firm.lines(), line])
        assert "Укажите ставку" in (caught.value.remedy or caught.value.text).ru
        return
    firm.say([*firm.lines(), line])
    washer = next(r for r in firm.rows("Запасы" if name == "unf" else "Товары") if r["Сумма"] == "9.99")
    assert washer["СуммаНДС"] == "1.67"


@pytest.mark.parametrize(
    ("base", "order", "code"),
    [
        ("unf", {"ВариантЗавершения": "Успешно"}, "odata.closed"),
        ("unf", {"DeletionMark": True}, "odata.closed"),
        ("bp", {"DeletionMark": True}, "odata.closed"),
        ("bp", {"СуммаСкидки": "5"}, "odata.closed"),
        ("unf", {}, "odata.line"),
        ("bp", {}, "odata.line"),
    ],
    indirect=["base"],
)
def test_what_cannot_be_written_is_named_and_nothing_is(
    base: ODataPeer, opened: list[OneCOData], request: pytest.FixtureRequest, order: dict[str, Any], code: str
) -> None:
    firm = Firm(base, opened, request.node.callspec.params["base"], **order)
    was = base.row(firm.set, firm.key)["DataVersion"]
    with pytest.raises(RecordRefused) as caught:
        firm.say([*firm.lines(), new(firm, vat_rate=Decimal(7))])
    assert (caught.value.code, caught.value.field) == (code, "lines")
    assert base.row(firm.set, firm.key)["DataVersion"] == was


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize("moved", ["Оплачен", "ОплаченЧастично", "ОтгруженЧастично", "payment"])
def test_an_invoice_that_the_client_acted_upon_is_left_alone(
    base: ODataPeer, opened: list[OneCOData], moved: str
) -> None:
    firm = Firm(base, opened, "bp")
    status = {"Документ": firm.key, "Документ_Type": f"StandardODATA.{firm.set}", "Статус": "НеОплачен"}
    if moved == "payment":
        paid = [{"СчетНаОплату_Key": firm.key, "СуммаПлатежа": "1"}]
        base.put("Document_ПоступлениеНаРасчетныйСчет", Posted=True, РасшифровкаПлатежа=paid)
    else:
        column = "ДополнительныйСтатус" if "Отгружен" in moved else "Статус"
        base.put("InformationRegister_СтатусыДокументов", **status | {column: moved})
    firm.look()
    with pytest.raises(RecordRefused) as caught:
        firm.say(firm.lines()[:1])
    assert caught.value.code == "odata.closed"


@pytest.mark.parametrize(
    ("base", "columns", "named"),
    [("unf", ("Всего",), "Запасы.Всего"), ("bp", ("СтавкаНДС",), "Товары.СтавкаНДС"), ("ut", ("Цена",), "Товары.Цена")],
    indirect=["base"],
)
def test_a_column_that_is_not_published_is_named_and_nothing_is_guessed(
    base: ODataPeer,
    opened: list[OneCOData],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    columns: tuple[str, ...],
    named: str,
) -> None:
    name = request.node.callspec.params["base"]
    furnish(base, name)
    (line,) = [f for f in adapter(base, opened, configuration=name).check() if f.step == "lines"]
    assert (line.ok, named in line.text.ru) == (True, False)
    for column in columns:
        monkeypatch.delitem(base.entities[ORDERS[name]].tables[named.partition(".")[0]], column)
    one = adapter(base, opened, configuration=name)
    (line,) = [f for f in one.check() if f.step == "lines"]
    assert (line.ok, named in line.text.ru) == (True, True), "without it all else works"
    (record,), _ = drain(one, "order")
    base.put(ORDERS[name], Ref_Key=record.id, Статус="НеСогласован") if name == "ut" else None
    with pytest.raises(RecordRefused, match=named):
        write(one, record, lines=[])


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize("body", ["", "<edmx:Edmx", "{}", metadata({})[:300]])
def test_a_description_that_is_broken_is_asked_for_again(base: ODataPeer, opened: list[OneCOData], body: str) -> None:
    firm = Firm(base, opened, "bp")
    base.fault("status", "metadata", times=1, status=200, body=body, headers={"Content-Type": "application/xml"})
    with pytest.raises(RetryLater):
        firm.say(firm.lines()[:1])
    assert len(firm.say(firm.lines()[:1])["lines"]) == 1


def test_a_hostile_description_brings_nothing_in() -> None:
    said = (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x><EntityType xmlns="y" Name="D">&e;</EntityType></x>'
    )
    assert schema_of(said.encode(), "D").head == {}


@pytest.mark.parametrize("units", ["1", "3", "7.5"])
@pytest.mark.parametrize("net", ["0", "0.01", "99.99", "1000"])
@pytest.mark.parametrize("discount", [None, "0", "5.55"])
def test_price_and_discounts_always_come_to_the_sum(units: str, net: str, discount: str | None) -> None:
    for manual, automatic in (("0", "0"), ("0", "19.02"), ("10", "5"), ("-3", "0"), ("0", "-12"), ("0", "100")):
        before = Priced(Decimal(50), Decimal(manual), Decimal(automatic), Decimal(100))
        given = None if discount is None else Decimal(discount)
        made = priced(before, (Decimal(2), Decimal(units)), Decimal(units), Decimal(net), given)
        off = made.gross - made.manual - made.automatic - Decimal(net)
        assert abs(off) <= Decimal("0.005") * Decimal(units) + Decimal("0.01")
        assert off == 0 or made.automatic == 0, "where there is a discount it takes the kopeck"
        assert made.automatic * before.automatic >= 0
