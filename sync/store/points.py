"""The named instants at which a process may die: around every commit and every call to another system.

The product only passes through them; a test installs `hook` to stop the process at the n-th one and to prove that nothing
is lost and nothing doubled wherever that is.
"""

from __future__ import annotations

from collections.abc import Callable

hook: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """Pass the instant `point` ("commit:before", "call:shop.write:after", …)."""
    if hook is not None:
        hook(point)
