"""Server: one vLLM from its start to its end, as the daemon hears of it. On the runner's event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from ollapy.errors import LoadFailed, ModelNotFound, OllapyError, RunnerStopped
from ollapy.names import ModelName
from ollapy.remote import Remote, RemoteModel
from ollapy.runner.protocol import (
    Chunk,
    Done,
    Embeddings,
    FromRunner,
    Loading,
    Question,
    Ready,
    Serve,
)

from .activity import Activity
from .last_words import plain
from .process import VllmProcess

_HOST = "127.0.0.1"
_PAUSE = 0.25  # seconds between two looks at a server that starts
_MOMENT = 0.3  # seconds from a broken connection to the end of its server
GRACE = 3.0  # seconds that an end may take which nobody has asked for


class Server:
    """Says that it loads and is ready by `send`; how it ended is what `run` raises."""

    def __init__(self, asked: Serve, send: Callable[[FromRunner], None]) -> None:
        self._asked = asked
        self._send = send
        self._port = _free_port()
        url = f"http://{_HOST}:{self._port}"
        self._remote = Remote(url, asked.key, asked.silence, called="vLLM")
        self._process: VllmProcess | None = None
        self._model: RemoteModel | None = None
        self._over = asyncio.Event()
        self._said, self._num_signs = "", 0

    async def run(self) -> None:
        """Start it, and watch it until it has ended by itself: RunnerStopped then, with the reason."""
        try:
            process = self._process = await self._started()
            ended = asyncio.create_task(process.wait())
            ready = asyncio.create_task(self._until_ready(process.activity))
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._is_ready(ready.result())
            ready.cancel()
            sentence = await ended
            await process.end(0.0)  # what it has started may live
            raise RunnerStopped(sentence)
        finally:
            self._over.set()

    async def end(self, seconds: float) -> None:
        """Have it end within so many seconds, and wait until it has."""
        if self._process:
            await self._process.end(seconds)

    def ask(
        self, question: Question
    ) -> AsyncGenerator[Chunk | Done | Embeddings, None]:
        """What the model answers; the daemon asks when it is ready."""
        assert self._model
        return self._remote.ask(self._model, question)

    async def has_ended(self) -> bool:
        """Whether a failure was its end, which may be seen a moment later and is told for all requests at once.

        One that listens no more is ended: it is of no use, and its engine may have died.
        """
        assert self._process
        if not await self._process.ends_within(_MOMENT):
            if await self._listens():
                return False
            await self._process.end(GRACE)
        await self._over.wait()
        return True

    async def _listens(self) -> bool:
        with suppress(OllapyError):
            await self._remote.models()
            return True
        return False

    async def _started(self) -> VllmProcess:
        place = ["--host", _HOST, "--port", str(self._port)]
        try:
            return await VllmProcess.start(
                [*self._asked.command, *place], lambda line: self._goes_on(plain(line))
            )
        except OSError as exc:
            raise LoadFailed(
                f"vLLM could not be started ({exc.strerror}): see OLLAPY_VLLM_COMMAND"
            ) from exc

    async def _until_ready(self, activity: Activity) -> RemoteModel:
        """The model, once the server tells of it: it listens when it has loaded."""
        name = ModelName.parse(self._asked.name)
        while True:
            with suppress(ModelNotFound):
                return await self._remote.get(name, "it is not there yet")
            if activity.has_gone_on():
                self._goes_on(self._said)
            await asyncio.sleep(_PAUSE)

    def _goes_on(self, said: str) -> None:
        """The load does, as its log says or as it is seen to do."""
        if self._model is None:
            self._said, self._num_signs = said, self._num_signs + 1
            self._send(Loading(float(self._num_signs), said))

    def _is_ready(self, model: RemoteModel) -> None:
        self._model = model
        asked = self._asked
        self._send(Ready(model.num_ctx, asked.max_sequences, asked.buffers))


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as found:
        port: int = found.getsockname()[1]
    return port
