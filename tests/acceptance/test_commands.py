"""The other public commands: init, inspect, sync beside a service, a second service, the report, errors."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.commands import Commands
from tests.peers.stage import wait_for

MEMORY = '[hub]\nlanguage = "en"\n[connections.office]\nadapter = "events"\nrole = "form"\n'
CML = """<?xml version="1.0" encoding="windows-1251"?>
<КоммерческаяИнформация ВерсияСхемы="2.07"><Каталог><Ид>c</Ид><Наименование>Товары</Наименование><Товары>
<Товар><Ид>g-1</Ид><Артикул>A-1</Артикул><Наименование>Чай</Наименование></Товар>
<Товар><Наименование>без идентификатора</Наименование></Товар>
<Товар><Ид>g-2</Ид><Артикул>A-2</Артикул><Наименование>Чашка</Наименование></Товар>
</Товары></Каталог></КоммерческаяИнформация>"""


def test_init_asks_and_writes_a_file_that_loads(tmp_path: Path) -> None:
    commands = Commands(tmp_path, "")
    commands.config.unlink()
    answers = "en\nevents\noffice\ntop-secret\n\n"
    done = commands.run("init", given=answers)
    assert done.returncode == 0, done.stderr
    written = commands.config.read_text(encoding="utf-8")
    assert "[connections.office]" in written
    assert "top-secret" not in written + done.stdout  # secrets lie in a file of their own
    assert commands.here("check").returncode == 0
    again = commands.here("init", given=answers)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_inspect_prints_canonical_records_and_names_problems(tmp_path: Path) -> None:
    file = tmp_path / "import.xml"
    file.write_bytes(CML.encode("windows-1251"))
    done = Commands(tmp_path, MEMORY).run("inspect", str(file))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    goods = [r for r in rows if r.get("native_kind") == "product" and "fields" in r]
    assert [(g["id"], g["fields"]["sku"], g["fields"]["name"]) for g in goods] == [
        ("g-1", "A-1", "Чай"),
        ("g-2", "A-2", "Чашка"),
    ]
    assert [r["problem"]["code"] for r in rows if "problem" in r]


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        (
            "letter.eml",
            b"From: a@example.test\r\nTo: b@firma.test\r\nSubject: hi\r\nMessage-ID: <x@example.test>\r\n\r\nhello\r\n",
            "activity",
        ),
        ("form.txt", b"Name=Anna&Phone=%2B79161234567&tranid=1:2&formid=f", "lead"),
        (
            "calls.json",
            b'[{"type":"call","id":"1","at":"2026-11-22T10:00:00+03:00","phone":"+79161234567"}]',
            "activity",
        ),
    ],
)
def test_inspect_guesses_the_adapter(tmp_path: Path, name: str, body: bytes, kind: str) -> None:
    file = tmp_path / name
    file.write_bytes(body)
    done = Commands(tmp_path, MEMORY).here("inspect", str(file))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == [kind]


def test_inspect_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "bomb.xml"
    file.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', encoding="utf-8")
    done = Commands(tmp_path, MEMORY).here("inspect", str(file))
    assert done.returncode == 1
    assert "DOCTYPE" in done.stderr
    assert Commands(tmp_path, MEMORY).here("inspect", str(tmp_path / "nothing.xml")).returncode == 2


def test_inspect_says_aloud_that_a_file_breaks_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "import0_1.xml"
    good = "<Товар><Ид>1</Ид><Наименование>Болт</Наименование></Товар>"
    file.write_text(f"<КоммерческаяИнформация><Каталог><Товары>{good}<Товар", encoding="utf-8")
    done = Commands(tmp_path, MEMORY).here("inspect", str(file))
    first, last = map(json.loads, done.stdout.splitlines())
    assert (first["fields"]["name"], last["cut"], done.returncode) == ("Болт", True, 1)
    assert "✗ import0_1.xml: the XML breaks at line 1" in done.stderr
    assert "1 records, 1 problems" in done.stderr


def test_a_report_that_cannot_be_written_says_which_file(tmp_path: Path) -> None:
    commands = Commands(tmp_path, MEMORY)
    done = commands.here("report", "deals", "--xlsx", str(tmp_path / "absent" / "deals.xlsx"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "deals.xlsx cannot be written" in done.stderr
    for more, of_what in (
        ((), "in the last 92 days; older ones: sverka report deals --all."),
        (("--all",), "All deals."),
    ):
        said = commands.here("report", "deals", "--xlsx", str(tmp_path / "deals.xlsx"), *more).stdout
        assert "0 deals, 0 with differences. " in said
        assert said.endswith(f"{of_what}\n"), "it says what it is of"


def test_sync_beside_a_service_and_a_second_service(tmp_path: Path) -> None:
    commands = Commands(tmp_path, MEMORY)
    service = subprocess.Popen(
        [sys.executable, "-m", "sync", "-c", str(commands.config), "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert service.stdout is not None
        assert "http://127.0.0.1:" in service.stdout.readline()
        done = commands.run("sync")
        assert done.returncode == 0, done.stderr
        assert f"pid {service.pid}" in done.stderr
        assert "0 writes" in done.stdout
        second = commands.run("serve", "--port", "0")
        assert second.returncode != 0
        assert str(service.pid) in second.stderr
    finally:
        service.send_signal(signal.SIGINT)
        assert service.wait(20) is not None
        if service.stdout is not None:
            service.stdout.close()
    assert wait_for(lambda: commands.here("sync").returncode == 0, 5)  # the lock is free again


def test_errors_are_words_and_exit_codes(tmp_path: Path) -> None:
    commands = Commands(tmp_path, MEMORY)
    told = " ".join(commands.here("--help").stdout.split())
    assert all(code in told for code in ("0 done", "1 something failed", "2 the command", "3 a person", "130 прервано"))
    assert commands.here("trace", "1043").returncode == 1
    missing = commands.here("deal", "1043", "--stage", "won")
    assert missing.returncode == 3
    assert "1043" in missing.stderr
    commands.config.unlink()
    absent = commands.run("sync")
    assert absent.returncode == 2
    assert "sverka init" in absent.stderr
    assert "Traceback" not in absent.stderr
