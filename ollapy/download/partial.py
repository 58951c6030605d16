"""Partial: the file of a download that is not whole yet, and which of its blocks are there.

`<blob>-partial` is the data, at its full length from the start. `<blob>-partial-blocks` is a header and then one byte
for each block of 1 MiB: missing, written, or flushed to the disk. What was written survives the end of the process
but not that of the machine, so after another boot only what was flushed counts.
"""

from __future__ import annotations

import errno
import logging
import os
from functools import cache
from pathlib import Path
from threading import Condition

import psutil

from ollapy.store.durable import publish, translated

from .space import check_space, missing

logger = logging.getLogger(__name__)

BLOCK = 1 << 20
_MISSING, _WRITTEN, _FLUSHED = 0, 1, 2
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_NO_PREALLOCATION = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def data_path(blob: Path) -> Path:
    """Where the data of a blob's download is."""
    return blob.with_name(f"{blob.name}-partial")


def blocks_path(blob: Path) -> Path:
    """Where the state of a blob's download is."""
    return blob.with_name(f"{blob.name}-partial-blocks")


def num_completed(blob: Path, size: int) -> int:
    """Bytes that somebody else's download has so far; for progress, no more."""
    try:
        blocks = _blocks(blocks_path(blob).read_bytes(), size)
    except OSError:
        return 0
    return min((len(blocks) - blocks.count(_MISSING)) * BLOCK, size)


class Partial:
    """For the owner of the download's lock. Blocks may be written by several threads."""

    def __init__(self, blob: Path, size: int) -> None:
        self.size = size
        self._blob = blob
        self.changed = Condition()
        with translated("write to the model store"):
            # first: a size may be a lie of exabytes
            check_space(blob.parent, missing(data_path(blob), size))
            self._blocks = self._load()
            self._data = os.open(data_path(blob), _FLAGS, 0o644)
            self._state = os.open(blocks_path(blob), _FLAGS, 0o644)
            try:
                self._reserve()
                state = _header(size) + self._blocks
                os.pwrite(self._state, state, 0)
                os.ftruncate(self._state, len(state))  # at no instant less than it was
            except BaseException:
                self.close()
                raise

    @property
    def path(self) -> Path:
        """The data, as far as it has come."""
        return data_path(self._blob)

    @property
    def num_blocks(self) -> int:
        """All of them, the last of which may be shorter."""
        return len(self._blocks)

    @property
    def num_bytes(self) -> int:
        """What is there, but for the block that is under way."""
        done = len(self._blocks) - self._blocks.count(_MISSING)
        return min(done * BLOCK, self.size)

    def is_missing(self, block: int) -> bool:
        """Whether the block has to be fetched."""
        return self._blocks[block] == _MISSING

    def front(self) -> int:
        """Bytes from the beginning that are there without a gap."""
        gap = self._blocks.find(_MISSING)
        return self.size if gap < 0 else gap * BLOCK

    def write(self, data: memoryview, offset: int) -> None:
        """Put bytes into place; they count when their block is marked."""
        with translated("write to the model store"):
            while data:
                count = os.pwrite(self._data, data, offset)
                data, offset = data[count:], offset + count

    def read(self, view: memoryview, offset: int) -> int:
        """Fill the buffer from there."""
        with translated("read from the model store"):
            return os.preadv(self._data, [view], offset)

    def mark(self, first: int, end: int) -> None:
        """These blocks are written."""
        with self.changed:
            for block in range(first, end):
                self._blocks[block] = _WRITTEN
            self._save(first, end)
            self.changed.notify_all()

    def flush(self) -> None:
        """Make what is written last beyond the machine's end."""
        written = [i for i, state in enumerate(self._blocks) if state == _WRITTEN]
        if not written:
            return
        with translated("write to the model store"):
            os.fsync(self._data)
        with self.changed:
            for block in written:
                self._blocks[block] = _FLUSHED
            self._save(written[0], written[-1] + 1)

    def publish(self) -> None:
        """Give the whole and verified file its blob's name."""
        with translated("write to the model store"):
            publish(self._data, data_path(self._blob), self._blob)
            blocks_path(self._blob).unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what is there."""
        with translated("delete from the model store"):
            data_path(self._blob).unlink(missing_ok=True)
            blocks_path(self._blob).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files, which stay."""
        os.close(self._data)
        os.close(self._state)

    def _save(self, first: int, end: int) -> None:
        with translated("write to the model store"):
            offset = len(_header(self.size)) + first
            os.pwrite(self._state, bytes(self._blocks[first:end]), offset)

    def _load(self) -> bytearray:
        """The blocks that an earlier download left."""
        try:
            state = blocks_path(self._blob).read_bytes()
            whole = data_path(self._blob).lstat().st_size == self.size
        except FileNotFoundError:
            return _blocks(b"", self.size)
        blocks = _blocks(state if whole else b"", self.size)
        if not any(blocks) and state:
            logger.info("download starts over blob=%s", self._blob.name[:19])
        return blocks

    def _reserve(self) -> None:
        """Take the space now: a disk that fills up half way helps nobody."""
        os.ftruncate(self._data, self.size)
        if self.size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._data, 0, self.size)
            except OSError as exc:
                if exc.errno not in _NO_PREALLOCATION:
                    raise


@cache
def _boot() -> bytes:
    """What changes when the machine is started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b"%d" % psutil.boot_time()


def _header(size: int) -> bytes:
    return b"ollapy-1 %20d %-36s\n" % (size, _boot())


def _blocks(state: bytes, size: int) -> bytearray:
    """The blocks of a state file; none are there where it is damaged or another file's."""
    count = -(-size // BLOCK)
    header = _header(size)
    known, blocks = state[: len(header)], bytearray(state[len(header) :])
    same_file = known[:30] == header[:30]
    if not same_file or len(blocks) != count or blocks.strip(b"\0\1\2"):
        return bytearray(count)
    if known != header:  # the machine has been started since
        blocks = blocks.replace(b"\1", b"\0")
    return blocks
