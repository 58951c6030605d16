"""Writing the GGUF: its metadata, then one tensor after the other, a few megabytes at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from .elements import converted, neighbours
from .metadata import Value
from .safetensors import Array, Stored
from .weights import Weight

_AT_ONCE = 4 << 20  # elements
_TYPES: dict[str, tuple[Any, np.dtype[Any]]] = {
    "F32": (gguf.GGMLQuantizationType.F32, np.dtype(np.float32)),
    "F16": (gguf.GGMLQuantizationType.F16, np.dtype(np.float16)),
    "BF16": (gguf.GGMLQuantizationType.BF16, np.dtype(np.uint16)),
}
_ROPE_FACTORS = "rope_freqs.weight"


@dataclass(frozen=True)
class Contents:
    """All that the file is to hold."""

    architecture: str
    metadata: Mapping[str, Value]
    weights: Sequence[Weight]
    sources: Mapping[str, Stored]
    out_type: str
    rope_factors: Array | None = None

    def type_of(self, weight: Weight) -> str:
        return self.out_type if weight.is_matrix else "F32"


def write(path: Path, contents: Contents, told: Callable[[int, int], None]) -> None:
    """Write the file; `told` of the bytes of tensors written so far, and of all."""
    logging.getLogger("gguf").setLevel(logging.WARNING)
    writer = gguf.GGUFWriter(path, contents.architecture)
    for key, value in contents.metadata.items():
        _add(writer, key, value)
    if contents.rope_factors is not None:
        writer.add_tensor(_ROPE_FACTORS, contents.rope_factors)
    total = sum(_declare(writer, contents, weight) for weight in contents.weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    [file] = writer.fout
    try:
        _write_tensors(writer, file, contents, lambda done: told(done, total))
    finally:
        file.close()


def _add(writer: Any, key: str, value: Value) -> None:
    """A key with the type that llama.cpp expects of all such values."""
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list():
            writer.add_array(key, value)


def _declare(writer: Any, contents: Contents, weight: Weight) -> int:
    kind, dtype = _TYPES[contents.type_of(weight)]
    nbytes = weight.size * dtype.itemsize
    writer.add_tensor_info(weight.name, weight.shape, dtype, nbytes, raw_dtype=kind)
    return nbytes


def _write_tensors(
    writer: Any, file: Any, contents: Contents, told: Callable[[int], None]
) -> None:
    done = 0
    writer.write_padding(file, file.tell())
    if contents.rope_factors is not None:
        contents.rope_factors.tofile(file)
        writer.write_padding(file, file.tell())
    for weight in contents.weights:
        for array in _arrays(contents, weight):
            array.tofile(file)
            done += array.nbytes
            told(done)
        writer.write_padding(file, file.tell())


def _arrays(contents: Contents, weight: Weight) -> Iterator[Array]:
    """The tensor's elements in the file's type and order."""
    target = contents.type_of(weight)
    for source in weight.sources:
        stored = contents.sources[source]
        for array in stored.read(_at_once(weight)):
            array = converted(
                array, stored.dtype, target, shift=weight.shift, name=source
            )
            yield _turned(array, weight) if weight.heads else array


def _at_once(weight: Weight) -> int:
    """How many elements to hold; whole heads where their rows change places."""
    if not weight.heads:
        return _AT_ONCE
    per_head = weight.size // weight.heads
    return max(1, _AT_ONCE // per_head) * per_head


def _turned(array: Array, weight: Weight) -> Array:
    """Some whole heads, their rows in llama.cpp's order."""
    heads = len(array) * weight.heads // weight.size
    return neighbours(array.reshape(-1, *weight.each[1:]), heads)
