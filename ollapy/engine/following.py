"""Following: prompts that begin alike are read once. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .node import common
from .sequence import Sequence

# A prompt waits for another that is being read if they begin with this many tokens in common.
_WORTH_WAITING = 16


@dataclass(frozen=True, slots=True)
class Leader:
    """Who is reading a prompt for another too, and how many of its first tokens."""

    sequence: Sequence
    shared: int


def leader(sequence: Sequence, running: Iterable[Sequence]) -> Leader | None:
    """Whom a sequence is to wait for; None where nobody is reading what it begins with."""
    for other in running:
        if other.num_pending > 1 and other.adapters == sequence.adapters:
            end = min(other.num_prompt, len(sequence.tokens) - 1)
            shared = common(sequence.tokens, other.tokens, 0, end)
            if shared >= _WORTH_WAITING and shared > other.num_computed:
                return Leader(other, shared)
    return None
