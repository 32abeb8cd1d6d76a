"""Bitrix24 by its REST v2 and an incoming webhook: leads, deals, contacts and companies, both ways.

Polling alone is enough; events only say where to look sooner. Nothing is installed in the portal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.base import (
    Adapter,
    AdapterContext,
    Arrival,
    Capabilities,
    Change,
    Finding,
    Hint,
    Move,
    Native,
    Page,
    Problem,
    Reception,
    Record,
    RetryLater,
    Text,
)
from adapters.bitrix24 import arrivals, files
from adapters.bitrix24.check import Check
from adapters.bitrix24.client import BitrixClient, number
from adapters.bitrix24.gathering import TYPES, Gatherer
from adapters.bitrix24.reader import Reader
from adapters.bitrix24.records import KINDS, bare
from adapters.bitrix24.scan import Scan
from adapters.bitrix24.settings import Bitrix24Settings
from adapters.bitrix24.words import Words
from adapters.bitrix24.write import Writer


class Bitrix24Adapter(Adapter):
    """Native kinds: "lead", "deal", "contact" and "company", with the portal's own fields (and some told once more, see
    `records`). Ids are the portal's, as text."""

    title = Text("Bitrix24", "Битрикс24")
    role = "crm"
    mapping = "bitrix24"
    Settings = Bitrix24Settings
    capabilities = Capabilities(
        scans=KINDS,
        completes=KINDS,
        reads=KINDS,
        updates=KINDS,
        creates=KINDS,
        deletes=KINDS,
        finds=KINDS,
        gathers=frozenset(TYPES),
        receives=True,
    )

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._client = BitrixClient(settings, context)
        self._reader, self._words = Reader(self._client), Words(self._client)
        self._gatherer = Gatherer(self._client, context.language)
        self._writer = Writer(self._client, self._reader, self._words, settings.originator)
        given = (settings.application_token, settings.previous_application_token)
        self._tokens = [token for token in given if token is not None]

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return files.likeness(head)

    def check(self) -> Iterator[Finding]:
        return Check(self._client, self._words, self.settings).run()

    def words(self) -> Iterator[tuple[str, Native]]:
        """(kind, the part of a record that says it) of every stage and status that the portal has."""
        for word in self._words.stages(fresh=True):
            yield "deal", {"STAGE_ID": word.code, "STAGE": bare(word.code), "CATEGORY_ID": word.pipeline}
        for word in self._words.statuses():
            yield "lead", {"STATUS_ID": word.code}

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """By id; first everything, then what was modified. Deletions are seen by a whole scan, an event or a reading."""
        return Scan(self._client, self._reader, kind, self.settings.overlap, cursor).pages()

    def read(self, kind: str, id: str) -> Record | None:
        if not number(id):
            return None
        found = self._reader.one(kind, id)
        if found is not None or self._reader.gone(kind, id):
            return found
        raise RetryLater(
            Text(
                f"{self._client.host}: {kind} {id} is there, but the list does not show it",
                f"{self._client.host}: запись {kind} {id} есть, но список её не показывает",
            ),
            code="bitrix.hidden",
        )

    def write(self, change: Change) -> Record:
        return self._writer.write(change)

    def find(self, kind: str, key: str) -> Record | None:
        return self._reader.by_origin(kind, self.settings.originator, key)

    def lying(self, kind: str, id: str) -> list[str]:
        return self._gatherer.lying(kind, id)

    def gather(self, move: Move) -> list[str]:
        return self._gatherer.gather(move)

    def receive(self, arrival: Arrival) -> Reception:
        return arrivals.receive(arrival, self._tokens)

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem | Hint]:
        if not arrival.method and files.is_json(arrival):  # a file, not a post
            return files.rows_of(arrival.read())
        return arrivals.unpack(arrival)

    def close(self) -> None:
        self._client.close()


__all__ = ["Bitrix24Adapter", "Bitrix24Settings"]
