"""The API described: for programs, and for people."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.openapi import document

_CODE = re.compile(r"`([^`]+)`")
_PAGE = Path(__file__).with_name("documentation.html.jinja")
# The page has no script, and asks nobody for anything.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


async def openapi(request: Request) -> Response:
    """This description, as OpenAPI 3.1."""
    body = _described(request.app)[0]
    return Response(body, media_type="application/json")


async def docs(request: Request) -> Response:
    """This description, as a page."""
    page = _described(request.app)[1]
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@cache
def _described(app: Starlette) -> tuple[bytes, str]:
    """The document and the page; the same as long as the daemon lives."""
    import jinja2  # which most daemons never need

    found = document([route for route in app.routes if isinstance(route, Endpoint)])
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = _prose
    page = environment.from_string(_PAGE.read_text("utf-8")).render(
        document=found, operations=_by_tag(found)
    )
    return msgspec.json.encode(found), page


def _prose(text: str) -> str:
    """What stands between backticks is code."""
    import markupsafe

    escaped = str(markupsafe.escape(text))
    return markupsafe.Markup(_CODE.sub(r"<code>\1</code>", escaped))


def _by_tag(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations with their methods and paths, in the order of the tags."""
    grouped: dict[str, list[dict[str, Any]]] = {
        tag["name"]: [] for tag in found["tags"]
    }
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            row = {**operation, "method": method.upper(), "path": path}
            grouped[operation["tags"][0]].append(row)
    return grouped


ENDPOINTS = [
    Endpoint("/openapi.json", openapi, "GET", needs=Scope.INFER),
    Endpoint("/docs", docs, "GET", needs=Scope.INFER),
]
