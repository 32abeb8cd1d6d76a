"""Faults to order, for tests of whatever uses an adapter: lost answers, refusals, and the death of the process.

A plan is a list of plain objects, counted per matching call; `nth` skips the calls before it, `times` is how many fail:

    {"call": "write", "kind": "deal", "nth": 2, "times": 1, "mode": "lost"}

call: "scan" (each page), "read", "write", "find", "lying", "gather"; `kind` may be left out.
mode: "error" (not executed, RetryLater), "refuse" (not executed, RecordRefused), "lost" (executed, the answer is lost),
"kill-before", "kill-after" (the process dies: `Killed`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from adapters.base import (
    Adapter,
    Arrival,
    Change,
    Finding,
    Hint,
    Move,
    Native,
    OutcomeUnknown,
    Page,
    Problem,
    Reception,
    Record,
    RecordRefused,
    RetryLater,
    ServerProtocol,
    Text,
    Unchanged,
)

T = TypeVar("T")


class Killed(BaseException):
    """The process dies here, as by kill -9: no `except Exception` may catch it."""


class FaultPlan:
    """Runs calls, notes them in `log`, and makes those fail that `faults` name."""

    def __init__(self, faults: Iterable[Native] = ()) -> None:
        self.faults: list[Native] = [dict(fault) for fault in faults]
        self.log: list[dict[str, str]] = []
        self._lock = threading.RLock()

    def run(self, call: str, kind: str, id: str, execute: Callable[[], T]) -> T:
        with self._lock:
            self.log.append({"call": call, "kind": kind, "id": id})
            mode = self._mode(call, kind)
            if mode == "error":
                raise RetryLater(Text("the system is busy", "система занята"), code="fault.busy")
            if mode == "refuse":
                raise RecordRefused(Text("the record is refused", "запись отклонена"), code="fault.refused")
            if mode == "kill-before":
                raise Killed(call)
            result = execute()
            if mode == "kill-after":
                raise Killed(call)
            if mode == "lost" and call in ("write", "gather"):
                raise OutcomeUnknown(Text("the answer was lost", "ответ потерян"), code="fault.lost")
            if mode == "lost":
                raise RetryLater(Text("the answer was lost", "ответ потерян"), code="fault.lost")
            return result

    def _mode(self, call: str, kind: str) -> str:
        for fault in self.faults:
            if fault["call"] != call or fault.get("kind", kind) != kind or fault.get("times", 1) <= 0:
                continue
            fault["nth"] = fault.get("nth", 1) - 1
            if fault["nth"] <= 0:
                fault["times"] = fault.get("times", 1) - 1
                return str(fault.get("mode", "error"))
        return ""


class FaultyAdapter(Adapter):
    """Any adapter, with a plan's faults around its calls; everything else goes straight through to it."""

    def __init__(self, adapter: Adapter, plan: FaultPlan) -> None:
        super().__init__(adapter.settings, adapter.context)
        self.inner, self.plan = adapter, plan
        self.capabilities = adapter.capabilities

    def __getattr__(self, name: str) -> Any:  # title, role, mapping: the base class only names them
        return getattr(self.inner, name)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        pages = self.inner.scan(kind, cursor)
        while page := self.plan.run("scan", kind, "", lambda: next(pages, None)):
            yield page
            if page.last:
                return

    def read(self, kind: str, id: str) -> Record | None:
        return self.plan.run("read", kind, id, lambda: self.inner.read(kind, id))

    def write(self, change: Change) -> Record:
        return self.plan.run("write", change.kind, change.id or "", lambda: self.inner.write(change))

    def find(self, kind: str, key: str) -> Record | None:
        return self.plan.run("find", kind, key, lambda: self.inner.find(kind, key))

    def lying(self, kind: str, id: str) -> Sequence[str]:
        return self.plan.run("lying", kind, id, lambda: self.inner.lying(kind, id))

    def gather(self, move: Move) -> Sequence[str]:
        return self.plan.run("gather", move.kind, move.home, lambda: self.inner.gather(move))

    def check(self) -> Iterator[Finding]:
        return self.inner.check()

    def collect(self) -> Iterator[Arrival]:
        return self.inner.collect()

    def collected(self, arrival: Arrival) -> None:
        self.inner.collected(arrival)

    def receive(self, arrival: Arrival) -> Reception:
        return self.inner.receive(arrival)

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem | Hint | Unchanged]:
        return self.inner.unpack(arrival)

    def server(self) -> ServerProtocol | None:
        return self.inner.server()

    def close(self) -> None:
        self.inner.close()
