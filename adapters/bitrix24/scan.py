"""Pulling all changes: a keyset over ID, within a filter on the modified stamp; never a page number over a list that moves.

Every request asks `>ID` = the last one taken, in the order of ids, with `start = -1` (no counting). A first walk goes over
everything; each later one over what was modified since the bookmark. What is modified *while* a walk passes may lie before
its place: therefore the bookmark for the next walk is the portal's own clock at this walk's first request, less `overlap`
seconds for records that are stamped early and committed late. Equal stamps cannot hide anything, as they order nothing.
A record of the overlap comes again, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.base import BadConfig, Native, Page, Text
from adapters.bitrix24.client import BitrixClient, number
from adapters.bitrix24.reader import PAGE, Reader
from adapters.bitrix24.records import select


class Scan:
    """One walk over one kind. The cursor: `since` (""  = everything), `id` (the last one taken), `next` (the next `since`)."""

    def __init__(self, client: BitrixClient, reader: Reader, kind: str, overlap: int, cursor: Native | None) -> None:
        given = cursor or {}
        self._client, self._reader, self._kind = client, reader, kind
        self._overlap = timedelta(seconds=overlap)
        self._since, self._next = moment(given.get("since")), moment(given.get("next"))
        self._id = number(given.get("id"))
        self._whole = self._since is None and self._id == 0

    def pages(self) -> Iterator[Page]:
        while True:
            rows, at = self._client.listed(f"crm.{self._kind}.list", self._params())
            self._check(rows)
            if self._next is None:
                if at is None:
                    raise self._client.odd("bitrix.shape", "the answer has no time", "в ответе нет времени")
                self._next = at - self._overlap
            records = self._reader.records(self._kind, rows)
            last = len(rows) < PAGE
            self._id = 0 if last else number(rows[-1]["ID"])
            yield Page(records, self._cursor(last), last, complete=last and self._whole)
            if last:
                return

    def _params(self) -> Native:
        wanted: Native = {">ID": self._id}
        if self._since is not None:
            wanted[">=DATE_MODIFY"] = self._since.isoformat()
        return {"filter": wanted, "order": {"ID": "ASC"}, "select": select(self._kind), "start": -1}

    def _cursor(self, last: bool) -> Native:
        assert self._next is not None
        if last:
            return {"since": self._next.isoformat(), "id": 0, "next": ""}
        return {"since": self._since.isoformat() if self._since else "", "id": self._id, "next": self._next.isoformat()}

    def _check(self, rows: list[Native]) -> None:
        """A filter with a name that the portal does not know is ignored in silence: the rows must say that it works."""
        ids = [number(row["ID"]) for row in rows]
        ordered = all(one < other for one, other in zip([self._id, *ids], ids, strict=False))
        old = self._since is not None and any((moment(r.get("DATE_MODIFY")) or self._since) < self._since for r in rows)
        if old or not ordered or len(rows) > PAGE:
            raise filter_broken(self._client.host, self._kind)


def moment(text: Any) -> datetime | None:
    """An aware time of the portal's text, None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None


def filter_broken(host: str, kind: str) -> BadConfig:
    return BadConfig(
        Text(
            f"{host}: crm.{kind}.list does not filter and order by ID and DATE_MODIFY as documented; changes would be lost",
            f"{host}: crm.{kind}.list не отбирает и не упорядочивает по ID и DATE_MODIFY, как описано; изменения терялись бы",
        ),
        code="bitrix.filter",
        setting="webhook",
        remedy=Text(
            "Look whether a module of a self-hosted portal changes the REST answers; then update the portal.",
            "Проверьте, не меняет ли ответы REST модуль коробочного портала, и обновите портал.",
        ),
    )
