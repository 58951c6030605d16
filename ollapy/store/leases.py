"""Leases: which blobs somebody is about to give a name to. Cleaning leaves those alone.

A lease is a file in `<store>/leases` that its owner keeps locked, a digest on each line. It lives as long as
its owner: a file that nobody has locked is a dead one's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ollapy.errors import InvalidRequest
from ollapy.names import Digest

from .durable import translated
from .locks import FileLock

_SUFFIX = ".lease"


class Lease:
    """Blobs that stay, needed by a name or not. `changing` is the store's lock."""

    def __init__(self, folder: Path, changing: FileLock) -> None:
        self._file = FileLock(folder / f"{uuid.uuid4().hex}{_SUFFIX}")
        self._changing = changing

    def add(self, *digests: Digest) -> None:
        """Keep these too. To be called before looking whether they are here.

        Waits for a cleaning that is under way, which has decided without them.
        """
        with self._changing:
            self._file.write(b"".join(b"%s\n" % str(d).encode() for d in digests))

    def begin(self) -> None:
        """Take effect."""
        # else a cleaner takes the file before it is locked for dead
        with self._changing:
            self._file.acquire()

    def end(self) -> None:
        """Let go of them."""
        self._file.release(remove=True)


def leased(folder: Path) -> set[Digest]:
    """What living leases hold; the files of dead ones are deleted. Under the store's lock."""
    return {digest for path in _files(folder) for digest in _held(path)}


def _held(path: Path) -> Iterator[Digest]:
    lock = FileLock(path)
    if lock.acquire(blocking=False):
        lock.release(remove=True)
        return
    with translated("read from the model store"), suppress(FileNotFoundError):
        yield from _digests(path.read_text("ascii", "replace").splitlines())


def _digests(lines: Iterable[str]) -> Iterator[Digest]:
    for line in lines:
        with suppress(InvalidRequest):
            yield Digest.parse(line)


def _files(folder: Path) -> list[Path]:
    with translated("read from the model store"), suppress(FileNotFoundError):
        return [path for path in folder.iterdir() if path.suffix == _SUFFIX]
    return []
