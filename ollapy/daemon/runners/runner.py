"""Runner: a child for one model, and what the pool knows of its users."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ollapy.api.adapters import MAX_IDLE_BYTES, AdapterSet
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.daemon.runners.placement import Placement, Placing
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.progress import Progress
from ollapy.daemon.runners.room import Resident
from ollapy.daemon.runners.space import Space
from ollapy.daemon.runners.uses import Uses
from ollapy.errors import OutOfMemory, RunnerStopped
from ollapy.runner.protocol import Load, Ready
from ollapy.store import Model, Stored


@dataclass(slots=True, eq=False)
class Runner:
    """A child that is starting, ready or dead."""

    model: Stored
    start: asyncio.Task[RunnerProcess]
    uses: Uses = field(default_factory=Uses)
    placing: Placing | None = None
    placed: Placement | None = None  # once it is decided what it gets
    claimed: Space | None = None  # by a vLLM, which places itself
    workers: frozenset[str] = frozenset()  # of other machines, that it has for itself
    # by digest, in bytes: those that came after the model's own, which were placed with it
    adapters: dict[str, int] = field(default_factory=dict)
    child: RunnerProcess | None = None  # once there is one, ready or not
    load_seconds: float = 0.0
    expiry: asyncio.TimerHandle | None = None

    @property
    def names(self) -> list[str]:
        """The models that it answers for now, or the one that it was loaded for."""
        used = (use.model for use in self.uses.current)
        return sorted(str(model.name) for model in used) or [str(self.model.name)]

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
        """What the child said of itself when its model was loaded, or its pool changed."""
        return self.process.held if self.process else None

    @property
    def progress(self) -> Progress | None:
        """How far the load is; None before it has begun."""
        return self.child.progress if self.child else None

    @property
    def has_grown(self) -> bool:
        """Whether its pool is larger than when it was loaded."""
        process, placed = self.process, self.placed
        if process is None or placed is None:
            return False
        load = process.load
        return isinstance(load, Load) and placed.num_cells > load.num_cells

    @property
    def is_dead(self) -> bool:
        """Whether it can serve no one any more."""
        return self.start.done() and (
            self.process is None or self.process.exited.done()
        )

    @property
    def has_crashed(self) -> bool:
        """Whether the child ended by itself, loaded or loading."""
        if not self.start.done() or self.start.cancelled():
            return False
        if process := self.process:
            return process.exited.done()
        return isinstance(self.start.exception(), RunnerStopped)

    @property
    def ran_out(self) -> bool:
        """Whether the system ended the child for want of memory, loaded or loading."""
        if process := self.process:
            return isinstance(process.end, OutOfMemory)
        is_over = self.start.done() and not self.start.cancelled()
        return is_over and isinstance(self.start.exception(), OutOfMemory)

    @property
    def num_waiting(self) -> int:
        """Requests that are not being computed."""
        ready = self.ready
        return max(0, self.uses.num_requests - (ready.max_sequences if ready else 0))

    def take(self, placed: Placement, there: Accelerators) -> None:
        """That is its place, on some of what is there."""
        self.placed = placed
        self.workers = frozenset(there.workers_of(placed.layout.counts))

    @property
    def taken(self) -> Space | None:
        """What it has of the memory; adapters lie mostly where most of the weights do."""
        if self.placed is None:
            return self.claimed
        taken, size = (
            self.placed.taken,
            min(sum(self.adapters.values()), MAX_IDLE_BYTES),
        )
        device = max(taken.devices, key=taken.of, default="")
        if taken.of(device) > taken.host:
            return taken + Space(0, {device: size})
        return taken + Space(size)

    def add(self, adapters: AdapterSet) -> None:
        """Answers are computed with these too."""
        own = {adapter.digest for adapter in self.model.adapters}
        self.adapters |= {a.digest: a.size for a in adapters if a.digest not in own}

    @property
    def layers(self) -> dict[str, int]:
        """How many are on each device, where there is any; the rest are the processor's, "CPU"."""
        if self.placed is None or not isinstance(self.model, Model):
            return {}
        layout = self.placed.layout
        rest = self.model.header.num_layers + 1 - layout.num_offloaded
        own = {"CPU": rest} if rest else {}
        return {**own, **layout.counts}

    @property
    def unseen(self) -> Space:
        """What it takes of the memory that the system calls free: all while it loads, then pages of its file."""
        if self.ready is None:
            return self.taken or Space(0)
        return Space(sum(b.size for b in self.ready.buffers if b.is_mapped))

    @property
    def resident(self) -> Resident:
        """As one that may have to go."""
        is_idle = bool(self.ready) and not self.uses.num_requests
        idle = time.monotonic() - self.uses.idle_since if is_idle else None
        taken, pinned = self.taken or Space(0), self.uses.is_pinned
        return Resident(self.model.loads, taken, self.load_seconds, idle, pinned)

    def cancel_expiry(self) -> None:
        """It is used again, or goes for another reason."""
        if self.expiry is not None:
            self.expiry.cancel()
