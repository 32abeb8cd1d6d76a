"""Events of the portal: who sent them, what they ask for, what is kept of them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from adapters.base import Hint, RecordRefused
from adapters.bitrix24 import Bitrix24Settings
from tests.adapters.bitrix_kit import TOKEN, adapter_at, arrival, event, pages
from tests.peers.bitrix import BitrixPeer
from tests.peers.woo_hooks import HookSink


@pytest.fixture
def portal():
    with BitrixPeer() as peer:
        yield peer


@pytest.fixture
def adapter(portal):
    with adapter_at(portal, previous_application_token="older-t0ken") as made:
        yield made


@pytest.mark.parametrize(
    ("name", "id", "hints"),
    [
        ("ONCRMDEALUPDATE", "759", [Hint("deal", "759")]),
        ("oncrmdealadd", "759", [Hint("deal", "759")]),
        ("ONCRMDEALDELETE", "7", [Hint("deal", "7")]),
        ("ONCRMDEALMOVETOCATEGORY", "7", [Hint("deal", "7")]),
        ("ONCRMLEADADD", "1", [Hint("lead", "1")]),
        ("ONCRMCOMPANYUPDATE", "2", [Hint("company", "2")]),
        ("ONCRMDEALUPDATE", "", [Hint("deal", "")]),
        ("ONCRMDEALUPDATE", "7; drop", [Hint("deal", "")]),
        ("ONTASKADD", "5", []),
        ("ONCRMDEALUSERFIELDADD", "5", []),
    ],
)
def test_an_event_is_a_hint_to_read(adapter, name, id, hints):
    came = event(name, id)
    assert adapter.receive(came).label == ""
    assert list(adapter.unpack(came)) == hints


def test_who_sent_it(adapter, portal):
    assert adapter.receive(event(token=TOKEN)).label == ""
    assert adapter.receive(event(token="older-t0ken")).label == ""
    for token in ("wrong", "", "тoкен", TOKEN + "x"):
        reception = adapter.receive(event(token=token))
        assert (reception.label, reception.reply.status, reception.key) == ("unsigned", 200, "")
        assert reception.reason is not None
    with adapter_at(portal, application_token=None) as open_one:
        assert open_one.receive(event()).label == "unsigned"


def test_tokens_are_not_stored(adapter):
    came = event()
    stored = adapter.receive(came).stored
    assert stored is not None
    assert not any(secret in stored for secret in (b"secret-access", b"secret-refresh", TOKEN.encode()))
    assert list(adapter.unpack(arrival(stored))) == list(adapter.unpack(came))


def test_two_changes_within_one_second_are_two_events(adapter):
    """The stamp has seconds: by the body alone the second one would pass for a repeat of the first."""
    first, second = event(), event(at=datetime(2026, 11, 22, 7, 9, 18, 400, tzinfo=UTC))
    assert adapter.receive(first).key != adapter.receive(second).key
    assert adapter.receive(first).key == adapter.receive(event()).key


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (b"", "broken"),
        (b"<html>", "broken"),
        (b"event", "unsigned"),
        (b"x" * 70_000, "oversized"),
        (b"a=1&" * 300, "broken"),
    ],
)
def test_what_is_no_event_is_labelled_and_answered(adapter, body, label):
    reception = adapter.receive(arrival(body))
    assert (reception.label, reception.reply.status) == (label, 200)
    with pytest.raises(RecordRefused):
        list(adapter.unpack(arrival(body)))


def test_late_doubled_and_disordered_events_only_make_the_hub_look(portal, adapter):
    """Whatever comes in whatever order, what is read is what stands there now."""
    with HookSink() as sink:
        portal.subscribe(sink.url, TOKEN, "ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMDEALDELETE")
        id = portal.add("deal", TITLE="Заказ")
        for stage in ("PREPARATION", "EXECUTING", "WON"):
            portal.edit("deal", id, STAGE_ID=stage)
        gone = portal.add("deal", TITLE="Лишняя")
        portal.remove("deal", gone)
        portal.deliver()
        bodies = [one["body"].encode() for one in sink.state["got"]]
    seen = []
    for body in [*reversed(bodies), *bodies]:
        came = arrival(body)
        assert adapter.receive(came).label == ""
        seen += [(hint.id, adapter.read(hint.kind, hint.id)) for hint in adapter.unpack(came)]
    assert {record.data["STAGE"] for key, record in seen if key == id} == {"WON"}
    assert {record for key, record in seen if key == gone} == {None}


def test_the_key_stands_in_no_log(portal, caplog):
    caplog.set_level(logging.DEBUG)
    portal.add("deal", TITLE="Заказ")
    with adapter_at(portal) as adapter:
        pages(adapter)
        portal.fault("drop", "deal.list")
        with pytest.raises(Exception, match="cut the connection"):
            pages(adapter)
    assert "crm.deal.list" in caplog.text
    assert portal.secret not in caplog.text
    assert portal.secret not in repr(adapter.settings)


@pytest.mark.parametrize(
    "address",
    [
        "firma.bitrix24.ru",
        "https://firma.bitrix24.ru/",
        "https://firma.bitrix24.ru/rest/1/",
        "ftp://a/rest/1/secretpart/",
    ],
)
def test_only_a_webhooks_whole_address_is_taken_and_never_repeated(address):
    with pytest.raises(ValidationError) as told:
        Bitrix24Settings(webhook=address)
    assert "incoming webhook" in str(told.value)
    assert "secretpart" not in str(told.value)


@pytest.mark.parametrize("tail", ["", "/", "/profile.json", "/?x=1"])
def test_the_address_is_taken_as_people_copy_it(tail):
    settings = Bitrix24Settings(webhook=f" https://firma.bitrix24.ru/rest/1/abc123{tail} ")
    assert settings.webhook.get_secret_value() == "https://firma.bitrix24.ru/rest/1/abc123/"


# check -----------------------------------------------------------------------------------------------------------------


def test_check_goes_from_the_name_to_the_stages(portal):
    portal.add("deal", TITLE="Заказ")
    portal.add_stage("UC_7XK2QD", "Примерка")
    portal.add_stage("C1:UC_AAA", "Выезд", 1)
    with adapter_at(portal) as adapter:
        findings = list(adapter.check())
        words = list(adapter.words())
    steps = ["dns", "connect", "auth", "rights", "sample", "clock", "filter", "origin", "stages", "stages", "stages"]
    assert [f.step for f in findings] == steps
    assert all(f.ok for f in findings)
    own = [f for f in findings if f.remedy is not None]
    assert ["[tables.stages] UC_AAA" in own[0].text.ru, "«Примерка» (UC_7XK2QD)" in own[1].text.ru] == [True, True]
    assert "bitrix24.toml" in own[0].remedy.en
    assert ("deal", {"STAGE_ID": "C1:UC_AAA", "STAGE": "UC_AAA", "CATEGORY_ID": "1"}) in words
    assert ("lead", {"STATUS_ID": "JUNK"}) in words
    assert not portal.calls("POST", "update") + portal.calls("POST", "add")


@pytest.mark.parametrize(
    ("switch", "step"),
    [
        ({"auth": "expired_token"}, "auth"),
        ({"scope": ["user"]}, "rights"),
        ({"rights": ["contact"]}, "auth"),
        ({"tz": 3, "offset": 4000}, "clock"),
    ],
)
def test_check_names_what_is_wrong(portal, switch, step):
    portal.state.update(switch)
    with adapter_at(portal, now=lambda: datetime.now(UTC)) as adapter:
        failed = [f for f in adapter.check() if not f.ok]
    assert [f.step for f in failed] == [step]
    assert failed[0].remedy is not None
    if step != "clock":
        assert failed[0].setting == "webhook"


def test_check_meets_no_portal_at_all():
    here = BitrixPeer()
    here.server.server_close()
    with adapter_at(here, now=lambda: datetime.now(UTC) + timedelta(0)) as adapter:
        findings = list(adapter.check())
    assert [(f.step, f.ok) for f in findings] == [("dns", True), ("connect", False)]
    assert findings[-1].setting == "webhook"
