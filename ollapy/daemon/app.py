"""The ASGI application: its routes, its error handlers, and what it opens and closes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ollapy.errors import OllapyError
from ollapy.settings import Settings
from ollapy.store import Store

from . import responses
from .generation import Generation
from .operations import Operations
from .pool import RunnerPool
from .routes import care, creation, inference, models, status, transfers
from .security import Gate
from .tidying import tidy

logger = logging.getLogger(__name__)

_ROUTES = [
    Route("/", status.root, methods=["GET", "HEAD"]),
    Route("/api/version", status.version, methods=["GET", "HEAD"]),
    Route("/api/stats", status.stats, methods=["GET"]),
    Route("/api/shutdown", status.shutdown, methods=["POST"]),
    Route("/api/tags", models.tags, methods=["GET", "HEAD"]),
    Route("/api/ps", models.ps, methods=["GET", "HEAD"]),
    Route("/api/show", models.show, methods=["POST"]),
    Route("/api/copy", models.copy, methods=["POST"]),
    Route("/api/delete", models.delete, methods=["DELETE"]),
    Route("/api/pull", transfers.pull, methods=["POST"]),
    Route("/api/push", transfers.push, methods=["POST"]),
    Route("/api/create", creation.create, methods=["POST"]),
    Route("/api/blobs/{digest}", creation.blob, methods=["HEAD", "POST"]),
    Route("/api/prune", care.prune, methods=["POST"]),
    Route("/api/verify", care.verify, methods=["POST"]),
    Route("/api/du", care.usage, methods=["GET"]),
    Route("/api/generate", inference.generate, methods=["POST"]),
    Route("/api/chat", inference.chat, methods=["POST"]),
    Route("/api/embed", inference.embed, methods=["POST"]),
]


def create_app(settings: Settings, *, stop: Callable[[], None]) -> Starlette:
    """The daemon of these settings; `stop` is called when a client asks it to end."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.store = Store(settings.models)
        app.state.pool = pool = RunnerPool(settings)
        app.state.operations = operations = Operations()
        app.state.generation = Generation(app.state.store, pool)
        tidy(app.state.store, prune=settings.prune)
        try:
            yield
        finally:
            await operations.close()
            await pool.close(0)
            app.state.store.close()

    app = Starlette(
        routes=_ROUTES,
        middleware=[Middleware(Gate)],
        lifespan=lifespan,
        exception_handlers={
            OllapyError: _on_error,
            HTTPException: _on_http_error,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.stop = stop
    app.state.settings = settings
    return app


async def _on_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, OllapyError)
    return responses.error(exc)


async def _on_http_error(_request: Request, exc: Exception) -> Response:
    """An unknown path or a wrong method, in the words of Ollama's router."""
    assert isinstance(exc, HTTPException)
    text = {404: "404 page not found", 405: "405 method not allowed"}.get(
        exc.status_code, exc.detail
    )
    return PlainTextResponse(text, exc.status_code, exc.headers)


async def _on_bug(request: Request, exc: Exception) -> Response:
    logger.error("request failed path=%s", request.url.path, exc_info=exc)
    return responses.error(OllapyError(responses.INTERNAL))
