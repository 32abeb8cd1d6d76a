"""Which client is this event about? Evidence that can be read, or a question."""

from sync.identity.clients import attach, card_of
from sync.identity.resolver import Keys, Known, Verdict, keys_of, resolve

__all__ = ["Keys", "Known", "Verdict", "attach", "card_of", "keys_of", "resolve"]
