"""What was ordered, both ways: lines changed in accounting reach the deal and the CRM, lines changed in the CRM reach
accounting with the next offer. Two changes at once are put together; what a system cannot take is named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.flow.verify import Pass
from sync.hub import reports
from sync.hub.runtime import Hub
from sync.store.tables import conflict, intent, journal, quarantine, record
from tests.spec.hubs import CLIENT, Kit, give, one, rows, sync
from tests.spec.test_offers import BOLT, ONEC, context, offer

MEMORY = Path(__file__).parents[2] / "mappings" / "memory.toml"
WRITES = """
[[deal.create.rows.lines]]
each = "lines"
fields = { id = "key", product = "product", sku = "sku", name = "name", qty = "qty | plain", sum = "total | plain" }
[deal.write]
lines = { to = "lines", keep = ["colour"] }
"""
LINES = [
    {"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "price": "50.05", "sum": "100.10"},
    {"id": "2", "sku": "N-1", "name": "Гайка", "qty": "4", "price": "5", "sum": "20.00"},
]
ORDER = {
    "number": "1043", "title": "Заказ", "stage": "new", "amount": "120.10", "currency": "RUB", "lines": LINES,
    "client": CLIENT,
}  # fmt: skip
NUT = {"name": "Гайка", "sku": "N-1", "type": "good"}
WASHER = {"name": "Шайба", "sku": "W-1", "type": "good"}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    folder = kit.folder / "mappings"
    folder.mkdir()
    text = MEMORY.read_text(encoding="utf-8")
    (folder / "portal.toml").write_text(text.replace("[contact]\n", f"{WRITES}\n[contact]\n", 1), encoding="utf-8")
    opened = kit.open(
        {
            "shop": {"role": "shop", "kinds": ["deal"]},
            "onec": ONEC,
            "crm": {"kinds": ["deal"], "mapping": "portal"},
        },
        [("deal", "shop", "crm", "always"), ("deal", "shop", "onec", "always")],
        hub={"mappings": str(folder)},
        owners=dict.fromkeys(("deal.lines", "deal.amount", "deal.tax"), "prefer:accounting"),
    )
    assert opened.broken == {}
    for id, goods in (("g1", BOLT), ("g2", NUT), ("g3", WASHER)):
        give(opened, "onec", "product", id, goods)
    kit.world("shop").put("deal", ORDER)
    sync(opened)
    context(opened).confirm(offer(opened).id)
    assert tell(opened, line("Болт", "B-1", "2", "100.10"), line("Гайка", "N-1", "4", "20.00")) == "changed"
    sync(opened)
    kit.forget_calls()
    return opened


def line(name: str, sku: str, qty: str, total: str, **more: Any) -> dict[str, Any]:
    """A line as 1C writes it: with VAT in it, under its own ids and its own spelling."""
    return {"product": f"x{sku}", "name": f"{name.upper()} ", "sku": sku, "qty": f"{qty}.000", "price": "0", "sum": total,
            "vat": "20", "vat_included": True, "unit_code": "796", **more}  # fmt: skip


def tell(hub: Hub, *lines: dict[str, Any], **facts: Any) -> str:
    """1C tells of the order as it stands there."""
    total = str(sum((Decimal(one["sum"]) for one in lines), Decimal(0)))
    order = {"number": "1043", "number_1c": "УТ-17", "id_1c": "u17", "sum": total, "amount": total, "currency": "RUB"}
    numbered = [{"key": str(n), **one} for n, one in enumerate(lines, 1)]
    return give(hub, "onec", "order", "1043", {**order, "posted": True, "lines": numbered, "documents": [], **facts})


def deal(hub: Hub) -> Any:
    return one(hub, record, kind="deal")


def goods(found: Any) -> dict[str, tuple[Decimal, Decimal]]:
    return {row["sku"]: (Decimal(row["qty"]), Decimal(row["sum"])) for row in found}


def card(kit: Kit) -> dict[str, Any]:
    (id,) = kit.world("crm").rows("deal")
    return kit.world("crm").record("deal", id).data


BOLTS, NUTS = line("Болт", "B-1", "2", "100.10"), line("Гайка", "N-1", "4", "20.00")
AS_IT_WAS = {"B-1": (Decimal(2), Decimal("100.10")), "N-1": (Decimal(4), Decimal("20.00"))}


def test_an_order_that_came_back_as_it_went_changes_nothing(kit: Kit, hub: Hub) -> None:
    before = [len(rows(hub, table)) for table in (journal, intent)]
    assert tell(hub, {**NUTS, "vat": None}, {**BOLTS, "sum": "100.1"}, note="по-другому") == "changed"
    sync(hub)
    assert [len(rows(hub, intent)), goods(deal(hub).data["lines"])] == [before[1], AS_IT_WAS]
    assert kit.writes() == []
    assert offer(hub).items == []
    assert rows(hub, quarantine, state="open") == []


def test_the_accountant_s_lines_reach_the_deal_the_journal_and_the_crm(kit: Kit, hub: Hub) -> None:
    blue = [{**row, "colour": "синий"} for row in card(kit)["lines"]]
    kit.world("crm").put("deal", {"lines": blue}, next(iter(kit.world("crm").rows("deal"))))
    sync(hub)
    assert kit.writes() == []
    tell(hub, {**BOLTS, "qty": "3", "sum": "150.15"}, NUTS, line("Шайба", "W-1", "10", "5.00"))
    sync(hub)
    wanted = {**AS_IT_WAS, "B-1": (Decimal(3), Decimal("150.15")), "W-1": (Decimal(10), Decimal("5.00"))}
    assert goods(deal(hub).data["lines"]) == wanted
    assert deal(hub).amount == Decimal("175.15")
    assert [row["name"] for row in deal(hub).data["lines"]] == ["Болт", "Гайка", "ШАЙБА"], "goods keep their name here"
    note = [n for n in rows(hub, journal) if "lines" in n.changes and n.link_id is None and n.why != "created"][-1]
    assert (note.connection, note.why) == ("onec", "observed")
    assert goods(note.changes["lines"][1]) == wanted
    assert goods(card(kit)["lines"]) == wanted
    assert [row.get("colour") for row in card(kit)["lines"]] == ["синий", "синий", None], (
        "rows keep what the mapping says"
    )
    assert Decimal(card(kit)["amount"]) == Decimal("175.15")
    assert offer(hub).items == [], "its own word is not offered back to 1C"
    sync(hub)
    assert sorted(name for name, _ in kit.writes()) == ["crm", "shop"], "the shop takes the sum alone"


def test_a_line_taken_out_in_accounting_goes_everywhere(kit: Kit, hub: Hub) -> None:
    tell(hub, NUTS)
    sync(hub)
    assert goods(card(kit)["lines"]) == {"N-1": AS_IT_WAS["N-1"]}
    assert deal(hub).amount == Decimal("20.00")


def change_card(kit: Kit, hub: Hub, amount: str, *lines: dict[str, Any]) -> None:
    (id,) = kit.world("crm").rows("deal")
    kit.world("crm").put("deal", {"lines": list(lines), "amount": amount}, id)
    sync(hub)


MORE_NUTS = {"id": "k2", "sku": "N-1", "name": "Гайка", "qty": "5", "sum": "25.00"}
SAME_BOLTS = {"id": "k1", "sku": "B-1", "name": "Болт", "qty": "2", "sum": "100.10"}
WASHERS = {"id": "k3", "sku": "W-1", "name": "Шайба", "qty": "1", "sum": "0.50"}


def test_the_manager_s_lines_are_offered_to_accounting_again(kit: Kit, hub: Hub) -> None:
    change_card(kit, hub, "125.60", SAME_BOLTS, MORE_NUTS, WASHERS)
    (item,) = offer(hub).items
    found = {row["sku"]: (row["id"], row["qty"], row["sum"]) for row in item.data["items"]}
    assert found == {"B-1": ("g1", "2", "100.1"), "N-1": ("g2", "5", "25"), "W-1": ("g3", "1", "0.5")}
    assert item.data["sum"] == "125.6"
    context(hub).confirm(offer(hub).id)
    kit.forget_calls()
    tell(hub, BOLTS, {**NUTS, "qty": "5", "sum": "25.00"}, line("Шайба", "W-1", "1", "0.50"))
    sync(hub)
    assert (kit.writes(), offer(hub).items, rows(hub, conflict)) == ([], [], [])


def test_changes_on_both_sides_before_they_met_are_put_together(kit: Kit, hub: Hub) -> None:
    change_card(kit, hub, "125.10", SAME_BOLTS, MORE_NUTS)
    tell(hub, {**BOLTS, "qty": "1", "sum": "50.05"}, NUTS)
    sync(hub)
    wanted = {"B-1": (Decimal(1), Decimal("50.05")), "N-1": (Decimal(5), Decimal("25.00"))}
    assert goods(deal(hub).data["lines"]) == wanted == goods(card(kit)["lines"])
    (item,) = offer(hub).items
    assert {row["sku"]: row["qty"] for row in item.data["items"]} == {"B-1": "1", "N-1": "5"}


def test_of_two_changes_of_one_line_the_accountant_s_counts_and_the_journal_says_so(kit: Kit, hub: Hub) -> None:
    change_card(kit, hub, "125.10", SAME_BOLTS, MORE_NUTS)
    tell(hub, BOLTS, {**NUTS, "qty": "3", "sum": "15.00"})
    sync(hub)
    assert goods(deal(hub).data["lines"]) == {**AS_IT_WAS, "N-1": (Decimal(3), Decimal("15.00"))}
    last = [n for n in rows(hub, journal) if "lines" in n.changes and n.link_id is None][-1]
    assert (last.why, last.connection) == ("prefer", "onec")
    assert goods(last.changes["lines"][0])["N-1"] == (Decimal(5), Decimal("25.00"))
    assert goods(card(kit)["lines"])["N-1"] == (Decimal(3), Decimal("15.00"))


def test_an_order_that_1c_does_not_let_change_is_named_in_the_report(kit: Kit, hub: Hub) -> None:
    assert reports.deals(hub)[0]["differences"] == []
    change_card(kit, hub, "120.10", SAME_BOLTS, {**MORE_NUTS, "sku": "W-1", "name": "Шайба", "sum": "20.00"})
    context(hub).confirm(offer(hub).id)
    tell(hub, BOLTS, NUTS, status_1c="КОбеспечению")  # it said success, and kept what it had
    sync(hub)
    assert set(goods(deal(hub).data["lines"])) == {"B-1", "W-1"}, "the manager's word stands"
    (row,) = reports.deals(hub)
    assert row["kinds"] == ["lines"]
    assert "W-1: — / 5 на 20.00" in row["differences"][0]
    assert "N-1: 4 на 20.00 / —" in row["differences"][0]


def test_what_a_system_cannot_take_is_told_by_verify(kit: Kit, hub: Hub) -> None:
    tell(hub, NUTS)
    sync(hub)
    looked = Pass(hub.world, hub.plugs["shop"], "deal")
    for page, asked in looked.pages():
        looked.compare(page, asked)
    assert looked.finish().kept["lines"] == 1
    assert len(kit.world("shop").record("deal", "1").data["lines"]) == 2, "the shop's order is not touched"


def test_lines_that_do_not_come_to_the_amount_are_a_named_problem(kit: Kit, hub: Hub) -> None:
    tell(hub, BOLTS, NUTS, amount="120.11", sum="120.11")
    held = one(hub, quarantine, state="open")
    assert (held.code, held.stage, held.record_uid) == ("deal.total", "totals", deal(hub).uid)
    assert "120.11" in held.text["ru"]
    assert "120.10" in held.text["ru"]
    assert deal(hub).amount == Decimal("120.11"), "nothing is put right in silence"
    assert "stopped" in reports.deals(hub)[0]["kinds"]
    sync(hub)
    tell(hub, BOLTS, NUTS)
    sync(hub)
    assert rows(hub, quarantine, state="open") == []


@pytest.mark.parametrize(
    "lines",
    [
        [{"key": "1", "sku": "B-1", "qty": "много", "sum": "1"}],
        [{"sku": "B-1", "qty": "1", "sum": "1"}],
        [{"key": "1", "sku": "B-1", "qty": "1", "sum": ["1"]}],
        "нет",
        {"1": {}},
    ],
)
def test_lines_that_cannot_be_read_wipe_nothing(kit: Kit, hub: Hub, lines: Any) -> None:
    give(hub, "onec", "order", "1043", {"number": "1043", "currency": "RUB", "lines": lines, "documents": []})
    sync(hub)
    assert goods(deal(hub).data["lines"]) == AS_IT_WAS
    assert goods(card(kit)["lines"]) == AS_IT_WAS
    assert one(hub, quarantine, state="open").code == "mapping.value"


def test_a_cancelled_order_without_lines_does_not_empty_the_deal(kit: Kit, hub: Hub) -> None:
    give(
        hub,
        "onec",
        "order",
        "1043",
        {"number": "1043", "sum": "0", "currency": "RUB", "cancelled": True, "documents": []},
    )
    assert (goods(deal(hub).data["lines"]), deal(hub).amount) == (AS_IT_WAS, Decimal("120.10"))


def test_an_accountant_s_line_that_no_catalogue_brought_does_not_hold_the_order(kit: Kit, hub: Hub) -> None:
    tell(hub, BOLTS, NUTS, line("Доставка", "", "1", "300.00", product="g99"))
    sync(hub)
    change_card(kit, hub, "400.10", SAME_BOLTS, {"id": "9", "name": "Доставка", "qty": "1", "sum": "300.00"})
    (item,) = offer(hub).items
    assert [row.get("id") for row in item.data["items"]] == ["g1", "g99"]
    assert rows(hub, quarantine, state="open") == []
