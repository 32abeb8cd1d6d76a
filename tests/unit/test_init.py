"""`sverka init`: whatever is answered, what it writes is a configuration that loads, and secrets are not in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync import config
from sync.cli.app import app
from sync.cli.output import Voice
from sync.hub.plugins import adapter_class


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Voice, "language", "ru")


def answered(folder: Path, *answers: str) -> tuple[int, str, Path]:
    path = folder / "config.toml"
    done = CliRunner().invoke(app, ["-c", str(path), "init"], input="\n".join(answers) + "\n")
    return done.exit_code, done.output, path


def test_odd_answers_are_asked_for_again(tmp_path: Path) -> None:
    code, said, path = answered(
        tmp_path,
        *("de", "en"),
        "worcommerce",  # unknown, with a suggestion
        "woocommerce",
        *("Мой магазин", "shop"),  # no name of a connection
        *("not an address", 'k"ey', "se\\cret", "", "https://shop.example"),  # only what was refused is asked again
        "woocommerce",
        *("shop", "second"),  # a name that is taken
        *("https://b.example", "k", "s", "hook"),
        "",
    )
    assert code == 0, said
    assert "Perhaps woocommerce?" in said
    assert "not an address" in said or "plain address" in said
    written = config.load(path)
    assert {n: c.adapter for n, c in written.connections.items()} == {"shop": "woocommerce", "second": "woocommerce"}
    shop = adapter_class("woocommerce", "shop").Settings.model_validate(written.connections["shop"].settings)
    assert (shop.url, shop.key.get_secret_value(), shop.secret.get_secret_value()) == (  # type: ignore[attr-defined]
        "https://shop.example",
        'k"ey',
        "se\\cret",
    )
    text = path.read_text(encoding="utf-8")
    assert not any(secret in text for secret in ('k\\"ey', 'k"ey', "cret\\n", '"hook"'))
    assert all(f.stat().st_mode & 0o077 == 0 for f in (tmp_path / "secrets").iterdir())


def test_an_interrupted_dialogue_writes_nothing(tmp_path: Path) -> None:
    code, said, path = answered(tmp_path, "ru", "woocommerce", "shop", "https://shop.example", "key")
    assert code == 130
    assert "ничего не записано" in said
    assert list(path.parent.iterdir()) == []


def test_no_connection_at_all_is_a_good_answer(tmp_path: Path) -> None:
    code, _, path = answered(tmp_path, "", "")
    assert code == 0
    assert config.load(path).connections == {}
    assert config.load(path).hub.language == "ru"


def test_what_a_stock_1c_logs_in_with_is_asked_for_though_it_has_a_default(tmp_path: Path) -> None:
    given = ("ru", "onec_exchange", "", "обмен", "слово", "xx", "unf", "")
    code, said, path = answered(tmp_path, *given)
    assert code == 0, said
    assert "onec.protocol (ut, unf) [ut]" in said
    settings = config.load(path).connections["onec"].settings
    assert (settings["login"], settings["protocol"], settings["password"]) == ("обмен", "unf", "слово")
