"""/exchange/<connection> and shared paths: protocols that adapters speak as the server, streamed, in threads of their own."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.base import RecordRefused, Reply, Request, Text
from sync.config import Web
from sync.hub import Hub, views, works
from sync.hub.runtime import _address
from sync.web.app import OWN
from sync.web.exchange import Exchange
from tests.adapters.onec_site import small_base
from tests.peers.onec import UnfClient, UtClient
from tests.unit.web_kit import Browser, hub, served

SHARED = "/bitrix/admin/1c_exchange.php"


def basic(login: str, password: str, charset: str = "utf-8") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode(charset)).decode()}


@contextmanager
def working(opened: Hub) -> Iterator[None]:
    """What is received is taken at once, as the running service does."""
    with ThreadPoolExecutor(1) as worker:
        opened.wake = lambda name: worker.submit(works.take_pushed, opened, opened.plugs[name]) and None
        yield


def replace(opened: Hub, name: str, handle: Any) -> None:
    opened.plugs[name].adapter.server().handle = handle  # type: ignore[union-attr,method-assign]


def test_two_1c_bases_exchange_at_once(tmp_path: Path) -> None:
    """УТ at its own address and УНФ at the address that 1C makes of a bare host, told apart by the login."""
    # The server goes before the pool: a client that waits for ever is cut off then
    with hub(tmp_path) as opened, ThreadPoolExecutor(2) as pool, served(opened) as url, working(opened):
        ut = UtClient(small_base(), f"{url}/exchange/ut", "buh", "1c-password")
        unf = UnfClient(small_base(), url, "учёт", "other-password", sleep=lambda _: None)
        for report in [r.result(60) for r in [pool.submit(ut.session), pool.submit(unf.session)]]:
            assert report.portions >= 1
    with hub(tmp_path) as opened:
        arrived = views.arrivals(opened)
        assert {(a["connection"], a["via"], a["state"]) for a in arrived} >= {
            ("ut", "exchange", "done"),
            ("unf", "exchange", "done"),
        }


@pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
def test_a_shared_path_finds_the_connection_by_login(tmp_path: Path, charset: str) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        ask = f"{SHARED}?type=catalog&mode=checkauth"
        answer = client.get(ask, headers=basic("учёт", "other-password", charset))
        assert answer.text.splitlines()[0] == "success"
        sid = answer.text.splitlines()[2]
        assert opened.plugs["unf"].adapter.server() is not None
        again = client.get(f"{SHARED}?type=catalog&mode=init", headers={"cookie": f"sverka_1c={sid}"})
        assert again.text.startswith("zip=no"), "the session tells the connection where 1C sends no login"
        assert client.get(f"{SHARED}?type=catalog&mode=init&sessid={sid}").text.startswith("zip=no")


@pytest.mark.parametrize(
    ("path", "headers", "words"),
    [
        (SHARED, basic("buh", "wrong"), "неверное имя"),
        (SHARED, basic("nobody", "wrong"), "неверное имя"),
        (SHARED, {"authorization": "Basic !!!"}, "неверное имя"),
        ("/exchange/nosuch", {}, "nosuch"),
        ("/exchange/crm", {}, "crm"),
        ("/exchange/broken", {}, "не готово"),
        ("/exchange/..%2f..%2fx", {}, "Обмена"),
    ],
)
def test_a_refusal_has_status_200_and_the_reason_in_its_body(
    tmp_path: Path, path: str, headers: dict[str, str], words: str
) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        answer = client.get(f"{path}?type=catalog&mode=checkauth", headers=headers)
        assert answer.status_code == 200
        assert answer.text.startswith("failure\n")
        assert words in answer.text
        assert answer.headers["content-type"].startswith("text/plain")


def test_a_stranger_on_the_shared_path_is_answered_in_the_protocols_own_words(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        answer = client.get(f"{SHARED}?type=catalog&mode=checkauth")
        assert answer.text.startswith("failure\n")
        assert "Authorization" in answer.text
        assert (answer.status_code, "Basic" in answer.headers["www-authenticate"]) == (401, True)


def test_a_connection_without_a_login_serves_nobody(tmp_path: Path) -> None:
    with hub(tmp_path) as opened:
        for name in ("ut", "unf"):
            opened.plugs[name].adapter.server().login = lambda: ""  # type: ignore[union-attr,method-assign]
        with Browser(opened) as client:
            for path in ("/exchange/ut", SHARED):
                answer = client.get(f"{path}?type=catalog&mode=checkauth", headers=basic("", ""))
                assert answer.text.startswith("failure\n")


def test_one_login_of_two_connections_is_refused_on_the_shared_path(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        opened.plugs["unf"].adapter.server().login = lambda: "buh"  # type: ignore[union-attr,method-assign]
        answer = client.get(f"{SHARED}?type=catalog&mode=checkauth", headers=basic("buh", "1c-password"))
        assert answer.text.startswith("failure\nЭто имя входа у нескольких")


def test_errors_of_the_protocol_are_answered_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuses(request: Request, context: Any) -> Reply:
        raise RecordRefused(Text("no\nway", "так\nнельзя"), code="x.y")

    def breaks(request: Request, context: Any) -> Reply:
        raise KeyError(request.query["phone"])

    with hub(tmp_path) as opened, Browser(opened) as client:
        replace(opened, "ut", refuses)
        assert client.get("/exchange/ut").text == "failure\nтак нельзя"
        replace(opened, "ut", breaks)
        assert client.get("/exchange/ut?phone=79990000001").text == "failure\ninternal"
    said = capsys.readouterr().out
    assert "KeyError" in said
    assert "79990000001" not in said


def test_the_body_is_streamed_and_the_rest_of_it_is_drained(tmp_path: Path) -> None:
    sizes: list[int] = []

    def stores(request: Request, context: Any) -> Reply:
        sizes.extend(len(piece) for piece in request.body)
        return Reply(str(sum(sizes)).encode())

    async def pieces() -> Any:
        for _ in range(64):
            yield b"x" * 65536

    with hub(tmp_path) as opened, Browser(opened) as client:
        replace(opened, "ut", stores)
        assert client.post("/exchange/ut", content=pieces()).text == str(64 * 65536)
        assert max(sizes) <= 65536, "never whole in memory"
        replace(opened, "ut", lambda request, context: Reply(b"enough"))
        assert client.post("/exchange/ut", content=pieces()).text == "enough"


def test_waiting_exchanges_leave_pages_and_forms_alone(tmp_path: Path) -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def waits(request: Request, context: Any) -> Reply:
        inside.release()
        go.wait(30)
        return Reply(b"done")

    with hub(tmp_path) as opened, Browser(opened) as client, ThreadPoolExecutor(40) as pool:
        replace(opened, "ut", waits)
        waiting = [pool.submit(client.get, "/exchange/ut") for _ in range(40)]
        try:
            for _ in range(40):
                assert inside.acquire(timeout=30)
            assert client.get("/healthz").text == "alive"
            assert client.get("/runs").status_code == 200
            assert client.post("/in/form", content=b"name=x&phone=79990000001").text == "ok"
        finally:
            go.set()
        assert [w.result(30).text for w in waiting] == ["done"] * 40


def test_a_path_that_covers_one_of_ours_is_not_served(tmp_path: Path) -> None:
    with hub(tmp_path) as opened:
        opened.plugs["ut"].adapter.server().paths = ("/api/status", "/", "/x{y}", "/shop/1c.php")  # type: ignore[union-attr]
        assert Exchange(opened).paths(OWN) == [SHARED, "/shop/1c.php"]


def test_1cs_own_log_says_which_record_was_not_taken(tmp_path: Path) -> None:
    """The neighbours are taken, and the exchange goes on."""
    row = "<Товар>{}<Наименование>Болт</Наименование></Товар>"
    body = (
        "<КоммерческаяИнформация><Каталог><Товары>{}</Товары></Каталог></КоммерческаяИнформация>".format(
            row.format("") + row.format("<Ид>1</Ид>")
        )
    ).encode()
    with hub(tmp_path) as opened, served(opened) as url, working(opened):
        client = UtClient(small_base(), f"{url}/exchange/ut", "buh", "1c-password")
        for _ in range(2):
            client.cycle("catalog", {"import0_1.xml": body})
    (said,) = [line for line in client.log if "Расширенный статус" in line]
    assert "import0_1.xml: не принято записей: 1; у <Товар> в строке 1 нет <Ид>" in said


@pytest.mark.parametrize(
    ("web", "address"),
    [
        ({"public_url": "https://hub.firma.example/"}, "https://hub.firma.example"),
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 80}, f"http://{socket.gethostname()}:80"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"port": 0}, ""),
    ],
)
def test_the_address_that_check_tells_people_to_type(web: dict[str, Any], address: str) -> None:
    assert _address(Web(**web)) == address
