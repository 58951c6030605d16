"""Snapshot: what a daemon does at this moment, all of it from one look."""

from __future__ import annotations

import asyncio
import time

import psutil

from ollapy import __version__
from ollapy.api.snapshot import ModelState, Snapshot
from ollapy.daemon.describe import engine_of
from ollapy.daemon.observation import waiting
from ollapy.daemon.observation.engine_stats import EngineStats, engine_stats
from ollapy.daemon.runners import memory
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.state import State
from ollapy.units import format_instant


async def snapshot(state: State) -> Snapshot:
    """Engines are asked for their counters, which they tell between two steps."""
    engines = await engine_stats(state.pool)
    loading = waiting.loads(state.pool)
    requests = waiting.told(state.journal, loading, engines)
    available = await asyncio.to_thread(memory.available)
    return Snapshot(
        version=__version__,
        at=time.monotonic(),
        uptime=time.time() - psutil.Process().create_time(),
        memory_total=memory.total(),
        memory_available=available,
        waiting=state.pool.num_waiting,
        models=[_model(r, engines.get(r, {})) for r in state.pool.runners],
        requests=[r for r in requests if r.outcome == "running"],
        operations=state.operations.under_way,
        loading=loading,
    )


def _model(runner: Runner, stats: EngineStats) -> ModelState:
    ready = runner.ready
    return ModelState(
        ", ".join(runner.names),
        ready.size if ready else 0,
        ready.size_vram if ready else 0,
        ready.num_ctx if ready else 0,
        format_instant(runner.uses.expires_at),
        stats,
        engine_of(runner.model),
    )
