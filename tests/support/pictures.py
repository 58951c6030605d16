"""Pictures made by the test: a few coloured fields, which no two have alike."""

from __future__ import annotations

import random
import struct
import zlib


def png(width: int = 40, height: int = 30, *, seed: int = 0) -> bytes:
    """An RGB picture as a PNG file."""
    chance = random.Random(seed)
    fields = [[chance.randbytes(3) for _ in range(4)] for _ in range(4)]
    rows = (
        b"\0" + b"".join(fields[4 * y // height][4 * x // width] for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_part(b"IHDR", head)
        + png_part(b"IDAT", zlib.compress(b"".join(rows)))
        + png_part(b"IEND", b"")
    )


def png_part(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file, with its length and checksum."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
