"""Measures: depths and streams by turns, and the medians of what they gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from .result import Depth, Streams
from .stream import Asker, Stream

NUM_READ = 512  # tokens that are read at each depth
_NUM_GENERATED = 48
_STREAM_PROMPT = 32
_PATIENCE = 60.0  # seconds that filling the context up to a depth may take unless it was asked for


@dataclass(frozen=True, slots=True)
class Limit:
    """What a token costs in bytes that come from memory, and how many come in a second; 0 where that is not known."""

    weights: int
    kv_per_token: int
    bandwidth: float

    def share(self, rate: float, depth: int) -> float | None:
        """The part of it that tokens take which are generated at a rate."""
        if not self.bandwidth or not self.weights:
            return None
        return rate * (self.weights + depth * self.kv_per_token) / self.bandwidth


def fits(depth: int, context: int) -> bool:
    """Whether there is room for what is read and generated behind it."""
    return depth + NUM_READ + _NUM_GENERATED < context


class Measures:
    """Each measure once a round, the first round for nothing. `told` hears what is done."""

    def __init__(self, asker: Asker, told: Callable[[str], None]) -> None:
        self._asker = asker
        self._told = told
        self._base: list[int] = []  # what the context is filled with

    def fill(self, depths: Sequence[int], *, patient: bool) -> list[int]:
        """Have the context's beginning in memory up to each of the depths; those for which that does not take too long."""
        filled = []
        for depth in sorted(depths):
            missing = depth - len(self._base)
            started = self._asker.ask(self._base + self._asker.prompt(64), 1)
            seconds = missing / max(started.read_rate, 1e-9)
            if seconds > _PATIENCE and not patient:
                self._told(
                    f"depth {depth:,} is left out, it would take about {seconds / 60:.0f} minutes: "
                    f"--depth {depth} measures it"
                )
                break
            if depth:
                self._told(f"filling the context up to {depth:,} tokens")
                self._base += self._asker.prompt(missing)
                self._asker.ask(self._base, 1)
            filled.append(depth)
        return filled

    def run(
        self, depths: Sequence[int], counts: Sequence[int], rounds: int, limit: Limit
    ) -> tuple[list[Depth], list[Streams]]:
        """By turns, so that a machine that gets slower does so for all."""
        deep: dict[int, list[Stream]] = defaultdict(list)
        wide: dict[int, list[list[Stream]]] = defaultdict(list)
        for number in range(rounds + 1):
            self._told(f"round {number} of {rounds}" if number else "warming up")
            for depth in depths:
                prompt = self._base[:depth] + self._asker.prompt(NUM_READ)
                deep[depth].append(self._asker.ask(prompt, _NUM_GENERATED))
            for count in counts:
                prompts = [self._asker.prompt(_STREAM_PROMPT) for _ in range(count)]
                wide[count].append(self._asker.ask_all(prompts, _NUM_GENERATED))
        return (
            [_depth(depth, found[1:], limit) for depth, found in deep.items()],
            [_streams(count, found[1:]) for count, found in wide.items()],
        )


def _depth(depth: int, found: Iterable[Stream], limit: Limit) -> Depth:
    found = [*found]
    generated = median(stream.generated_rate for stream in found)
    middle = depth + NUM_READ + _NUM_GENERATED // 2
    share = limit.share(generated, middle)
    return Depth(depth, median(stream.read_rate for stream in found), generated, share)


def _streams(count: int, rounds: Iterable[list[Stream]]) -> Streams:
    together, each = [], []
    for streams in rounds:
        began = min(stream.first_at for stream in streams)
        seconds = max(stream.ended_at for stream in streams) - began
        tokens = sum(stream.last.eval_count - 1 for stream in streams)
        together.append(tokens / seconds)
        each += [stream.generated_rate for stream in streams]
    return Streams(count, median(together), median(each))
