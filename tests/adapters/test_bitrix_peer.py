"""The CRM stand-in is judged by two clients that we did not write: the vendor's b24pysdk and fast_bitrix24."""

from __future__ import annotations

import asyncio
import json
import types
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

import b24pysdk.api.requesters.bitrix_api_requester as sdk_wire
import pytest
import requests
from b24pysdk import BitrixWebhook
from b24pysdk.client import ClientV2
from b24pysdk.credentials import OAuthEventData
from b24pysdk.errors import (
    BitrixAPIBadRequest,
    BitrixAPIExpiredToken,
    BitrixAPIInsufficientScope,
    BitrixAPIOperationTimeLimit,
    BitrixAPIOverloadLimit,
    BitrixRequestError,
    BitrixResponseJSONDecodeError,
)
from fast_bitrix24 import Bitrix

from tests.peers.bitrix import BitrixPeer
from tests.peers.bitrix_wire import form, parse_str
from tests.peers.woo_hooks import HookSink


@pytest.fixture
def portal() -> Iterator[BitrixPeer]:
    with BitrixPeer() as peer:
        yield peer


@pytest.fixture
def vendors(portal: BitrixPeer, monkeypatch: pytest.MonkeyPatch) -> BitrixWebhook:
    """The vendor's SDK always says https; only that word is changed, on the way to the stand-in."""

    def post(url: str, **more: Any) -> requests.Response:
        return requests.post(url.replace("https://", "http://", 1), **more)

    names = {name: getattr(requests, name) for name in ("Response", "Timeout", "RequestException")}
    monkeypatch.setattr(sdk_wire, "requests", types.SimpleNamespace(post=post, **names))
    return BitrixWebhook(domain=portal.url.removeprefix("http://"), webhook_token=f"{portal.user}/{portal.secret}")


@pytest.fixture
def fast(portal: BitrixPeer) -> Iterator[Bitrix]:
    """It takes the thread's event loop and leaves it open: here it is given one that is closed afterwards."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Bitrix(portal.webhook, verbose=False)
    asyncio.set_event_loop(None)
    loop.close()


def titles(rows: Any) -> list[str]:
    return sorted(row["TITLE"] for row in rows)


def fill(portal: BitrixPeer, count: int) -> list[str]:
    for number in range(count):
        portal.add("deal", TITLE=f"Д{number:04}", OPPORTUNITY="10.5")
    return sorted(row["TITLE"] for row in portal.state["deal"].values())


# the vendor's SDK ------------------------------------------------------------------------------------------------------


def test_the_vendors_client_reads_whole_lists_by_offset_and_by_chained_batches(
    portal: BitrixPeer, vendors: BitrixWebhook
) -> None:
    wanted = fill(portal, 260)
    select = {"select": ["ID", "TITLE"]}
    assert titles(vendors.call_list("crm.deal.list", select)["result"]) == wanted
    assert titles(vendors.call_list_fast("crm.deal.list", select)["result"]) == wanted  # $result[…] references
    page = vendors.call_method("crm.deal.list", {**select, "order": {"ID": "DESC"}, "start": 50})
    assert (page["total"], page["next"], page["result"][0]["ID"]) == (260, 100, "210")


def test_the_vendors_client_adds_in_batches_of_fifty(portal: BitrixPeer, vendors: BitrixWebhook) -> None:
    methods = [("crm.deal.add", {"fields": {"TITLE": f"Д{number}"}}) for number in range(120)]
    answer = vendors.call_batches(methods)
    assert len(portal.state["deal"]) == 120
    assert len(portal.calls("POST", "batch")) == 3
    assert len(answer["result"]["result"]) == 120
    one = vendors.call_batch({"good": ("crm.deal.get", {"id": 7}), "bad": ("crm.deal.get", {"id": 999})})
    assert one["result"]["result"]["good"]["TITLE"] == "Д6"
    assert one["result"]["result_error"]["bad"]["error_description"] == "Not found"


def test_the_vendors_client_changes_multifields_by_their_ids(portal: BitrixPeer, vendors: BitrixWebhook) -> None:
    phones = [{"VALUE": value, "VALUE_TYPE": "WORK"} for value in ("111111", "222222", "333333")]
    id = vendors.call_method("crm.contact.add", {"fields": {"NAME": "Иван", "PHONE": phones}})["result"]
    first, second, third = portal.row("contact", id)["PHONE"]
    change = [{"ID": second["ID"], "VALUE": "444444", "VALUE_TYPE": "MOBILE"}, {"ID": first["ID"], "DELETE": "Y"}]
    added = {"VALUE": "555555", "VALUE_TYPE": "HOME"}
    vendors.call_method("crm.contact.update", {"id": id, "fields": {"PHONE": [*change, added]}})
    after = vendors.call_method("crm.contact.get", {"id": id})["result"]["PHONE"]
    assert [(one["VALUE"], one["VALUE_TYPE"]) for one in after] == [
        ("444444", "MOBILE"),
        ("333333", "WORK"),
        ("555555", "HOME"),
    ]
    assert [one["ID"] for one in after][:2] == [second["ID"], third["ID"]]


@pytest.mark.parametrize(
    ("switch", "method", "expected"),
    [
        ({"auth": "expired_token"}, "crm.deal.list", BitrixAPIExpiredToken),
        ({"scope": ["user"]}, "crm.deal.list", BitrixAPIInsufficientScope),
        ({"operating": {"crm.deal.list": 481}}, "crm.deal.list", BitrixAPIOperationTimeLimit),
        ({}, "crm.deal.get", BitrixAPIBadRequest),
    ],
)
def test_the_vendors_client_knows_the_errors(
    portal: BitrixPeer, vendors: BitrixWebhook, switch: dict[str, Any], method: str, expected: type[Exception]
) -> None:
    portal.state.update(switch)
    with pytest.raises(expected):
        vendors.call_method(method, {"id": 999})


def test_the_vendors_client_meets_the_limit_the_block_and_the_lost_answer(
    portal: BitrixPeer, vendors: BitrixWebhook
) -> None:
    portal.fault("status", status=503, body={"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
    again = {"initial_retry_delay": 0.01, "retry_delay_increment": 0}
    assert vendors.call_method("crm.deal.list", {}, **again)["result"] == []
    portal.fault(
        "status", times=9, status=503, body={"error": "OVERLOAD_LIMIT", "error_description": "REST API is blocked"}
    )
    with pytest.raises(BitrixAPIOverloadLimit):
        vendors.call_method("crm.deal.list", {}, **again)
    portal.faults.clear()
    portal.fault("status", status=500, body="<html>")
    with pytest.raises(BitrixResponseJSONDecodeError):
        vendors.call_method("crm.deal.list", {})
    portal.fault("drop", "crm.deal.add")
    with pytest.raises(BitrixRequestError):
        vendors.call_method("crm.deal.add", {"fields": {"TITLE": "Одна"}})
    assert len(portal.state["deal"]) == 1


def test_an_event_is_what_the_vendors_client_reads(portal: BitrixPeer) -> None:
    with HookSink() as sink:
        portal.subscribe(sink.url, "its-token", "ONCRMDEALADD", "ONCRMDEALDELETE")
        id = portal.add("deal", TITLE="Первая")
        portal.edit("deal", id, TITLE="Правка")
        portal.remove("deal", id)
        assert portal.deliver() == [200, 200]
        assert portal.deliver() == []
        bodies = [parse_str(one["body"]) for one in sink.state["got"]]
        sink.state["status"] = 500
        portal.add("deal", TITLE="Вторая")
        assert portal.deliver() == [500]
        assert portal.deliver() == []  # never again
    assert [(body["event"], body["data"]["FIELDS"]["ID"]) for body in bodies] == [
        ("ONCRMDEALADD", id),
        ("ONCRMDEALDELETE", id),
    ]
    flat = dict(pair.split("=", 1) for pair in form(bodies[0]).decode().split("&"))
    event = OAuthEventData.from_dict({urllib.parse.unquote(k): urllib.parse.unquote(v) for k, v in flat.items()})
    assert event.auth.application_token == "its-token"
    assert event.data == {"FIELDS": {"ID": id}}


# fast_bitrix24 ---------------------------------------------------------------------------------------------------------


def test_fast_bitrix24_lists_all_gets_by_id_and_adds(portal: BitrixPeer, fast: Bitrix) -> None:
    wanted = fill(portal, 137)
    assert titles(fast.get_all("crm.deal.list", {"select": ["ID", "TITLE"]})) == wanted
    found = fast.get_by_ID("crm.deal.get", ["3", "5"])
    assert {id: row["TITLE"] for id, row in found.items()} == {"3": "Д0002", "5": "Д0004"}
    made = fast.call("crm.deal.add", [{"fields": {"TITLE": f"Новая {n}"}} for n in range(60)])
    assert sorted(made) == list(range(138, 198))
    big = fast.get_all("crm.deal.list", {"filter": {">ID": 190, "%TITLE": "новая"}, "select": ["ID"]})
    assert [row["ID"] for row in big] == [str(n) for n in range(191, 198)]


def test_fast_bitrix24_passes_results_inside_of_a_batch(portal: BitrixPeer, fast: Bitrix) -> None:
    commands = {
        "who": "crm.contact.add?fields[NAME]=Анна&fields[PHONE][0][VALUE]=%2B79160000001",
        "deal": "crm.deal.add?fields[TITLE]=Заказ&fields[CONTACT_ID]=$result[who]",
        "rows": "crm.item.productrow.set?ownerType=D&ownerId=$result[deal]&productRows[0][productName]=Чай"
        "&productRows[0][price]=90.10&productRows[0][quantity]=3",
        "seen": "crm.deal.list?filter[ID]=$result[deal]&select[]=OPPORTUNITY&select[]=CONTACT_ID",
    }
    done = fast.call_batch({"halt": 1, "cmd": commands})
    assert done["seen"] == [{"ID": "1", "OPPORTUNITY": "270.30", "CONTACT_ID": "1"}]
    assert portal.row("contact", 1)["PHONE"][0]["VALUE"] == "+79160000001"


def test_fast_bitrix24_waits_out_the_limit_and_makes_two_of_a_lost_answer(portal: BitrixPeer, fast: Bitrix) -> None:
    """What the hub must not do: measured of this client, and seen here again."""
    portal.fault("status", status=503, body={"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
    assert fast.get_all("crm.deal.list") == []
    portal.fault("drop", "crm.deal.add")
    fast.call("crm.deal.add", {"fields": {"TITLE": "Одна"}})
    assert titles(portal.state["deal"].values()) == ["Одна", "Одна"]


# the wire itself ---------------------------------------------------------------------------------------------------------


def ask(portal: BitrixPeer, method: str, **params: Any) -> tuple[int, Any]:
    """A call without any client: (status, JSON)."""
    body = json.dumps(params).encode()
    request = urllib.request.Request(portal.webhook + method, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def test_unknown_fields_and_stages_are_ignored_in_silence(portal: BitrixPeer) -> None:
    _, made = ask(portal, "crm.deal.add", fields={"TITLE": "А", "TITEL": "Б", "STAGE_ID": "NO_SUCH"})
    assert portal.row("deal", made["result"])["STAGE_ID"] == "NEW"
    _, listed = ask(portal, "crm.deal.list", filter={">DATE_MODYFY": "2099-01-01"})
    assert len(listed["result"]) == 1
    ask(portal, "crm.deal.update", id=1, fields={"CATEGORY_ID": 1, "STAGE_ID": "C1:WON"})
    assert (portal.row("deal", 1)["CATEGORY_ID"], portal.row("deal", 1)["STAGE_ID"]) == ("0", "NEW")


def test_a_sum_with_rows_is_computed_unless_kept_by_hand(portal: BitrixPeer) -> None:
    id = portal.add("deal", TITLE="А", OPPORTUNITY="5")
    portal.set_rows("deal", id, [{"productName": "Чай", "price": "33.333", "quantity": 3}])
    assert portal.row("deal", id)["OPPORTUNITY"] == "100.00"
    ask(portal, "crm.deal.update", id=id, fields={"OPPORTUNITY": 7})
    assert portal.row("deal", id)["OPPORTUNITY"] == "100.00"
    ask(portal, "crm.deal.update", id=id, fields={"OPPORTUNITY": 7, "IS_MANUAL_OPPORTUNITY": "Y"})
    assert portal.row("deal", id)["OPPORTUNITY"] == "7.00"


def test_start_minus_one_counts_nothing_and_batches_have_fifty_commands(portal: BitrixPeer) -> None:
    fill(portal, 60)
    _, page = ask(portal, "crm.deal.list", start=-1, filter={">ID": 3}, order={"ID": "ASC"}, select=["ID"])
    assert (len(page["result"]), page["result"][0], page["total"], "next" in page) == (50, {"ID": "4"}, 0, False)
    _, done = ask(portal, "batch", halt=0, cmd={f"c{n}": "scope" for n in range(51)} | {"x": "batch?cmd[0]=scope"})
    errors = done["result"]["result_error"]
    assert errors["c50"]["error"] == "ERROR_BATCH_LENGTH_EXCEEDED"
    assert len(done["result"]["result"]) == 50
    assert done["result"]["result_next"] == []  # an empty PHP map


def test_the_bucket_leaks_and_overflows(portal: BitrixPeer) -> None:
    portal.state["limits"] = True
    codes = [ask(portal, "server.time")[0] for _ in range(60)]
    assert codes[:50] == [200] * 50
    assert 503 in codes
    portal.state["bucket"][1] -= 60  # a minute later
    assert ask(portal, "server.time")[0] == 200


def test_a_robot_moves_a_new_deal_at_once(portal: BitrixPeer) -> None:
    portal.state["robot"] = {"deal": {"STAGE_ID": "PREPARATION"}}
    _, made = ask(portal, "crm.deal.add", fields={"TITLE": "А"})
    row = portal.row("deal", made["result"])
    assert (row["STAGE_ID"], row["MODIFY_BY_ID"]) == ("PREPARATION", portal.user)


def test_the_vendors_sdk_moves_activities_and_leaves_comments(portal: BitrixPeer, vendors: BitrixWebhook) -> None:
    crm = ClientV2(vendors).crm
    one, other = (portal.add("contact", NAME=name) for name in ("Анна", "Вера"))
    call = portal.call_logged(("contact", one))
    bound = {"BINDINGS": [{"OWNER_TYPE_ID": 3, "OWNER_ID": int(one)}]}
    assert [row["ID"] for row in crm.activity.list(filter=bound).response.result] == [call]
    ends = {"source_entity_type_id": 3, "target_entity_type_id": 3}
    move = partial(crm.activity.binding.move, int(call), source_entity_id=int(one), target_entity_id=int(other), **ends)
    assert move().response.result is True
    assert crm.activity.binding.list(int(call)).response.result == [{"entityTypeId": 3, "entityId": int(other)}]
    with pytest.raises(BitrixAPIBadRequest):
        move().response  # noqa: B018
    place = {"ENTITY_ID": int(one), "ENTITY_TYPE": "contact"}
    id = crm.timeline.comment.add({**place, "COMMENT": "Сверка: один клиент"}).response.result
    assert [row["COMMENT"] for row in crm.timeline.comment.list(filter=place).response.result] == [
        "Сверка: один клиент"
    ]
    assert crm.timeline.comment.delete(id).response.result is None
    assert portal.comments_of("contact", one) == []
