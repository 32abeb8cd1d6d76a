"""A CRM in the loop: form and shop → CRM → 1C and back, through the hub's public commands and addresses only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.peers.bitrix import BitrixPeer
from tests.peers.onec import OneCBase
from tests.peers.stage import Stage, wait_for
from tests.peers.woo import WooPeer

CONFIG = """
[hub]
database = "{database}"
price_type = "Розничная"
unmatched_lines = "by_name"

[limits]
first_run = "go"

[connections.tilda]
adapter = "tilda"
secret = "form-secret"

[connections.shop]
adapter = "woocommerce"
url = "{shop}"
key = "{key}"
secret = "{secret}"
every = "1s"
rate = 6000

[connections.crm]
adapter = "bitrix24"
webhook = "{crm}"
application_token = "event-token"
prefix = "B"
every = "1s"
rate = 6000

[connections.onec]
adapter = "onec_exchange"
login = "1c"
password = "1c-secret"

[owners]
"deal.lines" = "prefer:accounting"
"deal.amount" = "prefer:accounting"
"deal.tax" = "prefer:accounting"

[[flow]]
kind = "lead"
from = "tilda"
to = "crm"
create = "always"

[[flow]]
kind = "deal"
from = "shop"
to = "crm"
create = "always"

[[flow]]
kind = "deal"
from = "crm"
to = "onec"
create = "always"
"""
PHONE, MAIL = "+79161234567", "anna@example.test"


class CrmStage(Stage):
    """Shop, CRM and 1C; no mail."""

    def __init__(self, folder: Path, database: str = "sqlite:///hub.db") -> None:
        self.folder, self.config = folder, folder / "config.toml"
        self.shop, self.crm, self.onec = WooPeer(), BitrixPeer(), OneCBase()
        self.address = ""
        self._database = database
        self._server = None
        self._output = []

    def __enter__(self) -> CrmStage:
        self.shop.start()
        self.crm.start()
        values = {"shop": self.shop.url, "key": self.shop.key, "secret": self.shop.secret, "crm": self.crm.webhook}
        self.config.write_text(CONFIG.format(database=self._database, **values), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_serving()
        self.crm.stop()
        self.shop.stop()

    # what stands where

    def order(self, number: str, **more: Any) -> dict[str, Any]:
        given = {"number": number, "status": "on-hold", "first_name": "Анна", "last_name": "Тестова", "phone": PHONE}
        lines = [("TEA-1", "Чай чёрный", "90.00", 2), ("CUP-2", "Чашка", "400.00", 1)]
        return self.shop.add_order(**{**given, "email": MAIL, "lines": lines, "shipping": "300.00", **more})

    def deals(self) -> list[dict[str, Any]]:
        with self.crm.lock:
            return [dict(row) for row in self.crm.state["deal"].values()]

    def card(self, number: str) -> dict[str, Any] | None:
        return next((row for row in self.deals() if number in row["TITLE"]), None)

    def status(self, order: dict[str, Any]) -> str:
        return str(self.shop.state["orders"][str(order["id"])]["status"])

    def stage_of(self, number: str) -> Any:
        found = self.trace(number)
        return found and found["stage"]

    def exchanged(self, found: Callable[[], Any]) -> Any:
        """Exchanges of orders, one after the other as on a schedule, until something is found."""

        def once() -> Any:
            self.ut().exchange_orders()
            return found()

        return wait_for(once)


@pytest.fixture
def stage() -> Iterator[CrmStage]:
    with tempfile.TemporaryDirectory(prefix="sverka-crm-") as folder, CrmStage(Path(folder)) as made:
        for sku, name in (("TEA-1", "Чай чёрный"), ("CUP-2", "Чашка")):
            made.onec.add_product(name, sku, vat="20")
            made.shop.add_product(sku, name, "90.00", 3)
        made.serve()
        try:
            yield made
        except BaseException:
            print(made.output)
            raise


def test_form_and_shop_to_crm_to_1c_and_back(stage: CrmStage) -> None:
    a_form_becomes_a_lead(stage)
    order = an_order_becomes_one_deal_though_the_answer_is_lost(stage)
    the_deal_goes_to_1c(stage)
    lines_changed_in_1c_reach_the_card(stage)
    lines_changed_on_the_card_reach_1c(stage)
    a_stage_moved_in_the_crm_reaches_the_shop_and_1c(stage, order)
    payment_and_shipment_in_1c_move_the_card(stage, order)
    a_card_lost_in_the_crm_cancels_the_order(stage)
    a_deal_made_in_the_crm_goes_to_1c(stage)
    nothing_is_left_to_do(stage)


def a_form_becomes_a_lead(stage: CrmStage) -> None:
    with stage.form() as sender:
        sent = sender.lead("Анна Тестова", "8 (916) 123-45-67", MAIL, tranid="1:1", utm={"source": "vk"})
        assert sent.tries == [200]
    lead = wait_for(lambda: next(iter(stage.crm.state["lead"].values()), None))
    assert lead, stage.output
    assert lead["PHONE"][0]["VALUE"] == PHONE
    assert (lead["STATUS_ID"], lead["UTM_SOURCE"], lead["ORIGINATOR_ID"]) == ("NEW", "vk", "sverka")


def an_order_becomes_one_deal_though_the_answer_is_lost(stage: CrmStage) -> dict[str, Any]:
    stage.crm.fault("drop", r"crm\.deal\.add")  # executed, and the answer cut off
    order = stage.order("1043")
    card = wait_for(lambda: stage.card("1043"))
    assert card, stage.output
    assert wait_for(lambda: stage.crm.faults[0]["times"] == 0)

    def linked() -> Any:
        found = stage.trace("1043")
        return found and next((k for k in found["links"] if k["connection"] == "crm"), None)

    link = wait_for(linked, 30)
    assert link, stage.output
    assert link["id"] == card["ID"]
    assert len(stage.deals()) == 1
    assert Decimal(card["OPPORTUNITY"]) == Decimal(order["total"])
    contact = stage.crm.row("contact", card["CONTACT_ID"])
    assert [phone["VALUE"] for phone in contact["PHONE"]] == [PHONE]
    assert len(stage.crm.state["contact"]) == 1
    rows = stage.crm.state["rows"][f"deal:{card['ID']}"]
    assert [row["productName"] for row in rows][:2] == ["Чай чёрный", "Чашка"]
    return order


def the_deal_goes_to_1c(stage: CrmStage) -> None:
    assert wait_for(lambda: "1043" in stage.ut().exchange_orders().loaded), stage.output
    order = stage.onec.order("1043")
    assert stage.onec.total(order) == Decimal(stage.card("1043")["OPPORTUNITY"])  # type: ignore[index]


def goods_of(stage: CrmStage, card: str) -> dict[str, tuple[Decimal, Decimal]]:
    with stage.crm.lock:
        rows = [dict(row) for row in stage.crm.state["rows"][f"deal:{card}"]]
    return {r["productName"]: (Decimal(str(r["quantity"])), Decimal(str(r["price"]))) for r in rows}


def lines_changed_in_1c_reach_the_card(stage: CrmStage) -> None:
    card = stage.card("1043")
    assert card is not None
    before, sum_before = goods_of(stage, card["ID"]), Decimal(card["OPPORTUNITY"])
    loaded = stage.onec.order("1043")
    at = next(n for n, line in enumerate(loaded["lines"]) if line["name"] == "Чашка")
    cup = Decimal(loaded["lines"][at]["sum"])
    stage.onec.edit_line("1043", at, qty="2", sum=str(cup * 2))
    spoon = stage.onec.add_product("Ложка", "SPN-3", vat="20")
    stage.onec.add_line("1043", spoon, "3", "90.00")
    assert stage.exchanged(lambda: "Ложка" in goods_of(stage, card["ID"])), stage.output
    after = goods_of(stage, card["ID"])
    assert after["Ложка"] == (Decimal(3), Decimal("30.00"))
    assert after["Чашка"] == (Decimal(2), before["Чашка"][1])
    assert {name: after[name] for name in before if name != "Чашка"} == {
        n: b for n, b in before.items() if n != "Чашка"
    }
    wanted = sum_before + cup + Decimal("90.00")
    assert wait_for(lambda: Decimal(stage.card("1043")["OPPORTUNITY"]) == wanted), stage.output  # type: ignore[index]
    assert stage.onec.total(stage.onec.order("1043")) == wanted


def nothing_under_way(stage: CrmStage, number: str) -> bool:
    """Whether the hub has read back what it wrote: what a person changes before that looks like a write not kept."""
    found = stage.trace(number)
    return found is not None and all(hop["state"] != "wait" for hop in found["hops"] if hop["place"] == "crm")


def lines_changed_on_the_card_reach_1c(stage: CrmStage) -> None:
    assert wait_for(lambda: nothing_under_way(stage, "1043")), stage.output
    card = stage.card("1043")
    assert card is not None
    with stage.crm.lock:
        rows = [dict(row) for row in stage.crm.state["rows"][f"deal:{card['ID']}"] if row["productName"] != "Ложка"]
        wanted = Decimal(card["OPPORTUNITY"]) - Decimal("90.00")
        stage.crm.set_rows("deal", card["ID"], rows)
        stage.crm.edit("deal", card["ID"], OPPORTUNITY=str(wanted))
    assert stage.exchanged(lambda: len(stage.onec.order("1043")["lines"]) == len(rows)), stage.output
    assert stage.onec.total(stage.onec.order("1043")) == wanted


def a_stage_moved_in_the_crm_reaches_the_shop_and_1c(stage: CrmStage, order: dict[str, Any]) -> None:
    card = stage.card("1043")
    assert card is not None
    stage.crm.subscribe(f"{stage.address}/in/crm", "event-token", "ONCRMDEALUPDATE")
    stage.crm.edit("deal", card["ID"], STAGE_ID="PREPARATION")
    assert stage.crm.deliver() == [200]
    assert wait_for(lambda: stage.status(order) == "processing"), stage.output
    assert wait_for(lambda: stage.stage_of("1043") == "in_work")
    # 1C takes the word of the next offer; what its own order is to be, its node's table says
    assert stage.exchanged(lambda: stage.onec.order("1043")["requisites"]["Статус заказа"] == "В работе")


def payment_and_shipment_in_1c_move_the_card(stage: CrmStage, order: dict[str, Any]) -> None:
    stage.onec.pay("1043")
    assert stage.exchanged(lambda: stage.card("1043")["STAGE_ID"] == "EXECUTING"), stage.output  # type: ignore[index]
    stage.onec.ship("1043")
    assert stage.exchanged(lambda: stage.card("1043")["STAGE_ID"] == "WON"), stage.output  # type: ignore[index]
    assert wait_for(lambda: stage.status(order) == "completed")
    assert stage.card("1043")["CLOSED"] == "Y"  # type: ignore[index]


def a_card_lost_in_the_crm_cancels_the_order(stage: CrmStage) -> None:
    order = stage.order("1044")
    card = wait_for(lambda: stage.card("1044"))
    assert card, stage.output
    assert wait_for(lambda: stage.trace("1044") and any(k["connection"] == "crm" for k in stage.trace("1044")["links"]))  # type: ignore[index]
    stage.crm.edit("deal", card["ID"], STAGE_ID="LOSE")
    assert wait_for(lambda: stage.status(order) == "cancelled"), stage.output
    assert len(stage.crm.state["contact"]) == 1  # the same client


def a_deal_made_in_the_crm_goes_to_1c(stage: CrmStage) -> None:
    contact = stage.crm.add("contact", NAME="Борис", LAST_NAME="Пробный", PHONE=[{"VALUE": "+7 903 765-43-21"}])
    with stage.crm.lock:  # the card is saved as a whole
        id = stage.crm.add("deal", TITLE="Ручная сделка", CONTACT_ID=contact)
        rows = [{"productName": "Чай чёрный", "price": "90.10", "quantity": 3, "taxRate": 20, "taxIncluded": "Y"}]
        stage.crm.set_rows("deal", id, rows)
    found = stage.exchanged(lambda: [o for o in stage.onec.state["orders"] if o["site_number"].startswith("B")])
    assert found, stage.output
    assert stage.onec.total(found[0]) == Decimal("270.30")
    assert stage.trace("Пробный")["client"]["name"] == "Борис Пробный"  # type: ignore[index]


def nothing_is_left_to_do(stage: CrmStage) -> None:
    """One more run by hand: the first of them, or the one after what was still under way."""

    def written() -> int:
        return len(stage.crm.calls("POST", ".add")) + len(stage.crm.calls("POST", ".update"))

    for _ in range(2):
        stage.ut().exchange_orders()
    before = written()
    done = stage.ask("sync")
    if done["total"]["writes"]:
        before, done = written(), stage.ask("sync")
    assert done["total"]["writes"] == 0
    assert not done["errors"]
    assert written() == before
    kinds = ("lead", "deal", "contact", "company")
    assert [len(stage.crm.state[kind]) for kind in kinds] == [1, 3, 2, 0]
    origins = [row["ORIGIN_ID"] for row in stage.deals() if row["ORIGIN_ID"]]
    assert len(set(origins)) == len(origins) == 2
