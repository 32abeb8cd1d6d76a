"""Who a letter is about: its direction, the client's side of it, and what must not be stored at all.

Everything here reads headers only, so that a private letter is decided upon before its body is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import Message

from adapters.mail import headers
from adapters.mail.headers import Address
from adapters.mail.settings import Own, is_daemon, is_robot

MOST_PARTICIPANTS = 40

_FORWARD_SUBJECT = re.compile(r"^\s*(?:re\s*:\s*)?(?:fwd?|fw|пересл|пер|вл)\s*:", re.IGNORECASE)
_AUTO_SUBJECT = re.compile(
    r"^\s*(?:автоответ|автоматический ответ|auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|вне офиса|"
    r"отсутствую|прочитано:|read:|не прочитано:)",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|delivery (?:status notification|failure|has failed)|returned mail|mail delivery (?:failed|system)|"
    r"failure notice|недоставлен|не доставлено|не удалось доставить|невозможно доставить",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sides:
    direction: str  # "in" or "out"
    sender: Address | None
    counterparts: list[Address]  # the client's side, the writer (incoming) or the addressees (outgoing) first
    reply_to: list[Address]
    to: list[Address] = field(default_factory=list)
    cc: list[Address] = field(default_factory=list)
    internal: bool = False  # nobody but staff

    @property
    def from_robot(self) -> bool:
        return self.sender is not None and is_robot(self.sender["address"])


def sides(message: Message, own: Own, in_sent: bool) -> Sides:
    """Direction by the writer's address among the own identities; the folder decides only where the writer is nobody's:
    no From at all, or an unknown alias in the Sent folder writing to none of us."""
    sender = next(iter(headers.addresses(message, "From") or headers.addresses(message, "Sender")), None)
    to, cc = headers.addresses(message, "To"), headers.addresses(message, "Cc")
    reply_to = own.strangers(headers.addresses(message, "Reply-To"))
    outside = own.strangers(to + cc)
    known = bool(own.addresses or own.domains)
    if sender is not None and own.is_own(sender["address"]):
        return _from_us(message, own, Sides("out", sender, outside, reply_to, to, cc))
    if sender is None or (in_sent and known and len(outside) == len({p["address"] for p in to + cc}) > 0):
        direction = "out" if in_sent else "in"
        people = outside if in_sent else reply_to
        return Sides(direction, sender, _but(people, sender), reply_to, to, cc)
    writers = own.strangers([sender])
    if reply_to and is_robot(sender["address"]):
        writers = []  # a form service writes for the client: nobody reads its own address
    people = own.strangers(writers + reply_to + (outside if known else []))
    return Sides("in", sender, people[:MOST_PARTICIPANTS], reply_to, to, cc)


def _from_us(message: Message, own: Own, seen: Sides) -> Sides:
    """From one of ours: a group address or form robot that carries a client's letter, an outgoing letter, or our own talk."""
    original = own.strangers(headers.addresses(message, "X-Original-From", "X-Original-Sender"))
    if original:
        writer = original[0]
        if not writer["name"] and seen.sender is not None:  # "'Иван Тестов' via Sales"
            name = re.sub(r"\s+(?:via|через)\s.*$", "", seen.sender["name"]).strip("' ")
            writer = Address(name=name, address=writer["address"])
        people = own.strangers([writer, *seen.reply_to])
        return Sides("in", writer, people[:MOST_PARTICIPANTS], seen.reply_to, seen.to, seen.cc)
    if seen.counterparts:
        return seen
    if seen.reply_to:
        return Sides("in", seen.sender, seen.reply_to, seen.reply_to, seen.to, seen.cc)
    hidden = own.strangers(headers.addresses(message, "Bcc"))
    return Sides("out", seen.sender, hidden, [], seen.to, seen.cc, internal=not hidden)


def _but(people: list[Address], sender: Address | None) -> list[Address]:
    return [p for p in people if sender is None or p["address"] != sender["address"]][:MOST_PARTICIPANTS]


def is_blocked(message: Message, own: Own) -> bool:
    names = ("From", "To", "Cc", "Bcc", "Reply-To", "Sender", "X-Original-From", "X-Original-Sender")
    return bool(own.ignored) and any(own.is_ignored(p["address"]) for p in headers.addresses(message, *names))


def looks_forwarded(message: Message) -> bool:
    return bool(_FORWARD_SUBJECT.match(headers.field(message, "Subject")))


def automatic(message: Message) -> str:
    """ "bounce", "auto-reply", "list" (a newsletter or mailing list) or "" (a person's letter)."""
    sender = next(iter(headers.addresses(message, "From")), None)
    kind = headers.field(message, "Content-Type").lower()
    subject = headers.field(message, "Subject")
    submitted = headers.field(message, "Auto-Submitted").lower()
    if kind.startswith("multipart/report"):
        return "auto-reply" if "disposition-notification" in kind else "bounce"
    empty_path = headers.field(message, "Return-Path").strip() == "<>"
    daemon = sender is None or is_daemon(sender)
    if headers.has(message, "X-Failed-Recipients") or (daemon and (empty_path or _BOUNCE_SUBJECT.search(subject))):
        return "bounce"
    if _replied_by_machine(message, submitted) or _AUTO_SUBJECT.match(subject):
        return "auto-reply"
    precedence = headers.field(message, "Precedence").lower()
    if precedence in ("bulk", "list", "junk") or any(headers.has(message, n) for n in ("List-Id", "List-Unsubscribe")):
        return "list"
    return ""


def _replied_by_machine(message: Message, submitted: str) -> bool:
    if submitted.startswith("auto-replied") or headers.field(message, "Precedence").lower() == "auto_reply":
        return True
    if headers.field(message, "X-Autoreply").lower() not in ("", "no"):
        return True
    return any(headers.has(message, n) for n in ("X-Autorespond", "X-Autoreply-From", "X-Auto-Response-From"))


def verdict(message: Message, own: Own, in_sent: bool) -> str:
    """What the headers say: "" keep, "look" (the body decides: a forward or a form among ourselves), or why it is not
    stored: "blocked", "internal", "bulk"."""
    if is_blocked(message, own):
        return "blocked"
    seen = sides(message, own, in_sent)
    auto = automatic(message)
    if auto == "bounce":
        return ""
    if seen.internal:
        return "look" if looks_forwarded(message) or seen.from_robot else "internal"
    if auto == "list" and seen.direction == "in" and not _belongs(message, own, seen):
        return "bulk"
    return ""


def _belongs(message: Message, own: Own, seen: Sides) -> bool:
    """A list letter that is a client's all the same: an answer in a thread, or one that came through our own group."""
    answered = headers.has(message, "In-Reply-To") or headers.has(message, "References")
    rewritten = any(headers.has(message, n) for n in ("X-Original-From", "X-Original-Sender"))
    ours = seen.sender is not None and any(own.is_own(p["address"]) for p in headers.addresses(message, "From"))
    return answered or rewritten or ours
