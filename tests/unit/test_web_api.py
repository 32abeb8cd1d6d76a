"""/api: the same as the pages as JSON, exact money and UTC times, errors with code, words and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync.hub import Hub
from sync.store.tables import command, edit, quarantine
from tests.unit.web_kit import Browser, fill, hub


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Hub, Browser, str]]:
    with hub(tmp_path) as opened:
        uid = fill(opened)
        with Browser(opened) as client:
            yield opened, client, uid


def _all(opened: Hub, table: sa.Table) -> list[Any]:
    with opened.store.read() as tx:
        return list(tx.execute(sa.select(table)))


def test_status_counts_connections_and_queues(filled: tuple[Hub, Browser, str]) -> None:
    answer = filled[1].get("/api/status")
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said["now"].endswith("Z")
    states = {c["name"]: c["state"] for c in said["connections"]}
    assert (states["site"], states["broken"], states["off"], states["form"]) == ("green", "red", "off", "grey")
    assert said["totals"]["deal"] == 1
    assert (said["totals"]["quarantined"], said["totals"]["conflicts"], said["totals"]["reviews"]) == (4, 1, 1)
    assert (said["totals"]["tasks"], said["totals"]["overdue"]) == (1, 0)


def test_money_is_text_and_times_are_utc(filled: tuple[Hub, Browser, str]) -> None:
    (record,) = [r for r in filled[1].get("/api/trace?q=1043").json()["records"] if r["kind"] == "deal"]
    assert (record["amount"], record["currency"], record["number"]) == ("1500.50", "RUB", "1043")
    assert all(hop["at"].endswith("Z") for hop in record["hops"])
    person = filled[1].get(f"/api/client/{record['client']['uid']}").json()
    assert person["deals"][0]["amount"] == "1500.50"
    assert {e["type"] for e in person["timeline"]} >= {"call", "note", "form", "order"}


def test_lists_and_their_limits(filled: tuple[Hub, Browser, str]) -> None:
    _, client, _ = filled
    assert len(client.get("/api/runs?limit=3").json()["runs"]) == 3
    assert {r["connection"] for r in client.get("/api/runs?connection=site").json()["runs"]} == {"site"}
    assert len(client.get("/api/quarantine").json()["quarantine"]) == 4
    assert client.get("/api/conflicts").json()["conflicts"][0]["sides"]["ut/order"] == "Иван Тестов 2"
    assert client.get("/api/reviews").json()["reviews"][0]["candidates"]
    arrivals = client.get("/api/arrivals?connection=calls").json()["arrivals"]
    assert [a["connection"] for a in arrivals] == ["calls"]
    assert not arrivals[0].keys() & {"body", "request", "spool"}
    for limit in ("0", "501", "-1", "x", "1e2", "99999999999"):
        answer = client.get(f"/api/runs?limit={limit}")
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "limit")


def test_a_stage_is_changed_or_refused_in_words(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, _ = filled
    answer = client.post("/api/deal/1043/stage", json={"stage": "paid"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (409, "deal.owner", "stage")
    assert "crm" in error["text"]["en"]
    assert "crm" in error["text"]["ru"]
    opened.config = opened.config.model_copy(update={"owners": {"deal.stage": "hub"}})
    assert client.post("/api/deal/1043/stage", json={"stage": "lost"}).status_code == 422
    assert client.post("/api/deal/77/stage", json={"stage": "paid"}).status_code == 404
    answer = client.post("/api/deal/1043/stage", json={"stage": "lost", "reason": "дорого"})
    assert (answer.status_code, answer.json()["to"]) == (200, "lost")
    assert [e.who for e in _all(opened, edit)] == ["api", "api"]


def test_queues_are_worked_off(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, _ = filled
    assert client.post("/api/quarantine/1/retry").json()["id"] == 1
    assert client.post("/api/quarantine/99/retry").status_code == 404
    assert client.post("/api/quarantine/99999999999999999999/retry").status_code == 404
    (found,) = client.get("/api/conflicts").json()["conflicts"]
    moved = client.post(f"/api/conflicts/{found['id']}", json={"side": "ut/order", "seen": {}})
    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "conflict.moved")
    done = client.post(f"/api/conflicts/{found['id']}", json={"side": "ut/order", "seen": found["sides"]})
    assert done.json() == {"id": 1, "field": "title", "value": "Иван Тестов 2"}
    assert client.post("/api/reviews/1", json={"choice": "new"}).status_code == 200
    assert client.post("/api/reviews/1", json={"choice": "new"}).json()["error"]["code"] == "review.gone"
    assert _all(opened, quarantine)[0].state == "retry"
    assert {c.kind for c in _all(opened, command)} >= {"retry", "reweave"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 400),
        (b"nonsense", 400),
        (b"\xff\xfe", 400),
        (b"[" * 5000, 400),
        (b'{"stage": 1}', 422),
        (b'{"stage": "paid", "who": "me"}', 422),
        (b'{"stage": null}', 422),
        (b'{"stage": "paid", "reason": ["x"]}', 422),
        (b'{"stage": "' + b"x" * 100_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_not_understood_is_refused(filled: tuple[Hub, Browser, str], body: bytes, status: int) -> None:
    opened, client, _ = filled
    answer = client.post("/api/deal/1043/stage", content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"]
    assert error["text"]["ru"] != error["text"]["en"]
    assert _all(opened, edit) == []


def test_unknown_addresses_and_methods_are_json_too(filled: tuple[Hub, Browser, str]) -> None:
    _, client, _ = filled
    for method, path, status in (
        ("GET", "/api/nope", 404),
        ("DELETE", "/api/status", 405),
        ("GET", "/api/client/x", 404),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["text"]["ru"]
    assert client.get("/api/trace").json() == {"records": []}
    assert client.get("/api/trace?q=%00").json() == {"records": []}
    assert client.get("/api/trace?q=" + "1" * 5000).status_code == 200
