"""The endpoint against the stock client: УТ and УНФ as they are, over HTTP, with nothing changed on their side."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.base import Arrival, Offered, Record, Request
from adapters.onec import OneCSiteExchange
from tests.adapters.onec_context import LOGIN, PASSWORD, Client, MemoryHub, exchange
from tests.adapters.onec_site import small_base
from tests.adapters.test_onec_orders import order
from tests.peers.http import Answer, Call, HttpPeer
from tests.peers.onec import ExchangeAborted, OneCBase, SiteClient, UnfClient, UtClient


class Endpoint(HttpPeer):
    """The adapter's server protocol behind real HTTP, with an in-memory hub."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.hub = MemoryHub()
        self.adapter: OneCSiteExchange = exchange(self.hub, **settings)

    def handle(self, call: Call) -> Answer:
        request = Request(
            call.method, call.path, call.query, call.headers, "127.0.0.1", [call.body] if call.body else []
        )
        reply = self.adapter.server().handle(request, self.hub)
        return Answer(reply.body, reply.status, {"Content-Type": reply.content_type, **reply.headers})

    def records(self) -> list[Record]:
        return [i for a in self.hub.arrivals() for i in self._unpack(a) if isinstance(i, Record)]

    def _unpack(self, arrival: Arrival) -> Iterator[Any]:
        return self.adapter.unpack(arrival)

    def client(self, kind: type[SiteClient], base: OneCBase, path: str = "/exchange/onec", **options: Any) -> Any:
        options.setdefault("sleep", lambda seconds: None)
        return kind(base, self.url + path, LOGIN, PASSWORD, **options)


@pytest.fixture
def start() -> Iterator[Callable[..., Endpoint]]:
    started: list[Endpoint] = []

    def make(**settings: Any) -> Endpoint:
        endpoint = Endpoint(**settings)
        endpoint.start()
        started.append(endpoint)
        return endpoint

    yield make
    for endpoint in started:
        endpoint.stop()


def flavours() -> list[Any]:
    return [
        pytest.param(UtClient, {}, "ut", id="ut"),
        pytest.param(UtClient, {"use_sessid": True}, "unf", id="ut with a session id"),
        pytest.param(UtClient, {"basic": "checkauth"}, "ut", id="ut, login once"),
        pytest.param(UtClient, {"basic": "challenge"}, "ut", id="ut, login when asked"),
        pytest.param(UnfClient, {}, "unf", id="unf"),
        pytest.param(UnfClient, {"bitrix": True}, "unf", id="unf bitrix"),
        pytest.param(UnfClient, {"bitrix": True, "subordinate": True}, "unf", id="unf 2.10"),
    ]


@pytest.mark.parametrize(("kind", "options", "protocol"), flavours())
@pytest.mark.parametrize("limit", [500, 2_000_000])
def test_a_whole_session(
    start: Callable[..., Endpoint], kind: type[SiteClient], options: dict[str, Any], protocol: str, limit: int
) -> None:
    endpoint, base = start(protocol=protocol, file_limit=limit), small_base()
    endpoint.hub.queue = [Offered(f"k{n}", n, order(number=n)) for n in ("W1-1", "W1-2")]
    client = endpoint.client(kind, base, portion_size=1, **options)
    goods = set(base.state["products"])
    report = client.session()
    assert report.loaded == ["W1-1", "W1-2"]
    assert endpoint.hub.confirmed == ["batch-1"]
    found = endpoint.records()
    assert {r.data["name"] for r in found if r.kind == "group"} == {"Мебель", "Столы"}
    products = {r.id: r for r in found if r.kind == "product"}
    assert {id.partition("#")[0] for id in products} == goods
    prices = {r.id: [p["value"] for p in r.data["prices"]] for r in found if r.kind == "offer" and r.data.get("prices")}
    assert sorted(prices.values()) == [["1000"], ["50.25"]]
    loaded = base.order("W1-1")
    assert (loaded["site_date"], loaded["currency"]) == ("2024-05-06T10:11:12", "RUB")
    assert [(line["qty"], line["sum"], line["vat"], line["kind"]) for line in loaded["lines"]] == [
        ("2", "2000", "20", "Товар"),
        ("1", "500", "Без НДС", "Услуга"),
    ]
    assert base.state["counterparties"][loaded["counterparty"]]["contacts"] == [
        ["Телефон рабочий", "+79000000001"],
        ["Почта", "test@example.com"],
    ]


@pytest.mark.parametrize(("kind", "options", "protocol"), flavours())
def test_what_happens_to_an_order_in_1c_comes_back(
    start: Callable[..., Endpoint], kind: type[SiteClient], options: dict[str, Any], protocol: str
) -> None:
    endpoint, base = start(protocol=protocol), small_base()
    endpoint.hub.queue = [Offered(f"k{n}", n, order(number=n)) for n in ("W1-1", "W1-2", "W1-3", "W1-4")]
    client = endpoint.client(kind, base, **options)
    client.exchange_orders()
    base.cancel("W1-4")
    base.pay("W1-1")
    base.ship("W1-1")
    base.mark_deleted("W1-2")
    base.pay("W1-3", "100")
    assert client.exchange_orders().sent == ["W1-1", "W1-2", "W1-3", "W1-4"]
    orders = {r.id: r for r in endpoint.records() if r.kind == "order"}
    assert (orders["W1-1"].data["paid"], orders["W1-1"].data["shipped"]) == (True, True)
    kinds = {d["kind"]: d for d in orders["W1-1"].data["documents"]}
    assert {kind: row.get("amount") for kind, row in kinds.items()} == {"payment": "2500", "shipment": "2500"}
    assert orders["W1-2"].deleted
    assert orders["W1-2"].data["cancelled"] is True
    assert not orders["W1-3"].data.get("paid")
    assert [orders[n].data.get("cancelled") or False for n in ("W1-1", "W1-3", "W1-4")] == [False, False, True]
    gone = orders["W1-4"].data
    assert (gone.get("paid") or False, gone.get("shipped") or False) == (False, False), (
        "a sum of 0 counts as settled in УТ"
    )
    assert "lines" in gone or "amount" not in gone, "what УТ leaves out empties nothing"
    assert orders["W1-3"].data["id_1c"] == base.order("W1-3")["guid"]


def test_changes_of_prices_and_stock(start: Callable[..., Endpoint]) -> None:
    endpoint, base = start(), small_base()
    client = endpoint.client(UtClient, base)
    client.exchange_catalog()
    shirt = next(guid for guid, p in base.state["products"].items() if p["name"] == "Рубашка")
    key = base.characteristic(shirt, "42")
    price_type = base.set_price(key, "777")
    client.exchange_catalog(full=False)
    changed = [r for r in endpoint.records() if r.kind == "offer" and r.id == key][-1]
    assert changed.data["prices"] == [
        {
            "text": "777 RUB за PCE",
            "type": price_type,
            "value": "777",
            "currency": "RUB",
            "unit": "PCE",
            "coefficient": "1",
        }
    ]
    assert "quantity" not in changed.data


@pytest.mark.parametrize("limit", [500, 2_000_000])
def test_pictures_stay_whole_also_when_they_come_in_portions(start: Callable[..., Endpoint], limit: int) -> None:
    endpoint, base = start(file_limit=limit), small_base()
    jpeg, path = b"\xff\xd8\xff" + b"picture" * 100, "import_files/aa/lamp.jpg"
    guid = base.add_product("Лампа", images={path: base64.b64encode(jpeg).decode()})
    endpoint.client(UtClient, base).exchange_catalog()
    (lamp,) = [r for r in endpoint.records() if r.kind == "product" and r.id == guid]
    assert lamp.data["images"] == [path]
    assert endpoint.hub.pictures.kept == {path: jpeg}


def test_a_picture_that_comes_last_is_kept_when_1c_is_silent_and_a_new_exchange_loses_none() -> None:
    hub = MemoryHub()
    adapter = exchange(hub)
    client = Client(hub, adapter).begin()
    client.upload("import_files/a.jpg", b"first")
    client.begin()  # 1C begins anew
    client.upload("import_files/b.jpg", b"second")
    assert hub.pictures.kept == {"import_files/a.jpg": b"first"}
    hub.later(3600)
    adapter.server().settle(hub)
    assert hub.pictures.kept == {"import_files/a.jpg": b"first", "import_files/b.jpg": b"second"}


def test_only_the_host_typed_into_1c(start: Callable[..., Endpoint]) -> None:
    endpoint = start()
    assert endpoint.client(UtClient, small_base(), path="").exchange_catalog() == 1
    assert {r.kind for r in endpoint.records()} >= {"product", "offer"}


def test_1c_that_never_asks_to_import(start: Callable[..., Endpoint]) -> None:
    endpoint = start()
    endpoint.client(UtClient, small_base(), portion_size=1, no_import_wait=True).exchange_catalog()
    endpoint.hub.later(121)
    endpoint.adapter.server().settle(endpoint.hub)
    assert endpoint.hub.received() == ["import0_1.xml", "offers0_1.xml", "import0_2.xml", "offers0_2.xml"]


def test_a_wrong_password_stops_1c_with_our_words_in_its_log(start: Callable[..., Endpoint]) -> None:
    endpoint = start(password="другой")
    with pytest.raises(ExchangeAborted, match="неверное имя пользователя"):
        endpoint.client(UtClient, small_base()).session()


def test_unf_reads_the_lists_of_the_site(start: Callable[..., Endpoint]) -> None:
    client = start(protocol="unf").client(UnfClient, small_base(), bitrix=True)
    found = client.info()
    assert found["Статусы"] == found["Cтатусы"] == {"new": "Новый", "won": "Завершён"}
    assert found["ПлатежныеСистемы"] == {}


def test_an_answer_lost_after_1c_committed_makes_no_second_order(start: Callable[..., Endpoint]) -> None:
    endpoint, base = start(), small_base()
    endpoint.hub.queue = [Offered("k1", "W1-1", order(number="W1-1"))]
    endpoint.fault("refuse", "mode=success")
    client = endpoint.client(UtClient, base)
    with pytest.raises(ExchangeAborted):
        client.exchange_orders()
    client.exchange_orders()
    assert [o["site_number"] for o in base.state["orders"]] == ["W1-1"]
    assert endpoint.hub.confirmed == ["batch-1"]


def test_goods_without_an_id_become_one_item_whatever_1c_calls_it_later(start: Callable[..., Endpoint]) -> None:
    endpoint, base = start(), small_base()
    client = endpoint.client(UtClient, base)
    lines = [{"name": "Полка", "sku": "П-1", "qty": "1", "price": "10", "sum": "10", "vat": "20"}]
    for number in ("W1-1", "W1-2"):
        endpoint.hub.queue = [Offered(number, number, order(number=number, items=lines, sum="10"))]
        assert client.exchange_orders().loaded == [number]
        made = base.order(number)["lines"][0]["product"]
        base.edit_product(made, name="Полка навесная", sku="")
    assert base.order("W1-1")["lines"][0]["product"] == base.order("W1-2")["lines"][0]["product"]
