"""A meeting invitation inside a letter (text/calendar, RFC 5545 and 5546): who calls, when, and the change's number."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.mail.headers import normal_address

# Outlook writes Windows zone names; those of Russia and the neighbours, and of the usual servers.
_WINDOWS = {
    "Kaliningrad Standard Time": "Europe/Kaliningrad",
    "Russian Standard Time": "Europe/Moscow",
    "Russia Time Zone 3": "Europe/Samara",
    "Ekaterinburg Standard Time": "Asia/Yekaterinburg",
    "Omsk Standard Time": "Asia/Omsk",
    "North Asia Standard Time": "Asia/Krasnoyarsk",
    "N. Central Asia Standard Time": "Asia/Novosibirsk",
    "North Asia East Standard Time": "Asia/Irkutsk",
    "Yakutsk Standard Time": "Asia/Yakutsk",
    "Vladivostok Standard Time": "Asia/Vladivostok",
    "Belarus Standard Time": "Europe/Minsk",
    "Central Asia Standard Time": "Asia/Almaty",
    "UTC": "UTC",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
}
_LINE = re.compile(r'^([A-Za-z-]+)((?:;[^:;"=]+=(?:"[^"]*"|[^:;"]*))*):(.*)$')
_STAMP = re.compile(r"^(\d{8})(?:T(\d{6})(Z?))?$")


def read(text: str) -> dict[str, Any] | None:
    """{method, uid, sequence, start, end, summary, location, organizer}; times in ISO UTC, a whole day as a date, ""
    where it is not said. None without an event with a UID."""
    event: dict[str, Any] = {}
    method, inside = "", False
    for line in re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n")).split("\n")[:5000]:
        match = _LINE.match(line.strip()) if len(line) < 10_000 else None
        if match is None:
            continue
        name, options, value = match[1].upper(), match[2], match[3].strip()
        if name == "METHOD":
            method = value.upper()
        elif name in ("BEGIN", "END") and value.upper() == "VEVENT":
            if name == "END":
                break
            inside = True
        elif inside and name not in event:
            event[name] = _stamp(value, options) if name in ("DTSTART", "DTEND") else _unescape(value)
    if not event.get("UID"):
        return None
    sequence = event.get("SEQUENCE", "0")
    return {
        "method": method,
        "uid": event["UID"],
        "sequence": int(sequence) if re.fullmatch(r"[0-9]{1,9}", sequence) else 0,
        "start": event.get("DTSTART", ""),
        "end": event.get("DTEND", ""),
        "summary": event.get("SUMMARY", ""),
        "location": event.get("LOCATION", ""),
        "organizer": normal_address(re.sub(r"^mailto:", "", event.get("ORGANIZER", ""), flags=re.IGNORECASE)),
    }


def _unescape(value: str) -> str:
    return re.sub(r"\\([\\;,nN])", lambda m: "\n" if m[1] in "nN" else m[1], value)


def _stamp(value: str, options: str) -> str:
    match = _STAMP.match(value)
    if match is None:
        return ""
    try:
        if match[2] is None:
            return datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date().isoformat()
        moment = datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        zone = re.search(r'TZID="?([^";:]+)', options, re.IGNORECASE)
        if not match[3] and zone:
            moment = moment.replace(tzinfo=ZoneInfo(_WINDOWS.get(zone[1], zone[1])))
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, KeyError, OSError):
        return ""
