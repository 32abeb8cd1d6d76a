"""Hostile files for `identity eval` and `identity dedupe`: no crash, one answer per event, or an error that names the place."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from sync.errors import BadConfig, Text
from sync.identity import contract

META = '{"own_domains": ["firma.ru"], "own_lines": ["+74951112233"]}'
PHONE = "+79161234567"
HEAD = "id,source,kind,name,inn,phone,email,company_name,city\n"
ANNA = {"id": "p1", "kind": "person", "name": "Анна Тестова", "companies": ["c1"], "phones": [PHONE], "emails": []}
FIRM = {"id": "c1", "kind": "company", "name": "ООО Ромашка", "inn": "7707083893", "phones": [], "emails": []}
CALL = {"event_id": "e1", "kind": "call", "from_number": "8 916 123-45-67"}
FIELDS = (
    "from_number", "to_line", "direction", "duration", "note", "from_addr", "from_name", "to", "subject", "body", "form",
    "name", "email", "phone", "company", "comment", "shop", "order_no", "inn", "total", "recipient_name", "recipient_phone",
)  # fmt: skip


def lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Text] = []

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def answers(
        self, base: str | bytes = lines(FIRM, ANNA), events: str | bytes = lines(CALL), meta: str | bytes = META
    ) -> list[dict[str, Any]]:
        paths = self.put("base.jsonl", base), self.put("events.jsonl", events), self.put("meta.json", meta)
        out = self.folder / "answers.jsonl"
        count = contract.evaluate(*paths, out, self.told.append)
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert len(found) == count
        return found

    def groups(self, records: str | bytes, schema: str | bytes | None = None) -> dict[str, str]:
        path = self.put("records.csv", records)
        told = None if schema is None else self.put("schema.json", schema)
        contract.dedupe(path, told, self.folder / "clusters.csv", self.told.append)
        with (self.folder / "clusters.csv").open(encoding="utf-8", newline="") as file:
            return {row["id"]: row["cluster"] for row in csv.DictReader(file)}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# events and bases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "events"),
    [
        ("\ufeff" + lines(FIRM, ANNA), "\ufeff" + lines(CALL)),
        (lines(FIRM, ANNA).replace("\n", "\r\n"), lines(CALL).replace("\n", "\r\n") + "\r\n \r\n"),
        ("\n\n" + lines(FIRM) + "  \n" + lines(ANNA), "\n" + lines(CALL)),
        (lines(FIRM, ANNA, ANNA), lines(CALL)),
        (lines(FIRM, {**ANNA, "colour": "red", "age": 5}), lines({**CALL, "colour": ["red"]})),
        (lines({**ANNA, "companies": ["gone", "p1"]}, FIRM), lines(CALL)),
    ],
    ids=[
        "byte order mark",
        "windows line ends",
        "blank lines",
        "the same id twice",
        "unknown columns",
        "no such employer",
    ],
)
def test_the_same_client_is_found_however_the_files_are_written(files: Files, base: str, events: str) -> None:
    (answer,) = files.answers(base, events)
    assert answer["person"] == "p1"
    assert files.told == []


def test_records_without_an_id_are_passed_over_and_told(files: Files) -> None:
    nameless: list[Any] = [{"kind": "person"}, {**ANNA, "id": None}, {**ANNA, "id": {"a": 1}}, {**ANNA, "id": " "}]
    broken = '{"id": "\\ud800", "name": "x"}\n'
    (answer,) = files.answers(lines(*nameless, FIRM, ANNA) + broken)
    assert answer["person"] == "p1"
    (text,) = files.told
    assert "5 records" in text.en
    assert "1, 2, 3, 4, 7" in text.ru


@pytest.mark.parametrize(
    "row",
    [
        {"id": "a", "kind": None, "name": None, "phones": None, "emails": None, "companies": None, "inn": None},
        {
            "id": "a",
            "kind": ["x"],
            "name": {"a": 1},
            "phones": {"a": 1},
            "emails": 7,
            "companies": "zz",
            "inn": [1],
            "site": 5,
        },
        {
            "id": 7,
            "kind": "company",
            "name": 5,
            "phones": [None, 5, {"a": 1}, ["x"]],
            "emails": [5, None],
            "inn": 7707083893,
        },
        {"id": "a", "kind": "company", "name": "A\ud800", "site": "\ud800.ru", "emails": ["\ud800@x.ru"], "ogrn": {}},
    ],
    ids=["nulls", "other types", "numbers for texts", "half characters"],
)
def test_a_base_of_wrong_types_is_taken(files: Files, row: dict[str, Any]) -> None:
    (answer,) = files.answers(lines(row, FIRM, ANNA))
    assert answer["person"] == "p1"


VALUES = [None, 5, 1.5, True, [], ["a", None, 5], {"a": 1}, "", "\x00\x01", "\ud800", "x" * 20_000]


@pytest.mark.parametrize("kind", ["call", "email", "web_form", "order", "telegram", None, ["call"]])
def test_every_event_is_answered_whatever_its_fields_hold(files: Files, kind: Any) -> None:
    events = [{"event_id": number, "kind": kind, **dict.fromkeys(FIELDS, value)} for number, value in enumerate(VALUES)]
    found = files.answers(events=lines(*events, {"kind": kind}))
    assert [a["event_id"] for a in found] == [*range(len(VALUES)), None]
    for answer in found:
        assert answer["why"]["ru"]
        assert answer["ignore"] or answer["client"] or answer["review"]


def test_an_events_own_name_comes_back_as_it_was(files: Files) -> None:
    names: list[Any] = ["\ud800", "a\x00b", "Ё", 5, None, ["x"], {"a": 1}]
    found = files.answers(events=lines(*({**CALL, "event_id": name} for name in names)))
    assert [a["event_id"] for a in found] == names


def test_forty_numbers_in_one_field_lead_to_nobody(files: Files) -> None:
    many = "; ".join(["8 916 123-45-67", *(f"8916999{number:04}" for number in range(39))])
    crowd = {"id": "p2", "kind": "person", "name": "Справочник", "phones": [many.replace("916 123", "917 555")]}
    events = lines({"event_id": 1, "kind": "web_form", "phone": many}, {**CALL, "from_number": "89169990030"})
    first, second = files.answers(lines(FIRM, ANNA, crowd), events)
    assert first["person"] != "p1"
    assert second["client"] not in ("p1", "p2", first["client"])
    found = files.groups(f"{HEAD}1,crm,person,Анна Тестова,,{many},,,\n2,1c,person,Тестова Анна,,{PHONE},,,\n")
    assert found["1"] != found["2"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("meta", "[]", "meta.json, line 1"),
        ("meta", "null", "meta.json, line 1"),
        ("meta", "", "meta.json, line 1"),
        ("meta", '{"own_lines": 5}', "own_lines"),
        ("meta", '{"own_domains": "firma.ru"}', "own_domains"),
        ("meta", '{"own_inns": [null]}', "own_inns"),
        ("base", "[1]\n", "base.jsonl, line 1"),
        ("events", '\n"x"\n', "events.jsonl, line 2"),
        ("events", lines(CALL) + '{"note": "8 916 765-43-21\n', "events.jsonl, line 2"),
        ("events", '{"event_id": ' + "9" * 5000 + "}\n", "events.jsonl, line 1"),
        ("events", "[" * 100_000 + "\n", "events.jsonl, line 1"),
        ("events", '{"note": "Привет"}\n'.encode("cp1251"), "events.jsonl"),
        ("base", "{}\n".encode("utf-16"), "base.jsonl"),
        ("meta", '{"а": 1}'.encode("cp1251"), "meta.json"),
    ],
)
def test_what_cannot_be_read_is_named_and_not_repeated(
    files: Files, name: str, content: str | bytes, said: str
) -> None:
    with pytest.raises(BadConfig) as caught:
        files.answers(**{name: content})
    assert said in caught.value.text.en
    assert caught.value.text.ru != caught.value.text.en
    assert "765-43-21" not in caught.value.text.en + caught.value.text.ru


# records to group ----------------------------------------------------------------------------------------------------------

TWO = f"{HEAD}1,crm,person,Анна Тестова,,{PHONE},,,\n2,1c,person,Тестова Анна,,8 916 123-45-67,,,\n"


@pytest.mark.parametrize(
    "records",
    [
        "\ufeff" + TWO.replace("\n", "\r\n") + "\r\n\r\n",
        TWO.replace(",", ";"),
        TWO.replace(",", "\t"),
        TWO.replace("id,source", " id , source"),
        TWO.replace("city\n", "city,colour\n"),
        TWO + "3,crm\n4,crm,person,Пётр Пробный,,,,,,more,and more\n",
        TWO + f"5,crm,person,{'ж' * 200_000},,,,,\n",
        TWO.replace("Анна Тестова,", "\x00Анна \x01Тестова\x7f,", 1),
    ],
    ids=[
        "windows",
        "semicolons",
        "tabs",
        "spaces in the head",
        "unknown column",
        "short and long rows",
        "a huge value",
        "control",
    ],
)
def test_two_records_of_one_client_however_the_file_is_written(files: Files, records: str) -> None:
    found = files.groups(records)
    assert found["1"] == found["2"]
    assert set(found) <= {"1", "2", "3", "4", "5"}


def test_records_without_an_id_are_left_out_and_told(files: Files) -> None:
    found = files.groups(TWO + ",crm,person,Пётр Пробный,,,,,\n , crm,person,,,,,,\n")
    assert found.keys() == {"1", "2"}
    assert "2 records" in files.told[0].en


def test_the_same_id_twice_is_two_records(files: Files) -> None:
    files.groups(TWO + "1,shop,person,Пётр Пробный,,+79037654321,,,\n")
    rows = (files.folder / "clusters.csv").read_text(encoding="utf-8").split()
    assert len(rows) == 4


def test_kinds_and_numbers_as_people_write_them(files: Files) -> None:
    firms = "1,crm,Юрлицо,ООО «Проба»,ИНН 7707083893,,,,\n2,1c,COMPANY,Проба,7707083893/770701001,,,,\n"
    zeroes = "3,crm,company,Нули,0000000000,,,,\n4,1c,company,Пусто,0000000000,,,,\n5,crm,company,Мимо,7707083894,,,,\n"
    found = files.groups(HEAD + firms + zeroes)
    assert found["1"] == found["2"]
    assert len(set(found.values())) == 4, "zeroes and wrong checksums join nobody"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("[]", "schema.json, line 1"),
        ("null", "schema.json, line 1"),
        ('"a"', "schema.json, line 1"),
        ('{"name": 5}', "known kinds"),
        ('{"name": ["name"]}', "known kinds"),
        ('{"name": null}', "known kinds"),
        ('{"name": "colour"}', "known kinds"),
        ("{}", "No column"),
        ('{"имя": "name"}'.encode("cp1251"), "UTF-8"),
    ],
)
def test_a_wrong_schema_is_an_error_that_says_what_is_valid(files: Files, schema: str | bytes, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        files.groups(TWO, schema)
    assert said in caught.value.text.en
    assert caught.value.text.ru != caught.value.text.en


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (HEAD + '1,crm,person,"Анна,,,,,\n2,crm,person,x,,,,,\n', "quotation mark"),
        (TWO.encode("cp1251"), "UTF-8"),
        (TWO.encode("utf-16"), "UTF-8"),
        ("", "No column"),
        ("name,phone\nАнна,1\n", "no column id"),
    ],
)
def test_a_file_that_cannot_be_read_whole_gives_no_groups(files: Files, records: str | bytes, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        files.groups(records)
    assert said in caught.value.text.en
