"""The narrow port to background execution: what the hub asks of an engine, and nothing more.

Two engines stand behind it: `embedded` (one process, threads) and `queued` (several processes and hosts on PostgreSQL).
Work is addressed by a *key* ("scan:shop:order"): equal keys mean the same work with the same arguments. Work is done at
least once, so it must be safe to repeat; and one key is never worked on twice at once, which our own lease ensures and not
the engine's queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Handler = Callable[[dict[str, Any]], None]
KEY_LENGTH = 140  # of the columns that hold a key with a prefix


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work: the handler's name, its arguments (JSON-like) and its key."""

    name: str
    args: dict[str, Any]
    key: str

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_LENGTH:
            raise ValueError(f"a key of work has 1 to {KEY_LENGTH} characters: {self.key!r}")


class Engine(Protocol):
    """Handlers are told before `start`; `enqueue` works without `start` too (the work waits for a process that started)."""

    def handle(self, name: str, function: Handler) -> None:
        """Work of this name is done by `function(args)`, in a thread, under a lease (`lease.current()`).

        When it raises, the work is tried again: after RetryLater.after seconds, else after a growing while of at most ten
        minutes. A function that takes long looks at `lease.current().lost` and at the limiter's stop event.
        """

    def enqueue(self, name: str, args: dict[str, Any], *, key: str) -> None:
        """Do it soon; durable once this returns. While work of this key waits, a second is not added; while it is being
        worked on, one more run is."""

    def schedule(self, name: str, args: dict[str, Any], *, key: str, every: int, first: datetime | None = None) -> None:
        """Enqueue it every so many seconds, the first time at once (or at `first`): one firing per tick over all processes,
        ticks missed while nobody ran make one. The next tick is remembered in table `due` under the key."""

    def recover(self) -> int:
        """Take over what dead processes left; gives the number of pieces. The engine also does it by itself."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self, timeout: float = 10) -> None:
        """Begin nothing more, and wait so many seconds for what runs. What waits, waits for the next start."""

    def wake(self) -> None:
        """Look for due work now, not at the next poll."""


def utc_now() -> datetime:
    """The clock of the engines where no other is given."""
    return datetime.now(UTC)
