"""Finding: one thing that was looked at."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """What it is and how it is; a `cure` says what to do, and makes it a warning."""

    name: str
    text: str
    cure: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to do."""
        return not self.cure
