"""Clone: a file's content under a second name, sharing the disk's blocks until one of them changes."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "linux":
    import fcntl

    _FICLONE = 0x40049409  # linux/fs.h: the descriptor's content becomes another's

    def clone(source: int, target: Path) -> bool:
        """Give the open file's content to the empty one at `target`; False where the disk cannot."""
        with target.open("r+b") as file:
            try:
                fcntl.ioctl(file.fileno(), _FICLONE, source)
            except OSError:
                return False
        return True

elif sys.platform == "darwin":
    import ctypes
    import os

    _AT_FDCWD = -2  # sys/fcntl.h
    _libc = ctypes.CDLL(None, use_errno=True)

    def clone(source: int, target: Path) -> bool:
        """Put a file with the open one's content in place of `target`; False where the disk cannot."""
        target.unlink()  # it makes the file itself
        name = ctypes.c_char_p(os.fsencode(target))
        return bool(_libc.fclonefileat(source, _AT_FDCWD, name, 0) == 0)

else:

    def clone(source: int, target: Path) -> bool:
        """Never, here."""
        return False
