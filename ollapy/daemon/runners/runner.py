"""Runner: a child for one model, and what the pool knows of its users."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.room import Resident
from ollapy.daemon.runners.space import Space
from ollapy.runner.protocol import Ready
from ollapy.store import Model


@dataclass(slots=True, eq=False)
class Runner:
    """A child that is starting, ready or dead."""

    model: Model
    start: asyncio.Task[RunnerProcess]
    keep_alive: float
    num_requests: int = 0
    taken: Space | None = None  # once it is decided what it gets
    kv_type: str = ""
    load_seconds: float = 0.0
    idle_since: float = field(default_factory=time.monotonic)
    expiry: asyncio.TimerHandle | None = None

    @property
    def process(self) -> RunnerProcess | None:
        """The child, once it is ready; None before, and when the load failed."""
        start = self.start
        return (
            None
            if not start.done() or start.cancelled() or start.exception()
            else start.result()
        )

    @property
    def ready(self) -> Ready | None:
        """What the child said of itself when its model was loaded."""
        return self.process.ready.result() if self.process else None

    @property
    def is_dead(self) -> bool:
        """Whether it can serve no one any more."""
        return self.start.done() and (
            self.process is None or self.process.exited.done()
        )

    @property
    def num_waiting(self) -> int:
        """Requests that are not being computed."""
        ready = self.ready
        return max(0, self.num_requests - (ready.max_sequences if ready else 0))

    @property
    def unseen(self) -> Space:
        """What it takes of the memory that the system calls free: all while it loads, then pages of its file."""
        if self.ready is None:
            return self.taken or Space(0)
        return Space(sum(b.size for b in self.ready.buffers if b.is_mapped))

    @property
    def resident(self) -> Resident:
        """As one that may have to go."""
        is_idle = bool(self.ready) and not self.num_requests
        idle = time.monotonic() - self.idle_since if is_idle else None
        pinned = self.keep_alive == math.inf
        taken = self.taken or Space(0)
        return Resident(self.model.loads, taken, self.load_seconds, idle, pinned)

    @property
    def expires_at(self) -> float:
        """When it goes, on the monotonic clock, if it is not used any more."""
        since = time.monotonic() if self.num_requests else self.idle_since
        return since + self.keep_alive

    def cancel_expiry(self) -> None:
        """It is used again, or goes for another reason."""
        if self.expiry is not None:
            self.expiry.cancel()
