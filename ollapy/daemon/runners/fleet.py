"""Fleet: the runners there are, by the files that they load, and how they go. On the daemon's loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners.crashes import Crashes
from ollapy.daemon.runners.room import Resident
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.shortages import Shortages
from ollapy.names import Digest
from ollapy.settings import Settings
from ollapy.store import Stored

logger = logging.getLogger(__name__)

Loads = tuple[Digest, ...]
# Seconds that a runner has to keep what it has computed, while the next model may wait.
_KEEP_SECONDS = 3.0


class Fleet:
    """One runner for what is loaded; no await stands between reading who there is and changing it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings  # replaced when they are read anew
        self._metrics = metrics
        self._runners: dict[Loads, Runner] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self.crashes = Crashes()
        self.shortages = Shortages()
        self.changed = asyncio.Event()  # somebody became idle, or left

    def __iter__(self) -> Iterator[Runner]:
        return iter(list(self._runners.values()))

    @property
    def ready(self) -> list[Runner]:
        """Those whose models are loaded."""
        return [runner for runner in self if runner.ready and not runner.is_dead]

    @property
    def starting(self) -> list[Runner]:
        """Those whose models are being loaded, or wait for memory."""
        return [runner for runner in self if not runner.start.done()]

    @property
    def is_used(self) -> bool:
        """Whether a request is under way."""
        return any(runner.uses.num_requests for runner in self)

    @property
    def workers(self) -> set[str]:
        """Those of other machines that compute for one of the models."""
        return {worker for runner in self for worker in runner.workers}

    def find(self, loads: Loads) -> Runner | None:
        """Who has these files, loaded or loading; one that is dead goes."""
        runner = self._runners.get(loads)
        if runner and runner.is_dead:
            self.remove(runner)
            return None
        return runner

    def add(self, runner: Runner) -> None:
        """It loads what nobody has."""
        assert runner.model.loads not in self._runners
        self._runners[runner.model.loads] = runner

    def has(self, runner: Runner) -> bool:
        """Whether it is one of these still."""
        return self._runners.get(runner.model.loads) is runner

    def evict(self, resident: Resident, newcomer: Stored) -> None:
        """Have somebody go for another model, unless a request has come meanwhile."""
        runner = self._runners.get(resident.loads)
        if runner and not runner.uses.num_requests:
            logger.info("evicting model=%s for=%s", runner.model.name, newcomer.name)
            if resident.is_pinned:
                logger.warning(
                    "model=%s was to stay, and leaves all the same: there is no memory for %s beside it, "
                    "free some or unload another with `ollapy stop`",
                    runner.model.name,
                    newcomer.name,
                )
            self.remove(runner, how="evicted")

    def remove(
        self,
        runner: Runner,
        why: str = "the model is being unloaded",
        *,
        how: str = "unloaded",
        seconds: float = _KEEP_SECONDS,
    ) -> None:
        """It goes, and is one of these no more; requests that it owes an answer end with `why`."""
        loads = runner.model.loads
        del self._runners[loads]
        runner.cancel_expiry()
        self.changed.set()
        if runner.has_crashed:
            if runner.ran_out:
                self.shortages.note(loads, time.monotonic())
            how, num = "crashed", self.crashes.note(loads, time.monotonic())
            logger.warning("crashed model=%s in_a_row=%d", runner.model.name, num)
        if runner.process:
            self._metrics.unload(str(runner.model.name), how)
        task = asyncio.create_task(_stop(runner, why, seconds))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def left(self) -> bool:
        """Wait until those who go are gone, as what they hold is free then; whether there were any."""
        stopping = {*self._stopping}
        if stopping:
            await asyncio.wait(stopping)
        return bool(stopping)

    def __repr__(self) -> str:
        return f"<Fleet {len(self.ready)} ready of {len(self._runners)}>"


async def _stop(runner: Runner, why: str, seconds: float) -> None:
    runner.start.cancel()
    await asyncio.wait({runner.start})
    if process := runner.process:
        await process.stop(why, seconds)
