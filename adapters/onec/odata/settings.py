"""What is written under [connections.<name>] for a 1C base that publishes its OData interface."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapters.onec.odata.names import BY_CONFIGURATION
from adapters.onec.settings import OneCSettings


def address_of(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("the base's address is wanted, like http://server/ut (login and password stand beside it)")
    return value.strip().rstrip("/").removesuffix("/odata/standard.odata")


class ODataSettings(OneCSettings):
    url: Annotated[str, AfterValidator(address_of)]  # of the publication: http://server/ut
    login: str
    password: SecretStr
    configuration: Literal["ut", "unf", "bp"] = "ut"  # УТ (also КА, ERP), УНФ or БП
    # How the accountant sees the deal's stage in 1C: УНФ has its own order state; УТ an additional attribute (string) and the
    # client deal (Catalog_СделкиСКлиентами), БП the attribute; anywhere the attribute alone, or the document's comment
    show_stage: Literal["auto", "state", "attribute", "both", "comment"] = "auto"
    attribute: str = "Статус сделки CRM"  # the additional attribute's name (Дополнительный реквизит)
    # 1C's client deal knows won, lost and in work only: which words of the mapping's table of stages are the first two
    deal_won: tuple[str, ...] = Field(("Завершён",), min_length=1)
    deal_lost: tuple[str, ...] = Field(("Отменён",), min_length=1)
    # what the pipeline's lost_reason says where nobody gave a reason: 1C need not know it
    no_reason: str = "Не указана"
    # the attribute that holds the number of the site's order: the stock site exchange makes and fills this one
    number_attribute: str = "Номер заказа на сайте"
    clients: bool = False  # also take all of Контрагенты as clients, not only those who have ordered
    exchange_plan: str = ""  # "ExchangePlan_Имя(guid'…')": a change feed, where a plan holds the objects
    # sets of documents with payments or shipments that this firm does not use (any more): not asked for and not missed
    not_used: tuple[str, ...] = ()
    days: int = Field(92, ge=1)  # how far back orders are looked at
    page: int = Field(500, ge=1, le=5000)
    timeout: int = Field(60, ge=1)  # seconds
    verify_tls: bool = True

    @model_validator(mode="after")
    def _has_the_place(self) -> Self:
        """A stage that is shown nowhere would look as if all were well."""
        wanted = {"state": "unf", "both": "ut"}.get(self.show_stage, self.configuration)
        if wanted != self.configuration:
            raise ValueError(
                f'show_stage = "{self.show_stage}" is for configuration = "{wanted}"; with "{self.configuration}" set '
                "attribute or comment"
            )
        return self

    @model_validator(mode="after")
    def _knows_the_sets(self) -> Self:
        """A misspelt one would be missed for ever."""
        known = BY_CONFIGURATION[self.configuration].tells
        if strange := [name for name in self.not_used if name not in known]:
            there = ", ".join(known) or "none"
            raise ValueError(
                f'not_used: {", ".join(strange)}; with configuration = "{self.configuration}" there are: {there}'
            )
        return self

    @property
    def shows(self) -> frozenset[str]:
        """Where the stage is written: state, attribute, deal, comment."""
        auto = {"ut": "both", "unf": "state", "bp": "attribute"}[self.configuration]
        chosen = auto if self.show_stage == "auto" else self.show_stage
        return frozenset({"attribute", "deal"} if chosen == "both" else {chosen})
