"""Journal: the requests to models, those under way and the last that have ended. In memory, on the event loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from ollapy.api.report import ContextReport
from ollapy.api.status import RequestEntry
from ollapy.daemon.answers.records import nanoseconds
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners.process import Event
from ollapy.errors import OllapyError
from ollapy.runner.protocol import Chunk, Done, Embeddings, Scores, Usage
from ollapy.units import format_time

_MAX_REQUEST = 16_384  # bytes of JSON that are kept of one
_ids = itertools.count(1)


@dataclass(slots=True)
class Entry:
    """A request, as far as it has come. Times are of the monotonic clock."""

    kind: str
    request: str
    model: str = ""
    outcome: str = ""
    error: str = ""
    id: int = field(default_factory=lambda: next(_ids))
    begun_at: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    loaded: float | None = None
    first: float | None = None
    ended: float | None = None
    num_prompt: int = 0
    usage: Usage | None = None
    context: ContextReport | None = None

    def is_loaded(self) -> float:
        """The model is there: after how many seconds."""
        self.loaded = time.monotonic()
        return self.loaded - self.started

    def end(self, outcome: str) -> dict[str, object]:
        """It ends without an answer; the fields that say so."""
        self.outcome = outcome
        return {"done": True, "done_reason": outcome}

    def see(self, event: Event) -> None:
        """What the runner says: the first is an answer's beginning, the last its end."""
        if self.first is None:
            self.first = time.monotonic()
        match event:
            case Chunk():
                pass
            case Done():
                self.outcome, self.num_prompt = event.reason, event.usage.num_prompt
                self.usage, self.context = event.usage, event.context
            case Embeddings() | Scores():
                self.outcome, self.num_prompt = "done", event.num_prompt
            case _:
                self.outcome = "done"

    @property
    def record(self) -> RequestEntry:
        """For who wants to see it."""
        usage = self.usage
        return RequestEntry(
            id=self.id,
            kind=self.kind,
            model=self.model,
            created_at=format_time(self.begun_at),
            outcome=self.outcome or "running",
            error=self.error,
            total_duration=self._since(self.ended or time.monotonic()),
            load_duration=self._since(self.loaded),
            queue_duration=nanoseconds(usage.queue_seconds) if usage else 0,
            first_token_duration=self._since(self.first),
            prompt_eval_count=self.num_prompt,
            prompt_eval_duration=nanoseconds(usage.prefill_seconds) if usage else 0,
            eval_count=usage.num_generated if usage else 0,
            eval_duration=nanoseconds(usage.decode_seconds) if usage else 0,
            context=self.context,
            request=self.request,
        )

    def _since(self, moment: float | None) -> int:
        """Nanoseconds from the beginning to a moment; none where it has not come."""
        return 0 if moment is None else nanoseconds(moment - self.started)


class Journal:
    """Keeps the last `size` requests, with what was asked only where `keeps_requests`; their sums go to metrics."""

    def __init__(self, metrics: Metrics, size: int, *, keeps_requests: bool) -> None:
        self._metrics = metrics
        self._running: dict[int, Entry] = {}
        self._ended: deque[Entry] = deque(maxlen=size)
        self._keeps_requests = keeps_requests

    @property
    def num_running(self) -> int:
        """Requests under way."""
        return len(self._running)

    @property
    def records(self) -> list[RequestEntry]:
        """Those under way and then those that have ended, the newest first."""
        entries = [*reversed(self._running.values()), *reversed(self._ended)]
        return [entry.record for entry in entries]

    @contextmanager
    def entry(self, kind: str, request: object) -> Iterator[Entry]:
        """A request that is under way while the block runs."""
        entry = Entry(kind, _cut(request) if self._keeps_requests else "")
        self._running[entry.id] = entry
        try:
            yield entry
        except OllapyError as exc:
            entry.outcome, entry.error = "failed", str(exc)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            # a generator that has said all is closed too
            entry.outcome = entry.outcome or "cancelled"
            raise
        except Exception:
            entry.outcome = "failed"
            raise
        finally:
            self._end(entry)

    def _end(self, entry: Entry) -> None:
        entry.outcome = entry.outcome or "done"
        entry.ended = time.monotonic()
        del self._running[entry.id]
        self._ended.append(entry)
        self._metrics.request(entry.kind, entry.model, entry.outcome)
        if entry.first is not None and entry.kind in ("generate", "chat"):
            self._metrics.first_token(entry.model, entry.first - entry.started)
        if entry.num_prompt:
            self._metrics.read(entry.model, entry.num_prompt)
        if entry.usage and entry.context:
            self._metrics.answer(entry.model, entry.usage, entry.context)


def _cut(request: object) -> str:
    text = msgspec.json.encode(request)
    cut = text[:_MAX_REQUEST].decode("utf-8", "ignore")
    return cut if len(text) <= _MAX_REQUEST else f"{cut} …"
