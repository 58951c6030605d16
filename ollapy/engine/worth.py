"""Worth: which branches to keep first, when there is no time or room for all. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ollapy.kvcache.branch import AdapterKey, Branch, Tokens, common

_LEAST = 32  # tokens that are computed again as fast as a file is written and read
_HALF_LIFE = (
    1800.0  # seconds after which what nobody used is half as likely to be wanted
)
_FILE = 4 << 20  # what a file costs beside its content, in bytes


@dataclass(slots=True, eq=False)
class Candidate:
    """A branch that `make` makes; `num_covered` of its tokens are in others that are kept. An instant is monotonic."""

    tokens: Tokens
    adapters: AdapterKey
    size: int
    used_at: float
    make: Callable[[], Branch]
    num_covered: int = 0

    @property
    def num_new(self) -> int:
        """Tokens that would have to be computed again without it."""
        return len(self.tokens) - self.num_covered

    def value(self, now: float) -> float:
        """What computing it saves, by how likely it is that it will, for each byte."""
        likelihood = 0.5 ** ((now - self.used_at) / _HALF_LIFE)
        return float(self.num_new * likelihood / (self.size + _FILE))

    def see(self, other: Candidate) -> None:
        """That one is kept."""
        if other.adapters == self.adapters:
            shared = common(other.tokens, self.tokens)
            self.num_covered = max(self.num_covered, shared)


def most_valuable_first(
    candidates: Iterable[Candidate], now: float
) -> Iterator[Branch]:
    """Each is the one of most value beside those before it."""
    rest = [*candidates]
    while rest:
        best = max(rest, key=lambda candidate: candidate.value(now))
        if best.num_new < _LEAST:
            return
        yield best.make()
        rest.remove(best)
        for other in rest:
            other.see(best)
