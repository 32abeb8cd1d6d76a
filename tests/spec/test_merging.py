"""Merges of clients in the database: everything follows, and taken back nothing is left of them, in any order."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sync.errors import NeedHuman
from sync.hub import merges, reports, views
from sync.hub.runtime import Hub
from sync.hub.trace import trace
from sync.identity import merging
from sync.store.tables import (
    activity,
    belongs,
    identity_job,
    identity_key,
    identity_profile,
    intent,
    journal,
    link,
    merge,
    observation,
    record,
    review,
    task,
)
from sync.store.types import dumps
from tests.spec.hubs import START, Kit, empty, give, one, rows, sync
from tests.spec.test_offers import ONEC
from tests.spec.test_spread import there, with_clients

ANNA = {"name": "Анна Тестова", "phone": "+79161234567", "email": "anna@mail.ru"}
PETR = {"name": "Пётр Пробный", "phone": "+79037654321", "email": "petr@mail.ru"}
OLGA = {"name": "Ольга Образцова", "phone": "+79051112233", "email": "olga@mail.ru"}
FIRM = {"name": "Иван Штатный", "company": "ООО «Проба»", "inn": "7707083893", "phone": "+74951234567"}
DEAL = {"number": "1043", "title": "Шкаф", "stage": "new", "amount": "100.10", "currency": "RUB"}


@pytest.fixture
def hub(kit: Kit) -> Hub:
    return kit.open({"shop": {"role": "shop", "kinds": ["deal", "lead"]}, "crm": {"kinds": ["contact", "company"]}})


def order(hub: Hub, number: str, client: dict[str, Any]) -> Any:
    give(hub, "shop", "deal", number, {**DEAL, "number": number, "client": client})
    return one(hub, record, kind="deal", number=number)


def title(hub: Hub, uid: str | None) -> str | None:
    """Whose a home card is today."""
    with hub.store.read() as tx:
        return str(one(hub, record, uid=merging.client_of(tx, str(uid))).title)


def refused(act: Callable[[], Any], code: str) -> NeedHuman:
    with pytest.raises(NeedHuman) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.text.ru != caught.value.text.en
    return caught.value


# what a merge means --------------------------------------------------------------------------------------------------------


def test_two_cards_are_shown_as_one_client_and_parted_again(hub: Hub) -> None:
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid
    before = views.client(hub, petr)
    done = merges.merge(hub, anna, petr, "Ирина", "это её муж, заказывает она")
    assert (done["kept"], done["gone"]) == (anna, petr)
    for uid in (anna, petr):
        shown = views.client(hub, uid)
        assert shown is not None
        assert (shown["uid"], shown["asked"], shown["cards"]) == (anna, uid, [anna, petr])
        assert {d["number"] for d in shown["deals"]} == {"1", "2"}
        assert shown["data"]["phones"] == [ANNA["phone"], PETR["phone"]]
        assert len(shown["timeline"]) == 2
        (line,) = shown["merged"]
        assert (line["name"], line["who"], line["why"]["ru"]) == ("Пётр Пробный", "Ирина", "это её муж, заказывает она")
    found = trace(hub, PETR["phone"])
    assert {t.number for t in found if t.kind == "deal"} == {"1", "2"}
    assert [t.uid for t in found if t.kind == "contact"] == [anna]
    assert {t.client["name"] for t in found if t.client} == {"Анна Тестова"}
    (hop,) = [h for t in found for h in t.hops if h.step == "merged"]
    assert "Пётр Пробный" in hop.text["ru"]
    assert "Ирина" in hop.text["en"]
    merges.unmerge(hub, petr, "Олег")
    assert views.client(hub, petr) == before
    steps = [h.step for t in trace(hub, petr) for h in t.hops]
    assert {"merged", "parted"} <= set(steps)
    row = one(hub, merge)
    assert (row.state, row.who, row.undone_by) == ("undone", "Ирина", "Олег")
    assert [(n.who, n.changes) for n in rows(hub, journal, why="human")] == [
        ("Ирина", {"merged_into": [None, anna]}),
        ("Олег", {"merged_into": [anna, None]}),
    ]


def test_events_that_come_between_lie_with_the_client_and_go_home_afterwards(hub: Hub) -> None:
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid
    merges.merge(hub, anna, petr, "Ирина")
    between = order(hub, "3", PETR)
    order(hub, "4", ANNA)
    assert title(hub, between.client_uid) == "Анна Тестова"
    assert len(rows(hub, review)) == 0
    assert len(rows(hub, record, kind="contact")) == 2, "nobody new was made"
    merges.unmerge(hub, petr, "Ирина")
    assert title(hub, between.client_uid) == "Пётр Пробный"
    shown = views.client(hub, petr)
    assert shown is not None
    assert {d["number"] for d in shown["deals"]} == {"2", "3"}
    assert order(hub, "5", PETR).client_uid == petr


def test_what_both_cards_say_together_is_no_question_any_more(hub: Hub) -> None:
    """One's phone and the other's address: two clients before, one now."""
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid
    merges.merge(hub, anna, petr, "Ирина")
    both = order(hub, "3", {"name": "", "phone": PETR["phone"], "email": ANNA["email"]})
    assert title(hub, both.client_uid) == "Анна Тестова"
    assert rows(hub, review) == []
    merges.unmerge(hub, petr, "Ирина")
    order(hub, "4", {"name": "", "phone": PETR["phone"], "email": ANNA["email"]})
    assert len(rows(hub, review)) == 1


def test_a_chain_and_its_middle(hub: Hub) -> None:
    anna, petr, olga = (order(hub, n, c).client_uid for n, c in (("1", ANNA), ("2", PETR), ("3", OLGA)))
    merges.merge(hub, petr, anna, "Ирина")
    merges.merge(hub, olga, petr, "Ирина")
    assert {title(hub, uid) for uid in (anna, petr, olga)} == {"Ольга Образцова"}
    assert title(hub, order(hub, "4", ANNA).client_uid) == "Ольга Образцова"
    merges.unmerge(hub, petr, "Ирина")
    assert [title(hub, uid) for uid in (anna, petr, olga)] == ["Пётр Пробный", "Пётр Пробный", "Ольга Образцова"]
    merges.unmerge(hub, anna, "Ирина")
    assert [title(hub, uid) for uid in (anna, petr, olga)] == ["Анна Тестова", "Пётр Пробный", "Ольга Образцова"]
    assert not [r for r in rows(hub, record) if r.merged_into]


def test_who_is_meant_may_be_said_by_phone_mail_number_or_name(hub: Hub) -> None:
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid
    done = merges.merge(hub, "8 (916) 123-45-67", "PETR@mail.ru", "Ирина")
    assert (done["kept"], done["gone"]) == (anna, petr)
    assert "Пётр" in str(refused(lambda: merges.unmerge(hub, "Анна Тестова", "Ирина"), "merge.which"))
    merges.unmerge(hub, petr, "Ирина")
    refused(lambda: merges.merge(hub, anna, "nobody@mail.ru", "Ирина"), "client.none")
    order(hub, "3", {**PETR, "phone": "+79050000001", "email": "other@mail.ru"})
    assert petr in str(refused(lambda: merges.merge(hub, anna, "Пётр Пробный", "Ирина"), "client.several"))


# what is refused -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_merged(hub: Hub) -> None:
    anna, petr, olga = (order(hub, n, c).client_uid for n, c in (("1", ANNA), ("2", PETR), ("3", OLGA)))
    firm = order(hub, "4", FIRM).client_uid
    assert one(hub, record, uid=firm).kind == "company"
    refused(lambda: merges.merge(hub, anna, anna, "Ирина"), "identity.itself")
    refused(lambda: merges.merge(hub, anna, firm, "Ирина"), "identity.kinds")
    refused(lambda: merges.merge(hub, anna, one(hub, record, kind="deal", number="1").uid, "Ирина"), "client.none")
    refused(lambda: merges.unmerge(hub, anna, "Ирина"), "merge.gone")
    merges.merge(hub, anna, petr, "Ирина")
    refused(lambda: merges.merge(hub, petr, anna, "Ирина"), "identity.same")  # a circle
    refused(lambda: merges.never(hub, petr, anna, "Ирина"), "identity.merged")
    merges.never(hub, petr, olga, "Олег")
    assert "Олег" in str(refused(lambda: merges.merge(hub, olga, anna, "Ирина"), "identity.never"))
    assert merges.never(hub, olga, petr, "Олег")["id"] is None, "it stands already"
    merges.allow(hub, olga, anna, "Олег")
    refused(lambda: merges.allow(hub, olga, anna, "Олег"), "identity.allowed")
    merges.merge(hub, olga, anna, "Ирина")
    merged = one(hub, merge, gone=petr)
    merges.unmerge(hub, merged.id, "Ирина")
    assert "Ирина" in str(refused(lambda: merges.unmerge(hub, merged.id, "Олег"), "merge.gone"))
    merges.merge(hub, firm, petr, "Ирина", mixed=True)
    assert title(hub, petr) == "ООО «Проба»"
    assert title(hub, order(hub, "5", PETR).client_uid) == "ООО «Проба»"


# other systems -------------------------------------------------------------------------------------------------------------


def test_a_deal_refers_to_the_surviving_card_and_back(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    for number, client in (("1", ANNA), ("2", PETR)):
        kit.world("shop").put("deal", {**DEAL, "number": number, "client": client})
    sync(hub)
    ids = {r["data"]["name"]: id for id, r in kit.world("crm").rows("contact").items()}
    anna, petr = (one(hub, record, title=c["name"]).uid for c in (ANNA, PETR))
    merges.merge(hub, anna, petr, "Ирина")
    sync(hub)
    assert {d["number"]: d["contact"] for d in there(kit, "deal")} == {"1": ids[ANNA["name"]], "2": ids[ANNA["name"]]}
    assert len(rows(hub, link, native_kind="contact", state="linked")) == 2, "both cards stay linked"
    (note,) = [n for n in rows(hub, journal, kind="deal") if n.why == "wrote:merge"]
    assert note.changes == {"client": [None, "Анна Тестова"]}
    kit.world("shop").put("deal", {**DEAL, "number": "3", "client": PETR})
    sync(hub)
    assert len(there(kit, "contact")) == 2
    assert [d["contact"] for d in there(kit, "deal") if d["number"] == "3"] == [ids[ANNA["name"]]]
    kit.forget_calls()
    sync(hub)
    assert kit.writes() == []
    merges.unmerge(hub, petr, "Ирина")
    sync(hub)
    expected = {"1": ids[ANNA["name"]], "2": ids[PETR["name"]], "3": ids[PETR["name"]]}
    assert {d["number"]: d["contact"] for d in there(kit, "deal")} == expected
    kit.forget_calls()
    sync(hub)
    assert kit.writes() == []


def test_a_client_who_was_never_there_is_made_when_the_cards_part(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("shop").put("deal", {**DEAL, "number": "1", "client": ANNA})
    sync(hub)
    give(hub, "shop", "deal", "9", {**DEAL, "number": "2", "client": PETR})
    anna, petr = (one(hub, record, title=c["name"]).uid for c in (ANNA, PETR))
    assert {i.op for i in rows(hub, intent, state="planned")} == {"create"}
    merges.merge(hub, anna, petr, "Ирина")
    sync(hub)
    assert len(there(kit, "contact")) == 1, "a merged card is not made there as a client"
    assert {d["contact"] for d in there(kit, "deal")} == {next(iter(kit.world("crm").rows("contact")))}
    merges.unmerge(hub, petr, "Ирина")
    sync(hub)
    sync(hub)
    ids = {r["data"]["name"]: id for id, r in kit.world("crm").rows("contact").items()}
    assert {d["number"]: d["contact"] for d in there(kit, "deal")} == {
        "1": ids["Анна Тестова"],
        "2": ids["Пётр Пробный"],
    }


def test_a_companys_deal_asks_for_the_surviving_person(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    people = [
        {**FIRM, "phone": "+79031110000", "email": "ivan.a@mail.ru"},
        {**FIRM, "name": "Вера Вторая", "phone": "+79032220000"},
    ]
    for number, client in zip("12", people, strict=True):
        kit.world("shop").put("deal", {**DEAL, "number": number, "client": client})
    sync(hub)
    ids = {r["data"]["name"]: id for id, r in kit.world("crm").rows("contact").items()}
    ivan, vera = (one(hub, record, title=c["name"]).uid for c in people)
    before = {d["number"]: (d["company"], d["contact"]) for d in there(kit, "deal")}
    assert {n: c for n, (_, c) in before.items()} == {"1": ids["Иван Штатный"], "2": ids["Вера Вторая"]}
    merges.merge(hub, ivan, vera, "Ирина")
    sync(hub)
    now = {d["number"]: (d["company"], d["contact"]) for d in there(kit, "deal")}
    assert now == {"1": before["1"], "2": (before["2"][0], ids["Иван Штатный"])}
    merges.unmerge(hub, vera, "Ирина")
    sync(hub)
    assert {d["number"]: (d["company"], d["contact"]) for d in there(kit, "deal")} == before


def test_what_accounting_is_offered_names_the_surviving_client(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "onec": ONEC}, [("deal", "shop", "onec", "always")])
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid

    def offered() -> dict[str, bool]:
        sync(hub)
        return {i.number: PETR["phone"] in dumps(i.data) for i in rows(hub, intent, state="planned")}

    assert offered() == {"1": False, "2": True}
    merges.merge(hub, anna, petr, "Ирина")
    assert offered() == {"1": False, "2": False}
    assert [r["client"] for r in reports.deals(hub)] == [ANNA["name"]] * 2
    merges.unmerge(hub, petr, "Ирина")
    assert offered() == {"1": False, "2": True}


def test_what_people_chose_over_there_is_left_alone(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    for number, client in (("1", ANNA), ("2", PETR)):
        kit.world("shop").put("deal", {**DEAL, "number": number, "client": client})
    sync(hub)
    theirs = kit.world("crm").put("contact", {"name": "Борис Ручной"})
    deal = next(id for id, r in kit.world("crm").rows("deal").items() if r["data"]["number"] == "2")
    kit.world("crm").put("deal", {"contact": theirs}, deal)
    sync(hub)
    anna, petr = (one(hub, record, title=c["name"]).uid for c in (ANNA, PETR))
    merges.merge(hub, anna, petr, "Ирина")
    sync(hub)
    assert kit.world("crm").rows("deal")[deal]["data"]["contact"] == theirs


# exactly -------------------------------------------------------------------------------------------------------------------

OTHER = {"name": "Вера Вторая", "company": "ООО «Другая»", "inn": "7728168971", "phone": "+74957654321"}
PEOPLE = [ANNA, PETR, OLGA, FIRM, OTHER]
TABLES = (record, link, observation, activity, task, belongs, review, identity_profile, identity_key, identity_job)
SEQUENCES = 40  # one after the other over one database
MADE = {"id", "batch", "run_id", "inbox_id"}  # counted by the database


class Steps:
    """A clock that stands still within a step, so that what else was looked at in it leaves no trace."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def step(self) -> None:
        self.at += timedelta(seconds=5)


def dump(hub: Hub) -> bytes:
    """Everything that a client's cards own and are, and which merges stand; no history of them."""
    found: dict[str, Any] = {}
    for table in TABLES:
        lines = [{str(k): v for k, v in r._mapping.items() if k not in MADE} for r in rows(hub, table)]
        found[table.name] = sorted(repr(sorted(line.items())) for line in lines)
    found["standing"] = [(r.kept, r.gone) for r in rows(hub, merge, state="stands")]
    found["open"] = sorted(i.native_kind for i in rows(hub, intent) if i.state not in ("done", "dropped"))
    return json.dumps(found, ensure_ascii=False).encode()


def differing(found: bytes, expected: bytes) -> list[tuple[str, Any, Any]]:
    """What is there and should not be, and the other way round."""
    pairs = [(name, lines, json.loads(expected)[name]) for name, lines in json.loads(found).items()]
    return [(n, [x for x in a if x not in b], [x for x in b if x not in a]) for n, a, b in pairs if a != b]


def arrive(hub: Hub, number: int, rng: random.Random) -> None:
    """The next order or lead of one of five clients, with all or some of what he alone is known by."""
    who = dict(PEOPLE[number] if number < len(PEOPLE) else rng.choice(PEOPLE))
    if number >= len(PEOPLE) and rng.random() < 0.5:
        who.pop("email", None)
    if number >= len(PEOPLE) and rng.random() < 0.4:
        event = {"type": "call", "id": f"c{number}", **who, "direction": rng.choice(["in", "out"])}
        more = {"deal": str(rng.randrange(number))} if rng.random() < 0.3 else {}
        at = {"at": hub.now().isoformat()}
        give(hub, "calls", "event", f"c{number}", {**event, **more, **at})
    elif number < len(PEOPLE) or rng.random() < 0.6:
        give(hub, "shop", "deal", f"d{number}", {**DEAL, "number": str(number), "client": who})
    else:
        give(hub, "shop", "lead", f"l{number}", {"title": f"Лид {number}", "status": "new", "client": who})


def play(kit: Kit, monkeypatch: pytest.MonkeyPatch, seed: int, meddling: random.Random | None) -> Iterator[bytes]:
    """What there is after each sequence: one or two arrivals; with `meddling`, between them merges and their undoing, and at
    the end all undone that stands."""
    empty(kit.store)
    kit.now = clock = Steps()  # type: ignore[assignment]
    counter = itertools.count(1)
    for place in ("sync.flow.absorb", "sync.flow.events", "sync.identity.clients"):
        monkeypatch.setattr(f"{place}.new_uid", lambda: f"u{next(counter):05}")
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal", "lead"]}, "calls": {"adapter": "events"}})
    rng = random.Random(seed)
    coming = iter(range(1000))
    for number in itertools.islice(coming, len(PEOPLE)):
        arrive(hub, number, rng)
    for sequence in range(SEQUENCES):
        for number in itertools.islice(coming, 1 + sequence % 2):
            clock.step()
            for _ in range(meddling.randint(1, 3) if meddling else 0):
                meddle(hub, meddling)
            arrive(hub, number, rng)
        if meddling:
            meddle(hub, meddling)
            standing = [r.id for r in rows(hub, merge, state="stands")]
            for id in meddling.sample(standing, len(standing)):
                merges.unmerge(hub, id, "Ирина")
        yield dump(hub)
    kit.close(hub)


def meddle(hub: Hub, rng: random.Random) -> None:
    """Merge two cards, or part two; what cannot be is refused."""
    standing = [r.id for r in rows(hub, merge, state="stands")]
    if standing and rng.random() < 0.4:
        merges.unmerge(hub, rng.choice(standing), "Ирина")
        return
    cards = {r.uid: r for r in rows(hub, record) if r.kind in merging.KINDS}
    kept, gone = (cards[uid] for uid in rng.sample(sorted(cards), 2))
    one_client = (kept.merged_into or kept.uid) == (gone.merged_into or gone.uid)
    if one_client or kept.kind != gone.kind:
        refused(
            lambda: merges.merge(hub, kept.uid, gone.uid, "Ирина"),
            "identity.kinds" if kept.kind != gone.kind else "identity.same",
        )
    else:
        merges.merge(hub, kept.uid, gone.uid, "Ирина")


@pytest.mark.parametrize("block", range(200 // SEQUENCES))
def test_two_hundred_random_sequences_end_byte_identical(kit: Kit, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(play(kit, monkeypatch, block, None))
    assert b"d4" in expected[0]
    assert b"'call'" in expected[-1]
    for number, found in enumerate(play(kit, monkeypatch, block, random.Random(block))):
        assert found == expected[number], f"sequence {number}: {differing(found, expected[number])}"
    with kit.store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(merge)).scalar_one() > SEQUENCES


def test_two_people_who_merge_at_one_instant_make_no_circle(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}})
    anna, petr = order(hub, "1", ANNA).client_uid, order(hub, "2", PETR).client_uid
    gate, codes = threading.Barrier(2), []

    def act(kept: str, gone: str) -> None:
        gate.wait(20)
        try:
            merges.merge(hub, kept, gone, "Ирина")
            codes.append("ok")
        except NeedHuman as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=act, args=pair) for pair in ((anna, petr), (petr, anna))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["identity.same", "ok"]
    assert len(rows(hub, merge)) == 1
    assert sum(r.merged_into is not None for r in rows(hub, record)) == 1
