from __future__ import annotations

import struct

import pytest

from ollapy.api.engine import Place
from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.api.options import SamplingParams
from ollapy.api.report import ContextReport
from ollapy.runner.frames import MAX_FRAME, FrameError, FrameReader, frame
from ollapy.runner.protocol import (
    Cancel,
    Chat,
    Chunk,
    Done,
    Failed,
    FromRunner,
    Load,
    ToRunner,
    Usage,
)

REQUESTS = [
    Load(["/models/x"], 4096, 2048, 32, 512, 2, Place(["CUDA0"], [3.0], 3)),
    Chat(
        id=1,
        messages=[
            Message("user", "hi 🦙"),
            Message(
                "assistant", tool_calls=[ToolCall(FunctionCall("f", {"a": [1, None]}))]
            ),
        ],
        tools=[{"type": "function", "function": {"name": "f"}}],
        think="high",
        sampling=SamplingParams(stop=("a", "b")),
        num_ctx=None,
        truncate=True,
    ),
    Cancel(1),
]
ANSWERS = [
    Chunk(1, "text", thinking="hm"),
    Done(1, "stop", Usage(3, 4, 0.1, 0.2, 0.3, 0), ContextReport(100, 3), [1, 2, 3]),
    Failed(None, "LoadFailed", "no"),
]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_survive_the_pipe_however_it_cuts_them(size: int) -> None:
    for kind, messages in ((ToRunner, REQUESTS), (FromRunner, ANSWERS)):
        data = b"".join(map(frame, messages))
        reader = FrameReader(kind)
        pieces = [data[at : at + size] for at in range(0, len(data), size)]

        assert [m for piece in pieces for m in reader.feed(piece)] == messages


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(struct.pack(">I", MAX_FRAME + 1), id="too-long"),
        pytest.param(struct.pack(">I", 3) + b"\xc1\xc1\xc1", id="no-msgpack"),
        pytest.param(struct.pack(">I", 1) + b"\x01", id="no-message"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="something-else"),
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        list(FrameReader(FromRunner).feed(data))
