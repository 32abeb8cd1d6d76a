"""The stage that a state of 1C means, whatever УНФ names of a state that several stages share."""

from __future__ import annotations

from typing import Any

import pytest

from sync.config import DEFAULT_PIPELINE
from sync.flow.stages import meant
from sync.lens import load

UNF = load("onec_unf").lens("order")


@pytest.mark.parametrize(
    ("word", "title", "current", "stage"),
    [
        ("paid", None, "new", "paid"),
        ("paid", None, "won", "paid"),  # behind the deal: the decision leaves it so
        (None, "в  РАБОТЕ", "new", "in_work"),
        ("won", "Завершен", "paid", "won"),  # ё
        ("shipped", "В работе", "new", "in_work"),
        ("in_work", "Отгружен", "new", "in_work"),
        ("shipped", "В работе", "paid", "paid"),
        ("shipped", "В работе", "shipped", "shipped"),
        ("shipped", "В работе", "won", "shipped"),
        ("shipped", "В работе", None, "in_work"),
        ("shipped", "В работе", "no such", "in_work"),
        ("paid", "Ждём кладовщика", "new", "paid"),
        ("ждёт", "Ждём кладовщика", "new", "ждёт"),
        (None, "Ждём кладовщика", "new", None),
        (None, None, "new", None),
        ("lost", None, "new", "lost"),
    ],
)
def test_one_state_means_one_stage_seen_from_the_deal(
    word: str | None, title: str | None, current: str | None, stage: str | None
) -> None:
    fields: dict[str, Any] = {k: v for k, v in (("stage", word), ("stage_title", title)) if v is not None}
    assert meant(UNF, DEFAULT_PIPELINE, fields, current) == stage


@pytest.mark.parametrize(
    ("word", "cancelled", "stage"),
    [("lost", False, None), ("lost", True, "lost"), ("won", False, "won"), ("lost", None, "lost")],
)
def test_no_state_loses_a_deal_that_is_said_not_to_be_cancelled(
    word: str, cancelled: bool | None, stage: str | None
) -> None:
    assert meant(UNF, DEFAULT_PIPELINE, {"stage": word, "cancelled": cancelled}, "paid") == stage
