"""From one system into others: only flows create, at most one CRM holds a deal, and conditions are kept."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.config import When
from sync.flow.spread import wanted
from sync.hub import acts, approvals, works
from sync.hub.runtime import Hub
from sync.store.tables import intent, journal, link, quarantine, record
from tests.spec.hubs import CLIENT, Kit, one, push, rows, sync
from tests.spec.test_offers import ORDER
from tests.spec.test_weave import quiet

DEAL = {k: v for k, v in ORDER.items() if k != "lines"}
BIG = {"field": "amount", "op": "gt", "value": 1000}


def crms(kit: Kit, *creates: Any) -> Hub:
    """A shop and two CRMs, each with a flow."""
    names = ["one", "two"][: len(creates)]
    return kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, **{n: {"kinds": ["deal"]} for n in names}},
        [("deal", "shop", n, create) for n, create in zip(names, creates, strict=True)],
    )


def held(kit: Kit) -> list[int]:
    return [len(kit.world(n).rows("deal")) for n in ("one", "two")]


def test_without_a_flow_nothing_is_created(kit: Kit) -> None:
    hub = kit.open({"shop": {"role": "shop", "kinds": ["deal"]}, "one": {"kinds": ["deal"]}})
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert (kit.writes(), rows(hub, intent)) == ([], [])


def test_a_flow_that_never_creates(kit: Kit) -> None:
    hub = crms(kit, "never")
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert kit.writes() == []


def test_the_first_matching_flow_wins(kit: Kit) -> None:
    hub = crms(kit, "always", "always")
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    sync(hub)
    assert held(kit) == [1, 0]
    note = next(n for n in rows(hub, journal) if n.why == "wrote:created")
    assert note.connection == "one"


def test_a_flow_that_does_not_match_does_not_stand_in_the_way(kit: Kit) -> None:
    hub = crms(kit, BIG, "always")
    kit.world("shop").put("deal", DEAL)
    kit.world("shop").put("deal", {**DEAL, "number": "2", "amount": "5000"})
    sync(hub)
    assert held(kit) == [1, 1]
    assert kit.world("one").rows("deal")["1"]["data"]["number"] == "2"


def test_a_deal_that_matches_another_flow_later_stays_where_it_is(kit: Kit) -> None:
    hub = crms(kit, BIG, "always")
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    kit.world("shop").put("deal", {"amount": "5000"}, "1")
    sync(hub)
    assert held(kit) == [0, 1]


def test_a_create_under_way_counts_as_there(kit: Kit) -> None:
    hub = crms(kit, BIG, "always")
    kit.world("one").plan.faults = [{"call": "write", "mode": "error", "times": 9}]
    kit.world("shop").put("deal", {**DEAL, "amount": "5000"})
    sync(hub)
    kit.world("shop").put("deal", {"amount": "10"}, "1")
    sync(hub)
    kit.world("one").plan.faults = []
    kit.now.pass_(hours=2)
    sync(hub)
    assert held(kit) == [1, 0]


def test_a_condition_that_comes_true_later(kit: Kit) -> None:
    hub = crms(kit, BIG)
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert kit.world("one").rows("deal") == {}
    kit.world("shop").put("deal", {"amount": "1000.01"}, "1")
    sync(hub)
    assert kit.world("one").rows("deal")["1"]["data"]["amount"] == "1000.01"


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("amount", "gt", 100, True),
        ("amount", "gt", "100.10", False),
        ("amount", "lt", 101, True),
        ("amount", "lt", 5, False),
        ("stage", "eq", "new", True),
        ("stage", "ne", "new", False),
        ("stage", "in", ["new", "won"], True),
        ("stage", "in", None, False),
        ("comment", "empty", None, True),
        ("comment", "filled", None, False),
        ("title", "filled", None, True),
        ("absent", "empty", None, True),
        ("absent", "gt", 1, False),
        ("absent", "eq", "x", False),
    ],
)
def test_conditions(field: str, op: Any, value: Any, expected: bool) -> None:
    data = {"amount": Decimal("100.10"), "stage": "new", "comment": "", "title": "x"}
    assert wanted(When(field=field, op=op, value=value), data) is expected


def test_a_lead_goes_to_the_crm_with_its_client_once(kit: Kit) -> None:
    hub = kit.open({"tilda": {"adapter": "tilda"}, "crm": {"kinds": ["lead"]}}, [("lead", "tilda", "crm", "always")])
    body = "Name=Анна&Phone=%2B79161234567&tranid=1:1&formname=Заявка".encode()
    for _ in range(2):
        push(hub, "tilda", body, content_type="application/x-www-form-urlencoded")
        sync(hub)
    (lead,) = kit.world("crm").rows("lead").values()
    assert lead["data"]["client"] == {"name": "Анна", "phone": "+79161234567"}
    assert lead["data"]["status"] == "new"
    kit.world("crm").put("lead", {"status": "in_work"}, "1")
    sync(hub)
    assert one(hub, record, kind="lead").stage == "in_work"


def test_a_crm_of_its_own_deal_is_not_given_another(kit: Kit) -> None:
    hub = crms(kit, "always", "always")
    kit.world("one").put("deal", DEAL)
    sync(hub)
    assert held(kit) == [1, 0]
    assert [r.connection for r in rows(hub, link)] == ["one"]


def test_a_create_carries_the_client(kit: Kit) -> None:
    hub = crms(kit, "always")
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    (deal,) = kit.world("one").rows("deal").values()
    assert deal["data"]["client"] == CLIENT
    assert deal["key"] == one(hub, intent).id, "the correlation key is the intent's own id"


# the client before the deal ---------------------------------------------------------------------------------------------

WITH_IDS = """system = "memory"
version = 1
[deal.create.fields]
contact = "client.contact_id"
company = "client.company_id"
"""


def with_clients(
    kit: Kit, folder: Path, kinds: tuple[str, ...] = ("deal", "contact", "company"), more_mapping: str = "", **more: Any
) -> Hub:
    """A CRM whose mapping wants the client's id in a new deal."""
    mappings = folder / "mappings"
    mappings.mkdir(exist_ok=True)
    (mappings / "memory.toml").write_text(WITH_IDS + more_mapping, encoding="utf-8")
    return kit.open(
        {"shop": {"role": "shop", "kinds": ["deal"]}, "crm": {"kinds": list(kinds)}},
        [("deal", "shop", "crm", "always")],
        hub={"mappings": str(mappings)},
        **more,
    )


def there(kit: Kit, kind: str) -> list[dict[str, Any]]:
    return [r["data"] for r in kit.world("crm").rows(kind).values()]


def test_the_client_is_made_before_the_deal_that_refers_to_them(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("shop").put("deal", DEAL)
    kit.world("shop").put("deal", {**DEAL, "number": "1044"})
    sync(hub)
    assert kit.writes() == [("crm", "contact"), ("crm", "deal"), ("crm", "deal")]
    (client,) = kit.world("crm").rows("contact")
    assert [d["contact"] for d in there(kit, "deal")] == [client, client]
    assert there(kit, "contact") == [{"name": "Анна Тестова", "phones": ["+79161234567"], "emails": ["anna@mail.ru"]}]
    uid = one(hub, record, kind="contact").uid
    assert one(hub, link, native_kind="contact").record_uid == uid
    kit.world("shop").put("deal", {**DEAL, "number": "1045"})
    sync(hub)
    assert ([d["contact"] for d in there(kit, "deal")], len(there(kit, "contact"))) == ([client] * 3, 1)
    quiet(kit, hub)


def test_the_deal_follows_its_client_in_the_same_run(kit: Kit, tmp_path: Path) -> None:
    """And not with the next tick of the clock."""
    hub = with_clients(kit, tmp_path)
    kit.world("shop").put("deal", DEAL)
    works.poll(hub, hub.plugs["shop"])
    (run,) = works.deliver(hub, hub.plugs["crm"])
    assert (run.counts.writes, kit.writes()) == (2, [("crm", "contact"), ("crm", "deal")])


def test_a_company_is_a_client_as_well(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("shop").put("deal", {**DEAL, "client": {**CLIENT, "company": "ООО «Проба»", "inn": "7707083893"}})
    sync(hub)
    assert [(c["inn"], c["name"]) for c in there(kit, "company")] == [("7707083893", "ООО «Проба»")]
    assert [c["name"] for c in there(kit, "contact")] == ["Анна Тестова"], "who acts for it is made there as well"
    assert kit.writes() == [("crm", "company"), ("crm", "contact"), ("crm", "deal")]
    ((company,), (contact,)) = kit.world("crm").rows("company"), kit.world("crm").rows("contact")
    assert [(d["company"], d["contact"], d["client"]["name"]) for d in there(kit, "deal")] == [
        (company, contact, "Анна Тестова")
    ]
    quiet(kit, hub)


CIRCLE = """[company.create.fields]
director = "client.contact_id"
[contact.create.fields]
works_at = "client.company_id"
"""


@pytest.mark.parametrize("fault", ["", "lost", "refuse"])
def test_records_that_ask_for_each_other_are_made_all_the_same(kit: Kit, tmp_path: Path, fault: str) -> None:
    """E6. A mapping whose companies ask for their person, and whose persons for their company: none waits for the other, for
    only what lies further from the client waits for what lies nearer."""
    hub = with_clients(kit, tmp_path, more_mapping=CIRCLE)
    kit.world("crm").plan.faults = [{"call": "write", "kind": "company", "mode": fault, "times": 1}] if fault else []
    kit.world("shop").put("deal", {**DEAL, "client": {**CLIENT, "company": "ООО «Проба»", "inn": "7707083893"}})
    sync(hub, trouble=True)
    for held in rows(hub, quarantine, code="fault.refused"):
        acts.retry(hub, held.id)
    for _ in range(3):
        kit.now.pass_(hours=2)
        sync(hub, trouble=True)
    ((company,), (contact,)) = kit.world("crm").rows("company"), kit.world("crm").rows("contact")
    assert [(d["company"], d["contact"]) for d in there(kit, "deal")] == [(company, contact)]
    assert [("director" in c, "works_at" in c) for c in there(kit, "company")] == [(False, False)]
    assert [c.get("works_at") for c in there(kit, "contact")] == [company]
    kinds = {one.uid: ("company", "contact", "deal").index(one.kind) for one in rows(hub, record)}
    waited = [(kinds[one.needs], kinds[one.record_uid]) for one in rows(hub, intent) if one.needs]
    assert (0, 1) in waited
    assert all(first < then for first, then in waited)
    quiet(kit, hub)


def test_a_new_person_of_a_company_that_is_there_says_whose_they_are(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path, more_mapping='[contact.create.fields]\nworks_at = "client.company_id"\n')
    firm = {"company": "ООО «Проба»", "inn": "7707083893"}
    kit.world("shop").put("deal", {**DEAL, "client": {**CLIENT, **firm}})
    sync(hub)
    other = {"name": "Борис Пробный", "phone": "+79037654321", "email": "boris@mail.ru"}
    kit.world("shop").put("deal", {**DEAL, "number": "1044", "client": {**other, **firm}})
    kit.world("shop").put(
        "deal", {**DEAL, "number": "1045", "client": {**CLIENT, "phone": "+79030000001", "name": "Вера"}}
    )
    sync(hub)
    (company,) = kit.world("crm").rows("company")
    assert {c["name"]: c.get("works_at") for c in there(kit, "contact")}["Борис Пробный"] == company
    assert len([c for c in there(kit, "contact") if "works_at" in c]) == 2
    quiet(kit, hub)


def test_a_company_that_cannot_be_made_keeps_back_its_person_and_deal(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("crm").plan.faults = [{"call": "write", "kind": "company", "mode": "refuse", "times": 1}]
    kit.world("shop").put("deal", {**DEAL, "client": {**CLIENT, "company": "ООО «Проба»", "inn": "7707083893"}})
    sync(hub)
    assert (there(kit, "contact"), there(kit, "deal")) == ([], [])
    codes = {q.code: q for q in rows(hub, quarantine)}
    assert set(codes) == {"fault.refused", "delivery.parent"}
    acts.retry(hub, codes["fault.refused"].id)
    sync(hub)
    sync(hub)
    assert [(bool(d["company"]), bool(d["contact"])) for d in there(kit, "deal")] == [(True, True)]
    assert {q.state for q in rows(hub, quarantine)} == {"closed"}
    quiet(kit, hub)


def test_a_client_that_cannot_be_made_keeps_back_only_their_own_deals(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("crm").plan.faults = [{"call": "write", "kind": "contact", "mode": "refuse", "times": 1}]
    kit.world("shop").put("deal", DEAL)
    other = {"name": "Борис Пробный", "phone": "+79037654321", "email": "boris@mail.ru"}
    kit.world("shop").put("deal", {**DEAL, "number": "2", "client": other})
    sync(hub)
    assert [d["number"] for d in there(kit, "deal")] == ["2"]
    codes = {q.code: q for q in rows(hub, quarantine)}
    assert set(codes) == {"fault.refused", "delivery.parent"}
    assert "crm" in codes["delivery.parent"].text["ru"]
    kit.world("shop").put("deal", {"comment": "ещё раз"}, "1")
    sync(hub)
    assert [d["number"] for d in there(kit, "deal")] == ["2"]
    acts.retry(hub, codes["fault.refused"].id)
    sync(hub)
    sync(hub)
    assert sorted(d["number"] for d in there(kit, "deal")) == ["1043", "2"]
    assert all(d["contact"] for d in there(kit, "deal"))
    assert {q.state for q in rows(hub, quarantine)} == {"closed"}
    quiet(kit, hub)


def test_a_client_whose_creation_is_not_known_yet_keeps_the_deal_waiting(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path)
    kit.world("crm").plan.faults = [
        {"call": "write", "kind": "contact", "mode": "lost", "times": 1},
        {"call": "find", "kind": "contact", "times": 1},
    ]
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert there(kit, "deal") == []
    kit.now.pass_(hours=2)
    sync(hub)
    (client,) = kit.world("crm").rows("contact")
    assert [d["contact"] for d in there(kit, "deal")] == [client]


def test_first_runs_show_the_clients_with_their_deals(kit: Kit, tmp_path: Path) -> None:
    """One question, one yes."""
    hub = with_clients(kit, tmp_path, limits={"first_run": "ask", "writes": 1})
    for number in ("1", "2", "3"):
        kit.world("shop").put("deal", {**DEAL, "number": number})
    sync(hub)
    (waits,) = approvals.waiting(hub)
    assert waits["counts"] == {"create crm/contact": 1, "create crm/deal": 3}
    approvals.approve(hub, waits["id"], "Ирина Пробная")
    sync(hub)
    assert ([bool(d["contact"]) for d in there(kit, "deal")], approvals.waiting(hub)) == ([True] * 3, [])
    quiet(kit, hub)


def test_a_system_that_makes_no_clients_gets_the_deal_without(kit: Kit, tmp_path: Path) -> None:
    hub = with_clients(kit, tmp_path, kinds=("deal",))
    kit.world("shop").put("deal", DEAL)
    sync(hub)
    assert ["contact" in d for d in there(kit, "deal")] == [False]


def test_goods_that_a_crm_does_not_know_do_not_keep_the_deal_back(kit: Kit) -> None:
    """Only accounting must know every product; a manager sees the deal at once."""
    hub = crms(kit, "always")
    kit.world("shop").put("deal", ORDER)
    sync(hub)
    assert held(kit) == [1, 0]
    assert rows(hub, quarantine) == []
