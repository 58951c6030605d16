"""RateLimit: bytes a second over everything that shares it."""

from __future__ import annotations

from threading import Lock

_BURST = 0.25  # seconds


class RateLimit:
    """A token bucket that may be overdrawn: whoever took too much waits afterwards. For any thread."""

    def __init__(self, bytes_per_second: int, now: float) -> None:
        self._rate = max(bytes_per_second, 1)
        self._free_at = now - _BURST  # when all that was taken will have been earned
        self._lock = Lock()

    @property
    def piece(self) -> int:
        """Bytes to take at once, so that no wait is long."""
        return max(min(int(self._rate * _BURST / 4), 256 * 1024), 1)

    def take(self, count: int, now: float) -> float:
        """Account for bytes; the seconds to wait before the next."""
        with self._lock:
            self._free_at = max(self._free_at, now - _BURST) + count / self._rate
            return max(self._free_at - now, 0.0)
