"""Ollama's own store, in the layout that is also ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ollapy.errors import OllapyError
from ollapy.gguf.filenames import Kind
from ollapy.names import Digest, ModelName
from ollapy.store import Blobs, Layer, Manifests
from ollapy.store.manifests import Entry

from .neighbour import Copy, LocalFile, Neighbour

logger = logging.getLogger(__name__)

OWNER = "Ollama"


@dataclass(frozen=True)
class OllamaStore:
    """One store; nothing of it is kept in mind."""

    root: Path

    def models(self) -> list[Neighbour]:
        """Those whose files are there."""
        entries = self._manifests.entries()
        return [model for entry in entries if (model := self._neighbour(entry))]

    def find(self, name: ModelName) -> Neighbour | None:
        """The model of that name."""
        entry = self._manifests.find(name)
        return self._neighbour(entry) if entry else None

    def copies(self, digest: Digest, size: int, _name: ModelName | None) -> list[Copy]:
        """The blob of that digest."""
        is_here = self._blobs.size(digest) == size
        return [Copy(self._blobs.path(digest), OWNER)] if is_here else []

    @property
    def _manifests(self) -> Manifests:
        return Manifests(self.root / "manifests")

    @property
    def _blobs(self) -> Blobs:
        return Blobs(self.root / "blobs")

    def _neighbour(self, entry: Entry) -> Neighbour | None:
        manifest, blobs = entry.manifest, self._blobs
        layers = [*manifest.layers_of("model"), *manifest.layers_of("projector")]
        if not manifest.layers_of("model"):  # a model of Ollama's cloud, or of MLX's
            return None
        try:
            files = tuple(_file(blobs, layer, entry) for layer in layers)
        except OllapyError as exc:
            logger.info("model of Ollama's skipped model=%s: %s", entry.name, exc)
            return None
        return Neighbour(
            entry.name, OWNER, entry.modified_at, files, manifest=entry.data
        )


def _file(blobs: Blobs, layer: Layer, entry: Entry) -> LocalFile:
    path, size = blobs.locate(layer.digest)
    if path is None or size != layer.size:
        raise OllapyError(f"its {layer.kind} is missing or incomplete")
    return LocalFile(path, size, entry.modified_at, layer.digest, Kind(layer.kind))
