"""FrameWriter: frames to the daemon, together where they come close together."""

from __future__ import annotations

import asyncio

from .frames import frame
from .protocol import FromRunner

# A fast model makes a token in a millisecond, and each write wakes the daemon, which costs it more than
# the token does. Nobody sees two milliseconds, and no model slower than 500 tokens a second waits at all.
_WINDOW = 0.002


class FrameWriter:
    """Writes the frames of one turn of the event loop at once, and of one window when turns are shorter."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes] = []
        self._written_at = 0.0

    def send(self, message: FromRunner) -> None:
        """Have the message written after this turn of the loop, or at the end of the window."""
        self._pending.append(frame(message))
        if len(self._pending) == 1:
            due = self._written_at + _WINDOW
            if due <= self._loop.time():
                self._loop.call_soon(self.flush)
            else:
                self._loop.call_at(due, self.flush)

    def flush(self) -> None:
        """Write what is pending."""
        self._written_at = self._loop.time()
        self._transport.write(b"".join(self._pending))
        self._pending.clear()
