"""The lines of a deal as two systems say them: another spelling is no change, a change never goes unseen."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.lens import Lens, apply_patch, load
from sync.model.compare import line_total, same
from sync.reconcile.rows import in_our_words, merge_rows

GOODS = frozenset({"goods"})
ALL = frozenset({"goods", "shipping", "fee", "discount"})
CENT = Decimal("0.01")
Row = dict[str, Any]
NAMES = ("Чай чёрный", "Кружка «Ёж»", "Болт М8×30", "Доставка", "a", "Ложка 12 шт")
QUICK = settings(max_examples=150)


@st.composite
def lines(draw: st.DrawFn, least: int = 1) -> list[Row]:
    """Goods with and without an article, in net or gross sums, some twice; perhaps shipping, perhaps a coupon's line."""
    made: list[Row] = []
    for number in range(draw(st.integers(least, 6))):
        at = draw(st.integers(0, len(NAMES) - 1))
        row: Row = {"key": f"k{number}", "kind": "goods", "name": NAMES[at], "product": f"p{at}"}
        if draw(st.booleans()):
            row["sku"] = f"Арт-{at}"
        row["qty"] = Decimal(draw(st.integers(1, 50_000))) / 1000
        row["sum"] = Decimal(draw(st.integers(0, 10**7))) / 100
        if draw(st.booleans()):
            row |= {"vat_rate": Decimal("20.00"), "vat_included": False, "tax": (row["sum"] / 5).quantize(CENT)}
        else:
            row["vat_included"] = True
        made.append(row)
    if draw(st.booleans()):
        made.append({"key": "s", "kind": "shipping", "name": "Курьер", "qty": Decimal(1), "sum": Decimal("300.00")})
    if draw(st.booleans()):
        made.append({"key": "c", "kind": "discount", "name": "купон", "discount": Decimal(5), "sum": Decimal("0.00")})
    return made


def retold(draw: st.DrawFn, rows: list[Row]) -> list[Row]:
    """The same composition as another system writes it: gross, in its own order, spelling, ids and digits."""
    made = []
    for number, row in enumerate(rows):
        if row["kind"] == "discount":
            continue
        total = line_total(row)
        assert total is not None
        other: Row = {"key": str(number), "kind": "goods", "product": f"guid-{number}", "vat_included": True}
        other["name"] = draw(
            st.sampled_from([row["name"], row["name"].upper(), f" {row['name']}\u00a0".replace(" ", "  ")])
        )
        other["name"] = other["name"].replace("ё", "е") if draw(st.booleans()) else other["name"]
        if "sku" in row:
            other["sku"] = draw(st.sampled_from([row["sku"], row["sku"].lower()]))
        other["qty"] = row["qty"].quantize(Decimal("0.000001"))
        other |= {"sum": total.normalize(), "price": (total / row["qty"]).quantize(Decimal("0.000001"), ROUND_HALF_UP)}
        if "vat_rate" in row or draw(st.booleans()):
            other["vat_rate"] = row.get("vat_rate")
        made.append(other)
    return draw(st.permutations(made))


@QUICK
@given(data=st.data())
def test_the_same_composition_in_other_words_is_our_own(data: st.DataObject) -> None:
    ours = data.draw(lines())
    theirs = retold(data.draw, ours)  # type: ignore[arg-type]
    said = in_our_words(ours, theirs, GOODS)
    if any(row["kind"] != "discount" for row in ours):
        assert said == ours
        assert same("lines", ours, said)


@QUICK
@given(data=st.data())
def test_a_changed_row_is_always_seen_and_the_others_stay_ours(data: st.DataObject) -> None:
    ours = data.draw(lines())
    theirs = [dict(row) for row in retold(data.draw, ours)]  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(theirs) - 1))
    cell, by = data.draw(st.sampled_from([("sum", Decimal("0.01")), ("qty", Decimal("0.001")), ("sum", Decimal(100))]))
    theirs[at][cell] += by
    said = in_our_words(ours, theirs, GOODS)
    assert not same("lines", ours, said)
    assert len(said) == len(ours)
    total = sum((line_total(row) or Decimal(0) for row in said if row["kind"] != "discount"), Decimal(0))
    assert total == sum((line_total(row) or Decimal(0) for row in theirs), Decimal(0))
    assert len({row["key"] for row in said}) == len(said)


@QUICK
@given(data=st.data())
def test_a_row_gone_or_added_is_seen(data: st.DataObject) -> None:
    ours = data.draw(lines(least=2))
    theirs = retold(data.draw, ours)  # type: ignore[arg-type]
    fewer = in_our_words(ours, theirs[1:], GOODS)
    assert not same("lines", ours, fewer)
    new = {"key": "1", "kind": "goods", "name": "Совсем новое", "qty": Decimal(1), "sum": Decimal(7)}
    more = in_our_words(ours, [*theirs, new], GOODS)
    assert [row for row in more if row["name"] == "Совсем новое"]
    assert len(more) == len(ours) + 1
    assert len({row["key"] for row in more}) == len(more)


def goods(sku: str, qty: int, total: str, **more: Any) -> Row:
    return {"key": sku, "kind": "goods", "sku": sku, "name": sku, "qty": Decimal(qty), "sum": Decimal(total), **more}


OFF = {"key": "d", "kind": "discount", "name": "Скидка", "sum": Decimal("-30.00")}


def test_a_discount_on_the_order_that_1c_has_taken_off_the_lines_is_the_same_composition() -> None:
    ours = [goods("A", 1, "100.00"), goods("B", 2, "200.00"), OFF]
    assert in_our_words(ours, [goods("B", 2, "180.00"), goods("A", 1, "90.00")], GOODS) == ours
    assert in_our_words(ours, [goods("A", 1, "100.00"), goods("B", 2, "200.00")], GOODS) == ours, (
        "it knows no discounts"
    )


def test_a_discount_that_is_in_the_lines_is_not_counted_twice() -> None:
    ours = [goods("A", 1, "100.00"), goods("B", 2, "200.00"), OFF]
    said = in_our_words(ours, [goods("A", 1, "90.00"), goods("B", 2, "150.00")], GOODS)
    assert [row["kind"] for row in said] == ["goods", "goods"]
    assert sum(row["sum"] for row in said) == Decimal("240.00")


def test_a_side_that_knows_discounts_may_take_one_out() -> None:
    ours = [goods("A", 1, "100.00"), OFF]
    assert in_our_words(ours, [goods("A", 1, "100.00")], ALL) == ours[:1]


def test_shipping_without_a_name_is_the_service_of_the_same_sum() -> None:
    ours = [goods("A", 1, "100.00"), {"key": "s", "kind": "shipping", "sum": Decimal("300.00"), "qty": Decimal(1)}]
    there = [goods("A", 1, "100.00"), {**goods("x", 1, "300.00"), "sku": None, "name": "Доставка"}]
    assert in_our_words(ours, there, GOODS) == ours
    assert len(in_our_words(ours, [there[0], {**there[1], "sum": Decimal(301)}], GOODS)) == 2


def test_a_changed_row_keeps_its_name_here_and_takes_all_that_was_said_of_the_money() -> None:
    ours = [goods("A", 1, "100.00", tax=Decimal(20), vat_included=False, discount=Decimal(3), name="Чай")]
    (row,) = in_our_words(ours, [goods("a", 2, "240.00", vat_included=True, name="ЧАЙ 1С", product="g")], GOODS)
    assert row == {
        "key": "A", "kind": "goods", "sku": "A", "name": "Чай", "product": "g", "qty": Decimal(2),
        "sum": Decimal("240.00"), "vat_included": True,
    }  # fmt: skip


@QUICK
@given(data=st.data())
def test_changes_of_different_rows_are_merged_whatever_the_order_and_the_words(data: st.DataObject) -> None:
    ours = [goods(sku, 1, "100.00", tax=Decimal(20), vat_included=False) for sku in "ABCD"]
    changed = data.draw(st.permutations(range(4)))
    sides = []
    for at in changed[:2]:
        seen = [dict(row) for row in ours]
        seen[at] = goods(ours[at]["sku"], 3, "360.00", vat_included=True)
        sides.append((ours, seen))
    one, other = merge_rows(ours, sides), merge_rows(ours, sides[::-1])
    assert one is not None
    assert one == other
    assert [line_total(row) for row in one] == [
        Decimal("360.00") if at in changed[:2] else Decimal("120.00") for at in range(4)
    ]
    assert [row["qty"] for row in one] == [Decimal(3) if at in changed[:2] else Decimal(1) for at in range(4)]
    assert merge_rows(ours, [(ours, sides[0][1]), (ours, ours[1:] if changed[0] == 0 else ours[:0])]) is None


def test_two_sides_that_come_to_the_same_sum_in_other_words_agree() -> None:
    base = [goods("A", 1, "100.00", tax=Decimal(20), vat_included=False)]
    net = [goods("A", 2, "200.00", tax=Decimal(40), vat_included=False)]
    gross = [goods("A", 2, "240.00", vat_included=True)]
    merged = merge_rows(base, [(base, net), (base, gross)])
    assert merged is not None
    assert line_total(merged[0]) == Decimal("240.00")
    assert merge_rows(base, [(base, net), (base, [goods("A", 2, "240.01", vat_included=True)])]) is None


def test_what_the_record_has_got_meanwhile_is_not_added_again() -> None:
    base = [goods("A", 1, "100.00")]
    held = [*base, goods("B", 1, "5.00")]
    assert merge_rows(held, [(base, held)]) == held
    assert merge_rows(held, [(base, [*base, goods("B", 2, "10.00")])]) is None


def test_absurd_numbers_say_nothing() -> None:
    most = Decimal("9999999999999.999999")
    row = {
        "key": "1",
        "name": "A",
        "qty": Decimal("9999999999999.999"),
        "price": most,
        "vat_rate": most,
        "vat_included": False,
    }
    assert line_total(row) is None
    assert line_total({**row, "sum": Decimal("9999999999999.99"), "vat_rate": Decimal(20)}) == Decimal(
        "11999999999999.99"
    )
    assert in_our_words([row], [{**row, "name": "a"}], GOODS) == [row]


def test_thousands_of_lines_are_no_trouble() -> None:
    ours = [goods(f"A{n}", 1, "1.00") for n in range(3000)]
    theirs = [{**row, "key": str(n), "name": row["name"].upper()} for n, row in enumerate(reversed(ours))]
    assert in_our_words(ours, theirs, GOODS) == ours


# Writing a list of rows back ------------------------------------------------------------------------------------------


@cache
def _lens() -> Lens:
    return load("bitrix24").lens("deal")


@pytest.fixture
def lens() -> Lens:
    return _lens()


def portal(*rows: tuple[str, str, str]) -> Row:
    return {
        "TITLE": "Заказ", "STAGE": "NEW",
        "PRODUCT_ROWS": [
            {"id": n, "productId": 7 + n, "productName": name, "quantity": qty, "price": price, "taxRate": 20,
             "taxIncluded": "Y", "measureCode": 796, "discountTypeId": 2, "discountSum": "5", "type": 1,
             "total": str((Decimal(qty) * Decimal(price)).quantize(CENT, ROUND_HALF_UP))}
            for n, (name, qty, price) in enumerate(rows, 1)
        ],
    }  # fmt: skip


def test_rows_that_stay_keep_everything_and_a_changed_one_what_the_mapping_says(lens: Lens) -> None:
    native = portal(("Чай", "2", "90.00"), ("Чашка", "1", "400.00"))
    tea, cup = lens.get(native).fields["lines"]
    new = {"key": "9", "kind": "goods", "name": "Ложка", "qty": Decimal(3), "sum": Decimal("75.00"), "vat_included": False,
           "tax": Decimal("15.00"), "vat_rate": Decimal(20), "product": None}  # fmt: skip
    changed = {**cup, "qty": Decimal(2), "sum": Decimal("800.00")}
    rows = lens.put({"lines": [new, tea, changed]}, native)["PRODUCT_ROWS"]
    assert rows[1] == native["PRODUCT_ROWS"][0]
    assert (rows[0]["price"], rows[0]["quantity"], rows[0]["taxRate"]) == ("30", "3", "20")
    assert "id" not in rows[0]
    assert (rows[2]["productId"], rows[2]["quantity"], rows[2]["price"]) == (9, "2", "400")
    assert "total" not in rows[2], "what was computed from the old values goes"
    for n, row in enumerate(rows):
        row.setdefault("id", 50 + n)  # as the portal numbers them
    assert lens.put({"lines": [new, tea, changed]}, apply_patch(native, {"PRODUCT_ROWS": rows})) == {}


def test_what_the_portal_rounds_is_not_written_again(lens: Lens) -> None:
    """100.00 for three is 33.33 each there: the sum of the deal is kept by hand."""
    native = portal(("Чай", "3", "33.33"))
    wanted = [
        {"key": "1", "kind": "goods", "name": "Чай", "qty": Decimal(3), "sum": Decimal("100.00"), "vat_included": True}
    ]
    assert lens.put({"lines": wanted}, native) == {}


def test_all_rows_gone(lens: Lens) -> None:
    native = portal(("Чай", "3", "33.33"))
    assert lens.put({"lines": []}, native) == {"PRODUCT_ROWS": []}
    assert lens.put({"lines": None}, native) == {"PRODUCT_ROWS": []}
    assert lens.put({"lines": []}, {**native, "PRODUCT_ROWS": []}) == {}


@QUICK
@given(said=lines())
def test_rows_read_back_as_they_were_written(said: list[Row]) -> None:
    lens = _lens()
    native = portal(("Чай", "2", "90.00"))
    wanted = [{**row, "product": None} for row in said if row["kind"] == "goods"]
    after = apply_patch(native, lens.put({"lines": wanted}, native))
    for n, row in enumerate(after["PRODUCT_ROWS"]):
        row.setdefault("id", 50 + n)
    shown = lens.get(after).fields["lines"]
    assert same("lines", lens.image("lines", wanted, native), shown)
    assert len(shown) == len(wanted)
    for row, there in zip(wanted, shown, strict=True):
        assert there["qty"] == row["qty"].quantize(Decimal("0.001"))
        off = abs((line_total(there) or Decimal(0)) - (line_total(row) or Decimal(0)))
        assert off <= CENT * row["qty"] / 2 + CENT, "no more than the rounding of a price"
    assert lens.put({"lines": wanted}, after) == {}
