"""The application functions: what the pages, the API and the commands call."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sync.hub.runtime import Hub

__all__ = ["Hub"]


def __getattr__(name: str) -> Any:
    """`Hub` is imported when it is asked for: what looks at a file only needs no database."""
    if name == "Hub":
        from sync.hub.runtime import Hub

        return Hub
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
