"""The invariants of reconciliation as assertions over a `Trio` and its ghost. I1 to I13 as the specification numbers them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from sync.reconcile.stages import Graph
from sync.store.tables import link
from tests.spec.hubs import contents
from tests.spec.machine_world import BOOKS, CRM, SHOP, SIDES, STAGES, Shown, Trio, Write, view

GRAPH = Graph.of([(s, {"won": "won", "lost": "lost"}.get(s, "open")) for s in STAGES])
OWNED = {"title": CRM, "amount": BOOKS, "payment_method": SHOP}
REASONS = ("owner", "prefer", "join", "human", "union")
UNCHANGED = (
    "link",
    "run",
    "lease",
    "cursor",
    "bucket",
    "due",
    "inbox",
    "command",
    "session",
    "spool",
)  # no writes by decision 9


def at_any_time(trio: Trio) -> None:
    """What must hold between any two passes, whatever has gone wrong."""
    writes, notes, names = trio.writes(), trio.notes(), trio.names()
    _one_per_side(trio)
    _nothing_invented(trio)
    _no_silent_loss(trio, writes, notes, names)
    _base_honest(trio, names)
    _legal_stages(trio, writes, notes, names)
    _owners_untouched(trio, writes)
    _no_deletes(trio)
    _deletes_follow(trio, writes)


def at_rest(trio: Trio) -> None:
    """Users stopped, faults stopped, two passes were made."""
    at_any_time(trio)
    _converged(trio)
    _conflicts_are_real(trio)


def quiet(trio: Trio, act: Callable[[], Any], what: str) -> None:
    """I2, I8: `act` makes no write, no journal row, nothing."""
    calls, before = len(trio.writes()), _contents(trio)
    notes = len(trio.notes())
    act()
    made = trio.writes()[calls:]
    assert not made, f"{what}: writes {made}"
    assert len(trio.notes()) == notes, f"{what}: journal rows {trio.notes()[notes:]}"
    after = _contents(trio)
    moved = {t: (before.get(t), after[t]) for t in after if after[t] != before.get(t)}
    assert not moved, f"{what}: changed {moved}"


def _contents(trio: Trio) -> dict[str, str]:
    """A hash of every table; of links without the version, which moves there without any change."""
    found = contents(trio.kit.store, UNCHANGED)
    with trio.kit.store.read() as tx:
        rows = tx.execute(sa.select(*(c for c in link.c if c.name != "version")).order_by(link.c.id)).all()
    return {**found, **{f"link {r.id} {r.connection}": repr(tuple(r)) for r in rows}}


def conflicted(trio: Trio) -> set[tuple[Any, str]]:
    names = trio.names()
    return {(names[c.record_uid], c.field) for c in trio.conflicts()}


def _converged(trio: Trio) -> None:
    """I1: every field that is not asked about is the same on all sides, and that is the base."""
    asked, names, bases = conflicted(trio), trio.names(), {}
    for one in trio.links():
        bases[names[one.record_uid], one.connection] = one.base or {}
    for rec in trio.records():
        sides = trio.live(rec)
        if not trio.ghost.deleted.get(rec):
            expected = {SHOP, CRM} if rec[0] == "contact" else set(SIDES)
            assert set(sides) == expected, f"I1: {rec} is only in {sides}; waiting: {[q.code for q in trio.waiting()]}"
        shown = {s: trio.show(s, rec) for s in sides}
        for name in {f for fields in shown.values() for f in fields}:
            if (rec, name) in asked or (name == "comment" and trio.variant == 2):
                continue
            values = {s: v[name] for s, v in shown.items() if name in v}
            assert len(set(values.values())) <= 1, f"I1: {rec}.{name} differs: {values}"
            for side, value in values.items():
                base = _shared(name, bases[rec, side].get(name))
                assert base == value, f"I1: the base of {rec}.{name} in {side} is {base!r}, shown is {value!r}"


def _shared(name: str, value: Any) -> Any:
    """A canonical value of the hub in the ghost's words."""
    if name == "tags":
        return frozenset(value or ())
    if name == "amount" and value is not None:
        return str(Decimal(str(value)).quantize(Decimal("0.01")))
    return value


def _nothing_invented(trio: Trio) -> None:
    """I4: whatever ever stood anywhere was entered by somebody."""
    said = trio.ghost.said
    for (rec, side, name), history in trio.ghost.shown.items():
        words = said.get((rec, name), set())
        tags = {t for v in words for t in v} if name == "tags" else set()
        for entry in history:
            known = entry.value <= tags if name == "tags" else entry.value in words
            assert known, f"I4: {rec}.{name} = {entry.value!r} in {side} came from nowhere"


def _base_honest(trio: Trio, names: dict[str, Any]) -> None:
    """I5: a base holds only what its side has really shown."""
    for one in trio.links():
        rec = names.get(one.record_uid)
        for name, value in (one.base or {}).items():
            history = trio.ghost.shown.get((rec, one.connection, name))
            if history is not None:
                seen = [h.value for h in history]
                assert _shared(name, value) in seen, f"I5: {one.connection} never showed {rec}.{name} = {value!r}"


def _no_silent_loss(trio: Trio, writes: list[Write], notes: list[Any], names: dict[str, Any]) -> None:
    """I3: a person's word that the hub replaced was known to whoever replaced it, or the journal names it with a reason."""
    for write in writes:
        if write.before is None:
            continue
        rec = (write.kind, str(write.after["number" if write.kind == "deal" else "name"]))
        before, after = view(write.side, write.kind, write.before), view(write.side, write.kind, write.after)
        for name in after:
            if name not in before or before[name] == after[name]:
                continue
            if name == "tags":
                lost = {t for t in before[name] - after[name] if (rec, t) not in trio.ghost.removed}
                added_again = {t for t in lost if not _ever_removed(trio, rec, t)}
                assert not added_again, f"I3: the tags {added_again} of {rec} were lost in {write.side}"
                continue
            if not _justified(trio, rec, write, name, before[name], after[name], notes, names):
                mine = [n for n in notes if names.get(n.record_uid) == rec and name in n.changes]
                told = [(n.connection, n.why, n.changes[name]) for n in mine]
                raise AssertionError(
                    f"I3: {rec}.{name} in {write.side}: {before[name]!r} was replaced by {after[name]!r} in silence; "
                    f"the journal says {told}"
                )


def _ever_removed(trio: Trio, rec: Any, tag: str) -> bool:
    """Whether a user anywhere took the tag away at some time."""
    for side in (SHOP, CRM):
        history = trio.ghost.shown.get((rec, side, "tags"), [])
        for one, other in itertools.pairwise(history):
            if other.by == "user" and tag in one.value and tag not in other.value:
                return True
    return False


def _justified(
    trio: Trio, rec: Any, write: Write, name: str, old: Any, new: Any, notes: list[Any], names: dict[str, Any]
) -> bool:
    history = [h for h in trio.ghost.shown[rec, write.side, name] if h.tick <= write.tick]
    word = next((h for h in reversed(history) if h.value == old), None)
    if word is None or word.by != "user" or write.agreed.get(name) == old:
        return True  # the hub's own earlier write (its speaker's side answers for it), or what all had agreed on
    for side in SIDES:
        if side != write.side and _answered(trio.ghost.shown.get((rec, side, name), []), word, new):
            return True
    if name == "stage" and new in _facts(trio, rec) and GRAPH.reachable(old, new):
        return True  # accounting shows no stage; its fact took the deal further
    pairs = [
        (note.why.removeprefix("wrote:"), *(_shared(name, v) for v in note.changes[name]))
        for note in notes
        if names.get(note.record_uid) == rec
        and isinstance(note.changes.get(name), list)
        and len(note.changes[name]) == 2
    ]
    named = [why for why, before, after in pairs if (before, after) == (old, new)]
    if named and (rec, name, write.side, old) in trio.ghost.rejected:
        return True  # a person saw it and chose another; that is a row of its own, this write names what it replaced
    if any(why in REASONS for why, before, _ in pairs if before == old):
        return True
    # the process died between the call and its journal row: the intent, committed before the call, says as much
    return any(
        names.get(i.record_uid) == rec
        and i.connection == write.side
        and i.why.get(name) in REASONS
        and _shared(name, i.fields.get(name)) == new
        for i in trio.intents("sending")
    )


def _answered(history: list[Shown], word: Shown, new: Any) -> bool:
    """Whether a user of the other side had that word before their eyes and entered `new` afterwards."""
    said = [i for i, entry in enumerate(history) if entry.by == "user" and entry.value == new]
    return any(history[j].value == word.value for i in said for j in range(i))


def _facts(trio: Trio, rec: Any) -> set[str]:
    found = set()
    for row in trio.world(BOOKS).rows("deal").values():
        if row["data"]["number"] == rec[1]:
            facts = row["data"]
            found |= {v for k, v in (("paid", "paid"), ("shipped", "shipped"), ("cancelled", "lost")) if facts.get(k)}
            found |= {"won"} if facts.get("paid") and facts.get("shipped") else set()
            found |= {"lost"} if row["deleted"] else set()
    return found


def _legal_stages(trio: Trio, writes: list[Write], notes: list[Any], names: dict[str, Any]) -> None:
    """I6: only steps that the graph has, unless a person decided."""
    for write in writes:
        if write.before is not None and write.kind == "deal" and write.side != BOOKS:
            rec = ("deal", write.after["number"])
            old, new = (view(write.side, "deal", d).get("stage") for d in (write.before, write.after))
            if old != new and new not in trio.ghost.decided.get((rec, "stage"), []):
                assert GRAPH.reachable(old, new), f"I6: {rec} {old} → {new} in {write.side}"
    for note in notes:
        if "stage" in note.changes and note.why in ("observed", "join", "owner", "prefer"):
            change = note.changes["stage"]
            if isinstance(change, list) and change[0] is not None:
                assert GRAPH.reachable(*change), f"I6: {names.get(note.record_uid)} {change} ({note.why})"


def _owners_untouched(trio: Trio, writes: list[Write]) -> None:
    """I7: an owner's own field is never written there, but when its record is made."""
    for write in writes:
        if write.before is not None and write.kind == "deal":
            before, after = view(write.side, "deal", write.before), view(write.side, "deal", write.after)
            for name, owner in OWNED.items():
                assert owner != write.side or before.get(name) == after.get(name), f"I7: {name} was written in {owner}"


def _one_per_side(trio: Trio) -> None:
    """I9: one record per side, one link per record and side."""
    for side in SIDES:
        for kind in ("deal", "contact"):
            found = [view_name(kind, r["data"]) for r in trio.world(side).rows(kind).values() if not r["deleted"]]
            twice = {n for n in found if found.count(n) > 1}
            assert not twice, f"I9: {side} holds {twice} twice"
    places = [(one.record_uid, one.connection, one.native_kind) for one in trio.links() if one.state != "gone"]
    assert len(places) == len(set(places)), "I9: two links of one record to one side"


def view_name(kind: str, data: Any) -> Any:
    return data["number" if kind == "deal" else "name"]


def _no_deletes(trio: Trio) -> None:
    """I11: what no user deleted is there."""
    for (rec, side, _), history in trio.ghost.shown.items():
        if history and not trio.ghost.deleted.get(rec):
            assert trio.find(side, rec) is not None, f"I11: {rec} vanished from {side}"


def _deletes_follow(trio: Trio, writes: list[Write]) -> None:
    """I3, I11: the hub deletes only what a user has deleted elsewhere, and nothing that a user has edited since."""
    for write in writes:
        if not write.deleted:
            continue
        rec = (write.kind, str(write.after["number" if write.kind == "deal" else "name"]))
        others = trio.ghost.deleted.get(rec, set()) - {write.side} - ({BOOKS} if write.kind == "deal" else set())
        assert others, f"I11: {rec} was deleted in {write.side}, and nowhere by a user"
        assert write.side != BOOKS, f"I11: {rec} was deleted in accounting"
        if True in trio.ghost.decided.get((rec, "archived"), []):
            continue  # a person has seen it
        since = trio.ghost.since[rec]
        for (one, side, name), history in trio.ghost.shown.items():
            if (one, side) == (rec, write.side):
                late = [h.value for h in history if h.by == "user" and since < h.tick < write.tick]
                assert not late, f"I3: {rec} was deleted in {side} although a user had entered {name} = {late} there"


def _conflicts_are_real(trio: Trio) -> None:
    """A question is asked only where two really spoke, or a step was not allowed."""
    names = trio.names()
    for row in trio.conflicts():
        rec = names[row.record_uid]
        if row.cause == "both_moved":
            who = trio.ghost.speakers.get((rec, row.field), set())
            assert len(who) > 1, (
                f"a question about {rec}.{row.field} although only {who or 'nobody'} spoke: {row.sides}"
            )
            assert len({_shared(row.field, v) if not isinstance(v, list) else str(v) for v in row.sides.values()}) > 1
        if row.cause == "both_moved" and OWNED.get(row.field) in trio.live(rec):  # one that is deleted has no say
            raise AssertionError(f"the owner of {row.field} was not heard")
