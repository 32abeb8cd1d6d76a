"""Taking a run back: what it changed stands as before, here and there, unless anything has moved since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.memory import WORLDS, world
from sync.cli.app import app
from sync.errors import NeedHuman
from sync.hub import acts, undo
from sync.hub.audit import audit
from sync.hub.runs import Run
from sync.hub.runtime import Hub
from sync.store import Store
from sync.store.tables import intent, journal, link, record
from sync.store.tables import run as runs
from tests.spec.hubs import START, Kit, contents, dying, one, rows, sync
from tests.spec.test_weave import DEAL, data, quiet, two


def changed(kit: Kit, hub: Hub, connection: str = "shop", id: str = "1", **values: Any) -> list[Run]:
    kit.world(connection).put("deal", values, id)
    return sync(hub)


def run_of(done: list[Run], work: str) -> int:
    return next(r.id for r in done if r.work == work and r.counts.new + r.counts.changed + r.counts.writes)


def comments(kit: Kit, hub: Hub) -> tuple[str, str, str]:
    deal = one(hub, record, kind="deal")
    return deal.data["comment"], data(kit, "shop")["comment"], data(kit, "crm")["comment"]


def reasons(found: undo.Undo) -> str:
    assert found.refused
    assert found.done == 0
    assert all(t["ru"] for r in found.records for t in r.refused)
    return " ".join(t["en"] for r in found.records for t in r.refused)


@pytest.mark.parametrize("which", ["scan deal", "deliver"])
def test_a_run_is_taken_back_here_and_there(kit: Kit, which: str) -> None:
    """The read that brought a change, or the write that carried it on: either way it is as before in both systems."""
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), which)
    assert comments(kit, hub) == ("стало",) * 3
    before = contents(hub.store)
    planned = undo.plan(hub, run)
    assert contents(hub.store) == before
    assert (planned.ready, planned.refused, planned.nothing) == (1, 0, 0)
    assert planned.records[0].fields == {"comment": ("стало", "было")}
    assert sorted(planned.records[0].written["comment"]) == ["crm", "shop"]

    found = undo.apply(hub, run, "Ирина")
    assert (found.done, found.ready, found.refused) == (1, 0, 0)
    own = one(hub, runs, id=found.undo_run)
    assert (own.connection, own.work, own.outcome, own.changed) == ("hub", f"undo {run}", "ok", 1)
    (note,) = rows(hub, journal, run_id=found.undo_run)
    assert (note.why, note.who, note.connection) == (f"undo:{run}", "Ирина", "hub")
    assert note.changes == {"comment": ["стало", "было"]}
    sync(hub)
    assert comments(kit, hub) == ("было",) * 3
    written = [n for n in rows(hub, journal) if n.why == f"wrote:undo:{run}"]
    assert {n.connection for n in written} == {"shop", "crm"}
    assert all(n.changes == {"comment": ["стало", "было"]} for n in written)
    for one_link in rows(hub, link):
        assert one_link.base["comment"] == "было", "agreed is what both show"
    assert audit(hub).mismatches == []
    quiet(kit, hub)


def test_a_second_time_nothing_is_left(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    undo.apply(hub, run, "Ирина")
    sync(hub)
    before = contents(hub.store)
    again = undo.apply(hub, run, "Ирина")
    assert (again.records, again.nothing, again.undo_run) == ([], 1, None)
    assert contents(hub.store) == before


def test_an_undo_is_undone(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    first = undo.apply(hub, run, "Ирина")
    sync(hub)
    assert first.undo_run is not None
    second = undo.apply(hub, first.undo_run, "Ирина")
    assert second.done == 1
    sync(hub)
    assert comments(kit, hub) == ("стало",) * 3
    assert audit(hub).mismatches == []
    quiet(kit, hub)


def test_a_write_that_is_not_out_yet_is_taken_back_before_it_goes(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "error", "times": 9}]
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    assert [i.state for i in rows(hub, intent, connection="crm", op="update")] == ["planned"]
    undo.apply(hub, run, "Ирина")
    assert [i.state for i in rows(hub, intent, connection="crm", op="update")] == ["dropped"]
    kit.world("crm").plan.faults = []
    kit.forget_calls()
    kit.now.pass_(hours=1)
    sync(hub)
    assert comments(kit, hub) == ("было",) * 3
    assert kit.writes() == [("shop", "deal")]
    quiet(kit, hub)


def test_while_a_write_is_under_way_nothing_is_taken_back(kit: Kit) -> None:
    hub = two(kit)
    kit.world("crm").plan.faults = [{"call": "write", "mode": "lost"}, {"call": "read", "mode": "error", "times": 99}]
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    assert [i.state for i in rows(hub, intent, connection="crm", op="update")] == ["sending"]
    assert "crm is under way" in reasons(undo.apply(hub, run, "Ирина"))


def test_what_moved_since_is_refused_with_the_value_and_by_whom(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    changed(kit, hub, "crm", comment="потом")
    said = reasons(undo.apply(hub, run, "Ирина"))
    assert "comment" in said
    assert "«потом»" in said
    assert "crm" in said
    assert comments(kit, hub) == ("потом",) * 3
    assert rows(hub, runs, connection="hub") == [], "nothing to do makes no run"


def test_what_moved_there_and_is_a_question_here_is_refused(kit: Kit) -> None:
    """The record stands as the run left it, and a system has moved since: it is not taken back over that."""
    hub = two(kit, owners={"deal.stage": "manual"})
    run = run_of(changed(kit, hub, stage="paid"), "scan deal")
    changed(kit, hub, "crm", stage="in_work")
    assert one(hub, record, kind="deal").stage == "paid"
    said = reasons(undo.apply(hub, run, "Ирина"))
    assert "moved since in crm" in said
    assert "«in_work»" in said
    assert (data(kit, "shop")["stage"], data(kit, "crm")["stage"]) == ("paid", "in_work")


def test_a_closed_deal_is_opened_again(kit: Kit) -> None:
    """Only people leave a closed stage, and an undo is a person's act."""
    hub = two(kit, owners={"deal.stage": "manual"})
    run = run_of(changed(kit, hub, stage="won"), "scan deal")
    assert data(kit, "crm")["stage"] == "won"
    undo.apply(hub, run, "Ирина")
    sync(hub)
    assert (data(kit, "shop")["stage"], data(kit, "crm")["stage"]) == ("new", "new")
    quiet(kit, hub)


def test_what_moved_there_unseen_is_not_overwritten(kit: Kit) -> None:
    """The plan is made from what was seen last; the write itself sees that the other side has moved."""
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    kit.world("crm").put("deal", {"comment": "звонок в CRM"}, "1")
    undo.apply(hub, run, "Ирина")
    from sync.hub import works

    works.deliver(hub, hub.plugs["crm"])
    assert data(kit, "crm")["comment"] == "звонок в CRM"


def test_a_field_that_another_system_owns(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, "crm", stage="in_work"), "scan deal")
    said = reasons(undo.apply(hub, run, "Ирина"))
    assert "crm decides about it" in said
    assert "«in_work»" in said
    assert data(kit, "shop")["stage"] == "in_work"


def test_an_owned_field_goes_back_to_what_its_owner_shows(kit: Kit) -> None:
    """A person's word stood against the owner's; taking it back restores the owner's."""
    hub = two(kit)
    deal = one(hub, record, kind="deal")
    with hub.store.begin() as tx:
        acts.settle_field(hub, tx, deal.uid, "title", "Стол", {}, "Ирина")
        run = tx.execute(
            runs.insert()
            .values(connection="hub", work="by hand", started_at=hub.now(), outcome="ok")
            .returning(runs.c.id)
        ).scalar_one()
        tx.execute(journal.update().where(journal.c.why == "human").values(run_id=run))
    found = undo.apply(hub, run, "Ирина")
    assert (found.done, found.refused) == (1, 0)
    assert one(hub, record, kind="deal").data["title"] == "Шкаф"
    sync(hub)
    assert (data(kit, "shop")["title"], data(kit, "crm")["title"]) == ("Шкаф", "Шкаф")


def test_a_creation_is_not_taken_back(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}},
        [("deal", "shop", "crm", "always")],
    )
    kit.world("shop").put("deal", DEAL)
    done = sync(hub)
    said = reasons(undo.apply(hub, run_of(done, "deliver"), "Ирина"))
    assert "created in crm" in said
    assert "by hand" in said
    said = reasons(undo.apply(hub, run_of(done, "scan deal"), "Ирина"))
    assert "made by this run from shop" in said
    assert set(kit.world("crm").rows("deal")) == {"1"}


def test_a_side_that_cannot_be_written_is_a_reason(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}})
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    assert "shop shows «стало» and cannot be written" in reasons(undo.apply(hub, run, "Ирина"))


def test_a_system_that_has_kept_its_own_word_all_along_is_no_reason(kit: Kit) -> None:
    hub = two(kit, owners={"deal.stage": "manual"})
    kit.close(hub)
    hub = kit.open(
        {
            "shop": {"role": "shop", "kinds": ["deal"]},
            "crm": {"kinds": ["deal"]},
            "site": {"role": "shop", "kinds": ["deal"]},
        },
        [("deal", "crm", "site")],
        owners={"deal.stage": "manual"},
    )
    changed(kit, hub, "crm", stage="in_work")
    run = run_of(changed(kit, hub, "crm", stage="paid"), "scan deal")
    assert data(kit, "shop")["stage"] == "new"
    assert undo.apply(hub, run, "Ирина").done == 1
    sync(hub)
    assert (data(kit, "crm")["stage"], data(kit, "shop")["stage"]) == ("in_work", "new")


def test_what_only_the_other_side_can_say(kit: Kit) -> None:
    """A price of one price type is no field of the record: it is refused, and so is the rest of that record."""
    hub = two(kit)
    with hub.store.begin() as tx:
        deal = one(hub, record, kind="deal")
        run = tx.execute(
            runs.insert().values(connection="shop", work="x", started_at=hub.now(), outcome="ok").returning(runs.c.id)
        ).scalar_one()
        tx.execute(
            journal.insert().values(
                at=hub.now(),
                run_id=run,
                record_uid=deal.uid,
                kind="deal",
                connection="shop",
                why="observed",
                who="shop",
                changes={"payment P1": [None, {"amount": "5"}], "comment": ["раньше", "было"]},
            )
        )
    assert "payment P1" in reasons(undo.apply(hub, run, "Ирина"))
    assert comments(kit, hub)[0] == "было"


def test_a_merged_record_and_a_record_that_is_gone(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    deal = one(hub, record, kind="deal")
    with hub.store.begin() as tx:
        tx.execute(record.update().where(record.c.uid == deal.uid).values(merged_into="x"))
    assert "merged" in reasons(undo.apply(hub, run, "Ирина"))
    with hub.store.begin() as tx:
        tx.execute(record.delete().where(record.c.uid == deal.uid))
    assert "not there any more" in reasons(undo.apply(hub, run, "Ирина"))


def test_a_connection_that_is_gone_has_no_say(kit: Kit) -> None:
    hub = two(kit)
    run = run_of(changed(kit, hub, comment="стало"), "scan deal")
    kit.close(hub)
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "site": {"role": "shop", "kinds": ["deal"]}},
        [("deal", "shop", "site")],
    )
    assert undo.apply(hub, run, "Ирина").done == 1
    sync(hub)
    assert data(kit, "shop")["comment"] == "было"
    assert data(kit, "crm")["comment"] == "стало"


def test_runs_that_cannot_be(kit: Kit) -> None:
    hub = two(kit)
    with pytest.raises(NeedHuman) as caught:
        undo.plan(hub, 999)
    assert caught.value.code == "undo.unknown"
    idle = sync(hub)
    found = undo.apply(hub, idle[0].id, "Ирина")
    assert (found.records, found.nothing, found.undo_run) == ([], 0, None), "a run that wrote nothing"
    with hub.store.begin() as tx:
        tx.execute(runs.update().where(runs.c.id == idle[0].id).values(outcome="running"))
    with pytest.raises(NeedHuman) as caught:
        undo.apply(hub, idle[0].id, "Ирина")
    assert caught.value.code == "undo.running"


def test_killed_halfway_it_goes_on_where_it_stopped(kit: Kit) -> None:
    hub = two(kit)
    kit.world("shop").put("deal", {**DEAL, "number": "1044", "comment": "было"})
    kit.world("shop").put("deal", {**DEAL, "number": "1045", "comment": "было"})
    sync(hub)
    ids = sorted(kit.world("shop").rows("deal"))
    for id in ids:
        kit.world("shop").put("deal", {"comment": "стало"}, id)
    run = run_of(sync(hub), "scan deal")
    halves = 0
    for after in range(12):
        with dying(after) as death:
            undo.apply(hub, run, "Ирина")
        left = undo.plan(hub, run)
        assert left.refused == 0
        halves += death.died and 0 < left.nothing < 3
        assert audit(hub).mismatches == []
    assert halves, "some death fell between two records"
    undo.apply(hub, run, "Ирина")
    kit.close(hub)
    hub = kit.open()
    kit.now.pass_(hours=1)
    sync(hub)
    assert {row["data"]["comment"] for n in ("shop", "crm") for row in kit.world(n).rows("deal").values()} == {"было"}
    undone = [n for n in rows(hub, journal) if n.why == f"undo:{run}"]
    assert len(undone) == 3, "each record once"
    quiet(kit, hub)


def test_a_run_that_changed_a_field_twice_goes_back_to_its_beginning(kit: Kit) -> None:
    hub = two(kit)
    first = run_of(changed(kit, hub, comment="раз"), "scan deal")
    second = run_of(changed(kit, hub, comment="два"), "scan deal")
    with hub.store.begin() as tx:
        tx.execute(journal.update().where(journal.c.run_id == second).values(run_id=first))
    assert undo.plan(hub, first).records[0].fields == {"comment": ("два", "было")}


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_commands(tmp_path: Path, language: str) -> None:
    """verify, undo and audit as people call them: exit codes, words, and one JSON document."""
    names = [f"{tmp_path}:{name}" for name in ("shop", "crm")]
    shop, crm = (world(name) for name in names)
    (tmp_path / "config.toml").write_text(
        f'[hub]\nlanguage = "{language}"\n[limits]\nfirst_run = "go"\n'
        + "".join(
            f'[connections.{name}]\nadapter = "memory"\nrole = "{role}"\nkinds = ["deal"]\nworld = "{at}"\n'
            for name, role, at in (("shop", "shop", names[0]), ("crm", "crm", names[1]))
        )
        + '[[flow]]\nkind = "deal"\nfrom = "shop"\nto = "crm"\ncreate = "always"\n',
        encoding="utf-8",
    )

    def call(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["-c", str(tmp_path / "config.toml"), *args])
        return result.exit_code, result.output

    try:
        shop.put("deal", {**DEAL, "comment": "было"}, "1")
        assert call("sync")[0] == 0
        shop.put("deal", {"comment": "стало"}, "1")
        code, text = call("sync", "--json")
        assert code == 0
        run = next(str(r["id"]) for r in json.loads(call("status", "--json")[1])["runs"] if r["changed"])
        assert call("verify")[0] == 0
        assert call("audit")[0] == 0
        code, text = call("undo", run, "--plan")
        assert code == 0
        assert "стало → было" in text
        code, text = call("undo", run, "--json")
        assert (code, json.loads(text)["done"]) == (0, 1)
        assert call("sync")[0] == 0
        assert {w.rows("deal")["1"]["data"]["comment"] for w in (shop, crm)} == {"было"}
        code, text = call("undo", run)
        assert (code, text.strip()) == (0, {"ru": "Отменять нечего.", "en": "Nothing is left to undo."}[language])
        code, text = call("undo", "999")
        assert code == 3
        assert "999" in text
        first = next(str(r["id"]) for r in json.loads(call("status", "--json")[1])["runs"] if r["new"])
        code, text = call("undo", first)
        assert code == 1
        assert "shop" in text

        crm.rows("deal")["9"] = {"data": {"title": "?"}, "key": "", "version": 1, "deleted": False}
        code, text = call("verify", "--json")
        found = json.loads(text)
        assert (code, found["ok"]) == (1, False)
        assert next(k for k in found["kinds"] if k["connection"] == "crm")["unknown"] == 1
        assert call("verify", "shop")[0] == 0
        code, text = call("verify")
        assert (code, "unknown" in text) == (1, True)
        assert call("verify", "sohp")[0] == 2

        store = Store.open(f"sqlite:///{tmp_path}/var/sverka.db")
        with store.begin() as tx:
            tx.execute(link.update().values(deleted_at=START))
        store.close()
        code, text = call("audit", "--deal", "1043", "--json")
        found = json.loads(text)
        assert (code, found["ok"], found["wrong"]) == (1, False, 2)
        assert {m["field"] for m in found["mismatches"]} == {"deleted"}
        assert call("audit")[0] == 1
        assert call("audit", "--deal", "7")[0] == 3
    finally:
        for name in names:
            WORLDS.pop(name, None)
