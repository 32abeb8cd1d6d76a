"""Pulling all changes: a keyset over (modified, id), never a page number over a list that moves.

    shop's list, oldest change first     position = (modified, id) of the last row taken
    … │ 07:09:20 #8 │ 07:09:20 #11 │ 07:09:20 #12 │ 07:09:21 #3 │ …
                      ▲ asked again: the guard row     └ new rows

Every request asks `modified_after = position − 1 s` (the filter is strict, stamps have one second) and skips the rows of that
second that were already taken, except the last one. If the page begins at this guard row or before it, nothing can lie between
it and what was taken. If not, a row of the second was edited away or trashed meanwhile and the rest moved up: then the request
goes back in steps until the page begins early enough. Rows that come twice are dropped by (id, modified).

The bookmark holds the shop's own times only. What is younger than `overlap` seconds by the shop's clock (the Date header) when
it is read may still be changed in the same second or be joined by rows committed late: the place where this began (`safe`)
is kept, and the next scan starts there again. On a quiet shop it therefore soon reads one row only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.base import BadConfig, Native, Page, RetryLater, Text
from adapters.woocommerce.client import Answer, WooClient
from adapters.woocommerce.records import PATHS, is_draft, naive, parse, record, stamp

SECOND = timedelta(seconds=1)
LIMIT = 100  # the largest per_page
SHRINK_ON = frozenset(
    {"woo.timeout", "woo.server", "woo.busy", "woo.cut", "woo.truncated", "woo.empty", "woo.too_large"}
)
START = datetime(1, 1, 1, tzinfo=UTC)


class Size:
    """How many records are asked for at once: halved when the shop does not manage, grown slowly when it does."""

    def __init__(self, wanted: int) -> None:
        self.wanted = self.now = wanted
        self._good = 0

    def halve(self) -> bool:
        if self.now == 1:
            return False
        self.now, self._good = max(1, self.now // 2), 0
        return True

    def good(self) -> None:
        self._good += 1
        if self._good >= 3 and self.now < self.wanted:
            self.now, self._good = min(self.wanted, self.now + max(1, self.now // 4)), 0


@dataclass(frozen=True, slots=True)
class Position:
    """The last row taken. `count`: rows of its second up to and with it; 0 when no row was taken there yet."""

    at: datetime
    id: int = 0
    count: int = 0

    def key(self) -> tuple[datetime, int]:
        return self.at, self.id


class Scan:
    """One walk over one kind. Its pages may be stopped and resumed at any boundary."""

    def __init__(self, client: WooClient, kind: str, size: Size, overlap: int, cursor: Native | None) -> None:
        self._client, self._kind, self._size = client, kind, size
        self._overlap = timedelta(seconds=overlap)
        self._safe: datetime | None = None
        self._at = self._resume(cursor or {})
        self._whole = self._at is None
        self._seen: set[tuple[int, str]] = set()
        self._first_total: int | None = None

    def pages(self) -> Iterator[Page]:
        while True:
            offset, answer = self._fetch()
            rows: list[Native] = answer.data
            if not rows:
                self._believe_empty(offset, answer)
            fresh = [row for row in rows if self._is_new(row)]
            before = self._at
            moved = self._advance(offset, rows)
            last = not self._more(offset, len(rows), answer.total)
            if not moved and not last:
                raise self._stuck("more records are counted than sent", "насчитано больше записей, чем прислано")
            complete = last and self._whole and self._saw_all()
            records = [record(self._kind, row) for row in fresh if not is_draft(row)]
            yield Page(records, self._cursor(before, last), last, complete)
            if last:
                return

    # where to start and what to remember ---------------------------------------------------------------------------

    def _resume(self, cursor: Native) -> Position | None:
        moment, safe = parse(cursor.get("modified")), parse(cursor.get("safe"))
        if moment is None:
            return None
        safe = moment - self._overlap if safe is None else safe
        if cursor.get("done") and safe < moment:
            return Position(safe)
        if not cursor.get("done"):
            self._safe = safe
        id, count = cursor.get("id"), cursor.get("count")
        return Position(moment, id if isinstance(id, int) else 0, count if isinstance(count, int) else 0)

    def _cursor(self, before: Position | None, last: bool) -> Native:
        """`safe` follows the position only while that is older than the overlap; from there on it stands still."""
        if self._at is None:
            return {}
        if self._safe is None or before is None or self._safe >= before.at:
            now = self._client.shop_time or self._at.at
            self._safe = min(self._at.at, now - self._overlap)
        at = self._at
        return {"modified": naive(at.at), "id": at.id, "count": at.count, "safe": naive(self._safe), "done": last}

    # one request ---------------------------------------------------------------------------------------------------

    def _fetch(self) -> tuple[int, Answer]:
        """The page that begins at the guard row or before it: (its offset, its rows)."""
        back = 1
        while True:
            offset = max(0, (self._at.count if self._at else 0) - back)
            answer = self._request(offset)
            if offset == 0 or (answer.data and self._key(answer.data[0]) <= self._bound().key()):
                return offset, answer
            back *= 4

    def _request(self, offset: int) -> Answer:
        params = {"orderby": "modified", "order": "asc", "status": "any"}
        if self._at:
            params |= {"modified_after": naive(self._at.at - SECOND), "dates_are_gmt": "true"}
        if offset:
            params["offset"] = str(offset)
        while True:
            params["per_page"] = str(min(LIMIT, self._size.now + (1 if self._at else 0)))  # one more for the guard row
            try:
                answer = self._client.get_list(PATHS[self._kind], params)
            except RetryLater as error:
                if error.code not in SHRINK_ON or error.after is not None or not self._size.halve():
                    raise
                continue
            self._size.good()
            self._check_filter(offset, answer)
            if self._first_total is None:
                self._first_total = answer.total
            return answer

    # what the rows say ---------------------------------------------------------------------------------------------

    def _bound(self) -> Position:
        return self._at or Position(START)

    def _key(self, row: Native) -> tuple[datetime, int]:
        return stamp(row) or START, int(row["id"])

    def _is_new(self, row: Native) -> bool:
        key = (int(row["id"]), str(row.get("date_modified_gmt")))
        known = key in self._seen
        self._seen.add(key)
        guard = self._at is not None and self._at.count > 0 and self._key(row) == self._at.key()
        return not known and not guard

    def _advance(self, offset: int, rows: list[Native]) -> bool:
        """Take the last row as the new position; False when the page brought nothing that moves it."""
        before = self._at
        dated = [row for row in rows if stamp(row)]
        if not dated:
            if rows:
                raise self._stuck("a whole page without date_modified_gmt", "целая страница без date_modified_gmt")
            return False
        at, id = self._key(dated[-1])
        same = sum(1 for row in dated if stamp(row) == at)
        here = before is not None and before.at == at
        self._at = Position(at, id, offset + same if here else same)
        return self._at != before

    def _more(self, offset: int, got: int, total: int | None) -> bool:
        if total is not None:
            return offset + got < total
        return got >= min(LIMIT, self._size.now)

    def _saw_all(self) -> bool:
        """Fewer rows than the shop counted at the start prove nothing about the absent ones."""
        seen = len({id for id, _ in self._seen})
        return seen > 0 if self._first_total is None else seen >= self._first_total

    # answers that are not to be believed ---------------------------------------------------------------------------

    def _check_filter(self, offset: int, answer: Answer) -> None:
        if self._at is None:
            return
        bound = self._at.at - SECOND
        older = any((stamp(row) or START) <= bound for row in answer.data if stamp(row))
        if older or (answer.total is not None and answer.data and offset + len(answer.data) > answer.total):
            raise filter_broken(self._client.base.host)

    def _stuck(self, en: str, ru: str) -> RetryLater:
        host = self._client.base.host
        return RetryLater(
            Text(
                f"{host}, {self._kind}s: {en}; the scan stops here rather than pass them over",
                f"{host}, {self._kind}: {ru}; чтение остановлено, чтобы ничего не пропустить",
            ),
            code="woo.hidden",
            remedy=Text(
                "Look for a plug-in that hides records from the REST API, and at the rights of the key's user.",
                "Проверьте плагины, скрывающие записи от REST API, и права пользователя ключа.",
            ),
        )

    def _believe_empty(self, offset: int, answer: Answer) -> None:
        """200 `[]` is what a wrong filter looks like: the newest record of all must not be newer than the bookmark."""
        if answer.total:
            raise self._stuck(
                f"the shop counts {answer.total} but sends none",
                f"магазин насчитал {answer.total}, но не прислал ни одной",
            )
        if self._at is None:
            return
        bound = self._at.at - SECOND
        newest = {"orderby": "modified", "order": "desc", "status": "any", "per_page": "1"}
        rows: list[Any] = self._client.get_list(PATHS[self._kind], newest).data
        if rows and (stamp(rows[0]) or START) > bound and not self._request(offset).data:
            raise filter_broken(self._client.base.host)


def filter_broken(host: str) -> BadConfig:
    return BadConfig(
        Text(
            f"{host}: the shop does not filter by modified_after with dates_are_gmt as WooCommerce does; changes would be lost",
            f"{host}: магазин не отбирает по modified_after с dates_are_gmt, как WooCommerce; изменения терялись бы",
        ),
        code="woo.filter",
        setting="url",
        remedy=Text(
            "Update WooCommerce (5.8 or newer) and switch off plug-ins or caches that answer /wp-json/ in its place.",
            "Обновите WooCommerce (5.8 или новее) и отключите плагины и кеши, отвечающие вместо него на /wp-json/.",
        ),
    )
