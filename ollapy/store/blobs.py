"""Blobs: content by its digest."""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ollapy.errors import CorruptManifest, DigestMismatch, InvalidRequest
from ollapy.names import Digest

from .durable import NEW, NewFile, sync_folder, translated
from .references import NUM_PATHS, Reference, References
from .regular import RegularFile, is_regular, read_small

MAX_SMALL = 4 * 1024 * 1024
_NOWHERE = (None, None)


def _nobody(_completed: int) -> None:
    """Hears how far the hashing is."""


class Blobs:
    """The folder of blobs. A file under a digest's name is complete and is what the digest says.

    Beside it, in `references`, are those blobs whose bytes are in a file of the user's.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.references = References(root.parent / "references")
        self._path: Callable[[Digest], Path] = lru_cache(NUM_PATHS)(
            lambda digest: root / digest.filename
        )

    def path(self, digest: Digest) -> Path:
        """Where the blob's own file is, or would be."""
        return self._path(digest)

    def find(self, digest: Digest) -> Path | None:
        """Where the blob's bytes are: its own file, or the user's that it refers to; None if it is not here."""
        return self.locate(digest)[0]

    def size(self, digest: Digest) -> int | None:
        """The blob's bytes; None if it is not here."""
        return self.locate(digest)[1]

    def locate(self, digest: Digest) -> tuple[Path, int] | tuple[None, None]:
        """Where the blob's bytes are, and how many.

        A link is not a blob: it may lead anywhere. A file that has been written to since it was hashed is
        not one either; what has the size and the time of then is trusted, and `ollapy verify` reads it.
        """
        path, reference = self.path(digest), self.references.find(digest)
        with translated("read from the model store"):
            try:
                found = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                target = reference.target if reference else None
                return (target, reference.size) if reference and target else _NOWHERE
        is_good = is_regular(found)
        # another file than the one that was linked may have come since, and is the store's alone
        if reference and found.st_ino == reference.inode:
            is_good = reference.is_true_of(found)
        return (path, found.st_size) if is_good else _NOWHERE

    def exists(self, digest: Digest) -> bool:
        """Whether the blob is here."""
        return self.find(digest) is not None

    def read(self, digest: Digest) -> bytes:
        """The content of a small blob: a template, a licence, parameters."""
        path = self.find(digest)
        if path is None:
            raise CorruptManifest(f"blob {digest} is not in the store")
        with translated("read from the model store"):
            data, _ = read_small(path, MAX_SMALL)
        if len(data) > MAX_SMALL:
            raise CorruptManifest(f"blob {digest} is larger than {MAX_SMALL} bytes")
        return data

    def add(self, chunks: Iterable[bytes], expected: Digest | None = None) -> Digest:
        """Store the content, hashed while it is written; DigestMismatch leaves nothing behind."""
        hasher = hashlib.sha256()
        with NewFile(self.root) as file:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            digest = _expect(Digest(hasher.hexdigest()), expected)
            file.commit(self.path(digest))
        return digest

    def make(
        self,
        write: Callable[[Path], None],
        *,
        hold: Callable[[Digest], None],
        told: Callable[[int], None] = _nobody,
    ) -> Digest:
        """Store what `write` puts into the file that it is given, which exists and stays the same file.

        `hold` hears of the digest before the blob has it, to lease it; `told` as in `adopt`.
        """
        with NewFile(self.root) as file:
            write(file.path)
            digest = file.digest(told)
            hold(digest)
            if not self.exists(digest):
                file.commit(self.path(digest))
        return digest

    def known(self, source: Path) -> Digest | None:
        """The digest of a file that is a blob, or that one stands for and nobody has changed since; else None."""
        with translated(f"read '{source.name}'"):
            path = source.resolve(strict=True)
        if path.parent == self.root.resolve():
            with suppress(InvalidRequest):
                digest = Digest.parse(path.name)
                if path.name == digest.filename and self.exists(digest):
                    return digest
        return self.references.digest_of(path)

    def adopt(
        self,
        source: Path,
        *,
        expected: Digest | None = None,
        told: Callable[[int], None] = _nobody,
    ) -> Digest:
        """Make a blob of a file that is elsewhere, which is read but not copied, and stays as it is.

        The blob shares the file's blocks where the disk can do that, else it is a hard link to the file,
        else a reference. `told` hears of the bytes read so far, and may raise to end it.
        """
        if expected is not None and self.exists(expected):
            return expected
        with translated(f"read '{source.name}'"):
            resolved = source.resolve(strict=True)
        with RegularFile(resolved) as file:
            digest = self._cloned(file, expected, told)
            return digest or self._referred(file, expected, told)

    def remove(self, *digests: Digest) -> None:
        """Delete the blobs, never a file they refer to; one that is not here is fine."""
        folders = (self.root, self.references.root)
        with translated("delete from the model store"):
            for digest in digests:
                for folder in folders:
                    (folder / digest.filename).unlink(missing_ok=True)
            for folder in folders:
                if folder.is_dir():
                    sync_folder(folder)

    def _cloned(
        self,
        file: RegularFile,
        expected: Digest | None,
        told: Callable[[int], None],
    ) -> Digest | None:
        """The clone is hashed, not the file: nobody else can write to it. None where the disk has no clones."""
        with NewFile(self.root) as new:
            if not new.clone(file.descriptor):
                return None
            digest = _expect(new.digest(told), expected)
            if not self.exists(digest):
                new.commit(self.path(digest))
        return digest

    def _referred(
        self,
        file: RegularFile,
        expected: Digest | None,
        told: Callable[[int], None],
    ) -> Digest:
        digest = _expect(file.digest(told), expected)
        if not self.exists(digest):
            # the reference first: from its first moment a link is watched for changes
            self.references.write(digest, Reference.to(file.path, file.stat))
            self._link(file, self.path(digest))
        return digest

    def _link(self, file: RegularFile, target: Path) -> None:
        """A hard link to the file, so that the blob outlives the file's own name, where the system allows one."""
        link = self.root / f"{NEW}{uuid.uuid4().hex}"
        try:
            os.link(file.path, link)
        except OSError:  # another disk, another owner's file, a disk without links
            return
        with translated("write to the model store"):
            try:
                if sys.platform != "win32":  # which flushes only what one may write to
                    os.fsync(file.descriptor)
                file.check()
                link.replace(target)
                sync_folder(self.root)
            finally:
                link.unlink(missing_ok=True)  # POSIX leaves it where both are one file


def _expect(digest: Digest, expected: Digest | None) -> Digest:
    if expected not in (None, digest):
        raise DigestMismatch(f'digest mismatch, expected "{expected}", got "{digest}"')
    return digest
