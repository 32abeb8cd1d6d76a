"""A shop and a 1C base over OData through the whole hub: the accountant sees the stage, and what he does comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hub import acts, checks, reports, views
from sync.hub.runtime import Hub
from sync.store.tables import activity, conflict, document, quarantine, record
from tests.peers.odata import ODataPeer
from tests.spec.hubs import BOTH, CLIENT, Kit, one, open_kit, rows, sync, total

ATTRIBUTES = "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"
DEALS = "Catalog_СделкиСКлиентами"
REGISTER = "InformationRegister_СостоянияЗаказовКлиентов"
DOCUMENTS = {"ut": "Document_ЗаказКлиента", "unf": "Document_ЗаказПокупателя", "bp": "Document_СчетНаОплатуПокупателю"}
WORDS = {"ut": "В работе", "unf": "В работе", "bp": "В работе"}


@pytest.fixture(params=BOTH[:1])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


class Firm:
    """A shop's order 1043, and the same in 1C."""

    def __init__(self, kit: Kit, configuration: str, show: str, **owners: str) -> None:
        self.kit, self.name = kit, DOCUMENTS[configuration]
        self.base = ODataPeer(configuration)
        self.base.start()
        base, self.show = self.base, show
        currency = base.put("Catalog_Валюты", Description="RUB")["Ref_Key"]
        phone = [{"Тип": "Телефон", "НомерТелефона": CLIENT["phone"]}]
        party = base.put("Catalog_Контрагенты", Description=CLIENT["name"], КонтактнаяИнформация=phone)["Ref_Key"]
        site = base.put(ATTRIBUTES, Description="Номер заказа на сайте")["Ref_Key"]
        base.put(ATTRIBUTES, Description="Статус сделки CRM")
        for word in ("Открыт", "В работе") if configuration == "unf" else ():
            base.put("Catalog_СостоянияЗаказовПокупателей", Description=word)
        bolt = base.put("Catalog_Номенклатура", Description="Болт", Артикул="B-1")["Ref_Key"]
        table = "Запасы" if configuration == "unf" else "Товары"
        number = {"Свойство_Key": site, "Значение": "1043", "Значение_Type": "Edm.String"}
        item = {"Номенклатура_Key": bolt}
        if configuration == "unf":  # a text may stand there too
            item = {"Номенклатура": bolt, "Номенклатура_Type": "StandardODATA.Catalog_Номенклатура"}
        line = {**item, "Количество": "2", "Цена": "50.05", "Сумма": "100.10"}
        line |= {"ut": {"СуммаСНДС": "100.10"}, "unf": {"Всего": "100.10"}}.get(configuration, {})
        self.order = base.put(
            self.name, Number="0000-000017", Date="2026-03-01T10:00:00", Контрагент_Key=party, СуммаДокумента="100.10",
            Posted=True, **{"Валюта_Key" if configuration == "ut" else "ВалютаДокумента_Key": currency},
            ДополнительныеРеквизиты=[number], **{table: [line]},
        )["Ref_Key"]  # fmt: skip
        self.books = {
            "adapter": "onec_odata", "url": f"{base.url}/base", "login": base.login, "password": base.password,
            "configuration": configuration, "mapping": f"onec_odata_{configuration}", "show_stage": show,
        }  # fmt: skip
        lines = [{"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10"}]
        order = {
            "number": "1043",
            "title": "Заказ",
            "stage": "new",
            "amount": "100.10",
            "currency": "RUB",
            "lines": lines,
        }
        self.hub = kit.open(
            {"shop": {"role": "shop", "kinds": ["deal"]}, "books": self.books},
            [("deal", "shop", "books", "never")],
            owners=owners,
        )
        kit.world("shop").put("deal", {**order, "client": CLIENT})

    def run(self, **more: bool) -> list[Any]:
        self.kit.now.pass_(hours=1)
        return sync(self.hub, **more)

    def shown(self) -> str:
        """What the accountant sees of the stage, where it is to be seen."""
        row = self.base.row(self.name, self.order)
        if self.show == "comment":
            return str(row["Комментарий"])
        if self.show == "state":
            return str(self.base.row("Catalog_СостоянияЗаказовПокупателей", row["СостояниеЗаказа"])["Description"])
        seen = [self.base.row(DEALS, row["Сделка_Key"])["Статус"]] if self.show == "both" else []
        seen += [r["Значение"] for r in row["ДополнительныеРеквизиты"][1:]]
        return " ".join(seen)


@pytest.fixture
def firm(kit: Kit, request: pytest.FixtureRequest) -> Iterator[Firm]:
    parameters = request.param
    made = Firm(kit, *parameters[:2], **dict.fromkeys(parameters[2:], "prefer:accounting"))
    yield made
    made.base.stop()


def deal(hub: Hub) -> Any:
    return one(hub, record, kind="deal")


@pytest.mark.parametrize(
    ("firm", "seen"),
    [
        (("ut", "attribute"), "В работе"),
        (("ut", "both"), "ВРаботе В работе"),
        (("ut", "comment"), "[CRM: В работе]"),
        (("unf", "state"), "В работе"),
        (("unf", "attribute"), "В работе"),
        (("bp", "attribute"), "В работе"),
        (("bp", "comment"), "[CRM: В работе]"),
    ],
    indirect=["firm"],
    ids=str,
)
def test_a_stage_set_by_hand_is_seen_by_the_accountant_and_nothing_is_left_over(firm: Firm, seen: str) -> None:
    firm.run()
    hub = firm.hub
    assert deal(hub).number == "1043", "the shop's order and 1C's are one deal"
    acts.set_stage(hub, "1043", "in_work", "anna")
    firm.run()
    assert firm.shown() == seen
    for _ in range(2):
        assert total(firm.run(), "writes") == 0, "a second run changes nothing"
    assert deal(hub).stage == "in_work"
    assert rows(hub, quarantine, state="open") == []
    assert rows(hub, conflict, state="open") == []


@pytest.mark.parametrize("firm", [("ut", "both")], indirect=True)
def test_check_says_where_the_stage_is_shown_and_what_is_missing_for_it(kit: Kit, firm: Firm) -> None:
    def said(hub: Hub) -> str:
        return "\n".join(f"{line.ok} {line.step}: {line.text.ru}" for line in checks.check(hub, "books"))

    assert "True stage: Этап показывается в реквизите «Статус сделки CRM»" in said(firm.hub)
    assert "flow" not in said(firm.hub)
    firm.base.state["published"].remove(DEALS)
    assert f"False published: 1С не публикует {DEALS}." in said(firm.hub)
    connections = {"shop": {"role": "shop", "kinds": ["deal"]}, "books": firm.books}
    assert "True flow: Ни один поток сделок его не называет" in said(kit.open(connections, []))


@pytest.mark.parametrize("firm", [("ut", "both")], indirect=True)
def test_a_payment_in_part_is_a_sum_and_the_whole_moves_the_deal_and_its_deal_in_1c(firm: Firm) -> None:
    firm.run()
    hub, base = firm.hub, firm.base
    row = {"Заказ": firm.order, "Заказ_Type": f"StandardODATA.{firm.name}"}
    base.put(REGISTER, **row, Состояние="ГотовКОтгрузке", СуммаОплаты="60.05", ПроцентОплаты="60")
    firm.run()
    assert (str(deal(hub).paid), deal(hub).stage) == ("60.05", "new")
    base.put(REGISTER, **row, СуммаОплаты="100.10", ПроцентОплаты="100", СуммаОтгрузки="100.10", ПроцентОтгрузки="100")
    firm.run()
    firm.run()
    assert (str(deal(hub).paid), str(deal(hub).shipped), deal(hub).stage) == ("100.10", "100.10", "won")
    assert firm.shown() == "Выиграна Завершён"
    assert len(base.state["sets"][DEALS]) == 1


CASH, BANK, SHIPMENT, RETURN, REFUND = (
    f"Document_{name}"
    for name in (
        "ПриходныйКассовыйОрдер",
        "ПоступлениеНаРасчетныйСчет",
        "РеализацияТоваровУслуг",
        "ВозвратТоваровОтПокупателя",
        "СписаниеСРасчетногоСчета",
    )
)


def paper(firm: Firm, name: str, amount: str, **more: Any) -> str:
    values = {"Number": "1", "Date": "2026-03-02T10:00:00", "Posted": True, "СуммаДокумента": amount, **more}
    return str(firm.base.put(name, **values)["Ref_Key"])


def paid(firm: Firm, name: str, amount: str) -> str:
    return paper(firm, name, amount, РасшифровкаПлатежа=[{"СчетНаОплату_Key": firm.order, "СуммаПлатежа": amount}])


@pytest.mark.parametrize("firm", [("bp", "attribute")], indirect=True)
def test_a_set_that_1c_does_not_publish_any_more_leaves_the_sums_and_turns_the_connection_red(firm: Firm) -> None:
    paid(firm, CASH, "40.05")
    firm.run()
    hub, base = firm.hub, firm.base
    assert str(deal(hub).paid) == "40.05"
    base.state["published"].remove(CASH)
    paid(firm, BANK, "20")
    base.put("Catalog_Номенклатура", Description="Гайка", Артикул="G-1")
    firm.run(trouble=True)
    assert str(deal(hub).paid) == "60.05", "what was known stands, what is news counts"
    assert rows(hub, document, kind="payment", reversed=True) == []
    assert {r.data["sku"] for r in rows(hub, record, kind="product")} == {"B-1", "G-1"}, "the neighbours are read"
    (books,) = [c for c in views.connections(hub) if c["name"] == "books"]
    assert books["state"] == "red"
    assert CASH in books["reason"]["ru"]
    firm.run(trouble=True)
    assert str(deal(hub).paid) == "60.05"
    base.state["published"].append(CASH)
    firm.run()
    assert str(deal(hub).paid) == "60.05"
    (books,) = [c for c in views.connections(hub) if c["name"] == "books"]
    assert books["state"] == "green"


@pytest.mark.parametrize("firm", [("bp", "attribute")], indirect=True)
def test_goods_and_money_that_came_back_lower_the_deals_sums(firm: Firm) -> None:
    payment = paid(firm, BANK, "100.10")
    shipped = paper(firm, SHIPMENT, "100.10", СчетНаОплатуПокупателю_Key=firm.order)
    firm.run()
    assert (str(deal(firm.hub).paid), str(deal(firm.hub).shipped)) == ("100.10", "100.10")
    paper(firm, RETURN, "50.05", Сделка=shipped, Сделка_Type=f"StandardODATA.{SHIPMENT}")
    line = {"СуммаПлатежа": "30", "Сделка": payment, "Сделка_Type": f"StandardODATA.{BANK}"}
    paper(firm, REFUND, "30", ВидОперации="ВозвратПокупателю", РасшифровкаПлатежа=[line])
    firm.run()
    assert (str(deal(firm.hub).paid), str(deal(firm.hub).shipped)) == ("70.10", "50.05")
    assert total(firm.run(), "changed") == 0
    said = {a.subject.split(" №")[0] for a in rows(firm.hub, activity) if a.type in ("payment", "shipment")}
    assert said == {"Оплата", "Отгрузка", "Возврат денег", "Возврат товара"}


REASONS = "Catalog_ПричиныПроигрышаСделок"


@pytest.mark.parametrize("firm", [("ut", "both")], indirect=True)
def test_why_a_deal_was_lost_is_seen_in_1c_once_1c_knows_the_reason(firm: Firm) -> None:
    hub, base = firm.hub, firm.base
    base.put(REASONS, Description="Нет в наличии")
    firm.run()
    acts.set_stage(hub, "1043", "lost", "anna", reason="Дорого")
    firm.run()
    assert firm.shown() == "Проиграна Отменён"
    (stopped,) = rows(hub, quarantine)
    assert (stopped.code, stopped.state) == ("odata.reason", "open")
    assert "«Дорого»" in stopped.text["ru"]
    for _ in range(2):
        assert total(firm.run(), "writes") == 0, "it is not tried again and again"
    dear = base.put(REASONS, Description="Дорого")["Ref_Key"]
    acts.retry(hub, stopped.id)
    firm.run()
    assert base.state["sets"][DEALS][0]["ПричинаПроигрышаСделки_Key"] == dear
    assert rows(hub, quarantine, state="open") == []
    assert deal(hub).data["lost_reason"] == "Дорого"
    for _ in range(2):
        assert total(firm.run(), "writes") == 0
    assert rows(hub, conflict, state="open") == []


@pytest.mark.parametrize("firm", [("ut", "both")], indirect=True)
def test_a_deal_lost_without_a_reason_is_lost_in_1c_and_nobody_is_asked(firm: Firm) -> None:
    hub, base = firm.hub, firm.base
    base.put(REASONS, Description="Дорого")
    firm.run()
    acts.set_stage(hub, "1043", "lost", "anna", reason="Не указана")
    for _ in range(3):
        firm.run()
    assert (firm.shown(), deal(hub).data["lost_reason"]) == ("Проиграна Отменён", "Не указана")
    assert rows(hub, quarantine, state="open") == rows(hub, conflict, state="open") == []
    assert total(firm.run(), "writes") == 0


BOTH_SPEAK = ("ut", "attribute", "deal.lines", "deal.amount", "deal.tax")


@pytest.mark.parametrize("firm", [BOTH_SPEAK], indirect=True, ids=["both speak"])
def test_what_was_ordered_goes_both_ways_to_the_kopeck_until_1c_has_approved_it(kit: Kit, firm: Firm) -> None:
    hub, base = firm.hub, firm.base
    shop = kit.world("shop")
    vat = base.put("Catalog_СтавкиНДС", Description="20%", Ставка="20")["Ref_Key"]
    base.put("Catalog_Номенклатура", Description="Гайка", Артикул="N-1", СтавкаНДС_Key=vat)
    row = {**base.row(firm.name, firm.order)["Товары"][0], "СтавкаНДС_Key": vat, "СуммаСНДС": "100.10"}
    base.put(firm.name, Ref_Key=firm.order, Статус="НеСогласован", ЦенаВключаетНДС=True, Товары=[row])
    firm.run()
    assert total(firm.run(), "writes") == 0
    bolt = {"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10"}
    nut = {"id": "2", "sku": "N-1", "name": "Гайка", "qty": "3", "sum": "0.33"}
    (id,) = shop.rows("deal")
    shop.put("deal", {"lines": [bolt, nut], "amount": "100.43"}, id)
    firm.run()
    there = base.row(firm.name, firm.order)
    assert [(r["Количество"], r["СуммаСНДС"]) for r in there["Товары"]] == [("2", "100.10"), ("3", "0.33")]
    assert (there["СуммаДокумента"], str(deal(hub).amount)) == ("100.43", "100.43")
    for _ in range(2):
        assert total(firm.run(), "writes") == 0
    changed = [there["Товары"][0], {**there["Товары"][1], "Количество": "5", "Сумма": "0.55", "СуммаСНДС": "0.55"}]
    base.put(firm.name, Ref_Key=firm.order, Товары=changed, СуммаДокумента="100.65", Статус="КОбеспечению")
    firm.run()
    assert [r["sum"] for r in deal(hub).data["lines"]] == ["100.10", "0.55"], "the accountant's word came back"
    shop.put("deal", {"lines": [{**bolt, "qty": "4", "sum": "200.20"}], "amount": "200.20"}, id)
    firm.run()
    (stopped,) = rows(hub, quarantine, state="open", code="odata.approved")
    assert "согласован" in stopped.text["ru"]
    assert base.row(firm.name, firm.order)["СуммаДокумента"] == "100.65"
    assert total(firm.run(), "writes") == 0
    (told,) = reports.deals(hub)
    assert any("B-1: 2 на 100.10 / 4 на 200.20" in said for said in told["differences"]), told["differences"]


OTHERS = [(name, "comment", *BOTH_SPEAK[2:]) for name in ("unf", "bp")]


@pytest.mark.parametrize("firm", OTHERS, indirect=True, ids=["unf", "bp"])
def test_what_was_ordered_goes_both_ways_in_unf_and_bp_too(kit: Kit, firm: Firm) -> None:
    hub, base, shop = firm.hub, firm.base, kit.world("shop")
    unf = firm.name == DOCUMENTS["unf"]
    table, rate, whole = ("Запасы", "СтавкаНДС_Key", "Всего") if unf else ("Товары", "СтавкаНДС", "Сумма")
    vat = base.put("Catalog_СтавкиНДС", Description="20%", Ставка="20")["Ref_Key"] if unf else "НДС20"
    for item in base.state["sets"]["Catalog_Номенклатура"]:
        base.put("Catalog_Номенклатура", Ref_Key=item["Ref_Key"], ВидСтавкиНДС="Общая")
    base.put("Catalog_Номенклатура", Description="Гайка", Артикул="N-1", ВидСтавкиНДС="Общая")
    row = {**base.row(firm.name, firm.order)[table][0], rate: vat}
    base.put(firm.name, Ref_Key=firm.order, СуммаВключаетНДС=True, **{table: [row]})
    firm.run()
    assert total(firm.run(), "writes") == 0
    bolt = {"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10"}
    nut = {"id": "2", "sku": "N-1", "name": "Гайка", "qty": "3", "sum": "0.33"}
    (id,) = shop.rows("deal")
    shop.put("deal", {"lines": [bolt, nut], "amount": "100.43"}, id)
    firm.run()
    there = base.row(firm.name, firm.order)
    assert [(r["Количество"], r[whole]) for r in there[table]] == [("2", "100.10"), ("3", "0.33")]
    assert (there["СуммаДокумента"], str(deal(hub).amount)) == ("100.43", "100.43")
    assert (there["Posted"], rows(hub, quarantine, state="open")) == (True, [])
    for _ in range(2):
        assert total(firm.run(), "writes") == 0
    changed = [there[table][0], {**there[table][1], "Количество": "5", "Сумма": "0.55", whole: "0.55"}]
    over = {"ВариантЗавершения": "Успешно"} if unf else {}
    base.put(firm.name, Ref_Key=firm.order, СуммаДокумента="100.65", **{table: changed}, **over)
    if not unf:
        base.put("InformationRegister_СтатусыДокументов", Документ=firm.order, Документ_Type=f"StandardODATA.{firm.name}",
                 Статус="ОплаченЧастично")  # fmt: skip
    firm.run()
    assert [r["sum"] for r in deal(hub).data["lines"]] == ["100.10", "0.55"], "the accountant's word came back"
    shop.put("deal", {"lines": [{**bolt, "qty": "4", "sum": "200.20"}], "amount": "200.20"}, id)
    firm.run()
    assert rows(hub, quarantine, state="open", code="odata.closed"), "who changes it now is told"
    assert base.row(firm.name, firm.order)["СуммаДокумента"] == "100.65"
    assert total(firm.run(), "writes") == 0
