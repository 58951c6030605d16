"""Counters: what the engines of the loaded models say of themselves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.runners.process import RunnerProcess
from ollapy.errors import RunnerStopped
from ollapy.runner.protocol import GetStats, Stats

Counters = dict[str, float | list[int]]
_PATIENCE = 2.0  # seconds; an engine answers between two steps


async def counters(pool: RunnerPool) -> dict[str, Counters]:
    """Of every loaded model by its name, but for those that go while they are asked."""
    asked = [(str(r.model.name), r.process) for r in pool.runners]
    answers = await asyncio.gather(*(_of(process) for _, process in asked))
    return {
        name: answer
        for (name, _), answer in zip(asked, answers, strict=True)
        if answer is not None
    }


async def _of(process: RunnerProcess | None) -> Counters | None:
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
