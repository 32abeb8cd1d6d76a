"""The mail adapter: one mailbox read over IMAP, letters sent over SMTP, .eml and .mbox files looked into."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from adapters.base import (
    Adapter,
    AdapterContext,
    AdapterSettings,
    Arrival,
    Capabilities,
    Change,
    Finding,
    Native,
    Page,
    Problem,
    Record,
    RecordRefused,
    SverkaError,
    Text,
)
from adapters.mail import check, files, mime, oddities, parse, scan
from adapters.mail import folders as names
from adapters.mail.imap import Folder, Header, Mailbox, NoFolder
from adapters.mail.settings import Own, Settings

if TYPE_CHECKING:
    from adapters.mail.smtp import Outgoing

KIND = "message"
_KEEPS_SENT = ("gmail.com", "googlemail.com", "office365.com", "outlook.com")  # put a copy into Sent by themselves


def _left_out(why: str) -> RecordRefused:
    return RecordRefused(
        Text(f"left out on purpose: {why} (own_domains, own_addresses, ignore)",
             f"намеренно не берётся: {why} (own_domains, own_addresses, ignore)"),
        code=f"mail.{why}",
    )  # fmt: skip


class MailAdapter(Adapter):
    """A letter's record id is `Message-ID#fingerprint` (why: see parse.py)."""

    title: ClassVar[Text] = Text("Mail", "Почта")
    role: ClassVar[str] = "mail"
    mapping: ClassVar[str] = "mail"
    suffixes = (".eml", ".mbox")
    Settings: ClassVar[type[AdapterSettings]] = Settings
    capabilities = Capabilities(
        scans=frozenset({KIND}),
        reads=frozenset({KIND}),
        creates=frozenset({KIND}),
        finds=frozenset({KIND}),
        vague=frozenset({KIND}),  # a letter that went out may not be in Sent yet, or never
        files=True,
    )

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._own = Own(settings)
        self._box = Mailbox(settings, context.limiter.wait)
        if not getattr(settings, "smtp_host", ""):  # a mailbox that is only read
            nothing = frozenset[str]()
            self.capabilities = dataclasses.replace(self.capabilities, creates=nothing, finds=nothing, vague=nothing)

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return 3 if files.resembles(name, head) else 0

    def check(self) -> Iterator[Finding]:
        yield from check.findings(self.settings, self.context)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        self._connect()
        scanner = scan.Scanner(self._box, self.settings, self._own, self.context.now, self.context.language)
        yield from scanner.pages(cursor)

    def read(self, kind: str, id: str) -> Record | None:
        """Looked for by its Message-ID in the synced folders, then in the others: a moved letter is not gone."""
        self._connect()
        message_id = id.rpartition("#")[0] or id
        for record in self._with_id(message_id, everywhere=True):
            if record.id == id:
                return record
        return None

    def find(self, kind: str, key: str) -> Record | None:
        """The letter that was sent for this key, in Sent or wherever a copy came to."""
        self._connect()
        from adapters.mail import smtp  # only those who send need it

        return next(self._with_id(smtp.message_id_of(self.settings, key), everywhere=False), None)

    def write(self, change: Change) -> Record:
        """Send, then keep a copy in Sent unless the provider does. A failing copy does not make the sending fail."""
        if change.kind != KIND or change.id is not None or not self.settings.smtp_host:
            raise RecordRefused(
                Text("A letter can only be sent, and only with smtp_host set.",
                     "Письмо можно только отправить, и только если задан smtp_host."),
                code="mail.only_send",
                field="id",
            )  # fmt: skip
        now = self.context.now()
        from adapters.mail import smtp

        letter = smtp.compose(change, self.settings, now)
        self.context.limiter.wait()
        smtp.send(letter, self.settings)
        record = parse.read(letter.raw, self._seen(in_sent=True)).record
        try:
            self._keep_copy(letter)
        except SverkaError as error:
            self.context.log.warning("%s: the copy in Sent was not made: %s", self.context.connection, error.code)
        if record is None:  # to ourselves only: sent, but nothing that the hub stores
            return Record(KIND, f"{letter.message_id}#internal", {"message_id": letter.message_id})
        return record

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem]:
        """The letters of an .eml or .mbox file. Works without settings: then every letter reads as incoming."""
        limit = getattr(self.settings, "max_size", 25_000_000)
        received = arrival.at if arrival.at > parse.NEVER else self.context.now()
        for number, (raw, size) in enumerate(files.letters(arrival, limit), 1):
            seen = parse.Seen(self._own, None, False, received, self.context.language)
            whole = size <= limit
            letter = parse.read_all(raw, seen) if whole else parse.read_header(raw, seen, scan.note(size, limit))
            if letter.record is None:
                yield Problem("message", f"{arrival.name}@{number}", _left_out(letter.dropped))
            else:
                found = oddities.notes(mime.load(raw), letter.record.data, seen)
                yield dataclasses.replace(letter.record, notes=found)

    def close(self) -> None:
        self._box.close()

    def _connect(self) -> None:
        if not self._box.is_alive():
            self._box.close()
            self._box.open()

    def _seen(self, in_sent: bool, header: Header | None = None) -> parse.Seen:
        arrived = header.arrived if header else None
        return parse.Seen(self._own, arrived, in_sent, self.context.now(), self.context.language)

    def _with_id(self, message_id: str, everywhere: bool) -> Iterator[Record]:
        """The kept letters with this id: Sent first, then the synced folders, then (everywhere) all but spam and trash."""
        existing = self._box.folders()
        wanted = [names.resolve(f, existing) for f in ("\\Sent", *self.settings.folders)]
        if everywhere:
            wanted += [f.name for f in existing if f.selectable and not names.is_rubbish(f, existing)]
        for name in dict.fromkeys(n for n in wanted if n):
            try:
                self._box.select(name)
            except NoFolder:
                continue
            yield from self._matching(message_id, names.is_sent(name, existing))

    def _matching(self, message_id: str, in_sent: bool) -> Iterator[Record]:
        if message_id.endswith("@no-message-id"):
            uids = self._box.without_header("Message-ID")
        else:
            # SEARCH takes ASCII, and a substring is enough: the letter itself is compared afterwards
            part = max(re.findall(r"[\x21-\x7e]+", message_id), key=len, default="")
            uids = self._box.with_header("Message-ID", part) or self._box.with_header(parse.OWN_ID, part)
        for header in self._box.headers(uids):
            seen = self._seen(in_sent, header)
            if header.size > self.settings.max_size:
                letter = parse.read_header(header.raw, seen, scan.note(header.size, self.settings.max_size))
            else:
                letter = parse.read(self._box.bodies([header.uid]).get(header.uid, header.raw), seen)
            if letter.record is not None and letter.record.data["message_id"] == message_id:
                yield letter.record

    def _keep_copy(self, letter: Outgoing) -> None:
        host = self.settings.imap_host.lower()
        if host.endswith(_KEEPS_SENT):
            return
        self._connect()
        if self._box.has_capability("X-GM-EXT-1"):
            return
        existing: list[Folder] = self._box.folders()
        name = names.resolve("\\Sent", existing)
        if name is None:
            self.context.log.warning("%s: there is no Sent folder for the copy", self.context.connection)
            return
        self._box.select(name)
        if not self._box.with_header("Message-ID", letter.message_id):  # some providers do keep one
            self._box.append(name, letter.raw, self.context.now())
