"""Other programs' folders, looked through within bounds: they may hold anything, and links in circles."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from ollapy.gguf.filenames import SUFFIX

from .neighbour import LocalFile

logger = logging.getLogger(__name__)

_MAX_ENTRIES = 100_000


class Folders:
    """One look, which ends after so many entries."""

    def __init__(self) -> None:
        self._left = _MAX_ENTRIES

    def children(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        """What is in a folder; nothing where it cannot be read."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not self._may_go_on(folder):
                        return
                    yield entry
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            logger.info("folder skipped path=%s: %s", folder, exc.strerror)

    def folders(self, folder: Path) -> Iterator[Path]:
        """The folders in a folder, and links to some."""
        for entry in self.children(folder):
            if _is_folder(entry):
                yield Path(entry.path)

    def models(self, folder: Path, depth: int) -> dict[str, LocalFile]:
        """The GGUF files so deep under a folder, by their path from there with slashes."""
        found: dict[str, LocalFile] = {}
        for entry in self.children(folder):
            if entry.name.lower().endswith(SUFFIX):
                if file := _file(Path(entry.path)):
                    found[entry.name] = file
            elif depth > 1 and _is_folder(entry):
                below = self.models(Path(entry.path), depth - 1)
                found |= {f"{entry.name}/{path}": file for path, file in below.items()}
        return found

    def _may_go_on(self, folder: Path) -> bool:
        self._left -= 1
        if self._left == 0:
            logger.warning("too many files to look at all of them path=%s", folder)
        return self._left > 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _file(path: Path) -> LocalFile | None:
    """What begins like a model file; whether it is one shows when it is used."""
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):
            return None
        with path.open("rb") as file:
            is_model = file.read(4) == b"GGUF"
    except OSError as exc:
        logger.info("file skipped path=%s: %s", path, exc.strerror)
        return None
    if not is_model:
        logger.info("file skipped, it is no GGUF file path=%s", path)
        return None
    return LocalFile(path, found.st_size, found.st_mtime)
