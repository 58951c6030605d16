"""Bytes to Header: bounded, strict, and the same answer for the same bytes.

    magic · version · counts │ key, type, value … │ name, shape, type, offset … │ padding │ data

No count or length from the file is believed before it is compared with a limit or with what is there.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from ollapy.errors import InvalidModel, StoreError

from .arrays import MAX_STRING, Array, HeaderEndsEarly, decode, measure
from .checks import check_model, check_split
from .header import Header, Tensor, Value
from .tables import ARRAY, ENCODINGS, SCALARS, STRING
from .vocabulary import check_vocabulary

MAX_KEYS = 65_536
MAX_TENSORS = 65_536
MAX_KEY = 64 << 10
MAX_HEADER = 512 << 20
MAX_DIMENSIONS = 4
MAX_TENSOR_NAME = 63
MAX_ALIGNMENT = 65_536
MAX_TRAILING = 1 << 20
_WINDOWS = (2 << 20, 16 << 20, 128 << 20, MAX_HEADER)
# bytes: a number for each layer is decoded at once, a vocabulary is not
_KEPT = 8 << 10
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


def read_header(path: Path, *, arrays: bool = False, part: bool = False) -> Header:
    """The header of a file that llama.cpp can load; InvalidModel says why it could not.

    With `arrays` long arrays are decoded too; with `part` the file may be one of a split model.
    """
    try:
        stat = path.stat()
        # Before it is opened: a pipe would wait for its writer.
        if not S_ISREG(stat.st_mode):
            raise InvalidModel("not a regular file")
        with path.open("rb") as file:
            return _read(file, stat.st_size, arrays=arrays, part=part)
    except OSError as error:
        raise StoreError(
            f"the model file could not be read: {error.strerror}"
        ) from error


def _read(file: BinaryIO, size: int, *, arrays: bool, part: bool) -> Header:
    """Parses a longer and longer beginning of the file until it holds the whole header."""
    data = b""
    for window in _WINDOWS:
        data += file.read(window - len(data))
        try:
            return _parse(data, size, arrays=arrays, part=part)
        except HeaderEndsEarly:
            if len(data) < window:
                raise InvalidModel("the file ends inside its header") from None
    raise InvalidModel(f"the header is larger than {MAX_HEADER} bytes")


def _parse(data: bytes, size: int, *, arrays: bool, part: bool) -> Header:
    cursor = _Cursor(data)
    version, num_tensors, num_keys = _preamble(cursor)
    raw, types = _metadata(cursor, num_keys)
    tensors = tuple(_tensor(cursor) for _ in range(num_tensors))
    alignment = _alignment(raw)
    data_offset = _padded(cursor.pos, alignment)
    _check_layout(tensors, alignment, size - data_offset)
    limit = MAX_HEADER if arrays else _KEPT
    metadata = {key: _kept(data, value, limit) for key, value in raw.items()}
    header = Header(version, metadata, tensors, data_offset, size, types=types)
    check_split(header, part=part)
    if header.has_metadata:
        check_model(header)
        has_marks = check_vocabulary(header, raw, data)
        return replace(header, has_infill_marks=has_marks)
    return header


class _Cursor:
    """A place in the header; every read moves it on, and none goes past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def scalar(self, codec: struct.Struct) -> int | float:
        value: int | float
        try:
            (value,) = codec.unpack_from(self.data, self.pos)
        except struct.error:
            raise HeaderEndsEarly from None
        self.pos += codec.size
        return value

    def u32(self) -> int:
        return int(self.scalar(_U32))

    def u64(self) -> int:
        return int(self.scalar(_U64))

    def string(self, what: str, limit: int) -> bytes:
        length = self.u64()
        if length > limit:
            raise InvalidModel(f"{what} has {length} bytes, more than {limit}")
        self.seek(self.pos + length)
        return self.data[self.pos - length : self.pos]

    def seek(self, pos: int) -> None:
        if pos > len(self.data):
            raise HeaderEndsEarly
        self.pos = pos


def _preamble(cursor: _Cursor) -> tuple[int, int, int]:
    if cursor.data[:4] != b"GGUF":
        raise InvalidModel("not a GGUF file")
    cursor.seek(4)
    version = cursor.u32()
    if version not in (2, 3):
        raise InvalidModel(
            "a big-endian GGUF file is not supported"
            if version and not version & 0xFFFF
            else f"GGUF version {version} is not supported, only 2 and 3 are"
        )
    num_tensors, num_keys = cursor.u64(), cursor.u64()
    if num_tensors > MAX_TENSORS:
        raise InvalidModel(
            f"the file has {num_tensors} tensors, more than {MAX_TENSORS}"
        )
    if num_keys > MAX_KEYS:
        raise InvalidModel(f"the file has {num_keys} keys, more than {MAX_KEYS}")
    return version, num_tensors, num_keys


def _metadata(
    cursor: _Cursor, num_keys: int
) -> tuple[dict[str, Value], dict[str, str]]:
    """The values, and the types of those that are numbers."""
    metadata: dict[str, Value] = {}
    types: dict[str, str] = {}
    for _ in range(num_keys):
        key = _name(cursor.string("a key", MAX_KEY), "a key")
        if key in metadata:
            raise InvalidModel(f"{key} appears twice")
        kind = cursor.u32()
        metadata[key] = _value(cursor, key, kind)
        if kind in SCALARS:
            types[key] = SCALARS[kind].name
    return metadata, types


def _name(raw: bytes, what: str) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise InvalidModel(f"{what} is not UTF-8") from None
    if not name or "\0" in name:
        raise InvalidModel(f"{what} is empty or holds a NUL")
    return name


def _value(cursor: _Cursor, key: str, kind: int) -> Value:
    if kind == STRING:
        return cursor.string(key, MAX_STRING).decode(errors="replace")
    if kind == ARRAY:
        kind, length = cursor.u32(), cursor.u64()
        array = measure(cursor.data, key, kind, length, cursor.pos)
        cursor.seek(array.stop)
        return array
    if kind not in SCALARS:
        raise InvalidModel(f"{key} has the unknown type {kind}")
    return cursor.scalar(SCALARS[kind].codec)


def _kept(data: bytes, value: Value, limit: int) -> Value:
    if isinstance(value, Array) and value.stop - value.start <= limit:
        return decode(data, value)
    return value


def _tensor(cursor: _Cursor) -> Tensor:
    name = _name(cursor.string("a tensor's name", MAX_TENSOR_NAME), "a tensor's name")
    num_dimensions = cursor.u32()
    if not 1 <= num_dimensions <= MAX_DIMENSIONS:
        raise InvalidModel(
            f"tensor {name} has {num_dimensions} dimensions, not 1 to {MAX_DIMENSIONS}"
        )
    shape = tuple(cursor.u64() for _ in range(num_dimensions))
    tensor = Tensor(name, shape, cursor.u32(), cursor.u64())
    if not 1 <= prod(shape) < 1 << 63:
        raise InvalidModel(f"tensor {name} has the impossible shape {list(shape)}")
    encoding = ENCODINGS.get(tensor.type)
    if encoding is None:
        raise InvalidModel(f"tensor {name} has the unknown type {tensor.type}")
    if shape[0] % encoding.block:
        raise InvalidModel(
            f"tensor {name} has rows of {shape[0]}, not a multiple of {encoding.block} as {encoding.name} needs"
        )
    return tensor


def _alignment(metadata: dict[str, Value]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 1 <= value <= MAX_ALIGNMENT or value & (value - 1):
        raise InvalidModel(
            f"general.alignment is not a power of two up to {MAX_ALIGNMENT}"
        )
    return value


def _padded(number: int, alignment: int) -> int:
    return -(-number // alignment) * alignment


def _check_layout(tensors: tuple[Tensor, ...], alignment: int, available: int) -> None:
    """Tensors lie one after the other, each padded, and all of them are there."""
    expected = 0
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise InvalidModel(f"tensor {tensor.name} appears twice")
        names.add(tensor.name)
        if tensor.offset != expected:
            raise InvalidModel(
                f"tensor {tensor.name} is at {tensor.offset}, not at {expected}"
            )
        end = expected + tensor.nbytes
        if end > available:
            raise InvalidModel(
                f"tensor {tensor.name} goes beyond the end of the file, which is incomplete or damaged"
            )
        expected = _padded(end, alignment)
    if available - expected > MAX_TRAILING:
        raise InvalidModel(f"{available - expected} bytes follow the last tensor")
