"""Whether and what the daemon is, and its end."""

from __future__ import annotations

from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy import __version__
from ollapy.api.ollama import API_VERSION, VersionResponse
from ollapy.daemon import responses
from ollapy.daemon.pool import RunnerPool
from ollapy.daemon.process import RunnerProcess
from ollapy.errors import RunnerStopped
from ollapy.runner.protocol import GetStats, Stats


async def root(_request: Request) -> Response:
    """`GET /`: the words that clients look for."""
    return PlainTextResponse("Ollama is running")


async def version(_request: Request) -> Response:
    """`GET /api/version`."""
    return responses.json(VersionResponse(API_VERSION, __version__))


async def stats(request: Request) -> Response:
    """`GET /api/stats`, ollapy's own: the engine's counters of every loaded model, by its name."""
    pool: RunnerPool = request.app.state.pool
    found: dict[str, dict[str, float | list[int]]] = {}
    for name, process in [(str(r.model.name), r.process) for r in pool.runners]:
        with suppress(RunnerStopped):  # it goes while it is asked
            if process:
                found[name] = await _counters(process)
    return responses.json(found)


async def _counters(process: RunnerProcess) -> dict[str, float | list[int]]:
    async with aclosing(process.ask(GetStats())) as events:
        answer = await anext(events)
    assert isinstance(answer, Stats)
    return answer.counters


async def shutdown(request: Request) -> Response:
    """`POST /api/shutdown`, ollapy's own: the daemon ends once this is answered."""
    request.app.state.stop()
    return responses.json({"status": "stopping"})
