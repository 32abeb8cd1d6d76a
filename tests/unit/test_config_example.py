"""The annotated example is a configuration that works: it loads, and every connection in it becomes an adapter."""

from __future__ import annotations

import re
from pathlib import Path

from sync.config import Config, load
from sync.hub import Hub

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"


def test_the_example_loads_and_its_connections_are_ready(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    names = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "value-of-a-secret")
    copy = tmp_path / "config.toml"
    copy.write_text(text, encoding="utf-8")
    config = load(copy, names)
    assert set(config.connections) == {"tilda", "site", "office", "shop", "mail", "onec", "goods"}
    with Hub(config) as hub:
        assert not hub.broken
        assert set(hub.plugs) == set(config.connections) - {"goods"}  # switched off in the example
    assert "value-of-a-secret" not in repr(config)


def test_what_the_example_calls_a_default_is_one() -> None:
    """The commented lines of [hub] and [web] show the real defaults."""
    shown = Config()
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"# (language|database|country|currency|unmatched_lines) = \"([^\"]*)\"", line):
            assert str(getattr(shown.hub, match[1])) == match[2]
