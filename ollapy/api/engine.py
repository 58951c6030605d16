"""What the inference library of this machine is, as `python -m ollapy.llama` says."""

from __future__ import annotations

import msgspec


class Device(msgspec.Struct, frozen=True):
    """What computes: `kind` is cpu, gpu, igpu or accel, `backend` the part of the library that drives it.

    `id` is the same at every start, where the backend knows one. Bytes; a device that shares the machine's
    memory may say 0. One of another machine (`backend` is RPC) has its address for a description.
    """

    name: str
    description: str
    kind: str
    free: int
    total: int
    backend: str = ""
    id: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where a model's layers go: the last `num_layers`, of which the output matrix is one, to `devices`, by their names.

    `split` says how many each gets, in their order. Of the first `num_cpu_moe` layers the experts stay with the
    processor. `workers` are the other machines, `host:port`, with the names that their devices have here.
    """

    devices: list[str] = []
    split: list[float] = []
    num_layers: int = 0
    num_cpu_moe: int = 0
    workers: dict[str, list[str]] = {}


class Buffer(msgspec.Struct, frozen=True):
    """Memory of a loaded model, in bytes, on a device; "CPU" is the machine's.

    `purpose` is weights, cache, state (of recurrent layers), compute or output. What is mapped from a file
    counts as free to the system.
    """

    device: str
    purpose: str
    size: int
    is_mapped: bool = False


class Rehearsal(msgspec.Struct, frozen=True):
    """A load of which only the buffers' sizes are wanted; the fields are those of the runner's Load."""

    paths: list[str]
    num_cells: int
    max_sequences: int
    num_batch: int
    kv_type: str
    place: Place


class EngineReport(msgspec.Struct, frozen=True):
    """The releases, the backends compiled in with their devices, and what the build uses of the processor."""

    bindings: str
    ggml: str
    backends: list[str]
    devices: list[Device]
    features: list[str]
