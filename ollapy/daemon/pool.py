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
from dataclasses import dataclass, field

import psutil

from ollapy.api.options import Options
from ollapy.errors import Busy, LoadFailed, RunnerStopped
from ollapy.gguf import Header
from ollapy.names import Digest, ModelName
from ollapy.runner.protocol import Load, Ready
from ollapy.settings import Settings
from ollapy.store import Model

from . import placement
from .cores import num_cores
from .process import RunnerProcess

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Runner:
    """A child for one model, starting or ready, and what the pool knows of its users."""

    model: Model
    start: asyncio.Task[RunnerProcess]
    keep_alive: float
    num_requests: int = 0
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
    def expires_at(self) -> float:
        """When it goes, on the monotonic clock, if it is not used any more."""
        since = time.monotonic() if self.num_requests else self.idle_since
        return since + self.keep_alive

    def cancel_expiry(self) -> None:
        """It is used again, or goes for another reason."""
        if self.expiry is not None:
            self.expiry.cancel()


class RunnerPool:
    """One runner for what is loaded; names that load the same files share the runner."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runners: dict[tuple[Digest, ...], Runner] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._all_idle = asyncio.Event()
        self._all_idle.set()

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
        return sum(runner.num_waiting for runner in self._runners.values())

    @asynccontextmanager
    async def runner(
        self, model: Model, options: Options, keep_alive: float | None
    ) -> AsyncGenerator[RunnerProcess, None]:
        """The model's runner, loaded if need be, kept while the block runs and `keep_alive` seconds longer.

        Busy when too many wait already. A load ends when nobody waits for it any more.
        """
        runner = self._find(model, options)
        runner.num_requests += 1
        runner.cancel_expiry()
        self._all_idle.clear()
        try:
            if runner.num_waiting and self.num_waiting > self._settings.max_queue:
                raise Busy(
                    "server busy, please try again.  maximum pending requests exceeded"
                )
            if keep_alive is not None:
                runner.keep_alive = keep_alive
            yield await _started(runner)
        finally:
            runner.num_requests -= 1
            self._became_idle(runner)

    def unload(self, model: Model) -> None:
        """Let the model go as soon as nobody uses it; one that is not loaded is fine."""
        if runner := self._runners.get(model.loads):
            runner.keep_alive = 0.0
            self._became_idle(runner)

    def forget(self, name: ModelName) -> None:
        """Let a model go whose name is gone, loaded or loading."""
        for runner in list(self._runners.values()):
            if runner.model.name.key == name.key:
                self.unload(runner.model)

    async def close(self, grace: float) -> None:
        """Stop every runner, once it is idle or after `grace` seconds, and wait for their ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_idle.wait()
        for loads in list(self._runners):
            self._remove(loads, "ollapy is shutting down")
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _find(self, model: Model, options: Options) -> Runner:
        runner = self._runners.get(model.loads)
        if runner and runner.is_dead:
            self._remove(model.loads)
            runner = None
        if runner is None:
            start = asyncio.create_task(self._start(model, options))
            runner = Runner(model, start, self._settings.keep_alive)
            self._runners[model.loads] = runner
        return runner

    async def _start(self, model: Model, options: Options) -> RunnerProcess:
        """A child with its model loaded; none is left behind when that fails or is cancelled."""
        header = await asyncio.to_thread(lambda: model.header)
        if self._stopping:  # what they hold is free once they are gone
            await asyncio.wait(self._stopping)
        load = _load(header, model, options, self._settings)
        started = time.monotonic()
        process = await RunnerProcess.start(
            str(model.name), load, self._settings.runner_env
        )
        try:
            await self._until_ready(process)
        except BaseException:
            await process.stop("the load was given up")
            raise
        elapsed = time.monotonic() - started
        logger.info(
            "runner ready model=%s pid=%d cells=%d load_s=%.2f",
            model.name,
            process.pid,
            load.num_cells,
            elapsed,
        )
        return process

    async def _until_ready(self, process: RunnerProcess) -> None:
        """Wait for the load; it fails when it stands still for the load timeout."""
        timeout = self._settings.load_timeout
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

    def _became_idle(self, runner: Runner) -> None:
        if runner.num_requests:
            return
        if not any(other.num_requests for other in self._runners.values()):
            self._all_idle.set()
        runner.idle_since = time.monotonic()
        runner.cancel_expiry()
        # a load that nobody waits for, or a runner that is gone, is not kept at all
        seconds = runner.keep_alive if runner.ready and not runner.is_dead else 0.0
        if seconds < math.inf:
            runner.expiry = asyncio.get_running_loop().call_later(
                seconds, self._expire, runner
            )

    def _expire(self, runner: Runner) -> None:
        """The end of a keep-alive; the timer is cancelled by whoever uses the runner again."""
        loads = runner.model.loads
        if self._runners.get(loads) is runner and not runner.num_requests:
            logger.info("unloading model=%s", runner.model.name)
            self._remove(loads)

    def _remove(
        self, loads: tuple[Digest, ...], why: str = "the model is being unloaded"
    ) -> None:
        runner = self._runners.pop(loads)
        runner.cancel_expiry()
        task = asyncio.create_task(_stop(runner, why))
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


async def _stop(runner: Runner, why: str) -> None:
    runner.start.cancel()
    await asyncio.wait({runner.start})
    if process := runner.process:
        await process.stop(why)


def _load(header: Header, model: Model, options: Options, settings: Settings) -> Load:
    memory = placement.place(
        header,
        available=psutil.virtual_memory().available,
        context_length=settings.context_length,
    )
    threads = (
        options.num_thread
        or settings.num_threads
        or placement.num_threads(header, num_cores())
    )
    return Load(
        paths=[str(path) for path in model.parts],
        adapters=[str(path) for path in model.adapters],
        num_cells=memory.num_cells,
        num_ctx=memory.num_ctx,
        max_sequences=placement.MAX_SEQUENCES,
        num_batch=memory.num_batch,
        num_threads=min(max(threads, 1), 512),  # an absurd number aborts llama.cpp
        num_gpu_layers=-1 if options.num_gpu is None else max(options.num_gpu, -1),
    )
