"""Check: whether a file may be given to a decoder."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ollapy.errors import InvalidRequest

from . import webp
from .dimensions import dimensions
from .duration import duration
from .kind import Kind

MAX_BYTES = 20 << 20
MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384  # pixels; preprocessing copies rows and columns of that length
MAX_SECONDS = 5_000  # of a sound; the samples take 320 MB
_MAX_SCANS = 64  # of a JPEG, each of which goes over all of its pixels
_PIECE = 1 << 20
_PACKED = 1 << 16


def check(data: bytes, name: str) -> Kind:
    """The kind of a picture or sound that can be decoded within bounds; InvalidRequest, which calls it `name`.

    A PNG is unpacked for that, as its decoder would do it without a bound: 0.2 s for 50 million pixels.
    """
    kind = Kind.of(data)
    if kind is None:
        raise InvalidRequest(
            f"{name} is of no supported kind: images are PNG, JPEG, WebP, GIF or BMP, sounds WAV, MP3 or FLAC"
        )
    if kind is Kind.WEBP and not webp.is_readable():
        raise InvalidRequest(f"{name} is WebP: {webp.CURE}")
    if len(data) > MAX_BYTES:
        raise InvalidRequest(
            f"{name} has {len(data)} bytes, at most {MAX_BYTES} are taken: make it smaller"
        )
    if kind.is_sound:
        _check_sound(data, kind, name)
    else:
        _check_picture(data, kind, name)
    return kind


def _check_sound(data: bytes, kind: Kind, name: str) -> None:
    seconds = duration(data, kind)
    if seconds is None:
        raise InvalidRequest(
            f"{name} could not be decoded: its header is damaged, or of an unusual {kind}"
        )
    if seconds > MAX_SECONDS:
        raise InvalidRequest(
            f"{name} may last {seconds:.0f} s, at most {MAX_SECONDS} are taken: make it shorter"
        )


def _check_picture(data: bytes, kind: Kind, name: str) -> None:
    size = dimensions(data, kind)
    if size is None or 0 in size:
        raise InvalidRequest(f"{name} could not be decoded: its header is damaged")
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise InvalidRequest(
            f"{name} has {width} x {height} pixels, at most {MAX_PIXELS} and {MAX_SIDE} a side are taken: make it smaller"
        )
    if kind is Kind.PNG and _unpacks_to_more(data, 2 * 8 * (width + 8) * (height + 8)):
        raise InvalidRequest(f"{name} unpacks to more than its size, it is no picture")
    if kind is Kind.JPEG and data.count(b"\xff\xda") > _MAX_SCANS:
        raise InvalidRequest(f"{name} has more than {_MAX_SCANS} scans")


def _unpacks_to_more(data: bytes, most: int) -> bool:
    """Whether a PNG's rows take more bytes than that; what is damaged is for the decoder to find."""
    unpacker, total = zlib.decompressobj(), 0
    for packed in _rows(data):
        while packed:
            try:
                total += len(unpacker.decompress(packed, _PIECE))
            except zlib.error:
                return False
            if total > most:
                return True
            packed = unpacker.unconsumed_tail
    return False


def _rows(data: bytes) -> Iterator[bytes]:
    """The contents of a PNG's IDAT parts, in pieces: what is left of one is copied with each that is unpacked."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            end = min(at + 8 + length, len(data))
            for start in range(at + 8, end, _PACKED):
                yield data[start : min(start + _PACKED, end)]
        at += length + 12
