"""Blobs: content by digest. What is under `sha256-<hex>` is complete and has that sha256, at every instant."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ollapy.errors import CorruptManifest, DigestMismatch
from ollapy.names import Digest

from .disk import read_bounded, staged, sync_folder, translated

MAX_SMALL = (
    4 << 20
)  # bytes of a layer that is read whole: a template, a licence, parameters


class Blobs:
    """The files under `<root>/blobs`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "blobs"

    def path(self, digest: Digest) -> Path:
        """Where the content is, or would be."""
        return self._folder / digest.filename

    def size(self, digest: Digest) -> int | None:
        """Bytes of the content; None if it is not there. A link under its name does not count."""
        try:
            found = os.lstat(self.path(digest))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def exists(self, digest: Digest) -> bool:
        return self.size(digest) is not None

    def read(self, digest: Digest) -> bytes:
        """A small blob's content."""
        data = (
            read_bounded(self.path(digest), MAX_SMALL) if self.exists(digest) else None
        )
        if data is None:
            raise CorruptManifest(f"the blob {digest} is missing")
        if len(data) > MAX_SMALL:
            raise CorruptManifest(f"the blob {digest} is larger than {MAX_SMALL} bytes")
        return data

    def add(self, chunks: Iterable[bytes], expected: Digest | None = None) -> Digest:
        """Stores content under its digest, which must be the expected one; an error leaves nothing behind."""
        sha256 = hashlib.sha256()
        with staged(self._folder) as file:
            for chunk in chunks:
                sha256.update(chunk)
                file.write(chunk)
            digest = Digest(sha256.hexdigest())
            if expected not in (None, digest):
                raise DigestMismatch(
                    f'digest mismatch, expected "{expected}", got "{digest}"'
                )
            file.publish(self.path(digest))
        return digest

    def remove(self, digest: Digest) -> None:
        """Forgets the content, if it is there."""
        with translated("written"):
            path = self.path(digest)
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
