"""Space: bytes on the machine and on each of its accelerators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the machine's memory, and of each accelerator's by its name; one that is not named has none.

    What an accelerator shares with the machine counts as both.
    """

    host: int
    devices: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Self) -> Space:
        names = {**self.devices, **other.devices}
        devices = {n: self.of(n) + other.of(n) for n in names}
        return Space(self.host + other.host, devices)

    def __sub__(self, other: Self) -> Space:
        devices = {n: size - other.of(n) for n, size in self.devices.items()}
        return Space(self.host - other.host, devices)

    def __floordiv__(self, parts: int) -> Space:
        devices = {n: size // parts for n, size in self.devices.items()}
        return Space(self.host // parts, devices)

    def of(self, device: str) -> int:
        """Bytes of one accelerator's."""
        return self.devices.get(device, 0)

    def holds(self, need: Self) -> bool:
        """Whether that much is there, everywhere."""
        return need.host <= self.host and all(
            size <= self.of(name) for name, size in need.devices.items()
        )

    @property
    def total(self) -> int:
        """All bytes, what is shared counted twice."""
        return self.host + sum(self.devices.values())


def total(spaces: Iterable[Space]) -> Space:
    """The sum; nothing of nothing."""
    return sum(spaces, Space(0))
