"""Whether and what the daemon is, and its end."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy import __version__
from ollapy.api.ollama import API_VERSION, Cloud, StatusResponse, VersionResponse
from ollapy.daemon.answers import responses
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.observation.engine_stats import EngineStats, engine_stats
from ollapy.daemon.state import state


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
    """The engine's counters of every loaded model, by its name; models that share a load have the same. Ollapy's own."""
    found = await engine_stats(state(request).pool)
    return responses.json(
        {name: stats for runner, stats in found.items() for name in runner.names}
    )


async def shutdown(request: Request) -> Response:
    """End the daemon, once this is answered. Ollapy's own."""
    state(request).stop()
    return responses.json({"status": "stopping"})


ENDPOINTS = [
    Endpoint("/", root, "GET", needs=None),
    Endpoint("/api/version", version, "GET", gives=VersionResponse, needs=None),
    Endpoint("/api/status", status, "GET", gives=StatusResponse, needs=Scope.INFER),
    Endpoint("/api/stats", stats, "GET", gives=dict[str, EngineStats]),
    Endpoint("/api/shutdown", shutdown, "POST", gives=dict[str, str]),
]
