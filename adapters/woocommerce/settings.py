"""The settings of one WooCommerce connection."""

from __future__ import annotations

from typing import Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from adapters.base import AdapterSettings


class WooCommerceSettings(AdapterSettings):
    """`key` and `secret` are made in the shop under WooCommerce → Settings → Advanced → REST API, with Read/Write."""

    url: str  # the shop's own address, as its visitors see it: https://shop.example
    key: SecretStr  # ck_…
    secret: SecretStr  # cs_…
    auth: Literal["auto", "basic", "query", "oauth1"] = "auto"
    timeout: int = Field(60, ge=1, le=600)  # seconds for one answer: a page of 100 orders was seen to take 18
    page_size: int = Field(50, ge=1, le=100)  # where paging starts; it shrinks by itself on a slow shop
    webhook_secret: SecretStr | None = None
    previous_webhook_secret: SecretStr | None = None  # still accepted after the secret was changed
    overlap: int = Field(120, ge=1, le=86_400)  # seconds read again before the bookmark
    verify_tls: bool = True

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            url = httpx.URL(value.strip())
        except httpx.InvalidURL as error:
            raise ValueError(f"{value!r} is not an address; write it like https://shop.example") from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
            raise ValueError(
                "the shop's plain address is wanted, like https://shop.example, without keys and parameters"
            )
        return str(url).rstrip("/").removesuffix("/wp-json").rstrip("/")

    @field_validator("key", "secret", "webhook_secret", "previous_webhook_secret")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text:
            raise ValueError("must not be empty")
        return SecretStr(text)
