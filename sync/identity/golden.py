"""The card that people see, computed from what was observed: per field the valid values, then by source, then the newest.

Observations stay as they are. What a system's own card says (a linked record) is reconciled by sync/flow/weave.py; here only
what it lacks is added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.identity import companies, names
from sync.identity.links import Value, golden
from sync.model import keys
from sync.store.tables import link, observation, record
from sync.store.types import stamp

_OBSERVED = frozenset({"name", "phones", "emails", "inn", "kpp", "ogrn", "kind"})
Note = Callable[[str, str, str, dict[str, Any]], None]  # uid, kind, why, changes


def refresh(
    tx: Connection,
    uid: str,
    order: Mapping[str, int],
    now: datetime,
    note: Note,
    *,
    country: str = "RU",
    anew: bool = False,
) -> bool:
    """Bring a card's record up to date with its observations; True when it changed. `note` writes the journal.

    `order`: the rank of each source, the most trusted first. `anew`: what is observed no more goes, too, unless some system
    has a card of this client.
    """
    row = tx.execute(
        sa.select(record.c.kind, record.c.title, record.c.data, record.c.number)
        .where(record.c.uid == uid)
        .with_for_update()
    ).one()
    linked = tx.execute(sa.select(link.c.id).where(link.c.record_uid == uid).limit(1)).first() is not None
    seen = tx.execute(sa.select(observation).where(observation.c.client_uid == uid).order_by(observation.c.id)).all()
    known = {k: v for k, v in row.data.items() if not (anew and seen and not linked and k in _OBSERVED)}
    data = {**known, **_fields(row.kind, known, seen, order, linked, country)}
    data = {k: v for k, v in data.items() if v not in (None, "", [])}
    title = data.get("name") or row.title
    if data == row.data and title == row.title:
        return False
    number = data.get("inn") if row.kind == "company" else row.number
    tx.execute(record.update().where(record.c.uid == uid).values(data=data, title=title, number=number, updated_at=now))
    names = [*data, *(k for k in row.data if k not in data)]
    changes = {
        k: data.get(k) if not row.data else [row.data.get(k), data.get(k)]
        for k in names
        if row.data.get(k) != data.get(k)
    }
    note(uid, row.kind, "observed" if row.data else "created", changes)
    return True


def _fields(
    kind: str, data: Mapping[str, Any], seen: Sequence[Any], order: Mapping[str, int], linked: bool, country: str
) -> dict[str, Any]:
    by_kind: dict[str, list[Any]] = {}
    for one in seen:
        by_kind.setdefault(one.kind, []).append(one)
    found: dict[str, Any] = {
        "phones": _more(data.get("phones"), by_kind.get("phone", ()), lambda t: keys.phones(t, country)),
        "emails": _more(data.get("emails"), by_kind.get("email", ()), lambda t: [keys.email(t) or t]),
    }
    if kind == "company":
        numbers = {f: _values(by_kind.get(f, ())) for f in ("inn", "ogrn", "kpp")}
        found |= {f: v for f, v in golden(numbers, order).items() if not data.get(f)}
        inn = data.get("inn") or found.get("inn")
        if inn and not data.get("kind"):
            found["kind"] = "sole_trader" if len(inn) == 12 else "legal"
    if not linked:
        values = _company_names(by_kind) if kind == "company" else _person_names(by_kind)
        name = golden({"name": values}, order).get("name") or data.get("name") or _nameless(by_kind, seen)
        found["name"] = name
    return found


def _more(known: Any, seen: Iterable[Any], forms: Callable[[str], Iterable[str]]) -> list[str]:
    """The values that stand there, then those observed besides."""
    kept = [str(v) for v in known or []]
    have = {form.split(";")[0] for v in kept for form in (v, *forms(v))}
    for one in seen:
        if one.value not in have:
            have.add(one.value)
            kept.append(one.value)
    return kept


def _values(seen: Iterable[Any]) -> list[Value]:
    return [Value(one.source, one.value, stamp(one.last_seen)) for one in seen]


def _person_names(by_kind: Mapping[str, list[Any]]) -> list[Value]:
    """Spellings of a name, each as first seen. Only the fullest count: a shorter one teaches nothing."""
    seen: dict[tuple[str, frozenset[str]], Value] = {}
    for one in by_kind.get("name", ()):
        words = frozenset(names.parse(one.raw).words)
        first = seen.get((one.source, words))
        seen[one.source, words] = Value(one.source, first.value if first else one.raw, stamp(one.last_seen))
    most = max((len(words) for _, words in seen), default=0)
    return [Value(v.source, v.value, v.at, len(words) == most) for (_, words), v in seen.items()]


def _company_names(by_kind: Mapping[str, list[Any]]) -> list[Value]:
    seen: dict[tuple[str, str], Value] = {}
    for one in by_kind.get("company", ()):
        company = companies.parse(one.raw)
        first = seen.get((one.source, company.key))
        raw = first.value if first and (first.valid or not company.form) else one.raw
        seen[one.source, company.key] = Value(one.source, raw, stamp(one.last_seen), bool(companies.parse(raw).form))
    return list(seen.values())


def _nameless(by_kind: Mapping[str, list[Any]], seen: Sequence[Any]) -> str:
    """What to call somebody whose name nobody said: a company by its domain, else the first thing that is known."""
    first = next(iter([*by_kind.get("domain", ()), *seen]), None)
    return "" if first is None else str(first.raw)


def named_by_domain(name: str) -> bool:
    """Whether a company's name is only the domain that it writes from."""
    return re.fullmatch(r"(?:[\w-]+\.)+\w{2,}", name) is not None
