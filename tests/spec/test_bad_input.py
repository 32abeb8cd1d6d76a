"""What people get wrong on the command line: each answer names what to mend, in both languages, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.memory import WORLDS, MemoryWorld, world
from sync.cli.app import app
from sync.store import Store
from tests.spec.hubs import CLIENT, contents

CONFIG = """
[hub]
database = "sqlite:///{folder}/hub.db"
mappings = "mappings.d"
language = "{language}"
[limits]
first_run = "go"
[connections.shop]
adapter = "memory"
role = "shop"
world = "{folder}-shop"
kinds = ["deal"]
[connections.crm]
adapter = "memory"
world = "{folder}-crm"
kinds = ["deal"]
mapping = "words"
[[flow]]
kind = "deal"
from = "shop"
to = "crm"
create = "always"
"""
WORDS = """
system = "words"
version = 1
[tables.stages]
NEW = "new"
WORK = "in_work"
[deal]
kind = "deal"
[deal.fields]
number = "number"
stage = "stage | lookup(stages)"
comment = "comment"
"""
DEAL = {"number": "1043", "title": "Шкаф", "stage": "new", "amount": "1.00", "currency": "RUB", "client": CLIENT}
STAGES = '{{ name = "new", title = "Новый", next = [{next}] }}, {{ name = "packing", title = "Сборка" }}, {won}'
WON = '{ name = "won", title = "Завершён", semantic = "won" }'


class Desk:
    """Somebody at the command line, over two systems in memory."""

    def __init__(self, folder: Path, language: str) -> None:
        self.config, self.language = folder / "config.toml", language
        self.text = CONFIG.format(folder=folder, language=language)
        self.config.write_text(self.text, encoding="utf-8")
        (folder / "mappings.d").mkdir()
        (folder / "mappings.d" / "words.toml").write_text(WORDS, encoding="utf-8")
        self.database = f"sqlite:///{folder}/hub.db"
        self.shop, self.crm = world(f"{folder}-shop"), world(f"{folder}-crm")

    def run(self, *args: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["-c", str(self.config), *args])
        assert done.exit_code == code, done.output
        return done.output

    def refused(self, *args: str, code: int = 3) -> str:
        """The words of a refusal; nothing has changed, in any table or system."""
        before = self.everything()
        said = self.run(*args, code=code)
        assert self.everything() == before
        return said

    def everything(self) -> tuple[dict[str, str], str]:
        with closing(Store.open(self.database)) as store:
            tables = contents(store)
        worlds: tuple[MemoryWorld, ...] = (self.shop, self.crm)
        return tables, json.dumps([w.state for w in worlds], ensure_ascii=False)

    def word(self, ru: str, en: str) -> str:
        return ru if self.language == "ru" else en


@pytest.fixture(params=["ru", "en"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[Desk]:
    shutil.copyfile(sqlite_template, tmp_path / "hub.db")
    made = Desk(tmp_path, request.param)
    made.shop.put("deal", {**DEAL, "comment": "было"})
    made.run("sync")
    yield made
    for name in [n for n in WORLDS if n.startswith(str(tmp_path))]:
        WORLDS.pop(name)


def test_decisions_that_come_too_late_or_about_nothing(desk: Desk) -> None:
    desk.shop.put("deal", {"comment": "из магазина"}, "1")
    desk.crm.put("deal", {"comment": "из CRM"}, "1")
    desk.run("sync")
    listed = desk.run("conflicts")
    assert desk.word("изменили обе стороны", "both sides changed it") in listed
    assert "было hub = из магазина; crm/deal = из CRM; shop/deal = из магазина shop/deal, crm/deal" in " ".join(
        listed.split()
    )
    assert "sverka conflicts 1 --take" in listed
    assert desk.word("с номером 7 нет", "no open conflict 7") in desk.refused("conflicts", "7", "--take", "hub")
    assert desk.word("Укажите расхождение", "Name the conflict") in desk.refused("conflicts", "--take", "hub")
    assert "hub, crm/deal, shop/deal" in desk.refused("conflicts", "1", "--take", "onec")
    assert "JSON" in desk.refused("conflicts", "1", "--take", "hub", "--saw", "{bad")
    (row,) = json.loads(desk.run("conflicts", "--json"))
    desk.crm.put("deal", {"comment": "передумали"}, "1")
    desk.run("sync")
    old = desk.refused("conflicts", "1", "--take", "hub", "--saw", json.dumps(row["sides"]))
    assert desk.word("Значения с тех пор изменились", "The values have moved") in old
    desk.crm.put("deal", {"comment": "из магазина"}, "1")
    desk.run("sync")
    for args in (("--take", "hub"), ()):
        assert desk.word("исчезло само", "agree by themselves") in desk.refused("conflicts", "1", *args)


def test_a_plan_that_is_stale(desk: Desk) -> None:
    assert desk.word("Плана 'no' нет", "no plan 'no'") in desk.refused("approve", "no")
    desk.crm.put("deal", {"stage": "WORK"}, "1")
    id = json.loads(desk.run("plan", "--save", "--json"))["id"]
    desk.crm.put("deal", {"comment": "и это"}, "1")
    moved = desk.run("approve", id, code=3)
    assert desk.word("устарел, ничего не выполнено", "has moved and nothing of it was done") in moved
    assert "sverka approve" in moved
    assert desk.shop.rows("deal")["1"]["data"]["stage"] == "new"
    assert desk.word("устарел", "is out of date") in desk.refused("approve", id)


def test_a_status_that_no_table_knows(desk: Desk) -> None:
    desk.crm.put("deal", {"stage": "UC_7XK2QD"}, "1")
    desk.run("sync")
    assert desk.shop.rows("deal")["1"]["data"]["stage"] == "new"
    held = desk.run("quarantine")
    assert "UC_7XK2QD" in held
    assert desk.word("таблицу соответствий", "mapping's table") in held
    assert desk.word("с номером 7 нет", "with the number 7") in desk.refused("quarantine", "retry", "7")


PIPELINE = "[[pipeline]]\nname = 'main'\n{facts}\nstages = [{stages}]"
WRONG = (
    ('[owners]\n"deal.stage" = "connection:crn"', "'connection:crm'?"),
    ('[owners]\n"deal.stagee" = "crm"', "'deal.stage'?"),
    (PIPELINE.format(facts="", stages=STAGES.format(next='"pakcing"', won=WON)), "'packing'?"),
    (PIPELINE.format(facts="", stages=STAGES.format(next='"won"', won=WON)), "pipeline.main.stages.packing"),
    (PIPELINE.format(facts="facts = { paid = 'payd' }", stages=STAGES.format(next='"packing"', won=WON)), "facts.paid"),
)


def test_a_configuration_that_cannot_be(desk: Desk) -> None:
    """Owners and stages that do not exist, and stages to which no way leads: the line and the key, before any work."""
    desk.crm.put("deal", {"stage": "WORK"}, "1")
    before = desk.everything()
    for added, named in WRONG:
        desk.config.write_text(desk.text + added, encoding="utf-8")
        for command in ("check", "plan", "sync"):
            said = desk.run(command, code=2)
            assert desk.word("строка", "line") in said
            assert named in said
    assert desk.everything() == before
