"""Folder: the files of a Hugging Face model, read within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import InvalidModel
from ollapy.text import clean

T = TypeVar("T")

MAX_CONFIG = 1 << 20
MAX_INDEX = 64 << 20
MAX_TOKENIZER = 256 << 20


class Folder:
    """One model's files; they may be links to files elsewhere."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self, suffix: str) -> list[str]:
        """The files whose name ends so, in order."""
        return sorted(p.name for p in self.path.iterdir() if p.name.endswith(suffix))

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def data(self, name: str, *, limit: int) -> bytes | None:
        """A file's bytes; None where there is no such file."""
        if not self.has(name):
            return None
        with (self.path / name).open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise InvalidModel(f"{name} is larger than {limit >> 20} MB")
        return data

    def text(self, name: str, *, limit: int) -> str | None:
        """A file's text; None where there is no such file."""
        data = self.data(name, limit=limit)
        if data is None:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError as exc:
            raise InvalidModel(f"{name} is not UTF-8 text") from exc

    def json(self, name: str, shape: type[T], *, limit: int = MAX_CONFIG) -> T | None:
        """A JSON file as the type given; None where there is no such file."""
        data = self.data(name, limit=limit)
        return None if data is None else decode(name, data, shape)


def decode(name: str, data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """JSON of the file `name` as the type given."""
    try:
        return from_json(data, shape)
    except (ValueError, RecursionError) as exc:
        reason = clean(str(exc)) or "it is nested too deeply"
        raise InvalidModel(f"{name} cannot be read: {reason}") from exc
