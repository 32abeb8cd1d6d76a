"""/in/<connection>: nothing is acknowledged before it is stored, nobody is turned away, no secret is kept."""

from __future__ import annotations

import itertools
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from adapters.base import Arrival, Reception, Reply
from sync import config
from sync.errors import Fatal, RetryLater, Text
from sync.hub import Hub, views, works
from sync.intake.inbox import Stored
from sync.web import answers
from sync.web.body import Body
from sync.web.masking import Secrets
from tests.unit.web_kit import LEAD, SECRET, Browser, hub, rows, served

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_an_acknowledged_lead_is_in_the_inbox_and_work_is_woken(tmp_path: Path) -> None:
    woken: list[str] = []
    with hub(tmp_path) as opened, Browser(opened) as client:
        opened.wake = woken.append
        answer = client.post(f"/in/site?key={SECRET}", content=LEAD, headers=FORM)
        assert (answer.status_code, answer.text) == (200, "ok")
        (row,) = rows(opened)
        assert (row.connection, row.via, row.state, row.label, row.body.decode()) == ("site", "push", "new", "", LEAD)
        assert woken == ["site"]
        assert works.sync_once(opened)[0][-1].counts.new == 1
        assert views.totals(opened)["lead"] == 1


def test_a_repeat_gets_the_same_answer_and_makes_nothing_new(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        for _ in range(3):
            assert client.post(f"/in/site?key={SECRET}", content=LEAD, headers=FORM).text == "ok"
        assert [r.state for r in rows(opened)] == ["new", "duplicate", "duplicate"]
        works.sync_once(opened)
        assert views.totals(opened)["lead"] == 1


@pytest.mark.parametrize(
    ("method", "body", "label"), [("POST", b"test=test", "test"), ("GET", b"", "ping"), ("HEAD", b"", "ping")]
)
def test_pings_are_kept_and_make_nothing(tmp_path: Path, method: str, body: bytes, label: str) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        assert client.request(method, "/in/site", content=body, headers=FORM).status_code == 200
        (row,) = rows(opened)
        assert (row.state, row.label) == ("kept", label)


def test_the_adapter_answers_a_preflight_and_a_browser_in_its_own_words(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        answer = client.request("OPTIONS", "/in/form", headers={"origin": "https://shop.example"})
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
        replied = Reply(b"", 303, headers={"Location": "https://shop.example/thanks"})
        opened.plugs["form"].adapter.receive = lambda arrival: Reception(replied)  # type: ignore[method-assign]
        answer = client.post("/in/form", content=b"name=x")
        assert (answer.status_code, answer.headers["location"]) == (303, "https://shop.example/thanks")


@pytest.mark.parametrize(
    "path", ["/in/nosuch", "/in/..%2f..%2fetc%2fpasswd", "/in/%2e%2e/x", "/in/%00", "/in/Site", "/in/<script>"]
)
def test_an_unknown_connection_is_named_and_nothing_is_stored(tmp_path: Path, path: str) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        answer = client.post(path, content=LEAD, headers=FORM)
        assert answer.status_code == 404
        assert "/in/<имя подключения>" in answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        assert rows(opened) == []
        assert client.post("/in/crm", content=LEAD).status_code == 404, "it fetches by itself"


def test_a_connection_that_is_not_ready_loses_nothing(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        assert "broken" in opened.broken
        for name in ("broken", "off"):
            answer = client.post(f"/in/{name}?key={SECRET}", content=LEAD, headers=FORM)
            assert (answer.status_code, answer.text) == (200, "ok")
            assert client.get(f"/in/{name}").status_code == 200
        found = [(r.connection, r.state, r.label) for r in rows(opened)]
        assert found == [("broken", "new", ""), ("broken", "kept", "ping"), ("off", "new", ""), ("off", "kept", "ping")]
        assert SECRET not in str(rows(opened))
    connections = {name: {"adapter": "tilda"} for name in ("broken", "off")}
    data = {"hub": {"database": "sqlite:///sverka.db", "spool": "spool"}, "connections": connections}
    with Hub(config.build(data, tmp_path / "config.toml")) as mended:
        works.sync_once(mended)
        assert views.totals(mended)["lead"] == 2, "the arrivals waited for the connection to be mended"


def test_a_body_of_10_mb_is_kept_to_the_limit_and_answered(tmp_path: Path) -> None:
    body = b"name=" + b"x" * 10_000_000
    with hub(tmp_path) as opened, Browser(opened) as client:
        for name in ("site", "form", "calls", "broken"):
            answer = client.post(f"/in/{name}", content=body, headers=FORM)
            assert answer.status_code == 200
            assert "hub.max_body" in answer.text
        assert [(r.label, r.state, len(r.body), r.size) for r in rows(opened)] == [
            ("oversized", "kept", 1 << 20, len(body))
        ] * 4


def test_a_form_with_files_goes_through_the_spool(tmp_path: Path) -> None:
    files = {"photo": ("../../etc/x.jpg", b"\x00\xff" * 1_500_000, "image/jpeg")}
    with hub(tmp_path) as opened, Browser(opened) as client:
        answer = client.post("/in/form", data={"name": "Иван Тестов", "phone": "+79990000001"}, files=files)
        assert answer.text == "ok"
        (row,) = rows(opened)
        assert (row.body, row.label) == (None, "")
        assert opened.spool.path(row.spool).parent == opened.config.hub.spool
        works.sync_once(opened)
        assert views.totals(opened)["lead"] == 1


def test_no_bytes_bring_an_error(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    types = [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/xml",
        "\xff",
    ]
    bodies = [
        b"",
        b"\x00",
        b"{" * 10_000,
        b'{"a": 1e400}',
        b"[NaN]",
        b"--x\r\n\r\n",
        b"%",
        b"<!DOCTYPE a>",
        b"a" * 5000,
    ]
    with hub(tmp_path) as opened, Browser(opened) as client:
        sent = 0
        for kind, method in itertools.product(types, ["POST", "PUT", "PATCH", "DELETE"]):
            body = dice.choice([*bodies, dice.randbytes(dice.randrange(3000))])
            headers = {"content-type": kind.encode("latin-1"), "x-wc-webhook-signature": "\xe9".encode("latin-1")}
            path = dice.choice(["site", "form", "calls"]) + dice.choice(
                ["", "/", "/a/../b", "/%00%ff", "/" + "x" * 3000]
            )
            answer = client.request(
                method, f"/in/{path}?{dice.randbytes(5).hex()}=%ff%00", content=body, headers=headers
            )
            assert answer.status_code == 200, (path, kind, body[:50])
            sent += 1
        assert len(rows(opened)) == sent
        works.sync_once(opened)
        assert all(r.state != "new" for r in rows(opened))


def test_no_secret_is_stored(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        client.post(f"/in/site?key={SECRET}&page=1&apiKey=other&access_token=third", content=LEAD, headers=FORM)
        client.post(f"/in/site/{SECRET}", content=LEAD + "2", headers=FORM)
        headers = {
            "x-api-key": SECRET,
            "authorization": f"Bearer {SECRET}",
            "cookie": f"a={SECRET}",
            "x-hook-token": "t",
        }
        headers |= {"referer": f"https://shop.example/?k={SECRET}", "x-wc-webhook-topic": "order.updated"}
        client.post("/in/site", content=LEAD + "3", headers=FORM | headers)
        client.post("/in/site", content=f"{LEAD}4&key={SECRET}", headers=FORM)
        client.post("/in/broken", content=f'{{"key": "{SECRET}"}}')
        client.post("/in/site", content=f"key={SECRET}&x=".encode() + b"y" * 2_000_000, headers=FORM)
        found = rows(opened)
        assert [r.label for r in found] == ["", "", "", "", "", "oversized"]
        assert SECRET not in "".join(str(tuple(r)) for r in found)
        assert found[0].request["query"] == {"key": "***", "page": "1", "apiKey": "***", "access_token": "***"}
        assert found[1].name == "***"
        kept = found[2].request["headers"]
        assert kept["x-wc-webhook-topic"] == "order.updated"
        assert kept["referer"] == "https://shop.example/?k=***"
        assert not kept.keys() & {"x-api-key", "authorization", "cookie", "x-hook-token"}


def test_masking_leaves_ordinary_words_alone() -> None:
    secrets = Secrets(["abc", "long-secret&1"])
    assert secrets.text("abcdef") == "abcdef", "a short secret is masked only where it is everything"
    assert secrets.text("abc") == "***"
    assert secrets.path("leads/abc/x") == "leads/***/x"
    assert secrets.body(b"k=long-secret%261&a=long-secret&1") == b"k=***&a=***"
    assert secrets.query({"keyword": "стол", "utm_term": "x", "user_password": "p"})["keyword"] == "стол"


def test_an_adapter_that_fails_at_a_look_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(arrival: Arrival) -> Reception:
        raise ZeroDivisionError(arrival.read().decode())

    with hub(tmp_path) as opened, Browser(opened) as client:
        opened.plugs["site"].adapter.receive = fails  # type: ignore[method-assign]
        assert client.post("/in/site", content=b"Phone=79990000001").text == "ok"
        assert [(r.state, r.label) for r in rows(opened)] == [("new", "")]
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said
    assert "79990000001" not in said


def test_without_a_commit_the_sender_is_told_to_repeat(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        keep = opened.writer.keep

        async def full(item: Any) -> Stored:
            raise Fatal(Text("disk full", "диск полон"), code="store.down")

        opened.writer.keep = full  # type: ignore[method-assign]
        answer = client.post("/in/site", content=LEAD, headers=FORM)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        opened.writer.keep = keep  # type: ignore[method-assign]
        assert client.post("/in/site", content=LEAD, headers=FORM).status_code == 200
        assert len(rows(opened)) == 1


def test_fifty_at_once_are_all_stored(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client, ThreadPoolExecutor(10) as pool:
        bodies = [f"Name=x&Phone=7999000{n:04}&tranid={n}".encode() for n in range(50)]
        found = list(pool.map(lambda b: client.post(f"/in/site?key={SECRET}", content=b).status_code, bodies))
        assert found == [200] * 50
        assert len({r.key for r in rows(opened)}) == 50


def test_a_body_that_is_cut_off_is_kept_and_not_acknowledged(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, served(opened) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as line:
            line.sendall(b"POST /in/site HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nName=Ivan&Pho")
        until = time.monotonic() + 10
        while not rows(opened) and time.monotonic() < until:
            time.sleep(0.02)
        (row,) = rows(opened)
        assert (row.state, row.label, row.body) == ("kept", "broken", b"Name=Ivan&Pho")
        assert httpx.post(f"{url}/in/site", content=LEAD, headers=FORM).text == "ok", "the neighbour is unharmed"


def test_a_sender_that_falls_silent_is_given_up() -> None:
    async def silent() -> Any:
        await anyio.sleep_forever()

    async def read() -> None:
        with pytest.raises(RetryLater):
            await Body(silent, silence=0.01).next()
        assert await Body(silent, silence=0.01).read(10) == (b"", True)

    anyio.run(read)


def test_an_answer_cannot_carry_another_header() -> None:
    headers = {
        "Location": "https://x\r\nSet-Cookie: a=1",
        "X\r\nY": "1",
        "X: Y": "1",
        "X-Name": "Иван",
        "X-Good": "yes",
    }
    answer = answers.of_reply(Reply(b"ok", 200, "text/html\r\nX: 1", headers))
    assert sorted(answer.headers) == ["content-length", "content-type", "x-good"]
    assert answer.headers["content-type"] == "text/plain"
    assert answers.of_reply(Reply(b"", 99)).status_code == 200
