"""Placed: where a loaded model is, and what there would have been, as the journal keeps it. Pure."""

from __future__ import annotations

from collections import Counter

from ollapy.api.status import PlacementReport
from ollapy.api.vllm import VLLM
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.runner.protocol import Load, Ready, Serve


def placed(load: Load | Serve, ready: Ready, there: Accelerators) -> PlacementReport:
    """Of a model that was loaded so, on a machine with those accelerators."""
    if isinstance(load, Serve):
        return PlacementReport(ready.size, ready.size_vram, engine=VLLM)
    sizes: Counter[str] = Counter()
    for buffer in ready.buffers:
        sizes[buffer.device] += buffer.size
    return PlacementReport(
        size=ready.size,
        size_vram=ready.size_vram,
        devices=dict(sizes),
        accelerators=there.names,
        kv_type=load.kv_type,
        num_threads=load.num_threads,
    )
