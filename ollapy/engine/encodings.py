"""Encodings: what pictures and sounds are made into beside the decodes, kept for those who ask about them again."""

from __future__ import annotations

import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

from ollapy.errors import RunnerError

from .batch import Excerpt
from .media import Floats, MediaChunk, Positions

_MAX_BYTES = 128 << 20  # eight pictures of a thousand tokens of a 7B model
_PATIENCE = 0.02  # seconds until somebody else is listened to again


class Encodings:
    """The embeddings of the chunks used last, so many bytes at most. On the engine's thread.

    Encoding takes seconds on a CPU and cannot be stopped, so that a thread of its own does it, one after the
    other, while the others get their tokens.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._found: OrderedDict[int, Floats] = OrderedDict()
        self._pending: dict[int, Future[Floats]] = {}
        self._thread = ThreadPoolExecutor(1, "encoder")
        self.num_encoded = 0
        self.seconds = 0.0  # spent on encoding

    @property
    def is_busy(self) -> bool:
        """Whether something is being encoded."""
        return any(not future.done() for future in self._pending.values())

    def is_ready(self, chunk: MediaChunk) -> bool:
        """Whether a chunk's embeddings are there, or why there are none; if not, they will be."""
        if chunk.key in self._found:
            return True
        if chunk.key not in self._pending:
            self._pending[chunk.key] = self._thread.submit(self._encoded, chunk)
        return self._pending[chunk.key].done()

    def wait(self) -> None:
        """Until something is encoded, but not for long."""
        wait(self._pending.values(), _PATIENCE, "FIRST_COMPLETED")

    def of(self, chunk: MediaChunk) -> Floats:
        """The embeddings of a chunk that is ready, shape (tokens, width); RunnerError where there are none."""
        self._collect(chunk.key)
        if (future := self._pending.pop(chunk.key, None)) is not None:
            self._found[chunk.key] = future.result()
        self._found.move_to_end(chunk.key)
        self._trim()
        return self._found[chunk.key]

    def excerpt(self, excerpt: Excerpt) -> tuple[Floats, Positions]:
        """Some of a chunk's embeddings, and where they are: one row for each dimension of a position."""
        chosen = slice(excerpt.offset, excerpt.offset + excerpt.count)
        positions = excerpt.chunk.positions(excerpt.position)
        return self.of(excerpt.chunk)[chosen], positions[:, chosen]

    def close(self) -> None:
        """End the thread, when what it does is done."""
        self._thread.shutdown(cancel_futures=True)

    def _encoded(self, chunk: MediaChunk) -> Floats:
        """On the thread."""
        started = time.perf_counter()
        rows: Floats = chunk.encode()
        self.seconds += time.perf_counter() - started
        self.num_encoded += 1
        # a NaN in one cell would reach everything that looks at the pool
        if not np.isfinite(rows).all():
            raise RunnerError("the model made numbers of the image that are none")
        return rows

    def _collect(self, wanted: int) -> None:
        """Keep what was encoded for others, who may have left: they may come back."""
        for key, future in list(self._pending.items()):
            if key != wanted and future.done():
                del self._pending[key]
                if future.exception() is None:
                    self._found[key] = future.result()

    def _trim(self) -> None:
        """Drop the least recently used, but never the newest, which is about to be read."""
        size = sum(rows.nbytes for rows in self._found.values())
        while size > self._max_bytes and len(self._found) > 1:
            size -= self._found.popitem(last=False)[1].nbytes
