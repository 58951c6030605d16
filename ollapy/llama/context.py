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
from .model import Model, Pooling

_C = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
_get_logits = held("llama_get_logits")
_seq_rm = held("llama_memory_seq_rm")
_seq_cp = held("llama_memory_seq_cp")
_seq_pos_max = held("llama_memory_seq_pos_max")
_get_embeddings = held("llama_get_embeddings_seq")

# A state without the cells that other sequences can share.
_PARTIAL = 1

Floats = npt.NDArray[np.float32]


class NoCells(Exception):
    """The batch found no room in the KV pool; nothing was computed."""


class Aborted(Exception):
    """The batch was given up half-way; what of it was computed is undefined, remove it."""


class Context:
    """One KV pool shared by all sequences of a model. Every call on the one thread that made it."""

    def __init__(self, handle: Any, model: Model, params: Any) -> None:
        self.handle = handle
        window = raw.llama_model_n_swa(model.handle)
        # Whether a sequence can be cut back to any position, and so be shared up to there.
        self.can_rewind = not model.has_state and (params.swa_full or not window)
        self.max_outputs: int = params.n_outputs_max
        self._num_threads: int = params.n_threads
        self._memory = raw.llama_get_memory(handle)
        self._num_vocab = model.num_vocab
        is_ranking = model.pooling is Pooling.RANK
        self._num_pooled: int = (
            raw.llama_model_n_cls_out if is_ranking else raw.llama_model_n_embd_out
        )(model.handle)
        self.num_cells: int = raw.llama_n_ctx(handle)
        self.max_batch: int = raw.llama_n_batch(handle)
        self.max_sequences: int = raw.llama_n_seq_max(handle)
        self._arrays = _BatchArrays(self.max_batch, self.max_outputs)
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
        self._run(raw.llama_decode, tokens, positions, sequences, outputs)

    def encode(self, tokens: list[int]) -> None:
        """Have a model's encoder read a text, for the decoder's next tokens to look at."""
        everything = list(range(len(tokens)))
        sequences = [0] * len(tokens)
        self._run(raw.llama_encode, tokens, everything, sequences, everything)

    def _run(
        self,
        compute: Any,
        tokens: list[int],
        positions: list[int],
        sequences: list[int],
        outputs: list[int],
    ) -> None:
        batch = self._arrays.fill(tokens, positions, sequences, outputs)
        # one that came too late for its own batch is not for this one
        self._abort[0] = b"\0"
        code = compute(self.handle, batch)
        log.is_aborting = False
        if code == 1:
            raise NoCells
        if code == 2:
            raise Aborted
        if code != 0:
            raise RunnerError(
                f"llama.cpp could not compute a batch of {len(tokens)} tokens (code {code})"
            )

    def use_threads(self, count: int) -> None:
        """Compute with so many threads from the next batch on."""
        if count != self._num_threads:
            self._num_threads = count
            raw.llama_set_n_threads(self.handle, count, count)

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
        """What the last batch's tokens of a sequence were pooled to, copied: its vector or its scores."""
        pointer = _get_embeddings(self.handle, sequence)
        if not pointer:
            raise RunnerError("the model gave no embedding")
        return np.array(np.ctypeslib.as_array(pointer, (self._num_pooled,)))

    def pool(self, *, on: bool) -> None:
        """Whether the next batches of a pooled context are; where not, its tokens need not be outputs."""
        raw.llama_set_embeddings(self.handle, on)

    def remove(self, sequence: int, start: int = 0) -> None:
        """Forget what a sequence holds from position `start` on."""
        if self._memory:
            _seq_rm(self._memory, sequence, start, -1)

    def share(self, source: int, target: int, end: int) -> None:
        """Let `target` hold the cells of `source` at the positions before `end`, without copying them."""
        if self._memory:
            _seq_cp(self._memory, source, target, 0, end)

    def length(self, sequence: int) -> int:
        """How many positions a sequence holds."""
        return int(_seq_pos_max(self._memory, sequence)) + 1 if self._memory else 0

    def checkpoint(self, sequence: int) -> bytes:
        """What a model that cannot be cut back remembers of a sequence besides shared cells, for `fork`.

        A recurrent state, or a sliding window's cells.
        """
        size = raw.llama_state_seq_get_size_ext(self.handle, sequence, _PARTIAL)
        buffer = (ctypes.c_uint8 * size)()
        written = raw.llama_state_seq_get_data_ext(
            self.handle, buffer, size, sequence, _PARTIAL
        )
        return bytes(buffer)[:written]

    def fork(self, source: int, target: int, end: int, state: bytes) -> None:
        """Put `target` where `source` was when it held `end` positions and `state` was taken.

        Cells of full attention are shared, the rest is the target's own. A part of such a sequence
        must never be shared without its state: llama.cpp goes on from there and computes nonsense.
        """
        if source != target:
            _seq_cp(self._memory, source, target, -1, -1)
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        read = raw.llama_state_seq_set_data_ext(
            self.handle, buffer, len(state), target, _PARTIAL
        )
        _seq_rm(self._memory, target, end, -1)
        if read != len(state) or self.length(target) != end:
            raise RunnerError(
                "the model's memory could not be put back to a checkpoint"
            )

    def clear(self, *, wipe: bool = False) -> None:
        """Forget every sequence; `wipe` the cells too where they may hold a NaN, which no mask keeps in."""
        if self._memory:
            raw.llama_memory_clear(self._memory, wipe)


class _BatchArrays:
    """The arrays behind a llama_batch, filled with numpy: 4 µs for 512 tokens against 205 µs by ctypes."""

    def __init__(self, capacity: int, max_outputs: int) -> None:
        self._capacity = capacity
        self._max_outputs = max_outputs
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
        # the library would abort
        if not 0 < count <= self._capacity or len(outputs) > self._max_outputs:
            raise RunnerError(
                f"a batch of {count} tokens and {len(outputs)} outputs does not fit "
                f"{self._capacity} and {self._max_outputs}"
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

    `pooled` makes one for embeddings: a batch's sequences are pooled as the model says. Every token of
    a batch that is pooled is an output; where `pools_last`, such batches have `max_sequences` at most.
    """
    params = raw.llama_context_default_params()
    params.n_ctx = num_cells
    params.n_batch = params.n_ubatch = num_batch
    params.n_seq_max = max_sequences
    params.n_threads = params.n_threads_batch = num_threads
    params.kv_unified = True  # one pool for all: any sequence may use the whole of it
    # Layers with a sliding window keep no more than it for each sequence, where that is less than all.
    windows = raw.llama_model_n_swa(model.handle) * max_sequences + num_batch
    params.swa_full = windows >= num_cells
    # Logits rows are reserved for this many outputs; the default is the whole batch, hundreds of
    # megabytes with a large vocabulary. Asking for more rows than this aborts.
    # An encoder's tokens and those that are pooled are all outputs.
    every_token = (pooled and not model.pools_last) or model.has_encoder
    params.n_outputs_max = max(num_batch if every_token else 0, max_sequences)
    params.embeddings = pooled
    if pooled:
        params.pooling_type = model.pooling
    log.complaints.clear()
    handle = raw.llama_init_from_model(model.handle, params)
    if not handle:
        reason = "; ".join(dict.fromkeys(log.complaints))
        raise LoadFailed(
            f"llama.cpp could not make a context of {num_cells} tokens: {reason or 'no reason given'}"
        )
    model.apply_adapters(handle)
    try:
        yield Context(handle, model, params)
    finally:
        raw.llama_free(handle)
