"""What an HTTP answer that is not the wanted one means: a vendor's table of rules, and the error of the first that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from adapters.base import RecordRefused, RetryLater, SverkaError, Text


@dataclass(frozen=True, slots=True)
class Rule:
    """`code` is a pattern over the vendor's own word for the error; what stands for "none" is told by its table."""

    status: str  # a number, "5xx" or "*"
    code: str
    calls: str  # "read", "write" or "any"
    error: type[SverkaError]
    name: str  # the SverkaError's code, and the key of its sayings
    setting: str = ""
    said: str = ""  # a piece of the vendor's description, in lower case


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refused record's answer says beside the rule: appended to the text, and the field to mend."""

    en: str = ""
    ru: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rules, read from the top: the last ones fit every answer. `sayings` and `remedies` go by the rules' names."""

    rules: Sequence[Rule]
    sayings: Mapping[str, Text]
    remedies: Mapping[str, Text]

    def error(
        self,
        status: int,
        code: str,
        call: str,
        where: str,
        got: str,
        *,
        said: str = "",
        refusal: Refusal | None = None,
        after: int | None = None,
    ) -> SverkaError:
        """`call` is "read" or "write", `where` the address asked, `got` the answer in short; `after` seconds to wait."""
        statuses, said = (str(status), f"{status // 100}xx", "*"), said.lower()
        rule = next(
            r
            for r in self.rules
            if r.status in statuses and fnmatchcase(code, r.code) and r.said in said and r.calls in (call, "any")
        )
        saying, remedy = self.sayings[rule.name], self.remedies.get(rule.name)
        more = refusal if refusal is not None and rule.error is RecordRefused else Refusal()
        text = Text(f"{where}: {saying.en} ({got}){more.en}", f"{where}: {saying.ru} ({got}){more.ru}")
        if rule.error is RetryLater:
            return RetryLater(text, code=rule.name, after=after, remedy=remedy)
        return rule.error(text, code=rule.name, setting=rule.setting, remedy=remedy, field=more.field)
