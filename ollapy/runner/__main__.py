"""`python -m ollapy.runner`: a child process that serves one model over its inherited pipes.

It ends when its input does: no runner outlives its daemon. What llama.cpp prints goes to stderr, so
that a stray line cannot damage a frame.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
from typing import BinaryIO

from ollapy import logs
from ollapy.errors import OllapyError
from ollapy.lifeline import forbid_core_files, go_first

from .frames import FrameReader
from .protocol import Failed, ToRunner
from .writer import FrameWriter

logger = logging.getLogger(__name__)

# Grammars are compiled by recursion; some systems give a thread as little as 512 KB.
_STACK = 16 << 20


def main() -> None:
    """Set the process up and serve until the daemon closes the pipe."""
    _die_with_parent()
    forbid_core_files()
    go_first()
    frames_in, frames_out = _take_pipes()
    logs.configure()
    faulthandler.enable()  # where a signal of llama.cpp's found each thread, for the log
    # the engine thread waits this long for the GIL at worst
    sys.setswitchinterval(0.0005)
    threading.stack_size(_STACK)
    try:
        asyncio.run(_serve(frames_in, frames_out))
    except Exception:
        logger.exception("runner failed")
    # Native threads may be in the middle of a decode, and there is nothing left to save.
    os._exit(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The daemon's pipes, moved away from fds 0 and 1, where a library may read or print."""
    frames_in, frames_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return os.fdopen(frames_in, "rb", 0), os.fdopen(frames_out, "wb", 0)


def _die_with_parent() -> None:
    """Have the kernel kill this process with its parent, should the end of the pipe go unseen (Linux)."""
    if sys.platform == "linux":
        set_pdeathsig = 1
        ctypes.CDLL(None).prctl(set_pdeathsig, signal.SIGKILL)


async def _serve(frames_in: BinaryIO, frames_out: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, frames_out)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), frames_in
    )
    writer = FrameWriter(transport)
    try:
        from .service import Service  # loads llama.cpp
    except OllapyError as exc:
        writer.send(Failed(None, type(exc).__name__, str(exc)))
        writer.flush()
        return
    service = Service(writer.send)
    frames = FrameReader(ToRunner)
    while data := await reader.read(1 << 16):
        for message in frames.feed(data):
            service.receive(message)


if __name__ == "__main__":
    main()
