"""A letter's body taken apart: what the sender wrote, the signature, and what is quoted or forwarded, which is not his.

The patterns are those of Russian and English mail programs (Yandex, Mail.ru, Gmail, Outlook, Thunderbird, Apple, The Bat!).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = r"[^\s<>@]+@[^\s<>@]+"
_WROTE = r"(?:написал\(?а?\)?|пишет|писали?|wrote|schrieb|a\s+écrit\s?)"
# Where somebody else's words begin; each is matched at a line's start
_QUOTE = re.compile(
    r"^(?:>\s*)?(?:"
    rf"\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}},?\s+(?:в\s+)?\d{{1,2}}:\d{{2}}[^\n]*(?:<{_ADDRESS}>|{_WROTE})[^\n]*:?"
    rf"|(?:пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|mon|tue|wed|thu|fri|sat|sun)"
    rf"[^\n]{{0,80}}\d{{1,2}}:\d{{2}}[^\n]*(?:\n[^\n]*)?(?:{_ADDRESS}|{_WROTE})[^\n]*:"
    rf"|\d{{1,2}}\s+[а-яa-z]{{3,8}}\.?\s+\d{{4}}[^\n]*\d{{1,2}}:\d{{2}}[^\n]*(?:\n[^\n]*)?(?:{_ADDRESS}|{_WROTE})[^\n]*:?"
    rf"|(?:on\s+)[^\n]{{5,120}}(?:\n[^\n]*)?\s{_WROTE}:"
    rf"|вы\s+писали[^\n]*:"
    rf"|[^\n]{{0,120}}<{_ADDRESS}>\s*{_WROTE}\s*:"
    r")\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_BANNER = re.compile(
    r"^\s*[-_=*]{2,}\s*(?:исходное|пересылаемое|пересланное|перенаправленное|original|forwarded|begin\s+forwarded|начало)"
    r"[^\n]{0,60}$|^\s*(?:begin\s+forwarded\s+message|начало\s+переадресованного\s+(?:сообщения|письма)|"
    r"пересылаемое\s+сообщение|forwarded\s+message|исходное\s+сообщение)\s*:?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADERS = re.compile(
    r"^(?:>\s*)?\*?(?:от(?:\s+кого)?|from)\s*:\*?[^\n]+\n(?:(?:>\s*)?\*?(?:отправлено|дата|date|sent|кому|to|тема|subject|тел)\b[^\n]*\n?){1,5}",
    re.IGNORECASE | re.MULTILINE,
)
_FROM_LINE = re.compile(
    rf"^(?:>\s*)?\*?(?:от(?:\s+кого)?|from)\s*:\*?\s*\"?(?P<name>[^\"<\n]*?)\"?\s*[<\[(]?(?:mailto:)?(?P<address>{_ADDRESS}?)[>\])]?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNATURE = re.compile(
    r"(?:(?<=[.!?;])[ \t]+(?=(?:с\s+уважением|(?:best|kind)\s+regards)\b[,.\s]))|"  # in the middle of a line
    r"^(?:--\s?|—\s?|__+\s?|-{3,}\s?)$|"
    r"^\s*(?:с\s+(?:наилучшими\s+|большим\s+|глубоким\s+)?(?:уважением|пожеланиями|приветом)|"
    r"с\s+ув\.?|всего\s+(?:доброго|хорошего)|(?:best|kind|warm)?\s*regards|sincerely|спасибо,?\s+с\s+уважением|"
    r"благодарю,?\s+с\s+уважением|хорошего\s+дня)\b[,.!\s]*",
    re.IGNORECASE | re.MULTILINE,
)
_DEVICE = re.compile(
    r"^\s*(?:отправлено\s+(?:с|из)\s|sent\s+from\s|get\s+outlook|отправлено\s+мобильной|из\s+мобильной\s+почты)[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """`own`: what the sender wrote above the signature. `foreign`: quoted or forwarded text, never evidence of the sender."""

    own: str
    signature: str
    foreign: str
    forwarded_from: tuple[str, str] | None = None  # name and address in the header block of a forwarded letter


def read(body: str) -> Letter:
    """Take a plain-text body apart. Only the first 20,000 characters count."""
    body = body[:20_000].replace("\r\n", "\n").replace("\xa0", " ").replace("\u200b", "")
    if body.lstrip().startswith(">") or re.search(r"^вы\s+писали", body.lstrip()[:40], re.IGNORECASE):
        return _answer_below(body)
    cut = len(body)
    forwarded = None
    for pattern in (_BANNER, _HEADERS, _QUOTE):
        if (found := pattern.search(body, 0, cut)) is not None:
            cut = found.start()
    if (marks := re.search(r"^>", body[:cut], re.MULTILINE)) is not None:
        cut = marks.start()
    foreign = body[cut:]
    if foreign and (line := _FROM_LINE.search(foreign[:600])) and "@" in line["address"]:
        forwarded = (line["name"].strip(), line["address"].strip())
    own, signature = _signed(body[:cut])
    return Letter(own, signature, foreign, forwarded)


def _answer_below(body: str) -> Letter:
    """Marked lines above, the answer under them."""
    lines = body.split("\n")
    foreign = [
        x for x in lines if re.match(r"\s*(?:[А-ЯA-Z]{1,3})?>", x) or re.match(r"\s*вы\s+писали", x, re.IGNORECASE)
    ]
    own, signature = _signed("\n".join(x for x in lines if x not in foreign))
    return Letter(own, signature, "\n".join(foreign))


def _signed(text: str) -> tuple[str, str]:
    text = _DEVICE.sub("", text)
    found = _SIGNATURE.search(text)
    if found is None:
        return text.strip(), ""
    rest = text[found.start() :]
    lines = [x.strip() for x in rest.split("\n")]
    kept = [stripped for x in lines if (stripped := _SIGNATURE.sub("", x).strip(" ,"))]
    return text[: found.start()].strip(), "\n".join(kept[:12])


def last_block(own: str) -> str:
    """The lines after the last empty one, when something stands above them: where a signature without a greeting is."""
    above, empty, block = own.rpartition("\n\n")
    return block if empty and above.strip() and block.count("\n") < 6 else ""
