"""The benchmarks: `python -m tests.bench` (a quarter of an hour or so), `--quick` for a part of the records.

Exit code 1 when a gate is missed. What is measured and how: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import catalogue, commerceml, decision, imports, intake, latency, nochange, parse
from tests.bench.measure import Report, versions

NAMES = {
    "import": "B-A, B-B, B-F: records over HTTP into an empty database, and the same again",
    "peers": "the same beside dlt and the Singer SDK, where they are installed (--peers)",
    "nochange": "B-H: a pass over linked records from memory, nothing changed",
    "decision": "B-I: the pure decision, where nothing and where three fields differ",
    "latency": "B-J: a status changed in one system until it is written in the other",
    "intake": "B-D: forms over HTTP, each committed before its answer; kill -9 under load",
    "commerceml": "B-F: the memory of a large CommerceML import",
    "parse": "B-F: reading CommerceML alone, beside a bare lxml pass and the npm parser",
    "catalogue": "CommerceML from files to tables with history: first, unchanged and .1 % changed, beside reading alone",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Sverka against limit programs.")
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="30,000 records, 10,000 products, three rounds")
    parser.add_argument("--rounds", type=int, help="how often each program is measured (5; quick: 3)")
    parser.add_argument("--records", type=int, help="how many records and products")
    parser.add_argument("--folder", type=Path, help="where databases are made (it decides what a commit costs)")
    parser.add_argument("--peers", type=Path, metavar="PYTHON", default=Path(sys.executable),
                        help="the Python that has dlt and the Singer SDK; default: this one")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{name:12}{what}" for name, what in NAMES.items()))
        return 0
    if unknown := set(given.only) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NAMES)}")
    rounds = given.rounds or (3 if given.quick else 5)
    # Fewer than that, and B-B measures what a process does once (a tenth of a second), not what it does per record
    records = given.records or (30_000 if given.quick else 100_000)
    products = given.records or (10_000 if given.quick else 100_000)
    found = versions()
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    reports: list[Report] = []
    wanted = given.only or list(NAMES)
    if "import" in wanted or "peers" in wanted:  # one run: all of them take turns
        reports += _shown(imports.run(records, rounds, given.folder, given.peers if "peers" in wanted else None))
    if "nochange" in wanted:
        reports += _shown(nochange.run(records, rounds, given.folder))
    if "decision" in wanted:
        reports += _shown(decision.run(rounds))
    if "latency" in wanted:
        reports += _shown(latency.run(10 if given.quick else 40))
    if "intake" in wanted:
        seconds, kills = (4, 2) if given.quick else (10, 5)
        reports += _shown(intake.run(rounds, seconds, kills, given.folder))
    if "commerceml" in wanted:
        reports += _shown(commerceml.run(products, given.folder))
    if "parse" in wanted:
        reports += _shown(parse.run(products, rounds, given.folder))
    if "catalogue" in wanted:
        reports += _shown(catalogue.run(products, rounds if given.quick else min(rounds, 2), given.folder))
    if given.json:
        given.json.write_text(
            json.dumps(
                {
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "versions": found,
                    "rounds": rounds,
                    "records": records,
                    "benchmarks": {report.title: report.as_dict() for report in reports},
                },
                indent=1,
            ),
            encoding="utf-8",
        )
    missed = [gate.name for report in reports for gate in report.gates if not gate.held]
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery gate holds")
    return 1 if missed else 0


def _shown(reports: list[Report]) -> list[Report]:
    for report in reports:
        report.print()
    return reports


if __name__ == "__main__":
    sys.exit(main())
