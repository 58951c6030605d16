"""Elastic: KV pools that grow and shrink while their models are loaded. On the daemon's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from ollapy.daemon.runners import growth
from ollapy.daemon.runners.room import Resident, leaving
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.space import Space
from ollapy.runner.protocol import Grow, Load, Resized
from ollapy.store import Stored

logger = logging.getLogger(__name__)

# Seconds that a wish may wait for others who decide about memory, as its model may have stopped meanwhile.
_PATIENCE = 2.0
# Seconds that a change may take: a step that is under way, and a copy of what the pool holds.
_CHANGE_SECONDS = 30.0


class Elastic:
    """Grants and takes back. `deciding` is held by whoever decides about memory.

    `look` says what is free beside all that are loaded, and who they are; `evict` has an idle one go for a model.
    """

    def __init__(
        self,
        deciding: asyncio.Lock,
        look: Callable[[], Awaitable[tuple[Space, list[Runner]]]],
        evict: Callable[[Resident, Stored], None],
    ) -> None:
        self._deciding = deciding
        self._look = look
        self._evict = evict
        self._answering: set[asyncio.Task[None]] = set()

    def hear(self, runner: Runner, message: Grow | Resized) -> None:
        """What a runner says of its pool; each wish gets an answer."""
        assert runner.placed
        assert runner.placing
        if isinstance(message, Resized):
            footprint = runner.placing.footprint
            runner.placed = growth.resized(runner.placed, footprint, message.num_cells)
            return
        task = asyncio.create_task(self._answer(runner, message))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def reclaim(self, runners: Iterable[Runner]) -> bool:
        """Have pools become as small as they began, or as those who run in them allow; whether any did."""
        gave = [await self._shrink(runner) for runner in runners if runner.has_grown]
        return any(gave)

    async def _shrink(self, runner: Runner) -> bool:
        assert runner.placed
        assert runner.process
        assert isinstance(runner.process.load, Load)
        before = runner.placed.num_cells
        await self._resize(runner, runner.process.load.num_cells)
        return runner.placed.num_cells < before

    async def _answer(self, runner: Runner, wish: Grow) -> None:
        size = 0
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._deciding.acquire()
        except TimeoutError:  # a load waits, perhaps for this model's answers to end
            await self._resize(runner, size)
            return
        try:
            size = await self._granted(runner, wish)
            if size < max(wish.least, 1):
                logger.warning(
                    "model=%s no memory for a larger KV pool cells=%d needed=%d",
                    runner.model.name,
                    size,
                    wish.least,
                )
        finally:
            await self._resize(runner, size)
            self._deciding.release()

    async def _granted(self, runner: Runner, wish: Grow) -> int:
        """Cells for a runner. For what somebody cannot go on without others give back what they can, then idle ones go."""
        assert runner.placed
        assert runner.placing
        grant = partial(growth.granted, runner.placed, runner.placing.footprint, wish)
        free, everybody = await self._look()
        others = [other for other in everybody if other is not runner]
        if grant(free) < wish.least and await self.reclaim(others):
            free, _ = await self._look()
        if grant(free) < wish.least:
            residents = [other.resident for other in others]
            going = leaving(
                lambda space: grant(space) >= wish.least, free, residents, max_loaded=0
            )
            for resident in going or ():
                self._evict(resident, runner.model)
            free, _ = await self._look() if going else (free, others)
        return grant(free)

    async def _resize(self, runner: Runner, num_cells: int) -> None:
        """Have a pool be of that size, 0 of the size it has, and wait until it is."""
        process, placed = runner.process, runner.placed
        if process is None or placed is None:
            return
        try:
            async with asyncio.timeout(_CHANGE_SECONDS):
                await process.resize(num_cells or placed.num_cells)
        except TimeoutError:
            logger.warning("model=%s its KV pool does not change", runner.model.name)
