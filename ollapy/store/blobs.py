"""Blobs: content by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ollapy.errors import DigestMismatch
from ollapy.names import Digest

from .durable import NewFile, sync_folder, translated


class Blobs:
    """The folder of blobs. A file under a digest's name is complete and is what the digest says."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._root / digest.filename

    def exists(self, digest: Digest) -> bool:
        """Whether the blob is here."""
        return self.path(digest).is_file()

    def add(self, chunks: Iterable[bytes], expected: Digest | None = None) -> Digest:
        """Store the content, hashed while it is written; DigestMismatch leaves nothing behind."""
        hasher = hashlib.sha256()
        with translated("write to the model store"), NewFile(self._root) as file:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            digest = Digest(hasher.hexdigest())
            if expected not in (None, digest):
                raise DigestMismatch(
                    f'digest mismatch, expected "{expected}", got "{digest}"'
                )
            file.commit(self.path(digest))
        return digest

    def remove(self, digest: Digest) -> None:
        """Delete the blob; one that is not here is fine."""
        with translated("delete from the model store"):
            self.path(digest).unlink(missing_ok=True)
            if self._root.is_dir():
                sync_folder(self._root)
