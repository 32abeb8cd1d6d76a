"""Keys, transport and the table of failures: what a person is told, and that no secret is told to anybody."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.base import BadConfig, Finding, RetryLater, SverkaError
from adapters.woocommerce import WooCommerceAdapter, WooCommerceSettings
from tests.adapters.woocommerce_kit import NOON, adapter_at, ids, pages
from tests.need import need
from tests.peers.woo import WooPeer


@pytest.fixture
def shop():
    with WooPeer(now=NOON) as peer:
        peer.add_order()
        yield peer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key in one file."""
    path = tmp_path_factory.mktemp("tls") / "shop.pem"
    arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    made = subprocess.run(
        [need("openssl"), *arguments.split(), "-keyout", str(path), "-out", str(path) + ".crt"],
        capture_output=True,
        check=True,
    )
    assert made.returncode == 0
    path.write_bytes(path.read_bytes() + Path(str(path) + ".crt").read_bytes())
    return path


@pytest.fixture
def tls_shop(certificate: Path) -> Iterator[WooPeer]:
    """The shop behind real TLS."""
    peer = WooPeer(now=NOON, tls_seen=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    peer.server.socket = context.wrap_socket(peer.server.socket, server_side=True)
    peer.url = f"https://localhost:{peer.server.server_address[1]}"
    with peer:
        peer.add_order()
        yield peer


def refusal(adapter: WooCommerceAdapter) -> SverkaError:
    with pytest.raises(SverkaError) as failure:
        pages(adapter)
    return failure.value


# the way keys are sent ----------------------------------------------------------------------------------------------


def test_plain_http_is_signed_by_oauth(shop: WooPeer) -> None:
    with adapter_at(shop) as adapter:
        assert len(ids(pages(adapter))) == 1
    (call,) = shop.calls()
    assert call["query"]["oauth_signature_method"] == "HMAC-SHA256"
    assert "consumer_secret" not in call["query"]


def test_oauth_signs_awkward_parameters_rightly(shop: WooPeer) -> None:
    with adapter_at(shop) as adapter:
        params = {"search": "Ёж & сын+100% ~a/b=c", "per_page": "1", "status": "any,trash"}
        assert adapter._client.get_list("orders", params).data[0]["id"]


def test_keys_behind_tls_go_in_the_header(tls_shop: WooPeer) -> None:
    with adapter_at(tls_shop, verify_tls=False) as adapter:
        assert len(ids(pages(adapter))) == 1
    assert not any(name.startswith(("consumer", "oauth")) for name in tls_shop.calls()[0]["query"])


def test_a_stripped_header_falls_back_to_the_query_string_once(tls_shop: WooPeer) -> None:
    tls_shop.state["strip_authorization"] = True
    with adapter_at(tls_shop, verify_tls=False, page_size=1) as adapter:
        tls_shop.add_order()
        assert len(ids(pages(adapter))) == 2
    with_keys = ["consumer_key" in call["query"] for call in tls_shop.calls()]
    assert with_keys == [False] + [True] * (len(with_keys) - 1)


def test_a_proxy_that_hides_tls_from_the_shop_falls_back_to_oauth(tls_shop: WooPeer) -> None:
    tls_shop.state["tls_seen"] = False
    with adapter_at(tls_shop, verify_tls=False) as adapter:
        assert len(ids(pages(adapter))) == 1
        assert adapter._client.keys.way == "oauth1"


@pytest.mark.parametrize("way", ["basic", "query"])
def test_a_chosen_way_is_the_only_one_tried(shop: WooPeer, way: str) -> None:
    with adapter_at(shop, auth=way) as adapter:
        error = refusal(adapter)
        assert (error.code, error.setting) == ("woo.auth", "key")
        assert len(shop.calls()) == 1
        shop.state["tls_seen"] = True
        assert len(ids(pages(adapter))) == 1


def test_a_wrong_secret_names_the_setting_and_explains(shop: WooPeer) -> None:
    with adapter_at(shop, secret="cs_wrong") as adapter:
        error = refusal(adapter)
    assert isinstance(error, BadConfig)
    assert error.setting == "key"
    assert error.remedy is not None
    assert "OAuth" in error.remedy.ru
    assert "cs_wrong" not in error.text.en + error.text.ru + str(error.__dict__)


def test_a_clock_too_far_off_for_oauth_is_named_as_such(shop: WooPeer) -> None:
    here = shop.now()
    shop.advance(3600)
    with adapter_at(shop, now=lambda: here) as adapter:
        error = refusal(adapter)
    assert error.code == "woo.clock"
    assert "3600" in error.text.en


def test_secrets_reach_no_log_and_no_error(tls_shop: WooPeer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tls_shop.state["strip_authorization"] = True
    with adapter_at(tls_shop, verify_tls=False) as adapter:
        pages(adapter)
        tls_shop.fault("refuse", "/orders", times=99)
        error = refusal(adapter)
    assert "HTTP Request" in caplog.text
    assert tls_shop.secret not in caplog.text + repr(error.__dict__) + repr(error.__cause__)
    assert tls_shop.key not in caplog.text
    assert tls_shop.secret not in repr(adapter.settings)


def test_an_invalid_certificate_is_named(tls_shop: WooPeer) -> None:
    with adapter_at(tls_shop) as adapter:
        error = refusal(adapter)
        assert (error.code, error.setting) == ("woo.certificate", "verify_tls")
        findings = list(adapter.check())
    assert [f.step for f in findings] == ["dns", "connect", "tls"]
    assert (findings[-1].ok, findings[-1].setting) == (False, "verify_tls")


# the table of failures ----------------------------------------------------------------------------------------------

HTML = "<html>Нельзя</html>"
FAILURES = [
    (401, HTML, {}, BadConfig, "woo.site_password", "url"),
    (403, HTML, {}, RetryLater, "woo.blocked", ""),
    (403, '{"code":"woocommerce_rest_cannot_view"}', {}, BadConfig, "woo.rights", "key"),
    (404, HTML, {}, BadConfig, "woo.not_found", "url"),
    (404, '{"code":"rest_no_route"}', {}, BadConfig, "woo.no_route", "url"),
    (405, HTML, {}, BadConfig, "woo.method", "url"),
    (400, '{"code":"rest_invalid_param"}', {}, BadConfig, "woo.parameter", "url"),
    (301, "", {"Location": "https://www.shop.example/x?consumer_secret=1"}, BadConfig, "woo.redirect", "url"),
    (429, HTML, {}, RetryLater, "woo.limit", ""),
    (420, "", {}, RetryLater, "woo.limit", ""),
    (503, HTML, {"Retry-After": "120"}, RetryLater, "woo.busy", ""),
    (508, HTML, {}, RetryLater, "woo.busy", ""),
    (500, '{"code":"internal_server_error"}', {}, RetryLater, "woo.server", ""),
    (524, HTML, {}, RetryLater, "woo.server", ""),
    (418, HTML, {}, BadConfig, "woo.unexpected", "url"),
    (204, "", {}, RetryLater, "woo.empty", ""),
]


@pytest.mark.parametrize(("status", "body", "headers", "error", "code", "setting"), FAILURES)
def test_a_failure_says_whose_turn_it_is(
    shop: WooPeer, status: int, body: str, headers: dict[str, str], error: type, code: str, setting: str
) -> None:
    shop.fault("status", "/orders", times=99, status=status, body=body, headers=headers)
    with adapter_at(shop, page_size=1) as adapter:
        failure = refusal(adapter)
    assert type(failure) is error
    assert (failure.code, failure.setting) == (code, setting)
    assert failure.text.en
    assert failure.text.ru != failure.text.en
    assert "consumer_secret" not in failure.text.en
    if isinstance(failure, BadConfig):
        assert failure.remedy is not None


def test_retry_after_may_be_a_date(shop: WooPeer) -> None:
    headers = {"Retry-After": "Sun, 22 Nov 2026 07:11:19 GMT"}
    shop.fault("status", "/orders", status=503, body=HTML, headers=headers)
    with adapter_at(shop) as adapter:
        failure = refusal(adapter)
    assert isinstance(failure, RetryLater)
    assert failure.after == 120


@pytest.mark.parametrize("text", ["-5", "скоро", "9" * 30, "1.5", ""])
def test_a_strange_retry_after_breaks_nothing(shop: WooPeer, text: str) -> None:
    shop.fault("status", "/orders", times=9, status=429, headers={"Retry-After": text.encode().decode("latin-1")})
    with adapter_at(shop) as adapter:
        failure = refusal(adapter)
    assert isinstance(failure, RetryLater)
    assert failure.after is None or 0 <= failure.after <= 86_400


def test_an_unreachable_shop_is_tried_again_later() -> None:
    with WooPeer() as peer:
        pass
    with adapter_at(peer) as adapter:
        failure = refusal(adapter)
    assert (type(failure), failure.code) == (RetryLater, "woo.connect")


# settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "shop.example"},
        {"url": "ftp://shop.example"},
        {"url": "https://"},
        {"url": "https://ck:cs@shop.example"},
        {"url": "https://shop.example/?rest_route=/"},
        {"url": "https://shop.example:порт"},
        {"key": "  "},
        {"secret": ""},
        {"page_size": 101},
        {"page_size": 0},
        {"timeout": 0},
        {"auth": "digest"},
        {"overlap": 0},
        {"consumer_key": "ck_1"},
    ],
)
def test_wrong_settings_are_refused_by_name(wrong: dict[str, Any]) -> None:
    given = {"url": "https://shop.example", "key": "ck_1", "secret": "cs_hidden"} | wrong
    with pytest.raises(ValidationError) as refused:
        WooCommerceSettings(**given)
    assert str(refused.value.errors()[0]["loc"][0]) in wrong
    assert "cs_hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example/", "https://shop.example"),
        (" https://shop.example/wp-json/ ", "https://shop.example"),
        ("https://example.ru/magazin/", "https://example.ru/magazin"),
        ("https://магазин.рф", "https://xn--80aairftm.xn--p1ai"),
    ],
)
def test_addresses_are_brought_to_one_form(given: str, kept: str) -> None:
    assert WooCommerceSettings(url=given, key="k", secret="s").url == kept


# check --------------------------------------------------------------------------------------------------------------


def steps(found: list[Finding]) -> dict[str, bool]:
    return {finding.step: finding.ok for finding in found}


def test_check_of_a_healthy_shop_writes_nothing(shop: WooPeer) -> None:
    with adapter_at(shop) as adapter:
        found = list(adapter.check())
    assert all(finding.ok for finding in found)
    assert list(steps(found)) == ["dns", "connect", "auth", "rights", "sample", "clock", "filter"]
    assert {call["method"] for call in shop.calls()} == {"GET"}


def test_check_of_a_shop_without_orders(shop: WooPeer) -> None:
    shop.state["orders"].clear()
    with adapter_at(shop) as adapter:
        assert all(finding.ok for finding in adapter.check())


def test_check_over_tls(tls_shop: WooPeer) -> None:
    with adapter_at(tls_shop, verify_tls=False) as adapter:
        found = list(adapter.check())
    assert steps(found)["tls"]
    assert all(finding.ok for finding in found)


def test_check_names_a_wrong_key(shop: WooPeer) -> None:
    with adapter_at(shop, key="ck_wrong") as adapter:
        found = list(adapter.check())
    assert (found[-1].step, found[-1].ok, found[-1].setting) == ("auth", False, "key")


def test_check_names_a_blocked_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        settings = WooCommerceSettings(url=f"http://127.0.0.1:{taken.getsockname()[1]}", key="k", secret="s")
        with WooPeer() as peer, adapter_at(peer, url=settings.url) as adapter:
            found = list(adapter.check())
    assert (found[-1].step, found[-1].ok, found[-1].setting) == ("connect", False, "url")


def test_check_names_an_unknown_host(shop: WooPeer) -> None:
    with adapter_at(shop, url="http://shop.invalid") as adapter:
        found = list(adapter.check())
    assert (found[-1].step, found[-1].setting, len(found)) == ("dns", "url", 1)


def test_check_names_a_port_without_tls(shop: WooPeer) -> None:
    with adapter_at(shop, url=shop.url.replace("http://", "https://")) as adapter:
        found = list(adapter.check())
    assert (found[-1].step, found[-1].ok, found[-1].setting) == ("tls", False, "url")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_check_names_a_wrong_clock(shop: WooPeer, seconds: int) -> None:
    here = shop.now()
    shop.advance(seconds)
    with adapter_at(shop, now=lambda: here) as adapter:
        found = {finding.step: finding for finding in adapter.check()}
    assert not found["clock"].ok
    assert "300" in found["clock"].text.ru
    assert found["filter"].ok


@pytest.mark.parametrize("zone", [-5, 3])
def test_check_finds_a_filter_that_ignores_the_flag(zone: int) -> None:
    with WooPeer(now=NOON, tz=zone, ignore_gmt_flag=True) as shop, adapter_at(shop) as adapter:
        shop.add_order()
        found = {finding.step: finding for finding in adapter.check()}
    assert not found["filter"].ok
    assert found["filter"].remedy is not None


def test_check_names_a_web_page_in_place_of_the_shop(shop: WooPeer) -> None:
    shop.fault("status", "/orders", times=9, status=200, body="<html>Проверка браузера</html>")
    with adapter_at(shop) as adapter:
        found = list(adapter.check())
    assert (found[-1].step, found[-1].ok) == ("auth", False)
    assert "JSON" in found[-1].text.ru


def test_check_names_missing_rights_for_products(shop: WooPeer) -> None:
    body = '{"code":"woocommerce_rest_cannot_view"}'
    shop.fault("status", "/products", times=9, status=403, body=body)
    with adapter_at(shop) as adapter:
        found = {finding.step: finding for finding in adapter.check()}
    assert (found["rights"].ok, found["rights"].setting) == (False, "key")
    assert found["filter"].ok


def test_check_names_fields_that_a_plugin_took_away(shop: WooPeer) -> None:
    del next(iter(shop.state["orders"].values()))["currency"]
    with adapter_at(shop) as adapter:
        found = {finding.step: finding for finding in adapter.check()}
    assert "currency" in found["sample"].text.en
