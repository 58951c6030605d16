"""Models to and from other machines: pull, push."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import Progress, PullRequest
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.gates.body import MAX_ORDER, read
from ollapy.daemon.operations import answer, replacing
from ollapy.daemon.state import state
from ollapy.errors import InvalidRequest
from ollapy.names import ModelName
from ollapy.pulling import Puller
from ollapy.registry import Credentials


async def pull(request: Request) -> Response:
    """Bring a model here. The model that had the name leaves memory when nobody uses it any more."""
    body = await read(request, PullRequest, most=MAX_ORDER)
    name, puller = ModelName.parse(_checked(body)), _puller(request, body)
    work = replacing(
        request, name, lambda op: puller.pull(name, op, local=bool(body.local))
    )
    return await answer(request, work, name, stream=body.stream is not False)


async def push(request: Request) -> Response:
    """Bring a model to the registry that its name says."""
    body = await read(request, PullRequest, most=MAX_ORDER)
    if not body.given:
        raise InvalidRequest("model is required")
    name, puller = ModelName.parse(_checked(body)), _puller(request, body)
    return await answer(
        request,
        lambda operation: puller.push(name, operation),
        name,
        stream=body.stream is not False,
    )


def _checked(body: PullRequest) -> str:
    if body.given.startswith("http://") and not body.insecure:
        raise InvalidRequest("insecure protocol http, ask with --insecure")
    return body.given


def _puller(request: Request, body: PullRequest) -> Puller:
    app = state(request)
    given = Credentials(body.username, body.password or "") if body.username else None
    return Puller(
        app.store,
        app.settings,
        insecure=bool(body.insecure),
        credentials=given,
        max_rate=max(body.limit_rate or 0, 0) or None,
    )


ENDPOINTS = [
    Endpoint(
        f"/api/{handler.__name__}",
        handler,
        "POST",
        takes=PullRequest,
        gives=Progress,
        streams=True,
    )
    for handler in (pull, push)
]
