"""The CommerceML generator: repeatable, and its own counts are true."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

from lxml import etree

from tests.bench import cml


def test_the_generator_repeats_itself_and_alters_only_the_asked_share(tmp_path: Any) -> None:
    made = cml.generate(tmp_path / "a", 1000)
    again = cml.generate(tmp_path / "b", 1000)
    altered = cml.generate(tmp_path / "c", 1000, changed=0.01)

    def digest(path: Any) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest(made.goods) == digest(again.goods)
    assert digest(made.offers) == digest(again.offers)
    assert digest(cml.generate(tmp_path / "d", 10, seed=1).goods) != digest(cml.generate(tmp_path / "e", 10).goods)
    rows = [etree.parse(str(one.goods)).findall(".//{*}Товар") for one in (made, altered)]
    different = [a.findtext("{*}Ид") for a, b in zip(*rows, strict=True) if etree.tostring(a) != etree.tostring(b)]
    assert different == altered.changed
    assert len(different) == 10


def test_the_generators_counts_are_those_of_the_files(tmp_path: Any) -> None:
    made = cml.generate(tmp_path, 1000)
    goods, offers = (etree.parse(str(path)) for path in (made.goods, made.offers))
    assert len(goods.findall(".//{*}Товар")) == made.products == 1000
    assert len([one for one in goods.iter("{*}Товар") if one.get("Статус")]) == made.deleted > 0
    assert len(offers.findall(".//{*}Предложение")) == made.offer_rows == 1000 + 2 * made.with_characteristics
    prices = [Decimal(one.text or "") for one in offers.iter("{*}ЦенаЗаЕдиницу")]
    assert (len(prices), sum(prices)) == (made.prices, made.price_total)
    assert len(goods.findall(".//{*}Группа")) == 344
    assert 3000 < made.goods.stat().st_size / 1000 < 4000
    keys = [one.findtext("{*}Ид") for one in offers.iter("{*}Предложение")]
    assert len(set(keys)) == len(keys)
