"""What a record or event of the hub says of its sender, in the shape that the resolver reads: raw texts, nothing decided.

It is kept beside the link that was made from it, so that better rules can read it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.identity import companies, evidence, names

_LONGEST = 20_000  # characters of a letter's text that count
_MOST = 40  # values of one field; more are a list of somebody's contacts


def of_event(client: Mapping[str, Any], event: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """`client`: a mapping's section; `event`: type, direction, subject, text, comment. `place`: the shop that took an order."""
    fields = _fields(client)
    kind, incoming = event.get("type"), event.get("direction") != "out"
    if kind == "email" and incoming and fields.get("email"):
        letter = {
            "kind": "email",
            "from_addr": fields["email"][0],
            "from_name": fields.get("name"),
            "subject": _text(event.get("subject")),
            "body": _text(event.get("text"))[:_LONGEST],
        }
        return {k: v for k, v in letter.items() if v}
    if kind == "call":
        return {"kind": "call", "from_number": "; ".join(fields.pop("phone", [])), **fields}
    if kind == "order":
        return {"kind": "order", "shop": place, **_one_name(fields)}
    comment = _text(event.get("comment") or (event.get("text") if kind in ("form", "message") else ""))
    more = {"comment": comment[:2000]} if comment and incoming else {}
    return {"kind": "web_form", **_one_name(fields), **more}


def of_card(client: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A system's own record of a client; `kind` is contact or company."""
    fields = _fields(client)
    if kind == "company":
        fields.setdefault("company", fields.get("name", ""))
        fields.pop("name", None)
    return {"kind": "web_form", **{k: v for k, v in fields.items() if v}}


def _one_name(fields: dict[str, Any]) -> dict[str, Any]:
    """A company's name in the field of the person's is the company's, and said once."""
    name, company = fields.get("name", ""), fields.get("company", "")
    as_company = companies.parse(name) if name else companies.NO_COMPANY
    if name and evidence.oneself(names.parse(name), company):
        return {k: v for k, v in fields.items() if k != "company"}
    if as_company and evidence.FORM.search(name):
        fields = {**fields, "company": company or name}
    elif not as_company or as_company.key != companies.parse(company).key:
        return fields
    if as_company.owner:  # a sole trader is company and person at once
        return fields
    return {k: v for k, v in fields.items() if k != "name"}


def _fields(client: Mapping[str, Any]) -> dict[str, Any]:
    name = _text(client.get("name")) or f"{_text(client.get('first_name'))} {_text(client.get('last_name'))}".strip()
    found: dict[str, Any] = {"name": name[:250]}
    for field, others in (("phone", "phones"), ("email", "emails")):
        found[field] = list(dict.fromkeys((*_texts(client.get(field)), *_texts(client.get(others)))))[:_MOST]
    for field in ("company", "inn", "kpp", "ogrn"):
        found[field] = next(iter(_texts(client.get(field))), "")[:250]
    return {k: v for k, v in found.items() if v}


def _texts(value: Any) -> list[str]:
    return [t[:500] for v in (value if isinstance(value, list | tuple) else [value]) if (t := _text(v))]


def _text(value: Any) -> str:
    """Without the signs that no database keeps."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\x00", "").strip()
