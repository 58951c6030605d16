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
    REFERENCE = "reference"  # stands for a blob, or says what a linked one was like
    DOWNLOAD = "download"  # data, state or lock of one that is not whole yet
    DAMAGED = "damaged"  # what was under a digest's name and is not what it says
    LEFTOVER = "leftover"  # was being written when its writer died, or still is


class Thing(NamedTuple):
    """What one file, or several together, are: of a digest, or nameless."""

    kind: Kind
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class File:
    """A file of the store. `size` is what deleting it frees, `age` the seconds since it was last written or named.

    `plain` is what it is if its name is a digest and no more.
    """

    path: Path
    size: int
    age: float
    plain: Kind = Kind.BLOB

    @property
    def thing(self) -> Thing | None:
        """What it is by its name; None where it is not ours."""
        name = self.path.name
        if name.startswith(NEW):
            return Thing(Kind.LEFTOVER, None)
        if (match := _NAME.fullmatch(name)) is None:
            return None
        kind = Kind.DOWNLOAD if match[2] else Kind.DAMAGED if match[3] else self.plain
        return Thing(kind, Digest(match[1]))


def files(folder: Path, now: float, plain: Kind = Kind.BLOB) -> Iterator[File]:
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
                        yield File(
                            Path(entry.path),
                            size_on_disk(found),
                            _age(found, now),
                            plain,
                        )


def size_on_disk(found: os.stat_result) -> int:
    """The bytes that are free once the file is deleted: none while it has another name too."""
    if found.st_nlink > 1:
        return 0
    return 512 * getattr(found, "st_blocks", -(-found.st_size // 512))


def _age(found: os.stat_result, now: float) -> float:
    """A linked file's content may be old: the other time is that of the link."""
    return now - max(found.st_mtime, found.st_ctime)
