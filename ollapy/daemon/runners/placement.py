"""Placement: what memory a model gets, from its header and what is free. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ollapy.errors import LoadFailed
from ollapy.gguf import Header
from ollapy.units import format_bytes

MAX_SEQUENCES = 64  # that run together, or whose tokens are kept for later
_MAX_BATCH = 512
_POOL_CONTEXTS = 8  # full contexts that the pool may hold at most
_POOL_SHARE = 4  # the pool takes at most this part of what is free beside the weights
_MIN_CONTEXT = 2048
_GOOD_CONTEXT = 8192  # others leave for that much, not for more
_SMALL_WEIGHTS = 32 * 1024 * 1024
_OVERHEAD = 256 * 1024 * 1024  # the process, and llama.cpp's compute buffers


@dataclass(frozen=True, slots=True)
class Memory:
    """The KV pool of a model, the context of a request that names none, and the largest batch; in tokens."""

    num_cells: int
    num_ctx: int
    num_batch: int


def needed(header: Header, *, context_length: int) -> tuple[int, int]:
    """Bytes that it takes to load a model at all, and to load it with a context that most can live with."""
    wanted = _wanted(header, context_length)
    fixed, per_cell = header.weights_bytes + _OVERHEAD, _per_cell(header)
    least, good = (min(wanted, n) for n in (_MIN_CONTEXT, _GOOD_CONTEXT))
    return fixed + least * per_cell, fixed + good * per_cell


def taken(header: Header, num_cells: int) -> int:
    """Bytes of a model that was placed so."""
    return header.weights_bytes + _OVERHEAD + num_cells * _per_cell(header)


def place(header: Header, *, available: int, context_length: int) -> Memory:
    """What to load a model with; LoadFailed when not even a short context fits.

    `available` bytes can be had; `context_length` 0 leaves the context to the model and the memory.
    """
    wanted, per_cell = _wanted(header, context_length), _per_cell(header)
    free = available - header.weights_bytes - _OVERHEAD
    least = min(wanted, _MIN_CONTEXT)
    if free < least * per_cell:
        total = taken(header, least)
        raise LoadFailed(
            f"the model needs {format_bytes(total)} of memory and {format_bytes(max(available, 0))} can be had: "
            "close other programs, raise OLLAPY_MAX_MEMORY if it is set, or choose a smaller quantisation"
        )
    affordable = max(least, free // _POOL_SHARE // per_cell)
    cells = min(wanted * _POOL_CONTEXTS, affordable)
    return Memory(
        num_cells=cells, num_ctx=min(wanted, cells), num_batch=min(_MAX_BATCH, cells)
    )


def _wanted(header: Header, context_length: int) -> int:
    """The context that a request gets where there is enough memory."""
    trained = header.context_length or _MIN_CONTEXT
    return min(context_length, trained) if context_length else trained


def _per_cell(header: Header) -> int:
    return max(header.kv_bytes_per_cell, 1)


def num_threads(header: Header, num_cores: int) -> int:
    """Threads to compute with. Where a token takes a millisecond, meeting at barriers takes longer than it saves."""
    return 1 if header.weights_bytes < _SMALL_WEIGHTS else num_cores
