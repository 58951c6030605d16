"""Devices: what models may run on, and what of it is not as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from ollapy.api.engine import Device
from ollapy.daemon.runners.accelerators import Accelerators, accelerators, is_shared
from ollapy.daemon.runners.devices import Devices
from ollapy.settings import Settings
from ollapy.text import clean
from ollapy.units import format_bytes

from .finding import Finding

_NODES = Path("/sys/devices/system/node")


def findings(devices: Sequence[Device], settings: Settings) -> Iterator[Finding]:
    """Of all devices that the library knows, and of the workers that the settings name."""
    there = asyncio.run(Devices(settings).judge(accelerators(devices)))
    yield from described(devices, there)
    yield from numa(len(list(_NODES.glob("node[0-9]*"))))


def described(devices: Sequence[Device], there: Accelerators) -> Iterator[Finding]:
    """A line for each device, and one for each warning."""
    names = {device.name for device in devices}
    others = [device for device in there.devices if device.name not in names]
    for device in (*devices, *others):
        yield Finding("device", clean(_described(device, there)))
    for warning in there.warnings:
        sentence, _, cure = warning.rpartition(": ")
        yield Finding("device", sentence, cure)


def _described(device: Device, there: Accelerators) -> str:
    text = f"{device.name}: {device.description}"
    if device.kind not in ("gpu", "igpu"):
        return text
    if device.total:
        memory = "of the machine's memory" if is_shared(device) else "free"
        text += f", {format_bytes(device.free)} {memory} of {format_bytes(device.total)}"  # fmt: skip
    return text if device.name in there.names else f"{text}, not used"


def numa(num_nodes: int) -> Iterator[Finding]:
    """Where memory is nearer to some cores than to others."""
    if num_nodes > 1:
        text = f"{num_nodes} nodes; 'numactl --interleave=all ollapy serve' has models use the memory of all alike"
        yield Finding("numa", text)
