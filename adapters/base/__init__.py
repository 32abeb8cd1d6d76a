"""The contract between the hub and every adapter: all of it is imported from here.

An adapter knows one vendor's wire and nothing of the hub: no canonical model, no database, no other adapter. It yields and
takes *native* records and declares what it can do; the engine asks capabilities, never names. Adapters raise only the
errors of `sync.errors` (re-exported here) and import nothing else of the hub.

`adapter` is what to override, `records` and `arrivals` are what passes, `context` and `serving` what the hub lends.
"""

from adapters.base.adapter import Adapter, AdapterSettings, Capabilities, Finding
from adapters.base.arrivals import Arrival, Reception, Reply
from adapters.base.context import PICTURES, AdapterContext, Keeper, KeptInMemory, Limiter, NoPictures, Pictures, Taken
from adapters.base.records import Change, Hint, Move, Native, Page, Problem, Record, Unchanged
from adapters.base.serving import Batch, ImportState, Offered, Request, ServerContext, ServerProtocol
from sync.errors import (
    BadConfig,
    Fatal,
    Incomplete,
    NeedHuman,
    OutcomeUnknown,
    PreconditionFailed,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)

__all__ = [
    "PICTURES",
    "Adapter",
    "AdapterContext",
    "AdapterSettings",
    "Arrival",
    "BadConfig",
    "Batch",
    "Capabilities",
    "Change",
    "Fatal",
    "Finding",
    "Hint",
    "ImportState",
    "Incomplete",
    "Keeper",
    "KeptInMemory",
    "Limiter",
    "Move",
    "Native",
    "NeedHuman",
    "NoPictures",
    "Offered",
    "OutcomeUnknown",
    "Page",
    "Pictures",
    "PreconditionFailed",
    "Problem",
    "Reception",
    "Record",
    "RecordRefused",
    "Reply",
    "Request",
    "RetryLater",
    "ServerContext",
    "ServerProtocol",
    "SverkaError",
    "Taken",
    "Text",
    "Unchanged",
]
