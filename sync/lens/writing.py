"""Writing canonical values back into a native record, as a patch for deep merging."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync.lens import paths, values
from sync.lens.conventions import native_of
from sync.lens.language import Chain, apply
from sync.lens.paths import Path
from sync.lens.plans import Plan
from sync.lens.problems import UNKNOWN, Bad
from sync.lens.transforms import EACH, Step
from sync.lens.values import Kind, same
from sync.model.types import plain, text_of


def image(plan: Plan, node: dict[str, Any]) -> Any:
    """The canonical value of a field as it reads now; UNKNOWN when it is not there or cannot be read."""
    try:
        value = plan.source.run(node, (node, 0))
        return value if value is UNKNOWN or value is None else plan.kind.convert(value)
    except Bad:
        return UNKNOWN


def write_value(
    chain: Chain, kind: Kind, inner: str, wanted: Any, native: dict[str, Any], patch: dict[str, Any]
) -> dict[str, Any]:
    """`patch` with one canonical value taken back through the chain's transforms to its native path."""
    value = (wanted or {}).get(inner) if inner else wanted
    olds = chain.olds(native)
    raw = olds[0]
    if isinstance(value, Decimal) and kind.name == "rate":
        value = Decimal(plain(value))
    for step, old in zip(reversed(chain.steps), reversed(olds[:-1]), strict=True):
        value = _back(step, value, old)
    if isinstance(raw, dict) and isinstance(wanted, dict) and not inner:
        return _write_words(chain.path, wanted, raw, native, patch)
    if kind.plural and value is None and isinstance(raw, list):
        value = []
    return paths.write(chain.path, native, patch, native_of(value, raw))


def _back(step: Step, value: Any, old: Any) -> Any:
    """One transform backwards. Items of a list that are still wanted keep their old values."""
    if value is None or step.back is None:
        return value
    if step.mode != EACH or not isinstance(value, list):
        return step.back(value, old)
    images: list[tuple[Any, Any]] = []
    for item in old if isinstance(old, list) else []:
        try:
            images.append((apply(step, item), item))
        except Bad:
            continue
    found = []
    for item in value:
        was = next((old_item for image, old_item in images if same(image, item)), UNKNOWN)
        found.append(step.back(item, UNKNOWN) if was is UNKNOWN else was)
    return found


def _write_words(
    path: Path, wanted: dict[str, str], raw: dict[str, Any], native: dict[str, Any], patch: dict[str, Any]
) -> dict[str, Any]:
    """A record of texts, name by name: a patch is merged, so a name that is to go is written as null."""
    names = {text_of(name): name for name in raw}
    change: dict[str, Any] = {
        names[name]: None for name in names if name not in wanted and not values.not_filled(raw[names[name]])
    }
    for name, text in wanted.items():
        old = raw.get(names.get(name, name))
        try:
            kept = old is not None and same(values.as_words({name: old}).get(name), text)
        except Bad:
            kept = False
        if not kept:
            change[names.get(name, name)] = native_of(text, old)
    return paths.write(path, native, patch, change)
