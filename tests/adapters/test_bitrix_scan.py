"""Scanning the CRM stand-in: nothing lost, nothing believed that an odd answer says, product rows and clients with it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.base import BadConfig, RetryLater
from adapters.testing import assert_error, assert_record
from tests.adapters.bitrix_kit import NOON, adapter_at, ids, pages
from tests.peers.bitrix import BitrixPeer
from tests.peers.http import Answer, Call


@pytest.fixture
def portal():
    with BitrixPeer(now=NOON, tick=0) as peer:
        yield peer


def test_five_thousand_deals_come_once_each_in_pages_of_fifty(portal):
    made = [portal.add("deal", TITLE=f"Д{n}") for n in range(5000)]
    with adapter_at(portal) as adapter:
        found = pages(adapter)
    assert ids(found) == made
    assert [len(page.records) for page in found] == [50] * 100 + [0]
    assert [page.last for page in found] == [False] * 100 + [True]
    assert found[-1].complete
    assert not portal.calls("POST", "crm.item.productrow.list")  # only inside of batches
    assert len(portal.calls()) == 201  # 101 lists, 100 batches


def test_a_scan_resumes_at_every_page_and_a_resumed_one_is_not_complete(portal):
    made = [portal.add("contact", NAME=f"К{n}") for n in range(120)]
    with adapter_at(portal) as adapter:
        found = pages(adapter, None, "contact")
        for place, page in enumerate(found[:-1]):
            rest = pages(adapter, json.loads(json.dumps(page.cursor)), "contact")
            assert ids(found[: place + 1]) + ids(rest) == made
            assert not any(one.complete for one in rest)


def test_equal_stamps_hide_nothing(portal):
    """A hundred deals imported within one second: the stamp orders nothing here."""
    with adapter_at(portal) as adapter:
        cursor = pages(adapter)[-1].cursor
        portal.advance(1000)
        made = [portal.add("deal", TITLE=f"Д{n}") for n in range(130)]
        assert ids(pages(adapter, cursor)) == made


def test_what_is_edited_during_a_walk_comes_in_the_next_one(portal):
    made = [portal.add("deal", TITLE=f"Д{n}") for n in range(60)]
    portal.advance(1000)
    with adapter_at(portal) as adapter:
        walk = adapter.scan("deal", None)
        next(walk)
        portal.edit("deal", made[0], TITLE="правка позади")
        portal.edit("deal", made[59], TITLE="правка впереди")
        last = list(walk)[-1]
        assert last.records[-1].data["TITLE"] == "правка впереди"
        again = pages(adapter, last.cursor)
        assert ids(again) == [made[0], made[59]]


def test_a_quiet_portal_costs_one_call_and_old_records_do_not_come_again(portal):
    portal.add("deal", TITLE="Старая")
    portal.advance(5000)
    with adapter_at(portal) as adapter:
        cursor = pages(adapter)[-1].cursor
        portal.log.clear()
        assert ids(pages(adapter, cursor)) == []
        assert len(portal.calls()) == 1


def test_the_overlap_is_read_again_unchanged(portal):
    made = portal.add("deal", TITLE="Свежая")
    with adapter_at(portal, overlap=60) as adapter:
        first = pages(adapter)
        second = pages(adapter, first[-1].cursor)
        assert ids(second) == [made]
        assert second[0].records == first[0].records
        portal.advance(61)
        third = pages(adapter, second[-1].cursor)
        assert ids(third) == [made]  # the bookmark of the second walk lay before it as well
        assert ids(pages(adapter, third[-1].cursor)) == []


def test_the_portals_zone_and_a_wrong_clock_here_do_not_matter(portal):
    """The bookmark is made of the portal's own clock, with its offset."""
    portal.state["tz"] = 11
    with adapter_at(portal, now=lambda: portal.now() + timedelta(days=40)) as adapter:
        cursor = pages(adapter)[-1].cursor
        assert cursor["since"] == "2026-11-22T07:07:18+00:00"
        portal.advance(1000)
        made = portal.add("deal", TITLE="Новая")
        (record,) = pages(adapter, cursor)[0].records
        assert record.id == made
        assert record.data["DATE_CREATE"] == "2026-11-22T18:25:58+11:00"


def test_a_deal_comes_with_its_rows_and_its_client(portal):
    contact = portal.add("contact", NAME="Анна", LAST_NAME="Тестова", PHONE=[{"VALUE": "8 (916) 123-45-67"}])
    company = portal.add("company", TITLE="ООО «Проба»", EMAIL=[{"VALUE": "info@example.test"}])
    deal = portal.add("deal", TITLE="Заказ", CATEGORY_ID=1, STAGE_ID="C1:WON", CONTACT_ID=contact, COMPANY_ID=company)
    portal.set_rows("deal", deal, [{"productName": f"Т{n}", "price": "0.10", "quantity": 3} for n in range(120)])
    bare = portal.add("deal", TITLE="Без клиента")
    with adapter_at(portal) as adapter:
        full, empty = pages(adapter)[0].records
        assert adapter.read("deal", deal) == full
    assert full.data["CLIENT"]["CONTACT"]["PHONES"] == ["8 (916) 123-45-67"]
    assert full.data["CLIENT"]["COMPANY"]["EMAILS"] == ["info@example.test"]
    assert (full.data["STAGE"], full.data["STAGE_ID"]) == ("WON", "C1:WON")
    assert [row["productName"] for row in full.data["PRODUCT_ROWS"]] == [f"Т{n}" for n in range(120)]
    assert full.data["PRODUCT_ROWS"][0]["price"] == Decimal("0.1")
    assert {row["total"] for row in full.data["PRODUCT_ROWS"]} == {"0.30"}
    assert full.data["OPPORTUNITY"] == "36.00"
    assert (empty.id, empty.data["CLIENT"], empty.data["PRODUCT_ROWS"]) == (bare, {}, [])


def test_a_client_that_was_deleted_leaves_its_deal_readable(portal):
    contact = portal.add("contact", NAME="Анна")
    deal = portal.add("deal", TITLE="Заказ", CONTACT_ID=contact)
    portal.remove("contact", contact)
    with adapter_at(portal) as adapter:
        record = adapter.read("deal", deal)
    assert record is not None
    assert record.data["CLIENT"] == {}
    assert record.data["CONTACT_ID"] == contact


def test_what_moves_by_itself_is_no_change(portal):
    deal = portal.add("deal", TITLE="Заказ")
    with adapter_at(portal) as adapter:
        before = adapter.read("deal", deal)
        portal.advance(100)
        portal.edit("deal", deal)  # a view, a call: only stamps move
        after = adapter.read("deal", deal)
    assert before is not None
    assert after is not None
    assert before.data == after.data
    assert before.version != after.version


def test_not_found_is_gone_and_a_missing_right_is_not(portal):
    deal = portal.add("deal", TITLE="Заказ")
    with adapter_at(portal) as adapter:
        assert adapter.read("deal", "777") is None
        assert adapter.read("deal", "x/../1") is None
        portal.state["rights"] = ["deal"]
        with pytest.raises(BadConfig) as told:
            adapter.read("deal", deal)
        assert told.value.code == "bitrix.rights"
        portal.state["rights"] = []
        portal.fault("status", "crm.deal.list", body='{"result": [], "total": 0, "time": {}}', status=200)
        with pytest.raises(RetryLater) as hidden:
            adapter.read("deal", deal)
        assert hidden.value.code == "bitrix.hidden"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html><body>502 Bad Gateway</body></html>", "bitrix.html"),
        (b"", "bitrix.empty"),
        (b" \r\n", "bitrix.empty"),
        (b'{"result": [{"ID": "1", "TITLE": "\xd0', "bitrix.truncated"),
        (b'{"result": [{"ID": "1"', "bitrix.truncated"),
        (b'{"result": {"ID": NaN}}', "bitrix.truncated"),
        (b"[]", "bitrix.shape"),
        (b"null", "bitrix.shape"),
        (b'{"ok": 1}', "bitrix.shape"),
        (b'{"result": {}}', "bitrix.shape"),
        (b'{"result": "no"}', "bitrix.shape"),
        (b'{"result": [{"TITLE": "no id"}]}', "bitrix.shape"),
        (b'{"result": [1]}', "bitrix.shape"),
        (b'{"result": []}', "bitrix.shape"),  # an empty list without the portal's time is not the portal's
    ],
)
def test_an_odd_answer_with_status_200_is_never_an_empty_list(portal, body, code):
    portal.add("deal", TITLE="Заказ")
    portal.fault("status", "deal.list", body=body, status=200)
    with adapter_at(portal) as adapter:
        with pytest.raises(RetryLater) as told:
            pages(adapter)
        assert told.value.code == code
        assert_error(told.value, (portal.secret,))
        assert ids(pages(adapter)) == ["1"]  # nothing was lost


def test_a_batch_that_lacks_answers_is_not_believed(portal):
    portal.add("deal", TITLE="Заказ")
    answers = [
        {"result": {"result": [], "result_error": []}},
        {"result": []},
        {"result": {"result": {"rows_1": {"productRows": 5}}, "result_error": []}},
    ]
    with adapter_at(portal) as adapter:
        for answer in answers:
            portal.fault("status", "/batch", body=answer, status=200)
            with pytest.raises(RetryLater):
                pages(adapter)
        assert ids(pages(adapter)) == ["1"]


def test_a_filter_that_does_not_filter_is_noticed(portal):
    class Deaf(BitrixPeer):
        def handle(self, call: Call) -> Answer:
            if "crm.deal.list" in call.path:
                call.body = json.dumps(json.loads(call.body) | {"filter": {}}).encode()
            return super().handle(call)

    with Deaf(now=NOON, tick=0) as deaf, adapter_at(deaf) as adapter:
        deaf.add("deal", TITLE="Старая")
        deaf.advance(5000)
        cursor = pages(adapter)[-1].cursor
        with pytest.raises(BadConfig) as told:
            pages(adapter, cursor)
        assert told.value.code == "bitrix.filter"


def test_forty_numbers_in_one_card(portal):
    phones = [{"VALUE": f"+7916{n:07}", "VALUE_TYPE": "MOBILE"} for n in range(40)]
    id = portal.add("contact", NAME="Много", PHONE=[*phones, {"VALUE": "\x00 x"}])
    with adapter_at(portal) as adapter:
        record = adapter.read("contact", id)
    assert record is not None
    assert record.data["PHONES"][39:] == ["+79160000039", " x"]
    assert_record(record)


def test_half_letters_and_nuls_do_not_get_in(portal):
    row = '{"ID": "5", "TITLE": "a\\ud800b\\u0000c \\ud83d\\ude00", "DATE_MODIFY": null}'
    portal.fault("status", "company.list", body='{"result": [' + row + "]}", status=200)
    with adapter_at(portal) as adapter:
        record = adapter.read("company", "5")
    assert record is not None
    assert record.data["TITLE"] == "a\ufffdbc 😀"
    assert_record(record)
