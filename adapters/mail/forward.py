"""Letters that carry another's words: a colleague's forward, a site form's fields, a bounce's report."""

from __future__ import annotations

import re
from email.message import Message
from typing import Any

from adapters.mail import dates, headers, reply
from adapters.mail.headers import Address
from adapters.mail.mime import Content
from adapters.mail.settings import Own

_LABEL = re.compile(r"^\s*[*•-]?\s*([^:=\n]{2,60}?)\s*[:=]\s*(\S.*?)\s*$")
_FORM_NAMES = {
    "name": re.compile(r"^(?:ваше )?(?:имя|фио|контактное лицо|name|your name|fio)$", re.IGNORECASE),
    "phone": re.compile(
        r"^(?:ваш )?(?:(?:контактный |мобильный )?телефон|номер телефона|тел\.?|phone|tel)$", re.IGNORECASE
    ),
    "email": re.compile(r"^(?:ваш[а]? )?(?:e-?mail|(?:эл(?:ектронная|\.)? ?)?почта|адрес почты|mail)$", re.IGNORECASE),
}
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


def forwarded(message: Message, text: str) -> dict[str, Any] | None:
    """{from: {name, address}, date, date_text, subject} of the letter that is forwarded inline; `from` is None where the
    block names no address; None when nothing is forwarded."""
    block = reply.forwarded_block(text)
    if block is None:
        return None
    people = headers.parse_addresses(re.sub(r"\[?mailto:([^\]\s]+)\]?", r"<\1>", block.get("from", "")))
    moment = dates.parse_human(block.get("date", ""), headers.field(message, "Date"))
    return {
        "from": people[0] if people else None,
        "date": dates.iso(moment) if moment else "",
        "date_text": block.get("date", ""),
        "subject": block.get("subject", ""),
    }


def form_fields(text: str) -> dict[str, str]:
    """The "Label: value" lines of a form's letter, as they stand."""
    found: dict[str, str] = {}
    for line in text.split("\n")[:200]:
        match = _LABEL.match(line) if len(line) < 2000 else None
        if match and not match[2].startswith("//"):
            found.setdefault(match[1].strip(), match[2])
    return found


def form_client(fields: dict[str, str]) -> dict[str, str] | None:
    """{name, address, phone} of the person who filled a form in; None when neither an address nor a phone is labelled."""
    found = {"name": "", "address": "", "phone": ""}
    for label, value in fields.items():
        kind = next((k for k, pattern in _FORM_NAMES.items() if pattern.match(label)), "")
        if kind == "name":
            found["name"] = found["name"] or value
        elif kind == "phone":
            found["phone"] = found["phone"] or next(iter(phones(value)), "")
        elif kind == "email" and not found["address"]:
            people = headers.parse_addresses(value)
            found["address"] = people[0]["address"] if people else ""
    return found if found["address"] or found["phone"] else None


def phones(text: str) -> list[str]:
    """The valid telephone numbers of a short text as E.164, Russian unless they say otherwise."""
    import phonenumbers  # only letters that were forwarded hold numbers

    matches = phonenumbers.PhoneNumberMatcher(text[:2000], "RU")
    return list(
        dict.fromkeys(phonenumbers.format_number(m.number, phonenumbers.PhoneNumberFormat.E164) for m in matches)
    )


def bounce(message: Message, content: Content, own: Own) -> dict[str, str]:
    """{address, code, action, message_id}: to whom delivery failed, the enhanced status code (RFC 3463), "failed" or
    "delayed", and our letter's id. Empty where the report does not say."""
    found = {"address": "", "code": "", "action": "", "message_id": ""}
    for status in content.statuses:
        recipient = headers.field(status, "Final-Recipient") or headers.field(status, "Original-Recipient")
        address = headers.normal_address(recipient.rpartition(";")[2])
        if address and not found["address"]:
            code = _STATUS.search(headers.field(status, "Status")) or _STATUS.search(
                headers.field(status, "Diagnostic-Code")
            )
            found.update(address=address, code=code[1] if code else "")
            found["action"] = headers.field(status, "Action").lower().partition(" ")[0]
    for letter in content.letters:
        ids = headers.message_ids(headers.field(letter, "Message-ID"))
        found["message_id"] = found["message_id"] or (ids[0] if ids else "")
        if not found["address"]:
            to = own.strangers(headers.addresses(letter, "To"))
            found["address"] = to[0]["address"] if to else ""
    if not found["address"]:
        failed = headers.addresses(message, "X-Failed-Recipients") or _strangers_of_text(content.text, own)
        found["address"] = failed[0]["address"] if failed else ""
    if not found["code"] and (code := _STATUS.search(content.text[:20_000])):
        found["code"] = code[1]
    if not found["message_id"] and (inner := re.search(r"^Message-ID:\s*<([^<>\s]+)>", content.text, re.I | re.M)):
        found["message_id"] = headers.canonical_id(inner[1])
    return found


def _strangers_of_text(text: str, own: Own) -> list[Address]:
    """A qmail-like report names the address only in its text; our own server's addresses are not it."""
    return own.strangers(headers.parse_addresses(" ".join(re.findall(r"<([^<>\s]+@[^<>\s]+)>", text[:5000]))))
