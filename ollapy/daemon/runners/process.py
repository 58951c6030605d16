"""RunnerProcess: the daemon's handle on one runner child."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import ClassVar, Self, cast

import msgspec

from ollapy.daemon.runners.ending import ended, num_kills
from ollapy.daemon.runners.inbox import Event, Inbox
from ollapy.daemon.runners.progress import Progress, mapped
from ollapy.errors import (
    InvalidRequest,
    LoadFailed,
    OllapyError,
    RunnerStopped,
    revive,
)
from ollapy.runner.frames import FrameError, FrameReader, frame
from ollapy.runner.protocol import (
    Cancel,
    Chunk,
    Close,
    Closed,
    Failed,
    FromRunner,
    GetStats,
    Grow,
    Load,
    Loading,
    Question,
    Ready,
    Resize,
    Resized,
    Serve,
    Tune,
)

_MAX_LINE = 8192
_PATIENCE = 0.5  # seconds beside those that a child has to keep what it can
_SERVER = 3  # times as long has one that ends a server, whose workers leave shared memory behind where they are killed


class RunnerProcess(asyncio.SubprocessProtocol):
    """A child, its frames and its end. Everything on the daemon's loop.

    `ready` becomes the child's Ready, or the error of the load; `held` is what it holds now. `hear` is called with
    what it says of its KV pool. `exited` becomes the sentence that
    says how the process ended.
    """

    # nothing in the working folder or named by PYTHON… is imported
    _python = (sys.executable, "-E", "-P", "-m")
    command: ClassVar[tuple[str, ...]] = (*_python, "ollapy.runner")
    vllm_command: ClassVar[tuple[str, ...]] = (*_python, "ollapy.vllm")

    def __init__(self, label: str, load: Load | Serve) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Ready] = loop.create_future()
        self.exited: asyncio.Future[str] = loop.create_future()
        self.load = load
        self.held: Ready | None = None
        self.hear: Callable[[Grow | Resized], None] = lambda _: None
        self._resized = asyncio.Event()
        self._told = Loading(0.0)
        self._before = 0  # bytes of libraries that it had in memory when the load began
        self._ids = itertools.count(-1, -1)  # of what the daemon itself wants to know
        self._inboxes: dict[int, Inbox] = {}
        self._frames = FrameReader(FromRunner)
        self._log = logging.getLogger(f"ollapy.runner.{label}")
        self._line = b""
        self._stopping = ""
        self._num_kills = num_kills()
        self.end = RunnerStopped()  # what it is to a request, where nobody wanted it

    @classmethod
    async def start(
        cls, label: str, load: Load | Serve, env: Mapping[str, str]
    ) -> Self:
        """Start a child on a model; LoadFailed where the system allows no further process."""
        command = cls.command if isinstance(load, Load) else cls.vllm_command
        starting = asyncio.get_running_loop().subprocess_exec(
            lambda: cls(label, load), *command, env=dict(env)
        )
        try:
            _, runner = await starting
        except OSError as exc:
            raise LoadFailed(
                f"no process can be started for the model ({exc.strerror}): end other programs, or raise their limit"
            ) from exc
        runner._write(frame(load))
        return runner

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._pid

    @property
    def progress(self) -> Progress:
        """How far the load is."""
        files = self.load.paths if isinstance(self.load, Load) else ()
        read = mapped(self._pid) - self._before if self._before else 0
        return Progress.of(max(read, 0), files, self._told)

    async def ask(
        self, request: Question | GetStats | Tune
    ) -> AsyncGenerator[Event, None]:
        """What the runner answers, up to and with the last event; leaving early cancels the request."""
        if not request.id:
            request = msgspec.structs.replace(request, id=next(self._ids))
        data = _framed(request)
        inbox = self._inboxes[request.id] = Inbox()
        if self.exited.done():
            self._fail_all()
        else:
            self._write(data)
        is_last = False
        try:
            while not is_last:
                event = await inbox.get()
                is_last = not isinstance(event, Chunk)
                if isinstance(event, Failed):
                    raise revive(event.error, event.message)
                yield event
        finally:
            del self._inboxes[request.id]
            if not is_last:
                self._write(frame(Cancel(request.id)))

    async def resize(self, num_cells: int) -> None:
        """Have its KV pool be of about that size, and wait until it has answered or ended."""
        if self.exited.done():
            return
        self._resized.clear()
        self._write(frame(Resize(num_cells)))
        await self._resized.wait()

    async def stop(self, why: str, seconds: float = 0.0) -> None:
        """Have the child end, and wait until it has; requests it still owes an answer end with `why`.

        It has so many seconds to keep what it has computed.
        """
        self._stopping = why
        if not isinstance(self.load, Load):
            seconds = _SERVER * max(seconds, 1.0)
        if seconds and self._ends_itself:
            self._fail_requests(why)
            self._write(frame(Close(seconds)))
            await asyncio.wait({self.exited}, timeout=seconds + _PATIENCE)
        if not self.exited.done():
            self._transport.kill()
        await asyncio.shield(self.exited)

    @property
    def _ends_itself(self) -> bool:
        """Whether there may be something to keep, or a server to end."""
        if self.exited.done() or not isinstance(self.load, Load):
            return not self.exited.done()
        is_ready = self.ready.done() and not self.ready.exception()
        return is_ready and self.load.kv_cache is not None

    def _write(self, data: bytes) -> None:
        # cast, and no isinstance: uvicorn takes uvloop where it finds it, and its transports are no asyncio classes
        transport = self._transport.get_pipe_transport(0)
        pipe = cast(asyncio.WriteTransport | None, transport)
        if pipe and not pipe.is_closing():
            pipe.write(data)

    # asyncio.SubprocessProtocol:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._pid: int = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._relay(data)
            return
        try:
            for message in self._frames.feed(data):
                self._receive(message)
        except FrameError as exc:
            self._log.error("runner sent garbage: %s", exc)
            self._stopping = (
                "the model runner does not speak this daemon's language: if ollapy was updated, "
                "restart the daemon with `ollapy serve --stop`"
            )
            self._transport.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        """The child has ended and the last of its output has been read."""
        self._relay(b"\n")
        self._transport.close()
        if not self._stopping:
            status = self._transport.get_returncode() or 0
            self.end = ended(status, self._num_kills)
        sentence = self._stopping or str(self.end)
        self._log.log(
            logging.DEBUG if self._stopping else logging.ERROR,
            "%s pid=%d",
            sentence,
            self._pid,
        )
        self.exited.set_result(sentence)
        self._resized.set()
        self._fail_all()

    def _receive(self, message: FromRunner) -> None:
        match message:
            case Loading():
                self._told = message
                self._before = self._before or mapped(self._pid)
            case Ready():
                self.held = message
                if not self.ready.done():
                    self.ready.set_result(message)
            case Grow():
                self.hear(message)
            case Resized():
                if self.held:
                    buffers = message.buffers
                    self.held = msgspec.structs.replace(self.held, buffers=buffers)
                self.hear(message)
                self._resized.set()
            case Closed():
                self._log.info("kept %d branches pid=%d", message.num_kept, self._pid)
                self._transport.kill()
            case Failed(id=None):  # without its engine it can answer nobody
                self._log.error("%s", message.message)
                self._fail_ready(revive(message.error, message.message))
                self._stopping = self._stopping or message.message
                self._transport.kill()
            case _:
                if inbox := self._inboxes.get(message.id or 0):
                    inbox.put(message)

    def _fail_ready(self, error: OllapyError) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # whoever waits gets it; nobody may be waiting

    def _fail_all(self) -> None:
        why = self.exited.result()
        self._fail_ready(type(self.end)(why))
        self._fail_requests(why)

    def _fail_requests(self, why: str) -> None:
        for request_id, inbox in self._inboxes.items():
            inbox.put(Failed(request_id, type(self.end).__name__, why))

    def _relay(self, data: bytes) -> None:
        """The child's log, a line a record; a line without end is cut."""
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[:_MAX_LINE]
        for line in filter(None, lines):
            self._log.info("%s", line.decode("utf-8", "replace"))


def _framed(request: Question | GetStats | Tune) -> bytes:
    try:
        return frame(request)
    except (OverflowError, RecursionError) as exc:
        # JSON knows no largest number, msgpack does
        raise InvalidRequest(
            "the request holds a number that is too large, or is nested too deeply"
        ) from exc
