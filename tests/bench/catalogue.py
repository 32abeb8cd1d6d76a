"""A whole catalogue of 1C, from its files to the tables with their history: goods, offers, prices by type, stock by warehouse.

The connection is the shipped `onec_folder` with its shipped mapping. Three passes over one database, each in a process of
its own: the first import; the export of the next night (every byte of its rows the same, only the file's own date is another
one); the export of the night after with .1 % of the rows altered. Before and after each of them `adapters.onec.cml.records`
alone reads the very same files: a machine's speed may change by a third in the minute that a first import takes. Processor time
counts; the result is the ratio of a pass to the mean of the two readings around it.

What was stored is compared with the generator's own counts, and row for row between the passes: an unchanged night must
leave every table alone, a changed one must have touched just the altered goods. `tests.bench.commerceml` is what imports.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from tests.bench import cml
from tests.bench.imports import Differs
from tests.bench.measure import Gate, Report, Series, child, key_of

PEAK_MB = 150
SHARE = 0.001  # of the goods altered
FILES = ("import.xml", "offers.xml")
PASSES = {"first": 3.5, "again": 1.4, "changed": 1.5}  # at most so many times the processor time of reading alone
TITLES = {"first": "first import", "again": "again, nothing changed", "changed": ".1 % changed"}
DATE, NEXT = b"2024-03-05T03:00:00", b"2024-03-06T03:00:00"
# What a pass may touch without writing data: runs, the arrival's own row and its file
TOUCHED = frozenset({"run", "cursor", "lease", "bucket", "inbox", "spool", "due", "sqlite_sequence"})

Key = tuple[Any, ...]
Rows = dict[str, dict[Key, bytes]]  # table → primary key → hash of the row


def run(products: int, rounds: int, folder: Path | None = None) -> list[Report]:
    place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
    cpu = {f"{what} {name}": Series("CPU seconds") for name in PASSES for what in ("parse", "whole")}
    ratio = {name: Series("ratio") for name in PASSES}
    peak = dict.fromkeys(PASSES, 0.0)
    try:
        first, changed = _files(place, products)
        for _ in range(rounds):
            for database in place.glob("data.db*"):
                database.unlink()
            before: Rows = {}
            for name in PASSES:
                alone = [_alone(place, name)]
                found = _import(place, name)
                alone.append(_alone(place, name))
                before = _check(place, name, found, first, changed, before)
                cpu[f"parse {name}"].values += alone
                cpu[f"whole {name}"].values.append(found["cpu"])
                ratio[name].values.append(found["cpu"] / mean(alone))
                peak[name] = max(peak[name], found["peak_mb"])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return [_report(first, cpu, ratio, peak)]


def _files(place: Path, products: int) -> tuple[cml.Generated, cml.Generated]:
    """FOLDER/first, FOLDER/again, FOLDER/changed."""
    first = cml.generate(place / "first", products)
    (place / "again").mkdir()
    for name in FILES:
        with (place / "first" / name).open("rb") as old, (place / "again" / name).open("wb") as new:
            new.write(old.read(1024).replace(DATE, NEXT))
            shutil.copyfileobj(old, new, 1 << 20)
    return first, cml.generate(place / "changed", products, changed=SHARE)


def _alone(place: Path, name: str) -> float:
    """CPU seconds of reading, nothing stored."""
    return float(child("tests.bench.parse", place / name, "sverka", *FILES)["cpu"])


def _import(place: Path, name: str) -> dict[str, Any]:
    inbox = place / "in"
    inbox.mkdir()
    for file in FILES:
        (inbox / file).hardlink_to(place / name / file)
    try:
        return child("tests.bench.commerceml", place)
    finally:
        shutil.rmtree(inbox)
        shutil.rmtree(place / "spool", ignore_errors=True)


def _report(made: cml.Generated, cpu: dict[str, Series], ratio: dict[str, Series], peak: dict[str, float]) -> Report:
    report = Report(
        f"CommerceML, the whole path: {made.products:,} products, {made.offer_rows:,} offers, {made.prices:,} prices, "
        f"{made.stocks:,} stocks",
        head=("", "CPU s (min … max)", "reading alone", "times", "peak MB"),
    )
    for name, most in PASSES.items():
        whole, parse = cpu[f"whole {name}"], cpu[f"parse {name}"]
        report.rows.append((TITLES[name], whole.text(1), parse.text(1), ratio[name].text(2), f"{peak[name]:.0f}"))
        report.gates.append(Gate(f"{TITLES[name]}: times reading alone", ratio[name].median, most, at_most=True))
        report.figures[name] = {
            "cpu": whole.as_dict(),
            "parse": parse.as_dict(),
            "ratio": ratio[name].as_dict(),
            "peak_mb": peak[name],
        }
    report.gates.append(Gate("peak MB of the whole path", max(peak.values()), PEAK_MB, at_most=True))
    return report


def _check(
    place: Path, name: str, found: dict[str, Any], first: cml.Generated, changed: cml.Generated, before: Rows
) -> Rows:
    """Differs when the tables do not hold what the files do, or rows have moved that had no reason to."""
    with contextlib.closing(sqlite3.connect(place / "data.db")) as store:
        _counted(store, changed if name == "changed" else first)
        rows = _hashes(store)
        if name == "again" and rows != before:
            raise Differs(f"an unchanged night has moved rows of {_moved(before, rows).keys()}")
        if name == "changed":
            _only_altered(store, _moved(before, rows), changed)
    read, homeless = first.products + first.offer_rows, first.gone[1] if name == "first" else 0
    if found["read"] < read or found["failed"] != homeless:
        raise Differs(f"{name}: {found} of {read} goods and offers, {homeless} of them without their product")
    return rows


def _counted(store: sqlite3.Connection, made: cml.Generated) -> None:
    """The generator's own numbers. Goods that were deleted before they were ever seen are not taken, nor are their offers."""
    gone, offers, prices, stocks, total = made.gone
    for query, wanted in (
        ("SELECT count(*) FROM link WHERE native_kind = 'offer'", made.offer_rows - offers),
        ("SELECT count(*) FROM record WHERE kind = 'product' AND data NOT LIKE '%variant_of%'", made.products - gone),
        ("SELECT count(*) FROM price", made.prices - prices),
        ("SELECT count(*) FROM stock", made.stocks - stocks),
        ("SELECT sum(value) FROM price", int((made.price_total - total).scaleb(6))),
        ("SELECT count(*) FROM quarantine WHERE code <> 'offer.no_product'", 0),
    ):
        if (value := store.execute(query).fetchone()[0]) != wanted:
            raise Differs(f"{query}: {value}, expected {wanted}")


def _hashes(store: sqlite3.Connection) -> Rows:
    found: Rows = {}
    for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table not in TOUCHED:
            key = key_of(store, table)
            width = key.count(",") + 1
            rows = store.execute(f'SELECT {key}, * FROM "{table}"')
            found[table] = {row[:width]: hashlib.blake2b(repr(row).encode(), digest_size=8).digest() for row in rows}
    return found


def _moved(before: Rows, after: Rows) -> dict[str, set[Key]]:
    """table → keys of the rows that are new, gone or other than before."""
    moved = {
        table: {key for key in {*before[table], *rows} if before[table].get(key) != rows.get(key)}
        for table, rows in after.items()
    }
    return {table: keys for table, keys in moved.items() if keys}


def _only_altered(store: sqlite3.Connection, moved: dict[str, set[Key]], made: cml.Generated) -> None:
    """The rows that moved are just those of the altered goods, and of each of them something has."""
    altered = set(made.changed)
    products = "SELECT record_uid, external_id FROM link"
    owner = {uid: id.partition("#")[0] for uid, id in store.execute(products)}
    taken = {owner[uid] for uid in owner if owner[uid] in altered}
    columns = {"record": "uid", "link": "record_uid", "price": "product_uid", "journal": "record_uid"}
    if strange := moved.keys() - columns.keys():
        raise Differs(f"a changed night has moved rows of {strange}")
    for table, column in columns.items():
        rows = store.execute(f"SELECT {key_of(store, table)}, {column} FROM {table}")
        uids = {row[:-1]: row[-1] for row in rows}
        touched = {owner[uids[key]] for key in moved.get(table, ())}
        if touched != taken:
            raise Differs(f"{table}: rows of {len(touched)} goods have moved, expected {len(taken)}")
