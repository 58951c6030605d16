"""Several answers at once, as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

R = TypeVar("R")


async def merged(
    answers: Sequence[AsyncGenerator[R, None]],
) -> AsyncGenerator[tuple[int, R], None]:
    """The records of all answers as they come, each with its answer's index; the first failure ends all."""
    if len(answers) == 1:  # which costs no tasks
        async with aclosing(answers[0]) as records:
            async for record in records:
                yield 0, record
        return
    waiting = {_next(answer): i for i, answer in enumerate(answers)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                index, found = waiting.pop(task), task.result()
                if found is not None:
                    waiting[_next(answers[index])] = index
                    yield index, found
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for answer in answers:
            await answer.aclose()


def _next(answer: AsyncGenerator[R, None]) -> asyncio.Future[R | None]:
    return asyncio.ensure_future(anext(answer, None))
