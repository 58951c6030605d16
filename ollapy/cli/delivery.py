"""Delivery: files of this machine on their way to the daemon's store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ollapy.api.ollama import Progress
from ollapy.client import Client
from ollapy.errors import StoreError
from ollapy.names import Digest
from ollapy.settings import Settings
from ollapy.store import Store
from ollapy.store.leases import Lease
from ollapy.store.regular import RegularFile

from .blueprint import Blueprint
from .progress import Show

_PAUSE = 0.1  # seconds between two records of one file


class Delivery:
    """Brings files, and keeps them until it ends: by then what they were brought for has its name.

    1. A file that the store knows, and that nobody has changed since, is not read.
    2. Where the daemon's store is this user's, a file becomes a blob without being copied.
    3. Otherwise it is hashed, and sent if the daemon does not have it.
    """

    def __init__(self, client: Client, settings: Settings, show: Show) -> None:
        self.sent: list[Path] = []
        self.referred: list[Path] = []  # that have to stay where they are
        self._client = client
        self._show = show
        self._store = Store(settings.models)
        self._lease: Lease | None = None
        self._linked: set[Digest] = set()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        if self._client.address.is_local:
            with suppress(StoreError):  # another user's
                self._lease = self._ending.enter_context(self._store.lease())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.close()
        # after a failure they stay for an hour, so that the next try need not read them again
        if self._linked and (kind is None or self._lease is None):
            self._store.discard(self._linked)

    def bring(self, blueprint: Blueprint) -> dict[Path, Digest]:
        """Bring its files; their digests."""
        return {path: self._bring(path, n) for path, n in blueprint.paths.items()}

    def make(self, blueprint: Blueprint, digests: Mapping[Path, Digest]) -> None:
        """Make the model of what was brought."""
        with closing(self._client.create(blueprint.with_digests(digests))) as records:
            for record in records:
                self._show(record)

    def _bring(self, path: Path, name: str) -> Digest:
        told = self._told(f"reading {name}", path)
        if self._lease:
            digest = self._link(path, self._lease, told)
        else:
            with RegularFile(path.resolve()) as file:
                digest = file.digest(told)
        if not self._client.has_blob(digest):
            self._lease = None  # the daemon's store is another one
            self._send(path, digest, self._told(f"copying {name}", path))
        elif self._lease and self._refers(digest):
            self.referred.append(path)
        return digest

    def _refers(self, digest: Digest) -> bool:
        blobs = self._store.blobs
        return blobs.find(digest) != blobs.path(digest)

    def _link(self, path: Path, lease: Lease, told: Callable[[int], None]) -> Digest:
        blobs = self._store.blobs
        digest = blobs.known(path)
        if digest is None:
            digest = blobs.adopt(path, told=told)
            self._linked.add(digest)
        lease.add(digest)
        # until then it may have been cleaned away
        return blobs.adopt(path, expected=digest, told=told)

    def _send(self, path: Path, digest: Digest, told: Callable[[int], None]) -> None:
        with RegularFile(path.resolve()) as file:
            self._client.upload(digest, file.chunks(told), file.stat.st_size)
        self.sent.append(path)

    def _told(self, status: str, path: Path) -> Callable[[int], None]:
        """What hears of the bytes so far, and shows some of the counts."""
        size, last = path.stat().st_size, 0.0

        def told(completed: int) -> None:
            nonlocal last
            now = time.monotonic()
            if completed == size or now - last >= _PAUSE:
                last = now
                self._show(Progress(status, "", size, completed))

        return told
