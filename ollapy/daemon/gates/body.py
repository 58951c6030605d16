"""Request bodies: read within a bound and in time, decoded into a type, or refused in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from ollapy.daemon.answers.disconnect import ClientGone
from ollapy.daemon.gates import coding, nesting, surrogates, unknown
from ollapy.daemon.state import state
from ollapy.decoding import from_json
from ollapy.errors import InvalidRequest, OllapyError

T = TypeVar("T")
MAX_BODY = 64 * 1024 * 1024  # of inference, for its images
MAX_ORDER = 8 * 1024 * 1024  # of everything else
_LARGE = 1024 * 1024  # decoded beside the event loop
_MIN_RATE = 1024  # bytes a second, once the timeout has passed


class BodyTooLarge(OllapyError):
    """More bytes than any request of this kind needs."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlow(OllapyError):
    """The client has stopped sending, or nearly."""

    status = HTTPStatus.REQUEST_TIMEOUT


async def read(request: Request, kind: type[T], *, most: int = MAX_BODY) -> T:
    """The body as a `kind`; its Content-Type does not matter, the log names unknown fields."""
    encoding = request.headers.get("content-encoding", "")
    coding.check(encoding)
    body = await _bytes(request, most)
    if not body:
        raise InvalidRequest("missing request body")
    if len(body) > _LARGE or encoding:
        return await asyncio.to_thread(_decoded, request, body, encoding, kind, most)
    return _decoded(request, body, encoding, kind, most)


async def pieces(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it comes; BodyTooSlow when it does not, ClientGone when it ends too soon."""
    loop, timeout = asyncio.get_running_loop(), state(request).settings.body_timeout
    slowest, received = loop.time() + timeout, 0
    stream = request.stream()
    while True:
        deadline = min(loop.time() + timeout, slowest + received / _MIN_RATE)
        try:
            async with asyncio.timeout_at(deadline):
                piece = await anext(stream, None)
        except ClientDisconnect:
            raise ClientGone("request canceled") from None
        except TimeoutError:
            raise BodyTooSlow("the request body did not come in time") from None
        if piece is None:
            return
        received += len(piece)
        yield piece


async def _bytes(request: Request, most: int) -> bytes:
    check_size(int(request.headers.get("content-length", "0")), most)
    body = bytearray()
    async with aclosing(pieces(request)) as arriving:
        async for piece in arriving:
            body += piece
            check_size(len(body), most)
    return bytes(body)


def check_size(size: int, most: int) -> None:
    """BodyTooLarge where that is more."""
    if size > most:
        raise BodyTooLarge(f"the request body is larger than {most} bytes")


def _decoded(
    request: Request, body: bytes, encoding: str, kind: type[T], most: int
) -> T:
    plain = coding.decode(body, encoding, most + 1)
    check_size(len(plain), most)
    nesting.check(plain)
    plain = surrogates.mended(plain)
    try:
        found = from_json(plain, kind)
        unknown.tell(request.url.path, plain, kind)
        return found
    except UnicodeDecodeError as exc:
        raise InvalidRequest("the request body is not UTF-8") from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        if str(exc) == "Input data was truncated":  # ours to blame, by the sound of it
            raise InvalidRequest("JSON is malformed: it ends too soon") from exc
        raise InvalidRequest(str(exc)) from exc
