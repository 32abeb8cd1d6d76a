"""The endpoint of 1C's exchange with a site: every mode, every interruption, every wrong request."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.base import BadConfig, ImportState, Offered, Record, Request, Text
from adapters.onec import OneCSiteExchange
from adapters.onec.exchange import IMPORT_WAIT
from adapters.onec.sessions import INDEX
from tests.adapters.onec_context import FIXTURES, Client, MemoryHub, adapter_context, basic, exchange
from tests.adapters.test_onec_orders import order

IMPORT = (FIXTURES / "import0_1.xml").read_bytes()
OFFERS = (FIXTURES / "offers0_1.xml").read_bytes()


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
def adapter(hub: MemoryHub) -> OneCSiteExchange:
    return exchange(hub)


@pytest.fixture
def client(hub: MemoryHub, adapter: OneCSiteExchange) -> Client:
    return Client(hub, adapter)


# Login and session -------------------------------------------------------------------------------------------------


def test_checkauth_gives_three_lines(client: Client) -> None:
    lines = client.text("checkauth", headers={"authorization": basic()}).split("\n")
    assert len(lines) == 3
    assert lines[0] == "success"
    assert all(lines)


def test_unf_gets_a_fourth_line_to_append_to_its_requests(hub: MemoryHub) -> None:
    client = Client(hub, exchange(hub, protocol="unf"))
    *_, sid, fourth = client.text("checkauth", headers={"authorization": basic()}).split("\n")
    assert fourth == f"sessid={sid}"
    assert client.text("init", headers={}, sessid=sid).startswith("zip=no")


def test_init_is_exactly_two_lines_without_a_line_break_at_the_end(client: Client) -> None:
    assert client.login().ask("init").body == b"zip=no\nfile_limit=2000000"


def test_a_wrong_password_is_refused_in_words_and_with_status_200(client: Client) -> None:
    reply = client.ask("checkauth", headers={"authorization": basic(password="другое")})
    status, _, reason = reply.body.decode().partition("\n")
    assert (reply.status, status) == (200, "failure")
    assert "пароль" in reason
    assert "другое" not in reason


@pytest.mark.parametrize("header", ["Basic !!!", "Basic " + "QQ==", "Bearer x", "Basic", basic("", "")])
def test_a_broken_authorization_header_is_refused(client: Client, header: str) -> None:
    assert client.text("checkauth", headers={"authorization": header}).startswith("failure\n")


def test_russian_letters_of_the_login_in_windows_1251(client: Client) -> None:
    assert client.text("checkauth", headers={"authorization": basic(encoding="cp1251")}).startswith("success\n")


def test_guessing_is_slowed_down_and_ends_by_itself(hub: MemoryHub, client: Client) -> None:
    wrong = {"authorization": basic(password="x")}
    for _ in range(5):
        assert "неверное" in client.text("checkauth", headers=wrong)
    assert "повторите через 31 с" in client.text("checkauth", headers={"authorization": basic()})
    assert Client(hub, client_adapter(client), remote="10.0.0.8").login().cookie, "another address is not held up"
    hub.later(31)
    assert client.login().cookie


def client_adapter(client: Client) -> Any:
    class Same:
        def server(self) -> Any:
            return client.server

    return Same()


def test_a_right_password_forgives_the_wrong_ones_before_it(client: Client) -> None:
    wrong = {"authorization": basic(password="нет")}
    for _ in range(3):
        for _ in range(4):
            assert "неверное имя" in client.text("checkauth", headers=wrong)
        client.login()


def test_nobody_is_let_in_while_no_login_is_set(hub: MemoryHub) -> None:
    client = Client(hub, exchange(hub, login="", password=""))
    assert client.text("checkauth", headers={"authorization": basic("", "")}).startswith("failure\n")


def test_every_request_needs_a_session_or_basic(client: Client) -> None:
    for mode in ("init", "file", "import", "query", "success", "info"):
        assert client.text(mode, "sale", headers={}, body=b"x").startswith("failure\n")
        assert client.text(mode, "sale", headers={"cookie": "sverka_1c=index"}, body=b"x").startswith("failure\n")


def test_a_cookie_alone_is_enough_and_so_is_basic_alone(hub: MemoryHub, client: Client) -> None:
    client.login()
    assert client.text("init", headers={"cookie": f"a=b; {client.cookie}"}).startswith("zip=no")
    headers = {"authorization": basic()}
    assert client.text("file", headers=headers, filename="import0_1.xml", body=IMPORT) == "success"
    assert client.text("import", headers=headers, filename="import0_1.xml") == "success"
    assert hub.received() == ["import0_1.xml"]


def test_a_right_cookie_with_a_wrong_password_is_refused(client: Client) -> None:
    client.login()
    headers = {"cookie": client.cookie, "authorization": basic(password="x")}
    assert client.text("init", headers=headers).startswith("failure\n")


def test_a_session_ends_after_half_a_day(hub: MemoryHub, client: Client) -> None:
    client.login()
    hub.later(12 * 3600 + 1)
    assert client.text("init", headers={"cookie": client.cookie}).startswith("failure\n")


@pytest.mark.parametrize(
    "query", [("catalog", "deactivate"), ("", ""), ("catalog", "query"), ("crm", "x"), ("sale", "q" * 999)]
)
def test_an_unknown_mode_is_refused_in_words(client: Client, query: tuple[str, str]) -> None:
    assert client.login().text(query[1], query[0]).startswith("failure\nнеизвестный запрос")


def test_both_addresses_answer_and_no_other(client: Client) -> None:
    client.login()
    assert client.ask("init", path="/bitrix/admin/1c_exchange.php").status == 200
    assert client.ask("init", path="/exchange/onec/").status == 200
    assert client.ask("init", path="/elsewhere").status == 404
    assert "/bitrix/admin/1c_exchange.php" in client.server.paths
    assert client.server.login() == "обмен"


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [37, 1000, 10**9])
def test_portions_of_any_size_make_the_same_file(hub: MemoryHub, limit: int) -> None:
    adapter = exchange(hub, file_limit=limit)
    client = Client(hub, adapter).begin()
    client.upload("import0_1.xml", IMPORT, limit)
    client.upload("offers0_1.xml", OFFERS, limit)
    assert client.run_import("import0_1.xml") == "success"
    assert client.run_import("offers0_1.xml") == "success"
    assert [hub.spool[t] for t in hub.tickets.values()] == [IMPORT, OFFERS]
    found = [item for arrival in hub.arrivals() for item in adapter.unpack(arrival)]
    kinds = [item.kind for item in found if isinstance(item, Record)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "group": 2,
        "product": 3,
        "price_type": 2,
        "warehouse": 2,
        "offer": 2,
    }


def test_the_same_import_twice_is_one_arrival(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT)
    assert [client.run_import("import0_1.xml") for _ in range(3)] == ["success"] * 3
    assert hub.received() == ["import0_1.xml"]


def test_a_new_init_starts_the_file_afresh(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT[:500])
    client.begin().upload("import0_1.xml", IMPORT)
    assert client.run_import("import0_1.xml") == "success"
    client.text("init")
    client.upload("import0_1.xml", IMPORT[:500])
    client.text("init")
    client.upload("import0_1.xml", IMPORT)
    assert client.run_import("import0_1.xml") == "success"
    assert [hub.spool[t] for t in hub.tickets.values()] == [IMPORT, IMPORT]


def test_a_file_sent_again_after_its_import_is_a_new_arrival(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("offers0_1.xml", OFFERS)
    client.run_import("offers0_1.xml")
    changed = OFFERS.replace(b"1000.50", b"1100.50")
    client.upload("offers0_1.xml", changed)
    client.run_import("offers0_1.xml")
    assert [hub.spool[t] for t in hub.tickets.values()] == [OFFERS, changed]


def test_the_last_portion_repeated_after_a_lost_answer_is_not_appended_twice(hub: MemoryHub) -> None:
    client = Client(hub, exchange(hub, file_limit=1000)).begin()
    client.upload("import0_1.xml", IMPORT, 1000)
    client.upload("import0_1.xml", IMPORT[len(IMPORT) // 1000 * 1000 :], 1000)
    assert client.run_import("import0_1.xml") == "success"
    assert list(hub.spool.values()) == [IMPORT]


def test_equal_full_portions_are_all_kept(hub: MemoryHub) -> None:
    body = IMPORT.replace("Стол из сосны".encode(), b"x" * 5000)
    client = Client(hub, exchange(hub, file_limit=1000)).begin()
    client.upload("import0_1.xml", body, 1000)
    assert client.run_import("import0_1.xml") == "success"
    assert list(hub.spool.values()) == [body]


def test_a_portion_cut_on_its_way_leaves_no_trace(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT[:1000])
    headers = {"cookie": client.cookie, "content-length": "700"}
    assert client.text("file", headers=headers, filename="import0_1.xml", body=b"x" * 300).startswith("failure\n")
    client.upload("import0_1.xml", IMPORT[1000:])
    assert client.run_import("import0_1.xml") == "success"
    assert list(hub.spool.values()) == [IMPORT]


def test_a_connection_that_breaks_in_a_portion_leaves_no_trace(hub: MemoryHub, client: Client) -> None:
    def cut() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    client.begin().upload("import0_1.xml", IMPORT[:1000])
    query = {"type": "catalog", "mode": "file", "filename": "import0_1.xml"}
    with pytest.raises(ConnectionResetError):
        client.server.handle(Request("POST", "/exchange/onec", query, {"cookie": client.cookie}, "r", cut()), hub)
    client.upload("import0_1.xml", IMPORT[1000:])
    assert client.run_import("import0_1.xml") == "success"


def test_an_incomplete_file_is_not_imported(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT[:2000])
    answer = client.run_import("import0_1.xml")
    assert answer.startswith("failure\n")
    assert "2000" in answer
    assert hub.received() == []


def test_a_portion_written_before_the_hub_was_killed_spoils_the_file_loudly(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT[:1000])
    area = next(iter(hub.spool))[0]
    hub.append(area, "import0_1.xml", [IMPORT[1000:2000]])  # written, but the session was never saved
    client.upload("import0_1.xml", IMPORT[1000:2000])
    client.upload("import0_1.xml", IMPORT[2000:])
    assert client.run_import("import0_1.xml").startswith("failure\n")
    client.begin().upload("import0_1.xml", IMPORT)
    assert client.run_import("import0_1.xml") == "success"


@pytest.mark.parametrize(
    "name",
    ["../secret.xml", "a/../../b.xml", "/etc/passwd", "C:\\1.xml", "..\\x.xml", "", "a//b.xml", "a\nb.xml", "я" * 300],
)
def test_names_that_lead_elsewhere_are_refused(hub: MemoryHub, client: Client, name: str) -> None:
    assert client.begin().text("file", filename=name, body=b"x").startswith("failure\n")
    assert hub.spool == {}


def test_a_file_over_the_limit_is_refused_in_words(hub: MemoryHub) -> None:
    client = Client(hub, exchange(hub, max_file=5000)).begin()
    client.upload("offers0_1.xml", OFFERS)
    assert client.text("file", filename="import0_1.xml", body=IMPORT[:4000]) == "success"
    assert "max_file" in client.text("file", filename="import0_1.xml", body=IMPORT[4000:] + b"x" * 1000)
    assert client.run_import("offers0_1.xml") == "success", "its neighbour is unharmed"


def test_an_empty_portion_or_a_get_is_refused(client: Client) -> None:
    client.begin()
    assert client.text("file", filename="a.xml", body=b"").startswith("failure\n")
    assert client.text("file", filename="a.xml").startswith("failure\n")


def test_a_full_disk_is_said_to_1c(hub: MemoryHub, client: Client) -> None:
    def full(*_: Any, **__: Any) -> int:
        raise BadConfig(Text("disk full", "на диске нет места"), code="spool.full")

    hub.append = full  # type: ignore[method-assign]
    assert client.begin().text("file", filename="import0_1.xml", body=IMPORT) == "failure\nна диске нет места"


def test_pictures_are_kept_and_never_imported(hub: MemoryHub, client: Client) -> None:
    client.begin()
    client.upload("import_files/11/a.jpg", b"\xff\xd8" + bytes(2500), 1000)
    client.upload("import_files/11/b.jpg", b"\xff\xd8" + bytes(10), 1000)
    client.upload("import0_1.xml", IMPORT)
    hub.later(1000)
    client.server.settle(hub)
    assert hub.received() == ["import0_1.xml"]
    assert sorted((name, len(body)) for (_, name), body in hub.spool.items()) == [
        ("import0_1.xml", len(IMPORT)),
        ("import_files/11/a.jpg", 2502),
        ("import_files/11/b.jpg", 12),
    ]


# Import --------------------------------------------------------------------------------------------------------------


def test_import_waits_before_it_says_progress(hub: MemoryHub, client: Client) -> None:
    hub.states["import0_1.xml"] = [ImportState("waiting"), ImportState("working", 250), ImportState("done", 400)]
    client.begin().upload("import0_1.xml", IMPORT)
    assert [client.run_import("import0_1.xml") for _ in range(3)] == ["progress\n0", "progress\n250", "success"]
    assert hub.waits == [IMPORT_WAIT] * 3
    assert 10 <= IMPORT_WAIT <= 20


def test_a_refused_file_is_a_failure_with_its_reason(hub: MemoryHub, client: Client) -> None:
    hub.states["import0_1.xml"] = [ImportState("failed", text=Text("it is\nbroken", "файл\nиспорчен"))]
    client.begin().upload("import0_1.xml", IMPORT)
    assert client.run_import("import0_1.xml") == "failure\nфайл испорчен"


def test_what_was_not_taken_of_a_file_is_said_with_the_next_one(hub: MemoryHub, client: Client) -> None:
    """The answer to `import` takes no words beside `success`; more lines after a file's go into 1C's log."""
    said = Text("records not taken: 1", "не принято\nзаписей: 1")
    hub.states["import0_1.xml"] = [ImportState("done", 3, said), ImportState("done", 3, said)]
    client.begin().upload("import0_1.xml", IMPORT)
    assert [client.run_import("import0_1.xml") for _ in range(2)] == ["success", "success"]
    client.begin("sale")
    answers = [client.text("file", "sale", filename=f"orders-{n}.xml", body=b"<x/>") for n in (1, 2)]
    assert answers == ["success\nimport0_1.xml: не принято записей: 1", "success"], "once"


def test_import_of_what_was_never_sent(client: Client) -> None:
    assert client.begin().run_import("import0_1.xml").startswith("failure\n")
    assert client.run_import("../x").startswith("failure\n")


def zipped(**files: bytes) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name.replace("__", "."), body)
    return box.getvalue()


def test_a_zip_serves_the_names_inside_it(hub: MemoryHub, adapter: OneCSiteExchange, client: Client) -> None:
    client.begin().upload("v8_1A2B_01.zip", zipped(offers0_1__xml=OFFERS, import0_1__xml=IMPORT), 700)
    assert client.run_import("import0_1.xml") == "success"
    assert client.run_import("offers0_1.xml") == "success"
    assert client.run_import("other.xml").startswith("failure\n")
    assert hub.received() == ["v8_1A2B_01.zip"], "one arrival, whatever is asked"
    kinds = [i.kind for i in adapter.unpack(hub.arrivals()[0]) if isinstance(i, Record)]
    assert kinds.index("product") < kinds.index("offer")


def test_a_broken_zip_is_a_failure(client: Client) -> None:
    client.begin().upload("v8.zip", zipped(import0_1__xml=IMPORT)[:-30])
    assert client.run_import("import0_1.xml").startswith("failure\n")


# Silence -------------------------------------------------------------------------------------------------------------


def test_files_nobody_asks_to_import_are_imported_after_silence(hub: MemoryHub, client: Client) -> None:
    client.begin()
    client.upload("offers0_1.xml", OFFERS)
    client.upload("import0_1.xml", IMPORT)
    hub.later(119)
    client.server.settle(hub)
    assert hub.received() == []
    hub.later(2)
    client.server.settle(hub)
    assert hub.received() == ["import0_1.xml", "offers0_1.xml"], "the catalogue first"
    client.server.settle(hub)
    assert len(hub.tickets) == 2


def test_the_silence_is_noticed_by_a_restarted_hub(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", IMPORT)
    hub.later(200)
    exchange(hub).server().settle(hub)
    assert hub.received() == ["import0_1.xml"]


def test_a_half_file_is_never_imported_by_silence(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("offers0_1.xml", OFFERS)
    client.upload("import0_1.xml", IMPORT[:3000])
    hub.later(200)
    client.server.settle(hub)
    assert hub.received() == ["offers0_1.xml"]
    assert hub.sessions[INDEX]["pending"] == [], "it is given up, and not looked at for ever"
    client.upload("import0_1.xml", IMPORT[3000:])  # 1C was only slow
    hub.later(200)
    client.server.settle(hub)
    assert hub.received() == ["offers0_1.xml", "import0_1.xml"]


def test_older_files_go_before_those_of_a_new_session(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("offers0_1.xml", OFFERS)
    newer = OFFERS.replace(b"1000.50", b"2000")
    client.begin().upload("offers0_1.xml", newer)
    client.run_import("offers0_1.xml")
    hub.later(500)
    client.server.settle(hub)
    assert [hub.spool[t] for t in hub.tickets.values()] == [OFFERS, newer]


# Orders --------------------------------------------------------------------------------------------------------------


def offers(*numbers: str, **changes: Any) -> list[Offered]:
    return [Offered(f"key-{n}", n, order(number=n, **changes)) for n in numbers]


def numbers(answer: bytes) -> list[str]:
    from lxml import etree

    assert answer.startswith(b"<?xml")
    return [e.text or "" for e in etree.fromstring(answer).findall("Документ/Номер")]


def test_orders_are_offered_until_1c_confirms(hub: MemoryHub) -> None:
    hub.queue = offers("1", "2", "3")
    client = Client(hub, exchange(hub, batch=2)).login("sale")
    assert numbers(client.ask("query", "sale").body) == ["1", "2"]
    client.login("sale")  # 1C failed, or the answer was lost
    assert numbers(client.ask("query", "sale").body) == ["1", "2"], "the same batch"
    assert client.text("success", "sale") == "success"
    assert client.text("success", "sale") == "success"
    assert hub.confirmed == ["batch-1"]
    assert numbers(client.ask("query", "sale").body) == ["3"]


def test_success_confirms_only_what_this_session_was_given(hub: MemoryHub, client: Client) -> None:
    hub.queue = offers("1")
    client.login("sale").ask("query", "sale")
    client.login("sale")
    assert client.text("success", "sale") == "success"
    assert hub.confirmed == []


def test_no_orders_is_an_empty_document(client: Client) -> None:
    reply = client.login("sale").ask("query", "sale")
    assert numbers(reply.body) == []
    assert "КоммерческаяИнформация" in reply.body.decode()
    assert client.text("success", "sale") == "success"


def test_a_poison_order_is_refused_and_its_neighbours_go(hub: MemoryHub, client: Client) -> None:
    hub.queue = [
        *offers("1"),
        *offers("2", currency=""),
        Offered(
            "key-3", "3", {"items": [None], "client": {"name": "x"}, "currency": "RUB", "date": "2024-05-06T00:00:00Z"}
        ),
        *offers("4"),
    ]
    assert numbers(client.login("sale").ask("query", "sale").body) == ["1", "4"]
    assert {key: error.code for key, error in hub.refused.items()} == {
        "key-2": "onec.order_currency",
        "key-3": "onec.order_shape",
    }
    client.text("success", "sale")
    assert hub.confirmed == ["batch-1"]


def test_a_batch_of_nothing_but_poison_does_not_hold_up_the_rest(hub: MemoryHub) -> None:
    hub.queue = [*offers("1", "2", client={}), *offers("3")]
    client = Client(hub, exchange(hub, batch=2)).login("sale")
    assert numbers(client.ask("query", "sale").body) == ["3"]
    assert sorted(hub.refused) == ["key-1", "key-2"]


def test_versions_that_unf_asks_for(hub: MemoryHub) -> None:
    client = Client(hub, exchange(hub, protocol="unf")).login("sale")
    assert b'"2.10"' in client.ask("query", "sale", version="2.09", cmlVersion="2.10").body
    assert b'"2.08"' in client.ask("query", "sale", cmlVersion="<x>").body


def test_orders_come_back_the_same_way(hub: MemoryHub, adapter: OneCSiteExchange, client: Client) -> None:
    body = (FIXTURES / "orders_ut.xml").read_bytes()
    client.begin("sale").upload("orders-5f0c_1.xml", body, type="sale")
    assert client.run_import("orders-5f0c_1.xml", "sale") == "success"
    found = [i for i in adapter.unpack(hub.arrivals()[0]) if isinstance(i, Record)]
    assert [record.kind for record in found] == ["order"] * 6


def test_info_for_unf_is_a_document(hub: MemoryHub) -> None:
    body = Client(hub, exchange(hub, protocol="unf")).login("sale").ask("info", "sale").body
    assert body.startswith(b"<?xml")
    assert "Справочник" in body.decode()


# Settings and check --------------------------------------------------------------------------------------------------


def test_check_says_the_address_to_type_into_1c(hub: MemoryHub) -> None:
    findings = list(exchange(hub).check())
    assert all(finding.ok for finding in findings)
    assert "/exchange/onec" in findings[-1].text.ru
    assert "/bitrix/admin/1c_exchange.php" in findings[-1].text.en


@pytest.mark.parametrize(
    ("address", "shown", "alone"),
    [
        ("https://hub.firma.example", "https://hub.firma.example/exchange/onec", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/exchange/onec", True),
        ("", "http://<этот компьютер>:<порт>/exchange/onec", False),
    ],
)
def test_the_address_is_the_one_that_others_reach(hub: MemoryHub, address: str, shown: str, alone: bool) -> None:
    context = replace(adapter_context(hub), address=address)
    settings = OneCSiteExchange.Settings(login="a", password="b")  # type: ignore[call-arg]
    found = list(OneCSiteExchange(settings, context).check())[-1]
    assert shown in found.text.ru
    assert ("web.host" in found.text.ru) is alone


@pytest.mark.parametrize("missing", ["login", "password"])
def test_check_names_the_missing_setting(hub: MemoryHub, missing: str) -> None:
    (finding,) = exchange(hub, **{missing: ""}).check()
    assert (finding.ok, finding.setting) == (False, missing)


@pytest.mark.parametrize(
    "wrong", [{"zone": "Москва"}, {"zone": "../etc"}, {"batch": 51}, {"file_limit": 0}, {"protocol": "bp"}, {"x": 1}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OneCSiteExchange.Settings(**wrong)


def test_the_password_is_in_no_representation(hub: MemoryHub) -> None:
    assert "тест-слово" not in repr(exchange(hub).settings)


# Two bases behind one address, without cookies -----------------------------------------------------------------------

BASIC = {"authorization": basic()}


def two_bases() -> list[Client]:
    """Two connections with logins of their own; both bases send Basic with every request and no cookie."""
    made = []
    for login in ("обмен", "обмен2"):
        hub = MemoryHub()
        made.append(Client(hub, exchange(hub, login=login)))
        made[-1].cookie = basic(login)
    return made


def test_two_bases_behind_one_address_exchange_at_once(hub: MemoryHub) -> None:
    first, second = two_bases()
    bodies = {first: IMPORT, second: OFFERS}
    for step in ("checkauth", "init"):
        for one in bodies:
            assert one.text(step, headers={"authorization": one.cookie}).startswith(("success", "zip=no"))
    for start in range(0, max(map(len, bodies.values())), 900):
        for one, body in bodies.items():
            if portion := body[start : start + 900]:
                sent = {"authorization": one.cookie}
                assert one.text("file", headers=sent, filename="import0_1.xml", body=portion) == "success"
    for one, body in bodies.items():
        assert one.text("import", headers={"authorization": one.cookie}, filename="import0_1.xml") == "success"
        (received,) = one.hub.arrivals()
        assert received.read() == body


def test_a_base_with_a_wrong_login_does_not_hold_up_its_neighbour(hub: MemoryHub, client: Client) -> None:
    """On the shared path a stranger's login is answered by any connection."""
    for _ in range(20):
        assert client.text("checkauth", headers={"authorization": basic("чужой", "x")}).startswith("failure\n")
    assert client.login().cookie


def test_two_bases_with_one_login_are_never_mixed(hub: MemoryHub, client: Client) -> None:
    for step in ("checkauth", "init"):
        client.text(step, headers=BASIC)
    assert client.text("file", headers=BASIC, filename="import0_1.xml", body=IMPORT[:500]) == "success"
    refusal = client.text("file", headers=BASIC, filename="import0_1.xml", body=OFFERS[:500])
    assert refusal.startswith("failure\n")
    assert "своё подключение" in refusal, "the second base begins the same file"
    assert client.text("file", headers=BASIC, filename="import0_1.xml", body=IMPORT[500:]) == "success"
    assert client.text("import", headers=BASIC, filename="import0_1.xml") == "success"
    assert hub.arrivals()[0].read() == IMPORT


def test_a_portion_from_the_middle_of_another_exchange_is_refused(hub: MemoryHub, client: Client) -> None:
    client.text("init", headers=BASIC)
    client.text("file", headers=BASIC, filename="import0_1.xml", body=IMPORT[:500])
    client.text("checkauth", headers=BASIC)  # another base begins: its session is the address's from now on
    client.text("init", headers=BASIC)
    assert "два обмена" in client.text("file", headers=BASIC, filename="import0_1.xml", body=IMPORT[500:1000])
    assert hub.received() == []


@pytest.mark.parametrize("limit", [1, 2, 37])
def test_small_portions_of_one_base_without_cookies_are_no_two_exchanges(hub: MemoryHub, limit: int) -> None:
    client = Client(hub, exchange(hub, file_limit=limit))
    client.text("init", headers=BASIC)
    body = b"\xef\xbb\xbf" + IMPORT.removeprefix(b"\xef\xbb\xbf")[:200]
    for start in range(0, len(body), limit):
        given = client.text("file", headers=BASIC, filename="import0_1.xml", body=body[start : start + limit])
        assert given == "success"
    sent = client.text("file", headers=BASIC, filename="import_files/a.jpg", body=b"\x00\x01")
    assert sent == "success", "a picture begins as it likes"


def test_a_cookie_keeps_two_bases_with_one_login_apart(hub: MemoryHub, adapter: OneCSiteExchange) -> None:
    first, second = (Client(hub, adapter).begin() for _ in range(2))
    for one, body in ((first, IMPORT), (second, OFFERS)):
        one.upload("import0_1.xml", body[:500])
    for one, body in ((first, IMPORT), (second, OFFERS)):
        one.upload("import0_1.xml", body[500:])
        assert one.run_import("import0_1.xml") == "success"
    assert [a.read() for a in hub.arrivals()] == [IMPORT, OFFERS]
