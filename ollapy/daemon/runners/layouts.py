"""Layouts: how a model can be spread over the accelerators there are, the fastest way first. Pure."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ollapy.daemon.runners.footprint import Footprint
from ollapy.daemon.runners.layout import Layout
from ollapy.daemon.runners.space import Space


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request or its model asks for; None leaves it to the memory there is.

    `num_layers` on accelerators, the output matrix among them; `main` is the accelerator to prefer; `shares`
    are parts of the layers, for the accelerators in their order.
    """

    num_layers: int | None = None
    num_cpu_moe: int | None = None
    main: str | None = None
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """Accelerators whose memory is the machine's, and those that are another machine's."""

    shared: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Layouts:
    """Of one model in the memory that is `free`, with a cache of so many cells."""

    footprint: Footprint
    free: Space
    machine: Machine
    wish: Wish
    num_cells: int
    kv_type: str

    def full(self) -> Layout | None:
        """All layers that are wanted there on accelerators; None where that does not fit."""
        return self._fitting(self._most, self._num_aside or 0)

    def best(self) -> Layout | None:
        """As much on accelerators as fits there and helps; None where it fits nowhere."""
        return self.full() or self._without_experts() or self._partial()

    def _without_experts(self) -> Layout | None:
        """The experts of as few layers as possible with the processor, where they idle most of the time."""
        if not self.footprint.has_experts or self._num_aside is not None:
            return None
        most = len(self.footprint.layers)
        return self._least(most, lambda moe: (self._most, moe))

    def _partial(self) -> Layout | None:
        """As few layers with the processor as possible."""
        moe = self._num_aside
        if moe is None:
            moe = len(self.footprint.layers) if self.footprint.has_experts else 0
        return self._least(self._most, lambda fewer: (self._most - fewer, moe))

    def _least(self, most: int, ask: Callable[[int], tuple[int, int]]) -> Layout | None:
        """With the least that accelerators have room for, as more of it would only fill the machine's memory."""
        ample = replace(self, free=replace(self.free, host=sys.maxsize))
        number = bisect_left(
            range(most), True, key=lambda n: ample._fitting(*ask(n)) is not None
        )
        return self._fitting(*ask(number))

    @property
    def _num_aside(self) -> int | None:
        """Layers whose experts are to stay with the processor, where that is asked for."""
        wanted = self.wish.num_cpu_moe
        return None if wanted is None else min(wanted, len(self.footprint.layers))

    @property
    def _most(self) -> int:
        """Layers that may be on accelerators."""
        wanted, num_layers = self.wish.num_layers, self.footprint.num_layers
        if not self.free.devices:
            return 0
        return num_layers if wanted is None else min(max(wanted, 0), num_layers)

    def _fitting(self, num_layers: int, num_cpu_moe: int) -> Layout | None:
        """The first way to have so many layers on accelerators that fits."""
        for counts in self._spreads(num_layers):
            layout = Layout(counts, num_cpu_moe, self.machine.shared)
            need = layout.takes(self.footprint, self.num_cells, self.kv_type)
            if self.free.holds(need):
                return layout
        return None

    def _spreads(self, num_layers: int) -> Iterator[dict[str, int]]:
        """On one device, which spares the way between them, or on several; on other machines last."""
        if not num_layers:
            yield {}
            return
        own = [n for n in self.free.devices if n not in self.machine.remote]
        if self.wish.shares:
            yield self._shared_out(num_layers, list(self.free.devices))
            return
        for names in filter(None, (own, list(self.free.devices))):
            yield from ({name: num_layers} for name in self._by_preference(names))
            yield self._shared_out(num_layers, names)

    def _by_preference(self, names: list[str]) -> list[str]:
        """The main device alone where there is one, or those with the most memory first."""
        if self.wish.main in names:
            return [self.wish.main]
        return sorted(names, key=self.free.of, reverse=True)

    def _shared_out(self, num_layers: int, names: list[str]) -> dict[str, int]:
        """Layers for each device: bytes in proportion to the shares, or to what is free on it."""
        shares = [*self.wish.shares, *[0.0] * len(names)][: len(names)]
        if not any(shares):
            shares = [max(self.free.of(name), 1) for name in names]
        limits = list(accumulate(shares))
        sizes = self._sizes(num_layers)
        whole = sum(sizes) or 1
        found: Counter[str] = Counter()
        for size, end in zip(sizes, accumulate(sizes), strict=True):
            middle = (end - size / 2) / whole * limits[-1]
            found[names[bisect_left(limits, middle)]] += 1
        return {name: found[name] for name in names if found[name]}

    def _sizes(self, num_layers: int) -> Sequence[int]:
        """Bytes of the last layers, the output matrix among them."""
        sizes = [
            layer.weights + layer.keeps(self.num_cells, self.kv_type)
            for layer in self.footprint.layers
        ]
        return [*sizes, self.footprint.offloaded_output][-num_layers:]
