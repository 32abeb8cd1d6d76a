"""What counts as agreed with a record that the hub has just written, or made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.flow.plug import Plug, World
from sync.flow.weave import by_hand, typed, typed_field
from sync.lens import Lens
from sync.model.compare import same
from sync.reconcile import policy_for
from sync.store.tables import record


def agreed(lens: Lens, row: Any, seen: Mapping[str, Any]) -> dict[str, Any]:
    """What is agreed for the fields that were written: what is observed there. What else moved there is news and is
    decided next. So is another value in a record whose create was only found later: a user may have edited it since."""
    found = {f: seen[f] for f in row.fields if f in seen}
    if row.op == "create" and row.state != "planned":
        found |= {f: row.fields[f] for f in found if f in lens.two_way and found[f] not in (None, "", [], {})}
    return found


def untold(world: World, tx: Connection, plug: Plug, row: Any, seen: Mapping[str, Any]) -> list[str] | None:
    """Of a new link: the fields in which the record may have moved since its values were sent there; None where that is all
    there is to say.

    What the new record's own system decides is not among them where other systems changed it while the call was under way:
    its owner has a word from now on, and is not written (I7). What a person decided meanwhile still goes there.
    """
    whole = tx.execute(sa.select(record.c.kind, record.c.data).where(record.c.uid == row.record_uid)).one()
    data = typed(whole.kind, whole.data)
    late = {
        f
        for f, value in row.fields.items()
        if f in data
        and policy_for(whole.kind, f, world.config.owners).owner in (plug.role, f"connection:{plug.name}")
        and not same(f, data[f], typed_field(whole.kind, f, value))
        and not by_hand(tx, row.record_uid, f)
    }
    return sorted((seen.keys() & data.keys()) - late) if late else None
