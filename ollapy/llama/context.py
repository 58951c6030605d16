"""Context: the KV memory of a model and the act of decoding a batch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ollapy.errors import LoadFailed, RunnerError

from .library import held, log, raw
from .model import Model

_C = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
_get_logits = held("llama_get_logits")
_seq_rm = held("llama_memory_seq_rm")
_seq_cp = held("llama_memory_seq_cp")
_get_embeddings = held("llama_get_embeddings_seq")

Floats = npt.NDArray[np.float32]


class NoCells(Exception):
    """The batch found no room in the KV pool; nothing was computed."""


class Aborted(Exception):
    """The batch was given up half-way; what of it was computed is undefined, remove it."""


class Context:
    """One KV pool shared by all sequences of a model. Every call on the one thread that made it."""

    def __init__(self, handle: Any, model: Model) -> None:
        self.handle = handle
        self._memory = raw.llama_get_memory(handle)
        self._num_vocab = model.num_vocab
        self._num_embd: int = raw.llama_model_n_embd_out(model.handle)
        self.num_cells: int = raw.llama_n_ctx(handle)
        self.max_batch: int = raw.llama_n_batch(handle)
        self.max_sequences: int = raw.llama_n_seq_max(handle)
        self._arrays = _BatchArrays(self.max_batch)
        # llama.cpp asks before each node of the graph whether to go on. A Python callback would take the
        # GIL thousands of times a batch; strlen of this buffer answers 0 until somebody writes into it.
        self._abort = ctypes.create_string_buffer(2)
        callback = ctypes.cast(_C.strlen, raw.ggml_abort_callback)
        raw.llama_set_abort_callback(handle, callback, ctypes.addressof(self._abort))

    def decode(
        self,
        tokens: list[int],
        positions: list[int],
        sequences: list[int],
        outputs: list[int],
    ) -> None:
        """Compute a batch: parallel lists of token, position and sequence id.

        `outputs` are the indices of the tokens whose logits are wanted, ascending. Positions of a
        sequence follow what it already holds. NoCells leaves the memory as it was.
        """
        code = raw.llama_decode(
            self.handle, self._arrays.fill(tokens, positions, sequences, outputs)
        )
        self._abort[0] = b"\0"
        log.is_aborting = False
        if code == 1:
            raise NoCells
        if code == 2:
            raise Aborted
        if code != 0:
            raise RunnerError(
                f"llama.cpp could not compute a batch of {len(tokens)} tokens (code {code})"
            )

    def abort(self) -> None:
        """From any thread: give up the batch under way. The CPU obeys within milliseconds, a GPU not at all."""
        log.is_aborting = True
        self._abort[0] = b"\1"

    def logits(self, rows: int) -> Floats:
        """The logits of the last batch's outputs, shape (rows, vocabulary).

        A view into llama.cpp's buffer: writable, and valid until the next decode.
        """
        address = ctypes.addressof(_get_logits(self.handle).contents)
        buffer = (ctypes.c_float * (rows * self._num_vocab)).from_address(address)
        return np.ctypeslib.as_array(buffer).reshape(rows, self._num_vocab)

    def embedding(self, sequence: int) -> Floats:
        """The pooled vector of a sequence of the last batch, copied, not normalised."""
        pointer = _get_embeddings(self.handle, sequence)
        if not pointer:
            raise RunnerError("the model gave no embedding")
        return np.array(np.ctypeslib.as_array(pointer, (self._num_embd,)))

    def remove(self, sequence: int, start: int = 0) -> None:
        """Forget what a sequence holds from position `start` on."""
        if self._memory:
            _seq_rm(self._memory, sequence, start, -1)

    def share(self, source: int, target: int, end: int) -> None:
        """Let `target` hold the cells of `source` at the positions before `end`, without copying them."""
        if self._memory:
            _seq_cp(self._memory, source, target, 0, end)

    def clear(self) -> None:
        """Forget every sequence."""
        if self._memory:
            raw.llama_memory_clear(self._memory, False)


class _BatchArrays:
    """The arrays behind a llama_batch, filled with numpy: 4 µs for 512 tokens against 205 µs by ctypes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._token = np.zeros(capacity, np.int32)
        self._position = np.zeros(capacity, np.int32)
        self._sequence = np.zeros(capacity, np.int32)
        self._output = np.zeros(capacity, np.int8)
        self._ones = np.ones(capacity, np.int32)
        self._rows = self._sequence.ctypes.data + np.arange(
            capacity, dtype=np.uint64
        ) * np.uint64(4)
        fields = raw.llama_batch()
        fields.token = _pointer(self._token, ctypes.c_int32)
        fields.pos = _pointer(self._position, ctypes.c_int32)
        fields.n_seq_id = _pointer(self._ones, ctypes.c_int32)
        fields.seq_id = ctypes.cast(
            self._rows.ctypes.data, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))
        )
        fields.logits = _pointer(self._output, ctypes.c_int8)
        self._batch = fields

    def fill(
        self,
        tokens: list[int],
        positions: list[int],
        sequences: list[int],
        outputs: list[int],
    ) -> Any:
        count = len(tokens)
        if not 0 < count <= self._capacity:  # the library would abort
            raise RunnerError(
                f"a batch of {count} tokens does not fit {self._capacity}"
            )
        self._token[:count] = tokens
        self._position[:count] = positions
        self._sequence[:count] = sequences
        self._output[:count] = 0
        self._output[outputs] = 1
        self._batch.n_tokens = count
        return self._batch


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


@contextmanager
def open_context(
    model: Model,
    *,
    num_cells: int,
    max_sequences: int,
    num_batch: int,
    num_threads: int,
    pooled: bool = False,
) -> Iterator[Context]:
    """A context, freed at the end; LoadFailed where llama.cpp cannot make one.

    `pooled` makes one for embeddings: every token is an output, and a batch's sequences are pooled as
    the model says, by the mean where it says nothing.
    """
    params = raw.llama_context_default_params()
    params.n_ctx = num_cells
    params.n_batch = params.n_ubatch = num_batch
    params.n_seq_max = max_sequences
    params.n_threads = params.n_threads_batch = num_threads
    params.kv_unified = True  # one pool for all: any sequence may use the whole of it
    # Logits rows are reserved for this many outputs; the default is the whole batch, hundreds of
    # megabytes with a large vocabulary. Asking for more rows than this aborts.
    params.n_outputs_max = num_batch if pooled else max_sequences
    params.embeddings = pooled
    if pooled and model.hyperparameter("pooling_type") in (None, "0"):
        params.pooling_type = raw.LLAMA_POOLING_TYPE_MEAN
    log.complaints.clear()
    handle = raw.llama_init_from_model(model.handle, params)
    if not handle:
        reason = "; ".join(dict.fromkeys(log.complaints))
        raise LoadFailed(
            f"llama.cpp could not make a context of {num_cells} tokens: {reason or 'no reason given'}"
        )
    try:
        yield Context(handle, model)
    finally:
        raw.llama_free(handle)
