"""Usage: what all kept branches take of the disk, and what goes when there is no room. Files come and go meanwhile.

Whatever else lies in the folder is none of ours: it is neither counted nor removed.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ollapy.units import format_bytes

NEW, SUFFIX = ".new-", ".kv"
_FOLDER = re.compile(r"[0-9a-f]{16}-[0-9a-f]{40}")
_FILE = re.compile(r"[0-9a-f]{40}\.kv|\.new-([0-9]+)-\w+")
_ABANDONED = 600.0  # seconds after which nobody is still writing a file
LEAST_FREE = 1 << 30  # bytes that stay free on the disk


class NoRoom(Exception):
    """So many bytes cannot be kept; says why."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of the cache, and when it was last used: Unix time."""

    path: Path
    size: int
    used_at: float

    def is_abandoned(self, now: float) -> bool:
        """Whether it was being written by a process that has ended, or hangs."""
        found = _FILE.fullmatch(self.path.name)
        if found is None or found[1] is None:
            return False
        return now - self.used_at > _ABANDONED or not _is_running(int(found[1]))


def _is_running(pid: int) -> bool:
    """Whether the process can still write; an orphan that nobody has waited for cannot."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def folder_name(weights: str, key: str) -> str:
    """Of what was computed with the weights of that digest, as `key` says."""
    return f"{weights.rpartition(':')[2][:16]:0>16}-{key}"


def kept_files(root: Path, weights: str = "") -> list[KeptFile]:
    """All files, of all models or of one with these weights, the one that was used longest ago first."""
    begin = folder_name(weights, "") if weights else ""
    return sorted(_files(root, begin), key=lambda file: file.used_at)


def clear(root: Path, weights: str = "") -> list[KeptFile]:
    """Remove everything, or what was computed with these weights, and say what that was."""
    files = kept_files(root, weights)
    for file in files:
        _remove(file)
    return files


def make_room(root: Path, size: int, max_bytes: int) -> None:
    """Remove what was used longest ago until so many bytes more fit; NoRoom, and all stays, where they never would."""
    files = _swept(root)
    total, free = sum(file.size for file in files), shutil.disk_usage(root).free
    if size > max_bytes:
        raise NoRoom(
            f"{format_bytes(size)} are more than OLLAPY_KV_CACHE allows, {format_bytes(max_bytes)}"
        )
    if size + LEAST_FREE > free + total:
        raise NoRoom(f"the disk has {format_bytes(free)} left, make room on it")
    _shrink(files, max(total + size - max_bytes, size + LEAST_FREE - free))


def trim(root: Path, max_bytes: int) -> None:
    """Remove what was used longest ago until the rest is no more than that, whoever wrote it."""
    files = kept_files(root)
    _shrink(files, sum(file.size for file in files) - max_bytes)


def _shrink(files: list[KeptFile], excess: int) -> None:
    """Remove the first files until so many bytes have gone."""
    for file in files:
        if excess <= 0:
            break
        excess -= file.size
        _remove(file)


def _swept(root: Path) -> list[KeptFile]:
    """All files but those that nobody writes any more, which go."""
    now, files = time.time(), kept_files(root)
    left = [file for file in files if file.is_abandoned(now)]
    for file in left:
        _remove(file)
    return [file for file in files if file not in left]


def _files(root: Path, begin: str) -> Iterator[KeptFile]:
    with suppress(OSError):
        for folder in root.iterdir():
            if _FOLDER.fullmatch(folder.name) and folder.name.startswith(begin):
                yield from _files_of(folder)


def _files_of(folder: Path) -> Iterator[KeptFile]:
    if folder.is_symlink() or not folder.is_dir():
        return
    with suppress(OSError):
        for path in folder.iterdir():
            if _FILE.fullmatch(path.name):
                with suppress(FileNotFoundError):
                    found = path.lstat()
                    yield KeptFile(path, found.st_size, found.st_mtime)


def _remove(file: KeptFile) -> None:
    with suppress(OSError):
        file.path.unlink()
    with suppress(OSError):  # of a model that nothing is kept of any more
        file.path.parent.rmdir()
