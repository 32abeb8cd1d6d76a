"""Deliberate faults, each of which the enumeration of kill points must find. They are put in within a child only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from adapters.base import Change
from sync.delivery import execute, intents
from sync.flow import pull, take
from sync.intake.inbox import InboxWriter, Stored
from sync.store import points, tables
from tests.spec.kill_hub import START


def _done_before_the_call() -> None:
    right = intents.begin

    def begin(tx: Any, id: str, now: Any) -> bool:
        began = right(tx, id, now)
        intents.finish(tx, id, "done", START)
        return began

    intents.begin = begin


def _blind_second_call() -> None:
    def settle(adapter: Any, change: Change, tries: int, found: Any = None) -> execute.Outcome:
        return execute.Outcome("repeat")

    execute.settle = settle


def _acknowledged_too_early() -> None:
    right = InboxWriter._commit

    def commit(self: Any, batch: list[Any]) -> None:
        for _, future in batch:
            future.set_result(Stored(0, None))
        time.sleep(0.05)  # the answer is out before the commit
        right(self, [(item, type(future)()) for item, future in batch])

    InboxWriter._commit = commit  # type: ignore[method-assign]


def _cursor_ahead() -> None:
    right = pull.store_page

    def store_page(world: Any, plug: Any, kind: str, page: Any, *more: Any) -> int:
        with world.store.begin() as tx:
            pull._save_cursor(world, tx, plug.name, kind, page.cursor, more[-1])
        points.reach("mutant")
        return right(world, plug, kind, page, *more)

    pull.store_page = store_page


def _arrival_done_early() -> None:
    right = take.take_chunk

    def take_chunk(world: Any, plug: Any, items: Any, cause: Any) -> Any:
        with world.store.begin() as tx:
            tx.execute(tables.inbox.update().where(tables.inbox.c.id == cause.inbox_id).values(state="done"))
        points.reach("mutant")
        return right(world, plug, items, cause)

    take.take_chunk = take_chunk


MUTANTS: dict[str, Callable[[], None]] = {
    "done before the call": _done_before_the_call,
    "a blind second call": _blind_second_call,
    "acknowledged before the commit": _acknowledged_too_early,
    "cursor ahead of its page": _cursor_ahead,
    "arrival done before its records": _arrival_done_early,
}
