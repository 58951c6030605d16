"""Context: the KV memory of a model and the act of decoding a batch."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ollapy.api.adapters import AdapterSet
from ollapy.api.tuning import Tuning
from ollapy.errors import LoadFailed, RunnerError

from .abort import AbortSwitch
from .batch import BatchArrays
from .embedding_batch import EmbeddingBatch
from .library import held, log, raw
from .model import Model, Pooling
from .native import Native, carry, make

_get_logits = held("llama_get_logits")
_seq_rm = held("llama_memory_seq_rm")
_seq_cp = held("llama_memory_seq_cp")
_seq_pos_max = held("llama_memory_seq_pos_max")
_get_embeddings = held("llama_get_embeddings_seq")

# What keys and values can be kept as, by ggml's numbers.
_KV_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
_UNTUNED = Tuning()

Floats = npt.NDArray[np.float32]


class NoCells(Exception):
    """The batch found no room in the KV pool; nothing was computed."""


class Aborted(Exception):
    """The batch was given up half-way; what of it was computed is undefined, remove it."""


class Context:
    """One KV pool shared by all sequences of a model. Every call on the one thread that made it."""

    def __init__(self, model: Model, params: Any, num_cells: int) -> None:
        self.model = model
        self._params = params
        # Whether a sequence can be cut back to any position, and so be shared up to there.
        self.can_rewind: bool = not model.has_state and params.swa_full
        self.max_outputs: int = params.n_outputs_max
        self._num_vocab = model.vocabulary.num_tokens
        is_ranking = model.pooling is Pooling.RANK
        self._num_pooled: int = (
            raw.llama_model_n_cls_out if is_ranking else raw.llama_model_n_embd_out
        )(model.handle)
        self._switch = AbortSwitch()
        # what the layers of a window keep does not shrink with the pool
        least = 0 if params.swa_full else _window_cells(model, params)
        self._use(make(model, params, max(num_cells, least)))
        self.max_batch: int = raw.llama_n_batch(self.handle)
        self.max_sequences: int = raw.llama_n_seq_max(self.handle)
        self.min_cells = max(least, self.max_batch)
        self._arrays = BatchArrays(self.max_batch, self.max_outputs)

    def _use(self, native: Native) -> None:
        """Compute in that one from now on."""
        self._native, self.handle = native, native.handle
        self.adapters: AdapterSet = ()  # what it computes with, see Adapters
        self._memory = raw.llama_get_memory(self.handle)
        self.num_cells: int = raw.llama_n_ctx(self.handle)
        self._switch.install(self.handle)

    def resize(self, num_cells: int) -> None:
        """Have a pool of so many cells that holds what it held; not of an encoder's decoder.

        The other one is made beside this one. LoadFailed leaves everything as it was, where there is no
        memory for that, or more is held than goes in.
        """
        other = make(self.model, self._params, max(num_cells, self.min_cells))
        try:
            carry(self.handle, other.handle)
        except LoadFailed:
            other.free()
            raise
        self.close()
        self._use(other)

    def close(self) -> None:
        """Free all of it; nothing else may be called any more."""
        self._native.free()

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

    def decode_rows(
        self,
        rows: Floats,
        positions: npt.NDArray[np.int32],
        sequence: int,
        outputs: list[int],
        *,
        causal: bool,
    ) -> None:
        """Compute embeddings of one sequence as if they were tokens: shape (count, width), (dimensions, count).

        Where they are not causal each sees all others of the batch.
        """
        batch = EmbeddingBatch(rows, positions, sequence, outputs, self.max_batch)
        raw.llama_set_causal_attn(self.handle, causal)
        try:
            self._compute(raw.llama_decode, batch.fields, len(rows))
        finally:
            raw.llama_set_causal_attn(self.handle, True)

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
        self._compute(compute, batch, len(tokens))

    def _compute(self, compute: Any, batch: Any, count: int) -> None:
        self._switch.turn_off()
        code = compute(self.handle, batch)
        # An accelerator is only told what to compute. It is waited for here, where others get the GIL: the
        # calls that read its results keep that, and llama.cpp's own threads want it for the log.
        raw.llama_synchronize(self.handle)
        log.is_aborting = False
        if code == 1:
            raise NoCells
        if code == 2:
            raise Aborted
        if code != 0:
            raise RunnerError(
                f"llama.cpp could not compute a batch of {count} tokens (code {code})"
            )

    def use_threads(self, count: int, prompt_count: int) -> None:
        """Compute with so many threads from the next batch on: one of a single token, and one of many."""
        params, wanted = self._params, (count, prompt_count)
        if wanted != (params.n_threads, params.n_threads_batch):
            params.n_threads, params.n_threads_batch = wanted
            raw.llama_set_n_threads(self.handle, *wanted)

    def abort(self) -> None:
        """From any thread: give up the batch under way. The CPU obeys within milliseconds, a GPU not at all."""
        self._switch.turn_on()

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

    def remove(self, sequence: int, start: int = 0, end: int = -1) -> None:
        """Forget what a sequence holds from position `start` on, or to before `end`."""
        if self._memory:
            _seq_rm(self._memory, sequence, start, end)

    def share(self, source: int, target: int, end: int = -1) -> None:
        """Let `target` hold the cells of `source`, by default all, or at the positions before `end`; nothing is copied."""
        if self._memory:
            _seq_cp(self._memory, source, target, 0, end)

    def length(self, sequence: int) -> int:
        """How many positions a sequence holds."""
        return int(_seq_pos_max(self._memory, sequence)) + 1 if self._memory else 0

    def clear(self, *, wipe: bool = False) -> None:
        """Forget every sequence; `wipe` the cells too where they may hold a NaN, which no mask keeps in."""
        if self._memory:
            raw.llama_memory_clear(self._memory, wipe)


def _window_cells(model: Model, params: Any) -> int:
    """Cells for a window of each sequence, and a batch beside them; 0 where no layer has one."""
    window: int = raw.llama_model_n_swa(model.handle)
    return window * params.n_seq_max + params.n_batch if window else 0


def _params(
    num_batch: int, max_sequences: int, num_threads: int, tuning: Tuning
) -> Any:
    """Those of a batch, whatever it is computed for."""
    params = raw.llama_context_default_params()
    params.n_batch = params.n_ubatch = num_batch
    params.n_seq_max = max_sequences
    params.n_threads = params.n_threads_batch = num_threads
    if tuning.num_ubatch:
        params.n_ubatch = min(tuning.num_ubatch, num_batch)
    if tuning.flash_attention is not None:
        params.flash_attn_type = int(tuning.flash_attention)
    params.kv_unified = True  # one pool for all: any sequence may use the whole of it
    return params


@contextmanager
def open_context(
    model: Model,
    *,
    num_cells: int,
    max_sequences: int,
    num_batch: int,
    num_threads: int,
    tuning: Tuning = _UNTUNED,
    max_cells: int = 0,
    kv_type: str = "f16",
    pooled: bool = False,
) -> Iterator[Context]:
    """A context, freed at the end; LoadFailed where llama.cpp cannot make one.

    Its batch is computed in parts and its attention as `tuning` says. It may be resized to `max_cells` at most, which decides how the layers of a window keep theirs.

    `pooled` makes one for embeddings: a batch's sequences are pooled as the model says. Every token of
    a batch that is pooled is an output; where `pools_last`, such batches have `max_sequences` at most.
    """
    params = _params(num_batch, max_sequences, num_threads, tuning)
    params.type_k = params.type_v = _KV_TYPES[kv_type]
    # Layers with a sliding window keep no more than it for each sequence, where that is less than all.
    windows = _window_cells(model, params)
    params.swa_full = not windows or windows >= max(num_cells, max_cells)
    # Logits rows are reserved for this many outputs; the default is the whole batch, hundreds of
    # megabytes with a large vocabulary. Asking for more rows than this aborts.
    # An encoder's tokens and those that are pooled are all outputs.
    every_token = (pooled and not model.pools_last) or model.has_encoder
    params.n_outputs_max = max(num_batch if every_token else 0, max_sequences)
    params.embeddings = pooled
    if pooled:
        params.pooling_type = model.pooling
    context = Context(model, params, num_cells)
    try:
        yield context
    finally:
        context.close()
