"""`sverka check`: what is wrong, and the setting to mend, against a shop that is wrong in that way."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import Commands
from tests.peers.woo import WooPeer

CONFIG = """
[hub]
language = "en"
[connections.shop]
adapter = "woocommerce"
url = "{url}"
key = "{key}"
secret = "{secret}"
timeout = 5
"""


def failing(folder: Path, url: str, key: str = WooPeer.key, secret: str = WooPeer.secret) -> tuple[int, dict[str, Any]]:
    """The exit code and the first failing line."""
    done = Commands(folder, CONFIG.format(url=url, key=key, secret=secret)).here("check", "shop", "--json")
    lines = json.loads(done.stdout)["lines"]
    return done.returncode, next((line for line in lines if not line["ok"]), {})


def test_a_right_connection_passes_every_step(tmp_path: Path) -> None:
    with WooPeer() as shop:
        shop.add_order()
        commands = Commands(tmp_path, CONFIG.format(url=shop.url, key=shop.key, secret=shop.secret))
        found = json.loads(commands.here("check", "shop", "--json").stdout)
        assert found["ok"]
        assert {"connect", "auth", "sample", "clock", "filter"} <= {line["step"] for line in found["lines"]}
        assert commands.run("check").returncode == 0


def test_a_failing_line_is_printed_with_the_setting_and_what_to_do(tmp_path: Path) -> None:
    with WooPeer() as shop:
        done = Commands(tmp_path, CONFIG.format(url=shop.url, key=shop.key, secret="cs_wrong")).run("check", "shop")
    assert done.returncode == 1
    assert "✗ shop · auth" in done.stdout
    assert "mend: connections.shop." in done.stdout
    assert "cs_wrong" not in done.stdout + done.stderr


def test_a_wrong_password_names_the_key(tmp_path: Path) -> None:
    with WooPeer() as shop:
        code, line = failing(tmp_path, shop.url, secret="cs_wrong")
    assert code == 1
    assert line["step"] == "auth"
    assert line["setting"] in ("connections.shop.key", "connections.shop.secret")
    assert "cs_wrong" not in str(line)


def test_a_blocked_port_names_the_address(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        code, line = failing(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (code, line["step"], line["setting"]) == (1, "connect", "connections.shop.url")


def test_a_bad_clock_is_seen(tmp_path: Path) -> None:
    with WooPeer() as shop:
        shop.add_order()
        shop.state["offset"] = 7200
        code, line = failing(tmp_path, shop.url)
    assert (code, line["step"], line["setting"]) == (1, "clock", "connections.shop.url")
    assert "clock" in line["en"]


def test_a_filter_that_loses_orders_is_seen(tmp_path: Path) -> None:
    with WooPeer() as shop:
        shop.state.update(ignore_gmt_flag=True, tz=-5)
        shop.add_order()
        code, line = failing(tmp_path, shop.url)
    assert (code, line["step"], line["setting"]) == (1, "filter", "connections.shop.url")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[connections.shop]\nadapter = "woocomerce"\n', "did you mean 'woocommerce'"),
        ('[connections.shop]\nadapter = "woocommerce"\nurl = "http://x.test"\nkee = "1"\n', "connections.shop"),
        ('[hub]\nlanguage = "en"\nlangage = 1\n', "did you mean 'language'"),
        ('[[flow]]\nkind = "deal"\nfrom = "shopp"\nto = "shopp"\n', "flow[0].from"),
    ],
)
def test_a_wrong_configuration_names_the_key(tmp_path: Path, text: str, wanted: str) -> None:
    head = '[hub]\nlanguage = "en"\n' if "[hub]" not in text else ""
    done = Commands(tmp_path, head + text).here("check")
    assert done.returncode != 0
    assert wanted in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
