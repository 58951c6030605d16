"""Branch: the tokens of a prompt with what a model has computed of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]
# Digest and strength of each adapter that it was computed with.
AdapterKey = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the model remembers when it has read so many tokens; a part of that, for all but the whole branch's."""

    position: int
    data: memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A branch without its states. They are at `positions`, the last of which is its end, and have `size` bytes.

    `seconds` is what computing a token took. `asked_by` is whose tokens they are.
    """

    tokens: Tokens
    adapters: AdapterKey
    asked_by: str
    seconds: float
    positions: tuple[int, ...]
    size: int

    @property
    def name(self) -> str:
        """The same for the same tokens and adapters."""
        known = hashlib.sha256(repr(self.adapters).encode())
        known.update(self.tokens.astype("<i4").tobytes())
        return known.hexdigest()[:40]

    def usable(self, tokens: Tokens, adapters: AdapterKey, *, anywhere: bool) -> int:
        """With how many tokens a prompt could begin that is computed on from here; its last token never counts.

        That may be any number where the model can be cut back, else one that a state is at.
        """
        if adapters != self.adapters:
            return 0
        shared = common(self.tokens, tokens[:-1])
        if anywhere:
            return shared
        return max((p for p in self.positions if p <= shared), default=0)


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """An outline with its states, in the order of their positions; when it was used last, on the monotonic clock."""

    outline: Outline
    states: tuple[State, ...]
    used_at: float


def as_tokens(tokens: Iterable[int]) -> Tokens:
    """Ids of text, as they are compared."""
    return np.fromiter(tokens, np.int32)


def common(a: Tokens, b: Tokens) -> int:
    """How many tokens two texts begin with that are the same."""
    length = min(len(a), len(b))
    differing = np.flatnonzero(a[:length] != b[:length])
    return int(differing[0]) if len(differing) else length
