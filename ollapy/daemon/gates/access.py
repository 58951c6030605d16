"""Access: who has no key for a route does not get to it. Pure ASGI."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from ollapy import keys
from ollapy.daemon import asker
from ollapy.daemon.answers import responses
from ollapy.daemon.endpoint import Endpoint
from ollapy.errors import OllapyError
from ollapy.keys import KeyRing


class _KeyMissing(OllapyError):
    status = HTTPStatus.UNAUTHORIZED


class _KeyTooWeak(OllapyError):
    status = HTTPStatus.FORBIDDEN


class Access:
    """Lets in whose key has the scope that the route needs. A path that is no route needs the strongest."""

    def __init__(
        self, app: ASGIApp, ring: KeyRing, endpoints: Sequence[Endpoint]
    ) -> None:
        self._app = app
        self._ring = ring
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http":
                self._check(scope)
        except OllapyError as exc:
            await responses.error(exc, scope["path"])(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        needed = self._needed(scope)
        if needed is None:
            return
        secret = _secret(scope)
        if secret is None:
            raise _KeyMissing(
                "this daemon answers only with an API key: send one as `Authorization: Bearer …` or `x-api-key`, "
                "the command line takes it from OLLAPY_API_KEY, and `ollapy key create` makes one"
            )
        key = self._ring.find(secret)
        if key is None:
            raise _KeyMissing(
                "this API key is not known here, `ollapy key create` makes one that is"
            )
        if not key.allows(needed):
            raise _KeyTooWeak(
                f"this API key may only {key.scope}, this takes one that may {needed}"
            )
        asker.remember(key)

    def _needed(self, scope: Scope) -> keys.Scope | None:
        matching = (e for e in self._endpoints if e.matches(scope)[0] is Match.FULL)
        found = next(matching, None)
        return found.needs if found else keys.Scope.MANAGE


def _secret(scope: Scope) -> str | None:
    """The key that a request brings, in the header of either API."""
    headers = dict(scope["headers"])
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    found: bytes | None = (
        token.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key")
    )
    return found.decode("latin-1") if found else None
