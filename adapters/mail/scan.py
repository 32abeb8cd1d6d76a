"""Reading new letters folder by folder: headers first, then the bodies of those that may be stored.

Cursor: {"folders": {name: {"uidvalidity", "uid", "since", "until"}}, "filtered": {"internal": n, "bulk": n, "blocked": n}}.
`uid` is the last one dealt with. A uid below the server's UIDNEXT that is not there will never appear (RFC 3501 2.3.1.1),
so an empty stretch may be passed. `since` (a date) limits the first reading, to uids below `until`; letters that come later
are read whatever their age (moved out of Spam). Another UIDVALIDITY means that all uids are new: the folder is read again,
and the records' ids, which do not depend on uids, let the hub see that nothing is new.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.base import BadConfig, Native, Page, Record, Text
from adapters.mail import folders as names
from adapters.mail import mime, parse, people
from adapters.mail.imap import CHUNK, Folder, Header, Mailbox, NoFolder
from adapters.mail.settings import Own, Settings

PAGE = 50  # letters of one page
PAGE_BYTES = 16_000_000  # of bodies fetched at once: memory does not depend on the mailbox
WINDOW = 2_000  # uids of one SEARCH; some servers never return more than 1,000 and do not say so
CAP = 1_000
QUIET = 500  # a page, be it empty, at least after so many letters: the cursor moves on


@dataclass
class Scanner:
    box: Mailbox
    settings: Settings
    own: Own
    now: Callable[[], datetime]
    language: str

    def pages(self, cursor: Native | None) -> Iterator[Page]:
        """All new letters, page by page; the last page is the end mark. A named folder that is missing is an error, but
        only after the others are read."""
        state: dict[str, Any] = copy.deepcopy(cursor) if cursor else {}
        state.setdefault("folders", {})
        state.setdefault("filtered", {})
        existing = self.box.folders()
        missing = []
        for wanted in self.settings.folders:
            name = names.resolve(wanted, existing)
            if name is None:
                missing += [] if wanted.startswith("\\") else [wanted]  # a new mailbox has no Sent yet; `check` says so
                continue
            try:
                yield from self._folder(name, names.is_sent(name, existing), state)
            except NoFolder:
                missing.append(wanted)
        if missing:
            raise no_folders(missing, existing)
        yield Page([], copy.deepcopy(state), last=True)

    def _folder(self, name: str, in_sent: bool, state: dict[str, Any]) -> Iterator[Page]:
        seen = self.box.select(name)
        entry = state["folders"].get(name)
        if entry is None or entry["uidvalidity"] != seen.uidvalidity:
            since = entry.get("since") if entry else None
            since = since or (self.now().astimezone(UTC) - timedelta(days=self.settings.days)).date().isoformat()
            entry = {"uidvalidity": seen.uidvalidity, "uid": 0, "since": since, "until": seen.uidnext or 0}
            state["folders"][name] = entry
        page: list[Record] = []
        quiet = 0  # letters passed since the last page
        for uids, passed in self._windows(entry, seen.uidnext):
            for start in range(0, len(uids), CHUNK):
                for record, uid in self._letters(uids[start : start + CHUNK], in_sent, entry, state["filtered"]):
                    page += [record] if record else []
                    entry["uid"] = max(entry["uid"], uid)
                    quiet += 1
                    if len(page) == PAGE or quiet == QUIET:
                        yield Page(page, copy.deepcopy(state))
                        page, quiet = [], 0
            entry["uid"] = max(entry["uid"], passed)
        entry["until"] = entry["until"] or entry["uid"] + 1  # a server without UIDNEXT: the first reading ends here
        if page:
            yield Page(page, copy.deepcopy(state))

    def _windows(self, entry: dict[str, Any], uidnext: int | None) -> Iterator[tuple[list[int], int]]:
        """The uids not yet read, in stretches, each with the uid up to which the folder is then done."""
        first, width = int(entry["uid"]) + 1, WINDOW
        if uidnext is None:
            found = self.box.uids(first, None, self._since(entry, first))
            yield found, max(found, default=0)
            return
        while first < uidnext:
            last = min(first + width, uidnext) - 1
            since = self._since(entry, first)
            if since and last >= entry["until"]:
                last = max(first, entry["until"] - 1)
            found = self.box.uids(first, last, since)
            if len(found) >= CAP and last - first >= CAP:
                width = CAP
                continue
            yield found, last
            first = last + 1
            width = width * 4 if len(found) < CHUNK else max(width // 4, WINDOW)

    def _since(self, entry: dict[str, Any], first: int) -> date | None:
        limited = first < entry["until"] or not entry["until"]
        return date.fromisoformat(entry["since"]) if limited else None

    def _letters(
        self, uids: list[int], in_sent: bool, entry: dict[str, Any], filtered: dict[str, int]
    ) -> Iterator[tuple[Record | None, int]]:
        """Every letter of the chunk in order of uids, None where it is not to be stored."""
        batch: list[tuple[Header, str]] = []
        size = 0
        for header in self.box.headers(uids):
            why = self._too_old(header, entry) or people.verdict(mime.load_headers(header.raw), self.own, in_sent)
            batch.append((header, why))
            size += header.size if self._wanted(header, why) else 0
            if size > PAGE_BYTES or len(batch) >= PAGE:
                yield from self._read(batch, in_sent, filtered)
                batch, size = [], 0
        yield from self._read(batch, in_sent, filtered)

    def _read(
        self, batch: list[tuple[Header, str]], in_sent: bool, filtered: dict[str, int]
    ) -> Iterator[tuple[Record | None, int]]:
        bodies = self.box.bodies([h.uid for h, why in batch if self._wanted(h, why)])
        for header, why in batch:
            seen = parse.Seen(self.own, header.arrived, in_sent, self.now(), self.language)
            if why and why != "look":
                letter = parse.Letter(None, why)
            elif header.uid in bodies:
                letter = parse.read(bodies[header.uid], seen)
            else:
                letter = parse.read_header(header.raw, seen, self._note(header))
            if letter.dropped and letter.dropped != "old":
                filtered[letter.dropped] = filtered.get(letter.dropped, 0) + 1
            yield letter.record, header.uid

    def _wanted(self, header: Header, why: str) -> bool:
        return why in ("", "look") and header.size <= self.settings.max_size

    def _too_old(self, header: Header, entry: dict[str, Any]) -> str:
        """Some servers answer SINCE with older letters too."""
        since = self._since(entry, header.uid)
        if since and header.arrived and header.arrived.date() < since - timedelta(days=1):
            return "old"
        return ""

    def _note(self, header: Header) -> Text:
        return note(header.size, self.settings.max_size)


def note(size: int, limit: int) -> Text:
    """Why only the header of a letter is there."""
    if size <= limit:
        return Text("The server did not give the letter's text.", "Сервер не отдал текст письма.")
    megabytes = limit // 1_000_000
    return Text(
        f"The letter is larger than the limit of {megabytes} MB (max_size): only its header was fetched.",
        f"Письмо больше предела {megabytes} МБ (max_size): получен только заголовок.",
    )


def no_folders(missing: list[str], existing: list[Folder]) -> BadConfig:
    listed, there = ", ".join(missing), ", ".join(f.name for f in existing[:20])
    return BadConfig(
        Text(f"The mailbox has no folder {listed}. It has: {there}.", f"В ящике нет папки {listed}. Есть: {there}."),
        code="mail.folder",
        setting="folders",
        remedy=Text("Correct the name or make the folder.", "Исправьте имя или создайте папку."),
    )
