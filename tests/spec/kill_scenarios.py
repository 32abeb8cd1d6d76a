"""What is interrupted: ten pieces of the hub's work, each with what the rest of the world does meanwhile."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from adapters.base import Request
from sync.store.types import dumps
from tests.peers.onec import ExchangeAborted, UtClient
from tests.peers.story import folder_files
from tests.spec.kill import Life, Rig, Scenario, State
from tests.spec.kill_child import Killed
from tests.spec.kill_hub import START

FORM = "application/x-www-form-urlencoded"
HOUR = timedelta(hours=1)


class PipedUt(UtClient):
    """A stock 1C whose requests go to a child's protocol handler. A dead child is a connection that broke."""

    def __init__(self, rig: Rig, child: Life) -> None:
        super().__init__(rig.onec, "http://hub.test/exchange/onec", "1c", "secret", sleep=lambda _: None)
        self.child = child

    def _once(self, target: str, body: bytes | None, with_basic: bool) -> tuple[int, http.client.HTTPMessage, bytes]:
        parts = urlsplit(target)
        headers = {"authorization": self._basic} if with_basic else {}
        if self.cookie:
            headers["cookie"] = self.cookie
        if body is not None:
            headers["content-length"] = str(len(body))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        method = "GET" if body is None else "POST"
        request = Request(method, parts.path, query, headers, "127.0.0.1", [body] if body else [])
        reply = self.child.handle("onec", request)
        answer = http.client.HTTPMessage()
        answer["Content-Type"] = reply.content_type
        return reply.status, answer, reply.body


def exchange(rig: Rig, child: Life, what: Callable[[PipedUt], Any]) -> Any:
    """One exchange by 1C; Killed when the hub died in it, whatever 1C made of that."""
    try:
        result = what(PipedUt(rig, child))
    except ExchangeAborted:
        if not child.killed:
            raise
        result = None
    if child.killed:
        raise Killed
    return result


def orders_until_quiet(rig: Rig, child: Life) -> None:
    """1C exchanges orders on its schedule; after some rounds neither side has anything to say."""
    for _ in range(4):
        report = exchange(rig, child, lambda ut: ut.exchange_orders())
        if not report.loaded and not report.sent:
            return
    raise AssertionError("the exchange of orders does not come to rest")


# What is there before ------------------------------------------------------------------------------------------------


def shop_with_goods(rig: Rig) -> None:
    rig.shop.add_product("TEA-1", "Чай чёрный", "90.00", 3)
    rig.shop.add_product("CUP-2", "Чашка", "400.00", 3)


def add_order(rig: Rig, number: str = "1043") -> None:
    rig.shop.add_order(
        number=number,
        status="on-hold",
        first_name="Анна",
        last_name="Тестова",
        phone="+79161234567",
        email="anna@example.test",
        lines=[("TEA-1", "Чай чёрный", "90.00", 2), ("CUP-2", "Чашка", "400.00", 1)],
    )


def goods_in_1c(rig: Rig) -> str:
    tea = rig.onec.add_product("Чай чёрный байховый", "TEA-1")
    cup = rig.onec.add_product("Чашка фарфоровая", "CUP-2")
    for guid, price, stock in ((tea, "90.00", 3), (cup, "400.00", 3)):
        rig.onec.set_price(guid, price)
        rig.onec.set_stock(guid, stock)
    return tea


def goods_on_both_sides(rig: Rig) -> None:
    shop_with_goods(rig)
    goods_in_1c(rig)
    with rig.calm() as child:
        child.work()
        exchange(rig, child, lambda ut: ut.exchange_catalog())
        child.finish()


def order_waits_for_1c(rig: Rig) -> None:
    goods_on_both_sides(rig)
    add_order(rig)
    with rig.calm() as child:
        child.finish()


def order_in_1c(rig: Rig) -> None:
    order_waits_for_1c(rig)
    with rig.calm() as child:
        orders_until_quiet(rig, child)
        child.finish()


def in_shop(rig: Rig) -> dict[str, Any]:
    (order,) = (o for o in rig.shop.state["orders"].values() if o["number"] == "1043")
    return dict(order)


def lines(state: State, table: str, *words: str) -> list[str]:
    return [line for line in state[table] if all(word in line for word in words)]


# 1 a form, its repeat, and another one ---------------------------------------------------------------------------------


def _lead(name: str, phone: str, number: str) -> bytes:
    fields = {"Name": name, "Phone": phone, "tranid": number, "formid": "form1"}
    return urlencode(fields).encode()


POSTS = {
    "first": _lead("Анна Тестова", "8 (916) 123-45-67", "1:1"),
    "its repeat": _lead("Анна Тестова", "8 (916) 123-45-67", "1:1"),
    "another": _lead("Борис Пробный", "+7 903 765-43-21", "1:2"),
}


def send_forms(rig: Rig, child: Life) -> None:
    """Whoever was not answered 200 sends again."""
    for name, body in POSTS.items():
        if name not in rig.answered:
            assert child.submit("tilda", body, FORM) == 200
            rig.answered.append(name)


def forms(rig: Rig, child: Life) -> None:
    send_forms(rig, child)
    child.work()


def forms_end(rig: Rig, end: State) -> None:
    assert len(lines(end, "record", '"kind":"lead"')) == len(lines(end, "record", '"kind":"contact"')) == 2
    assert len(end["task"]) == len(end["activity"]) == 2
    assert len(lines(end, "inbox", '"state":"done"')) == 2


# 2 a poll --------------------------------------------------------------------------------------------------------------


def poll_prepare(rig: Rig) -> None:
    shop_with_goods(rig)
    add_order(rig)
    add_order(rig, "1044")


def work(rig: Rig, child: Life) -> None:
    child.work()


def poll_end(rig: Rig, end: State) -> None:
    assert len(lines(end, "record", '"kind":"deal"')) == len(lines(end, "record", '"kind":"product"')) == 2
    assert len(lines(end, "record", '"kind":"contact"')) == 1
    assert len(lines(end, "activity", '"type":"order"')) == 2
    assert len(lines(end, "quarantine", "deal.unmatched_line")) == 2  # 1C does not know the goods yet


# 3 files -----------------------------------------------------------------------------------------------------------------


def files_prepare(rig: Rig) -> None:
    folder_files(rig.goods)
    for path in rig.goods.iterdir():
        os.utime(path, (START.timestamp() - 60,) * 2)


def files_end(rig: Rig, end: State) -> None:
    assert end["folder"] == ["archive/import", "archive/offers"]
    assert len(lines(end, "record", "BOX-3")) == len(end["price"]) == len(end["stock"]) == 1


def late_prepare(rig: Rig) -> None:
    """Prices came before the goods that they belong to."""
    files_prepare(rig)
    aside = rig.disk / "import.xml"
    (rig.goods / "import.xml").rename(aside)
    with rig.calm() as child:
        child.finish()
    aside.rename(rig.goods / "import.xml")


# 4 a catalogue by exchange -----------------------------------------------------------------------------------------------


def catalogue_prepare(rig: Rig) -> None:
    goods_in_1c(rig)


def catalogue(rig: Rig, child: Life) -> None:
    send_catalogue(rig, child)
    child.work()


def send_catalogue(rig: Rig, child: Life) -> None:
    """What 1C was not told to be there, it sends again; nothing else."""
    waiting = rig.onec.state["registered"]
    if waiting["products"] or waiting["offers"]:
        exchange(rig, child, lambda ut: ut.exchange_catalog(full=bool(waiting["products"])))


def catalogue_end(rig: Rig, end: State) -> None:
    assert len(lines(end, "record", '"kind":"product"')) == len(end["price"]) == len(end["stock"]) == 2
    assert not rig.onec.state["registered"]["products"]


# 5, 6 orders to 1C and back ----------------------------------------------------------------------------------------------


def orders(rig: Rig, child: Life) -> None:
    exchange(rig, child, lambda ut: ut.exchange_orders())
    child.work()


def fetched(rig: Rig, end: State) -> None:
    (order,) = rig.onec.state["orders"]
    assert order["site_number"] == "1043"
    assert rig.onec.total(order) == Decimal(in_shop(rig)["total"])
    assert len(lines(end, "journal", '"why":"offered"')) == 1
    assert len(lines(end, "intent", '"op":"offer"', '"state":"done"')) == 1


def paid_and_shipped(rig: Rig) -> None:
    order_in_1c(rig)
    rig.onec.pay("1043")
    rig.onec.ship("1043")


def won(rig: Rig, end: State) -> None:
    assert in_shop(rig)["status"] == "completed"
    assert len(end["writes to the shop"]) == 1
    total = Decimal(in_shop(rig)["total"])
    assert len(lines(end, "record", '"stage":"won"', f'"paid":"{total}"', f'"shipped":"{total}"')) == 1
    assert len(lines(end, "activity", '"type":"payment"')) == len(lines(end, "activity", '"type":"shipment"')) == 1


# 7 a stage by hand ---------------------------------------------------------------------------------------------------------


def by_hand(rig: Rig, child: Life) -> None:
    say_stage(rig, child)
    child.work()


def say_stage(rig: Rig, child: Life) -> None:
    """A person whose command ended without an answer gives it again."""
    if "stage" not in rig.answered:
        child.stage("1043", "in_work")
        rig.answered.append("stage")


def lost_answer(rig: Rig) -> None:
    order_in_1c(rig)
    rig.shop.fault("drop", "/orders/", method="PUT")


def processing(rig: Rig, end: State) -> None:
    assert in_shop(rig)["status"] == "processing"
    assert len(end["writes to the shop"]) == 1
    assert len(lines(end, "journal", '"why":"human"', "Ирина Пробная")) == 1
    assert not rig.shop.faults or rig.shop.faults[0]["times"] == 0


# 8 a price ---------------------------------------------------------------------------------------------------------------


def dearer(rig: Rig) -> None:
    goods_on_both_sides(rig)
    tea = next(guid for guid, row in rig.onec.state["products"].items() if row["sku"] == "TEA-1")
    rig.onec.set_price(tea, "120.50")
    rig.onec.set_stock(tea, 2)


def dearer_end(rig: Rig, end: State) -> None:
    (tea,) = (p for p in rig.shop.state["products"].values() if p["sku"] == "TEA-1")
    assert (Decimal(tea["regular_price"]), tea["stock_quantity"]) == (Decimal("120.50"), 2)
    assert len(end["writes to the shop"]) == 1


# 9 a letter --------------------------------------------------------------------------------------------------------------


def overdue(rig: Rig) -> None:
    with rig.calm() as child:
        child.submit("tilda", POSTS["first"], FORM)
        child.finish()


def overdue_lost(rig: Rig) -> None:
    overdue(rig)
    rig.smtp.fault("drop")


def told(rig: Rig, end: State) -> None:
    assert len(end["letters"]) == len(end["notice"]) == 1
    assert end["letters"][0][0] == ["boss@firma.test"]


def asked(end: State) -> State:
    """Nobody knows whether the letter went out, and it did not: a person is asked, and no second one is sent."""
    other = {**end, "letters": []}
    other["intent"] = [line.replace('"state":"done"', '"state":"unknown"') for line in end["intent"]]
    row = {"connection": "mail", "native_kind": "message", "stage": "delivery", "code": "delivery.unknown", "field": ""}
    row |= {"external_id": "notice:1", "record_uid": "notice:1"}
    other["quarantine"] = [dumps(row)]
    return other


# 10 a retry --------------------------------------------------------------------------------------------------------------


def quarantined(rig: Rig) -> None:
    """1C sends an order of a number that the hub learns only afterwards."""
    order_in_1c(rig)
    order = rig.onec.order("1043")
    rig.onec.new_order(**{**order, "guid": rig.onec.guid(), "number": "ТД00-000077", "site_number": "1050"})
    rig.onec.pay("1050")
    with rig.calm() as child:
        exchange(rig, child, lambda ut: ut.exchange_orders())
        child.finish()
    add_order(rig, "1050")
    with rig.calm() as child:
        child.finish()
        assert len(lines(child.state(), "quarantine", "deal.unknown_number")) == 1


def retry(rig: Rig, child: Life) -> None:
    ask_retry(rig, child)
    child.work()


def ask_retry(rig: Rig, child: Life) -> None:
    if "retry" not in rig.answered:
        child.retry()
        rig.answered.append("retry")


def retried(rig: Rig, end: State) -> None:
    assert not end["quarantine"]
    assert len(lines(end, "record", '"number":"1050"', '"stage":"paid"')) == 1
    assert len(lines(end, "document", "ТД00-000077")) == 1


ALL = [
    Scenario("form", ["tilda"], forms, forms_end, again=send_forms),
    Scenario("poll", ["shop", "onec"], work, poll_end, poll_prepare),
    Scenario("files", ["goods"], work, files_end, files_prepare),
    Scenario("late goods", ["goods"], work, files_end, late_prepare),
    Scenario("catalogue", ["onec"], catalogue, catalogue_end, catalogue_prepare, send_catalogue),
    Scenario("orders to 1C", ["shop", "onec"], orders, fetched, order_waits_for_1c, orders_until_quiet),
    Scenario("orders from 1C", ["shop", "onec"], orders, won, paid_and_shipped, orders_until_quiet, HOUR),
    Scenario("stage", ["shop", "onec"], by_hand, processing, order_in_1c, say_stage, HOUR),
    Scenario(
        "lost answer",
        ["shop", "onec"],
        by_hand,
        processing,
        lost_answer,
        say_stage,
        HOUR,
        since="call:shop.write:before",
    ),
    Scenario("price", ["shop", "onec"], catalogue, dearer_end, dearer, send_catalogue, HOUR),
    Scenario("letter", ["tilda", "mail"], work, told, overdue, later=HOUR, instead=asked),
    Scenario(
        "lost letter",
        ["tilda", "mail"],
        work,
        told,
        overdue_lost,
        later=HOUR,
        since="call:mail.write:before",
        instead=asked,
    ),
    Scenario("retry", ["shop", "onec"], retry, retried, quarantined, ask_retry, HOUR),
]
NAMED = {scenario.name: scenario for scenario in ALL}
