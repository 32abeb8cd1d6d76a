"""One record in a transaction of its own: it is absorbed, or it is in quarantine with the reason."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import IntegrityError, StatementError

from adapters.base import Record
from sync.errors import NeedHuman, RecordRefused, Text
from sync.flow import told, trouble
from sync.flow.absorb import Absorbed, absorb, find_link
from sync.flow.plug import Cause, Plug, World, storable

# What a record that nobody foresaw may cause: it concerns that record. A database that does not work raises its own errors
UNEXPECTED = (StatementError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def take_one(world: World, plug: Plug, rec: Record, cause: Cause, *, weighed: bool = False) -> str:
    """One record in one transaction; its outcome. A refusal goes to quarantine with the record itself. `weighed`: that it
    may be taken as deleted is known already."""
    if rec.deleted and not (weighed or cause.sure) and told.hold(world, plug, [rec]):
        return "skipped"
    try:
        try:
            done = _absorb(world, plug, rec, cause)
        except IntegrityError:  # somebody else made the same at the same instant: now it is seen
            done = _absorb(world, plug, rec, cause)
        except TypeError:  # perhaps JSON cannot hold it as it came
            rec = replace(rec, data=storable(rec.data))
            done = _absorb(world, plug, rec, cause)
    except (RecordRefused, NeedHuman) as error:
        return refused(world, plug, rec, error, cause)
    except UNEXPECTED as error:
        return refused(world, plug, rec, unexpected(error), cause)
    if done.outcome == "stale":
        return _read_again(world, plug, rec, cause)
    for name in done.touched if cause.run_id is None else ():  # what a run brings about goes out when it has ended
        world.wake(name)
    return done.outcome


def _absorb(world: World, plug: Plug, rec: Record, cause: Cause) -> Absorbed:
    with world.store.begin(durable=False) as tx:
        world.guard(tx)
        return absorb(world, tx, plug, rec, cause)


def refused(world: World, plug: Plug, rec: Record, error: RecordRefused | NeedHuman, cause: Cause) -> str:
    """Put the record aside with the reason; the outcome."""
    with world.store.begin(durable=False) as tx:
        trouble.refuse(
            tx, plug.name, rec.kind, rec.id, error, world.now(), inbox_id=cause.inbox_id, data=trouble.kept(rec)
        )
    return "failed"


def unexpected(error: Exception) -> RecordRefused:
    """A fault that nobody foresaw concerns one record, not its neighbours. Its own text may hold data and is not shown."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"
    return RecordRefused(
        Text(
            f"The hub could not process this record ({place}). The record is kept.",
            f"Обработать эту запись не удалось ({place}). Запись сохранена.",
        ),
        code="record.unexpected",
        remedy=Text(
            "Correct it there or update Sverka, then retry.", "Исправьте запись там или обновите Сверку и повторите."
        ),
    )


def _read_again(world: World, plug: Plug, rec: Record, cause: Cause) -> str:
    """The record was read before our own write to it ended: what it says may be older than what we know."""
    if rec.kind not in plug.adapter.capabilities.reads:
        return "skipped"
    fresh = plug.adapter.read(rec.kind, rec.id)
    return "skipped" if fresh is None else take_one(world, plug, fresh, replace(cause, read_at=None))


def gone_record(world: World, plug: Plug, kind: str, id: str) -> Record | None:
    """A record that its system answers "gone for good" about: as it was shown last, marked as deleted."""
    with world.store.read() as tx:
        known = find_link(tx, plug.name, kind, id)
    if known is None or known.shadow is None:
        return None
    return Record(kind, id, known.shadow, known.version, deleted=True)
