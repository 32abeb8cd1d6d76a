"""An event by its shape, and whether it is a client's at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.identity.evidence.calls import read_call
from sync.identity.evidence.forms import read_form
from sync.identity.evidence.gather import text_of
from sync.identity.evidence.letters import read_letter
from sync.identity.evidence.sender import Evidence, Own


def read(event: Mapping[str, Any], own: Own) -> Evidence:
    """The evidence in one event. Never raises: what cannot be read is in `refused`, with the reason."""
    kind = text_of(event, "kind")
    found = Evidence(kind, text_of(event, "at"))
    if kind == "email":
        read_letter(found, event, own)
    elif kind == "call":
        read_call(found, event, own)
    else:
        read_form(found, event, own)
    if not found.ignored and found.kind != "call" and found.mailboxes and _all_own(found, own):
        found.ignored = "own_staff"
    found.mailboxes = [m for m in found.mailboxes if not own.holds(m.value.rpartition("@")[2])]
    found.phones = [p for p in found.phones if p not in own.lines]
    found.inns = [i for i in found.inns if i not in own.inns]
    return found


def _all_own(found: Evidence, own: Own) -> bool:
    return all(own.holds(m.value.rpartition("@")[2]) for m in found.mailboxes) and not found.phones and not found.inns
