"""What goes over the pipe together, on a real pipe and a real event loop."""

from __future__ import annotations

import asyncio
import os

from ollapy.runner.frames import FrameReader
from ollapy.runner.protocol import Chunk, FromRunner
from ollapy.runner.writer import FrameWriter


async def arrived(turns: list[list[Chunk]]) -> list[list[FromRunner]]:
    """The messages that arrive at once, when each list is sent in one turn of the loop."""
    read, write = os.pipe()
    loop, stream = asyncio.get_running_loop(), asyncio.StreamReader()
    sending, _ = await loop.connect_write_pipe(
        asyncio.BaseProtocol, os.fdopen(write, "wb", 0)
    )
    receiving, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb", 0)
    )
    writer, frames, found = FrameWriter(sending), FrameReader(FromRunner), []
    for turn in turns:
        for chunk in turn:
            writer.send(chunk)
        found.append(list(frames.feed(await stream.read(1 << 16))))
    sending.close()
    receiving.close()
    return found


def test_frames_of_one_turn_arrive_together_and_none_is_lost_or_reordered() -> None:
    turns = [[Chunk(i, str(n)) for i in range(16)] for n in range(20)]

    assert asyncio.run(arrived(turns)) == turns
