"""Progress: how far the load of a model is."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from ollapy.runner.protocol import Loading


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of the files, and of them those that are in the child's memory; then the part of 1 that is loaded.

    Of an engine whose files are not known it is what it says.

    llama.cpp maps the files and has the system read them before it tells of any progress: the longest part of
    most loads shows only in the memory that is shared with the files.
    """

    size: int
    num_read: int = 0
    loaded: float = 0.0
    said: str = ""

    @classmethod
    def of(cls, num_mapped: int, paths: Iterable[str], told: Loading) -> Self:
        """Of a child that loads the files, has so many bytes of files in its memory and has told so much."""
        size = sum(map(_size, paths))
        return cls(size, min(num_mapped, size), told.progress, told.said)

    @property
    def is_reading(self) -> bool:
        """Whether nothing is loaded yet."""
        return not self.loaded

    @property
    def completed(self) -> int:
        """Bytes, of the reading or of the loading."""
        return self.num_read if self.is_reading else int(self.loaded * self.size)


def _size(path: str) -> int:
    with suppress(OSError):  # it is open, and may have been removed since
        return Path(path).stat().st_size
    return 0


def mapped(pid: int) -> int:
    """Bytes of files in a process's memory; where the system does not say, all of its memory."""
    with suppress(psutil.Error):
        memory = psutil.Process(pid).memory_info()
        return int(getattr(memory, "shared", memory.rss))
    return 0
