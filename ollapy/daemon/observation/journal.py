"""Journal: the requests to models, those under way and the last that have ended. In memory, on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from ollapy.api.status import RequestEntry
from ollapy.daemon import asker
from ollapy.daemon.observation.entry import Entry
from ollapy.daemon.observation.metrics import Metrics
from ollapy.errors import OllapyError

_MAX_REQUEST = 16_384  # bytes of JSON that are kept of one


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
    def running(self) -> list[RequestEntry]:
        """Those under way, the newest first, as far as the asker may know of them."""
        return _told(reversed(self._running.values()))

    @property
    def is_crowded(self) -> bool:
        """Whether one that has its model and no answer yet may wait for another."""
        running = self._running.values()
        return len(running) > 1 and any(e.is_unanswered for e in running)

    def ahead(self, queues: Iterable[tuple[Container[str], int]]) -> dict[int, int]:
        """How many are before each request that waits for a place: of the models that share an engine the last so many do."""
        found: dict[int, int] = {}
        for models, num in queues:
            asked = [e for e in self._running.values() if e.is_unanswered]
            ids = [e.id for e in asked if e.model in models]
            found |= {id_: n for n, id_ in enumerate(ids[max(len(ids) - num, 0) :])}
        return found

    @property
    def ended(self) -> list[RequestEntry]:
        """The last that have ended, the newest first, as far as the asker may know of them."""
        return _told(reversed(self._ended))

    def begin(self, entry: Entry, model: str) -> None:
        """It is known which model a request is for."""
        beside = (e.id for e in self._running.values() if e.model == model)
        entry.model, entry.beside = model, [*beside]

    @contextmanager
    def entry(self, kind: str, request: object) -> Iterator[Entry]:
        """A request that is under way while the block runs."""
        entry = Entry(kind, _cut(request) if self._keeps_requests else "")
        entry.client = getattr(request, "client", None) or ""
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
        if entry.done:
            self._metrics.answer(entry.model, entry.done.usage, entry.done.context)


def _told(entries: Iterable[Entry]) -> list[RequestEntry]:
    return [e.record for e in entries if e.is_own or asker.sees_all()]


def _cut(request: object) -> str:
    text = msgspec.json.encode(request)
    cut = text[:_MAX_REQUEST].decode("utf-8", "ignore")
    return cut if len(text) <= _MAX_REQUEST else f"{cut} …"
