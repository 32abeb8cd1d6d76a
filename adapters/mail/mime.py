"""The parts of a letter: its text, its files, the reports and invitations in it. Never raises on what a sender wrote.

The parser is the stdlib's with the compat32 policy: of the parsers tried it alone read every hostile sample.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from adapters.mail import headers, html
from adapters.mail.charset import clean, decode

DEEPEST = 30  # levels of multipart looked into
MOST_PARTS = 1000
LONGEST_TEXT = 1_000_000  # characters


@dataclass
class Content:
    """What was found, in order."""

    text: str = ""
    html: str = ""  # the raw HTML where there is no plain text
    files: list[dict[str, Any]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)  # of the files' bytes
    calendars: list[str] = field(default_factory=list)
    letters: list[Message] = field(default_factory=list)  # attached letters (message/rfc822)
    statuses: list[Message] = field(default_factory=list)  # the fields of delivery reports
    parts: int = 0


@dataclass
class _Body:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)


def load(raw: bytes) -> Message:
    """The parsed letter. Where the parser itself gives up (thousands of nested parts), the header with the rest as text."""
    try:
        return message_from_bytes(raw)
    except Exception:  # the stdlib parser fails in many ways on hostile input (RecursionError, AttributeError, …)
        return load_headers(raw)


def load_headers(raw: bytes) -> Message:
    try:
        return BytesHeaderParser().parsebytes(raw)
    except Exception:  # as above
        return Message()


def content(message: Message) -> Content:
    """Text, files and special parts of the whole letter."""
    found = Content()
    body = _walk(message, found, 0)
    found.text = "\n".join(t for t in body.plain if t.strip())[:LONGEST_TEXT]
    if not found.text.strip() and body.html:
        found.html = "\n".join(body.html)[: html.LONGEST]
        found.text = html.to_text(found.html)[:LONGEST_TEXT]
    return found


def _walk(part: Message, found: Content, depth: int) -> _Body:
    body = _Body()
    found.parts += 1
    if found.parts > MOST_PARTS or depth > DEEPEST:
        return body
    kind = part.get_content_type()
    payload: Any = part.get_payload()
    if kind == "message/delivery-status" and isinstance(payload, list):
        found.statuses.extend(p for p in payload if isinstance(p, Message))
    elif part.get_content_maintype() == "message" and isinstance(payload, list):
        found.letters.extend(p for p in payload[:1] if isinstance(p, Message))
        _add_letter(found, kind, payload)
    elif isinstance(payload, list):
        children = [_walk(child, found, depth + 1) for child in payload[:MOST_PARTS] if isinstance(child, Message)]
        _merge(body, children, kind == "multipart/alternative")
    else:
        _leaf(part, kind, found, body)
    return body


def _merge(body: _Body, children: list[_Body], alternative: bool) -> None:
    for child in children:
        if not alternative and not any(t.strip() for t in child.plain):
            body.plain.extend(html.to_text(h) for h in child.html if _mixed(children, child))
        body.plain.extend(child.plain)
        body.html.extend(child.html)


def _mixed(children: list[_Body], child: _Body) -> bool:
    """One part is HTML only while a neighbour is plain (a list's footer, a second letter): its text must not be lost."""
    return any(t.strip() for other in children if other is not child for t in other.plain)


def _leaf(part: Message, kind: str, found: Content, body: _Body) -> None:
    for name in ("Content-Type", "Content-Disposition", "Content-Description"):
        _make_readable(part, name)
    disposition = quietly(part.get_content_disposition) or ""
    name = headers.decode_words(quietly(part.get_filename) or "")
    data = _payload(part)
    charset = quietly(part.get_content_charset) or ""
    if kind == "text/calendar" and disposition != "attachment":
        found.calendars.append(decode(data, charset))
    elif kind in ("text/plain", "text/html", "text/enriched") and disposition != "attachment" and not name:
        text = decode(data, charset)
        (body.html if kind == "text/html" else body.plain).append(text)
    elif kind in ("text/rfc822-headers",):
        found.letters.append(load_headers(data))
    elif kind not in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        inline = bool(part.get("Content-ID")) and disposition != "attachment" and kind.startswith("image/")
        found.files.append(_file(name, kind, len(data), inline))
        found.digests.append(hashlib.sha256(data).hexdigest())


def _add_letter(found: Content, kind: str, payload: list[Any]) -> None:
    """An attached letter is a file named by its subject."""
    inner = payload[0] if payload and isinstance(payload[0], Message) else Message()
    subject = headers.field(inner, "Subject")
    identity = "\n".join((headers.field(inner, "Message-ID"), subject, headers.field(inner, "Date")))
    found.files.append(_file(f"{subject[:100] or 'message'}.eml", kind, 0, False))
    found.digests.append(hashlib.sha256(identity.encode()).hexdigest())


def _file(name: str, kind: str, size: int, inline: bool) -> dict[str, Any]:
    safe = re.sub(r"[/\\\n\t]", "_", clean(name))[:255]
    return {"name": safe or "unnamed", "type": clean(kind)[:100], "size": size, "inline": inline}


def _payload(part: Message) -> bytes:
    """The decoded bytes of a part; transfer encodings that are broken give what can be read."""
    raw = quietly(lambda: part.get_payload(decode=True))
    if isinstance(raw, bytes):
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding == "base64" and raw and re.fullmatch(rb"[A-Za-z0-9+/=\s]+", raw[:200]) and b"\n" in raw[:200]:
            return headers.lenient_base64(raw)  # the stdlib hands undecodable base64 back as it was
        return raw
    text: Any = part.get_payload()
    return text.encode("utf-8", "replace") if isinstance(text, str) else b""


def _make_readable(part: Message, name: str) -> None:
    """Raw 8-bit parameters (a file name in cp1251) would become U+FFFD in the stdlib: decode them first."""
    for key, value in part.raw_items():
        if key.lower() == name.lower():
            text = re.sub(r"[\r\n]+", " ", headers.readable(value))
            if text != value:
                part.replace_header(key, text)
            return


def quietly(call: Any) -> Any:
    """The result of a stdlib call that hostile parameters may break."""
    try:
        return call()
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError):
        return None
