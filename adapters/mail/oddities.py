"""What is wrong with a letter that was read all the same: for whoever looks at a file, never a reason to refuse it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from email.message import Message
from typing import Any

from adapters.base import Text
from adapters.mail import headers, mime
from adapters.mail.dates import AHEAD
from adapters.mail.parse import Seen

# The stdlib parser's defects that mean a loss or a guess; its remarks on spelling are left out
DEFECTS = {
    "StartBoundaryNotFoundDefect": Text("its parts begin nowhere: no boundary", "начало частей не найдено: нет разделителя"),
    "CloseBoundaryNotFoundDefect": Text("its parts end nowhere: the letter is cut off", "нет конца частей: письмо оборвано"),
    "NoBoundaryInMultipartDefect": Text("parts without a boundary, read as text", "части без разделителя прочитаны как текст"),
    "MultipartInvariantViolationDefect": Text("a multipart that is none", "заявлены части, которых нет"),
    "MissingHeaderBodySeparatorDefect": Text(
        "no empty line between header and text: the text may begin too early", "нет пустой строки между заголовком и текстом"
    ),
    "FirstHeaderLineIsContinuationDefect": Text("the header begins in the middle", "заголовок начинается с середины"),
    "InvalidMultipartContentTransferEncodingDefect": Text("parts that call themselves encoded", "части названы кодированными"),
}  # fmt: skip


def notes(message: Message, data: dict[str, Any], seen: Seen) -> list[Text]:
    """The oddities of a letter, each once, in the order of the letter."""
    found = [*_header(message, data, seen), *_parts(message)]
    if "note" in data:
        found.append(
            Text("larger than max_size: only its header was read", "больше max_size: прочитан только заголовок")
        )
    elif len(data["text"]) >= mime.LONGEST_TEXT:
        found.append(
            Text(
                "a very long text: its end is only in the raw letter",
                "текст очень длинный: конец есть только в исходном письме",
            )
        )
    elif not data["text"].strip() and not data["files"]:
        found.append(Text("the letter has no text", "в письме нет текста"))
    if "\ufffd" in data["text"] or "\ufffd" in data["subject"]:
        found.append(Text("some characters could not be read", "часть символов не прочиталась"))
    return list(dict.fromkeys(found))


def _header(message: Message, data: dict[str, Any], seen: Seen) -> Iterator[Text]:
    if data["message_id"].endswith("@no-message-id"):
        yield Text(
            "no Message-ID: the letter is known by its contents", "нет Message-ID: письмо узнаётся по его содержимому"
        )
    if not data["from"]["address"]:
        yield Text("no sender's address", "нет адреса отправителя")
    written = headers.parse_date(message.get("Date", ""))
    if written is None:
        yield Text(
            "no readable Date: the time of arrival stands for it",
            "дата не указана или не читается: взято время получения",
        )
    elif written > (seen.arrived or seen.fallback) + AHEAD:
        yield Text("its Date lies in the future", "дата письма — в будущем")


def _parts(message: Message) -> Iterator[Text]:
    for number, (part, depth) in enumerate(_walk(message, 0)):
        if depth > mime.DEEPEST:
            yield Text(f"parts nested deeper than {mime.DEEPEST}: the inner ones are only in the raw letter",
                       f"вложенность частей больше {mime.DEEPEST}: внутренние есть только в исходном письме")  # fmt: skip
            return
        if number >= mime.MOST_PARTS:
            yield Text(f"more than {mime.MOST_PARTS} parts: the rest is only in the raw letter",
                       f"частей больше {mime.MOST_PARTS}: остальные есть только в исходном письме")  # fmt: skip
            return
        for defect in part.defects:
            if known := DEFECTS.get(type(defect).__name__):
                yield known
        charset = mime.quietly(part.get_content_charset) or ""
        if part.get_content_maintype() == "text" and charset and not _known(charset):
            yield Text(f"unknown charset {charset[:40]!r}: it was guessed",
                       f"неизвестная кодировка {charset[:40]!r}: она угадана")  # fmt: skip
        name = headers.decode_words(mime.quietly(part.get_filename) or "").lower()
        if name == "winmail.dat" or part.get_content_type() in ("application/ms-tnef", "application/vnd.ms-tnef"):
            yield Text("winmail.dat is kept, the files inside it are not unpacked",
                       "winmail.dat сохранён, файлы внутри него не распакованы")  # fmt: skip


def _walk(part: Message, depth: int) -> Iterator[tuple[Message, int]]:
    """The parts with their depth, as `mime.content` sees them, and one level below: what it did not look into."""
    yield part, depth
    payload: Any = part.get_payload()
    if depth <= mime.DEEPEST and isinstance(payload, list):
        for inner in payload:
            if isinstance(inner, Message):
                yield from _walk(inner, depth + 1)


def _known(charset: str) -> bool:
    try:
        codecs.lookup(charset)
    except (LookupError, ValueError):
        return False
    return True
