"""EngineStats: what the engines of the loaded models say of themselves, asked of them at the moment."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.daemon.runners.runner import Runner
from ollapy.errors import RunnerStopped
from ollapy.runner.protocol import GetStats, Stats

EngineStats = dict[str, float | list[int]]
_PATIENCE = 2.0  # seconds; an engine answers between two steps


async def engine_stats(pool: RunnerPool) -> dict[Runner, EngineStats]:
    """Of everything that is loaded, but for what goes while it is asked."""
    asked = pool.runners
    answers = await asyncio.gather(*(_of(runner.process) for runner in asked))
    return {r: found for r, found in zip(asked, answers, strict=True) if found}


async def _of(process: RunnerProcess | None) -> EngineStats | None:
    if process is None:
        return None
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            aclosing(process.ask(GetStats())) as events,
        ):
            answer = await anext(events)
    except (RunnerStopped, TimeoutError):
        return None
    assert isinstance(answer, Stats)
    return answer.counters
