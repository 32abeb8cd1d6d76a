"""Canonical forms of identifiers: phone E.164, e-mail, INN; and names as comparable tokens.

The raw text always stays beside them. A form is None when the text identifies nobody (too short, invalid, a placeholder).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from stdnum.exceptions import ValidationError as NumberError
from stdnum.ru import inn as ru_inn

_EXTENSION = re.compile(r"(?:вн\.?|внутр\.?|добавочный)\s*(?=\d)", re.IGNORECASE)
_FREE_MAIL = {
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
    "yandex.by": "yandex.ru",
    "yandex.kz": "yandex.ru",
    "yandex.ua": "yandex.ru",
    "googlemail.com": "gmail.com",
}
# Cyrillic and Latin in one Latin skeleton: no transliteration back, both scripts are compared here
_LETTERS = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "e",
            "zh",
            "z",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "h",
            "c",
            "ch",
            "sh",
            "sh",
            "",
            "i",
            "",
            "e",
            "u",
            "a",
        ],
        strict=True,
    )
)
_FOLDS = (
    ("shch", "sh"),
    ("sch", "sh"),
    ("kh", "h"),
    ("ts", "c"),
    ("yo", "e"),
    ("yu", "u"),
    ("ya", "a"),
    ("ju", "u"),
    ("ja", "a"),
    ("y", "i"),
    ("j", "i"),
)


def phones(text: str, country: str = "RU") -> list[str]:
    """Every valid number in a text, E.164, with `;ext=` where there is an extension; none is guessed.

    >>> phones("8 (916) 123-45-67, вн. 12")
    ['+79161234567;ext=12']
    """
    found = []
    for part in re.split(r"[;,/|\n](?!\s*(?:вн|доб|ext|#))", text[:200]):
        form = _phone(_EXTENSION.sub("доб. ", part.replace(", доб", " доб").replace(", вн", " вн").strip()), country)
        if form and form not in found:
            found.append(form)
    return found


@lru_cache(maxsize=20_000)
def _phone(text: str, country: str) -> str | None:
    # «, вн. 12» follows the number it belongs to
    text = _EXTENSION.sub("доб. ", text.replace(",", " "))
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    digits = re.sub(r"\D", "", form)
    if len(set(digits[-7:])) == 1:  # 0000000, 1111111: somebody filled the field
        return None
    return f"{form};ext={number.extension}" if number.extension else form


def phone(text: str, country: str = "RU") -> str | None:
    """The first valid number of a text, E.164."""
    found = phones(text, country)
    return found[0] if found else None


def email(text: str) -> str | None:
    """The mailbox: lower case, IDN in Unicode, Yandex's and Gmail's aliases folded; None when it is no address.

    ya.ru and yandex.ru are one mailbox with `.` = `-`; Gmail ignores dots and everything after `+`.
    """
    text = unicodedata.normalize("NFC", text).strip().strip("<>").lower()
    match = re.fullmatch(r"([^\s@<>,;\"()]{1,64})@([^\s@<>,;\"()]+\.[^\s@<>,;\"().]{2,})", text)
    if match is None:
        return None
    local, domain = match[1], match[2]
    if "xn--" in domain:
        try:
            domain = domain.encode("ascii").decode("idna")
        except UnicodeError:
            return None
    domain = _FREE_MAIL.get(domain, domain)
    if domain == "gmail.com":
        local = local.split("+", 1)[0].replace(".", "")
    elif domain == "yandex.ru":
        local = local.split("+", 1)[0].replace(".", "-")
    return f"{local}@{domain}" if local else None


def inn(text: str) -> str | None:
    """A taxpayer number with a right checksum (10 digits: company, 12: person), None otherwise."""
    digits = re.sub(r"\D", "", text.split("/")[0])
    if len(digits) not in (10, 12) or not digits.strip("0"):
        return None
    try:
        return str(ru_inn.validate(digits))
    except NumberError:
        return None


@lru_cache(maxsize=20_000)
def name_tokens(text: str) -> frozenset[str]:
    """A name as skeleton words: «Ёлкина Анна» and "Anna Elkina" are equal.

    >>> name_tokens("Щербаков Юрий") == name_tokens("Yuri Shcherbakov")
    True
    """
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text).lower())
    return frozenset(s for w in words if (s := _skeleton(w)))


def _skeleton(word: str) -> str:
    latin = "".join(_LETTERS.get(c, c) for c in word)
    latin = "".join(c for c in unicodedata.normalize("NFD", latin) if not unicodedata.combining(c))
    for old, new in _FOLDS:
        latin = latin.replace(old, new)
    return re.sub(r"(.)\1+", r"\1", latin)
