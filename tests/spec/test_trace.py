"""«Где заказ 1043?»: found by everything that people know, every hop in order, and the reason where it stopped."""

from __future__ import annotations

import pytest

from sync.hub import views
from sync.hub.runtime import Hub
from sync.hub.trace import trace
from sync.store.tables import record
from tests.spec.hubs import PHONE, Kit, give, one, push, sync
from tests.spec.test_offers import BOLT, ONEC, ORDER, context, offer


@pytest.fixture
def hub(kit: Kit) -> Hub:
    opened = kit.open(
        {
            "tilda": {"adapter": "tilda"},
            "shop": {"role": "shop", "kinds": ["deal"], "prefix": "W-"},
            "crm": {"kinds": ["deal"]},
            "onec": ONEC,
        },
        [("deal", "shop", "crm", "always"), ("deal", "shop", "onec", "always")],
    )
    body = "Name=Анна Тестова&Phone=%2B79161234567&tranid=1:1&formname=Заявка".encode()
    push(opened, "tilda", body, content_type="application/x-www-form-urlencoded")
    sync(opened)
    kit.world("shop").put("deal", {**ORDER, "client": {**ORDER["client"], "inn": ""}})
    sync(opened)
    return opened


def steps(hub: Hub, query: str = "1043") -> list[str]:
    return [h.step for h in trace(hub, query)[0].hops]


def test_found_by_whatever_people_know(hub: Hub) -> None:
    for query in (
        "1043", " 1043 ", PHONE, "8 (916) 123-45-67", "anna@mail.ru", "Анна Тестова", "тестова", "Testova"
    ):  # fmt: skip
        found = trace(hub, query)
        assert (found[0].kind, found[0].number) == ("deal", "1043"), query
        assert found[0].client is not None
        assert found[0].client["name"] == "Анна Тестова"
    for query in ("", "nobody", "+7 999 000-00-00", "%", "' OR 1=1"):
        assert trace(hub, query) == [], query


def test_every_hop_and_where_it_stopped(hub: Hub) -> None:
    found = trace(hub, "1043")[0]
    assert steps(hub)[0] == "arrived"
    assert {"arrived", "created", "written", "event", "quarantined"} <= set(steps(hub))
    assert [h.at for h in found.hops] == sorted(h.at for h in found.hops)
    stopped = next(h for h in found.hops if h.step == "quarantined")
    assert (stopped.state, stopped.place) == ("stop", "onec")
    assert stopped.reason is not None
    assert "B-1" in stopped.reason["ru"]
    assert stopped.remedy is not None
    for hop in found.hops:
        assert hop.text["en"]
        assert hop.text["ru"]


def test_the_way_through_accounting(hub: Hub) -> None:
    give(hub, "onec", "product", "g1", BOLT)
    sync(hub)
    assert "quarantined" not in steps(hub)
    assert any(h.state == "wait" for h in trace(hub, "1043")[0].hops)
    batch = offer(hub)
    assert trace(hub, "W-1043")[0].number == "1043", "our number there finds it too"
    context(hub).confirm(batch.id)
    document = {"key": "p1", "kind": "payment", "number": "П-77", "amount": "100.10", "date": "2026-03-01T10:00:00Z"}
    give(hub, "onec", "order", "W-1043", {"number": "W-1043", "number_1c": "УТ-17", "documents": [document]})
    for query in ("УТ-17", "П-77"):
        assert trace(hub, query)[0].number == "1043"
    assert "offered" in steps(hub)
    assert not any(h.state != "ok" for h in trace(hub, "1043")[0].hops)


def test_a_lead_and_its_client(hub: Hub) -> None:
    kinds = [t.kind for t in trace(hub, PHONE)]
    assert kinds[0] == "deal"
    assert "lead" in kinds
    assert kinds[-1] == "contact"
    lead = next(t for t in trace(hub, PHONE) if t.kind == "lead")
    assert {"arrived", "event", "task"} <= {h.step for h in lead.hops}


def test_what_the_pages_show(hub: Hub) -> None:
    states = {c["name"]: c["state"] for c in views.connections(hub)}
    assert states["shop"] == "green"
    assert states["onec"] == "yellow"
    card = views.client(hub, one(hub, record, kind="contact").uid)
    assert card is not None
    assert (len(card["deals"]), len(card["leads"]), len(card["timeline"])) == (1, 1, 2)
    assert views.client(hub, "nobody") is None
    totals = views.totals(hub)
    assert (totals["deal"], totals["lead"], totals["contact"], totals["quarantined"]) == (1, 1, 1, 1)
    assert all(r["outcome"] in ("ok", "idle", "partial") for r in views.last_runs(hub))
    assert [q["code"] for q in views.quarantined(hub)] == ["deal.unmatched_line"]
    assert len(views.arrivals(hub)) == 2
