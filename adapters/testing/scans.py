"""Scans and reads: nothing is missed, cursors live in themselves, absence is believed only where it is proved."""

from __future__ import annotations

from functools import partial

from adapters.base import RetryLater
from adapters.testing.hooks import Hooks, needs
from adapters.testing.tools import KitLimiter, assert_json_like, assert_record, stable_hash


class ScanTests(Hooks):
    @needs("scans")
    def test_scan_covers_everything_and_ends(self) -> None:
        for kind in self.declared.scans:
            ids = self.seed(kind, 7)
            pages = self.pages(kind)
            assert pages, f"{kind}: a scan has at least one page"
            assert pages[-1].last, f"{kind}: the last page is not marked `last`"
            assert not any(page.last for page in pages[:-1]), f"{kind}: pages after the one marked `last`"
            assert not any(page.complete for page in pages if not page.last), f"{kind}: `complete` without `last`"
            seen = {record.id for page in pages for record in page.records}
            assert seen >= set(ids), f"{kind}: the scan missed {sorted(set(ids) - seen)}"
            for page in pages:
                assert_json_like(page.cursor, f"{kind}: cursor")
                for record in page.records:
                    assert record.kind == kind, f"a scan of {kind} gives {record.kind}"
                    assert_record(record)

    @needs("scans")
    def test_scan_resumes_at_every_page(self) -> None:
        """A cursor must never pass unread data, and must live in itself: the adapter that made it is gone."""
        for kind in self.declared.scans:
            ids = set(self.seed(kind, 7))
            pages = self.pages(kind)
            assert len(pages) > 1 or kind in self.one_page, f"{kind}: make() needs a page size below 7 (or `one_page`)"
            for position, page in enumerate(pages):
                before = {record.id for earlier in pages[: position + 1] for record in earlier.records}
                after = {record.id for later in self.pages(kind, page.cursor) for record in later.records}
                assert before | after >= ids, f"{kind}: lost after page {position}: {sorted(ids - before - after)}"

    @needs("scans")
    def test_second_scan_gives_nothing_new(self) -> None:
        for kind in self.declared.scans:
            ids = set(self.seed(kind, 3))
            pages = self.pages(kind)
            known = {stable_hash(record) for page in pages for record in page.records}
            again = self.pages(kind, pages[-1].cursor)
            records = [record for page in again for record in page.records]
            new = [record.id for record in records if stable_hash(record) not in known]
            assert not new, f"{kind}: nothing moved, yet the second scan differs in {new}"
            partial = any(page.complete for page in again) and not {record.id for record in records} >= ids
            assert not partial, f"{kind}: a scan of changes calls itself complete: everything would count as deleted"

    @needs("completes")
    def test_a_scan_from_the_beginning_is_complete_where_promised(self) -> None:
        """Only such a scan shows who is gone without a trace; one that goes on from a cursor never does."""
        for kind in self.declared.completes:
            assert kind in self.declared.scans, f"{kind}: `completes` without `scans`"
            self.seed(kind, 7)
            pages = self.pages(kind)
            assert pages[-1].complete, f"{kind}: `completes` is declared, and a whole scan does not say so"
            if begun := pages[0].cursor:  # without one, every scan is from the beginning
                assert not self.pages(kind, begun)[-1].complete, f"{kind}: a resumed scan calls itself complete"

    @needs("scans", "updates|edit")
    def test_scan_sees_an_edit(self) -> None:
        """Where nothing is ever edited (letters), nothing is updated either, and the hook is left out."""
        for kind in self.declared.scans:
            id = self.seed(kind, 3)[0]
            pages = self.pages(kind)
            known = {stable_hash(record) for page in pages for record in page.records}
            self.edit(kind, id)
            again = [record for page in self.pages(kind, pages[-1].cursor) for record in page.records]
            moved = {record.id for record in again if stable_hash(record) not in known}
            assert id in moved, f"{kind} {id} was edited and the next scan does not show it"

    @needs("scans", "delete")
    def test_scan_shows_a_deletion(self) -> None:
        """By a tombstone in the next scan, or by absence from a complete one."""
        for kind in self.declared.scans:
            id = self.seed(kind, 2)[0]
            end = self.pages(kind)[-1].cursor
            self.delete(kind, id)
            marks = [r for page in self.pages(kind, end) for r in page.records if r.id == id and r.deleted]
            whole = self.pages(kind)
            live = {record.id for page in whole for record in page.records if not record.deleted}
            assert id not in live, f"{kind} {id} was deleted and is still shown as live"
            assert marks or whole[-1].complete, f"{kind}: no tombstone and no complete scan: the deletion stays unseen"

    @needs("scans")
    def test_busy_scan_is_retried(self) -> None:
        for kind in self.declared.scans:
            self.seed(kind, 1)
            self.fail_next_call()
            self.raises(RetryLater, partial(self.pages, kind))
            assert self.pages(kind)[-1].last, f"{kind}: after a busy answer the scan does not work again"

    @needs("scans|reads")
    def test_asks_the_limiter(self) -> None:
        with self.opened() as adapter:
            limiter = adapter.context.limiter
            assert isinstance(limiter, KitLimiter), "make() must use kit_context()"
            for kind in self.declared.scans:
                list(adapter.scan(kind, None))
            for kind in self.declared.reads:
                adapter.read(kind, self.unknown_id)
            assert limiter.waits > 0, "no call asked context.limiter"

    @needs("scans", "reads")
    def test_read_equals_scan(self) -> None:
        for kind in self.declared.scans & self.declared.reads:
            self.seed(kind, 2)
            scanned = [record for page in self.pages(kind) for record in page.records if not record.deleted]
            with self.opened() as adapter:
                for record in scanned:
                    again = adapter.read(kind, record.id)
                    assert again is not None, f"{kind} {record.id} is scanned but cannot be read"
                    assert again.data == record.data, f"{kind} {record.id} reads otherwise than it scans"
                    assert stable_hash(again) == stable_hash(record), (
                        f"{kind} {record.id} has another version when read"
                    )

    @needs("reads")
    def test_unknown_record_reads_as_none(self) -> None:
        with self.opened() as adapter:
            for kind in self.declared.reads:
                assert adapter.read(kind, self.unknown_id) is None, f"an unknown {kind} does not read as None"
