"""States: all that a context holds of a sequence, as bytes. On the context's thread."""

from __future__ import annotations

import ctypes
import logging

import numpy as np

from .context import Context
from .library import raw

logger = logging.getLogger(__name__)

_Bytes = ctypes.POINTER(ctypes.c_uint8)


def state_size(context: Context, sequence: int) -> int:
    """How many bytes `save` would make."""
    return int(raw.llama_state_seq_get_size(context.handle, sequence))


def save(context: Context, sequence: int) -> memoryview:
    """A copy of what a sequence holds, cells that it shares with others too."""
    buffer = np.empty(state_size(context, sequence), np.uint8)
    pointer = buffer.ctypes.data_as(_Bytes)
    written = raw.llama_state_seq_get_data(
        context.handle, pointer, len(buffer), sequence
    )
    return buffer.data[:written]


def restore(context: Context, sequence: int, data: memoryview, length: int) -> bool:
    """Have an empty sequence hold what was saved of one of that length; whether it does, else it is empty.

    The bytes must be what `save` made for the same weights and the same kind of context: llama.cpp trusts them.
    """
    buffer = np.frombuffer(data, np.uint8)
    read = raw.llama_state_seq_set_data(
        context.handle, buffer.ctypes.data_as(_Bytes), len(buffer), sequence
    )
    if read == len(buffer) and context.length(sequence) == length:
        return True
    context.remove(sequence)
    return False
