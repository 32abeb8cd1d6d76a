"""Writes to the other systems: one call, settled by looking, never made twice, never in the way of the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import BadConfig, Change, Hint, NeedHuman, Record, RecordRefused, RetryLater, Text
from sync.delivery import execute
from sync.delivery.execute import holds
from sync.flow import deliver, take
from sync.flow.plug import Cause
from sync.hub import acts, commands, works
from sync.hub.runtime import Hub
from sync.store import points
from sync.store.tables import conflict, inbox, intent, journal, link, quarantine, record
from tests.spec.hubs import Kit, contents, dying, empty, every_death, one, plain, rows, sync, total
from tests.spec.test_weave import DEAL, data, quiet


def one_way(kit: Kit, **crm: Any) -> Hub:
    """A shop whose deals a flow creates in the CRM."""
    return kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"], **crm}},
        [("deal", "shop", "crm", "always")],
    )


def linked(kit: Kit, **crm: Any) -> Hub:
    hub = one_way(kit, **crm)
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    assert len(kit.world("crm").rows("deal")) == 1
    kit.forget_calls()
    return hub


def faults(kit: Kit, *found: dict[str, Any], name: str = "crm") -> None:
    kit.world(name).plan.faults = [{"times": 1, **fault} for fault in found]


def calls(kit: Kit, call: str, name: str = "crm") -> int:
    return sum(c["call"] == call for c in kit.world(name).plan.log)


LATER = {"hours": 2}


# the named cases of the specification ----------------------------------------------------------------------------------


@pytest.mark.parametrize("holds_key", [True, False])
@pytest.mark.parametrize("poll_first", [True, False])
def test_case_1_re_adoption_after_a_crash_with_an_edit_on_the_source(
    kit: Kit, holds_key: bool, poll_first: bool
) -> None:
    """Made there, died before the link was stored, edited on the source before the restart: base is what the intent wrote,
    so that the edit is news and goes out instead of being undone."""
    hub = one_way(kit, holds_key=holds_key)
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    faults(kit, {"call": "write", "mode": "kill-after"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.world("shop").put("deal", {"comment": "покупатель дописал"}, "1")
    kit.now.pass_(**LATER)
    if poll_first:
        works.poll(hub, hub.plugs["shop"])
    works.deliver(hub, hub.plugs["crm"])
    there = one(hub, link, connection="crm")
    if there.base["comment"] != "покупатель дописал":  # the update may have followed in the same pass
        assert there.base["comment"] == "было"
    sync(hub)
    assert data(kit, "shop")["comment"] == data(kit, "crm")["comment"] == "покупатель дописал"
    assert (rows(hub, conflict), len(kit.world("crm").rows("deal"))) == ([], 1)
    assert not any(c == ("shop", "deal") for c in kit.writes())
    quiet(kit, hub)


@pytest.mark.parametrize("holds_key", [True, False])
@pytest.mark.parametrize("then", ["created", "not created", "created and edited"])
def test_case_2_a_create_timed_out(kit: Kit, holds_key: bool, then: str) -> None:
    hub = one_way(kit, holds_key=holds_key)
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    faults(kit, {"call": "write", "mode": "kill-before" if then == "not created" else "kill-after"})
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    if then == "created and edited":
        kit.world("crm").put("deal", {"comment": "менеджер"}, "1")
    for _ in range(3):
        kit.now.pass_(**LATER)
        sync(hub)
    known = holds_key or then == "created"
    assert rows(hub, intent)[0].state == ("done" if known else "unknown")
    assert calls(kit, "write") <= 2
    assert len(kit.world("crm").rows("deal")) == (0 if then == "not created" and not holds_key else 1)
    if known:
        wanted = "менеджер" if then == "created and edited" else "было"
        assert data(kit, "crm")["comment"] == data(kit, "shop")["comment"] == wanted
        assert len(rows(hub, record, kind="deal")) == 1
        quiet(kit, hub)
    else:
        assert [q.code for q in rows(hub, quarantine)] == ["delivery.unknown"]


TWO_WORDS = """system = "memory"
version = 1
[tables.stages]
new = "new"
PREPARATION = "in_work"
PREPAYMENT = "in_work"
won = "won"
[deal.fields]
stage = "stage | lookup(stages)"
"""


def test_case_5_two_native_stages_of_one_meaning_leave_the_card_where_it_is(kit: Kit, tmp_path: Path) -> None:
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "memory.toml").write_text(TWO_WORDS, encoding="utf-8")
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
        hub={"mappings": str(mappings)},
        owners={"deal.stage": "manual"},
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    kit.world("crm").put("deal", {"stage": "PREPAYMENT"}, "1")
    sync(hub)
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("PREPAYMENT", "PREPARATION")
    kit.forget_calls()
    kit.world("shop").put("deal", {"comment": "ещё", "stage": "PREPAYMENT"}, "1")
    sync(hub)
    assert kit.writes() == [("crm", "deal")], "the comment alone"
    assert (data(kit, "crm")["stage"], data(kit, "crm")["comment"]) == ("PREPAYMENT", "ещё")
    quiet(kit, hub)


def test_case_10_a_hint_about_what_we_have_just_written_is_one_read_and_no_write(kit: Kit) -> None:
    hub = linked(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    kit.forget_calls()
    before = contents(hub.store, ("run", "lease", "bucket", "cursor"))
    counts = take.take_chunk(hub.world, hub.plugs["crm"], [Hint("deal", "1")], Cause())
    assert (counts.same, calls(kit, "read"), calls(kit, "write")) == (1, 1, 0)
    assert contents(hub.store, ("run", "lease", "bucket", "cursor")) == before
    sync(hub)
    assert kit.writes() == []


# before the call ---------------------------------------------------------------------------------------------------------


def test_intent_and_journal_are_committed_before_the_call(kit: Kit) -> None:
    """E1: whoever dies in the call has written down what it wanted, why, and what it came from."""
    hub = linked(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    seen = []

    def look(point: str) -> None:
        if point == "call:crm.write:before":
            seen.append((rows(hub, intent)[-1], [n for n in rows(hub, journal) if "comment" in n.changes]))

    points.hook = look
    sync(hub)
    points.hook = None
    ((wish, notes),) = seen
    assert (wish.state, wish.fields, wish.why) == ("sending", {"comment": "новое"}, {"comment": "observed"})
    assert ["было", "новое"] in [n.changes["comment"] for n in notes]


def test_without_a_conditional_write_the_record_is_compared_just_before(kit: Kit) -> None:
    """E2: what somebody wrote there since the last poll is not overwritten; they are asked."""
    hub = linked(kit, conditional=False)
    kit.world("shop").put("deal", {"comment": "из магазина"}, "1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {"comment": "менеджер"}, "1")
    works.deliver(hub, hub.plugs["crm"])
    assert (calls(kit, "write"), data(kit, "crm")["comment"]) == (0, "менеджер")
    assert one(hub, conflict).sides == {"shop/deal": "из магазина", "crm/deal": "менеджер"}
    quiet(kit, hub)


def test_without_a_conditional_write_another_field_that_moved_does_not_stand_in_the_way(kit: Kit) -> None:
    hub = linked(kit, conditional=False)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {"title": "Шкаф белый"}, "1")
    sync(hub)
    assert data(kit, "crm")["comment"] == "новое"
    assert data(kit, "crm")["title"] == data(kit, "shop")["title"] == "Шкаф белый"
    quiet(kit, hub)


def test_a_record_that_shows_it_already_is_not_written(kit: Kit) -> None:
    hub = linked(kit, conditional=False)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {"comment": "новое"}, "1")
    works.deliver(hub, hub.plugs["crm"])
    assert (calls(kit, "write"), rows(hub, intent)[-1].state, rows(hub, conflict)) == (0, "dropped", [])
    assert not [n for n in rows(hub, journal) if n.why == "wrote:observed"], "nobody wrote it"
    quiet(kit, hub)


def test_a_record_that_cannot_be_compared_now_is_written_later(kit: Kit) -> None:
    hub = linked(kit, conditional=False)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    faults(kit, {"call": "read", "times": 1})
    sync(hub)
    assert (calls(kit, "write"), rows(hub, intent)[-1].state) == (0, "planned")
    kit.now.pass_(**LATER)
    sync(hub)
    assert data(kit, "crm")["comment"] == "новое"
    quiet(kit, hub)


def test_a_system_without_either_is_written_as_it_is(kit: Kit) -> None:
    """The window is the adapter's own: neither conditional nor readable."""
    hub = linked(kit, conditional=False)
    adapter = hub.plugs["crm"].adapter
    adapter.capabilities = replace(adapter.capabilities, reads=frozenset())
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    assert (calls(kit, "write"), calls(kit, "read")) == (1, 0)


# reasons and repeats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["kill-before", "kill-after", "moved"])
def test_a_wish_by_hand_stays_one_whatever_became_of_the_call(kit: Kit, mode: str) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}},
        [("deal", "shop", "shop", "never")],
        owners={"deal.stage": "manual"},
    )
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    acts.set_stage(hub, "1043", "in_work", "Ирина Пробная")
    commands.run_commands(hub)
    if mode == "moved":
        kit.world("shop").put("deal", {"comment": "между тем"}, "1")
    else:
        faults(kit, {"call": "write", "mode": mode}, name="shop")
        with pytest.raises(BaseException, match="write"):
            works.deliver(hub, hub.plugs["shop"])
    for _ in range(2):
        kit.now.pass_(**LATER)
        sync(hub)
    assert data(kit, "shop")["stage"] == "in_work"
    wrote = [n.why for n in rows(hub, journal) if n.why.startswith("wrote") and "stage" in n.changes]
    assert wrote == ["wrote:human"]
    quiet(kit, hub)


def test_the_same_answer_twice_and_one_that_comes_late_change_nothing(kit: Kit) -> None:
    hub = linked(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    works.poll(hub, hub.plugs["shop"])
    wish = rows(hub, intent)[-1]
    works.deliver(hub, hub.plugs["crm"])
    before = contents(hub.store)
    answer = execute.Outcome("done", kit.world("crm").record("deal", "1"))
    late = execute.Outcome("refused", None, RecordRefused(Text("late", "поздно"), code="late"))
    for outcome in (answer, answer, late):
        assert deliver._taken(hub.world, hub.plugs["crm"], wish, outcome, None) == 0
    assert contents(hub.store) == before
    quiet(kit, hub)


# updates -----------------------------------------------------------------------------------------------------------------


def test_a_lost_update_is_settled_by_reading(kit: Kit) -> None:
    hub = linked(kit)
    faults(kit, {"call": "write", "mode": "lost"})
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    assert (calls(kit, "write"), data(kit, "crm")["comment"]) == (1, "новое")
    assert rows(hub, intent)[-1].state == "done"
    quiet(kit, hub)


def test_an_update_that_did_not_happen_is_made_again(kit: Kit) -> None:
    hub = linked(kit)
    faults(kit, {"call": "write", "mode": "kill-before"})
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.now.pass_(**LATER)
    sync(hub)
    assert (calls(kit, "write"), data(kit, "crm")["comment"]) == (2, "новое")
    quiet(kit, hub)


@pytest.mark.parametrize("mode", ["kill-before", "kill-after"])
def test_a_lost_update_and_an_edit_there_meanwhile(kit: Kit, mode: str) -> None:
    """What users did there before the outcome was known is neither overwritten nor forgotten."""
    hub = linked(kit)
    faults(kit, {"call": "write", "mode": mode})
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    with pytest.raises(BaseException, match="write"):
        sync(hub)
    kit.world("crm").put("deal", {"comment": "менеджер"}, "1")
    kit.now.pass_(**LATER)
    sync(hub)
    if mode == "kill-before":  # two people wrote over the same old value
        assert one(hub, conflict).sides == {"shop/deal": "новое", "crm/deal": "менеджер"}
    assert data(kit, "crm")["comment"] == "менеджер"
    assert data(kit, "shop")["comment"] in ("новое", "менеджер")
    quiet(kit, hub)


def test_a_moved_record_is_read_and_decided_again(kit: Kit) -> None:
    """Another field moved there: our value is still wanted, and goes over the new version."""
    hub = linked(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    works.poll(hub, hub.plugs["shop"])
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    works.deliver(hub, hub.plugs["crm"])
    assert [r.state for r in rows(hub, intent, connection="crm")] == ["done", "dropped", "planned"]
    sync(hub)
    assert (data(kit, "crm")["comment"], data(kit, "shop")["stage"]) == ("новое", "in_work")
    quiet(kit, hub)


def test_a_version_that_moved_without_a_change(kit: Kit) -> None:
    hub = linked(kit)
    kit.world("crm").put("deal", {"stage": "new"}, "1")  # touched, not changed
    sync(hub)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    sync(hub)
    assert data(kit, "crm")["comment"] == "новое"
    quiet(kit, hub)


def test_a_busy_system_is_asked_again_when_it_said(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = linked(kit)
    adapter = hub.plugs["crm"].adapter
    busy = RetryLater(Text("busy", "занято"), code="crm.busy", after=600)
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "write", _raise(busy))
        kit.world("shop").put("deal", {"comment": "новое"}, "1")
        sync(hub)
    row = rows(hub, intent)[-1]
    assert (row.state, row.tries, row.error["code"]) == ("planned", 1, "crm.busy")
    assert 590 < (row.next_at - kit.now()).total_seconds() < 600
    sync(hub)
    assert calls(kit, "write") == 0
    kit.now.pass_(seconds=600)
    sync(hub)
    assert data(kit, "crm")["comment"] == "новое"
    quiet(kit, hub)


def _raise(error: Exception) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("kind", [RecordRefused, NeedHuman])
def test_a_refused_record_waits_and_its_neighbours_go(kit: Kit, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = one_way(kit)
    for number in ("1", "2", "3"):
        kit.world("shop").put("deal", {**DEAL, "number": number})
    adapter = hub.plugs["crm"].adapter
    write = adapter.write
    refusal = kind(Text("no such field", "нет такого поля"), code="crm.field", field="number")

    def refusing(change: Change) -> Record:
        if change.data.get("number") == "2":
            raise refusal
        return write(change)

    with monkeypatch.context() as patch:
        patch.setattr(adapter, "write", refusing)
        sync(hub)
        sync(hub)
    assert sorted(r["data"]["number"] for r in kit.world("crm").rows("deal").values()) == ["1", "3"]
    waiting = one(hub, quarantine)
    assert (waiting.stage, waiting.code, waiting.field, waiting.count) == ("delivery", "crm.field", "number", 1)
    acts.retry(hub, waiting.id)
    sync(hub)
    assert (one(hub, quarantine).state, len(kit.world("crm").rows("deal"))) == ("closed", 3)
    quiet(kit, hub)


def test_a_refused_write_is_not_repeated_but_a_changed_one_is_tried(kit: Kit) -> None:
    hub = linked(kit)
    faults(kit, {"call": "write", "mode": "refuse", "times": 1})
    kit.world("shop").put("deal", {"comment": "плохое"}, "1")
    sync(hub)
    kit.world("shop").put("deal", {"stage": "new"}, "1")
    sync(hub)
    assert (calls(kit, "write"), one(hub, quarantine).state) == (1, "open")
    kit.world("shop").put("deal", {"comment": "хорошее"}, "1")
    sync(hub)
    assert (data(kit, "crm")["comment"], one(hub, quarantine).state) == ("хорошее", "closed")
    quiet(kit, hub)


def test_a_wrong_setting_stops_the_connection_and_everything_stays_planned(kit: Kit, monkeypatch: Any) -> None:
    hub = one_way(kit)
    for number in ("1", "2"):
        kit.world("shop").put("deal", {**DEAL, "number": number})
    denied = BadConfig(Text("denied", "отказано"), code="crm.auth", setting="connections.crm.key")
    with monkeypatch.context() as patch:
        patch.setattr(hub.plugs["crm"].adapter, "write", _raise(denied))
        _, errors = works.sync_once(hub)
    assert errors["crm"].code == "crm.auth"
    assert [r.state for r in rows(hub, intent)] == ["planned", "planned"]
    assert rows(hub, quarantine) == []
    sync(hub)
    assert len(kit.world("crm").rows("deal")) == 2


def test_a_system_that_keeps_its_own_value_is_not_written_for_ever(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = linked(kit)
    adapter = hub.plugs["crm"].adapter
    write = adapter.write
    monkeypatch.setattr(
        adapter, "write", lambda change: write(replace(change, data={**change.data, "comment": "СВОЁ"}))
    )
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    assert calls(kit, "write") == 1
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.field, waiting.state) == ("delivery.not_kept", "comment", "open")
    assert data(kit, "shop")["comment"] == "новое", "what nobody entered goes nowhere"
    quiet(kit, hub)
    monkeypatch.undo()
    acts.retry(hub, waiting.id)
    sync(hub)
    assert (data(kit, "crm")["comment"], one(hub, quarantine).state) == ("новое", "closed")
    quiet(kit, hub)


def test_the_base_advances_with_the_write_and_not_before(kit: Kit) -> None:
    hub = linked(kit)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    works.poll(hub, hub.plugs["shop"])
    there = one(hub, link, connection="crm")
    assert there.base["comment"] == "было"
    works.deliver(hub, hub.plugs["crm"])
    there = one(hub, link, connection="crm")
    assert (there.base["comment"], there.shadow["comment"]) == ("новое", "новое")


def test_only_the_newest_wish_is_written(kit: Kit) -> None:
    hub = linked(kit)
    for comment in ("раз", "два", "три"):
        kit.world("shop").put("deal", {"comment": comment}, "1")
        works.poll(hub, hub.plugs["shop"])
    sync(hub)
    assert (calls(kit, "write"), data(kit, "crm")["comment"]) == (1, "три")
    assert [r.state for r in rows(hub, intent, op="update")] == ["dropped", "dropped", "done"]


def test_a_wish_that_came_while_one_was_under_way(kit: Kit) -> None:
    hub = linked(kit)
    faults(kit, {"call": "write", "mode": "lost"}, {"call": "read", "times": 1})
    kit.world("shop").put("deal", {"comment": "раз"}, "1")
    sync(hub)
    assert rows(hub, intent)[-1].state == "sending"
    kit.world("shop").put("deal", {"comment": "два"}, "1")
    sync(hub)
    kit.now.pass_(**LATER)
    sync(hub)
    assert (data(kit, "crm")["comment"], data(kit, "shop")["comment"]) == ("два", "два")
    assert rows(hub, conflict) == []
    quiet(kit, hub)


def test_a_record_that_is_gone_there(kit: Kit) -> None:
    hub = linked(kit)
    kit.world("crm").delete("deal", "1", purge=True)
    kit.world("shop").put("deal", {"comment": "новое"}, "1")
    sync(hub)
    assert one(hub, quarantine).stage == "delivery"
    assert len(kit.world("crm").rows("deal")) == 0, "nothing is made a second time"
    kit.forget_calls()
    sync(hub)
    assert kit.writes() == []


# everywhere ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holds_key", [True, False])
def test_killed_anywhere_the_end_is_the_same(kit: Kit, tmp_path: Path, holds_key: bool) -> None:
    """A create, and an update with a status back: dying at every instant changes nothing about the end."""

    def scenario(after: int | None) -> Any:
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub = one_way(life, holds_key=holds_key)
            life.world("shop").put("deal", {**DEAL, "comment": "было"})
            with dying(after) as death:
                works.poll(hub, hub.plugs["shop"])
                works.deliver(hub, hub.plugs["crm"])
                life.world("crm").put("deal", {"stage": "in_work"}, "1")
                works.poll(hub, hub.plugs["crm"])
                works.deliver(hub, hub.plugs["shop"])
            for _ in range(3 if after is not None else 1):
                life.now.pass_(**LATER)
                sync(hub)
                if life.world("crm").rows("deal"):
                    life.world("crm").put("deal", {"stage": "in_work"}, "1")
                for row in rows(hub, quarantine, state="open"):  # a person looked: it was not done
                    assert not holds_key
                    acts.retry(hub, row.id)
            return death, _end(life, hub)

    # each database and way of settling dies at other instants; all of them together at every fourth one
    first = 4 * holds_key + 8 * kit.store.sqlite
    number, (state, deals, written) = every_death(scenario, step=16, first=first)
    assert number > 30
    assert (deals, len(written)) == ([["in_work"], ["in_work"]], 2)
    assert len(state[0]) == 2


def _end(kit: Kit, hub: Hub) -> Any:
    deals = [[r["data"]["stage"] for r in kit.world(n).rows("deal").values()] for n in ("shop", "crm")]
    open_ones = [r.state for r in rows(hub, intent) if r.state not in ("done", "dropped")]
    assert open_ones == []
    assert all(r.state == "done" for r in rows(hub, inbox))
    notes = [n.why for n in rows(hub, journal) if n.why.startswith("wrote")]
    return [plain(hub, t, "version", "cursor") for t in (record, link, conflict)], deals, notes


# the pure parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "wanted", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": "10.00"}, {"a": "10"}, True),
        ({"a": 10}, {"a": "10.000"}, True),
        ({"a": "10.01"}, {"a": "10"}, False),
        ({}, {"a": None}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [{"x": 1, "y": 2}]}, {"a": [{"x": 1}]}, True),
        ({"a": True}, {"a": 1}, True),
        ({"a": "true"}, {"a": True}, False),
        ("text", {"a": 1}, False),
        ({"a": {"b": "1"}}, {"a": {"b": 1}}, True),
        ({"a": "1e3"}, {"a": "abc"}, False),
    ],
)
def test_whether_a_record_shows_what_was_written(shown: Any, wanted: Any, expected: bool) -> None:
    assert holds(shown, wanted) is expected


def test_a_system_that_cannot_be_read_leaves_the_outcome_unknown(kit: Kit) -> None:
    adapter = one_way(kit).plugs["crm"].adapter
    adapter.capabilities = replace(adapter.capabilities, reads=frozenset())
    outcome = execute.settle(adapter, Change("deal", "1", {"a": 1}, None, "key"), 1)
    assert outcome.state == "unknown"
    assert outcome.error is not None
    assert outcome.error.remedy is not None


def test_a_create_that_never_shows_up_is_not_tried_for_ever(kit: Kit) -> None:
    adapter = one_way(kit).plugs["crm"].adapter
    change = Change("deal", None, {"number": "1"}, None, "key")
    assert [execute.settle(adapter, change, tries).state for tries in (1, 4, 5, 9)] == [
        "repeat",
        "repeat",
        "unknown",
        "unknown",
    ]


def test_counts_of_a_delivery(kit: Kit) -> None:
    hub = one_way(kit)
    for number in range(51):  # more than one portion
        kit.world("shop").put("deal", {**DEAL, "number": str(number)})
    assert total(sync(hub), "writes") == 51
    assert len(kit.world("crm").rows("deal")) == 51
