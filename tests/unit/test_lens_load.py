"""Loading: every mistake is named with file, line and field; a user's file overrides field by field; the fingerprint."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from sync.errors import BadConfig, RecordRefused
from sync.lens import Lens, load
from sync.lens.lines import key_lines, line_of
from sync.lens.transforms import NAMES
from tests.unit.lens_help import HEAD, deal, mapping

GOOD = """
[tables.stages]
new = "new"
paid = "paid"

[order]
kind = "deal"

[order.fields]
number = "number"
stage = "status | lookup(stages)"

[[order.rows.lines]]
each = "items"
fields = { key = "id" }

[order.client]
phone = "phone"

[order.create.fields]
"a.b" = "number"
"""


def mistake(folder: Path, text: str, head: str = HEAD) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        mapping(folder, text, head)
    error = caught.value
    assert error.setting == "mappings/proba.toml"
    assert str(folder / "proba.toml") in error.text.en
    assert str(folder / "proba.toml") in error.text.ru
    return error


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


BAD = [
    ('number = "number"', 'numbr = "number"', 12, "order.fields.numbr", ("“number”", "currency")),
    ('phone = "phone"', 'fone = "phone"', 20, "order.client.fone", ("“phone”", "emails")),
    ('kind = "deal"', 'kind = "deel"', 9, "order.kind", ("“deal”", "contact")),
    ('kind = "deal"', "", 8, "order.kind", ("contact",)),
    ("[order.client]", "[order.clients]", 19, "order.clients", ("“client”", "create")),
    ('"status | lookup(stages)"', '"status | lokup(stages)"', 13, "order.fields.stage", ("“lookup”", "money")),
    ('"status | lookup(stages)"', '"status | lookup(stage)"', 13, "order.fields.stage", ("“stages”",)),
    ('"status | lookup(stages)"', '"status | lookup"', 13, "order.fields.stage", ("lookup", "argument")),
    ('"status | lookup(stages)"', '"status | text(5)"', 13, "order.fields.stage", ("text", "none")),
    ('"status | lookup(stages)"', '"status | cut(long)"', 13, "order.fields.stage", ("1 to 100000",)),
    ('"status | lookup(stages)"', '"status | cut(0)"', 13, "order.fields.stage", ("1 to 100000",)),
    ('"status | lookup(stages)"', '"status | zone(Europe/Moskow)"', 13, "order.fields.stage", ("Europe/Moscow",)),
    ('"status | lookup(stages)"', '"status | zone(../etc)"', 13, "order.fields.stage", ("time zone",)),
    ('"status | lookup(stages)"', '"status |"', 13, "order.fields.stage", ()),
    ('"status | lookup(stages)"', '"status | | text"', 13, "order.fields.stage", ("not read",)),
    ('"status | lookup(stages)"', '"status | lookup(stages"', 13, "order.fields.stage", ("not read",)),
    ('"status | lookup(stages)"', '"status | __import__(os)"', 13, "order.fields.stage", ("__import__",)),
    ('"status | lookup(stages)"', f'"status{" | text" * 9}"', 13, "order.fields.stage", ("9", "8")),
    ('"status | lookup(stages)"', '"a..b"', 13, "order.fields.stage", ("a..b", "billing.phone")),
    ('"status | lookup(stages)"', '""', 13, "order.fields.stage", ("path",)),
    ('"status | lookup(stages)"', "5", 13, "order.fields.stage", ("path in quotes",)),
    ('"status | lookup(stages)"', "{}", 13, "order.fields.stage", ("empty",)),
    ('"status | lookup(stages)"', '{ joyn = ["a"] }', 13, "order.fields.stage", ("“join”",)),
    ('"status | lookup(stages)"', '{ join = "a" }', 13, "order.fields.stage", ("list",)),
    ('"status | lookup(stages)"', '{ join = ["a"], sep = 5 }', 13, "order.fields.stage", ("join",)),
    ('"status | lookup(stages)"', '{ first = ["a"], sep = "-" }', 13, "order.fields.stage", ("sep", "then")),
    ('"status | lookup(stages)"', '{ first = ["a"], then = "uper" }', 13, "order.fields.stage", ("“upper”",)),
    ('"status | lookup(stages)"', "{ const = 2026-01-01 }", 13, "order.fields.stage", ("const",)),
    ('"status | lookup(stages)"', "{ const = { a = 1 } }", 13, "order.fields.stage", ("const",)),
    ('"status | lookup(stages)"', '{ put = "status" }', 13, "order.fields.stage", ("without get",)),
    ('"status | lookup(stages)"', '{ get = "status", pot = "status" }', 13, "order.fields.stage", ("“put”",)),
    (
        '"status | lookup(stages)"',
        '{ get = "status", put = "status | first" }',
        13,
        "order.fields.stage",
        ("way back",),
    ),
    ('"status | lookup(stages)"', '{ get = "status", put = { const = "x" } }', 13, "order.fields.stage", ("way back",)),
    ('"status | lookup(stages)"', '"number.status"', 13, "order.fields.stage", ("“number” and “stage”", "get")),
    ('stage = "status', 'paid = "status', 13, "order.fields.paid", ("“new” does not fit", "true/false")),
    ('stage = "status | lookup(stages)"', 'amount = { const = "много" }', 13, "order.fields.amount", ("много",)),
    ('paid = "paid"', "paid = 1.5", 6, "tables.stages.paid", ("true/false",)),
    ('paid = "paid"', "paid = [1]", 6, "tables.stages.paid", ("true/false",)),
    ("[[order.rows.lines]]", "[[order.rows.lyness]]", 15, "order.rows.lyness", ("“lines”", "documents")),
    ("[[order.rows.lines]]", "[[order.rows.comment]]", 15, "order.rows.comment", ("lines", "documents")),
    ('{ key = "id" }', '{ sku = "id" }', 17, "order.rows.lines.0.fields", ("key",)),
    ('{ key = "id" }', '{ key = "id", skuu = "s" }', 17, "order.rows.lines.0.fields.skuu", ("“sku”",)),
    ('each = "items"', 'eech = "items"', 16, "order.rows.lines.0.eech", ("“each”",)),
    ('each = "items"', "", 15, "order.rows.lines.0", ("each",)),
    ('each = "items"', 'each = "a..b"', 16, "order.rows.lines.0.each", ("a..b",)),
    (
        'each = "items"',
        'each = "items"\nwhen = { field = "q", op = "like", value = 1 }',
        17,
        "order.rows.lines.0.when",
        ("eq",),
    ),
    (
        'each = "items"',
        'each = "items"\nwhen = { field = "q", op = "gt", value = "x" }',
        17,
        "order.rows.lines.0.when",
        ("number",),
    ),
    (
        'each = "items"',
        'each = "items"\nwhen = { feld = "q", op = "empty" }',
        17,
        "order.rows.lines.0.when",
        ("field",),
    ),
    (
        'each = "items"',
        'each = "items"\nwhen = { field = "q", op = "empty", val = 1 }',
        17,
        "order.rows.lines.0.when",
        ("“value”",),
    ),
    ('each = "items"', 'each = "items"\nwhen = "q > 1"', 17, "order.rows.lines.0.when", ("field",)),
    ('"a.b" = "number"', '"a.b" = "numer"', 23, "order.create.fields.a.b", ("“number”", "client")),
    ('"a.b" = "number"', '"a.b" = "client.fone"', 23, "order.create.fields.a.b", ("“phone”",)),
    ('"a.b" = "number"', '"a..b" = "number"', 23, "order.create.fields.a..b", ("a..b",)),
    ('"a.b" = "number"', '"$.b" = "number"', 23, "order.create.fields.$.b", ("written",)),
    ("[order.create.fields]", "[order.create.feelds]", 22, "order.create.feelds", ("“fields”",)),
    ("[order.client]", "[order.rows]\nstage = 5\n[order.client]", None, "", ()),
    ("[tables.stages]", "loose = 5\n[tables.stages]", 4, "loose", ("stand alone",)),
    ("[order.client]", '[product]\nkind = "product"\nfields = 5\n[order.client]', 21, "product.fields", ("table",)),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "says"), BAD)
def test_a_mistake_names_file_line_field_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: int | None, field: str, says: tuple[str, ...]
) -> None:
    error = mistake(tmp_path, changed(old, new))
    if field:
        assert error.field == field
        assert f"proba.toml:{line}: {field}: " in error.text.en
    for word in says:
        assert word in error.text.en
    assert error.text.ru != error.text.en
    assert error.code.startswith("mapping.")


def test_what_a_kind_must_have_must_be_mapped(tmp_path: Path) -> None:
    error = mistake(tmp_path, '[o]\nkind = "offer"\n[o.fields]\nname = "n"\n')
    assert error.field == "o.fields"
    assert "product" in error.text.en


def test_rows_and_fields_do_not_give_the_same_field(tmp_path: Path) -> None:
    error = mistake(tmp_path, changed('number = "number"', 'lines = "lines"'))
    assert error.field == "order.rows.lines"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[order\n", "proba.toml:3"),
        ('[order]\nkind = "deal"\nkind = "lead"\n', "proba.toml:5"),
        ("a = 1\n\n\nb = = 2\n", "proba.toml:6"),
    ],
)
def test_broken_toml_is_named_with_its_line(tmp_path: Path, text: str, place: str) -> None:
    error = mistake(tmp_path, text)
    assert place in error.text.en
    assert "TOML" in error.text.ru


def test_a_file_in_another_encoding_says_so(tmp_path: Path) -> None:
    (tmp_path / "proba.toml").write_bytes("# Заказ\n".encode("cp1251"))
    with pytest.raises(BadConfig, match="UTF-8"):
        load("proba", tmp_path)


def test_a_byte_order_mark_of_windows_notepad_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "proba.toml").write_bytes(b"\xef\xbb\xbf" + (HEAD + GOOD).encode())
    assert load("proba", tmp_path).system == "proba"


@pytest.mark.parametrize(("head", "field"), [("version = 1\n", "system"), ('system = "proba"\n', "version")])
def test_system_and_version_must_be_there(tmp_path: Path, head: str, field: str) -> None:
    assert mistake(tmp_path, GOOD, head).field == field


@pytest.mark.parametrize("name", ["../secret", "a/b", "", "a.b", "x" * 100])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadConfig) as caught:
        load(name, tmp_path)
    assert "name" in caught.value.text.en


def test_a_missing_file_lists_the_others(tmp_path: Path) -> None:
    (tmp_path / "prob.toml").write_text(HEAD)
    with pytest.raises(BadConfig) as caught:
        load("proba", tmp_path)
    assert caught.value.code == "mapping.missing"
    assert "prob" in caught.value.text.en


def test_a_plug_ins_own_folder_is_used_where_nothing_is_built_in(tmp_path: Path) -> None:
    (tmp_path / "proba.toml").write_text(HEAD + GOOD)
    assert load("proba", None, tmp_path).lens("order").kind == "deal"
    (tmp_path / "memory.toml").write_text(HEAD)
    assert load("memory", None, tmp_path).system == "memory"


def test_an_unknown_native_kind_refuses_the_record_only(tmp_path: Path) -> None:
    with pytest.raises(RecordRefused) as caught:
        mapping(tmp_path, GOOD).lens("invoice")
    assert caught.value.code == "mapping.kind"
    assert "order" in caught.value.text.ru


def overridden(tmp_path: Path, own: str) -> Lens:
    """GOOD as the plug-in's file, `own` as the user's."""
    base, user = tmp_path / "base", tmp_path / "user"
    base.mkdir()
    user.mkdir()
    (base / "proba.toml").write_text(HEAD + GOOD, encoding="utf-8")
    (user / "proba.toml").write_text(own, encoding="utf-8")
    return load("proba", user, base).lens("order")


NATIVE = {"number": "5", "title": "т", "status": "hold", "items": [{"id": 1}], "rows": [{"id": 2}], "phone": "+7"}


def test_an_override_replaces_one_field_and_adds_words(tmp_path: Path) -> None:
    own = '[order.fields]\nnumber = { get = "title" }\n[tables.stages]\nhold = "new"\n'
    found = overridden(tmp_path, own).get(NATIVE)
    assert found.fields == {"number": "т", "stage": "new", "lines": [{"key": "1"}]}
    assert found.client == {"phone": "+7"}


def test_an_override_replaces_the_blocks_of_a_list_of_rows_together(tmp_path: Path) -> None:
    own = '[[order.rows.lines]]\neach = "rows"\nfields = { key = "id" }\n[tables.stages]\nhold = "new"\n'
    assert overridden(tmp_path, own).get(NATIVE).fields["lines"] == [{"key": "2"}]


def test_false_takes_a_field_away_but_is_a_word_in_a_table(tmp_path: Path) -> None:
    own = '[order]\nclient = false\n[order.fields]\nstage = false\npaid = "status | lookup(p)"\n[tables.p]\nhold = false\n'
    found = overridden(tmp_path, own).get(NATIVE)
    assert found.fields == {"number": "5", "paid": False, "lines": [{"key": "1"}]}
    assert found.client == {}


def test_a_mistake_in_an_override_names_the_users_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        overridden(tmp_path, '# mine\n[order.fields]\nnumber = "x | monny"\n')
    assert f"{tmp_path / 'user' / 'proba.toml'}:3: order.fields.number" in caught.value.text.en


def test_a_mistake_that_stands_in_the_built_in_file_names_that_one(tmp_path: Path) -> None:
    base, user = tmp_path / "base", tmp_path / "user"
    base.mkdir()
    user.mkdir()
    (base / "proba.toml").write_text(HEAD + changed('number = "number"', 'numbr = "n"'))
    (user / "proba.toml").write_text('[order.fields]\ntitle = "t"\n')
    with pytest.raises(BadConfig) as caught:
        load("proba", user, base)
    assert "mappings/proba.toml:12" in caught.value.text.en


def test_an_override_for_another_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="another system"):
        overridden(tmp_path, 'system = "other"\n')


def test_the_fingerprint_follows_the_content_only(tmp_path: Path) -> None:
    first = mapping(tmp_path, GOOD)
    assert len(first.fingerprint) == 64
    assert mapping(tmp_path, GOOD).fingerprint == first.fingerprint
    reshaped = (
        "# a comment\n" + changed('[order.client]\nphone = "phone"\n', "") + '[order.client]\n\nphone   =   "phone"\n'
    )
    assert mapping(tmp_path, reshaped).fingerprint == first.fingerprint
    for old, new in [
        ('number = "number"', 'number = "n"'),
        ('new = "new"\npaid = "paid"', 'paid = "paid"\nnew = "new"'),  # the order of a table is the way back
        ('"a.b" = "number"', '"a.c" = "number"'),
    ]:
        assert mapping(tmp_path, changed(old, new)).fingerprint != first.fingerprint
    assert mapping(tmp_path, GOOD, HEAD.replace("1", "2")).fingerprint != first.fingerprint


def test_an_override_changes_the_fingerprint_and_the_same_words_do_not(tmp_path: Path) -> None:
    plain = load("memory").fingerprint
    (tmp_path / "memory.toml").write_text('[deal.fields]\ntitle = "title"\n')
    assert load("memory", tmp_path).fingerprint == plain
    (tmp_path / "memory.toml").write_text('[deal.fields]\ntitle = "name"\n')
    assert load("memory", tmp_path).fingerprint != plain


def test_both_ways_of_writing_a_record_of_texts_twice_is_a_mistake(tmp_path: Path) -> None:
    text = '[lead]\nkind = "lead"\n[lead.fields]\nutm = "utm"\n"utm.term" = "t"\n'
    assert mistake(tmp_path, text).field == "lead.fields.utm.term"


def test_lines_of_keys() -> None:
    text = """a = 1
[t."x y"]      # a comment
b.c = 2
'd' = 3

[[rows]]
e = 1
[[rows]]
e = 2
[rows.sub]
f = 1
"""
    lines = key_lines(text)
    keys: list[tuple[str | int, ...]] = [
        ("a",),
        ("t", "x y"),
        ("t", "x y", "b", "c"),
        ("t", "x y", "d"),
        ("rows", 0, "e"),
    ]
    assert [lines[key] for key in keys] == [1, 2, 3, 4, 7]
    assert lines["rows", 1, "e"] == 9
    assert lines["rows", 1, "sub", "f"] == 11
    assert line_of(lines, ("t", "x y", "d", "inside")) == 4
    assert line_of(lines, ("nowhere",)) is None


def test_errors_travel_between_processes(tmp_path: Path) -> None:
    error = mistake(tmp_path, changed('kind = "deal"', 'kind = "x"'))
    assert pickle.loads(pickle.dumps(error)).text == error.text


def test_a_field_may_be_read_in_as_many_ways_as_wanted(tmp_path: Path) -> None:
    lens = deal(tmp_path, 'title = "x"\ncomment = { get = "x" }')
    assert lens.two_way == {"title"}


def test_the_documented_example_loads_and_every_transform_is_documented(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0].replace('"woocommerce"', '"proba"')
    lens = mapping(tmp_path, example, "").lens("order")
    assert lens.two_way == {"number", "currency", "stage", "comment"}
    assert lens.fields[-1] == "lines"
    documented = set(re.findall(r"`([a-z_]+)(?:\([^)]*\))?`", text.split("## Transforms")[1].split("## Rows")[0]))
    assert documented >= NAMES
