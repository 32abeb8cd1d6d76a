"""Who may see pages and use the API: loopback or the password, no rebinding, no foreign page, and headers everywhere."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from sync.hub import Hub
from sync.store.tables import edit, quarantine
from sync.web.app import build
from sync.web.guard import HEADERS, at_home
from tests.unit.web_kit import HERE, Browser, fill, hub

PAGES = [
    "/",
    "/trace?q=1043",
    "/quarantine",
    "/conflicts",
    "/reviews",
    "/runs",
    "/client/x",
    "/api/status",
    "/static/sverka.css",
]
OWN = {"origin": HERE, "sec-fetch-site": "same-origin"}


def basic(password: str, user: str = "Мария") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def edits(opened: Hub) -> list[Any]:
    with opened.store.read() as tx:
        return list(tx.execute(sa.select(edit)))


@pytest.mark.parametrize(
    ("address", "base", "extra"),
    [
        ("192.168.0.7", HERE, {}),
        ("8.8.8.8", "http://localhost", {}),
        ("127.0.0.1", "http://evil.example:8080", {}),
        ("127.0.0.1", "http://127.0.0.1.evil.example", {}),
        ("127.0.0.1", HERE, {"host": ""}),
        ("127.0.0.1", HERE, {"x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", HERE, {"forwarded": "for=1.2.3.4"}),
    ],
)
def test_without_a_password_only_this_pc_is_answered(
    tmp_path: Path, address: str, base: str, extra: dict[str, str]
) -> None:
    with hub(tmp_path) as opened, Browser(opened, address, base) as client:
        for path in PAGES:
            answer = client.get(path, headers=extra)
            assert answer.status_code == 403, path
            assert "web.password" in answer.text
        assert client.get("/api/status", headers=extra).json()["error"]["setting"] == "web.password"
        assert client.post("/in/form", content=b"name=x", headers=extra).status_code == 200, "forms are open to all"
        assert client.get("/exchange/ut", headers=extra).text.startswith("failure")
        assert client.get("/healthz", headers=extra).text == "alive"
        assert client.get("/readyz", headers=extra).text == "ready"


@pytest.mark.parametrize("base", ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080", "http://LOCALHOST"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_pc_needs_no_password(address: str, base: str) -> None:
    host = base.removeprefix("http://")
    scope = {"type": "http", "headers": [(b"host", host.encode())], "client": (address, 1), "http_version": "1.1"}
    assert at_home(Request(scope))
    assert not at_home(Request({**scope, "http_version": "1.0"})), "as a proxy speaks"
    assert not at_home(Request({**scope, "client": None}))


def test_with_a_password_any_user_is_let_in_by_it(tmp_path: Path) -> None:
    with hub(tmp_path, password="пароль") as opened, Browser(opened, "8.8.8.8", "https://hub.example") as client:
        for path in PAGES:
            answer = client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
            assert client.get(path, headers=basic("пароль")).status_code in (200, 404)
        assert client.get("/", headers=basic("пароль", "")).status_code == 200
        assert "Вы вошли как Мария" in client.get("/", headers=basic("пароль")).text
        for wrong in (basic(""), {"authorization": "Bearer пароль".encode()}, {"authorization": "Basic %%%"}):
            assert client.get("/", headers=wrong).status_code == 401  # type: ignore[arg-type]
        assert client.post("/in/form", content=b"name=x").status_code == 200


def test_who_guesses_has_to_wait(tmp_path: Path) -> None:
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    with hub(tmp_path, password="right") as opened:
        opened.now = lambda: clock[0]
        with Browser(opened, "8.8.8.8") as client:
            assert [client.get("/", headers=basic("no")).status_code for _ in range(6)] == [401] * 5 + [429]
            answer = client.get("/", headers=basic("right"))
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
            clock[0] += timedelta(seconds=31)
            assert client.get("/", headers=basic("no")).status_code == 401
            assert client.get("/", headers=basic("right")).headers["retry-after"] == "60"
            clock[0] += timedelta(seconds=61)
            assert client.get("/", headers=basic("right")).status_code == 200
            assert client.get("/", headers=basic("no")).status_code == 401, "a success forgives"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": HERE},
        {"sec-fetch-site": "cross-site", "origin": HERE},
    ],
)
def test_a_page_of_another_site_changes_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    with hub(tmp_path) as opened:
        uid = fill(opened)
        with Browser(opened) as client:
            for path in (
                f"/act/deal/{uid}/stage",
                f"/api/deal/{uid}/stage",
                "/act/quarantine/1/retry",
                "/act/reviews/1",
            ):
                answer = client.post(path, data={"stage": "paid", "choice": "new"}, headers=headers)
                assert answer.status_code == 403, path
        assert edits(opened) == []
        with opened.store.read() as tx:
            assert set(tx.execute(sa.select(quarantine.c.state)).scalars()) == {"open"}


@pytest.mark.parametrize("headers", [OWN, {"origin": HERE}, {}, {"origin": "https://hub.example"}])
def test_our_own_page_and_a_program_may_change(tmp_path: Path, headers: dict[str, str]) -> None:
    with hub(tmp_path, public_url="https://hub.example/") as opened:
        fill(opened)
        with Browser(opened) as client:
            assert client.post("/act/quarantine/1/retry", headers=headers).status_code == 303


def test_the_journal_knows_who_asked(tmp_path: Path) -> None:
    with hub(tmp_path, password="right") as opened:
        uid = fill(opened)
        _free_stage(opened)
        with Browser(opened, "10.0.0.5") as client:
            client.post(f"/act/deal/{uid}/stage", data={"stage": "paid"}, headers=basic("right", "Мария Тестова"))
        assert [e.who for e in edits(opened)] == ["Мария Тестова"]


def _free_stage(opened: Hub) -> None:
    opened.config = opened.config.model_copy(update={"owners": {"deal.stage": "hub"}})


def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        for path in (*PAGES, "/nope", "/api/nope", "/in/nosuch", "/exchange/x", "/healthz", "/favicon.ico"):
            headers = client.get(path).headers
            for name, value in HEADERS.items():
                assert headers[name] == value, path
        assert client.get("/").headers["cache-control"] == "no-store"
        policy = client.get("/").headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_a_fault_of_ours_is_answered_and_logged_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sync.hub import views

    def fails(opened: Hub) -> None:
        raise ValueError(opened.config.connections["site"].settings["secret"])

    with hub(tmp_path) as opened, Browser(opened) as client:
        monkeypatch.setattr(views, "connections", fails)
        for path in ("/", "/api/status"):
            answer = client.get(path)
            assert answer.status_code == 500
            assert "ValueError" not in answer.text
            assert "s3cret" not in answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert "s3cret" not in said


def test_a_database_that_does_not_answer_makes_the_hub_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sync.errors import Fatal, Text
    from sync.store import Store

    def down(self: Store) -> None:
        raise Fatal(Text("down /var/lib/x", "не работает"), code="store.down")

    with hub(tmp_path) as opened, Browser(opened) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "read", down)
            answer = client.get("/readyz")
            assert (answer.status_code, answer.text) == (503, "not ready: store.down")
            assert client.get("/healthz").status_code == 200
            assert client.get("/").status_code == 503
        assert client.get("/readyz").status_code == 200


def test_websockets_are_closed(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    with hub(tmp_path) as opened:
        scope = {"type": "websocket", "path": "/", "headers": [], "client": ("127.0.0.1", 1)}
        asyncio.run(build(opened)(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
