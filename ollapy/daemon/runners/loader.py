"""Loader: from a model to a child that has it loaded, where there is room for it. On the daemon's loop."""

from __future__ import annotations

import asyncio
import logging
import math
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
from ollapy.daemon.runners.space import Space
from ollapy.daemon.runners.tuning import tuned
from ollapy.errors import LoadFailed, OutOfMemory, RunnerStopped
from ollapy.runner.protocol import Load
from ollapy.settings import Settings
from ollapy.store import Model

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

    def begin(self, model: Model, options: Options) -> Runner:
        """A runner that is starting."""

        async def start() -> RunnerProcess:
            return await self._load(runner, options)

        runner = Runner(model, asyncio.create_task(start()))
        return runner

    async def _load(self, runner: Runner, options: Options) -> RunnerProcess:
        async with self._admission.deciding:
            placing, free, there = await self._placed(runner, options)
        for quarters in _SIMPLER:
            try:
                return await self._start(runner, placing, options, there)
            except (LoadFailed, RunnerStopped) as exc:
                assert runner.placed
                simpler = placing.simpler(free, quarters)
                is_host_full = isinstance(exc, OutOfMemory)
                if is_host_full or runner.placed.is_plain or simpler is None:
                    raise
                name = runner.model.name
                logger.warning("model=%s loaded in a simpler way: %s", name, exc)
                runner.take(simpler, there)
        return await self._start(runner, placing, options, there)

    async def _placed(
        self, runner: Runner, options: Options
    ) -> tuple[Placing, Space, Accelerators]:
        """Decide what a runner takes; of what, and of which accelerators."""
        model, settings = runner.model, self._fleet.settings
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
        self, runner: Runner, placing: Placing, options: Options, there: Accelerators
    ) -> RunnerProcess:
        model, settings, placed = runner.model, self._fleet.settings, runner.placed
        assert placed
        for note in placed.notes:
            logger.warning("model=%s: %s", model.name, note)
        load = how_to_load(model, options, settings, placed, there)
        load = await asyncio.to_thread(tuned, load, model.header, options, settings)
        began, outcome = time.monotonic(), "failed"
        try:
            process = await _started(model, load, settings)
            outcome = "done"
        finally:
            runner.load_seconds = time.monotonic() - began
            self._metrics.load(str(model.name), runner.load_seconds, outcome)
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


async def _started(model: Model, load: Load, settings: Settings) -> RunnerProcess:
    """A child with its model loaded; none is left behind when that fails or is cancelled."""
    process = await RunnerProcess.start(str(model.name), load, settings.runner_env)
    try:
        await _until_ready(process, settings)
    except BaseException:
        await process.stop("the load was given up")
        raise
    return process


async def _until_ready(process: RunnerProcess, settings: Settings) -> None:
    """Wait for the load; it fails when it stands still for the load timeout."""
    timeout = settings.load_timeout
    while not process.ready.done():
        before = process.progress
        await asyncio.wait(
            {process.ready}, timeout=timeout if 0 < timeout < math.inf else None
        )
        if not process.ready.done() and process.progress == before:
            raise LoadFailed(
                f"the model made no progress loading for {timeout:g} s, see OLLAPY_LOAD_TIMEOUT"
            )
    process.ready.result()
