"""Operations: what takes long and is no inference, in threads of their own, told as a stream of records."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import Progress
from ollapy.api.snapshot import OperationState
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.ongoing import Ongoing
from ollapy.daemon.state import state
from ollapy.errors import Busy
from ollapy.names import ModelName
from ollapy.operation import Operation

T = TypeVar("T")

# Given an operation to report to, does it, and returns the last record.
Work = Callable[[Operation], object]

_MAX_OPERATIONS = 64


class Operations:
    """Those under way in this daemon. One that its client leaves is cancelled."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # not asyncio's own threads, which the short looks into the store need
        self._threads = ThreadPoolExecutor(_MAX_OPERATIONS, "operation")
        self._running: dict[Operation, Ongoing] = {}

    @property
    def under_way(self) -> list[OperationState]:
        """How far each is, the oldest first."""
        return [ongoing.state for ongoing in self._running.values()]

    async def records(
        self, work: Work, kind: str, model: str
    ) -> AsyncGenerator[object, None]:
        """What the work reports while it is done, and last what it returns."""
        arrivals = Arrivals()
        mailbox = _Mailbox(asyncio.get_running_loop())
        operation = Operation(mailbox.put)
        ongoing = Ongoing(kind, model)
        doing = self._start(work, operation, ongoing)
        # not below: who leaves may be in too much of a hurry to wait for the end
        doing.add_done_callback(lambda _: self._ended(doing, operation, mailbox))
        try:
            async for record in mailbox:
                self._metrics.downloaded(arrivals.add(record))
                ongoing.see(record)
                yield record
            yield await doing
        finally:
            operation.cancel()
            await asyncio.wait({doing})

    def _ended(
        self, doing: asyncio.Future[object], operation: Operation, mailbox: _Mailbox
    ) -> None:
        del self._running[operation]
        mailbox.close()
        if not doing.cancelled():
            doing.exception()  # or asyncio complains that nobody looked

    async def run(self, work: Callable[[], T]) -> T:
        """What some work returns that nobody is told of meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Cancel all and wait until they have ended."""
        for operation in self._running:
            operation.cancel()
        await asyncio.to_thread(self._threads.shutdown)

    def _start(
        self, work: Work, operation: Operation, ongoing: Ongoing
    ) -> asyncio.Future[object]:
        if len(self._running) >= _MAX_OPERATIONS:
            raise Busy("too many models are being pulled or made, try again later")
        self._running[operation] = ongoing
        return asyncio.get_running_loop().run_in_executor(
            self._threads, work, operation
        )


async def answer(
    request: Request, work: Work, model: object, *, stream: bool
) -> Response:
    """A stream of what the work for a model reports, or with `stream` off its last record alone.

    What fails before anything was reported has a status of its own.
    """
    kind = request.url.path.rpartition("/")[2]
    records = state(request).operations.records(work, kind, str(model))
    if not stream:
        return responses.json(await unless_gone(request, _last(records)))
    first = await unless_gone(request, anext(records))
    return responses.Records(first, records)


def replacing(request: Request, name: ModelName, work: Work) -> Work:
    """The work, and then what the name meant before it leaves memory when nobody uses it any more."""
    loop, app = asyncio.get_running_loop(), state(request)

    def whole(operation: Operation) -> object:
        before = app.store.entry(name)
        last = work(operation)
        after = app.store.entry(name)
        if before and after and before.digest != after.digest:
            loop.call_soon_threadsafe(app.pool.forget, name)
        return last

    return whole


async def _last(records: AsyncGenerator[object, None]) -> object:
    async with aclosing(records):
        return [record async for record in records][-1]


class Arrivals:
    """Bytes that came over the network, as one operation reports them, from its first report of each blob on."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def add(self, record: Progress) -> int:
        """How much more is here than before."""
        if not record.status.startswith("pulling ") or not record.digest:
            return 0
        before = self._before.get(record.digest, record.completed)
        self._before[record.digest] = record.completed
        return max(0, record.completed - before)


class _Mailbox:
    """Records on their way from working threads to the client.

    A client that reads slowly gets the newest count of each blob, so what waits stays short.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Progress] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    def put(self, record: Progress) -> None:
        """Add a record, from any thread."""
        self._loop.call_soon_threadsafe(self._add, record)

    def close(self) -> None:
        """No more will come. On the loop, where it comes after all that was put."""
        self._is_closed = True
        self._changed.set()

    def _add(self, record: Progress) -> None:
        last = self._waiting[-1] if self._waiting else None
        if (
            last
            and record.digest
            and (last.status, last.digest)
            == (
                record.status,
                record.digest,
            )
        ):
            self._waiting.pop()
        self._waiting.append(record)
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Progress]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()
