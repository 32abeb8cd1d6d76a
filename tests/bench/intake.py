"""B-D: forms posted by 32 connections, each committed to the inbox (synchronous FULL) before its 200.

Compared with the same uvicorn and Starlette that store nothing. Afterwards the inbox must hold exactly what was acknowledged,
and after kill -9 under load everything that was.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.load import CONNECTIONS, FIELDS, SECRET
from tests.bench.measure import ROOT, Gate, Report, Series, child, command, serving

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
local sent, tag = 0, "0"
function init(args) tag = args[1] end
function request()
  sent = sent + 1
  local body = "%s" .. tag .. "-" .. sent .. "-"
  return wrk.format(nil, nil, nil, body .. string.rep("0", 300 - #body))
end
"""


class Lost(Exception):
    """The inbox does not hold what was acknowledged, or something was refused."""


def run(rounds: int, seconds: float, kills: int, folder: Path | None = None) -> list[Report]:
    ours, bare, p99 = Series("requests/s"), Series("requests/s"), Series("p99 ms")
    for turn in range(rounds):
        with _place(folder) as place:
            with serving("tests.bench.serve", "bare") as (port, _):
                bare.values.append(_load(port, seconds, f"b{turn}", place)["rate"])
            with serving("tests.bench.serve", "sverka", place) as (port, _):
                found = _load(port, seconds, f"s{turn}", place)
                ours.values.append(found["rate"])
                p99.values.append(found["p99_ms"])
            _count(place, found)
    killed = [_kill(folder, f"k{turn}", 1 + turn / 3) for turn in range(kills)]
    acknowledged, lost = (sum(numbers) for numbers in zip(*killed, strict=True))
    share = ours.median / bare.median
    report = Report(
        f"B-D intake: {CONNECTIONS} connections, forms of 300 bytes, {seconds:g} s each, by {_tool()}",
        head=("", "requests/s: median (min … max)", "of no storage", "p99 ms"),
        rows=[("Sverka", ours.text(), f"{share:.2f}", p99.text(1)), ("no storage", bare.text(), "1.00", "")],
        gates=[
            Gate("B-D of no storage", share, 0.3, wanted=0.5),
            Gate("B-D forms acknowledged before kill -9 and lost", lost, 0, at_most=True),
        ],
    )
    report.rows.append((f"kill -9, {kills} times", f"{acknowledged:,} acknowledged, {lost} lost", "", ""))
    report.figures = {
        "sverka": ours.as_dict(),
        "no_storage": bare.as_dict(),
        "p99_ms": p99.as_dict(),
        "killed": {"times": kills, "acknowledged": acknowledged, "lost": lost},
    }
    return [report]


def _tool() -> str:
    return "wrk" if shutil.which("wrk") else "tests.bench.load"


def _load(port: int, seconds: float, tag: str, place: Path) -> dict[str, Any]:
    """Requests per second, their number and p99; raises when anything but 2xx was answered."""
    child("tests.bench.load", port, 1, f"{tag}w")  # warm: imports, statement caches
    if not shutil.which("wrk"):
        found = child("tests.bench.load", port, seconds, tag)
        answered = len(found["acknowledged"])
        if found["refused"]:
            raise Lost(f"{found['refused']} answers were not 200")
        return {"rate": found["rate"], "p99_ms": found["p99_ms"], "answered": answered, "tag": tag}
    script = place / "form.lua"
    script.write_text(SCRIPT.replace("%s", FIELDS), encoding="ascii")
    url = f"http://127.0.0.1:{port}/in/bench?key={SECRET}"
    args = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(script), url, "--", tag]
    text = subprocess.run(args, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise Lost(text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    number = re.search(r"(\d+) requests in", text)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if not (rate and number and slow):
        raise Lost(text)
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[slow[2]]
    return {"rate": float(rate[1]), "p99_ms": float(slow[1]) * unit, "answered": int(number[1]), "tag": tag}


def _count(place: Path, found: dict[str, Any]) -> None:
    """As many rows as answers. wrk stops without waiting for the last answers: at most one more per connection."""
    with contextlib.closing(sqlite3.connect(place / "data.db")) as store:
        rows, different = store.execute(
            "SELECT count(*), count(DISTINCT key) FROM inbox WHERE state = 'new' AND key GLOB ?",
            (f"*{found['tag']}-*",),
        ).fetchone()
    if not found["answered"] <= rows <= found["answered"] + CONNECTIONS or rows != different:
        raise Lost(f"{found['answered']} forms were acknowledged, {rows} are stored ({different} different)")


def _kill(folder: Path | None, tag: str, after: float) -> tuple[int, int]:
    """Kill the server under load; gives how many forms were acknowledged, and how many of these are not in the inbox."""
    with _place(folder) as place:
        with serving("tests.bench.serve", "sverka", place) as (port, server):
            load = subprocess.Popen(
                command("tests.bench.load", port, 30, tag), cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            assert load.stdout is not None
            load.stdout.readline()  # "begun"
            time.sleep(after)
            server.send_signal(signal.SIGKILL)
            output, _ = load.communicate(timeout=60)
        acknowledged = json.loads(output)["acknowledged"]
        with contextlib.closing(sqlite3.connect(place / "data.db")) as store:
            bodies = {bytes(row[0]).rpartition(b"id=")[2].decode() for row in store.execute("SELECT body FROM inbox")}
    return len(acknowledged), sum(id not in bodies for id in acknowledged)


@contextlib.contextmanager
def _place(folder: Path | None) -> Any:
    place = Path(tempfile.mkdtemp(prefix="sverka-bench-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
