"""A load generator that remembers what was acknowledged: every form that was answered with 200, by its own id.

32 connections, one form of about 300 bytes after the other on each; it ends after SECONDS, or when the server is gone. Used
for the kill test, and for the throughput where `wrk` is not installed.

    python -m tests.bench.load PORT SECONDS TAG        prints "begun", then the figures and the acknowledged ids as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

SECRET = "bench-secret-0123"
CONNECTIONS = 32
FIELDS = (
    "name=%D0%98%D0%B2%D0%B0%D0%BD+%D0%A2%D0%B5%D1%81%D1%82%D0%BE%D0%B2&phone=%2B7+900+000-00-00&"
    "email=test%40example.com&product=chair&comment=please+call+me+back+tomorrow+morning&page=%2Fcatalog%2Fchairs&"
    "utm_source=bench&utm_medium=none&consent=yes&id="
)


def form(id: str) -> bytes:
    """300 bytes of a form."""
    return (FIELDS + id).encode().ljust(300, b"0")


@dataclass
class Tally:
    tag: str
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    waits: list[float] = field(default_factory=list)


async def one_connection(port: int, number: int, until: float, tally: Tally) -> None:
    """Form after form on one connection, until the time is over or the server is gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = 0
        while time.monotonic() < until:
            sent += 1
            body = form(f"{tally.tag}-{number}-{sent}-")
            id = body.rpartition(b"id=")[2].decode()
            start = time.monotonic()
            writer.write(request(port, body))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            tally.waits.append(time.monotonic() - start)
            if head.startswith(b"HTTP/1.1 200 "):
                if not tally.acknowledged:
                    print("begun", flush=True)
                tally.acknowledged.append(id)
            else:
                tally.refused += 1
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # killed: what has no answer was not acknowledged
    finally:
        writer.close()


def request(port: int, body: bytes) -> bytes:
    return (
        f"POST /in/bench?key={SECRET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def run(port: int, seconds: float, tag: str) -> Tally:
    tally, until = Tally(tag), time.monotonic() + seconds
    await asyncio.gather(*(one_connection(port, number, until, tally) for number in range(CONNECTIONS)))
    return tally


def main() -> None:
    port, seconds, tag = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    start = time.monotonic()
    tally = asyncio.run(run(port, seconds, tag))
    spent, waits = time.monotonic() - start, sorted(tally.waits)
    print(
        json.dumps(
            {
                "rate": len(tally.acknowledged) / spent,
                "p99_ms": waits[int(len(waits) * 0.99)] * 1000 if waits else 0,
                "acknowledged": tally.acknowledged,
                "refused": tally.refused,
            }
        )
    )


if __name__ == "__main__":
    main()
