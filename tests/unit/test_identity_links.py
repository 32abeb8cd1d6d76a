"""Merges are links: taken back in any order they leave exactly what was there."""

from __future__ import annotations

import random

import pytest

from sync.errors import NeedHuman
from sync.identity.links import Belongs, Links, Merge, Value, golden


def _world(rng: random.Random, cards: int, things: int) -> Links:
    links = Links()
    for number in range(things):
        links = links.link(
            Belongs(f"event:{number}", f"c{rng.randrange(cards)}", "email", ("anna@firma.test",), "hub", "2026-01-01")
        )
    return links


@pytest.mark.parametrize("block", range(10))
def test_ten_thousand_random_sequences_end_byte_identical(block: int) -> None:
    for seed in range(block * 1000, block * 1000 + 1000):
        rng = random.Random(seed)
        before = _world(rng, 6, 8)
        state, standing = before, []
        for step in range(rng.randint(2, 14)):
            if standing and rng.random() < 0.4:
                state = state.unmerge(standing.pop(rng.randrange(len(standing))))
                continue
            kept, gone = rng.sample([f"c{n}" for n in range(6)], 2)
            try:
                state = state.merge(Merge(f"m{step}", kept, gone, "anna"))
            except NeedHuman:
                continue
            standing.append(f"m{step}")
        expected = before
        for merge in sorted(standing, key=lambda _: rng.random()):  # what stands depends on the set, not on the order
            expected = expected.merge(state.merges[merge])
        assert expected.dump() == state.dump(), f"seed {seed}"
        rng.shuffle(standing)
        for merge in standing:
            state = state.unmerge(merge)
        assert state.dump() == before.dump(), f"seed {seed}"


def test_an_event_logged_between_stays_where_its_evidence_pointed() -> None:
    links = Links().merge(Merge("m", "c1", "c2")).link(Belongs("call", "c2", "phone"))
    assert links.clients()["call"] == "c1"
    assert links.unmerge("m").clients()["call"] == "c2"


def test_taking_back_the_middle_of_a_chain_leaves_the_rest() -> None:
    links = Links().merge(Merge("1", "b", "a")).merge(Merge("2", "c", "b")).merge(Merge("3", "a", "d"))
    assert {links.client_of(x) for x in "abcd"} == {"c"}
    parted = links.unmerge("2")
    assert parted.client_of("c") == "c"
    assert {parted.client_of(x) for x in "abd"} == {"b"}


def test_contradictory_decisions_are_refused_with_the_reason() -> None:
    apart = Links().keep_apart("a", "b")
    with pytest.raises(NeedHuman, match="different clients"):
        apart.merge(Merge("1", "a", "b"))
    with pytest.raises(NeedHuman, match="different clients"):  # nor by way of a third one
        apart.merge(Merge("1", "a", "c")).merge(Merge("2", "c", "b"))
    one = Links().merge(Merge("1", "a", "b"))
    with pytest.raises(NeedHuman, match="take the merge back"):
        one.keep_apart("a", "b")
    with pytest.raises(NeedHuman, match="already"):
        one.merge(Merge("2", "b", "a"))
    assert apart.allow("b", "a").merge(Merge("1", "a", "b")).client_of("b") == "a"
    assert one.merge(Merge("1", "a", "b")) is one  # a decision that comes twice changes nothing


def test_the_golden_record_is_computed_field_by_field() -> None:
    fields = {
        "phone": [Value("shop", "+79160000001", "2026-03-01"), Value("crm", "+79160000002", "2025-01-01")],
        "email": [Value("crm", "broken", "2026-05-01", valid=False), Value("shop", "a@firma.test", "2026-01-01")],
        "name": [Value("shop", "Анна", "2026-01-01"), Value("shop", "Анна Тестова", "2026-02-01"), Value("crm", "")],
        "city": [Value("crm", None)],
    }
    assert golden(fields, {"crm": 0, "shop": 1}) == {
        "phone": "+79160000002",
        "email": "a@firma.test",
        "name": "Анна Тестова",
    }
