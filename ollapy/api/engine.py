"""What the inference library of this machine is, as `python -m ollapy.llama` says."""

from __future__ import annotations

import msgspec


class Device(msgspec.Struct, frozen=True):
    """What computes: `kind` is cpu, gpu, igpu or accel. Bytes; a device that shares the machine's memory may say 0."""

    name: str
    description: str
    kind: str
    free: int
    total: int


class EngineReport(msgspec.Struct, frozen=True):
    """The releases, the backends compiled in with their devices, and what the build uses of the processor."""

    bindings: str
    ggml: str
    backends: list[str]
    devices: list[Device]
    features: list[str]
