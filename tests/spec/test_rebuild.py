"""Every link made again by today's rules: shown before it is done, journalled, and people's decisions left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from sync.cli.app import app
from sync.hub import rebuild
from sync.hub.runtime import Hub
from sync.store.tables import (
    activity,
    belongs,
    identity_job,
    identity_key,
    identity_profile,
    journal,
    observation,
    record,
    review,
    setting,
    task,
)
from tests.spec.hubs import Kit, contents, give, one, push, rows, sync

PHONE, OTHER = "+7 916 123-45-67", "+7 903 765-43-21"
INDEX = (identity_profile, identity_key, identity_job)
CONNECTIONS = {
    "office": {"adapter": "events", "role": "form"},
    "shop": {"role": "shop", "kinds": ["deal", "lead"]},
    "crm": {"kinds": ["contact", "company"]},
}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    return kit.open(CONNECTIONS)


def event(hub: Hub, id: str, **fields: Any) -> Any:
    push(hub, "office", json.dumps({"type": "call", "id": id, **fields}).encode())
    sync(hub)
    (found,) = (r for r in rows(hub, activity, connection="office") if r.key.endswith(f":{id}"))
    return found


def order(hub: Hub, number: str, **client: Any) -> Any:
    give(hub, "shop", "deal", number, {"number": number, "stage": "new", "currency": "RUB", "client": client})
    return one(hub, record, kind="deal", number=number)


def history(hub: Hub, kit: Kit) -> None:
    """Cards, orders, calls, a family's phone, a colleague, a question and an answer."""
    kit.world("crm").put("contact", {"name": "Вера Давняя", "phones": ["8 912 000-11-22"]})
    kit.world("crm").put("company", {"name": "ООО Ромашка", "inn": "7707083893", "phones": ["8 495 765-43-21"]})
    sync(hub)
    order(hub, "1", name="Анна Тестова", phone=PHONE, email="anna@romashka-test.ru", inn="7707083893")
    order(hub, "2", name="Пётр Пробный", email="petr@romashka-test.ru")
    event(hub, "c1", phone=PHONE)
    event(hub, "c2", phone=OTHER, name="Борис Тестов")
    event(hub, "c3", phone=OTHER, name="Дарья Тестова")
    event(hub, "c4", phone=OTHER)
    event(hub, "c5", phone="+79120001122", name="Вера")
    event(hub, "c6", phone="anonymous")


def index(hub: Hub) -> list[Any]:
    return [[tuple(r) for r in rows(hub, table)] for table in INDEX]


def whose(hub: Hub) -> list[tuple[str, str | None, str | None]]:
    return [(r.thing, r.card, r.person) for r in rows(hub, belongs)]


def test_the_same_rules_give_the_same_links(hub: Hub, kit: Kit) -> None:
    history(hub, kit)
    before, links = contents(hub.store), whose(hub)
    kept = index(hub)
    told = rebuild.plan(hub)
    assert (told["changes"], told["read"], told["same"]) == ([], 8, 8)
    assert contents(hub.store) == before, "a plan writes nothing"
    assert rebuild.rebuild(hub, "Тест")["changes"] == []
    assert index(hub) == kept
    assert whose(hub) == links
    assert one(hub, setting, key="identity.version").value == 1
    assert event(hub, "c7", phone=PHONE).client_uid == one(hub, record, kind="deal", number="1").client_uid


def test_a_link_that_the_rules_make_otherwise_moves_with_all_that_follows(hub: Hub, kit: Kit) -> None:
    """As if older rules had taken Boris's order for Anna's."""
    anna = order(hub, "1", name="Анна Тестова", phone=PHONE, email="anna.testova@mail.ru")
    give(hub, "shop", "lead", "9", {"title": "Заявка", "client": {"name": "Борис Пробный", "phone": OTHER}})
    lead = one(hub, record, kind="lead")
    boris = lead.client_uid
    with hub.store.begin() as tx:  # Boris's card goes: everything of his stands with Anna's
        tx.execute(record.update().where(record.c.uid == lead.uid).values(client_uid=anna.client_uid, person_uid=None))
        for table, column in ((belongs, "card"), (activity, "client_uid"), (task, "client_uid")):
            tx.execute(table.update().where(table.c[column] == boris).values({column: anna.client_uid}))
        tx.execute(belongs.update().values(person=sa.case((belongs.c.person == boris, None), else_=belongs.c.person)))
        tx.execute(observation.update().where(observation.c.client_uid == boris).values(client_uid=anna.client_uid))
        data = {"name": "Борис Пробный", "phones": ["+79161234567", "+79037654321"], "emails": ["anna.testova@mail.ru"]}
        tx.execute(record.update().where(record.c.uid == anna.client_uid).values(data=data, title=data["name"]))
        tx.execute(record.delete().where(record.c.uid == boris))
    told = rebuild.plan(hub)
    (change,) = told["changes"]
    assert (change["thing"], change["outcome"], change["title"]) == (lead.uid, "moved", "Заявка")
    assert (change["before"]["uid"], change["after"]["name"], told["new_cards"]) == (anna.client_uid, None, 1)
    assert change["reason"]["ru"]
    assert rebuild.rebuild(hub, "Тест") == told
    made = one(hub, record, kind="contact", title="Борис Пробный")
    assert made.data == {"name": "Борис Пробный", "phones": ["+79037654321"]}
    assert one(hub, record, kind="lead").client_uid == one(hub, task).client_uid == made.uid
    assert one(hub, activity, lead_uid=lead.uid).client_uid == made.uid
    assert {o.value for o in rows(hub, observation, client_uid=made.uid)} == {"+79037654321", "boris probni"}
    assert one(hub, record, uid=anna.client_uid).data == {
        "name": "Анна Тестова",
        "phones": ["+79161234567"],
        "emails": ["anna.testova@mail.ru"],
    }
    (note,) = rows(hub, journal, record_uid=lead.uid, why="rules")
    assert (note.who, note.changes) == ("Тест", {"client": [anna.client_uid, made.uid]})
    assert rebuild.plan(hub)["changes"] == [], "once is enough"
    assert event(hub, "c1", phone=OTHER).client_uid == made.uid


def test_a_colleague_named_later_is_nobodys_client(kit: Kit, hub: Hub) -> None:
    found = order(hub, "1", name="Пётр Свой", email="petr@firma.example")
    assert found.client_uid is not None
    later = kit.open(CONNECTIONS, hub={"own_domains": ["firma.example"]})
    told = rebuild.rebuild(later, "Тест")
    assert (told["ignored"], told["changes"][0]["reason"]["ru"]) == (1, "сообщение сотрудника")
    assert one(later, record, kind="deal").client_uid is None
    assert one(later, activity).client_uid is None
    assert index(later) == [[], [], []]


def test_what_people_decided_stands(hub: Hub, kit: Kit) -> None:
    history(hub, kit)
    question = one(hub, review)
    with hub.store.begin() as tx:  # as the review queue answers: a client of its own
        tx.execute(review.update().values(state="decided", decision={"choice": "new", "who": "Тест"}))
        tx.execute(record.update().where(record.c.uid == question.record_uid).values(held=None))
    assert rebuild.rebuild(hub, "Тест")["changes"] == []
    assert one(hub, belongs, thing=question.thing).card == question.record_uid
    assert rebuild.plan(hub)["changes"] == []


def test_observations_from_before_the_index_lead_to_their_cards(hub: Hub, kit: Kit) -> None:
    """A database of an earlier version has cards and observations, and nothing else."""
    anna = order(hub, "1", name="Анна Тестова", phone=PHONE).client_uid
    with hub.store.begin() as tx:
        tx.execute(observation.delete().where(observation.c.kind == "name"))
        tx.execute(observation.update().values(record=""))
        for table in (*INDEX, belongs):
            tx.execute(table.delete())
    kit.open()  # the next start
    assert event(hub, "c1", phone=PHONE, name="Анна").client_uid == anna
    assert event(hub, "c2", phone=PHONE, name="Борис Пробный").client_uid != anna


def test_the_command_shows_and_does(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[hub]\nlanguage = "en"\ndatabase = "sqlite:///{tmp_path}/hub.db"\nspool = "{tmp_path}/spool"\n'
        '[connections.office]\nadapter = "events"\nrole = "form"\n',
        encoding="utf-8",
    )

    def run(*args: str, command: str = "rebuild") -> Any:
        done = CliRunner().invoke(app, ["-c", str(config), "identity", command, *args])
        assert done.exit_code == 0, done.output
        return done.output

    with Hub.open(config) as hub:
        event(hub, "c1", phone=PHONE, name="Анна Тестова")
    told = json.loads(run("--plan", "--json"))
    assert (told["read"], told["same"], told["version"]) == (1, 1, {"before": None, "now": 1})
    text = config.read_text(encoding="utf-8").replace("[connections", 'own_lines = ["+79161234567"]\n[connections', 1)
    config.write_text(text, encoding="utf-8")
    shown = run("--plan")
    assert "DRY RUN" in shown
    assert "Анна Тестова" in shown
    assert "nobody's: 1" in run()
    assert json.loads(run("--json"))["changes"] == []
    (event_of_nobody,) = json.loads(run("--json", command="ignored"))
    assert (event_of_nobody["label"], event_of_nobody["evidence"]["rule"]) == ("own_line", "ignored")
    assert "a call between our own lines" in run(command="ignored")
