"""What waits for its reader: chunks become one, in the order of the answer, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from ollapy.api.ollama import FunctionCall, ToolCall
from ollapy.api.report import ContextReport
from ollapy.daemon.runners.inbox import Event, Inbox
from ollapy.runner.protocol import Chunk, Failed, Text

CALL = ToolCall(FunctionCall("f", {}, 0), "call_1")
REPORT = ContextReport(8, 0)


def read(*events: Event | Failed) -> list[Event | Failed]:
    """What a reader gets who comes when all of it is there."""

    async def reading() -> list[Event | Failed]:
        inbox = Inbox()
        for event in events:
            inbox.put(event)
        inbox.put(Failed(1, "", "end"))
        found = []
        while not isinstance(event := await inbox.get(), Failed):
            found.append(event)
        return found

    return asyncio.run(reading())


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([Chunk(1, "a", context=REPORT), Chunk(1, "b"), Chunk(1, "c")], [Chunk(1, "abc", context=REPORT)]),
        ([Chunk(1, thinking="a"), Chunk(1, "b", "c")], [Chunk(1, "b", "ac")]),
        ([Chunk(1, "a"), Chunk(1, thinking="b")], [Chunk(1, "a"), Chunk(1, thinking="b")]),
        ([Chunk(1, "a"), Chunk(1, tool_calls=[CALL]), Chunk(1, "b")], [Chunk(1, "a", tool_calls=[CALL]), Chunk(1, "b")]),
        ([Chunk(1, "a" * 5000), Chunk(1, "b")], [Chunk(1, "a" * 5000), Chunk(1, "b")]),
        ([Chunk(1, "a"), Text(1, "t", []), Chunk(1, "b")], [Chunk(1, "a"), Text(1, "t", []), Chunk(1, "b")]),
    ],
)  # fmt: skip
def test_chunks_that_wait_together(events: list[Event], found: list[Event]) -> None:
    assert read(*events) == found


def test_a_reader_that_waits_gets_each_as_it_comes() -> None:
    async def reading() -> list[Event | Failed]:
        inbox, found = Inbox(), []
        for word in "ab":
            waiting = asyncio.create_task(inbox.get())
            await asyncio.sleep(0)
            inbox.put(Chunk(1, word))
            found.append(await waiting)
        return found

    assert asyncio.run(reading()) == [Chunk(1, "a"), Chunk(1, "b")]
