"""A plan says what a run would do and changes nothing anywhere; the run then does exactly that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from adapters.memory import WORLDS, world
from sync.cli.app import app
from sync.hub.plans import plan
from sync.store.tables import intent, journal, record
from tests.spec.hubs import Kit, contents, push, rows, sync
from tests.spec.test_weave import DEAL

FORM = "application/x-www-form-urlencoded"
CONNECTIONS = {"shop": {"role": "shop", "kinds": ["deal", "product"]}, "crm": {"kinds": ["deal"]}}
FLOWS = [("deal", "shop", "crm", "always")]


def planned(kit: Kit) -> dict[str, Any]:
    """A plan, with proof that it left no trace."""
    hub = kit.open(frozen=True)
    before = contents(hub.store)
    states = _states(kit)
    kit.forget_calls()
    found = plan(hub)
    assert contents(hub.store) == before, "the plan wrote a table"
    assert _states(kit) == states
    assert kit.writes() == []
    assert _said(plan(hub)) == _said(found), "a second plan says something else"
    kit.close(hub)
    return found


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Without the ids of records that would be made."""
    return {**found, "changes": [{k: v for k, v in c.items() if k != "uid"} for c in found["changes"]]}


def _states(kit: Kit) -> dict[str, str]:
    return {n: str({k: rows for k, rows in kit.world(n).state["kinds"].items() if rows}) for n in CONNECTIONS}


def shown(found: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    return sorted(
        ((w["connection"], w["kind"], w["op"], w["data"]) for w in found["writes"]), key=lambda w: (w[0], str(w[3]))
    )


def made(kit: Kit, since: int) -> list[tuple[str, str, str, Any]]:
    """What a run really planned and wrote."""
    hub = kit.open()
    sync(hub)
    found = [(r.connection, r.native_kind, r.op, r.data) for r in rows(hub, intent)[since:]]
    assert all(r.state == "done" for r in rows(hub, intent)[since:])
    kit.close(hub)
    return sorted(found, key=lambda w: (w[0], str(w[3])))


def test_a_first_run_and_a_change(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    for number in ("1", "2"):
        kit.world("shop").put("deal", {**DEAL, "number": number, "comment": "было"})
    kit.world("shop").put("product", {"name": "Болт", "sku": "B-1", "price": "1"})
    found = planned(kit)
    assert found["counts"]["shop"]["deal"]["new"] == 2
    assert found["counts"]["shop"]["product"]["new"] == 1
    assert [w[:3] for w in shown(found)] == [("crm", "deal", "create")] * 2
    assert made(kit, 0) == shown(found)
    kit.world("crm").put("deal", {"stage": "in_work"}, "1")
    kit.world("shop").put("deal", {"comment": "стало"}, "2")
    found = planned(kit)
    assert shown(found) == [
        ("crm", "deal", "update", {"comment": "стало"}),
        ("shop", "deal", "update", {"stage": "in_work"}),
    ]
    assert {"stage": ["new", "in_work"]} in [c.get("changes") for c in found["changes"]]
    assert made(kit, 2) == shown(found)
    found = planned(kit)
    assert (found["writes"], found["changes"]) == ([], [])


def test_what_cannot_be_read_is_named_and_the_rest_is_planned(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    kit.world("shop").put("deal", {**DEAL, "number": "good"})
    kit.world("shop").plan.faults = [{"call": "scan", "kind": "product", "times": 99}]
    found = planned(kit)
    assert found["errors"]["shop"]["code"] == "fault.busy"
    assert len(found["writes"]) == 1


def test_a_plan_of_nothing(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    kit.close(hub)
    found = planned(kit)
    assert (found["writes"], found["changes"], found["errors"]) == ([], [], {})
    hub = kit.open()
    assert (rows(hub, record), rows(hub, journal)) == ([], [])


# what it shows -----------------------------------------------------------------------------------------------------------


def test_counts_and_diffs_by_kind(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    for number in ("1", "2"):
        kit.world("shop").put("deal", {**DEAL, "number": number, "comment": "было"})
    sync(hub)
    kit.close(hub)
    kit.world("shop").put("deal", {"comment": "стало"}, "1")
    kit.world("shop").put("deal", {"comment": "магазин"}, "2")
    kit.world("crm").put("deal", {"comment": "менеджер"}, "2")
    kit.world("shop").put("deal", {**DEAL, "number": "3", "amount": "сто"})
    kit.world("shop").put("deal", {**DEAL, "number": "4"})
    found = planned(kit)
    assert [(s["what"], s["connection"], s["kind"], s["number"], s["fields"]) for s in found["summary"]] == [
        ("create", "crm", "deal", 2, {}),
        ("update", "crm", "deal", 1, {"comment": 1}),
        ("conflict", "", "deal", 1, {"comment": 1}),
        ("quarantine", "shop", "deal", 1, {"mapping.value": 1}),
    ]
    (update,) = [w for w in found["writes"] if w["op"] == "update"]
    assert (update["id"], update["title"], update["changes"]) == ("1", "1", {"comment": ["было", "стало"]})
    (question,) = found["conflicts"]
    assert (question["field"], set(question["sides"].values())) == ("comment", {"магазин", "менеджер"})
    assert "сто" in found["quarantine"][0]["text"]["ru"]
    assert {"comment": ["было", "стало"]} in [c["changes"] for c in found["changes"]]


def test_whose_yes_a_run_would_need(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS, limits={"first_run": "ask"})
    kit.close(hub)
    kit.world("shop").put("deal", DEAL)
    found = planned(kit)
    assert found["approval"] == [{"connection": "crm", "reason": "first_run", "writes": 1}]
    hub = kit.open()
    sync(hub)
    kit.close(hub)
    found = planned(kit)
    assert ([w["op"] for w in found["writes"]], len(found["approval"])) == (["create"], 1), "what waits is shown still"


def test_who_is_missing_is_shown_and_nothing_is_deleted(kit: Kit) -> None:
    hub = kit.open(CONNECTIONS, FLOWS)
    for number in ("1", "2"):
        kit.world("shop").put("deal", {**DEAL, "number": number}, number)
    sync(hub)
    kit.close(hub)
    kit.world("shop").delete("deal", "2", purge=True)
    kit.now.pass_(days=2)
    found = planned(kit)
    assert found["deletes"] == [{"connection": "shop", "kind": "deal", "number": 1, "ids": ["2"]}]
    assert ("delete", 1) in [(s["what"], s["number"]) for s in found["summary"]]


def test_another_mapping_is_shown_as_such_and_not_as_edits(kit: Kit, tmp_path: Path) -> None:
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    hub = kit.open(CONNECTIONS, FLOWS, hub={"mappings": str(mappings)})
    kit.world("shop").put("deal", {**DEAL, "note": "из заметки", "comment": "было"}, "1")
    sync(hub)
    kit.close(hub)
    kit.world("shop").put("deal", {"note": "из заметки"}, "1")
    text = 'system = "memory"\nversion = 1\n[deal.fields]\ntitle = { get = "note" }\n'
    (mappings / "memory.toml").write_text(text, encoding="utf-8")
    found = planned(kit)
    told = found["mapping"]["shop"]["deal"]
    assert (told["records"], told["changed"], told["fields"]) == (1, 1, {"title": 1})
    assert found["counts"]["shop"]["deal"]["changed"] == 0


def test_what_lies_in_the_inbox_and_in_files_is_planned(kit: Kit) -> None:
    hub = kit.open({"tilda": {"adapter": "tilda"}, "crm": {"kinds": ["lead"]}}, [("lead", "tilda", "crm", "always")])
    push(hub, "tilda", "Name=Анна&Phone=%2B79161234567&tranid=1:1".encode(), content_type=FORM)
    before = contents(hub.store)
    found = plan(hub)
    assert contents(hub.store, ("bucket",)) == {k: v for k, v in before.items() if k != "bucket"}
    assert [(w["connection"], w["op"], w["data"]["client"]["name"]) for w in found["writes"]] == [
        ("crm", "create", "Анна")
    ]


# the commands ------------------------------------------------------------------------------------------------------------

CONFIG = """[hub]
language = "{language}"
[connections.shop]
adapter = "memory"
role = "shop"
world = "{name}-shop"
kinds = ["deal"]
[connections.crm]
adapter = "memory"
world = "{name}-crm"
kinds = ["deal"]
[[flow]]
kind = "deal"
from = "shop"
to = "crm"
create = "always"
"""


@pytest.mark.parametrize("language", ["ru", "en"])
def test_plan_save_approve_and_sync(tmp_path: Path, language: str) -> None:
    """The public commands, one after the other."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(language=language, name=tmp_path.name), encoding="utf-8")
    shop, crm = world(f"{tmp_path.name}-shop"), world(f"{tmp_path.name}-crm")
    shop.put("deal", {**DEAL, "comment": "было"})

    def run(*args: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["-c", str(config), *args])
        assert done.exit_code == code, done.output
        return done.output

    def word(ru: str, en: str) -> str:
        return ru if language == "ru" else en

    shown = run("plan")
    assert word("ПРОБНЫЙ ПРОГОН", "DRY RUN") in shown
    assert "comment: — → было" in shown
    assert word("первый запуск", "first run") in shown
    assert word("Ничего не ждёт", "Nothing waits") in run("approve")
    assert crm.rows("deal") == {}
    id = orjson.loads(run("plan", "--save", "--json"))["id"]
    assert id in run("plan", "--save") or id in run("approve")
    assert id in run("approve")
    assert "comment: — → было" in run("plans", id)
    assert word("подтверждён", "is approved") in run("approve", id)
    assert word("уже подтверждён", "approved already") in run("approve", id, code=3)
    assert run("approve", "nothing", code=3)
    run("sync")
    assert [r["data"]["comment"] for r in crm.rows("deal").values()] == ["было"]
    assert "applied" in run("plans")
    crm.put("deal", {"stage": "in_work"}, "1")
    assert "sverka approve" in run("sync", code=3)
    waiting = orjson.loads(run("approve", "--json"))["plans"]
    (first,) = [w["id"] for w in waiting if w["reason"] == "first_run"]
    assert word("отклонён", "is dropped") in run("plans", first, "--drop")
    run("plans", first, "--drop", code=3)
    run("approve", "--all", code=3)  # the other saved plan has moved: nothing of it is left
    assert word("Ничего не ждёт", "Nothing waits") in run("approve", "--all")
    WORLDS.pop(f"{tmp_path.name}-shop")
    WORLDS.pop(f"{tmp_path.name}-crm")
