"""Which client is this event about? Evidence that can be read, or a question."""

from sync.identity.clients import attach, introduce, recognise
from sync.identity.decide import Decision, decide
from sync.identity.evidence import Evidence, Own
from sync.identity.evidence import read as read_event
from sync.identity.index import Index, Job, Profile
from sync.identity.remember import Answer, remember
from sync.identity.resolver import Keys, Known, Verdict, keys_of, resolve

__all__ = [
    "Answer",
    "Decision",
    "Evidence",
    "Index",
    "Job",
    "Keys",
    "Known",
    "Own",
    "Profile",
    "Verdict",
    "attach",
    "decide",
    "introduce",
    "keys_of",
    "read_event",
    "recognise",
    "remember",
    "resolve",
]
