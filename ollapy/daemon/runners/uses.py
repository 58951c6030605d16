"""Uses: the models that one runner answers for, which differ in their names, texts and adapters, not in their weights."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from ollapy.names import ModelName
from ollapy.store import Stored


@dataclass(slots=True, eq=False)
class Use:
    """A model, the requests to it that are under way, and how long it is kept after the last."""

    model: Stored
    keep_alive: float  # seconds
    num_requests: int = 0
    idle_since: float = field(default_factory=time.monotonic)

    @property
    def expires_at(self) -> float:
        """When it is over, on the monotonic clock, if it is not used any more."""
        since = time.monotonic() if self.num_requests else self.idle_since
        return since + self.keep_alive

    @property
    def is_over(self) -> bool:
        """Whether the model is kept no longer."""
        return not self.num_requests and self.expires_at <= time.monotonic()

    def end_request(self) -> None:
        """One of its requests is done."""
        self.num_requests -= 1
        self.idle_since = time.monotonic()


class Uses:
    """By the models' names. What they have in common is kept as long as one of them is."""

    def __init__(self) -> None:
        self._uses: dict[object, Use] = {}

    def begin_request(self, model: Stored, keep_alive: float) -> Use:
        """A request to a model, which is kept so long unless an earlier one said otherwise, and is not over."""
        use = self._uses.get(model.name.key)
        if use is None or use.is_over:
            use = self._uses[model.name.key] = Use(model, keep_alive)
        # the name may stand for another one since, of the same weights
        use.model = model
        use.num_requests += 1
        return use

    def release(self, name: ModelName) -> bool:
        """A model is to go as soon as nobody uses it; whether it is one of these."""
        if use := self._uses.get(name.key):
            use.keep_alive = 0.0
        return use is not None

    @property
    def current(self) -> list[Use]:
        """Those that are not over, the one kept longest first."""
        found = [use for use in self._uses.values() if not use.is_over]
        return sorted(found, key=lambda use: use.expires_at, reverse=True)

    @property
    def num_requests(self) -> int:
        """Requests under way, to any of them."""
        return sum(use.num_requests for use in self._uses.values())

    @property
    def idle_since(self) -> float:
        """When the last request was done."""
        return max(
            (use.idle_since for use in self._uses.values()), default=time.monotonic()
        )

    @property
    def expires_at(self) -> float:
        """When all are over."""
        return max((u.expires_at for u in self._uses.values()), default=-math.inf)

    @property
    def is_pinned(self) -> bool:
        """Whether one is to stay for ever."""
        return self.expires_at == math.inf
