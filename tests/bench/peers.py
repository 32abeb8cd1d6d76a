"""Other tools at the same import, when they are installed (the optional group `bench`): dlt and the Singer SDK.

dlt appends to a SQLite file through its SQLAlchemy destination. The Singer row is a tap of its SDK that writes Singer messages
to a file; a target would only add to it. They bring a hundred packages: keep them in a virtual environment of their own
(`uv venv DIR`, `uv pip install --python DIR/bin/python "dlt[sqlalchemy]" singer-sdk httpx orjson`), and name its Python
with `--peers DIR/bin/python`.

    python -m tests.bench.peers URL DATABASE dlt|singer        prints seconds and peak memory as JSON
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.bench.measure import Clock
from tests.bench.source import products

KEYS = ("id", "sku", "name", "barcode", "unit", "price", "stock", "group", "description", "modified")


class Differs(Exception):
    """A tool's result does not hold what the source has."""


PACKAGES = {"dlt": "dlt", "singer": "singer_sdk"}  # our argument, the module it needs
DISTRIBUTIONS = {"dlt": "dlt", "singer": "singer-sdk"}
SHOWN = {"dlt": "dlt, append", "singer": "Singer SDK"}
_ASK = "import importlib.metadata, sys, {0}; print(importlib.metadata.version(sys.argv[1]))"


def version(peer: str, python: Path) -> str | None:
    """The version that this Python has of it, None when it cannot be imported there."""
    ask = [str(python), "-c", _ASK.format(PACKAGES[peer]), DISTRIBUTIONS[peer]]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=120, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def pages(url: str) -> Iterator[list[dict[str, Any]]]:
    page: int | None = 0
    with httpx.Client(timeout=30) as client:
        while page is not None:
            answer = orjson.loads(client.get(f"{url}?page={page}").raise_for_status().content)
            page = answer["next"]
            yield answer["items"]


def dlt_append(url: str, database: Path) -> None:
    """Every run appends all records: dlt has no look-up that would leave unchanged ones out here."""
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR")
    import dlt

    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{database}"),
        dataset_name="main",
        pipelines_dir=str(database.parent / "dlt"),
    )
    pipeline.run(pages(url), table_name="item", write_disposition="append")


def check_dlt(database: Path, count: int) -> None:
    """All products are there, once for every run."""
    found = sorted(database.parent.glob("*.db"))
    for file in found:
        with contextlib.closing(sqlite3.connect(file)) as store:
            tables = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE name = 'item'")]
            if tables:
                rows = store.execute("SELECT DISTINCT id, sku, price, description FROM item ORDER BY id").fetchall()
                expected = [(one["id"], one["sku"], one["price"], one["description"]) for one in products(count)]
                if rows != expected:
                    raise Differs(f"dlt: {len(rows)} different rows, {count} expected")
                return
    raise Differs(f"dlt made no table: {[file.name for file in found]}")


def singer_tap(url: str, database: Path) -> None:
    import singer_sdk
    from singer_sdk import typing as th

    class Items(singer_sdk.Stream):
        name = "item"
        primary_keys = ("id",)
        schema = th.PropertiesList(
            *(th.Property(key, th.IntegerType if key == "stock" else th.StringType) for key in KEYS)
        ).to_dict()

        def get_records(self, context: Any) -> Iterator[dict[str, Any]]:
            for items in pages(url):
                yield from items

    class Tap(singer_sdk.Tap):
        name = "tap-bench"
        config_jsonschema = th.PropertiesList().to_dict()

        def discover_streams(self) -> list[singer_sdk.Stream]:
            return [Items(self)]

    with open(database.with_suffix(".jsonl"), "w", encoding="utf-8") as out, contextlib.redirect_stdout(out):
        Tap(config={}).sync_all()


def check_singer(database: Path, count: int) -> None:
    """The messages hold all products, in order."""
    expected = products(count)
    with open(database.with_suffix(".jsonl"), encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD" and message["record"] != next(expected, None):
                raise Differs(f"Singer: {message['record'].get('id')} differs")
    if (left := next(expected, None)) is not None:
        raise Differs(f"Singer: {left['id']} is absent")


if __name__ == "__main__":
    clock = Clock()
    {"dlt": dlt_append, "singer": singer_tap}[sys.argv[3]](sys.argv[1], Path(sys.argv[2]))
    clock.report()
