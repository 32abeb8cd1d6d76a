"""What users of other 1C modules complain about, each as a test that it cannot happen here.

The complaints are public threads of shop modules for the exchange with 1C.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from adapters.base import ImportState, Offered, Problem, Record, RecordRefused
from adapters.onec.cml import records, write_orders
from adapters.onec.unpack import unpack
from sync.lens.load import load
from tests.adapters.onec_context import FIXTURES, Client, MemoryHub, arrival, basic, exchange
from tests.adapters.test_onec_orders import order

A, B = (f"11111111-0000-4000-8000-00000000000{n}" for n in "12")
RED, BLUE = (f"22222222-0000-4000-8000-00000000000{n}" for n in "12")


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
def client(hub: MemoryHub) -> Client:
    return Client(hub, exchange(hub))


def read(name: str) -> list[Record]:
    with (FIXTURES / name).open("rb") as stream:
        return [item for item in records(stream) if isinstance(item, Record)]


def test_unknown_import_status(hub: MemoryHub, client: Client) -> None:
    """«Получен неизвестный статус импорта»: the first line is exactly one of the three words, and nothing stands after."""
    body = (FIXTURES / "import0_1.xml").read_bytes()
    hub.states["import0_1.xml"] = [ImportState("working", 3), ImportState("waiting")]
    assert client.begin().ask("file", filename="import0_1.xml", body=body).body == b"success"
    answers = [client.ask("import", filename="import0_1.xml") for _ in range(3)]
    assert [a.body.split(b"\n")[0] for a in answers] == [b"progress", b"progress", b"success"]
    assert answers[2].body == b"success"
    assert all(a.content_type.startswith("text/plain") for a in answers)


def test_authorization_header_lost_on_the_way(client: Client) -> None:
    """FastCGI and Apache drop it: the answer names the rule that brings it back."""
    reply = client.ask("checkauth", headers={"user-agent": "1C+Enterprise/8.3"})
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="1C"')
    answer = reply.body.decode()
    assert answer.startswith("failure\n")
    assert "RewriteRule" in answer
    assert "Authorization" in answer


def test_the_hubs_own_check_sees_that_the_header_is_lost(hub: MemoryHub) -> None:
    """Until a login gets through. A curious browser is no 1C."""
    adapter = exchange(hub)
    client = Client(hub, adapter)

    def lost() -> list[str]:
        return [f"{f.text.ru} {f.remedy.ru}" for f in adapter.check() if f.step == "header" and f.remedy and not f.ok]

    client.ask("checkauth", headers={"user-agent": "Mozilla/5.0"})
    assert lost() == []
    client.ask("checkauth", headers={"user-agent": "1C+Enterprise/8.3"})
    (said,) = lost()
    assert "RewriteRule" in said
    assert "06.05.2024 09:00" in said
    client.login()
    assert lost() == []


def test_empty_answer_to_query(client: Client) -> None:
    """«Получен пустой ответ сервера»."""
    assert client.login("sale").ask("query", "sale").body.startswith(b"<?xml")


def test_200_goods_fine_600_crash() -> None:
    """The memory does not grow with the file: ten times the goods, the same peak."""

    def peak(count: int) -> int:
        rows = "".join(f"<Товар><Ид>{n}</Ид><Описание>{'слово ' * 200}</Описание></Товар>" for n in range(count))
        body = f"<КоммерческаяИнформация><Каталог><Товары>{rows}</Товары></Каталог></КоммерческаяИнформация>".encode()
        stream = io.BytesIO(body)
        tracemalloc.start()
        found = sum(1 for _ in records(stream))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == count
        return highest

    assert peak(4000) < 2 * peak(400)


def test_files_arrive_and_nothing_is_imported(hub: MemoryHub, client: Client) -> None:
    client.begin().upload("import0_1.xml", (FIXTURES / "import0_1.xml").read_bytes())
    hub.later(121)
    client.server.settle(hub)
    assert hub.received() == ["import0_1.xml"]


def test_products_doubled_at_each_exchange() -> None:
    """Bound by Ид: a second reading gives the same ids with the same contents."""
    first, second = read("import0_1.xml"), read("import0_1.xml")
    assert first == second
    assert len({(r.kind, r.id) for r in first}) == len(first)


def test_prices_not_matched_to_their_types() -> None:
    types = {r.id for r in read("offers0_1.xml") if r.kind == "price_type"}
    rows = [
        row for r in read("offers0_1.xml") for row in load("onec_ut").lens(r.kind).get(r.data).fields.get("prices", [])
    ]
    assert {row["key"] for row in rows} == types


def test_duplicated_orders(hub: MemoryHub, client: Client) -> None:
    """The key is Номер, the same for every try; what comes back carries it as the record's id."""
    hub.queue = [Offered("k", "W1-7", order(number="W1-7"))]
    first = client.login("sale").ask("query", "sale").body
    hub.later(3600)
    second = client.login("sale").ask("query", "sale").body
    assert first.count(b"W1-7") == second.count(b"W1-7")
    assert {r.id for r in records(io.BytesIO(first)) if isinstance(r, Record)} == {"W1-7"}


def test_not_in_stock_after_an_update_of_prices() -> None:
    """Absent is not zero: an update of prices says nothing about stock."""
    offers = {r.id: load("onec_ut").lens("offer").get(r.data).fields for r in read("offers_changes.xml")}
    assert "quantity" not in offers[f"{B}#{BLUE}"]
    assert "stocks" not in offers[f"{B}#{BLUE}"]
    zero = load("onec_ut").lens("offer").get(next(r for r in read("offers0_1.xml") if r.id == f"{B}#{RED}").data).fields
    assert zero["quantity"] == 0, "a zero that is stated is a zero"


def test_characteristic_rows_lost() -> None:
    ids = [r.id for name in ("import0_1.xml", "offers0_1.xml", "offers_changes.xml") for r in read(name)]
    assert ids.count(f"{B}#{RED}") == 2
    assert ids.count(f"{B}#{BLUE}") == 1


def test_order_status_not_carried() -> None:
    """To 1C: both names that its configurations read. From УНФ: the state's word and id."""
    orders = {r.id: r.data for r in read("orders_unf.xml")}
    assert orders["W1-2001"]["status_1c"] == "В работе"
    text = write_orders([Offered("k", "1", order(status="won", status_text="Выполнен"))]).decode()
    assert "<Наименование>Статус заказа</Наименование><Значение>Выполнен</Значение>" in text
    assert "<Наименование>Статуса заказа ИД</Наименование><Значение>won</Значение>" in text


def test_deleted_items_are_marked_and_not_lost() -> None:
    gone = [r for r in read("import0_1.xml") if r.deleted]
    assert [(r.kind, r.data["name"]) for r in gone] == [("product", "Сборка мебели")]


def test_full_export_in_portions_deletes_nothing() -> None:
    """СодержитТолькоИзменения="true" from the second portion on, even in a full export: no portion says anything about
    what it lacks."""
    row = "<Товар><Ид>{}</Ид><Наименование>Товар</Наименование></Товар>"
    body = (
        '<КоммерческаяИнформация><Каталог СодержитТолькоИзменения="{}"><Товары>{}</Товары></Каталог>'
        "</КоммерческаяИнформация>"
    )
    first, second = (
        list(records(io.BytesIO(body.format(flag, row.format(id)).encode())))
        for flag, id in (("false", 1), ("true", 2))
    )
    assert [(r.id, r.deleted) for r in (*first, *second) if isinstance(r, Record)] == [("1", False), ("2", False)]
    assert set(first[0].data) == set(second[0].data)  # type: ignore[union-attr]


def test_object_field_not_found_id() -> None:
    """«Поле объекта не обнаружено (ИД)»: every node that 1C reads by its Ид has one, the delivery's line too."""
    lines = [
        {"name": "Стол", "qty": "1", "price": "10", "sum": "10", "id": A},
        {"name": "Доставка", "qty": "1", "price": "5", "sum": "5", "service": True},
    ]
    made = [Offered(str(n), str(n), order(items=lines)) for n in (1, 2)]
    root = etree.fromstring(write_orders(made))
    nodes = [e for tag in ("Документ", "Контрагент", "Товар") for e in root.iter(tag)]
    assert len(nodes) == 8
    assert all(e.findtext("Ид") for e in nodes)
    delivery = {e.findtext("Ид") for e in root.iter("Товар") if e.findtext("Наименование") == "Доставка"}
    assert len(delivery) == 1, "the same line has the same id in every order"


def test_a_product_without_id_is_named_in_1cs_words_and_its_neighbours_go_on() -> None:
    body = (
        "<КоммерческаяИнформация><Каталог><Товары><Товар><Наименование>x</Наименование></Товар><Товар><Ид>1</Ид></Товар>"
        "</Товары></Каталог></КоммерческаяИнформация>"
    ).encode()
    lost, kept = records(io.BytesIO(body))
    assert isinstance(lost, Problem)
    assert "<Ид>" in lost.error.text.ru
    assert kept.id == "1"


# What nobody complains about because it was never tried ---------------------------------------------------------------


def test_a_gigabyte_in_a_megabyte() -> None:
    """A zip bomb is refused by its table of contents (64 MB here, said to be a GB): not a byte of it is unpacked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("import0_1.xml", bytes(64 << 20))
    body = packed.getvalue().replace(struct.pack("<I", 64 << 20), struct.pack("<I", 1 << 30))
    assert len(body) < 1 << 20
    tracemalloc.start()
    with pytest.raises(RecordRefused) as refused:
        list(unpack(arrival("v8_1.zip", body), ZoneInfo("Europe/Moscow")))
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "cml.zip_bomb"
    assert highest < 16 << 20


def test_a_bomb_through_the_exchange_is_a_failure_in_1cs_log(hub: MemoryHub, client: Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("import0_1.xml", bytes(32 << 20))
    client.begin().upload("v8_AB12_1.zip", packed.getvalue())
    status, _, reason = client.run_import("import0_1.xml").partition("\n")
    assert status == "failure"
    assert "архив распаковывается" in reason
    assert hub.received() == []


def test_two_bases_at_once_with_the_same_names_never_mix(hub: MemoryHub) -> None:
    """Both behind one office's address, portion by portion in turns: each gets its own file, whole."""
    server = exchange(hub, file_limit=100)
    one, two = Client(hub, server), Client(hub, server)
    one.begin()
    two.begin()
    assert one.cookie != two.cookie
    whole = "<КоммерческаяИнформация><Каталог><Товары><Товар><Ид>{}</Ид></Товар></Товары></Каталог></КоммерческаяИнформация>"
    bodies = [whole.format(who * 300).encode() for who in "ab"]
    for start in range(0, max(map(len, bodies)), 100):
        for client, body in zip((one, two), bodies, strict=True):
            assert client.text("file", filename="import0_1.xml", body=body[start : start + 100]) == "success"
    assert [client.run_import("import0_1.xml") for client in (one, two)] == ["success", "success"]
    with_bytes = sorted(item.open().read() for item in hub.arrivals())
    assert with_bytes == sorted(bodies)


def test_a_session_of_another_connection_opens_nothing() -> None:
    """Two bases, two connections: a cookie of the one is worth nothing at the other."""
    first, second = MemoryHub("ut"), MemoryHub("unf")
    known = Client(first, exchange(first)).begin()
    stranger = Client(second, exchange(second))
    stranger.cookie = known.cookie
    reply = stranger.ask("file", filename="import0_1.xml", body=b"<x/>", headers={"cookie": known.cookie})
    assert reply.body.startswith(b"failure\n")
    assert second.spool == {}


def test_guessing_passwords_is_slowed_down_and_1c_sees_why(client: Client) -> None:
    for _ in range(5):
        assert "неверное имя" in client.text("checkauth", headers={"authorization": basic(password="нет")})
    assert "слишком много неверных паролей" in client.text("checkauth", headers={"authorization": basic()})
