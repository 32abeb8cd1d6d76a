"""What people are told: who brought a question about, which decision was overtaken, what may be overwritten, what stays
deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.memory import MemoryAdapter
from sync.hub import acts, checks, views
from sync.hub.runtime import Hub
from sync.store.tables import conflict
from tests.spec.hubs import Kit, one, open_kit, sync
from tests.spec.test_removal import opened
from tests.spec.test_weave import _both_comments, two
from tests.unit.web_kit import Browser


@pytest.fixture(params=["sqlite"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


def page(hub: Hub, address: str) -> str:
    with Browser(hub) as client:
        return str(client.get(address).text)


def test_who_brought_a_conflict_about(kit: Kit) -> None:
    hub = two(kit)
    _both_comments(kit, hub)
    (row,) = views.conflicts(hub)
    assert (row["who"], row["overtaken"]) == (["shop/deal", "crm/deal"], None), "both spoke, whoever was heard first"
    assert "изменили: shop/deal, crm/deal" in page(hub, "/conflicts?lang=ru")


def test_a_decision_that_was_overtaken_is_shown_with_the_question(kit: Kit) -> None:
    hub = two(kit)
    _both_comments(kit, hub)
    first = one(hub, conflict)
    acts.decide_conflict(hub, first.id, "crm/deal", "Ирина Пробная", first.sides)
    kit.world("shop").put("deal", {"comment": "в последний миг"}, "1")
    sync(hub)
    (row,) = views.conflicts(hub)
    assert (row["overtaken"]["who"], row["overtaken"]["value"]) == ("Ирина Пробная", "из crm")
    shown = page(hub, "/conflicts?lang=ru")
    assert "Решение, которое принял(а) Ирина Пробная: из crm." in shown
    assert row["overtaken"]["text"]["ru"] in shown
    acts.decide_conflict(hub, row["id"], "shop/deal", "Ирина Пробная", row["sides"])
    sync(hub)
    for name in ("shop", "crm"):
        kit.world(name).put("deal", {"comment": f"опять из {name}"}, "1")
    sync(hub)
    assert [r["overtaken"] for r in views.conflicts(hub)] == [None], "a decision that held is none of these"


@pytest.mark.parametrize("conditional", [True, False])
def test_check_names_the_window_of_a_write(kit: Kit, conditional: bool) -> None:
    crm: dict[str, Any] = {"kinds": ["deal", "lead"], "conditional": conditional}
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": crm, "alone": {}},
        [("deal", "shop", "crm", "always")],
        deletes={"deal": "propagate:crm"},
    )
    found = {line.connection: line for line in checks.check(hub) if line.step == "window"}
    assert found.keys() == {"shop", "crm"}, "nothing is written where no flow leads"
    said = found["crm"].text
    assert found["crm"].ok
    assert "Изменяются: deal; удаляются: deal." in said.ru, "leads have no flow"
    assert ("затёрто" in said.ru, "may be overwritten" in said.en) == (not conditional, not conditional)
    assert "удаляются: ничего" in found["shop"].text.ru


def test_the_page_says_where_a_kept_record_stays_deleted(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = opened(kit)
    kit.world("crm").delete("deal", "1")
    kit.world("shop").put("deal", {"comment": "клиент перезвонил"}, "s1")
    sync(hub)
    less = replace(MemoryAdapter.capabilities, creates=frozenset())
    monkeypatch.setattr(hub.plugs["crm"].adapter, "capabilities", less)
    (row,) = views.conflicts(hub)
    shown = page(hub, "/conflicts?lang=ru")
    assert "удалено в одной системе, изменено в другой" in shown
    said = acts.decide_conflict(hub, row["id"], "hub", "Ирина Пробная", row["sides"])
    assert list(said["stays_deleted"]) == ["crm"]
    assert "В crm она останется удалённой" in page(hub, "/conflicts?lang=ru&done=stays&n=crm")
