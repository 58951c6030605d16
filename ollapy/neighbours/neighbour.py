"""Neighbour: a model that another program has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ollapy.gguf.filenames import Kind
from ollapy.names import Digest, ModelName
from ollapy.store import ModelConfig


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A large file of it. The digest is what the other program says, and unknown to some."""

    path: Path
    size: int
    modified_at: float
    digest: Digest | None = None
    kind: Kind = Kind.WEIGHTS


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A model under the name that it has here.

    `owner` is the other program, `files` are the weights in order and then the projectors, `config` is as much as
    is known without reading these, `manifest` is the other program's own, where it has one.
    """

    name: ModelName
    owner: str
    modified_at: float
    files: tuple[LocalFile, ...]
    config: ModelConfig
    manifest: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def weights(self) -> list[Path]:
        """The parts of the weights."""
        return [file.path for file in self.files if file.kind is Kind.WEIGHTS]


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that may hold the bytes that are wanted, which is known once it has been read."""

    path: Path
    owner: str
