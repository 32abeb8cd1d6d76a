"""What waits for a person's yes: rows of `plan`, each with the hash of exactly what it would do.

waiting → approved → applied. What has moved since makes a plan stale, and a new one is asked for; a person may drop one.
Hashes leave out what differs from one look to the next: ids that the hub makes, and times.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import Text
from sync.flow.plug import World
from sync.store.asked import HERE, THIS
from sync.store.tables import plan, setting
from sync.store.types import dumps

OPEN = ("waiting", "approved")

_NEWEST = (
    sa.select(plan)
    .where(plan.c.connection == HERE, plan.c.reason == sa.bindparam("for"))
    .order_by(plan.c.created_at.desc(), plan.c.id.desc())
    .limit(1)
)
_SETTING = sa.select(setting.c.key).where(setting.c.key == THIS)


def digest(content: Any) -> str:
    """The hash by which a plan is approved."""
    return hashlib.sha256(dumps(content).encode()).hexdigest()


def ask(world: World, tx: Connection, connection: str, reason: str, content: Mapping[str, Any]) -> str:
    """Ask for a yes to `content`: "approved" when exactly this was approved, else "waiting", or "dropped" when a person
    refused exactly this. An open plan of the same reason with another content becomes stale."""
    world.store.lock_key(tx, f"plan:{connection}:{reason}")
    mark = digest(content)
    last = newest(tx, connection, reason)
    if last is not None and last.hash == mark and last.state in (*OPEN, "dropped"):
        return str(last.state)
    save(world, tx, connection, reason, content, mark, instead_of=last)
    return "waiting"


def save(
    world: World,
    tx: Connection,
    connection: str,
    reason: str,
    content: Mapping[str, Any],
    mark: str,
    instead_of: Any = None,
) -> str:
    """One more waiting plan, perhaps in the place of an open one; its id, short enough to be typed."""
    id = secrets.token_hex(4)
    replaced = instead_of is not None and instead_of.state in OPEN
    root = instead_of.content.get("root", instead_of.id) if replaced else id  # one notice for all of them
    tx.execute(
        plan.insert().values(
            id=id,
            connection=connection,
            reason=reason,
            state="waiting",
            hash=mark,
            content={**content, "root": root},
            created_at=world.now(),
        )
    )
    if replaced:
        text = Text(
            f"What it would do has moved since; plan {id} takes its place.",
            f"С тех пор данные изменились; вместо него — план {id}.",
        )
        stale(world, tx, instead_of.id, text)
    return id


def newest(tx: Connection, connection: str, reason: str) -> Any:
    """The plan asked for last, None when there was none. `used` takes its `id`."""
    return tx.execute(_NEWEST, {"here": connection, "for": reason}).first()


def used(world: World, tx: Connection, plan_id: str, text: Text | None = None) -> None:
    """An approved plan has been carried out; `text`: what of it has not."""
    done = {"state": "applied", "closed_at": world.now(), "text": text and {"en": text.en, "ru": text.ru}}
    tx.execute(plan.update().where(plan.c.id == plan_id, plan.c.state == "approved").values(**done))


def stale(world: World, tx: Connection, plan_id: str, text: Text) -> None:
    """What it would do has moved: it cannot be approved any more."""
    values = {"state": "stale", "closed_at": world.now(), "text": {"en": text.en, "ru": text.ru}}
    tx.execute(plan.update().where(plan.c.id == plan_id, plan.c.state.in_(OPEN)).values(**values))


def trusted(tx: Connection, connection: str) -> bool:
    """Whether a person has ever let writes to this connection go."""
    return tx.execute(_SETTING, {"this": _key(connection)}).first() is not None


def trust(tx: Connection, connections: Iterable[str]) -> None:
    for name in sorted(set(connections)):
        if not trusted(tx, name):
            tx.execute(setting.insert().values(key=_key(name), value=True))


def _key(connection: str) -> str:
    return f"approved:{connection}"
