"""Service: the requests of a daemon to one vLLM, and what comes of them back. On the runner's event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from ollapy.errors import OllapyError, RemoteError, Unsupported
from ollapy.runner.protocol import (
    Cancel,
    Close,
    Failed,
    FromRunner,
    GetStats,
    Load,
    Question,
    Resize,
    Serve,
    Stats,
    ToRunner,
    Tune,
)

from .server import GRACE, Server

logger = logging.getLogger(__name__)


class Service:
    """Serves one model over frames. `send` writes one frame to the daemon, `leave` ends this process."""

    def __init__(
        self, send: Callable[[FromRunner], None], leave: Callable[[], None]
    ) -> None:
        self._send = send
        self._leave = leave
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._max_sequences = 0
        self._server: Server | None = None
        self._running: asyncio.Task[None] | None = None

    def receive(self, message: ToRunner) -> None:
        """Act on one message of the daemon."""
        match message:
            case Serve():
                self._begin(message)
            case Cancel():
                if task := self._answering.get(message.id):
                    task.cancel()
            case Close():
                self._closing = asyncio.create_task(self._leave_within(message.seconds))
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

    async def close(self, seconds: float) -> None:
        """Have the server end, and wait until it has."""
        if self._running:
            self._running.cancel()  # its end is meant now
        if self._server:
            await self._server.end(seconds)

    async def _leave_within(self, seconds: float) -> None:
        await self.close(seconds)
        self._leave()

    def _begin(self, asked: Serve) -> None:
        self._max_sequences = asked.max_sequences
        self._server = Server(asked, self._send)
        self._running = asyncio.create_task(self._run(self._server))

    async def _run(self, server: Server) -> None:
        """Until the server has ended by itself, of which the daemon is told: this process is of no further use."""
        try:
            await server.run()
        except OllapyError as exc:
            self._send(Failed(None, type(exc).__name__, str(exc)))
        except Exception:
            logger.exception("vLLM's runner failed")
            await server.end(GRACE)
            self._leave()

    @property
    def _counters(self) -> dict[str, float | list[int]]:
        waiting = max(0, len(self._answering) - self._max_sequences)
        return {"running": len(self._answering) - waiting, "waiting": waiting}

    def _answer(self, question: Question) -> None:
        assert self._server
        task = asyncio.create_task(self._tell(question, self._server))
        self._answering[question.id] = task
        task.add_done_callback(lambda _: self._answering.pop(question.id))

    async def _tell(self, question: Question, server: Server) -> None:
        try:
            async with aclosing(server.ask(question)) as events:
                async for event in events:
                    self._send(event)
        except OllapyError as exc:
            if not isinstance(exc, RemoteError) or not await server.has_ended():
                self._fail(question.id, exc)
        except Exception:
            logger.exception("request failed")
            error = OllapyError("the answer could not be read, see the daemon's log")
            self._fail(question.id, error)

    def _fail(self, request_id: int, error: OllapyError) -> None:
        self._send(Failed(request_id, type(error).__name__, str(error)))
