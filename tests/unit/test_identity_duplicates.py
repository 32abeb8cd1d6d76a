"""Which clients are one client: groups with their evidence, and what stands above them."""

from __future__ import annotations

import re
from pathlib import Path

from sync.identity import batch, words
from sync.identity.cards import DEFAULT_SCHEMA, read
from sync.identity.duplicates import Client, Found, find


def client(
    uid: str, *, rank: int = 0, systems: str = "crm", kpp: str = "", kind: str = "person", **fields: str
) -> Client:
    row = {"id": uid, "kind": kind, "source": systems, **fields}
    known = frozenset(systems.split(",")) - {""}
    return Client(read(row, DEFAULT_SCHEMA, 0), (rank, uid), fields["name"], kpp, known)


def groups(found: Found) -> list[tuple[str, list[str]]]:
    return [(g[0].kept.card.id, [one.gone.card.id for one in g]) for g in found.groups]


def test_the_first_in_rank_stays_and_each_other_one_says_why() -> None:
    people = [
        client("a", rank=2, name="Анна Тестова", phone="8 916 123-45-67"),
        client("b", rank=1, name="Тестова Анна", phone="+79161234567", email="anna@mail.ru"),
        client("c", rank=3, name="Анна Тестова", email="ANNA@mail.ru"),
        client("d", name="Пётр Пробный", phone="+79037654321"),
    ]
    found = find(people, [])
    assert groups(found) == [("b", ["a", "c"])]
    by_phone, by_mail = found.groups[0]
    assert by_phone.text.ru == "телефон совпал, имя и фамилия совпадают"
    assert by_mail.text.en == "the e-mail agrees, first name and surname agree"


def test_who_was_not_compared_with_the_one_who_stays_names_the_other_one() -> None:
    people = [
        client("a", rank=1, name="Анна Тестова", phone="+79161234567"),
        client("b", rank=2, name="Анна Тестова", phone="+79161234567", email="anna@mail.ru"),
        client("c", rank=3, name="Аня Тестова", email="anna@mail.ru"),
    ]
    (group,) = find(people, []).groups
    assert [one.text.ru for one in group][1].endswith("(с карточкой «Анна Тестова»)")


def test_what_people_keep_apart_stays_apart_also_by_way_of_a_third_one() -> None:
    people = [
        client("a", name="Анна Тестова", phone="+79161234567"),
        client("b", name="Анна Тестова", phone="+79161234567", email="anna@mail.ru"),
        client("c", name="Анна Тестова", email="anna@mail.ru"),
    ]
    assert groups(find(people, [])) == [("a", ["b", "c"])]
    found = find(people, [("c", "a")])
    assert len(found.groups) == 1
    assert len(found.groups[0]) == 1
    assert {p.text.ru for p in found.apart} == {"люди решили, что это никогда не один клиент"}


def test_branches_of_one_firm_are_not_one_client() -> None:
    firm = {"name": "ООО «Проба»", "inn": "7707083893", "kind": "company"}
    apart = find([client("a", kpp="770701001", **firm), client("b", kpp="771501001", **firm)], [])
    assert apart.groups == []
    assert "КПП" in apart.apart[0].text.ru
    assert groups(find([client("a", kpp="770701001", **firm), client("b", **firm)], [])) == [("a", ["b"])]


def test_a_name_alone_joins_nobody_within_one_system() -> None:
    firm = {"name": "ООО «Ромашка Тест»", "kind": "company", "city": "Казань"}
    assert groups(find([client("a", systems="crm", **firm), client("b", systems="onec", **firm)], [])) == [("a", ["b"])]
    found = find([client("a", systems="crm,shop", **firm), client("b", systems="crm", **firm)], [])
    assert found.groups == []
    assert [p.text.en for p in found.apart] == ["only the name agrees, and one system has both"]


def test_every_rule_of_a_group_has_its_sentence_in_both_languages() -> None:
    """The rules are those that the grouping itself names: the text after the strength of a pair."""
    source = Path(batch.__file__).read_text(encoding="utf-8")
    rules = set(re.findall(r"return \d+(?: \+ \w+)?, (.+)", source))
    named = {word for line in rules for word in re.findall(r'"(\w+)"', line)} | {"name"}
    assert named >= {"number", "both", "slip", "inn", "mailbox", "office", "employer"}
    for rule in named:
        text = words.together(rule, "full")
        assert text.en
        assert text.ru
        assert text.en != text.ru


def test_every_sentence_is_in_both_languages() -> None:
    tables = [t for name, t in vars(words).items() if name.startswith("_") and name.isupper() and isinstance(t, dict)]
    sentences = [pair for table in tables for pair in table.values()]
    assert len(sentences) > 40
    for en, ru in sentences:
        assert re.search("[a-z]", en), en
        assert re.search("[а-я]", ru), ru
        assert not re.search("[а-я]", en), en
