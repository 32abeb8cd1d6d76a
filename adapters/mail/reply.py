"""What the sender wrote himself: the text without the quoted letter, and the signature apart.

For display and matching only; the whole text is always kept beside it. The lines that begin a quote are those of the
Russian clients (Yandex, Mail.ru, Gmail, Thunderbird, Apple, Outlook, The Bat!) and their English forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SIGNATURE_LINES = 12  # a closing phrase further from the end than this is part of the text
LONGEST_INTRO = 400  # characters of "On … somebody wrote:", over at most three lines

_DAY = r"(?:пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|сред[аеу]|четверг|пятниц[аеу]|суббот[аеу]|воскресенье)\.?"
_DAY_EN = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?"
_MONTH = r"(?:янв|февр?|мар|апр|ма[йя]|июн|июл|авг|сент?|окт|нояб?|дек)[а-я]*\.?"
_MONTH_EN = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = (
    rf"(?:\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}\s+(?:{_MONTH}|{_MONTH_EN}),?\s+\d{{4}}"
    rf"|{_MONTH_EN}\s+\d{{1,2}},?\s+\d{{4}})"
)
_TIME = r"\d{1,2}:\d{2}(?::\d{2})?"
_VERB = r"(?:пишет|писала?|написала?|написал\(а\)|писал\(а\)|пишете|wrote|writes)"
_ADDRESS = r"[^\s<>@\"]{1,64}@[^\s<>@\":]{3,190}"

# From the line's start: an optional "On"/"В", a weekday, a date with a time; at its end a colon.
_INTRO = re.compile(
    rf"^(?:on\s+|в\s+)?(?:(?:{_DAY}|{_DAY_EN}),?\s+)?{_DATE}(?:\s*г\.?)?,?\s*(?:в|at|около)?\s*{_TIME}.*"
    rf"(?:{_ADDRESS}|\b{_VERB}).*:\s*$",
    re.IGNORECASE,
)
_INTRO_PLAIN = re.compile(
    rf"^(?:вы\s+(?:писали|написали)\b.*|you\s+wrote\b.*|.*{_ADDRESS}[>\])]*\s+{_VERB}\s*|{_DATE}[^:]{{0,80}}\b{_VERB}\s*):\s*$",
    re.IGNORECASE,
)
_MARK = re.compile(r"^\s{0,3}(?:[A-ZА-ЯЁ]{1,3}(?:[a-zа-яё])?)?>")
_BARE_MARK = re.compile(r"^\s{0,3}(?:>\s?)+")
_BANNER = re.compile(
    r"^\W*(?:исходное сообщение|исходное письмо|original message|пересылаемое сообщение|пересланное сообщение|"
    r"пересылаемое письмо|forwarded message|begin forwarded message:?|начало переадресованного (?:сообщения|письма):?|"
    r"перенаправленное сообщение|forwarded by .*|ниже приведено пересланное сообщение)\W*$",
    re.IGNORECASE,
)
_FORWARD = re.compile(r"перес[ыл]л|forward|переадрес|перенаправ", re.IGNORECASE)
_FIELD = re.compile(
    r"^[\s>*]*(от кого|от|отправлено|отправитель|дата|кому|копия|тема|from|sent|date|to|cc|subject|reply-to)"
    r"\s*:\s*\*?(?=\s|$)(.*)$",
    re.IGNORECASE,
)
_NAMES = {"от": "from", "от кого": "from", "отправитель": "from", "from": "from", "отправлено": "date", "дата": "date"}
_NAMES |= {"sent": "date", "date": "date", "кому": "to", "to": "to", "копия": "cc", "cc": "cc"}
_NAMES |= {"тема": "subject", "subject": "subject", "reply-to": "reply_to"}
_CLOSING = re.compile(
    r"^\s*(?:--|—|__+|-- |-{2,5}|"
    r"(?:с\s+(?:уважением|наилучшими(?:\s+пожеланиями)?|почтением)|всего\s+(?:доброго|наилучшего|хорошего)|"
    r"хорошего\s+дня|искренне\s+ваш[аи]?|(?:best|kind|warm)\s+regards|regards|sincerely(?:\s+yours)?|yours\s+\w+|br|"
    r"best\s+wishes)\b\W?.{0,60}|"
    r"(?:отправлено\s+(?:с|из|через)|sent\s+(?:from|via)|получить\s+outlook|скачать\s+outlook|get\s+outlook)\s.{0,90})\s*$",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"^\s*(?:отправлено\s+(?:с|из|через)|sent\s+(?:from|via)|получить\s+outlook|get\s+outlook)\s", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Parts:
    body: str  # the sender's own words, without signature
    signature: str
    quoted: bool  # a quoted or forwarded letter was cut off


def split(text: str) -> Parts:
    """Own words, signature, and whether something was quoted. A letter of nothing but a forward keeps it as its body."""
    lines = text.replace("\u00a0", " ").split("\n")
    kept, quoted, forward = _without_quotes(lines)
    body, signature = _without_signature(kept)
    if not body.strip() and quoted and (forward or not signature):
        return Parts(text.strip(), "", forward)
    return Parts(body.strip(), signature.strip(), quoted)


def _without_quotes(lines: list[str]) -> tuple[list[str], bool, bool]:
    """The lines that are not quoted; whether any were; whether the letter is a forward."""
    kept: list[str] = []
    quoted = forward = False
    at = 0
    while at < len(lines):
        length = intro_length(lines, at)
        if length:
            after = _next_filled(lines, at + length)
            quoted = True
            if after is not None and not _MARK.match(lines[after]):
                break  # an unmarked quote runs to the end of the letter
            at += length
        elif _BANNER.match(lines[at]) or header_block(lines, at):
            quoted = True
            forward = bool(_FORWARD.search(lines[at])) or not "".join(kept).strip()
            break
        elif _MARK.match(lines[at]):
            quoted = True
            at += 1
        else:
            kept.append(lines[at])
            at += 1
    return kept, quoted, forward


def intro_length(lines: list[str], at: int) -> int:
    """How many lines from `at` make "05.11.2025, 12:34, Имя <a@b>:" (mailers wrap it); 0 when they do not."""
    first = _BARE_MARK.sub("", lines[at]).strip()
    if not first:
        return 0
    joined = ""
    for count, line in enumerate(lines[at : at + 3], 1):
        part = _BARE_MARK.sub("", line).strip()
        if not part:
            return 0
        joined = f"{joined} {part}".strip()
        if len(joined) > LONGEST_INTRO:
            return 0
        if joined.endswith(":"):
            return count if _INTRO.match(joined) or _INTRO_PLAIN.match(joined) else 0
    return 0


def header_block(lines: list[str], at: int, any_order: bool = False) -> dict[str, str]:
    """Outlook's "От: / Отправлено: / Кому: / Тема:" (or English) from `at` on, as {from, date, to, cc, subject}; {} if
    it is none. At least three fields; the sender first, unless a "forwarded" line stands before (`any_order`)."""
    found: dict[str, str] = {}
    last = ""
    for line in lines[at : at + 14]:
        match = _FIELD.match(line)
        name = _NAMES[match[1].lower()] if match else ""
        if match and name not in found:
            last = name
            found[name] = match[2].strip(" *")
            if not any_order and "from" not in found:
                return {}
        elif not found or match:
            break
        elif not line.strip(" >"):
            if len(found) >= 3:
                break
        elif len(found[last]) < 500:  # a long field goes on in the next line
            found[last] = f"{found[last]} {_BARE_MARK.sub('', line).strip()}".strip()
    return found if len(found) >= 3 and "from" in found else {}


def forwarded_block(text: str) -> dict[str, str] | None:
    """Who wrote a forwarded letter: {from, date?, subject?}; None when nothing is forwarded, {} when it does not say."""
    lines = text.replace("\u00a0", " ").split("\n")
    for at, line in enumerate(lines):
        if _BANNER.match(line):
            start = _next_filled(lines, at + 1)
            return {} if start is None else header_block(lines, start, any_order=True) or _intro_fields(lines, start)
        if block := header_block(lines, at):
            return block
        if intro_length(lines, at):
            return _intro_fields(lines, at)
    return None


def _intro_fields(lines: list[str], at: int) -> dict[str, str]:
    length = intro_length(lines, at)
    joined = " ".join(_BARE_MARK.sub("", line).strip() for line in lines[at : at + length])
    found = re.search(rf"{_DATE}.*?{_TIME}(?:\s*[AP]M|\s*[+-]\d\d:\d\d)?", joined, re.IGNORECASE)
    if found is None:
        return {}
    rest = re.sub(rf"\s+{_VERB}\s*$", "", joined[found.end() :].strip(" ,:"), flags=re.IGNORECASE)
    return {"date": found[0], "from": re.sub(r"^(?:от|пользователь)\s+", "", rest, flags=re.IGNORECASE)}


def _next_filled(lines: list[str], at: int) -> int | None:
    return next((i for i in range(at, len(lines)) if lines[i].strip()), None)


def _without_signature(lines: list[str]) -> tuple[str, str]:
    """The first closing phrase among the last lines begins the signature; "-- " may be further up."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    filled = 0
    start = None
    for at in range(len(lines) - 1, -1, -1):
        if not lines[at].strip():
            continue
        filled += 1
        if filled > 2 * SIGNATURE_LINES:
            break
        delimiter = lines[at].rstrip("\r") in ("-- ", "--")
        if _CLOSING.match(lines[at]) and (filled <= SIGNATURE_LINES or delimiter):
            start = at
    if start is None:
        return "\n".join(lines), ""
    signature = [line for line in lines[start:] if line.strip(" -—_")]
    if all(_DEVICE.match(line) for line in signature) and not "".join(lines[:start]).strip():
        return "", "\n".join(signature)
    return "\n".join(lines[:start]), "\n".join(signature)
