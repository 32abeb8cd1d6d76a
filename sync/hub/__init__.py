"""The application functions: what the pages, the API and the commands call."""

from sync.hub.runtime import Hub

__all__ = ["Hub"]
