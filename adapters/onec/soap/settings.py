"""What is written under [connections.<name>] for УНФ's own web services for sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from adapters.onec.odata.settings import address_of
from adapters.onec.settings import OneCSettings


class SoapSettings(OneCSettings):
    url: Annotated[str, AfterValidator(address_of)]  # of the publication: http://server/unf
    login: str
    password: SecretStr
    service: Literal[1, 2] = 2  # SiteExchange or SiteExchange2; the second wants `code`
    code: str = ""  # SiteExchange2: code of the exchange settings in УНФ (КодНастройкиОбмена)
    group: str = ""  # only this group of goods, by its code
    warehouse: str = ""  # stock of this warehouse only, by its code
    organization: str = ""
    timeout: int = Field(300, ge=1)  # seconds; УНФ itself allows half an hour
    verify_tls: bool = True

    @property
    def address(self) -> str:
        name = "ExchangeWithSites" if self.service == 1 else "ExchangeWithSites2"
        return f"{self.url}/ws/{name}.1cws"
