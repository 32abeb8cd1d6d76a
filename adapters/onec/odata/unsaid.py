"""Which deals were lost for no reason that 1C knows: there the reason stays empty, and that says nothing.

1C asks a lost Сделка for a reason in its form only (fillChecking, read in the published text of УТ 11.5.18), so that one is
left out where the catalogue lacks the word for none. Without remembering for which orders this was done, an empty reason could
be one that 1C still lacks.
"""

from __future__ import annotations

from adapters.base import AdapterContext

_KEPT = "odata.unsaid"
_MANY = 10_000  # the newest


class Unsaid:
    """`in`: as it was known at the last `look`, or has been noted since."""

    def __init__(self, context: AdapterContext) -> None:
        self._context = context
        self._known: set[str] | None = None

    def __contains__(self, order: str) -> bool:
        if self._known is None:
            self._known = set(self._kept())
        return order in self._known

    def look_anew(self) -> None:
        """Another process may have noted some."""
        self._known = None

    def note(self, order: str, *, unsaid: bool) -> None:
        """The reason of this order's loss was left out, or is none of those any more."""
        known = self._kept()
        if unsaid != (order in known):
            known = [*(one for one in known if one != order), *([order] if unsaid else [])][-_MANY:]
            self._context.kept.save(_KEPT, {"orders": known})
        self._known = set(known)

    def _kept(self) -> list[str]:
        return list(map(str, (self._context.kept.load(_KEPT) or {}).get("orders") or []))
