"""Where the accountant sees the deal's stage, and how it is read from there.

УНФ: the order's state. УТ, КА, ERP: an additional attribute of the order, and the client deal (Сделка) that it belongs to,
which knows won, lost and in work only and is therefore not read back. БП: the attribute. Anywhere: a mark in the comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.base import Native
from adapters.onec.odata.settings import ODataSettings

WON, LOST, OPEN = "Выиграна", "Проиграна", "ВРаботе"  # the enumeration СтатусыСделок
_MARK = re.compile(r"\s*\[CRM: ([^\]]*)\]")


class Stage:
    """The word of the deal's stage, there and back."""

    def __init__(self, settings: ODataSettings) -> None:
        self._settings = settings
        self.shows = settings.shows

    def shown(self, row: Native, extra: Mapping[str, object], state: str) -> str:
        """The word that stands in 1C; "" where none does, which is to say so: it is written there then."""
        if "attribute" in self.shows:
            return str(extra.get(self._settings.attribute) or "")
        if "state" in self.shows:
            return state
        found = _MARK.search(str(row.get("Комментарий") or ""))
        return found[1] if found else ""

    def outcome(self, word: str) -> str:
        """The status of the client deal for a stage's word."""
        return WON if word in self._settings.deal_won else LOST if word in self._settings.deal_lost else OPEN


def unmarked(comment: object) -> str:
    """The comment as people wrote it."""
    return _MARK.sub("", str(comment or ""))


def mark_of(comment: object) -> str:
    """The mark in a comment, with the blank before it; "" where there is none."""
    found = _MARK.search(str(comment or ""))
    return found[0] if found else ""


def marked(comment: object, word: str) -> str:
    said = unmarked(comment)
    return f"{said} [CRM: {word}]".strip() if word else said
