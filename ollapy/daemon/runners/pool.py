"""RunnerPool: who uses which runner, who waits for one, and how long it is kept.

One writer, the daemon's event loop, and no await between reading the pool's state and changing it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from ollapy.api.adapters import AdapterSet
from ollapy.api.options import Options
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners.admission import Admission
from ollapy.daemon.runners.devices import Devices
from ollapy.daemon.runners.fleet import Fleet
from ollapy.daemon.runners.loader import Loader
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.runner import Runner
from ollapy.errors import Busy, RunnerStopped
from ollapy.names import ModelName
from ollapy.settings import Settings
from ollapy.store import Stored

logger = logging.getLogger(__name__)

# Seconds that a runner has to keep what it has computed when the daemon ends.
_LAST_SECONDS = 1.0


class RunnerPool:
    """One runner for what is loaded; names that load the same files share the runner."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._fleet = Fleet(settings, metrics)
        self.devices = Devices(settings)
        self._admission = Admission(self._fleet, self.devices)
        self._loader = Loader(self._fleet, self.devices, self._admission, metrics)
        self._all_idle = asyncio.Event()
        self._all_idle.set()
        self._num_held = 0

    @property
    def settings(self) -> Settings:
        """What is decided by from now on."""
        return self._fleet.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._fleet.settings = settings

    @property
    def runners(self) -> list[Runner]:
        """All that are loaded."""
        return self._fleet.ready

    @property
    def starting(self) -> list[Runner]:
        """All that are being loaded, or wait for memory."""
        return self._fleet.starting

    @property
    def num_waiting(self) -> int:
        """Requests that are not being computed, of all models."""
        return sum(runner.num_waiting for runner in self._fleet) + self._num_held

    @asynccontextmanager
    async def runner(
        self,
        model: Stored,
        options: Options,
        keep_alive: float | None,
        adapters: AdapterSet = (),
    ) -> AsyncGenerator[RunnerProcess, None]:
        """The model's runner, loaded if need be, kept while the block runs and `keep_alive` seconds longer.

        `adapters` are what its answer will be computed with, whose memory counts.
        Busy when too many wait already. A load ends when nobody waits for it any more.
        """
        await self._turn(model)
        runner = self._find(model, options)
        use = runner.uses.begin_request(model, self.settings.keep_alive)
        runner.add(adapters)
        runner.cancel_expiry()
        self._all_idle.clear()
        try:
            if runner.num_waiting:
                self._check_queue()
            if keep_alive is not None:
                use.keep_alive = keep_alive
            yield await _started(runner)
            self._fleet.crashes.forget(model.loads)
        finally:
            use.end_request()
            self._became_idle(runner)

    async def _turn(self, model: Stored) -> None:
        """Wait while the model makes room for another."""
        self._num_held += 1
        try:
            while self._admission.holds_up(model):
                self._check_queue()
                self._fleet.changed.clear()
                await self._fleet.changed.wait()
        finally:
            self._num_held -= 1

    def _check_queue(self) -> None:
        if self.num_waiting > self.settings.max_queue:
            raise Busy(
                "server busy, please try again.  maximum pending requests exceeded"
            )

    def _find(self, model: Stored, options: Options) -> Runner:
        runner = self._fleet.find(model.loads)
        if runner is None:
            self._fleet.crashes.check(model.loads, str(model.name), time.monotonic())
            runner = self._loader.begin(model, options)
            self._fleet.add(runner)
        return runner

    def unload(self, model: Stored) -> None:
        """Let a model's weights go as soon as nobody uses them, by whatever name."""
        if runner := self._fleet.find(model.loads):
            for use in runner.uses.current:
                self.forget(use.model.name)

    def forget(self, name: ModelName) -> None:
        """Let a model go as soon as nobody uses it, loaded or loading; its weights stay while others need the same."""
        for runner in self._fleet:
            if runner.uses.release(name):
                self._became_idle(runner)

    async def close(self, grace: float) -> None:
        """Stop every runner, once it is idle or after `grace` seconds, and wait for their ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_idle.wait()
        for runner in self._fleet:
            self._fleet.remove(runner, "ollapy is shutting down", seconds=_LAST_SECONDS)
        await self._fleet.left()

    def _became_idle(self, runner: Runner) -> None:
        self._fleet.changed.set()
        if runner.uses.num_requests:
            return
        if not self._fleet.is_used:
            self._all_idle.set()
        runner.cancel_expiry()
        # a load that nobody waits for, or a runner that is gone, is not kept at all
        is_kept = runner.ready and not runner.is_dead
        seconds = runner.uses.expires_at - time.monotonic() if is_kept else 0.0
        if seconds < math.inf:
            runner.expiry = asyncio.get_running_loop().call_later(
                seconds, self._expire, runner
            )

    def _expire(self, runner: Runner) -> None:
        """The end of a keep-alive; the timer is cancelled by whoever uses the runner again."""
        if self._fleet.has(runner) and not runner.uses.num_requests:
            logger.info("unloading model=%s", runner.model.name)
            self._fleet.remove(runner)

    def __repr__(self) -> str:
        return f"<RunnerPool {self._fleet!r}, {self.num_waiting} waiting>"


async def _started(runner: Runner) -> RunnerProcess:
    """The runner's process, ready; a client that gives up waiting for it leaves it to the others."""
    try:
        return await asyncio.shield(runner.start)
    except asyncio.CancelledError:
        if runner.start.cancelled():  # not this request: the daemon is ending
            raise RunnerStopped("ollapy is shutting down") from None
        raise
