"""Whether and what the daemon is, and its end."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy import __version__
from ollapy.api.ollama import API_VERSION, VersionResponse
from ollapy.daemon import responses


async def root(_request: Request) -> Response:
    """`GET /`: the words that clients look for."""
    return PlainTextResponse("Ollama is running")


async def version(_request: Request) -> Response:
    """`GET /api/version`."""
    return responses.json(VersionResponse(API_VERSION, __version__))


async def shutdown(request: Request) -> Response:
    """`POST /api/shutdown`, ollapy's own: the daemon ends once this is answered."""
    request.app.state.stop()
    return responses.json({"status": "stopping"})
