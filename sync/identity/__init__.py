"""Which client is this event about? Evidence that can be read, or a question."""

from sync.identity.clients import Desk, Source, Verdict, follow
from sync.identity.decide import Decision, decide
from sync.identity.evidence import Evidence, Own
from sync.identity.evidence import read as read_event
from sync.identity.index import Index, Job, Profile
from sync.identity.remember import Answer, remember

__all__ = [
    "Answer",
    "Decision",
    "Desk",
    "Evidence",
    "Index",
    "Job",
    "Own",
    "Profile",
    "Source",
    "Verdict",
    "decide",
    "follow",
    "read_event",
    "remember",
]
