"""CommerceML as it comes: encodings, breaks, hostile files. What can be read is, and the rest is named."""

from __future__ import annotations

import io
import random

import pytest

from adapters.base import Problem, Record, RecordRefused
from adapters.onec.cml import prologue, records, xmlsafe
from adapters.onec.unpack import is_complete
from tests.adapters.onec_context import FIXTURES
from tests.adapters.test_onec_reader import by_id, catalogue, problems, product, read

# Encodings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "python", "mark"),
    [
        ("UTF-8", "utf-8", b""),
        ("utf-8", "utf-8", b"\xef\xbb\xbf"),
        ("windows-1251", "cp1251", b""),
        ("Windows-1251", "cp1251", b""),
        ("UTF-16", "utf-16-le", b"\xff\xfe"),
    ],
)
def test_encodings_read_the_same(declared: str, python: str, mark: bytes) -> None:
    body = catalogue(
        product("a", "<Наименование>Ёлка №5 — «люкс»</Наименование>"),
        head=f'<?xml version="1.0" encoding="{declared}"?>',
    )
    assert [item.data["name"] for item in by_id(read(mark + body.encode(python)), "product").values()] == [
        "Ёлка №5 — «люкс»"
    ]


def test_windows_1251_that_says_it_is_utf_8() -> None:
    with pytest.raises(RecordRefused) as caught:
        read(catalogue(product("a")).encode("cp1251"))
    assert caught.value.code == "cml.encoding"
    assert caught.value.remedy is not None


@pytest.mark.parametrize("head", ["", '<?xml version="1.0"?>', '\n\n<?xml version="1.0"?>'])
def test_windows_1251_that_says_nothing(head: str) -> None:
    names = [item.data["name"] for item in read(catalogue(product("a"), head=head).encode("cp1251"))]  # type: ignore[union-attr]
    assert names == ["Стол"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_blank_lines_before_the_declaration(mark: bytes) -> None:
    """A program on the way (or a shop's template) has put them there."""
    assert [item.id for item in read(mark + b"\r\n \n" + catalogue(product("a")).encode())] == ["a"]


@pytest.mark.parametrize("tail", [b"\x00", b"\x1a", b"\r\n\x00\x00\x00", b"\x00" * 70_000])
def test_padding_behind_the_end_is_no_break(tail: bytes) -> None:
    for encoding in ("UTF-8", "windows-1251"):
        body = catalogue(product("a"), head=f'<?xml version="1.0" encoding="{encoding}"?>').encode(encoding) + tail
        assert [item.id for item in read(body)] == ["a"]
        assert is_complete(io.BytesIO(body), len(body)) is (len(tail) < 4096)


@pytest.mark.parametrize(
    "body",
    [
        catalogue(product("a")) + "xyz\x00",
        catalogue(product("a")) + "\x00<x/>",
        catalogue(product("a"))[:-30] + "\x00" * 50,  # a file whose end was lost when a disk failed
        catalogue(product("a")) + "\x00" * 70_000 + "x",
    ],
)
def test_anything_else_behind_the_end_or_instead_of_it_is(body: str) -> None:
    items = read(body)
    assert [p.error.code for p in problems(items)] == ["cml.broken"]
    assert [item.id for item in items if isinstance(item, Record)] == ["a"]


def test_an_unusual_encoding_is_refused_by_name() -> None:
    with pytest.raises(RecordRefused, match="utf-7") as caught:
        read(catalogue(product("a"), head='<?xml version="1.0" encoding="utf-7"?>'))
    assert caught.value.code == "cml.encoding"


# Broken files ------------------------------------------------------------------------------------------------------


def test_a_record_without_id_is_a_problem_and_its_neighbours_go_on() -> None:
    items = read(FIXTURES / "import0_1.xml")
    assert len(by_id(items, "product")) == 3
    (problem,) = problems(items)
    assert problem.error.code == "cml.no_id"
    assert problem.error.field == "Ид"
    assert problem.id.startswith("product@")
    assert "Без идентификатора" in problem.raw.decode()


def test_a_truncated_file_gives_what_stood_before_the_break_and_the_line() -> None:
    whole = catalogue(*(product(str(n)) for n in range(100)))
    items = read(whole[: whole.index("<Ид>60</Ид>") + 5])
    assert [item.id for item in items[:-1]] == [str(n) for n in range(60)]
    assert isinstance(items[-1], Problem)
    assert items[-1].error.code == "cml.broken"
    assert "65" in items[-1].error.text.en
    assert "строке 65" in items[-1].error.text.ru


def test_what_other_files_broke_at_is_not_said_of_this_one() -> None:
    """libxml2's own log is one for the whole process."""
    spoilt = catalogue(product("a"), "<Товар><Ид>b</Артикул></Товар>", head='<?xml version="1.0"?>\n\n\n\n\n')
    assert "line 11" in problems(read(spoilt))[0].error.text.en
    assert problems(read(catalogue(product("a"), root=' xmlns:x="urn:1C.ru:commerceml 2"'))) == []
    cut = catalogue(product("a"), product("b"))
    assert "line 6" in problems(read(cut[: cut.index("<Ид>b") + 5]))[0].error.text.en


@pytest.mark.parametrize("seed", range(30))
def test_a_file_cut_anywhere_never_gives_a_wrong_record(seed: int) -> None:
    body = (FIXTURES / "offers0_1.xml").read_bytes()
    whole = {(r.kind, r.id): r.data for r in read(body) if isinstance(r, Record)}
    cut = random.Random(seed).randrange(len(body) - 1)
    try:
        items = read(body[:cut])
    except RecordRefused:
        return
    assert isinstance(items[-1], Problem)
    assert all(whole[r.kind, r.id] == r.data for r in items[:-1] if isinstance(r, Record))


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_never_raises_anything_else(seed: int) -> None:
    dice = random.Random(seed)
    body = bytearray((FIXTURES / "import0_1.xml").read_bytes())
    for _ in range(5):
        body[dice.randrange(len(body))] = dice.randrange(256)
    try:
        items = read(bytes(body))
    except RecordRefused:
        return
    assert all(isinstance(item, Record | Problem) for item in items)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!-- c --><!DOCTYPE x [<!ENTITY f SYSTEM "http://127.0.0.1:9/">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "utf-16"])
def test_any_doctype_is_refused(doctype: str, encoding: str) -> None:
    body = catalogue(product("a"), head=f'<?xml version="1.0" encoding="{encoding}"?>{doctype}')
    with pytest.raises(RecordRefused) as caught:
        read(body.encode(encoding))
    assert caught.value.code == "cml.doctype"


def test_the_word_doctype_inside_a_text_is_harmless() -> None:
    items = read(catalogue(product("a", "<Описание><![CDATA[<!DOCTYPE html>]]></Описание>")))
    assert items[0].data["description"] == "<!DOCTYPE html>"  # type: ignore[union-attr]


def test_an_entity_that_nobody_declared_breaks_the_file() -> None:
    items = read(catalogue(product("a"), product("b", "<Наименование>&bomb;</Наименование>")))
    assert [type(item) for item in items] == [Record, Problem]
    assert items[1].error.code == "cml.broken"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "cml.empty"),
        (b"\xef\xbb\xbf  \r\n", "cml.empty"),
        (b"<html><body>Fatal error</body></html>", "cml.root"),
        (b'{"error": 1}', "cml.root"),
        (b"\xff\xd8\xff\xe0 jpeg", "cml.encoding"),
        ("<КоммерческаяИнформация>".encode(), "cml.broken"),
        (b"<" * 100000, "cml.root"),
    ],
)
def test_what_is_no_commerceml_is_named(body: bytes, code: str) -> None:
    with pytest.raises(RecordRefused) as caught:
        read(body)
    assert caught.value.code == code
    assert caught.value.text.ru


def test_an_empty_answer_of_a_shop_has_no_records() -> None:
    assert read("<КоммерческаяИнформация ВерсияСхемы='2.05'></КоммерческаяИнформация>") == []


def test_depth_is_limited() -> None:
    items = read(catalogue(product("a"), product("b", "<x>" * 400 + "</x>" * 400)))
    assert [type(item) for item in items] == [Record, Problem]


def test_a_record_larger_than_allowed_stops_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmlsafe, "MAX_GAP", 200_000)
    items = read(catalogue(product("a"), product("b", "<Описание>" + "слово " * 100_000 + "</Описание>")))
    assert [item.id for item in items if isinstance(item, Record)] == ["a"]
    assert problems(items)[0].error.code == "cml.too_large"


def test_small_portions_of_a_slow_stream_make_no_difference() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(7)

    body = (FIXTURES / "import0_1.xml").read_bytes()
    assert [repr(item) for item in records(Slow(body))] == [repr(item) for item in read(body)]


@pytest.mark.parametrize("size", [1, 13, 1000])
def test_an_unknown_entity_is_named_in_its_own_line_however_the_file_comes(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(io.BytesIO):
        def read(self, wanted: int | None = -1) -> bytes:
            return super().read(size)

    monkeypatch.setattr(prologue, "PROLOGUE", 200)
    body = catalogue(product("a"), product("b", "<Описание>&nbsp;</Описание>"), product("c"))
    first, problem = records(Slow(body.encode()))
    assert isinstance(problem, Problem)
    assert first.id == "a"
    assert "line 6: Entity 'nbsp' not defined" in problem.error.text.en


def test_a_comment_or_instruction_between_records_is_skipped() -> None:
    items = read(
        catalogue(product("a"), "<!-- x --><?y z?>", product("b", "<!-- n --><Артикул>1<!-- m -->2</Артикул>"))
    )
    assert [(item.id, item.data.get("sku")) for item in by_id(items, "product").values()] == [("a", None), ("b", "12")]


@pytest.mark.parametrize(("head", "encoding"), [("", "utf-8"), ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16")])
def test_an_instruction_inside_a_text_takes_nothing_of_it(head: str, encoding: str) -> None:
    inner = "<Наименование>Сто<?y z?>л</Наименование><Группы><?y?><Ид>1</Ид></Группы>"
    body = catalogue(product("a"), product("b", inner), head=f"{head}<!-- <x/> --><?style a?>")
    [_, found] = by_id(read(body.encode(encoding)), "product").values()
    assert found.data == {"name": "Стол", "groups": ["1"]}


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "utf-16"])
@pytest.mark.parametrize("tail", ["", "<", "&nobody;", "</Каталог>", "<Товар><Ид>b</Ид>", "</Товары>\x00"])
def test_the_last_record_before_a_break_is_taken_when_it_was_whole(encoding: str, tail: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?><КоммерческаяИнформация><Каталог>\n<Товары>'
    whole = read((head + product("z") + product("a") + tail).encode(encoding))
    assert [item.id for item in whole if isinstance(item, Record)] == ["z", "a"]
    cut = read((head + product("z") + product("a")[:-1] + tail.replace("<Товар>", "<")).encode(encoding))
    assert [item.id for item in cut if isinstance(item, Record)] == ["z"]
    assert [p.error.code for p in problems(whole) + problems(cut)] == ["cml.broken"] * 2
