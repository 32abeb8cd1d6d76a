"""Which client is this event about? Evidence that can be read, or a question."""

from sync.identity.clients import attach
from sync.identity.resolver import Keys, Known, Verdict, keys_of, resolve

__all__ = ["Keys", "Known", "Verdict", "attach", "keys_of", "resolve"]
