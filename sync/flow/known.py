"""What need not be read again: the answers behind `AdapterContext.taken`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from adapters.base import Record
from sync.flow.bulk_rows import many
from sync.flow.plug import Plug, World
from sync.flow.seen import among

_ANY = "SELECT 1 FROM link WHERE connection = ? AND native_kind = ? LIMIT 1"
# What would be "the same" if it were shown once more, and nothing else: a link that a person has taken off, that is deleted
# or said to be, whose hash was forgotten so that it counts as news, or whose record waits in quarantine is to be read
_HELD = (
    "SELECT external_id, version FROM link WHERE connection = ? AND native_kind = ? AND state = 'linked'"
    " AND deleted_at IS NULL AND told IS NULL AND shadow_hash IS NOT NULL AND external_id"
)
_WAITING = (
    "SELECT external_id FROM quarantine WHERE connection = ? AND native_kind = ? AND state <> 'closed' AND external_id"
)
_VERSIONS = "SELECT external_id, version, id FROM link WHERE connection = ? AND native_kind = ? AND external_id"


class TakenFromStore:
    """Implements adapters.base.Taken for one connection."""

    def __init__(self, world: Callable[[], World], connection: str) -> None:
        self._world, self._connection = world, connection

    def any(self, kind: str) -> bool:
        world = self._world()
        if self._connection not in world.renewed:  # it was read with another mapping, or nobody has looked yet
            return False
        sql = _ANY if world.store.sqlite else _ANY.replace("?", "%s")
        with world.store.read() as tx:
            return tx.exec_driver_sql(sql, (self._connection, kind)).first() is not None

    def unchanged(self, kind: str, versions: Mapping[str, str]) -> Set[str]:
        world, place = self._world(), (self._connection, kind)
        with world.store.read() as tx:
            held = among(world, tx, _HELD, place, versions)
            found = {id for id, version in held if version and versions[id] == version}
            if found:
                found.difference_update(id for (id,) in among(world, tx, _WAITING, place, found))
        return found


def rename(world: World, plug: Plug, records: Sequence[Record]) -> None:
    """Records of one kind that are what they were, under another version than before: it is the one to be asked for now."""
    if not records:
        return
    versions = {rec.id: rec.version for rec in records}
    with world.store.read() as tx:
        held = among(world, tx, _VERSIONS, (plug.name, records[0].kind), versions)
    moved = [(versions[name], id) for name, version, id in held if version != versions[name]]
    if moved:
        with world.store.begin(durable=False) as tx:
            world.guard(tx)
            many(world, tx, "UPDATE link SET version = ? WHERE id = ?", moved)
