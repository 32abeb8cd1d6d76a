"""The keyset walk: every measured way of losing an order, tried on the stand-in."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.base import BadConfig, RetryLater
from adapters.woocommerce import WooCommerceAdapter
from tests.adapters.woocommerce_kit import NOON, adapter_at, ids, newest, pages
from tests.peers.woo import WooPeer


@pytest.fixture
def shop():
    with WooPeer(now=NOON) as peer:
        yield peer


def fill(shop: WooPeer, count: int, tick: int = 1) -> list[str]:
    shop.state["tick"] = tick
    made = [str(shop.add_order()["id"]) for _ in range(count)]
    shop.state["tick"] = 1
    return made


def list_calls(shop: WooPeer) -> list[dict[str, str]]:
    return [call["query"] for call in shop.calls("GET", "/orders")]


def test_a_first_scan_gives_every_order_once_and_proves_to_be_complete(shop: WooPeer) -> None:
    made = fill(shop, 23)
    with adapter_at(shop, page_size=5) as adapter:
        found = pages(adapter)
    assert ids(found) == made
    assert [page.last for page in found] == [False] * (len(found) - 1) + [True]
    assert [page.complete for page in found] == [False] * (len(found) - 1) + [True]
    assert "modified_after" not in list_calls(shop)[0]
    assert all(call["status"] == "any" and call["orderby"] == "modified" for call in list_calls(shop))


def test_money_is_never_a_float_and_what_changes_by_itself_is_left_out(shop: WooPeer) -> None:
    fill(shop, 1)
    with adapter_at(shop) as adapter:
        (record,) = pages(adapter)[0].records
    assert record.data["line_items"][0]["price"] == Decimal("117.9")
    assert record.data["total"] == "448.44"
    assert "_links" not in record.data
    assert record.version == NOON
    assert "float" not in {type(v).__name__ for line in record.data["line_items"] for v in line.values()}


def test_an_empty_shop_is_complete_and_is_asked_again_from_the_start(shop: WooPeer) -> None:
    with adapter_at(shop) as adapter:
        (page,) = pages(adapter)
        assert (page.records, page.last, page.complete, page.cursor) == ([], True, True, {})
        made = fill(shop, 2)
        assert ids(pages(adapter, page.cursor)) == made


@pytest.mark.parametrize("change", ["edit", "trash", "force"])
@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_change_between_two_pages_loses_nothing(shop: WooPeer, change: str, size: int) -> None:
    made = fill(shop, 24)
    with adapter_at(shop, page_size=size) as adapter:
        scan = adapter.scan("order", None)
        found = [next(scan), next(scan)]
        victim = made[0]
        if change == "edit":
            shop.edit_order(victim, customer_note="позже")
        else:
            shop.trash(victim, force=change == "force")
        found += list(scan)
    assert set(ids(found)) == set(made)
    if change == "edit":
        assert newest(found)[victim].data["customer_note"] == "позже"
    else:
        assert len(ids(found)) == len(made)


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_more_orders_in_one_second_than_fit_a_page(shop: WooPeer, size: int) -> None:
    made = fill(shop, 2) + fill(shop, 35, tick=0) + fill(shop, 3)
    with adapter_at(shop, page_size=size) as adapter:
        found = pages(adapter)
    assert ids(found) == made
    assert found[-1].complete


@pytest.mark.parametrize("change", ["edit", "trash"])
@pytest.mark.parametrize("at", [0, 4, 7])
def test_a_change_inside_a_crowded_second_loses_nothing(shop: WooPeer, change: str, at: int) -> None:
    made = fill(shop, 40, tick=0)
    shop.advance(5)
    with adapter_at(shop, page_size=10) as adapter:
        scan = adapter.scan("order", None)
        found = [next(scan)]
        for victim in made[at : at + 3]:  # all before the place that was reached: the rest moves up by three
            if change == "edit":
                shop.edit_order(victim, customer_note="позже")
            else:
                shop.trash(victim)
        found += list(scan)
    assert set(ids(found)) == set(made)
    assert len(ids(found)) == len(made) + (3 if change == "edit" else 0)


def test_a_newcomer_into_a_crowded_second_shifts_nothing_away(shop: WooPeer) -> None:
    early = str(shop.add_order()["id"])
    made = fill(shop, 20, tick=0)
    with adapter_at(shop, page_size=6) as adapter:
        scan = adapter.scan("order", None)
        found = [next(scan), next(scan)]
        shop.edit_order(early, customer_note="той же секундой")  # its id sorts before all others of this second
        found += list(scan)
        assert set(ids(found)) == {early, *made}
        again = newest(pages(adapter, found[-1].cursor))
    assert again[early].data["customer_note"] == "той же секундой"


def test_the_next_scan_overlaps_and_finds_what_was_committed_late(shop: WooPeer) -> None:
    made = fill(shop, 5)
    late = shop.state["orders"].pop(made[2])  # its transaction is still open while the scan runs
    with adapter_at(shop, overlap=120) as adapter:
        first = pages(adapter)
        assert late["id"] not in map(int, ids(first))
        shop.state["orders"][str(late["id"])] = late
        second = pages(adapter, first[-1].cursor)
    assert str(late["id"]) in ids(second)
    assert not second[-1].complete


def test_a_quiet_shop_is_not_read_again_and_again(shop: WooPeer) -> None:
    fill(shop, 30)
    with adapter_at(shop, overlap=120) as adapter:
        cursor = pages(adapter)[-1].cursor
        assert len(ids(pages(adapter, cursor))) == 30  # all within the overlap
        shop.advance(500)
        cursor = pages(adapter, cursor)[-1].cursor
        before = len(shop.calls("GET", "/orders"))
        (page,) = pages(adapter, cursor)
        assert (page.records, page.last) == ([], True)
        assert len(shop.calls("GET", "/orders")) == before + 1
        edited = shop.edit_order(next(iter(shop.state["orders"])), customer_note="ново")
        assert ids(pages(adapter, page.cursor)) == [str(edited["id"])]


def test_a_scan_can_be_stopped_at_every_page_and_resumed(shop: WooPeer) -> None:
    made = fill(shop, 4) + fill(shop, 13, tick=0) + fill(shop, 4)
    found: list[str] = []
    cursor: Any = None
    with adapter_at(shop, page_size=4) as adapter:
        for _ in range(40):
            page = next(adapter.scan("order", cursor))
            found += [record.id for record in page.records]
            cursor = json.loads(json.dumps(page.cursor))
            if page.last:
                break
    assert found == made
    assert not page.complete  # a resumed scan did not see the beginning


def test_drafts_are_no_orders_and_trash_is_not_listed(shop: WooPeer) -> None:
    kept = shop.add_order(status="pending")
    shop.add_order(status="checkout-draft")
    shop.trash(shop.add_order()["id"])
    with adapter_at(shop) as adapter:
        assert ids(pages(adapter)) == [str(kept["id"])]


def test_a_stamp_of_the_future_does_not_hide_later_changes(shop: WooPeer) -> None:
    first, second = fill(shop, 2)
    shop.state["orders"][second]["date_modified_gmt"] = "2027-01-01T00:00:00"
    shop.state["orders"][second]["date_modified"] = "2027-01-01T03:00:00"
    with adapter_at(shop) as adapter:
        cursor = pages(adapter)[-1].cursor
        shop.advance(600)
        shop.edit_order(first, customer_note="сейчас")
        assert newest(pages(adapter, cursor))[first].data["customer_note"] == "сейчас"


@pytest.mark.parametrize("zone", [-8, 0, 3, 12])
def test_the_shops_zone_changes_nothing(zone: int) -> None:
    with WooPeer(now=NOON, tz=zone) as shop, adapter_at(shop, page_size=4) as adapter:
        made = fill(shop, 11)
        found = pages(adapter)
        assert ids(found) == made
        shop.advance(500)
        shop.edit_order(made[3], customer_note="x")
        assert made[3] in ids(pages(adapter, found[-1].cursor))
    assert all(
        "+" not in call["modified_after"] and "Z" not in call["modified_after"] and call["dates_are_gmt"] == "true"
        for call in list_calls(shop)
        if "modified_after" in call
    )


@pytest.mark.parametrize("zone", [-5, 3])
def test_a_shop_that_ignores_the_flag_is_named_instead_of_losing_orders(zone: int) -> None:
    with WooPeer(now=NOON, tz=zone, ignore_gmt_flag=True) as shop, adapter_at(shop, overlap=1) as adapter:
        made = fill(shop, 9)
        shop.advance(3600)
        cursor = {"modified": shop.state["orders"][made[-1]]["date_modified_gmt"], "done": True}
        with pytest.raises(BadConfig) as failure:
            pages(adapter, cursor)
    assert failure.value.code == "woo.filter"


def test_an_emptied_shop_is_believed_after_a_second_look(shop: WooPeer) -> None:
    (only,) = fill(shop, 1)
    with adapter_at(shop) as adapter:
        cursor = pages(adapter)[-1].cursor
        shop.trash(only, force=True)
        (page,) = pages(adapter, cursor)
    assert (page.records, page.last, page.complete) == ([], True, False)


def test_rows_that_the_shop_counts_but_hides_stop_the_scan(shop: WooPeer) -> None:
    shop.fault("status", "/orders", status=200, body="[]", headers={"X-WP-Total": "7"})
    with adapter_at(shop) as adapter, pytest.raises(RetryLater) as failure:
        pages(adapter)
    assert failure.value.code == "woo.hidden"


def test_fewer_rows_than_counted_at_the_start_prove_nothing_about_absence(shop: WooPeer) -> None:
    made = fill(shop, 12)
    with adapter_at(shop, page_size=5) as adapter:
        scan = adapter.scan("order", None)
        found = [next(scan)]
        shop.trash(made[-1], force=True)
        found += list(scan)
    assert found[-1].last
    assert not found[-1].complete


# a slow or failing shop ---------------------------------------------------------------------------------------------


def sizes(shop: WooPeer) -> list[int]:
    return [int(call["per_page"]) for call in list_calls(shop)]


def test_a_slow_shop_gets_smaller_pages_and_slowly_larger_ones_again(shop: WooPeer) -> None:
    made = fill(shop, 60)
    shop.fault("delay", "per_page=16", seconds=1.3)
    shop.fault("status", "per_page=8", status=502, body="<html>Bad Gateway</html>")
    with adapter_at(shop, page_size=16, timeout=1) as adapter:
        assert ids(pages(adapter)) == made
    assert sizes(shop)[:3] == [16, 8, 4]
    assert sizes(shop)[3:6] == [5, 5, 6]  # four and the guard row; grown after three good answers
    assert max(sizes(shop)[3:]) < 16


def test_a_shop_that_cannot_even_give_one_row_is_left_for_later(shop: WooPeer) -> None:
    fill(shop, 3)
    shop.fault("status", "/orders", times=99, status=500, body="<html>Fatal error</html>")
    with adapter_at(shop, page_size=8) as adapter, pytest.raises(RetryLater) as failure:
        pages(adapter)
    assert failure.value.code == "woo.server"
    assert sizes(shop) == [8, 4, 2, 1]


def test_retry_after_is_obeyed_and_told_to_the_limiter(shop: WooPeer) -> None:
    shop.fault("status", "/orders", status=429, body="slow down", headers={"Retry-After": "90"})
    with adapter_at(shop) as adapter:
        with pytest.raises(RetryLater) as failure:
            pages(adapter)
        assert (failure.value.code, failure.value.after) == ("woo.limit", 90)
        assert adapter.context.limiter.penalties == [90]


BROKEN = {
    "page": ("<!DOCTYPE html><html><body>Сайт на обслуживании</body></html>", "woo.html"),
    "warning": ('<br />\n<b>Warning</b>: Undefined index in x.php on line 3<br />\n[{"id":1}]', "woo.html"),
    "empty": ("", "woo.empty"),
    "blank": (" \n", "woo.empty"),
    "cut": ('[{"id": 62, "status": "proc', "woo.truncated"),
    "object": ('{"id": 62}', "woo.shape"),
    "error with 200": ('{"code":"internal_server_error","message":"x"}', "woo.shape"),
    "rows without id": ('[{"status": "processing"}]', "woo.shape"),
    "numbers": ("[1, 2]", "woo.shape"),
    "not a number": ('[{"id": 62, "total": NaN}]', "woo.truncated"),
    "windows-1251": ('[{"id": 62, "status": "Ёж"}]'.encode("cp1251"), "woo.truncated"),
    "deep": ("[" * 60_000, "woo.truncated"),
    "undated": ('[{"id": 62, "date_modified_gmt": null}]', "woo.hidden"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_with_status_200_is_never_an_empty_list(shop: WooPeer, name: str) -> None:
    made = fill(shop, 2)
    body, code = BROKEN[name]
    shop.fault("status", "/orders", times=99, status=200, body=body)
    with adapter_at(shop) as adapter:
        with pytest.raises(RetryLater) as failure:
            pages(adapter)
        assert failure.value.code == code
        assert "обслуживании" not in failure.value.text.ru
        shop.faults.clear()
        assert ids(pages(adapter)) == made


def test_a_byte_order_mark_before_the_json_is_tolerated(shop: WooPeer) -> None:
    made = fill(shop, 3)
    shop.state["bom"] = True
    with adapter_at(shop) as adapter:
        assert ids(pages(adapter)) == made


def test_a_cut_connection_costs_a_smaller_page_not_the_scan(shop: WooPeer) -> None:
    made = fill(shop, 6)
    shop.fault("drop", "/orders")
    with adapter_at(shop, page_size=4) as adapter:
        assert ids(pages(adapter)) == made


def test_products_are_scanned_in_the_same_way(shop: WooPeer) -> None:
    made = [str(shop.add_product(f"A-{n}", f"Товар {n}", "10.50", n, related_ids=[n])["id"]) for n in range(7)]
    with adapter_at(shop, page_size=3) as adapter:
        found = pages(adapter, kind="product")
        assert ids(found) == made
        assert found[-1].complete
        assert "related_ids" not in found[0].records[0].data
        shop.edit_product(made[1], stock_quantity=99)
        assert newest(pages(adapter, found[-1].cursor, "product"))[made[1]].data["stock_quantity"] == 99


def test_a_foreign_or_spoilt_cursor_starts_anew(shop: WooPeer) -> None:
    made = fill(shop, 2)
    with adapter_at(shop) as adapter:
        for cursor in ({"modified": "когда-то"}, {"page": 3}, {"modified": 5}):
            assert ids(pages(adapter, cursor)) == made


def test_reading_one_record(shop: WooPeer) -> None:
    order, draft, gone = shop.add_order(), shop.add_order(status="checkout-draft"), shop.add_order()
    shop.trash(gone["id"])
    with adapter_at(shop) as adapter:
        found = adapter.read("order", str(order["id"]))
        assert found is not None
        assert (found.id, found.deleted, found.version) == (str(order["id"]), False, order["date_modified_gmt"])
        trashed = adapter.read("order", str(gone["id"]))
        assert trashed is not None
        assert trashed.deleted
        assert adapter.read("order", str(draft["id"])) is None
        shop.trash(gone["id"], force=True)
        assert adapter.read("order", str(gone["id"])) is None
        assert adapter.read("order", "../products") is None
        assert adapter.read("product", "12345") is None


def test_every_call_waits_for_the_limiter(shop: WooPeer) -> None:
    fill(shop, 9)
    with adapter_at(shop, page_size=4) as adapter:
        pages(adapter)
        assert adapter.context.limiter.waits == len(shop.calls())


def test_declared_capabilities() -> None:
    declared = WooCommerceAdapter.capabilities
    assert declared.scans == declared.reads == declared.updates == {"order", "product"}
    assert not declared.creates
    assert not declared.finds
    assert declared.receives
    assert declared.files
