"""Blobs: content by its digest."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

from ollapy.errors import CorruptManifest, DigestMismatch
from ollapy.names import Digest

from .durable import NewFile, sync_folder, translated

MAX_SMALL = 4 * 1024 * 1024


class Blobs:
    """The folder of blobs. A file under a digest's name is complete and is what the digest says."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._root / digest.filename

    def size(self, digest: Digest) -> int | None:
        """The blob's bytes; None if it is not here. A link is not a blob: it may lead anywhere."""
        with translated("read from the model store"):
            try:
                found = self.path(digest).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def exists(self, digest: Digest) -> bool:
        """Whether the blob is here."""
        return self.size(digest) is not None

    def read(self, digest: Digest) -> bytes:
        """The content of a small blob: a template, a licence, parameters."""
        size = self.size(digest)
        if size is None:
            raise CorruptManifest(f"blob {digest} is not in the store")
        if size > MAX_SMALL:
            raise CorruptManifest(f"blob {digest} is larger than {MAX_SMALL} bytes")
        with translated("read from the model store"):
            return self.path(digest).read_bytes()

    def add(self, chunks: Iterable[bytes], expected: Digest | None = None) -> Digest:
        """Store the content, hashed while it is written; DigestMismatch leaves nothing behind."""
        hasher = hashlib.sha256()
        with NewFile(self._root) as file:
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
