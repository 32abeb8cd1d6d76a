"""Client bases of several systems that came together: shown, approved as one plan under a cap, and taken back exactly."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from structlog.testing import capture_logs
from typer.testing import CliRunner

from sync.cli.app import app
from sync.errors import NeedHuman
from sync.hub import approvals, duplicates, merges, undo, views
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.store.tables import intent, journal, link, merge, record, review, run
from tests.spec.hubs import Kit, contents, dying, give, one, rows, sync

BASES = {
    "crm": {"kinds": ["contact", "company"]},
    "onec": {"role": "accounting", "kinds": ["contact", "company"]},
    "shop": {"role": "shop", "kinds": ["deal", "lead"]},
}
ANNA, PETR = "+79161234567", "+79037654321"
INN = "7707083893"


def bases(kit: Kit, **limits: int) -> Hub:
    """Two systems with eight cards of three clients; one of them has ordered as well."""
    hub = kit.open(BASES, limits={"first_run": "go", "writes": 10_000, **limits})
    crm, onec = kit.world("crm"), kit.world("onec")
    crm.put("contact", {"name": "Анна Тестова", "phones": [ANNA]}, "c1")
    crm.put("contact", {"name": "Тестова Анна", "phones": [ANNA], "emails": ["anna@mail.ru"]}, "c2")
    crm.put("contact", {"name": "Пётр Пробный", "phones": [PETR]}, "c3")
    crm.put("company", {"name": "ООО «Проба»", "inn": INN}, "f1")
    onec.put("company", {"name": "Проба ООО", "inn": INN, "kpp": "770701001"}, "o1")
    onec.put("company", {"name": "ПРОБА", "inn": INN}, "o2")
    onec.put("contact", {"name": "Аня Тестова", "emails": ["anna@mail.ru"]}, "o3")
    sync(hub)
    order = {"number": "7", "stage": "new", "amount": "1.00", "currency": "RUB"}
    give(hub, "shop", "deal", "7", {**order, "client": {"name": "Пётр Пробный", "phone": PETR}})
    return hub


def uid(hub: Hub, connection: str, id: str) -> str:
    return str(one(hub, link, connection=connection, external_id=id).record_uid)


def clients(hub: Hub) -> set[str]:
    found = rows(hub, record)
    return {r.uid for r in found if r.kind in merging.KINDS and r.merged_into is None}


def refused(act: Any, code: str) -> NeedHuman:
    with pytest.raises(NeedHuman) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.text.ru != caught.value.text.en
    return caught.value


def test_the_plan_shows_groups_with_their_evidence_and_merges_nobody(kit: Kit) -> None:
    hub = bases(kit)
    before = contents(kit.store)
    told = duplicates.find(hub)
    assert contents(kit.store) == before
    assert rows(hub, merge) == []
    assert told["counts"] == {"merge contact": 2, "merge company": 2}
    assert told["over"] is None
    found = {g["kind"]: g for g in told["groups"]}
    assert found["company"]["kept"]["systems"] == ["crm"], "the managers' own card stays"
    assert {tuple(c["systems"]) for c in found["company"]["cards"]} == {("onec",)}
    twin, short = found["contact"]["cards"]
    assert found["contact"]["kept"]["uid"] == uid(hub, "crm", "c1"), "of two in one system the older one"
    assert (twin["uid"], short["uid"]) == (uid(hub, "crm", "c2"), uid(hub, "onec", "o3"))
    assert twin["why"]["ru"] == "телефон совпал, имя и фамилия совпадают"
    assert short["why"]["ru"] == "почта совпала, имя и фамилия совпадают (с карточкой «Тестова Анна»)"
    assert found["company"]["cards"][0]["why"] == {"en": "the INN agrees", "ru": "ИНН совпал"}


def test_approval_does_exactly_what_was_seen_as_one_run(kit: Kit) -> None:
    hub = bases(kit)
    id = duplicates.save(hub)
    assert id is not None
    assert duplicates.save(hub) == id, "kept twice it is the same plan"
    (shown,) = approvals.waiting(hub)
    assert (shown["reason"], shown["counts"]) == ("duplicates", {"merge contact": 2, "merge company": 2})
    sync(hub)
    assert rows(hub, merge) == [], "no run merges by itself"
    done = approvals.approve(hub, id, "Ирина")
    assert done["writes"] == 4
    made = rows(hub, merge)
    assert {(m.rule, m.who, m.state) for m in made} == {("dedupe", "Ирина", "stands")}
    assert {"ИНН совпал", "телефон совпал, имя и фамилия совпадают"} < {m.why["ru"] for m in made}
    told = [n for n in rows(hub, journal, run_id=done["run"]) if "merged_into" in n.changes]
    assert {n.record_uid for n in told} == {m.gone for m in made}
    assert one(hub, run, id=done["run"]).changed == 4
    assert duplicates.find(hub)["groups"] == [], "done once it is done"
    assert approvals.show(hub, id)["state"] == "applied"
    refused(lambda: approvals.approve(hub, id, "Олег"), "plan.applied")
    client = views.client(hub, uid(hub, "crm", "c2"))
    assert client is not None
    assert len(client["merged"]) == 2


def test_each_merge_is_taken_back_by_itself_and_all_by_undo(kit: Kit) -> None:
    hub = bases(kit)
    before = clients(hub)
    done = approvals.approve(hub, str(duplicates.save(hub)), "Ирина")
    assert len(clients(hub)) == len(before) - 4
    first = next(m for m in rows(hub, merge) if one(hub, record, uid=m.gone).kind == "contact")
    merges.unmerge(hub, first.gone, "Олег")
    undone = undo.apply(hub, done["run"], "Олег")
    assert (undone.done, undone.refused) == (3, 0), "one of them was parted already"
    assert clients(hub) == before
    assert {m.state for m in rows(hub, merge)} == {"undone"}
    assert undone.undo_run is not None
    again = undo.apply(hub, undone.undo_run, "Ирина")
    assert again.done == 3, "an undo is a run like any other"
    assert first.gone not in {m.gone for m in rows(hub, merge, state="stands")}
    assert len(rows(hub, merge, state="stands", rule="dedupe")) == 3
    assert undo.apply(hub, done["run"], "Ирина").done == 0, "that is another merge, made since"


def test_what_has_moved_since_is_planned_again_and_nothing_is_done(kit: Kit) -> None:
    hub = bases(kit)
    id = str(duplicates.save(hub))
    kit.world("crm").put("contact", {"name": "Пробный Пётр", "phones": [PETR], "emails": ["p@mail.ru"]}, "c4")
    sync(hub)
    error = refused(lambda: approvals.approve(hub, id, "Ирина"), "plan.moved")
    assert rows(hub, merge) == []
    (fresh,) = approvals.waiting(hub)
    assert fresh["id"] in str(error)
    assert fresh["counts"]["merge contact"] == 3
    assert approvals.show(hub, id)["state"] == "stale"
    assert approvals.approve(hub, fresh["id"], "Ирина")["writes"] == 5


def test_a_plan_over_the_cap_is_refused_as_a_whole(kit: Kit) -> None:
    hub = bases(kit, merges=1, merges_percent=20)
    told = duplicates.find(hub)
    assert told["merges"] == 4
    assert "limits.merges" in told["over"]["ru"]
    assert refused(lambda: duplicates.save(hub), "duplicates.too_many").setting == "limits.merges"
    assert approvals.waiting(hub) == []
    assert duplicates.find(bases(kit, merges=1, merges_percent=60))["over"] is None, "the bigger bound counts"


def test_the_cap_counts_when_it_is_approved_too(kit: Kit) -> None:
    hub = bases(kit)
    id = str(duplicates.save(hub))
    smaller = kit.open(BASES, limits={"first_run": "go", "merges": 1, "merges_percent": 0})
    refused(lambda: approvals.approve(smaller, id, "Ирина"), "duplicates.too_many")
    assert rows(hub, merge) == []


def test_decisions_questions_and_deleted_cards_are_left_alone(kit: Kit) -> None:
    hub = bases(kit)
    merges.never(hub, uid(hub, "crm", "c1"), uid(hub, "crm", "c2"), "Олег")
    kit.world("onec").delete("company", "o2")
    sync(hub)
    told = duplicates.find(hub)
    assert told["counts"] == {"merge contact": 1, "merge company": 1}, "the third card fits one of the two"
    assert [a["why"]["en"] for a in told["apart"]] == ["people decided that these are never one client"]
    merges.allow(hub, uid(hub, "crm", "c1"), uid(hub, "crm", "c2"), "Олег")
    assert duplicates.find(hub)["merges"] == 3
    with hub.store.begin() as tx:
        values = {"reason": {}, "candidates": [], "state": "open", "created_at": hub.now()}
        tx.execute(review.insert().values(record_uid=uid(hub, "crm", "c2"), **values))
    assert duplicates.find(hub)["counts"] == {"merge company": 1}, "whose it is, is being asked"


def test_a_client_merged_by_hand_is_compared_as_one(kit: Kit) -> None:
    hub = bases(kit)
    merges.merge(hub, uid(hub, "crm", "c1"), uid(hub, "crm", "c2"), "Ирина")
    (group,) = [g for g in duplicates.find(hub)["groups"] if g["kind"] == "contact"]
    assert group["kept"]["uid"] == uid(hub, "crm", "c1"), "whose card has no e-mail, the merged one has"
    assert [c["why"]["ru"] for c in group["cards"]] == ["почта совпала, имя и фамилия совпадают"]


def test_how_many_wait_is_told_and_found_anew_only_when_something_moved(kit: Kit) -> None:
    hub = bases(kit)
    assert duplicates.waiting(hub) == 0
    duplicates.look(hub)
    assert duplicates.waiting(hub) == 4
    before = contents(kit.store)
    duplicates.look(hub)
    assert contents(kit.store) == before
    approvals.approve(hub, str(duplicates.save(hub)), "Ирина")
    assert duplicates.waiting(hub) == 0
    duplicates.look(hub)
    assert duplicates.waiting(hub) == 0


def test_what_waits_to_be_written_waits_for_the_client_who_stays(kit: Kit) -> None:
    hub = bases(kit)
    approvals.approve(hub, str(duplicates.save(hub)), "Ирина")
    with hub.store.read() as tx:
        gone = [m.gone for m in rows(hub, merge)]
        waits = sa.select(sa.func.count()).select_from(intent).where(intent.c.needs.in_(gone))
        assert tx.execute(waits).scalar_one() == 0


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_the_commands(kit: Kit, tmp_path: Path) -> None:
    hub = bases(kit)
    config = tmp_path / "config.toml"
    parts = "".join(
        f'[connections.{name}]\nadapter = "memory"\nworld = "none"\n'
        + (f'role = "{keys["role"]}"\n' if "role" in keys else "")
        for name, keys in BASES.items()
    )
    config.write_text(f'[hub]\ndatabase = "{kit.store.url}"\nlanguage = "ru"\n{parts}', encoding="utf-8")
    kit.close(hub)

    def command(*words: str) -> Any:
        return CliRunner().invoke(app, ["--config", str(config), *words])

    shown = command("identity", "duplicates")
    assert shown.exit_code == 0, shown.output
    assert "ИНН совпал" in " ".join(shown.output.split())
    told = json.loads(command("identity", "duplicates", "--save", "--json").output)
    done = command("approve", told["id"])
    assert done.exit_code == 0, done.output
    assert "sverka undo" in done.output
    number = done.output.rsplit("undo", 1)[1].strip()
    back = json.loads(command("undo", number, "--json").output)
    assert back["done"] == 4
    assert json.loads(command("status", "--json").output)["duplicates"] == 0


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_killed_while_it_is_approved_it_is_done_wholly_or_not_at_all(kit: Kit) -> None:
    hub = bases(kit)
    ends = set()
    for after in range(20):
        id = str(duplicates.save(hub))
        with dying(after) as death:
            approvals.approve(hub, id, "Ирина")
        standing = rows(hub, merge, state="stands")
        ends.add((len(standing), approvals.show(hub, id)["state"]))
        for one_merge in standing:
            merges.unmerge(hub, one_merge.id, "Ирина")
        if not death.died:
            break
    assert not death.died
    assert ends == {(0, "waiting"), (4, "applied")}


def test_of_two_people_who_approve_at_one_instant_one_is_told_that_it_is_done(kit: Kit) -> None:
    hub = bases(kit)
    id = str(duplicates.save(hub))
    gate, codes = threading.Barrier(2), []

    def act(who: str) -> None:
        gate.wait(20)
        try:
            approvals.approve(hub, id, who)
            codes.append("ok")
        except NeedHuman as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=act, args=(who,)) for who in ("Ирина", "Олег")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["ok", "plan.applied"]
    assert len(rows(hub, merge, state="stands")) == 4


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_nothing_personal_is_logged_not_even_before_it_is_redacted(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is merged, asked, refused or fails: names, phones, addresses and numbers of clients are told to no log."""
    caplog.set_level(logging.DEBUG)
    order = {"stage": "new", "currency": "RUB"}
    with capture_logs() as events:
        hub = bases(kit)
        give(hub, "shop", "deal", "8", {**order, "number": "8", "client": {"name": "Анна Чужая", "phone": ANNA}})
        give(
            hub,
            "shop",
            "deal",
            "9",
            {**order, "number": "9", "client": {"name": "Вера", "phone": "8 916 123", "inn": "1"}},
        )
        kit.world("crm").plan.faults += [{"call": call, "mode": "refuse", "times": 9} for call in ("write", "gather")]
        done = approvals.approve(hub, str(duplicates.save(hub)), "Ирина")
        refused(lambda: merges.merge(hub, "Тестова", "anna@mail.ru", "Ирина"), "identity.itself")
        sync(hub, trouble=True)
        undo.apply(hub, done["run"], "Ирина")
        structlog.get_logger("sverka.test").info("the test hears what is logged")
    told = (caplog.text + repr(events)).lower()
    assert "the test hears" in told
    for secret in ("тестов", "чужая", "проб", "9161234567", "916 123", "anna@", INN):
        assert secret not in told, secret
