"""One event against many clients: a process of its own, so that its memory and its caches are its own.

    python -m tests.bench.identity_speed CLIENTS EVENTS [FOLDER]        prints JSON

Wall-clock figures are what a user has; on a machine that does other work beside they are upper bounds, so the processor time
of the same work is given too.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sync.identity.contract import Resolver
from sync.identity.evidence import Own
from sync.identity.index import Index
from sync.identity.loading import load
from tests.bench.identity_words import MEN, SURNAMES, WOMEN, latin
from tests.bench.measure import peak_mb

_LATIN = {s: latin(s) for s in SURNAMES}
BATCH = 200  # events of one commit


def mobile(number: int) -> str:
    return f"9{number * 7_919 % 10**9:09d}"


def clients(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Raw records: every fifth a company, half of the people at one of them, up to two phones each, written as people do."""
    rng = random.Random(seed)
    for n in range(count):
        if n % 5 == 0:
            yield {
                "id": f"C{n:07d}",
                "kind": "company",
                "name": f"ООО «Фирма {n // 7}»",
                "inn": None,
                "emails": [f"info@firma{n}.ru"],
                "phones": [f"8 (495) {200 + n % 700:03d}-{n // 700 % 100:02d}-{n // 70000 % 100:02d}"],
                "site": f"https://firma{n}.ru",
            }
            continue
        last, d = rng.choice(SURNAMES), mobile(n)
        phones = [f"8 ({d[:3]}) {d[3:6]}-{d[6:8]}-{d[8:]}"] + ([f"+7 495 {n % 10**7:07d}"] if n % 2 else [])
        yield {
            "id": f"P{n:07d}",
            "kind": "person",
            "name": f"{last} {rng.choice(MEN + WOMEN)}",
            "companies": [f"C{n // 5 * 5:07d}"] if n % 2 else [],
            "phones": phones,
            "emails": [f"{_LATIN[last]}{n}@mail.ru"],
        }


def happenings(count: int, known: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """A day's mixture: known and unknown senders, signatures, namesakes, a company by its name alone."""
    rng = random.Random(seed)
    for n in range(count):
        who, last, first = rng.randrange(known), rng.choice(SURNAMES), rng.choice(MEN)
        d, event = mobile(who), {"event_id": str(n), "at": f"2026-03-01T{n % 24:02d}:00:00"}
        which = rng.random()
        if which < 0.25:
            yield event | {
                "kind": "web_form",
                "name": f"{first} {last}",
                "phone": f"8{d}",
                "email": "",
                "company": None,
                "comment": "Привет",
            }
        elif which < 0.45:
            yield event | {"kind": "call", "from_number": f"+7{d}", "direction": "in", "note": ""}
        elif which < 0.65:
            phone = f"8 ({d[:3]}) {d[3:6]}-{d[6:8]}-{d[8:]}"
            body = f"Просим счёт.\n--\nС уважением,\n{first} {last}\nООО «Фирма {who // 7}»\nтел. {phone}"
            yield event | {
                "kind": "email",
                "from_addr": f"{_LATIN[last]}{n}@firma{who // 5 * 5}.ru",
                "from_name": f"{first} {last}",
                "body": body,
            }
        elif which < 0.9:
            yield event | {
                "kind": "order",
                "shop": "site",
                "name": f"{last} {first}",
                "email": f"{_LATIN[last]}{who}@mail.ru",
                "phone": f"8{d}",
            }
        else:
            yield event | {
                "kind": "web_form",
                "name": f"{first} {last}",
                "phone": "",
                "email": f"new{n}@mail.ru",
                "company": f"ООО Фирма {who // 7}",
            }


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "temp_store=FILE"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _in_one(connection: sqlite3.Connection, work: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        connection.execute("BEGIN")
        work()
        connection.execute("COMMIT")

    return run


def normalised(count: int, folder: Path) -> dict[str, float]:
    """Observations that are canonical and sorted already: what the table itself can take."""
    connection = _open(folder / "normalised.db")
    index = Index.sqlite(connection)
    width = len(str(count))
    rows = (
        row
        for kind in ("email", "phone")
        for n in range(count)
        for row in ((kind, f"client{n:0{width}d}@mail.ru" if kind == "email" else f"+79{n:09d}", f"P{n:07d}"),)
    )
    wall, cpu = _timed(_in_one(connection, lambda: index.add_keys(rows)))
    connection.close()
    return {"seconds": wall, "cpu": cpu}


def decisions(count: int, events: int, folder: Path) -> dict[str, Any]:
    connection = _open(folder / "base.db")
    index = Index.sqlite(connection)
    wall, cpu = _timed(_in_one(connection, lambda: load(index, clients(count))))
    hub = Resolver(index, Own.of())
    for event in happenings(500, count, seed=3):  # what a running process has warm already
        hub.answer(event)
    rounds = [_round(connection, hub, happenings(events, count, seed)) for seed in (2, 4, 5)]
    connection.close()
    # The least disturbed round: on a machine that does other work beside, the others measure that work
    best = min(rounds, key=lambda r: float(r["total"]))
    return best | {"load": {"seconds": wall, "cpu": cpu}, "file_mb": (folder / "base.db").stat().st_size / 2**20}


def _round(connection: sqlite3.Connection, hub: Resolver, events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    walls, cpus, commits = [], [], 0.0
    begun, used = time.perf_counter(), time.process_time()
    connection.execute("BEGIN")
    for n, event in enumerate(events):
        wall, cpu = time.perf_counter(), time.process_time()
        hub.answer(event)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if n % BATCH == BATCH - 1:
            commits += _timed(lambda: connection.execute("COMMIT"))[0]
            connection.execute("BEGIN")
    connection.execute("COMMIT")
    total, spent = time.perf_counter() - begun, time.process_time() - used
    return {"wall": walls, "cpu": cpus, "total": total, "total_cpu": spent, "commits": commits}


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main() -> None:
    count, events = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as name:
        folder = Path(name)
        plain = normalised(count, folder)
        found = decisions(count, events, folder)
    print(
        json.dumps(
            {
                "clients": count,
                "events": events,
                "normalised_per_s": count / plain["seconds"],
                "normalised_per_cpu_s": count / plain["cpu"],
                "raw_per_s": count / found["load"]["seconds"],
                "raw_per_cpu_s": count / found["load"]["cpu"],
                "p50_ms": _at(found["wall"], 0.5),
                "p99_ms": _at(found["wall"], 0.99),
                "p50_cpu_ms": _at(found["cpu"], 0.5),
                "p99_cpu_ms": _at(found["cpu"], 0.99),
                "events_per_s": events / found["total"],
                "events_per_cpu_s": events / found["total_cpu"],
                "core": found["total_cpu"] / found["total"],  # how much of a core the machine gave
                "commit_ms": found["commits"] * 1000 / max(1, events // BATCH),
                "file_mb": found["file_mb"],
                "peak_mb": peak_mb(),
            }
        )
    )


if __name__ == "__main__":
    main()
