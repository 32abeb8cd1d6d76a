"""Names of people and companies: what agrees, what contradicts, what names nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.identity import companies, names


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Кольцов Виталий Юрьевич", "Виталий Кольцов"),
        ("Кольцо Виталий Юрьевич", "Кольцов Виталий"),  # a letter is missing
        ("Гоцлаков Егор", "Гоцалков Егор"),  # two letters swapped
        ("Федо рСтарцев", "федор старцев"),  # the space slipped
        ("валнетин пестов", "Пестов Валентин"),
        ("Щукин Юрий", "Yuri Shchukin"),
        ("Cветлана Юдина", "Светлана Юдинa"),  # Latin letters among the Cyrillic ones
        ("Пестов Н.Е.", "Николай Пестов"),
        ("Лёня Симаков", "Симаков Л.В."),
        ("Никитос Старцев", "Никита Старцев"),
        ("София Юдина", "Софья Юдина"),
        ("Емелнов Василий", "Емельянов Василий"),
        ("Jean-Luc Moreau", "Jean Luc Moreau"),
    ],
)
def test_one_person_in_two_writings(a: str, b: str) -> None:
    assert names.compare(names.parse(a), names.parse(b)).verdict == "full"
    assert names.compare(names.parse(b), names.parse(a)).verdict == "full"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Оксана", "Старцева Оксана Валерьевна"),
        ("Василий Тимурович", "Вася Пестов"),
        ("Слава", "Мирослав Пестов"),
        ("Аастасия", "Анастасия"),
        ("Контантин", "Константин Пестов"),
        ("Денис Пестов", "Денска Пестов"),
        ("Бек", "Яна Бек"),
        ("София Моозова", "Морозова С.Р."),
    ],
)
def test_what_can_be_compared_agrees(a: str, b: str) -> None:
    assert names.compare(names.parse(a), names.parse(b)).verdict in ("part", "full")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Валентин", "Валентина"),
        ("Евгения Пестова", "Евгений Пестов"),
        ("Анна Юдина", "Яна Юдина"),
        ("Лена", "Лёня"),
        ("Фатима Пестова", "Зарема Пестова"),  # one of the first names is in no list
        ("Пестов Н.Е.", "Виталий Пестов"),
        ("Пестов Иван Иванович", "Пестов Иван Петрович"),
        ("Мария Петровна", "Старцева Мария Артёмовна"),
        ("Ольга Юдина", "Пётр Старцев"),
        ("Пестов Иван", "Юдин Пётр Олегович"),
    ],
)
def test_two_persons(a: str, b: str) -> None:
    assert names.compare(names.parse(a), names.parse(b)).verdict == "other"


def test_an_unlisted_word_beside_a_full_name_is_a_doubt() -> None:
    for other in ("Расул Пестов", "Пестов Расул Ильич", "Расул"):
        assert names.compare(names.parse("Бжибжа"), names.parse(other)).verdict == "doubt"


def test_one_word_in_common_is_not_enough_where_nothing_tells_the_surname() -> None:
    assert names.compare(names.parse("Ли Вэй"), names.parse("Ли На")).verdict not in ("full", "part")


def test_another_surname_with_the_same_first_name_is_a_doubt() -> None:
    assert names.compare(names.parse("Елена Белкина"), names.parse("Елена Громова")).verdict == "doubt"
    assert names.compare(names.parse("Саша Волкова"), names.parse("Александр Волков")).verdict == "doubt"


@pytest.mark.parametrize("text", ["", "Отдел снабжения", "Бухгалтерия", "test", "…", "@", "info@firma.ru", "123"])
def test_what_names_nobody(text: str) -> None:
    assert not names.parse(text)
    assert names.compare(names.parse(text), names.parse("Иван Пестов")).verdict == "absent"


@pytest.mark.parametrize(
    ("text", "key", "form"),
    [
        ('ООО"СЕВЕРНЫЙ КЕДР"', "severnikedr", "ooo"),
        ("северный кедр", "severnikedr", ""),
        ("LLC Severnyy Kedr", "severnikedr", "ooo"),
        ('Общество с ограниченной ответственностью "Северный-кедр"', "severnikedr", "ooo"),
        ("Северный Кедр, ООО", "severnikedr", "ooo"),
        ("OОО Северный кедр", "severnikedr", "ooo"),  # the first letter is Latin
        ("АНО «Кедр» (Пермь)", "kedr", "ano"),
        ("О.О.О. «Кедр»", "kedr", "ooo"),
        ("З.А.О. Кедр", "kedr", "ao"),
        ("Филиал ООО «Кедр» в г. Пермь", "kedr", "ooo"),
        ("Хлеб в городе", "hlebvgorode", ""),
        ("ГБУЗ Больница 3", "bolnica3", "gbu"),
    ],
)
def test_company_names(text: str, key: str, form: str) -> None:
    company = companies.parse(text)
    assert (company.key, company.form) == (key, form)


@pytest.mark.parametrize("text", ["", "нет", "-", "физлицо", "физ. лицо", "ООО", "частное лицо", '""'])
def test_no_company(text: str) -> None:
    assert not companies.parse(text)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("Кедр", "ООО Кедр", "same"),
        ("ООО Кедр", "АО Кедр", "other"),
        ("JSC Kedr", "ПАО «Кедр»", "same"),
        ("Кедр", "Кедр-Монтаж", "like"),
        ("Альфакедр", "Альтакедр", "like"),
        ("Кедр", "Сосна", "other"),
        ("ИП Пестов И.В.", "ИП Пестов Иван Викторович", "same"),
        ("ИП Пестов И.В.", "ИП Пестов Пётр Викторович", "other"),
        ("Пестов", "ИП Пестов И.В.", "like"),
        ("Кедр", "", "absent"),
    ],
)
def test_companies_compared(a: str, b: str, verdict: str) -> None:
    assert companies.compare(companies.parse(a), companies.parse(b)) == verdict
    assert companies.compare(companies.parse(b), companies.parse(a)) == verdict


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_and_compared_alike_from_both_sides(a: str, b: str) -> None:
    one, other = names.parse(a), names.parse(b)
    assert names.compare(one, other).verdict == names.compare(other, one).verdict
    assert names.compare(one, one).verdict in ("full", "part", "absent")
    firm, second = companies.parse(a), companies.parse(b)
    assert companies.compare(firm, second) == companies.compare(second, firm)
