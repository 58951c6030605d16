"""Elastic: the act of giving the pool of a running engine another size."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from ollapy.errors import LoadFailed
from ollapy.llama.context import Context

from .decoder import Decoder
from .pool import Pool, Wish
from .scheduler import Scheduler
from .stats import Counters

logger = logging.getLogger(__name__)


class Elastic:
    """One context's pool, between steps. A change costs a copy of all cells in use."""

    def __init__(
        self, context: Context, decoder: Decoder, counters: Counters, max_cells: int
    ) -> None:
        self._context = context
        self._decoder = decoder
        self._counters = counters
        self._pool = Pool(context.num_cells, max_cells)

    @property
    def is_asking(self) -> bool:
        """Whether somebody was asked for a larger pool, and has not answered."""
        return self._pool.is_asking

    def wish(self, scheduler: Scheduler, now: float, beside: int) -> Wish | None:
        """What to ask for, if anything, for so many cells beside what the scheduler wants; `resize` is the answer."""
        demand = scheduler.demand
        demand = replace(demand, wanted=demand.wanted + beside)
        return self._pool.wish(demand, self._context.num_cells, now)

    def resize(self, scheduler: Scheduler, num_cells: int) -> None:
        """Obey: a larger pool, one as small as it can be without sending anybody back, or the one there is."""
        if num_cells < self._context.num_cells:
            self._shrink(scheduler, num_cells)
        elif num_cells > self._context.num_cells:
            self._change(scheduler, num_cells)
        self._pool.answered(self._context.num_cells, time.monotonic())

    def rest(self, scheduler: Scheduler) -> None:
        """Give back what is of no use to what the pool holds."""
        if not self.is_asking:
            self._shrink(scheduler, scheduler.demand.wanted)

    def _shrink(self, scheduler: Scheduler, num_cells: int) -> None:
        needed = max(num_cells, scheduler.num_held)
        size = max(self._pool.size_for(needed), self._context.min_cells)
        if size < self._context.num_cells:
            self._change(scheduler, size)

    def _change(self, scheduler: Scheduler, num_cells: int) -> None:
        """Forget what would not fit, and carry the rest over; where there is no memory for that nothing changes."""
        before, started = self._context.num_cells, time.perf_counter()
        scheduler.resize(num_cells)
        self._decoder.act(scheduler.take_actions())
        try:
            self._context.resize(num_cells)
        except LoadFailed as exc:
            logger.warning("the KV pool stays at %d cells: %s", before, exc)
        scheduler.resize(self._context.num_cells)
        seconds = time.perf_counter() - started
        self._counters.resizes += self._context.num_cells != before
        self._counters.resize_seconds += seconds
        logger.info(
            "KV pool cells=%d before=%d ms=%.0f",
            self._context.num_cells,
            before,
            1000 * seconds,
        )
