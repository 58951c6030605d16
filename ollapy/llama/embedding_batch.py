"""EmbeddingBatch: the arrays behind a llama_batch of embeddings, as tokens and embeddings cannot be mixed."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt

from ollapy.errors import RunnerError

from .batch import pointer
from .library import raw


class EmbeddingBatch:
    """One sequence's embeddings, shape (count, width), at positions of shape (dimensions, count).

    `fields` is the llama_batch, valid as long as this object; RunnerError for more than the capacity.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.float32],
        positions: npt.NDArray[np.int32],
        sequence: int,
        outputs: list[int],
        capacity: int,
    ) -> None:
        count = len(rows)
        # the library would abort
        if not 0 < count <= capacity or positions.shape[1] != count:
            raise RunnerError(f"a batch of {count} embeddings does not fit {capacity}")
        marks = np.zeros(count, np.int8)
        marks[outputs] = 1
        sequences = np.full(count, sequence, np.int32)
        addresses = sequences.ctypes.data + 4 * np.arange(count, dtype=np.uint64)
        self._kept = (
            np.ascontiguousarray(rows, np.float32),
            np.ascontiguousarray(positions, np.int32),
            np.ones(count, np.int32),
            addresses,
            marks,
            sequences,
        )
        embeddings, places, ones, pointers, marks, _ = self._kept
        self.fields = raw.llama_batch()
        self.fields.n_tokens = count
        self.fields.embd = pointer(embeddings, ctypes.c_float)
        self.fields.pos = pointer(places, ctypes.c_int32)
        self.fields.n_seq_id = pointer(ones, ctypes.c_int32)
        self.fields.seq_id = ctypes.cast(
            pointers.ctypes.data, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))
        )
        self.fields.logits = pointer(marks, ctypes.c_int8)
