"""Why a write is made, where it is wished again before it went out: the reason that says most stays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sync.delivery import intents


@pytest.mark.parametrize(
    ("before", "now", "stays"),
    [
        ("human", "observed", "human"),
        ("human", "join", "human"),
        ("join", "observed", "join"),
        ("observed", "join", "join"),
        ("observed", "owner", "owner"),
        ("owner", "join", "join"),
    ],
)
def test_the_reason_of_a_wish_that_comes_again(before: str, now: str, stays: str) -> None:
    old = SimpleNamespace(why={"stage": before}, fields={"stage": "paid"})
    assert intents._kept_reasons(old, {"stage": "paid"}, {"stage": now}) == {"stage": stays}


def test_another_value_has_its_own_reason() -> None:
    old = SimpleNamespace(why={"stage": "human"}, fields={"stage": "paid"})
    assert intents._kept_reasons(old, {"stage": "won"}, {"stage": "observed"}) == {"stage": "observed"}
