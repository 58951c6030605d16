"""RegularFile: a file that is read whole, and whether it has stayed the same meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from ollapy.errors import InvalidRequest, StoreError
from ollapy.names import Digest

from .durable import translated
from .hashing import hashed

# What is opened has just been seen to be a regular file; if it is something else by now, nobody waits for it.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_CHUNK = 1 << 20


def is_regular(found: os.stat_result) -> bool:
    """Whether it is a file with content: no folder, link, pipe or device."""
    return stat.S_ISREG(found.st_mode)


def read_small(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """A file's content, of a longer one a byte more than the limit, and what the file was like.

    The buffer is no larger than the file: one of megabytes takes longer to get than a small file to read.
    """
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        return file.read(min(found.st_size, limit) + 1), found


class RegularFile:
    """An open file. A context manager; anything but a regular file is refused, and not even opened.

    Errors name the file without its folder: they may go to somebody else's machine.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated(f"read '{path.name}'"):
            if not is_regular(path.lstat()):
                raise InvalidRequest(f"'{path.name}' is not a regular file")
            self.descriptor = os.open(path, _FLAGS)
        self.stat = os.fstat(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def digest(self, told: Callable[[int], None]) -> Digest:
        """The sha256 of the content; StoreError if it changes meanwhile. `told` hears of the bytes so far."""
        with translated(f"read '{self.path.name}'"):
            digest = hashed(self.descriptor, told)
        self.check()
        return digest

    def chunks(self, told: Callable[[int], None]) -> Iterator[bytes]:
        """The content in pieces; in place of the last one StoreError if it has changed meanwhile."""
        sent = 0
        with open(self.descriptor, "rb", buffering=0, closefd=False) as file:
            while sent < self.stat.st_size:
                chunk = file.read(min(_CHUNK, self.stat.st_size - sent))
                sent += len(chunk)
                if not chunk or sent == self.stat.st_size:
                    self.check()
                yield chunk
                told(sent)

    def check(self) -> None:
        """StoreError unless the path still leads to this file, with the content it had when it was opened."""
        with translated(f"read '{self.path.name}'"):
            now, named = os.fstat(self.descriptor), self.path.lstat()
        if _state(now) != _state(self.stat) or _state(named) != _state(self.stat):
            raise StoreError(
                f"'{self.path.name}' changed while it was read, try again when it is complete"
            )


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
