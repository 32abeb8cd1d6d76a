"""An order's document as УНФ's web services take it: not as text but as elements of the argument, each of its declared type.

Read in the published description of УНФ 3.0.5 (package urn:1C.ru:commerceml_205): every element stands in that namespace and in
the declared order, a document has a time of making, a tax names its sum, sums have two decimals and quantities four, a unit has
no text of its own, ИНН has 10 to 12 digits and КПП 9. The platform reads it by these types and refuses the call otherwise.
"""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

SPACE = "urn:1C.ru:commerceml_205"
_SUMS = ("ЦенаЗаЕдиницу", "Сумма")
_LENGTHS = {"ИНН": (10, 12), "КПП": (9, 9)}
_LONGEST_VALUE = 1000


def typed(document: bytes, tag: str) -> etree._Element:
    """The document (as `write_orders` makes it) as the element `tag` of a call."""
    root = etree.fromstring(document)
    for paper in root.iterfind("Документ"):
        _counterparties(paper)
        _taxes(paper)
    for element in root.iter("БазоваяЕдиница"):
        element.text = None
    for element in root.iter(*_SUMS):
        element.text = _rounded(element.text, "0.01")
    for element in root.iter("Количество"):
        element.text = _rounded(element.text, "0.0001")
    for element in root.iter("Значение"):
        element.text = (element.text or "")[:_LONGEST_VALUE]
    for element in root.iter():
        element.tag = f"{{{SPACE}}}{element.tag}"
    root.tag = tag
    return root


def _counterparties(paper: etree._Element) -> None:
    """A person's full name stands behind the numbers; a number of another length than they have is left out."""
    for party in paper.iter("Контрагент"):
        for name, (least, most) in _LENGTHS.items():
            number = party.find(name)
            if number is not None and not least <= len(number.text or "") <= most:
                party.remove(number)
        full = party.find("ПолноеНаименование")
        before = [e for e in party if e.tag in ("Ид", "Наименование", "ИНН", "КПП")]
        if full is not None and before:
            before[-1].addnext(full)


def _taxes(paper: etree._Element) -> None:
    """The VAT in each line's sum, and their total: the sums of a document hold it."""
    whole = Decimal(0)
    for line in paper.iterfind("Товары/Товар"):
        total = Decimal(line.findtext("Сумма") or 0)
        for tax in line.iterfind("Налоги/Налог"):
            rate = tax.findtext("Ставка") or ""
            share = total * Decimal(rate) / (100 + Decimal(rate)) if rate.replace(".", "").isdigit() else Decimal(0)
            share = share.quantize(Decimal("0.01"))
            whole += share
            _sum_of(tax, share)
    for tax in paper.iterfind("Налоги/Налог"):
        _sum_of(tax, whole)


def _sum_of(tax: etree._Element, value: Decimal) -> None:
    """Between УчтеноВСумме and Ставка."""
    place = [e for e in tax if e.tag in ("Наименование", "УчтеноВСумме")][-1]
    made = etree.Element("Сумма")
    made.text = str(value)
    place.addnext(made)


def _rounded(text: str | None, places: str) -> str:
    return format(Decimal(text or 0).quantize(Decimal(places)).normalize(), "f")
