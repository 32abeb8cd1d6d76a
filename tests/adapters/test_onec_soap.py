"""УНФ's site services, against their stand-in, through zeep: goods, prices, orders, orders given, and what can go wrong."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import zeep
from lxml import etree
from requests import Session
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport

from adapters.base import AdapterContext, BadConfig, Change, Offered, OutcomeUnknown, Record, RecordRefused, RetryLater
from adapters.onec.cml.orders_out import write_orders
from adapters.onec.cml.reader import records
from adapters.onec.soap import OneCSoap, bounded
from adapters.onec.soap.service import _as_it_came
from adapters.onec.soap.settings import SoapSettings
from adapters.onec.soap.typed import typed
from sync.lens import load
from tests.adapters.onec_context import KeptPictures
from tests.peers.http import Call
from tests.peers.soap import SoapPeer, misread

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ITEMS = (
    "<Каталог><Ид>к</Ид><Товары><Товар><Ид>{id}</Ид><Артикул>{sku}</Артикул><Наименование>{name}</Наименование></Товар>"
    "</Товары></Каталог>"
)
AMOUNTS = (
    "<ПакетПредложений><Ид>п</Ид><ТипыЦен><ТипЦены><Ид>r</Ид><Наименование>Розничная</Наименование></ТипЦены></ТипыЦен>"
    "<Предложения><Предложение><Ид>{id}</Ид><Наименование>Болт</Наименование><Цены><Цена><ИдТипаЦены>r</ИдТипаЦены>"
    "<ЦенаЗаЕдиницу>10.50</ЦенаЗаЕдиницу><Валюта>RUB</Валюта></Цена></Цены><Количество>5</Количество></Предложение>"
    "</Предложения></ПакетПредложений>"
)
ORDER = {
    "number": "W1043",
    "date": "2026-03-01T09:00:00Z",
    "currency": "RUB",
    "sum": "100.10",
    "client": {"name": "Анна Тестова", "phone": "+79161234567"},
    "items": [{"id": "b1", "name": "Болт", "qty": "2", "price": "50.05", "sum": "100.10", "vat": "Без НДС"}],
}


class _Free:
    def wait(self) -> None:
        """No limit here."""

    def penalty(self, seconds: float) -> None:
        """Nor patience."""


@pytest.fixture(params=[1, 2])
def base(request: pytest.FixtureRequest) -> Iterator[SoapPeer]:
    with SoapPeer(request.param) as peer:
        peer.state["items"].append(["2026-02-01T00:00:00", ITEMS.format(id="b1", sku="Б-8", name="Болт")])
        peer.state["amounts"].append(["2026-02-01T00:00:00", AMOUNTS.format(id="b1")])
        yield peer


@pytest.fixture
def opened(base: SoapPeer) -> Iterator[Any]:
    made = []

    def make(**more: Any) -> OneCSoap:
        values = {"url": f"{base.url}/unf", "login": base.login, "password": base.password, "service": base.service,
                  "code": base.code, "timeout": 5, **more}  # fmt: skip
        one = OneCSoap(
            SoapSettings.model_validate(values), AdapterContext("unf", _Free(), lambda: NOW, logging.getLogger("test"))
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def drain(one: OneCSoap, kind: str, cursor: dict[str, Any] | None = None) -> tuple[list[Record], dict[str, Any], bool]:
    pages = list(one.scan(kind, cursor))
    return [r for p in pages for r in p.records], dict(pages[-1].cursor), pages[-1].complete


def give(one: OneCSoap, **more: Any) -> Record:
    return one.write(Change("order", None, {**ORDER, **more}, None, "3f6c1c1e-0000-4000-8000-000000000001"))


def test_zeep_reads_the_stand_ins_description_and_types(base: SoapPeer) -> None:
    session = Session()
    session.auth = HTTPBasicAuth(base.login, base.password)
    client = zeep.Client(f"{base.url}/unf/ws/{base.name}.1cws?wsdl", transport=Transport(session=session))
    assert len(client.wsdl.bindings) == 2
    session.close()


def test_goods_prices_and_stock_through_the_usual_mapping(base: SoapPeer, opened: Any) -> None:
    one = opened()
    (bolt,), _, complete = drain(one, "product")
    assert (bolt.data["sku"], complete) == ("Б-8", True)
    (offer,), _, _ = drain(one, "offer")
    found = load("onec_unf").lens("offer").get(offer.data)
    assert [str(p["value"]) for p in found.fields["prices"]] == ["10.500000"]
    assert [r.data["name"] for r in drain(one, "price_type")[0]] == ["Розничная"]


def test_only_what_changed_since_is_asked_for_with_an_overlap(base: SoapPeer, opened: Any) -> None:
    one = opened()
    _, cursor, _ = drain(one, "product")
    assert datetime.fromisoformat(cursor["since"]) < NOW
    assert drain(one, "product", cursor)[0] == []
    base.state["items"].append(["2026-03-01T12:25:00", ITEMS.format(id="g1", sku="Г-8", name="Гайка")])  # 1C's own time
    found, _, complete = drain(one, "product", cursor)
    assert ([r.data["sku"] for r in found], complete) == (["Г-8"], False)


def test_an_order_is_given_and_comes_back_under_its_number(base: SoapPeer, opened: Any) -> None:
    one = opened()
    record = give(one)
    assert (record.id, record.data["id_1c"]) == ("W1043", "1c-W1043")
    assert load("onec_unf").lens("order").get(record.data).fields["number"] == "W1043"
    assert [r.id for r in drain(one, "order")[0]] == ["W1043"]


def test_an_order_goes_as_elements_of_the_declared_types_whatever_is_in_it(base: SoapPeer, opened: Any) -> None:
    """Namespace, order, sums with two decimals, a tax with its sum, numbers of a taxpayer of the right length."""
    lines = [
        {"id": "b1", "name": "Болт", "qty": "3", "price": "33.3333", "sum": "100", "vat": "20", "discount": "0.5"},
        {"sku": "Д-1", "name": "Доставка", "qty": "0.12345", "price": "1", "sum": "0.12", "vat": "10", "service": True},
    ]
    client = {"name": "Анна", "inn": "500100732259", "phone": "+79161234567", "email": "a@b.test", "address": "Москва"}
    record = give(opened(), items=lines, client=client, comment="я" * 2000, status="in_work", discounts=[{"sum": "1"}])
    assert [row["sum"] for row in record.data["lines"]] == ["100", "0.12"]
    (paper,) = [etree.fromstring(xml) for _, xml in base.state["orders"].values()]
    taxes = [e.text for e in paper.iterfind(".//{*}Товар/{*}Налоги/{*}Налог/{*}Сумма")]
    assert (taxes, paper.findtext("{*}Налоги/{*}Налог/{*}Сумма")) == (["16.67", "0.01"], "16.68")
    company = {"name": "ООО «Ромашка»", "official_name": "ООО «Ромашка»", "inn": "77", "kpp": "1"}
    record = give(opened(), number="W1044", client=company)
    assert record.data["counterparty"] == {"name": company["name"], "official_name": company["name"]} | {
        k: v for k, v in record.data["counterparty"].items() if k not in ("name", "official_name", "inn", "kpp")
    }, "a number that 1C's types would refuse is left out"


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        (' xmlns="urn:1C.ru:commerceml_205"', "", "пространство имён"),
        ("<Дата>", "<Роль/><Дата>", "Документ"),
        ("<Сумма>100.1</Сумма>", "<Сумма>100.105</Сумма>", "Сумма"),
        ("<УчтеноВСумме>true</УчтеноВСумме><Сумма>0</Сумма>", "<УчтеноВСумме>true</УчтеноВСумме>", "Налог"),
        ("<ИНН>500100732259</ИНН>", "<ИНН>77</ИНН>", "ИНН"),
    ],
)
def test_the_stand_in_refuses_what_is_of_other_types(base: SoapPeer, old: str, new: str, wrong: str) -> None:
    client = {"name": "Анна", "inn": "500100732259"}
    body = write_orders([Offered("k", "W1043", {**ORDER, "client": client})], "2.05", made=NOW)
    said = etree.tostring(typed(body, "OrdersData"), encoding="unicode").replace("ns0:", "").replace(":ns0", "")
    assert misread(etree.fromstring(said)) == ""
    assert old in said
    assert wrong in misread(etree.fromstring(said.replace(old, new, 1)))


def test_an_order_that_unf_leaves_out_is_refused_with_its_words(base: SoapPeer, opened: Any) -> None:
    """УНФ reports that as no fault: nothing of the order was taken all the same."""
    base.state["finished"].append("W1043")
    with pytest.raises(RecordRefused if base.service == 2 else OutcomeUnknown) as caught:
        give(opened())
    assert base.service == 1 or "Статус заказа - Завершен" in caught.value.text.ru
    assert base.state["orders"] == {}


def test_what_would_break_in_1c_is_refused_before_it_is_sent(base: SoapPeer, opened: Any) -> None:
    with pytest.raises(RecordRefused):
        give(opened(), currency="")
    assert base.calls("POST") == []


def test_unfs_own_words_stand_in_the_refusal(base: SoapPeer, opened: Any) -> None:
    base.state["refuse"]["W1043"] = "Контрагент не найден"
    with pytest.raises(RecordRefused) as caught:
        give(opened())
    assert base.service == 1 or "Контрагент не найден" in caught.value.text.ru
    assert base.state["orders"] == {}


def test_a_lost_answer_to_an_order_is_unknown(base: SoapPeer, opened: Any) -> None:
    one = opened()
    drain(one, "order")
    base.fault("drop", method="POST")
    with pytest.raises(OutcomeUnknown):
        give(one)
    assert list(base.state["orders"]) == ["W1043"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 503, "body": "занято"}, RetryLater),
        ({"status": 200, "body": ""}, RetryLater),
        ({"status": 200, "body": "<html>вход</html>"}, RetryLater),
        ({"status": 200, "body": "<soap:Envelope xmlns:soap='x'><soap:Body>"}, RetryLater),
        ({"status": 200, "body": '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}, RetryLater),
    ],
)
def test_broken_answers_take_nothing(base: SoapPeer, opened: Any, answer: dict[str, Any], error: type) -> None:
    one = opened()
    base.fault("status", method="POST", **answer)
    with pytest.raises(error):
        drain(one, "product")
    assert len(drain(one, "product")[0]) == 1


@pytest.mark.parametrize("prefix", ["", "cml:"])
@pytest.mark.parametrize("declared", ["", "<?xml version='1.0' encoding='UTF-8'?>"])
def test_a_large_answer_is_read_out_of_its_envelope_without_a_tree(prefix: str, declared: str) -> None:
    """Whatever prefixes the envelope declares for it; more than one portion of the reader's."""
    goods = "".join(f"<Товар><Ид>{n}</Ид><Артикул xsi:type='xs:string'>{n}</Артикул></Товар>" for n in range(2000))
    root = f"{prefix}КоммерческаяИнформация"
    text = (
        f"{declared}<soap:Envelope xmlns:soap='s' xmlns:xsi='i' xmlns:xs=\"x\" xmlns:cml='c'><soap:Body><m:R xmlns:m='m'>"
        f"<m:return><{root} ВерсияСхемы='2.05' xmlns:xs='own'><Каталог><Товары>{goods}</Товары></Каталог></{root}></m:return>"
        "</m:R></soap:Body></soap:Envelope>"
    )
    stream = _as_it_came(text.encode())
    assert stream is not None
    assert [r.data["sku"] for r in records(stream) if isinstance(r, Record)] == [str(n) for n in range(2000)]
    assert _as_it_came(text.encode("utf-16")) is None
    assert _as_it_came(text.replace(f"</{root}>", "").encode()) is None, "cut"
    assert _as_it_came(f"<!DOCTYPE x>{text}".encode()) is None
    assert _as_it_came(f"<?xml version='1.0' encoding='windows-1251'?>{text}".encode()) is None or declared


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_in_any_encoding(base: SoapPeer, opened: Any, encoding: str) -> None:
    """An entity of its own would leave a hole in a name."""
    one = opened()
    said = base._soap("1.1", "GetItems", base._result("GetItems", {})).body
    answer = f'<!DOCTYPE x [<!ENTITY a "Болт">]>{str(said).replace("Болт", "&a;")}'
    base.fault("status", method="POST", status=200, body=answer.encode(encoding))
    with pytest.raises(RetryLater, match="DOCTYPE"):
        drain(one, "product")


@pytest.mark.parametrize("versions", [("1.1",), ("1.2",)])
def test_a_base_with_one_port_only(versions: tuple[str, ...]) -> None:
    """Whatever version of SOAP that one is of; and 1C's words of a fault are found in both."""
    with SoapPeer(2, "http://127.0.0.1:1", versions) as peer:
        peer.state["items"].append(["2026-02-01T00:00:00", ITEMS.format(id="b1", sku="Б-8", name="Болт")])
        for code, sound in ((peer.code, True), ("WRONG", False)):
            given = {"url": f"{peer.url}/unf", "login": peer.login, "password": peer.password, "code": code}
            context = AdapterContext("unf", _Free(), lambda: NOW, logging.getLogger("test"))
            one = OneCSoap(SoapSettings.model_validate(given), context)
            if sound:
                assert [r.data["sku"] for r in drain(one, "product")[0]] == ["Б-8"]
            else:
                with pytest.raises(RecordRefused, match="Не найдены настройки обмена"):
                    drain(one, "product")
            one.close()


def test_nothing_filled_in_goes_as_nil_and_answers_come_packed(
    base: SoapPeer, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Call] = []
    handle = base.handle
    monkeypatch.setattr(base, "handle", lambda call: calls.append(call) or handle(call))  # type: ignore[func-returns-value]
    drain(opened(), "offer")
    (call,) = [c for c in calls if c.method == "POST"]
    sent = etree.fromstring(call.body)
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    empty = {etree.QName(e).localname for e in sent.iter() if e.get(nil) == "true"}
    assert empty == {"ModificationDate", "GroupCode", "WarehouseCode", "OrganizationCode"}
    assert "gzip" in call.headers["accept-encoding"]


def test_one_broken_row_leaves_its_neighbours_and_claims_nothing_complete(base: SoapPeer, opened: Any) -> None:
    base.state["items"].append(
        [
            "2026-02-01T00:00:00",
            "<Каталог><Товары><Товар><Наименование>без Ид</Наименование></Товар></Товары></Каталог>",
        ]
    )
    found, _, complete = drain(opened(), "product")
    assert ([r.id for r in found], complete) == (["b1"], False)


def test_the_cursor_moves_when_all_of_an_answer_is_safe(
    base: SoapPeer, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.onec.soap.adapter.PAGE", 1)
    base.state["items"].append(["2026-02-01T00:00:00", ITEMS.format(id="g1", sku="Г-8", name="Гайка")])
    pages = list(opened().scan("product", {"since": "2026-01-01T00:00:00+00:00"}))
    assert [[r.id for r in p.records] for p in pages] == [["b1"], ["g1"]]
    assert [p.cursor["since"][:7] for p in pages] == ["2026-01", "2026-03"]
    assert [p.last for p in pages] == [False, True]


def test_check_names_the_setting_to_mend(base: SoapPeer, opened: Any) -> None:
    assert [f.ok for f in opened().check()] == [True, True, True]
    (line,) = [f for f in opened(password="wrong").check() if not f.ok]
    assert (line.step, line.setting) == ("auth", "password")
    (line,) = [f for f in opened(url=f"{base.url}/no").check() if not f.ok]
    assert (line.step, line.setting) == ("connect", "url")
    assert "Публикация" in (line.remedy or line.text).ru
    if base.service == 2:
        (line,) = [f for f in opened(code="WRONG").check() if not f.ok]
        assert "Не найдены настройки обмена" in line.text.ru
        assert line.setting == "code"
        (line,) = opened(code="").check()
        assert (line.ok, line.setting) == (False, "code")
    with pytest.raises(BadConfig):
        drain(opened(password="wrong"), "product")


def test_pictures_are_fetched_when_new_or_changed_and_never_stop_the_goods(base: SoapPeer) -> None:
    values = {"url": f"{base.url}/unf", "login": base.login, "password": base.password, "service": base.service,
              "code": base.code, "timeout": 5}  # fmt: skip
    pictures = KeptPictures()
    context = AdapterContext("unf", _Free(), lambda: NOW, logging.getLogger("test"), pictures=pictures)
    one = OneCSoap(SoapSettings.model_validate(values), context)
    shown = "</Артикул><Картинка>import_files/{name}.jpg</Картинка>"
    for id in ("b2", "b3"):
        item = ITEMS.format(id=id, sku=id, name=id).replace("</Артикул>", shown.format(name=id))
        base.state["items"].append(["2026-02-01T00:00:00", item])
    base.state["pictures"] = {"b2": base64.b64encode(b"\x89PNG").decode()}  # of b3 there is none after all
    asked = base.state["asked"]
    try:
        (page,) = one.scan("product", None)
        assert {r.id for r in page.records} == {"b1", "b2", "b3"}
        assert pictures.kept == {"import_files/b2.jpg": b"\x89PNG"}
        assert asked == ["b2", "b3"], "an item without a picture is not asked for"
        list(one.scan("product", None))
        assert asked == ["b2", "b3", "b3"], "what is kept is not fetched again"
        base.state["items"][1][0] = "2026-03-01T12:29:00"
        base.state["pictures"]["b2"] = base64.b64encode(b"new").decode()
        list(one.scan("product", dict(page.cursor)))
        assert pictures.kept == {"import_files/b2.jpg": b"new"}
        pictures.kept.clear()
        base.state["refuse"]["b2"] = "Картинка не найдена"
        (page,) = one.scan("product", None)
        assert len(page.records) == 3
        assert page.complete
        assert asked[-1] == "b2", "after a refusal the goods go on without pictures"
    finally:
        one.close()


@pytest.mark.parametrize(("bound", "most"), [("MAX_ANSWER", 50_000), ("RATIO_FREE", 50_000)])
def test_an_answer_that_unpacks_beyond_measure_is_refused_before_it_is_whole(
    base: SoapPeer, opened: Any, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    """By its size, or by how often it packs; what packs as CommerceML does goes through."""
    one = opened()
    assert [r.id for r in drain(one, "product")[0]] == ["b1"]
    base.state["items"].append(["2026-02-02T00:00:00", ITEMS.format(id="b2", sku="Б-9", name="я" * 400_000)])
    assert len(drain(one, "product")[0]) == 2
    monkeypatch.setattr(bounded, bound, most)
    with pytest.raises(RecordRefused) as caught:
        drain(one, "product")
    assert (caught.value.code, caught.value.setting) == ("soap.size", "group")
    base.state["items"].pop()
    assert [r.id for r in drain(one, "product")[0]] == ["b1"], "the next answer is read again"
