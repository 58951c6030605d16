"""Downloader: brings blobs into the store. Whoever wants the same one shares its download."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ollapy.names import Digest
from ollapy.net.http import Http
from ollapy.net.rate import RateLimit
from ollapy.operation import Operation
from ollapy.store import Blobs
from ollapy.store.locks import download_lock

from .download import Download
from .partial import Partial, data_path, num_completed
from .plan import Inspect, Source
from .progress import Meter
from .space import check_space, missing

_POLL = 0.1  # seconds between two looks at somebody else's download


class Downloader:
    """For several threads; downloads are shared with other processes too.

    The one that has the blob's lock downloads. The others watch, and one of them goes on where it stops.
    """

    def __init__(
        self,
        blobs: Blobs,
        http: Http,
        *,
        max_rate: int | None = None,
    ) -> None:
        self._blobs = blobs
        self._http = http
        self._limit = RateLimit(max_rate, time.monotonic()) if max_rate else None

    def check_space(self, sizes: Mapping[Digest, int]) -> None:
        """StoreError unless these blobs, as far as they are not here, fit on the disk together."""
        need = sum(
            missing(data_path(self._blobs.path(digest)), size)
            for digest, size in sizes.items()
            if self._blobs.size(digest) != size
        )
        check_space(self._blobs.root, need)

    def fetch(
        self,
        digest: Digest,
        size: int,
        source: Source,
        operation: Operation,
        inspect: Inspect | None = None,
    ) -> None:
        """Return once the blob is in the store, verified; its progress is reported meanwhile."""
        meter = Meter(digest, size, 0, operation.report)
        path = self._blobs.path(digest)
        lock = download_lock(path)
        while self._blobs.size(digest) != size:
            if lock.acquire(blocking=False):
                try:
                    self._download(digest, size, source, operation, inspect)
                finally:
                    lock.release(remove=True)
                return
            operation.wait(_POLL)
            meter.tell(num_completed(path, size))
        meter.finish()

    def _download(
        self,
        digest: Digest,
        size: int,
        source: Source,
        operation: Operation,
        inspect: Inspect | None,
    ) -> None:
        if self._blobs.size(digest) == size:  # it came between the look and the lock
            return
        partial = Partial(self._blobs.path(digest), size)
        try:
            download = Download(
                self._http,
                source,
                digest,
                partial,
                operation,
                limit=self._limit,
                inspect=inspect,
            )
            download.run()
        finally:
            partial.close()
