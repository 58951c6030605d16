"""Pace: how long a batch takes on this machine with this model, learned from the batches there were."""

from __future__ import annotations

# Few sizes, so that llama.cpp finds the graph of an earlier batch again.
CHUNKS = (4, 8, 16, 32, 64, 128, 256, 512)
_FIRST = 32  # while nothing is known
# Steps' worth of a prompt that are computed at once while nobody waits for a token.
_ALONE = 8.0
# And at most while more wait for the beginning of their answer than for its next token.
_CROWD = 3.0
_WEIGHT = 0.3  # of the newest batch in the average of its size


class Pace:
    """The prompt tokens a step may take while others wait for their next token."""

    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds
        self._seconds: dict[int, float] = {}  # by the size's power of two

    def record(self, num_tokens: int, seconds: float) -> None:
        """A batch of that size took that long."""
        size = num_tokens.bit_length()
        known = self._seconds.get(size, seconds)
        self._seconds[size] = known + _WEIGHT * (seconds - known)

    def predict(self, num_tokens: int) -> float:
        """Seconds that a batch would take: never too few by what was seen, none where nothing was.

        Cost grows with size, at most in proportion: a size not seen yet is taken from the next smaller
        one in proportion, else from the next larger one as it is.
        """
        size = num_tokens.bit_length()
        smaller = [known for known in self._seconds if known <= size]
        if smaller:
            return self._seconds[max(smaller)] * 2.0 ** (size - max(smaller))
        return self._seconds[min(self._seconds)] if self._seconds else 0.0

    @property
    def seconds_per_token(self) -> float:
        """Of a long prompt; 0 while nothing is known."""
        return self.predict(CHUNKS[-1]) / CHUNKS[-1]

    def chunk(self, num_rows: int, *, steps: float = 1.0) -> int:
        """Prompt tokens to add to a step that has `num_rows` already, for it to last `steps` at most."""
        if not self._seconds:
            return _FIRST
        fitting = [
            chunk
            for chunk in CHUNKS
            if self.predict(num_rows + chunk) <= steps * self._step_seconds
        ]
        return max(fitting, default=CHUNKS[0])

    def beside(self, num_generating: int, num_reading: int, num_sets: int) -> int:
        """Prompt tokens of a step that keep those who generate waiting for no longer than they should.

        Where more wait for their first token than for their next, that is a little longer. Where others read
        with other adapters, one of `num_sets`, all of them together keep nobody waiting for longer than one would.
        """
        crowd = num_reading / max(num_generating, 1)
        steps = min(max(crowd, 1.0), _CROWD) / max(num_sets - 1, 1)
        return self.chunk(num_generating, steps=steps)

    @property
    def alone(self) -> int:
        """Prompt tokens of a step while nobody generates, but somebody may come."""
        return self.chunk(0, steps=_ALONE)
