"""What lies in the store's folders, and which of it is ours by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ollapy.names import Digest

from .durable import DAMAGED, NEW, translated

_NAME = re.compile(rf"sha256-([0-9a-f]{{64}})(?:-(partial).*|({DAMAGED}).*)?")


class Kind(StrEnum):
    """What a file of the store is."""

    BLOB = "blob"
    DOWNLOAD = "download"  # data, state or lock of one that is not whole yet
    DAMAGED = "damaged"  # what was under a digest's name and is not what it says
    LEFTOVER = "leftover"  # was being written when its writer died, or still is


class Thing(NamedTuple):
    """What one file, or several together, are: of a digest, or nameless."""

    kind: Kind
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class File:
    """A file of the store. `size` is what deleting it frees, `age` the seconds since it was last written or named."""

    path: Path
    size: int
    age: float
    is_linked: bool = False

    @property
    def thing(self) -> Thing | None:
        """What it is by its name; None where it is not ours."""
        name = self.path.name
        if name.startswith(NEW):
            return Thing(Kind.LEFTOVER, None)
        if (match := _NAME.fullmatch(name)) is None:
            return None
        kind = Kind.DOWNLOAD if match[2] else Kind.DAMAGED if match[3] else Kind.BLOB
        return Thing(kind, Digest(match[1]))


def files(folder: Path, now: float) -> Iterator[File]:
    """The files in a folder that may not exist; its folders are nobody's."""
    with translated("read from the model store"):
        try:
            entries = os.scandir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it has just gone
                    if not entry.is_dir(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield _file(Path(entry.path), found, now)


def _file(path: Path, found: os.stat_result, now: float) -> File:
    # the time of the content of a linked file is its owner's business; the other is when it was linked
    age = now - max(found.st_mtime, found.st_ctime)
    is_linked = found.st_nlink > 1
    on_disk = getattr(found, "st_blocks", -(-found.st_size // 512)) * 512
    return File(path, 0 if is_linked else on_disk, age, is_linked)
