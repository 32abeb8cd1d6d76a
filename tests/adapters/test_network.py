"""Answers over HTTP are read to their end, whatever they are packed in, but not without end."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator

import httpx
import pytest

from adapters import network
from adapters.base import RetryLater, SverkaError
from adapters.network import TooLarge, whole
from tests.adapters import bitrix_kit, woocommerce_kit
from tests.peers.bitrix import BitrixPeer
from tests.peers.woo import WooPeer

URL = "https://shop.test/wp-json"


def client_of(body: bytes | Iterator[bytes], **headers: str) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=body)))


def test_an_answer_comes_unpacked_with_its_headers() -> None:
    packed = gzip.compress('{"id": 7, "имя": "Болт"}'.encode())
    with client_of(packed, **{"Content-Encoding": "gzip", "X-WP-Total": "1", "Date": "now"}) as client:
        found = whole(client, "GET", URL, params={"page": "1"})
    assert (found.status_code, found.json()) == (200, {"id": 7, "имя": "Болт"})
    assert (found.headers["x-wp-total"], found.headers["date"]) == ("1", "now")
    assert str(found.request.url) == f"{URL}?page=1"


@pytest.mark.parametrize("kind", ["plain", "packed", "endless"])
def test_what_does_not_end_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "LARGEST", 100_000)
    bodies = {
        "plain": b" " * 100_001,
        "packed": gzip.compress(b" " * 1_000_000),
        "endless": itertools.repeat(b" " * 99),
    }
    headers = {"Content-Encoding": "gzip"} if kind == "packed" else {}
    with client_of(bodies[kind], **headers) as client, pytest.raises(TooLarge):
        whole(client, "GET", URL)


def test_what_just_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "LARGEST", 1000)
    with client_of(b" " * 1000) as client:
        assert len(whole(client, "GET", URL).content) == 1000


def test_the_shop_and_the_portal_are_read_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "LARGEST", 40)
    found: list[SverkaError] = []
    with WooPeer(now=woocommerce_kit.NOON) as shop, woocommerce_kit.adapter_at(shop) as woo:
        id = str(shop.add_order()["id"])
        with pytest.raises(RetryLater) as refused:
            woo.read("order", id)
        found.append(refused.value)
    with BitrixPeer() as portal, bitrix_kit.adapter_at(portal) as bitrix:
        with pytest.raises(RetryLater) as refused:
            bitrix.read("deal", "1")
        found.append(refused.value)
    assert [error.code for error in found] == ["woo.too_large", "bitrix.too_large"]
