"""Endpoint: a route, and what a client may know of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope as StarletteScope

from ollapy.keys import Scope

__all__ = ["Endpoint", "Handler", "Scope"]

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint(Route):
    """A handler at a path: the types that it takes and gives, whether it streams, which scope it needs.

    Where it `takes_form` the type is that of a form, in parts. Where it streams, `gives` is the type of a record. A type of None is no JSON, a scope of None no key at all.
    """

    def __init__(
        self,
        path: str,
        handler: Handler,
        *methods: str,
        takes: Any = None,
        gives: Any = None,
        streams: bool = False,
        takes_form: bool = False,
        needs: Scope | None = Scope.MANAGE,
    ) -> None:
        super().__init__(path, handler, methods=methods)
        self.handler = handler
        self.verbs = methods
        self.takes = takes
        self.gives = gives
        self.streams = streams
        self.takes_form = takes_form
        self.needs = needs

    def matches(self, scope: StarletteScope) -> tuple[Match, StarletteScope]:
        """As of any route; who counts answers learns which one it was."""
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["ollapy.route"] = self.path
        return match, found

    @property
    def description(self) -> str:
        """What the handler's docstring says beside its method and path."""
        return inspect.cleandoc(self.handler.__doc__ or "")
