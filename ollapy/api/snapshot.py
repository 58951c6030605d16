"""Wire types of `/api/snapshot`: how things stand at one moment."""

from __future__ import annotations

import msgspec

from .loading import LoadState
from .status import RequestEntry


class ModelState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A loaded model, or several of one load; sizes in bytes. `counters` are those of its `engine`, llama.cpp where none is named; a model for vectors has none."""

    name: str
    size: int
    size_vram: int
    context_length: int
    expires_at: str
    counters: dict[str, float | list[int]] = {}
    engine: str = ""


class OperationState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pull, push, create or the like: what it does, and how far it is; counts are bytes, 0 where nothing is counted."""

    id: int
    kind: str
    model: str
    status: str = ""
    completed: int = 0
    total: int = 0
    seconds: float = 0.0


class Snapshot(msgspec.Struct, frozen=True):
    """What the daemon does now. `at` is in seconds, of a clock that never goes back; memory is in bytes.

    `waiting` are the requests that are not being computed, `requests` all those under way, `loading` the models on their way into memory.
    """

    version: str
    at: float
    uptime: float
    memory_total: int
    memory_available: int
    waiting: int
    models: list[ModelState]
    requests: list[RequestEntry]
    operations: list[OperationState]
    loading: list[LoadState] = []
