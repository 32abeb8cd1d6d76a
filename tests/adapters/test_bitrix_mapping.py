"""The shipped mapping over records of the stand-in, both ways."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Change
from sync.errors import RecordRefused
from sync.lens import load
from tests.adapters.bitrix_kit import KEY, NOON, adapter_at, create
from tests.peers.bitrix import BitrixPeer

VIEW: dict[str, Any] = {
    "uid": "u",
    "number": "1043",
    "title": "Заказ 1043",
    "pipeline": "main",
    "stage": "in_work",
    "amount": Decimal("734.50"),
    "currency": "RUB",
    "comment": "Позвонить",
    "source": "vk",
    "utm": {"source": "vk", "campaign": "autumn"},
    "client": {"name": "Анна Тестова", "phones": ["+79161234567"], "emails": ["anna@example.test"]},
    "lines": [
        {"key": "1", "kind": "goods", "sku": "TEA-1", "name": "Чай", "qty": Decimal("3"), "price": Decimal("90.1")}
        | {"vat_rate": Decimal("22"), "vat_included": False, "sum": Decimal("270.30"), "unit_code": "796"},
        {
            "key": "2",
            "kind": "goods",
            "sku": "CUP-2",
            "qty": Decimal("1"),
            "price": Decimal("400"),
            "sum": Decimal("400"),
        },
        {"key": "3", "kind": "shipping", "name": "Доставка", "sum": Decimal("5.00"), "vat_included": True},
        {"key": "4", "kind": "discount", "name": "КУПОН", "sum": Decimal("0")},
    ],
}


@pytest.fixture
def portal():
    with BitrixPeer(now=NOON) as peer:
        yield peer


def test_an_order_becomes_a_deal_that_reads_as_the_same_order(portal):
    mapping = load("bitrix24")
    with adapter_at(portal) as adapter:
        native = mapping.lens("deal").create(VIEW)
        made = create(adapter, "deal", **native)
        found = mapping.lens("deal").get(made.data)
    assert not found.problems
    same = ("title", "pipeline", "stage", "amount", "currency", "comment", "source")
    assert {name: found.fields[name] for name in same} == {name: VIEW[name] for name in same}
    assert {k: v for k, v in found.fields["utm"].items() if v} == VIEW["utm"]
    lines = [(line["name"], line["qty"], line["price"], line["sum"]) for line in found.fields["lines"]]
    assert lines == [
        ("Чай", 3, Decimal("109.92"), Decimal("329.76")),  # with its tax: that is what a price is there
        ("CUP-2", 1, Decimal("400"), Decimal("400.00")),
        ("Доставка", 1, Decimal("5"), Decimal("5.00")),
    ]
    assert portal.row("deal", made.id)["IS_MANUAL_OPPORTUNITY"] == "Y"


def test_a_form_becomes_a_lead_with_its_client(portal):
    lens = load("bitrix24").lens("lead")
    view = {"uid": "u", "status": "new", "comment": "Перезвоните", "utm": {"source": "vk"}, "client": VIEW["client"]}
    with adapter_at(portal) as adapter:
        made = create(adapter, "lead", **lens.create(view))
        found = lens.get(made.data)
    assert found.fields["title"] == "Заявка: Анна Тестова"
    assert found.fields["status"] == "new"
    assert (found.client["phones"], found.client["emails"]) == (["+79161234567"], ["anna@example.test"])


def test_a_contact_is_written_back_by_the_lens(portal):
    lens = load("bitrix24").lens("contact")
    with adapter_at(portal) as adapter:
        made = create(
            adapter, "contact", **lens.create({"uid": "u", "name": "Анна Тестова", "phones": ["+79161234567"]})
        )
        patch = lens.put({"phones": ["+79161234567", "+74950000001"], "last_name": "Иная"}, made.data)
        after = adapter.write(Change("contact", made.id, patch, made, KEY.format(2)))
        found = lens.get(after.data)
    assert found.fields["phones"] == ["+79161234567", "+74950000001"]
    assert found.fields["name"] == "Анна Тестова Иная"
    assert after.data["PHONE"][0] == made.data["PHONE"][0]


@pytest.mark.parametrize(
    ("stage_id", "category", "stage"),
    [("NEW", 0, "new"), ("PREPAYMENT_INVOICE", 0, "in_work"), ("C1:WON", 1, "won"), ("APOLOGY", 0, "lost")],
)
def test_many_stages_of_all_pipelines_have_one_meaning(portal, stage_id, category, stage):
    lens = load("bitrix24").lens("deal")
    id = portal.add("deal", TITLE="Заказ", CATEGORY_ID=category, STAGE_ID=stage_id)
    with adapter_at(portal) as adapter:
        record = adapter.read("deal", id)
        assert record is not None
        found = lens.get(record.data)
        assert (found.fields["stage"], found.fields["pipeline"]) == (stage, "main")
        assert lens.put({"stage": stage}, record.data) == {}  # the card does not move within its meaning
        if stage != "won":
            patch = lens.put({"stage": "won"}, record.data)
            after = adapter.write(Change("deal", id, patch, record, KEY.format(1)))
            assert lens.get(after.data).fields["stage"] == "won"


def test_an_unknown_stage_is_a_named_problem_and_the_rest_is_taken(portal):
    lens = load("bitrix24").lens("deal")
    portal.add_stage("UC_7XK2QD", "Примерка")
    id = portal.add("deal", TITLE="Заказ", STAGE_ID="UC_7XK2QD", OPPORTUNITY="10")
    with adapter_at(portal) as adapter:
        record = adapter.read("deal", id)
    assert record is not None
    found = lens.get(record.data)
    assert [(p.field, p.value) for p in found.problems] == [("stage", "UC_7XK2QD")]
    assert "stage" not in found.fields
    assert found.fields["amount"] == Decimal("10.00")


def test_the_portals_words_held_against_the_mapping_name_exactly_the_unknown_ones(portal, tmp_path: Path):
    """What `sverka check` can tell before a single deal has them."""

    def unknown(folder: Path | None = None) -> list[tuple[str, str]]:
        mapping = load("bitrix24", folder)
        with adapter_at(portal) as adapter:
            found = [(kind, mapping.lens(kind).get(part).problems) for kind, part in adapter.words()]
        return [(kind, problem.value) for kind, problems in found for problem in problems]

    assert unknown() == []
    portal.add_stage("UC_7XK2QD", "Примерка")
    portal.add_stage("C1:UC_AAA", "Выезд", 1)
    assert unknown() == [("deal", "UC_AAA"), ("deal", "UC_7XK2QD")]
    (tmp_path / "bitrix24.toml").write_text(
        'system = "bitrix24"\nversion = 1\n[tables.stages]\nUC_7XK2QD = "in_work"\n', encoding="utf-8"
    )
    assert unknown(tmp_path) == [("deal", "UC_AAA")]


def test_a_firms_own_file_names_its_stages_and_fields(portal, tmp_path: Path):
    (tmp_path / "bitrix24.toml").write_text(
        'system = "bitrix24"\nversion = 1\n[tables.stages]\nUC_7XK2QD = "in_work"\n'
        '[deal.fields]\nlost_reason = "UF_CRM_LOST_REASON"\n',
        encoding="utf-8",
    )
    lens = load("bitrix24", tmp_path).lens("deal")
    portal.add_stage("UC_7XK2QD", "Примерка")
    id = portal.add("deal", TITLE="Заказ", STAGE_ID="UC_7XK2QD")
    with adapter_at(portal) as adapter:
        record = adapter.read("deal", id)
        assert record is not None
        assert lens.get(record.data).fields["stage"] == "in_work"
        patch = lens.put({"stage": "lost", "lost_reason": "Дорого"}, record.data)
        after = adapter.write(Change("deal", id, patch, record, KEY.format(1)))
    assert lens.get(after.data).fields["lost_reason"] == "Дорого"
    assert portal.row("deal", id)["STAGE_ID"] == "LOSE"


@pytest.mark.parametrize("kind", ["deal", "lead"])
def test_who_is_responsible_is_read_by_number_and_goes_both_ways_by_name(portal, tmp_path: Path, kind: str):
    """A number there says nothing elsewhere: it is written only where a firm's own table names the users."""
    id = portal.add(kind, TITLE="Заказ", ASSIGNED_BY_ID="12")
    with adapter_at(portal) as adapter:
        record = adapter.read(kind, id)
        assert record is not None
        shipped = load("bitrix24").lens(kind)
        assert shipped.get(record.data).fields["responsible"] == "12"
        assert "responsible" not in shipped.two_way
        (tmp_path / "bitrix24.toml").write_text(
            'system = "bitrix24"\nversion = 1\n[tables.users]\n1 = "Иванова"\n12 = "Петров"\n"*" = "Прочие"\n'
            f'[{kind}.fields]\nresponsible = "ASSIGNED_BY_ID | lookup(users)"\n',
            encoding="utf-8",
        )
        lens = load("bitrix24", tmp_path).lens(kind)
        assert lens.get(record.data).fields["responsible"] == "Петров"
        after = adapter.write(
            Change(kind, id, lens.put({"responsible": "Иванова"}, record.data), record, KEY.format(1))
        )
    assert portal.row(kind, id)["ASSIGNED_BY_ID"] == "1"
    assert lens.get(after.data).fields["responsible"] == "Иванова"
    with pytest.raises(RecordRefused):  # nobody is made responsible by a guess
        lens.put({"responsible": "Прочие"}, after.data)


def test_a_deal_without_a_contact_is_nobodys_and_a_person_comes_before_a_company(portal):
    lens = load("bitrix24").lens("deal")
    contact = portal.add("contact", NAME="Анна", PHONE=[{"VALUE": "+79161234567"}])
    company = portal.add("company", TITLE="ООО «Проба»", PHONE=[{"VALUE": "+74950000001"}])
    ids = [portal.add("deal", TITLE="А"), portal.add("deal", TITLE="Б", COMPANY_ID=company)]
    ids.append(portal.add("deal", TITLE="В", COMPANY_ID=company, CONTACT_ID=contact))
    with adapter_at(portal) as adapter:
        clients = [lens.get(adapter.read("deal", id).data).client for id in ids]
    assert clients[0] == {}
    assert (clients[1]["company"], clients[1]["phones"]) == ("ООО «Проба»", ["+74950000001"])
    assert (clients[2]["name"], clients[2]["phones"]) == ("Анна", ["+79161234567"])


def test_a_stage_that_no_word_has_is_not_written():
    with pytest.raises(RecordRefused):
        load("bitrix24").lens("lead").put({"status": "delighted"}, {"STATUS_ID": "NEW"})
