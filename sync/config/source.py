"""The configuration file as its author sees it: where a key stands, and complaints that say so."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sync.errors import BadConfig, Text


@dataclass(frozen=True, slots=True)
class Source:
    path: Path
    text: str = ""

    @classmethod
    def again(cls, path: Path | None) -> Source:
        """Of a configuration that was loaded before."""
        path = path or Path("config.toml")
        return cls(path, path.read_text(encoding="utf-8") if path.exists() else "")

    def line(self, where: Sequence[str], value: str = "") -> int:
        """The line of a key: each part is looked for after the one before. 1 when it cannot be told."""
        lines = [text.split("#")[0] for text in self.text.splitlines()]
        at = 0
        for before, part in zip(["", *where], where, strict=False):
            if part.isdigit():  # the n-th table of a list of tables
                header = re.compile(rf"\[\[([^\]]*\.)?{re.escape(before)}\]\]")
                for _ in range(int(part)):
                    at = next((i for i in range(at + 1, len(lines)) if header.search(lines[i])), at)
                continue
            pattern = re.compile(
                re.escape(part) if part.startswith("[") else rf"(^|[\[.\s\"]){re.escape(part)}([\].\s\"=]|$)"
            )
            at = next((i for i in range(at, len(lines)) if pattern.search(lines[i])), at)
        if value:
            at = next((i for i, text in enumerate(lines) if f'"{value}"' in text), at)
        return at + 1

    def bad(self, line: int, key: str, en: str, ru: str) -> BadConfig:
        named = f" ({key})" if key else ""
        return BadConfig(
            Text(f"{self.path}, line {line}{named}: {en}", f"{self.path}, строка {line}{named}: {ru}"),
            code="config.value",
            setting=key,
        )

    def unknown(self, line: int, key: str, found: str, known: Sequence[str]) -> BadConfig:
        near = difflib.get_close_matches(found, known, 1)
        hint_en = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"
        hint_ru = f"; может быть, {near[0]!r}?" if near else f"; есть: {', '.join(known) or 'ничего'}"
        return self.bad(line, key, f"{found!r} is not known{hint_en}", f"{found!r} неизвестно{hint_ru}")
