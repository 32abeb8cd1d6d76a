"""Clients on the pages and by the API: merged, shown as one, parted, and questions about them answered and asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from sync.hub import Hub, duplicates
from sync.store.tables import merge, record, review
from tests.unit import web_kit
from tests.unit.web_kit import Browser

OTHER = {
    "number": "1044",
    "title": "Второй",
    "stage": "new",
    "client": {"name": "Пётр <b>Пробный", "phone": "+79990000077"},
}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Hub, Browser, str, str]]:
    """A hub with two clients."""
    with web_kit.hub(tmp_path) as opened:
        web_kit.crm(opened).put(
            "deal", {**OTHER, "number": "1", "client": {"name": "Анна Тестова", "phone": "+79990000076"}}
        )
        web_kit.crm(opened).put("deal", OTHER)
        web_kit.works.sync_once(opened)
        with opened.store.read() as tx:
            names = {r.title: r.uid for r in tx.execute(sa.select(record).where(record.c.kind == "contact"))}
        with Browser(opened) as client:
            yield opened, client, names["Анна Тестова"], names["Пётр <b>Пробный"]


def standing(opened: Hub) -> list[Any]:
    with opened.store.read() as tx:
        return list(tx.execute(sa.select(merge).where(merge.c.state == "stands")))


def test_two_cards_become_one_on_the_page_and_two_again(two: tuple[Hub, Browser, str, str]) -> None:
    opened, client, anna, petr = two
    form = HTMLParser(client.get(f"/client/{anna}").text).css_first(f"form[action='/act/client/{anna}/merge']")
    fields = {i.attributes["name"]: i.attributes.get("value") or "" for i in form.css("input")}
    del fields["mixed"]
    said = client.post(f"/act/client/{anna}/merge", data={**fields, "card": "8 999 000-00-77", "why": "муж <i>и жена"})
    assert said.headers["location"] == f"/client/{anna}?done=merge"
    (row,) = standing(opened)
    assert (row.kept, row.gone, row.who, row.why["ru"]) == (anna, petr, "web", "муж <i>и жена")
    for language, word in (("ru", "Объединено с карточкой Пётр"), ("en", "Merged from Пётр")):
        page = client.get(f"/client/{petr}?lang={language}").text
        text = HTMLParser(page).css_first("main").text()
        assert word in text
        assert "муж <i>и жена" in text
        assert "<b>Пробный" not in page, "what people typed is text"
        assert {a.text() for a in HTMLParser(page).css("main a") if a.text() in ("1", "1044")} == {"1", "1044"}
    assert "вошла карточка" in HTMLParser(client.get(f"/trace?q={petr}&lang=ru").text).text()
    assert client.post(f"/act/client/{anna}/merge", data={"card": petr}).status_code == 409
    assert client.post(f"/act/client/{anna}/merge", data={"card": "nobody@mail.ru"}).status_code == 404
    button = HTMLParser(client.get(f"/client/{anna}").text).css_first(f"form[action='/act/client/{anna}/unmerge']")
    fields = {i.attributes["name"]: i.attributes["value"] for i in button.css("input")}
    assert client.post(f"/act/client/{anna}/unmerge", data=fields).headers["location"] == f"/client/{anna}?done=unmerge"
    assert standing(opened) == []
    assert client.post(f"/act/client/{anna}/unmerge", data=fields).status_code == 404
    assert "1044" not in HTMLParser(client.get(f"/client/{anna}").text).css_first("main").text()


def test_the_same_by_the_api(two: tuple[Hub, Browser, str, str]) -> None:
    _, client, anna, petr = two
    done = client.post(f"/api/client/{anna}/merge", json={"card": petr, "why": "одно лицо"}).json()
    assert (done["kept"], done["gone"]) == (anna, petr)
    shown = client.get(f"/api/client/{petr}").json()
    assert (shown["uid"], shown["cards"], shown["merged"][0]["who"]) == (anna, [anna, petr], "api")
    assert shown["merged"][0]["at"].endswith("Z")
    assert {d["number"] for d in shown["deals"]} == {"1", "1044"}
    assert client.post(f"/api/client/{petr}/unmerge").json()["id"] == done["id"]
    assert client.post(f"/api/client/{petr}/unmerge").json()["error"]["code"] == "merge.gone"
    refused = client.post(f"/api/client/{anna}/merge", json={"card": anna})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "identity.itself")
    assert client.post(f"/api/client/{anna}/merge", json={"card": 1}).json()["error"]["code"] == "web.field"
    assert client.post(f"/api/client/{anna}/merge", json={"card": petr, "mixed": "yes"}).status_code == 422


def asked(opened: Hub, client: Browser) -> None:
    """Anna's phone under another name."""
    event = {"type": "call", "id": "7", "phone": "+79990000076", "name": "Анна Пробная", "subject": "про <u>шкаф"}
    assert client.post("/in/calls", json=[event]).status_code == 200
    web_kit.works.sync_once(opened)


def test_a_question_is_answered_and_asked_again(two: tuple[Hub, Browser, str, str]) -> None:
    opened, client, anna, _ = two
    asked(opened, client)
    for language, words in (("ru", ("Вот этот", "Точно не этот")), ("en", ("This one", "Never these two"))):
        page = HTMLParser(client.get(f"/reviews?lang={language}").text)
        assert {b.text() for b in page.css("main button")} == set(words)
        assert "про <u>шкаф" in page.css_first("main").text()
    forms = HTMLParser(client.get("/reviews").text).css("form[action='/act/reviews/1']")
    said = [{i.attributes["name"]: i.attributes["value"] for i in f.css("input")} for f in forms]
    assert [(f["choice"], f.get("client")) for f in said] == [("link", anna), ("never", anna), ("new", None)]
    (held,) = (r["record_uid"] for r in client.get("/api/reviews").json()["reviews"])
    assert "/reviews#q-1" in client.get(f"/client/{held}").text
    assert client.post("/act/reviews/1", data=said[0]).headers["location"] == "/reviews?done=review"
    assert held in client.get(f"/api/client/{anna}").json()["cards"]
    (decided,) = client.get("/api/reviews?state=decided").json()["reviews"]
    assert (decided["decision"]["choice"], decided["decision"]["who"]) == ("link", "web")
    late = client.post("/api/reviews/1", json={"choice": "new"})
    assert (late.status_code, late.json()["error"]["code"]) == (404, "review.gone")
    assert "web" in late.json()["error"]["text"]["en"]
    back = HTMLParser(client.get("/reviews").text).css_first("details form")
    fields = {i.attributes["name"]: i.attributes["value"] for i in back.css("input")}
    assert fields["choice"] == "back"
    assert client.post("/act/reviews/1", data=fields).status_code == 303
    assert client.post("/api/reviews/1", json={"choice": "never", "client": anna}).json()["open"] is False
    with opened.store.read() as tx:
        assert tx.execute(sa.select(review.c.state)).scalars().all() == ["decided"]
    assert client.post(f"/api/client/{anna}/merge", json={"card": held}).json()["error"]["code"] == "identity.never"


def test_a_holding_card_is_not_merged_past_its_question(two: tuple[Hub, Browser, str, str]) -> None:
    opened, client, anna, _ = two
    asked(opened, client)
    (held,) = (r["record_uid"] for r in client.get("/api/reviews").json()["reviews"])
    assert client.post(f"/api/client/{anna}/merge", json={"card": held}).json()["error"]["code"] == "client.held"
    assert "/merge" not in client.get(f"/client/{held}").text


def test_the_page_of_questions_tells_how_many_duplicates_wait(two: tuple[Hub, Browser, str, str]) -> None:
    opened, client, _, _ = two
    assert "identity duplicates" not in client.get("/reviews").text
    web_kit.crm(opened).put("contact", {"name": "Тестова Анна", "phones": ["8 999 000-00-76"]})
    web_kit.crm(opened).put("contact", {"name": "Анна Тестова", "phones": ["8 999 000-00-76"]})
    web_kit.works.sync_once(opened)
    duplicates.look(opened)
    for language, words in (
        ("ru", "Вероятных дублей среди клиентов: 1"),
        ("en", "Probable duplicates among clients: 1"),
    ):
        text = HTMLParser(client.get(f"/reviews?lang={language}").text).css_first("main").text()
        assert words in text
        assert "sverka identity duplicates" in text
    assert standing(opened) == [], "nothing merges by itself"
