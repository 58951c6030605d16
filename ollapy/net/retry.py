"""Whether to try again, and when: decided from what happened, without the network."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ollapy.errors import RemoteError

from .failures import ConnectionFailed, Refused

_PASSING = frozenset({408, 429})
_MAX_DELAY = 60.0
_MAX_RETRY_AFTER = 300.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried without progress, and the seconds of the first pause."""

    attempts: int = 6
    stalls: int = 10
    pause: float = 1.0


# for a first question: somebody waits, and nothing has been done that would be lost
BRIEF = Patience(attempts=3, stalls=2, pause=0.5)


class Retry:
    """The tries of one piece of work. Only tries in a row without progress count."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._failures = self._stalls = 0

    def progressed(self) -> None:
        """Something came of the last try."""
        self._failures = self._stalls = 0

    def after(self, failure: RemoteError) -> float | None:
        """Seconds until the next try; None to give up."""
        stalled = isinstance(failure, ConnectionFailed) and failure.stalled
        if stalled:  # 30 seconds of silence were pause enough
            self._stalls += 1
            return 0.0 if self._stalls < self._patience.stalls else None
        self._failures += 1
        if self._failures >= self._patience.attempts or not is_passing(failure):
            return None
        return self._delay(failure)

    def _delay(self, failure: RemoteError) -> float | None:
        longest = min(self._patience.pause * 2.0 ** (self._failures - 1), _MAX_DELAY)
        asked = _asked_for(failure, datetime.now(UTC))
        if asked is not None and asked > _MAX_RETRY_AFTER:
            return None
        # jitter only adds: a server that says when is not asked before
        return max(asked or 0.0, longest) + longest * random.random() / 2


def is_passing(failure: RemoteError) -> bool:
    """Whether another try may go better."""
    if isinstance(failure, Refused):
        return failure.http_status in _PASSING or failure.http_status >= 500
    return isinstance(failure, ConnectionFailed) and failure.passing


def _asked_for(failure: RemoteError, now: datetime) -> float | None:
    text = failure.retry_after if isinstance(failure, Refused) else None
    return None if text is None else seconds_until(text, now)


def seconds_until(retry_after: str, now: datetime) -> float | None:
    """The pause that a Retry-After header asks for, in seconds or as a date; None for garbage."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds: float = (_aware(then) - now).total_seconds()
    return max(seconds, 0.0)


def _aware(then: datetime) -> datetime:
    return then if then.tzinfo else then.replace(tzinfo=UTC)
