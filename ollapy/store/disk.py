"""Files that are there whole or not at all, also after a crash, and the disk's errors in our words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from ollapy.errors import StoreError

_REASONS = {
    errno.ENOSPC: "there is not enough disk space for it",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the disk is read-only",
}


@contextmanager
def translated(act: str) -> Iterator[None]:
    """Turns an OSError into a sentence about the store, without the path in it."""
    try:
        yield
    except OSError as error:
        reason = (
            _REASONS.get(error.errno or 0)
            or (error.strerror or "unknown error").lower()
        )
        raise StoreError(f"the model store could not be {act}: {reason}") from error


class Staged:
    """A file under a temporary name, not yet part of the store."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, chunk: bytes) -> None:
        with translated("written"):
            self._file.write(chunk)

    def publish(self, path: Path) -> None:
        """Moves the file to `path`, taking the place of what is there, once its bytes are on the disk."""
        with translated("written"):
            self._file.flush()
            os.fchmod(
                self._file.fileno(), 0o644
            )  # as Ollama, which may run as another user
            os.fsync(self._file.fileno())
            make_folder(path.parent)
            Path(self._file.name).replace(path)
            sync_folder(path.parent)


@contextmanager
def staged(folder: Path) -> Iterator[Staged]:
    """A new file in `folder`; if the block ends without publishing it, nothing is left."""
    with translated("written"):
        make_folder(folder)
        file = NamedTemporaryFile(dir=folder, prefix="tmp-", delete=False)
    try:
        with file:
            yield Staged(file)
    finally:
        Path(file.name).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each one durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Puts the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_bounded(path: Path, limit: int) -> bytes | None:
    """A small file's bytes, at most one more than `limit`; None if it is not there."""
    with translated("read"):
        try:
            with path.open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
