"""Whether and what the daemon is, and its end."""

from __future__ import annotations

from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy import __version__
from ollapy.api.ollama import API_VERSION, Cloud, StatusResponse, VersionResponse
from ollapy.daemon import responses
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.pool import RunnerPool
from ollapy.daemon.process import RunnerProcess
from ollapy.errors import RunnerStopped
from ollapy.runner.protocol import GetStats, Stats

Counters = dict[str, float | list[int]]


async def root(_request: Request) -> Response:
    """The words that clients look for."""
    return PlainTextResponse("Ollama is running")


async def version(_request: Request) -> Response:
    """What is running."""
    return responses.json(VersionResponse(API_VERSION, __version__))


async def status(_request: Request) -> Response:
    """That all models run on this machine."""
    return responses.json(StatusResponse(Cloud()))


async def stats(request: Request) -> Response:
    """The engine's counters of every loaded model, by its name. Ollapy's own."""
    pool: RunnerPool = request.app.state.pool
    found: dict[str, Counters] = {}
    for name, process in [(str(r.model.name), r.process) for r in pool.runners]:
        with suppress(RunnerStopped):  # it goes while it is asked
            if process:
                found[name] = await _counters(process)
    return responses.json(found)


async def _counters(process: RunnerProcess) -> Counters:
    async with aclosing(process.ask(GetStats())) as events:
        answer = await anext(events)
    assert isinstance(answer, Stats)
    return answer.counters


async def shutdown(request: Request) -> Response:
    """End the daemon, once this is answered. Ollapy's own."""
    request.app.state.stop()
    return responses.json({"status": "stopping"})


ENDPOINTS = [
    Endpoint("/", root, "GET", needs=None),
    Endpoint("/api/version", version, "GET", gives=VersionResponse, needs=None),
    Endpoint("/api/status", status, "GET", gives=StatusResponse, needs=Scope.INFER),
    Endpoint("/api/stats", stats, "GET", gives=dict[str, Counters]),
    Endpoint("/api/shutdown", shutdown, "POST", gives=dict[str, str]),
]
