"""Usage: what all kept branches take of the disk, and what goes when there is no room. Files come and go meanwhile."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ABANDONED = 600.0  # seconds after which nobody is still writing a file
_LEAST_FREE = 1 << 30  # bytes that stay free on the disk


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of the cache, and when it was last used: Unix time."""

    path: Path
    size: int
    used_at: float


def kept_files(root: Path) -> list[KeptFile]:
    """All files, of all models, the one that was used longest ago first."""
    return sorted(_files(root), key=lambda file: file.used_at)


def clear(root: Path) -> list[KeptFile]:
    """Remove everything, and say what that was."""
    files = kept_files(root)
    for file in files:
        _remove(file)
    return files


def make_room(root: Path, size: int, max_bytes: int) -> bool:
    """Remove what was used longest ago until so many bytes more fit; whether they do."""
    now, files = time.time(), kept_files(root)
    for file in files:
        if file.path.name.startswith(".") and now - file.used_at > _ABANDONED:
            _remove(file)
    if size > max_bytes:
        return False
    excess = sum(file.size for file in files) + size - max_bytes
    for file in files:
        if excess <= 0:
            break
        excess -= file.size
        _remove(file)
    return shutil.disk_usage(root).free - size > _LEAST_FREE


def _files(root: Path) -> Iterator[KeptFile]:
    with suppress(OSError):
        for folder in root.iterdir():
            yield from _files_of(folder)


def _files_of(folder: Path) -> Iterator[KeptFile]:
    if folder.is_symlink() or not folder.is_dir():
        return
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                found = path.lstat()
                yield KeptFile(path, found.st_size, found.st_mtime)


def _remove(file: KeptFile) -> None:
    with suppress(OSError):
        file.path.unlink()
    with suppress(OSError):  # of a model that nothing is kept of any more
        file.path.parent.rmdir()
