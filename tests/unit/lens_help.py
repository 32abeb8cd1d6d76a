"""Small mappings written inside the tests."""

from __future__ import annotations

from pathlib import Path

from sync.lens import Lens, Mapping, load

HEAD = 'system = "proba"\nversion = 1\n'


def mapping(folder: Path, text: str, head: str = HEAD) -> Mapping:
    (folder / "proba.toml").write_text(head + text, encoding="utf-8")
    return load("proba", folder)


def deal(folder: Path, fields: str, rest: str = "") -> Lens:
    """A lens with these lines in [order.fields]; `rest` follows (tables, rows, create)."""
    return mapping(folder, f'[order]\nkind = "deal"\n[order.fields]\n{fields}\n{rest}').lens("order")
