"""When a letter was written: its Date if that can be believed, else when the server got it; and dates as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message

from adapters.mail import headers

OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=2)  # a clock and a time zone may be wrong by this much; more is nonsense

_MONTHS = ("янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_MONTHS_EN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def written(message: Message, arrived: datetime | None, fallback: datetime) -> datetime:
    """The Date header; without one, or before 1990, or later than the arrival, the arrival (INTERNALDATE). A file has
    no arrival: there the first server's Received stands in, then `fallback`."""
    known = arrived if arrived and arrived >= OLDEST else _received(message)
    stated = headers.parse_date(headers.field(message, "Date"))
    if stated and OLDEST <= stated <= (known or fallback) + AHEAD:
        return stated
    return (known or fallback).astimezone(UTC).replace(microsecond=0)


def _received(message: Message) -> datetime | None:
    """The oldest Received field's date: that of the writer's own server, equal in every copy."""
    for value in reversed(headers.fields(message, "Received")):
        moment = headers.parse_date(value.rpartition(";")[2].strip())
        if moment and moment >= OLDEST:
            return moment
    return None


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_human(text: str, like: str) -> datetime | None:
    """ "5 ноября 2025 г. 12:34", "05.11.2025, 12:34", "Wed, Nov 5, 2025 at 12:34 PM"; a date without an offset has that of
    the header field `like` (the forwarder sees his own clock). None when it is no date."""
    day = _day(text)
    clock = re.search(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AP])M)?", text, re.IGNORECASE)
    if day is None or clock is None:
        return headers.parse_date(text)
    hour = int(clock[1])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].upper() == "P" else 0)
    offset = re.search(r"(?<![\d.])([+-])(\d{2}):?(\d{2})\b", text) or re.search(r"([+-])(\d{2})(\d{2})\b", like)
    minutes = (int(offset[2]) * 60 + int(offset[3])) * (-1 if offset[1] == "-" else 1) if offset else 0
    try:
        zone = timezone(timedelta(minutes=minutes))
        return datetime(*day, hour, int(clock[2]), int(clock[3] or 0), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(text: str) -> tuple[int, int, int] | None:
    """Year, month, day; numbers are day first, as everywhere outside the USA."""
    if m := re.search(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b", text):
        return int(m[3]), int(m[2]), int(m[1])
    if m := re.search(r"\b(\d{4})-(\d{2})-(\d{2})\b", text):
        return int(m[1]), int(m[2]), int(m[3])
    m = re.search(r"\b(\d{1,2})\s+([^\W\d]{3,12})\.?,?\s+(\d{4})\b", text)
    if m and (month := _month(m[2])):
        return int(m[3]), month, int(m[1])
    m = re.search(r"\b([^\W\d]{3,12})\.?\s+(\d{1,2}),?\s+(\d{4})\b", text)
    if m and (month := _month(m[1])):
        return int(m[3]), month, int(m[2])
    return None


def _month(word: str) -> int:
    for names in (_MONTHS, _MONTHS_EN):
        for number, name in enumerate(names, 1):
            if word.lower().startswith(name) and not (name == "ма" and word.lower().startswith("мар")):
                return number
    return 0
