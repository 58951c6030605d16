"""Room: which loaded models go so that another fits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ollapy.daemon.runners.space import Space, total
from ollapy.names import Digest


@dataclass(frozen=True, slots=True)
class Resident:
    """A loaded model. Its end gives what is `taken` back; `idle_seconds` is None while it is used or loading.

    One that is to stay for ever goes last.
    """

    loads: tuple[Digest, ...]
    taken: Space
    load_seconds: float
    idle_seconds: float | None
    is_pinned: bool

    @property
    def worth(self) -> tuple[bool, float]:
        """What keeping it saves: the time to load it again, times how likely that is, per byte."""
        likelihood = 1 / (1 + (self.idle_seconds or 0.0))
        return self.is_pinned, self.load_seconds * likelihood / max(self.taken.total, 1)


def leaving(
    is_enough: Callable[[Space], bool],
    free: Space,
    residents: Sequence[Resident],
    *,
    max_loaded: int,
) -> list[Resident] | None:
    """Those that have to go until so much is enough, the least worth first; None if all that can are not enough.

    `max_loaded` models may be loaded together, the new one among them; 0 is any number.
    """

    def suffice(going: Sequence[Resident]) -> bool:
        number = len(residents) - len(going) + 1
        has_place = not max_loaded or number <= max_loaded
        return has_place and is_enough(free + total(each.taken for each in going))

    idle = [each for each in residents if each.idle_seconds is not None]
    idle.sort(key=lambda each: each.worth)
    count = next((n for n in range(len(idle) + 1) if suffice(idle[:n])), None)
    if count is None:
        return None
    going = idle[:count]
    for each in reversed(idle[:count]):  # whoever would go for nothing stays
        rest = [other for other in going if other is not each]
        going = rest if suffice(rest) else going
    return going
