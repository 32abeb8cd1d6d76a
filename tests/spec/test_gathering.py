"""Activities in other systems follow merges and come home again: exactly, whatever fails on the way."""

from __future__ import annotations

from typing import Any

import pytest

from sync.hub import audit, merges
from sync.hub.runtime import Hub
from sync.hub.trace import trace
from sync.store.tables import intent, journal, link, quarantine
from tests.spec.hubs import Death, Kit, dying, every_death, one, rows, sync

NAMES = {"a": "Анна Тестова", "b": "Пётр Пробный", "c": "Ольга Образцова"}
HOME = {"a": ["1", "2"], "b": ["3"], "c": []}


CONNECTIONS = {"crm": {"kinds": ["deal", "contact", "company"]}, "shop": {"role": "shop", "kinds": ["deal"]}}
FLOWS = [("deal", "shop", "crm", "always")]


def opened(kit: Kit, flows: list[tuple[str, ...]] = FLOWS) -> Hub:
    hub = kit.open(CONNECTIONS, flows)
    for id, name in NAMES.items():
        kit.world("crm").put("contact", {"name": name}, id)
        kit.world("crm").lay("contact", id, *HOME[id])
    sync(hub)
    return hub


def card(hub: Hub, id: str) -> str:
    return str(one(hub, link, external_id=id).record_uid)


def lie(kit: Kit) -> dict[str, list[str]]:
    return {id: kit.world("crm").lying("contact", id) for id in NAMES}


def gathers(kit: Kit) -> int:
    return sum(call["call"] == "gather" for call in kit.world("crm").plan.log)


def test_they_lie_on_the_surviving_card_and_come_home(kit: Kit) -> None:
    hub, notes = opened(kit), kit.world("crm").notes("contact")
    merges.merge(hub, card(hub, "a"), card(hub, "b"), "Ирина")
    sync(hub)
    assert lie(kit) == {"a": ["1", "2", "3"], "b": [], "c": []}
    assert list(notes) == ["b"]
    assert "Анна Тестова" in notes["b"]
    assert len(kit.world("crm").rows("contact")) == 3, "no card is fused or deleted"
    (row,) = [n for n in rows(hub, journal) if n.why == "wrote:merge"]
    assert (row.record_uid, row.changes) == (card(hub, "b"), {"activities": [None, "Анна Тестова"]})
    kit.forget_calls()
    sync(hub)
    assert gathers(kit) == 0, "done once it is done"
    kit.world("crm").lay("contact", "a", "9")  # a call with the client, while they are one
    merges.unmerge(hub, card(hub, "b"), "Ирина")
    sync(hub)
    assert lie(kit) == {**HOME, "a": ["1", "2", "9"]}
    assert notes == {}
    assert audit.audit(hub).ok, "the journal replays"
    words = [h.text["ru"] for t in trace(hub, card(hub, "b")) for h in t.hops]
    assert any("дела теперь лежат у: Анна Тестова" in text for text in words)


def test_a_chain_whose_middle_is_taken_out(kit: Kit) -> None:
    hub = opened(kit)
    merges.merge(hub, card(hub, "b"), card(hub, "a"), "Ирина")
    sync(hub)
    merges.merge(hub, card(hub, "c"), card(hub, "b"), "Ирина")
    sync(hub)
    assert lie(kit) == {"a": [], "b": [], "c": ["1", "2", "3"]}
    merges.unmerge(hub, card(hub, "b"), "Ирина")
    sync(hub)
    assert lie(kit) == {"a": [], "b": ["1", "2", "3"], "c": []}
    merges.unmerge(hub, card(hub, "a"), "Ирина")
    sync(hub)
    assert lie(kit) == HOME


def test_what_people_moved_there_themselves_stays_theirs(kit: Kit) -> None:
    hub = opened(kit)
    merges.merge(hub, card(hub, "b"), card(hub, "a"), "Ирина")
    sync(hub)
    kit.world("crm").lay("contact", "c", "1")
    merges.unmerge(hub, card(hub, "a"), "Ирина")
    sync(hub)
    assert lie(kit) == {"a": ["2"], "b": ["3"], "c": ["1"]}


def test_a_merge_taken_back_before_it_was_told_moves_nothing(kit: Kit) -> None:
    hub = opened(kit)
    kit.forget_calls()
    merges.merge(hub, card(hub, "a"), card(hub, "b"), "Ирина")
    merges.unmerge(hub, card(hub, "b"), "Ирина")
    sync(hub)
    assert gathers(kit) == 0
    assert {i.state for i in rows(hub, intent, op="gather")} == {"dropped"}


def test_a_system_that_is_only_read_keeps_them_as_they_are(kit: Kit) -> None:
    hub = opened(kit, [])
    merges.merge(hub, card(hub, "a"), card(hub, "b"), "Ирина")
    sync(hub)
    assert rows(hub, intent) == []
    assert lie(kit) == HOME


@pytest.mark.parametrize("mode", ["lost", "error", "refuse"])
def test_a_call_that_fails_and_a_merge_taken_back_meanwhile(kit: Kit, mode: str) -> None:
    hub = opened(kit)
    kit.world("crm").plan.faults.append({"call": "gather", "mode": mode, "times": 1})
    merges.merge(hub, card(hub, "b"), card(hub, "a"), "Ирина")
    sync(hub)
    held = rows(hub, quarantine, stage="delivery", state="open")
    assert len(held) == (mode == "refuse")
    merges.unmerge(hub, card(hub, "a"), "Ирина")
    for _ in range(3):
        kit.now.pass_(minutes=10)
        sync(hub)
    assert lie(kit) == HOME
    assert kit.world("crm").notes("contact") == {}
    assert rows(hub, quarantine, stage="delivery", state="open") == []
    assert not [i for i in rows(hub, intent, op="gather") if i.state not in ("done", "dropped")]


def test_the_first_writes_to_a_system_ask_for_these_too(kit: Kit) -> None:
    opened(kit)
    hub = kit.open(CONNECTIONS, FLOWS, limits={"first_run": "ask"})
    merges.merge(hub, card(hub, "a"), card(hub, "b"), "Ирина")
    sync(hub)
    assert lie(kit) == HOME
    assert one(hub, intent, op="gather").plan_id is not None


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_killed_at_any_instant_it_ends_the_same(kit: Kit) -> None:
    hub = opened(kit)
    a, b = card(hub, "a"), card(hub, "b")

    def scenario(after: int | None) -> tuple[Death, Any]:
        nonlocal hub
        for part in (False, True):
            merges.unmerge(hub, b, "Ирина") if part else merges.merge(hub, a, b, "Ирина")
            with dying(after) as death:
                sync(hub)
            kit.close(hub)
            hub = kit.open()
            kit.now.pass_(minutes=5)
            sync(hub)
            seen.append(lie(kit))
        return death, (seen[-2:], kit.world("crm").notes("contact") == {})

    seen: list[dict[str, list[str]]] = []
    number, end = every_death(scenario, step=6, first=1)
    assert end == ([{"a": ["1", "2", "3"], "b": [], "c": []}, HOME], True)
    assert number > 5
