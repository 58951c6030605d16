"""Native: a llama_context, and how what one holds gets into another."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from ollapy.errors import LoadFailed

from .library import log, raw
from .model import Model, reason


@dataclass(frozen=True, slots=True)
class Native:
    """A llama_context and the buffers that it took."""

    handle: Any
    buffers: list[tuple[str, str, int]]

    def free(self) -> None:
        """Give all of it back."""
        raw.llama_free(self.handle)
        for buffer in self.buffers:
            log.buffers.remove(buffer)


def make(model: Model, params: Any, num_cells: int) -> Native:
    """A context of so many cells, else as its parameters say; LoadFailed where llama.cpp cannot make one."""
    params.n_ctx = num_cells
    log.complaints.clear()
    known = len(log.buffers)
    with log.measuring():
        handle = raw.llama_init_from_model(model.handle, params)
    if not handle:
        del log.buffers[known:]
        raise LoadFailed(
            f"llama.cpp could not make a context of {num_cells} tokens: {reason()}"
        )
    return Native(handle, log.buffers[known:])


def carry(source: Any, target: Any) -> None:
    """Fill an empty context with all that another holds, cells that are shared once; LoadFailed where it does not fit.

    Through this process's memory: as many bytes as the cells in use have.
    """
    size = raw.llama_state_get_size(source)
    try:
        state = np.empty(size, np.uint8)
    except MemoryError:
        raise LoadFailed(
            f"{size} bytes to carry a context over in are missing"
        ) from None
    pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    log.complaints.clear()
    written = raw.llama_state_get_data(source, pointer, size)
    if not written or raw.llama_state_set_data(target, pointer, written) != written:
        raise LoadFailed(f"llama.cpp could not carry a context over: {reason()}")
