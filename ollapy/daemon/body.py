"""Request bodies: read within a bound, decoded into a type, or refused in a sentence."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from ollapy.errors import InvalidRequest, OllapyError

from .disconnect import ClientGone

T = TypeVar("T")
MAX_BODY = 64 * 1024 * 1024


class BodyTooLarge(OllapyError):
    """More bytes than any request of this kind needs."""

    status = 413


async def read(request: Request, kind: type[T]) -> T:
    """The body as a `kind`; its Content-Type does not matter, unknown fields are ignored."""
    body = await _bytes(request)
    if not body:
        raise InvalidRequest("missing request body")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidRequest(str(exc)) from exc


async def _bytes(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise BodyTooLarge(f"the request body is larger than {MAX_BODY} bytes")
    except ClientDisconnect:
        raise ClientGone("request canceled") from None
    return bytes(body)
