"""The two adapters: `OneCSiteExchange` (1C calls the hub) and `OneCFolder` (1C writes files into a folder)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

from adapters.base import (
    Adapter,
    AdapterContext,
    AdapterSettings,
    Arrival,
    Capabilities,
    Finding,
    Hint,
    Problem,
    Record,
    ServerProtocol,
    Text,
    Unchanged,
)
from adapters.onec.exchange import HEADER_LOST, HEADER_REMEDY, STOCK_PATH, SiteExchange
from adapters.onec.folder import Folder
from adapters.onec.settings import ExchangeSettings, FolderSettings
from adapters.onec.unpack import resembles, unpack

_THIS = ("this computer>:<port", "этот компьютер>:<порт")
_ALONE = Text(
    '. Now only programs on this computer get there: for a 1C on another one set web.host = "0.0.0.0" and web.password',
    '. Сейчас сюда попадут только программы этого компьютера: для 1С на другом задайте web.host = "0.0.0.0" и web.password',
)


class _OneC(Adapter):
    """What both share: 1C's files."""

    role: ClassVar[str] = "accounting"
    mapping: ClassVar[str] = "onec_ut"

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem | Hint | Unchanged]:
        context = self.context
        return unpack(arrival, self.settings.zone_info, context.kept, context.pictures, context.taken)


class OneCSiteExchange(_OneC):
    """1C as the client: it uploads goods, prices, stock and orders, and fetches new orders."""

    title: ClassVar[Text] = Text("1C, exchange with a site", "1С, обмен с сайтом")
    Settings: ClassVar[type[AdapterSettings]] = ExchangeSettings
    asked = ("login", "protocol")
    capabilities = Capabilities(serves=True, offers=frozenset({"order"}), files=True)

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._server = SiteExchange(settings, context)

    def server(self) -> ServerProtocol:
        return self._server

    def check(self) -> Iterator[Finding]:
        for setting, filled in (
            ("login", bool(self.settings.login)),
            ("password", bool(self.settings.password.get_secret_value())),
        ):
            if not filled:
                yield Finding(
                    "auth",
                    False,
                    Text(f"{setting} is not set: 1C could not log in", f"не задан {setting}: 1С не сможет войти"),
                    setting=setting,
                    remedy=Text(
                        "set it here and type the same into 1C's exchange node",
                        "задайте здесь и введите то же в узле обмена 1С",
                    ),
                )
                return
        yield Finding("auth", True, Text("login and password are set", "логин и пароль заданы"), setting="login")
        yield from self._reached()

    def _reached(self) -> Iterator[Finding]:
        """Where 1C finds the hub, and whether its password got through the last time."""
        where = self.context.address
        en, ru = (f"{where or f'http://<{word}>'}/exchange/{self.context.connection}" for word in _THIS)
        alone = urlsplit(where).hostname in ("127.0.0.1", "localhost", "::1")
        yield Finding(
            "address",
            True,
            Text(
                f"address to type into 1C: {en} (without ?; 1C adds its own). "
                f"With nothing but the host, 1C asks {STOCK_PATH}, which works too" + (_ALONE.en if alone else ""),
                f"адрес для ввода в 1С: {ru} (без знака «?»: его 1С добавит сама). "
                f"Если ввести только имя компьютера, 1С обратится к {STOCK_PATH}, это тоже работает"
                + (_ALONE.ru if alone else ""),
            ),
        )
        if lost := (self.context.kept.load(HEADER_LOST) or {}).get("at"):
            yield Finding(
                "header",
                False,
                Text(
                    f"1C asked ({lost}) and its login and password were lost on the way: no Authorization header arrived",
                    f"1С обратилась ({lost}), но имя и пароль по дороге потерялись: заголовок Authorization не дошёл",
                ),
                remedy=HEADER_REMEDY,
            )


class OneCFolder(_OneC):
    """1C writes its files into a folder (its own, or one on the office's server), the hub collects them."""

    title: ClassVar[Text] = Text("1C, files in a folder", "1С, файлы в папке")
    suffixes = (".xml", ".zip")
    Settings: ClassVar[type[AdapterSettings]] = FolderSettings
    capabilities = Capabilities(collects=True, files=True)

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._folder = Folder(settings, context)

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        if resembles(head):
            return 3
        return super().likeness(name, head)

    def check(self) -> Iterator[Finding]:
        return self._folder.check()

    def collect(self) -> Iterator[Arrival]:
        return self._folder.collect()

    def collected(self, arrival: Arrival) -> None:
        self._folder.collected(arrival)
