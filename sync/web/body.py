"""Reading a request's body with limits: of bytes, of silence between two pieces, and for threads as a plain iterator.

Nothing is read ahead: the next piece is asked for when the last one has been used, so a fast sender is held back by TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import anyio.from_thread
from starlette.types import Receive

from sync.errors import RetryLater, Text

SILENCE = 60.0  # seconds without a byte, after which the sender is taken for gone
DRAIN_BYTES = 256 << 20  # of a body that nobody wants, so that its sender comes to read the answer
DRAIN_SECONDS = 20.0


class Body:
    """One request's body, read once."""

    def __init__(self, receive: Receive, silence: float = SILENCE) -> None:
        self._receive = receive
        self._silence = silence
        self.ended = False

    async def next(self) -> bytes:
        """The next piece, b"" at the end. RetryLater when the sender went away or fell silent in the middle."""
        while not self.ended:
            try:
                async with asyncio.timeout(self._silence):
                    message = await self._receive()
            except TimeoutError:
                self.ended = True
                raise _cut() from None
            if message["type"] != "http.request":
                self.ended = True
                raise _cut()
            self.ended = not message.get("more_body", False)
            if piece := message.get("body", b""):
                return bytes(piece)
        return b""

    async def read(self, limit: int) -> tuple[bytes, bool]:
        """(everything, or a little more than `limit` bytes; whether the sender broke off)."""
        held = bytearray()
        try:
            while len(held) <= limit and (piece := await self.next()):
                held += piece
        except RetryLater:
            return bytes(held), True
        return bytes(held), False

    def stream(self) -> Iterator[bytes]:
        """The pieces, for a worker thread that was started by anyio."""
        while piece := anyio.from_thread.run(self.next):
            yield piece

    async def drain(self) -> None:
        """Throw the rest away: many senders read no answer before they have sent everything."""
        dropped = 0
        if self.ended:
            return
        with contextlib.suppress(RetryLater, TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while dropped < DRAIN_BYTES and (piece := await self.next()):
                    dropped += len(piece)


def _cut() -> RetryLater:
    return RetryLater(
        Text(
            "The sender broke off before the end of the body: send it again.",
            "Отправитель оборвал передачу, не дослав тело запроса: отправьте ещё раз.",
        ),
        code="web.cut",
    )
