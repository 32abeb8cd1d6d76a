"""B-A import into an empty database, B-B the same again with nothing changed, and the memory of both (B-F).

Subject and limit program take turns in one run, against one server, each measurement in a process of its own. After every
run the database is compared with the source, row for row.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sync.lens import load
from tests.bench import limit, peers
from tests.bench.measure import Gate, Report, Series, child, serving
from tests.bench.source import product, products
from tests.bench.subject import HERE, NAME

PEAK_MB = 150


@dataclass(frozen=True)
class Program:
    """One contestant: its module, arguments besides URL and database, and the check of its result."""

    name: str
    module: str
    args: tuple[str, ...]
    check: Callable[[Path, int], None]
    python: str = sys.executable


class Differs(Exception):
    """A database does not hold what the source has."""


def programs(python: Path | None) -> list[Program]:
    """Sverka and the limit program; with a Python for them, also the peers that it has. The others are named as absent."""
    found = [
        Program("Sverka", "tests.bench.subject", (), check_subject),
        Program("limit program", "tests.bench.limit", (), check_limit),
    ]
    checks = {"dlt": peers.check_dlt, "singer": peers.check_singer}
    for name, shown in peers.SHOWN.items() if python is not None else ():
        known = peers.version(name, python)
        print(f"{shown}: {known or f'not installed for {python}'}")
        if known:
            found.append(Program(shown, "tests.bench.peers", (name,), checks[name], str(python)))
    return found


def run(count: int, rounds: int, folder: Path | None = None, python: Path | None = None) -> list[Report]:
    """B-A, B-B and B-F of so many records; beside the peers that `python` has."""
    contestants = programs(python)
    first = {p.name: Measured(count) for p in contestants}
    second = {p.name: Measured(count) for p in contestants}
    with serving("tests.bench.source", count) as (port, _):
        url = f"http://127.0.0.1:{port}/products"
        for turn in range(rounds):
            # Every other round in the opposite order: nobody always comes first
            for one in contestants if turn % 2 == 0 else contestants[::-1]:
                place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
                try:
                    database = place / "data.db"
                    first[one.name].add(child(one.module, url, str(database), *one.args, python=one.python))
                    one.check(database, count)
                    second[one.name].add(child(one.module, url, str(database), *one.args, python=one.python))
                    one.check(database, count)
                finally:
                    shutil.rmtree(place, ignore_errors=True)
    return [
        _speed(f"B-A import of {count:,} records of 10 fields into an empty database", "B-A", first, 0.25, 0.4),
        _speed(f"B-B the same {count:,} records again, nothing changed", "B-B", second, 0.5, 0.7),
        _memory(first, second),
    ]


class Measured:
    """All measurements of one program in one benchmark."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.rate, self.cpu, self.peak = Series("records/s"), Series("CPU µs/record"), Series("peak MB")

    def add(self, found: dict[str, Any]) -> None:
        self.rate.values.append(self._count / found["seconds"])
        self.cpu.values.append(found["cpu"] / self._count * 1e6)
        self.peak.values.append(found["peak_mb"])


def _speed(title: str, name: str, found: dict[str, Measured], least: float, wanted: float) -> Report:
    report = Report(
        title, head=("", "records/s: median (min … max)", "of limit", "Sverka ×", "CPU µs/record", "peak MB")
    )
    best, own = found["limit program"], found["Sverka"].rate.median
    for program, series in found.items():
        share = series.rate.median / best.rate.median
        times = "" if series is found["Sverka"] else f"{own / series.rate.median:.1f}"
        report.rows.append(
            (program, series.rate.text(), f"{share:.2f}", times, series.cpu.text(1), f"{series.peak.median:.0f}")
        )
        report.figures[program] = {
            "records_per_second": series.rate.as_dict(),
            "cpu_us_per_record": series.cpu.as_dict(),
            "peak_mb": series.peak.as_dict(),
            "of_limit": share,
        }
    report.gates.append(Gate(f"{name} of limit program", own / best.rate.median, least, wanted=wanted))
    return report


def _memory(first: dict[str, Measured], second: dict[str, Measured]) -> Report:
    report = Report("B-F memory: the most that the process held", head=("", "MB"))
    for name, found in (("B-A", first), ("B-B", second)):
        peak = max(found["Sverka"].peak.values)
        report.rows.append((name, f"{peak:.0f}"))
        report.figures[name] = {"peak_mb": peak}
        report.gates.append(Gate(f"B-F peak MB in {name}", peak, PEAK_MB, at_most=True))
    return report


def check_limit(database: Path, count: int) -> None:
    with _opened(database) as store:
        rows = store.execute("SELECT id, hash FROM item ORDER BY id")
        _same(rows, ((one["id"], limit.fingerprint(one)) for one in products(count)))


def check_subject(database: Path, count: int) -> None:
    """Every link has its record, its journal row and the hash of what the source has; nothing else was made."""
    salt = load(NAME, HERE / "mappings").print_of("product")[:32].encode()

    def hashed(number: int) -> bytes:
        data = orjson.dumps(product(number), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(data, digest_size=16, key=salt).digest()

    with _opened(database) as store:
        rows = store.execute(
            "SELECT l.external_id, l.shadow_hash, json_extract(r.data, '$.name'), r.number, j.why FROM link l"
            " JOIN record r ON r.uid = l.record_uid JOIN journal j ON j.record_uid = r.uid ORDER BY l.external_id"
        )
        expected = (
            (one["id"], hashed(at), one["name"], one["sku"], "created") for at, one in enumerate(products(count))
        )
        _same(rows, expected)
        for table in ("record", "link", "journal"):
            _same(store.execute(f"SELECT count(*) FROM {table}"), [(count,)])
        _same(store.execute("SELECT count(*) FROM inbox WHERE state <> 'done'"), [(0,)])
        _same(store.execute("SELECT count(*) FROM quarantine"), [(0,)])
        runs = store.execute('SELECT "read", new, same, outcome FROM run ORDER BY id').fetchall()
        _same(runs, [(count, count, 0, "ok"), (count, 0, count, "idle")][: len(runs)])


def _opened(database: Path) -> Any:
    import contextlib

    return contextlib.closing(sqlite3.connect(database))


def _same(rows: Iterable[tuple[Any, ...]], expected: Iterable[tuple[Any, ...]]) -> None:
    found: Iterator[tuple[Any, ...]] = iter(rows)
    for number, wanted in enumerate(expected):
        row = next(found, None)
        if row is None or tuple(row) != tuple(wanted):
            raise Differs(f"row {number}: found {row}, expected {wanted}")
    if (row := next(found, None)) is not None:
        raise Differs(f"one row too many: {row}")
