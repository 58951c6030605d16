"""Files that are whole or absent, at every instant and after a power cut.

The order of containerd's content store: write beside the target, flush to the disk, rename, flush the
folder. A reader sees the old file or the new one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ollapy.errors import StoreError


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Failures of the disk as a sentence that names no path of this machine."""
    try:
        yield
    except OSError as exc:
        raise StoreError(
            f"could not {what}: {exc.strerror or type(exc).__name__}"
        ) from exc


class NewFile:
    """A file being written beside where it will be; it takes its name by `commit` or vanishes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-")
        self._path = Path(name)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            self._path.unlink()

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self._file.write(data)

    def commit(self, target: Path) -> None:
        """Make the file durable and give it its name, in place of a file of that name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.chmod(
            0o644
        )  # as Ollama's, which may share the store under another user
        self._path.replace(target)
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where folders cannot be opened (Windows) nothing is needed."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
