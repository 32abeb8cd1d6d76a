"""The 1C stand-ins against a correct endpoint, and the catalogue against the same endpoint with one fault each."""

from __future__ import annotations

import base64
import copy
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.onec_site import (
    HTML,
    PLAIN,
    Site,
    document,
    small_base,
    texts,
    unf,
    ut,
)
from tests.peers.http import Answer
from tests.peers.onec import ExchangeAborted, OneCBase, UtClient, main
from tests.peers.onec_wire import EMPTY_ANSWER, NO_PARAMETERS, UNKNOWN_STATUS


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as peer:
        yield peer


@pytest.fixture
def base() -> OneCBase:
    return small_base()


# A correct endpoint ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [ut, unf])
def test_a_whole_session_with_a_correct_site(site: Site, base: OneCBase, client: Callable[..., Any]) -> None:
    site.orders = [document("1043"), document("1044")]
    report = client(site, base).session()
    assert (report.portions, report.loaded, report.sent) == (1, ["1043", "1044"], [])
    assert site.confirmed == 1
    order = base.order("1043")
    assert (order["site_date"], order["lines"][0]["sum"], order["lines"][0]["qty"]) == (
        "2024-03-05T14:05:06",
        "100.5",
        "2",
    )
    assert order["lines"][0]["product"] in base.state["products"], "matched by article"
    assert len(base.state["products"]) == 2, "nothing was created"
    assert len(base.state["counterparties"]) == 1, "the second order found the counterparty by its name"


def test_ut_sends_its_modes_in_order_and_one_cycle_per_portion(site: Site, base: OneCBase) -> None:
    ut(site, base).exchange_catalog(portion_size=1)
    cycle = ["checkauth", "init", "file", "file", "import", "import"]
    assert site.modes() == [f"catalog:{mode}" for mode in cycle * 2]
    assert list(site.files()) == ["import0_1.xml", "offers0_1.xml", "import0_2.xml", "offers0_2.xml"]
    first, second = site.files()["import0_1.xml"], site.files()["import0_2.xml"]
    assert first.find("{*}Классификатор") is not None
    assert second.find("{*}Классификатор") is None
    assert [one.find("{*}Каталог").get("СодержитТолькоИзменения") for one in (first, second)] == ["false", "true"]


def test_ut_writes_as_its_module_does(site: Site, base: OneCBase) -> None:
    ut(site, base).exchange_catalog()
    assert site.areas[0]["import0_1.xml"].startswith(b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>')
    goods, offers = site.files()["import0_1.xml"], site.files()["offers0_1.xml"]
    assert goods.tag == "{urn:1C.ru:commerceml_2}КоммерческаяИнформация"
    assert goods.get("ВерсияСхемы") == "2.07"
    assert texts(goods, "Товар/Наименование") == ["Стол", "Рубашка (42)", "Рубашка (44)"]
    assert texts(goods, "Товар/Штрихкод") == ["4600000000017"], "a barcode of 3 characters is not written"
    assert all(one.count("#") == 1 for one in texts(goods, "Товар/Ид")[1:])
    assert texts(offers, "Предложение/Количество") == ["7.5"]
    assert texts(offers, "Предложение/Цены/Цена/ЦенаЗаЕдиницу") == ["50.25", "1000"]


def test_changes_go_as_another_root_child_with_the_characteristic_apart(site: Site, base: OneCBase) -> None:
    client = ut(site, base)
    client.exchange_catalog()
    site.areas.clear()
    shirt = next(guid for guid, one in base.state["products"].items() if one["sku"] == "R-1")
    base.set_price(base.characteristic(shirt, "44"), "1100", "Оптовая")
    assert client.exchange_catalog(full=False) == 1
    changes = site.files()["offers0_1.xml"]
    assert list(site.files()) == ["offers0_1.xml"], "no product changed"
    assert changes.find("{*}ИзмененияПакетаПредложений") is not None
    assert texts(changes, "Предложение/Ид") == [shirt, shirt]
    assert len(texts(changes, "Предложение/ИдХарактеристики")) == 2
    assert texts(changes, "ЦенаЗаЕдиницу") == ["1100"]
    assert client.exchange_catalog(full=False) == 0, "nothing is left to send"


def test_a_deleted_product_is_sent_with_its_mark(site: Site, base: OneCBase) -> None:
    client = ut(site, base)
    client.exchange_catalog()
    base.delete_product(next(iter(base.state["products"])))
    site.areas.clear()
    client.exchange_catalog(full=False)
    (row,) = site.files()["import0_1.xml"].iter("{*}Товар")
    assert row.get("Статус") == "Удален"


def test_a_file_over_the_limit_is_cut_under_the_same_name(site: Site, base: OneCBase) -> None:
    site.limit = 500
    ut(site, base).exchange_catalog()
    names = [call.query["filename"] for call in site.requests if call.query["mode"] == "file"]
    assert names.count("import0_1.xml") > 3
    assert max(len(call.body) for call in site.requests) == 500
    assert len(texts(site.files()["import0_1.xml"], "Товар/Ид")) == 3, "the pieces make the whole file again"


def test_images_and_zip(site: Site, base: OneCBase) -> None:
    site.zip = "yes"
    path = "import_files/aa/picture.jpg"
    base.add_product("Лампа", images={path: base64.b64encode(b"jpeg").decode()})
    ut(site, base).exchange_catalog()
    ((name, body),) = site.areas[0].items()
    assert re.fullmatch(r"v8_[0-9A-F]{4}_\d\d\.zip", name)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["import0_1.xml", path, "offers0_1.xml"]
    asked = [call.query["filename"] for call in site.requests if call.query["mode"] == "import"]
    assert asked == ["import0_1.xml", "offers0_1.xml"]


def test_without_waiting_for_imports_none_is_asked(site: Site, base: OneCBase) -> None:
    ut(site, base, no_import_wait=True).exchange_catalog()
    assert "catalog:import" not in site.modes()


def test_ut_asks_again_at_once_and_unf_pauses_before_every_import(site: Site, base: OneCBase) -> None:
    pauses: list[float] = []
    site.planted["import"] = ["progress\n10 of 20", "PROGRESS ", "success", "success"]
    ut(site, base, sleep=pauses.append).exchange_catalog()
    assert (site.modes().count("catalog:import"), pauses) == (4, [])
    site.planted["import"] = ["progress", "success", "success"]
    unf(site, base, sleep=pauses.append).exchange_catalog()
    assert pauses == [5, 5, 5]


def test_the_cookie_comes_from_the_body_and_set_cookie_is_ignored(site: Site, base: OneCBase) -> None:
    site.planted["checkauth"] = Answer(
        "Success \r\nsid\r\nabc\r\nsessid=77", headers={**PLAIN, "Set-Cookie": "other=1"}
    )
    ut(site, base).exchange_catalog()
    ut(site, base, use_sessid=True).exchange_catalog()
    inits = [call for call in site.requests if call.query["mode"] == "init"]
    assert [call.headers["cookie"] for call in inits] == ["sid=abc", "sid=abc"]
    assert [call.raw_query for call in inits] == ["type=catalog&mode=init", "type=catalog&mode=init&sessid=77"]


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        (" http://shop.test ", "shop.test", 80, "/bitrix/admin/1c_exchange.php"),
        ("https:\\\\shop.test\\exchange\\ut", "shop.test", 443, "/exchange/ut"),
        ("http://shop.test:8080/", "shop.test", 8080, "/bitrix/admin/1c_exchange.php"),
    ],
)
def test_the_address_as_the_user_types_it(base: OneCBase, url: str, host: str, port: int, path: str) -> None:
    client = UtClient(base, url, "a", "b")
    assert (client.host, client.port, client.path) == (host, port, path)


def test_basic_by_challenge_or_on_checkauth_only(site: Site, base: OneCBase) -> None:
    ut(site, base, basic="checkauth").exchange_catalog()
    assert [("authorization" in call.headers) for call in site.requests[:3]] == [True, False, False]
    site.planted["checkauth"] = [Answer("", 401, {"WWW-Authenticate": 'Basic realm="x"'})]
    site.requests.clear()
    ut(site, base, basic="challenge").exchange_catalog()
    assert [("authorization" in call.headers) for call in site.requests[:2]] == [False, True]


def test_a_status_other_than_200_is_only_logged(site: Site, base: OneCBase) -> None:
    site.planted["file"] = Answer("success\nwritten twice", 500, PLAIN)
    site.planted["import"] = "success"
    client = ut(site, base)
    client.exchange_catalog()
    assert "Код состояния HTTP 500" in client.log
    assert "Расширенный статус: written twice" in client.log


def test_no_password_in_the_log(site: Site, base: OneCBase) -> None:
    client = ut(site, base)
    client.session()
    assert "слово" not in "\n".join(client.log)
    assert "Basic" not in "\n".join(client.log)


# Planted faults ----------------------------------------------------------------------------------------------------

CATALOG_FAULTS: dict[str, tuple[str, Any, str]] = {
    "init with Bitrix's four lines": ("init", "zip=no\nfile_limit=1000\nsessid=1\nversion=2.09", NO_PARAMETERS),
    "init with a trailing line feed": ("init", "zip=no\nfile_limit=1000\n", NO_PARAMETERS),
    "init of one line": ("init", "zip=no", NO_PARAMETERS),
    "init without numbers": ("init", "zip=no\nfile_limit=much", NO_PARAMETERS),
    "init is a page": ("init", HTML, NO_PARAMETERS),
    "init empty": ("init", "", EMPTY_ANSWER),
    "checkauth empty": ("checkauth", "", EMPTY_ANSWER),
    "checkauth without a cookie": ("checkauth", "success", "cookie"),
    "checkauth with half a cookie": ("checkauth", "success\nsid", "cookie"),
    "checkauth refused": ("checkauth", "failure\nНеверный пароль", "Неверный пароль"),
    "checkauth is a page": ("checkauth", HTML, "авторизацию"),
    "text before success": ("checkauth", "Notice: x\nsuccess\nsid\nabc", "авторизацию"),
    "a word before success": ("file", "OK success", "выгрузить файл"),
    "a byte order mark before success": ("file", b"\xef\xbb\xbfsuccess", "выгрузить файл"),
    "file empty": ("file", "", EMPTY_ANSWER),
    "file refused": ("file", "failure\nНет места", "Нет места"),
    "file is a page": ("file", HTML, "выгрузить файл"),
    "import unknown": ("import", "The file v8_1.zip has been successfully uploaded", UNKNOWN_STATUS),
    "import is a page": ("import", HTML, UNKNOWN_STATUS),
    "import empty": ("import", "", EMPTY_ANSWER),
    "import refused": ("import", "failure\nОшибка в строке 7", "Ошибка в строке 7"),
    "progress for success": ("import", ["progress", "done"], UNKNOWN_STATUS),
}


@pytest.mark.parametrize("fault", CATALOG_FAULTS)
def test_ut_stops_the_catalogue_and_keeps_it_for_resending(site: Site, base: OneCBase, fault: str) -> None:
    mode, planted, reason = CATALOG_FAULTS[fault]
    site.planted[mode] = copy.copy(planted)  # a list is used up
    client = ut(site, base)
    with pytest.raises(ExchangeAborted, match=re.escape(reason)):
        client.session()
    assert not [one for one in site.modes() if one.startswith("sale")], "the exchange stops there"
    assert list(base.state["registered"]["products"].values()) == [1, 1], "one try of each is used"
    site.planted.clear()
    site.areas.clear()
    client.exchange_catalog(full=False)
    assert len(texts(site.files()["import0_1.xml"], "Товар/Ид")) == 3
    assert base.state["registered"]["products"] == {}


def test_products_refused_too_often_are_forgotten(site: Site, base: OneCBase) -> None:
    site.planted["import"] = "failure\nнет"
    client = ut(site, base, repeats=2)
    for _ in range(2):
        with pytest.raises(ExchangeAborted):
            client.exchange_catalog(full=False)
    assert base.state["registered"]["products"] == {}


def test_in_ut_one_success_hides_a_later_failure(site: Site, base: OneCBase) -> None:
    site.planted["import"] = ["success", "failure\nцены не приняты"]
    client = ut(site, base)
    client.exchange_catalog()
    assert "offers0_1.xml: Сервер не принял файл offers0_1.xml: цены не приняты" in client.log
    assert base.state["registered"]["offers"] == {}, "1C believes that the prices are there"
    site.planted["import"] = ["success", "failure\nцены не приняты"]
    with pytest.raises(ExchangeAborted, match="цены не приняты"):
        unf(site, base).exchange_catalog()


@pytest.mark.parametrize("kind", ["drop", "refuse"])
def test_a_cut_connection_stops_the_exchange(site: Site, base: OneCBase, kind: str) -> None:
    site.fault(kind, match="mode=import")
    with pytest.raises(ExchangeAborted, match="соединения"):
        ut(site, base).exchange_catalog()


def test_each_client_waits_its_own_time_and_no_longer(site: Site, base: OneCBase) -> None:
    assert (ut(site, base).timeout, unf(site, base).timeout) == (180, 1800)
    site.fault("delay", match="mode=import", seconds=0.5)
    with pytest.raises(ExchangeAborted, match="соединения"):
        ut(site, base, timeout=0.1).exchange_catalog()


def test_a_site_that_is_not_there(base: OneCBase) -> None:
    with Site() as gone:
        client = ut(gone, base)
    with pytest.raises(ExchangeAborted, match="соединения"):
        client.exchange_orders()


def test_a_snapshot_puts_everything_back(site: Site, base: OneCBase) -> None:
    kept = json.loads(json.dumps(base.snapshot()))
    site.orders = [document("1")]
    ut(site, base).session()
    assert base.state != kept
    base.restore(kept)
    assert base.state == kept


def test_the_command_line_keeps_its_base_in_a_file(site: Site, base: OneCBase, tmp_path: Any, capsys: Any) -> None:
    state = tmp_path / "ut.json"
    state.write_text(json.dumps(base.state, ensure_ascii=False), "utf-8")
    common = ["--url", site.url, "--login", "Имя", "--password", "слово", "--state", str(state)]
    site.orders = [document("1043")]
    assert main([*common, "session"]) == 0
    assert "загружено заказов: 1" in capsys.readouterr().out
    assert json.loads(state.read_text("utf-8"))["orders"][0]["site_number"] == "1043"
    site.orders = [document("1044"), document("1045", Валюта="")]
    assert main([*common, "--configuration", "unf", "orders"]) == 1
    assert "не указана валюта" in capsys.readouterr().err
    assert len(json.loads(state.read_text("utf-8"))["orders"]) == 2, "what was committed before the abort is kept"
