"""Constraint: which tokens an answer may go on with; Masks: that, for a step's sequences, beside the decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from llguidance import LLExecutor, LLMatcher

from ollapy.errors import InvalidRequest

Row = npt.NDArray[np.float32]
Bits = npt.NDArray[np.int32]

_TOO_MUCH = (
    "the grammar needs too much work at this point of the answer, make it simpler"
)


class Constraint:
    """Where one answer stands in its grammar. Engine thread only, but for the computing of its bits.

    `bits` has one for each token, in words of 32: whether it may come next.
    """

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher = matcher
        self.bits: Bits

    @property
    def may_end(self) -> bool:
        """Whether the text so far is all that the grammar asks for."""
        return self.matcher.is_accepting()

    @property
    def is_complete(self) -> bool:
        """Whether nothing may follow."""
        return self.matcher.is_stopped() and not self.matcher.is_error()

    @property
    def forced(self) -> bytes:
        """How every text begins that may come next; more is not known of it."""
        return self.matcher.compute_ff_bytes()

    def restrict(self, row: Row) -> None:
        """Make every token impossible that may not come next."""
        self._check()
        bits = np.invert(self.bits).view(np.uint8)
        forbidden = np.unpackbits(bits, count=len(row), bitorder="little").view(
            np.bool_
        )
        np.copyto(row, -np.inf, where=forbidden)

    def take(self, token: int) -> None:
        """The token that came."""
        self.matcher.consume_token(token)
        self._check()

    def follow(self, tokens: Sequence[int]) -> bool:
        """Go on from a text that stands already, where it is the beginning of one that the grammar takes."""
        return self.matcher.validate_tokens([*tokens]) == len(
            tokens
        ) and self.matcher.consume_tokens([*tokens])

    def _check(self) -> None:
        if self.matcher.is_error():
            raise InvalidRequest(_TOO_MUCH)


class Masks:
    """Computes the bits of many constraints at once, in threads of its own while the model computes the logits."""

    def __init__(self, num_vocab: int) -> None:
        self._num_words = (num_vocab + 31) // 32
        self._worker = ThreadPoolExecutor(1, "masks")
        self._executor: LLExecutor | None = None

    @contextmanager
    def computing(self, constraints: list[Constraint]) -> Iterator[None]:
        """The constraints have their bits when the block ends."""
        if not constraints:
            yield
            return
        pending = self._worker.submit(self._compute, constraints)
        try:
            yield
        finally:
            pending.result()

    def close(self) -> None:
        """End the threads."""
        self._worker.shutdown()

    def _compute(self, constraints: list[Constraint]) -> None:
        self._executor = self._executor or LLExecutor()
        bits = np.empty((len(constraints), self._num_words), np.int32)
        matchers: list[tuple[Any, int]] = []
        for number, constraint in enumerate(constraints):
            constraint.bits = bits[number]
            matchers.append((constraint.matcher, number))
        self._executor.unsafe_compute_mask_ptr(
            matchers, bits.ctypes.data, bits.strides[0], len(bits)
        )
