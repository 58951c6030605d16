"""Gates before every route: who may ask, judged by the Host and Origin headers. Pure ASGI.

A web page can make a browser send requests to localhost, and by DNS rebinding read the answers. Such
a request carries the page's origin, or the page's host name; a program's carries neither.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
_LOCAL_ORIGINS = {"localhost", "127.0.0.1", "0.0.0.0", "::1"}
_APP_SCHEMES = {
    *("app", "file", "tauri", "capacitor", "ionic"),
    *("vscode-webview", "vscode-file"),
}
_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_PREFLIGHT_SECONDS = "43200"
_MAX_TOLD = 80  # characters of a header in the log


class Gate:
    """Answers 403 with an empty body to requests from elsewhere, whatever their method and path.

    Pages of `origins`, patterns with `*`, are let in too, and told so as browsers want it. A daemon that
    `is_open` to a network is reached by any address, and by the names in `hosts`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Sequence[str] = (),
        hosts: Sequence[str] = (),
        is_open: bool = False,
    ) -> None:
        self._app = app
        self._origins = [_pattern(text) for text in origins]
        self._any_origin = "*" in origins
        self._names = {"", "localhost", socket.gethostname().lower(), *hosts}
        self._any_host = "*" in hosts
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _latin(scope["headers"])
        origin = headers.get("origin")
        if why := self._refusal(headers):
            logger.warning("refused path=%s: %s", scope["path"], why)
            await Response(status_code=403)(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._preflight(headers)(scope, receive, send)
        else:
            await self._app(scope, receive, self._telling(origin, send))

    def _refusal(self, headers: dict[str, str]) -> str:
        """Why a request may not come in, and what would let it in; empty where it may."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_own_host(host):
            return f"host {host[:_MAX_TOLD]!r} is not this machine, OLLAPY_ALLOWED_HOSTS has the names it goes by"
        if origin is None:
            is_foreign = headers.get("sec-fetch-site") == "cross-site"
            return (
                "a page from elsewhere asks, and says not which" if is_foreign else ""
            )
        if self._is_allowed(origin):
            return ""
        return f"origin {origin[:_MAX_TOLD]!r} may not ask, OLLAPY_ORIGINS has those that may"

    def _is_allowed(self, origin: str) -> bool:
        return (
            self._any_origin
            or is_local_origin(origin)
            or any(pattern.fullmatch(origin) for pattern in self._origins)
        )

    def _is_own_host(self, host: str) -> bool:
        """Whether a Host header names this machine: an address that it may have, localhost, or its own name."""
        if set(host) & set("@/#?\\ \t"):
            return self._any_host
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if self._any_host:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names or name.endswith(_LOCAL_SUFFIXES)
        return (
            self._is_open
            or address.is_loopback
            or address.is_unspecified
            or (address.is_private and not address.is_link_local)
        )

    def _preflight(self, headers: dict[str, str]) -> Response:
        """What a browser asks before it sends a page's request; others ask for nothing."""
        origin = headers.get("origin")
        if origin is None:
            return Response(status_code=204)
        allowed = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": headers.get(
                "access-control-request-headers", ""
            ),
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
            **self._admission(origin),
        }
        return Response(status_code=204, headers=allowed)

    def _admission(self, origin: str) -> dict[str, str]:
        if self._any_origin:
            return {"Access-Control-Allow-Origin": "*"}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _telling(self, origin: str | None, send: Send) -> Send:
        """Where a page asks, its browser is told that it may read the answer."""
        if origin is None:
            return send

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._admission(origin))
            await send(message)

        return tell


def is_local_origin(origin: str) -> bool:
    """Whether a page of this machine, or an application's own page, sent the request."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        return parts.scheme in _APP_SCHEMES or (
            parts.scheme in ("http", "https")
            # names below localhost are this machine's for every browser; applications' pages have some
            and (host in _LOCAL_ORIGINS or host.endswith(".localhost"))
        )
    except ValueError:
        return False


def _pattern(text: str) -> re.Pattern[str]:
    """An origin in which `*` stands for anything that an origin has at that place."""
    return re.compile("[^/]*".join(map(re.escape, text.split("*"))))


def _latin(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
