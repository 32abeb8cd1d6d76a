"""Reading CommerceML alone: `adapters.onec.cml.records` over import.xml and offers.xml, nothing stored.

Beside it, in turns and each in a process of its own: a bare lxml pass over the same files (it finds the same records and
looks at nothing inside them), and the npm package commerceml-parser where Node and the package can be had. What counts is
processor time: libxml2's own part is in both, the rest is what it costs to make records of it.

    python -m tests.bench.parse FOLDER sverka|bare        reads FOLDER/import.xml and offers.xml, prints CPU seconds as JSON
    python -m tests.bench.parse flat 10000 100000 1000000 the memory that reading takes at so many products, each file made
                                                          in a temporary folder (6.5 GB at a million) and deleted
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lxml import etree

from adapters.base import Record
from adapters.onec.cml import records
from tests.bench import cml
from tests.bench.measure import Clock, Gate, Report, Series, child


class Miscounted(Exception):
    """A parser found another number of records than the file has."""


SHARE = 0.5  # of a bare pass's processor rate
PEAK_MB = 60
GROWTH = 1.25  # memory at N against memory at N/10
PACKAGE, TIMES, SMALL, TURNS = "commerceml-parser@3.0.3", 15, 1000, 3  # products: it reads some 400 a second
FILES = ("import.xml", "offers.xml")
SCRIPT = """
const {CommerceMlImportParser} = require("commerceml-parser/dist/import-parser");
const {CommerceMlOffersParser} = require("commerceml-parser/dist/offers-parser");
const fs = require("fs");
(async () => {
  let products = 0, offers = 0;
  const goods = new CommerceMlImportParser(), rows = new CommerceMlOffersParser();
  goods.onProduct(() => { products++; });
  rows.onOffer(() => { offers++; });
  const before = process.cpuUsage();
  await goods.parse(fs.createReadStream(process.argv[2] + "/import.xml"));
  await rows.parse(fs.createReadStream(process.argv[2] + "/offers.xml"));
  const used = process.cpuUsage(before);
  const peak_mb = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({products, offers, cpu: (used.user + used.system) / 1e6, peak_mb}));
})();
"""


def run(products: int, rounds: int, folder: Path | None = None) -> list[Report]:
    place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
    try:
        made = cml.generate(place / "whole", products)
        tenth = cml.generate(place / "tenth", max(products // 10, 1))
        report = _against_lxml(place, made, tenth, rounds)
        shutil.rmtree(place / "whole")
        return [report, _against_npm(place)]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _against_lxml(place: Path, made: cml.Generated, tenth: cml.Generated, rounds: int) -> Report:
    cpu = {f"{who} {file}": Series(who) for file in FILES for who in ("bare", "sverka")}
    peak = 0.0
    for _ in range(rounds):
        for file in FILES:
            for who in ("bare", "sverka"):
                found = child("tests.bench.parse", place / "whole", who, file)
                _same(found, made, file)
                cpu[f"{who} {file}"].values.append(found["cpu"])
                peak = max(peak, found["peak_mb"] if who == "sverka" else 0)
    small = max(child("tests.bench.parse", place / "tenth", "sverka", file)["peak_mb"] for file in FILES)
    rows, shares = [], []
    for file, count in zip(FILES, (made.products, made.offer_rows), strict=True):
        bare, ours = cpu[f"bare {file}"], cpu[f"sverka {file}"]
        rows += [_row(f"lxml, {file}", count, bare), _row(f"Sverka, {file}", count, ours)]
    for at in range(rounds):  # round by round: what else the machine does falls on both
        one = {who: sum(cpu[f"{who} {file}"].values[at] for file in FILES) for who in ("bare", "sverka")}
        shares.append(one["bare"] / one["sverka"])
    share = Series("share", shares)
    return Report(
        f"CommerceML, reading alone: {made.products:,} products, {made.offer_rows:,} offers",
        head=("", "CPU s (min … max)", "records per CPU s"),
        rows=[
            *rows,
            ("share of lxml's rate, both files", share.text(2), ""),
            ("peak MB", f"{peak:.0f}", f"{small:.0f} at a tenth"),
        ],
        gates=[
            Gate("share of a bare lxml pass's CPU rate", share.median, SHARE),
            Gate("peak MB of reading", peak, PEAK_MB, at_most=True),
            Gate("peak MB against a tenth of the products", peak / small, GROWTH, at_most=True),
        ],
        figures={**{name: series.as_dict() for name, series in cpu.items()}, "peak_mb": peak, "peak_mb_tenth": small},
    )


def flat(counts: list[int], folder: Path | None = None) -> Report:
    """Reading takes as much memory at a million products as at ten thousand."""
    report = Report("CommerceML, reading alone: memory", head=("products", "CPU s", "records per CPU s", "peak MB"))
    peaks: list[float] = []
    for count in counts:
        place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
        try:
            made, found = cml.generate(place, count), []
            for file in FILES:
                found.append(child("tests.bench.parse", place, "sverka", file, limit=7200))
                _same(found[-1], made, file)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        cpu = sum(one["cpu"] for one in found)
        peaks.append(max(one["peak_mb"] for one in found))
        rate = (made.products + made.offer_rows) / cpu
        report.rows.append((f"{count:,}", f"{cpu:.1f}", f"{rate:,.0f}", f"{peaks[-1]:.1f}"))
    report.gates.append(Gate("peak MB of reading", max(peaks), PEAK_MB, at_most=True))
    report.gates.append(
        Gate("peak MB of the most against the fewest products", peaks[-1] / peaks[0], GROWTH, at_most=True)
    )
    return report


def _row(name: str, count: int, cpu: Series) -> tuple[str, str, str]:
    return name, cpu.text(2), f"{count / cpu.median:,.0f}"


def _same(found: dict[str, Any], made: cml.Generated, file: str) -> None:
    expected = made.products if file == FILES[0] else made.offer_rows
    if found["count"] != expected:
        raise Miscounted(f"{file}: {found['count']} records, expected {expected}")


def _against_npm(place: Path) -> Report:
    """Both over the same small files, in turns. The package goes into a temporary folder; without it the row says so."""
    title = f"CommerceML against npm {PACKAGE}, {SMALL:,} products"
    made = cml.generate(place / "small", SMALL)
    if reason := _install(place / "node"):
        return Report(title, rows=[(f"npm {PACKAGE}", f"not installed: {reason}")])
    cpu = {"npm": Series("CPU seconds"), "sverka": Series("CPU seconds")}
    peak = dict.fromkeys(cpu, 0.0)
    for _ in range(TURNS):
        theirs = _node(place, made)
        ours = [child("tests.bench.parse", place / "small", "sverka", file) for file in FILES]
        for who, found in (("npm", [theirs]), ("sverka", ours)):
            cpu[who].values.append(sum(one["cpu"] for one in found))
            peak[who] = max(peak[who], *(one["peak_mb"] for one in found))
    times = Series("times", [a / b for a, b in zip(cpu["npm"].values, cpu["sverka"].values, strict=True)])
    return Report(
        title,
        head=("", "CPU s", "peak MB"),
        rows=[
            (f"npm {PACKAGE}", cpu["npm"].text(2), f"{peak['npm']:.0f}"),
            ("Sverka", cpu["sverka"].text(2), f"{peak['sverka']:.0f}"),
            ("times", times.text(1), ""),
        ],
        gates=[Gate("times the npm parser's CPU rate", times.median, TIMES)],
        figures={who: series.as_dict() for who, series in cpu.items()},
    )


def _install(home: Path) -> str:
    """Why there is no npm parser, "" when there is."""
    npm = shutil.which("npm")
    if not shutil.which("node") or not npm:
        return "no node or npm on this machine"
    home.mkdir()
    (home / "run.js").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(home), PACKAGE],
        cwd=home, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return "npm could not fetch it" if done.returncode or not (home / "node_modules").is_dir() else ""


def _node(place: Path, made: cml.Generated) -> dict[str, Any]:
    """What the npm parser found."""
    done = subprocess.run(
        ["node", "run.js", str(place / "small")],
        cwd=place / "node", capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if (found["products"], found["offers"]) != (made.products, made.offer_rows):
        raise Miscounted(f"npm counts {found['products']} products and {found['offers']} offers")
    return found


def bare(path: Path) -> int:
    """The least that lxml does to find the records one by one in flat memory."""
    count = 0
    for _, element in etree.iterparse(str(path), tag=("{*}Товар", "{*}Предложение")):
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


def whole(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(item.kind in ("product", "offer") for item in records(stream) if isinstance(item, Record))


def main(folder: Path, who: str, *files: str) -> None:
    read = {"bare": bare, "sverka": whole}[who]
    clock = Clock()
    count = sum(read(folder / file) for file in files or FILES)
    clock.report(count=count)


if __name__ == "__main__":
    if sys.argv[1] == "flat":
        flat([int(count) for count in sys.argv[2:]]).print()
    else:
        main(Path(sys.argv[1]), *sys.argv[2:])
