"""Taking records in: once, for the right client, with every trouble kept apart and nothing lost."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.base import Problem, RecordRefused, Text
from sync.flow import bulk
from sync.flow.plug import Cause, Counts
from sync.flow.take import pending, take, take_chunk
from sync.hub import acts, reviewing, works
from sync.hub.runtime import Hub
from sync.identity.merging import clients_of
from sync.store.tables import (
    activity,
    command,
    conflict,
    inbox,
    intent,
    journal,
    link,
    observation,
    quarantine,
    record,
    review,
    task,
)
from tests.spec.hubs import (
    CLIENT,
    Kit,
    dying,
    empty,
    every_death,
    give,
    one,
    plain,
    push,
    rows,
    sync,
    total,
)

LEAD = {
    "Name": "Анна Тестова",
    "Phone": "+7 916 123-45-67",
    "tranid": "1:100",
    "formid": "f1",
    "Textarea": "Нужен шкаф",
}
DEAL = {"number": "1043", "title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB", "client": CLIENT}


def forms(kit: Kit) -> Hub:
    return kit.open(
        {"tilda": {"adapter": "tilda"}, "office": {"adapter": "events", "role": "form"}, "pbx": {"adapter": "events"}}
    )


def shop(kit: Kit, **more: Any) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": ["deal", "product"], **more}})


def post_lead(hub: Hub, **more: str) -> Any:
    body = urlencode({**LEAD, **more}).encode()
    return push(hub, "tilda", body, content_type="application/x-www-form-urlencoded")


def post_event(hub: Hub, connection: str = "office", **event: Any) -> Any:
    return push(hub, connection, json.dumps({"type": "call", "id": "c1", **event}).encode())


def clients(hub: Hub) -> list[str]:
    return [r.title for r in rows(hub, record) if r.kind in ("contact", "company")]


# the same again ------------------------------------------------------------------------------------------------------


def test_the_same_record_twice(kit: Kit) -> None:
    hub = shop(kit)
    assert [give(hub, "shop", "deal", "7", DEAL) for _ in range(3)] == ["new", "same", "same"]
    assert (len(rows(hub, journal, kind="deal")), len(rows(hub, activity)), len(clients(hub))) == (1, 1, 1)
    deal = one(hub, record, kind="deal")
    assert (deal.number, deal.stage, deal.amount, deal.currency) == ("1043", "new", Decimal("100.10"), "RUB")
    assert deal.data["pipeline"] == "main"


def test_a_version_without_a_change_is_no_change(kit: Kit) -> None:
    hub = shop(kit)
    give(hub, "shop", "deal", "7", DEAL, version="1")
    assert give(hub, "shop", "deal", "7", DEAL, version="2") == "same"
    assert one(hub, link).version == "2", "the next write must name the version that stands there now"


def test_a_lead_repeated_by_its_sender(kit: Kit) -> None:
    hub = forms(kit)
    for _ in range(2):
        post_lead(hub)
        sync(hub)
    assert [r.state for r in rows(hub, inbox)] == ["done", "duplicate"]
    lead = one(hub, record, kind="lead")
    assert (lead.stage, clients(hub)) == ("new", ["Анна Тестова"])
    assert (len(rows(hub, task)), len(rows(hub, activity)), one(hub, task).client_uid) == (1, 1, lead.client_uid)


def test_a_changed_record_is_taken_and_journalled(kit: Kit) -> None:
    hub = shop(kit)
    give(hub, "shop", "deal", "7", DEAL)
    assert give(hub, "shop", "deal", "7", {**DEAL, "amount": "100.11", "comment": "срочно"}) == "changed"
    last = rows(hub, journal, kind="deal")[-1]
    assert last.changes == {"amount": ["100.10", "100.11"], "comment": [None, "срочно"]}
    assert (last.why, last.who, last.connection) == ("observed", "shop", "shop")
    assert one(hub, record, kind="deal").amount == Decimal("100.11")


# whose it is -----------------------------------------------------------------------------------------------------------


def test_two_events_of_one_unknown_person_at_once_make_one_client(kit: Kit) -> None:
    hub = forms(kit)
    for number in range(6):
        connection = "office" if number % 2 else "pbx"
        post_event(hub, connection, id=f"c{number}", phone=LEAD["Phone"], email=CLIENT["email"], name="Анна")
    gate = threading.Barrier(2)
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            gate.wait(10)
            works.take_pushed(hub, hub.plugs[name])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("office", "pbx")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert clients(hub) == ["Анна"]
    assert {(r.kind, r.value) for r in rows(hub, observation)} == {
        ("phone", "+79161234567"),
        ("email", "anna@mail.ru"),
        ("name", "ana"),
    }
    assert {r.client_uid for r in rows(hub, activity)} == {one(hub, record).uid}
    assert len(rows(hub, activity)) == 6


def test_everything_that_becomes_known_of_a_client_is_journalled(kit: Kit) -> None:
    hub = forms(kit)
    post_lead(hub, Name="Анна")
    sync(hub)
    post_event(hub, phone=LEAD["Phone"], name="Анна Тестова", email=CLIENT["email"])
    sync(hub)
    client = one(hub, record, kind="contact")
    assert client.data == {"name": "Анна Тестова", "phones": ["+79161234567"], "emails": ["anna@mail.ru"]}
    created, learnt = rows(hub, journal, record_uid=client.uid)
    assert (created.why, created.who, created.changes) == (
        "created",
        "tilda",
        {"name": "Анна", "phones": ["+79161234567"]},
    )
    assert learnt.changes == {"name": ["Анна", "Анна Тестова"], "emails": [None, ["anna@mail.ru"]]}
    assert (learnt.why, learnt.who, learnt.inbox_id) == ("observed", "office", rows(hub, inbox)[1].id)


def test_another_name_at_a_known_phone_is_a_question(kit: Kit) -> None:
    hub = forms(kit)
    post_lead(hub)
    sync(hub)
    post_event(hub, id="c1", phone=LEAD["Phone"], name="Анна Пробная")
    post_event(hub, id="c2", phone=LEAD["Phone"], name="Анна Пробная")
    sync(hub)
    question = one(hub, review)
    card = one(hub, record, uid=question.record_uid)
    anna = one(hub, record, title="Анна Тестова")
    assert (card.title, card.held) == ("Анна Пробная", True)
    assert [c["uid"] for c in question.candidates] == [anna.uid]
    assert "the name does not: Анна Тестова ≠ Анна Пробная" in question.candidates[0]["reason"]["en"]
    assert "имя другое" in question.reason["ru"]
    assert {r.client_uid for r in rows(hub, activity, connection="office")} == {card.uid}, "the events lie on the card"
    assert {o.client_uid for o in rows(hub, observation)} == {anna.uid}, "a question is no evidence"


@pytest.mark.parametrize("choice", ["new", "candidate"])
def test_a_decision_is_remembered(kit: Kit, choice: str) -> None:
    hub = forms(kit)
    post_lead(hub)
    sync(hub)
    post_event(hub, id="c1", phone=LEAD["Phone"], name="Анна Пробная")
    sync(hub)
    question = one(hub, review)
    chosen = question.record_uid if choice == "new" else question.candidates[0]["uid"]
    if choice == "new":
        reviewing.decide(hub, question.id, "new", "Тест")
    else:
        reviewing.decide(hub, question.id, "link", "Тест", chosen)
    post_event(hub, id="c2", phone=LEAD["Phone"], name="Анна Пробная")
    sync(hub)
    with hub.store.read() as tx:
        whose = clients_of(tx, [r.client_uid for r in rows(hub, activity, connection="office")])
    assert set(whose.values()) == {chosen}
    assert len(rows(hub, review)) == 1, "the same question was asked again"


def test_two_clients_behind_two_keys_are_a_question_and_never_a_merge(kit: Kit) -> None:
    hub = forms(kit)
    post_event(hub, id="c1", phone="+79161234567", name="Анна Тестова")
    post_event(hub, id="c2", email="anna@mail.ru", name="Анна")
    post_event(hub, id="c3", phone="+79161234567", email="anna@mail.ru", name="Анна")
    sync(hub)
    assert len(clients(hub)) == 3
    assert len(one(hub, review).candidates) == 2


def test_a_company_is_known_by_its_inn_and_anybody_may_write_in_its_name(kit: Kit) -> None:
    hub = forms(kit)
    post_event(hub, id="c1", inn="7707083893", company="ООО Ромашка", email="zakaz@romashka.example", name="Анна")
    post_event(hub, id="c2", inn="7707083893/773601001", company="ООО Ромашка-2", name="Пётр")
    post_event(hub, id="c3", email="zakaz@romashka.example", name="Пётр")
    sync(hub)
    company = one(hub, record)
    assert (company.kind, company.number) == ("company", "7707083893")
    assert company.title == "ООО Ромашка-2", "companies are renamed; the newest name of one source counts"
    assert len(rows(hub, activity, client_uid=company.uid)) == 3


def test_an_order_without_contacts_is_a_deal_and_a_row_with_words(kit: Kit) -> None:
    hub = shop(kit)
    assert give(hub, "shop", "deal", "7", {**DEAL, "client": {"name": "Аноним"}}) == "new"
    deal = one(hub, record)
    assert (deal.kind, deal.client_uid) == ("deal", None)
    waiting = one(hub, quarantine)
    assert (waiting.code, waiting.record_uid, waiting.state) == ("client.none", deal.uid, "open")
    assert "phone" in waiting.text["en"]
    assert "телефон" in waiting.text["ru"]
    give(hub, "shop", "deal", "7", DEAL)
    assert one(hub, quarantine).state == "closed"
    assert one(hub, record, kind="deal").client_uid == one(hub, record, kind="contact").uid


# what cannot be taken ----------------------------------------------------------------------------------------------------


def test_an_unknown_word_is_named_and_the_rest_is_taken(kit: Kit, tmp_path: Path) -> None:
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    own = (
        'system = "memory"\nversion = 1\n[tables.words]\nnew = "new"\n[deal.fields]\nstage = "stage | lookup(words)"\n'
    )
    (mappings / "memory.toml").write_text(own, encoding="utf-8")
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}}, hub={"mappings": str(mappings)})
    assert give(hub, "shop", "deal", "7", {**DEAL, "stage": "packed"}) == "new"
    deal = one(hub, record, kind="deal")
    assert (deal.amount, deal.stage) == (Decimal("100.10"), "new")
    waiting = one(hub, quarantine)
    assert (waiting.field, waiting.code, waiting.record_uid) == ("stage", "mapping.value", deal.uid)
    assert "packed" in waiting.text["en"]
    assert "packed" in waiting.text["ru"]
    _mended_and_retried(kit, hub, mappings / "memory.toml", own)


def _mended_and_retried(kit: Kit, hub: Hub, path: Path, own: str) -> None:
    acts.retry(hub, one(hub, quarantine).id)
    sync(hub)
    assert (one(hub, quarantine).state, one(hub, quarantine).count) == ("open", 2), "nothing was mended"
    kit.close(hub)
    path.write_text(own.replace('new = "new"', 'new = "new"\npacked = "shipped"'), encoding="utf-8")
    hub = kit.open()
    acts.retry(hub, one(hub, quarantine).id)
    sync(hub)
    assert (one(hub, quarantine).state, one(hub, record, kind="deal").stage) == ("closed", "shipped")
    assert rows(hub, command, kind="retry")[-1].result == {"outcome": "changed"}


POISON: list[dict[str, Any]] = [
    {"title": "half \ud800 character"},
    {"number": 1 << 80},
    {"title": "a\x00b", "number": "1\x00"},
    {"currency": "рублей"},
    {"stage": "x" * 200},
    {"client": "a text"},
    {"client": {**CLIENT, "phone": ["list"], "name": {"a": 1}}},
    {"lines": [{"id": None}, 5, "x"]},
    {"lines": "text"},
    {"amount": "1e400"},
    {"amount": "NaN"},
    {"title": {"nested": ["x"] * 10}},
    {"number": None},
]


def test_poison_records_cost_their_neighbours_nothing(kit: Kit) -> None:
    hub = shop(kit)
    world = kit.world("shop")
    for number, poison in enumerate(POISON):
        world.put("deal", {**DEAL, "number": f"good {number}"})
        world.put("deal", {**DEAL, **poison})
    runs = sync(hub)
    deals = rows(hub, record, kind="deal")
    assert {f"good {n}" for n in range(len(POISON))} <= {r.number for r in deals}
    assert len(deals) + total(runs, "failed") == 2 * len(POISON)
    assert len({r.external_id for r in rows(hub, quarantine)}) >= 3, "what could not be taken over is named"
    assert all(r.state == "done" for r in rows(hub, inbox))
    kit.forget_calls()
    runs = sync(hub)
    assert (total(runs, "new"), total(runs, "changed")) == (0, 0)


def test_a_fault_of_ours_is_kept_and_can_be_retried(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit)
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    monkeypatch.setattr("sync.flow.weave.columns", lambda kind, data: {}[data["number"]])
    kit.world("shop").put("deal", {"amount": "7.00"}, "1")
    assert total(sync(hub), "failed") == 1
    waiting = one(hub, quarantine)
    assert (waiting.code, one(hub, record, kind="deal").amount) == ("record.unexpected", Decimal("100.10"))
    assert "KeyError, test_absorb.py" in waiting.text["en"]
    assert "1043" not in waiting.text["en"]
    assert waiting.data["data"]["number"] == "1043"
    monkeypatch.undo()
    acts.retry(hub, waiting.id)
    sync(hub)
    assert (one(hub, quarantine).state, one(hub, record, kind="deal").amount) == ("closed", Decimal("7.00"))


def test_a_poison_product_sends_its_page_the_ordinary_way(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(kit)
    original = bulk.columns

    def columns(kind: str, data: Any) -> Any:
        if data.get("name") == "poison":
            raise AttributeError("a fault")
        return original(kind, data)

    monkeypatch.setattr("sync.flow.bulk.columns", columns)
    monkeypatch.setattr("sync.flow.absorb.columns", columns)
    for name in ("a", "poison", "b"):
        kit.world("shop").put("product", {"name": name, "sku": name})
    runs = sync(hub)
    assert sorted(r.title for r in rows(hub, record)) == ["a", "b"]
    assert (total(runs, "new"), total(runs, "failed"), total(runs, "read")) == (2, 1, 3)


def test_a_part_that_cannot_be_read_waits_beside_its_neighbours(kit: Kit) -> None:
    hub = forms(kit)
    body = [
        {"type": "call", "id": "1", "phone": LEAD["Phone"]},
        {"type": "visit", "id": "2"},
        5,
        {"type": "note", "id": "3"},
    ]
    push(hub, "office", json.dumps(body).encode())
    runs = sync(hub)
    assert (total(runs, "new"), total(runs, "failed")) == (2, 2)
    codes = sorted((r.code, r.external_id) for r in rows(hub, quarantine))
    assert [c for c, _ in codes] == ["client.none", "events.field", "events.shape"]
    assert one(hub, quarantine, code="events.field").raw


def test_a_whole_arrival_that_cannot_be_read(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = forms(kit)
    push(hub, "office", b"{broken")
    assert [(r.label, r.state) for r in rows(hub, inbox)] == [("broken", "kept")]
    post_event(hub, phone=LEAD["Phone"])
    adapter = type(hub.plugs["office"].adapter)
    refusal = RecordRefused(Text("unreadable", "не читается"), code="events.json")
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "unpack", lambda self, arrival: (_ for _ in ()).throw(refusal))
        sync(hub)
    assert rows(hub, inbox)[1].state == "failed"
    acts.retry(hub, one(hub, quarantine).id)
    sync(hub)
    assert (rows(hub, inbox)[1].state, len(rows(hub, activity)), one(hub, quarantine).state) == ("done", 1, "closed")


def test_a_problem_is_counted_once_and_closed_when_the_record_passes(kit: Kit) -> None:
    hub = shop(kit)
    plug = hub.plugs["shop"]
    bad = Problem("deal", "7", RecordRefused(Text("cut", "обрезано"), code="x.cut"), b"raw")
    for _ in range(3):
        assert take_chunk(hub.world, plug, [bad], Cause()).failed == 1
    assert (one(hub, quarantine).count, bytes(one(hub, quarantine).raw)) == (3, b"raw")
    give(hub, "shop", "deal", "7", DEAL)
    assert one(hub, quarantine).state == "closed"


# crashes, order, deletion ------------------------------------------------------------------------------------------------


def test_killed_between_records_and_taken_again(kit: Kit, tmp_path: Path) -> None:
    """Dying at every instant of taking a page leaves, after another try, the same records and no double."""

    def scenario(after: int | None) -> Any:
        empty(kit.store)
        with Kit(kit.store, tmp_path) as life:
            hub = life.open({"shop": {"role": "shop", "kinds": ["deal"]}})
            for number in ("1", "2"):
                life.world("shop").put("deal", {**DEAL, "number": number})
            with dying(after) as death:
                works.poll(hub, hub.plugs["shop"])
            life.now.pass_(minutes=5)  # until its lease has run out
            works.poll(hub, hub.plugs["shop"])
            assert total(works.poll(hub, hub.plugs["shop"]), "new") == 0
            tables = (record, link, journal, activity, observation, quarantine)
            return death, [plain(hub, table, "cursor") for table in tables]

    number, end = every_death(scenario, step=2)
    assert number > 12
    assert [len(lines) for lines in end] == [3, 2, 3, 2, 6, 0]


def test_an_arrival_that_was_half_taken_goes_on(kit: Kit) -> None:
    hub = shop(kit)
    for number in range(4):
        kit.world("shop").put("deal", {**DEAL, "number": str(number)})
    give(hub, "shop", "deal", "1", {**DEAL, "number": "0"}, version="1")
    runs = sync(hub)
    assert (total(runs, "same"), total(runs, "new")) == (1, 3)
    (waiting,) = rows(hub, inbox)
    with hub.store.begin() as tx:
        tx.execute(inbox.update().values(state="new"))
    counts = take(hub.world, hub.plugs["shop"], hub.spool, waiting.id)
    assert (counts.same, counts.read) == (3, 3)
    assert pending(hub.world, "shop") == []
    assert take(hub.world, hub.plugs["shop"], hub.spool, waiting.id) == Counts()


def test_what_was_read_before_our_own_write_is_read_again(kit: Kit) -> None:
    """A page asked for before a write ended shows the old value: it must not count as somebody's change back."""
    hub = kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["deal"]}}, [("deal", "shop", "crm", "always")]
    )
    kit.world("shop").put("deal", {**DEAL, "comment": "было"})
    sync(hub)
    crm = kit.world("crm")
    old = crm.record("deal", "1")
    before = hub.now()
    kit.world("shop").put("deal", {"comment": "от магазина"}, "1")
    sync(hub)
    assert crm.rows("deal")["1"]["data"]["comment"] == "от магазина"
    late = Cause(read_at=before)
    counts = take_chunk(hub.world, hub.plugs["crm"], [replace(old, data={**old.data, "amount": "100.100"})], late)
    assert (counts.same, counts.changed) == (1, 0)
    assert one(hub, record, kind="deal").data["comment"] == "от магазина"
    assert rows(hub, conflict) == []
    assert rows(hub, intent, state="planned") == []


def test_deletion_and_return(kit: Kit) -> None:
    hub = shop(kit)
    world = kit.world("shop")
    world.put("deal", DEAL)
    world.put("product", {"name": "Болт", "sku": "B-1"})
    sync(hub)
    world.delete("deal", "1")
    world.delete("product", "2")
    sync(hub)
    assert [r.deleted_at is not None for r in rows(hub, link)] == [True, True]
    assert one(hub, record, kind="deal").data["title"] == "Шкаф", "the deal stays"
    assert one(hub, record, kind="product").data["active"] is False
    world.put("deal", {"title": "Шкаф-2"}, "1")
    world.put("product", {"name": "Болт"}, "2")
    sync(hub)
    assert [r.deleted_at for r in rows(hub, link)] == [None, None]
    assert one(hub, record, kind="deal").data["title"] == "Шкаф-2"
    assert len(rows(hub, record)) == 3


def test_an_unknown_record_that_is_deleted_already_is_nothing(kit: Kit) -> None:
    hub = shop(kit)
    assert give(hub, "shop", "deal", "7", DEAL, deleted=True) == "skipped"
    assert rows(hub, record) == []


# leads and deals -----------------------------------------------------------------------------------------------------------


def test_the_only_open_lead_becomes_the_deal(kit: Kit) -> None:
    hub = kit.open({"tilda": {"adapter": "tilda"}, "shop": {"role": "shop", "kinds": ["deal"]}})
    post_lead(hub)
    sync(hub)
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    lead, deal = one(hub, record, kind="lead"), one(hub, record, kind="deal")
    assert (lead.stage, lead.converted_deal, lead.data["status"]) == ("converted", deal.uid, "converted")
    assert rows(hub, journal, record_uid=lead.uid)[-1].changes == {"status": ["new", "converted"]}
    assert len(clients(hub)) == 1


def test_the_crm_that_holds_the_lead_is_told_of_its_conversion(kit: Kit) -> None:
    hub = kit.open(
        {"tilda": {"adapter": "tilda"}, "shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["lead"]}},
        [("lead", "tilda", "crm", "always")],
    )
    post_lead(hub)
    sync(hub)
    ((card, row),) = kit.world("crm").rows("lead").items()
    assert row["data"]["status"] == "new"
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert kit.world("crm").record("lead", card).data["status"] == "converted"
    assert rows(hub, conflict) == []
    assert total(sync(hub), "writes") == 0


def test_a_card_of_the_crm_and_a_client_of_the_shop_are_one(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["contact", "company"]}})
    card = {"name": "Тестова Анна", "phones": ["8 916 123-45-67"]}
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    first = kit.world("crm").put("contact", card)
    sync(hub)
    client = one(hub, record, kind="contact")
    assert one(hub, record, kind="deal").client_uid == client.uid
    assert one(hub, link, connection="crm", external_id=first).record_uid == client.uid
    assert client.data["name"] == "Тестова Анна", "how a client is called the CRM says"
    assert rows(hub, conflict) == []
    kit.world("crm").put("contact", card)  # a second card of the same person: one only when a person says so
    sync(hub)
    assert len(rows(hub, record, kind="contact")) == 2


def test_a_card_that_comes_first_is_whom_the_order_belongs_to(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": ["contact"]}})
    kit.world("crm").put("contact", {"name": "Анна Тестова", "phones": ["+79161234567"]})
    sync(hub)
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert one(hub, record, kind="deal").client_uid == one(hub, record, kind="contact").uid


def test_several_open_leads_are_a_question_and_old_ones_are_none(kit: Kit) -> None:
    hub = kit.open(
        {"tilda": {"adapter": "tilda"}, "shop": {"role": "shop", "kinds": ["deal"]}}, hub={"lead_window": "1d"}
    )
    post_lead(hub, tranid="1:1")
    sync(hub)
    kit.now.pass_(days=2)
    for tranid in ("1:2", "1:3"):
        post_lead(hub, tranid=tranid)
    sync(hub)
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    question = one(hub, review)
    assert len(question.candidates) == 2
    assert question.record_uid == one(hub, record, kind="deal").uid
    assert [r.converted_deal for r in rows(hub, record, kind="lead")] == [None, None, None]


def test_an_event_with_the_same_id_and_newer_contents(kit: Kit) -> None:
    hub = forms(kit)
    post_event(hub, phone=LEAD["Phone"], direction="in", text="звонит")
    sync(hub)
    post_event(hub, phone=LEAD["Phone"], direction="in", text="поговорили", duration=65)
    runs = sync(hub)
    event = one(hub, activity)
    assert (event.text, event.duration) == ("поговорили", 65)
    assert total(runs, "changed") == 1


def test_a_single_record_that_json_cannot_hold(kit: Kit) -> None:
    hub = shop(kit)
    assert give(hub, "shop", "deal", "7", {**DEAL, "title": "half \ud800", "big": 1 << 80}) in ("new", "failed")
    assert len(rows(hub, record, kind="deal")) + len(rows(hub, quarantine)) == 1
