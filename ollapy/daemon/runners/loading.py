"""Loading: what a model is loaded with, and the child that does it."""

from __future__ import annotations

import asyncio
import math

from ollapy.api.options import Options
from ollapy.daemon.runners import placement
from ollapy.daemon.runners.cores import num_cores
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.errors import LoadFailed
from ollapy.gguf import Header
from ollapy.runner.protocol import Load
from ollapy.settings import Settings
from ollapy.store import Model


async def started(model: Model, load: Load, settings: Settings) -> RunnerProcess:
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


def how_to_load(
    header: Header, model: Model, options: Options, settings: Settings, free: int
) -> Load:
    """What to load a model with where so many bytes are free; LoadFailed where they are too few."""
    given = placement.place(
        header, available=free, context_length=settings.context_length
    )
    threads = (
        options.num_thread
        or settings.num_threads
        or placement.num_threads(header, num_cores())
    )
    return Load(
        paths=[str(path) for path in model.parts],
        num_cells=given.num_cells,
        num_ctx=given.num_ctx,
        max_sequences=placement.MAX_SEQUENCES,
        num_batch=given.num_batch,
        num_threads=min(max(threads, 1), 512),  # an absurd number aborts llama.cpp
        num_gpu_layers=-1 if options.num_gpu is None else max(options.num_gpu, -1),
    )
