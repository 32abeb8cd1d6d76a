"""The other side of the import benchmarks: a catalogue of N products, served by a process of its own as fast as can be.

Every answer is made before the first request; a request costs one look-up. `GET /products?page=K` gives
`{"items": [250 products of 10 fields], "next": K + 1 or null}`.

    python -m tests.bench.source N        prints its port, and serves until its input is closed
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import orjson

PAGE = 250
TEXT = "стол стул шкаф полка лампа ковёр диван кресло тумба комод ящик рама белый серый дубовый стальной узкий"
WORDS = TEXT.split()


def product(number: int) -> dict[str, Any]:
    """Product `number` of 10 fields, about 330 bytes as JSON; the same number gives the same product."""
    mixed = number * 2654435761 % (1 << 32)
    words = [WORDS[(mixed >> shift) % len(WORDS)] for shift in range(0, 24, 3)]
    return {
        "id": f"p-{number:07d}",
        "sku": f"АРТ-{number:07d}",
        "name": f"{words[0].capitalize()} {words[1]} {number}",
        "barcode": str(4_600_000_000_000 + number),
        "unit": "шт",
        "price": f"{100 + mixed % 90_000}.{mixed % 100:02d}",
        "stock": mixed % 500,
        "group": f"g-{mixed % 40:02d}",
        "description": " ".join(words),
        "modified": f"2026-01-{1 + number % 28:02d}T08:{number % 60:02d}:00Z",
    }


def products(count: int) -> Iterator[dict[str, Any]]:
    return (product(number) for number in range(count))


def answers(count: int) -> list[bytes]:
    """The pages as whole HTTP answers."""
    last = max((count - 1) // PAGE, 0)
    made = []
    for page in range(last + 1):
        items = [product(number) for number in range(page * PAGE, min((page + 1) * PAGE, count))]
        body = orjson.dumps({"items": items, "next": page + 1 if page < last else None})
        made.append(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
    return made


class _Pages(asyncio.Protocol):
    """One connection; requests without a body, kept alive."""

    def __init__(self, pages: list[bytes]) -> None:
        self._pages = pages
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            target, self._held = self._held.split(b" ", 2)[1], self._held[end + 4 :]
            page = target.rpartition(b"page=")[2].partition(b"&")[0]
            self._transport.write(self._pages[int(page) if page.isdigit() else 0])


async def _serve(count: int) -> None:
    pages = answers(count)
    server = await asyncio.get_running_loop().create_server(lambda: _Pages(pages), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the benchmark goes away
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
