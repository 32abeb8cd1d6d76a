"""1C over OData, against the stand-in of a base: every kind read, the stage written where the accountant sees it, faults."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import pytest

from adapters.base import (
    AdapterContext,
    BadConfig,
    Change,
    OutcomeUnknown,
    PreconditionFailed,
    Record,
    RecordRefused,
    RetryLater,
)
from adapters.onec.odata import OneCOData
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.settings import ODataSettings
from sync.lens import load
from tests.peers.http import Answer, Call
from tests.peers.odata import ODataPeer

ORDERS = {"ut": "Document_ЗаказКлиента", "unf": "Document_ЗаказПокупателя", "bp": "Document_СчетНаОплатуПокупателю"}
GOODS, ATTRIBUTES = "Catalog_Номенклатура", "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)


class _Free:
    def __init__(self) -> None:
        self.penalties: list[float] = []

    def wait(self) -> None:
        """No limit here."""

    def penalty(self, seconds: float) -> None:
        self.penalties.append(seconds)


@pytest.fixture
def base(request: pytest.FixtureRequest) -> Iterator[ODataPeer]:
    with ODataPeer(getattr(request, "param", "ut")) as peer:
        yield peer


@pytest.fixture
def opened() -> Iterator[list[OneCOData]]:
    made: list[OneCOData] = []
    yield made
    for one in made:
        one.close()


def adapter(base: ODataPeer, opened: list[OneCOData], **more: Any) -> OneCOData:
    values = {
        "url": f"{base.url}/base",
        "login": base.login,
        "password": base.password,
        "page": 2,
        "timeout": 5,
        **more,
    }
    settings = ODataSettings.model_validate(values)
    made = OneCOData(settings, AdapterContext("onec", _Free(), lambda: NOW, logging.getLogger("test")))
    opened.append(made)
    return made


def drain(one: OneCOData, kind: str, cursor: dict[str, Any] | None = None) -> tuple[list[Record], dict[str, Any]]:
    found: list[Record] = []
    page = None
    for page in one.scan(kind, cursor):
        found += page.records
    assert page is not None
    assert page.last
    return found, dict(page.cursor)


def item(configuration: str, key: str) -> dict[str, str]:
    """The goods of a line: in УНФ a text may stand there too, so that the value names its type."""
    if configuration != "unf":
        return {"Номенклатура_Key": key}
    return {"Номенклатура": key, "Номенклатура_Type": f"StandardODATA.{GOODS}"}


def furnish(base: ODataPeer, name: str = "ut") -> dict[str, Any]:
    """A client, two goods, an order of the site, its additional attributes."""
    rub = base.put("Catalog_Валюты", Description="RUB")["Ref_Key"]
    party = base.put(
        "Catalog_Контрагенты",
        Description="Пример",
        НаименованиеПолное="ООО «Пример»",
        ИНН="7707083893",
        КПП="770701001",
    )["Ref_Key"]
    bolt, nut = (base.put(GOODS, Description=d, Артикул=a)["Ref_Key"] for d, a in (("Болт", "Б-8"), ("Гайка", "Г-8")))
    values: dict[str, Any] = {"Number": "УТ-000017", "Date": "2026-03-05T12:00:00", "Контрагент_Key": party}
    values["СуммаДокумента"] = "100.10"
    site = base.put(ATTRIBUTES, Description="Номер заказа на сайте (Заказ клиента)")["Ref_Key"]
    status = base.put(ATTRIBUTES, Description="Статус сделки CRM (Заказ клиента)")["Ref_Key"]
    values["ДополнительныеРеквизиты"] = [{"Свойство_Key": site, "Значение": "1043", "Значение_Type": "Edm.String"}]
    lines = "Запасы" if name == "unf" else "Товары"
    whole = {"ut": "СуммаСНДС", "unf": "Всего"}.get(name, "Сумма")
    values[lines] = [
        {**item(name, bolt), "Количество": "2", "Цена": "25.05", "Сумма": "50.10", whole: "50.10"},
        {**item(name, nut), "Количество": "1", "Цена": "50", "Сумма": "50", whole: "50"},
    ]
    values["Валюта_Key" if name == "ut" else "ВалютаДокумента_Key"] = rub
    order = base.put(ORDERS[name], **values)["Ref_Key"]
    return {"order": order, "bolt": bolt, "nut": nut, "status": status, "party": party, "rub": rub}


def write(one: OneCOData, record: Record, **data: Any) -> Record:
    return one.write(Change("order", record.id, data, record, "3f6c1c1e-0000-4000-8000-000000000001"))


def test_goods_come_by_key_in_pages_and_completely(base: ODataPeer, opened: list[OneCOData]) -> None:
    for n in range(7):
        base.put(GOODS, Description=f"Болт {n}", Артикул=f"Б-{n}", DeletionMark=n == 3)
    base.put(GOODS, Description="Крепёж", IsFolder=True)
    one = adapter(base, opened)
    found, _ = drain(one, "product")
    assert sorted(r.data["sku"] for r in found) == [f"Б-{n}" for n in range(7)]
    assert [r.deleted for r in found if r.data["sku"] == "Б-3"] == [True]
    assert [r.id for r in found] == sorted(r.id for r in found)
    assert [r.data["name"] for r in drain(one, "group")[0]] == ["Крепёж"]
    assert [p.complete for p in one.scan("product", None)][-1]


def test_the_change_feed_names_only_what_moved_and_is_confirmed_later(base: ODataPeer, opened: list[OneCOData]) -> None:
    keys = [base.put(GOODS, Description=f"Болт {n}")["Ref_Key"] for n in range(3)]
    base.state["plan"]["contents"] = [GOODS]
    one = adapter(base, opened, exchange_plan="ExchangePlan_Сайт(guid'1')")
    _, cursor = drain(one, "product")
    base.put(GOODS, Ref_Key=keys[0], Description="Болт новый")
    base.remove(GOODS, keys[1])
    found, after = drain(one, "product", cursor)
    assert {(r.id, r.deleted) for r in found} == {(keys[0], False), (keys[1], True)}
    again, _ = drain(one, "product", cursor)  # the hub died before it stored the cursor: the same comes again
    assert {r.id for r in again} == {keys[0], keys[1]}
    assert drain(one, "product", after)[0] == []
    base.fault("status", "SelectChanges", status=200, body="<feed", headers={"Content-Type": "application/atom+xml"})
    with pytest.raises(RetryLater):
        drain(one, "product", after)


def test_prices_of_each_type_and_stock_of_each_warehouse(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    retail, trade = (base.put("Catalog_ВидыЦен", Description=d)["Ref_Key"] for d in ("Розничная", "Оптовая"))
    store = base.put("Catalog_Склады", Description="Основной")["Ref_Key"]
    variant = base.put("Catalog_ХарактеристикиНоменклатуры", Description="красный")["Ref_Key"]
    prices = "InformationRegister_ЦеныНоменклатуры"
    for n, (kind, day, price) in enumerate(((retail, "01", "10.50"), (retail, "02", "11.25"), (trade, "01", "9"))):
        base.put(prices, Recorder=f"r{n}", Period=f"2026-03-{day}T00:00:00", Номенклатура_Key=made["bolt"],
                 ВидЦены_Key=kind, Цена=price, Валюта_Key=made["rub"])  # fmt: skip
    for n, (kind, qty, of) in enumerate((("Receipt", "5", ""), ("Expense", "1.5", ""), ("Receipt", "7", variant))):
        base.put("AccumulationRegister_ТоварыНаСкладах", Recorder=f"s{n}", Period="2026-03-01T00:00:00", RecordType=kind,
                 Номенклатура_Key=made["bolt"], Склад_Key=store, ВНаличии=qty,
                 **({"Характеристика_Key": of} if of else {}))  # fmt: skip
    found, _ = drain(adapter(base, opened), "offer")
    plain, varied = sorted(found, key=lambda r: r.id)
    assert {p["type"]: p["value"] for p in plain.data["prices"]} == {retail: Decimal("11.25"), trade: Decimal(9)}
    assert plain.data["stocks"] == [{"warehouse": store, "qty": Decimal("3.5")}]
    assert varied.id == f"{made['bolt']}#{variant}"
    fields = load("onec_odata_ut").lens("offer").get(plain.data).fields
    assert {p["value"] for p in fields["prices"]} == {Decimal("11.25"), Decimal(9)}
    assert fields["stocks"][0]["qty"] == Decimal("3.500")


def test_the_registers_come_by_stretches_of_goods_and_lose_none(base: ODataPeer, opened: list[OneCOData]) -> None:
    kind = base.put("Catalog_ВидыЦен", Description="Розничная")["Ref_Key"]
    keys = [base.put(GOODS, Description=f"Болт {n}")["Ref_Key"] for n in range(7)]
    gone = ["00000000-0000-4000-8000-000000000001", "ffffffff-0000-4000-8000-000000000001"]  # removed, the rows remain
    for n, key in enumerate([*keys[:5], *gone]):
        base.put("InformationRegister_ЦеныНоменклатуры", Recorder=f"r{n}", Period="2026-03-01T00:00:00",
                 Номенклатура_Key=key, ВидЦены_Key=kind, Цена=str(n + 1))  # fmt: skip
    for n, key in enumerate(keys[3:]):
        base.put("AccumulationRegister_ТоварыНаСкладах", Recorder=f"s{n}", Period="2026-03-01T00:00:00",
                 RecordType="Receipt", Номенклатура_Key=key, ВНаличии="3")  # fmt: skip
    one = adapter(base, opened)
    pages = list(one.scan("offer", None))
    found = {r.id: r.data for page in pages for r in page.records}
    assert sum(len(p.records) for p in pages) == len(found), "none comes twice"
    assert set(found) == {*keys, *gone}
    assert max(len(p.records) for p in pages) <= 3, "as large as a page of goods, and what is before the first of them"
    assert [p.complete for p in pages] == [False] * (len(pages) - 1) + [True]
    assert {k: (len(d["prices"]), len(d["stocks"])) for k, d in found.items()} == {
        **{k: (1, 0) for k in [*keys[:3], *gone]},
        **{k: (1, 1) for k in keys[3:5]},
        **{k: (0, 1) for k in keys[5:]},
    }
    asked = [unquote(c["path"]) for c in base.calls("GET") if "SliceLast" in c["path"]]
    assert len(asked) == len(pages)
    assert all("Condition=" in path for path in asked)


def test_an_order_of_the_site_with_its_state_to_the_kopeck(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    base.put("InformationRegister_СостоянияЗаказовКлиентов", Заказ=made["order"], Заказ_Type=f"StandardODATA.{ORDERS['ut']}",
             Состояние="ВПроцессеОтгрузки", СуммаОплаты="60.05", ПроцентОплаты="60",
             СуммаОтгрузки="100.10", ПроцентОтгрузки="100")  # fmt: skip
    base.put(ORDERS["ut"], Number="УТ-1", Date="2025-01-01T00:00:00")  # older than the window
    (record,), _ = drain(adapter(base, opened), "order")
    found = load("onec_odata_ut").lens("order").get(record.data)
    assert found.problems == []
    assert (found.fields["number"], found.fields["paid"], found.fields["shipped"]) == ("1043", False, True)
    assert {d["kind"]: d["amount"] for d in found.fields["documents"]} == {
        "order": Decimal("100.10"),
        "payment": Decimal("60.05"),
        "shipment": Decimal("100.10"),
    }
    assert found.client == {"name": "Пример", "company": "ООО «Пример»", "inn": "7707083893", "kpp": "770701001"}
    assert [(one["sku"], one["qty"], one["sum"]) for one in record.data["lines"]] == [
        ("Б-8", Decimal(2), Decimal("50.1")),
        ("Г-8", Decimal(1), Decimal(50)),
    ]
    assert record.data["date_1c"] == "2026-03-05T09:00:00Z"


def test_the_clients_phones_and_addresses_come_from_both_cards(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    mail = {"Тип": "АдресЭлектроннойПочты", "АдресЭП": "buh@example.com"}
    phone = {"Тип": "Телефон", "Представление": "+7 (495) 000-00-01", "НомерТелефона": "74950000001"}
    other = {"Тип": "Телефон", "Представление": "8 495 000-00-02"}
    partner = base.put("Catalog_Партнеры", Description="Пример", КонтактнаяИнформация=[phone, other])["Ref_Key"]
    base.put("Catalog_Контрагенты", Ref_Key=made["party"], КонтактнаяИнформация=[mail, phone, {"Тип": "Адрес"}])
    base.put(ORDERS["ut"], Ref_Key=made["order"], Партнер_Key=partner)
    (record,), _ = drain(adapter(base, opened), "order")
    client = load("onec_odata_ut").lens("order").get(record.data).client
    assert (client["phones"], client["emails"]) == (["74950000001", "8 495 000-00-02"], ["buh@example.com"])


def test_the_stage_is_written_into_the_attribute_and_others_rows_stay(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    one = adapter(base, opened)
    (record,), _ = drain(one, "order")
    lens = load("onec_odata_ut").lens("order")
    after = write(one, record, **lens.put({"stage": "paid"}, record.data))
    rows = base.row(ORDERS["ut"], made["order"])["ДополнительныеРеквизиты"]
    assert [r["Значение"] for r in rows] == ["1043", "Оплачен"]
    assert lens.get(after.data).fields["stage"] == "paid"
    again = write(one, after, crm_status="Отгружен")
    rows = base.row(ORDERS["ut"], made["order"])["ДополнительныеРеквизиты"]
    assert [(r["LineNumber"], r["Значение"]) for r in rows] == [("1", "1043"), ("2", "Отгружен")]
    assert again.version != record.version
    with pytest.raises(PreconditionFailed):
        write(one, record, crm_status="Новый")


def test_a_missing_attribute_says_where_to_make_it(base: ODataPeer, opened: list[OneCOData]) -> None:
    furnish(base)
    one = adapter(base, opened, attribute="Этап")
    (record,), _ = drain(one, "order")
    with pytest.raises(RecordRefused) as caught:
        write(one, record, crm_status="Оплачен")
    assert "Дополнительные реквизиты" in (caught.value.remedy or caught.value.text).ru
    (line,) = [f for f in one.check() if not f.ok]
    assert (line.step, line.setting) == ("stage", "attribute")


def test_the_client_deal_and_the_comment(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    deal = base.put("Catalog_СделкиСКлиентами", Description="Сделка", Статус="ВРаботе")["Ref_Key"]
    base.put(ORDERS["ut"], Ref_Key=made["order"], Сделка_Key=deal, Комментарий="позвонить")
    one = adapter(base, opened, show_stage="both")
    record = one.read("order", made["order"])
    assert record is not None
    assert record.data["deal_status"] == "ВРаботе"
    assert write(one, record, crm_status="Завершён").data["deal_status"] == "Выиграна"
    two = adapter(base, opened, show_stage="comment")
    record = two.read("order", made["order"])
    assert record is not None
    for word in ("Оплачен", "Отгружен"):
        record = write(two, record, crm_status=word)
    assert base.row(ORDERS["ut"], made["order"])["Комментарий"] == "позвонить [CRM: Отгружен]"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_unf_has_a_state_of_its_own(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    states = "Catalog_СостоянияЗаказовПокупателей"
    new, work = (base.put(states, Description=d)["Ref_Key"] for d in ("Открыт", "В работе"))
    base.put(ORDERS["unf"], Ref_Key=made["order"], СостояниеЗаказа=new, СостояниеЗаказа_Type=f"StandardODATA.{states}")
    one = adapter(base, opened, configuration="unf")
    (record,), _ = drain(one, "order")
    lens = load("onec_odata_unf").lens("order")
    assert lens.get(record.data).fields["stage"] == "new"
    assert lens.put({"stage": "new"}, record.data) == {}, "two words for one stage: the order stays where it is"
    after = write(one, record, **lens.put({"stage": "in_work"}, record.data))
    assert base.row(ORDERS["unf"], made["order"])["СостояниеЗаказа"] == work
    assert lens.get(after.data).fields["stage"] == "in_work"
    with pytest.raises(RecordRefused) as caught:
        write(one, after, crm_status="Нет такого")
    assert caught.value.field == "crm_status"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_a_state_that_is_made_in_1c_later_is_known_at_once(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    one = adapter(base, opened, configuration="unf")
    (record,), _ = drain(one, "order")
    base.put("Catalog_СостоянияЗаказовПокупателей", Description="В работе")
    assert write(one, record, crm_status="В работе").data["crm_status"] == "В работе", "no scan was in between"
    other = "StandardODATA.Catalog_СостоянияЗаказНарядов"
    base.put(
        ORDERS["unf"],
        Ref_Key=made["order"],
        СостояниеЗаказа="44444444-0000-4000-8000-000000000001",
        СостояниеЗаказа_Type=other,
    )
    before = len(read(base, "Catalog_СостоянияЗаказовПокупателей"))
    for _ in range(3):
        record = one.read("order", made["order"])
        assert record is not None
    assert len(read(base, "Catalog_СостоянияЗаказовПокупателей")) == before + 1, (
        "what is of another kind is asked for once"
    )


@pytest.mark.parametrize("base", ["bp"], indirect=True)
def test_bp_tells_paid_and_shipped_by_its_register(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "bp")
    base.put("InformationRegister_СтатусыДокументов", Документ=made["order"], Документ_Type=f"StandardODATA.{ORDERS['bp']}",
             Статус="Оплачен", ДополнительныйСтатус="НеОтгружен")  # fmt: skip
    one = adapter(base, opened, configuration="bp")
    (record,), _ = drain(one, "order")
    fields = load("onec_odata_bp").lens("order").get(record.data).fields
    assert (fields["number"], fields["paid"], fields["shipped"]) == ("1043", True, False)
    assert write(one, record, crm_status="Оплачен").data["crm_status"] == "Оплачен"


def test_every_set_that_is_not_published_is_named_with_the_place(base: ODataPeer, opened: list[OneCOData]) -> None:
    furnish(base)
    base.state["published"].remove(ORDERS["ut"])
    base.state["published"].remove("Catalog_Склады")
    missing = [f for f in adapter(base, opened).check() if not f.ok]
    assert [f.step for f in missing] == ["published", "published"]
    assert {name for name in (ORDERS["ut"], "Catalog_Склады") if any(name in f.text.ru for f in missing)} == {
        ORDERS["ut"],
        "Catalog_Склады",
    }
    assert "REST-сервис" in (missing[0].remedy or missing[0].text).ru
    with pytest.raises(BadConfig) as caught:
        drain(adapter(base, opened), "order")
    assert ORDERS["ut"] in caught.value.text.ru


def test_check_says_all_is_well(base: ODataPeer, opened: list[OneCOData]) -> None:
    furnish(base)
    found = list(adapter(base, opened).check())
    steps = ["auth", "published", "stage", "stage", "reasons", "lines", "sample"]
    assert [(f.step, f.ok) for f in found] == [(step, True) for step in steps]
    assert "«Завершён» — выиграна" in found[2].text.ru
    assert "УТ-000017" in found[-1].text.ru


def test_a_wrong_password_and_a_page_instead_of_data(base: ODataPeer, opened: list[OneCOData]) -> None:
    (line,) = adapter(base, opened, password="wrong").check()
    assert (line.step, line.ok, line.setting) == ("auth", False, "password")
    base.fault("status", "odata", status=200, body="<html>вход</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(BadConfig) as caught:
        drain(adapter(base, opened), "product")
    assert caught.value.setting == "url"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 503, "body": "занято"}, RetryLater),
        ({"kind": "status", "status": 406, "body": ""}, RetryLater),
        ({"kind": "status", "status": 200, "body": "", "headers": {"Content-Type": "application/json"}}, RetryLater),
        (
            {"kind": "status", "status": 200, "body": '{"value":[', "headers": {"Content-Type": "application/json"}},
            RetryLater,
        ),
        (
            {"kind": "status", "status": 200, "body": '{"value":[1]}', "headers": {"Content-Type": "application/json"}},
            RetryLater,
        ),
        ({"kind": "refuse"}, RetryLater),
    ],
)
def test_broken_answers_take_nothing(
    base: ODataPeer, opened: list[OneCOData], fault: dict[str, Any], error: type
) -> None:
    furnish(base)
    base.fault(match="odata", **fault)
    with pytest.raises(error):
        drain(adapter(base, opened), "product")
    assert len(drain(adapter(base, opened), "product")[0]) == 2


@pytest.mark.parametrize(
    ("kind", "name", "row"),
    [
        ("product", GOODS, {}),
        ("order", ORDERS["ut"], {"Ref_Key": "a", "СуммаДокумента": 5}),
        ("order", "InformationRegister_СостоянияЗаказовКлиентов", {"Заказ": "a", "СуммаОплаты": "много"}),
        ("order", "InformationRegister_СостоянияЗаказовКлиентов", {"СуммаОплаты": 1}),
        ("offer", "SliceLast", {"Номенклатура_Key": ["a"], "Цена": {"x": 1}}),
        ("offer", "Balance", {"ВНаличииBalance": "много"}),
    ],
)
def test_an_answer_of_another_shape_is_an_error_of_ours_or_harmless(
    base: ODataPeer, opened: list[OneCOData], kind: str, name: str, row: dict[str, Any]
) -> None:
    made = furnish(base)
    row = {key: made["order"] if value == "a" else value for key, value in row.items()}
    body = json.dumps({"value": [row]})
    base.fault("status", quote(name), times=9, status=200, body=body, headers={"Content-Type": "application/json"})
    with contextlib.suppress(RetryLater):
        drain(adapter(base, opened), kind)
    base.faults.clear()
    assert drain(adapter(base, opened), kind) is not None


@pytest.mark.parametrize("status", [406, 429, 503])
def test_a_base_without_a_free_session_is_left_alone_for_a_while(
    base: ODataPeer, opened: list[OneCOData], status: int
) -> None:
    furnish(base)
    one = adapter(base, opened)
    base.fault("status", "", status=status, body="")
    with pytest.raises(RetryLater):
        drain(one, "product")
    assert one.context.limiter.penalties == [30]  # type: ignore[attr-defined]


@pytest.mark.parametrize("base", ["bp"], indirect=True)
@pytest.mark.parametrize(
    ("show", "said"), [("attribute", "в реквизите «Статус сделки CRM»"), ("comment", "здесь: комментарий документа")]
)
def test_check_says_where_the_accountant_of_bp_sees_the_stage(
    base: ODataPeer, opened: list[OneCOData], show: str, said: str
) -> None:
    furnish(base, "bp")
    (line,) = [f for f in adapter(base, opened, configuration="bp", show_stage=show).check() if f.step == "stage"]
    assert (line.ok, said in line.text.ru) == (True, True)


def test_rights_over_single_rows_fail_loudly(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    base.state["hidden"][GOODS] = [made["bolt"]]
    with pytest.raises(BadConfig) as caught:
        drain(adapter(base, opened), "product")
    assert caught.value.code == "odata.rights"


def test_a_lost_answer_to_a_write_is_unknown_and_a_failed_posting_refused(
    base: ODataPeer, opened: list[OneCOData]
) -> None:
    made = furnish(base)
    one = adapter(base, opened)
    record = one.read("order", made["order"])
    assert record is not None
    base.fault("drop", "", method="PATCH")
    with pytest.raises(OutcomeUnknown):
        write(one, record, crm_status="Оплачен")
    found = one.read("order", made["order"])
    assert found is not None
    assert found.data["crm_status"] == "Оплачен"
    body = '{"odata.error":{"code":"-1","message":{"lang":"ru","value":"Не удалось провести"}}}'
    base.fault("status", "", method="PATCH", status=500, body=body, headers={"Content-Type": "application/json"})
    with pytest.raises(RecordRefused, match="Не удалось провести"):
        write(one, found, crm_status="Отгружен")


def test_what_was_removed_for_good_reads_as_gone_and_nothing_is_ever_deleted(
    base: ODataPeer, opened: list[OneCOData]
) -> None:
    made = furnish(base)
    one = adapter(base, opened)
    drain(one, "order")
    base.remove(ORDERS["ut"], made["order"])
    assert one.read("order", made["order"]) is None
    assert base.calls("DELETE") == []
    with pytest.raises(RecordRefused):
        one.write(Change("order", None, {}, None, "k"))


def whole(base: ODataPeer, name: str) -> int:
    """How often objects of a set were read whole so far."""
    return sum(1 for c in read(base, name) if "DataVersion" not in c["query"].get("$select", ""))


def read(base: ODataPeer, name: str) -> list[dict[str, Any]]:
    return [c for c in base.calls("GET") if unquote(c["path"]).endswith(f"/{name}")]


def test_without_a_plan_only_goods_whose_version_moved_are_read_whole(base: ODataPeer, opened: list[OneCOData]) -> None:
    keys = [base.put(GOODS, Description=f"Болт {n}")["Ref_Key"] for n in range(40)]
    one = adapter(base, opened, page=10)
    first, cursor = drain(one, "product")
    assert len(first) == 40
    before = whole(base, GOODS)
    assert drain(one, "product", cursor) == ([], cursor)
    assert whole(base, GOODS) == before > 0
    base.put(GOODS, Ref_Key=keys[3], Description="Болт новый")
    base.put(GOODS, Ref_Key=keys[7], DeletionMark=True)
    added = base.put(GOODS, Description="Гайка")["Ref_Key"]
    found, after = drain(one, "product", cursor)
    assert {keys[3], keys[7], added} <= {r.id for r in found}
    assert len(found) < 10, "few others share a bucket"
    assert [r.deleted for r in found if r.id == keys[7]] == [True]
    assert not [p for p in one.scan("product", cursor) if p.complete], "absence is believed from whole scans only"
    assert {r.id for r in drain(one, "product", cursor)[0]} == {r.id for r in found}, (
        "the hub died: the same comes again"
    )
    assert drain(one, "product", after)[0] == []
    assert [p.complete for p in one.scan("product", None)][-1], "a scan from the beginning sees everything"


def test_where_most_has_changed_all_is_read_in_pages(base: ODataPeer, opened: list[OneCOData]) -> None:
    keys = [base.put(GOODS, Description=f"Болт {n}")["Ref_Key"] for n in range(70)]
    one = adapter(base, opened, page=70)
    _, cursor = drain(one, "product")
    for key in keys:
        base.put(GOODS, Ref_Key=key, Артикул="Б")
    before = len(read(base, GOODS))
    assert before >= 2
    assert len(drain(one, "product", cursor)[0]) == 70
    assert len(read(base, GOODS)) - before == 4


def test_an_order_is_read_again_when_it_or_its_payment_has_moved(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    others = [
        base.put(ORDERS["ut"], Number=f"УТ-{n}", Date="2026-03-05T12:00:00", Контрагент_Key=made["party"])["Ref_Key"]
        for n in range(20)
    ]
    one = adapter(base, opened, page=10)
    first, cursor = drain(one, "order")
    assert len(first) == 21
    before = whole(base, ORDERS["ut"])
    assert drain(one, "order", cursor)[0] == []
    assert whole(base, ORDERS["ut"]) == before > 0
    # the register moves with a payment, the order's own DataVersion does not
    base.put("InformationRegister_СостоянияЗаказовКлиентов", Заказ=made["order"], Заказ_Type=f"StandardODATA.{ORDERS['ut']}",
             Состояние="ГотовКОтгрузке", СуммаОплаты="100.10", ПроцентОплаты="100")  # fmt: skip
    found, cursor = drain(one, "order", cursor)
    assert [r.data["paid"] for r in found if r.id == made["order"]] == [True]
    base.put(ORDERS["ut"], Ref_Key=others[0], Комментарий="перезвонить")
    found, cursor = drain(one, "order", cursor)
    assert [r.data["comment"] for r in found if r.id == others[0]] == ["перезвонить"]
    assert len(found) < 5
    assert drain(one, "order", cursor)[0] == []


@pytest.mark.parametrize("cursor", [{"since": "x"}, {"message": 0}, {"versions": {}}])
def test_a_cursor_without_a_map_reads_everything(
    base: ODataPeer, opened: list[OneCOData], cursor: dict[str, Any]
) -> None:
    furnish(base)
    one = adapter(base, opened)
    assert len(drain(one, "order", cursor)[0]) == 1
    assert len(drain(one, "product", cursor)[0]) == 2


def test_a_listing_that_breaks_off_keeps_the_old_place(base: ODataPeer, opened: list[OneCOData]) -> None:
    keys = [base.put(GOODS, Description=f"Болт {n}")["Ref_Key"] for n in range(6)]
    one = adapter(base, opened)
    _, cursor = drain(one, "product")
    base.put(GOODS, Ref_Key=keys[0], Description="Болт новый")
    base.fault("status", "select", status=503, body="занято")
    with pytest.raises(RetryLater):
        drain(one, "product", cursor)
    assert keys[0] in {r.id for r in drain(one, "product", cursor)[0]}


def test_a_write_names_the_version_it_has_seen_and_412_means_look_again(
    base: ODataPeer, opened: list[OneCOData], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = furnish(base)
    deal = base.put("Catalog_СделкиСКлиентами", Description="Сделка", Статус="ВРаботе")["Ref_Key"]
    base.put(ORDERS["ut"], Ref_Key=made["order"], Сделка_Key=deal)
    one = adapter(base, opened, show_stage="both")
    record = one.read("order", made["order"])
    assert record is not None
    named: list[str] = []
    handle = base.handle

    def noted(call: Call) -> Answer:
        if call.method == "PATCH":
            named.append(call.headers.get("if-match", ""))
        return handle(call)

    monkeypatch.setattr(base, "handle", noted)
    base.put(ORDERS["ut"], Ref_Key=made["order"], Комментарий="бухгалтер был быстрее")
    with pytest.raises(PreconditionFailed) as caught:
        write(one, record, crm_status="Завершён")
    assert caught.value.code == "odata.moved"
    assert base.row("Catalog_СделкиСКлиентами", deal)["Статус"] == "ВРаботе", "nothing of it was written"
    now = one.read("order", made["order"])
    assert now is not None
    assert write(one, now, crm_status="Завершён").data["deal_status"] == "Выиграна"
    blind = Change("order", made["order"], {"crm_status": "Отгружен"}, None, "3f6c1c1e-0000-4000-8000-000000000002")
    one.write(blind)
    assert len(named) == 4
    assert all(named), "where none was seen before, the version just read"


DEALS = "Catalog_СделкиСКлиентами"


@pytest.mark.parametrize("lost", [None, "POST", "PATCH"])
def test_an_order_without_a_deal_gets_one_and_only_one(
    base: ODataPeer, opened: list[OneCOData], lost: str | None
) -> None:
    made = furnish(base)
    partner = base.put("Catalog_Партнеры", Description="Пример")["Ref_Key"]
    base.put(ORDERS["ut"], Ref_Key=made["order"], Партнер_Key=partner)
    one = adapter(base, opened, show_stage="both")
    record = one.read("order", made["order"])
    assert record is not None
    if lost:
        base.fault("drop", "", method=lost)  # carried out, and the answer never came
        with pytest.raises(OutcomeUnknown):
            write(one, record, crm_status="Оплачен")
        record = one.read("order", made["order"])
        assert record is not None
        assert (record.data.get("crm_status") == "Оплачен") is (lost == "PATCH"), "the order is written last"
    after = write(one, record, crm_status="Оплачен")
    (deal,) = base.state["sets"][DEALS]
    assert base.row(ORDERS["ut"], made["order"])["Сделка_Key"] == deal["Ref_Key"]
    assert (deal["Партнер_Key"], deal["Статус"], deal["Description"]) == (partner, "ВРаботе", "Заказ УТ-000017")
    assert (deal["ПотенциальнаяСуммаПродажи"], deal["ДатаНачала"]) == ("100.10", "2026-03-05T12:00:00")
    write(one, after, crm_status="Отменён")
    assert [d["Статус"] for d in base.state["sets"][DEALS]] == ["Проиграна"]


def test_a_deal_of_1cs_own_is_kept(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    deal = base.put(DEALS, Description="Сделка менеджера", Статус="ВРаботе")["Ref_Key"]
    base.put(ORDERS["ut"], Ref_Key=made["order"], Сделка_Key=deal)
    one = adapter(base, opened, show_stage="both")
    record = one.read("order", made["order"])
    assert record is not None
    write(one, record, crm_status="Завершён")
    assert [(d["Ref_Key"], d["Статус"]) for d in base.state["sets"][DEALS]] == [(deal, "Выиграна")]


REASONS = "Catalog_ПричиныПроигрышаСделок"


@pytest.mark.parametrize("has_deal", [True, False])
def test_the_reason_of_a_loss_is_written_into_the_deal_and_read_back(
    base: ODataPeer, opened: list[OneCOData], has_deal: bool
) -> None:
    made = furnish(base)
    dear = base.put(REASONS, Description="Дорого")["Ref_Key"]
    base.put(REASONS, Description="Нет в наличии", DeletionMark=True)
    if has_deal:
        deal = base.put(DEALS, Description="Сделка", Статус="ВРаботе")["Ref_Key"]
        base.put(ORDERS["ut"], Ref_Key=made["order"], Сделка_Key=deal)
    one, lens = adapter(base, opened), load("onec_odata_ut").lens("order")
    (record,), cursor = drain(one, "order")
    assert lens.get(record.data).fields["lost_reason"] is None, "told, and empty"
    patch = lens.put({"stage": "lost", "lost_reason": "Дорого"}, record.data)
    after = write(one, record, **patch)
    (deal,) = base.state["sets"][DEALS]
    assert (deal["Статус"], deal["ПричинаПроигрышаСделки_Key"]) == ("Проиграна", dear)
    assert lens.get(after.data).fields["lost_reason"] == "Дорого"
    assert lens.put({"stage": "lost", "lost_reason": "Дорого"}, after.data) == {}, "nothing is left to write"
    (record,), cursor = drain(one, "order", cursor)
    assert record.data == after.data
    assert drain(one, "order", cursor)[0] == []
    late = base.put(REASONS, Description="Передумал")["Ref_Key"]
    base.put(DEALS, Ref_Key=deal["Ref_Key"], ПричинаПроигрышаСделки_Key=late)  # the accountant, by a reason just made
    (record,), _ = drain(one, "order", cursor)
    assert lens.get(record.data).fields["lost_reason"] == "Передумал"
    cleared = write(one, record, loss_reason=None)
    assert lens.get(cleared.data).fields["lost_reason"] is None
    assert base.state["sets"][DEALS][0]["ПричинаПроигрышаСделки_Key"] == EMPTY
    assert base.state["sets"][DEALS][0]["Статус"] == "Проиграна"


@pytest.mark.parametrize("there", [0, 2])
def test_a_reason_that_1c_does_not_know_is_named_and_never_made(
    base: ODataPeer, opened: list[OneCOData], there: int
) -> None:
    made = furnish(base)
    for word in ["Дорого"] * there or ["дорого", "Дорого и долго"]:
        base.put(REASONS, Description=word)
    known = len(base.state["sets"][REASONS])
    one = adapter(base, opened)
    record = one.read("order", made["order"])
    assert record is not None
    with pytest.raises(RecordRefused) as caught:
        write(one, record, crm_status="Отменён", loss_reason="Дорого")
    assert (caught.value.code, caught.value.field) == ("odata.reasons" if there else "odata.reason", "loss_reason")
    assert "«Дорого»" in caught.value.text.ru
    assert "Причины проигрыша" in (caught.value.remedy or caught.value.text).ru
    assert len(base.state["sets"][REASONS]) == known
    (deal,) = base.state["sets"][DEALS]
    assert deal["Статус"] == "Проиграна", "the stage is shown all the same"
    now = one.read("order", made["order"])
    assert now is not None
    assert (now.data["crm_status"], now.data["loss_reason"]) == ("Отменён", "")
    with pytest.raises(RecordRefused):
        write(one, now, loss_reason="Дорого")
    assert base.row(ORDERS["ut"], made["order"])["DataVersion"] == now.version, "nothing else was written"


@pytest.mark.parametrize("known", [[], ["Не указана"], ["Дорого"]])
def test_a_deal_lost_without_a_reason_needs_none_in_1c(
    base: ODataPeer, opened: list[OneCOData], known: list[str]
) -> None:
    made = furnish(base)
    keys = [base.put(REASONS, Description=word)["Ref_Key"] for word in known]
    one, lens = adapter(base, opened), load("onec_odata_ut").lens("order")
    record = one.read("order", made["order"])
    assert record is not None
    wanted = {"stage": "lost", "lost_reason": "Не указана"}
    after = write(one, record, **lens.put(wanted, record.data))
    (deal,) = base.state["sets"][DEALS]
    assert (deal["Статус"], deal["ПричинаПроигрышаСделки_Key"]) == (
        "Проиграна",
        keys[0] if "Не" in str(known) else EMPTY,
    )
    assert len(base.state["sets"][REASONS]) == len(known), "none is made"
    assert lens.put({"stage": "lost"}, after.data) == {}
    assert lens.get(after.data).fields.get("lost_reason") == ("Не указана" if "Не указана" in known else None)
    (line,) = [f for f in one.check() if f.step == "reasons"]
    assert (line.ok, "остаётся пустой" in line.text.ru) == (True, "Не указана" not in known)
    strict = adapter(base, opened, no_reason="")
    if "Не указана" not in known:
        with pytest.raises(RecordRefused, match="Не указана"):
            write(strict, after, loss_reason="Не указана")


def test_without_the_catalogue_of_reasons_nothing_is_said_of_them(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    base.state["published"].remove(REASONS)
    one = adapter(base, opened)
    record = one.read("order", made["order"])
    assert record is not None
    lens = load("onec_odata_ut").lens("order")
    assert "lost_reason" not in lens.get(record.data).fields
    assert write(one, record, crm_status="Отменён").data["deal_status"] == "Проиграна"
    (line,) = [f for f in one.check() if f.step == "reasons"]
    assert (line.ok, REASONS in line.text.ru, line.remedy is not None) == (True, True, True)


def test_the_words_for_won_and_lost_are_those_of_the_shipped_mapping() -> None:
    fields = ODataSettings.model_fields
    lens = load("onec_odata_ut").lens("order")
    for setting, stage in (("deal_won", "won"), ("deal_lost", "lost")):
        assert [lens.get({"crm_status": word}).fields["stage"] for word in fields[setting].default] == [stage]


@pytest.mark.parametrize(("configuration", "show"), [("bp", "both"), ("unf", "both"), ("ut", "state"), ("bp", "state")])
def test_a_place_that_the_configuration_does_not_have_is_refused(configuration: str, show: str) -> None:
    given = {"url": "http://1c/base", "login": "a", "password": "b", "configuration": configuration}
    with pytest.raises(ValueError, match="show_stage"):
        ODataSettings.model_validate({**given, "show_stage": show})


@pytest.mark.parametrize("base", ["unf"], indirect=True)
@pytest.mark.parametrize("show", ["attribute", "comment"])
def test_unf_can_show_the_stage_elsewhere_too(base: ODataPeer, opened: list[OneCOData], show: str) -> None:
    made = furnish(base, "unf")
    base.put(ORDERS["unf"], Ref_Key=made["order"], Комментарий="позвонить")
    one = adapter(base, opened, configuration="unf", show_stage=show)
    record = one.read("order", made["order"])
    assert record is not None
    lens = load("onec_odata_unf").lens("order")
    after = write(one, record, **lens.put({"stage": "in_work"}, record.data))
    assert lens.get(after.data).fields["stage"] == "in_work"
    assert after.data["comment"] == "позвонить", "the mark is no part of what people wrote"
    row = base.row(ORDERS["unf"], made["order"])
    assert row["СостояниеЗаказа"] in ("", None)
    assert ("[CRM: В работе]" in row["Комментарий"]) is (show == "comment")
    kept = write(one, after, comment="перезвонить")
    assert lens.get(kept.data).fields["stage"] == "in_work", "a new comment keeps the mark"


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_a_posted_order_is_posted_again_with_its_new_state(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    for word in ("Открыт", "В работе"):
        base.put("Catalog_СостоянияЗаказовПокупателей", Description=word)
    one = adapter(base, opened, configuration="unf")
    record = one.read("order", made["order"])
    assert record is not None
    record = write(one, record, crm_status="Открыт")
    assert [c for c in base.calls("POST") if "Post" in c["path"]] == [], "it was never posted"
    base.put(ORDERS["unf"], Ref_Key=made["order"], Posted=True)
    record = one.read("order", made["order"])
    assert record is not None
    base.fault("drop", "Post", method="POST")
    record = write(one, record, crm_status="В работе")
    assert [c["query"]["PostingModeOperational"] for c in base.calls("POST") if "Post" in c["path"]] == ["false"] * 2
    base.state["unpostable"] = [made["order"]]
    with pytest.raises(RecordRefused, match="ОбработкаПроведения"):
        write(one, record, crm_status="Открыт")


def test_a_mapping_may_unpost_what_is_cancelled(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    base.put(ORDERS["ut"], Ref_Key=made["order"], Posted=True)
    one = adapter(base, opened)
    record = one.read("order", made["order"])
    assert record is not None
    assert write(one, record, posted=False).data["posted"] is False
    assert base.row(ORDERS["ut"], made["order"])["Posted"] is False
    assert base.calls("POST")[-1]["path"].endswith("/Unpost")
    record = one.read("order", made["order"])
    assert record is not None
    assert write(one, record, posted=True).data["posted"] is True


@pytest.mark.parametrize("path", ["", "/bas"])
def test_an_address_without_odata_is_named_with_where_to_publish(
    base: ODataPeer, opened: list[OneCOData], path: str
) -> None:
    line = next(f for f in adapter(base, opened, url=f"{base.url}{path}").check() if not f.ok)
    assert (line.step, line.setting) == ("connect", "url")
    assert "нет OData" in line.text.ru
    assert "Публикация на веб-сервере" in (line.remedy or line.text).ru


def test_of_attributes_with_one_name_the_orders_own_is_meant(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base)
    base.put(ATTRIBUTES, Description="Статус сделки CRM (Партнеры)")
    one = adapter(base, opened)
    (record,), _ = drain(one, "order")
    write(one, record, crm_status="Оплачен")
    rows = base.row(ORDERS["ut"], made["order"])["ДополнительныеРеквизиты"]
    assert [r["Свойство_Key"] for r in rows][-1] == made["status"]
    base.put(ATTRIBUTES, Description="Статус сделки CRM (Заказ клиента, копия)")
    (line,) = [f for f in adapter(base, opened).check() if not f.ok]
    assert (line.step, line.setting) == ("stage", "attribute")


@pytest.mark.parametrize("base", ["unf"], indirect=True)
def test_a_price_that_unf_has_taken_back_is_none(base: ODataPeer, opened: list[OneCOData]) -> None:
    made = furnish(base, "unf")
    kind = base.put("Catalog_ВидыЦен", Description="Розничная")["Ref_Key"]
    for key, actual in (("bolt", True), ("nut", False)):
        base.put("InformationRegister_ЦеныНоменклатуры", Period="2026-03-01T00:00:00", ВидЦен_Key=kind,
                 Номенклатура_Key=made[key], Цена="5", Актуальность=actual, ВалютаЦены_Key=made["rub"])  # fmt: skip
    assert [r.id for r in drain(adapter(base, opened, configuration="unf"), "offer")[0]] == [made["bolt"]]


def test_no_way_of_the_code_sends_a_delete() -> None:
    """DELETE removes for good. By the code itself: the adapter names no other methods than these."""
    import ast
    from pathlib import Path

    import adapters.onec.odata as package

    methods, words = set(), []
    for file in sorted(Path(package.__file__).parent.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        words += [w for w in inside if w.upper() == "DELETE"]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            assert called not in ("delete", "request_delete"), file.name
            if called == "_call":
                assert isinstance(node.args[0], ast.Constant), f"{file.name}: the method is to be read from the code"
                methods.add(node.args[0].value)
    assert words == []
    assert methods == {"GET", "PATCH", "POST"}


@pytest.mark.parametrize("base", ["ut", "unf", "bp"], indirect=True)
def test_counterparties_come_by_key_in_pages_and_then_only_those_that_moved(
    base: ODataPeer, opened: list[OneCOData], request: pytest.FixtureRequest
) -> None:
    name, parties = request.node.callspec.params["base"], "Catalog_Контрагенты"
    phone = [{"Тип": "Телефон", "НомерТелефона": "74950000001"}]
    inns = ["7707083893", "7736207543", "500100732259", "", "7707083893"]
    keys = [
        base.put(parties, Description=f"К {n}", НаименованиеПолное=f"ООО {n}", ИНН=inn, КонтактнаяИнформация=phone,
                 DeletionMark=n == 4)["Ref_Key"]
        for n, inn in enumerate(inns)
    ]  # fmt: skip
    if name != "ut":
        base.put(parties, Description="Покупатели", IsFolder=True)
    assert not {"company", "person"} & adapter(base, opened, configuration=name).capabilities.scans, (
        "only when asked for"
    )
    one = adapter(base, opened, configuration=name, clients=True)
    companies, cursor = drain(one, "company")
    people, _ = drain(one, "person")
    assert {r.id for r in companies} == {keys[0], keys[1], keys[4]}
    assert {r.id for r in people} == {keys[2], keys[3]}
    assert [r.id for r in companies if r.deleted] == [keys[4]]
    lenses = load(f"onec_odata_{name}")
    found = lenses.lens("company").get(next(r.data for r in companies if r.id == keys[0]))
    assert (found.problems, found.fields["legal_name"], found.client["inn"]) == ([], "ООО 0", "7707083893")
    assert found.client["phones"] == ["74950000001"]
    assert lenses.lens("person").get(people[0].data).problems == []
    assert drain(one, "company", cursor)[0] == []
    base.put(parties, Ref_Key=keys[1], Description="К новый")
    assert [r.data["name"] for r in drain(one, "company", cursor)[0] if r.id == keys[1]] == ["К новый"]
