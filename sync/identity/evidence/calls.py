"""Telephone calls: the other side's number, and what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.identity import names
from sync.identity.evidence.gather import (
    READ,
    add_company,
    add_inn,
    add_mailboxes,
    add_numbers,
    add_phones,
    text_of,
    texts_of,
)
from sync.identity.evidence.sender import Evidence, Own

_HIDDEN = re.compile(
    r"\s*(?:anonymous|unknown|private|hidden|restricted|unavailable|withheld|скрыт\w*|неизвест\w*|аноним\w*|-|0+)?\s*"
)
_FROM = re.compile(
    r"^(?P<who>.{0,60}?)(?:\s+|,\s*)(?:из|от|компания|с\s+фирмы|фирма)\s+(?P<company>.{2,80})$", re.IGNORECASE
)
_SCHEME = re.compile(r"^(?:sips?|tel):", re.IGNORECASE)


def read_call(found: Evidence, event: Mapping[str, Any], own: Own) -> None:
    """The other side's number; a note such as «Гена из Родника»."""
    outgoing = text_of(event, "direction") == "out"
    theirs = [text_of(event, n) for n in (("to_number", "to_line") if outgoing else ("from_number",))]
    raw = next((t for t in theirs if t), "")
    if outgoing and not raw:
        raw = text_of(event, "from_number")
    _said_beside(found, event)
    known = bool(found.mailboxes or found.inns or found.companies)
    if _HIDDEN.fullmatch(raw.lower()):
        found.ignored = "" if known else "hidden"
        found.name = names.parse(text_of(event, "from_name") or text_of(event, "name"))
        return
    raw = _SCHEME.sub("", raw).partition("@")[0]
    add_phones(found, "from_number", [raw], own.country)
    if any(p in own.lines for p in found.phones):
        found.ignored = "own_line"
        return
    note = text_of(event, "note") or text_of(event, "comment")
    if not found.phones and not note and not known:
        digits = sum(c.isdigit() for c in raw)
        found.ignored = "hidden" if not digits else "own_line" if digits <= 5 else "nothing"
        return
    if note and len(note) <= 120:
        if (parts := _FROM.match(note.strip())) is not None:
            found.name = names.parse(parts["who"])
            add_company(found, parts["company"])
        elif len(note.split()) <= 4:
            found.name = names.parse(note)
    if note:
        found.text = note[:READ]
        add_numbers(found, note)
    if not found.name:
        found.name = names.parse(text_of(event, "from_name") or text_of(event, "name"))


def _said_beside(found: Evidence, event: Mapping[str, Any]) -> None:
    """What a telephone system knows of the caller besides his number."""
    add_mailboxes(found, texts_of(event, "email", "emails"))
    for raw in texts_of(event, "inn"):
        add_inn(found, raw)
    for raw in texts_of(event, "company"):
        add_company(found, raw)
