"""Orders that a polled accounting system has of its own: joined with the deal of a shop only where that is sure."""

from __future__ import annotations

from typing import Any

import pytest

from sync.hub.runtime import Hub
from sync.store.tables import conflict, link, quarantine, record
from tests.spec.hubs import CLIENT, Kit, give, one, rows
from tests.spec.test_offers import ONEC

BOOKS = {"adapter": "onec_odata", "url": "http://127.0.0.1:9/ut", "login": "l", "password": "p"}
LINES = [{"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10"}]
ORDER = {
    "number": "1043", "title": "Заказ", "stage": "new", "amount": "100.10", "currency": "RUB", "lines": LINES,
    "client": {**CLIENT, "inn": "7707083893"},
}  # fmt: skip
ROWS = [{"key": "Т1", "product": "g1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10", "vat_included": True}]
PARTY = {"name": "Тестова Анна", "inn": "7707083893"}
OTHER = {"name": "Иной", "inn": "7736207543"}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    shops = {name: {"role": "shop", "kinds": ["deal"]} for name in ("shop", "site")}
    opened = kit.open({**shops, "books": BOOKS, "onec": ONEC}, [])
    assert opened.broken == {}
    return opened


def sold(kit: Kit, hub: Hub, shop: str = "shop", **more: Any) -> str:
    """An order of a shop; its record's uid."""
    id = kit.world(shop).put("deal", {**ORDER, **more})
    plug = hub.plugs[shop]
    record_ = kit.world(shop).record("deal", id)
    assert give(hub, plug.name, "deal", id, record_.data) == "new"
    return str(one(hub, link, connection=shop, external_id=id).record_uid)


def booked(hub: Hub, id: str = "u17", number: str = "1043", **more: Any) -> str:
    """An order of 1C over OData; what became of it."""
    data = {
        "number": number, "id_1c": id, "number_1c": f"УТ-{id}", "date_1c": "2026-03-01T10:00:00Z", "posted": True,
        "sum": "100.10", "amount": "100.10", "currency": "RUB", "counterparty": PARTY, "lines": ROWS, "documents": [],
    }  # fmt: skip
    return give(hub, "books", "order", id, {k: v for k, v in {**data, **more}.items() if v is not None})


def deal_of(hub: Hub, id: str = "u17") -> str:
    return str(one(hub, link, connection="books", external_id=id).record_uid)


def deals(hub: Hub) -> set[str]:
    return {row.uid for row in rows(hub, record, kind="deal")}


def test_the_same_number_and_client_are_one_deal(kit: Kit, hub: Hub) -> None:
    uid = sold(kit, hub)
    assert booked(hub) == "new"
    assert deals(hub) == {uid} == {deal_of(hub)}
    assert booked(hub) == "same"
    assert booked(hub, comment="ещё раз") == "changed", "told twice it is still one"
    assert (deals(hub), rows(hub, conflict), rows(hub, quarantine)) == ({uid}, [], [])


def test_the_same_number_and_sum_will_do_where_nobody_knows_the_client(kit: Kit, hub: Hub) -> None:
    uid = sold(kit, hub)
    booked(hub, counterparty={"name": "Розничный покупатель"})
    assert deal_of(hub) == uid


def test_the_accountant_may_have_changed_the_sum_of_the_same_client(kit: Kit, hub: Hub) -> None:
    uid = sold(kit, hub)
    more = [{**ROWS[0], "qty": "3", "sum": "150.15"}]
    booked(hub, sum="150.15", amount="150.15", lines=more)
    assert deal_of(hub) == uid
    found = one(hub, record, kind="deal")
    assert (str(found.amount), found.data["lines"][0]["qty"]) == ("150.15", "3.000")


@pytest.mark.parametrize(
    "more",
    [
        {"number": "999"},
        {"number": None},
        {"number": ""},
        {"counterparty": OTHER, "sum": "5.00", "amount": "5.00", "lines": None},
        {"date_1c": "2025-03-01T10:00:00Z", "year": True},
    ],
    ids=["another number", "no number", "an empty number", "nothing agrees", "a year ago"],
)
def test_what_does_not_fit_is_a_deal_of_its_own(kit: Kit, hub: Hub, more: dict[str, Any]) -> None:
    more = dict(more)
    if more.pop("year", False):  # numbers begin at 1 again in a new year; the same client may come back
        folder = {"created_at": "2026-03-01T09:00:00Z"}
        uid = sold(kit, hub)
        with hub.store.begin() as tx:
            data = {**one(hub, record, uid=uid).data, **folder}
            tx.execute(record.update().where(record.c.uid == uid).values(data=data))
    else:
        uid = sold(kit, hub)
    assert booked(hub, **more) == "new"
    assert deal_of(hub) != uid
    assert rows(hub, quarantine, state="open") == []


@pytest.mark.parametrize(
    "more",
    [
        {"counterparty": OTHER},
        {"counterparty": {"name": "Кто-то"}, "sum": "7.00", "amount": "7.00"},
        {"counterparty": None, "lines": None, "amount": None},
        {"currency": "EUR", "counterparty": None},
    ],
    ids=["another client", "nobody and another sum", "nothing is said", "another currency"],
)
def test_what_fits_half_is_a_question(kit: Kit, hub: Hub, more: dict[str, Any]) -> None:
    uid = sold(kit, hub)
    if more.get("counterparty") == OTHER:
        sold(kit, hub, "site", number="5", client={"name": "Иной", "phone": "+79160000000", "inn": "7736207543"})
    before = deals(hub)
    assert booked(hub, **more) == "failed"
    held = one(hub, quarantine, state="open")
    assert (held.code, held.field, held.connection) == ("deal.same_number", "number", "books")
    assert "1043" in held.text["ru"]
    assert held.remedy["ru"]
    assert deals(hub) == before
    assert booked(hub) == "new", "it was put right in 1C"
    assert (deal_of(hub), rows(hub, quarantine, state="open")) == (uid, [])


def test_two_deals_of_one_number_from_two_shops_are_told_apart_by_client_and_sum(kit: Kit, hub: Hub) -> None:
    sold(kit, hub, "site", client={"name": "Иной", "phone": "+79160000000", "inn": "7736207543"}, amount="7.00")
    uid = sold(kit, hub)
    booked(hub)
    assert deal_of(hub) == uid


def test_two_deals_of_one_number_that_both_fit_are_a_question(kit: Kit, hub: Hub) -> None:
    sold(kit, hub, "site")
    sold(kit, hub)
    assert booked(hub) == "failed"
    assert one(hub, quarantine, state="open").code == "deal.same_number"


def test_of_two_orders_of_the_same_client_the_one_of_that_sum(kit: Kit, hub: Hub) -> None:
    sold(kit, hub, "site", amount="7.00", lines=[])
    uid = sold(kit, hub)
    booked(hub)
    assert deal_of(hub) == uid


def test_an_order_that_came_before_the_shop_s_own_is_joined_by_it(kit: Kit, hub: Hub) -> None:
    assert booked(hub) == "new"
    assert sold(kit, hub) == deal_of(hub)
    assert len(deals(hub)) == 1
    assert one(hub, record, kind="deal").number == "1043"
    assert rows(hub, conflict) == []


def test_a_shop_s_order_never_waits_for_a_doubtful_one_of_accounting(kit: Kit, hub: Hub) -> None:
    booked(hub, counterparty=OTHER, sum="5.00", amount="5.00", lines=None)
    assert sold(kit, hub) != deal_of(hub)
    assert rows(hub, quarantine, state="open") == []


def test_1c_s_own_number_is_nobody_s_order(kit: Kit, hub: Hub) -> None:
    booked(hub, number=None, number_1c="1043")
    assert sold(kit, hub) != deal_of(hub)


def test_a_copy_in_1c_keeps_the_number_and_is_a_question(kit: Kit, hub: Hub) -> None:
    sold(kit, hub)
    booked(hub)
    assert booked(hub, "u18") == "failed"
    assert one(hub, quarantine, state="open").code == "deal.same_number"


def test_an_order_entered_again_takes_the_place_of_the_marked_one(kit: Kit, hub: Hub) -> None:
    uid = sold(kit, hub)
    booked(hub)
    marked = {"number": "1043", "id_1c": "u17", "number_1c": "УТ-u17", "deletion_mark": True, "documents": []}
    give(hub, "books", "order", "u17", marked, deleted=True)
    assert booked(hub, "u18") == "new"
    assert deal_of(hub, "u18") == uid


def test_one_1c_over_two_transports_is_joined_by_the_document_s_own_id(kit: Kit, hub: Hub) -> None:
    """The exchange knows our number, OData the document: its id is the same."""
    uid = sold(kit, hub)
    back = {
        "number": "1043",
        "id_1c": "u17",
        "number_1c": "УТ-u17",
        "sum": "100.10",
        "currency": "RUB",
        "documents": [],
    }
    assert give(hub, "onec", "order", "1043", back) == "new"
    booked(hub, number=None, counterparty=None)
    assert deal_of(hub) == uid


def test_an_order_with_the_number_that_we_gave_it(kit: Kit) -> None:
    shops = {"shop": {"role": "shop", "kinds": ["deal"], "prefix": "W-"}}
    hub = kit.open(
        {**shops, "books": BOOKS, "onec": ONEC},
        [("deal", "shop", "onec", "always")],
        hub={"unmatched_lines": "by_name"},
    )
    uid = sold(kit, hub)
    assert one(hub, link, connection="onec").number == "W-1043"
    booked(hub, number="W-1043", counterparty=None)
    sync_errors = rows(hub, conflict)
    assert (deal_of(hub), sync_errors) == (uid, [])
    assert one(hub, record, kind="deal").number == "1043"


@pytest.mark.parametrize("number", [7, ["1043"], {"a": 1}, "1" * 5000, "1043'; --", "\u0000"])
def test_hostile_numbers_harm_nobody(kit: Kit, hub: Hub, number: Any) -> None:
    uid = sold(kit, hub)
    assert booked(hub, number=number) in ("new", "failed")
    assert uid in deals(hub)
    assert booked(hub, "u18") == "new"
    assert deal_of(hub, "u18") == uid


def test_orders_of_a_polled_system_without_numbers_stay_apart(kit: Kit, hub: Hub) -> None:
    for n in range(3):
        booked(hub, f"u{n}", number=None)
    assert len(deals(hub)) == 3
