"""Pictures made by the test: a few coloured fields, which no two have alike."""

from __future__ import annotations

import random
import struct
import zlib


def png(width: int = 40, height: int = 30, *, seed: int = 0) -> bytes:
    """An RGB picture as a PNG file."""
    rows = (b"\0" + row for row in _rows(width, height, seed))
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


def bmp(width: int = 40, height: int = 30, *, seed: int = 0) -> bytes:
    """The same picture as a BMP file, whose rows go upwards."""
    padding = bytes(-3 * width % 4)
    rows = b"".join(_bgr(row) + padding for row in reversed(_rows(width, height, seed)))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)  # fmt: skip
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def gif(width: int = 40, height: int = 30, *, seed: int = 0) -> bytes:
    """The same picture as a GIF file, its colours written out one code a pixel."""
    rows = _rows(width, height, seed)
    pixels = [row[3 * x : 3 * x + 3] for row in rows for x in range(width)]
    colours = sorted({*pixels})
    table = b"".join(colours).ljust(3 * 128, b"\0")
    data = _codes([colours.index(pixel) for pixel in pixels])
    blocks = b"".join(
        bytes([len(data[i : i + 255])]) + data[i : i + 255]
        for i in range(0, len(data), 255)
    )
    screen = struct.pack("<HHBBB", width, height, 0xF6, 0, 0)
    frame = struct.pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + screen + table + b"," + frame + b"\x07" + blocks + b"\0;"


def _codes(indices: list[int]) -> bytes:
    """LZW without a dictionary: it is cleared before its codes would grow beyond 8 bits."""
    clear, end, found = 128, 129, bytearray()
    for i, index in enumerate(indices):
        if i % 100 == 0:
            found.append(clear)
        found.append(index)
    return bytes([*found, end])


def jpeg() -> bytes:
    """A grey JPEG file of 8 by 8 pixels."""
    quantities = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    frame = b"\xff\xc0" + struct.pack(">HBHHBBBB", 11, 8, 8, 8, 1, 1, 0x11, 0)
    # one code of one bit: no difference to the left, and nothing but the average
    tables = b"".join(
        b"\xff\xc4" + struct.pack(">HB", 20, kind) + b"\1" + bytes(15) + b"\0"
        for kind in (0x00, 0x10)
    )
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 63, 0)
    return b"\xff\xd8" + quantities + frame + tables + scan + b"\x3f\xff\xd9"


def _bgr(row: bytes) -> bytes:
    return b"".join(row[i : i + 3][::-1] for i in range(0, len(row), 3))


def _rows(width: int, height: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    fields = [[chance.randbytes(3) for _ in range(4)] for _ in range(4)]
    return [
        b"".join(fields[4 * y // height][4 * x // width] for x in range(width))
        for y in range(height)
    ]
