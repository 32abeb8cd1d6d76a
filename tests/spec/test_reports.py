"""The accountant's report over a whole hub, its workbook, and the letter that brings it every morning."""

from __future__ import annotations

import base64
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from sync.errors import BadConfig, NeedHuman
from sync.hub import acts, daily, reports, workbook, works
from sync.hub.runtime import Hub
from sync.store.tables import command, intent, notice, quarantine
from tests.spec.hubs import CLIENT, Kit, give, rows, sync
from tests.spec.test_offers import BOLT, ONEC, ORDER, context, offer

LINES: list[dict[str, Any]] = [
    {"id": "1", "sku": "БЛТ-8", "name": "Болт", "qty": "2", "price": "50.05", "sum": "100.10"}
]


def opened(kit: Kit, onec: dict[str, Any] | None = None, books: dict[str, Any] | None = None, **sections: Any) -> Hub:
    hub = kit.open(
        {
            "shop": {"role": "shop", "kinds": ["deal"]},
            "onec": {**ONEC, **(onec or {})},
            "mail": {"kinds": ["message"]},
            **({"books": books} if books else {}),
        },
        [("deal", "shop", "onec", "always")],
        **sections,
    )
    give(hub, "onec", "product", "g1", BOLT)
    kit.world("shop").put("deal", ORDER)
    sync(hub)
    return hub


def back(hub: Hub, number: str = "1043", **facts: Any) -> str:
    order = {"number": number, "number_1c": "УТ-17", "id_1c": "u17", "sum": "100.10", "currency": "RUB", "posted": True}
    return give(hub, "onec", "order", number, {**order, "documents": [], **facts})


def test_every_way_of_disagreeing_is_a_row(kit: Kit) -> None:
    hub = opened(kit)
    (row,) = reports.deals(hub)
    assert row["kinds"] == ["missing"]
    context(hub).confirm(offer(hub).id)
    back(hub, counterparty={"name": "Анна Тестова"})
    (row,) = reports.deals(hub)
    assert (row["order"], row["order_amount"], row["differences"]) == ("УТ-17", Decimal("100.10"), [])
    back(hub, counterparty={"official_name": "ООО «Чужая»", "inn": "7707083893"}, sum="90.00")
    (row,) = reports.deals(hub)
    assert row["kinds"] == ["counterparty", "sum"]
    assert row["counterparty"] == "ООО «Чужая»"
    assert reports.totals([row])["gap"] == Decimal("-10.10")


@pytest.mark.parametrize(
    ("stage", "kinds"),
    [("won", ["payment", "shipment"]), ("shipped", ["shipment"]), ("lost", ["status"]), ("in_work", [])],
)
def test_a_stage_that_accountings_documents_do_not_bear_out(kit: Kit, stage: str, kinds: list[str]) -> None:
    hub = opened(kit)
    context(hub).confirm(offer(hub).id)
    back(hub)
    acts.set_stage(hub, "1043", stage, "anna", reason="Передумал" if stage == "lost" else None)
    sync(hub)
    (row,) = reports.deals(hub)
    assert row["kinds"] == kinds, row["differences"]


@pytest.mark.parametrize(
    ("bases", "number", "amount"),
    [
        (("trade", "books"), "УТ-17, БП-3", "100.10"),
        (("trade", "trade"), "УТ-17", "60.05"),
        (("", ""), "УТ-17", "60.05"),
    ],
)
def test_orders_of_different_bases_are_added_up(kit: Kit, bases: tuple[str, str], number: str, amount: str) -> None:
    """One deal's goods stand in two bases; of one base, or where nobody says, each connection tells of the whole."""
    books = {**ONEC, "login": "книги", "base": bases[1]}
    hub = opened(kit, {"base": bases[0]}, books=books)
    context(hub).confirm(offer(hub).id)
    rest = {"currency": "RUB", "posted": True, "documents": []}
    here, there = (
        {"key": n, "sku": sku, "name": sku, "qty": "1", "sum": total}
        for n, sku, total in (("1", "B-1", "60.05"), ("2", "B-1", "40.05"))
    )
    back(hub, sum="60.05", lines=[here])
    order = {"number": "1043", "number_1c": "БП-3", "id_1c": "b3", "sum": "40.05", **rest, "lines": [there]}
    assert give(hub, "books", "order", "1043", order) == "new"
    (row,) = reports.deals(hub)
    assert (row["order"], row["order_amount"]) == (number, Decimal(amount))
    assert ("sum" in row["kinds"]) is (amount != "100.10")
    assert any("строки" in text for text in row["differences"]) is (amount != "100.10"), row["differences"]


@pytest.mark.parametrize(("stage", "kinds"), [("shipped", ["shipment"]), ("new", ["status"])])
def test_a_state_that_stages_share_is_no_difference_and_one_further_on_is(
    kit: Kit, stage: str, kinds: list[str]
) -> None:
    """УНФ's «В работе» stands for all three open stages; whether it was shipped its documents say."""
    hub = opened(kit, onec={"mapping": "onec_unf"})
    context(hub).confirm(offer(hub).id)
    back(hub, status="in_work", status_1c="В работе", cancelled=False)
    acts.set_stage(hub, "1043", stage, "anna")
    sync(hub)
    (row,) = reports.deals(hub)
    assert (row["kinds"], row["order_stage"]) == (kinds, "В работе")


def test_an_order_that_only_accounting_knows_counts_in_its_total(kit: Kit) -> None:
    hub = opened(kit)
    context(hub).confirm(offer(hub).id)
    back(hub)
    assert back(hub, "777", number_1c="УТ-99", sum="5.00") == "failed"
    stranger, agreed = reports.deals(hub)
    assert (stranger["number"], stranger["order"], stranger["order_amount"]) == (None, "УТ-99", Decimal("5.00"))
    assert agreed["differences"] == []
    found = reports.totals([stranger, agreed])
    assert (found["amount"], found["order_amount"], found["gap"]) == (
        Decimal("100.10"),
        Decimal("105.10"),
        Decimal("5.00"),
    )


def test_an_order_that_a_person_has_dealt_with_is_no_stranger_any_more(kit: Kit) -> None:
    hub = opened(kit)
    back(hub, "777", number_1c="УТ-99", sum="5.00")
    assert [row["order"] for row in reports.deals(hub) if row["number"] is None] == ["УТ-99"]
    (stopped,) = rows(hub, quarantine, code="deal.unknown_number")
    with pytest.raises(NeedHuman, match="--reason"):
        acts.put_aside(hub, stopped.id, "anna", " ")
    acts.put_aside(hub, stopped.id, "anna", "проба")
    (done,) = rows(hub, command, kind="put_aside")
    assert done.args == {"id": stopped.id, "who": "anna", "reason": "проба"}
    with pytest.raises(NeedHuman):
        acts.put_aside(hub, stopped.id, "anna", "ещё раз")
    sync(hub)
    assert [row for row in reports.deals(hub) if row["number"] is None] == []
    back(hub, "777", number_1c="УТ-99", sum="6.00")
    assert [r["order_amount"] for r in reports.deals(hub) if r["number"] is None] == [6], "it has moved there since"


def test_an_order_deleted_in_accounting_counts_in_no_total(kit: Kit) -> None:
    hub = opened(kit)
    context(hub).confirm(offer(hub).id)
    back(hub)
    back(hub, deletion_mark=True, posted=False, cancelled=True)
    sync(hub)
    (row,) = reports.deals(hub)
    assert (row["stage"], row["order_stage"]) == ("Отменён", "Отменён")
    assert row["kinds"] == []


def test_an_order_made_anew_in_accounting_takes_the_place_of_the_old_one(kit: Kit) -> None:
    hub = opened(kit)
    context(hub).confirm(offer(hub).id)
    back(hub)
    back(hub, id_1c="u18", number_1c="УТ-18")
    (row,) = reports.deals(hub)
    assert (row["order"], row["order_amount"], row["kinds"]) == ("УТ-18", Decimal("100.10"), [])


def test_a_letter_shows_twenty_and_the_workbook_all(kit: Kit, tmp_path: Path) -> None:
    (mine,) = reports.deals(opened(kit))
    many = [{**mine, "number": str(n), "differences": ["раз", "два"]} for n in range(23)]
    text = daily.body(many).ru
    assert (text.count(": раз; два"), "… и ещё 3: все в таблице." in text) == (20, True)
    workbook.write(many, "ru", tmp_path / "deals.xlsx")
    book = load_workbook(tmp_path / "deals.xlsx")
    sheet = book.worksheets[1]
    assert sheet.max_row == 25
    cell = sheet.cell(24, len(workbook.FIELDS))
    assert (cell.value, cell.alignment.wrap_text, sheet.row_dimensions[24].height) == ("раз\nдва", True, 30)
    book.close()


def test_the_letter_comes_once_a_day_with_the_workbook(kit: Kit) -> None:
    mail = {"via": "mail", "report_to": ["buh@firma.example"], "report_at": "12:30"}
    hub = opened(kit, notices=mail, hub={"timezone": "Europe/Moscow"})  # the test's clock says 09:00 UTC
    assert not daily.due(hub)
    kit.now.pass_(minutes=31)
    works.tick(hub)
    works.tick(hub)
    (letter,) = rows(hub, intent, connection="mail")
    assert letter.data["to"] == ["buh@firma.example"]
    assert "расхождений 1" in letter.data["subject"]
    assert "100.10" in letter.data["text"]
    (file,) = letter.data["files"]
    book = load_workbook(io.BytesIO(base64.b64decode(file["base64"])))
    assert [c.value for c in book.worksheets[1][2]][:4] == ["1043", CLIENT["name"], "Новый", 100.1]
    book.close()
    kit.now.pass_(hours=20)
    assert works.tick(hub).writes == 0
    kit.now.pass_(hours=4)
    assert works.tick(hub).writes == 1
    assert len({n.key for n in rows(hub, notice)}) == 2


def test_a_closed_deal_that_agrees_leaves_the_report_after_a_while(kit: Kit) -> None:
    """An open one stays, one that differs stays however old it is, and what moves comes back."""
    hub = opened(kit, notices={"report_days": 30})
    for number in ("2", "3"):
        kit.world("shop").put("deal", {**ORDER, "number": number})
    sync(hub)
    context(hub).confirm(offer(hub).id)
    papers = [{"key": k, "kind": k, "amount": "100.10", "currency": "RUB"} for k in ("payment", "shipment")]
    for number, total in (("1043", "100.10"), ("2", "90.00")):
        back(hub, number, id_1c=f"u{number}", sum=total, paid=True, shipped=True, documents=papers)
    back(hub, "3", id_1c="u3")
    sync(hub)
    assert [(r["number"], r["stage"]) for r in reports.deals(hub, 30) if not r["differences"]] == [
        ("1043", "Завершён"),
        ("3", "Новый"),
    ]
    kit.now.pass_(days=31)
    lately = reports.deals(hub, 30)
    assert [(r["number"], "sum" in r["kinds"]) for r in lately] == [("2", True), ("3", False)]
    assert {r["number"] for r in reports.deals(hub)} == {"1043", "2", "3"}
    assert "за последние 30 дн." in daily.body(lately, 30).ru
    book = load_workbook(io.BytesIO(workbook.as_bytes(lately, "ru", reports.of_what(30))))
    notes = [str(sheet.cell(sheet.max_row, 1).value) for sheet in book.worksheets]
    assert ("за последние 30 дн." in notes[0], "за всё время" in notes[1]) == (True, True)
    book.close()
    back(
        hub,
        paid=True,
        shipped=True,
        documents=[*papers, {"key": "r", "kind": "refund", "amount": "0", "currency": "RUB"}],
    )
    assert "1043" in {r["number"] for r in reports.deals(hub, 30)}, "something has come of it since"


def test_no_letter_where_nobody_wants_one(kit: Kit) -> None:
    hub = opened(kit)
    kit.now.pass_(hours=12)
    assert works.tick(hub).writes == 0
    with pytest.raises(BadConfig) as caught:
        daily.send(hub, reports.deals(hub))
    assert caught.value.setting == "notices.report_to"
    assert rows(hub, notice) == []


def test_sums_of_different_currencies_are_never_added_up(kit: Kit, tmp_path: Path) -> None:
    hub = opened(kit, hub={"timezone": "Asia/Novosibirsk"})
    context(hub).confirm(offer(hub).id)
    back(hub, sum="90.00", date_1c="2026-03-01T20:00:00Z")
    (mine,) = reports.deals(hub)
    other = {**mine, "currency": "USD", "amount": Decimal(7), "order_amount": Decimal(7), "gap": Decimal(0)}
    rows_ = [mine, mine, {**other, "differences": []}]
    text = daily.body(rows_).ru
    assert "Сумма сделок: 200.20 RUB" in text
    assert "Оплачено: 0.00 RUB" in text
    assert [one.ru for one in reports.said(rows_)] == [
        "Суммы RUB: 200.20 в сделках, 180.00 в учёте, разница -20.20.",
        "Суммы USD: 7.00 в сделках, 7.00 в учёте, разница 0.00.",
    ]
    assert reports.said([]) == []
    assert "Сумма сделок: 7.00 USD" in text
    workbook.write(rows_, "ru", tmp_path / "deals.xlsx")
    book = load_workbook(tmp_path / "deals.xlsx")
    everything, different = book.worksheets
    head = {cell.value: cell.column_letter for cell in everything[1]}
    at = {name: head[workbook.HEADERS["ru"][workbook.FIELDS.index(name)]] for name in workbook.FIELDS}
    shown = {
        row: [everything[f"{at[n]}{row}"].value for n in ("number", "amount", "order_amount", "gap")]
        for row in (2, 5, 6)
    }
    assert shown == {
        2: ["1043", 100.1, 90, -10.1],
        5: ["Итого RUB", 200.2, 180, -20.2],
        6: ["Итого USD", 7, 7, 0],
    }
    assert everything[f"{at['order_date']}2"].value.strftime("%d.%m.%Y") == "02.03.2026", "by the firm's clock"
    assert {everything[f"{at[n]}5"].number_format for n in ("amount", "order_amount", "gap", "paid")} == {
        "#,##0.00;[Red]-#,##0.00"
    }
    assert (everything.auto_filter.ref, everything.freeze_panes) == (f"A1:{at['differences']}4", "B2")
    assert [different.cell(4, 1).value, different.max_row] == ["Итого RUB", 4]
    book.close()


def test_formulas_are_shown_as_text(kit: Kit, tmp_path: Path) -> None:
    hub = opened(kit)
    found = reports.deals(hub)
    found[0]["client"] = "=HYPERLINK(1)"
    workbook.write(found, "en", tmp_path / "deals.xlsx")
    book = load_workbook(tmp_path / "deals.xlsx")
    assert book.worksheets[0]["B2"].value == "'=HYPERLINK(1)"
    assert book.worksheets[0].max_row == 3
    book.close()


def test_a_screen_shows_what_fits_and_a_pipe_every_column(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from sync.cli import output
    from sync.cli import reports as told

    (row,) = reports.deals(opened(kit))
    row |= {"number": None, "order": "УТ-17", "paid": Decimal(0)}
    seen = []
    for terminal in (True, False):
        screen = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
        monkeypatch.setitem(output.console.__dict__, "_console", screen)
        told._table([row], "ru")
        seen.append(screen.file.getvalue())  # type: ignore[attr-defined]
    assert "Контрагент" not in seen[0]
    assert {"УТ-17", "100.10", "0.00", "RUB"} <= set(seen[0].split()), "words are not cut in pieces"
    assert len(seen[1].splitlines()[1].split("\t")) == len(workbook.FIELDS)
