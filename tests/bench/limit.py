"""The limit program: the same import written by hand, with nothing that a hub is for. It says what the machine can do.

Per page: fetch (httpx), parse (orjson), hash every record, look the page's hashes up, upsert what differs into one narrow
table, commit (SQLite, WAL, synchronous FULL). No translation, no validation, no canonical model, no journal, no inbox.

    python -m tests.bench.limit URL DATABASE        prints seconds, rows written, peak memory as JSON
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys

import httpx
import orjson

from tests.bench.measure import Clock

TABLE = """CREATE TABLE IF NOT EXISTS item (
    id TEXT PRIMARY KEY, sku TEXT, name TEXT, barcode TEXT, unit TEXT, price TEXT, stock INTEGER, "group" TEXT,
    description TEXT, modified TEXT, hash BLOB NOT NULL)"""
FIELDS = ("id", "sku", "name", "barcode", "unit", "price", "stock", "group", "description", "modified")
UPSERT = """INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET sku = excluded.sku,
    name = excluded.name, barcode = excluded.barcode, unit = excluded.unit, price = excluded.price, stock = excluded.stock,
    "group" = excluded."group", description = excluded.description, modified = excluded.modified, hash = excluded.hash"""
LOOK_UP = "SELECT id, hash FROM item WHERE id IN (SELECT value FROM json_each(?))"


def fingerprint(item: dict[str, object]) -> bytes:
    return hashlib.blake2b(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def synchronise(client: httpx.Client, url: str, database: str) -> int:
    """Bring the table in line with the source; gives the number of rows written."""
    store = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000"):
        store.execute(f"PRAGMA {pragma}")
    store.execute(TABLE)
    written, page = 0, 0
    while page is not None:
        answer = orjson.loads(client.get(f"{url}?page={page}").raise_for_status().content)
        items = {item["id"]: item for item in answer["items"]}
        known = dict(store.execute(LOOK_UP, (orjson.dumps(list(items)).decode(),)))
        rows = []
        for key, item in items.items():
            digest = fingerprint(item)
            if known.get(key) != digest:
                rows.append((*(item[name] for name in FIELDS), digest))
        if rows:
            store.execute("BEGIN IMMEDIATE")
            store.executemany(UPSERT, rows)
            store.execute("COMMIT")
            written += len(rows)
        page = answer["next"]
    store.close()
    return written


if __name__ == "__main__":
    with httpx.Client() as ready:
        clock = Clock()
        clock.report(written=synchronise(ready, sys.argv[1], sys.argv[2]))
