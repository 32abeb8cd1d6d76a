"""From the shop's JSON to records: what is kept, what is a draft, what is a deletion mark."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from adapters.base import Native, Record

PATHS = {"order": "orders", "product": "products"}
DRAFTS = frozenset({"checkout-draft", "auto-draft"})
# Links repeat the address; related_ids are drawn at random at every request. Both would look like a change.
VOLATILE = frozenset({"_links", "related_ids"})


def record(kind: str, row: Native) -> Record:
    """The version is the shop's own GMT stamp, naive as it is sent. The trash is an explicit deletion mark."""
    data = {name: value for name, value in row.items() if name not in VOLATILE}
    return Record(kind, str(row["id"]), data, version(row), deleted=row.get("status") == "trash")


def version(row: Native) -> str:
    stamp = row.get("date_modified_gmt")
    return stamp if isinstance(stamp, str) else ""


def is_draft(row: Native) -> bool:
    """A cart in the making, or an empty form in the shop's admin pages: not yet a record."""
    return row.get("status") in DRAFTS


def stamp(row: Native) -> datetime | None:
    """The modified time as aware UTC, None where the shop has none (drafts) or writes something else."""
    return parse(version(row))


def parse(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if moment is None else moment.replace(tzinfo=UTC)


def naive(moment: datetime) -> str:
    """GMT without a zone: the only form that `dates_are_gmt` reads rightly (a zone with the flag loses rows in silence)."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()
