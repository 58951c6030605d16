"""Media: what pictures and sounds are to the engine, and the numbers that stand for their cells.

    tokens     5  9  -A0  -A1  -A2  -A3  7        a picture of four cells between texts
    positions  0  1   2    3    4    5   6        where each cell has a position of its own
    positions  0  1   2    2    2    2   4        where they have rows and columns instead (M-RoPE)

A **placeholder** is a negative number that says which chunk a cell belongs to, and everything about the chunk
that the prefix tree needs to know. The same picture has the same placeholders, so that it is found again like
text; another one has others, as the number holds 128 bits of its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int32]

_FIELD = 20  # bits of a count
_MASK = (1 << _FIELD) - 1


class MediaChunk(Protocol):
    """A part of a picture or sound that is encoded at once, and whose cells are shared or dropped as a whole.

    It takes `num_tokens` cells and `num_positions` positions, no more of these than of those. Where it is not
    causal, its cells see each other whatever their order, and must be computed in one batch.
    """

    @property
    def key(self) -> int: ...

    @property
    def num_tokens(self) -> int: ...

    @property
    def num_positions(self) -> int: ...

    @property
    def is_causal(self) -> bool: ...

    def positions(self, start: int) -> Positions:
        """Where its cells are when it begins at a position: one row for each dimension of a position."""

    def encode(self) -> Any:
        """Its embeddings, shape (tokens, width); RunnerError where that fails. On the engine's thread."""


def placeholders(chunk: MediaChunk) -> list[int]:
    """What stands for a chunk's cells in a list of tokens."""
    head = (chunk.key << _FIELD | chunk.num_positions) << _FIELD | chunk.num_tokens
    return [-(head << _FIELD | index) - 1 for index in range(chunk.num_tokens)]


def begins(token: int) -> bool:
    """Whether a placeholder is the first of its chunk."""
    return token < 0 and not _index(token)


def whole(tokens: Sequence[int], length: int) -> int:
    """The most of the first `length` tokens that leaves no chunk cut in two."""
    if 0 < length < len(tokens) and tokens[length] < 0:
        return length - _index(tokens[length])
    return length


def position(tokens: Sequence[int], end: int) -> int:
    """The position of what comes at index `end`, which is not within a chunk."""
    found = (token for token in tokens[:end] if token < 0)
    return end - sum(_surplus(token) for token in found if not _index(token))


def held(tokens: Sequence[int], end: int) -> int:
    """How many positions llama.cpp says that a sequence of the first `end` tokens holds: one beyond its last cell's.

    With rows and columns all cells of a chunk are at the position where it begins.
    """
    if not end or tokens[end - 1] >= 0 or not _surplus(tokens[end - 1]):
        return position(tokens, end)
    return position(tokens, end - 1 - _index(tokens[end - 1])) + 1


def _index(token: int) -> int:
    """Which of its chunk's cells a placeholder stands for."""
    return (-token - 1) & _MASK


def _surplus(token: int) -> int:
    """How many more cells its chunk has than positions."""
    number = -token - 1
    return (number >> _FIELD & _MASK) - (number >> 2 * _FIELD & _MASK)
