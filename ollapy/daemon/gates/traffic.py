"""Traffic: tells the metrics of every answer, by its route and status. Pure ASGI, outside of all gates."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ollapy.daemon.observation.metrics import Metrics

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Traffic:
    """What was answered; a path that is no route is none of their labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 499  # where the client was gone before

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.http(scope.get("ollapy.route", "none"), method, status)
