"""Real files of other people's 1C bases through `sverka inspect`, record by record against a reading of our own.

The reading here is plain ElementTree over the whole file and shares nothing with the adapter. The files lie outside the
project; where they are absent the tests are skipped and the project's own fixtures cover the same branches.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import Commands
from tests.need import shared

CATALOGUES = ["dob_import0_1.xml", "carono_import.xml", "bigp_import.xml"]
OFFERS = ["dob_offers0_1.xml", "carono_offers.xml", "bigp_offers.xml"]
EMPTY = ["dob_bitrix_query_empty.xml"]
ROOT = "КоммерческаяИнформация"


def inspected(path: Path, folder: Path) -> list[dict[str, Any]]:
    """What the command prints, with numbers as exact decimals."""
    done = Commands(folder, '[hub]\nlanguage = "en"\n').here("inspect", str(path), "--as", "onec_folder")
    assert done.returncode == 0, done.stderr
    return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]


def plain(path: Path) -> ET.Element:
    root = ET.fromstring(path.read_bytes())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def word(element: ET.Element, path: str) -> str | None:
    """The text as a person reads it; None where there is none."""
    return (element.findtext(path) or "").strip() or None


def number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row.get("native_kind") == kind]


def named(root: ET.Element, tag: str, holder: str) -> Counter[tuple[str | None, str | None]]:
    return Counter((word(e, "Ид"), word(e, "Наименование")) for box in root.iter(holder) for e in box.findall(tag))


def lists(rows: list[dict[str, Any]], kind: str) -> Counter[tuple[str, str]]:
    return Counter((row["id"], row["fields"]["name"]) for row in of_kind(rows, kind))


@pytest.mark.parametrize("name", CATALOGUES)
def test_goods_and_groups_of_a_real_catalogue(name: str, tmp_path: Path) -> None:
    path = shared(f"onec/{name}")
    rows, root = inspected(path, tmp_path), plain(path)
    expected = [
        (word(e, "Ид"), word(e, "Наименование"), word(e, "Артикул"), e.get("Статус") == "Удален")
        for e in root.iter("Товар")
    ]
    found = [
        (row["id"], row["fields"]["name"], row["fields"].get("sku") or None, row["deleted"])
        for row in of_kind(rows, "product")
    ]
    assert expected
    assert found == expected
    assert lists(rows, "group") == named(root, "Группа", "Группы")
    assert [row for row in rows if row.get("problems") or "problem" in row] == []


@pytest.mark.parametrize("name", OFFERS)
def test_prices_and_stock_of_real_offers(name: str, tmp_path: Path) -> None:
    path = shared(f"onec/{name}")
    rows, root = inspected(path, tmp_path), plain(path)
    expected = [
        (
            word(e, "Ид"),
            word(e, "Наименование"),
            word(e, "Артикул"),
            {word(p, "ИдТипаЦены"): number(word(p, "ЦенаЗаЕдиницу")) for p in e.findall("Цены/Цена")},
            number(word(e, "Количество")),
            {s.get("ИдСклада"): number(s.get("КоличествоНаСкладе")) for s in e.findall("Склад")},
        )
        for e in root.iter("Предложение")
    ]
    found = []
    for row in of_kind(rows, "offer"):
        fields = row["fields"]
        prices = {p["key"]: number(p["value"]) for p in fields.get("prices", [])}
        stocks = {s["key"]: number(s["qty"]) for s in fields.get("stocks", [])}
        quantity = number(fields.get("quantity"))
        found.append((row["id"], fields["name"] or None, fields.get("sku") or None, prices, quantity, stocks))
    assert expected
    assert found == expected
    totals = [sum((v for row in side for v in row[3].values() if v), Decimal(0)) for side in (found, expected)]
    assert totals[0] == totals[1] > 0, "to the kopeck"
    assert lists(rows, "price_type") == named(root, "ТипЦены", "ТипыЦен")
    assert [row for row in rows if row.get("problems") or "problem" in row] == []


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_answer_of_a_shop_is_no_problem(name: str, tmp_path: Path) -> None:
    path = shared(f"onec/{name}")
    assert [e.tag for e in plain(path).iter("Документ")] == []
    done = Commands(tmp_path, '[hub]\nlanguage = "en"\n').run("inspect", str(path), "--as", "onec_folder")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_no_other_file_of_the_folder_is_commerceml_and_each_is_refused_in_words(tmp_path: Path) -> None:
    folder = shared("onec")
    others = [p for p in sorted(folder.iterdir()) if p.name not in {*CATALOGUES, *OFFERS, *EMPTY} and p.is_file()]
    assert others
    commands = Commands(tmp_path, '[hub]\nlanguage = "en"\n')
    for path in others:
        head = path.read_bytes()[:4096].decode("utf-8", "replace")
        assert f"<{ROOT}" not in head, f"{path.name} wants a test of its own"
        done = commands.here("inspect", str(path), "--as", "onec_folder")
        assert (done.returncode, done.stdout) == (1, ""), path.name
        assert "CommerceML" in done.stderr, path.name
        assert "Traceback" not in done.stderr, path.name
