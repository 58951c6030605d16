"""Work that nobody waits for any more is stopped, streamed or not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from ollapy.errors import OllapyError

T = TypeVar("T")


class ClientGone(OllapyError):
    """The client left before its answer; the status is for the log alone."""

    status = 499


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, cancelled when the client leaves. The request's body has been read."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("request canceled")
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.wait({working, watching})


async def abandon(work: asyncio.Future[Any]) -> None:
    """Have work end that nobody waits for any more, whatever it comes to."""
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
