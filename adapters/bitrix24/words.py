"""The portal's own words: pipelines with their stages, statuses of leads, fields of each kind. Read once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.base import Native, RecordRefused, Text
from adapters.bitrix24.client import BitrixClient, number
from adapters.bitrix24.records import bare

# What every new portal has, and what the built-in mapping therefore names
STAGES = frozenset({"NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "LOSE", "APOLOGY"})
STATUSES = frozenset({"NEW", "IN_PROCESS", "PROCESSED", "CONVERTED", "JUNK"})


@dataclass(frozen=True, slots=True)
class Word:
    """One stage or status. `pipeline` is its number ("" for a lead's status), `semantics` "S" won, "F" lost, "" open."""

    code: str
    name: str
    pipeline: str
    semantics: str

    @property
    def own(self) -> bool:
        """Whether the firm made it itself, so that no built-in mapping can know it."""
        return bare(self.code) not in STAGES if self.pipeline else self.code not in STATUSES


class Words:
    def __init__(self, client: BitrixClient) -> None:
        self._client = client
        self._fields: dict[str, Native] = {}
        self._stages: list[Word] = []

    def fields(self, kind: str) -> Native:
        """crm.<kind>.fields: name → {type, isReadOnly, …}. A field that is not here would be ignored in silence."""
        if kind not in self._fields:
            found = self._client.call(f"crm.{kind}.fields", {}).result
            if not isinstance(found, dict) or "ID" not in found:
                raise self._client.odd("bitrix.shape", "a list of fields was wanted", "ожидался список полей")
            self._fields[kind] = found
        return self._fields[kind]

    def pipelines(self) -> dict[str, str]:
        """Number → name of every pipeline of deals (entityTypeId 2)."""
        found = self._client.call("crm.category.list", {"entityTypeId": 2}).result
        rows = found.get("categories") if isinstance(found, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._client.odd("bitrix.shape", "a list of pipelines was wanted", "ожидался список воронок")
        return {str(number(row.get("id"))): str(row.get("name", "")) for row in rows}

    def stages(self, fresh: bool = False) -> list[Word]:
        """The stages of all pipelines, in their order."""
        if fresh or not self._stages:
            self._stages = [word for pipeline in self.pipelines() for word in self._of(pipeline)]
        return self._stages

    def statuses(self) -> list[Word]:
        """The statuses of leads."""
        return list(self._listed("STATUS", ""))

    def check_stage(self, code: str, pipeline: str) -> None:
        """RecordRefused, with what there is, for a stage that the portal would ignore in silence."""
        if not any(word.code == code for word in self.stages()):
            there = [word.code for word in self.stages(fresh=True) if word.pipeline == pipeline]
            _check("deal.STAGE_ID", code, there, f"pipeline {pipeline}", f"в воронке {pipeline}", "stages")

    def check_status(self, code: str) -> None:
        """The same for a lead's status."""
        there = [word.code for word in self.statuses()]
        _check("lead.STATUS_ID", code, there, "the portal", "на портале", "statuses")

    def _of(self, pipeline: str) -> Iterator[Word]:
        return self._listed("DEAL_STAGE" if pipeline == "0" else f"DEAL_STAGE_{pipeline}", pipeline)

    def _listed(self, entity: str, pipeline: str) -> Iterator[Word]:
        params = {"filter": {"ENTITY_ID": entity}, "order": {"SORT": "ASC"}}
        rows, _ = self._client.listed("crm.status.list", params)
        for row in sorted(rows, key=lambda row: number(row.get("SORT"))):
            if row.get("ENTITY_ID") == entity:
                semantics = row.get("SEMANTICS")
                yield Word(
                    str(row.get("STATUS_ID")),
                    str(row.get("NAME", "")),
                    pipeline,
                    semantics if semantics in ("S", "F") else "",
                )


def _check(field: str, code: str, there: list[str], en: str, ru: str, table: str) -> None:
    if code in there:
        return
    listed = ", ".join(there)
    raise RecordRefused(
        Text(f"{field}: {en} has no {code}; it has: {listed}", f"{field}: {ru} нет {code}; есть: {listed}"),
        code="bitrix.stage",
        field=field.partition(".")[2],
        remedy=Text(
            f"Mend [tables.{table}] in bitrix24.toml of your mappings folder, or make the stage in the portal.",
            f"Поправьте [tables.{table}] в bitrix24.toml своей папки соответствий или создайте стадию на портале.",
        ),
    )
