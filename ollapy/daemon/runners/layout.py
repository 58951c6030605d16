"""Layout: which of a model's layers are on which accelerator, and the bytes that this takes where. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ollapy.daemon.runners.footprint import Footprint
from ollapy.daemon.runners.space import Space

# Of a runner without its model, and of the process that fills in templates for it.
_PROCESS = 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """How many layers each accelerator has, in their order; the processor has those before them.

    The output matrix counts as the last layer. Of the first `num_cpu_moe` layers the experts stay with the
    processor wherever the rest is. What is on a `shared` device is in the machine's memory.
    """

    counts: Mapping[str, int]
    num_cpu_moe: int = 0
    shared: frozenset[str] = frozenset()

    @property
    def num_offloaded(self) -> int:
        """Layers on accelerators, the output matrix among them."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        return ",".join(f"{name}:{count}" for name, count in self.counts.items()) or "0"

    def takes(self, footprint: Footprint, num_cells: int, kv_type: str) -> Space:
        """The bytes, with those of the process and its buffers."""
        compute = footprint.compute(num_cells)
        host = footprint.inputs + footprint.vocabulary + _PROCESS + compute
        devices = {name: compute for name, count in self.counts.items() if count}
        if devices:
            devices[next(iter(devices))] += footprint.beside
        else:
            host += footprint.beside
        for index, device in enumerate(self._places(footprint)):
            own, aside = self._bytes(footprint, index, device, num_cells, kv_type)
            if device is None:
                host += own + aside
            else:
                devices[device] += own
                host += aside
        host += sum(size for name, size in devices.items() if name in self.shared)
        return Space(host, devices)

    def _places(self, footprint: Footprint) -> Iterator[str | None]:
        """Where each layer is, the output matrix last; None is the processor."""
        yield from (None,) * (footprint.num_layers - self.num_offloaded)
        for name, count in self.counts.items():
            yield from (name,) * count

    def _bytes(
        self,
        footprint: Footprint,
        index: int,
        device: str | None,
        num_cells: int,
        kv_type: str,
    ) -> tuple[int, int]:
        """Of one layer: where it is, and with the processor all the same."""
        if index == len(footprint.layers):
            return footprint.offloaded_output if device else footprint.output, 0
        layer = footprint.layers[index]
        aside = layer.experts if index < self.num_cpu_moe else 0
        return layer.weights - aside + layer.keeps(num_cells, kv_type), aside
