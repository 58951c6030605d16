"""Ongoing: an operation that is under way, as far as it has reported."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

from ollapy.api.ollama import Progress
from ollapy.api.snapshot import OperationState

_ids = itertools.count(1)


@dataclass(slots=True)
class Ongoing:
    """What it is, for which model. On the event loop."""

    kind: str
    model: str
    id: int = field(default_factory=lambda: next(_ids))
    began: float = field(default_factory=time.monotonic)
    status: str = ""
    blobs: dict[str, tuple[int, int]] = field(default_factory=dict)  # done, of bytes

    def see(self, record: Progress) -> None:
        """It has reported."""
        self.status = record.status
        if record.total:
            self.blobs[record.digest] = record.completed, record.total

    @property
    def state(self) -> OperationState:
        """For who wants to see it; of all its blobs together."""
        return OperationState(
            self.id,
            self.kind,
            self.model,
            self.status,
            sum(done for done, _ in self.blobs.values()),
            sum(total for _, total in self.blobs.values()),
            time.monotonic() - self.began,
        )
