"""Models made here: the blobs that clients bring, and create."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import CreateRequest, Progress
from ollapy.create.creator import Creator
from ollapy.create.recipe import recipe
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.gates.body import MAX_ORDER, pieces, read
from ollapy.daemon.operations import answer, replacing
from ollapy.daemon.state import state
from ollapy.download.space import check_space
from ollapy.errors import DigestMismatch, InvalidRequest, NotFound
from ollapy.names import Digest
from ollapy.operation import Operation
from ollapy.pulling import Puller
from ollapy.store import Blobs

_BLOCK = 1 << 20  # bytes that cross to another thread at once


async def create(request: Request) -> Response:
    """Make a model. A base that is not here is pulled."""
    body = await read(request, CreateRequest, most=MAX_ORDER)
    wanted = recipe(body)
    store, settings = state(request).store, state(request).settings

    def make(operation: Operation) -> object:
        if wanted.pulled and not store.entry(wanted.pulled):
            Puller(store, settings).pull(wanted.pulled, operation, local=True)
        return Creator(store, settings.runner_env, operation).create(wanted)

    work = replacing(request, wanted.name, make)
    return await answer(request, work, wanted.name, stream=body.stream is not False)


async def blob(request: Request) -> Response:
    """Whether the blob of that digest is here; a POST brings it."""
    blobs = state(request).store.blobs
    digest = Digest.parse(request.path_params["digest"])
    is_here = await asyncio.to_thread(blobs.exists, digest)
    if request.method == "POST" and not is_here:
        await _receive(request, blobs, digest)
        return Response(status_code=HTTPStatus.CREATED)
    if not is_here:
        raise NotFound(f"blob {digest} not found")
    return Response(status_code=HTTPStatus.OK)


async def _receive(request: Request, blobs: Blobs, digest: Digest) -> None:
    loop, blocks = asyncio.get_running_loop(), _blocks(request)

    def arriving() -> Iterator[bytes]:
        while piece := asyncio.run_coroutine_threadsafe(
            anext(blocks, b""), loop
        ).result():
            yield piece

    def add() -> None:
        length = request.headers.get("content-length", "0")
        check_space(blobs.root, int(length) if length.isdecimal() else 0)
        blobs.add(arriving(), digest)

    try:
        await state(request).operations.run(add)
    except DigestMismatch as exc:  # what the client sent, not what is stored
        raise InvalidRequest(str(exc)) from exc


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in blocks that are worth handing over."""
    block = bytearray()
    async for piece in pieces(request):
        block += piece
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


ENDPOINTS = [
    Endpoint(
        "/api/create",
        create,
        "POST",
        takes=CreateRequest,
        gives=Progress,
        streams=True,
    ),
    Endpoint("/api/blobs/{digest}", blob, "HEAD", "POST"),
]
