"""To the kopeck: the lines of a deal come to its amount, or the difference is named. It is never put right in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from sync.errors import RecordRefused, Text
from sync.flow import trouble
from sync.flow.plug import World
from sync.model.totals import differs, of_lines

STAGE = "totals"


def check(
    world: World, tx: Connection, uid: str, data: Mapping[str, Any], changed: Mapping[str, Any], links: Sequence[Any]
) -> None:
    """Name the difference between a deal's amount and its lines, in the place of its first system; or that it has gone."""
    place = next(((k.connection, k.native_kind) for k in links if k.connection in world.plugs), None)
    if place is None:
        return
    lines, amount = data.get("lines"), data.get("amount")
    total = of_lines(lines) if lines else None
    if total is None or amount is None or total == amount:
        if not changed.keys().isdisjoint(("lines", "amount")):
            trouble.passed(tx, *place, uid, world.now(), STAGE)
        return
    error = RecordRefused(
        differs(amount, total),
        code="deal.total",
        field="amount",
        remedy=Text(
            "Correct the amount or a line where they are kept; nothing was changed here.",
            "Исправьте сумму или строку там, где они ведутся; здесь ничего не изменено.",
        ),
    )
    trouble.refuse(tx, *place, uid, error, world.now(), stage=STAGE, record_uid=uid)
