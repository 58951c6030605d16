"""PoolSize: how many cells a model's KV pool gets, to begin with and at most. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from ollapy.daemon.runners.footprint import CELLS, MAX_BATCH, Footprint, padded
from ollapy.daemon.runners.layout import Layout
from ollapy.daemon.runners.space import Space

MIN_CONTEXT = 2048
_CONTEXTS = 8  # full ones that the pool may hold at most
_SHARE = 4  # the pool takes at most this part of what is free beside the weights


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Of one model. `context_length` 0 leaves the context to the model; a pool that `is_least` has no more than one needs.

    A model that embeds has one text after another in its cells, beside a batch of others, and these do not grow.
    """

    footprint: Footprint
    context_length: int
    is_least: bool

    @property
    def wanted(self) -> int:
        """The context that a request gets where there is enough memory."""
        wanted = self.context_length
        return min(wanted, self._trained) if wanted else self._trained

    def least(self, context: int) -> int:
        """Cells without which such a context, or the one that is wanted, cannot be had."""
        return min(self.wanted, context) + self._beside

    def context(self, cells: int) -> int:
        """That of a request that names none, in so many cells."""
        return min(self.wanted, cells - self._beside)

    def ample(self, layout: Layout, kv_type: str, free: Space, least: int) -> int:
        """A share of what is free beside the weights, and no more than the contexts that run at once."""

        def takes(steps: int) -> Space:
            return layout.takes(self.footprint, steps * CELLS, kv_type)

        fixed = takes(0)
        share = fixed + (free - fixed) // _SHARE
        most = least if self.is_least else self.wanted * self._contexts + self._beside
        steps = range(1, most // CELLS + 1)
        affordable = bisect_right(steps, False, key=lambda n: not share.holds(takes(n)))
        return min(most, max(least, affordable * CELLS))

    def first(self, ample: int, least: int) -> int:
        """Cells to begin with, of those that there is memory for: a part, as the pool can grow."""
        if self._is_fixed:
            return ample
        part = max(least, ample // _CONTEXTS, self._window)
        return min(ample, padded(part))

    def most(self, ample: int, first: int) -> int:
        """Cells that the pool may grow to, if there is memory for them one day.

        Layers of a window keep theirs by what there is memory for now.
        """
        if self.is_least or self._is_fixed:
            return first
        return ample if self._window else max(ample, self._trained * _CONTEXTS)

    @property
    def _trained(self) -> int:
        return self.footprint.header.context_length or MIN_CONTEXT

    @property
    def _window(self) -> int:
        """The most that a layer keeps of what it has seen; 0 where each keeps all."""
        return max((layer.window for layer in self.footprint.layers), default=0)

    @property
    def _is_fixed(self) -> bool:
        return self.footprint.header.is_embedding

    @property
    def _contexts(self) -> int:
        return 1 if self._is_fixed else _CONTEXTS

    @property
    def _beside(self) -> int:
        return MAX_BATCH if self._is_fixed else 0
