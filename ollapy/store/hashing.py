"""The sha256 of a file, as fast as the disk gives it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from ollapy.names import Digest

_CHUNK = 1 << 20


def hashed(descriptor: int, told: Callable[[int], None]) -> Digest:
    """The digest of an open file's content, from its beginning. `told` hears of the bytes so far."""
    hasher, buffer, offset = hashlib.sha256(), bytearray(_CHUNK), 0
    view = memoryview(buffer)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        while count := file.readinto(buffer):
            hasher.update(view[:count])
            offset += count
            told(offset)
    return Digest(hasher.hexdigest())
