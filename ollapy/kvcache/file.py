"""The file of a branch: a header with a checksum of its own, then the states.

    magic · length of the header · sha256 of the header · header (MessagePack) · states

llama.cpp trusts what it is given, and ends the process over some of what it does not understand. So it gets
nothing of which a bit has changed, and nothing that another user could have written.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

import msgspec
import numpy as np

from ollapy.decoding import from_msgpack

from .branch import Branch, Outline, State
from .usage import NEW

_PREFIX = struct.Struct("<8sI32s")
_MAGIC = b"ollapyKV"
_MAX_HEADER = 64 << 20
_PIECE = 8 << 20  # bytes that are written between two looks at the clock


class Unusable(Exception):
    """The file is not one that may be used; says why."""


class Header(msgspec.Struct, frozen=True):
    """`key` says what computed it, `parts` are position and size of each state, `digest` is all states' sha256."""

    key: str
    tokens: bytes
    adapters: list[tuple[str, float]]
    asked_by: str
    seconds: float
    parts: list[tuple[int, int]]
    digest: bytes

    @property
    def outline(self) -> Outline:
        """The branch as it is looked for; Unusable where the header contradicts itself."""
        positions = tuple(position for position, _ in self.parts)
        tokens = np.frombuffer(self.tokens, "<i4").astype(np.int32)
        ascends = all(a < b for a, b in zip((0, *positions), positions, strict=False))
        if not ascends or not positions or positions[-1] != len(tokens):
            raise Unusable("its header contradicts itself")
        size = sum(size for _, size in self.parts)
        return Outline(
            tokens, tuple(self.adapters), self.asked_by, self.seconds, positions, size
        )


def read_outline(path: Path, key: str) -> Outline:
    """What is in a file, without its states; Unusable, or an OSError."""
    with _opened(path) as descriptor:
        return _read_header(descriptor, key).outline


def read_branch(path: Path, key: str) -> Branch:
    """All of a file; Unusable, or an OSError."""
    with _opened(path) as descriptor:
        header = _read_header(descriptor, key)
        outline = header.outline
        buffer = np.empty(outline.size, np.uint8).data
        _read_into(descriptor, buffer)
    if hashlib.sha256(buffer).digest() != header.digest:
        raise Unusable("its checksum is not that of its content")
    states, start = [], 0
    for position, size in header.parts:
        states.append(State(position, buffer[start : start + size]))
        start += size
    return Branch(outline, tuple(states), time.monotonic())


def write_branch(path: Path, key: str, branch: Branch, deadline: float) -> bool:
    """A durable file that is whole or absent, the user's alone; False where the deadline has passed before it was.

    The deadline is `time.monotonic()`'s. An OSError where the disk fails.
    """
    descriptor, name = mkstemp(prefix=f"{NEW}{os.getpid()}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in _pieces(key, branch):
                if time.monotonic() > deadline:
                    return False
                file.write(piece)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return True


def _pieces(key: str, branch: Branch) -> Iterator[memoryview | bytes]:
    outline, digest = branch.outline, hashlib.sha256()
    for state in branch.states:
        digest.update(state.data)
    header = msgspec.msgpack.encode(
        Header(
            key,
            outline.tokens.astype("<i4").tobytes(),
            list(outline.adapters),
            outline.asked_by,
            outline.seconds,
            [(state.position, len(state.data)) for state in branch.states],
            digest.digest(),
        )
    )
    yield _PREFIX.pack(_MAGIC, len(header), hashlib.sha256(header).digest()) + header
    for state in branch.states:
        for start in range(0, len(state.data), _PIECE):
            yield state.data[start : start + _PIECE]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, of this user's and nobody else's to read or write."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not is_private(found):
            raise Unusable("others could have written it")
        yield descriptor
    finally:
        os.close(descriptor)


def is_private(found: os.stat_result) -> bool:
    """Whether a file or folder is this user's and closed to all others; Windows keeps a user's folders so itself."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read_header(descriptor: int, key: str) -> Header:
    magic, length, digest = _PREFIX.unpack(_read(descriptor, _PREFIX.size))
    if magic != _MAGIC or length > _MAX_HEADER:
        raise Unusable("it is none of this release's")
    data = _read(descriptor, length)
    if hashlib.sha256(data).digest() != digest:
        raise Unusable("its header's checksum is wrong")
    try:
        header = from_msgpack(data, Header)
    except msgspec.DecodeError as exc:
        raise Unusable("its header is not of this release") from exc
    size = _PREFIX.size + length + sum(size for _, size in header.parts)
    if header.key != key or os.fstat(descriptor).st_size != size:
        raise Unusable("it is cut short, or of another model")
    return header


def _read(descriptor: int, count: int) -> bytes:
    buffer = bytearray(count)
    _read_into(descriptor, memoryview(buffer))
    return bytes(buffer)


def _read_into(descriptor: int, buffer: memoryview) -> None:
    with os.fdopen(os.dup(descriptor), "rb", 0) as file:
        while buffer:
            count = file.readinto(buffer)
            if not count:
                raise Unusable("it is cut short")
            buffer = buffer[count:]
