"""УНФ's web services for sites, SiteExchange and SiteExchange2, as the platform publishes them.

A WSDL in the platform's style (document/literal, ports for SOAP 1.1 and 1.2, the address that the web server thinks of
itself, which is wrong behind a proxy), answers as CommerceML of 2.05 inside `return`, gzip when asked, Basic on everything.

State: {"items": [[changed, xml]], "amounts": [[changed, xml]], "orders": {number: [changed, xml]}, "refuse": {number: words},
"finished": [number]}.

Orders are taken as elements of declared types, and only so: `misread`.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from tests.peers.http import Answer, Call, HttpPeer

CML = "urn:1C.ru:commerceml_205"
_SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
_WSDL = {"": "http://schemas.xmlsoap.org/wsdl/soap/", "12": "http://schemas.xmlsoap.org/wsdl/soap12/"}
_OPERATIONS: dict[str, tuple[list[str], str]] = {
    "GetItems": (["ModificationDate:dateTime", "GroupCode:string"], "cml:КоммерческаяИнформация"),
    "GetAmountAndPrices": (
        ["ModificationDate:dateTime", "GroupCode:string", "WarehouseCode:string", "OrganizationCode:string"],
        "cml:КоммерческаяИнформация",
    ),
    "GetOrders": (["ModificationDate:dateTime"], "cml:КоммерческаяИнформация"),
    "GetPicture": (["ItemID:string"], "xs:base64Binary"),
    "LoadOrders": (["OrdersData:cml"], "xs:string"),
}


class SoapPeer(HttpPeer):
    """`with SoapPeer(service=2) as base:` then `base.url + "/unf"`. `inside`: the address that the WSDL names; `versions`:
    the ports that it has."""

    login, password, code = "site", "secret", "SITE"

    def __init__(
        self, service: int = 2, inside: str = "http://srv1c.local:80", versions: tuple[str, ...] = ("1.1", "1.2")
    ) -> None:
        self.service, self.inside, self.versions = service, inside, versions
        self.name = "ExchangeWithSites" + ("2" if service == 2 else "")
        self.space = f"http://www.1c.ru/{self.name}"
        super().__init__()

    def fresh(self) -> dict[str, Any]:
        return {"items": [], "amounts": [], "orders": {}, "refuse": {}, "finished": [], "pictures": {}, "asked": []}

    def handle(self, call: Call) -> Answer:
        wanted = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {wanted}":
            return Answer("<html>401</html>", 401, {"WWW-Authenticate": 'Basic realm="1C:Enterprise 8.3"'})
        if call.path != f"/unf/ws/{self.name}.1cws":
            return Answer("<html>404</html>", 404)
        if call.method == "GET" and "wsdl" in call.query:
            return Answer(self.wsdl(), headers={"Content-Type": "text/xml; charset=utf-8"})
        return self._packed(call, self._envelope(call))

    def _envelope(self, call: Call) -> Answer:
        version = "1.2" if "soap+xml" in call.headers.get("content-type", "") else "1.1"
        if version not in self.versions:
            return Answer("<html>415</html>", 415)
        try:
            root = etree.fromstring(call.body, etree.XMLParser(resolve_entities=False))
            (request,) = root.find(f"{{{_SOAP[version]}}}Body")  # type: ignore[misc, union-attr]
        except (etree.XMLSyntaxError, ValueError, TypeError):
            return self._fault(version, "Ошибка разбора XML")
        operation = etree.QName(request).localname
        given = {etree.QName(e).localname: _value(e) for e in request}
        names = [p.partition(":")[0] for p in self._parameters(operation)]
        if operation not in _OPERATIONS or set(given) - set(names):
            return self._fault(version, f"Неизвестная операция или параметр: {operation}")
        if self.service == 2 and given.get("SettingsExchangeCode") != self.code:
            return self._fault(version, "Не найдены настройки обмена")
        if operation == "GetPicture":
            self.state["asked"].append(given.get("ItemID"))
            if given.get("ItemID") in self.state["refuse"]:
                return self._fault(version, self.state["refuse"][given["ItemID"]])
        if operation == "LoadOrders":
            data = next((e for e in request if etree.QName(e).localname == "OrdersData"), None)
            if wrong := misread(data):
                return self._fault(version, f"Ошибка преобразования данных XDTO: {wrong}")
            return self._soap(version, operation, escape(self._load(data)))
        return self._soap(version, operation, self._result(operation, given))

    def _result(self, operation: str, given: dict[str, str | None]) -> str:
        since = given.get("ModificationDate") or ""
        if operation == "GetPicture":
            return str(self.state["pictures"].get(given.get("ItemID"), ""))  # base64, empty where there is none
        rows = (
            self.state["orders"].values()
            if operation == "GetOrders"
            else self.state["items" if operation == "GetItems" else "amounts"]
        )
        parts = "".join(xml for changed, xml in rows if changed >= since)
        return f'<КоммерческаяИнформация xmlns="{CML}" ВерсияСхемы="2.05">{parts}</КоммерческаяИнформация>'

    def _load(self, root: Any) -> str:
        counts: dict[str, Any] = {"Загружено": [], "Пропущено": [], "Обновлено": [], "Создано": []}
        error, fine = "", True
        for paper in root.iterfind(f"{{{CML}}}Документ"):
            number = paper.findtext(f"{{{CML}}}Номер") or ""
            if number in self.state["refuse"]:
                error, fine = self.state["refuse"][number], False
                break  # the rest of the batch is not looked at
            if number in self.state["finished"]:  # no fault, and nothing is taken
                counts["Пропущено"].append(number)
                error += f"Заказ покупателя {number} пропущен по причине: Статус заказа - Завершен."
                continue
            counts["Обновлено" if number in self.state["orders"] else "Создано"].append(number)
            counts["Загружено"].append(number)
            paper.find(f"{{{CML}}}Ид").text = f"1c-{number}"
            self.state["orders"][number] = ["2026-03-01T12:00:00", etree.tostring(paper, encoding="unicode")]
        if self.service == 1:
            return "true" if fine else "false"
        answer = {"СтруктураСтатистики": counts, "ОписаниеОшибки": error, "УспешноЗагружено": fine}
        return json.dumps(answer, ensure_ascii=False)

    def _soap(self, version: str, operation: str, result: str) -> Answer:
        text = (
            f'<soap:Envelope xmlns:soap="{_SOAP[version]}"><soap:Body><m:{operation}Response xmlns:m="{self.space}">'
            f"<m:return>{result}</m:return></m:{operation}Response></soap:Body></soap:Envelope>"
        )
        return Answer(text, headers={"Content-Type": "text/xml; charset=utf-8"})

    def _fault(self, version: str, words: str) -> Answer:
        inner = (
            f"<faultcode>soap:Server</faultcode><faultstring>{escape(words)}</faultstring>"
            if version == "1.1"
            else f"<soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason><soap:Text>{escape(words)}"
            "</soap:Text></soap:Reason>"
        )
        text = (
            f'<soap:Envelope xmlns:soap="{_SOAP[version]}"><soap:Body><soap:Fault>{inner}</soap:Fault></soap:Body>'
            "</soap:Envelope>"
        )
        return Answer(text, 500, {"Content-Type": "text/xml; charset=utf-8"})

    def _packed(self, call: Call, answer: Answer) -> Answer:
        if "gzip" not in call.headers.get("accept-encoding", "") or not isinstance(answer.body, str):
            return answer
        return Answer(
            gzip.compress(answer.body.encode()), answer.status, {**answer.headers, "Content-Encoding": "gzip"}
        )

    def _parameters(self, operation: str) -> list[str]:
        return [
            *_OPERATIONS.get(operation, ([], ""))[0],
            *(["SettingsExchangeCode:string"] if self.service == 2 else []),
        ]

    def wsdl(self) -> str:
        elements, messages, ports = "", "", ""
        bindings = {s: space for s, space in _WSDL.items() if ("1.2" if s else "1.1") in self.versions}
        bound = dict.fromkeys(bindings, "")
        for name, (_, result) in _OPERATIONS.items():
            result = "xs:boolean" if name == "LoadOrders" and self.service == 1 else result
            rows = "".join(
                f'<xs:element name="{p}" type="cml:КоммерческаяИнформация"/>'
                if t == "cml"
                else f'<xs:element name="{p}" type="xs:{t}" nillable="true"/>'
                for p, t in (one.split(":") for one in self._parameters(name))
            )
            elements += (
                f'<xs:element name="{name}"><xs:complexType><xs:sequence>{rows}</xs:sequence></xs:complexType></xs:element>'
                f'<xs:element name="{name}Response"><xs:complexType><xs:sequence><xs:element name="return" type="{result}"/>'
                "</xs:sequence></xs:complexType></xs:element>"
            )
            for word in ("Request", "Response"):
                part = f"tns:{name}" + ("Response" if word == "Response" else "")
                messages += f'<message name="{name}{word}"><part name="parameters" element="{part}"/></message>'
            ports += (
                f'<operation name="{name}"><input message="tns:{name}Request"/>'
                f'<output message="tns:{name}Response"/></operation>'
            )
            for suffix in bindings:
                bound[suffix] += (
                    f'<operation name="{name}"><soap{suffix}:operation style="document" '
                    f'soapAction="{self.space}#SiteExchange:{name}"/><input><soap{suffix}:body use="literal"/></input>'
                    f'<output><soap{suffix}:body use="literal"/></output></operation>'
                )
        made = "".join(
            f'<binding name="SiteExchangeSoap{s}Binding" type="tns:SiteExchangePortType"><soap{s}:binding style="document" '
            f'transport="http://schemas.xmlsoap.org/soap/http"/>{bound[s]}</binding>'
            for s in bindings
        )
        service = "".join(
            f'<port name="SiteExchangeSoap{s}" binding="tns:SiteExchangeSoap{s}Binding">'
            f'<soap{s}:address location="{self.inside}/unf/ws/{self.name}.1cws"/></port>'
            for s in bindings
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?><definitions xmlns="http://schemas.xmlsoap.org/wsdl/" '
            f'xmlns:soap="{_WSDL[""]}" xmlns:soap12="{_WSDL["12"]}" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
            f'xmlns:tns="{self.space}" xmlns:cml="{CML}" name="SiteExchange" targetNamespace="{self.space}"><types>'
            f'<xs:schema targetNamespace="{CML}" elementFormDefault="qualified"><xs:complexType name="КоммерческаяИнформация">'
            '<xs:sequence><xs:any processContents="skip" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
            '<xs:anyAttribute processContents="skip"/></xs:complexType></xs:schema>'
            f'<xs:schema targetNamespace="{self.space}" elementFormDefault="qualified"><xs:import namespace="{CML}"/>'
            f"{elements}</xs:schema></types>{messages}"
            f'<portType name="SiteExchangePortType">{ports}</portType>{made}<service name="SiteExchange">{service}</service>'
            "</definitions>"
        )


# The declared order of elements; what must be there is marked
_SEQUENCES = {
    "Документ": "Ид! Номер! Дата! ХозОперация! Роль! Валюта! Курс! Сумма! Контрагенты! Время СрокПлатежа Комментарий Налоги "
    "Скидки ДопРасходы Товары ЗначенияРеквизитов",
    "Контрагент": "Ид Наименование ОфициальноеНаименование ЮридическийАдрес ИНН КПП ПолноеНаименование АдресРегистрации "
    "Комментарий Адрес Контакты Роль!",
    "Товар": "Ид Артикул Код Наименование БазоваяЕдиница СтавкиНалогов ЗначенияРеквизитов ЦенаЗаЕдиницу Количество Сумма "
    "Налоги Скидки",
    "Налог": "Наименование! УчтеноВСумме Сумма! Ставка",
    "Скидка": "Наименование! Сумма! Процент УчтеноВСумме Комментарий",
    "СтавкаНалога": "Наименование! Ставка!",
    "ЗначениеРеквизита": "Наименование! Значение!",
    "Контакт": "Тип! Значение!",
}
_TEXTS = {  # what a value looks like: a sum, a quantity, a number of a taxpayer
    "Сумма": r"-?\d{1,16}(\.\d{1,2})?",
    "ЦенаЗаЕдиницу": r"-?\d{1,16}(\.\d{1,2})?",
    "Количество": r"-?\d+(\.\d{1,4})?",
    "Дата": r"\d{4}-\d\d-\d\d",
    "Время": r"\d\d:\d\d:\d\d",
    "Валюта": r".{3}",
    "ИНН": r".{10,12}",
    "КПП": r".{9}",
    "Значение": r"(?s).{0,1000}",
    "Наименование": r"(?s).{1,250}",
    "УчтеноВСумме": r"true|false",
    "БазоваяЕдиница": r"",
}


def misread(data: etree._Element | None) -> str:
    """What is wrong with orders by the types of УНФ's own description of CommerceML 2.05; "" when nothing is."""
    if data is None or not {"ВерсияСхемы", "ДатаФормирования"} <= set(data.attrib):
        return "OrdersData"
    for element in data.iterdescendants():
        name = etree.QName(element)
        if name.namespace != CML:
            return f"пространство имён {name.localname}"
        known = [one.rstrip("!") for one in _SEQUENCES.get(name.localname, "").split()]
        there = [etree.QName(e).localname for e in element]
        if known and there != sorted(set(there), key=lambda n: known.index(n) if n in known else -1):
            return f"порядок элементов {name.localname}: {' '.join(there)}"
        needed = {one[:-1] for one in _SEQUENCES.get(name.localname, "").split() if one.endswith("!")}
        if set(there) - set(known or there) or needed - set(there):
            return f"состав {name.localname}: {' '.join(there)}"
        shape = _TEXTS.get(name.localname)
        if shape is not None and not re.fullmatch(shape, element.text or ""):
            return f"значение {name.localname}: {element.text}"
    return ""


def _value(element: etree._Element) -> str | None:
    nil = element.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
    return None if nil else (element.text or "")
