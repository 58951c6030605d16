"""States: what a context holds of a sequence, as bytes. On the context's thread.

All of it, or a **checkpoint**: what a model that cannot be cut back remembers besides cells that others can share,
a recurrent state or a sliding window's cells.
"""

from __future__ import annotations

import ctypes

import numpy as np

from ollapy.errors import RunnerError

from .context import Context
from .library import raw

# LLAMA_STATE_SEQ_FLAGS_
_WHOLE, _PARTIAL = 0, 1
_Bytes = ctypes.POINTER(ctypes.c_uint8)


def state_size(context: Context, sequence: int) -> int:
    """How many bytes `save` would make."""
    return _size(context, sequence, _WHOLE)


def save(context: Context, sequence: int) -> memoryview:
    """A copy of what a sequence holds, cells that it shares with others too."""
    return _get(context, sequence, _WHOLE)


def restore(context: Context, sequence: int, data: memoryview, length: int) -> bool:
    """Have an empty sequence hold what was saved of one of that length; whether it does, else it is empty.

    The bytes must be what `save` made for the same weights and the same kind of context: llama.cpp trusts them.
    """
    is_read = _set(context, sequence, data, _WHOLE)
    if is_read and context.length(sequence) == length:
        return True
    context.remove(sequence)
    return False


def checkpoint(context: Context, sequence: int) -> bytes:
    """What `fork` needs beside the sequence's cells."""
    return bytes(_get(context, sequence, _PARTIAL))


def fork(context: Context, source: int, target: int, end: int, state: bytes) -> None:
    """Put `target` where `source` was when it held `end` positions and the checkpoint `state` was taken.

    Cells of full attention are shared, the rest is the target's own. A part of such a sequence
    must never be shared without its state: llama.cpp goes on from there and computes nonsense.
    """
    if source != target:
        context.share(source, target)
    is_read = _set(context, target, memoryview(state), _PARTIAL)
    context.remove(target, end)
    length = context.length(target)
    # with rows and columns the last cells may be at an earlier position
    is_back = length == end or (context.model.has_grid and 0 < length < end)
    if not (is_read and is_back):
        raise RunnerError("the model's memory could not be put back to a checkpoint")


def _size(context: Context, sequence: int, flags: int) -> int:
    return int(raw.llama_state_seq_get_size_ext(context.handle, sequence, flags))


def _get(context: Context, sequence: int, flags: int) -> memoryview:
    buffer = np.empty(_size(context, sequence, flags), np.uint8)
    pointer = buffer.ctypes.data_as(_Bytes)
    written = raw.llama_state_seq_get_data_ext(
        context.handle, pointer, len(buffer), sequence, flags
    )
    return buffer.data[:written]


def _set(context: Context, sequence: int, data: memoryview, flags: int) -> bool:
    """Whether llama.cpp has read all of it."""
    buffer = np.frombuffer(data, np.uint8)
    pointer = buffer.ctypes.data_as(_Bytes)
    read = raw.llama_state_seq_set_data_ext(
        context.handle, pointer, len(buffer), sequence, flags
    )
    return bool(read == len(buffer))
