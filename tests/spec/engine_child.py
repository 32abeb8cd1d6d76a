"""A process that works with an engine: `python -m tests.spec.engine_child '{"engine": …}'`.

Its handlers write one line per event into a log that all processes of a test share, so that the test can tell what ran,
when and where. It works until its standard input is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sync.errors import RetryLater, Text
from sync.schedule.port import Engine
from sync.store import Store

LEASE = 1.5


def make_engine(kind: str, store: Store, **options: Any) -> Engine:
    """The engine "embedded" or "queued" with short times."""
    make: Any
    if kind == "embedded":  # a child imports only its own engine: several of them start at once
        from sync.schedule.embedded import EmbeddedEngine as make
    else:
        from sync.schedule.queued import QueuedEngine as make
    options = {"lease": LEASE, "poll": 0.2, "first_pause": 0.2, **options}
    engine: Engine = make(store, owner=f"{os.getpid()}-{time.time_ns()}", **options)
    return engine


class Log:
    """Lines "event key pid nanoseconds" in a file; the clock is the machine's monotonic one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, event: str, key: str) -> None:
        line = f"{event} {key} {os.getpid()} {time.monotonic_ns()}\n".encode()
        with self._lock, self.path.open("ab", buffering=0) as file:
            file.write(line)

    def lines(self, event: str, key: str = "") -> list[tuple[str, int, int]]:
        """(key, pid, time) of every such event."""
        if not self.path.exists():
            return []
        rows = [line.split(" ") for line in self.path.read_text().splitlines()]
        return [(row[1], int(row[2]), int(row[3])) for row in rows if row[0] == event and key in ("", row[1])]


def add_handlers(engine: Engine, log: Log) -> None:
    """ "note" writes lines around a pause; "hang" never ends in the first process that gets it; "fail" fails so often."""

    def note(args: dict[str, Any]) -> None:
        log.write("begin", args["key"])
        time.sleep(args.get("seconds", 0))
        log.write("end", args["key"])

    def hang(args: dict[str, Any]) -> None:
        first = not log.lines("begin", args["key"])
        log.write("begin", args["key"])
        if first:
            threading.Event().wait(60)
        log.write("end", args["key"])

    def fail(args: dict[str, Any]) -> None:
        log.write("begin", args["key"])
        time.sleep(args.get("seconds", 0))
        if len(log.lines("begin", args["key"])) <= args["times"]:
            if "after" in args:
                raise RetryLater(Text("not now", "не сейчас"), code="test.later", after=args["after"])
            raise ValueError("broken")
        log.write("end", args["key"])

    for handler in (note, hang, fail):
        engine.handle(handler.__name__, handler)


def main() -> None:
    order = json.loads(sys.argv[1])
    store = Store.open(order["url"])
    log = Log(Path(order["log"]))
    engine = make_engine(order["engine"], store)
    add_handlers(engine, log)
    for name, args, key, every in order.get("schedule", []):
        engine.schedule(name, args, key=key, every=every)
    engine.start()
    for name, args, key in order.get("enqueue", []):
        engine.enqueue(name, args, key=key)
    log.write("ready", "-")
    sys.stdin.read()
    engine.stop()
    store.close()


if __name__ == "__main__":
    main()
