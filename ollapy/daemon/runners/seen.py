"""Seen: the accelerators that this machine had lately, so that one that is gone is missed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ollapy.api.engine import Device
from ollapy.text import clean
from ollapy.units import format_time

FILE = "devices.json"
_MAX_AGE = 7 * 86400.0  # seconds; whoever took one out on purpose hears of it so long
_MAX_SIGHTS = 64


class Sight(msgspec.Struct, frozen=True):
    """An accelerator, and when it was there: Unix time."""

    name: str
    description: str
    id: str
    at: float

    def is_of(self, device: Device) -> bool:
        """Whether it is that one, which may have another name by now."""
        if self.id and device.id:
            return self.id == device.id
        return self.description == device.description

    @property
    def warning(self) -> str:
        """What to tell when it is gone."""
        return clean(
            f"the GPU {self.name} ({self.description}), last seen on {format_time(self.at)[:10]}, is gone, and models "
            "run without it: look at its driver, at CUDA_VISIBLE_DEVICES, and at how llama-cpp-python was built"
        )


def gone(sights: Iterable[Sight], devices: Iterable[Device], now: float) -> list[Sight]:
    """What was seen lately and is not among the devices."""
    there = list(devices)
    return [
        sight
        for sight in sights
        if 0 <= now - sight.at < _MAX_AGE and not any(sight.is_of(d) for d in there)
    ]


def kept(missed: Iterable[Sight], devices: Iterable[Device], now: float) -> list[Sight]:
    """What to remember: those that are there, and those that are missed."""
    there = [Sight(d.name, d.description, d.id, now) for d in devices]
    return [*there, *missed][:_MAX_SIGHTS]
