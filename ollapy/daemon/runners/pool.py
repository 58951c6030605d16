"""RunnerPool: which runners live, who uses them, and when they go.

One writer, the daemon's event loop, and no await between reading the pool's state and changing it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from ollapy.api.adapters import AdapterSet
from ollapy.api.options import Options
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners import measured, memory
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.daemon.runners.crashes import Crashes
from ollapy.daemon.runners.devices import Devices
from ollapy.daemon.runners.elastic import Elastic
from ollapy.daemon.runners.loading import (
    how_to_load,
    how_to_place,
    rehearsed,
    started,
)
from ollapy.daemon.runners.placement import Goal, Placing
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.room import Resident, leaving
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.shortages import Shortages
from ollapy.daemon.runners.space import Space, total
from ollapy.daemon.runners.tuning import tuned
from ollapy.errors import Busy, LoadFailed, OutOfMemory, RunnerStopped
from ollapy.names import Digest, ModelName
from ollapy.settings import Settings
from ollapy.store import Model

logger = logging.getLogger(__name__)

# Seconds after which what is free on accelerators is asked anew for a load: those of the daemon's start.
_MAX_AGE = 1.0
# Of accelerators' memory, for a load that has failed with all of it: another program may have taken some, or a device is gone.
_SIMPLER = (3, 0)
# Seconds that a runner has to keep what it has computed, while the next model may wait; and when the daemon ends.
_KEEP_SECONDS, _LAST_SECONDS = 3.0, 1.0


class RunnerPool:
    """One runner for what is loaded; names that load the same files share the runner."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self._metrics = metrics
        self.devices = Devices(settings)
        self._runners: dict[tuple[Digest, ...], Runner] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._all_idle = asyncio.Event()
        self._all_idle.set()
        self._placing = asyncio.Lock()  # one model at a time decides about memory
        self._elastic = Elastic(
            self._placing, partial(self._look, anew=True), self._evict
        )
        self._changed = asyncio.Event()  # somebody became idle, or left
        self._draining: Runner | None = None
        self._num_held = 0
        self._crashes = Crashes()
        self._shortages = Shortages()

    @property
    def runners(self) -> list[Runner]:
        """All that are loaded."""
        return [
            runner
            for runner in self._runners.values()
            if runner.ready and not runner.is_dead
        ]

    @property
    def num_waiting(self) -> int:
        """Requests that are not being computed, of all models."""
        held = sum(runner.num_waiting for runner in self._runners.values())
        return held + self._num_held

    @asynccontextmanager
    async def runner(
        self,
        model: Model,
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
            self._crashes.forget(model.loads)
        finally:
            use.end_request()
            self._became_idle(runner)

    async def _turn(self, model: Model) -> None:
        """Wait while the model makes room for another."""
        self._num_held += 1
        try:
            while self._draining and self._draining.model.loads == model.loads:
                self._check_queue()
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._num_held -= 1

    def _check_queue(self) -> None:
        if self.num_waiting > self.settings.max_queue:
            raise Busy(
                "server busy, please try again.  maximum pending requests exceeded"
            )

    def unload(self, model: Model) -> None:
        """Let a model's weights go as soon as nobody uses them, by whatever name."""
        if runner := self._runners.get(model.loads):
            for use in runner.uses.current:
                self.forget(use.model.name)

    def forget(self, name: ModelName) -> None:
        """Let a model go as soon as nobody uses it, loaded or loading; its weights stay while others need the same."""
        for runner in list(self._runners.values()):
            if runner.uses.release(name):
                self._became_idle(runner)

    async def close(self, grace: float) -> None:
        """Stop every runner, once it is idle or after `grace` seconds, and wait for their ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_idle.wait()
        for loads in list(self._runners):
            self._remove(loads, "ollapy is shutting down", seconds=_LAST_SECONDS)
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _find(self, model: Model, options: Options) -> Runner:
        runner = self._runners.get(model.loads)
        if runner and runner.is_dead:
            self._remove(model.loads)
            runner = None
        if runner is None:
            self._crashes.check(model.loads, str(model.name), time.monotonic())
            start = asyncio.create_task(self._start(model, options))
            runner = Runner(model, start)
            self._runners[model.loads] = runner
        return runner

    async def _start(self, model: Model, options: Options) -> RunnerProcess:
        runner = self._runners[model.loads]
        async with self._placing:
            there = await self.devices.look(self._busy, max_age=_MAX_AGE)
            placing = await asyncio.to_thread(
                how_to_place, model, options, self.settings, there
            )
            free = await self._make_room(runner, placing)
            if there is not self.devices.last:  # somebody left, and a device came free
                there = self.devices.last
                placing = how_to_place(model, options, self.settings, there)
            if self._shortages.concern(model.loads, time.monotonic()):
                placing = replace(placing, is_short=True)
            runner.take(placing.place(free), there)
            assert runner.placed
            if placing.is_unsure(runner.placed, free):
                load = how_to_load(model, options, self.settings, runner.placed, there)
                placing = await rehearsed(placing, load, runner.placed, self.settings)
                runner.take(placing.place(free), there)
        for quarters in _SIMPLER:
            try:
                return await self._load(runner, placing, options, there)
            except (LoadFailed, RunnerStopped) as exc:
                simpler = placing.simpler(free, quarters)
                is_host_full = isinstance(exc, OutOfMemory)
                if is_host_full or runner.placed.is_plain or simpler is None:
                    raise
                logger.warning("model=%s loaded in a simpler way: %s", model.name, exc)
                runner.take(simpler, there)
        return await self._load(runner, placing, options, there)

    async def _load(
        self, runner: Runner, placing: Placing, options: Options, there: Accelerators
    ) -> RunnerProcess:
        model, settings, placed = runner.model, self.settings, runner.placed
        assert placed
        for note in placed.notes:
            logger.warning("model=%s: %s", model.name, note)
        load = how_to_load(model, options, settings, placed, there)
        load = await asyncio.to_thread(tuned, load, model.header, options, settings)
        began, outcome = time.monotonic(), "failed"
        try:
            process = await started(model, load, settings)
            outcome = "done"
        finally:
            runner.load_seconds = time.monotonic() - began
            self._metrics.load(str(model.name), runner.load_seconds, outcome)
        runner.placing = placing
        process.hear = partial(self._elastic.hear, runner)
        buffers = process.ready.result().buffers
        await asyncio.to_thread(
            measured.keep, settings, model.loads, placing.footprint, placed, buffers
        )
        logger.info(
            "runner ready model=%s pid=%d cells=%d kv=%s offloaded=%s load_s=%.2f",
            model.name,
            process.pid,
            load.num_cells,
            load.kv_type,
            placed.layout,
            runner.load_seconds,
        )
        return process

    async def _make_room(self, runner: Runner, placing: Placing) -> Space:
        """What a model may take, once others have left where they had to.

        Idle ones leave for accelerators and for a good context. For a short one somebody who is used leaves
        too, when the answers under way are done; its next requests wait behind the newcomer, so that nobody
        waits for ever.
        """
        try:
            while True:
                free, others = await self._look(runner)
                most = free + total(r.taken for r in others if r.taken)
                if not placing.reaches(Goal.LEAST, most):
                    return most  # for placement to refuse: nobody has to go for that
                going = self._leaving(placing, free, others)
                if going == []:
                    return free
                idle = [r for r in others if not r.uses.num_requests]
                if await self._elastic.reclaim(others if going is None else idle):
                    continue
                for resident in going or ():
                    self._evict(resident, runner.model)
                if going is None:
                    await self._drain(others)
        finally:
            self._draining = None
            self._changed.set()

    @property
    def _busy(self) -> set[str]:
        """Workers of other machines that compute for one of the models."""
        return {w for runner in self._runners.values() for w in runner.workers}

    async def _look(
        self, newcomer: Runner | None = None, *, anew: bool = False
    ) -> tuple[Space, list[Runner]]:
        """What is free beside all others that have memory, and who they are; devices are asked `anew` or where some go."""
        if self._stopping:  # what they hold is free once they are gone
            await asyncio.wait(self._stopping)
            anew = True
        if anew:
            await self.devices.look(self._busy)
        available = await asyncio.to_thread(memory.spare)
        there = self.devices.last.space(available, self.settings.gpu_overhead)
        others = [r for r in self._runners.values() if r.taken and r is not newcomer]
        return self._free(there, others), others

    async def _drain(self, others: list[Runner]) -> None:
        """Have the least worth of those who are used become idle; wait until somebody does."""
        used = [r for r in others if r.resident.idle_seconds is None]
        self._draining = min(used, key=lambda r: r.resident.worth)
        self._changed.clear()
        await self._changed.wait()

    def _leaving(
        self, placing: Placing, free: Space, others: list[Runner]
    ) -> list[Resident] | None:
        """Who goes for the best that can be reached; None where too many are used."""
        residents = [other.resident for other in others]
        found = (
            leaving(
                partial(placing.reaches, goal),
                free,
                residents,
                max_loaded=self.settings.max_loaded,
            )
            for goal in Goal
        )
        return next((going for going in found if going is not None), None)

    def _free(self, available: Space, others: list[Runner]) -> Space:
        """Beside the others that are loaded, of the machine and of what the settings allow of its memory."""
        free = available - total(other.unseen for other in others)
        if allowed := self.settings.max_memory:
            taken = total(other.taken for other in others if other.taken)
            free = Space(min(free.host, allowed - taken.host), free.devices)
        return free

    def _evict(self, resident: Resident, newcomer: Model) -> None:
        runner = self._runners.get(resident.loads)
        if runner and not runner.uses.num_requests:  # nobody has come meanwhile
            logger.info("evicting model=%s for=%s", runner.model.name, newcomer.name)
            self._remove(resident.loads, how="evicted")

    def _became_idle(self, runner: Runner) -> None:
        self._changed.set()
        if runner.uses.num_requests:
            return
        if not any(other.uses.num_requests for other in self._runners.values()):
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
        loads = runner.model.loads
        if self._runners.get(loads) is runner and not runner.uses.num_requests:
            logger.info("unloading model=%s", runner.model.name)
            self._remove(loads)

    def _remove(
        self,
        loads: tuple[Digest, ...],
        why: str = "the model is being unloaded",
        *,
        how: str = "unloaded",
        seconds: float = _KEEP_SECONDS,
    ) -> None:
        runner = self._runners.pop(loads)
        runner.cancel_expiry()
        self._changed.set()
        if runner.has_crashed:
            if runner.ran_out:
                self._shortages.note(loads, time.monotonic())
            how, num = "crashed", self._crashes.note(loads, time.monotonic())
            logger.warning("crashed model=%s in_a_row=%d", runner.model.name, num)
        if runner.process:
            self._metrics.unload(str(runner.model.name), how)
        task = asyncio.create_task(_stop(runner, why, seconds))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    def __repr__(self) -> str:
        return f"<RunnerPool {len(self.runners)} ready of {len(self._runners)}, {self.num_waiting} waiting>"


async def _started(runner: Runner) -> RunnerProcess:
    """The runner's process, ready; a client that gives up waiting for it leaves it to the others."""
    try:
        return await asyncio.shield(runner.start)
    except asyncio.CancelledError:
        if runner.start.cancelled():  # not this request: the daemon is ending
            raise RunnerStopped("ollapy is shutting down") from None
        raise


async def _stop(runner: Runner, why: str, seconds: float) -> None:
    runner.start.cancel()
    await asyncio.wait({runner.start})
    if process := runner.process:
        await process.stop(why, seconds)
