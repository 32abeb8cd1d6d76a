"""What of the inbox waits to be taken: so that a page that is stored already is not stored once more."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.intake.inbox import Incoming
from sync.store import Store
from sync.store.asked import HERE
from sync.store.tables import inbox

_POLLED = (
    sa.select(inbox.c.id).where(inbox.c.state == "new", inbox.c.connection == HERE, inbox.c.via == "poll").limit(1)
)


def polled(store: Store, connection: str) -> bool:
    """Whether a page that was fetched waits to be taken."""
    with store.read() as tx:
        return tx.execute(_POLLED, {"here": connection}).first() is not None


def waits(tx: Connection, item: Incoming) -> bool:
    """Whether the same, by its key up to the last colon, waits to be taken already."""
    begin = item.key.rpartition(":")[0] + ":"
    query = sa.select(inbox.c.id).where(
        inbox.c.state == "new", inbox.c.connection == item.connection, inbox.c.key.startswith(begin, autoescape=True)
    )
    return tx.execute(query.limit(1)).first() is not None
