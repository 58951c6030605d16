"""Service: one vLLM's requests from the daemon, and what comes of them back. On the runner's event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import aclosing, suppress

from ollapy.errors import (
    LoadFailed,
    ModelNotFound,
    OllapyError,
    RemoteError,
    RunnerStopped,
    Unsupported,
)
from ollapy.names import ModelName
from ollapy.remote import Remote, RemoteModel
from ollapy.runner.protocol import (
    Cancel,
    Close,
    Failed,
    FromRunner,
    GetStats,
    Load,
    Loading,
    Question,
    Ready,
    Resize,
    Serve,
    Stats,
    ToRunner,
    Tune,
)

from .activity import Activity
from .process import VllmProcess

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_PAUSE = 0.25  # seconds between two looks at a server that starts
_MOMENT = 0.3  # seconds from a broken connection to the end of its server
_GRACE = 2.0  # seconds to end in, where nobody says how long


class Service:
    """Serves one model over frames. `send` writes one frame to the daemon, `leave` ends this process."""

    def __init__(
        self, send: Callable[[FromRunner], None], leave: Callable[[], None]
    ) -> None:
        self._send = send
        self._leave = leave
        self._process: VllmProcess | None = None
        self._serving: asyncio.Task[None] | None = None
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._max_sequences = self._num_signs = 0
        self._said, self._is_loading = "", True

    def receive(self, message: ToRunner) -> None:
        """Act on one message of the daemon."""
        match message:
            case Serve():
                self._serving = asyncio.create_task(self._serve(message))
            case Cancel():
                if task := self._answering.get(message.id):
                    task.cancel()
            case Close():
                self._closing = asyncio.create_task(self._end(message.seconds))
            case GetStats():
                self._send(Stats(message.id, self._counters))
            case Tune():
                error = Unsupported("vLLM finds out by itself how it computes best")
                self._fail(message.id, error)
            case Resize():
                pass  # vLLM takes its memory once
            case Load():
                raise AssertionError("it is for the other engine")
            case _:
                self._answer(message)

    async def close(self, seconds: float = _GRACE) -> None:
        """Have the server end, and wait until it has."""
        if self._process:
            await self._process.end(seconds)

    async def _end(self, seconds: float) -> None:
        if self._serving:
            self._serving.cancel()  # its end is meant now
        await self.close(seconds)
        self._leave()

    async def _serve(self, asked: Serve) -> None:
        """From its start to its end, which is told, and then of no further use."""
        try:
            await self._run(asked)
        except OllapyError as exc:
            self._send(Failed(None, type(exc).__name__, str(exc)))
        except Exception:
            logger.exception("vLLM's runner failed")
            self._leave()

    async def _run(self, asked: Serve) -> None:
        self._max_sequences = asked.max_sequences
        port = _free_port()
        command = [*asked.command, "--host", _HOST, "--port", str(port)]
        try:
            self._process = await VllmProcess.start(command, self._go_on)
        except OSError as exc:
            raise LoadFailed(
                f"vLLM could not be started ({exc.strerror}): see OLLAPY_VLLM_COMMAND"
            ) from exc
        url = f"http://{_HOST}:{port}"
        self._remote = Remote(url, asked.key, asked.silence, called="vLLM")
        ended = asyncio.create_task(self._process.wait())
        name = ModelName.parse(asked.name)
        ready = asyncio.create_task(self._until_ready(name, self._process.activity))
        await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._model, self._is_loading = ready.result(), False
            self._send(Ready(self._model.num_ctx, asked.max_sequences, asked.buffers))
        ready.cancel()
        sentence = await ended
        await self._process.end(0.0)  # what it has started may live
        raise RunnerStopped(sentence)

    async def _until_ready(self, name: ModelName, activity: Activity) -> RemoteModel:
        """The model, once the server tells of it: it listens when it has loaded."""
        while True:
            with suppress(ModelNotFound):
                return await self._remote.get(name, "it is not there yet")
            if activity.has_gone_on():
                self._go_on(self._said)
            await asyncio.sleep(_PAUSE)

    def _go_on(self, said: str) -> None:
        """The load does, as the server says or is seen to do."""
        if self._is_loading:
            self._said, self._num_signs = said, self._num_signs + 1
            self._send(Loading(float(self._num_signs), said))

    @property
    def _counters(self) -> dict[str, float | list[int]]:
        waiting = max(0, len(self._answering) - self._max_sequences)
        return {"running": len(self._answering) - waiting, "waiting": waiting}

    def _answer(self, question: Question) -> None:
        task = asyncio.create_task(self._tell(question))
        self._answering[question.id] = task
        task.add_done_callback(lambda _: self._answering.pop(question.id))

    async def _tell(self, question: Question) -> None:
        try:
            async with aclosing(self._remote.ask(self._model, question)) as events:
                async for event in events:
                    self._send(event)
        except OllapyError as exc:
            if not isinstance(exc, RemoteError) or not await self._has_ended():
                self._fail(question.id, exc)
        except Exception:
            logger.exception("request failed")
            self._fail(question.id, OllapyError("the answer could not be read, see the daemon's log"))  # fmt: skip

    async def _has_ended(self) -> bool:
        """Whether a failure was the server's end, which may be seen a moment later and is told for all requests at once."""
        assert self._process
        assert self._serving
        if await self._process.ends_within(_MOMENT):
            await asyncio.wait({self._serving})
        return self._serving.done()

    def _fail(self, request_id: int, error: OllapyError) -> None:
        self._send(Failed(request_id, type(error).__name__, str(error)))


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as found:
        port: int = found.getsockname()[1]
    return port
