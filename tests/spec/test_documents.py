"""Payments and shipments behind a deal, to the kopeck, with a journal row for every value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.flow import documents
from sync.flow.plug import Cause
from sync.hub import checks, reports
from sync.hub.runtime import Hub
from sync.store.tables import activity, document, journal, record
from tests.spec.hubs import Kit, give, one, rows, sync
from tests.spec.test_offers import BOLT, ONEC, ORDER, context, offer

PAID = {
    "key": "p1",
    "kind": "payment",
    "number": "П-1",
    "date": "2026-03-01T10:00:00Z",
    "amount": "60.05",
    "currency": "RUB",
}
REST = {**PAID, "key": "p2", "number": "П-2", "amount": "40.05"}
SHIPPED = {**PAID, "key": "s1", "kind": "shipment", "number": "Р-1", "amount": "100.10"}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    opened = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "onec": ONEC, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "onec", "always"), ("deal", "shop", "crm", "always")],
    )
    give(opened, "onec", "product", "g1", BOLT)
    kit.world("shop").put("deal", ORDER)
    sync(opened)
    context(opened).confirm(offer(opened).id)
    return opened


def report(hub: Hub, *papers: dict[str, Any], **facts: Any) -> str:
    """1C tells of the order as it stands there."""
    order = {"number": "1043", "number_1c": "УТ-17", "id_1c": "u17", "sum": "100.10", "currency": "RUB", "posted": True}
    return give(hub, "onec", "order", "1043", {**order, "documents": list(papers), **facts})


def sums(hub: Hub) -> tuple[Any, Any]:
    deal = one(hub, record, kind="deal")
    return deal.paid, deal.shipped


def changes(hub: Hub) -> dict[str, Any]:
    """The newest journal row that speaks of documents."""
    found: dict[str, Any] = [n.changes for n in rows(hub, journal) if any(" " in k for k in n.changes)][-1]
    return found


def test_partial_payments_add_up_to_the_kopeck(hub: Hub) -> None:
    report(hub, PAID)
    assert sums(hub) == (Decimal("60.05"), Decimal("0.00"))
    assert changes(hub)["paid_amount"] == [None, "60.05"]
    report(hub, PAID, REST)
    assert sums(hub) == (Decimal("100.10"), Decimal("0.00"))
    assert changes(hub)["paid_amount"] == ["60.05", "100.10"]
    assert changes(hub)["payment p2"] == [
        None,
        {"number": "П-2", "date": "2026-03-01T10:00:00Z", "amount": "40.05", "currency": "RUB"},
    ]
    report(hub, PAID, REST, SHIPPED, paid=True, shipped=True)
    assert sums(hub) == (Decimal("100.10"), Decimal("100.10"))


def test_a_large_sum_stays_what_it_is(hub: Hub) -> None:
    report(hub, *({**PAID, "key": f"p{n}", "amount": "1234567890.01"} for n in range(7)))
    assert sums(hub)[0] == Decimal("8641975230.07")


def test_a_repeat_changes_nothing(hub: Hub) -> None:
    report(hub, PAID, SHIPPED)
    before = [len(rows(hub, t)) for t in (document, journal, activity)]
    assert report(hub, PAID, SHIPPED) == "same"
    assert report(hub, SHIPPED, PAID, note="a field that nobody maps") == "changed"
    assert report(hub, PAID, PAID, SHIPPED) == "changed", "one that is named twice is one"
    assert [len(rows(hub, t)) for t in (document, journal, activity)] == before
    assert sums(hub) == (Decimal("60.05"), Decimal("100.10"))


@pytest.mark.parametrize("undone", [{"reversed": True}, {"posted": False}])
def test_a_document_taken_back_counts_no_more(hub: Hub, undone: dict[str, Any]) -> None:
    report(hub, PAID, REST)
    report(hub, PAID, {**REST, **undone})
    assert sums(hub)[0] == Decimal("60.05")
    assert changes(hub)["paid_amount"] == ["100.10", "60.05"]
    report(hub, PAID, {**REST, "posted": True, "reversed": False})
    assert sums(hub)[0] == Decimal("100.10")


def test_absent_is_not_empty(hub: Hub) -> None:
    report(hub, PAID)
    deal = one(hub, record, kind="deal")
    with hub.store.begin() as tx:
        assert not documents.store(hub.world, tx, hub.plugs["onec"], deal.uid, None, deal.client_uid, Cause())
    assert one(hub, document, key="p1").reversed is not True, "the documents were not spoken of"
    assert sums(hub)[0] == Decimal("60.05")
    untold = [
        {"key": "unknown:payment", "kind": "payment", "unknown": True},
        {**SHIPPED, "amount": Decimal(5), "date": None},
    ]
    with hub.store.begin() as tx:
        assert documents.store(hub.world, tx, hub.plugs["onec"], deal.uid, untold, deal.client_uid, Cause())
    assert one(hub, document, key="p1").reversed is not True, "its side cannot tell the payments now"
    assert sums(hub) == (Decimal("60.05"), Decimal(5)), "what it can tell is taken"
    assert rows(hub, document, key="unknown:payment") == []
    report(hub)
    assert (one(hub, document, key="p1").reversed, sums(hub)[0]) == (True, Decimal(0))
    assert changes(hub)["payment p1"][1] is None
    assert len(rows(hub, document)) == 3, "a document never disappears"


@pytest.mark.parametrize(
    ("bases", "paid"), [({}, "60.05"), ({"onec": "ut", "crm": "bp"}, "100.10"), ({"onec": "ut"}, "60.05")]
)
def test_two_bases_that_are_said_to_be_two_are_added(kit: Kit, bases: dict[str, str], paid: str) -> None:
    said = {name: {"base": base} for name, base in bases.items()}
    opened = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "onec": ONEC | said.get("onec", {}),
         "crm": {"kinds": ["deal"]} | said.get("crm", {})},
        [("deal", "shop", "crm", "always")],
    )  # fmt: skip
    kit.world("shop").put("deal", ORDER)
    sync(opened)
    deal = one(opened, record, kind="deal")
    for name, row in (("onec", PAID), ("crm", {**REST, "key": "other"})):
        told = [row | {"amount": Decimal(row["amount"]), "date": None}]
        with opened.store.begin() as tx:
            documents.store(opened.world, tx, opened.plugs[name], deal.uid, told, deal.client_uid, Cause())
    assert sums(opened)[0] == Decimal(paid)


@pytest.mark.parametrize(
    ("bases", "said"), [((), True), (("ut", ""), True), (("ut", "bp"), False), (("ut", "ut"), False)]
)
def test_check_says_what_several_bases_come_to(kit: Kit, bases: tuple[str, ...], said: bool) -> None:
    named = dict(zip(("onec", "books"), bases, strict=False))
    opened = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]},
         **{name: ONEC | {"login": name, "base": named.get(name, "")} for name in ("onec", "books")}}, [],
    )  # fmt: skip
    lines = [one for one in checks.check(opened, "shop") if one.step == "base"]
    assert [(one.ok, one.setting) for one in lines] == (
        [(True, f"connections.{'books' if bases else 'onec'}.base")] if said else []
    )


def test_what_came_back_is_taken_off(hub: Hub) -> None:
    report(hub, PAID, SHIPPED, {**PAID, "key": "r1", "kind": "refund", "amount": "10.05"})
    assert sums(hub) == (Decimal("50.00"), Decimal("100.10"))
    report(hub, PAID, SHIPPED, {**SHIPPED, "key": "b1", "kind": "return", "amount": "0.10", "currency": "USD"})
    assert sums(hub) == (Decimal("60.05"), Decimal("100.10")), "dollars are not taken off rubles"
    (row,) = reports.deals(hub)
    assert any("возврат товара № Р-1 на 0.10 USD" in said for said in row["differences"])


def test_an_amount_that_was_corrected(hub: Hub) -> None:
    report(hub, PAID)
    report(hub, {**PAID, "amount": "60.06"})
    assert sums(hub)[0] == Decimal("60.06")
    before, after = changes(hub)["payment p1"]
    assert (before["amount"], after["amount"]) == ("60.05", "60.06")


def test_documents_stand_on_the_timeline_once(hub: Hub) -> None:
    for _ in range(2):
        report(hub, PAID, SHIPPED, note=str(len(rows(hub, activity))))
    deal = one(hub, record, kind="deal")
    found = {(r.type, r.direction): r for r in rows(hub, activity, connection="onec")}
    assert len(rows(hub, activity, connection="onec")) == 2
    assert {k[0] for k in found} == {"payment", "shipment"}
    assert {(r.deal_uid, r.client_uid) for r in found.values()} == {(deal.uid, deal.client_uid)}
    assert any("60.05" in r.subject for r in found.values())


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({"paid": True}, "paid"),
        ({"shipped": True}, "shipped"),
        ({"paid": True, "shipped": True}, "won"),
        ({"cancelled": True}, "lost"),
        ({"paid": True, "cancelled": True}, "lost"),
        ({"paid": False, "shipped": False}, "new"),
        ({}, "new"),
    ],
)
def test_facts_are_stages_by_the_table(kit: Kit, facts: dict[str, bool], stage: str) -> None:
    opened = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "onec": ONEC}, [("deal", "shop", "onec", "always")])
    give(opened, "onec", "product", "g1", BOLT)
    kit.world("shop").put("deal", ORDER)
    sync(opened)
    context(opened).confirm(offer(opened).id)
    report(opened, **facts)
    sync(opened)
    assert one(opened, record, kind="deal").stage == stage
    assert kit.world("shop").rows("deal")["1"]["data"]["stage"] == stage


def test_the_report_names_every_difference(hub: Hub) -> None:
    report(hub, PAID, SHIPPED, sum="100.00")
    (row,) = reports.deals(hub)
    assert (row["amount"], row["paid"], row["shipped"]) == (Decimal("100.10"), Decimal("60.05"), Decimal("100.10"))
    said = " ".join(row["differences"])
    assert "-0.10" in said
    assert "40.05" in said
