"""FileLock: one owner at a time among threads and processes, and it dies with its owner.

flock(2) belongs to the open file: every instance opens its own, so threads exclude each other too, and the
kernel lets go when a process ends, however it ends. Nothing is ever stale.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .durable import make_folder, translated

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 40  # beyond any content: locks are mandatory there

    def _lock(descriptor: int, *, blocking: bool) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if blocking else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, blocking: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))


_FLAGS = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)


class FileLock:
    """A lock on a file, which is made when needed. A context manager that waits for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take the lock; False where somebody else has it and `blocking` is off.

        The owner may delete the file before it lets go: whoever waited for the old file tries the new one.
        """
        with translated("lock the model store"):
            while True:
                descriptor = self._open()
                try:
                    _lock(descriptor, blocking=blocking)
                except BlockingIOError:
                    os.close(descriptor)
                    return False
                except BaseException:
                    os.close(descriptor)
                    raise
                if self._is_current(descriptor):
                    self._descriptor = descriptor
                    return True
                os.close(descriptor)

    def release(self, *, remove: bool = False) -> None:
        """Let go; with `remove` the file goes too, while it is still ours."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if remove:
                with suppress(OSError):  # a file that nobody has locked does no harm
                    self.path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Append to the file, for whoever looks at who has the lock."""
        assert self._descriptor is not None
        with translated("write to the model store"):
            os.write(self._descriptor, data)

    def _open(self) -> int:
        make_folder(self.path.parent)
        return os.open(self.path, _FLAGS, 0o644)

    def _is_current(self, descriptor: int) -> bool:
        """Whether what is locked is still what the name leads to."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.lstat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def download_lock(blob: Path) -> FileLock:
    """Held by whoever downloads the blob, while it does."""
    return FileLock(blob.with_name(f"{blob.name}-partial.lock"))
