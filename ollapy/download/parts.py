"""Parts: which blocks are fetched by whom. Decides only."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

from .partial import BLOCK, Partial

_LEAST, _MOST_PARTS = 64, 128


class Part(NamedTuple):
    """A run of blocks, the end left out."""

    first: int
    end: int


class Parts:
    """Hands out runs of missing blocks, from the front: there the hashing follows. For several threads."""

    def __init__(self, partial: Partial) -> None:
        self._partial = partial
        self._taken = bytearray(partial.num_blocks)
        self._length = max(_LEAST, partial.num_blocks // _MOST_PARTS)
        self._lock = Lock()

    def take(self) -> Part | None:
        """The next run that nobody fetches; None when there is none."""
        with self._lock:
            free = (b for b in range(len(self._taken)) if self._is_free(b))
            first = next(free, None)
            if first is None:
                return None
            end = first
            while end < len(self._taken) and end - first < self._length:
                if not self._is_free(end):
                    break
                end += 1
            self._taken[first:end] = b"\1" * (end - first)
            return Part(first, end)

    def take_all(self) -> Part:
        """Everything, whoever has it: there is one stream from the beginning."""
        with self._lock:
            self._taken[:] = b"\1" * len(self._taken)
        return Part(0, len(self._taken))

    def give_back(self, part: Part) -> None:
        """What of a part was not fetched is free again."""
        with self._lock:
            self._taken[part.first : part.end] = bytes(part.end - part.first)

    def _is_free(self, block: int) -> bool:
        return not self._taken[block] and self._partial.is_missing(block)


def span(part: Part, size: int) -> tuple[int, int]:
    """The bytes of a part, the end left out."""
    return part.first * BLOCK, min(part.end * BLOCK, size)
