"""What uvicorn and Starlette take by themselves: no gates, no store, and the paced runner's tokens as they come.

python -m scripts.bench.bare PORT
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from ollapy.api.options import SamplingParams
from ollapy.runner.frames import FrameReader, frame
from ollapy.runner.protocol import Chunk, Complete, Done, FromRunner

from .paced_runner import COMMAND

_ids = itertools.count(1)
_inboxes: dict[int, asyncio.Queue[Chunk | Done]] = {}


async def _version(_: Request) -> JSONResponse:
    return JSONResponse({"version": "0"})


async def _generate(request: Request) -> StreamingResponse:
    number = next(_ids)
    inbox = _inboxes[number] = asyncio.Queue()
    sampling = SamplingParams(
        max_tokens=(await request.json())["options"]["num_predict"]
    )
    asked = Complete(
        id=number,
        prompt="",
        suffix=None,
        sampling=sampling,
        num_ctx=None,
    )
    request.app.state.pipe.write(frame(asked))
    return StreamingResponse(_lines(inbox), media_type="application/x-ndjson")


async def _lines(inbox: asyncio.Queue[Chunk | Done]) -> AsyncIterator[bytes]:
    while isinstance(event := await inbox.get(), Chunk):
        yield msgspec.json.encode({"response": event.content, "done": False}) + b"\n"
    yield b'{"done":true}\n'


async def _relay(pipe: asyncio.StreamReader) -> None:
    frames = FrameReader(FromRunner)
    while data := await pipe.read(1 << 18):
        for message in frames.feed(data):
            _inboxes[message.id].put_nowait(message)


@asynccontextmanager
async def _runner(app: Starlette) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*COMMAND, stdin=-1, stdout=-1)
    assert process.stdin
    assert process.stdout
    app.state.pipe = process.stdin
    relaying = asyncio.create_task(_relay(process.stdout))
    yield
    process.stdin.close()
    await asyncio.gather(process.wait(), relaying)


if __name__ == "__main__":
    routes = [
        Route("/api/version", _version),
        Route("/api/generate", _generate, methods=["POST"]),
    ]
    uvicorn.run(
        Starlette(routes=routes, lifespan=_runner),
        port=int(sys.argv[1]),
        http="h11",
        log_config=None,
        access_log=False,
    )
