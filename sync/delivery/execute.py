"""One write: the call, and what its outcome means. The database is the caller's business.

Where the other side has no conditional write the record is read and compared just before: what moved there since the hub
saw it last is never overwritten. Between that reading and the write nothing protects it; `conditional` of the adapter's
capabilities says for which kinds there is no such window.

A call that ended without an answer is settled by reading: the other side shows what was wanted → done; it shows what was
there before → the call may be repeated; anything else → the record has moved, plan again. After a delete it wants nothing
there, or a record that says it is deleted. A create is looked up by the
correlation key; where the other side can hold none, among the records that came up there since, by all that was written.
It is never repeated blindly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from adapters.base import Adapter, Change, Record
from sync.errors import NeedHuman, OutcomeUnknown, PreconditionFailed, RecordRefused, RetryLater, SverkaError, Text
from sync.model.types import decimal_of
from sync.store import points
from sync.store.types import dump_bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """state: done (with the record as it stands now), moved (with it), retry, repeat, refused, unknown."""

    state: str
    record: Record | None = None
    error: SverkaError | None = None


View = Callable[[Any], Any]  # what a native record says of the fields that are written
Look = Callable[[], tuple[Sequence[Record], bool]]  # unknown records of the kind, and whether none is expected any more


def call(adapter: Adapter, change: Change, connection: str, view: View = lambda _: None) -> Outcome:
    """Make the call. Errors of the configuration pass through: they stop the connection, not the record."""
    looked = (_compared_whole if change.delete else partial(_compared, view=view))(adapter, change, connection)
    if looked is not None:
        return looked
    points.reach(f"call:{connection}.write:before")
    try:
        record = adapter.write(change)
    except PreconditionFailed as error:
        if change.delete:
            return _moved_before(adapter, change, error)
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


def _compared(adapter: Adapter, change: Change, connection: str, view: View) -> Outcome | None:
    """Read-and-compare just before an update that the other side itself would not refuse; None: go ahead."""
    able = adapter.capabilities
    if change.id is None or change.before is None or change.kind in able.conditional or change.kind not in able.reads:
        return None
    points.reach(f"call:{connection}.compare:before")
    try:
        now = adapter.read(change.kind, change.id)
    except RetryLater as error:
        return Outcome("repeat", None, error)
    except (RecordRefused, NeedHuman) as error:
        return Outcome("refused", None, error)
    if now is None:
        return Outcome("refused", None, _gone(change))
    seen, known = _subset(now.data, change.data), _subset(change.before.data, change.data)
    moved = not (holds(seen, known) and holds(known, seen)) or view(now.data) != view(change.before.data)
    return Outcome("moved", now) if moved or now.deleted != change.before.deleted else None


def _compared_whole(adapter: Adapter, change: Change, connection: str) -> Outcome | None:
    """The same before a delete: there everything counts, not only what would be written."""
    if change.kind in adapter.capabilities.conditional or change.kind not in adapter.capabilities.reads:
        return None
    points.reach(f"call:{connection}.compare:before")
    found = _still_there(adapter, change)
    return None if found.state == "repeat" and found.error is None else found


def _still_there(adapter: Adapter, change: Change) -> Outcome:
    """done: it is gone; repeat: it stands as it was seen (or cannot be asked for now, with the error); moved: it does not."""
    if change.id is None or change.before is None:
        return Outcome("unknown", None, _unknown(change))
    try:
        now = adapter.read(change.kind, change.id)
    except RetryLater as error:
        return Outcome("repeat", None, error)
    except (RecordRefused, NeedHuman) as error:
        return Outcome("refused", None, error)
    if now is None or now.deleted:
        return Outcome("done", now or replace(change.before, deleted=True))
    same = dump_bytes(now.data) == dump_bytes(change.before.data)
    return Outcome("repeat", now) if same else Outcome("moved", now)


def _moved_before(adapter: Adapter, change: Change, refused: SverkaError) -> Outcome:
    """The other side refused to delete what has moved: how it stands now. A version that moved alone is no edit."""
    found = _still_there(adapter, change)
    if found.state == "repeat":
        return Outcome("moved", found.record, refused) if found.error is None else found
    return found


def settle(adapter: Adapter, change: Change, tries: int, found: Look | None = None) -> Outcome:
    """What became of a call whose answer nobody saw. RetryLater when the other side cannot be asked now. `found` gives the
    unknown records that came up there since, where no correlation key can be looked up."""
    if change.delete:
        there = _still_there(adapter, change)
        unsettled = {"repeat": "retry", "refused": "unknown"}
        return replace(there, state=unsettled.get(there.state, there.state)) if there.error is not None else there
    try:
        if change.id is None:
            return _settle_create(adapter, change, tries, found)
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
    """The record that this create made although its answer was lost: by the correlation key, or the only one among
    `records` that shows all that was written. RetryLater when the other side cannot be asked now."""
    if change.kind in adapter.capabilities.finds:
        return adapter.find(change.kind, change.key)
    alike = [r for r in records if holds(r.data, change.data)]
    return alike[0] if len(alike) == 1 else None


def _settle_create(adapter: Adapter, change: Change, tries: int, found: Look | None) -> Outcome:
    able = adapter.capabilities
    if change.kind in able.finds:
        record = adapter.find(change.kind, change.key)
        if record is not None:
            return Outcome("done", record)
        again = change.kind not in able.vague and tries < 5
        return Outcome("repeat") if again else Outcome("unknown", None, _unknown(change))
    if found is None:
        return Outcome("unknown", None, _unknown(change))
    records, over = found()
    alike = [r for r in records if not r.deleted and holds(r.data, change.data)]
    if len(alike) == 1:
        return Outcome("done", alike[0])
    return Outcome("unknown" if alike or over else "retry", None, _unknown(change))


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
