"""Writing: patches, the keep-old rule, lists and records of texts, creates, the two laws' checker."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.errors import RecordRefused
from sync.lens import Lens, apply_patch, check_laws
from tests.unit.lens_help import deal, mapping

STAGES = """
[tables.stages]
pending = "new"
on-hold = "new"
processing = "in_work"
completed = "won"
[tables.back]
processing = "in_work"
"""


def lens_of(folder: Path, kind: str, fields: str, rest: str = "") -> Lens:
    return mapping(folder, f'[x]\nkind = "{kind}"\n[x.fields]\n{fields}\n{rest}').lens("x")


def refused(lens: Lens, fields: dict[str, Any], native: dict[str, Any]) -> RecordRefused:
    with pytest.raises(RecordRefused) as caught:
        lens.put(fields, native)
    assert caught.value.code == "mapping.inexpressible"
    return caught.value


def test_two_native_statuses_of_one_stage_an_idle_sync_moves_nothing(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'stage = "status | lookup(stages)"', STAGES)
    assert lens.put({"stage": "new"}, {"status": "on-hold"}) == {}
    assert lens.put({"stage": "new"}, {"status": "completed"}) == {"status": "pending"}
    assert lens.put({"stage": "new"}, {}) == {"status": "pending"}


def test_a_narrower_way_back(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'stage = { get = "status | lookup(stages)", put = "status | lookup(back)" }', STAGES)
    assert lens.put({"stage": "in_work"}, {"status": "on-hold"}) == {"status": "processing"}
    assert lens.put({"stage": "won"}, {"status": "completed"}) == {}
    assert refused(lens, {"stage": "won"}, {"status": "on-hold"}).field == "stage"


def test_a_way_back_to_another_place_must_still_be_read_again(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'title = { get = "seen", put = "sent" }')
    assert refused(lens, {"title": "новое"}, {"seen": "старое"}).field == "title"


def test_only_what_changes_is_in_the_patch(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'number = "n"\ntitle = "a.b.title"\ncomment = "a.b.note"\namount = { get = "sum" }')
    native = {"n": 5, "a": {"b": {"title": "т", "note": " прежнее ", "other": 1}}, "sum": "1"}
    fields = {"number": "5", "title": "новое", "comment": "прежнее", "amount": Decimal(9), "nonsense": 1}
    assert lens.put(fields, native) == {"a": {"b": {"title": "новое"}}}
    assert native["a"]["b"]["title"] == "т"
    assert lens.two_way == {"number", "title", "comment"}


def test_a_value_that_is_bad_over_there_can_be_overwritten(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'amount = "sum | money"')
    assert lens.put({"amount": Decimal("5.00")}, {"sum": "ерунда"}) == {"sum": "5.00"}


@pytest.mark.parametrize("gap", [{}, {"billing": None}, {"billing": []}, {"billing": ""}, {"billing": False}])
def test_missing_records_on_the_way_are_made(tmp_path: Path, gap: dict[str, Any]) -> None:
    lens = deal(tmp_path, 'delivery_address = "billing.address.text"')
    patch = lens.put({"delivery_address": "Тверь"}, gap)
    assert patch == {"billing": {"address": {"text": "Тверь"}}}
    assert lens.get(apply_patch(gap, patch)).fields == {"delivery_address": "Тверь"}


@pytest.mark.parametrize("native", [{"billing": "занято"}, {"billing": [{"city": "а"}]}, {"billing": 5}])
def test_what_stands_in_the_way_is_not_overwritten(tmp_path: Path, native: dict[str, Any]) -> None:
    refused(deal(tmp_path, 'delivery_address = "billing.city"'), {"delivery_address": "Тверь"}, native)


def test_a_list_on_the_way_is_sent_whole(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'title = "fields[id=12].value"\ncomment = "fields[id=13].value"\nnumber = "fields[0].n"')
    native = {"fields": [{"id": 11}, {"id": 12, "value": "а", "code": "T"}]}
    patch = lens.put({"title": "б", "comment": "в", "number": "7"}, native)
    assert patch == {
        "fields": [{"id": 11, "n": "7"}, {"id": 12, "value": "б", "code": "T"}, {"id": "13", "value": "в"}]
    }
    assert refused(deal(tmp_path, 'title = "list[2]"'), {"title": "x"}, {"list": ["a"]}).field == "title"
    assert deal(tmp_path, 'title = "list[0]"').put({"title": "x"}, {}) == {"list": ["x"]}


def test_lists_of_texts(tmp_path: Path) -> None:
    lens = lens_of(tmp_path, "contact", 'phones = "phones"\nemails = "mail | list"\ntags = "tags | split(,)"')
    native = {"phones": ["+7 999", ""], "mail": "a@example.org", "tags": "а,б"}
    assert lens.put(lens.get(native).fields, native) == {}
    assert lens.put({"phones": ["8 800"], "emails": [], "tags": ["б"]}, native) == {
        "phones": ["8 800"],
        "mail": "",
        "tags": "б",
    }
    assert lens.put({"phones": []}, native) == {"phones": []}
    refused(lens, {"emails": ["a@example.org", "b@example.org"]}, native)
    refused(lens, {"tags": ["а,б"]}, {"tags": ""})


def test_items_of_a_list_keep_their_native_words(tmp_path: Path) -> None:
    table = '[tables.t]\nvip = "важный"\ntop = "важный"\nopt = "опт"'
    lens = lens_of(tmp_path, "contact", 'tags = "tags | lookup(t)"', table)
    assert lens.put({"tags": ["опт", "важный"]}, {"tags": ["top"]}) == {"tags": ["opt", "top"]}


def test_records_of_texts_are_patched_name_by_name(tmp_path: Path) -> None:
    lens = lens_of(tmp_path, "lead", 'utm = "utm"\nform.id = "form_id"\nform.name = "form_name"')
    native = {"utm": {"source": "ya", "term": "кружка", "medium": None}, "form_id": 5}
    patch = lens.put({"utm": {"source": "ya", "campaign": "зима"}, "form": {"id": "6", "name": "Заявка"}}, native)
    assert patch == {"utm": {"term": None, "campaign": "зима"}, "form_id": 6, "form_name": "Заявка"}
    assert lens.get(apply_patch(native, patch)).fields["utm"] == {"source": "ya", "campaign": "зима"}
    refused(lens, {"form": {"page": "нет такого пути"}}, native)


def test_rows_of_a_system_that_speaks_canonically_go_both_ways(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'lines = "lines"')
    lines = [{"key": "1", "qty": Decimal("2.000"), "sum": Decimal("122.90"), "vat_included": True}]
    patch = lens.put({"lines": lines}, {"lines": []})
    assert patch == {"lines": [{"key": "1", "qty": "2", "sum": "122.90", "vat_included": True}]}
    assert lens.get(patch).fields["lines"] == lines
    assert lens.put({"lines": lines}, patch) == {}
    bad = lens.get({"lines": [{"key": "1"}, {"key": "2", "colour": "red"}]})
    assert [p.field for p in bad.problems] == ["lines[1].colour"]


def test_values_from_storage_may_be_text(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'amount = "sum | money"\ncreated_at = "at | utc"')
    native = {"sum": "122.9", "at": "2026-01-31T12:00:00"}
    assert lens.put({"amount": "122.90", "created_at": "2026-01-31T12:00:00Z"}, native) == {}


def test_apply_patch_merges_records_and_replaces_everything_else() -> None:
    native = {"a": {"b": 1, "c": [1, 2]}, "d": "x"}
    assert apply_patch(native, {"a": {"c": [3]}, "d": {"e": 1}, "f": None}) == {
        "a": {"b": 1, "c": [3]},
        "d": {"e": 1},
        "f": None,
    }
    assert native == {"a": {"b": 1, "c": [1, 2]}, "d": "x"}


CREATE = """
[order.create.fields]
"customer.phone" = "client.phone"
"customer.name" = { first = ["client.company", "client.name"] }
"ref" = { join = [{ const = "SV" }, "number"], sep = "-" }
"uid" = "uid"
"created" = "created_at | local(Europe/Moscow)"
"day" = "created_at | local(Europe/Moscow) | cut(10)"
"total" = "amount"
"pay" = { const = false }
"status" = { const = "draft" }
[[order.create.rows."items"]]
each = "lines"
when = { field = "kind", op = "ne", value = "discount" }
[order.create.rows."items".fields]
product_id = "product | int"
"goods.name" = "name"
quantity = "qty | plain"
price = "price"
currency = "$.currency"
n = "$position"
[[order.create.rows."items"]]
each = ""
when = { field = "delivery_address", op = "filled" }
fields = { name = { const = "Доставка" } }
"""


def view(**more: Any) -> dict[str, Any]:
    return {
        "number": "1043",
        "uid": "u-1",
        "currency": "RUB",
        "amount": Decimal("122.90"),
        "created_at": datetime(2026, 1, 31, 22, 0, tzinfo=UTC),
        "client": {"name": "Иван Тестов", "phone": None},
        "lines": [
            {"key": "1", "product": "12", "name": "Кружка", "qty": Decimal("2.000"), "price": Decimal("61.450000")},
            {"key": "2", "kind": "discount"},
            {"key": "3", "product": None, "qty": Decimal("0.5")},
        ],
        **more,
    }


def test_create(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'currency = "cur"\ncomment = "note"\nstage = "status | lookup(stages)"', CREATE + STAGES)
    assert lens.create(view(stage="won", comment=None, delivery_address="Тверь")) == {
        "cur": "RUB",
        "status": "draft",  # what the create section says stands above the two-way fields
        "customer": {"name": "Иван Тестов"},
        "ref": "SV-1043",
        "uid": "u-1",
        "created": "2026-02-01T01:00:00",
        "day": "2026-02-01",
        "total": "122.90",
        "pay": False,
        "items": [
            {
                "product_id": 12,
                "goods": {"name": "Кружка"},
                "quantity": "2",
                "price": "61.45",
                "currency": "RUB",
                "n": 1,
            },
            {"quantity": "0.5", "currency": "RUB", "n": 3},
            {"name": "Доставка"},
        ],
    }


def test_create_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'currency = "cur"', CREATE)
    assert lens.create({}) == {"ref": "SV", "pay": False, "status": "draft", "items": []}
    rows = '[[order.create.rows.items]]\neach = "lines"\nfields = { id = "product" }'
    assert deal(tmp_path, "", rows).create({}) == {}
    assert deal(tmp_path, "", rows).create({"lines": None}) == {}
    assert deal(tmp_path, "", rows).create({"lines": []}) == {"items": []}


def test_create_refuses_what_cannot_be_made(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'stage = "status | lookup(stages)"', CREATE + STAGES)
    with pytest.raises(RecordRefused) as stage:
        lens.create(view(stage="lost"))
    assert (stage.value.code, stage.value.field) == ("mapping.inexpressible", "stage")
    with pytest.raises(RecordRefused) as row:
        lens.create(view(lines=[{"key": "1", "product": "abc"}]))
    assert (row.value.code, row.value.field) == ("mapping.create", "items[0].product_id")
    with pytest.raises(RecordRefused) as rows:
        lens.create(view(lines="abc"))
    assert (rows.value.code, rows.value.field) == ("mapping.create", "items")


def test_laws_hold_for_a_good_lens_and_a_broken_one_is_named(tmp_path: Path) -> None:
    good = deal(tmp_path, 'stage = "status | lookup(stages)"\ntitle = "t"', STAGES)
    assert check_laws(good, {"status": "on-hold", "t": "т"}, {"title": "другое"}) == []
    broken = deal(
        tmp_path,
        'stage = { get = "status | lookup(stages)", put = "status | lookup(wrong)" }',
        STAGES + '[tables.wrong]\npending = "won"\n',
    )
    (found,) = check_laws(broken, {"status": "on-hold"})
    assert found.startswith("PutGet: stage = 'won'")


def test_the_checker_sees_a_lens_that_breaks_get_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lens = deal(tmp_path, 'title = "t"')
    monkeypatch.setattr(lens, "put", lambda fields, native: {"t": "эхо"})
    found = check_laws(lens, {"t": "т"})
    assert found[0] == "GetPut: writing back what was read would change t"
    assert any(line.startswith("PutGet: title = 'т' reads 'эхо'") for line in found)
