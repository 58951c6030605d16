"""Dimensions: the width and height that a picture's header declares, in pixels."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .kind import Kind

_Size = tuple[int, int]

# JPEG's markers: start of frame (baseline, extended, progressive), and those without a length.
_FRAMES = (0xC0, 0xC1, 0xC2)
_BARE = (0x01, *range(0xD0, 0xD9))


def dimensions(data: bytes, kind: Kind) -> _Size | None:
    """Width and height; None where the header is not whole or not one that the decoders read."""
    try:
        return _READERS[kind](data)
    except (struct.error, IndexError):
        return None


def _png(data: bytes) -> _Size | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> _Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> _Size:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:  # OS/2's
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height is a picture from top to bottom


def _jpeg(data: bytes) -> _Size | None:
    """Those of the first frame: from marker to marker, past what is between them as decoders do."""
    at = 2
    while True:
        at = data.find(b"\xff", at) + 1
        if not at:
            return None
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if marker == 0 or marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            return None
        at += length


def _webp(data: bytes) -> _Size | None:
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            return width, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None


_READERS: dict[Kind, Callable[[bytes], _Size | None]] = {
    Kind.PNG: _png,
    Kind.JPEG: _jpeg,
    Kind.GIF: _gif,
    Kind.BMP: _bmp,
    Kind.WEBP: _webp,
}
