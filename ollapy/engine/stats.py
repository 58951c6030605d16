"""Counters: what the engine has done so far, cheap enough to be kept in every step."""

from __future__ import annotations

from dataclasses import dataclass, field

# Upper bounds of the step times that are counted together, in seconds; longer ones come last.
STEP_BOUNDS = tuple(0.001 * 2**n for n in range(13))


@dataclass(slots=True)
class Counters:
    """Sums since the engine began; `overhead_seconds` is the steps' time less decoding and sampling."""

    steps: int = 0
    rows: int = 0
    tokens: int = 0
    shifts: int = 0
    resizes: int = 0
    switches: int = 0  # to other adapters
    wipes: int = 0  # of the whole memory, for numbers that were none
    kept: int = 0  # branches that were put elsewhere
    restored: int = 0  # tokens of prompts that came back from there
    encoded: int = 0  # parts of pictures and sounds
    encode_seconds: float = 0.0  # of pictures and sounds
    resize_seconds: float = 0.0
    decode_seconds: float = 0.0
    sample_seconds: float = 0.0
    overhead_seconds: float = 0.0
    # how many steps took at most as long as the bound of the same index
    step_times: list[int] = field(default_factory=lambda: [0] * (len(STEP_BOUNDS) + 1))

    @property
    def native_seconds(self) -> float:
        """Time spent on the model's side of a step."""
        return self.decode_seconds + self.sample_seconds

    def add_step(self, seconds: float) -> None:
        """A step took that long."""
        self.steps += 1
        bucket = sum(seconds > bound for bound in STEP_BOUNDS)
        self.step_times[bucket] += 1
