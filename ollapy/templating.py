"""Templating: chat templates are programs from anywhere, so a process of their own runs them.

It has little memory and little time for each request, and is killed by the kernel when it takes more: the
next request gets a new one. What it runs is `python -m ollapy.chat`, which this module does not import.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from ollapy.decoding import from_msgpack
from ollapy.errors import InvalidRequest, OllapyError

T = TypeVar("T")
SECONDS = 2.0  # of computing, for one request
MEMORY = 512 << 20  # bytes of address space
LENGTH = struct.Struct(">I")
_MAX_ANSWER = 256 << 20


class Source(msgspec.Struct, frozen=True):
    """A template's text, in Jinja's language or in Go's."""

    text: str
    is_go: bool = False


class Ask(msgspec.Struct, frozen=True):
    """Render a template with variables; without any, learn what it can do."""

    source: Source
    variables: dict[str, Any] | None = None


class Told(msgspec.Struct, frozen=True):
    """The text, or the encoded Traits, or in a sentence why there are none."""

    text: str = ""
    traits: bytes = b""
    error: str = ""


class Abilities(msgspec.Struct, frozen=True):
    """Of what is learned about a template, what can be asked of its model."""

    system: bool
    tools: bool
    thinking: bool
    infill: bool


class TemplateProcess:
    """Renders templates; starts its process when it is first needed. For several threads, one at a time.

    With `idle` the process ends after so many seconds without work, and its next use starts another. It
    ends with this object at the latest.
    """

    def __init__(self, *, idle: int = 0) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., TemplateProcess] | None = None

    @property
    def process_id(self) -> int | None:
        """Of the process, while there is one."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start the process ahead of its first use."""
        with self._lock:
            self._running()

    def render(self, source: Source, variables: dict[str, Any]) -> str:
        """The template's text; InvalidRequest where it raises, or takes more time or memory than it may."""
        return self._ask(Ask(source, variables)).text

    def learn(self, source: Source, kind: type[T]) -> T:
        """What the template can do, as `kind` reads it; InvalidRequest where it cannot be compiled."""
        return from_msgpack(self._ask(Ask(source)).traits, kind)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, ask: Ask) -> Told:
        body = msgspec.msgpack.encode(ask)
        frame = LENGTH.pack(len(body)) + body
        with self._lock:
            told = self._exchange(frame) or self._exchange(frame)
        assert told is not None  # a new process does not end from idleness
        if told.error:
            raise InvalidRequest(told.error)
        return told

    def _exchange(self, frame: bytes) -> Told | None:
        """The answer; None where the process had just ended from idleness."""
        process = self._running()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(frame)
            process.stdin.flush()
            (length,) = LENGTH.unpack(process.stdout.read(LENGTH.size))
            if length > _MAX_ANSWER:
                raise ValueError("the answer is too long")
            return from_msgpack(process.stdout.read(length), Told)
        except (OSError, struct.error, ValueError):
            status = self._end()
            return None if status == -signal.SIGALRM else Told(error=_reason(status))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = _start(self._idle)
            self._finalizer = weakref.finalize(self, _end, self._process)
            if self._idle:  # so that none is left over when it ends by itself
                threading.Thread(target=self._process.wait, daemon=True).start()
        return self._process

    def _end(self) -> int:
        """End the process, if there is one; its exit status."""
        process, self._process = self._process, None
        if process is None or self._finalizer is None:
            return 0
        self._finalizer()  # once, and no later
        return process.wait()


def _start(idle: int) -> subprocess.Popen[bytes]:
    # -E -P: nothing in the working folder or named by PYTHON… is imported
    command = (sys.executable, "-E", "-P", "-m", "ollapy.chat", str(idle))
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
        )
    except OSError as exc:
        raise OllapyError(
            f"no process can be started for chat templates ({exc.strerror}): end other programs, or raise their limit"
        ) from exc


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(BrokenPipeError), process:  # closes the pipes and waits
        pass


def _reason(status: int) -> str:
    if status == -signal.SIGPROF:
        return f"the chat template ran for more than {SECONDS:g} s"
    return "the chat template could not be rendered: it needed more memory than it may have, or broke its process"
