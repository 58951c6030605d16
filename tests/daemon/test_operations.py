"""Operations that are left before they have ended."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from threading import Event
from typing import Any

from ollapy.api.ollama import Progress
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.operations import Operations
from ollapy.errors import Cancelled
from ollapy.operation import Operation


async def leave(operations: Operations, held: Event) -> None:
    """Ask for something that takes long, and go without waiting for its end."""

    def work(operation: Operation) -> object:
        operation.status("on it")
        held.wait(10)
        raise Cancelled("canceled")

    records = operations.records(work, "pull", "tiny")
    await anext(records)
    rest = asyncio.ensure_future(anext(records))
    for _ in range(2):  # out of the wait for a record, and of that for the end
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest.cancel()
    with suppress(asyncio.CancelledError):
        await rest


def test_those_that_nobody_waited_for_take_no_place_and_are_not_complained_of() -> None:
    complaints: list[dict[str, Any]] = []

    async def scenario() -> object:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context)
        )
        operations, held = Operations(Metrics()), Event()
        for _ in range(64):  # as many as there may be
            await leave(operations, held)
        held.set()
        await operations.close()
        gc.collect()
        fresh = operations.records(lambda _: Progress("success"), "pull", "tiny")
        with suppress(RuntimeError):  # of the threads, which are closed
            return await anext(fresh)

    asyncio.run(scenario())

    assert complaints == []
