"""Writing to the CRM stand-in: one record however the answer is lost, only what differs, nobody else's values."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.base import BadConfig, Change, OutcomeUnknown, PreconditionFailed, RecordRefused, RetryLater
from adapters.testing import assert_error
from tests.adapters.bitrix_kit import KEY, NOON, adapter_at, create, update
from tests.peers.bitrix import BitrixPeer
from tests.peers.http import Answer, HttpPeer

ROWS = [
    {"productName": "Чай", "price": Decimal("90.10"), "quantity": 3, "taxRate": 20, "taxIncluded": "Y"},
    {"productName": "Доставка", "priceExclusive": Decimal("250"), "quantity": 1, "taxRate": "22"},
]


@pytest.fixture
def portal():
    with BitrixPeer(now=NOON) as peer:
        yield peer


def test_a_deal_is_made_with_its_rows_in_one_call_and_found_by_its_key(portal):
    with adapter_at(portal) as adapter:
        made = create(
            adapter, "deal", TITLE="Заказ", STAGE="PREPARATION", OPPORTUNITY=Decimal("575.30"), PRODUCT_ROWS=ROWS
        )
        assert adapter.find("deal", KEY.format(1)) == made
        assert adapter.find("deal", KEY.format(2)) is None
        assert adapter.find("lead", KEY.format(1)) is None
    row = portal.row("deal", made.id)
    assert (row["ORIGINATOR_ID"], row["ORIGIN_ID"]) == ("sverka", KEY.format(1))
    assert [(r["productName"], r["price"]) for r in portal.state["rows"]["deal:1"]] == [
        ("Чай", 90.1),
        ("Доставка", 305),
    ]
    assert made.data["OPPORTUNITY"] == "575.30"


@pytest.mark.parametrize("kind", ["deal", "lead", "contact", "company"])
def test_a_lost_answer_makes_one_record(portal, kind):
    data = {"NAME": "Анна"} if kind == "contact" else {"TITLE": "Заказ"}
    with adapter_at(portal) as adapter:
        portal.fault("drop", rf"crm\.{kind}\.add")
        with pytest.raises(OutcomeUnknown):
            create(adapter, kind, **data)
        found = adapter.find(kind, KEY.format(1))
    assert found is not None
    assert len(portal.state[kind]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop"},
        {"kind": "status", "status": 200, "body": "<html>"},
        {"kind": "status", "status": 400, "body": {"error": "", "error_description": "Access denied."}},
    ],
)
def test_a_deal_that_cannot_be_read_back_is_not_made_again(portal, fault):
    """The add was done: whatever goes wrong after it, only a look may follow."""
    with adapter_at(portal) as adapter:
        portal.fault(**fault, match=r"crm\.deal\.list")
        with pytest.raises(OutcomeUnknown):
            create(adapter, "deal", TITLE="Заказ")
        found = adapter.find("deal", KEY.format(1))
    assert found is not None
    assert len(portal.state["deal"]) == 1


def test_rows_that_the_portal_refuses_leave_no_deal_behind(portal):
    with adapter_at(portal) as adapter:
        portal.state["operating"]["crm.item.productrow.set"] = 999
        with pytest.raises(RetryLater):
            create(adapter, "deal", TITLE="Заказ", PRODUCT_ROWS=ROWS)
        assert portal.state["deal"] == {}
        portal.state["operating"].clear()
        assert create(adapter, "deal", TITLE="Заказ", PRODUCT_ROWS=ROWS).data["PRODUCT_ROWS"][0]["productName"] == "Чай"


@pytest.mark.parametrize(
    "rows",
    [
        "text",
        [{"price": "1"}],
        [{"productName": "А", "price": "дорого"}],
        [{"productName": "А", "price": "1", "quantity": 0}],
        [{"productName": "А"}],
    ],
)
def test_bad_rows_are_refused_before_anything_is_written(portal, rows):
    with adapter_at(portal) as adapter, pytest.raises(RecordRefused) as told:
        create(adapter, "deal", TITLE="Заказ", PRODUCT_ROWS=rows)
    assert (told.value.code, told.value.field) == ("bitrix.rows", "PRODUCT_ROWS")
    assert portal.state["deal"] == {}


def test_the_same_value_is_not_written(portal):
    id = portal.add("deal", TITLE="Заказ", OPPORTUNITY="100", IS_MANUAL_OPPORTUNITY="Y", COMMENTS="")
    with adapter_at(portal) as adapter:
        before = portal.row("deal", id)["DATE_MODIFY"]
        update(adapter, "deal", id, TITLE="Заказ", OPPORTUNITY="100.0", COMMENTS=None, STAGE="NEW")
    assert portal.row("deal", id)["DATE_MODIFY"] == before
    assert not portal.calls("POST", "update")


def test_only_what_differs_is_sent(portal):
    id = portal.add("deal", TITLE="Заказ", COMMENTS="мысли менеджера")
    seen: list[Any] = []
    handle = portal.handle
    portal.handle = lambda call: seen.append((call.path, call.body)) or handle(call)
    with adapter_at(portal) as adapter:
        update(adapter, "deal", id, TITLE="Заказ", STAGE="WON")
    (body,) = [json.loads(body) for path, body in seen if path.endswith("crm.deal.update")]
    assert body == {"id": id, "fields": {"STAGE_ID": "WON"}}


def test_a_stage_goes_to_the_deals_own_pipeline(portal):
    id = portal.add("deal", TITLE="Сервис", CATEGORY_ID=1)
    with adapter_at(portal) as adapter:
        after = update(adapter, "deal", id, STAGE="WON")
        assert (after.data["STAGE_ID"], after.data["STAGE"], after.data["CLOSED"]) == ("C1:WON", "WON", "Y")
        assert update(adapter, "deal", id, STAGE_ID="LOSE").data["STAGE_ID"] == "C1:LOSE"
        made = create(adapter, "deal", TITLE="Ещё", CATEGORY_ID=1, STAGE="LOSE")
        assert made.data["STAGE_ID"] == "C1:LOSE"


def test_a_stage_that_the_pipeline_lacks_is_named(portal):
    id = portal.add("deal", TITLE="Сервис", CATEGORY_ID=1)
    with adapter_at(portal) as adapter:
        with pytest.raises(RecordRefused) as told:
            update(adapter, "deal", id, STAGE="EXECUTING")
        assert (told.value.code, told.value.field) == ("bitrix.stage", "STAGE_ID")
        assert "C1:NEW, C1:WON, C1:LOSE" in told.value.text.ru
        assert_error(told.value)
        portal.add_stage("C1:EXECUTING", "В работе", 1)  # made meanwhile
        assert update(adapter, "deal", id, STAGE="EXECUTING").data["STAGE"] == "EXECUTING"


def test_a_status_that_the_portal_lacks_is_named(portal):
    id = portal.add("lead", TITLE="Заявка")
    with adapter_at(portal) as adapter, pytest.raises(RecordRefused) as told:
        update(adapter, "lead", id, STATUS_ID="DELIGHTED")
    assert (told.value.code, told.value.field) == ("bitrix.stage", "STATUS_ID")
    assert "NEW, IN_PROCESS" in told.value.text.en
    assert_error(told.value)


@pytest.mark.parametrize(("name", "value"), [("TITEL", "x"), ("ID", "7"), ("CATEGORY_ID", 1), ("PHONES", ["1"])])
def test_a_field_that_would_be_ignored_in_silence_is_refused(portal, name, value):
    id = portal.add("deal", TITLE="Заказ")
    with adapter_at(portal) as adapter, pytest.raises(RecordRefused) as told:
        update(adapter, "deal", id, **{name: value})
    assert (told.value.code, told.value.field) == ("bitrix.field", name)
    assert not portal.calls("POST", "update")


def test_a_change_by_somebody_else_is_not_overwritten(portal):
    id = portal.add("deal", TITLE="Заказ", STAGE_ID="NEW")
    with adapter_at(portal) as adapter:
        before = adapter.read("deal", id)
        portal.edit("deal", id, STAGE_ID="LOSE")
        with pytest.raises(PreconditionFailed):
            adapter.write(Change("deal", id, {"STAGE": "WON"}, before, KEY.format(1)))
        portal.edit("deal", id, COMMENTS="другое поле")
        adapter.write(Change("deal", id, {"TITLE": "Новое"}, before, KEY.format(1)))
    row = portal.row("deal", id)
    assert (row["STAGE_ID"], row["TITLE"], row["COMMENTS"]) == ("LOSE", "Новое", "другое поле")


def test_a_deleted_record_is_not_written(portal):
    id = portal.add("deal", TITLE="Заказ")
    with adapter_at(portal) as adapter:
        before = adapter.read("deal", id)
        portal.remove("deal", id)
        with pytest.raises(PreconditionFailed):
            adapter.write(Change("deal", id, {"TITLE": "Новое"}, before, KEY.format(1)))
        assert adapter.read("deal", id) is None


def test_phones_keep_their_ids_types_and_neighbours(portal):
    phones = [{"VALUE": f"+7 916 000-00-{n:02}", "VALUE_TYPE": "MOBILE"} for n in range(40)]
    id = portal.add(
        "contact", NAME="Анна", PHONE=phones, EMAIL=[{"VALUE": "A@Example.test"}], WEB=[{"VALUE": "x.test"}]
    )
    old = {one["VALUE"]: one["ID"] for one in portal.row("contact", id)["PHONE"]}
    with adapter_at(portal) as adapter:
        before = adapter.read("contact", id)
        assert before is not None
        same = ["8" + value[2:] for value in before.data["PHONES"]]  # written otherwise: the same numbers
        update(adapter, "contact", id, PHONES=same, EMAILS=["a@example.test"])
        assert not portal.calls("POST", "update")
        one_more = [*before.data["PHONES"], "+79170000000"]
        after = update(adapter, "contact", id, PHONES=one_more, EMAILS=["a@example.test", "b@example.test"])
        assert after.data["PHONES"] == one_more
        assert {n["VALUE"]: n["ID"] for n in after.data["PHONE"][:40]} == old
        fewer = update(adapter, "contact", id, PHONES=one_more[5:])
        assert fewer.data["PHONES"] == one_more[5:]
        replaced = update(adapter, "contact", id, PHONES=[*one_more[5:39], "+79180000000", one_more[40]])
        changed = next(n for n in replaced.data["PHONE"] if n["VALUE"] == "+79180000000")
        assert (changed["ID"], changed["VALUE_TYPE"]) == (old[one_more[39]], "MOBILE")
        assert update(adapter, "contact", id, PHONES=[]).data["PHONES"] == []
    assert portal.row("contact", id)["WEB"][0]["VALUE"] == "x.test"
    assert portal.row("contact", id)["EMAIL"][0]["VALUE"] == "A@Example.test"


def test_a_computed_sum_is_not_overwritten(portal):
    id = portal.add("deal", TITLE="Заказ")
    portal.set_rows("deal", id, [{"productName": "Чай", "price": "90", "quantity": 2}])
    with adapter_at(portal) as adapter:
        with pytest.raises(RecordRefused) as told:
            update(adapter, "deal", id, OPPORTUNITY=Decimal("170"))
        assert told.value.code == "bitrix.computed"
        after = update(adapter, "deal", id, OPPORTUNITY=Decimal("170"), IS_MANUAL_OPPORTUNITY="Y")
    assert after.data["OPPORTUNITY"] == "170.00"


def test_rows_are_replaced_as_a_set_only_over_the_rows_that_were_seen(portal):
    id = portal.add("deal", TITLE="Заказ")
    portal.set_rows("deal", id, [{"productName": "Чай", "price": "90", "quantity": 2}])
    with adapter_at(portal) as adapter:
        before = adapter.read("deal", id)
        same = [{"productName": "Чай", "price": "90.00", "quantity": "2"}]
        assert update(adapter, "deal", id, PRODUCT_ROWS=same) == before
        after = update(adapter, "deal", id, TITLE="Правка", PRODUCT_ROWS=ROWS)
        assert [row["productName"] for row in after.data["PRODUCT_ROWS"]] == ["Чай", "Доставка"]
        assert after.data["TITLE"] == "Правка"
        with pytest.raises(PreconditionFailed):
            adapter.write(Change("deal", id, {"PRODUCT_ROWS": same}, before, KEY.format(1)))


def test_a_robot_that_moves_the_new_deal_is_seen_at_once(portal):
    portal.state["robot"] = {"deal": {"STAGE_ID": "EXECUTING"}}
    with adapter_at(portal) as adapter:
        made = create(adapter, "deal", TITLE="Заказ", STAGE="NEW")
    assert made.data["STAGE"] == "EXECUTING"


def test_a_copied_card_does_not_hide_the_first_one(portal):
    with adapter_at(portal) as adapter:
        made = create(adapter, "deal", TITLE="Заказ")
        portal.add("deal", TITLE="Заказ (копия)", ORIGINATOR_ID="sverka", ORIGIN_ID=KEY.format(1))
        portal.add("deal", TITLE="Чужая", ORIGINATOR_ID="1c", ORIGIN_ID=KEY.format(1))
        found = adapter.find("deal", KEY.format(1))
    assert found is not None
    assert found.id == made.id


# errors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 200])
@pytest.mark.parametrize(
    ("code", "said", "expected", "name"),
    [
        ("expired_token", "The access token provided has expired.", BadConfig, "bitrix.auth"),
        ("NO_AUTH_FOUND", "Wrong authorization data", BadConfig, "bitrix.auth"),
        ("insufficient_scope", "higher privileges", BadConfig, "bitrix.scope"),
        ("QUERY_LIMIT_EXCEEDED", "Too many requests", RetryLater, "bitrix.limit"),
        ("OPERATION_TIME_LIMIT", "Method is blocked", RetryLater, "bitrix.operating"),
        ("OVERLOAD_LIMIT", "REST API is blocked due to overload.", BadConfig, "bitrix.overload"),
        ("INTERNAL_SERVER_ERROR", "Internal server error", OutcomeUnknown, "bitrix.unknown"),
        ("ERROR_CORE", "Иванов +7916: TITLE is wrong<br>", RecordRefused, "bitrix.refused"),
        ("", "Access denied.", BadConfig, "bitrix.rights"),
    ],
)
def test_errors_are_cut_by_what_happens_next(portal, status, code, said, expected, name):
    """The same table for 4xx, 5xx and an error that comes with status 200."""
    own = {"expired_token": 401, "QUERY_LIMIT_EXCEEDED": 503, "OPERATION_TIME_LIMIT": 429, "OVERLOAD_LIMIT": 503}
    answer = {"error": code, "error_description": said}
    with adapter_at(portal) as adapter:
        create(adapter, "company", TITLE="ООО «Проба»")
        portal.fault("status", "company.add", status=status or own.get(code, 400), body=answer)
        with pytest.raises(expected) as told:
            create(adapter, "company", 2, TITLE="ООО «Вторая»")
    assert told.value.code == name
    assert_error(told.value, (portal.secret, "Иванов", "7916"))
    if expected is BadConfig:
        assert told.value.setting == "webhook"


def test_a_limit_tells_how_long_and_calms_the_account(portal):
    with adapter_at(portal) as adapter:
        update(adapter, "deal", portal.add("deal", TITLE="А"), TITLE="Б")
        portal.fault("status", "deal.list", status=503, body={"error": "QUERY_LIMIT_EXCEEDED"})
        with pytest.raises(RetryLater) as told:
            adapter.read("deal", "1")
        assert (told.value.after, adapter.context.limiter.penalties) == (5, [5])
        portal.state["operating"]["crm.deal.list"] = 481
        with pytest.raises(RetryLater) as told:
            adapter.read("deal", "1")
        assert 590 <= (told.value.after or 0) <= 600  # operating_reset_at of the last good answer
        assert len(adapter.context.limiter.penalties) == 1  # other methods go on


@pytest.mark.parametrize(
    ("body", "status"), [("<html>502</html>", 502), ("", 200), ('{"result"', 200), ("<html>", 503)]
)
def test_a_write_with_an_unreadable_answer_is_unknown(portal, body, status):
    id = portal.add("deal", TITLE="А")
    with adapter_at(portal) as adapter:
        portal.fault("status", "deal.update", status=status, body=body)
        with pytest.raises(OutcomeUnknown):
            update(adapter, "deal", id, TITLE="Б")


def test_a_portal_that_cannot_be_reached_has_not_been_written(portal):
    portal.fault("refuse", "deal.fields")
    with adapter_at(portal) as adapter, pytest.raises(RetryLater):
        create(adapter, "deal", TITLE="А")
    with adapter_at(portal, webhook="http://127.0.0.1:9/rest/1/peer0secret/") as adapter:
        with pytest.raises(RetryLater) as told:
            adapter.find("deal", KEY.format(1))
        assert told.value.code == "bitrix.connect"
        assert "peer0secret" not in told.value.text.en + repr(told.value.__cause__) + repr(told.value.__context__)


def test_a_renamed_portal_is_followed_with_the_same_post(portal, caplog):
    class Old(HttpPeer):
        def handle(self, call):
            return Answer("", 302, {"Location": portal.url.replace("127.0.0.1", "localhost") + call.path})

    with Old() as old, adapter_at(portal, webhook=portal.webhook.replace(portal.url, old.url)) as adapter:
        made = create(adapter, "deal", TITLE="Заказ")
        assert len(old.calls()) == 1
    assert portal.row("deal", made.id)["TITLE"] == "Заказ"
    assert "localhost" in caplog.text
    assert portal.secret not in caplog.text


def removal(adapter, kind, id):
    return Change(kind, id, {}, adapter.read(kind, id), KEY.format(1), delete=True)


@pytest.mark.parametrize("kind", ["deal", "lead", "contact", "company"])
def test_a_record_is_deleted_once(portal, kind):
    id, other = portal.add(kind), portal.add(kind)
    with adapter_at(portal) as adapter:
        planned = removal(adapter, kind, id)
        after = adapter.write(planned)
        assert (after.id, after.deleted) == (id, True)
        assert adapter.read(kind, id) is None
        assert adapter.write(planned).deleted, "what is gone is deleted"
        assert adapter.read(kind, other) is not None


def test_a_delete_without_the_right_names_the_webhook(portal):
    id = portal.add("deal")
    with adapter_at(portal) as adapter:
        planned = removal(adapter, "deal", id)
        portal.state["rights"].append("deal")
        with pytest.raises(BadConfig) as refused:
            adapter.write(planned)
    assert refused.value.setting == "webhook"
    assert portal.row("deal", id)
