"""The pages: every text escaped on every page, hops with the button that mends them, deeds that come back with a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from adapters.base import Record
from sync.flow.one import take_one
from sync.flow.plug import Cause
from sync.hub import Hub, works
from sync.intake.pictures import PictureFolder
from sync.store.tables import command, conflict, edit, quarantine, record, review
from sync.web import show
from sync.web.deeds import local
from sync.web.words import CATALOGUE, Words
from tests.unit.web_kit import Browser, fill, hub

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
SECTIONS = ["/", "/trace?q=1043", "/quarantine", "/conflicts", "/reviews", "/runs", "/runs?connection=crm"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Browser, str]]:
    """A hub with a hostile text in every field, read only."""
    with hub(tmp_path_factory.mktemp("hostile")) as opened:
        uid = fill(opened, HOSTILE)
        with Browser(opened) as client:
            yield opened, client, uid


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Hub, Browser, str]]:
    with hub(tmp_path) as opened:
        uid = fill(opened)
        with Browser(opened) as client:
            yield opened, client, uid


def client_uid(opened: Hub, uid: str) -> str:
    with opened.store.read() as tx:
        return str(tx.execute(sa.select(record.c.client_uid).where(record.c.uid == uid)).scalar_one())


def rows(opened: Hub, table: sa.Table) -> list[Any]:
    with opened.store.read() as tx:
        return list(tx.execute(sa.select(table)))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_hostile_text_is_shown_as_text_on_every_page(hostile: tuple[Hub, Browser, str], language: str) -> None:
    opened, client, uid = hostile
    person = client_uid(opened, uid)
    more = [f"/client/{person}", f"/trace?q={uid}", "/trace", f"/trace?q={person}"]
    hidden = [f"/trace?q={HOSTILE}", f"/nope/{HOSTILE}", f"/?done={HOSTILE}&n={HOSTILE}", f"/runs?connection={HOSTILE}"]
    for path in [*SECTIONS, *more, *hidden]:
        for headers in ({}, {"hx-request": "true"}):
            answer = client.get(path, params=None, headers={**headers, "cookie": f"lang={language}"})
            assert answer.status_code in (200, 404), path
            tree = HTMLParser(answer.text)
            assert [s.attributes.get("src", "")[:20] for s in tree.css("script")] in ([], ["/static/htmx.min.js?"]), (
                path
            )
            assert all(i.attributes["src"].startswith("/static/") for i in tree.css("img")), path
            handlers = [a for node in tree.css("*") for a in node.attributes if a.startswith("on") or a == "style"]
            assert handlers == [], path
            assert "<script>alert" not in answer.text
            assert not tree.css("style")
    for path in [*SECTIONS[:6], more[0]]:
        assert "&lt;script&gt;alert(1)" in client.get(path).text, f"the text itself is seen on {path}"


@pytest.mark.parametrize("path", SECTIONS)
def test_a_page_has_one_heading_unique_labels_and_its_language(hostile: tuple[Hub, Browser, str], path: str) -> None:
    tree = HTMLParser(hostile[1].get(f"{path}{'&' if '?' in path else '?'}lang=en").text)
    assert tree.css_first("html").attributes["lang"] == "en"
    assert len(tree.css("h1")) == 1
    assert len(tree.css("main")) == 1
    labels = [n.attributes["aria-label"] for n in tree.css("nav, [role=region], [role=search]")]
    assert len(labels) == len(set(labels))
    ids = [n.attributes["id"] for n in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    for control in tree.css("input:not([type=hidden]), select"):
        assert "aria-label" in control.attributes or control.parent.tag == "label"
    buttons = [b.attributes.get("aria-label") or b.text() for b in tree.css("main button")]
    assert all(buttons)


def test_the_overview_counts_what_waits_and_names_why(filled: tuple[Hub, Browser, str]) -> None:
    text = HTMLParser(filled[1].get("/").text)
    tiles = [" ".join(n.text().split()) for n in text.css(".tiles a")]
    assert tiles == ["4 Карантин", "1 Расхождения", "1 Вопросы", "1 Открытые задачи", "1 Уведомления"]
    cards = {c.css_first("h3").text().split()[0]: c for c in text.css(".card")}
    assert list(cards) == ["site", "form", "calls", "crm", "ut", "unf", "broken", "off"]
    words = {name: card.css_first(".state").text() for name, card in cards.items()}
    assert words["site"] == "работает"
    assert words["calls"] == "ждёт людей"
    assert words["form"] == "ещё не работало"
    assert words["off"] == "выключено"
    assert words["broken"] == "не работает"
    assert "secrt" in cards["broken"].css_first(".reason").text()
    assert "счёт не сходится" in text.css_first(".runs").text()
    for run in text.css(".runs tbody tr"):
        numbers = [int(n.text()) for n in run.css(".n")]
        assert numbers[0] == sum(numbers[1:6]) or "не сходится" in run.text()


def test_a_trace_shows_every_hop_and_the_button_where_it_stopped(filled: tuple[Hub, Browser, str]) -> None:
    _, client, uid = filled
    tree = HTMLParser(client.get("/trace?q=1043").text)
    head = " ".join(tree.css_first(".record").text().split())
    assert "Сделка 1043 В работе" in head
    assert "ОтветственныйИван Тестов" in head
    assert "1\u00a0500,50\u00a0₽" in tree.css_first(".record").text()
    assert [h.attributes["class"] for h in tree.css(".hops tbody tr")].count("stop") == 2
    assert len(tree.css(".hops tbody tr")) >= 7
    forms = {f.attributes["action"] for f in tree.css(".hops form")}
    assert forms == {"/act/conflicts/1", "/act/quarantine/2/retry"}
    assert tree.css_first(f"#stage-{uid}") is not None
    assert tree.css_first("time").attributes["title"].endswith("UTC")


def test_what_is_stuck_before_it_became_a_record_is_found_too(filled: tuple[Hub, Browser, str]) -> None:
    _, client, _ = filled
    tree = HTMLParser(client.get("/trace?q=form.field").text)
    assert "Дальше карантина не прошло" in tree.text()
    assert tree.css_first("li.stop form").attributes["action"] == "/act/quarantine/3/retry"
    assert "ничего не известно" in client.get("/trace?q=nosuch").text


def test_a_client_is_shown_with_all_that_is_theirs(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, uid = filled
    tree = HTMLParser(client.get(f"/client/{client_uid(opened, uid)}").text)
    text = " ".join(tree.text().split())
    for word in (
        "Иван Тестов",
        "+79990000001",
        "ivan@mail.ru",
        "1043",
        "Звонок входящий",
        "почему здесь: телефон",
    ):
        assert word in text
    assert tree.css("ol.timeline > li strong")[-1].text() == "Звонок", "newest first"
    assert client.get("/client/nosuch").status_code == 404
    assert client.get("/client/nosuch' OR 1=1").status_code == 404


def test_the_stage_is_asked_for_and_changed(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, uid = filled
    address = f"/act/deal/{uid}/stage"
    assert "Этап ведётся в crm" in client.get("/trace?q=1043").text
    assert client.post(address, data={"stage": "paid"}).status_code == 409, "the CRM's own"
    opened.config = opened.config.model_copy(update={"owners": {"deal.stage": "hub"}})
    assert client.post(address, data={"stage": "nosuch"}).status_code == 422
    answer = client.post(address, data={"stage": "lost"})
    assert answer.status_code == 422
    assert "причина" in answer.text
    answer = client.post(address, data={"stage": "lost", "reason": "дорого", "back": "/trace?q=1043"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/trace?q=1043&done=stage")
    assert {(e.field, e.value, e.who) for e in rows(opened, edit)} == {
        ("stage", "lost", "web"),
        ("lost_reason", "дорого", "web"),
    }
    assert "Этап будет изменён" in client.get("/trace?q=1043&done=stage").text


def test_quarantine_is_retried_one_by_one_and_by_cause(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, _ = filled
    answer = client.post("/act/quarantine/2/retry", data={"back": "/quarantine"})
    assert answer.headers["location"] == "/quarantine?done=retry&n=1"
    with opened.store.begin() as tx:
        tx.execute(quarantine.update().where(quarantine.c.id.in_((1, 3))).values(code="form.field"))
    assert "Повторить все: 2" in client.get("/quarantine").text
    answer = client.post("/act/quarantine/retry", data={"code": "form.field", "back": "/quarantine"})
    assert answer.headers["location"] == "/quarantine?done=retry&n=2"
    assert [r.state for r in rows(opened, quarantine)][:3] == ["retry"] * 3
    assert len([c for c in rows(opened, command) if c.kind == "retry"]) == 3
    assert client.get("/quarantine?done=retry&n=2").text.count("будет повторено") >= 3
    for id in ("999", "x", "99999999999999999999", "9223372036854775808", "-1", "٣"):
        assert client.post(f"/act/quarantine/{id}/retry").status_code == 404


def test_a_conflict_is_decided_only_for_the_values_that_were_seen(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, _ = filled
    tree = HTMLParser(client.get("/conflicts").text)
    form = tree.css_first("form[action='/act/conflicts/1']")
    fields = {i.attributes["name"]: i.attributes["value"] for i in form.css("input")}
    assert client.post("/act/conflicts/1", data={**fields, "seen": '{"crm/deal":"old"}'}).status_code == 409
    assert client.post("/act/conflicts/1", data={**fields, "seen": "junk"}).status_code == 409
    assert client.post("/act/conflicts/1", data={**fields, "side": "nobody"}).status_code == 422
    assert rows(opened, conflict)[0].state == "open"
    answer = client.post("/act/conflicts/1", data=fields)
    assert answer.headers["location"] == "/conflicts?done=conflict"
    works.sync_once(opened)
    decided = rows(opened, conflict)[0]
    assert (decided.state, decided.decision["who"], decided.decision["side"]) == ("decided", "web", "crm/deal")
    assert client.post("/act/conflicts/1", data=fields).status_code == 404, "it has gone"


def test_a_question_about_a_client_is_decided(filled: tuple[Hub, Browser, str]) -> None:
    opened, client, _ = filled
    choices = [i.attributes["value"] for i in HTMLParser(client.get("/reviews").text).css("input[name=choice]")]
    assert choices[-1] == "new"
    assert client.post("/act/reviews/1", data={"choice": "nobody"}).status_code == 422
    assert client.post("/act/reviews/1", data={"choice": "link"}).status_code == 422
    assert client.post("/act/reviews/1", data={"choice": "link", "client": "nobody"}).status_code == 422
    assert client.post("/act/reviews/1", data={"choice": "new"}).status_code == 303
    assert rows(opened, review)[0].state == "decided"
    page = client.get("/reviews").text
    assert "Открытых вопросов о клиентах нет" in page
    assert "Отменить ответ" in page
    assert client.post("/act/reviews/1", data={"choice": "new"}).status_code == 404
    assert client.post("/act/reviews/1", data={"choice": "back"}).headers["location"] == "/?done=review"
    assert (rows(opened, review)[0].state, rows(opened, review)[0].decision) == ("open", None)


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil",
        "",
        "/x\r\nSet-Cookie: a=1",
        "javascript:1",
    ],
)
def test_a_deed_never_leads_to_another_site(back: str) -> None:
    assert local(back) == "/"
    assert local("/trace?q=10 43") == "/trace?q=10 43"


def test_too_large_and_odd_forms_are_refused_in_words(filled: tuple[Hub, Browser, str]) -> None:
    _, client, uid = filled
    assert client.post("/act/reviews/1", content=b"x" * 100_000).status_code == 413
    assert client.post(f"/act/deal/{uid}/stage", content=b"&" * 5000).status_code in (409, 422)
    assert client.get("/act/reviews/1").status_code == 405
    assert client.request("DELETE", "/").status_code == 405


def test_htmx_gets_only_the_part_that_lives(filled: tuple[Hub, Browser, str]) -> None:
    _, client, _ = filled
    for path in SECTIONS:
        part = client.get(path, headers={"hx-request": "true"}).text
        assert "<html" not in part
        address = re.search(r'id="live"[^>]*hx-get="([^"]+)"', part)
        assert address is not None
        assert path.startswith(address[1])
    answer = client.get("/nope", headers={"hx-request": "true"})
    assert answer.headers["hx-reswap"] == "none", "a part that cannot be refreshed stays as it was"


def test_the_language_is_the_hubs_until_another_is_chosen(tmp_path: Path) -> None:
    with hub(tmp_path, {"language": "en"}) as opened, Browser(opened) as client:
        assert "Connections" in client.get("/").text
        answer = client.get("/?lang=ru")
        assert "Подключения" in answer.text
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
        assert "Подключения" in client.get("/").text, "it is remembered"
        assert "set-cookie" not in client.get("/?lang=<script>").headers


def test_every_word_exists_in_both_languages() -> None:
    assert all(en.strip() and ru.strip() for en, ru in CATALOGUE.values())
    used: set[str] = set()
    for file in (show.HERE / "templates").rglob("*.html"):
        used |= set(re.findall(r"""\bt\(["']([a-z_.]+)["'][,)]""", file.read_text(encoding="utf-8")))
    assert len(used) > 60
    assert used <= CATALOGUE.keys()
    assert Words("ru").code("state", "nosuch") == "nosuch"
    assert Words("fr").say({"en": "a", "ru": "б"}) == "a"


def test_money_and_times_are_written_as_people_do() -> None:
    assert show.money(Decimal("1234567.5"), "RUB", "ru") == "1\u00a0234\u00a0567,50\u00a0₽"
    assert show.money("1234.50", "USD", "en") == "1,234.50\u00a0$"
    assert show.money(None) == "—"
    assert show.money(Decimal("1E+3"), None, "en") == "1,000.00"
    assert show.money("<b>", None, "en") == "<b>"
    assert str(show.when(None)) == "—"
    shown = str(show.when(datetime(2026, 3, 1, 7, tzinfo=UTC)))
    assert 'datetime="2026-03-01T07:00:00Z" title="2026-03-01 07:00:00 UTC"' in shown
    assert show.plain({"a": None, "b": [True, "x"]}) == "b: ✓; x"
    assert re.search(r">\d\d:\d\d:\d\d<", str(show.recent(datetime.now(UTC))))
    assert ">01.03.2020" in str(show.recent(datetime(2020, 3, 1, 12, tzinfo=UTC)))


def test_what_is_vendored_carries_its_licence() -> None:
    assert "Zero-Clause BSD" in (show.STATIC / "htmx.LICENSE.txt").read_text(encoding="utf-8")
    for file in (show.HERE / "templates").rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\bstyle=|\bon[a-z]+=|\| *safe|https?://", text), file.name


def test_the_pictures_of_a_product_stand_on_its_page_and_nothing_else_is_served(tmp_path: Path) -> None:
    with hub(tmp_path) as opened, Browser(opened) as client:
        folder, body = opened.config.hub.pictures, b"<script>alert(1)</script>"
        kept = PictureFolder(folder, "ut")
        for name in ("import_files/a.png", "import_files/b.JPG"):
            assert kept.keep(name, [body, name.encode()])
        names = ["import_files/a.png", "../../config.toml", "import_files/none.png", "import_files/b.JPG"]
        data = {"name": HOSTILE, "sku": "P-1", "images": names, "type": "good"}
        take_one(opened.world, opened.plugs["ut"], Record("product", "g1", data), Cause())
        page = HTMLParser(client.get("/trace?q=P-1").text)
        shown = page.css(".pictures img")
        assert [one.attributes["alt"] for one in shown] == [HOSTILE] * 2
        assert page.css_first("img[onerror]") is None
        for one, kind in zip(shown, ("image/png", "image/jpeg"), strict=True):
            answer = client.get(str(one.attributes["src"]))
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind), "whatever it holds"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.content.startswith(body)
        good = str(shown[0].attributes["src"])
        (tmp_path / "secret.png").write_bytes(b"x")
        for bad in ("..%2f..%2fsecret.png", "%2e%2e/secret.png", "a" * 64 + ".png", good[9:].replace(".png", ".svg"),
                    good[9:].upper(), good[9:] + "%00", f"{good[9:11]}/{good[9:]}"):  # fmt: skip
            answer = client.get(f"/picture/{bad}")
            assert answer.status_code == 404, bad
            assert "text/html" in answer.headers["content-type"]
