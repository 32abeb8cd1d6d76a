"""B-F for files: a whole catalogue of CommerceML (import.xml, about 3.4 KB per product) through a folder that 1C writes to.

The connection is the shipped `onec_folder` with its shipped mapping; what is measured is the poll: collecting the file into
the spool, reading it as a stream, translating, storing. The gate is the memory that it takes, whatever the file's size.

    python -m tests.bench.commerceml FOLDER        imports FOLDER/in, prints seconds, counts, peak memory as JSON
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from lxml import etree

from sync import config
from sync.hub import Hub, works
from tests.bench import cml
from tests.bench.imports import Differs
from tests.bench.measure import Clock, Gate, Report, child

NAME = "bench"
PEAK_MB = 150


def run(products: int, folder: Path | None = None) -> list[Report]:
    place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
    try:
        made = cml.generate(place / "in", products)
        made.offers.unlink()
        size = made.goods.stat().st_size
        found = child("tests.bench.commerceml", place)
        _check(place, made)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    seconds, peak = found["seconds"], found["peak_mb"]
    report = Report(
        f"B-F CommerceML: import.xml of {products:,} products, {size / 1e6:.0f} MB",
        head=("", "seconds", "products/s", "MB/s", "peak MB"),
        rows=[("Sverka", f"{seconds:.1f}", f"{products / seconds:,.0f}", f"{size / 1e6 / seconds:.1f}", f"{peak:.0f}")],
        gates=[Gate("B-F peak MB of the CommerceML import", peak, PEAK_MB, at_most=True)],
        figures={"bytes": size, "seconds": seconds, "peak_mb": peak, "products": products},
    )
    return [report]


def _check(place: Path, made: cml.Generated) -> None:
    """Every product of the file is a linked record with its name and article; nothing is in quarantine."""
    with contextlib.closing(sqlite3.connect(place / "data.db")) as store:
        rows = store.execute(
            "SELECT l.external_id, r.title, r.number FROM link l JOIN record r ON r.uid = l.record_uid"
            " WHERE l.native_kind = 'product'"
        )
        stored = {row[0]: (row[1], row[2]) for row in rows}
        waiting = store.execute("SELECT count(*) FROM quarantine").fetchone()[0]
    [archived] = (place / "in" / "archive").glob("import*.xml")
    seen = 0
    for _, product in etree.iterparse(str(archived), tag="{*}Товар"):
        id, name, sku = (product.findtext(f"{{*}}{tag}") for tag in ("Ид", "Наименование", "Артикул"))
        if product.get("Статус") != "Удален":
            seen += 1
            if stored.get(id) != (name, sku):
                raise Differs(f"product {id}: found {stored.get(id)}, expected {(name, sku)}")
        product.clear()
        while product.getprevious() is not None:
            del product.getparent()[0]
    if seen != made.products - made.deleted or waiting:
        raise Differs(f"{seen} products of {made.products - made.deleted}; {waiting} in quarantine")


def main(place: Path) -> None:
    given = config.build(
        {
            "hub": {"database": f"sqlite:///{place / 'data.db'}", "spool": str(place / "spool")},
            "connections": {NAME: {"adapter": "onec_folder", "folder": str(place / "in"), "settle_seconds": 0}},
        },
        place / "config.toml",
    )
    with Hub(given) as hub:
        for error in hub.broken.values():
            raise error
        clock = Clock()
        runs = works.poll(hub, hub.plugs[NAME])
        clock.report(**runs[0].counts.as_dict(), outcome=runs[0].outcome)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
