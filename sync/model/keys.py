"""Canonical forms of identifiers: phone E.164, e-mail, INN; and names as comparable tokens.

The raw text always stays beside them. A form is None when the text identifies nobody (too short, invalid, a placeholder).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

# Letters that look alike in both scripts, for words that mix them («Cпектр», «ivаn@»)
_LIKE = dict(zip("АВЕКМНОРСТУХаекорсухіѕј", "ABEKMHOPCTYXaekopcyxisj", strict=True))
_TO_LATIN = str.maketrans(_LIKE | {"в": "b", "м": "m", "т": "t", "н": "h", "ԁ": "d", "ԛ": "q", "ԝ": "w", "һ": "h"})
_TO_CYRILLIC = str.maketrans({latin: own for own, latin in _LIKE.items() if own not in "іѕј"} | {"ё": "ё"})
_MIXED = re.compile(r"(?=[^\W\d_]*[A-Za-z])(?=[^\W\d_]*[\u0400-\u04ff])[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_DOUBLE = re.compile(r"(.)\1+")
_MAILBOX = re.compile(r"([^\s@<>,;\"()]{1,64})@([^\s@<>,;\"()]+\.[^\s@<>,;\"().]{2,})")
_PURE_LATIN = re.compile(r"[\x00-\x7f]*")
_BETWEEN = re.compile(r"[;,/|\n](?!\s*(?:вн|доб|ext|#))")
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
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщыэюя"
_SOUNDS = "a b v g d e e zh z i i k l m n o p r s t u f h c ch sh sh i e iu ia"
_LETTERS = dict(zip(_CYRILLIC, _SOUNDS.split(), strict=True)) | {"ъ": "", "ь": ""}
_FOLDS = (
    ("shch", "sh"),
    ("sch", "sh"),
    ("kh", "h"),
    ("ts", "c"),
    ("yo", "e"),
    ("jo", "e"),
    ("ye", "e"),
    ("je", "e"),
    ("y", "i"),
    ("j", "i"),
    ("x", "ks"),
    ("w", "v"),
    ("ph", "f"),
)
_RU_PLAIN = re.compile(r"\s*(?:\+7|8|7)?[\s\-\u00a0(]*((?:[0-9][\s\-\u00a0()]*){9}[0-9])\s*")
_NO_DIGIT = re.compile(r"[^0-9]+")
SHORTEST = 7  # characters of the shortest number in the world, its country code included; letters may stand for digits


def phones(text: str, country: str = "RU") -> list[str]:
    """Every valid number in a text, E.164, with `;ext=` where there is an extension; none is guessed.

    >>> phones("8 (916) 123-45-67, вн. 12")
    ['+79161234567;ext=12']
    """
    if country == "RU" and (plain := _plain(text)):
        return [plain]  # one number and nothing else: most of them
    found = []
    for part in _BETWEEN.split(text[:1000]):  # whoever asks must see that there are forty
        form = _phone(_EXTENSION.sub("доб. ", part.replace(", доб", " доб").replace(", вн", " вн").strip()), country)
        if form and form not in found:
            found.append(form)
    return found


@cache
def _russian() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Mobile and fixed numbers of the library's Russian numbering plan, compiled: the same verdict without parsing (a test
    holds them together). The library is imported when there is a number to look at."""
    from phonenumbers import PhoneMetadata

    plan: Any = PhoneMetadata.metadata_for_region("RU")
    return re.compile(str(plan.mobile.national_number_pattern)), re.compile(
        str(plan.fixed_line.national_number_pattern)
    )


@lru_cache(maxsize=20_000)
def _plain(text: str) -> str | None:
    """A Russian number and nothing else: its form, "" for one that somebody made up, None when it is for the library."""
    plain = _RU_PLAIN.fullmatch(text)
    if plain is None:
        return None
    national = _NO_DIGIT.sub("", plain[1])
    mobile, fixed = _russian()
    if mobile.fullmatch(national) or fixed.fullmatch(national):
        return f"+7{national}" if len(set(national[-7:])) > 1 else ""
    return None


@lru_cache(maxsize=20_000)
def _phone(text: str, country: str) -> str | None:
    if country == "RU":
        if (plain := _plain(text)) is not None:
            return plain or None
        if sum(map(str.isalnum, text)) < SHORTEST:
            return None
    if text.startswith("00"):
        text = "+" + text[2:]  # how the world dials abroad; Russia dials 810, which the library knows
    # «, вн. 12» follows the number it belongs to
    text = _EXTENSION.sub("доб. ", text.replace(",", " "))
    import phonenumbers

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


@lru_cache(maxsize=20_000)
def line_kind(number: str) -> str:
    """What an E.164 number tells of its owner: "mobile" (a person's), "fixed" (an office's), "service" (8 800 and the like)."""
    number = number.split(";")[0]
    if number.startswith("+7"):
        mobile, fixed = _russian()
        if mobile.fullmatch(number, 2):
            return "mobile"
        if fixed.fullmatch(number, 2):
            return "fixed"
    import phonenumbers

    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return "service"
    types = phonenumbers.PhoneNumberType
    if kind in (types.MOBILE, types.FIXED_LINE_OR_MOBILE, types.PERSONAL_NUMBER):
        return "mobile"
    return "fixed" if kind in (types.FIXED_LINE, types.VOIP) else "service"


def phone(text: str, country: str = "RU") -> str | None:
    """The first valid number of a text, E.164."""
    found = phones(text, country)
    return found[0] if found else None


def email(text: str) -> str | None:
    """The mailbox: lower case, IDN in Unicode, Yandex's and Gmail's aliases folded; None when it is no address.

    ya.ru and yandex.ru are one mailbox with `.` = `-`; Gmail ignores dots and everything after `+`.
    """
    text = unicodedata.normalize("NFC", text).strip().strip("<>").lower()
    if _PURE_LATIN.fullmatch(text) is None:
        local, at, domain = text.rpartition("@")
        folded = local.translate(_TO_LATIN)
        # A box at a Latin domain has a Latin name; «о.belova» with a Cyrillic «о» is a slip of the keyboard
        text = one_script(f"{folded if folded.isascii() and _PURE_LATIN.fullmatch(domain) else local}{at}{domain}")
    match = _MAILBOX.fullmatch(text)
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
    from stdnum.exceptions import ValidationError
    from stdnum.ru import inn as russian

    try:
        return str(russian.validate(digits))
    except ValidationError:
        return None


def ogrn(text: str) -> str | None:
    """A state registration number with a right check digit (13 digits: company, 15: sole trader), None otherwise."""
    digits = re.sub(r"\D", "", text)
    if len(digits) not in (13, 15) or not digits.strip("0"):
        return None
    # The last digit is the remainder of the rest by 11 (13 digits) or by 13 (15 digits), modulo 10
    if int(digits[:-1]) % (len(digits) - 2) % 10 != int(digits[-1]):
        return None
    return digits


def kpp(text: str) -> str | None:
    """A KPP (tax registration of a branch): nine digits, of which the fifth and sixth may be Latin letters."""
    form = text.strip().upper()
    return form if re.fullmatch(r"\d{4}[\dA-Z]{2}\d{3}", form) and form.strip("0") else None


def one_script(text: str) -> str:
    """Words that mix Latin with Cyrillic letters of the same look, each in the one script that it can be read in.

    >>> one_script("Cветлана, antоnov")
    'Светлана, antonov'
    """
    if text.isascii() or _LATIN.search(text) is None:
        return text
    return _MIXED.sub(lambda m: _unmix(m[0]), text)


def _unmix(word: str) -> str:
    cyrillic = word.translate(_TO_CYRILLIC)
    if not re.search(r"[A-Za-z]", cyrillic):
        latin = word.translate(_TO_LATIN)
        if re.search(r"[\u0400-\u04ff]", latin):
            return cyrillic
        # Both readings are possible: the script with more letters of its own wins
        return cyrillic if sum("\u0400" <= c <= "\u04ff" for c in word) * 2 >= len(word) else latin
    latin = word.translate(_TO_LATIN)
    return word if re.search(r"[\u0400-\u04ff]", latin) else latin


@lru_cache(maxsize=20_000)
def name_tokens(text: str) -> frozenset[str]:
    """A name as skeleton words: «Ёлкина Анна» and "Anna Elkina" are equal.

    >>> name_tokens("Щербаков Юрий") == name_tokens("Yuri Shcherbakov")
    True
    """
    words = re.findall(r"[^\W\d_]+", one_script(unicodedata.normalize("NFC", text)).lower())
    return frozenset(s for w in words if (s := skeleton(w)))


@lru_cache(maxsize=20_000)
def skeleton(word: str) -> str:
    """One lower-case word, of either script, as a Latin skeleton."""
    latin = "".join(_LETTERS.get(c, c) for c in word)
    if not latin.isascii():
        latin = "".join(c for c in unicodedata.normalize("NFD", latin) if not unicodedata.combining(c))
    for old, new in _FOLDS:
        latin = latin.replace(old, new)
    return _DOUBLE.sub(r"\1", latin)
