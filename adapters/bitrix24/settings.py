"""The settings of one Bitrix24 connection."""

from __future__ import annotations

import re

import httpx
from pydantic import ConfigDict, Field, SecretStr, field_validator

from adapters.base import AdapterSettings

PATH = re.compile(r"/rest/(?:api/)?(\d+)/([A-Za-z0-9]+)/?")


class Bitrix24Settings(AdapterSettings):
    """`webhook` is the address of an incoming webhook with the right "CRM (crm)": Разработчикам → Другое → Входящий вебхук."""

    # An error would repeat the input, and a half right address is a key too
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    webhook: SecretStr  # https://firma.bitrix24.ru/rest/1/abcdef0123456789/ — the address is the key itself
    application_token: SecretStr | None = None  # of the outgoing webhook, which only makes the hub look sooner
    previous_application_token: SecretStr | None = None  # still accepted after the outgoing webhook was made anew
    originator: str = Field("sverka", min_length=1, max_length=50)  # ORIGINATOR_ID of the records that the hub makes
    timeout: int = Field(70, ge=1, le=600)  # seconds for one answer: the portal itself gives up after 60
    overlap: int = Field(120, ge=1, le=86_400)  # seconds read again before the bookmark
    verify_tls: bool = True

    @field_validator("webhook")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        # the received value is never repeated: it is a key
        wanted = "the whole address of an incoming webhook is wanted: https://firma.bitrix24.ru/rest/1/…/"
        try:
            url = httpx.URL(value.get_secret_value().strip())
        except httpx.InvalidURL:
            raise ValueError(wanted) from None
        found = PATH.match(url.path)
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or found is None:
            raise ValueError(wanted)
        plain = url.copy_with(path=f"/rest/{found[1]}/{found[2]}/", query=None, fragment=None)
        return SecretStr(str(plain))

    @field_validator("application_token", "previous_application_token")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("must not be empty")
        return None if value is None else SecretStr(value.get_secret_value().strip())
