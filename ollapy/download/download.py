"""Download: one blob over several connections, hashed while it comes."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

from ollapy.errors import DigestMismatch, InvalidModel, RemoteError, StoreError
from ollapy.names import Digest
from ollapy.net.failures import ConnectionFailed
from ollapy.net.http import Http, Response
from ollapy.net.line import Line
from ollapy.net.rate import RateLimit
from ollapy.net.retry import Retry
from ollapy.operation import Operation

from .partial import BLOCK, Partial
from .parts import Part, Parts, span
from .plan import Inspect, Source
from .progress import Meter
from .stream import RangeIgnored, opened

_POLL = 0.05  # seconds between two looks at what the threads have done
_MAX_CONNECTIONS = 8
_CONNECTION = 16 * BLOCK  # one more connection for each of these
_FLUSH = 256 * BLOCK
_BEGINNING = 128 * BLOCK  # the header of a model is in there


class Download:
    """Fetches what the partial misses. `run` returns once it is whole and verified."""

    def __init__(
        self,
        http: Http,
        source: Source,
        digest: Digest,
        partial: Partial,
        operation: Operation,
        *,
        limit: RateLimit | None,
        inspect: Inspect | None,
    ) -> None:
        self._http = http
        self._source = source
        self._digest = digest
        self._partial = partial
        self._operation = operation
        self._parts = Parts(partial)
        self._limit = limit
        self._inspect = inspect if partial.size > _BEGINNING else None
        self._lines = [Line() for _ in range(_num_connections(partial.size))]
        self._ranged = Event()  # the server gives parts, so that others may join
        self._ended = Event()
        self._meter = Meter(digest, partial.size, partial.num_bytes, operation.report)

    def run(self) -> None:
        """StoreError for the disk, RemoteError for the server, DigestMismatch for wrong bytes.

        InvalidModel where somebody who looked at the beginning does not want the rest.
        """
        try:
            found = self._fetched()
            if found != self._digest:
                raise DigestMismatch(
                    f"digest mismatch, file must be downloaded again: want {self._digest}, got {found}"
                )
        except (DigestMismatch, InvalidModel):
            self._partial.discard()
            raise
        self._partial.publish()
        self._meter.finish()

    def _fetched(self) -> Digest:
        """The digest of what has come."""
        with ThreadPoolExecutor(len(self._lines) + 1, "download") as threads:
            try:
                hashing = threads.submit(self._hash)
                self._wait_for({threads.submit(self._fetch, self._lines[0])}, threads)
                self._wait_for({hashing})
            finally:
                self._end()
        return hashing.result()

    def _wait_for(
        self, pending: set[Future[Any]], threads: ThreadPoolExecutor | None = None
    ) -> None:
        """Until all are done, telling how far it is; the first failure ends the others.

        Once the server has given one part, the other connections join in `threads`.
        """
        while pending:
            done, pending = wait(pending, _POLL, FIRST_COMPLETED)
            for future in done:
                future.result()
            self._operation.check()
            self._meter.tell(self._partial.num_bytes)
            if self._inspect and self._partial.front() >= _BEGINNING:
                self._inspect(self._partial.path)
                self._inspect = None
            if threads and self._ranged.is_set():
                pending |= {threads.submit(self._fetch, ln) for ln in self._lines[1:]}
                threads = None

    def _end(self) -> None:
        self._ended.set()
        for line in self._lines:
            line.cut()
        with self._partial.changed:
            self._partial.changed.notify_all()

    def _fetch(self, line: Line) -> None:
        """Part after part, each tried again while that may help."""
        retry = Retry()
        while part := self._parts.take():
            before = self._partial.num_bytes
            try:
                self._fetch_part(part, line)
            except (RemoteError, StoreError) as exc:
                self._parts.give_back(part)
                if self._partial.num_bytes > before:
                    retry.progressed()
                pause = retry.after(exc) if isinstance(exc, RemoteError) else None
                if pause is None:
                    raise
                line.wait(pause)
            else:
                retry.progressed()

    def _fetch_part(self, part: Part, line: Line) -> None:
        size = self._partial.size
        asked = span(part, size)
        with opened(self._http, self._source, self._digest, asked, size, line) as (
            response,
            begin,
        ):
            if response.status == 206:
                self._ranged.set()
            elif asked != (0, size):
                if self._ranged.is_set():
                    raise RangeIgnored(f"blob {self._digest} came whole, not in parts")
                asked = span(self._parts.take_all(), size)
            self._receive(response, begin, asked[1], line)
            if response.status == 200 and response.read(1):
                raise RemoteError(
                    f"blob {self._digest} is longer than its manifest says"
                )

    def _receive(self, response: Response, offset: int, end: int, line: Line) -> None:
        view = memoryview(bytearray(self._limit.piece if self._limit else BLOCK))
        while offset < end:
            count = response.readinto(view[: min(len(view), end - offset)])
            if not count:
                raise ConnectionFailed("the server closed the connection too early")
            self._partial.write(view[:count], offset)
            first, offset = offset // BLOCK, offset + count
            last = (
                -(-offset // BLOCK) if offset == self._partial.size else offset // BLOCK
            )
            if last > first:
                self._partial.mark(first, last)
            if self._limit:
                line.wait(self._limit.take(count, time.monotonic()))

    def _hash(self) -> Digest:
        """Follows the front. What it reads has just been written, and is still in memory."""
        hasher, view, offset, flushed = (
            hashlib.sha256(),
            memoryview(bytearray(BLOCK)),
            0,
            0,
        )
        while offset < self._partial.size:
            front = self._front_beyond(offset)
            while offset < front and not self._ended.is_set():
                count = self._partial.read(view[: min(BLOCK, front - offset)], offset)
                hasher.update(view[:count])
                offset += count
            if self._ended.is_set():
                raise ConnectionFailed("the download has ended", passing=False)
            if offset - flushed >= _FLUSH:
                self._partial.flush()
                flushed = offset
        return Digest(hasher.hexdigest())

    def _front_beyond(self, offset: int) -> int:
        with self._partial.changed:
            while (
                front := self._partial.front()
            ) <= offset and not self._ended.is_set():
                self._partial.changed.wait()
        return front


def _num_connections(size: int) -> int:
    return max(1, min(_MAX_CONNECTIONS, size // _CONNECTION))
