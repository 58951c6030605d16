"""Loader: from a model to a child that has it loaded, where there is room for it. On the daemon's loop."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial

from ollapy.api.options import Options
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners import measured
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.daemon.runners.admission import Admission
from ollapy.daemon.runners.devices import Devices
from ollapy.daemon.runners.fleet import Fleet
from ollapy.daemon.runners.placement import Placing
from ollapy.daemon.runners.plan import how_to_load, how_to_place, rehearsed
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.serving import claim, how_to_serve
from ollapy.daemon.runners.space import Space
from ollapy.daemon.runners.starting import started
from ollapy.daemon.runners.tuning import tuned
from ollapy.errors import LoadFailed, OutOfMemory, RunnerStopped
from ollapy.runner.protocol import Load, Serve
from ollapy.store import Model, Stored, VllmModel

logger = logging.getLogger(__name__)

# Seconds after which what is free on accelerators is asked anew for a load: those of the daemon's start.
_MAX_AGE = 1.0
# Of accelerators' memory, for a load that has failed with all of it: another program may have taken some, or a device is gone.
_SIMPLER = (3, 0)


class Loader:
    """Places and starts runners of the fleet; a load that failed is tried again in a simpler way."""

    def __init__(
        self, fleet: Fleet, devices: Devices, admission: Admission, metrics: Metrics
    ) -> None:
        self._fleet = fleet
        self._devices = devices
        self._admission = admission
        self._metrics = metrics

    def begin(self, model: Stored, options: Options) -> Runner:
        """A runner that is starting."""

        async def start() -> RunnerProcess:
            if isinstance(model, VllmModel):
                return await self._serve(runner, model)
            return await self._load(runner, model, options)

        runner = Runner(model, asyncio.create_task(start()))
        return runner

    async def _serve(self, runner: Runner, model: VllmModel) -> RunnerProcess:
        """A vLLM decides itself how it uses what it gets."""
        async with self._admission.deciding:
            there = await self._devices.look(self._fleet.workers, max_age=_MAX_AGE)
            claimed = claim(model.vllm, there)
            serve = how_to_serve(model, self._fleet.settings, claimed)
            await self._admission.room(runner, claimed)
            runner.claimed = claimed.taken
        process = await self._started(runner, serve)
        took = runner.load_seconds
        logger.info("vLLM ready model=%s pid=%d load_s=%.2f", model.name, process.pid, took)  # fmt: skip
        return process

    async def _load(
        self, runner: Runner, model: Model, options: Options
    ) -> RunnerProcess:
        async with self._admission.deciding:
            placing, free, there = await self._placed(runner, model, options)
        for quarters in _SIMPLER:
            try:
                return await self._start(runner, model, placing, options, there)
            except (LoadFailed, RunnerStopped) as exc:
                assert runner.placed
                simpler = placing.simpler(free, quarters)
                is_host_full = isinstance(exc, OutOfMemory)
                if is_host_full or runner.placed.is_plain or simpler is None:
                    raise
                logger.warning("model=%s loaded in a simpler way: %s", model.name, exc)
                runner.take(simpler, there)
        return await self._start(runner, model, placing, options, there)

    async def _placed(
        self, runner: Runner, model: Model, options: Options
    ) -> tuple[Placing, Space, Accelerators]:
        """Decide what a runner takes; of what, and of which accelerators."""
        settings = self._fleet.settings
        there = await self._devices.look(self._fleet.workers, max_age=_MAX_AGE)
        placing = await asyncio.to_thread(how_to_place, model, options, settings, there)
        free = await self._admission.room(runner, placing)
        if there is not self._devices.last:  # somebody left, and a device came free
            there = self._devices.last
            placing = how_to_place(model, options, settings, there)
        if self._fleet.shortages.concern(model.loads, time.monotonic()):
            placing = replace(placing, is_short=True)
        runner.take(placed := placing.place(free), there)
        if placing.is_unsure(placed, free):
            load = how_to_load(model, options, settings, placed, there)
            placing = await rehearsed(placing, load, placed, settings)
            runner.take(placing.place(free), there)
        return placing, free, there

    async def _start(
        self,
        runner: Runner,
        model: Model,
        placing: Placing,
        options: Options,
        there: Accelerators,
    ) -> RunnerProcess:
        settings, placed = self._fleet.settings, runner.placed
        assert placed
        for note in placed.notes:
            logger.warning("model=%s: %s", model.name, note)
        load = how_to_load(model, options, settings, placed, there)
        load = await asyncio.to_thread(tuned, load, model.header, options, settings)
        process = await self._started(runner, load)
        runner.placing = placing
        process.hear = partial(self._admission.elastic.hear, runner)
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

    async def _started(self, runner: Runner, load: Load | Serve) -> RunnerProcess:
        """Its child, the model loaded; counted and timed."""
        began, outcome = time.monotonic(), "failed"
        try:
            process = await started(runner, load, self._fleet.settings)
            outcome = "done"
        finally:
            runner.load_seconds = time.monotonic() - began
            self._metrics.load(str(runner.model.name), runner.load_seconds, outcome)
        return process
