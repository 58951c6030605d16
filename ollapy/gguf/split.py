"""A model in one file or in several: llama.cpp's split files, in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ollapy.errors import InvalidModel

from .header import Header, Tensor
from .reader import read_header


def read_model(parts: Sequence[Path], *, arrays: bool = False) -> Header:
    """The header of a whole model: the first part's metadata, the tensors of all. InvalidModel as `read_header`."""
    if len(parts) == 1:
        return read_header(parts[0], arrays=arrays)
    headers = [read_header(path, arrays=arrays, part=True) for path in parts]
    for number, header in enumerate(headers):
        _check_place(header, number, len(headers))
    tensors = tuple(chain.from_iterable(header.tensors for header in headers))
    _check_names(tensors)
    size = sum(header.file_size for header in headers)
    return replace(headers[0], tensors=tensors, file_size=size)


def _check_place(header: Header, number: int, count: int) -> None:
    place = header.metadata.get("split.no"), header.metadata.get("split.count")
    if place != (number, count):
        raise InvalidModel(
            f"file {number + 1} of {count} says that it is number {place[0]}, counted from 0, of {place[1]}"
        )


def _check_names(tensors: Iterable[Tensor]) -> None:
    counts = Counter(tensor.name for tensor in tensors)
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    if count == 0:
        raise InvalidModel("the files have no tensors")
    if count > 1:
        raise InvalidModel(f"tensor {name} appears twice")
