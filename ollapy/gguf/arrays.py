"""Arrays in a header: found and measured without decoding them, decoded on demand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ollapy.errors import InvalidModel

from .tables import SCALARS, STRING

MAX_STRING = 16 << 20
MAX_ELEMENTS = 16 << 20
_LENGTH = struct.Struct("<Q")


class HeaderEndsEarly(Exception):
    """The bytes at hand end inside the header; the file may hold more."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array left in the file: `length` elements of `type` in the bytes `start` to `stop`."""

    type: str
    length: int
    start: int
    stop: int


def measure(data: bytes, key: str, type: int, length: int, start: int) -> Array:
    """The array whose elements begin at `start`."""
    if length > MAX_ELEMENTS:
        raise InvalidModel(f"{key} has {length} elements, more than {MAX_ELEMENTS}")
    if type == STRING:
        return Array("string", length, start, _skip_strings(data, key, length, start))
    scalar = SCALARS.get(type)
    if scalar is None:
        raise InvalidModel(f"{key} is an array of the unknown type {type}")
    return Array(scalar.name, length, start, start + length * scalar.codec.size)


def _skip_strings(data: bytes, key: str, count: int, pos: int) -> int:
    """Where `count` strings end. A vocabulary is 400 000 of them, so this loop is the reader's cost."""
    length_at = _LENGTH.unpack_from
    try:
        for _ in range(count):
            (length,) = length_at(data, pos)
            if length > MAX_STRING:
                raise InvalidModel(
                    f"{key} has a string of {length} bytes, more than {MAX_STRING}"
                )
            pos += 8 + length
    except struct.error:
        raise HeaderEndsEarly from None
    return pos


def strings(data: bytes, array: Array) -> Iterator[bytes]:
    """The undecoded elements of an array of strings."""
    length_at, pos = _LENGTH.unpack_from, array.start
    for _ in range(array.length):
        (length,) = length_at(data, pos)
        pos += 8 + length
        yield data[pos - length : pos]


def decode(data: bytes, array: Array) -> tuple[str, ...] | tuple[int | float, ...]:
    """All elements; a token that is a piece of a character gets a replacement for it."""
    if array.type == "string":
        return tuple(text.decode(errors="replace") for text in strings(data, array))
    codec = next(
        scalar.codec for scalar in SCALARS.values() if scalar.name == array.type
    )
    return tuple(
        value for (value,) in codec.iter_unpack(data[array.start : array.stop])
    )
