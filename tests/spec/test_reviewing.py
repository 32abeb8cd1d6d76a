"""Whose is it? Answered once for everybody, used by the next event, taken back exactly; contradictions are refused in words."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync.cli.app import app
from sync.hub import merges, reviewing, views
from sync.hub.runtime import Hub
from sync.identity import merging
from sync.store.tables import (
    activity,
    identity_key,
    identity_profile,
    intent,
    journal,
    lease,
    merge,
    never_pair,
    record,
    review,
)
from tests.spec.hubs import Kit, contents, give, one, push, rows, sync
from tests.spec.test_merging import ANNA, DEAL, OLGA, PETR, order, refused, title
from tests.spec.test_spread import there, with_clients

# Anna's address with Pyotr's phone: two strong keys that lead to two clients
TORN = {"name": "", "phone": PETR["phone"], "email": ANNA["email"]}
# Anna's phone under another name
NAMED = {"name": "Анна Пробная", "phone": ANNA["phone"]}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "calls": {"adapter": "events"}})


def asked(hub: Hub, client: dict[str, Any] = TORN, number: str = "9") -> Any:
    """Two clients are known, and an order comes that might be either's: the question."""
    order(hub, "1", ANNA)
    order(hub, "2", PETR)
    order(hub, number, client)
    return one(hub, review, state="open")


def uid_of(hub: Hub, client: dict[str, Any]) -> str:
    return str(one(hub, record, title=client["name"]).uid)


def rang(hub: Hub, id: str, **who: str) -> str:
    """A call; whose it is today."""
    push(hub, "calls", json.dumps({"type": "call", "id": id, **who}).encode())
    sync(hub)
    (call,) = [a for a in rows(hub, activity) if a.key.endswith(f":{id}")]
    return str(title(hub, call.client_uid))


# answers -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [TORN, NAMED], ids=["two keys", "another name"])
def test_the_event_is_seen_on_its_holding_card_meanwhile(hub: Hub, client: dict[str, Any]) -> None:
    question = asked(hub, client)
    (shown,) = reviewing.questions(hub)
    assert ANNA["name"] in [c["name"] for c in shown["candidates"]]
    assert all(c["reason"]["ru"] for c in shown["candidates"])
    assert shown["reason"]["ru"]
    assert [(e["type"], e["connection"]) for e in shown["events"]] == [("order", "shop")]
    card = views.client(hub, question.record_uid)
    assert card is not None
    assert (card["question"], [d["number"] for d in card["deals"]]) == (question.id, ["9"])


@pytest.mark.parametrize("client", [TORN, NAMED], ids=["two keys", "another name"])
def test_it_is_this_client(hub: Hub, client: dict[str, Any]) -> None:
    question = asked(hub, client)
    anna = uid_of(hub, ANNA)
    done = reviewing.decide(hub, question.id, "link", "Ирина", anna)
    assert (done["choice"], done["client"], done["open"]) == ("link", anna, False)
    assert title(hub, one(hub, record, kind="deal", number="9").client_uid) == ANNA["name"]
    shown = views.client(hub, anna)
    assert shown is not None
    assert {d["number"] for d in shown["deals"]} == {"1", "9"}
    assert (shown["question"], shown["merged"][0]["who"], shown["merged"][0]["rule"]) == (None, "Ирина", "review")
    assert title(hub, order(hub, "10", client).client_uid) == ANNA["name"], "the answer is used by the next event"
    assert len(rows(hub, review)) == 1
    assert one(hub, review).decision["who"] == "Ирина"


@pytest.mark.parametrize("client", [TORN, NAMED], ids=["two keys", "another name"])
@pytest.mark.parametrize("answer", ["new", "never"])
def test_it_is_a_client_of_its_own(hub: Hub, client: dict[str, Any], answer: str) -> None:
    question = asked(hub, client)
    reviewing.decide(hub, question.id, answer, "Ирина")
    card = one(hub, record, uid=question.record_uid)
    assert (card.held, card.merged_into) == (None, None)
    assert order(hub, "10", client).client_uid == question.record_uid, "the answer is used by the next event"
    assert [r.state for r in rows(hub, review)] == ["decided"]
    assert [title(hub, order(hub, n, c).client_uid) for n, c in (("11", ANNA), ("12", PETR))] == [
        ANNA["name"],
        PETR["name"],
    ]
    apart = [(r.card, r.signature) for r in rows(hub, never_pair)]
    assert apart == ([] if answer == "new" else [(question.record_uid, question.signature)] * len(question.candidates))
    if answer == "never":
        refused(lambda: merges.merge(hub, question.candidates[0]["uid"], question.record_uid, "Олег"), "identity.never")


def test_never_this_one_leaves_the_others(hub: Hub) -> None:
    question = asked(hub)
    anna, petr = uid_of(hub, ANNA), uid_of(hub, PETR)
    assert reviewing.decide(hub, question.id, "never", "Ирина", anna)["open"]
    (shown,) = reviewing.questions(hub)
    assert {c["uid"]: c.get("never", {}).get("who") for c in shown["candidates"]} == {anna: "Ирина", petr: None}
    refused(lambda: reviewing.decide(hub, question.id, "link", "Олег", anna), "identity.never")
    reviewing.decide(hub, question.id, "link", "Олег", petr)
    assert title(hub, question.record_uid) == PETR["name"]
    reviewing.take_back(hub, question.id, "Олег")
    reviewing.decide(hub, question.id, "link", "Олег", anna)
    assert title(hub, question.record_uid) == ANNA["name"], "with the answer the «never» was taken back"


# taken back ----------------------------------------------------------------------------------------------------------------

HISTORY = (merge.name, never_pair.name, journal.name, "command", lease.name)


@pytest.mark.parametrize("client", [TORN, NAMED], ids=["two keys", "another name"])
@pytest.mark.parametrize("answer", ["link", "new", "never"])
def test_an_answer_taken_back_leaves_the_question_as_it_was(hub: Hub, client: dict[str, Any], answer: str) -> None:
    question = asked(hub, client)
    before = contents(hub.store, HISTORY)
    shown = reviewing.questions(hub)
    for _ in range(2):
        reviewing.decide(hub, question.id, answer, "Ирина", uid_of(hub, ANNA) if answer == "link" else None)
        assert contents(hub.store, HISTORY) != before
        reviewing.take_back(hub, question.id, "Олег")
        assert contents(hub.store, HISTORY) == before
    assert reviewing.questions(hub) == shown
    assert {r.state for r in (*rows(hub, merge), *rows(hub, never_pair))} <= {"undone"}


def test_a_merge_taken_back_asks_its_question_again(hub: Hub) -> None:
    question = asked(hub)
    reviewing.decide(hub, question.id, "link", "Ирина", uid_of(hub, ANNA))
    merges.unmerge(hub, question.record_uid, "Олег")
    assert one(hub, review).state == "open"
    reviewing.decide(hub, question.id, "new", "Олег")
    assert one(hub, review).decision["choice"] == "new"


def test_what_came_between_stays_with_the_card_that_it_was_led_to(hub: Hub) -> None:
    question = asked(hub, NAMED)
    reviewing.decide(hub, question.id, "link", "Ирина", uid_of(hub, ANNA))
    same, annas = order(hub, "10", NAMED), order(hub, "11", ANNA)
    reviewing.take_back(hub, question.id, "Ирина")
    assert (same.client_uid, annas.client_uid) == (question.record_uid, uid_of(hub, ANNA))


# refused before anything is written ----------------------------------------------------------------------------------------


def test_answers_that_cannot_be(hub: Hub) -> None:
    question = asked(hub)
    anna, petr = uid_of(hub, ANNA), uid_of(hub, PETR)
    before = contents(hub.store)
    for answer, client in (
        ("link", None),
        ("link", "nobody"),
        ("link", question.record_uid),
        ("maybe", anna),
        ("", None),
    ):
        found = refused(lambda a=answer, c=client: reviewing.decide(hub, question.id, a, "Ирина", c), "review.choice")
        assert anna in str(found)
    refused(lambda: reviewing.decide(hub, question.id, "never", "Ирина", "nobody"), "review.choice")
    refused(lambda: reviewing.decide(hub, 99, "new", "Ирина"), "review.gone")
    refused(lambda: reviewing.take_back(hub, 99, "Ирина"), "review.gone")
    refused(lambda: reviewing.take_back(hub, question.id, "Ирина"), "review.unanswered")
    refused(lambda: merges.merge(hub, anna, question.record_uid, "Ирина"), "client.held")
    assert contents(hub.store) == before
    reviewing.decide(hub, question.id, "link", "Ирина", anna)
    found = refused(lambda: reviewing.decide(hub, question.id, "link", "Олег", petr), "review.gone")
    assert "Ирина" in str(found)
    assert "back" in str(found)


def test_a_candidate_who_was_merged_meanwhile(hub: Hub) -> None:
    question = asked(hub)
    anna, petr = uid_of(hub, ANNA), uid_of(hub, PETR)
    olga = order(hub, "3", OLGA).client_uid
    merges.merge(hub, olga, anna, "Олег")
    before = contents(hub.store)
    found = refused(lambda: reviewing.decide(hub, question.id, "link", "Ирина", anna), "review.merged")
    assert all(word in found.text.ru for word in (OLGA["name"], "Олег", olga))
    assert contents(hub.store) == before
    (shown,) = reviewing.questions(hub)
    assert {c["uid"] for c in shown["candidates"]} == {olga, petr}, "to choose from are the clients of today"
    reviewing.decide(hub, question.id, "link", "Ирина", olga)
    assert title(hub, question.record_uid) == OLGA["name"]


def test_candidates_who_have_become_one_stand_once(hub: Hub) -> None:
    question = asked(hub)
    anna, petr = uid_of(hub, ANNA), uid_of(hub, PETR)
    merges.merge(hub, anna, petr, "Олег")
    (shown,) = reviewing.questions(hub)
    assert [c["uid"] for c in shown["candidates"]] == [anna]
    reviewing.decide(hub, question.id, "never", "Ирина", anna)
    assert one(hub, review).state == "decided", "both cards were meant"
    assert {r.other for r in rows(hub, never_pair)} == {anna, petr}


def test_a_link_after_never_and_never_after_a_link(hub: Hub) -> None:
    question = asked(hub)
    anna = uid_of(hub, ANNA)
    merges.never(hub, question.record_uid, anna, "Олег")
    before = contents(hub.store)
    assert "Олег" in str(refused(lambda: reviewing.decide(hub, question.id, "link", "Ирина", anna), "identity.never"))
    assert contents(hub.store) == before
    merges.allow(hub, question.record_uid, anna, "Олег")
    reviewing.decide(hub, question.id, "link", "Ирина", anna)
    refused(lambda: merges.never(hub, question.record_uid, anna, "Олег"), "identity.merged")


def test_new_cannot_be_taken_back_under_a_merge(hub: Hub) -> None:
    question = asked(hub)
    reviewing.decide(hub, question.id, "new", "Ирина")
    merges.merge(hub, uid_of(hub, ANNA), question.record_uid, "Олег")
    refused(lambda: reviewing.take_back(hub, question.id, "Ирина"), "review.merged")
    merges.unmerge(hub, question.record_uid, "Олег")
    reviewing.take_back(hub, question.id, "Ирина")
    assert one(hub, record, uid=question.record_uid).held


# other systems -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["link", "new"])
def test_the_deal_gets_its_client_over_there_with_the_answer(kit: Kit, tmp_path: Path, answer: str) -> None:
    hub = with_clients(kit, tmp_path)
    for number, client in (("1", ANNA), ("2", PETR), ("9", TORN)):
        kit.world("shop").put("deal", {**DEAL, "number": number, "client": client})
    sync(hub)
    assert {d["number"]: "contact" in d for d in there(kit, "deal")} == {"1": True, "2": True, "9": False}
    question = one(hub, review)
    reviewing.decide(hub, question.id, answer, "Ирина", uid_of(hub, ANNA) if answer == "link" else None)
    sync(hub)
    sync(hub)
    contacts = kit.world("crm").rows("contact")
    assert len(contacts) == (2 if answer == "link" else 3)
    deals = {d["number"]: d["contact"] for d in there(kit, "deal")}
    assert (deals["9"] == deals["1"]) is (answer == "link")
    assert {*deals.values()} <= {*contacts}
    assert {i.state for i in rows(hub, intent)} == {"done"}


# leads ---------------------------------------------------------------------------------------------------------------------


def test_which_lead_became_the_deal(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal", "lead"]}})
    for number in "ab":
        give(hub, "shop", "lead", number, {"title": f"Заявка {number}", "status": "new", "client": ANNA})
    order(hub, "1", ANNA)
    question = one(hub, review)
    refused(lambda: reviewing.decide(hub, question.id, "link", "Ирина", uid_of(hub, ANNA)), "review.choice")
    chosen = question.candidates[0]["uid"]
    reviewing.decide(hub, question.id, "link", "Ирина", chosen)
    assert one(hub, record, uid=chosen).stage == "converted"
    refused(lambda: reviewing.take_back(hub, question.id, "Ирина"), "review.final")


# the command line ----------------------------------------------------------------------------------------------------------


def test_the_commands(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command calls the same functions as the pages; here that their words arrive."""
    question = asked(hub)
    anna, petr = uid_of(hub, ANNA), uid_of(hub, PETR)
    monkeypatch.setattr(Hub, "open", classmethod(lambda cls, path, **more: hub))
    monkeypatch.setattr(hub, "close", lambda: None)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result.output

    listed = run("review")
    assert ANNA["name"] in listed
    assert "order" in listed
    assert json.loads(run("review", "--json"))[0]["id"] == question.id
    run("review", str(question.id), "link", anna)
    assert getpass.getuser() in run("review", "--decided")
    assert one(hub, review).decision["who"] == getpass.getuser()
    run("review", str(question.id), "new", code=3)
    run("review", str(question.id), "back")
    run("client", "never", anna, petr)
    run("client", "merge", anna, petr, code=3)
    run("client", "allow", anna, petr)
    run("client", "merge", ANNA["phone"], PETR["email"], "--why", "один покупатель")
    shown = run("client", "show", PETR["email"])
    assert "один покупатель" in shown
    assert PETR["name"] in shown
    run("client", "unmerge", petr)
    with hub.store.read() as tx:
        assert merging.client_of(tx, petr) == petr


def test_a_holding_card_of_which_nothing_was_learnt_is_known_after_new(hub: Hub) -> None:
    question = asked(hub, NAMED)
    known = {r.uid for r in rows(hub, identity_profile)}
    reviewing.decide(hub, question.id, "new", "Ирина")
    leads = {(r.kind, r.value) for r in rows(hub, identity_key, uid=question.record_uid)}
    assert ("phone", ANNA["phone"]) in leads
    assert rang(hub, "c1", phone=NAMED["phone"], name=NAMED["name"]) == NAMED["name"]
    assert rang(hub, "c2", phone=ANNA["phone"], name=ANNA["name"]) == ANNA["name"]
    assert known <= {r.uid for r in rows(hub, identity_profile)}
