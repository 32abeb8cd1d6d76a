"""УНФ asked for goods, prices, stock and orders by date of change, and given orders, over its own web services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from adapters.base import (
    Adapter,
    AdapterContext,
    BadConfig,
    Capabilities,
    Change,
    Finding,
    Native,
    Offered,
    OutcomeUnknown,
    Page,
    Problem,
    Record,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)
from adapters.onec.cml.orders_out import validate_order, write_orders
from adapters.onec.cml.reader import records
from adapters.onec.soap.settings import SoapSettings

if TYPE_CHECKING:
    from adapters.onec.soap.service import Service

OVERLAP = timedelta(minutes=10)  # asked again each time: 1C's clock is not ours
PAGE = 500
PICTURES_A_RUN = 200  # each is a call of its own
_OPERATIONS = {
    "group": "GetItems",
    "product": "GetItems",
    "price_type": "GetAmountAndPrices",
    "warehouse": "GetAmountAndPrices",
    "offer": "GetAmountAndPrices",
    "order": "GetOrders",
}


_NEW_ONLY = Text(
    "New orders are given to УНФ; lines and stages of those that it has are only read. To change them connect УНФ by "
    'onec_exchange (protocol = "unf") or onec_odata instead.',
    "В УНФ передаются новые заказы; у тех, что в ней уже есть, строки и этап только читаются. Чтобы менять и их, подключите "
    'УНФ через onec_exchange (protocol = "unf") или onec_odata.',
)
_NO_CODE = Text(
    "SiteExchange2 wants the code of the exchange settings in УНФ, and none is set.",
    "SiteExchange2 требует код настройки обмена в УНФ, а он не задан.",
)
_WHERE_CODE = Text(
    "Take it from the list of exchanges with sites in УНФ, or set service = 1.",
    "Возьмите его в списке «Обмен с сайтами» в УНФ или задайте service = 1.",
)


class OneCSoap(Adapter):
    title = Text("1C:УНФ, web services for sites", "1С:УНФ, веб-сервисы для сайтов")
    role = "accounting"
    mapping = "onec_unf"
    Settings = SoapSettings
    asked = ("code",)
    capabilities = Capabilities(scans=frozenset(_OPERATIONS), creates=frozenset({"order"}))
    settings: SoapSettings

    def __init__(self, settings: SoapSettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._to_ask = 0

    def check(self) -> Iterator[Finding]:
        """The service's description, its operations, and the newest orders."""
        if self.settings.service == 2 and not self.settings.code:
            yield Finding("settings", False, _NO_CODE, "code", _WHERE_CODE)
            return
        try:
            missing = {*_OPERATIONS.values(), "LoadOrders"} - self._service.operations()
        except SverkaError as error:
            yield Finding(
                "auth" if error.code == "soap.auth" else "connect", False, error.text, error.setting, error.remedy
            )
            return
        yield Finding("connect", True, Text("The service describes itself.", "Сервис отдаёт своё описание."))
        if missing:
            names = ", ".join(sorted(missing))
            yield Finding(
                "operations", False, Text(f"The service lacks {names}.", f"В сервисе нет {names}."), "service"
            )
            return
        try:
            since = self.context.now() - timedelta(days=1)
            number = sum(1 for _ in self._read("GetOrders", since))
        except SverkaError as error:
            usual = "code" if self.settings.service == 2 and error.code == "soap.fault" else "login"
            yield Finding("sample", False, error.text, error.setting or usual, error.remedy)
            return
        yield Finding("sample", True, Text(f"{number} orders changed today.", f"Изменено за сутки заказов: {number}."))
        yield Finding("orders", True, _NEW_ONLY)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """What changed since the last scan began, less an overlap; the whole of it at first."""
        asked = self.context.now()
        since = datetime.fromisoformat(cursor["since"]) if cursor and cursor.get("since") else None
        after = {"since": (asked - OVERLAP).isoformat()}
        self._to_ask = PICTURES_A_RUN
        held: list[Record] = []
        trouble: SverkaError | None = None
        for item in self._read(_OPERATIONS[kind], since):
            if isinstance(item, Problem):
                trouble = trouble or (item.error if item.kind == kind else None)
                continue
            if item.kind != kind:
                continue
            if len(held) == PAGE:
                yield Page(held, dict(cursor or {}))  # the cursor moves when all of the answer is safe
                held = []
            held.append(item)
            if kind == "product" and not item.deleted:
                self._picture(item, changed=since is not None)
        if trouble is not None:
            self.context.log.warning("%s: a %s could not be read: %s", self.context.connection, kind, trouble.code)
        yield Page(held, after, last=True, complete=since is None and trouble is None)

    def write(self, change: Change) -> Record:
        """Give one order to УНФ. RecordRefused with its own words; OutcomeUnknown when nothing came back."""
        if change.id is not None or change.kind != "order":
            raise RecordRefused(
                Text(
                    "Only new orders can be given to this service.", "Этому сервису можно передать только новый заказ."
                ),
                code="soap.create",
            )
        if (error := validate_order(change.data)) is not None:
            raise error
        number = str(change.data["number"])
        zone = self.settings.zone_info
        order = Offered(change.key, number, change.data)
        body = write_orders([order], "2.05", made=self.context.now(), zone=zone)
        said = self._service.load(body, self._arguments({}))
        if (reason := _refusal(said)) is not None:
            raise RecordRefused(
                Text(f"УНФ did not take the order {number}: {reason}", f"УНФ не приняла заказ {number}: {reason}"),
                code="soap.order",
            )
        found = self._order(number)
        if found is None:
            raise OutcomeUnknown(
                Text(
                    f"УНФ said yes to the order {number} and does not show it",
                    f"УНФ приняла заказ {number}, но не показывает его",
                ),
                code="soap.not_shown",
            )
        return found

    def close(self) -> None:
        if "_service" in self.__dict__:
            self._service.close()

    @cached_property
    def _service(self) -> Service:
        """Made with the first call: the library of SOAP takes its time to import."""
        from adapters.onec.soap.service import Service

        return Service(self.settings, self.context)

    def _picture(self, item: Record, *, changed: bool) -> None:
        """Fetch the picture that the item names, when it is new or the item has changed. A lost answer is no fault of the
        item: the next whole scan asks again for what is not kept."""
        name = next(iter(item.data.get("images") or ()), "")
        pictures = self.context.pictures
        if not name or not self._to_ask or (pictures.has(name) and not changed):
            return
        self._to_ask -= 1
        try:
            pictures.keep(name, [self._service.picture(self._arguments({"ItemID": item.id}))])
        except (RetryLater, RecordRefused, BadConfig) as error:
            self._to_ask = 0  # it does not answer this: the goods go on without
            self.context.log.warning("%s: pictures are not read: %s", self.context.connection, error.code)

    def _order(self, number: str) -> Record | None:
        since = self.context.now() - timedelta(days=1)
        found = (r for r in self._read("GetOrders", since) if isinstance(r, Record) and r.kind == "order")
        return next((r for r in found if r.id == number), None)

    def _read(self, operation: str, since: datetime | None) -> Iterator[Record | Problem]:
        moment = since.astimezone(self.settings.zone_info).replace(tzinfo=None, microsecond=0) if since else None
        given: dict[str, object] = {"ModificationDate": moment}
        if operation != "GetOrders":
            given["GroupCode"] = self.settings.group or None
        if operation == "GetAmountAndPrices":
            given["WarehouseCode"] = self.settings.warehouse or None
            given["OrganizationCode"] = self.settings.organization or None
        yield from records(self._service.document(operation, self._arguments(given)), self.settings.zone_info)

    def _arguments(self, given: dict[str, object]) -> dict[str, object]:
        return {**given, **({"SettingsExchangeCode": self.settings.code or None} if self.settings.service == 2 else {})}


def _refusal(said: str) -> str | None:
    """Why the order was not taken. The first service answers true or false, the second a JSON text: whether it was loaded,
    lists of what was made, changed and left out, and words, which may be there without a fault."""
    if said.lower() in ("true", "1"):
        return None
    try:
        found = json.loads(said)
    except ValueError:
        return said[:300] or "false"
    if not isinstance(found, dict):
        return None if found is True else str(found)[:300]
    counts = found.get("СтруктураСтатистики")
    left_out = counts.get("Пропущено") if isinstance(counts, dict) else None
    if found.get("УспешноЗагружено") is True and not left_out:
        return None
    return str(found.get("ОписаниеОшибки") or said).strip()[:300]
