"""A runner without a model: each answer is a clock, at a steady pace. For measuring the daemon alone.

A token is the `time.perf_counter_ns()` at which it was made, which on Linux is one clock for all processes.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque

from ollapy.api.report import ContextReport
from ollapy.runner.frames import FrameReader, frame
from ollapy.runner.protocol import (
    Cancel,
    Chunk,
    Complete,
    Done,
    FromRunner,
    Load,
    Ready,
    ToRunner,
    Usage,
)

COMMAND = (sys.executable, "-E", "-P", __file__)
_TOKENS_PER_SECOND = 20_000 / 256  # of one stream
_TICK = 0.001


class PacedRunner:
    """Makes the tokens that are due, a stream after the other."""

    def __init__(self) -> None:
        self._left = deque[tuple[int, int]]()  # id, tokens still to come
        self._cancelled = set[int]()
        self._due = 0.0
        self._made_at = time.perf_counter()

    def serve(self) -> None:
        """Until the daemon closes the pipe."""
        frames = FrameReader(ToRunner)
        while True:
            readable, _, _ = select.select([0], [], [], _TICK)
            if readable:
                data = os.read(0, 1 << 16)
                if not data:
                    return
                for message in frames.feed(data):
                    self._receive(message)
            self._make()

    def _receive(self, message: ToRunner) -> None:
        match message:
            case Load():
                _write([Ready(message.num_ctx, message.max_sequences, [])])
            case Complete():
                self._left.append((message.id, message.sampling.max_tokens or 1))
            case Cancel():
                self._cancelled.add(message.id)

    def _make(self) -> None:
        now = time.perf_counter()
        self._due += (now - self._made_at) * _TOKENS_PER_SECOND * len(self._left)
        self._made_at = now
        messages = list[FromRunner]()
        while self._left and self._due >= 1:
            self._due -= 1
            messages += self._next()
        _write(messages)

    def _next(self) -> list[FromRunner]:
        request, left = self._left.popleft()
        if request in self._cancelled:
            return []
        if not left:
            usage = Usage(1, 1, 0, 0, 0, 0)
            return [Done(request, "length", usage, ContextReport(1, 0), [])]
        self._left.append((request, left - 1))
        return [Chunk(request, f"{time.perf_counter_ns()} ")]


def _write(messages: list[FromRunner]) -> None:
    data = b"".join(map(frame, messages))
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    PacedRunner().serve()
