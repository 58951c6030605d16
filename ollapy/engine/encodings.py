"""Encodings: what pictures and sounds were made into, kept for those who ask about them again."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from ollapy.errors import RunnerError

from .batch import Excerpt
from .media import Floats, MediaChunk, Positions

_MAX_BYTES = 128 << 20  # eight pictures of a thousand tokens of a 7B model


class Encodings:
    """The embeddings of the chunks used last, so many bytes at most. On the engine's thread."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._found: OrderedDict[int, Floats] = OrderedDict()
        self.num_encoded = 0

    def of(self, chunk: MediaChunk) -> Floats:
        """A chunk's embeddings, shape (tokens, width); made now where they are not kept."""
        if (rows := self._found.get(chunk.key)) is None:
            rows = self._found[chunk.key] = self._encoded(chunk)
            self._trim()
        self._found.move_to_end(chunk.key)
        return rows

    def excerpt(self, excerpt: Excerpt) -> tuple[Floats, Positions]:
        """Some of a chunk's embeddings, and where they are: one row for each dimension of a position."""
        chosen = slice(excerpt.offset, excerpt.offset + excerpt.count)
        positions = excerpt.chunk.positions(excerpt.position)
        return self.of(excerpt.chunk)[chosen], positions[:, chosen]

    def _encoded(self, chunk: MediaChunk) -> Floats:
        rows: Floats = chunk.encode()
        self.num_encoded += 1
        # a NaN in one cell would reach everything that looks at the pool
        if not np.isfinite(rows).all():
            raise RunnerError("the model made numbers of the image that are none")
        return rows

    def _trim(self) -> None:
        """Drop the least recently used, but never the newest, which is about to be read."""
        size = sum(rows.nbytes for rows in self._found.values())
        while size > self._max_bytes and len(self._found) > 1:
            size -= self._found.popitem(last=False)[1].nbytes
