"""What the answer to a write shows besides what was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.base import Change, Record
from sync.hub import commands, works
from sync.hub.runtime import Hub
from sync.store.tables import link, quarantine, record
from tests.peers.mail import SmtpPeer
from tests.peers.woo import WooPeer
from tests.spec.hubs import Kit, one, sync
from tests.spec.kill import Rig
from tests.spec.kill_child import SqliteDatabase
from tests.spec.kill_scenarios import in_shop, lines, order_in_1c
from tests.spec.test_weave import DEAL, data, quiet


def answering(kit: Kit, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Change], Record | None]) -> Hub:
    """A shop and a CRM that hold one deal; the CRM's next answer shows what happened there in the same instant."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}}, [("deal", "shop", "crm", "always")]
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    adapter = hub.plugs["crm"].adapter
    write = adapter.write

    def writing(change: Change) -> Record:
        answer = write(change)
        monkeypatch.undo()
        return meanwhile(change) or answer

    monkeypatch.setattr(adapter, "write", writing)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    return hub


def test_another_field_in_the_answer_is_news(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(_: Change) -> Record:
        kit.world("crm").put("deal", {"stage": "in_work"}, "1")
        return kit.world("crm").record("deal", "1")

    hub = answering(kit, monkeypatch, meanwhile)
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "crm")["comment"]) == ("in_work", "новое")
    assert one(hub, record, kind="deal").stage == "in_work"
    quiet(kit, hub)


def test_what_cannot_be_read_in_the_answer_is_named(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(_: Change) -> Record:
        kit.world("crm").put("deal", {"amount": "сто рублей"}, "1")
        return kit.world("crm").record("deal", "1")

    hub = answering(kit, monkeypatch, meanwhile)
    sync(hub)
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.field, waiting.stage) == ("mapping.value", "amount", "intake")
    kit.world("crm").put("deal", {"amount": "100.10"}, "1")
    sync(hub)
    assert one(hub, quarantine).state == "closed"


def test_a_record_that_the_answer_shows_as_deleted_is_so(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(_: Change) -> Record:
        kit.world("crm").delete("deal", "1")
        return replace(kit.world("crm").record("deal", "1"), deleted=True)

    hub = answering(kit, monkeypatch, meanwhile)
    works.deliver(hub, hub.plugs["shop"])
    works.poll(hub, hub.plugs["shop"])
    works.deliver(hub, hub.plugs["crm"])
    assert one(hub, link, connection="crm").deleted_at is not None
    assert one(hub, link, connection="shop").deleted_at is None


def test_a_refund_made_just_before_our_write_is_not_lost(tmp_path: Path, sqlite_template: Path) -> None:
    with WooPeer() as shop:
        rig = Rig(tmp_path, SqliteDatabase(tmp_path, sqlite_template), shop, SmtpPeer())
        rig.configure(["shop", "onec"], {})
        order_in_1c(rig)
        shop.refund(in_shop(rig)["id"], "10.00")
        with rig.calm() as hub:
            hub.stage("1043", "in_work")
            commands.run_commands(hub.hub)
            works.deliver(hub.hub, hub.hub.plugs["shop"])
            assert in_shop(rig)["status"] == "processing"
            hub.finish()
            state = hub.state()
    assert len(lines(state, "document", '"kind":"refund"', '"amount":"10.00"')) == 1
    assert len(lines(state, "activity", '"direction":"out"', "10.00")) == 1
