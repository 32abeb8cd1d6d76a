"""What is written under [connections.<name>] for the two 1C adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

from adapters.base import AdapterSettings


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; expected a name like Europe/Moscow or Asia/Novosibirsk") from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class OneCSettings(AdapterSettings):
    zone: Zone = "Europe/Moscow"  # the time zone of the 1C base: its documents carry local time

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class ExchangeSettings(OneCSettings):
    login: str = ""  # what 1C's exchange node has as user and password; unique among the hub's connections
    password: SecretStr = SecretStr("")
    protocol: Literal["ut", "unf"] = "ut"  # УТ (also КА, ERP, Розница) or УНФ
    file_limit: int = Field(2_000_000, ge=1)  # bytes of one portion; 1C cuts its files accordingly
    batch: int = Field(20, ge=1, le=50)  # orders in one answer: 1C loads them in one transaction
    max_file: int = Field(2 * 1024**3, ge=1)  # bytes of one file
    idle_import: int = Field(120, ge=1)  # seconds of silence after which uploaded files are imported unasked


class FolderSettings(OneCSettings):
    folder: Path  # where 1C puts its files
    archive: Path | None = None  # where read files go; default: "archive" inside the folder
    settle_seconds: int = Field(5, ge=0)  # a file must be unchanged for so long
    give_up_seconds: int = Field(600, ge=1)  # an unfinished file is then shown as broken
