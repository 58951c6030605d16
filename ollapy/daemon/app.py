"""The ASGI application: its routes, its error handlers, and what it opens and closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy.daemon.answers import responses
from ollapy.daemon.conversations import Conversations
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.gates.access import Access
from ollapy.daemon.gates.limits import Limits
from ollapy.daemon.gates.security import Gate
from ollapy.daemon.gates.traffic import Traffic
from ollapy.daemon.generation import Generation
from ollapy.daemon.observation.journal import Journal
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.operations import Operations
from ollapy.daemon.reloading import reload
from ollapy.daemon.routes import (
    anthropic,
    care,
    creation,
    documentation,
    inference,
    models,
    neighbours,
    observation,
    openai,
    openai_responses,
    status,
    text,
    transcriptions,
    transfers,
    tuning,
)
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.served import Served
from ollapy.daemon.tidying import tidy
from ollapy.errors import NotFound, OllapyError
from ollapy.keys import KeyRing
from ollapy.remote import Remote
from ollapy.settings import Settings
from ollapy.store import Store

logger = logging.getLogger(__name__)

ENDPOINTS: list[Endpoint] = [
    *status.ENDPOINTS,
    *observation.ENDPOINTS,
    *documentation.ENDPOINTS,
    *models.ENDPOINTS,
    *neighbours.ENDPOINTS,
    *transfers.ENDPOINTS,
    *creation.ENDPOINTS,
    *care.ENDPOINTS,
    *inference.ENDPOINTS,
    *text.ENDPOINTS,
    *tuning.ENDPOINTS,
    *openai.ENDPOINTS,
    *openai_responses.ENDPOINTS,
    *transcriptions.ENDPOINTS,
    *anthropic.ENDPOINTS,
]


class _WrongMethod(OllapyError):
    status = HTTPStatus.METHOD_NOT_ALLOWED


def create_app(settings: Settings, *, stop: Callable[[], None]) -> Starlette:
    """The daemon of these settings; `stop` is called when a client asks it to end."""
    metrics = Metrics()
    app = Starlette(
        routes=ENDPOINTS,
        middleware=[Middleware(Traffic, metrics), *_gates(settings)],
        lifespan=lambda app: _opened(app.state, settings, metrics),
        exception_handlers={
            OllapyError: _on_error,
            HTTPException: _on_http_error,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.stop = stop
    app.state.metrics = metrics
    app.state.settings = settings
    return app


@asynccontextmanager
async def _opened(
    state: State, settings: Settings, metrics: Metrics
) -> AsyncIterator[None]:
    """What routes find in the application's state while it serves."""
    state.store = Store(settings.models)
    state.pool = pool = RunnerPool(settings, metrics)
    state.operations = operations = Operations(metrics)
    state.journal = journal = Journal(
        metrics, settings.num_kept_requests, keeps_requests=settings.keeps_requests
    )
    state.remote = remote = Remote(
        settings.vllm_url, settings.vllm_api_key, settings.load_timeout
    )
    served = Served(state.store, pool, remote)
    state.generation = Generation(served, journal)
    state.conversations = Conversations()
    looking = asyncio.create_task(pool.devices.look())
    reloading = asyncio.create_task(reload(state))
    tidy(state.store, prune=settings.prune)
    try:
        yield
    finally:
        looking.cancel()
        reloading.cancel()
        await operations.close()
        await pool.close(0)
        await remote.close()
        state.store.close()


def _gates(settings: Settings) -> list[Middleware]:
    """What a request passes before its route, from the outside in."""
    gate = Middleware(
        Gate,
        origins=settings.origins,
        hosts=settings.allowed_hosts,
        is_open=not settings.address.is_loopback,
    )
    if not settings.needs_key:
        return [gate, Middleware(Limits)]
    access = Middleware(Access, KeyRing(settings.keys), ENDPOINTS)
    return [gate, Middleware(Limits), access]


async def _on_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, OllapyError)
    return responses.error(exc, request.url.path)


async def _on_http_error(request: Request, exc: Exception) -> Response:
    """An unknown path or a wrong method, in the words of Ollama's router, or else in the API's shape."""
    assert isinstance(exc, HTTPException)
    path = request.url.path
    text = {404: _not_found(path), 405: "405 method not allowed"}.get(
        exc.status_code, exc.detail
    )
    if not path.startswith("/v1/"):
        return PlainTextResponse(text, exc.status_code, exc.headers)
    kind = NotFound if exc.status_code == HTTPStatus.NOT_FOUND else _WrongMethod
    response = responses.error(kind(text), path)
    response.headers.update(exc.headers or {})
    return response


def _not_found(path: str) -> str:
    """With the way out of the usual mistakes: a base URL that lacks `/v1`, has it or `/api` where the client
    adds that, or has a slash at its end.
    """
    known = {endpoint.path for endpoint in ENDPOINTS} - {"/"}
    plain = "/" + path.strip("/")
    for meant in (plain, f"/v1{plain}", *map(plain.removeprefix, ("/v1", "/api"))):
        if meant in known:
            return f"404 page not found: it is {meant}, see the base URL of the client"
    return "404 page not found: /docs shows those there are"


async def _on_bug(request: Request, exc: Exception) -> Response:
    logger.error("request failed path=%s", request.url.path, exc_info=exc)
    return responses.error(OllapyError(responses.INTERNAL), request.url.path)
