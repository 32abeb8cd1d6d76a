"""The writer's own words out of the letters of Russian (and English) mail programs; samples written after their patterns."""

from __future__ import annotations

import time

import pytest

from adapters.mail.reply import forwarded_block, split

ASKED = "> Пришлите, пожалуйста, реквизиты.\n> \n> С уважением, Анна\n"
PLAIN = "Пришлите, пожалуйста, реквизиты.\n\nС уважением, Анна\n"

# name: (the text, own words, signature)
QUOTED = {
    "Yandex": (f'Высылаю.\n\n05.11.2025, 12:34, "Анна Тестова" <anna@firma.ru>:\n{ASKED}', "Высылаю.", ""),
    "Yandex, not marked": (f"Высылаю.\n\n05.11.2025, 12:34, Анна <anna@firma.ru>:\n{PLAIN}", "Высылаю.", ""),
    "Yandex, signature below": (
        f"Высылаю.\n\n05.11.2025, 12:34, Анна <anna@firma.ru>:\n{ASKED}\n-- \nИван Тестов\n+7 921 000-00-00\n",
        "Высылаю.",
        "Иван Тестов\n+7 921 000-00-00",
    ),
    "Mail.ru": (f"Да.\n\nСреда, 5 ноября 2025, 12:34 +03:00 от Анна <anna@firma.ru>:\n{PLAIN}", "Да.", ""),
    "Mail.ru, marked": (
        f"Да.\n\n--\nИван Тестов\n\n> Среда, 5 ноября 2025, 12:34 +03:00 от Анна <anna@firma.ru>:\n> \n{ASKED}",
        "Да.",
        "Иван Тестов",
    ),
    "Gmail": (f"Да.\n\nср, 5 нояб. 2025 г. в 12:34, Анна Тестова <anna@firma.ru>:\n\n{ASKED}", "Да.", ""),
    "Gmail, a verb, wrapped": (
        f"Да.\n\nср, 5 нояб. 2025 г. в 12:34, Анна Тестова из отдела продаж\n<anna@firma.ru>\nнаписал(а):\n\n{ASKED}",
        "Да.",
        "",
    ),
    "Gmail, older": (
        f"Да.\n\n5 ноября 2025 г., 12:34 пользователь Анна <anna@firma.ru> написал:\n\n{ASKED}",
        "Да.",
        "",
    ),
    "Thunderbird": (f"Да.\n\n05.11.2025 12:34, Анна Тестова пишет:\n{ASKED}", "Да.", ""),
    "Thunderbird, the answer below": (
        f"05.11.2025 12:34, Анна Тестова пишет:\n{ASKED}\nДа, высылаю.\n",
        "Да, высылаю.",
        "",
    ),
    "Thunderbird, between the lines": (
        "05.11.2025 12:34, Анна пишет:\n> Когда?\nЗавтра.\n> Сколько?\nПять.\n",
        "Завтра.\nПять.",
        "",
    ),
    "Apple": (
        f"Да.\n\nОтправлено с iPhone\n\n> 5 нояб. 2025 г., в 12:34, Анна <anna@firma.ru> написал(а):\n> \n{ASKED}",
        "Да.",
        "Отправлено с iPhone",
    ),
    "Apple, a woman": (f"Да.\n\n> 5 нояб. 2025 г., в 12:34, Анна <anna@firma.ru> написала:\n> \n{ASKED}", "Да.", ""),
    "Outlook": (
        "Оплатили.\n\nС уважением,\nИван Тестов\n\nОт: Анна <anna@firma.ru>\nОтправлено: 5 ноября 2025 г. 12:34\n"
        f"Кому: Иван\nТема: Счёт\n\n{PLAIN}",
        "Оплатили.",
        "С уважением,\nИван Тестов",
    ),
    "Outlook, English": (
        "Paid.\n\nFrom: Anna <anna@firma.ru>\nSent: Wednesday, November 5, 2025 12:34 PM\nTo: Ivan\nSubject: Bill\n\nPlease",
        "Paid.",
        "",
    ),
    "Outlook, a long list of addressees": (
        "Да.\n\nОт: Анна [mailto:anna@firma.ru]\nОтправлено: 5 ноября 2025 г. 12:34\n"
        f"Кому: Иван; Пётр;\nОльга; Мария\nТема: Счёт\n\n{PLAIN}",
        "Да.",
        "",
    ),
    "Outlook on the web": (
        "Да.\n________________________________\nОт: Анна <anna@firma.ru>\nОтправлено: 5 ноября 2025 г. 12:34\n"
        f"Кому: Иван\nТема: Счёт\n\n{PLAIN}",
        "Да.",
        "",
    ),
    "a banner": (f"Ок.\n\n-----Исходное сообщение-----\n{PLAIN}", "Ок.", ""),
    "an English banner": (f"Ок.\n\n-----Original Message-----\n{PLAIN}", "Ок.", ""),
    "The Bat!": (
        "Здравствуйте, Анна.\n\nВы писали 5 ноября 2025 г., 12:34:56:\n\n"
        "АТ> Когда отгрузка?\nАТ> Ждём.\n\nЗавтра.\n\n-- \nИван\n",
        "Здравствуйте, Анна.\n\n\n\nЗавтра.",
        "Иван",
    ),
    "The Bat!, no date": ("Вы писали:\n\n> Когда?\n\nЗавтра.\n", "Завтра.", ""),
    "English Gmail": ("Yes.\n\nOn Wed, Nov 5, 2025 at 12:34 PM Anna <anna@firma.ru>\nwrote:\n\n> Hi\n", "Yes.", ""),
    "English Thunderbird": ("Yes.\n\nOn 05.11.2025 12:34, Anna Testova wrote:\n> Hi\n", "Yes.", ""),
    "the Mail.ru app": (
        "Да.\n\nОтправлено из мобильной Почты Mail.ru\n\n"
        f"среда, 5 ноября 2025 г., 12:34 +0300 от Анна <anna@firma.ru>:\n{PLAIN}",
        "Да.",
        "Отправлено из мобильной Почты Mail.ru",
    ),
}


@pytest.mark.parametrize("name", QUOTED)
def test_a_quote_is_cut_off(name: str) -> None:
    text, body, signature = QUOTED[name]
    assert split(text).body == body
    assert split(text).signature == signature
    assert split(text).quoted


@pytest.mark.parametrize("name", QUOTED)
def test_windows_line_ends_and_no_break_spaces_make_no_difference(name: str) -> None:
    text, body, _ = QUOTED[name]
    assert split(text.replace(" г. ", "\u00a0г. ")).body == body


@pytest.mark.parametrize(
    "text",
    [
        "Счёт от 05.11.2025:\nстрока первая\nстрока вторая",
        "Нужны товары\nОт: 5 до 10 штук\nТема: такая",
        "Во вторник, 5 ноября, пишите на ivan@romashka.ru:\nтам всё скажут",
        "Вы писали нам много раз.\nМы не ответили.",
        "Размер - 5 > 3\nи ещё",
        "Кому: нам\nКогда: завтра",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    parts = split(text)
    assert parts.body == text
    assert not parts.quoted


@pytest.mark.parametrize(
    ("text", "body", "signature"),
    [
        ("Жду.\nС уважением, Иван Тестов", "Жду.", "С уважением, Иван Тестов"),
        ("Жду.\n\n-- \nИван\nООО Ромашка\n+7 921 000-00-00", "Жду.", "Иван\nООО Ромашка\n+7 921 000-00-00"),
        ("Wait.\n\nBest regards,\nIvan", "Wait.", "Best regards,\nIvan"),
        ("С уважением отнеслись к заказу.\n" + "строка\n" * 15 + "конец", None, ""),
        ("Текст\nи ещё", "Текст\nи ещё", ""),
        ("", "", ""),
    ],
)
def test_signatures(text: str, body: str | None, signature: str) -> None:
    parts = split(text)
    assert parts.body == (text.strip() if body is None else body)
    assert parts.signature == signature


def test_a_letter_of_nothing_but_a_quote_keeps_it() -> None:
    assert split("> да\n> нет").body == "> да\n> нет"
    forwarded = "-------- Пересылаемое сообщение --------\n05.11.2025, 12:34, Иван <i@r.ru>:\n\nПочём слон?"
    assert "Почём слон?" in split(forwarded).body


@pytest.mark.parametrize(
    "text",
    [
        "-------- Пересылаемое сообщение --------\n05.11.2025, 12:34, Иван Тестов <ivan@romashka.ru>:\n\nПочём слон?",
        "---------- Forwarded message ---------\nОт: Иван Тестов <ivan@romashka.ru>\nDate: ср, 5 нояб. 2025 г. в 12:34\n"
        "Subject: Слон\nTo: <anna@firma.ru>\n\nПочём слон?",
        "Посмотри\n\n-------- Перенаправленное сообщение --------\nТема: \tСлон\nДата: \t5 ноября 2025, 12:34\n"
        "От: \tИван Тестов <ivan@romashka.ru>\nКому: \tanna@firma.ru\n\nПочём слон?",
        "От: Иван Тестов <ivan@romashka.ru>\nОтправлено: 5 ноября 2025 г. 12:34\nКому: Анна\nТема: Слон\n\nПочём слон?",
        "Начало переадресованного сообщения:\n\n> От: Иван Тестов <ivan@romashka.ru>\n> Тема: Слон\n"
        "> Дата: 5 ноября 2025 г. в 12:34\n> Кому: anna@firma.ru\n> \n> Почём слон?",
    ],
)
def test_the_writer_of_a_forwarded_letter(text: str) -> None:
    block = forwarded_block(text)
    assert block is not None
    assert "ivan@romashka.ru" in block["from"]
    assert "12:34" in block["date"]


def test_nothing_forwarded() -> None:
    assert forwarded_block("Просто письмо") is None
    assert forwarded_block("---- Пересылаемое сообщение ----\nбез полей") == {}


def test_a_hostile_text_costs_no_time() -> None:
    began = time.process_time()
    for text in (
        "> " * 50_000,
        ("1.1.2025 1:1 " + "a@" * 150 + ":\n") * 500,
        "on " * 40_000,
        ("a.b" * 130 + "@:\n") * 500,
    ):
        split(text)
        forwarded_block(text)
    assert time.process_time() - began < 20  # no catastrophic backtracking: that would take hours
