"""The stand-in of a 1C base's OData, judged by two clients that we did not write, and its limits one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import Field
from PyOData1C.http import Connection, auth
from PyOData1C.models import ODataModel
from PyOData1C.odata import OData
from python_1c_odata import (
    AccumulationRegister,
    Catalog,
    ConcurrencyError,
    Document,
    Infobase,
    InformationRegister,
    PostingMode,
)

from tests.peers.odata import ODataPeer

GOODS, ORDERS, PRICES = "Catalog_Номенклатура", "Document_ЗаказКлиента", "InformationRegister_ЦеныНоменклатуры"
STOCK, PARTIES = "AccumulationRegister_ТоварыНаСкладах", "Catalog_Контрагенты"
PLAN = "ExchangePlan_Сайт"


@pytest.fixture
def base() -> Iterator[ODataPeer]:
    with ODataPeer("ut") as peer:
        peer.put("Catalog_УпаковкиЕдиницыИзмерения", Description="шт")
        yield peer


def client(base: ODataPeer, **more: Any) -> Infobase:
    return Infobase(base.url, "base", base.login, base.password, **more)


def ask(
    base: ODataPeer, path: str, method: str = "GET", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    more.setdefault("params", {"$format": "json"} if "?" not in path else None)
    with httpx.Client(auth=(base.login, base.password)) as http:
        return http.request(method, f"{base.root}/{path}", headers=headers, **more)


def goods(base: ODataPeer, number: int = 3) -> list[dict[str, Any]]:
    return [base.put(GOODS, Description=f"Болт {n}", Артикул=f"Б-{n}", Code=f"00-{n}") for n in range(number)]


@pytest.mark.parametrize("wire", ["json", "atom"])
def test_python_1c_odata_reads_and_writes(base: ODataPeer, wire: str) -> None:
    made = goods(base, 5)

    async def play() -> None:
        async with client(base, format=wire) as one:
            entity = Catalog(one, "Номенклатура")
            found = await entity.query(odata_filter="Артикул eq 'Б-3'", top=2, inlinecount=True)
            assert [r["Description"] for r in found.value] == ["Болт 3"]
            assert found.count == 1
            assert len([r async for r in entity.iterate(page_size=2, orderby="Ref_Key")]) == 5
            row = await entity.get(made[0]["Ref_Key"])
            assert row["Code"] == "00-0"
            new = await entity.create({"Description": "Гайка"})
            assert base.row(GOODS, new["Ref_Key"])["Description"] == "Гайка"
            await entity.edit(new["Ref_Key"], {"Description": "Гайка М8"}, if_match=new["DataVersion"])
            assert base.row(GOODS, new["Ref_Key"])["Description"] == "Гайка М8"
            with pytest.raises(ConcurrencyError):
                await entity.edit(new["Ref_Key"], {"Description": "x"}, if_match=new["DataVersion"])

    asyncio.run(play())


def test_python_1c_odata_posts_slices_and_balances(base: ODataPeer) -> None:
    bolt, order = goods(base, 1)[0], base.put(ORDERS, Number="0000-000001", Date="2026-03-01T10:00:00")
    kind, store = (
        base.put("Catalog_ВидыЦен", Description="Розничная"),
        base.put("Catalog_Склады", Description="Основной"),
    )
    for day, price in (("01", "10.50"), ("02", "11.25")):
        base.put(
            PRICES,
            Recorder=f"r{day}",
            Period=f"2026-03-{day}T00:00:00",
            Номенклатура_Key=bolt["Ref_Key"],
            ВидЦены_Key=kind["Ref_Key"],
            Цена=price,
        )
    for number, (word, qty) in enumerate((("Receipt", "5"), ("Expense", "2.5"))):
        base.put(
            STOCK,
            Recorder=f"s{number}",
            Period="2026-03-01T00:00:00",
            RecordType=word,
            Номенклатура_Key=bolt["Ref_Key"],
            Склад_Key=store["Ref_Key"],
            ВНаличии=qty,
        )

    async def play() -> None:
        async with client(base) as one:
            names = await one.entity_sets()
            assert {GOODS, ORDERS, PRICES} <= set(names)
            await Document(one, "ЗаказКлиента").post(order["Ref_Key"], PostingMode.POST)
            assert base.row(ORDERS, order["Ref_Key"])["Posted"] is True
            await Document(one, "ЗаказКлиента").unpost(order["Ref_Key"])
            assert base.row(ORDERS, order["Ref_Key"])["Posted"] is False
            prices = InformationRegister(one, "ЦеныНоменклатуры")
            last = await prices.slice_last("2026-03-03", "ВидЦены/Description eq 'Розничная'")
            assert [r["Цена"] for r in last["value"]] == [11.25]
            early = await prices.slice_last("2026-03-01")
            assert [r["Цена"] for r in early["value"]] == [10.5]
            balance = await AccumulationRegister(one, "ТоварыНаСкладах").balance()
            assert [r["ВНаличииBalance"] for r in balance["value"]] == [2.5]

    asyncio.run(play())


class Goods(ODataModel):
    uid_1c: str = Field(alias="Ref_Key", exclude=True)
    name: str = Field(alias="Description")
    article: str = Field(alias="Артикул")


class GoodsOData(OData):
    database = "base"
    entity_model = Goods
    entity_name = GOODS


def test_pyodata1c_reads_filters_and_writes(base: ODataPeer) -> None:
    made = goods(base, 4)
    with Connection(base.url.removeprefix("http://"), "http", auth.HTTPBasicAuth(base.login, base.password)) as link:
        manager = GoodsOData.manager(link)
        assert {g.article for g in manager.filter(article__in=["Б-1", "Б-2"]).all()} == {"Б-1", "Б-2"}
        one = GoodsOData.manager(link).get(guid=made[0]["Ref_Key"])
        assert one.name == "Болт 0"
        one.name = "Болт новый"
        GoodsOData.manager(link).update(made[0]["Ref_Key"], one)
        assert base.row(GOODS, made[0]["Ref_Key"])["Description"] == "Болт новый"


def test_json_comes_in_three_details_and_atom_is_the_default(base: ODataPeer) -> None:
    goods(base, 1)
    bare = ask(base, f"{GOODS}?$format=json;odata=nometadata").json()
    assert list(bare) == ["value"]
    assert "odata.metadata" in ask(base, f"{GOODS}?$format=json").json()
    full = ask(base, GOODS, headers={"Accept": "application/json;odata=fullmetadata"}, params=None).json()
    assert full["value"][0]["odata.type"] == f"StandardODATA.{GOODS}"
    assert ask(base, GOODS, params=None).headers["content-type"].startswith("application/atom+xml")
    assert ask(base, f"{GOODS}?$format=json&$inlinecount=allpages").json()["odata.count"] == "1"
    assert ask(base, f"{GOODS}/$count").text == "1"


@pytest.mark.parametrize(
    ("text", "articles"),
    [
        ("Артикул eq 'Б-1' or Артикул eq 'Б-2'", {"Б-1", "Б-2"}),
        ("not (Артикул eq 'Б-1') and startswith(Артикул,'Б')", {"Б-0", "Б-2"}),
        ("substringof('2',Артикул)", {"Б-2"}),
        ("like(Description,'%1')", {"Б-1"}),
        ("DeletionMark eq false and Code ge '00-1'", {"Б-1", "Б-2"}),
    ],
)
def test_filters(base: ODataPeer, text: str, articles: set[str]) -> None:
    goods(base)
    found = ask(base, GOODS, params={"$format": "json", "$filter": text}).json()["value"]
    assert {r["Артикул"] for r in found} == articles


def test_filters_over_references_tabular_parts_and_dates(base: ODataPeer) -> None:
    party = base.put(PARTIES, Description="ООО «Пример»", ИНН="7707083893")
    order = base.put(ORDERS, Date="2026-03-05T10:00:00", Контрагент_Key=party["Ref_Key"], Товары=[{"Цена": "12.50"}])
    base.put(ORDERS, Date="2026-02-01T10:00:00")
    base.put(
        "InformationRegister_СостоянияЗаказовКлиентов",
        Заказ=order["Ref_Key"],
        Заказ_Type=f"StandardODATA.{ORDERS}",
        Состояние="Закрыт",
    )

    def found(name: str, text: str) -> int:
        return len(ask(base, name, params={"$format": "json", "$filter": text}).json()["value"])

    assert found(ORDERS, "Контрагент/ИНН eq '7707083893'") == 1
    assert found(ORDERS, f"Контрагент_Key eq guid'{party['Ref_Key'].upper()}'") == 1
    assert found(ORDERS, "Товары/any(d: d/Цена gt 12)") == 1
    assert found(ORDERS, "Товары/any(d: d/Цена gt 12.5)") == 0
    assert found(ORDERS, "Date ge datetime'2026-03-01T00:00:00' and month(Date) eq 3") == 1
    register = "InformationRegister_СостоянияЗаказовКлиентов"
    assert found(register, f"Заказ eq cast(guid'{order['Ref_Key']}','{ORDERS}')") == 1
    assert found(register, f"Заказ eq cast(guid'{order['Ref_Key']}','Document_Другой')") == 0
    assert found(register, f"isof(Заказ,'{ORDERS}')") == 1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{GOODS}?$format=json&$filter=Цвет eq 'x'", "10"),
        (f"{GOODS}?$format=json&$filter=Артикул in ('x')", "1"),
        (f"{GOODS}?$format=json&$filter=blur(Артикул)", "11"),
        (f"{GOODS}?$format=json&$filter=Ref_Key eq guid'nonsense'", "4"),
        (f"{GOODS}?$format=json&$top=many", "14"),
        ("Catalog_Нет?$format=json", "8"),
        (f"{GOODS}(guid'00000000-0000-0000-0000-000000000001')?$format=json", "9"),
    ],
)
def test_refusals_carry_the_tables_codes(base: ODataPeer, path: str, code: str) -> None:
    goods(base, 1)
    assert ask(base, path).json()["odata.error"]["code"] == code


def test_no_order_without_orderby_and_no_pages_by_itself(base: ODataPeer) -> None:
    goods(base, 30)
    first, second = ([r["Code"] for r in ask(base, GOODS).json()["value"]] for _ in range(2))
    assert len(first) == 30
    assert first != second
    ordered = ask(base, f"{GOODS}?$format=json&$orderby=Артикул desc&$skip=1&$top=2").json()["value"]
    assert [r["Артикул"] for r in ordered] == ["Б-8", "Б-7"]


def test_one_hidden_row_fails_the_whole_list(base: ODataPeer) -> None:
    hidden = goods(base)[0]["Ref_Key"]
    base.state["hidden"][GOODS] = [hidden]
    assert ask(base, GOODS).json()["odata.error"]["code"] == "20"
    assert len(ask(base, f"{GOODS}?$format=json&allowedOnly=true").json()["value"]) == 2


def test_a_tabular_part_is_replaced_whole_and_delete_is_for_good(base: ODataPeer) -> None:
    order = base.put(ORDERS, Товары=[{"Количество": "1"}, {"Количество": "2"}])
    at = f"{ORDERS}(guid'{order['Ref_Key']}')"
    ask(base, at, "PATCH", json={"Товары": [{"Количество": 7}]})
    assert [r["Количество"] for r in base.row(ORDERS, order["Ref_Key"])["Товары"]] == ["7"]
    assert ask(base, at, "PATCH", json={"Нет": 1}).json()["odata.error"]["code"] == "10"
    assert ask(base, at, "DELETE").status_code == 204
    assert ask(base, at).status_code == 404


def test_numbers_keep_every_digit(base: ODataPeer) -> None:
    order = base.put(ORDERS, СуммаДокумента="1234567890123.45")
    text = ask(base, f"{ORDERS}(guid'{order['Ref_Key']}')").text
    assert '"СуммаДокумента":1234567890123.45' in text
    assert Decimal(base.row(ORDERS, order["Ref_Key"])["СуммаДокумента"]) == Decimal("1234567890123.45")


def test_changes_by_an_exchange_plan_come_until_they_are_confirmed(base: ODataPeer) -> None:
    base.state["plan"]["contents"] = [GOODS]
    bolt, nut = goods(base, 2)
    base.remove(GOODS, nut["Ref_Key"])
    point = {"DataExchangePoint": f"'{base.root}/{PLAN}(guid'1')'", "MessageNo": "1"}
    for _ in range(2):
        feed = ask(base, "SelectChanges", "POST", params=point).text
        assert bolt["Ref_Key"] in feed
        assert "deleted-entry" in feed
    ask(base, "NotifyChangesReceived", "POST", params=point)
    assert "<entry" not in ask(base, "SelectChanges", "POST", params={**point, "MessageNo": "2"}).text


def test_sessions_are_few_and_end_by_themselves(base: ODataPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    cookies = [ask(base, GOODS, headers={"IBSession": "start"}).headers["set-cookie"] for _ in range(2)]
    assert ask(base, GOODS, headers={"IBSession": "start"}).status_code == 406
    assert ask(base, GOODS, headers={"Cookie": cookies[0], "IBSession": "finish"}).status_code == 200
    assert ask(base, GOODS, headers={"Cookie": cookies[0]}).status_code == 400
    base.state["sessions"] = {id: used - 21 for id, used in base.state["sessions"].items()}
    assert ask(base, GOODS, headers={"IBSession": "start"}).status_code == 200


def test_a_wrong_password_is_a_page_not_an_answer(base: ODataPeer) -> None:
    with httpx.Client(auth=("odata", "wrong")) as http:
        answer = http.get(f"{base.root}/{GOODS}")
    assert answer.status_code == 401
    assert answer.text.startswith("<html>")
