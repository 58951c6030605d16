"""References: blobs whose bytes are in a file of the user's, which the store never changes or deletes.

A reference stands alone where the file is on another disk. Beside a hard link it says what the file was when it
was hashed: the link shares the file's content, so whoever writes to the file writes to the blob.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import InvalidRequest
from ollapy.names import Digest

from .durable import NewFile, translated
from .regular import is_regular

_MAX_BYTES = 64 * 1024
# Making a path takes longer than looking at the file, and `list` does it for every blob.
NUM_PATHS = 1 << 13


class Reference(msgspec.Struct, frozen=True):
    """A file elsewhere, as it was when its content was hashed."""

    path: str
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def to(cls, path: Path, found: os.stat_result) -> Reference:
        return cls(str(path), found.st_size, found.st_mtime_ns, found.st_ino)

    def is_true_of(self, found: os.stat_result) -> bool:
        """Whether a file still has the content, as far as can be told without reading it."""
        then = (self.size, self.mtime_ns)
        return is_regular(found) and (found.st_size, found.st_mtime_ns) == then

    @property
    def target(self) -> Path | None:
        """The file, while it is there and unchanged."""
        path = Path(self.path)
        with suppress(OSError, ValueError):
            return path if self.is_true_of(path.lstat()) else None
        return None


class References:
    """The folder of references, one small JSON file for each digest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path: Callable[[Digest], Path] = lru_cache(NUM_PATHS)(
            lambda digest: root / digest.filename
        )

    def path(self, digest: Digest) -> Path:
        """Where the reference is, or would be."""
        return self._path(digest)

    def find(self, digest: Digest) -> Reference | None:
        """The reference of a digest; one that cannot be read refers to nothing."""
        with translated("read from the model store"):
            try:
                with self.path(digest).open("rb") as file:
                    data = file.read(_MAX_BYTES)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return from_json(data, Reference)
        return None

    def write(self, digest: Digest, reference: Reference) -> None:
        """Refer to that file from now on."""
        try:
            data = msgspec.json.encode(reference)
        except UnicodeEncodeError as exc:
            raise InvalidRequest(
                "the file's path is not UTF-8, rename it or the folders it is in"
            ) from exc
        with NewFile(self.root) as file:
            file.write(data + b"\n")
            file.commit(self.path(digest))

    def digest_of(self, path: Path) -> Digest | None:
        """The digest of the content of a file that is referred to and has stayed the same."""
        for digest in self.digests():
            reference = self.find(digest)
            if reference and reference.path == str(path) and reference.target:
                return digest
        return None

    def digests(self) -> list[Digest]:
        """What there are references for."""
        found = []
        with translated("read from the model store"), suppress(FileNotFoundError):
            for path in self.root.iterdir():
                with suppress(InvalidRequest):
                    found.append(Digest.parse(path.name))
        return found
