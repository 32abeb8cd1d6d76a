"""`sverka check` for a portal: from its name to its stages. Nothing is written there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from adapters.base import Finding, Native, SverkaError, Text
from adapters.bitrix24.client import CERTIFICATE_REMEDY, BitrixClient
from adapters.bitrix24.failures import WEBHOOK_REMEDY
from adapters.bitrix24.scan import filter_broken, moment
from adapters.bitrix24.settings import Bitrix24Settings
from adapters.bitrix24.words import Word, Words
from adapters.network import Place, reach

SKEW = 120  # seconds
KINDS = ("lead", "deal", "contact", "company")
NEWEST: Native = {"select": ["ID", "DATE_MODIFY"], "order": {"DATE_MODIFY": "DESC"}, "start": -1}
UNREACHABLE = Text(
    "Look whether the portal opens in a browser on this PC, and whether a firewall blocks it.",
    "Проверьте, открывается ли портал в браузере на этом компьютере и не мешает ли межсетевой экран.",
)
PLAIN = Text("Use the https address.", "Нужен адрес с https.")
CLOCK_REMEDY = Text("Set this PC's clock by the internet.", "Включите на этом компьютере синхронизацию времени.")


class Check:
    def __init__(self, client: BitrixClient, words: Words, settings: Bitrix24Settings) -> None:
        self._client, self._words, self._settings = client, words, settings
        self._place = Place(
            client.base, "webhook", settings.timeout, settings.verify_tls, UNREACHABLE, CERTIFICATE_REMEDY, PLAIN
        )

    def run(self) -> Iterator[Finding]:
        """Findings in order; ends at the first one that makes the rest pointless."""
        if self._client.proxy:
            yield Finding("connect", True, Text("calls go through a proxy", "запросы идут через прокси"))
        else:
            for finding in reach(self._place):
                yield finding
                if not finding.ok:
                    return
        try:
            yield from self._portal()
        except SverkaError as error:
            yield _failed({"bitrix.scope": "rights", "bitrix.certificate": "tls"}.get(error.code, "auth"), error)

    def _portal(self) -> Iterator[Finding]:
        scope = self._client.call("scope", {}).result
        yield Finding("auth", True, Text("the webhook is accepted", "вебхук принят"))
        if not isinstance(scope, list) or "crm" not in scope:
            text = Text("the webhook lacks the right CRM (crm)", "у вебхука нет права «CRM (crm)»")
            yield Finding("rights", False, text, "webhook", WEBHOOK_REMEDY)
            return
        newest = {}
        for kind in KINDS:
            rows, _ = self._client.listed(f"crm.{kind}.list", NEWEST)
            newest[kind] = rows[0] if rows else None
        text = Text("leads, deals, contacts and companies can be read", "лиды, сделки, контакты и компании читаются")
        yield Finding("rights", True, text)
        yield _sample(newest["deal"])
        yield self._clock()
        yield self._filter(newest["deal"])
        yield self._origin()
        yield from self._stages()

    def _clock(self) -> Finding:
        seconds = self._client.skew()
        if seconds is None or abs(seconds) <= SKEW:
            return Finding("clock", True, Text("the clocks agree", "часы совпадают"))
        text = Text(
            f"this PC's clock and the portal's differ by {abs(seconds)} s (allowed: {SKEW})",
            f"часы этого компьютера и портала расходятся на {abs(seconds)} с (допустимо {SKEW})",
        )
        return Finding("clock", False, text, "webhook", CLOCK_REMEDY)

    def _filter(self, newest: Native | None) -> Finding:
        """The canary: the newest deal must come back from its own stamp on, and not from one second after it."""
        stamp = moment(newest["DATE_MODIFY"]) if newest else None
        if newest is None or stamp is None:
            text = Text("no deal yet, so the filter was not tried", "сделок ещё нет, отбор не проверен")
            return Finding("filter", True, text)
        for after, wanted in ((0, True), (1, False)):
            since = (stamp + timedelta(seconds=after)).isoformat()
            params = {
                "filter": {"=ID": newest["ID"], ">=DATE_MODIFY": since},
                "select": ["ID", "DATE_MODIFY"],
                "start": -1,
            }
            rows, _ = self._client.listed("crm.deal.list", params)
            if bool(rows) is not wanted and not (rows and moment(rows[0].get("DATE_MODIFY")) != stamp):
                return _failed("filter", filter_broken(self._client.host, "deal"))
        return Finding("filter", True, Text("the filter on changes loses nothing", "отбор изменений ничего не теряет"))

    def _origin(self) -> Finding:
        """Where the hub writes its key: without it a lost answer could make a second record."""
        for kind in KINDS:
            about = self._words.fields(kind)
            for name in ("ORIGINATOR_ID", "ORIGIN_ID"):
                field = about.get(name)
                if not isinstance(field, dict) or field.get("isReadOnly") is True:
                    text = Text(f"{kind}.{name} cannot be written", f"{kind}.{name} недоступно для записи")
                    return Finding("origin", False, text, "webhook", WEBHOOK_REMEDY)
        return Finding("origin", True, Text("ORIGIN_ID can hold the hub's key", "ORIGIN_ID может хранить ключ хаба"))

    def _stages(self) -> Iterator[Finding]:
        """The pipelines; and each stage of the firm's own, which the built-in mapping cannot know."""
        names, stages, statuses = self._words.pipelines(), self._words.stages(fresh=True), self._words.statuses()
        listed = ", ".join(f"{number} {name}".strip() for number, name in names.items())
        counts = f"{len(stages)} + {len(statuses)}"
        text = Text(
            f"pipelines: {listed}; stages and statuses: {counts}", f"воронки: {listed}; стадий и статусов: {counts}"
        )
        yield Finding("stages", True, text)
        for word in (*stages, *statuses):
            if word.own:
                yield _own(word)


def _own(word: Word) -> Finding:
    table = "stages" if word.pipeline else "statuses"
    code = word.code.rpartition(":")[2] if word.pipeline else word.code
    place = f"[tables.{table}] {code}"
    text = Text(
        f"“{word.name}” ({word.code}) is the firm's own: the mapping must say what it means ({place})",
        f"«{word.name}» ({word.code}) — своя стадия: её значение должно стоять в файле соответствий ({place})",
    )
    remedy = Text(
        f'In bitrix24.toml of your mappings folder: [tables.{table}] {code} = "in_work" (or another stage of the pipeline).',
        f'В bitrix24.toml своей папки соответствий: [tables.{table}] {code} = "in_work" (или другая стадия воронки).',
    )
    return Finding("stages", True, text, "mapping", remedy)


def _sample(deal: Native | None) -> Finding:
    if deal is None:
        return Finding("sample", True, Text("the portal has no deals yet", "на портале ещё нет сделок"))
    return Finding("sample", True, Text(f"the newest deal is {deal['ID']}", f"последняя сделка: {deal['ID']}"))


def _failed(step: str, error: SverkaError) -> Finding:
    return Finding(step, False, error.text, error.setting or "webhook", error.remedy)
