"""What a system that fetches was offered of a record, and whether that is to be told anew. An offer brings the whole record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import SverkaError
from sync.flow.plug import Plug, World
from sync.flow.stages import meant
from sync.flow.weave import typed, typed_field
from sync.lens import Lens
from sync.model.compare import same
from sync.model.records import KINDS
from sync.reconcile.rows import in_our_words
from sync.store.asked import THIS
from sync.store.tables import conflict, intent
from sync.store.types import dumps

_ASKED = sa.select(conflict.c.field, conflict.c.sides).where(conflict.c.record_uid == THIS, conflict.c.state == "open")


def asked_about(world: World, tx: Connection, row: Any, data: Mapping[str, Any], target: Plug) -> dict[str, Any]:
    """What a person is being asked about, as the other side shows it: an offer brings the whole record, and the question must
    not be answered by it. A stage that the pipeline does not have is not said at all."""
    shown = {}
    for one in tx.execute(_ASKED, {"this": row.uid}):
        for side, value in one.sides.items():
            if side.partition("/")[0] == target.name and one.field in KINDS[row.kind].model_fields:
                shown[one.field] = typed_field(row.kind, one.field, value)
    stages = [one.name for one in world.config.pipeline(data.get("pipeline")).stages]
    if shown.get("stage", stages[0]) not in stages:
        shown["stage"] = None
    return shown


def already(
    world: World,
    tx: Connection,
    row: Any,
    data: Mapping[str, Any],
    target: Plug,
    lens: Lens,
    there: Any,
    native_data: Mapping[str, Any],
    made_of: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> bool:
    """Whether the newest offer says the same, or the newest that counted (confirmed or under way) differs from it by nothing
    but what the other side shows itself: its own word is not offered back to it, and an older wish that waits is taken back."""
    mine = (
        intent.c.record_uid == row.uid,
        intent.c.connection == target.name,
        intent.c.native_kind == lens.native,
        intent.c.op == "offer",
    )
    query = sa.select(intent).where(*mine, intent.c.state.in_(("done", "offered", "planned")))
    last = tx.execute(query.order_by(intent.c.id.desc()).limit(2)).all()
    counted = next((one for one in last if one.state != "planned"), None)
    decided = counted is not None and _decided_against(tx, target, counted)
    if last and dumps(last[0].data) == dumps(dict(native_data)):
        return last[0] is not counted or not decided
    if counted is None or decided or not _its_own_word(world, row, data, lens, there, counted, made_of):
        return False
    if last[0].state == "planned":
        tx.execute(intent.update().where(intent.c.id == last[0].id).values(state="dropped", done_at=world.now()))
    return True


def _decided_against(tx: Connection, target: Plug, offer: Any) -> bool:
    """Whether a person has decided, since this offer was confirmed, for another value than the other side showed: it is told
    once more, though the record says what it said."""
    if offer.state != "done":
        return False
    decided = tx.execute(
        sa.select(conflict.c.field, conflict.c.sides, conflict.c.decision).where(
            conflict.c.record_uid == offer.record_uid,
            conflict.c.state == "decided",
            conflict.c.closed_at > offer.done_at,
        )
    )
    return any(
        one.field in offer.fields and dumps(value) != dumps(one.decision["value"])
        for one in decided
        for side, value in one.sides.items()
        if side.partition("/")[0] == target.name
    )


def _its_own_word(
    world: World,
    row: Any,
    data: Mapping[str, Any],
    lens: Lens,
    there: Any,
    offer: Any,
    made_of: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> bool:
    """Whether the record differs from what was offered by nothing but what the other side shows itself."""
    if there is None or there.shadow is None:
        return False
    before, shown = typed(row.kind, offer.fields), lens.get(there.shadow).fields
    if "stage" in shown:
        shown["stage"] = meant(lens, world.config.pipeline(data.get("pipeline")), shown, before.get("stage"))
    said = {f: before[f] for f in before.keys() & shown.keys() & data.keys() if _shows(f, data[f], shown[f], lens)}
    said = {f: value for f, value in said.items() if not same(f, value, data[f])}
    # what nobody knew when it was offered, as facts of accounting: whether it is paid or cancelled
    news = {f for f in (shown.keys() & data.keys()) - before.keys() if _shows(f, data[f], shown[f], lens)}
    if not said and not news:
        return False
    known = {f: value for f, value in data.items() if f not in news}
    try:
        back = made_of({**known, **said})
    except SverkaError:
        return False
    return dumps(back) == dumps(offer.data)


def _shows(field: str, value: Any, shown: Any, lens: Lens) -> bool:
    if field in lens.row_kinds and value and shown:
        shown = in_our_words(value, shown, lens.row_kinds[field])
    return same(field, value, shown)
