"""A link as a side of the decision: what it shows, what was agreed with it, what may be written there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.config import Pipeline
from sync.errors import RecordRefused
from sync.flow.plug import Plug, World
from sync.flow.stages import graph_of, meant, state_of
from sync.flow.translate import canonical_kind, observed, sale_price_keys
from sync.lens import Lens, Translated
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile import INEXPRESSIBLE, Side
from sync.reconcile.rows import in_our_words
from sync.reconcile.sides import NEVER
from sync.reconcile.stages import stage_of_facts
from sync.store.tables import intent, link

MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Look:
    """`own`: the stage that the side itself shows where its facts stand for one; MISSING where it shows none."""

    side: Side
    lens: Lens
    own: Any = MISSING


def side_name(row: Any) -> str:
    """The usual name of a link's side; see `side_names`."""
    return f"{row.connection}/{row.native_kind}"


def side_names(links: Sequence[Any]) -> dict[int, str]:
    """Link id → its side's name, "connection/kind"; several of one kind on one record are told apart by external id."""
    plain = {one.id: side_name(one) for one in links}
    count = Counter(plain.values())
    return {
        one.id: plain[one.id] if count[plain[one.id]] == 1 else f"{plain[one.id]}#{one.external_id}" for one in links
    }


def takes_part(world: World, connection: str, kind: str) -> bool:
    """A system is only written where a flow of the kind names it: connecting it alone changes nothing there."""
    return any(f.kind == kind and connection in (f.source, f.target) for f in world.config.flows)


def spreads(world: World, connection: str, kind: str) -> bool:
    """Whether a flow may make such records of this connection in another system."""
    return any(
        f.kind == kind and f.source == connection and f.create != "never" and f.target in world.plugs
        for f in world.config.flows
    )


def look(
    world: World,
    tx: Connection,
    kind: str,
    data: Mapping[str, Any],
    row: Any,
    name: str,
    sent: Mapping[str, Any],
    pipeline: Pipeline,
) -> Look | None:
    """The link as it was last observed; None when its connection or mapping is gone: it has no say then.

    Lines are put in the words of the record (`data`), so that the same goods under another name are no difference. `sent`
    are the values of a write whose outcome is not known yet: to show one of them is nothing that the side did by itself.
    """
    plug = world.plugs.get(row.connection)
    lens = plug.mapping.lenses.get(row.native_kind) if plug else None
    if plug is None or lens is None or row.shadow is None or canonical_kind(lens.kind) != kind:
        return None
    gone = row.deleted_at is not None
    if gone and not (kind == "product" or plug.role == "accounting"):
        return None
    found = lens.get(row.shadow)
    seen = _seen(world, tx, plug, lens, data, row, found, pipeline)
    facts = _facts(plug, kind, gone, seen, pipeline)
    told = kind == "deal" and plug.role == "accounting" and "stage" not in lens.two_way  # it is told stages, and lags
    fact = _beyond(lens, pipeline, found, seen, data.get("stage"), row.base) if facts and told else NEVER
    base = _base(tx, kind, row, seen, sent)
    for field, kinds in lens.row_kinds.items():
        for said in (seen, base):
            if said.get(field):
                said[field] = in_our_words(data.get(field) or [], said[field], kinds)
    can = plug.adapter.capabilities
    writes = not gone and row.native_kind in can.updates and takes_part(world, plug.name, kind)
    side = Side(
        name,
        plug.role,
        seen,
        base,
        writable=lens.two_way if writes else frozenset(),
        image=_image(lens, row.shadow),
        untold=None if row.untold is None else frozenset(row.untold),
        facts=facts,
        fact=fact,
        onward=frozenset({"stage"} & seen.keys()) if told else frozenset(),
        state=state_of(found.fields) if told else "",
        stepwise=row.native_kind in can.stepwise,
        fetches=frozenset(seen) - facts - {"stage"} if row.native_kind in can.offers else frozenset(),
    )
    return Look(side, lens, found.fields.get("stage", MISSING) if facts else MISSING)


def _seen(
    world: World,
    tx: Connection,
    plug: Plug,
    lens: Lens,
    data: Mapping[str, Any],
    row: Any,
    found: Translated,
    pipeline: Pipeline,
) -> dict[str, Any]:
    """What the link's record says of the fields that are reconciled."""
    return observed(
        world.config,
        plug,
        found,
        deleted=row.deleted_at is not None,
        numbered=row.number is not None or _names_another(world, tx, plug, found, data, row),
        price_keys=sale_price_keys(world.config, tx, plug.name) if lens.kind == "offer" else None,
        pipeline=pipeline.name,
        lens=lens,
        current=data.get("stage"),
        agreed=row.base,
    )


def _base(tx: Connection, kind: str, row: Any, seen: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What was agreed with this side; what it was just sent and shows is agreed already."""
    base = _typed(kind, row.base if row.base or row.number is None else _offered(tx, row, seen))
    return base | {f: seen[f] for f, value in _typed(kind, sent).items() if f in seen and same(f, seen[f], value)}


def _names_another(
    world: World, tx: Connection, plug: Plug, found: Translated, data: Mapping[str, Any], row: Any
) -> bool:
    """Whether the number is only the one by which accounting names an order that a system of its own has."""
    number = found.fields.get("number")
    if found.kind != "deal" or plug.role != "accounting" or number is None or number == data.get("number"):
        return False
    others = tx.execute(sa.select(link.c.connection).where(link.c.record_uid == row.record_uid)).scalars()
    return any(name in world.plugs and world.plugs[name].role != "accounting" for name in others)


def _typed(kind: str, data: Mapping[str, Any] | None) -> dict[str, Any]:
    return KINDS[kind].model_validate(data or {}).model_dump(exclude_unset=True)


def _facts(plug: Plug, kind: str, gone: bool, seen: dict[str, Any], pipeline: Pipeline) -> frozenset[str]:
    """The accounting side's facts stand for a stage of the record's own pipeline: it is put among what the side shows."""
    if kind != "deal" or plug.role != "accounting":
        return frozenset()
    stage = stage_of_facts(
        pipeline.facts, seen.get("paid"), seen.get("shipped"), True if gone else seen.get("cancelled")
    )
    if stage is None:
        return frozenset()
    seen["stage"] = stage
    return frozenset({"stage"})


def _beyond(
    lens: Lens,
    pipeline: Pipeline,
    found: Translated,
    seen: dict[str, Any],
    current: str | None,
    agreed: Mapping[str, Any] | None,
) -> Any:
    """Where the side's own state is further on than what its facts stand for, that is what it shows, and the facts' stage
    stands beside it; NEVER elsewhere."""
    fact, own = seen["stage"], meant(lens, pipeline, found.fields, current, agreed)
    if own in (None, fact) or not graph_of(pipeline).reachable(fact, own):
        return NEVER
    seen["stage"] = own
    return fact


def _offered(tx: Connection, row: Any, seen: Mapping[str, Any]) -> dict[str, Any]:
    """A record that the other side fetched comes back for the first time: both sides knew what it was offered with. It is
    agreed from here on, so that another value now is a change and not a difference of unknown age."""
    fields = tx.execute(
        sa.select(intent.c.fields)
        .where(
            intent.c.record_uid == row.record_uid,
            intent.c.connection == row.connection,
            intent.c.native_kind == row.native_kind,
            intent.c.op == "offer",
            intent.c.state.in_(("done", "offered")),
        )
        .order_by(intent.c.created_at.desc())
        .limit(1)
    ).scalar()
    base = {f: v for f, v in (fields or {}).items() if f in seen}
    if base:
        tx.execute(link.update().where(link.c.id == row.id).values(base=base))
    return base


def _image(lens: Lens, shadow: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """How this side would show a value: many of its words may stand for one of ours, and the other way round."""

    def image(field: str, value: Any) -> Any:
        if field not in lens.two_way:
            return value
        rows = field in lens.row_kinds and isinstance(value, list)
        if rows:  # goods have other ids there; which, is looked up when it is written
            value = [{cell: item for cell, item in row.items() if cell != "product"} for row in value]
        try:
            shown = lens.image(field, value, shadow)
        except RecordRefused:
            return INEXPRESSIBLE
        return in_our_words(value, shown, lens.row_kinds[field]) if rows and shown else shown

    return image
