"""VllmProcess: one `vllm serve`, its log and its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Self

from ollapy.lifeline import die_with_parent

from .activity import Activity
from .last_words import LastWords

_LINE_END = re.compile(rb"[\r\n]+")  # bars of progress go back to the line's beginning
_MAX_LINE = 8192


class VllmProcess:
    """A process group of its own: vLLM's workers end with it, and Ctrl-C at the daemon's terminal does not reach it.

    `heard` is called with each line of its log.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, heard: Callable[[str], None]
    ) -> None:
        self._process = process
        self._heard = heard
        self._words = LastWords()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, command: Sequence[str], heard: Callable[[str], None]) -> Self:
        """Start it; OSError where there is no such program."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=partial(
                die_with_parent, signal.SIGTERM
            ),  # no thread yet runs here
        )
        return cls(process, heard)

    @property
    def activity(self) -> Activity:
        """What it does, from now on."""
        return Activity(self._process.pid)

    async def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return self._process.returncode is not None

    async def wait(self) -> str:
        """Wait until it has ended; how, in a sentence with its own last words."""
        code = await self._process.wait()
        with suppress(TimeoutError):  # a worker may hold the pipe open
            async with asyncio.timeout(1):
                await asyncio.shield(self._reading)
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        reason = self._words.reason
        return f"vLLM has ended ({how}){f': {reason}' if reason else ''}; all it said is in ollapy's log"

    async def end(self, seconds: float) -> None:
        """Have it end, by itself within so many seconds, and with it whatever it has started."""
        self._signal(signal.SIGTERM)
        await self.ends_within(seconds)
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read(self) -> None:
        """Its log goes on to the daemon's, a line a record; a line without end is cut."""
        assert self._process.stdout
        rest = b""
        while data := await self._process.stdout.read(1 << 16):
            *lines, rest = _LINE_END.split(rest + data)
            for line in lines:
                self._hear(line)
            rest = rest[:_MAX_LINE]
        self._hear(rest)

    def _hear(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if text:
            print(text, file=sys.stderr, flush=True)
            self._words.add(text)
            self._heard(text)
