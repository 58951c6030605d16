"""Files that are whole or absent, at every instant and after a power cut.

The order of containerd's content store: write under another name, flush to the disk, rename, flush the
folder. A reader sees the old file or the new one.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from ollapy.errors import StoreError
from ollapy.names import Digest

from .clone import clone
from .hashing import hashed

NEW, DAMAGED = ".new-", "-damaged"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Failures of the disk as a sentence that names no path of this machine."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise StoreError(f"could not {what}: {reason}") from exc


class NewFile:
    """A file being written in `folder`, at `path`; `commit` gives it its name, otherwise it vanishes."""

    def __init__(self, folder: Path) -> None:
        with translated("write to the model store"):
            make_folder(folder)
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=NEW)
        self.path = Path(name)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what could not be flushed goes away with the file
            self._file.close()
        with suppress(OSError):  # what stays is a leftover for `ollapy prune`
            self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append to the file."""
        with translated("write to the model store"):
            self._file.write(data)

    def clone(self, source: int) -> bool:
        """Have an open file's content, which is not copied; False where the disk cannot."""
        with translated("write to the model store"):
            if not clone(source, self.path):
                return False
            self._file.close()
            self._file = self.path.open("r+b")
        return True

    def digest(self, told: Callable[[int], None]) -> Digest:
        """The sha256 of what the file holds."""
        with translated("read from the model store"):
            self._file.flush()
            return hashed(self._file.fileno(), told)

    def commit(self, target: Path) -> None:
        """Make the file durable and give it its name, in place of a file of that name."""
        with translated("write to the model store"):
            self._file.flush()
            publish(self._file.fileno(), self.path, target)


def publish(descriptor: int, path: Path, target: Path) -> None:
    """Make an open file durable and give it its name, in place of a file of that name."""
    os.fsync(descriptor)
    # as Ollama's, which may share the store under another user
    path.chmod(0o644)
    make_folder(target.parent)
    if target.is_dir() and not target.is_symlink():
        set_aside(target)  # no file can take a folder's place
    path.replace(target)
    sync_folder(target.parent)


def set_aside(path: Path) -> None:
    """Take what is damaged out of the way. `ollapy prune` deletes it some day."""
    path.rename(path.with_name(f"{path.name}{DAMAGED}-{uuid.uuid4().hex[:8]}"))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; their names are durable too."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where folders cannot be opened (Windows) nothing is needed."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
