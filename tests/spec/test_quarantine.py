"""Quarantine: one open row for a record and stage, counted, closed when the record passes, and the words of its cause."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import RecordRefused, SverkaError, Text
from sync.flow import trouble
from sync.store import Store
from sync.store.tables import quarantine
from tests.spec.hubs import BOTH, START, shared_store

LATER = START + timedelta(hours=1)
ERROR = RecordRefused(
    Text("bad stage", "плохой этап"), code="x.stage", field="stage", remedy=Text("mend it", "исправьте")
)


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = shared_store(request)
    yield opened
    opened.close()


@pytest.fixture
def tx(store: Store) -> Iterator[Connection]:
    with store.begin() as opened:
        yield opened


def refuse(tx: Connection, at: datetime, id: str = "7", error: SverkaError = ERROR, **more: Any) -> None:
    trouble.refuse(tx, "shop", "deal", id, error, at, **more)


def kept(tx: Connection) -> list[Any]:
    return list(tx.execute(sa.select(quarantine).order_by(quarantine.c.id)))


def test_a_row_with_its_words(tx: Connection) -> None:
    refuse(tx, START, data={"a": 1}, raw=b"raw", inbox_id=5, record_uid="u")
    (row,) = kept(tx)
    assert (row.code, row.field, row.state, row.stage) == ("x.stage", "stage", "open", "intake")
    assert row.text == {"en": "bad stage", "ru": "плохой этап"}
    assert row.remedy == {"en": "mend it", "ru": "исправьте"}
    assert (row.data, bytes(row.raw), row.inbox_id, row.record_uid) == ({"a": 1}, b"raw", 5, "u")


def test_the_same_again_is_counted(tx: Connection) -> None:
    refuse(tx, START)
    refuse(tx, LATER, data={"a": 2})
    (row,) = kept(tx)
    assert (row._mapping["count"], row.first_at, row.last_at, row.data) == (2, START, LATER, {"a": 2})


def test_another_record_and_another_stage_are_other_rows(tx: Connection) -> None:
    refuse(tx, START)
    refuse(tx, START, id="8")
    refuse(tx, START, stage="delivery")
    trouble.passed(tx, "shop", "deal", "7", LATER)
    assert [(r.external_id, r.stage, r.state) for r in kept(tx)] == [
        ("7", "intake", "closed"),
        ("8", "intake", "open"),
        ("7", "delivery", "open"),
    ]


def test_a_closed_row_is_not_opened_again(tx: Connection) -> None:
    refuse(tx, START)
    trouble.passed(tx, "shop", "deal", "7", LATER)
    refuse(tx, LATER)
    assert [(r.state, r._mapping["count"]) for r in kept(tx)] == [("closed", 1), ("open", 1)]
    trouble.passed(tx, "shop", "deal", "7", LATER)
    assert {r.state for r in kept(tx)} == {"closed"}


def test_a_row_in_retry_goes_back_to_open(tx: Connection) -> None:
    refuse(tx, START)
    tx.execute(quarantine.update().values(state="retry"))
    refuse(tx, LATER)
    (row,) = kept(tx)
    assert (row.state, row._mapping["count"]) == ("open", 2)


def test_a_long_code_fits(tx: Connection) -> None:
    refuse(tx, START, error=RecordRefused(Text("x", "x"), code="a" * 300))
    assert len(kept(tx)[0].code) == 48
