"""The command line as it is judged: files in, answers out, with the figures that are promised. No labels are read here."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync.cli.app import app
from tests.bench import identity_world
from tests.bench.identity import batch, events
from tests.need import shared


def _run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["identity", *map(str, args)])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    identity_world.write(folder, 21, 600, firms=60, humans=160)
    return folder


def test_the_promised_figures_hold_on_the_shared_sample(tmp_path: Path) -> None:
    data = shared("identity/events.jsonl").parent
    missed = [
        str(g)
        for g in events("sample", data, tmp_path, True) + batch("sample", data / "dedupe", tmp_path, True)
        if not g.held
    ]
    assert not missed


def test_one_answer_per_event_in_order(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    files = [("--base", "base.jsonl"), ("--events", "events.jsonl"), ("--meta", "meta.json")]
    assert _run("eval", *(x for option, name in files for x in (option, world / name)), "--out", out)[0] == 0
    asked = [json.loads(x) for x in (world / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [json.loads(x) for x in out.read_text(encoding="utf-8").splitlines()]
    assert [e["event_id"] for e in asked] == [a["event_id"] for a in told]
    for answer in told:
        assert {"client", "person", "review", "candidates", "ignore"} <= answer.keys()
        assert answer["why"]["ru"]
        assert answer["why"]["en"]
        assert not (answer["ignore"] and answer["client"])
        assert answer["candidates"] or not answer["review"]
    replay = tmp_path / "again.jsonl"
    _run("eval", *(x for option, name in files for x in (option, world / name)), "--out", replay)
    assert replay.read_bytes() == out.read_bytes()  # the same log gives the same links


def test_an_answer_knows_nothing_of_later_events(world: Path, tmp_path: Path) -> None:
    lines = (world / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "half.jsonl").write_text("".join(lines[:300]), encoding="utf-8")
    for name, source in (("all", world / "events.jsonl"), ("half", tmp_path / "half.jsonl")):
        _run(
            "eval",
            "--base",
            world / "base.jsonl",
            "--events",
            source,
            "--meta",
            world / "meta.json",
            "--out",
            tmp_path / f"{name}.out",
        )
    whole = (tmp_path / "all.out").read_text(encoding="utf-8").splitlines()
    assert (tmp_path / "half.out").read_text(encoding="utf-8").splitlines() == whole[:300]


def test_every_record_is_in_one_group(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "clusters.csv"
    assert _run("dedupe", "--in", world / "records.csv", "--out", out)[0] == 0
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (world / "records.csv").open(encoding="utf-8") as file:
        assert [r["id"] for r in csv.DictReader(file)] == [r["id"] for r in rows]


def test_a_schema_names_other_columns(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(
        "id,site,tel\n1,Kedr LLC,84952345678\n2,Kedr,8 495 234-56-78\n3,Verba,84952345678\n", encoding="utf-8"
    )
    (tmp_path / "s.json").write_text('{"site": "company_name", "tel": "phone"}', encoding="utf-8")
    assert (
        _run("dedupe", "--in", tmp_path / "r.csv", "--schema", tmp_path / "s.json", "--out", tmp_path / "o.csv")[0] == 0
    )
    with (tmp_path / "o.csv").open(encoding="utf-8") as file:
        found = {r["id"]: r["cluster"] for r in csv.DictReader(file)}
    assert found["1"] == found["2"] != found["3"]


@pytest.mark.parametrize(
    ("text", "schema"),
    [("name,phone\nx,1\n", None), ("id,name\n1,x\n", '{"name": "colour"}'), ("id,name\n1,x\n", "{"), ("", None)],
)
def test_a_file_that_cannot_be_read_is_an_error_with_words(tmp_path: Path, text: str, schema: str | None) -> None:
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    more = []
    if schema is not None:
        (tmp_path / "s.json").write_text(schema, encoding="utf-8")
        more = ["--schema", tmp_path / "s.json"]
    code, output = _run("dedupe", "--in", tmp_path / "r.csv", "--out", tmp_path / "o.csv", *more)
    assert code == 2
    assert "✗" in output or "Error" in output


def test_a_broken_line_of_events_is_named_and_nothing_personal_is_said(world: Path, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text(
        '{"kind": "call", "from_number": "89161234567"}\n{"kind": "call", \n', encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "sync", "identity", "eval", "--base", world / "base.jsonl", "--events", tmp_path / "e.jsonl",
         "--meta", world / "meta.json", "--out", tmp_path / "o.jsonl"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "2" in done.stderr
    assert "Traceback" not in done.stderr
    assert "89161234567" not in done.stdout + done.stderr
