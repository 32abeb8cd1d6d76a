"""The shapes of form services that are more than names and values: Typeform's typed answers, Contact Form 7's keys.

Typeform: developer documentation of its webhooks. Contact Form 7: the plugin's service keys start with `_wpcf7`.
"""

from __future__ import annotations

from typing import Any

from adapters.base import Native
from adapters.forms.body import MAX_FIELDS, Form, Pair, clean, refuse

TYPED = {"phone_number": "Phone", "email": "Email"}  # answers whose type says more than their question


def typeform(document: Any) -> tuple[Form, str] | None:
    """The form and the message's id of a Typeform post; None for any other JSON."""
    if not isinstance(document, dict) or not isinstance(response := document.get("form_response"), dict):
        return None
    definition = _object(response.get("definition"))
    titles = {}
    for asked in _objects(definition.get("fields")):
        for key in ("id", "ref"):
            if asked.get(key) and asked.get("title"):
                titles[str(asked[key])] = str(asked["title"])
    pairs: list[Pair] = [("formid", _text(response.get("form_id"))), ("formname", _text(definition.get("title")))]
    pairs += [(name, _text(response[name])) for name in ("landed_at", "submitted_at") if response.get(name)]
    pairs += [(clean(str(name)), _text(value)) for name, value in _object(response.get("hidden")).items()]
    for number, answer in enumerate(_objects(response.get("answers")), 1):
        kind = str(answer.get("type", ""))
        asked = _object(answer.get("field"))
        # an answer may name a field that the definition does not have: then its own id is its name
        known = [titles[key] for key in (str(asked.get("id")), str(asked.get("ref"))) if key in titles]
        name = (
            TYPED.get(kind) or next(iter(known), "") or str(asked.get("ref") or asked.get("id") or f"answer {number}")
        )
        pairs.append((clean(name), _answer(answer.get(kind))))
    if len(pairs) > MAX_FIELDS:
        raise refuse("fields", f"more than {MAX_FIELDS} answers", f"больше {MAX_FIELDS} ответов")
    id = _text(response.get("token")) or _text(document.get("event_id"))
    return Form([(name, value) for name, value in pairs if value], json=document), id


def _answer(value: Any) -> str:
    """A typed value as text: a choice by its label, several of them joined."""
    if isinstance(value, dict):
        labels = [*value["labels"]] if isinstance(value.get("labels"), list) else [value.get("label")]
        return ", ".join(_text(label) for label in [*labels, value.get("other")] if label)
    return _text(value)


def contact_form_7(form: Form) -> Form:
    """Without the plugin's service keys; the form's number stays as `_wpcf7`."""
    return Form([pair for pair in form.pairs if not pair[0].startswith("_wpcf7_")], form.uploads, form.json)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return clean(str(value)) if isinstance(value, str | int) or hasattr(value, "quantize") else ""


def _object(value: Any) -> Native:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Native]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
