"""Zip archives of 1C: order, foreign names, and archives that mean harm."""

from __future__ import annotations

import io
import struct
import zipfile
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Arrival, Problem, Record, RecordRefused
from adapters.onec import archive as module
from adapters.onec.archive import import_order
from adapters.onec.unpack import is_complete, unpack
from tests.adapters.onec_context import FIXTURES, KeptPictures, arrival

IMPORT = (FIXTURES / "import0_1.xml").read_bytes()
OFFERS = (FIXTURES / "offers0_1.xml").read_bytes()
ZONE = ZoneInfo("Europe/Moscow")


def packed(*files: tuple[str, bytes]) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files:
            archive.writestr(name, body)
    return box.getvalue()


def read(body: bytes, name: str = "v8.zip") -> list[Record | Problem]:
    return list(unpack(arrival(name, body), ZONE))


def refusal(body: bytes) -> str:
    with pytest.raises(RecordRefused) as caught:
        read(body)
    assert caught.value.text.ru
    return caught.value.code


def test_catalogue_before_offers_before_orders_and_portions_by_number() -> None:
    names = ["orders-1_1.xml", "offers0_10.xml", "rests.xml", "offers0_2.xml", "a/import0_10.xml", "a\\import0_2.xml"]
    assert sorted(names, key=import_order) == [
        "a\\import0_2.xml",
        "a/import0_10.xml",
        "offers0_2.xml",
        "offers0_10.xml",
        "rests.xml",
        "orders-1_1.xml",
    ]


def test_members_are_read_in_order_and_pictures_left_alone() -> None:
    body = packed(("offers0_1.xml", OFFERS), ("import_files/1/a.jpg", b"\xff\xd8"), ("import0_1.xml", IMPORT))
    kinds = [item.kind for item in read(body) if isinstance(item, Record)]
    assert kinds.index("product") < kinds.index("offer")
    assert len(kinds) == 11


def test_a_broken_member_is_one_problem_and_the_others_go_on() -> None:
    items = read(packed(("import0_1.xml", b"<html/>"), ("offers0_1.xml", OFFERS)))
    (problem,) = [item for item in items if isinstance(item, Problem)]
    assert (problem.id, problem.error.code) == ("v8.zip/import0_1.xml", "cml.root")
    assert sum(isinstance(item, Record) and item.kind == "offer" for item in items) == 2


def test_pictures_are_kept_and_a_broken_one_harms_nobody() -> None:
    kept = KeptPictures()
    body = packed(("import0_1.xml", IMPORT), ("import_files\\a.jpg", b"whole"), ("import_files/b.jpg", b"bad picture"))
    broken = bytearray(body)
    broken[body.index(b"import_files/b.jpg") + len(b"import_files/b.jpg") + 2] ^= 0xFF
    items = list(unpack(arrival("v8.zip", bytes(broken)), ZONE, None, kept))
    assert kept.kept == {"import_files/a.jpg": b"whole"}
    assert [i.id for i in items if isinstance(i, Problem)][-1] == "v8.zip/import_files/b.jpg"
    assert any(isinstance(i, Record) for i in items)


def test_a_member_with_a_wrong_checksum_is_a_problem() -> None:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("import0_1.xml", IMPORT)
        archive.writestr("offers0_1.xml", OFFERS)
    body = box.getvalue().replace("Стол из сосны".encode(), "Стул из сосны".encode())
    items = read(body)
    assert [p.error.code for p in items if isinstance(p, Problem) and p.kind == "file"] == ["cml.zip"]
    assert sum(isinstance(item, Record) and item.kind == "offer" for item in items) == 2


@pytest.mark.parametrize(
    "name", ["../import.xml", "a/../../import.xml", "/etc/import.xml", "..\\import.xml", "C:/i.xml"]
)
def test_names_that_lead_out_refuse_the_whole_archive(name: str) -> None:
    assert refusal(packed((name, IMPORT))) == "cml.zip_path"


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RATIO_FREE", 100_000)
    assert refusal(packed(("import0_1.xml", b" " * 1_000_000))) == "cml.zip_bomb"
    monkeypatch.setattr(module, "MAX_TOTAL", 5000)
    assert refusal(packed(("import0_1.xml", IMPORT), ("offers0_1.xml", OFFERS))) == "cml.zip_bomb"


def test_a_bomb_whose_header_lies_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = packed(("import0_1.xml", IMPORT))
    lying = honest.replace(struct.pack("<I", len(IMPORT)), struct.pack("<I", 3000))
    items = read(lying)
    assert isinstance(items[-1], Problem)
    assert items[-1].error.code in ("cml.zip", "cml.broken")


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEMBERS", 3)
    assert refusal(packed(*((f"{n}.jpg", b"x") for n in range(4)))) == "cml.zip_count"


def test_an_encrypted_archive_is_named() -> None:
    body = bytearray(packed(("import0_1.xml", IMPORT)))
    body[6] |= 1
    at = body.index(b"PK\x01\x02")
    body[at + 8] |= 1
    assert refusal(bytes(body)) == "cml.zip_encrypted"


@pytest.mark.parametrize(
    "body", [b"PK\x03\x04", b"PK\x03\x04" + bytes(100), packed(("import0_1.xml", IMPORT))[:-40], packed()]
)
def test_broken_and_empty_archives_are_named(body: bytes) -> None:
    assert refusal(body) == "cml.zip"


def test_russian_names_of_windows_archivers_are_read() -> None:
    body = packed(("import0_1.xml", b"<html/>"))
    (problem,) = read(body.replace(b"import0_1.xml", "импорт_01.xml".encode("cp866")))
    assert problem.id == "v8.zip/импорт_01.xml"


def test_problems_of_different_files_have_different_ids() -> None:
    items = read(packed(("import0_1.xml", IMPORT), ("import0_2.xml", IMPORT)))
    ids = [item.id for item in items if isinstance(item, Problem)]
    assert len(ids) == len(set(ids)) == 2
    assert ids[0].startswith("v8.zip/import0_1.xml:product@")


def test_a_stream_that_cannot_be_rewound_is_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    body = packed(("import0_1.xml", IMPORT))
    items = list(unpack(Arrival("v8.zip", size=len(body), open=lambda: Pipe(body)), ZONE))
    assert sum(isinstance(item, Record) for item in items) == 5


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (IMPORT, True),
        (IMPORT.rstrip(), True),
        (IMPORT[:-30], False),
        (IMPORT[: len(IMPORT) // 2], False),
        ((FIXTURES / "rests_1251.xml").read_bytes(), True),
        ((FIXTURES / "rests_1251.xml").read_bytes()[:-4], False),
        ("<КоммерческаяИнформация ВерсияСхемы='2.05'/>".encode(), True),
        ("\ufeff<КоммерческаяИнформация></КоммерческаяИнформация>\n<!-- 1C -->".encode("utf-16-le"), True),
        ("<c:КоммерческаяИнформация xmlns:c='x'></c:КоммерческаяИнформация >".encode(), True),
        ("<КоммерческаяИнформация><Каталог/>".encode(), False),
        (packed(("a.xml", b"x")), True),
        (packed(("a.xml", b"x"))[:-2] + b"\x10\x27" + b"c" * 10_000, True),  # with a comment behind it
        (packed(("a.xml", b"x" * 100))[:-30], False),
        (b"", False),
        (b"<html></html>", False),
    ],
)
def test_the_end_of_a_file_is_recognised(body: bytes, complete: bool) -> None:
    assert is_complete(io.BytesIO(body), len(body)) is complete
