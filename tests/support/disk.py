"""A small disk, and what fills it up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


@contextmanager
def small_disk(folder: Path, *, size: int, inodes: int = 10_000) -> Iterator[Path]:
    """A filesystem of so many bytes and files in `folder`, gone at the end. Skips where nothing can be mounted."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir()
    limits = f"size={size},nr_inodes={inodes}"
    mount = ["mount", "-t", "tmpfs", "-o", limits, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.check_call(["umount", str(folder)])


class Filler:
    """Takes a disk's space, or its files, all but some, until it lets go again."""

    def __init__(self, disk: Path) -> None:
        self._folder = disk / "filler"

    def fill(self, *, pages: int | None = None, files: int | None = None) -> None:
        """Leave no more than so much free."""
        self._folder.mkdir()
        found = os.statvfs(self._folder)
        if pages is not None and (taken := found.f_bavail - pages) > 0:
            with (self._folder / "data").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, taken * found.f_frsize)
        if files is not None:
            for number in range(os.statvfs(self._folder).f_favail - files):
                (self._folder / f"{number}").touch()

    def let_go(self) -> None:
        """All is free again."""
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()
