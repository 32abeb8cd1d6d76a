"""Answers of the portal's REST in a file (`sverka inspect`): {"result": …} of crm.<kind>.get and .list, or bare rows.

An answer does not say which method gave it: the kind is told by fields that only it has (documentation: crm.<kind>.fields).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapters.base import Arrival, Native, Problem, Record, RecordRefused, Text
from adapters.bitrix24.records import record

EVENT = re.compile(rb"(?:^|&)event=ONCRM", re.I)
ROWS = re.compile(rb'"(?:STAGE_ID|CATEGORY_ID|STATUS_ID|COMPANY_TYPE|OPPORTUNITY|ASSIGNED_BY_ID|MODIFY_BY_ID)"')
ANSWER = re.compile(rb'"(?:result|error_description)"\s*:')
# In this order: a lead has a STATUS_ID besides most fields of a contact
OWN = (
    ("lead", ("STATUS_ID", "STATUS_SEMANTIC_ID")),
    ("deal", ("STAGE_ID", "CATEGORY_ID", "STAGE_SEMANTIC_ID")),
    ("company", ("COMPANY_TYPE", "INDUSTRY", "EMPLOYEES")),
    ("contact", ("LAST_NAME", "SECOND_NAME", "NAME", "BIRTHDATE")),
)


def likeness(head: bytes) -> int:
    """3 for events and CRM rows, 1 for another answer of such a REST interface."""
    if EVENT.search(head):
        return 3
    if head.lstrip()[:1] not in (b"{", b"["):
        return 0
    if ROWS.search(head):
        return 3
    return 2 if (ANSWER.search(head) and b'"time"' in head) or b'"error_description"' in head else 0


def is_json(arrival: Arrival) -> bool:
    """Answers are JSON, events are forms."""
    with arrival.open() as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def rows_of(raw: bytes) -> Iterator[Record | Problem]:
    """The records of an answer; RecordRefused when it is no JSON. What is no CRM record is told, one Problem each."""
    try:
        document = json.loads(raw.removeprefix(b"\xef\xbb\xbf"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise _refuse("json", f"the JSON cannot be read (line {line})", f"JSON не читается (строка {line})") from None
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        why = str(document.get("error_description") or document["error"])[:300]
        yield Problem("answer", "error", _refuse("answer", f"the portal refused: {why}", f"портал отказал: {why}"))
        return
    for number, row in enumerate(_rows(document)):
        kind = _kind(row)
        if kind:
            yield record(kind, row, {})
        else:
            yield Problem("answer", f"[{number}]", _refuse(
                "row", f"row {number}: no lead, deal, contact or company with an ID",
                f"строка {number}: не лид, сделка, контакт или компания с ID"),
                json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace")[:100_000])  # fmt: skip


def _rows(document: Any) -> list[Any]:
    found = document.get("result", document) if isinstance(document, dict) else document
    if isinstance(found, dict) and isinstance(found.get("items"), list):
        found = found["items"]
    return found if isinstance(found, list) else [found]


def _kind(row: Any) -> str:
    if not isinstance(row, dict) or not str(row.get("ID") or "").isdecimal():
        return ""
    native: Native = row
    return next((kind for kind, own in OWN if any(name in native for name in own)), "")


def _refuse(code: str, en: str, ru: str) -> RecordRefused:
    return RecordRefused(Text(en, ru), code=f"bitrix.{code}")
