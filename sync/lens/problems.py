"""What the parts of the lens say to each other: the UNKNOWN value, a bad value, a mistake in a mapping file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from sync.errors import Text

SHOWN = 80  # characters of a bad value that are kept for people


class _Unknown:
    """Nobody has reported the value. It is not None: None is "reported as empty"."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final[Any] = _Unknown()


class Bad(Exception):
    """A value that cannot be taken over. It stays inside the lens: `get` makes a FieldProblem of it, `put` a RecordRefused.

    The text never repeats the value, which may be personal; `value` holds it for the quarantine page. `path` is where it
    stood in the native record, `inner` the place inside the field ("[3].qty").
    """

    def __init__(self, text: Text, value: Any = UNKNOWN, path: str = "", inner: str = "") -> None:
        super().__init__(text.en)
        self.text = text
        self.value = value
        self.path = path
        self.inner = inner


class Mistake(Exception):
    """Something in a mapping file that cannot be compiled. `key` is the way to it through the file's tables."""

    def __init__(self, key: tuple[str | int, ...], code: str, text: Text) -> None:
        super().__init__(text.en)
        self.key = key
        self.code = code
        self.text = text


def unknown_name(key: tuple[str | int, ...], code: str, what: Text, found: str, allowed: Iterable[str]) -> Mistake:
    """The Mistake for a name that is not one of the allowed ones, with the nearest of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(found, names, n=1, cutoff=0.55)
    hint = Text(f" Did you mean “{near[0]}”?", f" Может быть, «{near[0]}»?") if near else Text("", "")
    listed = ", ".join(names) or "—"
    return Mistake(
        key,
        code,
        Text(
            f"{what.en} “{found}” is not known.{hint.en} Allowed: {listed}.",
            f"{what.ru} «{found}»: такого нет.{hint.ru} Можно: {listed}.",
        ),
    )


def shorten(value: Any) -> str:
    """A value for people in at most 80 characters. Safe for anything: deep nesting and huge numbers are only named."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return f"{{…}} ({len(value)})"
    if isinstance(value, list | tuple):
        return f"[…] ({len(value)})"
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return f"… ({value.bit_length()} bit)"
    if isinstance(value, Decimal | int | float):
        return str(value)[:SHOWN]
    return type(value).__name__
