"""Duration: how long a sound is at most, by what its header declares, as decoders set aside memory for that."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .kind import Kind

_MIN_RATE, _MAX_RATE = 8_000, 192_000  # samples a second
_UNPACKED = (
    1,
    3,
    6,
    7,
    0xFFFE,
)  # WAV's formats of a sample each: PCM, floats, A-law, µ-law
_MP3_FRAME = 1152  # samples
_LEAST_BITS = 8_000  # a second of MP3


def duration(data: bytes, kind: Kind) -> float | None:
    """Seconds; None where the header is not whole, or none that is read here."""
    try:
        return _READERS[kind](data)
    except (struct.error, IndexError):
        return None


def _wav(data: bytes) -> float | None:
    at, bytes_per_second = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"fmt ":
            form, channels, rate, _, block, bits = struct.unpack_from(
                "<HHIIHH", data, at + 8
            )
            is_known = form in _UNPACKED and _MIN_RATE <= rate <= _MAX_RATE
            if not is_known or not channels or block * 8 != channels * bits:
                return None
            bytes_per_second = rate * block
        if name == b"data":
            length = min(size, len(data) - at - 8)
            return length / bytes_per_second if bytes_per_second else None
        at += 8 + size + size % 2
    return None


def _flac(data: bytes) -> float | None:
    """The first block tells of the stream, and must be there."""
    if data[4] & 0x7F:
        return None
    (bits,) = struct.unpack_from(">Q", data, 18)
    rate, samples = bits >> 44, bits & (1 << 36) - 1
    return samples / rate if _MIN_RATE <= rate <= _MAX_RATE else None


def _mp3(data: bytes) -> float:
    """By the count of frames that its first one may declare, or at the least bits a second that there are."""
    declared = 0
    for tag in (b"Xing", b"Info", b"VBRI"):
        at = data.find(tag)
        while at >= 0:
            offset = 14 if tag == b"VBRI" else 8
            count = int.from_bytes(data[at + offset : at + offset + 4])
            declared = max(declared, count if _is_near_frame(data, at) else 0)
            at = data.find(tag, at + 1)
    return max(declared * _MP3_FRAME / _MIN_RATE, len(data) * 8 / _LEAST_BITS)


def _is_near_frame(data: bytes, at: int) -> bool:
    """Whether a frame may begin shortly before."""
    return b"\xff" in data[max(0, at - 64) : at]


_READERS: dict[Kind, Callable[[bytes], float | None]] = {
    Kind.WAV: _wav,
    Kind.FLAC: _flac,
    Kind.MP3: _mp3,
}
