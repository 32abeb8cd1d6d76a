"""`sverka check --owners`: of every field in words who decides, by which rule, and what happens without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.memory import MemoryAdapter
from sync.hub import checks
from sync.hub.trace import trace
from sync.model.records import KINDS, UNDECIDED
from sync.store.tables import record
from tests.spec.hubs import Kit, give, one, open_kit, sync
from tests.spec.test_offers import BOLT, ONEC


@pytest.fixture(params=["sqlite"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


def test_the_effective_owner_of_every_field_in_words(kit: Kit) -> None:
    hub = kit.open(
        {"shop": {"role": "shop"}, "b24": {"role": "crm"}, "amo": {"role": "crm", "enabled": False}},
        owners={
            "deal.comment": "prefer:shop",
            "deal.title": "connection:amo",
            "deal.amount": "hub",
            "lead.title": "shop",
        },
    )
    found = {key: text.en for key, text in checks.explained(hub)}
    assert found["deal.stage"] == "b24 decides, on records that it holds (shipped default)"
    assert found["lead.title"] == "shop decides, on records that it holds (set under [owners])"
    assert found["deal.comment"] == (
        "whoever changes it is followed; of two changes that of shop counts (set under [owners])"
    )
    assert found["deal.title"].startswith("the connection amo is not live, therefore whoever changes it is followed")
    assert found["product.price"] == (
        "no connection has the role accounting, therefore whoever changes it is followed;"
        " of two changes a person chooses (shipped default)"
    )
    assert found["deal.paid"].startswith("nobody can state this fact: no connection has the role accounting")
    assert found["deal.amount"].startswith("people decide, in the hub")
    assert found["contact.phones"] == "what all sides hold is kept together (shipped default)"
    assert found["contact.first_name"].endswith("(no rule names the field)")
    assert found["deal.responsible"] == "b24 decides, on records that it holds (shipped default)"
    assert found.pop("task.*") == "the hub alone: its tasks are kept here and written to no system (always)"
    kinds = ("lead", "deal", "company", "contact", "product")
    assert set(found) == {f"{k}.{f}" for k in kinds for f in KINDS[k].model_fields if f not in UNDECIDED}
    for key, text in checks.explained(hub):
        assert text.ru != text.en, key
        assert "(" in text.ru


def test_in_short_of_each_kind_who_decides_what(kit: Kit) -> None:
    """What a plain `sverka check` shows: every field of every kind once, under the one who decides it."""
    hub = kit.open({"shop": {"role": "shop"}, "b24": {"role": "crm"}, "ut": {"role": "accounting"}})
    short = list(checks.in_short(hub))
    assert sorted(f"{kind}.{f}" for kind, _, fields in short for f in fields) == sorted(
        key for key, _ in checks.explained(hub)
    )
    told = {(kind, text.en): fields for kind, text, fields in short}
    assert told["deal", "b24 decides, on records that it holds"] == ["title", "stage", "responsible"]
    assert told["deal", "a fact that only ut can state"] == ["paid", "shipped"]
    assert told["contact", "what all sides hold is kept together"] == ["phones", "emails", "tags"]
    assert len(short) < 25


def test_whoever_works_on_a_deal_is_named_by_the_crm_and_shown(kit: Kit) -> None:
    """Handed over in the CRM: the others follow. Named anew elsewhere: the CRM's word is restored, and never written there."""
    hub = kit.open({"shop": {"role": "shop"}, "b24": {"role": "crm"}}, [("deal", "b24", "shop", "always")])
    crm, shop = kit.world("b24"), kit.world("shop")
    id = crm.put("deal", {"number": "1043", "title": "Заказ", "stage": "new", "responsible": "Иванова"})
    sync(hub)
    crm.put("deal", {"responsible": "Петров"}, id)
    sync(hub)
    (there,) = shop.rows("deal")
    assert shop.record("deal", there).data["responsible"] == "Петров"
    kit.forget_calls()
    shop.put("deal", {"responsible": "Сидоров"}, there)
    sync(hub)
    sync(hub)
    assert shop.record("deal", there).data["responsible"] == "Петров"
    assert kit.writes() == [("shop", "deal")]
    (shown,) = trace(hub, "1043")
    assert shown.responsible == "Петров"
    assert any("ответственный" in hop.text["ru"] for hop in shown.hops)


def test_two_owners_of_one_role(kit: Kit) -> None:
    hub = kit.open({"ut": {"role": "accounting"}, "bp": {"role": "accounting"}, "crm": {}})
    found = {key: text.en for key, text in checks.explained(hub)}
    assert found["product.price"].startswith("ut, bp decide; where they differ: whoever changes it is followed")
    assert found["deal.paid"] == "a fact that only ut, bp can state (shipped default)"


def test_a_stage_that_the_mapping_does_not_know_is_named_before_any_record_shows_it(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(_: MemoryAdapter) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "deal", {"stage": "new", "amount": "1.00"}
        yield "deal", {"stage": "new", "amount": "сто"}

    monkeypatch.setattr(MemoryAdapter, "words", words)
    hub = kit.open({"crm": {"kinds": ["deal"]}})
    failed = [line for line in checks.check(hub, "crm") if not line.ok]
    assert [(line.step, line.setting) for line in failed] == [("stages", "connections.crm.mapping")]


def test_a_full_description_is_not_overwritten_by_accounting(kit: Kit) -> None:
    folder = kit.folder / "mappings"
    folder.mkdir()
    (folder / "texts.toml").write_text(
        'system = "texts"\nversion = 1\n[product]\nkind = "product"\n[product.fields]\nsku = { get = "sku" }\n'
        'name = "name"\ndescription = "description"\n',
        encoding="utf-8",
    )
    keys = {"role": "shop", "kinds": ["product"], "mapping": "texts"}
    hub = kit.open({"shop": keys, "onec": ONEC}, hub={"mappings": str(folder)})
    shop = kit.world("shop")
    id = shop.put("product", {"sku": "B-1", "name": "Болт", "description": "Длинный текст магазина"})
    sync(hub)
    give(hub, "onec", "product", "g1", {**BOLT, "name": "Болт М8", "description": "Болт"})
    sync(hub)
    found = one(hub, record, kind="product")
    assert (found.data["description"], found.data["name"]) == ("Длинный текст магазина", "Болт М8")
    assert shop.record("product", id).data["description"] == "Длинный текст магазина"
