"""The two laws of lenses, for every mapping file that is shipped: no round trip loses, no idle sync writes.

The records are made up from the paths that the lens itself reads: right values, wrong ones, empty ones, missing ones.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.errors import RecordRefused
from sync.lens import Lens, apply_patch, check_laws, load
from sync.lens.language import Chain
from sync.lens.laws import places
from sync.lens.paths import replaced
from sync.lens.plans import Plan
from sync.lens.problems import Bad
from sync.lens.values import NEEDED, Kind, same
from sync.model.records import validate

NAMES = sorted(
    entry.name.removesuffix(".toml") for entry in files("mappings").iterdir() if entry.name.endswith(".toml")
)
# The tests are given names: a lens in a report is a book, which Hypothesis refuses to print, in place of what went wrong
LENSES = {f"{name}.{kind}": lens for name in NAMES for kind, lens in load(name).lenses.items()}
QUICK = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

TEXTS = st.sampled_from(
    [
        "Иван Тестов",
        "ООО «Проба»",
        "кружка ☕ 0,5 л",
        "😀",
        "a" * 300,
        " края ",
        "0",
        "007",
        "12",
        "e\u0301",
        "a\nb",
        "N",
    ]
)
NUMBERS = st.sampled_from([0, 1, 7, 10**12, -3, "0", "0.00", "12", "1 234,50", "99.999", "-7.5", Decimal("61.45")])
TIMES = st.sampled_from(
    [
        "2026-01-31T10:20:30",
        "2026-01-31 10:20:30",
        "2026-07-31T10:20:30Z",
        "2026-07-31T10:20:30.250+03:00",
        "31.01.2026 10:20",
        "2026-02-28",
        "0001-01-01T00:00:00",
        "0000-00-00 00:00:00",
        1_769_854_830,
    ]
)
FLAGS = st.sampled_from([True, False, "Y", "N", "да", "Нет", "true", "0", 1, 0, "Истина"])
JUNK = st.sampled_from(
    [None, "", "  ", [], {}, [[]], {"x": 1}, ["x", None], 1.5, "NaN", "1e999999999", float("inf"), 10**400]
)
BY_STEP = {
    **dict.fromkeys(("money", "price", "qty", "rate", "decimal", "int", "abs", "neg", "plain"), NUMBERS),
    **dict.fromkeys(("utc", "zone", "date", "epoch"), TIMES),
    **dict.fromkeys(("bool", "not"), FLAGS),
}


def native_values(chain: Chain) -> st.SearchStrategy[Any]:
    usual: st.SearchStrategy[Any] = st.one_of(TEXTS, NUMBERS)
    for step in chain.steps[::-1]:
        if step.table:
            usual = st.sampled_from([*sorted(step.table.words), "нет такого слова"])
        usual = BY_STEP.get(step.name, usual)
    lists = st.lists(usual, max_size=3)
    return st.one_of(usual, usual, usual, TIMES, lists, JUNK, st.dictionaries(st.sampled_from(["a", "б"]), TEXTS))


def fill(draw: st.DrawFn, native: dict[str, Any], chain: Chain) -> dict[str, Any]:
    if chain.path.base or not chain.path.segments or draw(st.integers(0, 4)) == 0:
        return native
    try:
        filled: dict[str, Any] = replaced(native, chain.path.segments, draw(native_values(chain)))
    except Bad:  # another path has put something else in the way
        return native
    return filled


@st.composite
def natives(draw: st.DrawFn, lens: Lens) -> dict[str, Any]:
    native: dict[str, Any] = {"untouched": {"by": ["the", "hub"]}}
    tables: dict[Any, list[Chain]] = {}
    for each, chain in places(lens):
        if each is None:
            native = fill(draw, native, chain)
        else:
            tables.setdefault(each, []).append(chain)
    for each, chains in tables.items():
        rows = []
        for _ in range(draw(st.integers(0, 3))):
            row: dict[str, Any] = {}
            for chain in chains:
                row = fill(draw, row, chain)
            rows.append(row)
        try:
            native = replaced(native, each.segments, rows)
        except Bad:
            continue
    return native


def canonical_values(plan: Plan) -> st.SearchStrategy[Any]:
    kind: Kind = plan.kind
    if kind.name == "texts":
        return st.lists(TEXTS.map(str.strip), max_size=3)
    if kind.name == "words":
        return st.dictionaries(st.sampled_from(["source", "term", "другое"]), TEXTS.map(str.strip), max_size=3)
    if kind.name == "moment":
        return st.integers(946_684_800_000, 4_102_444_800_000).map(
            lambda ms: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
        )
    if kind.name == "flag":
        return st.booleans()
    if kind.name == "whole":
        return st.integers(0, 10**9)
    if kind.places is not None:
        return st.decimals(-(10**9), 10**9, places=kind.places)
    images = [
        image
        for chain in plan.source.leaves
        for step in chain.steps
        if step.table
        for image in step.table.words.values()
    ]
    return st.sampled_from(images) if images else st.one_of(TEXTS, st.text(max_size=30))


def put_or_refused(lens: Lens, name: str, value: Any, native: dict[str, Any]) -> dict[str, Any] | None:
    """None when the mapping cannot express the value: then, and only then, nothing may be written."""
    try:
        return lens.put({name: value}, native)
    except RecordRefused as error:
        refused = error
    assert (refused.code, refused.field) == ("mapping.inexpressible", name)
    return None


@pytest.mark.parametrize("which", LENSES)
@QUICK
@given(data=st.data())
def test_reading_never_raises_and_gives_valid_canonical_values(which: str, data: st.DataObject) -> None:
    lens = LENSES[which]
    found = lens.get(data.draw(natives(lens)))
    assert found.kind == lens.kind
    assert set(found.fields) <= set(lens.fields)
    if all(found.fields.get(name) is not None for name in NEEDED[lens.kind]):
        assert validate(lens.kind, found.fields) == found.fields  # what the lens passes, the model passes unchanged
    else:
        assert found.problems
    for problem in found.problems:
        assert problem.field
        assert len(problem.value) <= 80
        assert problem.text.en != problem.text.ru


@pytest.mark.parametrize("which", LENSES)
@QUICK
@given(data=st.data())
def test_get_put_writing_back_what_was_read_changes_nothing(which: str, data: st.DataObject) -> None:
    lens = LENSES[which]
    native = data.draw(natives(lens))
    assert lens.put(lens.get(native).fields, native) == {}


@pytest.mark.parametrize("which", LENSES)
@QUICK
@given(data=st.data())
def test_put_get_what_was_written_is_what_is_read(which: str, data: st.DataObject) -> None:
    lens = LENSES[which]
    native = data.draw(natives(lens))
    for plan in (plan for plan in lens.plans if plan.writers):
        value = data.draw(st.one_of(st.none(), canonical_values(plan)))
        patch = put_or_refused(lens, plan.name, value, native)
        if patch is None:
            continue
        after = apply_patch(native, patch)
        wanted = None if value is None else plan.kind.convert(value)
        assert same(lens.get(after).fields[plan.name], wanted)
        assert after["untouched"] == native["untouched"]
        assert lens.put({plan.name: value}, after) == {}  # a second time there is nothing to do


@pytest.mark.parametrize("which", [which for which, lens in LENSES.items() if lens.row_writers])
@QUICK
@given(data=st.data())
def test_rows_that_were_written_need_no_second_write(which: str, data: st.DataObject) -> None:
    lens = LENSES[which]
    native, other = data.draw(natives(lens)), data.draw(natives(lens))
    for name in lens.row_writers:
        wanted = lens.get(other).fields.get(name)
        if wanted is None:
            continue
        after = apply_patch(native, lens.put({name: wanted}, native))
        assert lens.put({name: wanted}, after) == {}
        assert after["untouched"] == native["untouched"]


@pytest.mark.parametrize("which", LENSES)
def test_no_word_of_a_table_is_replaced_by_another_of_its_meaning(which: str) -> None:
    """Each word of each table, one after the other: a card on any stage stays on it when its meaning is written back."""
    lens = LENSES[which]
    for plan in lens.plans:
        for chain in plan.source.leaves:
            words = [word for step in chain.steps if step.table for word in step.table.words if word != "*"]
            for word in words if chain.path.segments and not chain.path.base else ():
                native = replaced({}, chain.path.segments, word)
                assert lens.put(lens.get(native).fields, native) == {}, f"{plan.name}: {word} does not stay"


@pytest.mark.parametrize("which", LENSES)
def test_every_two_way_field_can_be_written(which: str) -> None:
    """Not vacuous: each has a value that gets through, and every word of its table does."""
    lens = LENSES[which]
    samples: list[Any] = [
        "Проба",
        "7",
        ["Проба"],
        Decimal("122.90"),
        datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
        True,
        {"source": "x"},
    ]
    for name in lens.two_way - set(lens.row_writers):
        plan = next(plan for plan in lens.plans if plan.name == name)
        tables = [step.table for _, chain in plan.writers for step in chain.steps if step.table]
        assert any(
            put_or_refused(lens, name, value, {})
            for value in [*samples, *(v for t in tables for v in t.words.values())]
        ), name
    assert check_laws(lens, {}) == []
