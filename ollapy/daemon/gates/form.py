"""Forms: bodies in parts, some of them files. All is kept in memory, as nothing that is asked is written to disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ollapy.daemon.gates import unknown
from ollapy.daemon.gates.body import check_size, pieces
from ollapy.decoding import converted
from ollapy.errors import InvalidRequest

T = TypeVar("T")
MAX_FORM = 25 * 1024 * 1024
_MAX_FILES, _MAX_FIELDS = 1, 100


class _InMemory(MultiPartParser):
    spool_max_size = MAX_FORM + 1


async def read(request: Request, kind: type[T]) -> T:
    """The form as a `kind`, whose fields of bytes are its files; the log names unknown fields."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidRequest(
            "failed to parse multipart form: the Content-Type is not multipart/form-data"
        )
    check_size(int(request.headers.get("content-length", "0")), MAX_FORM)
    async with aclosing(_bounded(request)) as arriving:
        given = await _parsed(request, arriving)
    unknown.tell_names(request.url.path, given, kind)
    try:
        return converted(given, kind, lax=True)
    except msgspec.ValidationError as exc:
        raise InvalidRequest(str(exc)) from exc


async def _parsed(
    request: Request, arriving: AsyncGenerator[bytes, None]
) -> dict[str, str | bytes]:
    parser = _InMemory(
        request.headers, arriving, max_files=_MAX_FILES, max_fields=_MAX_FIELDS
    )
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        raise InvalidRequest(f"failed to parse multipart form: {exc.message}") from exc
    try:
        return {
            name: await value.read() if isinstance(value, UploadFile) else value
            for name, value in form.multi_items()
        }
    finally:
        await form.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    received = 0
    async with aclosing(pieces(request)) as arriving:
        async for piece in arriving:
            received += len(piece)
            check_size(received, MAX_FORM)
            yield piece
