"""safetensors files: a JSON table of tensors, then their bytes. Nothing in them is ever run.

8 bytes: length n of the table │ n bytes: the table │ the tensors' bytes, each at its offsets
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ollapy.errors import InvalidModel, Unsupported
from ollapy.text import clean

from .folder import MAX_INDEX, Folder, decode

_MAX_TABLE = 100 << 20
_MAX_NAME = 200
# bfloat16 is no type of numpy's: it is read as the upper half of a float32
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_INDEX = "model.safetensors.index.json"

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor where it lies: `nbytes` bytes from `start` in a file."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    nbytes: int

    def read(self, at_once: int) -> Iterator[Array]:
        """The elements in order, up to `at_once` of them at a time."""
        dtype = np.dtype(DTYPES[self.dtype])
        remaining = self.nbytes // dtype.itemsize
        with self.path.open("rb") as file:
            file.seek(self.start)
            while remaining:
                count = min(at_once, remaining)
                array = np.fromfile(file, dtype, count)
                if len(array) < count:
                    raise InvalidModel(f"{self.path.name} became shorter meanwhile")
                remaining -= count
                yield array


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def read_tables(folder: Folder) -> dict[str, Stored]:
    """Every tensor of the model, by name."""
    index = folder.json(_INDEX, _Index, limit=MAX_INDEX)
    if index is None:
        return _read_table(folder.path / _only_file(folder))
    files = sorted(set(index.weight_map.values()))
    tables = {name: _read_table(folder.path / _checked(folder, name)) for name in files}
    missing = [t for t, name in index.weight_map.items() if t not in tables[name]]
    if missing:
        name = index.weight_map[missing[0]]
        raise InvalidModel(f"tensor {_shown(missing[0])} is not in {clean(name)}")
    return {t: tables[name][t] for t, name in index.weight_map.items()}


def _checked(folder: Folder, name: str) -> str:
    """A file name of the index, which is untrusted: it must not lead out of the folder."""
    if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
        raise InvalidModel(
            f"{_INDEX} names {clean(name)!r}, which is no file beside it"
        )
    if not folder.has(name):
        raise InvalidModel(f"{clean(name)} is missing, which {_INDEX} names")
    return name


def _only_file(folder: Folder) -> str:
    names = folder.names(".safetensors")
    if "model.safetensors" in names:
        return "model.safetensors"
    models = [n for n in names if not n.startswith(("consolidated", "adapter_model"))]
    if len(models) == 1:
        return models[0]
    if models:
        raise InvalidModel(f"{_INDEX} is missing, which says what the files hold")
    raise _without_weights(folder, has_adapter="adapter_model.safetensors" in names)


def _without_weights(folder: Folder, *, has_adapter: bool) -> Unsupported:
    if has_adapter:
        return Unsupported(
            "the folder holds an adapter and no model, and only GGUF adapters can be used"
        )
    if folder.names(".bin") or folder.names(".pth") or folder.names(".pt"):
        return Unsupported(
            "the weights are PyTorch files, which may run code when they are read: "
            "convert them to safetensors first"
        )
    if folder.names(".gguf"):
        return Unsupported(
            "the folder holds a GGUF: name that file, nothing is to convert"
        )
    return InvalidModel("the folder holds no .safetensors file")


def _read_table(path: Path) -> dict[str, Stored]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_TABLE):
            raise InvalidModel(
                f"{path.name} is cut short, or is not a safetensors file"
            )
        raw = decode(path.name, file.read(length), dict[str, msgspec.Raw])
    raw.pop("__metadata__", None)
    table = {
        name: _stored(path, name, decode(path.name, entry, _Entry), 8 + length, size)
        for name, entry in raw.items()
    }
    _check_overlaps(path.name, table.items())
    return table


def _stored(path: Path, name: str, entry: _Entry, base: int, size: int) -> Stored:
    tensor = f"tensor {_shown(name)} of {path.name}"
    if entry.dtype not in DTYPES:  # whoever wants to read it refuses it
        return Stored(path, clean(entry.dtype), tuple(entry.shape), base, 0)
    begin, end = entry.data_offsets
    if not 0 <= begin <= end <= size - base:
        raise InvalidModel(f"{tensor} lies beyond the end of the file")
    itemsize = np.dtype(DTYPES[entry.dtype]).itemsize
    if min(entry.shape, default=0) < 0 or prod(entry.shape) * itemsize != end - begin:
        raise InvalidModel(
            f"{tensor} has {end - begin} bytes, which its shape does not need"
        )
    return Stored(path, entry.dtype, tuple(entry.shape), base + begin, end - begin)


def _check_overlaps(file: str, table: Iterable[tuple[str, Stored]]) -> None:
    ends, before = 0, ""
    for name, tensor in sorted(table, key=lambda item: item[1].start):
        if tensor.nbytes and tensor.start < ends:
            raise InvalidModel(f"tensors {before} and {_shown(name)} of {file} overlap")
        if tensor.nbytes:
            ends, before = tensor.start + tensor.nbytes, _shown(name)


def _shown(name: str) -> str:
    return clean(name[:_MAX_NAME])
