"""Quarantine: one open row for a record and stage, counted, closed when the record passes, and the words of its cause."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from typer.testing import CliRunner

from adapters.base import Hint
from sync.cli.app import app
from sync.errors import RecordRefused, SverkaError, Text
from sync.flow import trouble
from sync.flow.plug import Cause
from sync.flow.retry import retry
from sync.flow.take import take_chunk
from sync.hub import acts, commands, views
from sync.hub.runtime import Hub
from sync.store import Store
from sync.store.tables import command, quarantine, record
from sync.store.types import loads
from tests.spec.hubs import CLIENT, START, Kit, give, one, rows, sync, total

LATER = START + timedelta(hours=1)
ERROR = RecordRefused(
    Text("bad stage", "плохой этап"), code="x.stage", field="stage", remedy=Text("mend it", "исправьте")
)


@pytest.fixture
def tx(store: Store) -> Iterator[Connection]:
    with store.begin() as opened:
        yield opened


def refuse(tx: Connection, at: datetime, id: str = "7", error: SverkaError = ERROR, **more: Any) -> None:
    trouble.refuse(tx, "shop", "deal", id, error, at, **more)


def kept(tx: Connection) -> list[Any]:
    return list(tx.execute(sa.select(quarantine).order_by(quarantine.c.id)))


def test_a_row_with_its_words(tx: Connection) -> None:
    refuse(tx, START, data={"a": 1}, raw=b"raw", inbox_id=5, record_uid="u")
    (row,) = kept(tx)
    assert (row.code, row.field, row.state, row.stage) == ("x.stage", "stage", "open", "intake")
    assert row.text == {"en": "bad stage", "ru": "плохой этап"}
    assert row.remedy == {"en": "mend it", "ru": "исправьте"}
    assert (row.data, bytes(row.raw), row.inbox_id, row.record_uid) == ({"a": 1}, b"raw", 5, "u")


def test_the_same_again_is_counted(tx: Connection) -> None:
    refuse(tx, START)
    refuse(tx, LATER, data={"a": 2})
    (row,) = kept(tx)
    assert (row._mapping["count"], row.first_at, row.last_at, row.data) == (2, START, LATER, {"a": 2})


def test_another_record_and_another_stage_are_other_rows(tx: Connection) -> None:
    refuse(tx, START)
    refuse(tx, START, id="8")
    refuse(tx, START, stage="delivery")
    trouble.passed(tx, "shop", "deal", "7", LATER)
    assert [(r.external_id, r.stage, r.state) for r in kept(tx)] == [
        ("7", "intake", "closed"),
        ("8", "intake", "open"),
        ("7", "delivery", "open"),
    ]


def test_a_closed_row_is_not_opened_again(tx: Connection) -> None:
    refuse(tx, START)
    trouble.passed(tx, "shop", "deal", "7", LATER)
    refuse(tx, LATER)
    assert [(r.state, r._mapping["count"]) for r in kept(tx)] == [("closed", 1), ("open", 1)]
    trouble.passed(tx, "shop", "deal", "7", LATER)
    assert {r.state for r in kept(tx)} == {"closed"}


def test_a_row_in_retry_goes_back_to_open(tx: Connection) -> None:
    refuse(tx, START)
    tx.execute(quarantine.update().values(state="retry"))
    refuse(tx, LATER)
    (row,) = kept(tx)
    assert (row.state, row._mapping["count"]) == ("open", 2)


def test_a_long_code_fits(tx: Connection) -> None:
    refuse(tx, START, error=RecordRefused(Text("x", "x"), code="a" * 300))
    assert len(kept(tx)[0].code) == 48


# tried again -----------------------------------------------------------------------------------------------------------

DEAL = {"title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB", "client": CLIENT}
HEALS = RecordRefused(Text("not yet", "рано"), code="offer.no_product")


def shop(kit: Kit) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}})


def test_only_what_may_heal_has_a_next_try_and_it_backs_off(tx: Connection) -> None:
    refuse(tx, START, id="1")
    assert kept(tx)[0].next_at is None, "a person mends it; time does not"
    waits = []
    for _ in range(7):
        refuse(tx, START, id="2", error=HEALS)
        waits.append((kept(tx)[1].next_at - START).total_seconds())
    assert waits == [300, 1800, 7200, 43_200, 86_400, 86_400, 86_400]
    assert trouble.due(tx, "shop", START + timedelta(days=2)) == [kept(tx)[1].id]
    assert trouble.due(tx, "shop", START) == []
    assert trouble.due(tx, "crm", START + timedelta(days=2)) == []


def test_what_may_heal_is_tried_again_by_itself(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit)
    tries = []

    def broken(*_: Any, **__: Any) -> Any:
        tries.append(1)
        raise KeyError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr("sync.flow.absorb.weave", broken)
        assert give(hub, "shop", "deal", "1", DEAL) == "failed"
        sync(hub)
        assert len(tries) == 1, "not before its time"
        kit.now.pass_(minutes=6)
        runs = sync(hub)
        assert (len(tries), total(runs, "failed"), one(hub, quarantine)._mapping["count"]) == (2, 1, 2)
        kit.now.pass_(minutes=6)
        sync(hub)
        assert len(tries) == 2, "the second time it waits longer"
    kit.now.pass_(hours=1)
    assert total(sync(hub), "new") == 1
    assert (one(hub, quarantine).state, len(rows(hub, record, kind="deal"))) == ("closed", 1)


def test_what_cannot_heal_is_never_tried_by_itself(kit: Kit) -> None:
    hub = shop(kit)
    give(hub, "shop", "deal", "1", {**DEAL, "amount": "viel"})
    kit.now.pass_(days=30)
    sync(hub)
    assert (one(hub, quarantine).state, one(hub, quarantine)._mapping["count"]) == ("open", 1)


def test_all_of_a_cause_and_of_a_connection(kit: Kit) -> None:
    hub = shop(kit)
    for id in ("1", "2"):
        give(hub, "shop", "deal", id, {**DEAL, "amount": "viel"})
    give(hub, "crm", "deal", "3", {**DEAL, "amount": "viel"})
    give(hub, "shop", "visit", "4", {})
    assert {r["code"] for r in views.quarantined(hub)} == {"mapping.value", "mapping.kind"}
    assert len(views.quarantined(hub, connection="crm")) == 1
    assert len(views.quarantined(hub, code="mapping.value", connection="shop")) == 2
    assert views.quarantined(hub, stage="delivery") == []
    acts.retry_all(hub, "mapping.value", "shop")
    assert sorted(r.external_id for r in rows(hub, quarantine, state="retry")) == ["1", "2"]
    sync(hub)
    assert one(hub, command, kind="retry").result == {"changed": 2}
    assert [r._mapping["count"] for r in rows(hub, quarantine)] == [2, 2, 1, 1]
    assert rows(hub, quarantine, state="retry") == []
    acts.retry_all(hub, connection="crm")
    assert [r.external_id for r in rows(hub, quarantine, state="retry")] == ["3"]
    for wrong in ({}, {"code": "x.none"}):
        with pytest.raises(SverkaError) as refused:
            acts.retry_all(hub, **wrong)
        assert refused.value.code.startswith("quarantine.")


def test_read_again_from_the_source(kit: Kit) -> None:
    """The value was mended there; the kept data would fail for ever."""
    hub = shop(kit)
    id = kit.world("shop").put("deal", {**DEAL, "number": "1", "amount": "viel"})
    sync(hub)
    row = one(hub, quarantine)
    kit.world("shop").state["kinds"]["deal"][id]["data"]["amount"] = "7"  # and its change feed says nothing of it
    acts.retry(hub, row.id)
    sync(hub)
    assert one(hub, quarantine).state == "open"
    kit.forget_calls()
    acts.retry(hub, row.id, reread=True)
    sync(hub)
    assert ("read", id) in [(c["call"], c["id"]) for c in kit.world("shop").plan.log]
    assert one(hub, quarantine).state == "closed"
    assert str(one(hub, record, kind="deal").amount) == "7.00"


def test_a_source_that_does_not_answer_is_asked_later(kit: Kit) -> None:
    hub = shop(kit)
    kit.world("shop").put("deal", {**DEAL, "number": "1", "amount": "viel"})
    sync(hub)
    row = one(hub, quarantine)
    kit.world("shop").plan.faults = [{"call": "read", "kind": "deal", "times": 1}]
    assert retry(hub.world, hub.plugs["shop"], row.id, reread=True) == "later"
    waiting = one(hub, quarantine)
    assert (waiting.state, waiting.next_at is not None) == ("open", True)


def test_a_record_that_is_gone_at_its_source(kit: Kit) -> None:
    hub = shop(kit)
    id = kit.world("shop").put("deal", {**DEAL, "number": "1", "amount": "viel"})
    sync(hub)
    kit.world("shop").delete("deal", id, purge=True)
    acts.retry(hub, one(hub, quarantine).id, reread=True)
    sync(hub)
    assert one(hub, record, kind="deal").data["archived"] is True


def test_a_hint_that_could_not_be_followed_keeps_no_empty_record(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it was read: what is tried again is the reading."""
    hub = shop(kit)
    id = kit.world("shop").put("deal", {**DEAL, "number": "1"})
    plug = hub.plugs["shop"]
    refusal = RecordRefused(Text("unreadable", "не читается"), code="x.unreadable")
    with monkeypatch.context() as patch:
        patch.setattr(plug.adapter, "read", lambda kind, id: (_ for _ in ()).throw(refusal))
        assert take_chunk(hub.world, plug, [Hint("deal", id)], Cause()).failed == 1
    acts.retry(hub, one(hub, quarantine).id)
    commands.run_commands(hub)
    assert (one(hub, quarantine).state, one(hub, record, kind="deal").title) == ("closed", "Шкаф")


def test_the_commands(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit)
    for name, id in (("shop", "1"), ("crm", "2")):
        give(hub, name, "deal", id, {**DEAL, "amount": "viel"})
    monkeypatch.setattr(Hub, "open", lambda *_, **__: contextlib.nullcontext(hub))

    def said(*args: str) -> Any:
        done = CliRunner().invoke(app, ["quarantine", *args, "--json"])
        assert done.exit_code == 0, done.output
        return loads(done.stdout)

    mine, theirs = one(hub, quarantine, connection="shop").id, one(hub, quarantine, connection="crm").id
    assert [r["connection"] for r in said()] == ["crm", "shop"]
    assert [r["connection"] for r in said("--connection", "shop", "--code", "mapping.value")] == ["shop"]
    assert said("--stage", "delivery") == []
    only = ("retry", "--code", "mapping.value", "--connection", "shop", "--reread")
    assert said(*only) == {"retried": [mine]}
    assert [r.args for r in rows(hub, command) if r.kind == "retry"] == [{"ids": [mine], "reread": True}]
    assert said("retry", str(theirs)) == {"retried": [theirs]}
    assert one(hub, quarantine, connection="crm").state == "retry"
    for wrong in (["retry", "--code", "x.none"], ["retry"], ["retry", "99"]):
        assert CliRunner().invoke(app, ["quarantine", *wrong]).exit_code == 3
