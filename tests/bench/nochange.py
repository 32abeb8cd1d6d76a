"""B-H a pass over linked records that have not changed, their pages already in memory: what the comparison itself costs.

Subject and limit program read one database of 100,000 links, each in a process of its own, taking turns; both get the same
pages of 250 records. The limit program is the same work written by hand: per page one look-up of the hashes, per record
one serialisation, one hash, one comparison. The subject is the hub's own poll of a source that lists everything, so that it
also proves that nobody is missing. Row counts and contents of every table are the same before and after.

    python -m tests.bench.nochange make|hub|hand DATABASE COUNT        prints seconds, counts, peak memory as JSON
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import orjson

from adapters.base import Page, Record
from sync.flow import pull
from sync.hub import Hub, works
from sync.lens import load
from tests.bench.imports import Differs
from tests.bench.measure import Clock, Gate, Report, Series, child, key_of, peak_mb
from tests.bench.source import product
from tests.bench.subject import HERE, NAME, configured, install

MODULE = "tests.bench.nochange"
PAGE = 250
AT_MOST = 1.3  # times the limit program's time
GROWTH_MB = 5  # that the pass may hold beside what the limit program does (both let SQLite keep 16 MB of pages)
KIND = "product"
LOOK_UP = (
    "SELECT external_id, shadow_hash FROM link WHERE connection = ? AND native_kind = ?"
    " AND external_id IN (SELECT value FROM json_each(?))"
)
# What a pass may touch: runs, and when the source was looked at
TOUCHED = frozenset({"run", "cursor", "lease", "bucket", "sqlite_sequence"})


def pages(count: int) -> list[Page]:
    rows = [product(number) for number in range(count)]
    parts = [rows[at : at + PAGE] for at in range(0, count, PAGE)]
    return [
        Page([Record(KIND, row["id"], row, row["modified"]) for row in part], {}, part is parts[-1], part is parts[-1])
        for part in parts
    ]


def run(count: int, rounds: int, folder: Path | None = None) -> list[Report]:
    """The report of so many records."""
    names = {"hub": "Sverka", "hand": "limit program"}
    times = {name: Series("seconds") for name in names}
    cpu = {name: Series("CPU seconds") for name in names}
    grown = {name: Series("MB") for name in names}
    place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
    try:
        database = place / "data.db"
        child(MODULE, "make", database, count)
        before = digest(database)
        for turn in range(rounds):
            for name in names if turn % 2 == 0 else reversed(names):
                found = child(MODULE, name, database, count)
                times[name].values.append(found["seconds"])
                cpu[name].values.append(found["cpu"])
                grown[name].values.append(found["grown_mb"])
                if found["same"] != count:
                    raise Differs(f"{name}: {found['same']} of {count} records were found unchanged")
        if digest(database) != before:
            raise Differs("a pass without changes has written rows")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return [_report(count, names, times, cpu, grown)]


def _report(
    count: int, names: dict[str, str], times: dict[str, Series], cpu: dict[str, Series], grown: dict[str, Series]
) -> Report:
    """The gate is on the processor's time: the pages and the database's file are in memory, there is nothing to wait for
    but other programs of the machine."""
    report = Report(
        f"B-H a pass over {count:,} linked records from memory, nothing changed",
        head=("", "CPU seconds: median (min … max)", "times limit", "CPU µs/record", "seconds", "MB added"),
    )
    for name, title in names.items():
        share = cpu[name].median / cpu["hand"].median
        each = cpu[name].median / count * 1e6
        added = max(grown[name].values)
        report.rows.append(
            (title, cpu[name].text(3), f"{share:.2f}", f"{each:.2f}", times[name].text(3), f"{added:.1f}")
        )
        report.figures[title] = {
            "cpu_seconds": cpu[name].as_dict(),
            "seconds": times[name].as_dict(),
            "times_limit": share,
            "grown_mb": grown[name].as_dict(),
        }
    # The ratio of each round: a slow minute of the machine weighs on both
    ratio = Series("ratio", [a / b for a, b in zip(cpu["hub"].values, cpu["hand"].values, strict=True)])
    more = max(grown["hub"].values) - max(grown["hand"].values)
    report.gates.append(Gate("B-H times the limit program", ratio.median, AT_MOST, at_most=True))
    report.gates.append(Gate("B-H MB more than the limit program", more, GROWTH_MB, at_most=True))
    return report


def digest(database: Path) -> dict[str, str]:
    """A hash of every table that a pass must leave alone."""
    found: dict[str, str] = {}
    with sqlite3.connect(database) as store:
        for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name not in TOUCHED:
                rows = hashlib.sha256()
                for row in store.execute(f'SELECT * FROM "{name}" ORDER BY {key_of(store, name)}'):
                    rows.update(repr(row).encode())
                found[name] = rows.hexdigest()
    store.close()
    return found


def by_hand(database: str, source: list[Page]) -> int:
    """The same comparison, written out."""
    salt = load(NAME, HERE / "mappings").print_of(KIND)[:32].encode()
    store = sqlite3.connect(database, isolation_level=None)
    store.execute("PRAGMA cache_size=-16000")
    same = 0
    for page in source:
        wanted = orjson.dumps([rec.id for rec in page.records]).decode()
        known = dict(store.execute(LOOK_UP, (NAME, KIND, wanted)))
        for rec in page.records:
            stored = orjson.dumps(rec.data, option=orjson.OPT_SORT_KEYS)
            same += known.get(rec.id) == hashlib.blake2b(stored, digest_size=16, key=salt).digest()
    store.close()
    return same


def _hub(database: Path) -> Hub:
    install()
    hub = Hub(configured("http://127.0.0.1:1/", database))
    for error in hub.broken.values():
        raise error
    return hub


def main(what: str, database: str, count: int) -> None:
    source = pages(count)
    if what == "hand":
        before, clock = peak_mb(), Clock()
        same = by_hand(database, source)
        clock.report(same=same, grown_mb=peak_mb() - before)
        return
    with _hub(Path(database)) as hub:
        plug = hub.plugs[NAME]
        plug.adapter.scan = lambda kind, cursor: iter(source)  # type: ignore[method-assign]
        if what == "make":
            works.poll(hub, plug)
            works.poll(hub, plug)  # the pass that is measured is not the first one: the cursor's row is as it will be
            hub.store.engine.dispose()
            return print("{}")
        before, clock = peak_mb(), Clock()
        counts = pull.pull(hub.world, plug, KIND, lambda: None)
        clock.report(same=counts.same, grown_mb=peak_mb() - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
