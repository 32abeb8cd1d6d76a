"""The bytes of a letter to a native record. Pure: no network, no clock; never raises on what a sender wrote.

Identity of a letter. The Message-ID alone is not enough: some mailers repeat one (case "two different mails, one
Message-ID"), and nobody who reads letter by letter can know. So the record's id is `Message-ID#fingerprint`, where the
fingerprint is of the cleaned subject, the letters and digits of the text and the files' bytes: equal for the same letter in
any folder or mailbox (whatever its transfer encoding, charset, wrapping and Received lines), different for different letters.
A letter without a Message-ID gets one made of Date, From, To, Subject and the fingerprint. `data["message_id"]` is the
plain id that threads refer to. A letter that a gateway changed on the way (a footer) is a second record with the same
`message_id`: nothing is lost, and the hub joins events by that key.

`data` holds nothing of the place where the letter was seen, so that all sightings are equal; only a letter whose Date cannot
be believed takes the server's time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import Any

from adapters.base import Record, Text
from adapters.mail import dates, forward, headers, html, invite, mime, people, reply
from adapters.mail.headers import Address
from adapters.mail.mime import Content
from adapters.mail.settings import Own

OWN_ID = "X-Sverka-Message-ID"  # our letter's own id, for providers that rewrite Message-ID
LONGEST_THREAD = 50
DEEPEST_FORWARD = 3

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seen:
    """Where and when a letter was seen: what is not in its bytes."""

    own: Own
    arrived: datetime | None = None  # INTERNALDATE
    in_sent: bool = False
    fallback: datetime = NEVER  # the date of a letter that has none at all
    language: str = "ru"
    depth: int = 0  # how many forwards it was unpacked from


@dataclass(frozen=True, slots=True)
class Letter:
    record: Record | None
    dropped: str = ""  # why there is no record: "blocked", "internal", "bulk"


def read(raw: bytes, seen: Seen) -> Letter:
    """The record of a whole letter, or why it must not be stored."""
    message = mime.load(raw)
    why = people.verdict(message, seen.own, seen.in_sent)
    if why == "look":
        return _look(message, raw, seen)
    return Letter(None, why) if why else Letter(_record(message, mime.content(message), raw, seen))


def read_all(raw: bytes, seen: Seen) -> Letter:
    """As `read`, but newsletters are kept too: for files that a person gives."""
    message = mime.load(raw)
    if people.verdict(message, seen.own, seen.in_sent) == "bulk":
        return Letter(_record(message, mime.content(message), raw, seen))
    return read(raw, seen)


def read_header(raw: bytes, seen: Seen, note: Text) -> Letter:
    """The record of a letter whose body was not fetched; `note` says why."""
    message = mime.load_headers(raw)
    why = people.verdict(message, seen.own, seen.in_sent)
    if why and why != "look":
        return Letter(None, why)
    if why == "look":
        return Letter(None, "internal")
    data = _common(message, seen, _header_fingerprint(message))
    data |= _texts("", Content())
    data["note"] = note.say(seen.language)
    return Letter(Record("message", _id(data), data, raw=raw))


def _record(message: Message, content: Content, raw: bytes, seen: Seen) -> Record:
    data = _common(message, seen, fingerprint(message, content))
    data |= _texts(content.text, content)
    if content.html:
        data["html"] = html.safe(content.html)
    if data["auto"] == "bounce":
        _add_bounce(data, forward.bounce(message, content, seen.own), seen.own)
    for text in content.calendars:
        found = invite.read(text)
        if found:
            data["calendar"] = found
    if data["direction"] == "out" or data["auto"] == "bounce":
        data["signature_phones"] = []  # ours, not the client's
    data["type"] = "meeting" if "calendar" in data and data["calendar"]["method"] else "email"
    return Record("message", _id(data), data, raw=raw)


def _look(message: Message, raw: bytes, seen: Seen) -> Letter:
    """From us to us: a client's letter that a colleague forwards, or what a site form sends. All else stays private."""
    content = mime.content(message)
    sides = people.sides(message, seen.own, seen.in_sent)
    if seen.depth < DEEPEST_FORWARD and people.looks_forwarded(message):
        for inner in content.letters:
            inner_raw = _bytes_of(inner)
            if inner_raw and headers.addresses(inner, "From"):
                when = seen.arrived or seen.fallback
                return read(inner_raw, Seen(seen.own, None, False, when, seen.language, seen.depth + 1))
    if people.looks_forwarded(message):
        block = forward.forwarded(message, content.text)
        writer = block["from"] if block else None
        if block is None or (writer and (seen.own.is_own(writer["address"]) or seen.own.is_ignored(writer["address"]))):
            return Letter(None, "internal")
        return Letter(_forward_record(message, content, raw, seen, block))
    fields = forward.form_fields(content.text)
    client = forward.form_client(fields)
    if sides.from_robot and client is not None:
        return _form_letter(message, content, raw, seen, fields, client)
    return Letter(None, "internal")


def _forward_record(message: Message, content: Content, raw: bytes, seen: Seen, block: dict[str, Any]) -> Record:
    """The event is the client's letter, "forwarded by" the colleague, at its own date."""
    record = _record(message, content, raw, seen)
    data, writer = record.data, block["from"]
    data["forwarded"] = {"by": data["from"], **block}
    data["direction"] = "in"
    data["counterparts"] = [writer] if writer else []
    data["signature_phones"] = []  # whose signature it is cannot be told
    if writer:
        data["from"] = writer
        data["participants"] = list(dict.fromkeys([writer["address"], *data["participants"]]))
    moment = headers.parse_date(message.get("Date", "")) or seen.arrived
    if block["date"] and (moment is None or block["date"] <= dates.iso(moment + dates.AHEAD)):
        data["date"] = block["date"]
    return record


def _form_letter(
    message: Message, content: Content, raw: bytes, seen: Seen, fields: dict[str, str], client: dict[str, str]
) -> Letter:
    record = _record(message, content, raw, seen)
    if client["address"] and seen.own.is_ignored(client["address"]):
        return Letter(None, "blocked")
    data = record.data
    data |= {"type": "form", "direction": "in", "auto": "", "fields": fields, "form": client}
    if client["address"] and not seen.own.is_own(client["address"]):
        data["counterparts"] = [Address(name=client["name"], address=client["address"])]
        data["participants"].append(client["address"])
    data["signature_phones"] = [client["phone"]] if client["phone"] else []
    return Letter(record)


def _common(message: Message, seen: Seen, print_: str) -> dict[str, Any]:
    """All that the header says."""
    sides = people.sides(message, seen.own, seen.in_sent)
    subject = headers.field(message, "Subject")
    references = [i for value in headers.fields(message, "References") for i in headers.message_ids(value)]
    answered = [i for value in headers.fields(message, "In-Reply-To") for i in headers.message_ids(value)]
    data: dict[str, Any] = {
        "message_id": "",
        "body_hash": print_,
        "in_reply_to": answered[0] if answered else "",
        "references": _shortened(list(dict.fromkeys(references))),
        "date": dates.iso(dates.written(message, seen.arrived, seen.fallback)),
        "date_header": headers.field(message, "Date"),
        "from": sides.sender or Address(name="", address=""),
        "reply_to": sides.reply_to,
        "to": sides.to,
        "cc": sides.cc,
        "subject": subject,
        "direction": sides.direction,
        "type": "email",
        "auto": people.automatic(message),
        "counterparts": sides.counterparts,
    }
    data["message_id"], others = _message_id(message, seen.own, data)
    thread = [i for i in dict.fromkeys([*references, *answered, *others]) if i != data["message_id"]]
    data["thread"] = _shortened(thread)
    everybody = [*([sides.sender] if sides.sender else []), *sides.counterparts, *sides.to, *sides.cc]
    data["participants"] = list(dict.fromkeys(p["address"] for p in everybody))
    return data


def _texts(text: str, content: Content) -> dict[str, Any]:
    parts = reply.split(text)
    return {
        "text": text,
        "body": parts.body,
        "signature": parts.signature,
        "signature_phones": forward.phones(parts.signature) if parts.signature else [],
        "quoted": parts.quoted,
        "files": content.files,
        "file_names": [f["name"] for f in content.files if not f["inline"]],
    }


def _add_bounce(data: dict[str, Any], found: dict[str, str], own: Own) -> None:
    """The event belongs to the client whom our letter did not reach; the daemon is nobody."""
    data["bounce"] = found
    data["direction"] = "in"
    address = found["address"]
    data["counterparts"] = [Address(name="", address=address)] if address and not own.is_own(address) else []
    if found["message_id"] and found["message_id"] not in data["thread"]:
        data["thread"] = [*data["thread"], found["message_id"]]


def _message_id(message: Message, own: Own, data: dict[str, Any]) -> tuple[str, list[str]]:
    """The letter's id, and the id that a provider gave it instead of ours (answers refer to that one)."""
    ids = headers.message_ids(headers.field(message, "Message-ID"))
    ours = headers.message_ids(headers.field(message, OWN_ID)) if own.is_own(data["from"]["address"]) else []
    if ours and "@" in ours[0]:
        return ours[0], [i for i in ids[:1] if i != ours[0]]
    if ids:
        return ids[0], []
    to = ",".join(p["address"] for p in data["to"])
    parts = (data["date_header"], data["from"]["address"], to, data["subject"], data["body_hash"])
    return f"sha256-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:40]}@no-message-id", []


def _id(data: dict[str, Any]) -> str:
    return f"{data['message_id']}#{data['body_hash']}"


def fingerprint(message: Message, content: Content) -> str:
    """12 hex digits, equal for every copy of one letter: see the head of this file."""
    parts = [_plain_subject(message), re.sub(r"[\W_]+", "", content.text).casefold(), *sorted(content.digests)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _header_fingerprint(message: Message) -> str:
    sender = ",".join(p["address"] for p in headers.addresses(message, "From"))
    parts = ("header", sender, headers.field(message, "Date"), _plain_subject(message))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _plain_subject(message: Message) -> str:
    """Without the tags that lists and filters put in front ("[SPAM]", "[sales]")."""
    return re.sub(r"[\W_]+", "", re.sub(r"^(?:\s*\[[^\]]{0,60}\])+", "", headers.field(message, "Subject"))).casefold()


def _shortened(ids: list[str]) -> list[str]:
    """The root and the latest ones: an endless References field is somebody's loop."""
    return ids if len(ids) <= LONGEST_THREAD else [ids[0], *ids[-LONGEST_THREAD + 1 :]]


def _bytes_of(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except Exception:  # the stdlib generator fails in many ways on letters that its parser took
        return b""
