"""What УНФ tolerates and asks otherwise than УТ."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.onec_site import (
    HTML,
    PLAIN,
    Site,
    answer,
    document,
    small_base,
    unf,
    ut,
)
from tests.adapters.test_onec_peer import CATALOG_FAULTS
from tests.peers.http import Answer
from tests.peers.onec import ExchangeAborted, OneCBase
from tests.peers.onec_wire import NO_PARAMETERS


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as peer:
        yield peer


@pytest.fixture
def base() -> OneCBase:
    return small_base()


def test_unf_tolerates_a_short_or_long_init_but_not_a_short_one_of_bitrix(site: Site, base: OneCBase) -> None:
    site.planted["import"] = "success"
    for init in ("zip=no", "zip=no\nfile_limit=100000\nsessid=1\nversion=2.09", "zip=no\nfile_limit=100000\n"):
        site.planted.update(init=init, file="success")
        assert unf(site, base).exchange_catalog() == 1
    site.planted["init"] = "zip=no"
    with pytest.raises(ExchangeAborted, match=NO_PARAMETERS):
        unf(site, base, bitrix=True).exchange_catalog()


def test_unf_appends_the_fourth_line_of_bitrix_as_it_is(site: Site, base: OneCBase) -> None:
    site.planted["checkauth"] = "success\nsid\nabc\nsessid=42&x=1"
    unf(site, base, bitrix=True).exchange_orders()
    assert site.requests[1].raw_query == "type=sale&mode=init&sessid=42&x=1"
    assert site.requests[1].path == "/bitrix/admin/1c_exchange.php"


def test_only_unf_reads_windows_1251_without_a_charset(site: Site, base: OneCBase) -> None:
    body = answer(document("9")).replace("UTF-8", "windows-1251").encode("windows-1251")
    site.planted["query"] = Answer(body, headers={"Content-Type": "text/xml"})
    assert unf(site, OneCBase("unf")).exchange_orders().loaded == ["9"]
    with pytest.raises(ExchangeAborted):
        ut(site, base).exchange_orders()
    site.planted["query"] = Answer(body, headers={"Content-Type": "text/xml; charset=windows-1251"})
    assert ut(site, base).exchange_orders().loaded == ["9"]


def test_unf_takes_a_body_without_declaration_and_reads_a_failure(site: Site, base: OneCBase) -> None:
    site.planted["query"] = answer(document("9")).removeprefix('<?xml version="1.0" encoding="UTF-8"?>')
    assert unf(site, base).exchange_orders().loaded == ["9"]
    site.planted["query"] = "failure\nНет прав"
    with pytest.raises(ExchangeAborted, match="Нет прав"):
        unf(site, base).exchange_orders()


def test_unf_repeats_a_partial_transfer_once(site: Site, base: OneCBase) -> None:
    short = Answer("success\nsid\nabc", headers={**PLAIN, "Content-Length": "500", "Connection": "close"})

    def part(times: int, client: Any) -> None:
        site.planted["checkauth"] = [short] * times
        client.checkauth("sale")

    part(1, unf(site, base))
    for times, client in ((2, unf(site, base)), (1, ut(site, base))):
        with pytest.raises(ExchangeAborted):
            part(times, client)


def test_info_gives_the_sites_statuses(site: Site, base: OneCBase) -> None:
    site.planted["info"] = (
        '<?xml version="1.0" encoding="UTF-8"?><Справочник><Статусы><Элемент><Ид>N</Ид><Название>Новый</Название>'
        "</Элемент></Статусы></Справочник>"
    )
    assert unf(site, base, bitrix=True).info() == {"Статусы": {"N": "Новый"}}
    site.planted["info"] = HTML
    with pytest.raises(ExchangeAborted):
        unf(site, base, bitrix=True).info()


TOLERATED = {"init with Bitrix's four lines", "init with a trailing line feed", "init of one line"}
FAULTS = [name for name in CATALOG_FAULTS if name not in TOLERATED]


def test_there_are_faults_enough() -> None:
    """Fifteen and more for each of the two clients."""
    assert set(CATALOG_FAULTS) > TOLERATED
    assert len(FAULTS) >= 15


@pytest.mark.parametrize("fault", FAULTS)
def test_unf_stops_the_catalogue_and_keeps_it_for_resending(site: Site, base: OneCBase, fault: str) -> None:
    mode, planted, reason = CATALOG_FAULTS[fault]
    site.planted[mode] = copy.copy(planted)  # a list is used up
    with pytest.raises(ExchangeAborted, match=re.escape(reason)):
        unf(site, base).session()
    assert not [one for one in site.modes() if one.startswith("sale")], "the exchange stops there"
    assert list(base.state["registered"]["products"].values()) == [1, 1], "one try of each is used"
