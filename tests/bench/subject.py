"""Sverka's side of the import benchmarks: a Hub with one polled connection, run as `sverka sync` runs it.

The adapter here is as thin as one can be (one request and one parse per page) and lists everything every time, as a source
that cannot filter by change. What is measured is the poll as it is in a real run: lease, run row, inbox, translation, canonical
record, link with shadow, journal.

    python -m tests.bench.subject URL DATABASE        prints seconds, counts, peak memory as JSON
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import orjson

from adapters.base import Adapter, AdapterContext, AdapterSettings, Capabilities, Native, Page, Record, Text
from sync import config
from sync.hub import Hub, plugins, works
from tests.bench.measure import Clock

NAME = "bench"
HERE = Path(__file__).parent


class BenchSettings(AdapterSettings):
    url: str


class BenchAdapter(Adapter):
    title = Text("Benchmark", "Замер")
    role = "accounting"
    mapping = "bench"
    Settings = BenchSettings
    capabilities = Capabilities(scans=frozenset({"product"}))
    settings: BenchSettings

    def __init__(self, settings: BenchSettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._client = httpx.Client(timeout=30)

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        page: int | None = 0
        while page is not None:
            self.context.limiter.wait()
            answer = orjson.loads(self._client.get(f"{self.settings.url}?page={page}").raise_for_status().content)
            page = answer["next"]
            records = [Record(kind, item["id"], item, item["modified"]) for item in answer["items"]]
            yield Page(records, {}, last=page is None, complete=page is None)

    def close(self) -> None:
        self._client.close()


def install() -> None:
    """Make the adapter known, as the entry point of an installed package would."""
    shipped = plugins.available()
    own = EntryPoint(NAME, "tests.bench.subject:BenchAdapter", plugins.GROUP)
    plugins.available = lambda: {**shipped, NAME: own}


def configured(url: str, database: Path) -> config.Config:
    return config.build(
        {
            "hub": {
                "database": f"sqlite:///{database}",
                "spool": str(database.parent / "spool"),
                "mappings": str(HERE / "mappings"),
            },
            "connections": {NAME: {"adapter": NAME, "url": url, "rate": 30_000}},
        },
        database.parent / "config.toml",
    )


def main(url: str, database: str) -> None:
    install()
    with Hub(configured(url, Path(database))) as hub:
        for error in hub.broken.values():
            raise error
        clock = Clock()
        runs = works.poll(hub, hub.plugs[NAME])
        clock.report(**runs[0].counts.as_dict(), outcome=runs[0].outcome)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
