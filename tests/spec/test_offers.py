"""Systems that fetch: batches that stay the same until confirmed, short numbers, and orders that wait for their goods."""

from __future__ import annotations

import base64
import io
import itertools
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapters.base import Batch, RecordRefused, Request, Text
from sync.flow import exchange
from sync.flow.exchange import Context, waiting
from sync.hub import acts
from sync.hub.runtime import Hub
from sync.hub.service import Service
from sync.hub.trace import trace
from sync.store import new_uid
from sync.store.tables import conflict, intent, journal, link, quarantine, record
from tests.spec.hubs import CLIENT, Kit, give, one, rows, sync

ONEC = {"adapter": "onec_exchange", "login": "обмен", "password": "слово"}
LINE = {"id": "1", "sku": "B-1", "name": "Болт", "qty": "2", "price": "50.05", "sum": "100.10"}
ORDER = {
    "number": "1043",
    "title": "Заказ",
    "stage": "new",
    "amount": "100.10",
    "currency": "RUB",
    "lines": [LINE],
    "client": CLIENT,
}
BOLT = {"name": "Болт", "sku": "B-1", "type": "good"}
POISON = RecordRefused(Text("no such unit", "нет такой единицы"), code="onec.unit", field="unit_code")


def two_shops(kit: Kit, prefixes: tuple[str, str] = ("W-", ""), goods: bool = True, **hub: Any) -> Hub:
    shops = {
        name: {"role": "shop", "kinds": ["deal"], "prefix": prefix}
        for name, prefix in zip(("shop", "site"), prefixes, strict=True)
    }
    flows = [("deal", name, "onec", "always") for name in shops]
    opened = kit.open({**shops, "onec": ONEC}, flows, hub=hub)
    assert opened.broken == {}
    if goods:
        give(opened, "onec", "product", "g1", BOLT)
    return opened


def context(hub: Hub) -> Context:
    return Context(hub.world, hub.plugs["onec"], hub.spool)


def offer(hub: Hub, limit: int = 10) -> Batch:
    return context(hub).offer("order", limit)


def order(kit: Kit, hub: Hub, number: str = "1043", shop: str = "shop", **more: Any) -> str:
    id = kit.world(shop).put("deal", {**ORDER, "number": number, **more})
    sync(hub)
    return id


def numbers(batch: Batch) -> list[str]:
    return [item.number for item in batch.items]


def test_a_batch_stays_the_same_until_it_is_confirmed(kit: Kit) -> None:
    hub = two_shops(kit)
    for number in ("1", "2", "3"):
        order(kit, hub, number)
    assert offer(hub, 0) == Batch("", [])
    first = offer(hub, 2)
    assert numbers(first) == ["W-1", "W-2"]
    assert first.items[0].data["items"][0]["id"] == "g1", "the line carries the other side's own product"
    assert first.items[0].data["status_text"] == "Новый", (
        "УТ's table of states is filled with what people call the stages"
    )
    order(kit, hub, "4")
    kit.world("shop").put("deal", {"comment": "изменён"}, "1")
    sync(hub)
    assert offer(hub, 10) == first, "an unconfirmed batch is offered again unchanged"
    hub = _again(kit, hub)
    assert offer(hub, 10) == first
    context(hub).confirm(first.id)
    context(hub).confirm(first.id)
    assert numbers(offer(hub, 10)) == ["W-3", "W-4", "W-1"], "what changed meanwhile is offered next"
    assert offer(hub, 10).items[2].data["comment"] == "изменён"
    assert len([n for n in rows(hub, journal) if n.why == "offered"]) == 2


def _again(kit: Kit, hub: Hub) -> Hub:
    kit.close(hub)
    return kit.open()


def test_nothing_is_offered_twice(kit: Kit) -> None:
    hub = two_shops(kit)
    id = order(kit, hub)
    batch = offer(hub)
    context(hub).confirm(batch.id)
    assert offer(hub) == Batch("", [])
    kit.world("shop").put("deal", {"number": "1043"}, id)
    sync(hub)
    assert offer(hub) == Batch("", [])
    kit.world("shop").put("deal", {"amount": "90.00"}, id)
    sync(hub)
    again = offer(hub)
    assert (numbers(again), again.items[0].data["sum"]) == (["W-1043"], "90")
    assert again.items[0].key != batch.items[0].key


def test_two_queries_of_one_base_at_once_get_the_same_orders(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes while the first is choosing: it waits, and is given what the first was given."""
    hub = two_shops(kit)
    for number in ("1", "2"):
        order(kit, hub, number)
    begun, chosen, choosing = threading.Event(), threading.Event(), itertools.count()

    def named() -> str:
        if next(choosing):
            chosen.set()  # two at once: what the lock is there against
        elif begun.wait(5):
            chosen.wait(0.3)
        return new_uid()

    monkeypatch.setattr(exchange, "new_uid", named)

    def late() -> Batch:
        begun.set()
        return offer(hub)

    with ThreadPoolExecutor(2) as both:
        batches = [one.result(20) for one in (both.submit(offer, hub), both.submit(late))]
    assert [numbers(batch) for batch in batches] == [["W-1", "W-2"]] * 2
    assert batches[0] == batches[1]
    assert {(row.state, row.batch) for row in rows(hub, intent)} == {("offered", offer(hub).id)}
    assert not chosen.is_set()


def test_an_order_that_comes_back_is_there_confirmed_or_not(kit: Kit) -> None:
    hub = two_shops(kit)
    order(kit, hub)
    batch = offer(hub)
    back = {"number": "W-1043", "number_1c": "УТ-17", "sum": "100.10", "currency": "RUB", "posted": True}
    assert give(hub, "onec", "order", "W-1043", back) == "changed"
    assert (one(hub, intent).state, one(hub, link, native_kind="order").state) == ("done", "linked")
    assert offer(hub) == Batch("", [])
    context(hub).confirm(batch.id)
    assert [n.why for n in rows(hub, journal) if n.connection == "onec" and n.kind == "deal"].count("offered") == 1
    assert one(hub, record, kind="deal").number == "1043", "our number for it is not its own"


def test_what_accounting_says_of_its_order_is_not_offered_back_to_it(kit: Kit) -> None:
    """A "not cancelled" that comes back would take back a cancellation that was made there meanwhile."""
    hub = two_shops(kit)
    order(kit, hub)
    sync(hub)
    batch = offer(hub)
    context(hub).confirm(batch.id)
    (item,) = batch.items
    back = {
        "number": item.number,
        "number_1c": "НФ-1",
        "id_1c": "u1",
        "sum": "100.10",
        "currency": "RUB",
        "documents": [],
    }
    give(hub, "onec", "order", item.number, {**back, "paid": False, "shipped": False, "cancelled": False})
    sync(hub)
    assert offer(hub).items == []


def test_an_order_of_nobody_is_not_invented(kit: Kit) -> None:
    hub = two_shops(kit)
    assert give(hub, "onec", "order", "X-1", {"number": "X-1", "sum": "5"}) == "failed"
    waiting_row = one(hub, quarantine)
    assert (waiting_row.code, "X-1" in waiting_row.text["ru"]) == ("deal.unknown_number", True)


def test_short_numbers(kit: Kit) -> None:
    hub = two_shops(kit, ("LONG", ""))
    for number in ("1234567", "12345678", "123456789-ABC"):
        order(kit, hub, number)
    found = numbers(offer(hub))
    assert found[0] == "LONG1234567"
    assert all(len(n) <= 11 for n in found)
    assert found[1:] == ["LONG-2", "LONG-3"]
    for given, number in zip(found, ("1234567", "12345678", "123456789-ABC"), strict=True):
        assert {t.number for t in trace(hub, given)} == {t.number for t in trace(hub, number)} == {number}


def test_equal_numbers_of_two_shops_stay_apart(kit: Kit) -> None:
    hub = two_shops(kit, ("", ""))
    order(kit, hub, "1043")
    order(kit, hub, "1043", shop="site")
    found = numbers(offer(hub))
    assert (found[0], len(set(found)), all(len(n) <= 11 for n in found)) == ("1043", 2, True)
    held = {r.number: r.record_uid for r in rows(hub, link, connection="onec", native_kind="order")}
    assert len(set(held.values())) == 2


def test_a_number_never_changes(kit: Kit) -> None:
    hub = two_shops(kit, ("", ""))
    order(kit, hub, "1043")
    id = order(kit, hub, "1043", shop="site")
    second = numbers(offer(hub))[1]
    context(hub).confirm(offer(hub).id)
    kit.world("site").put("deal", {"number": "2000", "amount": "1"}, id)
    sync(hub)
    assert numbers(offer(hub)) == [second]


def test_the_counter_in_letters(kit: Kit) -> None:
    hub = two_shops(kit, ("LONG", ""))
    with hub.store.begin() as tx:
        for number in range(40):
            tx.execute(
                link.insert().values(
                    connection="onec",
                    native_kind="order",
                    external_id=f"old {number}",
                    record_uid="x",
                    state="linked",
                    first_seen=hub.now(),
                )
            )
    order(kit, hub, "12345678901234")
    assert numbers(offer(hub)) == ["LONG-15"]  # 41 in base 36


def test_unknown_goods_make_the_order_wait_until_they_are_known(kit: Kit) -> None:
    hub = two_shops(kit, goods=False)
    order(kit, hub)
    assert offer(hub) == Batch("", [])
    held = one(hub, quarantine)
    assert (held.code, held.stage, held.connection, held.count) == ("deal.unmatched_line", "delivery", "onec", 1)
    assert "B-1" in held.text["ru"]
    assert held.remedy["ru"]
    sync(hub)
    assert one(hub, quarantine).count == 1, "looking again is not news"
    assert one(hub, record, kind="deal").number == "1043", "the deal is made all the same"
    give(hub, "onec", "product", "g1", BOLT)
    sync(hub)
    assert (one(hub, quarantine).state, numbers(offer(hub))) == ("closed", ["W-1043"])


def test_unknown_goods_by_name(kit: Kit) -> None:
    hub = two_shops(kit, goods=False, unmatched_lines="by_name")
    order(kit, hub)
    (item,) = offer(hub).items
    assert item.data["items"][0]["name"] == "Болт"
    assert "id" not in item.data["items"][0]
    assert rows(hub, quarantine) == []


def test_the_same_article_twice_is_a_question(kit: Kit) -> None:
    hub = two_shops(kit)
    give(hub, "onec", "product", "g2", BOLT)
    order(kit, hub)
    assert one(hub, quarantine).code == "deal.unmatched_line"


def test_a_poison_order_is_taken_out_and_the_others_go(kit: Kit) -> None:
    hub = two_shops(kit)
    ids = [order(kit, hub, number) for number in ("1", "2", "3")]
    batch = offer(hub)
    context(hub).refuse(batch.id, batch.items[1].key, POISON)
    context(hub).refuse("another", batch.items[0].key, POISON)
    rest = offer(hub)
    assert (rest.id, numbers(rest)) == (batch.id, ["W-1", "W-3"])
    context(hub).confirm(batch.id)
    assert waiting(hub.world, "onec") == {"refused": 1}
    held = one(hub, quarantine)
    assert (held.code, held.field, held.state) == ("onec.unit", "unit_code", "open")
    kit.world("shop").put("deal", {"stage": "new"}, ids[1])
    sync(hub)
    assert (offer(hub), one(hub, quarantine).state) == (Batch("", []), "open")
    kit.world("shop").put("deal", {"comment": "поправлен"}, ids[1])
    sync(hub)
    assert (numbers(offer(hub)), one(hub, quarantine).state) == (["W-2"], "closed")


def test_a_poison_order_is_tried_again_by_a_person(kit: Kit) -> None:
    hub = two_shops(kit)
    order(kit, hub)
    batch = offer(hub)
    context(hub).refuse(batch.id, batch.items[0].key, POISON)
    acts.retry(hub, one(hub, quarantine).id)
    sync(hub)
    again = offer(hub)
    assert (numbers(again), again.id == batch.id) == (["W-1043"], False)
    context(hub).confirm(again.id)
    assert one(hub, quarantine).state == "closed"


def test_sessions_survive(kit: Kit) -> None:
    hub = two_shops(kit)
    assert context(hub).load_session("s") is None
    context(hub).save_session("s", {"a": 1})
    context(hub).save_session("s", {"a": 2})
    assert context(_again(kit, hub)).load_session("s") == {"a": 2}


def test_progress_of_an_import(kit: Kit) -> None:
    hub = two_shops(kit)
    it = context(hub)
    it.append("s", "broken.xml", [b"<no xml"])
    ticket = it.receive("s", "broken.xml")
    assert it.progress(ticket, 0).state == "waiting"
    sync(hub)
    found = it.progress(ticket, 5)
    assert found.state == "failed"
    assert found.text is not None
    assert found.text.ru
    assert it.progress("999999", 0).state == "failed"


GOODS = (
    "<КоммерческаяИнформация><Каталог><Товары><Товар><Ид>1</Ид><Наименование>Гайка</Наименование></Товар>{}<Товар><Ид>3</Ид>"
    "<Наименование>Шайба</Наименование></Товар></Товары></Каталог></КоммерческаяИнформация>"
)


@pytest.mark.parametrize(
    ("inside", "packed", "state"),
    [
        ("<Товар><Ид>2<</Ид></Товар>", False, "failed"),
        ("<Товар><Ид>2<</Ид></Товар>", True, "failed"),
        ("<Товар><Наименование>без Ид</Наименование></Товар>", False, "done"),
    ],
)
def test_a_file_that_breaks_in_the_middle_is_no_success(kit: Kit, inside: str, packed: bool, state: str) -> None:
    """1C forgets what it was told to be taken: nobody would send the rest again. A record that cannot be read is one."""
    hub = two_shops(kit)
    it, body = context(hub), GOODS.format(inside).encode()
    if packed:
        box = io.BytesIO()
        with zipfile.ZipFile(box, "w") as archive:
            archive.writestr("import0_1.xml", body)
        body = box.getvalue()
    it.append("s", "import0_1", [body])
    ticket = it.receive("s", "import0_1")
    sync(hub)
    found = it.progress(ticket, 0)
    assert found.state == state
    assert found.text is not None
    assert "строке 1" in found.text.ru
    assert found.text.ru.startswith("не принято записей: 1; ") is (state == "done")
    (stopped,) = rows(hub, quarantine, state="open")
    assert stopped.code == ("cml.broken" if state == "failed" else "cml.no_id")
    names = {r.data["name"] for r in rows(hub, record, kind="product")}
    assert names == {"Болт", "Гайка"} | ({"Шайба"} if state == "done" else set()), "what came before the break is taken"
    it.append("t", "import0_1", [GOODS.format("").encode()])
    again = it.receive("t", "import0_1")
    sync(hub)
    assert it.progress(again, 0).state == "done"
    assert {r.data["name"] for r in rows(hub, record, kind="product")} == {"Болт", "Гайка", "Шайба"}


def test_what_1c_never_asks_to_import_is_taken_by_the_hub_itself(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = two_shops(kit)
    server, password = hub.plugs["onec"].adapter.server(), base64.b64encode("обмен:слово".encode()).decode()
    assert server is not None

    def ask(mode: str, body: bytes = b"") -> str:
        query = {"type": "catalog", "mode": mode, "filename": "import0_1.xml"}
        sent = {"authorization": f"Basic {password}"}
        request = Request("POST" if body else "GET", "/exchange/onec", query, sent, "10.0.0.7", [body] if body else [])
        return server.handle(request, context(hub)).body.decode()

    assert ask("checkauth").startswith("success\n")
    assert ask("init").startswith("zip=no\n")
    assert ask("file", GOODS.format("").encode()) == "success"
    sync(hub)
    assert "Гайка" not in {r.data["name"] for r in rows(hub, record, kind="product")}
    kit.now.pass_(seconds=121)
    sync(hub)
    assert {r.data["name"] for r in rows(hub, record, kind="product")} == {"Болт", "Гайка", "Шайба"}
    service, made = Service(hub, alone=True), list[str]()
    monkeypatch.setattr(service.engine, "schedule", lambda name, *_, **__: made.append(name))
    service._schedule(hub.plugs["onec"])
    assert "settle" in made, "and so it does as a service"


BACK = {"number": "1043", "number_1c": "УНФ-1", "id_1c": "u1", "sum": "100.10", "currency": "RUB", "documents": []}
OWN_WORDS = """
system = "onec_unf"
version = 1
[tables.words]
new = "N"
in_work = "W"
paid = "W"
shipped = "W"
won = "F"
lost = "F"
[order]
kind = "deal"
[order.create.fields]
status = "stage | lookup(words)"
"""


def with_unf(kit: Kit, mapping: str = "", crm: bool = False, **sections: Any) -> Hub:
    """A shop's order in УНФ, and in a CRM where there is one."""
    own = {}
    if mapping:
        (kit.folder / "own").mkdir()
        (kit.folder / "own" / "onec_unf.toml").write_text(mapping, encoding="utf-8")
        own = {"mappings": str(kit.folder / "own")}
    onec = {**ONEC, "protocol": "unf", "mapping": "onec_unf"}
    connections = {"shop": {"role": "shop", "kinds": ["deal"]}, "onec": onec}
    flows = [("deal", "shop", "onec", "always")]
    if crm:
        connections["crm"] = {"role": "crm", "kinds": ["deal"]}
        flows.append(("deal", "shop", "crm", "always"))
    hub = kit.open(connections, flows, hub=own, **sections)
    assert hub.broken == {}
    give(hub, "onec", "product", "g1", BOLT)
    kit.world("shop").put("deal", ORDER)
    sync(hub)
    context(hub).confirm(offer(hub).id)
    return hub


def says(hub: Hub, word: str, state: str, **facts: Any) -> str:
    """УНФ sends the order in this state; the deal's stage then."""
    give(hub, "onec", "order", "1043", {**BACK, "cancelled": False, "status": word, "status_1c": state, **facts})
    sync(hub)
    return str(one(hub, record, kind="deal").stage)


def test_the_words_of_the_stages_go_to_unf_and_its_states_come_back(kit: Kit) -> None:
    """УНФ fills its table of order states from them, and says the same word when its order moves on."""
    hub = with_unf(kit)
    words = context(hub).words("order", "status")
    assert words[:2] == [("new", "Новый"), ("in_work", "В работе")]
    for word, stage in (("new", "new"), ("in_work", "in_work"), ("shipped", "shipped"), ("ждёт", "shipped")):
        assert says(hub, word, word) == stage, word
        assert word == "ждёт" or offer(hub).items == [], "what it says itself is not offered back"
    (asked,) = rows(hub, conflict, state="open")
    assert (asked.cause, asked.sides["onec/order"]) == ("unknown_stage", "ждёт"), (
        "a word that is no stage is a question"
    )


def test_a_state_that_several_stages_share_leaves_the_deal_in_any_of_them(kit: Kit) -> None:
    """УНФ's own three states: «В работе» stands for three stages, and УНФ names any of their words."""
    hub = with_unf(kit)
    assert says(hub, "shipped", "В работе") == "in_work", "the first of them on the way forward"
    acts.set_stage(hub, "1043", "paid", "anna")
    sync(hub)
    (item,) = offer(hub).items
    assert (item.data["status"], item.data["status_text"]) == ("paid", "Оплачен")
    context(hub).confirm(offer(hub).id)
    for word in ("in_work", "shipped", "paid"):
        assert says(hub, word, "В работе", comment=word) == "paid", word
    acts.set_stage(hub, "1043", "won", "anna")
    sync(hub)
    assert says(hub, "in_work", "В работе", comment="ещё") == "won", "a state that lags behind takes nothing back"
    acts.set_stage(hub, "1043", "new", "anna")
    sync(hub)
    assert says(hub, "shipped", "В работе", comment="ещё раз") == "new", "what a person decided stands"
    assert says(hub, "lost", "Завершен") == "won", "it says itself that nothing was cancelled"
    assert (rows(hub, conflict), offer(hub).items) == ([], []), "and nobody is asked"


def test_an_accountants_step_back_is_a_question(kit: Kit) -> None:
    """A state that is put behind the one that УНФ had shown is no lag: somebody there took the order back."""
    hub = with_unf(kit)
    assert says(hub, "shipped", "Отгружен") == "shipped"
    assert says(hub, "in_work", "В работе") == "shipped"
    assert says(hub, "in_work", "В работе", comment="то же") == "shipped", "it stays a question"
    (asked,) = rows(hub, conflict, state="open")
    assert (asked.field, asked.cause, asked.base) == ("stage", "illegal_transition", "shipped")
    assert (asked.sides["onec/order"], asked.who) == ("in_work", ["onec/order"])
    acts.decide_conflict(hub, asked.id, "onec/order", "anna")
    sync(hub)
    assert (one(hub, record, kind="deal").stage, rows(hub, conflict, state="open")) == ("in_work", [])
    assert says(hub, "new", "Открыт") == "in_work"
    (asked,) = rows(hub, conflict, state="open")
    acts.decide_conflict(hub, asked.id, "hub", "anna")
    sync(hub)
    assert says(hub, "new", "Открыт", comment="ещё раз") == "in_work", "what a person decided stands"
    assert rows(hub, conflict, state="open") == []
    assert says(hub, "won", "Завершен") == "won"
    assert says(hub, "in_work", "В работе") == "won", "a finished order that is opened again is one, too"
    assert says(hub, "won", "Завершен") == "won"
    assert rows(hub, conflict, state="open") == [], "and no question any more when the accountant thinks better of it"


def test_a_step_back_that_the_pipeline_allows_is_followed(kit: Kit) -> None:
    stages = [
        {"name": "new", "title": "Новый", "next": ["packing", "lost"]},
        {"name": "packing", "title": "Сборка", "next": ["new", "won", "lost"]},
        {"name": "won", "title": "Завершён", "semantic": "won"},
        {"name": "lost", "title": "Отменён", "semantic": "lost"},
    ]
    main = {"name": "main", "stages": stages, "facts": {"cancelled": "lost"}}
    hub = with_unf(kit, pipeline=[main])
    assert says(hub, "new", "Новый") == "new"
    assert says(hub, "packing", "Сборка") == "packing"
    assert says(hub, "new", "Новый") == "new"
    assert says(hub, "packing", "Сборка") == "packing"
    assert rows(hub, conflict) == []


def test_what_was_offered_stays_agreed_when_the_order_comes_back_with_news(kit: Kit) -> None:
    hub = with_unf(kit, owners={"deal.amount": "manual"})
    assert says(hub, "new", "Новый", amount="100.10") == "new"
    give(hub, "onec", "order", "1043", {**BACK, "amount": "90.00", "cancelled": False, "status": "new"})
    assert rows(hub, conflict) == [], "one side alone has changed the sum that both knew"
    assert one(hub, record, kind="deal").data["amount"] == "90.00"


def test_a_step_back_behind_what_the_documents_say_changes_nothing(kit: Kit) -> None:
    """The deal stands where the payment has put it; that one taken back later is no step of the state."""
    hub = with_unf(kit)
    assert says(hub, "in_work", "В работе", paid=True) == "paid"
    assert says(hub, "new", "Открыт", paid=True) == "paid"
    assert says(hub, "new", "Открыт", paid=False) == "paid"
    assert rows(hub, conflict) == []
    assert says(hub, "shipped", "Отгружен", paid=True) == "shipped"
    assert says(hub, "new", "Открыт", paid=True) == "shipped", "beyond the payment it was the accountant's word"
    (asked,) = rows(hub, conflict, state="open")
    assert asked.sides["onec/order"] == "paid"


def test_a_state_of_its_own_name_is_known_again_whichever_of_its_words_is_named(kit: Kit) -> None:
    hub = with_unf(kit)
    assert says(hub, "in_work", "У кладовщика") == "in_work"
    for word in ("shipped", "paid", "in_work"):
        assert says(hub, word, "У  КЛАДОВЩИКА", comment=word) == "in_work", "the state has not moved"
    acts.set_stage(hub, "1043", "paid", "anna")
    sync(hub)
    context(hub).confirm(offer(hub).id)
    for word in ("in_work", "shipped"):
        assert says(hub, word, "У кладовщика", comment=f"{word} ещё") == "paid", word
    assert rows(hub, conflict) == []
    assert says(hub, "shipped", "Отгружен") == "shipped", "another state is news"


def test_a_state_that_the_web_services_bring_moves_the_deal_as_well(kit: Kit) -> None:
    unf = {"adapter": "onec_soap", "url": "http://127.0.0.1:9/unf", "login": "l", "password": "p", "code": "1"}
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "unf": unf}, [])
    kit.world("shop").put("deal", ORDER)
    sync(hub, trouble=True)
    party = {"name": CLIENT["name"], "phones": [CLIENT["phone"]]}
    for state, stage in (("Открыт", "new"), ("В работе", "in_work"), ("Завершен", "won"), ("В работе", "won")):
        assert rows(hub, conflict) == []
        give(hub, "unf", "order", "1043", {**BACK, "counterparty": party, "status_1c": state, "cancelled": False})
        assert one(hub, record, kind="deal").stage == stage, state
    assert [row.field for row in rows(hub, conflict, state="open")] == ["stage"]


def test_stages_that_were_given_one_word_are_told_apart_by_where_the_deal_stands(kit: Kit) -> None:
    hub = with_unf(kit, OWN_WORDS)
    assert says(hub, "W", "У кладовщика") == "in_work"
    acts.set_stage(hub, "1043", "shipped", "anna")
    sync(hub)
    assert says(hub, "W", "У кладовщика", comment="тот же") == "shipped"
    assert says(hub, "lost", "Закрыт") == "shipped"
    assert rows(hub, conflict) == [], "a loss that УНФ itself denies is nothing said, not an emptied field"
    assert says(hub, "F", "Закрыт") == "won"
    assert rows(hub, conflict, state="open") == []


def test_a_state_beyond_what_the_documents_say_is_heard_beside_them(kit: Kit) -> None:
    hub = with_unf(kit)
    assert says(hub, "in_work", "В работе", paid=True) == "paid"
    assert says(hub, "shipped", "Отгружен", paid=True) == "shipped"
    assert says(hub, "shipped", "Отгружен", paid=True, shipped=True) == "won"
    assert rows(hub, conflict, state="open") == []


@pytest.mark.parametrize(("owners", "stage"), [({}, "paid"), ({"deal.stage": "join"}, "shipped")])
def test_a_state_beyond_the_documents_hides_no_payment_from_a_crm_that_decides(
    kit: Kit, owners: dict[str, str], stage: str
) -> None:
    hub = with_unf(kit, crm=True, owners=owners)
    assert says(hub, "shipped", "Отгружен", paid=True) == stage
    assert says(hub, "shipped", "Отгружен", paid=True, comment="то же") == stage
    assert rows(hub, conflict, state="open") == []


@pytest.mark.parametrize(("owners", "stage"), [({}, "new"), ({"deal.stage": "join"}, "in_work")])
def test_with_a_crm_one_setting_lets_the_accountants_state_move_the_deal(
    kit: Kit, owners: dict[str, str], stage: str
) -> None:
    """As shipped the CRM decides over the stage; payments move it on all the same."""
    hub = with_unf(kit, crm=True, owners=owners)
    (card,) = [r.external_id for r in rows(hub, link, connection="crm")]
    assert says(hub, "in_work", "В работе") == stage
    assert kit.world("crm").record("deal", card).data["stage"] == stage
    assert says(hub, "in_work", "В работе", paid=True) == "paid"
    assert kit.world("crm").record("deal", card).data["stage"] == "paid"
    kit.world("crm").put("deal", {"stage": "shipped"}, card)
    sync(hub)
    assert says(hub, "in_work", "В работе", paid=True, comment="ещё") == "shipped"
    assert rows(hub, conflict, state="open") == []
