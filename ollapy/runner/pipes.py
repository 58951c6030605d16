"""Pipes: how a runner, whatever its engine, talks to the daemon: frames over what it inherited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import BinaryIO

from ollapy.errors import OllapyError

from .frames import FrameReader
from .protocol import Failed, FromRunner, ToRunner
from .writer import FrameWriter

Send = Callable[[FromRunner], None]
Receive = Callable[[ToRunner], None]


class Pipes:
    """The daemon's two, moved away from fds 0 and 1, where a library may read or print: what it prints is log."""

    def __init__(self) -> None:
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb", 0)
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb", 0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)

    async def serve(self, begin: Callable[[Send], Receive]) -> None:
        """Hand every message on until the daemon closes its end. `begin` is given what sends; an OllapyError of it is told."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._out)
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._in
        )
        writer = FrameWriter(transport)
        try:
            receive = begin(writer.send)
        except OllapyError as exc:
            writer.send(Failed(None, type(exc).__name__, str(exc)))
            writer.flush()
            return
        frames = FrameReader(ToRunner)
        while data := await reader.read(1 << 16):
            for message in frames.feed(data):
                receive(message)
