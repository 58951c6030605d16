"""Starting: a child from its first message to a model that is loaded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.runner import Runner
from ollapy.errors import LoadFailed
from ollapy.runner.protocol import Load, Serve
from ollapy.settings import Settings


async def started(
    runner: Runner, load: Load | Serve, settings: Settings
) -> RunnerProcess:
    """A runner's child with its model loaded; none is left behind when that fails or is cancelled."""
    name, env = str(runner.model.name), _env(load, settings)
    process = runner.child = await RunnerProcess.start(name, load, env)
    try:
        await _until_ready(process, settings)
    except BaseException:
        await process.stop("the load was given up")
        raise
    return process


def _env(load: Load | Serve, settings: Settings) -> Mapping[str, str]:
    """Its key reaches vLLM by the environment: all users of a machine can read arguments."""
    if isinstance(load, Load):
        return settings.runner_env
    return {**settings.vllm_env, "VLLM_API_KEY": load.key}


async def _until_ready(process: RunnerProcess, settings: Settings) -> None:
    """Wait for the load; it fails when it stands still for the load timeout."""
    timeout = settings.load_timeout
    while not process.ready.done():
        before = process.progress
        await asyncio.wait(
            {process.ready}, timeout=timeout if 0 < timeout < math.inf else None
        )
        if not process.ready.done() and process.progress == before:
            said = f", the last was '{before.said[:200]}'" if before.said else ""
            raise LoadFailed(
                f"the model made no progress loading for {timeout:g} s{said}, see OLLAPY_LOAD_TIMEOUT"
            )
    process.ready.result()
