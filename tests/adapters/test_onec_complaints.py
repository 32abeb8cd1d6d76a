"""What users of other 1C modules complain about, each as a test that it cannot happen here.

The complaints are public threads of shop modules for the exchange with 1C.
"""

from __future__ import annotations

import io
import tracemalloc

import pytest

from adapters.base import ImportState, Offered, Record
from adapters.onec.cml import records
from sync.lens.load import load
from tests.adapters.onec_context import FIXTURES, Client, MemoryHub, exchange
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
    from adapters.onec.cml import write_orders

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
