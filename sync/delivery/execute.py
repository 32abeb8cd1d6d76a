"""One write: the call, and what its outcome means. The database is the caller's business.

A call that ended without an answer is settled by reading: the other side shows what was wanted → done; it shows what was
there before → the call may be repeated; anything else → the record has moved, plan again. A create is looked up by the
correlation key; where the other side can hold none, it is never repeated blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.base import Adapter, Change, Record
from sync.errors import NeedHuman, OutcomeUnknown, PreconditionFailed, RecordRefused, RetryLater, SverkaError, Text
from sync.model.types import decimal_of
from sync.store import points


@dataclass(frozen=True, slots=True)
class Outcome:
    """state: done (with the record as it stands now), moved (with it), retry, repeat, refused, unknown."""

    state: str
    record: Record | None = None
    error: SverkaError | None = None


def call(adapter: Adapter, change: Change, connection: str) -> Outcome:
    """Make the call. Errors of the configuration pass through: they stop the connection, not the record."""
    points.reach(f"call:{connection}.write:before")
    try:
        record = adapter.write(change)
    except PreconditionFailed as error:
        return Outcome("moved", _read(adapter, change), error)
    except OutcomeUnknown as error:
        return Outcome("retry", None, error)
    except RetryLater as error:
        return Outcome("repeat", None, error)
    except (RecordRefused, NeedHuman) as error:
        return Outcome("refused", None, error)
    finally:
        points.reach(f"call:{connection}.write:after")
    return Outcome("done", record)


def settle(adapter: Adapter, change: Change, tries: int) -> Outcome:
    """What became of a call whose answer nobody saw. RetryLater when the other side cannot be asked now."""
    try:
        if change.id is None:
            return _settle_create(adapter, change, tries)
        if change.kind not in adapter.capabilities.reads:
            return Outcome("unknown", None, _unknown(change))
        record = adapter.read(change.kind, change.id)
    except RetryLater as error:
        return Outcome("retry", None, error)
    except (RecordRefused, NeedHuman) as error:
        return Outcome("unknown", None, error)
    if record is None:
        return Outcome("refused", None, _gone(change))
    if holds(record.data, change.data):
        return Outcome("done", record)
    if change.before is not None and holds(record.data, _subset(change.before.data, change.data)):
        return Outcome("repeat", record)
    return Outcome("moved", record)


def made_by(adapter: Adapter, change: Change, records: Sequence[Record]) -> Record | None:
    """The record that this create made although its answer was lost: by the correlation key, or the one among `records`
    that shows all that was written. RetryLater when the other side cannot be asked now."""
    if change.kind in adapter.capabilities.finds:
        return adapter.find(change.kind, change.key)
    return next((r for r in records if holds(r.data, change.data)), None)


def _settle_create(adapter: Adapter, change: Change, tries: int) -> Outcome:
    if change.kind not in adapter.capabilities.finds:
        return Outcome("unknown", None, _unknown(change))
    record = adapter.find(change.kind, change.key)
    if record is not None:
        return Outcome("done", record)
    if change.kind in adapter.capabilities.vague or tries >= 5:
        return Outcome("unknown", None, _unknown(change))
    return Outcome("repeat")


def holds(data: Any, wanted: Any) -> bool:
    """Whether `data` shows everything of `wanted` (numbers may be texts on the other side: "10" and 10.00)."""
    if isinstance(wanted, dict):
        return isinstance(data, dict) and all(k in data and holds(data[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(data, list) and len(data) == len(wanted) and all(map(holds, data, wanted))
    if data == wanted:
        return True
    return _number(data) is not None and _number(data) == _number(wanted)


def _number(value: Any) -> Any:
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        return decimal_of(value)
    except ValueError:
        return None


def _subset(data: Any, like: Any) -> Any:
    """The part of `data` that `like` speaks of."""
    if isinstance(like, dict) and isinstance(data, dict):
        return {k: _subset(data[k], v) for k, v in like.items() if k in data}
    return data


def _read(adapter: Adapter, change: Change) -> Record | None:
    if change.id is None or change.kind not in adapter.capabilities.reads:
        return None
    try:
        return adapter.read(change.kind, change.id)
    except (RetryLater, RecordRefused, NeedHuman):
        return None


def _unknown(change: Change) -> SverkaError:
    return OutcomeUnknown(
        Text(
            f"The answer to a write of {change.kind} was lost and the other side cannot be asked whether it was done.",
            f"Ответ на запись ({change.kind}) потерян, и узнать у другой стороны, выполнена ли она, нельзя.",
        ),
        code="delivery.unknown",
        remedy=Text(
            "Look there. If it was not done, retry it here.", "Посмотрите там. Если записи нет — повторите её здесь."
        ),
    )


def _gone(change: Change) -> SverkaError:
    return RecordRefused(
        Text(f"{change.kind} {change.id} is gone there.", f"{change.kind} {change.id}: записи там больше нет."),
        code="delivery.gone",
    )
