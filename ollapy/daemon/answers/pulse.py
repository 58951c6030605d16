"""Pulse: a stream that has nothing to say for long shows that it lives.

Before the first token of a long prompt minutes may pass, and programs on Node give up after five.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import Message, Send


class Pulse:
    """Sends what a stream sends, and `beat` whenever `seconds` have passed without anything."""

    def __init__(self, send: Send, beat: bytes, seconds: float) -> None:
        self._send = send
        self._beat = beat
        self._seconds = seconds
        self._is_open = False
        self._sent_at = 0.0

    async def send(self, message: Message) -> None:
        """Send one message of the stream."""
        self._is_open = message.get("more_body", True)
        self._sent_at = time.monotonic()
        await self._send(message)

    async def run(self) -> None:
        """Beat until cancelled; nothing is sent before the stream has begun or after its end."""
        while True:
            await asyncio.sleep(self._sent_at + self._seconds - time.monotonic())
            if self._is_open and time.monotonic() >= self._sent_at + self._seconds:
                beat = {"type": "http.response.body", "body": self._beat}
                await self.send({**beat, "more_body": True})
