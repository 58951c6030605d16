"""Gates before every route: who may ask, judged by the Host and Origin headers. Pure ASGI.

A web page can make a browser send requests to localhost, and by DNS rebinding read the answers. Such
a request carries the page's origin, or the page's host name; a program's carries neither.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
_LOCAL_ORIGINS = {"localhost", "127.0.0.1", "0.0.0.0", "::1"}
_APP_SCHEMES = {"app", "file", "tauri", "vscode-webview", "vscode-file"}


class Gate:
    """Answers 403 with an empty body to requests from elsewhere, whatever their method and path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._own_name = socket.gethostname().lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._admits(scope["headers"]):
            await Response(status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admits(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        found = {name: value.decode("latin-1") for name, value in headers}
        if found.get(b"sec-fetch-site") == "cross-site" and b"origin" not in found:
            return False
        origin = found.get(b"origin")
        return self._is_own_host(found.get(b"host", "")) and (
            origin is None or is_local_origin(origin)
        )

    def _is_own_host(self, host: str) -> bool:
        """Whether a Host header names this machine: a private address, localhost, or its own name."""
        try:
            name = (
                (urlsplit(f"//{host}").hostname or "")
                if not set(host) & set("@/#?\\ \t")
                else "invalid host"
            )
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in ("", "localhost", self._own_name) or name.endswith(
                _LOCAL_SUFFIXES
            )
        return (
            address.is_loopback
            or address.is_unspecified
            or (address.is_private and not address.is_link_local)
        )


def is_local_origin(origin: str) -> bool:
    """Whether a page of this machine, or an application's own page, sent the request."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in _APP_SCHEMES or (
            parts.scheme in ("http", "https") and parts.hostname in _LOCAL_ORIGINS
        )
    except ValueError:
        return False
