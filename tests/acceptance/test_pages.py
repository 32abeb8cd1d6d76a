"""The pages in a real browser, over a real server: search, hops, deeds, no console error, nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync.hub import Hub
from sync.store.tables import quarantine
from tests.need import need
from tests.unit.web_kit import fill, hub, served

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is absent")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-first-run"]
LONG = "Иван " + "Оченьдлиннаяфамилиябезпробелов" * 6


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    path = need("chromium")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page that collects what the console and the network complain of."""

    def __init__(self, browser: playwright.Browser, width: int = 1200, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.wrong: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("request", lambda r: None if "127.0.0.1" in r.url else self.outside.append(r.url))

    def fits(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Hub, str]]:
    with hub(tmp_path) as opened:
        fill(opened)
        with served(opened) as url:
            yield opened, url


def test_an_order_is_found_and_its_quarantine_retried(chromium: playwright.Browser, site: tuple[Hub, str]) -> None:
    opened, url = site
    seen = Watched(chromium)
    page = seen.page
    page.goto(url)
    page.get_by_role("searchbox").fill("1043")
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?q=1043")
    assert page.locator(".hops tbody tr").count() >= 8
    assert page.get_by_role("heading", name="1043").count() == 2
    page.locator(".hops").get_by_role("button", name="Повторить").click()
    page.wait_for_url("**done=retry**")
    assert "Будет повторено: 1" in page.get_by_role("status").inner_text()
    with opened.store.read() as tx:
        assert "retry" in list(tx.execute(sa.select(quarantine.c.state)).scalars())
    assert (seen.wrong, seen.outside) == ([], [])
    page.close()


def test_a_page_refreshes_itself_and_keeps_what_a_person_types(
    chromium: playwright.Browser, site: tuple[Hub, str]
) -> None:
    opened, url = site
    opened.config = opened.config.model_copy(update={"owners": {"deal.stage": "hub"}})
    seen = Watched(chromium)
    page = seen.page
    page.goto(f"{url}/trace?q=1043")
    page.get_by_text("Сменить этап").click()
    page.get_by_label("Причина").fill("дорого")
    with opened.store.begin() as tx:
        tx.execute(
            quarantine.update().where(quarantine.c.stage == "delivery").values(text={"ru": "НОВОЕ", "en": "NEW"})
        )
    page.get_by_text("НОВОЕ").first.wait_for(timeout=15_000)
    assert page.get_by_label("Причина").input_value() == "дорого"
    page.get_by_label("Новый этап").select_option("paid")
    page.get_by_role("button", name="Сменить", exact=True).click()
    page.wait_for_url("**done=stage**")
    assert (seen.wrong, seen.outside) == ([], [])
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1200, "light")])
def test_nothing_is_wider_than_the_screen(
    chromium: playwright.Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    with hub(tmp_path) as opened:
        uid = fill(opened, LONG)
        with served(opened) as url:
            seen = Watched(chromium, width, scheme)
            for path in ("/", "/trace?q=1043", "/quarantine", "/conflicts", "/reviews", "/runs", f"/trace?q={uid}"):
                seen.page.goto(url + path)
                assert seen.fits(), path
            seen.page.goto(f"{url}/trace?q=1043")
            seen.page.locator(".facts a").first.click()
            seen.page.wait_for_url("**/client/**")
            assert seen.fits()
            assert (seen.wrong, seen.outside) == ([], [])
            seen.page.close()


def test_hostile_text_runs_nothing_in_a_browser(chromium: playwright.Browser, tmp_path: Path) -> None:
    with hub(tmp_path) as opened:
        fill(opened, "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">")
        with served(opened) as url:
            seen = Watched(chromium)
            for path in ("/", "/trace?q=1043", "/quarantine", "/conflicts", "/reviews", "/runs"):
                seen.page.goto(url + path)
                assert "owned" not in seen.page.title()
            assert (seen.wrong, seen.outside) == ([], []), "not even the policy had anything to stop"
            seen.page.close()
