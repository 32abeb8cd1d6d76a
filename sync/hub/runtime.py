"""A hub made ready to work: configuration, database, adapters with their mappings, inbox writer and spool."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from adapters.base import Adapter, AdapterContext, Limiter, NoPictures
from sync import config as configuration
from sync.config import Config, Connection, Web
from sync.errors import SverkaError
from sync.flow.known import TakenFromStore
from sync.flow.plug import Plug, World
from sync.flow.whose import own_of
from sync.hub.plugins import adapter_class, assert_own_packages, mapping_folder
from sync.identity.replay import prepare
from sync.intake.inbox import InboxWriter
from sync.intake.kept import KeptInStore
from sync.intake.pictures import PictureFolder
from sync.intake.spool import Spool
from sync.lens import load as load_mapping
from sync.schedule.lease import Leases
from sync.schedule.limits import AccountLimiter
from sync.store import Store
from sync.store.migrate import upgrade

# A page of records is no garbage, and all of it goes when the next one comes: with Python's own thresholds an eighth of an
# import goes into looking for it, with a page's worth of objects hardly anything
_COLLECT = (100_000, 20, 20)


def utc_now() -> datetime:
    return datetime.now(UTC)


class _Unlimited:
    """The budget of a hub that must not write: a plan makes few calls, one after the other."""

    def wait(self) -> None:
        """Go on at once."""

    def penalty(self, seconds: float) -> None:
        time.sleep(min(seconds, 30))


class Hub:
    """Open it with `with Hub.open(path) as hub:`. Connections that cannot be made ready stand in `broken`, with the reason;
    the others work."""

    def __init__(self, config: Config, now: Callable[[], datetime] = utc_now, *, frozen: bool = False) -> None:
        """`frozen` promises that no table is written, not even the shared call budgets (for `sverka plan`)."""
        assert_own_packages()
        gc.set_threshold(*_COLLECT)
        self.frozen = frozen
        self.config = config
        self.now = now
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = threading.Event()
        self.store = Store.open(config.hub.database)
        upgrade(self.store)
        self.spool = Spool(self.store, config.hub.spool)
        self.leases = Leases(self.store, self.owner, now)
        self.broken: dict[str, SverkaError] = {}
        self.plugs = self._plugs()
        try:
            assert_deletes(config, self.plugs)
        except SverkaError:
            self._release()
            raise
        self.wake: Callable[[str], None] = lambda _: None  # set by the engine: "there is work for this connection"
        self.world = World(self.store, config, self.plugs, now, lambda name: self.wake(name), self.leases.guard)
        self._writer: InboxWriter | None = None
        if not frozen:
            prepare(self.store, own_of(self.world))

    @classmethod
    def open(cls, path: Path, now: Callable[[], datetime] = utc_now, *, frozen: bool = False) -> Hub:
        """From a configuration file; BadConfig names what to mend in it."""
        return cls(configuration.load(path), now, frozen=frozen)

    @property
    def writer(self) -> InboxWriter:
        if self._writer is None:
            self._writer = InboxWriter(self.store)
        return self._writer

    def close(self) -> None:
        self.stopping.set()
        if self._writer is not None:
            self._writer.close()
        self._release()

    def _release(self) -> None:
        for plug in self.plugs.values():
            plug.adapter.close()
        self.store.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _plugs(self) -> dict[str, Plug]:
        plugs = {}
        for name, connection in self.config.connections.items():
            if not connection.enabled:
                continue
            try:
                plugs[name] = self._plug(connection)
            except SverkaError as error:
                self.broken[name] = error
        return plugs

    def _plug(self, connection: Connection) -> Plug:
        adapter_type = adapter_class(connection.adapter, connection.name)
        adapter = make_adapter(adapter_type, self.config, connection, self.context(connection, adapter_type.rate))
        name = connection.mapping or adapter_type.mapping
        mapping = load_mapping(name, self.config.hub.mappings, mapping_folder(adapter_type))
        return Plug(connection.name, connection.role or adapter_type.role, connection, adapter, mapping)

    def context(self, connection: Connection, usual_rate: int) -> AdapterContext:
        """What an adapter of this connection is given."""
        account = connection.account or connection.name
        limiter: Limiter = (
            _Unlimited()
            if self.frozen
            else AccountLimiter(self.store, account, connection.rate or usual_rate, self.now, stop=self.stopping)
        )
        log = logging.getLogger(f"sverka.{connection.name}")
        kept = KeptInStore(self.store, connection.name, self.now, frozen=self.frozen)
        pictures = NoPictures() if self.frozen else PictureFolder(self.config.hub.pictures, connection.name)
        taken = None if self.frozen else TakenFromStore(lambda: self.world, connection.name)
        language, address = self.config.hub.language, _address(self.config.web)
        return AdapterContext(connection.name, limiter, self.now, log, language, kept, pictures, address, taken)


def _address(web: Web) -> str:
    """Where others reach the hub: as the configuration says, else at this PC's name if it listens to other PCs."""
    host = socket.gethostname() if web.host in ("0.0.0.0", "::") else f"[{web.host}]" if ":" in web.host else web.host
    return web.public_url.rstrip("/") or (f"http://{host}:{web.port}" if web.port else "")


def assert_deletes(config: Config, plugs: Mapping[str, Plug]) -> None:
    """BadConfig where `[deletes]` wants records deleted in a system whose adapter cannot."""
    for kind in config.deletes:
        able = {name: _deletes(plugs[name], kind) for name in config.taking_part(kind) if name in plugs}
        for name in config.deleted_in(kind):
            if not able.get(name, True):  # of a connection that is switched off or broken nothing is known
                raise configuration.cannot_delete(config, kind, name, [n for n, can in able.items() if can])


def _deletes(plug: Plug, kind: str) -> bool:
    natives = {name for name, lens in plug.mapping.lenses.items() if lens.kind == kind}
    return bool(natives) and natives <= plug.adapter.capabilities.deletes


def make_adapter(kind: type[Adapter], config: Config, connection: Connection, context: AdapterContext) -> Adapter:
    """An adapter from the connection's own keys; BadConfig names the one that does not fit."""
    try:
        settings = kind.Settings.model_validate(connection.settings)
    except ValidationError as error:
        raise configuration.settings_error(error, config, connection.name, kind.Settings) from error
    return kind(settings, context)
