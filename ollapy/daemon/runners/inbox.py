"""Inbox: what a runner says to one request, until it is read."""

from __future__ import annotations

import asyncio
from collections import deque

from ollapy.runner.protocol import Answer, Chunk, Failed, Stats, Tuned

_MOST = 4096  # characters, and log-probabilities: joining copies what is there

Event = Chunk | Answer | Stats | Tuned


class Inbox:
    """A queue in which chunks that wait together become one; one reader, on the daemon's loop.

    Where the daemon is behind, as the machine is busy or a client slow, it has no more to do for them than for one,
    and catches up.
    """

    def __init__(self) -> None:
        self._waiting = deque[Event | Failed]()
        self._arrival: asyncio.Future[None] | None = None

    def put(self, event: Event | Failed) -> None:
        """Take the next event."""
        if self._waiting and (whole := _joined(self._waiting[-1], event)):
            self._waiting[-1] = whole
        else:
            self._waiting.append(event)
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> Event | Failed:
        """The next event, once there is one."""
        while not self._waiting:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._waiting.popleft()


def _joined(first: Event | Failed, second: Event | Failed) -> Chunk | None:
    """Both chunks as one; None where they are none, or one would have what was said out of its order."""
    if not (isinstance(first, Chunk) and isinstance(second, Chunk)):
        return None
    if first.tool_calls or (first.content and second.thinking) or second.context:
        return None
    if max(map(len, (first.content, first.thinking, first.logprobs))) > _MOST:
        return None
    return Chunk(
        first.id,
        first.content + second.content,
        first.thinking + second.thinking,
        second.tool_calls,
        first.logprobs + second.logprobs,
        first.prompt_logprobs + second.prompt_logprobs,
        first.context,
    )
