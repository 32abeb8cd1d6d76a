"""What a base publishes of one document: its columns, those of its tabular parts, and the words of enumerations.

Out of $metadata, which is XML only and 14 to 15 MB in УТ and БП: read as a stream, and kept by the caller.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from adapters.base import RetryLater, Text

_NAMESPACE = "StandardODATA."


@dataclass(frozen=True, slots=True)
class Schema:
    """Column → type, of the document and of each of its tabular parts; enumeration → its words."""

    head: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def words(self, table: str, column: str) -> tuple[str, ...]:
        """Of the enumeration that this column of a tabular part holds; none where it holds something else."""
        return self.enums.get(self.tables.get(table, {}).get(column, "").removeprefix(_NAMESPACE), ())


def schema_of(metadata: bytes, name: str) -> Schema:
    """Of the document `name`. RetryLater where this is no whole description."""
    head: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = {}
    enums: dict[str, tuple[str, ...]] = {}
    try:
        for _, element in etree.iterparse(
            io.BytesIO(metadata),
            events=("end",),
            tag=("{*}EntityType", "{*}ComplexType", "{*}EnumType"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        ):
            said = str(element.get("Name") or "")
            if said == name:
                head = _columns(element)
            elif said.startswith(f"{name}_") and said.endswith("_RowType"):
                tables[said.removeprefix(f"{name}_").removesuffix("_RowType")] = _columns(element)
            elif str(element.tag).endswith("}EnumType"):
                enums[said] = tuple(str(one.get("Name")) for one in element.iterfind("{*}Member"))
            element.clear()
    except etree.XMLSyntaxError:
        raise RetryLater(
            Text(
                "1C's description of its objects ($metadata) is broken or cut",
                "описание объектов 1С ($metadata) испорчено или оборвано",
            ),
            code="odata.metadata",
        ) from None
    return Schema(head, tables, enums)


def _columns(element: etree._Element) -> dict[str, str]:
    return {str(one.get("Name")): str(one.get("Type")) for one in element.iterfind("{*}Property")}
