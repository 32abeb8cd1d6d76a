"""Names in the configuration that refer to one another: flows to connections, owners to fields, stages to stages."""

from __future__ import annotations

import re

from sync.config.sections import FACTS, ROLES, WHOLE_KINDS, Config, Pipeline
from sync.config.source import Source
from sync.errors import BadConfig
from sync.model.records import KINDS, UNDECIDED
from sync.reconcile.stages import faults


def check(config: Config, source: Source) -> None:
    """BadConfig for the first name that nothing answers to."""
    names = list(config.connections)
    for i, flow in enumerate(config.flows):
        for key, name in (("from", flow.source), ("to", flow.target)):
            if name not in names:
                raise source.unknown(source.line(["[[flow]]", key], name), f"flow[{i}].{key}", name, names)
    if config.notices.via and config.notices.via not in names:
        raise source.unknown(source.line(["notices", "via"]), "notices.via", config.notices.via, names)
    _check_owners(config, source)
    _check_deletes(config, source)
    for at, pipeline in enumerate(config.pipelines):
        _check_stages(config, at, source)
        _check_facts(pipeline, source)


def cannot_delete(config: Config, kind: str, connection: str, able: list[str]) -> BadConfig:
    """The adapter of a connection has no way to delete what `[deletes]` wants deleted there. `able`: those that have."""
    source = Source.again(config.path)
    instead = f'"propagate:{",".join(able)}"' if able else '"archive"'
    return source.bad(
        source.line(["deletes", kind]),
        f"deletes.{kind}",
        f"{connection} cannot delete a {kind}; name those that shall: {instead}",
        f"{connection} не умеет удалять записи вида {kind}; назовите тех, кому это можно: {instead}",
    )


def _check_owners(config: Config, source: Source) -> None:
    """Every key is a field of a kind, every value somebody who can own it."""
    fields = [f"{kind}.{field}" for kind in WHOLE_KINDS for field in KINDS[kind].model_fields if field not in UNDECIDED]
    sides = [*ROLES, "hub", *(f"connection:{name}" for name in config.connections)]
    for key, owner in config.owners.items():
        line = source.line(["owners", key])
        if key not in fields:
            raise source.unknown(line, f"owners.{key}", key, fields)
        known = [f"prefer:{s}" for s in sides] if owner.startswith("prefer:") else [*sides, "manual", "union", "join"]
        if owner not in known:
            raise source.unknown(line, f"owners.{key}", owner, known)


def _check_deletes(config: Config, source: Source) -> None:
    """Kinds are known, and a deletion is repeated only where a flow lets the hub write at all."""
    for kind, policy in config.deletes.items():
        line, key = source.line(["deletes", kind]), f"deletes.{kind}"
        if kind not in WHOLE_KINDS:
            raise source.unknown(line, key, kind, list(WHOLE_KINDS))
        able = config.taking_part(kind)
        if policy.startswith("propagate") and not able:
            raise source.bad(
                line,
                key,
                f"no [[flow]] of the kind {kind} names a system in which a deletion could be repeated",
                f"нет ни одного [[flow]] вида {kind}: повторять удаление негде",
            )
        for name in config.deleted_in(kind):
            if name not in able:
                raise source.unknown(line, key, name, able)


def _check_facts(pipeline: Pipeline, source: Source) -> None:
    """What accounting can say of a deal, and stages of this pipeline."""
    key, stages = f"pipeline.{pipeline.name}.facts", [s.name for s in pipeline.stages]
    for fact, stage in pipeline.facts.items():
        line = source.line(["facts", fact])
        if fact not in FACTS:
            raise source.unknown(line, key, fact, FACTS)
        if stage not in stages:
            raise source.unknown(line, f"{key}.{fact}", stage, stages)


def _check_stages(config: Config, at: int, source: Source) -> None:
    """A pipeline's stages make a graph: all defined once, reachable from the first, and leading to an end."""
    pipeline = config.pipelines[at]
    key = f"pipeline.{pipeline.name}"
    if any(p.name == pipeline.name for p in config.pipelines[:at]):
        line = _stage_line(source, at, pipeline.name)
        raise source.bad(line, key, "there are two pipelines of this name", "две воронки с одним именем")
    for stage, wrong in faults([(s.name, s.semantic, s.next) for s in pipeline.stages]):
        line = _stage_line(source, at, wrong.unknown or stage, named=not wrong.unknown, last=wrong.twice)
        where = f"{key}.stages.{stage}" if stage else f"{key}.stages"
        if wrong.unknown:
            raise source.unknown(line, where, wrong.unknown, [s.name for s in pipeline.stages])
        raise source.bad(line, where, wrong.text.en, wrong.text.ru)


def _stage_line(source: Source, at: int, name: str, *, named: bool = True, last: bool = False) -> int:
    """The line of the n-th pipeline that gives something this name (or only mentions it); else the pipeline's own."""
    start = source.line(["pipeline", str(at)])
    lines = source.text.splitlines()
    end = next((i for i in range(start, len(lines)) if "[[pipeline]]" in lines[i]), len(lines))
    before = r"\bname\s*=\s*" if named else ""
    quoted = re.compile(rf"""{before}["']{re.escape(name)}["']""")
    found = [i + 1 for i in range(start, end) if name and quoted.search(lines[i].split("#")[0])]
    return (found[-1] if last else found[0]) if found else start
