"""What may be configured: the tables of the file, their keys and what each is when it is not given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

Role = Literal["form", "shop", "mail", "crm", "accounting"]
ROLES: tuple[Role, ...] = ("form", "shop", "mail", "crm", "accounting")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any) -> int:
    """An interval: a number of seconds, or text such as "30s", "5m", "1h", "1d"."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())) and int(match[1]) > 0:
        return int(match[1]) * _UNITS[match[2]]
    raise ValueError('an interval is written "30s", "5m", "1h" or "1d"')


Interval = Annotated[int, BeforeValidator(seconds)]


def _zone(value: Any) -> Any:
    if isinstance(value, str) and value:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError('a time zone is written like "Europe/Moscow" or "Asia/Yekaterinburg"') from None
    return value


TimeZone = Annotated[str, BeforeValidator(_zone)]


def _deletion(value: Any) -> Any:
    if value in ("archive", "detach") or (isinstance(value, str) and value.partition(":")[0] == "propagate"):
        return value
    raise ValueError('valid are "archive", "detach", "propagate", or "propagate:CONNECTION,CONNECTION"')


Deletion = Annotated[str, BeforeValidator(_deletion)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class Hub(Section):
    database: str = Field("sqlite:///var/sverka.db", repr=False)  # may hold a password
    spool: Path = Path("var/spool")  # uploaded files until they are processed
    pictures: Path = Path("var/pictures")  # pictures of goods, for good
    mappings: Path | None = None  # own mapping files, overriding the built-in ones field by field
    language: Literal["ru", "en"] = "ru"
    country: str = Field("RU", pattern="^[A-Z]{2}$")  # of phone numbers written without a country code
    currency: str = Field("RUB", pattern="^[A-Z]{3}$")  # where a system names none
    timezone: TimeZone = ""  # of the firm, such as "Europe/Moscow"; "" takes this PC's
    price_type: str = ""  # the price type that goes to shops; "" when there is only one
    unmatched_lines: Literal["wait", "by_name"] = "wait"  # an order line that no product fits, on its way to accounting
    verify: str = Field("03:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")  # the nightly verify pass; "" for never
    lead_window: Interval = 7 * 86400  # an order of a client converts their only lead of this time
    call_within: Interval = 15 * 60  # due time of the task that a new lead gets
    max_body: int = Field(1 << 20, gt=0)  # bytes of one form or webhook
    own_domains: tuple[str, ...] = ()  # the firm's own mail domains: never a client
    own_lines: tuple[str, ...] = ()  # the firm's own phone numbers
    own_inns: tuple[str, ...] = ()  # the firm's own taxpayer numbers: they stand in its orders and letters


class Web(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    password: SecretStr | None = None  # of the pages and the API; without one they answer only on this PC
    public_url: str = ""  # the address by which others reach the hub, for the texts of `check`


class Notices(Section):
    via: str = ""  # a mail connection
    to: tuple[str, ...] = ()
    report_to: tuple[str, ...] = ()  # who gets deals against accounting every day
    report_days: int = Field(92, gt=0)  # for how long closed deals in which nothing differs stay in the report
    report_at: str = Field("08:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")  # by the firm's clock; "" for never


class Limits(Section):
    """How much is done without asking, and at most at once: the bigger of each two bounds counts."""

    first_run: Literal["ask", "go"] = "ask"  # whether the first writes to a system wait for `sverka approve`
    writes: int = Field(50, ge=0)  # writes of one run
    writes_percent: int = Field(10, ge=0, le=100)  # of the records that are linked there
    deletes: int = Field(10, ge=0)  # records of one kind that may go missing from a system between two looks
    deletes_percent: int = Field(5, ge=0, le=100)  # of those that it had
    merges: int = Field(100, ge=0)  # cards that one plan of duplicates may merge; a larger plan is refused as a whole
    merges_percent: int = Field(20, ge=0, le=100)  # of the clients that are known


WHOLE_KINDS = ("company", "contact", "lead", "deal", "product")
FACTS = ("paid", "shipped", "paid_and_shipped", "cancelled")


class StageDef(Section):
    name: str = Field(pattern="^[a-z0-9_]+$")
    title: str
    semantic: Literal["open", "won", "lost"] = "open"
    next: tuple[str, ...] | None = None  # the stages that may follow; else every later one and every closed one


class Pipeline(Section):
    name: str = Field(pattern="^[a-z0-9_]+$")
    title: str = ""
    stages: tuple[StageDef, ...]
    # what the accounting side's facts make of a deal: {paid = "paid", shipped = "shipped", cancelled = "lost"}
    facts: dict[str, str] = Field(default_factory=dict)
    lost_reason: str = ""  # of a deal that a system loses without saying why; "": a person is asked


DEFAULT_PIPELINE = Pipeline(
    name="main",
    title="Продажи",
    stages=(
        StageDef(name="new", title="Новый"),
        StageDef(name="in_work", title="В работе"),
        StageDef(name="paid", title="Оплачен"),
        StageDef(name="shipped", title="Отгружен"),
        StageDef(name="won", title="Завершён", semantic="won"),
        StageDef(name="lost", title="Отменён", semantic="lost"),
    ),
    facts={"paid": "paid", "shipped": "shipped", "paid_and_shipped": "won", "cancelled": "lost"},
    lost_reason="Не указана",
)


class When(Section):
    field: str
    op: Literal["eq", "ne", "in", "empty", "filled", "gt", "lt"]
    value: Any = None


class Flow(Section):
    kind: Literal["lead", "deal", "product", "company", "contact"]
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    create: Literal["always", "never"] | When = "never"


class Connection(Section):
    """The hub's part of a connection; `settings` is what is left for the adapter."""

    name: str
    adapter: str
    role: Role | None = None  # the adapter's usual role
    mapping: str | None = None  # the adapter's usual mapping file
    every: Interval = 60  # between two polls
    recheck: Interval = 86400  # between two re-reads of open and recent records
    full: Interval = 86400  # between two scans from the beginning, which alone show what is gone without a trace
    prefix: str = Field("", max_length=4)  # before the order numbers of this connection in systems with short numbers
    account: str = ""  # connections of one account share its limits; the connection's own name by default
    base: str = ""  # whose books it shows: sums of different bases are added; "": nobody knows, the fuller counts
    rate: int | None = Field(None, gt=0)  # calls per minute; the adapter's usual number
    enabled: bool = True
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)  # may hold secrets


class Config(Section):
    hub: Hub = Hub()
    web: Web = Web()
    notices: Notices = Notices()
    limits: Limits = Limits()
    pipelines: tuple[Pipeline, ...] = Field((DEFAULT_PIPELINE,), alias="pipeline")
    flows: tuple[Flow, ...] = Field((), alias="flow")
    # "deal.stage" = a role, "connection:NAME", "hub", or a policy: manual, union, join, prefer:ROLE
    owners: dict[str, str] = Field(default_factory=dict)
    # what a record's deletion in one system means: {deal = "archive"}; see `deleted_in`
    deletes: dict[str, Deletion] = Field(default_factory=dict)
    connections: dict[str, Connection] = Field(default_factory=dict)
    path: Path | None = None

    def pipeline(self, name: str | None = None) -> Pipeline:
        """The named pipeline, else the first."""
        return next((p for p in self.pipelines if p.name == name), self.pipelines[0])

    @property
    def bases(self) -> dict[str, str]:
        """Connection → the word for the base that it shows; those that say none are not there."""
        return {name: one.base for name, one in self.connections.items() if one.base}

    def deleted_in(self, kind: str) -> tuple[str, ...]:
        """The connections in which a record of this kind is deleted when another system has deleted it: those that
        "propagate:…" names, else all that a flow of the kind names."""
        word, _, names = self.deletes.get(kind, "archive").partition(":")
        if word != "propagate":
            return ()
        named = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        return named or self.taking_part(kind)

    def taking_part(self, kind: str) -> tuple[str, ...]:
        """The connections that a flow of this kind names: only they are written."""
        return tuple(dict.fromkeys(n for f in self.flows if f.kind == kind for n in (f.source, f.target)))
