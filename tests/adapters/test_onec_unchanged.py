"""What was taken is not read again: and nothing else is left out, whatever the file looks like."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Mapping, Set
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Hint, KeptInMemory, Problem, Record, RecordRefused, Unchanged
from adapters.onec import OneCFolder, OneCSiteExchange
from adapters.onec.cml import prologue, records, unchanged, xmlsafe
from adapters.onec.cml.unchanged import Sieve
from adapters.onec.unpack import unpack
from tests.adapters.onec_context import FIXTURES, adapter_context, arrival
from tests.need import shared

ZONE = ZoneInfo("Europe/Moscow")
Items = list[Record | Problem | Unchanged]


class Hub:
    """What `Taken` promises, of the records that it was given; `kept` are the dictionaries of earlier files."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.kept = KeptInMemory()

    def any(self, kind: str) -> bool:
        return any(kind == one for one, _ in self.versions)

    def unchanged(self, kind: str, versions: Mapping[str, str]) -> Set[str]:
        self.asked += versions
        return {id for id, version in versions.items() if self.versions.get((kind, id)) == version}

    def read(self, body: str | bytes, encoding: str = "utf-8", stream: type[io.BytesIO] = io.BytesIO) -> Items:
        """A night's file, taken."""
        raw = body.encode(encoding) if isinstance(body, str) else body
        return self.take(list(records(stream(raw), ZONE, self.kept, Sieve(self))))

    def take(self, items: Items) -> Items:
        for item in items:
            if isinstance(item, Record):
                self.versions[item.kind, item.id] = item.version
        return items


def names(items: Items) -> list[str]:
    return [item.id for item in items if isinstance(item, Record)]


def same(items: Items) -> dict[str, int]:
    return {item.kind: item.number for item in items if isinstance(item, Unchanged)}


def plain(body: str | bytes) -> list[str]:
    """What there is without anybody to ask, versions aside."""
    raw = body.encode() if isinstance(body, str) else body
    return shown(list(records(io.BytesIO(raw), ZONE, KeptInMemory())))


def shown(items: Items) -> list[str]:
    told: list[str] = []
    for item in items:
        if isinstance(item, Record):
            told.append(repr((item.kind, item.id, item.data, item.deleted)))
        elif isinstance(item, Problem):
            told.append(repr((item.kind, item.id, item.error.code, item.error.text, item.raw)))
    return told


def good(id: str, inner: str = "", name: str = "Стол") -> str:
    return f"<Товар>\n\t<Ид>{id}</Ид>\n\t<Наименование>{name}</Наименование>{inner}\n</Товар>"


def file(*goods: str, before: str = "", root: str = "", head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    listed = "\n".join(goods)
    return (
        f'{head}\n<КоммерческаяИнформация ВерсияСхемы="2.05"{root}>\n{before}<Каталог>\n<Ид>k</Ид><Товары>\n{listed}\n</Товары>'
        "</Каталог>\n</КоммерческаяИнформация>"
    )


def offers(*rows: str) -> str:
    listed = "\n".join(rows)
    return (
        "<КоммерческаяИнформация><ПакетПредложений><Предложения>\n"
        f"{listed}\n</Предложения></ПакетПредложений></КоммерческаяИнформация>"
    )


def offer(id: str, inner: str = "") -> str:
    return f"<Предложение><Ид>{id}</Ид>{inner}<Количество>3</Количество></Предложение>"


def dictionary(words: Mapping[str, str], name: str = "Цвет", extra: str = "") -> str:
    values = "".join(
        f"<Справочник><ИдЗначения>{id}</ИдЗначения><Значение>{word}</Значение></Справочник>"
        for id, word in words.items()
    )
    return (
        "<Классификатор><Свойства><Свойство><Ид>p</Ид>"
        f"<Наименование>{name}</Наименование><ВариантыЗначений>{values}</ВариантыЗначений></Свойство>{extra}</Свойства>"
        "</Классификатор>"
    )


A, B = good("a"), good("b")


def value(*said: str, id: str = "p") -> str:
    values = "".join(f"<Значение>{one}</Значение>" for one in said)
    return f"<ЗначенияСвойств><ЗначенияСвойства><Ид>{id}</Ид>{values}</ЗначенияСвойства></ЗначенияСвойств>"


# What is left out --------------------------------------------------------------------------------------------------


def test_goods_and_offers_that_were_taken_are_counted_and_not_read() -> None:
    hub = Hub()
    first = [hub.read(file(good("a"), good("b"))), hub.read(offers(offer("a"), offer("b")))]
    assert [names(items) for items in first] == [["a", "b"], ["a", "b"]]
    assert all(item.version for items in first for item in items if isinstance(item, Record))
    assert hub.read(file(good("a"), good("b"))) == [Unchanged("product", 2)]
    assert hub.read(offers(offer("a"), offer("b"), offer("c"))) == [*hub_reads("offer", "c"), Unchanged("offer", 2)]


def hub_reads(kind: str, id: str) -> Items:
    (item,) = (one for one in Hub().read(offers(offer(id))) if isinstance(one, Record))
    assert item.kind == kind
    return [item]


def test_one_changed_byte_is_read_and_its_neighbours_are_not() -> None:
    hub = Hub()
    hub.read(file(good("a"), good("b"), good("c")))
    items = hub.read(file(good("a"), good("b", name="Стул"), good("c")))
    assert (names(items), same(items)) == (["b"], {"product": 2})


def test_a_first_import_asks_nothing_and_has_versions() -> None:
    hub = Hub()
    items = hub.read(file(good("a"), good("b")))
    assert hub.asked == []
    assert len({item.version for item in items if isinstance(item, Record)}) == 2


def test_without_a_hub_to_ask_there_is_no_version() -> None:
    (item,) = records(io.BytesIO(file(good("a")).encode()))
    assert isinstance(item, Record)
    assert item.version == ""


def test_the_classifier_the_prices_types_and_orders_are_read_every_night() -> None:
    hub = Hub()
    for name in ("import0_1.xml", "offers0_1.xml"):
        body = (FIXTURES / name).read_bytes()
        first, again = hub.read(body), hub.read(body)
        assert shown(first) == plain(body)
        kept = [item for item in first if not isinstance(item, Record) or item.kind not in ("product", "offer")]
        assert shown(again) == shown(kept)
        assert sum(same(again).values()) == len(first) - len(kept)


@pytest.mark.parametrize("encoding", ["windows-1251", "undeclared"])
def test_windows_1251_is_known_again_too(encoding: str) -> None:
    head = '<?xml version="1.0" encoding="windows-1251"?>' if encoding == "windows-1251" else '<?xml version="1.0"?>'
    hub, body = Hub(), file(good("a", value("v")), good("б"), before=dictionary({"v": "белый"}), head=head)
    assert names(hub.read(body, "cp1251")) == ["a", "б"]
    assert same(hub.read(body, "cp1251")) == {"product": 2}
    assert names(hub.read(body.replace("белый", "синий"), "cp1251")) == ["a"]


@pytest.mark.parametrize("encoding", ["utf-16", "koi8-r"])
def test_other_encodings_are_read_as_ever(encoding: str) -> None:
    hub, body = Hub(), file(good("a"), head=f'<?xml version="1.0" encoding="{encoding}"?>')
    for _ in "12":
        (item,) = hub.read(body, encoding)
        assert isinstance(item, Record)
        assert item.version == ""


def test_a_new_way_of_reading_reads_everything_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, body = Hub(), file(good("a"))
    hub.read(body)
    monkeypatch.setattr(unchanged, "READING", unchanged.READING + 1)
    assert names(hub.read(body)) == ["a"]
    assert same(hub.read(body)) == {"product": 1}


def test_another_reading_of_the_same_file_needs_another_number() -> None:
    """What is stored under today's number was read as today: raise READING together with this line."""
    names = ("import0_1.xml", "offers0_1.xml", "offers_changes.xml", "rests_1251.xml")
    read = "\n".join(line for name in names for line in plain((FIXTURES / name).read_bytes()))
    assert (unchanged.READING, blake2b(read.encode(), digest_size=8).hexdigest()) == (1, "2d35abd41e8fa331")


def test_a_mark_of_deletion_is_news() -> None:
    hub = Hub()
    hub.read(file(good("a"), good("b")))
    gone = '<Товар Статус="Удален">\n\t<Ид>a</Ид>\n\t<Наименование>Стол</Наименование>\n</Товар>'
    (item, left) = hub.read(file(gone, good("b")))
    assert isinstance(item, Record)
    assert (item.id, item.deleted, left) == ("a", True, Unchanged("product", 1))
    assert same(hub.read(file(gone, good("b")))) == {"product": 2}


def test_megabytes_of_what_is_known_are_not_one_large_record(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, body = Hub(), file(*(good(str(n), f"<Описание>{'слово' * 90}</Описание>" + "\n" * 1000) for n in range(300)))
    hub.read(body)
    monkeypatch.setattr(xmlsafe, "MAX_GAP", 100_000)
    monkeypatch.setattr(prologue, "PROLOGUE", 1000)
    assert hub.read(body) == [Unchanged("product", 300)]


# Ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([offer("g#white"), offer("g#black")], ["g#white", "g#black"]),
        ([offer("g", "<ИдХарактеристики>white</ИдХарактеристики>"), offer("h")], ["g#white", "h"]),
        ([offer("g", "<ИдХарактеристики>g#white</ИдХарактеристики>")], ["g#white"]),
        ([offer(f"g#{'0' * 8}-0000-0000-0000-{'0' * 12}")], ["g"]),
        ([offer(" g\n")], ["g"]),
    ],
)
def test_it_is_the_records_id_that_is_asked_for(
    rows: list[str], ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "PART", 200)
    monkeypatch.setattr(prologue, "PROLOGUE", 200)
    hub = Hub()
    # Where the characteristic stands beside the id is learnt from a row that is read
    assert names(hub.read(offers(*rows))) == ids
    hub.read(offers(*rows))
    items = hub.read(offers(offer("x", "<ИдХарактеристики>1</ИдХарактеристики>"), "\n" * 600, *rows))
    assert (names(items), same(items)) == (["x#1"], {"offer": len(ids)})


@pytest.mark.parametrize("id", ["<Ид>a&#98;</Ид>", "<Ид>a</Ид><Ид>b</Ид>", "<Артикул>1</Артикул><Ид>b</Ид>", "<Ид/>"])
def test_an_id_that_does_not_show_at_once_is_read(id: str) -> None:
    hub, body = Hub(), file(f"<Товар>{id}</Товар>")
    assert shown(hub.read(body)) == shown(hub.read(body)) == plain(body)


def test_what_is_said_twice_ends_as_it_is_said_last() -> None:
    """The first one is not taken yet when the second one is asked about."""
    hub = Hub()
    hub.read(file(good("a"), good("b")))
    items = hub.read(file(good("a", name="Стул"), good("b"), good("a")))
    assert [(item.id, item.data["name"]) for item in items if isinstance(item, Record)] == [
        ("a", "Стул"),
        ("a", "Стол"),
    ]
    assert same(items) == {"product": 1}


@pytest.mark.parametrize(
    "odd",
    [
        "<Товар><Артикул>1</Артикул><Ид>a</Ид><Наименование>Стул</Наименование></Товар>",
        "<Товар><Ид>x</Ид><Наименование>Стул</Наименование><Ид>a</Ид></Товар>",
        "<Товар><Ид>&#97;</Ид><Наименование>Стул</Наименование></Товар>",
        "<Товар><Ид><![CDATA[a]]></Ид><Наименование>Стул</Наименование></Товар>",
        '<Товар><Ид x="">a</Ид><Наименование>Стул</Наименование></Товар>',
        '<k:Товар xmlns:k="k"><k:Ид>a</k:Ид><k:Наименование>Стул</k:Наименование></k:Товар>',
        '<Товар><k:Ид xmlns:k="k">a</k:Ид><Наименование>Стул</Наименование></Товар>',
    ],
)
@pytest.mark.parametrize("part", [50, 1 << 20])
def test_what_is_said_twice_in_odd_ways_ends_as_it_is_said_last(
    odd: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "PART", part)
    monkeypatch.setattr(prologue, "PROLOGUE", 200)
    hub, body = Hub(), file(odd, good("b"), good("a"))
    hub.read(file(good("a"), good("b")))
    items = hub.read(body)
    assert [item.data["name"] for item in items if isinstance(item, Record) and item.id == "a"] == ["Стул", "Стол"]


def test_a_variant_named_twice_in_two_ways_ends_as_it_is_said_last() -> None:
    hub = Hub()
    hub.read(offers(offer("g#white"), offer("h")))
    again = offer("g", "<ИдХарактеристики>white</ИдХарактеристики><Артикул>1</Артикул>")
    items = hub.read(offers(again, offer("h"), offer("g#white")))
    assert [item.data.get("sku") for item in items if isinstance(item, Record) and item.id == "g#white"] == ["1", None]
    assert same(items) == {"offer": 1}


@pytest.mark.parametrize(
    ("first", "counted"),
    [
        (file(good("a", name="Стул")), {"product": 1}),
        (file("<!-- x -->", good("a", name="Стул")), {}),
        (file(good("&#97;", name="Стул")), {}),
        (file(good("a", name="Стул"), head="<!-- x -->"), {}),
        (file(good("a", name="Стул").replace("</Товар>", "</Товар >")), {}),
    ],
)
def test_what_is_said_twice_in_two_files_of_an_archive_ends_as_it_is_said_last(
    first: str, counted: dict[str, int]
) -> None:
    hub, body = Hub(), io.BytesIO()
    hub.read(file(good("a"), good("b")))
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("import0_1.xml", first)
        archive.writestr("import0_2.xml", file(good("b"), good("a")))
    items = list(unpack(arrival("v8.zip", body.getvalue()), ZONE, None, None, hub))
    assert [item.data["name"] for item in items if isinstance(item, Record) and item.id == "a"] == ["Стул", "Стол"]
    assert same(items) == counted


# Words of the dictionary -------------------------------------------------------------------------------------------


SAID = [
    value("v"),
    value("other", "v"),
    value("\n v \n"),
    value("\u00a0v"),
    value("&#118;"),
    value("x\nv"),
    f"{value('v')}<a>&amp;</a>",
    value("w") + value("v").replace("</ЗначенияСвойств>", "</ЗначенияСвойств >"),
    value("v").replace("<ЗначенияСвойства>", "<ЗначенияСвойства >").replace("<Значение>", "<Значение x='>'>"),
]


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("change", ["value", "name"])
def test_a_word_renamed_in_the_dictionary_changes_the_goods_that_have_it(said: str, change: str) -> None:
    hub = Hub()

    def night(word: str, name: str) -> str:
        return file(good("a", said), good("b"), before=dictionary({"v": word, "w": "серый"}, name))

    hub.read(night("белый", "Цвет"))
    assert same(hub.read(night("белый", "Цвет"))) == {"product": 2}
    body = night("синий", "Цвет") if change == "value" else night("белый", "Окраска")
    items = hub.read(body)
    assert shown(items) == plain(body)[:1]
    assert same(items) == {"product": 1}


def test_another_word_of_the_dictionary_changes_nothing() -> None:
    hub = Hub()
    body = file(good("a", value("v")), before=dictionary({"v": "белый", "w": "серый"}))
    hub.read(body)
    more = "<Свойство><Ид>q</Ид><Наименование>Вес</Наименование></Свойство>"
    assert same(
        hub.read(file(good("a", value("v")), before=dictionary({"v": "белый", "w": "чёрный"}, extra=more)))
    ) == {"product": 1}


def test_a_word_that_is_no_more_is_not_taken_for_an_empty_one() -> None:
    hub = Hub()
    hub.read(file(good("a", value("v")), before=dictionary({"v": ""})))
    hub.kept = KeptInMemory()
    assert names(hub.read(file(good("a", value("v")), before=dictionary({"w": ""})))) == ["a"]


def test_a_portion_without_a_dictionary_goes_by_the_remembered_one() -> None:
    hub, portion = Hub(), file(good("a", value("v")))
    hub.read(file(before=dictionary({"v": "белый"})))
    (item,) = hub.read(portion)
    assert isinstance(item, Record)
    assert item.data["attributes"] == {"Цвет": "белый"}
    assert same(hub.read(portion)) == {"product": 1}
    hub.read(file(before=dictionary({"v": "синий"})))
    (item,) = hub.read(portion)
    assert isinstance(item, Record)
    assert item.data["attributes"] == {"Цвет": "синий"}


def test_a_dictionary_behind_the_first_goods_is_read_in_the_order_of_the_file() -> None:
    hub = Hub()
    hub.read(file(A))
    for word in ("белый", "белый", "синий"):
        hub.kept = KeptInMemory()
        body = file(A, dictionary({"v": word}), good("b", value("v")), good("c"))
        items = hub.read(body)
        assert (shown(items), same(items)) == (plain(body)[1:], {"product": 1})


def test_the_dictionary_is_read_before_anything_is_judged() -> None:
    """However the file is cut: the first product follows it at once."""
    body = dictionary({"v": "белый"}) + "<Каталог>" + good("a", value("v")) + "</Каталог>"
    for size in range(1, 40):
        hub = Hub()
        for word in ("белый", "синий"):
            hub.kept = KeptInMemory()
            night = f"<КоммерческаяИнформация>{body.replace('белый', word)}</КоммерческаяИнформация>"
            assert shown(hub.read(night, stream=portions_of(size))) == plain(night)


# Files that are not plain ------------------------------------------------------------------------------------------


def portions_of(size: int) -> type[io.BytesIO]:
    class Slow(io.BytesIO):
        def read(self, wanted: int | None = -1) -> bytes:
            return super().read(size)

    return Slow


ODD = {
    "a comment around it": file(B, f"<!-- {A} -->"),
    "a comment before the list": file(B, A, before="<!-- x -->"),
    "a comment before the root": file(B, A, head="<!-- <КоммерческаяИнформация> -->"),
    "a list in an instruction before the root": file(
        B, head=f"<?x <КоммерческаяИнформация><Каталог><Товары>{A} {A}</Товары></Каталог> ?>"
    ),
    "a list in a comment before the root": file(
        B, head=f"<!-- <КоммерческаяИнформация><Каталог><Товары>{A} {A}</Товары></Каталог> -->"
    ),
    "an instruction around it": file(B, f"<?x {A} ?>"),
    "a text around it": file(B, good("c", f"<Описание><![CDATA[ </Товар>{A} ]]></Описание>")),
    "an instruction around an end": file(B, good("c", f"<?x </Товар>{A} ?>")),
    "one in the other": file(B, f"<Товар><Ид>c</Ид>{A}{A}</Товар>"),
    "one in an offer": file(B, f"<Предложение><Ид>c</Ид>{A}</Предложение>"),
    "an order": file(B).replace("</Каталог>", f"</Каталог><Документ><Номер>1</Номер><Товары>{A}</Товары></Документ>"),
    "no list of a catalogue": file(A).replace("Каталог>", "Прочее>"),
    "an element without an end": file("<Товар/>", A, B),
    "another namespace": file(B, f'<Товар xmlns="x"><Ид>c</Ид>{A}</Товар>'),
    "prefixes": file(f'<k:Товар><k:Ид>c</k:Ид>{A}{A}</k:Товар>', root=' xmlns:k="k"'),
    "a prefixed root": file(A).replace("КоммерческаяИнформация", "k:КоммерческаяИнформация", 1).replace(
        "</Коммерческая", "</k:Коммерческая").replace(" Версия", ' xmlns:k="k" Версия'),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_what_is_not_plain_is_read_as_ever(odd: str, size: int) -> None:
    hub, body = Hub(), ODD[odd]
    hub.read(file(A))
    items = hub.read(body, stream=portions_of(size))
    assert shown(items) == plain(body)
    assert same(items) == {}
    versions = [item.version for item in items if isinstance(item, Record) and item.id != "b"]
    assert not any(versions)


def test_no_file_can_give_a_record_its_version() -> None:
    name, files = re.compile(r"_[0-9a-f]{16}"), [unchanged.Sifted(Sieve(Hub()), unchanged.Dictionary()) for _ in "12"]
    assert all(name.fullmatch(one.attribute) for one in files)
    assert files[0].attribute != files[1].attribute


def test_a_very_large_record_and_what_follows_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "LARGEST", 5000)
    monkeypatch.setattr(unchanged, "PART", 1000)
    monkeypatch.setattr(prologue, "PROLOGUE", 1000)
    hub, body = Hub(), file(A, good("large", f"<Описание>{'слово ' * 2000}</Описание>"), B)
    hub.read(file(A, B))
    items = hub.read(body)
    assert (shown(items), same(items)) == (plain(body)[1:], {"product": 1})


def test_a_problem_is_the_same_one_in_the_same_line() -> None:
    hub, bad = Hub(), "<Товар>\n<Артикул>1</Артикул></Товар>"
    hub.read(file(A, B, good("c")))
    body = file(A, B, bad, good("c"), good("new"), bad)
    items = hub.read(body)
    assert shown(items) == plain(body)[2:3] + plain(body)[4:]
    assert same(items) == {"product": 3}


BREAKS = {
    "cut in a record": lambda body: body[: body.rindex("<Наименование>")],
    "cut in a tag": lambda body: body[: body.rindex("</Товар>") + 4],
    "cut behind a record": lambda body: body[: body.rindex("</Товар>") + 8],
    "cut between records": lambda body: body[: body.rindex("<Товар>") + 3],
    "cut in the end": lambda body: body[:-9],
    "an element without an end": lambda body: body.replace("<Ид>d</Ид>", "<Ид>d</Ид><x>"),
    "a byte that is none": lambda body: body.replace("<Ид>d</Ид>", "<Ид>d\x01</Ид>"),
    "an unknown entity": lambda body: body.replace("<Ид>d</Ид>", "<Ид>d</Ид><Описание>&nbsp;</Описание>"),
    "something behind the end": lambda body: body + "<x/>",
    "padding behind the end": lambda body: body + "\0" * 3000,
    "nothing at all": lambda body: body,
}


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("size", [13, 1 << 20])
def test_a_broken_file_breaks_at_the_same_place(broken: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was unchanged before it is counted, and nothing behind it."""
    monkeypatch.setattr(prologue, "PROLOGUE", 400)
    hub, whole = Hub(), file(*map(good, "abcdefg"))
    hub.read(file(*map(good, "abcefg")))
    body = BREAKS[broken](whole)
    items = hub.read(body, stream=portions_of(size))
    expected = plain(body)
    ids = [eval_id(line) for line in expected]
    assert shown(items) == [line for line, id in zip(expected, ids, strict=True) if id not in set("abcefg")]
    assert same(items) == {"product": len(set("abcefg") & set(ids))}


def eval_id(line: str) -> str:
    return line.split("', '")[1].partition("'")[0]


def test_a_file_of_known_goods_that_is_cut_is_no_file_without_anything() -> None:
    hub, body = Hub(), file(A, B)
    hub.read(body)
    problem, *rest = hub.read(body[:-30])
    assert isinstance(problem, Problem)
    assert (problem.error.code, rest) == ("cml.broken", [Unchanged("product", 2)])
    with pytest.raises(RecordRefused):
        hub.read(body[:60])


# Any two nights ----------------------------------------------------------------------------------------------------


class Night:
    """A small catalogue, and what may become of it until the next night."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.words = {f"v{n}": f"слово {n}" for n in range(4)}
        self.name = "Цвет"
        self.goods = [self.good(f"g{n}") for n in range(self.draw.randrange(1, 9))]

    def good(self, id: str) -> str:
        parts = [
            value(self.draw.choice(["v0", "v1", "v2", "v&#51;", "v1\nv2"])),
            "<Группы><Ид>g1</Ид></Группы>",
            f"<Описание>{'слово ' * self.draw.randrange(40)}</Описание>",
            "<ПометкаУдаления>true</ПометкаУдаления>",
            "<ТоварныйЗнак>x!?</ТоварныйЗнак>",
        ]
        return good(id, "".join(part for part in parts if self.draw.random() < 0.4), self.draw.choice("абвг"))

    def body(self) -> str:
        rows = "".join(one + self.draw.choice(["", "\n", "\n\t\t"]) for one in self.goods)
        prices = "".join(offer(f"g{n}", f"<Артикул>{len(one)}</Артикул>") for n, one in enumerate(self.goods))
        return file(rows, before=dictionary(self.words, self.name)).replace(
            "</КоммерческаяИнформация>",
            f"<ПакетПредложений><Предложения>{prices}</Предложения></ПакетПредложений></КоммерческаяИнформация>",
        )

    def passes(self) -> None:
        for change in self.draw.sample(range(8), self.draw.randrange(3)):
            at = self.draw.randrange(len(self.goods)) if self.goods else 0
            if change == 0:
                self.words[f"v{self.draw.randrange(4)}"] += "!"
            elif change == 1:
                self.name += "а"
            elif change == 2:
                self.draw.shuffle(self.goods)
            elif change == 3:
                self.goods.append(self.good(f"g{self.draw.randrange(12)}"))
            elif self.goods and change == 4:
                self.goods.insert(self.draw.randrange(len(self.goods)), self.goods[at])
            elif self.goods and change == 5:
                self.goods[at] = self.goods[at].replace("<Наименование>", "<Наименование>но")
            elif self.goods and change == 6:
                del self.goods[at]
            elif self.goods:
                self.goods[at] = f"<!-- {self.goods[at]} -->"


@pytest.mark.parametrize("size", [29, 400, 1 << 20])
def test_any_nights_end_as_if_everything_had_been_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prologue, "PROLOGUE", 300)
    skipped = 0
    for seed in range(20):
        nights, hub, reads = Night(seed), Hub(), KeptInMemory()
        ends: list[dict[tuple[str, str], str]] = [{}, {}]
        for _ in range(4):
            body = nights.body()
            items: list[Items] = [hub.read(body, stream=portions_of(size))]
            items.append(list(records(io.BytesIO(body.encode()), ZONE, reads)))
            for end, some in zip(ends, items, strict=True):
                end |= {(one.kind, one.id): repr((one.data, one.deleted)) for one in some if isinstance(one, Record)}
            assert ends[0] == ends[1], seed
            assert len(items[0]) - len(same(items[0])) + sum(same(items[0]).values()) == len(items[1])
            skipped += sum(same(items[0]).values())
            nights.passes()
    assert skipped > 200


@pytest.mark.parametrize("name", ["dob_import0_1", "dob_offers0_1", "carono_import", "carono_offers", "bigp_import"])
def test_real_files_are_known_again_as_a_whole(name: str) -> None:
    hub, body = Hub(), shared(f"onec/{name}.xml").read_bytes()
    first = hub.read(body)
    hub.kept = KeptInMemory()
    again = hub.read(body)
    rows = [item for item in first if isinstance(item, Record) and item.kind in ("product", "offer")]
    assert shown(first) == plain(body)
    assert shown(again) == shown([item for item in first if item not in rows])
    assert sum(same(again).values()) == len(rows) > 0


@pytest.mark.parametrize("adapter", [OneCSiteExchange, OneCFolder])
@pytest.mark.parametrize("packed", [False, True])
def test_both_ways_of_bringing_files_ask(
    adapter: type[OneCSiteExchange | OneCFolder], packed: bool, tmp_path: Path
) -> None:
    hub, body = Hub(), file(A, B).encode()
    if packed:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("import.xml", body)
        body = archive.getvalue()
    given = {"folder": str(tmp_path)} if adapter is OneCFolder else {"login": "обмен", "password": "слово"}
    made = adapter(adapter.Settings.model_validate(given), replace(adapter_context(), taken=hub))
    came = arrival("import.zip" if packed else "import.xml", body)
    assert names(hub.take([item for item in made.unpack(came) if not isinstance(item, Hint)])) == ["a", "b"]
    assert list(made.unpack(came)) == [Unchanged("product", 2)]
