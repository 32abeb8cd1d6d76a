"""Times as other systems write them: read into aware UTC, written back in the shape that stood there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from sync.errors import Text
from sync.lens.problems import Bad
from sync.model.types import iso

NOT_A_TIME = Text(
    "This is no time that can be read: 2026-01-31T10:20:30 or 31.01.2026 10:20 is expected.",
    "Это не время: ожидается 2026-01-31T10:20:30 или 31.01.2026 10:20.",
)
NO_ZONE = Text(
    "The time has no zone. Add “| utc” or “| zone(Europe/Moscow)” to the mapping.",
    "Время без часового пояса. Добавьте в сопоставление «| utc» или «| zone(Europe/Moscow)».",
)
NOT_A_DATE = Text("A date without a time of day is expected.", "Ожидается дата без времени суток.")
OUT_OF_RANGE = Text("The time is outside of the years 1–9999.", "Время вне годов 1–9999.")

_DOTTED = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?:[ T,]+(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?")
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")


def parse(value: Any) -> datetime | None:
    """A datetime, naive or aware as written. None for empty dates as systems write them (year 1, zeros)."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise Bad(NOT_A_TIME, value)
    text = value.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if not text or text.startswith(("0000-00-00", "00.00.0000")):
            return None
        moment = _dotted(text)
    return None if moment.year == 1 else moment


def _dotted(text: str) -> datetime:
    found = _DOTTED.fullmatch(text)
    if found is None:
        raise Bad(NOT_A_TIME, text)
    day, month, year, clock = found.groups()
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{clock or '00:00'}")
    except ValueError:
        raise Bad(NOT_A_TIME, text) from None


def to_utc(value: Any, zone: tzinfo | None) -> datetime | None:
    """Aware UTC; a time without an offset is a local time of `zone`, and Bad when there is no zone."""
    moment = parse(value)
    if moment is None or moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        if zone is None:
            raise Bad(NO_ZONE, value)
        moment = moment.replace(tzinfo=zone)
        if zone is UTC:
            return moment
    return _shift(moment, UTC)


def to_midnight(value: Any, zone: tzinfo) -> datetime | None:
    """The start of a day in `zone`, as aware UTC."""
    moment = parse(value)
    if moment is not None and moment.tzinfo is None and moment.time() != time():
        raise Bad(NOT_A_DATE, value)
    return to_utc(moment, zone) if moment is not None else None


def local_text(moment: Any, zone: tzinfo) -> str | None:
    """A canonical time as text without an offset, in the local time of `zone`."""
    aware = to_utc(moment, None)
    return None if aware is None else _shift(aware, zone).replace(tzinfo=None).isoformat(timespec="seconds")


def written(moment: Any, old: Any, zone: tzinfo | None) -> str:
    """The text to write for a canonical time: in the shape of the old text, else local to `zone`, else ISO with Z."""
    aware = to_utc(moment, None)
    if aware is None:
        raise Bad(NOT_A_TIME, moment)
    was = _old(old)
    if was is None:
        if zone is None:
            return iso(aware)
        return _shift(aware, zone).replace(tzinfo=None).isoformat()
    text, parsed = was
    if parsed.tzinfo is None:
        local = _shift(aware, zone or UTC).replace(tzinfo=None)
        return _like(text, local) + ("Z" if zone is None else "")
    ending = _OFFSET.search(text)
    suffix = ending.group() if ending else "Z"
    return _like(text[: -len(suffix)], _shift(aware, parsed.tzinfo).replace(tzinfo=None)) + suffix


def written_date(moment: Any, zone: tzinfo) -> str:
    """yyyy-mm-dd for the start of a day in `zone`; Bad for any other time."""
    aware = to_utc(moment, None)
    local = None if aware is None else _shift(aware, zone)
    if local is None or local.time() != time():
        raise Bad(NOT_A_DATE, moment)
    return local.date().isoformat()


def _old(value: Any) -> tuple[str, datetime] | None:
    try:
        parsed = parse(value) if isinstance(value, str) else None
    except Bad:
        return None
    return None if parsed is None else (value.strip(), parsed)


def _shift(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        raise Bad(OUT_OF_RANGE, moment) from None


def _like(text: str, local: datetime) -> str:
    """`local` with the separators and the precision of `text`; never less precise than the time itself."""
    clock = text[10:]
    if not clock and local.time() == time():
        timespec = ""
    elif local.microsecond:
        timespec = "microseconds"
    else:
        timespec = "minutes" if clock.count(":") == 1 and not local.second else "seconds"
        timespec = "milliseconds" if "." in clock else timespec
    if _DOTTED.fullmatch(text):
        day = f"{local.day:02}.{local.month:02}.{local.year:04}"
        return f"{day} {local.time().isoformat(timespec)}" if timespec else day
    if not timespec:
        return local.date().isoformat()
    return local.isoformat("T" if clock[:1] != " " else " ", timespec)
