"""Clients in the database: what is observed, what is learnt, what is asked, and two writers at one instant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync.hub import acts
from sync.identity import attach
from sync.store import Store
from sync.store.tables import journal, observation, record, review
from tests.spec.hubs import BOTH, START, Kit, shared_store

ANNA = {"name": "Анна Тестова", "phone": "8 (916) 123-45-67", "email": "Anna@Example.ru"}


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = shared_store(request)
    yield opened
    opened.close()


def met(store: Store, client: dict[str, Any], source: str = "form", **more: Any) -> Any:
    with store.begin() as tx:
        return attach(store, tx, client, source, START, **more)


def kept(store: Store, table: sa.Table) -> list[Any]:
    with store.read() as tx:
        return list(tx.execute(sa.select(table).order_by(*table.primary_key.columns)))


def test_a_new_client_with_its_evidence(store: Store) -> None:
    uid, verdict, made = met(store, ANNA)
    assert (verdict.rule, made, verdict.question) == ("new", True, False)
    assert {(o.kind, o.value, o.raw, o.client_uid, o.source) for o in kept(store, observation)} == {
        ("phone", "+79161234567", ANNA["phone"], uid, "form"),
        ("email", "anna@example.ru", ANNA["email"], uid, "form"),
    }


@pytest.mark.parametrize(
    ("client", "rule"),
    [
        ({"phone": "+7 916 123 45 67"}, "phone"),
        ({"email": "ANNA@example.ru", "name": "Анна"}, "email"),
        ({"name": "Anna Testova", "phone": "89161234567"}, "phone"),
        ({"name": "А. Тестова", "phones": ["89161234567"]}, "phone"),
        ({**ANNA, "name": ""}, "email"),
    ],
)
def test_who_agrees_is_the_same(store: Store, client: dict[str, Any], rule: str) -> None:
    uid, _, _ = met(store, ANNA)
    found, verdict, made = met(store, client)
    assert (found, verdict.rule, made) == (uid, rule, False)
    assert verdict.text.ru
    assert len(kept(store, record)) == 1


@pytest.mark.parametrize("client", [{"name": "Анна"}, {}, {"phone": "12"}, {"email": "no"}, {"phone": "+70000000000"}])
def test_nothing_identifies_nobody(store: Store, client: dict[str, Any]) -> None:
    assert met(store, client)[0] is None
    assert kept(store, record) == []


def test_own_addresses_identify_nobody(store: Store) -> None:
    found = met(store, {"email": "boss@firma.example", "name": "Босс"}, own_domains=("firma.example",))
    assert (found[0], found[1].rule) == (None, "none")


def test_a_question_observes_nothing_and_is_asked_once(store: Store) -> None:
    uid, _, _ = met(store, ANNA)
    other = {"name": "Пётр Пробный", "phone": ANNA["phone"]}
    card, verdict, made = met(store, other)
    assert (verdict.question, made, card != uid) == (True, True, True)
    assert met(store, other)[::2] == (card, False)
    assert len(kept(store, review)) == 1
    assert {o.client_uid for o in kept(store, observation)} == {uid}
    assert met(store, {"name": "Ольга Иная", "phone": ANNA["phone"]})[0] not in (card, uid)
    assert len(kept(store, review)) == 2


def test_a_merged_client_is_found_no_more(store: Store) -> None:
    uid, _, _ = met(store, ANNA)
    with store.begin() as tx:
        tx.execute(record.update().where(record.c.uid == uid).values(merged_into="other"))
    assert met(store, ANNA)[0] != uid


def test_what_is_learnt_is_kept_and_journalled_once(store: Store) -> None:
    uid, _, _ = met(store, {"name": "Анна", "phone": ANNA["phone"]})
    for _ in range(3):
        met(store, {"name": "Тестова Анна Петровна", "phone": ANNA["phone"], "email": ANNA["email"]}, source="shop")
    (client,) = kept(store, record)
    assert client.title == "Тестова Анна Петровна"
    assert client.data["emails"] == ["anna@example.ru"]
    assert [(n.why, n.who) for n in kept(store, journal)] == [("created", "form"), ("observed", "shop")]
    assert len(kept(store, observation)) == 2
    met(store, {"name": "Анна", "phone": ANNA["phone"]})
    assert kept(store, record)[0].title == "Тестова Анна Петровна", "a shorter name teaches nothing"
    assert uid == client.uid


def test_a_company_keeps_its_own_name(store: Store) -> None:
    uid, _, _ = met(store, {"inn": "7707083893", "company": "ООО Ромашка", "phone": ANNA["phone"]})
    found, verdict, _ = met(store, {"name": "Анна Петровна Тестова", "phone": ANNA["phone"]})
    assert (found, verdict.question, kept(store, record)[0].title) == (uid, False, "ООО Ромашка")
    found, verdict, _ = met(store, {"company": "ЗАО Лютик", "phone": ANNA["phone"]})
    assert (verdict.question, found != uid) == (True, True)


def test_many_at_one_instant_make_one_client(store: Store) -> None:
    """Different keys in different orders: neither doubles nor deadlocks."""
    clients = [ANNA, {"email": ANNA["email"], "phones": [ANNA["phone"]], "name": "Анна"}] * 4
    gate, found, errors = threading.Barrier(len(clients)), [], []

    def work(client: dict[str, Any]) -> None:
        try:
            gate.wait(20)
            found.append(met(store, client)[0])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(c,)) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(found)) == 1
    assert len(kept(store, record)) == 1


@pytest.fixture
def kit(store: Store, tmp_path: Path) -> Iterator[Kit]:
    with Kit(store, tmp_path) as made:
        yield made


def test_a_decision_moves_everything_and_is_used_for_all(kit: Kit, store: Store) -> None:
    hub = kit.open({})
    uid, _, _ = met(store, ANNA)
    other = {"name": "Пётр Пробный", "phone": ANNA["phone"]}
    card, _, _ = met(store, other)
    (question,) = kept(store, review)
    with pytest.raises(Exception, match="Choose new or one of"):
        acts.decide_review(hub, question.id, "somebody", "Тест")
    acts.decide_review(hub, question.id, str(uid), "Тест")
    assert next(r for r in kept(store, record) if r.uid == card).merged_into == uid
    assert met(store, other)[0] == uid
    with pytest.raises(Exception, match="no open review"):
        acts.decide_review(hub, question.id, "new", "Тест")
